//! Evaluation in memory. Total: every typed tree has a value for every input.
//!
//! Comparisons with null are false, except `eq null` and `ne null`; a text test of null is unknown;
//! `not`, `and`, `or` follow three-valued logic; an unknown filter does not hold (`OData` v4 part 2,
//! §5.1.1.1). Text is compared without regard to ASCII case.

use std::cmp::Ordering;

use super::{Comparison, Expr, Scalar, TextTest, Unary};
use crate::time::Timestamp;

/// What a condition is about.
pub trait Subject<F> {
    /// A field of it.
    fn value(&self, field: &F) -> Scalar;

    /// The same, where it is a text and stands there already.
    fn text(&self, field: &F) -> Option<&str>;

    /// Whether a text has this part, without regard to ASCII case; none where it is no text, or where that is to be
    /// found out by looking at the value.
    fn contains(&self, field: &F, part: &str) -> Option<bool>;
}

/// One that is known by its values.
struct Values<'a, F>(&'a dyn Fn(&F) -> Scalar);

impl<F> Subject<F> for Values<'_, F> {
    fn value(&self, field: &F) -> Scalar {
        self.0(field)
    }

    fn text(&self, _: &F) -> Option<&str> {
        None
    }

    fn contains(&self, _: &F, _: &str) -> Option<bool> {
        None
    }
}

/// Whether a condition holds.
pub fn holds<F>(expr: &Expr<F>, field: &dyn Fn(&F) -> Scalar, now: Timestamp) -> bool {
    holds_of(expr, &Values(field), now)
}

/// Whether a condition holds of something.
pub fn holds_of<F>(expr: &Expr<F>, subject: &dyn Subject<F>, now: Timestamp) -> bool {
    truth(expr, subject, now) == Some(true)
}

/// Whether it holds; none where that is unknown.
fn truth<F>(expr: &Expr<F>, subject: &dyn Subject<F>, now: Timestamp) -> Option<bool> {
    let of = |inner: &Expr<F>| value(inner, subject, now);
    match expr {
        Expr::Not(inner) => truth(inner, subject, now).map(|truth| !truth),
        Expr::And(parts) => all(parts, true, subject, now),
        Expr::Or(parts) => all(parts, false, subject, now),
        Expr::Compare(left, operator, right) => {
            // Most of all comparisons: nothing is copied for it.
            if let (Some(field), Expr::Constant(Scalar::Text(right))) = (left.cased(), right.as_ref())
                && let Some(left) = subject.text(field)
            {
                return Some(match operator {
                    Comparison::Eq => left.eq_ignore_ascii_case(right),
                    _ => meets(*operator, Some(folded(left).cmp(folded(right)))),
                });
            }
            Some(compare(&of(left), *operator, &of(right)))
        }
        Expr::In(left, items) => {
            let left = of(left);
            Some(items.iter().any(|item| compare(&left, Comparison::Eq, item)))
        }
        Expr::Text(test, text, part) => {
            if let (TextTest::Contains, Some(field), Expr::Constant(Scalar::Text(part))) =
                (test, text.cased(), part.as_ref())
                && let Some(found) = subject.contains(field, part)
            {
                return Some(found);
            }
            match (of(text), of(part)) {
                (Scalar::Text(text), Scalar::Text(part)) => Some(text_test(*test, &text, &part)),
                _ => None,
            }
        }
        _ => match of(expr) {
            Scalar::Bool(truth) => Some(truth),
            _ => None,
        },
    }
}

fn value<F>(expr: &Expr<F>, subject: &dyn Subject<F>, now: Timestamp) -> Scalar {
    let of = |inner: &Expr<F>| value(inner, subject, now);
    match expr {
        Expr::Constant(constant) => constant.clone(),
        Expr::Field(name) => subject.value(name),
        Expr::Now(offset) => Scalar::Time(now.plus(*offset)),
        Expr::Not(_) | Expr::And(_) | Expr::Or(_) | Expr::Compare(..) | Expr::In(..) | Expr::Text(..) => {
            truth(expr, subject, now).map_or(Scalar::Null, Scalar::Bool)
        }
        Expr::Unary(function, inner) => match (function, of(inner)) {
            (Unary::ToLower, Scalar::Text(text)) => Scalar::Text(text.to_ascii_lowercase()),
            (Unary::ToUpper, Scalar::Text(text)) => Scalar::Text(text.to_ascii_uppercase()),
            (Unary::Length, Scalar::Text(text)) => Scalar::Number(characters(&text) as f64),
            (function, Scalar::Time(time)) => of_time(*function, time),
            _ => Scalar::Null,
        },
        Expr::Shift(inner, ms) => match of(inner) {
            Scalar::Time(time) => Scalar::Time(time.plus(*ms)),
            _ => Scalar::Null,
        },
    }
}

/// Up to the first zero character, where there is one: so SQL counts.
fn characters(text: &str) -> usize {
    text.chars().take_while(|c| *c != '\0').count()
}

/// The calendar has the years 0 to 9999, as literals do; outside them, null.
fn of_time(function: Unary, time: Timestamp) -> Scalar {
    if function == Unary::Date {
        return Scalar::Time(time.midnight());
    }
    let Some(civil) = time.civil() else { return Scalar::Null };
    Scalar::Number(match function {
        Unary::Year => civil.year,
        Unary::Month => civil.month,
        Unary::Day => civil.day,
        Unary::Hour => civil.hour,
        Unary::Date | Unary::ToLower | Unary::ToUpper | Unary::Length => return Scalar::Null,
    } as f64)
}

/// Conjunction when `unit` is true, disjunction when it is false.
fn all<F>(parts: &[Expr<F>], unit: bool, subject: &dyn Subject<F>, now: Timestamp) -> Option<bool> {
    let mut result = Some(unit);
    for part in parts {
        match truth(part, subject, now) {
            Some(truth) if truth == unit => {}
            Some(_) => return Some(!unit),
            None => result = None,
        }
    }
    result
}

fn compare(left: &Scalar, operator: Comparison, right: &Scalar) -> bool {
    let order = match (left, right) {
        (Scalar::Null, Scalar::Null) => return operator == Comparison::Eq,
        (Scalar::Null, _) | (_, Scalar::Null) => return operator == Comparison::Ne,
        _ => ordering(left, right),
    };
    meets(operator, order)
}

fn meets(operator: Comparison, order: Option<Ordering>) -> bool {
    match (operator, order) {
        (Comparison::Eq, Some(Ordering::Equal))
        | (Comparison::Gt, Some(Ordering::Greater))
        | (Comparison::Lt, Some(Ordering::Less))
        | (Comparison::Ge, Some(Ordering::Greater | Ordering::Equal))
        | (Comparison::Le, Some(Ordering::Less | Ordering::Equal)) => true,
        (Comparison::Ne, order) => order != Some(Ordering::Equal),
        _ => false,
    }
}

/// Order of two values that are not null; none when their types differ, as properties may.
fn ordering(left: &Scalar, right: &Scalar) -> Option<Ordering> {
    match (left, right) {
        (Scalar::Bool(left), Scalar::Bool(right)) => Some(left.cmp(right)),
        (Scalar::Number(left), Scalar::Number(right)) => left.partial_cmp(right),
        (Scalar::Text(left), Scalar::Text(right)) => Some(folded(left).cmp(folded(right))),
        (Scalar::Time(left), Scalar::Time(right)) => Some(left.cmp(right)),
        _ => None,
    }
}

fn folded(text: &str) -> impl Iterator<Item = u8> + '_ {
    text.bytes().map(|byte| byte.to_ascii_lowercase())
}

fn text_test(test: TextTest, text: &str, part: &str) -> bool {
    let (text, part) = (text.to_ascii_lowercase(), part.to_ascii_lowercase());
    match test {
        TextTest::Contains => text.contains(&part),
        TextTest::StartsWith => text.starts_with(&part),
        TextTest::EndsWith => text.ends_with(&part),
    }
}

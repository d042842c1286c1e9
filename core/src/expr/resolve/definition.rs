//! Definitions: segments, audiences, measures. A lambda over activities becomes a counter that is kept
//! with every signal (law 9), so inside one only the activity's fields, constants and windows on its
//! time can stand (design §7).

use super::{
    Checked, FieldId, Scope, Typed, is_activities, named, no_collection, no_segment, plain, segment, truth,
};
use crate::activity::ActivityField;
use crate::counter::{CounterId, Counting, WINDOW_COUNT, Window};
use crate::expr::parse::{Ast, Node, parse};
use crate::expr::{Comparison, Expr, ExprError, Scalar, Type, place_of_call};

/// What a filter over a customer can name.
pub trait Schema {
    /// An attribute by name in any case: its own spelling and its type.
    fn attribute(&self, name: &str) -> Option<(String, Type)>;
    /// A measure by name in any case: its own spelling and its type.
    fn measure(&self, name: &str) -> Option<(String, Type)>;
    /// A segment by name in any case: its own spelling.
    fn segment(&self, name: &str) -> Option<String>;
}

/// A field of the customer.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CustomerField {
    /// By its own spelling.
    Attribute(String),
    /// By its own spelling.
    Measure(String),
    /// How many activities a counter has counted.
    Count(CounterId),
    /// Whether the customer is in the segment.
    Member(String),
}

/// A filter over the customer, ready to be evaluated.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolved {
    /// The filter itself.
    pub expr: Expr<CustomerField>,
    /// What must be counted so that it can be evaluated.
    pub counters: Vec<Counting>,
}

/// Resolves a filter over the customer.
///
/// # Errors
/// `invalid_filter` for a fault of the language, `unsupported_in_definition` for what only the read
/// API allows; both with the position.
pub fn customer(text: &str, schema: &dyn Schema) -> Result<Resolved, ExprError> {
    let mut scope = Customer { schema, fields: Vec::new(), counters: Vec::new() };
    let expr = truth(&parse(text, &[])?, &mut scope)?;
    Ok(Resolved { expr: named(expr, &scope.fields), counters: scope.counters })
}

/// Resolves a filter over one activity, as in a measure.
///
/// # Errors
/// As [`customer`].
pub fn activity(text: &str) -> Result<Expr<ActivityField>, ExprError> {
    Activity::truth(&parse(text, &[])?, None)
}

/// Resolves a filter over one activity that holds for ever or never: it cannot look at the clock.
///
/// # Errors
/// As [`customer`]; with the refusal where `now()` stands.
pub(crate) fn lasting(text: &str, refusal: &str) -> Result<Expr<ActivityField>, ExprError> {
    let filter = activity(text)?;
    if filter.mentions_now() {
        return Err(ExprError::unsupported(place_of_call(text, "now", None), refusal));
    }
    Ok(filter)
}

struct Customer<'a> {
    schema: &'a dyn Schema,
    fields: Vec<CustomerField>,
    counters: Vec<Counting>,
}

impl Scope for Customer<'_> {
    fn path(&mut self, at: usize, path: &[String]) -> Result<(FieldId, Type), ExprError> {
        let unknown = |what: &str, name: &str| ExprError::invalid(at, format!("no {what} named {name}"));
        let (field, kind) = match path {
            [name] => {
                let found = self.schema.attribute(plain(name));
                let (name, kind) = found.ok_or_else(|| unknown("attribute", name))?;
                (CustomerField::Attribute(name), kind)
            }
            [set, name] if plain(set).eq_ignore_ascii_case("Measures") => {
                let (name, kind) = self.schema.measure(name).ok_or_else(|| unknown("measure", name))?;
                (CustomerField::Measure(name), kind)
            }
            _ => return Err(unknown("field", &path.join("/"))),
        };
        Ok((self.field(field), kind))
    }

    fn special(&mut self, tree: &Ast) -> Result<Option<Typed>, ExprError> {
        if let Some((at, name)) = segment(tree)? {
            let name = self.schema.segment(name).ok_or_else(|| no_segment(at, name))?;
            return Ok(Some((Expr::Field(self.field(CustomerField::Member(name))), Type::Bool)));
        }
        Ok(Some(match &tree.node {
            // Nothing wakes a customer at the instant that such a filter changes.
            Node::Call(name, _) if name == "now" => {
                let message = "now() can only be compared with the ActivityTime of activities here";
                return Err(ExprError::unsupported(tree.at, message));
            }
            // any(a: P) is "at least one with P"; all(a: P) is "none without P".
            Node::Lambda { path, any, variable, predicate } => {
                let predicate = match predicate {
                    Some(predicate) => Some(Self::predicate(predicate, Some(variable), !*any)?),
                    None => None,
                };
                let counter = self.counter(tree.at, path, predicate, 1)?;
                let limit = if *any { Comparison::Ge } else { Comparison::Lt };
                (self.counted(counter, limit, 1.0), Type::Bool)
            }
            Node::Compare(left, operator, right) => match (&left.node, &right.node) {
                (Node::Count(path, filter), Node::Literal(Scalar::Number(limit))) => {
                    (self.limited_count(left.at, path, filter.as_deref(), *operator, *limit)?, Type::Bool)
                }
                (Node::Literal(Scalar::Number(limit)), Node::Count(path, filter)) => {
                    let operator = operator.mirrored();
                    (self.limited_count(right.at, path, filter.as_deref(), operator, *limit)?, Type::Bool)
                }
                _ => return Ok(None),
            },
            Node::Count(..) => {
                return Err(ExprError::unsupported(
                    tree.at,
                    "a count can only be compared with a constant here",
                ));
            }
            _ => return Ok(None),
        }))
    }
}

/// Most that a count can be compared with when it has a window: that many instants are kept.
const WINDOWED_LIMIT: f64 = 10_000.0;

impl Customer<'_> {
    fn field(&mut self, field: CustomerField) -> FieldId {
        self.fields.push(field);
        self.fields.len() - 1
    }

    fn counted(&mut self, counter: CounterId, operator: Comparison, limit: f64) -> Expr<FieldId> {
        let count = Expr::Field(self.field(CustomerField::Count(counter)));
        Expr::Compare(Box::new(count), operator, Box::new(Expr::Constant(Scalar::Number(limit))))
    }

    fn limited_count(
        &mut self,
        at: usize,
        path: &[String],
        filter: Option<&Ast>,
        operator: Comparison,
        limit: f64,
    ) -> Checked {
        if !(0.0..=WINDOWED_LIMIT).contains(&limit) {
            return Err(ExprError::invalid(at, format!("a count is compared with 0 to {WINDOWED_LIMIT}")));
        }
        let predicate = filter.map(|filter| Self::predicate(filter, None, false)).transpose()?;
        // To tell n from more than n, one more than n must be kept.
        let counter = self.counter(at, path, predicate, limit.ceil() as usize + 1)?;
        Ok(self.counted(counter, operator, limit))
    }

    fn predicate(
        tree: &Ast,
        variable: Option<&String>,
        negated: bool,
    ) -> Result<Expr<ActivityField>, ExprError> {
        let expr = Activity::truth(tree, variable)?;
        if negated && expr.mentions_now() {
            return Err(ExprError::unsupported(
                tree.at,
                "all(…) cannot look at a time window; use any or $count",
            ));
        }
        Ok(if negated { Expr::Not(Box::new(expr)) } else { expr })
    }

    fn counter(
        &mut self,
        at: usize,
        path: &[String],
        predicate: Option<Expr<ActivityField>>,
        keep: usize,
    ) -> Result<CounterId, ExprError> {
        if !is_activities(path) {
            return Err(no_collection(at, path));
        }
        let (predicate, window) = match predicate {
            Some(predicate) => split_window(at, predicate)?,
            None => (None, None),
        };
        if window.is_some() && keep > WINDOW_COUNT {
            let message = format!("activities of a time window are counted up to {WINDOW_COUNT}");
            return Err(ExprError::invalid(at, message));
        }
        let counting = Counting::activities(predicate, window, keep);
        let id = counting.id;
        self.counters.push(counting);
        Ok(id)
    }
}

/// Takes `ActivityTime gt now() sub duration'…'` out of a conjunction: what remains is true of a
/// signal for ever, the window moves with time.
fn split_window(
    at: usize,
    predicate: Expr<ActivityField>,
) -> Result<(Option<Expr<ActivityField>>, Option<Window>), ExprError> {
    let parts = match predicate {
        Expr::And(parts) => parts,
        single => vec![single],
    };
    let mut window: Option<Window> = None;
    let mut rest = Vec::new();
    for part in parts {
        match as_window(&part) {
            Some(found) => window = Some(window.map_or(found, |window| window.narrowed(found))),
            None if part.mentions_now() => {
                return Err(ExprError::unsupported(
                    at,
                    "now() can only stand in a comparison with ActivityTime that is joined by and",
                ));
            }
            None => rest.push(part),
        }
    }
    let rest = match rest.len() {
        0 => None,
        1 => rest.pop(),
        _ => Some(Expr::And(rest)),
    };
    Ok((rest, window))
}

fn as_window(part: &Expr<ActivityField>) -> Option<Window> {
    let Expr::Compare(left, operator, right) = part else { return None };
    let (operator, time, offset) = match (left.as_ref(), right.as_ref()) {
        (time, Expr::Now(offset)) => (*operator, time, *offset),
        (Expr::Now(offset), time) => (operator.mirrored(), time, *offset),
        _ => return None,
    };
    let offset = match time {
        Expr::Field(ActivityField::Time) => offset,
        Expr::Shift(time, ms) if **time == Expr::Field(ActivityField::Time) => offset.saturating_sub(*ms),
        _ => return None,
    };
    // Instants are whole milliseconds: `ge` is `gt` one earlier, `lt` is `le` one earlier.
    match operator {
        Comparison::Gt => Some(Window { after: Some(offset), until: 0 }),
        Comparison::Ge => Some(Window { after: Some(offset.saturating_sub(1)), until: 0 }),
        Comparison::Le => Some(Window { after: None, until: offset }),
        Comparison::Lt => Some(Window { after: None, until: offset.saturating_sub(1) }),
        Comparison::Eq | Comparison::Ne => None,
    }
}

struct Activity<'a> {
    /// Name of the range variable, when there is one.
    variable: Option<&'a String>,
    fields: Vec<ActivityField>,
}

impl Activity<'_> {
    fn truth(tree: &Ast, variable: Option<&String>) -> Result<Expr<ActivityField>, ExprError> {
        let mut scope = Activity { variable, fields: Vec::new() };
        let expr = truth(tree, &mut scope)?;
        Ok(named(expr, &scope.fields))
    }
}

impl Scope for Activity<'_> {
    fn path(&mut self, at: usize, path: &[String]) -> Result<(FieldId, Type), ExprError> {
        let own = match (self.variable, path) {
            (Some(variable), [first, own @ ..]) if first == variable => own,
            (Some(variable), _) => {
                let message = format!("inside the lambda only fields of {variable} can be used");
                return Err(ExprError::unsupported(at, message));
            }
            (None, own) => own,
        };
        let (field, kind) = ActivityField::from_path(own)
            .ok_or_else(|| ExprError::invalid(at, format!("activities have no field {}", own.join("/"))))?;
        self.fields.push(field);
        Ok((self.fields.len() - 1, kind))
    }

    fn special(&mut self, tree: &Ast) -> Result<Option<Typed>, ExprError> {
        match &tree.node {
            Node::Lambda { .. } | Node::Count(..) => {
                Err(ExprError::unsupported(tree.at, "activities have no collections of their own"))
            }
            _ if segment(tree)?.is_some() => {
                Err(ExprError::unsupported(tree.at, "segments cannot be asked about inside a lambda"))
            }
            _ => Ok(None),
        }
    }
}

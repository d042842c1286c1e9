//! Names resolved, types checked: from the untyped tree to [`Expr`].
//!
//! A lambda over activities becomes a counter that is kept with every signal (law 9), so inside one
//! only the activity's fields, constants and windows on its time can stand (design §7).

use super::parse::{Ast, Node, parse};
use super::{Comparison, Expr, ExprError, Scalar, TextTest, Type, Unary};
use crate::activity::ActivityField;
use crate::counter::{CounterId, Counting, Window};

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
    let tree = parse(text)?;
    let mut scope = Customer { schema, counters: Vec::new() };
    let expr = truth(&tree, &mut scope)?;
    Ok(Resolved { expr, counters: scope.counters })
}

/// Resolves a filter over one activity, as in a measure.
///
/// # Errors
/// As [`customer`].
pub fn activity(text: &str) -> Result<Expr<ActivityField>, ExprError> {
    truth(&parse(text)?, &mut Activity { variable: None })
}

/// Where names are looked up.
trait Scope {
    type Field;
    fn path(&mut self, at: usize, path: &[String]) -> Result<(Self::Field, Type), ExprError>;
    /// A node that only this scope knows: lambdas, counts, `IsMemberOfSegment`.
    fn special(&mut self, tree: &Ast) -> Result<Option<Typed<Self::Field>>, ExprError>;
}

type Typed<F> = (Expr<F>, Type);

fn truth<S: Scope>(tree: &Ast, scope: &mut S) -> Result<Expr<S::Field>, ExprError> {
    let (expr, found) = value(tree, scope)?;
    if matches!(found, Type::Bool | Type::Any) {
        return Ok(expr);
    }
    Err(ExprError::invalid(tree.at, format!("a condition should stand here, this is {}", found.name())))
}

fn value<S: Scope>(tree: &Ast, scope: &mut S) -> Result<Typed<S::Field>, ExprError> {
    if let Some(special) = scope.special(tree)? {
        return Ok(special);
    }
    Ok(match &tree.node {
        Node::Literal(literal) => {
            let literal_type = type_of(literal);
            (Expr::Constant(literal.clone()), literal_type)
        }
        Node::Path(path) => {
            let (field, field_type) = scope.path(tree.at, path)?;
            (Expr::Field(field), field_type)
        }
        Node::Not(inner) => (Expr::Not(Box::new(truth(inner, scope)?)), Type::Bool),
        Node::And(left, right) => {
            let parts = join(truth(left, scope)?, truth(right, scope)?, true);
            (Expr::And(parts), Type::Bool)
        }
        Node::Or(left, right) => {
            let parts = join(truth(left, scope)?, truth(right, scope)?, false);
            (Expr::Or(parts), Type::Bool)
        }
        Node::Compare(left, operator, right) => (compare(left, *operator, right, scope)?, Type::Bool),
        Node::In(left, items) => (one_of(left, items, scope)?, Type::Bool),
        Node::Shift(left, add, right) => (shift(left, *add, right, scope)?, Type::Time),
        Node::Call(name, arguments) => call(tree.at, name, arguments, scope)?,
        Node::Duration(_) => {
            return Err(ExprError::invalid(tree.at, "a duration can only be added to or taken from a time"));
        }
        Node::Lambda { .. } | Node::Count(..) => {
            return Err(ExprError::unsupported(tree.at, "activities have no collections of their own"));
        }
    })
}

/// `a and b and c` as one flat list: a long chain costs no depth.
fn join<F>(left: Expr<F>, right: Expr<F>, and: bool) -> Vec<Expr<F>> {
    let mut parts = Vec::new();
    for side in [left, right] {
        match side {
            Expr::And(inner) if and => parts.extend(inner),
            Expr::Or(inner) if !and => parts.extend(inner),
            other => parts.push(other),
        }
    }
    parts
}

fn type_of(literal: &Scalar) -> Type {
    match literal {
        Scalar::Null => Type::Null,
        Scalar::Bool(_) => Type::Bool,
        Scalar::Number(_) => Type::Number,
        Scalar::Text(_) => Type::Text,
        Scalar::Time(_) => Type::Time,
    }
}

fn need(at: usize, found: Type, wanted: Type) -> Result<(), ExprError> {
    if found.comparable(wanted) {
        return Ok(());
    }
    Err(ExprError::invalid(at, format!("{} should stand here, this is {}", wanted.name(), found.name())))
}

fn compare<S: Scope>(
    left: &Ast,
    operator: Comparison,
    right: &Ast,
    scope: &mut S,
) -> Result<Expr<S::Field>, ExprError> {
    let (left_expr, left_type) = value(left, scope)?;
    let (right_expr, right_type) = value(right, scope)?;
    need(right.at, right_type, left_type)?;
    let ordered = !matches!(operator, Comparison::Eq | Comparison::Ne);
    if ordered && (left_type == Type::Bool || right_type == Type::Bool) {
        return Err(ExprError::invalid(left.at, "booleans have no order"));
    }
    Ok(Expr::Compare(Box::new(left_expr), operator, Box::new(right_expr)))
}

fn one_of<S: Scope>(left: &Ast, items: &[Ast], scope: &mut S) -> Result<Expr<S::Field>, ExprError> {
    let (expr, expr_type) = value(left, scope)?;
    let mut constants = Vec::new();
    for item in items {
        let Node::Literal(literal) = &item.node else {
            return Err(ExprError::invalid(item.at, "only constants can stand in the list of in"));
        };
        need(item.at, type_of(literal), expr_type)?;
        constants.push(literal.clone());
    }
    Ok(Expr::In(Box::new(expr), constants))
}

fn shift<S: Scope>(left: &Ast, add: bool, right: &Ast, scope: &mut S) -> Result<Expr<S::Field>, ExprError> {
    let Node::Duration(ms) = right.node else {
        return Err(ExprError::invalid(right.at, "a duration should stand here, as in duration'P30D'"));
    };
    let ms = if add { ms } else { -ms };
    match value(left, scope)? {
        (Expr::Now(offset), _) => Ok(Expr::Now(offset.saturating_add(ms))),
        (Expr::Constant(Scalar::Time(time)), _) => Ok(Expr::Constant(Scalar::Time(time.plus(ms)))),
        _ => Err(ExprError::invalid(left.at, "durations shift only now() and constant times")),
    }
}

fn call<S: Scope>(
    at: usize,
    name: &str,
    arguments: &[Ast],
    scope: &mut S,
) -> Result<Typed<S::Field>, ExprError> {
    let test = match name {
        "contains" => Some(TextTest::Contains),
        "startswith" => Some(TextTest::StartsWith),
        "endswith" => Some(TextTest::EndsWith),
        _ => None,
    };
    let unary = match name {
        "tolower" => Some((Unary::ToLower, Type::Text)),
        "toupper" => Some((Unary::ToUpper, Type::Text)),
        "length" => Some((Unary::Length, Type::Number)),
        _ => None,
    };
    match (name, arguments) {
        ("now", []) => Ok((Expr::Now(0), Type::Time)),
        (_, [text, part]) if let Some(test) = test => {
            let (text, part) = (text_argument(text, scope)?, text_argument(part, scope)?);
            Ok((Expr::Text(test, Box::new(text), Box::new(part)), Type::Bool))
        }
        (_, [text]) if let Some((unary, result)) = unary => {
            Ok((Expr::Unary(unary, Box::new(text_argument(text, scope)?)), result))
        }
        _ => Err(ExprError::invalid(at, format!("no function {name} with {} arguments", arguments.len()))),
    }
}

fn text_argument<S: Scope>(tree: &Ast, scope: &mut S) -> Result<Expr<S::Field>, ExprError> {
    let (expr, found) = value(tree, scope)?;
    need(tree.at, found, Type::Text)?;
    Ok(expr)
}

struct Customer<'a> {
    schema: &'a dyn Schema,
    counters: Vec<Counting>,
}

impl Scope for Customer<'_> {
    type Field = CustomerField;

    fn path(&mut self, at: usize, path: &[String]) -> Result<(CustomerField, Type), ExprError> {
        let unknown = |what: &str, name: &str| ExprError::invalid(at, format!("no {what} named {name}"));
        match path {
            [name] => {
                let plain = name.strip_prefix("msdynci_").unwrap_or(name);
                let (name, kind) = self.schema.attribute(plain).ok_or_else(|| unknown("attribute", name))?;
                Ok((CustomerField::Attribute(name), kind))
            }
            [set, name] if set.eq_ignore_ascii_case("Measures") => {
                let (name, kind) = self.schema.measure(name).ok_or_else(|| unknown("measure", name))?;
                Ok((CustomerField::Measure(name), kind))
            }
            _ => Err(unknown("field", &path.join("/"))),
        }
    }

    fn special(&mut self, tree: &Ast) -> Result<Option<Typed<CustomerField>>, ExprError> {
        Ok(Some(match &tree.node {
            Node::Call(name, arguments) if name == "IsMemberOfSegment" => {
                let [Ast { node: Node::Literal(Scalar::Text(segment)), at }] = arguments.as_slice() else {
                    return Err(ExprError::invalid(
                        tree.at,
                        "IsMemberOfSegment takes a segment's name in quotes",
                    ));
                };
                let name = self
                    .schema
                    .segment(segment)
                    .ok_or_else(|| ExprError::invalid(*at, format!("no segment named {segment}")))?;
                (Expr::Field(CustomerField::Member(name)), Type::Bool)
            }
            // any(a: P) is "at least one with P"; all(a: P) is "none without P".
            Node::Lambda { path, any, variable, predicate } => {
                let predicate = match predicate {
                    Some(predicate) => Some(Self::predicate(predicate, Some(variable), !*any)?),
                    None => None,
                };
                let counter = self.counter(tree.at, path, predicate, 1)?;
                let limit = if *any { Comparison::Ge } else { Comparison::Lt };
                (at_least(counter, limit, 1.0), Type::Bool)
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

fn at_least(counter: CounterId, operator: Comparison, limit: f64) -> Expr<CustomerField> {
    Expr::Compare(
        Box::new(Expr::Field(CustomerField::Count(counter))),
        operator,
        Box::new(Expr::Constant(Scalar::Number(limit))),
    )
}

/// Most that a count can be compared with when it has a window: that many instants are kept.
const WINDOWED_LIMIT: f64 = 10_000.0;

impl Customer<'_> {
    fn limited_count(
        &mut self,
        at: usize,
        path: &[String],
        filter: Option<&Ast>,
        operator: Comparison,
        limit: f64,
    ) -> Result<Expr<CustomerField>, ExprError> {
        if !(0.0..=WINDOWED_LIMIT).contains(&limit) {
            return Err(ExprError::invalid(at, format!("a count is compared with 0 to {WINDOWED_LIMIT}")));
        }
        let predicate = filter.map(|filter| Self::predicate(filter, None, false)).transpose()?;
        // To tell n from more than n, one more than n must be kept.
        let counter = self.counter(at, path, predicate, limit.ceil() as usize + 1)?;
        Ok(at_least(counter, operator, limit))
    }

    fn predicate(
        tree: &Ast,
        variable: Option<&String>,
        negated: bool,
    ) -> Result<Expr<ActivityField>, ExprError> {
        let expr = truth(tree, &mut Activity { variable: variable.cloned() })?;
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
        match path {
            [set] if set.eq_ignore_ascii_case("UnifiedActivity") => {}
            _ => return Err(ExprError::invalid(at, format!("{} is no collection", path.join("/")))),
        }
        let (predicate, window) = match predicate {
            Some(predicate) => split_window(at, predicate)?,
            None => (None, None),
        };
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
    let (operator, offset) = match (left.as_ref(), right.as_ref()) {
        (Expr::Field(ActivityField::Time), Expr::Now(offset)) => (*operator, *offset),
        (Expr::Now(offset), Expr::Field(ActivityField::Time)) => (operator.mirrored(), *offset),
        _ => return None,
    };
    // Instants are whole milliseconds: `ge` is `gt` one earlier, `lt` is `le` one earlier.
    match operator {
        Comparison::Gt => Some(Window { after: Some(offset), until: 0 }),
        Comparison::Ge => Some(Window { after: Some(offset - 1), until: 0 }),
        Comparison::Le => Some(Window { after: None, until: offset }),
        Comparison::Lt => Some(Window { after: None, until: offset - 1 }),
        Comparison::Eq | Comparison::Ne => None,
    }
}

struct Activity {
    /// Name of the range variable, when there is one.
    variable: Option<String>,
}

impl Scope for Activity {
    type Field = ActivityField;

    fn path(&mut self, at: usize, path: &[String]) -> Result<(ActivityField, Type), ExprError> {
        let own = match (&self.variable, path) {
            (Some(variable), [first, own @ ..]) if first == variable => own,
            (Some(variable), _) => {
                let message = format!("inside the lambda only fields of {variable} can be used");
                return Err(ExprError::unsupported(at, message));
            }
            (None, own) => own,
        };
        ActivityField::from_path(own)
            .ok_or_else(|| ExprError::invalid(at, format!("activities have no field {}", own.join("/"))))
    }

    fn special(&mut self, tree: &Ast) -> Result<Option<Typed<ActivityField>>, ExprError> {
        match &tree.node {
            Node::Call(name, _) if name == "IsMemberOfSegment" => {
                Err(ExprError::unsupported(tree.at, "segments cannot be asked about inside a lambda"))
            }
            _ => Ok(None),
        }
    }
}

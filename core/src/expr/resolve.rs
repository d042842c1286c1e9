//! Names resolved, types checked: from the untyped tree to [`Expr`]. One set of checks, and three
//! kinds of places where names are looked up: the customer and the activity of definitions, and the
//! entities of the read API.

mod definition;
mod query;

pub(crate) use definition::lasting;
pub use definition::{CustomerField, Resolved, Schema, activity, customer};
pub use query::{Entity, QueryField, query};

use super::parse::{Ast, Node};
use super::{Comparison, Expr, ExprError, Scalar, TextTest, Type, Unary};

/// Where names are looked up.
trait Scope {
    fn path(&mut self, at: usize, path: &[String]) -> Result<(FieldId, Type), ExprError>;
    /// A node that only this scope knows: lambdas, counts, `IsMemberOfSegment`.
    fn special(&mut self, tree: &Ast) -> Result<Option<Typed>, ExprError>;
}

/// Place of a field in a scope's list. So the checks below exist once, not once for each kind of field.
type FieldId = usize;
type Typed = (Expr<FieldId>, Type);
type Checked = Result<Expr<FieldId>, ExprError>;

fn truth(tree: &Ast, scope: &mut dyn Scope) -> Checked {
    let (expr, found) = value(tree, scope)?;
    if matches!(found, Type::Bool | Type::Any) {
        return Ok(expr);
    }
    Err(ExprError::invalid(tree.at, format!("a condition should stand here, this is {}", found.name())))
}

fn value(tree: &Ast, scope: &mut dyn Scope) -> Result<Typed, ExprError> {
    if let Some(special) = scope.special(tree)? {
        return Ok(special);
    }
    Ok(match &tree.node {
        Node::Literal(literal) => (Expr::Constant(literal.clone()), literal.kind()),
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
            return Err(ExprError::unsupported(tree.at, "there is no collection here"));
        }
    })
}

/// `a and b and c` as one flat list: a long chain costs no depth.
fn join(left: Expr<FieldId>, right: Expr<FieldId>, and: bool) -> Vec<Expr<FieldId>> {
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

fn need(at: usize, found: Type, wanted: Type) -> Result<(), ExprError> {
    if found.comparable(wanted) {
        return Ok(());
    }
    Err(ExprError::invalid(at, format!("{} should stand here, this is {}", wanted.name(), found.name())))
}

fn compare(left: &Ast, operator: Comparison, right: &Ast, scope: &mut dyn Scope) -> Checked {
    let (left_expr, left_type) = value(left, scope)?;
    let (right_expr, right_type) = value(right, scope)?;
    need(right.at, right_type, left_type)?;
    let ordered = !matches!(operator, Comparison::Eq | Comparison::Ne);
    if ordered && (left_type == Type::Bool || right_type == Type::Bool) {
        return Err(ExprError::invalid(left.at, "booleans have no order"));
    }
    Ok(Expr::Compare(Box::new(left_expr), operator, Box::new(right_expr)))
}

fn one_of(left: &Ast, items: &[Ast], scope: &mut dyn Scope) -> Checked {
    let (expr, expr_type) = value(left, scope)?;
    let mut constants = Vec::new();
    for item in items {
        let Node::Literal(literal) = &item.node else {
            return Err(ExprError::invalid(item.at, "only constants can stand in the list of in"));
        };
        need(item.at, literal.kind(), expr_type)?;
        constants.push(literal.clone());
    }
    Ok(Expr::In(Box::new(expr), constants))
}

fn shift(left: &Ast, add: bool, right: &Ast, scope: &mut dyn Scope) -> Checked {
    let Node::Duration(ms) = right.node else {
        return Err(ExprError::invalid(right.at, "a duration should stand here, as in duration'P30D'"));
    };
    let ms = if add { ms } else { -ms };
    Ok(match argument(left, Type::Time, scope)? {
        Expr::Now(offset) => Expr::Now(offset.saturating_add(ms)),
        Expr::Constant(Scalar::Time(time)) => Expr::Constant(Scalar::Time(time.plus(ms))),
        Expr::Shift(inner, before) => Expr::Shift(inner, before.saturating_add(ms)),
        other => Expr::Shift(Box::new(other), ms),
    })
}

fn call(at: usize, name: &str, arguments: &[Ast], scope: &mut dyn Scope) -> Result<Typed, ExprError> {
    let test = match name {
        "contains" => Some(TextTest::Contains),
        "startswith" => Some(TextTest::StartsWith),
        "endswith" => Some(TextTest::EndsWith),
        _ => None,
    };
    match arguments {
        [] if name == "now" => Ok((Expr::Now(0), Type::Time)),
        [text, part] if let Some(test) = test => {
            let (text, part) = (argument(text, Type::Text, scope)?, argument(part, Type::Text, scope)?);
            Ok((Expr::Text(test, Box::new(text), Box::new(part)), Type::Bool))
        }
        [of] if let Some((function, takes, gives)) = Unary::from_name(name) => {
            Ok((Expr::Unary(function, Box::new(argument(of, takes, scope)?)), gives))
        }
        _ => Err(ExprError::invalid(at, format!("no function {name} with {} arguments", arguments.len()))),
    }
}

fn argument(tree: &Ast, wanted: Type, scope: &mut dyn Scope) -> Checked {
    let (expr, found) = value(tree, scope)?;
    need(tree.at, found, wanted)?;
    Ok(expr)
}

/// A tree of fields by place as one of fields. Every place was given out by the scope itself.
fn named<F: Clone>(expr: Expr<FieldId>, fields: &[F]) -> Expr<F> {
    expr.map(&mut |id| fields.get(id).cloned().map_or(Expr::Constant(Scalar::Null), Expr::Field))
}

/// A name without the prefix that the read API gives to all.
fn plain(name: &str) -> &str {
    match name.split_at_checked(PREFIX.len()) {
        Some((prefix, rest)) if prefix.eq_ignore_ascii_case(PREFIX) => rest,
        _ => name,
    }
}

const PREFIX: &str = "msdynci_";

fn is_activities(path: &[String]) -> bool {
    matches!(path, [set] if plain(set).eq_ignore_ascii_case("UnifiedActivity"))
}

/// The segment that `IsMemberOfSegment` asks about, where the node is that.
fn segment(tree: &Ast) -> Result<Option<(usize, &str)>, ExprError> {
    match &tree.node {
        Node::Call(name, arguments) if name == "ismemberofsegment" => match arguments.as_slice() {
            [Ast { node: Node::Literal(Scalar::Text(segment)), at }] => Ok(Some((*at, segment))),
            _ => Err(ExprError::invalid(tree.at, "IsMemberOfSegment takes a segment's name in quotes")),
        },
        _ => Ok(None),
    }
}

fn no_segment(at: usize, name: &str) -> ExprError {
    ExprError::invalid(at, format!("no segment named {name}"))
}

fn no_collection(at: usize, path: &[String]) -> ExprError {
    ExprError::invalid(at, format!("{} is no collection", path.join("/")))
}

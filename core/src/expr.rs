//! The one expression language: `OData` v4 filters over the customer (design §7).
//!
//! Text becomes an untyped tree with positions ([`parse`]), then a typed one in which every name is
//! resolved and every type checked ([`resolve`]); only the typed tree is ever evaluated ([`eval`]).
//! Existing crates either stop at the untyped tree or bring their own data model; see
//! ARCHITECTURE.md.

pub mod eval;
mod lexer;
pub mod parse;
pub mod resolve;

use serde::Serialize;

pub(crate) use self::lexer::duration;

use crate::time::Timestamp;

/// A fault in a filter, with the byte where it stands.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} at position {at}")]
pub struct ExprError {
    /// Stable code: `invalid_filter` or `unsupported_in_definition`.
    pub code: &'static str,
    /// Offset in bytes from the filter's start.
    pub at: usize,
    /// What is wrong, in plain words.
    pub message: String,
}

impl ExprError {
    pub(crate) fn invalid(at: usize, message: impl Into<String>) -> Self {
        Self { code: "invalid_filter", at, message: message.into() }
    }
    pub(crate) fn unsupported(at: usize, message: impl Into<String>) -> Self {
        Self { code: "unsupported_in_definition", at, message: message.into() }
    }
}

/// A value of the language.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Scalar {
    /// Absent.
    Null,
    /// `true`, `false`.
    Bool(bool),
    /// Every number is a double, as in JSON.
    Number(f64),
    /// Text; compared without regard to ASCII case.
    Text(String),
    /// An instant.
    Time(Timestamp),
}

/// What a name or an operation yields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// Only the literal `null`.
    Null,
    /// Truth value.
    Bool,
    /// Double.
    Number,
    /// Text.
    Text,
    /// Instant.
    Time,
    /// Known only when evaluated: a property of a signal may hold text, a number or a boolean.
    Any,
}

impl Type {
    /// Name as used in messages to the author of a filter.
    fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool => "a boolean",
            Self::Number => "a number",
            Self::Text => "text",
            Self::Time => "a time",
            Self::Any => "any value",
        }
    }

    /// Whether values of the two types can be compared at all.
    fn comparable(self, other: Self) -> bool {
        self == other || [self, other].iter().any(|t| matches!(t, Self::Any | Self::Null))
    }
}

/// `eq ne gt ge lt le`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Comparison {
    /// Equal.
    Eq,
    /// Not equal.
    Ne,
    /// Greater.
    Gt,
    /// Greater or equal.
    Ge,
    /// Less.
    Lt,
    /// Less or equal.
    Le,
}

impl Comparison {
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "eq" => Self::Eq,
            "ne" => Self::Ne,
            "gt" => Self::Gt,
            "ge" => Self::Ge,
            "lt" => Self::Lt,
            "le" => Self::Le,
            _ => return None,
        })
    }

    /// The same comparison with its sides exchanged.
    fn mirrored(self) -> Self {
        match self {
            Self::Gt => Self::Lt,
            Self::Ge => Self::Le,
            Self::Lt => Self::Gt,
            Self::Le => Self::Ge,
            same => same,
        }
    }
}

/// Functions of two texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TextTest {
    /// `contains(text, part)`
    Contains,
    /// `startswith(text, part)`
    StartsWith,
    /// `endswith(text, part)`
    EndsWith,
}

/// Functions of one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unary {
    /// `tolower(text)`
    ToLower,
    /// `toupper(text)`
    ToUpper,
    /// `length(text)`, in characters.
    Length,
}

/// The typed tree over fields of type `F`: the customer's, or one activity's.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Expr<F> {
    /// A constant.
    Constant(Scalar),
    /// A field of what is being looked at.
    Field(F),
    /// `now()` plus so many milliseconds.
    Now(i64),
    /// Negation; of unknown, unknown.
    Not(Box<Self>),
    /// Conjunction of at least two.
    And(Vec<Self>),
    /// Disjunction of at least two.
    Or(Vec<Self>),
    /// Comparison.
    Compare(Box<Self>, Comparison, Box<Self>),
    /// `x in (…)`.
    In(Box<Self>, Vec<Scalar>),
    /// A test of two texts.
    Text(TextTest, Box<Self>, Box<Self>),
    /// A function of one value.
    Unary(Unary, Box<Self>),
}

impl<F> Expr<F> {
    /// Visits every node, parents first.
    pub fn walk<'a>(&'a self, visit: &mut impl FnMut(&'a Self)) {
        visit(self);
        match self {
            Self::Constant(_) | Self::Field(_) | Self::Now(_) => {}
            Self::Not(inner) | Self::Unary(_, inner) | Self::In(inner, _) => inner.walk(visit),
            Self::And(parts) | Self::Or(parts) => parts.iter().for_each(|part| part.walk(visit)),
            Self::Compare(left, _, right) | Self::Text(_, left, right) => {
                left.walk(visit);
                right.walk(visit);
            }
        }
    }

    /// Whether the current time occurs anywhere in it.
    pub fn mentions_now(&self) -> bool {
        let mut found = false;
        self.walk(&mut |node| found |= matches!(node, Self::Now(_)));
        found
    }
}

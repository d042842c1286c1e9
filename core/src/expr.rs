//! The one expression language: `OData` v4 filters over the customer (design §7).
//!
//! Text becomes an untyped tree with positions ([`parse`]), then a typed one in which every name is
//! resolved and every type checked ([`resolve`]). The typed tree has two back ends that agree on every
//! filter and all data: evaluation in memory ([`eval`]) and SQL ([`sql`]). Why no crate was taken:
//! ARCHITECTURE.md.

pub mod eval;
mod lexer;
pub mod parse;
pub mod resolve;
pub mod sql;

use serde::Serialize;

pub(crate) use self::lexer::duration;

use crate::time::Timestamp;

/// A fault in a filter, with the byte where it stands.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} at position {at}")]
pub struct ExprError {
    /// Stable code: `invalid_filter`, `unsupported_in_definition` or `segment_cycle`.
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

/// The parts of a filter that are joined by `and` at its top, as they are written; one, where it is something
/// else. None where it cannot be read.
pub(crate) fn conjuncts(text: &str) -> Vec<&str> {
    let Ok(tokens) = lexer::tokens(text) else { return Vec::new() };
    let (mut depth, mut begin) = (0_usize, 0);
    let mut parts = Vec::new();
    for (at, token) in tokens {
        match token {
            lexer::Token::Mark('(') => depth += 1,
            lexer::Token::Mark(')') => depth = depth.saturating_sub(1),
            lexer::Token::Word(word) if depth == 0 && word == "or" => return vec![text.trim()],
            lexer::Token::Word(word) if depth == 0 && word == "and" => {
                parts.extend(text.get(begin..at));
                begin = at + word.len();
            }
            _ => {}
        }
    }
    parts.extend(text.get(begin..));
    parts.into_iter().map(str::trim).filter(|part| !part.is_empty()).collect()
}

/// Where a filter that can be read calls a function first; where a text is given, with that text.
pub(crate) fn place_of_call(filter: &str, function: &str, with: Option<&str>) -> usize {
    let tokens = lexer::tokens(filter).unwrap_or_default();
    let mut rest = tokens.as_slice();
    while let [(at, token), after @ ..] = rest {
        rest = after;
        let [(_, lexer::Token::Mark('(')), within @ ..] = after else { continue };
        let mut first = within.iter().map(|(_, token)| token).skip_while(|t| **t == lexer::Token::Mark('('));
        let fits = |name: &str| matches!(first.next(), Some(lexer::Token::Text(text)) if text.eq_ignore_ascii_case(name));
        let called = matches!(token, lexer::Token::Word(word) if word.eq_ignore_ascii_case(function));
        if called && with.is_none_or(fits) {
            return *at;
        }
    }
    0
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

impl Scalar {
    fn kind(&self) -> Type {
        match self {
            Self::Null => Type::Null,
            Self::Bool(_) => Type::Bool,
            Self::Number(_) => Type::Number,
            Self::Text(_) => Type::Text,
            Self::Time(_) => Type::Time,
        }
    }
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
    /// `year(time)`, of UTC as all that follow.
    Year,
    /// `month(time)`, from 1.
    Month,
    /// `day(time)` of the month, from 1.
    Day,
    /// `hour(time)`
    Hour,
    /// `date(time)`: the midnight before it.
    Date,
}

impl Unary {
    /// By its name: the function, what it takes and what it gives.
    fn from_name(name: &str) -> Option<(Self, Type, Type)> {
        Some(match name {
            "tolower" => (Self::ToLower, Type::Text, Type::Text),
            "toupper" => (Self::ToUpper, Type::Text, Type::Text),
            "length" => (Self::Length, Type::Text, Type::Number),
            "year" => (Self::Year, Type::Time, Type::Number),
            "month" => (Self::Month, Type::Time, Type::Number),
            "day" => (Self::Day, Type::Time, Type::Number),
            "hour" => (Self::Hour, Type::Time, Type::Number),
            "date" => (Self::Date, Type::Time, Type::Time),
            _ => return None,
        })
    }
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
    /// A time moved by so many milliseconds.
    Shift(Box<Self>, i64),
}

impl<F> Expr<F> {
    /// The field whose text this is, in whatever case: comparisons make no difference between them.
    pub(crate) fn cased(&self) -> Option<&F> {
        match self {
            Self::Field(field) => Some(field),
            Self::Unary(Unary::ToLower | Unary::ToUpper, inner) => inner.cased(),
            _ => None,
        }
    }

    /// Visits every node, parents first.
    pub fn walk<'a>(&'a self, visit: &mut impl FnMut(&'a Self)) {
        visit(self);
        match self {
            Self::Constant(_) | Self::Field(_) | Self::Now(_) => {}
            Self::Not(inner) | Self::Unary(_, inner) | Self::In(inner, _) | Self::Shift(inner, _) => {
                inner.walk(visit);
            }
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

    /// The same tree with something else in the place of each field.
    pub(crate) fn map<G>(self, field: &mut dyn FnMut(F) -> Expr<G>) -> Expr<G> {
        let mut boxed = |inner: Box<Self>| Box::new(inner.map(field));
        match self {
            Self::Constant(constant) => Expr::Constant(constant),
            Self::Now(offset) => Expr::Now(offset),
            Self::Field(name) => field(name),
            Self::Not(inner) => Expr::Not(boxed(inner)),
            Self::And(parts) => Expr::And(parts.into_iter().map(|part| part.map(field)).collect()),
            Self::Or(parts) => Expr::Or(parts.into_iter().map(|part| part.map(field)).collect()),
            Self::Compare(left, operator, right) => Expr::Compare(boxed(left), operator, boxed(right)),
            Self::In(inner, items) => Expr::In(boxed(inner), items),
            Self::Text(test, text, part) => Expr::Text(test, boxed(text), boxed(part)),
            Self::Unary(function, inner) => Expr::Unary(function, boxed(inner)),
            Self::Shift(inner, ms) => Expr::Shift(boxed(inner), ms),
        }
    }

    /// The texts that a field must be one of for the filter to hold, where the filter says so; what
    /// they name can be fetched by key instead of searched for.
    pub fn only<'a>(&'a self, field: &dyn Fn(&F) -> bool) -> Option<Vec<&'a str>> {
        let is = |expr: &Self| matches!(expr, Self::Field(name) if field(name));
        match self {
            Self::Compare(left, Comparison::Eq, right) => match (left.as_ref(), right.as_ref()) {
                (of, Self::Constant(Scalar::Text(text))) | (Self::Constant(Scalar::Text(text)), of) => {
                    is(of).then(|| vec![text.as_str()])
                }
                _ => None,
            },
            Self::In(of, items) if is(of) => items
                .iter()
                .map(|item| match item {
                    Scalar::Text(text) => Some(text.as_str()),
                    _ => None,
                })
                .collect(),
            Self::And(parts) => parts.iter().find_map(|part| part.only(field)),
            Self::Or(parts) => {
                let each: Option<Vec<_>> = parts.iter().map(|part| part.only(field)).collect();
                each.map(|each| each.concat())
            }
            _ => None,
        }
    }
}

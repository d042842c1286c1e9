//! The typed tree as a condition in SQL for `SQLite` and D1. A row is found by it exactly when
//! evaluation in memory says that the filter holds; the property test `core/tests/differential.rs`
//! keeps that.
//!
//! Text is folded by `lower`, which knows ASCII only, as memory does. Where memory says false and SQL
//! would say null, the difference is closed only where it can be seen: below a negation or as a value.
//! No value of the filter is ever part of the text, except whole numbers of milliseconds. The text is
//! as deep as the tree, not as long: conjunctions are balanced, operands stand in it once.

mod compile;

use super::resolve::QueryField;
use super::{Expr, Type};
use crate::time::Timestamp;
use compile::Compiler;

/// What a field of the filter is in SQL. Text that is given stands for itself: a name, a call, or in
/// parentheses.
#[derive(Clone, Debug, PartialEq)]
pub enum Column {
    /// An expression whose values are all of one type, or null: text, numbers, 0 and 1, or whole
    /// milliseconds.
    Typed(String, Type),
    /// Text that is stored in lower case, such as an id: an index on it helps.
    Lower(String),
    /// A member of a JSON document, whose type each row decides: the document, and the path as text of
    /// SQL (see [`path`]).
    Json(String, String),
    /// The rows of a collection: what stands behind `FROM`, and the condition behind `WHERE` that makes
    /// them this row's. The filter of a count is added here.
    Rows(String, String),
}

/// A value to bind.
#[derive(Clone, Debug, PartialEq)]
pub enum Param {
    /// A double.
    Number(f64),
    /// Text.
    Text(String),
}

/// Values to bind, in order: the first is `?1`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parameters {
    values: Vec<Param>,
}

/// Most parameters of one statement (a limit of D1).
pub const PARAMETERS: usize = 100;
/// Deepest expression (a limit of D1).
pub const DEPTH: usize = 100;

impl Parameters {
    /// Its place as text of SQL: that of an equal one, or a new one at the end.
    ///
    /// # Errors
    /// When there are as many as can be bound.
    pub fn add(&mut self, value: Param) -> Result<String, SqlError> {
        // Compared as they print: 0 and -0 are two, and nothing is unequal to itself.
        let same = |known: &Param| match (known, &value) {
            (Param::Number(known), Param::Number(value)) => known.to_bits() == value.to_bits(),
            (Param::Text(known), Param::Text(value)) => known == value,
            _ => false,
        };
        let place = self.values.iter().position(same).unwrap_or(self.values.len());
        if place == self.values.len() {
            if place == PARAMETERS {
                return Err(SqlError::TooManyParameters);
            }
            self.values.push(value);
        }
        Ok(format!("?{}", place + 1))
    }

    /// A text's place.
    ///
    /// # Errors
    /// As [`Self::add`].
    pub fn text(&mut self, text: &str) -> Result<String, SqlError> {
        self.add(Param::Text(text.to_owned()))
    }

    /// All of them.
    pub fn into_values(self) -> Vec<Param> {
        self.values
    }
}

/// Why a filter does not become SQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SqlError {
    /// It has more values than can be bound.
    #[error("the filter has more values than a query can take")]
    TooManyParameters,
    /// It is nested deeper than the database takes.
    #[error("the filter is nested too deeply")]
    TooDeep,
    /// A field cannot be asked for in SQL.
    #[error("the filter asks for something that cannot be searched")]
    Unsearchable,
}

/// What the caller knows: the SQL of a field. Of a count, that of its collection.
pub type Columns<'a, C> = &'a dyn Fn(&QueryField<C>, &mut Parameters) -> Result<Column, SqlError>;

/// A filter as a condition, in parentheses where it needs them.
///
/// # Errors
/// When it goes beyond what the database takes.
pub fn condition<C>(
    filter: &Expr<QueryField<C>>,
    now: Timestamp,
    columns: Columns<C>,
    parameters: &mut Parameters,
) -> Result<String, SqlError> {
    Compiler { columns, now, parameters }.condition(filter)
}

/// Path to a member of a JSON document: `["properties", "total"]` as `$."properties"."total"`. Names with
/// quotes or backslashes, which no filter can write, are found by newer versions of `SQLite` only.
pub fn path(names: &[&str]) -> String {
    names.iter().fold("$".to_owned(), |mut path, name| {
        path.push('.');
        path.push_str(&crate::json::text(&(*name).into()));
        path
    })
}

//! Rows of an import, as they arrive: pieces of CSV or of JSON Lines in, a verdict for every line out.
//! Where the pieces are cut changes nothing. What is held is one line and the keys of the last rows, both
//! bounded, however long the import is.

mod lines;
mod refusals;
mod seen;

use serde_json::Value;

use crate::collections::Map;
use crate::config::{Column, Table};
use crate::identity::{self, NameKey, Normal};
use crate::ids::CustomerId;
use crate::{json, strict_json};
use lines::{Csv, JsonLines};
pub use refusals::Refusals;
use seen::Seen;

/// Longest row, as JSON, in bytes.
pub const ROW_BYTES: usize = 64 * 1024;
/// Longest line, in bytes: of a JSON text that has nothing but the row, spaces aside.
const LINE_BYTES: usize = 2 * ROW_BYTES;
/// Most columns of a line.
const COLUMNS: usize = 1024;

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// With a header, as RFC 4180 has it: quoted fields may hold line ends. In UTF-8.
    Csv,
    /// One JSON object a line.
    JsonLines,
}

/// A row that can be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The line it begins in, from 1.
    pub line: u64,
    /// Its key, normalised.
    pub key: String,
    /// Whose it is.
    pub customer: CustomerId,
    /// Its columns, as JSON.
    pub body: String,
}

/// A line that cannot be taken; the others can.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// The line it begins in, from 1.
    pub line: u64,
    /// Stable code.
    pub code: &'static str,
    /// Plain words.
    pub message: String,
}

/// What becomes of a line.
pub type Verdict = Result<Row, Rejected>;

/// Why no line can be taken at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refused {
    /// Stable code.
    pub code: &'static str,
    /// Plain words.
    pub message: String,
}

impl Refused {
    fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// An import under way.
pub struct Import<'a> {
    rows: Rows<'a>,
    lines: Lines,
    /// How much of a byte order mark has come, and whether anything else has.
    mark: usize,
    begun: bool,
}

enum Lines {
    Csv(Box<Csv>),
    Json(JsonLines),
}

impl<'a> Import<'a> {
    /// Into the table of this name.
    pub fn new(format: Format, name: &'a str, table: &'a Table, names: &'a NameKey, normal: Normal) -> Self {
        let lines = match format {
            Format::Csv => Lines::Csv(Box::default()),
            Format::JsonLines => Lines::Json(JsonLines::default()),
        };
        let rows = Rows { name, table, names, normal, seen: Seen::default() };
        Self { rows, lines, mark: 0, begun: false }
    }

    /// The next piece.
    ///
    /// # Errors
    /// When no line can be taken: the header does not fit the table.
    pub fn feed(&mut self, piece: &[u8], out: &mut Vec<Verdict>) -> Result<(), Refused> {
        let mut piece = piece;
        while let (false, [first, rest @ ..]) = (self.begun, piece) {
            if BYTE_ORDER_MARK.get(self.mark) == Some(first) {
                self.mark += 1;
                self.begun = self.mark == BYTE_ORDER_MARK.len();
                piece = rest;
            } else {
                self.begin(out)?;
            }
        }
        self.take(piece, out)
    }

    /// There is no more.
    ///
    /// # Errors
    /// As [`Self::feed`].
    pub fn finish(&mut self, out: &mut Vec<Verdict>) -> Result<(), Refused> {
        if !self.begun {
            self.begin(out)?;
        }
        match &mut self.lines {
            Lines::Csv(csv) => csv.finish(&mut self.rows, out),
            Lines::Json(lines) => {
                lines.end(&mut self.rows, out);
                Ok(())
            }
        }
    }

    /// What looked like a byte order mark was none.
    fn begin(&mut self, out: &mut Vec<Verdict>) -> Result<(), Refused> {
        self.begun = true;
        self.take(BYTE_ORDER_MARK.get(..self.mark).unwrap_or_default(), out)
    }

    fn take(&mut self, piece: &[u8], out: &mut Vec<Verdict>) -> Result<(), Refused> {
        match &mut self.lines {
            Lines::Csv(csv) => csv.take(piece, &mut self.rows, out),
            Lines::Json(lines) => {
                lines.take(piece, &mut self.rows, out);
                Ok(())
            }
        }
    }
}

/// Values of a line become a row of the table.
struct Rows<'a> {
    name: &'a str,
    table: &'a Table,
    names: &'a NameKey,
    normal: Normal,
    seen: Seen,
}

impl Rows<'_> {
    fn has(&self, column: &str) -> bool {
        column == self.table.primary_key || self.table.columns.contains_key(column)
    }

    /// The verdict on a line whose values these are; `from_text` where everything arrives as text.
    fn verdict(
        &mut self,
        line: u64,
        value: &dyn Fn(&str) -> Option<Value>,
        from_text: bool,
    ) -> Result<Row, Rejected> {
        let reject = |code, message: String| Err(Rejected { line, code, message });
        let key = match value(&self.table.primary_key) {
            Some(Value::String(key)) => identity::auth_id(&key, self.normal),
            Some(Value::Number(key)) => identity::auth_id(&key.to_string(), self.normal),
            _ => return reject("key_missing", "the key column is missing or not text".to_owned()),
        };
        let Ok(key) = key else {
            return reject("key_invalid", "the key is empty, a placeholder or too long".to_owned());
        };
        let mut columns = Map::new();
        for (name, column) in self.table.columns.iter() {
            let Some(value) = convert(value(name).unwrap_or(Value::Null), *column, from_text) else {
                let kind = match column {
                    Column::String => "text",
                    Column::Number => "a number",
                    Column::Boolean => "a boolean",
                };
                return reject("invalid_value", format!("{name} should be {kind}"));
            };
            columns.insert(name.clone(), value);
        }
        columns.insert(self.table.primary_key.clone(), Value::from(key.as_str()));
        // Plain data into memory: serialising cannot fail.
        let body = serde_json::to_string(&columns).unwrap_or_default();
        if body.len() > ROW_BYTES {
            return reject("too_large", format!("a row has at most {ROW_BYTES} bytes"));
        }
        let customer = self.names.known(self.name, &key);
        if !self.seen.insert(customer) {
            return reject("duplicate_key", "this key came before in the same import".to_owned());
        }
        Ok(Row { line, key, customer, body })
    }
}

/// A value as its column wants it; in CSV everything arrives as text, and nothing means null.
fn convert(value: Value, column: Column, from_text: bool) -> Option<Value> {
    match (column, &value) {
        (_, Value::Null)
        | (Column::String, Value::String(_))
        | (Column::Number, Value::Number(_))
        | (Column::Boolean, Value::Bool(_)) => {
            let absent = from_text && value.as_str().is_some_and(str::is_empty);
            Some(if absent { Value::Null } else { value })
        }
        (_, Value::String(text)) if from_text && text.is_empty() => Some(Value::Null),
        (Column::Number, Value::String(text)) if from_text => json::number(text.trim()).map(Value::from),
        (Column::Boolean, Value::String(text)) if from_text => {
            match text.trim().to_ascii_lowercase().as_str() {
                "true" | "1" => Some(true.into()),
                "false" | "0" => Some(false.into()),
                _ => None,
            }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;

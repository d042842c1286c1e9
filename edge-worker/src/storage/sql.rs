//! The SQLite of an object: statements in one transaction, rows and their columns.

use wasm_bindgen::prelude::*;
use worker::{SqlStorageValue, Storage};

use crate::error::{Error, Result};

#[wasm_bindgen(module = "msci:transaction")]
extern "C" {
    #[wasm_bindgen(catch)]
    fn transaction(storage: &JsValue, statements: &js_sys::Array) -> std::result::Result<(), JsValue>;
}

/// Statements for one transaction.
pub(crate) struct Statements(js_sys::Array);

impl Statements {
    /// None yet.
    pub(crate) fn new() -> Self {
        Self(js_sys::Array::new())
    }

    /// One more.
    pub(crate) fn push(&self, query: &str, parameters: &[JsValue]) {
        let statement = js_sys::Array::of1(&query.into());
        for parameter in parameters {
            statement.push(parameter);
        }
        self.0.push(&statement);
    }

    /// All of them or none.
    pub(crate) fn commit(self, storage: &Storage) -> Result<()> {
        if self.0.length() == 0 {
            return Ok(());
        }
        Ok(transaction(storage.as_raw().as_ref(), &self.0)?)
    }
}

/// Rows of a query.
pub(crate) fn query(
    storage: &Storage,
    query: &str,
    parameters: Vec<JsValue>,
) -> Result<Vec<Vec<SqlStorageValue>>> {
    let cursor = storage.sql().exec_raw(query, parameters)?;
    cursor.raw().map(|row| row.map_err(Error::from)).collect()
}

/// Text in a column.
pub(crate) fn text(row: &[SqlStorageValue], column: usize) -> Result<&str> {
    match row.get(column) {
        Some(SqlStorageValue::String(text)) => Ok(text),
        other => Err(Error::damaged(format!("column {column} should be text, is {other:?}"))),
    }
}

/// An integer in a column.
pub(crate) fn integer(row: &[SqlStorageValue], column: usize) -> Result<i64> {
    match row.get(column) {
        Some(SqlStorageValue::Integer(number)) => Ok(*number),
        other => Err(Error::damaged(format!("column {column} should be an integer, is {other:?}"))),
    }
}

//! Pages of the index.

use msci_core::json;
use serde_json::Value;
use worker::D1PreparedStatement;

use super::{Answer, noticed};
use crate::error::Result;

/// Bytes of rows that are read at once.
pub(super) const PAGE_BYTES: u32 = 512 * 1024;

/// The rows of a query, each a JSON text of its own: a database's value ends at 2 MB.
pub(super) async fn rows(statement: &D1PreparedStatement) -> Result<Vec<Value>> {
    let rows = noticed(statement.all().await)?.results::<Answer>()?;
    rows.iter().map(|row| Ok(json::value(row.json.as_deref().unwrap_or("null"))?)).collect()
}

/// Rows that one step over the index looks at.
pub(super) const LOOKED_AT: u32 = 2000;

pub(super) fn listed(answer: Value) -> Vec<Value> {
    match answer {
        Value::Array(rows) => rows,
        _ => Vec::new(),
    }
}

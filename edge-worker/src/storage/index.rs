//! The index in D1: what lists are made of. Derived from the objects by versioned upserts, so late and
//! doubled writes change nothing (law 2). Imported rows live here too, and they are a truth of their
//! own, versioned as well; a row says which customer it is and whether that one has an object.

mod deliveries;
mod imported;
mod judged;
mod lists;
mod members;
mod outcomes;
mod projection;
mod tidy;

use std::cell::Cell;

use msci_core::json;
use serde::Deserialize;
use serde_json::Value;
use wasm_bindgen::JsValue;
use worker::{D1Database, D1PreparedStatement, Env};

use crate::error::Result;
use crate::names;

pub(crate) use deliveries::*;
pub(crate) use imported::*;
pub(crate) use judged::*;
pub(crate) use lists::*;
pub(crate) use members::*;
pub(crate) use outcomes::*;
pub(crate) use projection::*;
pub(crate) use tidy::*;

thread_local! {
    static READY: Cell<bool> = const { Cell::new(false) };
}

const SCHEMA: [&str; 22] = [
    "CREATE TABLE IF NOT EXISTS imported_row (source TEXT NOT NULL, key TEXT NOT NULL, \
     version INTEGER NOT NULL, body TEXT, object TEXT NOT NULL, marked INTEGER NOT NULL DEFAULT 0, \
     pushed INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (source, key)) WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS imported_object ON imported_row (object)",
    // Rows that changed since their object took them, or, without one, since they were judged.
    "CREATE INDEX IF NOT EXISTS imported_news ON imported_row (source, key) WHERE pushed < version",
    // Of the version before, which knew news of objects alone.
    "DROP INDEX IF EXISTS imported_behind",
    "CREATE TABLE IF NOT EXISTS customer (id TEXT PRIMARY KEY, tag TEXT NOT NULL, version INTEGER NOT NULL, \
     gone INTEGER NOT NULL, known INTEGER NOT NULL, auth TEXT, first_seen INTEGER, last_seen INTEGER NOT NULL, \
     search TEXT NOT NULL, body TEXT NOT NULL, since INTEGER, written INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS customer_seen ON customer (known, last_seen, id) WHERE gone = 0",
    "CREATE TABLE IF NOT EXISTS cookie (object TEXT PRIMARY KEY, customer TEXT NOT NULL, \
     place INTEGER NOT NULL, written INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS cookie_customer ON cookie (customer)",
    "CREATE TABLE IF NOT EXISTS activity (object TEXT NOT NULL, stream TEXT NOT NULL, seq INTEGER NOT NULL, \
     time INTEGER NOT NULL, type TEXT NOT NULL, title TEXT NOT NULL, fields TEXT NOT NULL, \
     PRIMARY KEY (object, stream, seq)) WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS activity_time ON activity (time)",
    "CREATE TABLE IF NOT EXISTS membership (segment TEXT NOT NULL, customer TEXT NOT NULL, \
     since INTEGER NOT NULL, PRIMARY KEY (segment, customer)) WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS membership_customer ON membership (customer)",
    // What became of whoever was shown an experience. A life of a visitor that has expired leaves its rows:
    // whoever does not come back belongs to a result.
    "CREATE TABLE IF NOT EXISTS outcome (experience TEXT NOT NULL, customer TEXT NOT NULL, life TEXT NOT NULL, \
     bucket TEXT NOT NULL, exposed INTEGER NOT NULL, reached INTEGER, PRIMARY KEY (experience, customer, life)) WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS outcome_customer ON outcome (customer)",
    "CREATE INDEX IF NOT EXISTS outcome_exposed ON outcome (exposed)",
    // Entered and left by customers without an object, until somebody has delivered it. A number is never
    // given twice, also when the newest row has gone.
    "CREATE TABLE IF NOT EXISTS moved (id INTEGER PRIMARY KEY AUTOINCREMENT, segment TEXT NOT NULL, \
     customer TEXT NOT NULL, entered INTEGER NOT NULL, at INTEGER NOT NULL)",
    // The newest definitions that rows without an object were judged by: what was judged by older ones, and
    // arrives late, changes nothing.
    "CREATE TABLE IF NOT EXISTS judged (id INTEGER PRIMARY KEY, n INTEGER NOT NULL)",
    "CREATE TABLE IF NOT EXISTS delivery (id TEXT PRIMARY KEY, activation TEXT NOT NULL, customer TEXT NOT NULL, \
     number INTEGER NOT NULL, at INTEGER NOT NULL, state TEXT NOT NULL, changes INTEGER NOT NULL, \
     body TEXT NOT NULL) WITHOUT ROWID",
    // Those of customers without an object, which nobody else knows: the numbers of their moves, negative.
    "CREATE INDEX IF NOT EXISTS delivery_bare ON delivery (customer, activation, number) \
     WHERE number < 0 AND state = 'pending'",
    "CREATE INDEX IF NOT EXISTS delivery_at ON delivery (activation, at, id)",
    "CREATE INDEX IF NOT EXISTS delivery_customer ON delivery (customer)",
    "CREATE INDEX IF NOT EXISTS delivery_lost ON delivery (activation, customer) WHERE state IN ('dead', 'dropped')",
];

/// From the table that the version before this one had. Whose a row is it said only of those that had an
/// object; of the others the next import says so.
const MIGRATION: [&str; 2] = [
    "INSERT OR IGNORE INTO imported_row SELECT source, key, version, body, coalesce(object, ''), \
     object IS NOT NULL, version FROM identity_row",
    "DROP TABLE identity_row",
];

/// The one shape that queries answer in here: JSON in one column keeps the Worker small.
#[derive(Deserialize)]
pub(super) struct Answer {
    pub(super) json: Option<String>,
}

pub(super) async fn database(env: &Env) -> Result<D1Database> {
    let database = env.d1(names::INDEX)?;
    if !READY.get() {
        let earlier =
            database.prepare("SELECT 1 FROM sqlite_master WHERE name = 'identity_row'").all().await?;
        let earlier = !earlier.results::<serde::de::IgnoredAny>()?.is_empty();
        let steps = SCHEMA.iter().chain(if earlier { MIGRATION.as_slice() } else { &[] });
        database.batch(steps.map(|step| database.prepare(*step)).collect()).await?;
        READY.set(true);
    }
    Ok(database)
}

/// A database that was emptied is made again by the next call.
pub(super) fn noticed<T>(result: worker::Result<T>) -> Result<T> {
    if result.as_ref().is_err_and(|error| error.to_string().contains("no such table")) {
        READY.set(false);
    }
    Ok(result?)
}

pub(super) async fn ask(database: &D1Database, query: &str, parameters: &[JsValue]) -> Result<Value> {
    let answer = database.prepare(query).bind(parameters)?.first::<Answer>(None).await;
    match noticed(answer)?.and_then(|answer| answer.json) {
        Some(text) => Ok(json::value(&text)?),
        None => Ok(Value::Null),
    }
}

/// The rows of a query, each a JSON text of its own: a database's value ends at 2 MB.
async fn rows(statement: &D1PreparedStatement) -> Result<Vec<Value>> {
    let rows = noticed(statement.all().await)?.results::<Answer>()?;
    rows.iter().map(|row| Ok(json::value(row.json.as_deref().unwrap_or("null"))?)).collect()
}

/// Rows that one step over the index looks at.
const LOOKED_AT: u32 = 2000;

fn listed(answer: Value) -> Vec<Value> {
    match answer {
        Value::Array(rows) => rows,
        _ => Vec::new(),
    }
}

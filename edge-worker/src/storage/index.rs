//! The index in D1: what lists are made of. Derived from the objects by versioned upserts, so late and
//! doubled writes change nothing (law 2). Imported rows live here too, and they are a truth of their
//! own, versioned as well; a row says which customer it is and whether that one has an object.

#[cfg(feature = "edge")]
mod adopted;
#[cfg(feature = "console")]
mod claims;
#[cfg(feature = "console")]
mod deliveries;
#[cfg(feature = "console")]
mod held;
#[cfg(feature = "console")]
mod imported;
#[cfg(feature = "console")]
mod judged;
#[cfg(feature = "edge")]
mod listing;
#[cfg(feature = "console")]
mod lists;
#[cfg(feature = "console")]
mod members;
#[cfg(feature = "console")]
mod outcomes;
#[cfg(feature = "edge")]
mod projection;
#[cfg(feature = "console")]
mod reading;
#[cfg(feature = "console")]
mod recent;
#[cfg(feature = "console")]
mod tidy;

use std::cell::Cell;

use msci_core::collections::Map;
use msci_core::json;
use msci_core::profile::Imported;
use serde::Deserialize;
use serde_json::Value;
use wasm_bindgen::JsValue;
use worker::{D1Database, Env};

use crate::error::Result;
use crate::names;

#[cfg(feature = "edge")]
pub(crate) use {adopted::*, listing::*, projection::*};
#[cfg(feature = "console")]
pub(crate) use {
    claims::*, deliveries::*, held::*, imported::*, judged::*, lists::*, members::*, outcomes::*, recent::*,
    tidy::*,
};

thread_local! {
    static READY: Cell<bool> = const { Cell::new(false) };
}

const SCHEMA: [&str; 27] = [
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
    // Lists are counted in it, and sorted: by the newest sighting it is in order, by the others it is small to look
    // through. One of its own for each would be one more row written with every projection. It has all that is asked,
    // also `gone`, which is always 0: without it every row is looked up in the table, a hundred times slower.
    "CREATE INDEX IF NOT EXISTS customer_listed ON customer (known, last_seen, id, first_seen, auth, gone) \
     WHERE gone = 0",
    // Of the version before, which sorted by the newest sighting alone.
    "DROP INDEX IF EXISTS customer_seen",
    "CREATE TABLE IF NOT EXISTS cookie (object TEXT PRIMARY KEY, customer TEXT NOT NULL, \
     place INTEGER NOT NULL, written INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS cookie_customer ON cookie (customer)",
    // Whom the visitor of a cookie's object claims to be, without a proof.
    "CREATE TABLE IF NOT EXISTS claim (customer TEXT NOT NULL, object TEXT NOT NULL, \
     PRIMARY KEY (customer, object)) WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS claim_object ON claim (object)",
    "CREATE TABLE IF NOT EXISTS activity (object TEXT NOT NULL, stream TEXT NOT NULL, seq INTEGER NOT NULL, \
     time INTEGER NOT NULL, type TEXT NOT NULL, title TEXT NOT NULL, fields TEXT NOT NULL, \
     PRIMARY KEY (object, stream, seq)) WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS activity_time ON activity (time)",
    "CREATE TABLE IF NOT EXISTS membership (segment TEXT NOT NULL, customer TEXT NOT NULL, \
     since INTEGER NOT NULL, PRIMARY KEY (segment, customer)) WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS membership_customer ON membership (customer)",
    // How many were in a segment at the end of a day, in days since the epoch.
    "CREATE TABLE IF NOT EXISTS segment_size (segment TEXT NOT NULL, day INTEGER NOT NULL, \
     members INTEGER NOT NULL, PRIMARY KEY (segment, day)) WITHOUT ROWID",
    // How many profiles of known customers and of unknown visitors there were at the end of a day.
    "CREATE TABLE IF NOT EXISTS visitor_count (day INTEGER PRIMARY KEY, known INTEGER NOT NULL, unknown INTEGER NOT NULL)",
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

/// All of them or none.
async fn run(env: &Env, statements: &[(&str, &[JsValue])]) -> Result<()> {
    let database = database(env).await?;
    let mut batch = Vec::new();
    for (query, parameters) in statements {
        batch.push(database.prepare(*query).bind(parameters)?);
    }
    noticed(database.batch(batch).await)?;
    Ok(())
}

/// Version and columns out of a list that begins with them.
pub(super) fn imported(found: &Value) -> Result<Imported> {
    let version = found.get(0).and_then(Value::as_u64).unwrap_or(0);
    let values = match found.get(1) {
        Some(values) if !values.is_null() => json::from_value(values)?,
        _ => Map::new(),
    };
    Ok(Imported { version, values })
}

/// How many rows a table has.
pub(crate) async fn count(env: &Env, table: &str) -> Result<u64> {
    let query = "SELECT json(count(*)) AS json FROM imported_row WHERE source = ?1 AND body IS NOT NULL";
    Ok(ask(&database(env).await?, query, &[table.into()]).await?.as_u64().unwrap_or(0))
}

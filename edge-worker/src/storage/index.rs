//! Imported rows in D1: a truth of their own, versioned (law 2). A row says which object was made
//! from it, so that an import can tell it.

use std::cell::Cell;
use std::collections::BTreeMap;

use msci_core::ids::CustomerId;
use msci_core::object::Customer;
use msci_core::profile::Imported;
use serde::Deserialize;
use serde_json::Value;
use wasm_bindgen::JsValue;
use worker::{D1Database, Env};

use crate::error::Result;
use crate::names;

thread_local! {
    static READY: Cell<bool> = const { Cell::new(false) };
}

async fn database(env: &Env) -> Result<D1Database> {
    let database = env.d1(names::INDEX)?;
    if !READY.get() {
        database
            .prepare(
                "CREATE TABLE IF NOT EXISTS identity_row (source TEXT NOT NULL, key TEXT NOT NULL, \
                 version INTEGER NOT NULL, body TEXT, object TEXT, PRIMARY KEY (source, key)) WITHOUT ROWID",
            )
            .run()
            .await?;
        READY.set(true);
    }
    Ok(database)
}

#[derive(Deserialize)]
struct Found {
    version: f64,
    body: Option<String>,
}

/// A customer's imported row. The row is marked with the object that asks, so that later imports reach
/// it; where there is none yet, an empty row carries the mark.
pub(crate) async fn adopt_row(env: &Env, customer: &Customer) -> Result<Imported> {
    let database = database(env).await?;
    let found = database
        .prepare(
            "INSERT INTO identity_row (source, key, version, body, object) VALUES (?1, ?2, 0, NULL, ?3) \
             ON CONFLICT DO UPDATE SET object = ?3 RETURNING version, body",
        )
        .bind(&[
            customer.table.as_str().into(),
            customer.auth_id.as_str().into(),
            customer.id.to_string().into(),
        ])?
        .first::<Found>(None)
        .await?;
    let Some(found) = found else { return Ok(Imported::default()) };
    let values = found.body.map(|body| serde_json::from_str(&body)).transpose()?.unwrap_or_default();
    Ok(Imported { version: found.version as u64, values })
}

/// One row to import.
pub(crate) struct NewRow {
    /// Key, normalised.
    pub(crate) key: String,
    /// Columns.
    pub(crate) values: BTreeMap<String, Value>,
}

/// What an import did.
#[derive(Default)]
pub(crate) struct Upserted {
    /// Rows that were not there.
    pub(crate) created: u64,
    /// Rows that changed.
    pub(crate) updated: u64,
    /// Changed rows that an object was made from.
    pub(crate) marked: Vec<(CustomerId, Imported)>,
}

#[derive(Deserialize)]
struct Touched {
    version: f64,
    body: String,
    object: Option<String>,
    fresh: f64,
}

/// Inserts or updates rows; those that are the same stay untouched. One bound JSON array, since D1
/// takes a hundred parameters at most.
pub(crate) async fn upsert(env: &Env, table: &str, rows: &[NewRow]) -> Result<Upserted> {
    let database = database(env).await?;
    let list: Vec<Value> = rows
        .iter()
        .map(|row| serde_json::json!({ "k": row.key, "b": serde_json::json!(row.values).to_string() }))
        .collect();
    let result = database
        .prepare(
            "INSERT INTO identity_row (source, key, version, body) \
             SELECT ?1, value ->> 'k', 1, value ->> 'b' FROM json_each(?2) WHERE true \
             ON CONFLICT DO UPDATE SET version = version + 1, body = excluded.body \
             WHERE body IS NOT excluded.body \
             RETURNING version, body, object, version = 1 AS fresh",
        )
        .bind(&[table.into(), JsValue::from(serde_json::to_string(&list)?)])?
        .all()
        .await?;
    let mut done = Upserted::default();
    for row in result.results::<Touched>()? {
        if row.fresh > 0.0 {
            done.created += 1;
        } else {
            done.updated += 1;
        }
        if let Some(object) = row.object.and_then(|object| object.parse().ok()) {
            let values = serde_json::from_str(&row.body)?;
            done.marked.push((object, Imported { version: row.version as u64, values }));
        }
    }
    Ok(done)
}

/// How many rows a table has.
pub(crate) async fn count(env: &Env, table: &str) -> Result<u64> {
    #[derive(Deserialize)]
    struct Count {
        n: f64,
    }
    let found = database(env)
        .await?
        .prepare("SELECT count(*) AS n FROM identity_row WHERE source = ?1 AND body IS NOT NULL")
        .bind(&[table.into()])?
        .first::<Count>(None)
        .await?;
    Ok(found.map_or(0, |count| count.n as u64))
}

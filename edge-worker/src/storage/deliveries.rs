//! The list of deliveries in D1: what became of each message of an activation. Derived from the objects
//! that deliver, by versioned upserts (law 2); what is to be sent again, they know themselves.

use std::cell::Cell;

use msci_core::activation::{Delivery, State};
use msci_core::ids::CustomerId;
use msci_core::json;
use msci_core::object::Listing;
use msci_core::time::{DAY_MS, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};
use wasm_bindgen::JsValue;
use worker::{D1Database, D1PreparedStatement, Env};

use crate::error::Result;
use crate::names;

thread_local! {
    static READY: Cell<bool> = const { Cell::new(false) };
}

const SCHEMA: [&str; 4] = [
    "CREATE TABLE IF NOT EXISTS delivery (id TEXT PRIMARY KEY, activation TEXT NOT NULL, customer TEXT NOT NULL, \
     number INTEGER NOT NULL, at INTEGER NOT NULL, state TEXT NOT NULL, changes INTEGER NOT NULL, \
     body TEXT NOT NULL) WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS delivery_at ON delivery (activation, at, id)",
    "CREATE INDEX IF NOT EXISTS delivery_customer ON delivery (customer)",
    "CREATE INDEX IF NOT EXISTS delivery_lost ON delivery (activation, customer) WHERE state IN ('dead', 'dropped')",
];

/// Longer than a dead message can be put back.
const LISTED_MS: i64 = 40 * DAY_MS;
/// Old deliveries that one write takes along.
const TIDIED: u32 = 100;

#[derive(Deserialize)]
struct Answer {
    json: Option<String>,
}

async fn database(env: &Env) -> Result<D1Database> {
    let database = env.d1(names::INDEX)?;
    if !READY.get() {
        database.batch(SCHEMA.iter().map(|step| database.prepare(*step)).collect()).await?;
        READY.set(true);
    }
    Ok(database)
}

/// A database that was emptied is made again by the next call.
fn noticed<T>(result: worker::Result<T>) -> Result<T> {
    if result.as_ref().is_err_and(|error| error.to_string().contains("no such table")) {
        READY.set(false);
    }
    Ok(result?)
}

async fn ask(env: &Env, query: &str, parameters: &[JsValue]) -> Result<Value> {
    let database = database(env).await?;
    let answer = database.prepare(query).bind(parameters)?.first::<Answer>(None).await;
    match noticed(answer)?.and_then(|answer| answer.json) {
        Some(text) => Ok(json::value(&text)?),
        None => Ok(Value::Null),
    }
}

/// All of them or none.
async fn run(env: &Env, statements: &[(&str, &[JsValue])]) -> Result<()> {
    let database = database(env).await?;
    let bound = statements.iter().map(|(query, parameters)| database.prepare(*query).bind(parameters));
    let bound: worker::Result<Vec<D1PreparedStatement>> = bound.collect();
    noticed(database.batch(bound?).await)?;
    Ok(())
}

/// A delivery as the admin API shows it.
fn shown(customer: CustomerId, delivery: &Delivery) -> Value {
    let pending = delivery.state == State::Pending;
    let dropped = delivery.state == State::Dropped;
    json!({
        "id": delivery.id,
        "customerId": customer,
        "segment": delivery.segment,
        "event": delivery.event.kind(),
        "at": delivery.at.to_rfc3339(),
        "state": delivery.state.name(),
        "attempts": delivery.attempts,
        "status": delivery.status,
        "error": delivery.error,
        "nextTry": pending.then(|| delivery.next.to_rfc3339()),
        "dropped": dropped.then_some(delivery.attempts),
    })
}

/// Carries out a listing. An older one that is late changes nothing.
pub(crate) async fn write(env: &Env, listing: &Listing, now: Timestamp) -> Result<()> {
    let customer: JsValue = listing.object.to_string().into();
    let rows: Vec<Value> = listing
        .deliveries
        .iter()
        .map(|(number, delivery)| {
            let body = json::text(&shown(listing.object, delivery));
            let (state, at) = (delivery.state.name(), delivery.at);
            json!([delivery.id, delivery.activation, number, at, state, delivery.changes, body])
        })
        .collect();
    let dropped = listing.deliveries.iter().any(|(_, delivery)| delivery.state == State::Dropped);
    let from = if dropped { listing.from } else { 0 };
    run(
        env,
        &[
            ("DELETE FROM delivery WHERE customer = ?1 AND number <= ?2", &[
                customer.clone(),
                (listing.unlist as f64).into(),
            ]),
            (
                "INSERT INTO delivery (customer, id, activation, number, at, state, changes, body) \
                 SELECT ?1, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6 \
                 FROM json_each(?2) WHERE true ON CONFLICT DO UPDATE SET number = excluded.number, \
                 state = excluded.state, changes = excluded.changes, body = excluded.body \
                 WHERE changes < excluded.changes",
                &[customer.clone(), serde_json::to_string(&rows)?.into()],
            ),
            // Before the oldest message that the object still has, what was not delivered was dropped.
            ("DELETE FROM delivery WHERE customer = ?1 AND number < ?2 AND state IN ('pending', 'dead')", &[
                customer,
                (from as f64).into(),
            ]),
            (
                "DELETE FROM delivery WHERE id IN (SELECT id FROM delivery WHERE activation IN \
                 (SELECT value ->> 1 FROM json_each(?1)) AND at < ?2 LIMIT ?3)",
                &[
                    serde_json::to_string(&rows)?.into(),
                    (now.plus(-LISTED_MS).0 as f64).into(),
                    TIDIED.into(),
                ],
            ),
        ],
    )
    .await
}

/// An object ends: what it could still have sent again, nobody can.
pub(crate) async fn gone(env: &Env, customer: CustomerId) -> Result<()> {
    let query = "DELETE FROM delivery WHERE customer = ?1 AND state <> 'delivered'";
    run(env, &[(query, &[customer.to_string().into()])]).await
}

/// An activation ends, and its list with it.
pub(crate) async fn forget(env: &Env, activation: &str) -> Result<()> {
    run(env, &[("DELETE FROM delivery WHERE activation = ?1", &[activation.into()])]).await
}

/// What a list asks for.
pub(crate) struct Asked<'a> {
    /// Which activation's.
    pub(crate) activation: &'a str,
    /// In this state alone; empty asks for all.
    pub(crate) state: String,
    /// Of this customer alone; empty asks for all.
    pub(crate) customer: String,
    /// Most of them.
    pub(crate) top: u32,
    /// Behind this one: its instant and id.
    pub(crate) behind: Option<(i64, String)>,
}

/// Deliveries, newest first, and how many were dropped: `[items, dropped]`.
pub(crate) async fn list(env: &Env, asked: &Asked<'_>) -> Result<Value> {
    let (at, id) = asked.behind.clone().unwrap_or((i64::MAX, String::new()));
    let query = "SELECT json_array(json((SELECT json_group_array(json(body)) FROM (SELECT body FROM delivery \
                 WHERE activation = ?1 AND state <> 'dropped' AND (?2 = '' OR state = ?2) \
                 AND (?3 = '' OR customer = ?3) AND (at, id) < (?4, ?5) ORDER BY at DESC, id DESC LIMIT ?6))), \
                 (SELECT coalesce(sum(body ->> 'dropped'), 0) FROM delivery WHERE activation = ?1 \
                 AND state IN ('dead', 'dropped') AND state = 'dropped')) AS json";
    let parameters = [
        asked.activation.into(),
        asked.state.as_str().into(),
        asked.customer.as_str().into(),
        (at as f64).into(),
        id.into(),
        asked.top.into(),
    ];
    ask(env, query, &parameters).await
}

/// Some customers with dead messages of an activation, or with one of this id.
pub(crate) async fn dead(
    env: &Env,
    activation: &str,
    id: Option<&str>,
    behind: &str,
    limit: u32,
) -> Result<Vec<CustomerId>> {
    let query = "SELECT json_group_array(customer) AS json FROM (SELECT DISTINCT customer FROM delivery \
                 WHERE activation = ?1 AND state IN ('dead', 'dropped') AND state = 'dead' \
                 AND (?2 = '' OR id = ?2) AND customer > ?3 ORDER BY customer LIMIT ?4)";
    let id = id.unwrap_or_default();
    let found = ask(env, query, &[activation.into(), id.into(), behind.into(), limit.into()]).await?;
    let found = found.as_array().into_iter().flatten().filter_map(Value::as_str);
    Ok(found.filter_map(|customer| customer.parse().ok()).collect())
}

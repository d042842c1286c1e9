//! The list of deliveries, as it is read: what became of each message of an activation. What is to be sent
//! again, the objects that deliver know themselves; of customers without one, the list is where it is kept.

use msci_core::activation::Delivery;
use msci_core::ids::CustomerId;
use msci_core::json;
use msci_core::membership::{Cause, Move};
use msci_core::time::Timestamp;
use serde_json::Value;
use worker::Env;

use super::reading::{listed, rows};
use super::{ask, database, run};
use crate::error::Result;

/// An activation ends, and its list with it.
pub(crate) async fn forget_deliveries(env: &Env, activation: &str) -> Result<()> {
    run(env, &[("DELETE FROM delivery WHERE activation = ?1", &[activation.into()])]).await
}

/// What a list of deliveries asks for.
pub(crate) struct AskedDeliveries<'a> {
    /// Which activation's.
    pub(crate) activation: &'a str,
    /// In this state alone; empty asks for all.
    pub(crate) state: &'a str,
    /// Of this customer alone; empty asks for all.
    pub(crate) customer: &'a str,
    /// Most of them.
    pub(crate) top: u32,
    /// Behind this one: its instant and id.
    pub(crate) behind: (i64, &'a str),
}

/// Deliveries as the admin API shows them, newest first: `{ items, dropped, skiptoken }`.
pub(crate) async fn deliveries(env: &Env, asked: &AskedDeliveries<'_>) -> Result<Value> {
    let query = "WITH page AS (SELECT * FROM delivery WHERE activation = ?1 AND state <> 'dropped' \
                 AND (?2 = '' OR state = ?2) AND (?3 = '' OR customer = ?3) AND (at, id) < (?4, ?5) \
                 ORDER BY at DESC, id DESC LIMIT ?6) SELECT json_object('items', json((SELECT \
                 json_group_array(json_object('id', id, 'customerId', customer, 'segment', body ->> 'segment', \
                 'event', 'segment.' || (body ->> 'event'), 'cause', body ->> 'cause', \
                 'at', strftime('%Y-%m-%dT%H:%M:%fZ', at / 1000.0, 'unixepoch'), 'state', state, \
                 'attempts', body ->> 'attempts', 'status', body ->> 'status', 'error', body ->> 'error', \
                 'nextTry', iif(state = 'pending', strftime('%Y-%m-%dT%H:%M:%fZ', (body ->> 'next') / 1000.0, \
                 'unixepoch'), NULL))) FROM page)), 'dropped', (SELECT coalesce(sum(body ->> 'attempts'), 0) \
                 FROM delivery WHERE activation = ?1 AND state IN ('dead', 'dropped') AND state = 'dropped'), \
                 'skiptoken', (SELECT iif(count(*) = ?6, min(at) || '.' || (SELECT id FROM page ORDER BY at, id \
                 LIMIT 1), NULL) FROM page)) AS json";
    let (at, id) = asked.behind;
    let parameters = [
        asked.activation.into(),
        asked.state.into(),
        asked.customer.into(),
        (at as f64).into(),
        id.into(),
        asked.top.into(),
    ];
    ask(&database(env).await?, query, &parameters).await
}

/// Some customers with dead messages of an activation, or with one of this id.
pub(crate) async fn with_dead_deliveries(
    env: &Env,
    activation: &str,
    id: &str,
    behind: &str,
    limit: u32,
) -> Result<Vec<CustomerId>> {
    let query = "SELECT json_group_array(customer) AS json FROM (SELECT DISTINCT customer FROM delivery \
                 WHERE activation = ?1 AND state IN ('dead', 'dropped') AND state = 'dead' \
                 AND number > 0 AND (?2 = '' OR id = ?2) AND customer > ?3 ORDER BY customer LIMIT ?4)";
    let parameters = [activation.into(), id.into(), behind.into(), limit.into()];
    let found = listed(ask(&database(env).await?, query, &parameters).await?);
    found.iter().map(|customer| Ok(json::from_value(customer)?)).collect()
}

/// A message about a customer without an object. The list is where it is kept.
pub(crate) struct Message {
    /// About whom.
    pub(crate) customer: CustomerId,
    /// The number of the move, negative.
    pub(crate) number: i64,
    /// The message.
    pub(crate) delivery: Delivery,
}

/// Some moves of customers without an object, by number.
pub(crate) async fn moved(env: &Env, limit: u32) -> Result<Vec<(u64, CustomerId, Move)>> {
    let query = "SELECT json_group_array(json_array(id, customer, segment, entered, at)) AS json FROM \
                 (SELECT * FROM moved ORDER BY id LIMIT ?1)";
    let found = listed(ask(&database(env).await?, query, &[limit.into()]).await?);
    let mut moved = Vec::new();
    for row in &found {
        let number = |at: usize| row.get(at).and_then(Value::as_u64).unwrap_or_default();
        let text = |at: usize| row.get(at).and_then(Value::as_str).unwrap_or_default();
        let Ok(customer) = text(1).parse() else { continue };
        let (entered, at) = (number(3) == 1, Timestamp(number(4) as i64));
        moved.push((
            number(0),
            customer,
            Move { segment: text(2).to_owned(), entered, at, cause: Cause::Import },
        ));
    }
    Ok(moved)
}

/// Whether there are such moves, or messages of them to be sent.
pub(crate) async fn owes_messages(env: &Env, now: Timestamp) -> Result<bool> {
    let query = "SELECT '1' AS json WHERE EXISTS (SELECT 1 FROM moved) OR EXISTS (SELECT 1 FROM delivery \
                 WHERE number < 0 AND state = 'pending' AND (body ->> 'next') <= ?1)";
    Ok(!ask(&database(env).await?, query, &[(now.0 as f64).into()]).await?.is_null())
}

/// Keeps messages as they are now: new ones with the moves up to a number, which go; without, those alone
/// that nobody has taken away in the meantime.
pub(crate) async fn write_messages(env: &Env, messages: &[Message], moved: u64) -> Result<()> {
    let given: Vec<_> = messages.iter().map(|m| (m.number, &m.delivery, m.customer.to_string())).collect();
    run(
        env,
        &[
            (
                "INSERT INTO delivery SELECT value ->> '$[1].id', value ->> '$[1].activation', value ->> 2, \
                 value ->> 0, value ->> '$[1].at', value ->> '$[1].state', value ->> '$[1].changes', value -> 1 \
                 FROM json_each(?1) WHERE ?2 > 0 OR value ->> '$[1].id' IN (SELECT id FROM delivery) \
                 ON CONFLICT DO UPDATE SET state = excluded.state, \
                 changes = excluded.changes, body = excluded.body WHERE changes < excluded.changes",
                &[serde_json::to_string(&given)?.into(), (moved as f64).into()],
            ),
            ("DELETE FROM moved WHERE id <= ?1", &[(moved as f64).into()]),
        ],
    )
    .await
}

/// Of each such customer and activation the oldest message, if its time has come: some of them.
pub(crate) async fn messages_due(env: &Env, now: Timestamp, limit: u32) -> Result<Vec<Message>> {
    let query = "SELECT json_group_array(json_array(customer, number, json(body))) AS json FROM (SELECT * \
                 FROM delivery AS own WHERE number < 0 AND state = 'pending' AND (body ->> 'next') <= ?1 \
                 AND NOT EXISTS (SELECT 1 FROM delivery AS earlier WHERE earlier.customer = own.customer \
                 AND earlier.activation = own.activation AND earlier.number < 0 AND earlier.state = 'pending' \
                 AND earlier.number > own.number) LIMIT ?2)";
    let parameters = [(now.0 as f64).into(), limit.into()];
    let found = listed(ask(&database(env).await?, query, &parameters).await?);
    let part = |row: &Value, at: usize| row.get(at).cloned().unwrap_or_default();
    let read = |row: &Value| {
        let number = part(row, 1).as_i64().unwrap_or_default();
        let (customer, delivery) = (json::from_value(&part(row, 0))?, json::from_value(&part(row, 2))?);
        Ok(Message { customer, number, delivery })
    };
    found.iter().map(read).collect()
}

/// When the next of these messages is to be sent.
pub(crate) async fn next_message(env: &Env) -> Result<Option<Timestamp>> {
    let query =
        "SELECT json(min(body ->> 'next')) AS json FROM delivery WHERE number < 0 AND state = 'pending'";
    Ok(ask(&database(env).await?, query, &[]).await?.as_i64().map(Timestamp))
}

/// Puts dead ones of an activation back, one or all; answers how many.
pub(crate) async fn replay_messages(env: &Env, activation: &str, id: &str, now: Timestamp) -> Result<u64> {
    let query = "UPDATE delivery SET state = 'pending', changes = changes + 1, body = json_set(body, \
                 '$.state', 'pending', '$.attempts', 0, '$.since', CAST(?3 AS INTEGER), '$.next', CAST(?3 AS INTEGER), '$.changes', changes + 1) \
                 WHERE activation = ?1 AND number < 0 AND state = 'dead' AND (?2 = '' OR id = ?2) \
                 RETURNING '1' AS json";
    let parameters = [activation.into(), id.into(), (now.0 as f64).into()];
    let statement = database(env).await?.prepare(query).bind(&parameters)?;
    Ok(rows(&statement).await?.len() as u64)
}

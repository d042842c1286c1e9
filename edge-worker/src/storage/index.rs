//! The index in D1: what lists are made of. Derived from the objects by versioned upserts, so late and
//! doubled writes change nothing (law 2). Imported rows live here too, and they are a truth of their
//! own, versioned as well; a row says which customer it is and whether that one has an object.

use std::cell::Cell;

use msci_core::activity::{activity_type, title};
use msci_core::collections::Map;
use msci_core::ids::CustomerId;
use msci_core::json;
use msci_core::object::{Customer, Indexing, Row};
use msci_core::profile::Imported;
use msci_core::signal::Kind;
use msci_core::snapshot::Snapshot;
use msci_core::time::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use wasm_bindgen::JsValue;
use worker::{D1Database, D1PreparedStatement, Env};

use crate::error::{Error, Result};
use crate::names;

thread_local! {
    static READY: Cell<bool> = const { Cell::new(false) };
}

const SCHEMA: [&str; 9] = [
    "CREATE TABLE IF NOT EXISTS imported_row (source TEXT NOT NULL, key TEXT NOT NULL, \
     version INTEGER NOT NULL, body TEXT, object TEXT NOT NULL, marked INTEGER NOT NULL DEFAULT 0, \
     pushed INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (source, key)) WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS imported_object ON imported_row (object)",
    "CREATE INDEX IF NOT EXISTS imported_behind ON imported_row (object) WHERE marked = 1 AND pushed < version",
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

/// Most bytes of activities in one statement; the database takes 2 MB.
const ACTIVITY_BYTES: usize = 1024 * 1024;
/// Activities too old for the index that one write takes along.
const TIDIED: u32 = 100;

/// The row of a customer is this very version of this life: everything else of a batch hangs on it, so
/// that a batch that is late, or of an earlier life, changes nothing at all.
const OWN: &str = "EXISTS (SELECT 1 FROM customer WHERE id = ?1 AND tag = ?2 AND version = ?3)";

/// Carries out an indexing: one transaction. `rows` are those of the log behind what is there, `since`
/// is how far back the index reaches. Answers up to which position the activities are there now, and the
/// floor: the version that is there, if it is not this one, else 0.
pub(crate) async fn write(
    env: &Env,
    indexing: &Indexing,
    rows: &[Row],
    since: Timestamp,
    now: Timestamp,
) -> Result<(u64, u64)> {
    let database = database(env).await?;
    let object = indexing.object.to_string();
    let statement = |query: &str, more: &[JsValue]| -> Result<D1PreparedStatement> {
        let mut parameters: Vec<JsValue> =
            vec![object.as_str().into(), indexing.tag.as_str().into(), (indexing.version as f64).into()];
        parameters.extend_from_slice(more);
        Ok(database.prepare(query).bind(&parameters)?)
    };
    let mut batch = Vec::new();
    if indexing.purge {
        // Once: a later delivery of the same must not take what has come since.
        let query = "DELETE FROM activity WHERE object = ?1 AND ?2 = ?2 AND NOT EXISTS \
                     (SELECT 1 FROM customer WHERE id = ?1 AND version >= ?3)";
        batch.push(statement(query, &[])?);
    }
    batch.push(statement(
        "INSERT INTO customer VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) \
         ON CONFLICT DO UPDATE SET tag = ?2, version = ?3, gone = ?4, known = ?5, auth = ?6, first_seen = ?7, \
         last_seen = ?8, search = ?9, body = ?10, since = ?11, written = ?12 WHERE version < ?3",
        &customer_row(indexing, now),
    )?);
    match indexing.cookie {
        Some((customer, place)) => batch.push(statement(
            &format!(
                "INSERT INTO cookie SELECT ?1, ?4, ?5, ?6 WHERE {OWN} ON CONFLICT DO UPDATE SET \
                 customer = ?4, place = ?5, written = ?6 WHERE place <= ?5"
            ),
            &[customer.to_string().into(), (place as f64).into(), (now.0 as f64).into()],
        )?),
        None if indexing.object.is_known() => {}
        None => batch.push(statement(&format!("DELETE FROM cookie WHERE object = ?1 AND {OWN}"), &[])?),
    }
    let (activities, up_to) = activities(rows, since);
    if !activities.is_empty() {
        batch.push(statement(
            &format!(
                "INSERT OR IGNORE INTO activity SELECT ?1, value ->> 0, value ->> 1, value ->> 2, \
                 value ->> 3, value ->> 4, value ->> 5 FROM json_each(?4) WHERE {OWN}"
            ),
            &[serde_json::to_string(&activities)?.into()],
        )?);
    }
    batch.push(
        database
            .prepare(
                "DELETE FROM activity WHERE (object, stream, seq) IN \
                 (SELECT object, stream, seq FROM activity WHERE time < ?1 ORDER BY time LIMIT ?2)",
            )
            .bind(&[(since.0 as f64).into(), TIDIED.into()])?,
    );
    batch.push(statement(
        "SELECT json(iif(tag = ?2 AND version = ?3, 0, version)) AS json FROM customer WHERE id = ?1",
        &[],
    )?);
    let results = noticed(database.batch(batch).await)?;
    let floor = results.last().map(worker::D1Result::results::<Answer>).transpose()?.unwrap_or_default();
    let floor = floor.first().and_then(|answer| answer.json.as_ref()?.parse().ok());
    Ok((up_to, floor.ok_or_else(|| Error::damaged("the index has no row of a customer".to_owned()))?))
}

/// The columns of a customer's row behind its version.
fn customer_row(indexing: &Indexing, now: Timestamp) -> Vec<JsValue> {
    let millis = |time: Option<Timestamp>| time.map_or(JsValue::NULL, |time| (time.0 as f64).into());
    let mut columns: Vec<JsValue> = match &indexing.customer {
        Some(snapshot) => vec![
            0.into(),
            i32::from(snapshot.customer.is_known()).into(),
            snapshot.auth.as_ref().map_or(JsValue::NULL, |(_, key)| key.as_str().into()),
            millis(snapshot.first_seen),
            millis(Some(snapshot.last_seen.unwrap_or_default())),
            search_text(snapshot).into(),
            json!({
                "cookieIds": snapshot.cookie_ids,
                "attributes": snapshot.attributes,
                "segments": snapshot.segments,
                "measures": snapshot.measures,
            })
            .to_string()
            .into(),
        ],
        // A tombstone: the version alone.
        None => vec![1.into(), 0.into(), JsValue::NULL, JsValue::NULL, 0.into(), "".into(), "{}".into()],
    };
    columns.extend([millis(indexing.since), millis(Some(now))]);
    columns
}

/// After every object has been asked to write its rows again: takes away what none of them wrote.
pub(crate) async fn sweep(env: &Env, begun: Timestamp) -> Result<()> {
    let database = database(env).await?;
    let begun = || -> JsValue { (begun.0 as f64).into() };
    let batch = vec![
        database.prepare("DELETE FROM customer WHERE written < ?1").bind(&[begun()])?,
        database.prepare("DELETE FROM cookie WHERE written < ?1").bind(&[begun()])?,
        database.prepare("DELETE FROM activity WHERE object NOT IN (SELECT object FROM cookie)"),
    ];
    noticed(database.batch(batch).await)?;
    Ok(())
}

/// What a search looks through, in lower case: ids and plain texts.
fn search_text(snapshot: &Snapshot) -> String {
    let ids = snapshot.cookie_ids.iter().take(20).map(ToString::to_string);
    let key = snapshot.auth.iter().map(|(_, key)| key.clone());
    let texts = snapshot.attributes.values().filter_map(Value::as_str).map(str::to_owned);
    let mut all = key.chain(texts).chain(ids).collect::<Vec<_>>().join("\n").to_ascii_lowercase();
    all.truncate(all.floor_char_boundary(4096));
    all
}

/// Rows of the log as activities, and up to which position they speak.
fn activities(rows: &[Row], since: Timestamp) -> (Vec<Value>, u64) {
    let (mut bytes, mut up_to) = (0, 0);
    let mut activities = Vec::new();
    for Row { position, signal } in rows {
        let shown = matches!(signal.kind, Kind::View | Kind::Action | Kind::Event) && signal.time >= since;
        if shown {
            let fields = serde_json::to_string(&signal.fields).unwrap_or_default();
            bytes += fields.len();
            if bytes > ACTIVITY_BYTES && !activities.is_empty() {
                break;
            }
            let (kind, title) = (activity_type(signal), title(signal));
            activities.push(json!([signal.stream, signal.seq, signal.time, kind, title, fields]));
        }
        up_to = *position;
    }
    (activities, up_to)
}

/// What a list asks for.
pub(crate) struct Asked {
    /// Known customers, or unknown visitors.
    pub(crate) known: bool,
    /// Text that a row holds; empty asks for all.
    pub(crate) search: String,
    /// Most rows.
    pub(crate) top: u32,
    /// Behind this row of the list: when it was last seen, and its id.
    pub(crate) behind: Option<(i64, String)>,
}

/// One row of a list: `{ customerId, authId, firstSeen, lastSeen, cookieIds, attributes }`; and how many
/// rows there are in all.
///
/// Known customers without web activity have an imported row alone; they come last.
pub(crate) async fn list(env: &Env, asked: &Asked) -> Result<(Vec<Value>, u64)> {
    let database = database(env).await?;
    let search: JsValue = asked.search.to_ascii_lowercase().into();
    let known: JsValue = i32::from(asked.known).into();
    let found = "gone = 0 AND known = ?1 AND (?2 = '' OR instr(search, ?2))";
    // An imported row without an object.
    let bare = "?1 = 1 AND body IS NOT NULL AND (?2 = '' OR instr(lower(key), ?2) OR EXISTS \
                (SELECT 1 FROM json_each(body) AS given WHERE given.type = 'text' AND instr(lower(given.value), ?2))) \
                AND NOT EXISTS (SELECT 1 FROM customer WHERE id = object AND gone = 0)";
    let count = format!(
        "SELECT json((SELECT count(*) FROM customer WHERE {found}) + \
         (SELECT count(*) FROM imported_row WHERE {bare})) AS json"
    );
    let count = ask(&database, &count, &[known.clone(), search.clone()]).await?.as_u64().unwrap_or(0);
    let (seen, id) = asked.behind.clone().unwrap_or((i64::MAX, String::new()));
    let mut rows = Vec::new();
    // Rows without any sighting have a place of their own, behind all others.
    if seen >= 0 {
        let query = format!(
            "SELECT json_group_array(json(row)) AS json FROM (SELECT json_patch(json_object('customerId', id, \
             'known', json(iif(known, 'true', 'false')), 'authId', auth, 'firstSeen', first_seen, \
             'lastSeen', last_seen), body) AS row FROM customer \
             WHERE {found} AND (last_seen, id) < (?3, ?4) ORDER BY last_seen DESC, id DESC LIMIT ?5)"
        );
        let parameters =
            [known.clone(), search.clone(), (seen as f64).into(), id.as_str().into(), asked.top.into()];
        rows.extend(listed(ask(&database, &query, &parameters).await?));
    }
    let left = asked.top.saturating_sub(u32::try_from(rows.len()).unwrap_or(u32::MAX));
    if asked.known && left > 0 {
        let query = format!(
            "SELECT json_group_array(json(row)) AS json FROM (SELECT json_object('customerId', object, \
             'known', json('true'), 'authId', key, 'cookieIds', json('[]'), 'attributes', json_patch('{{}}', body), \
             'lastSeen', -1) AS row FROM imported_row \
             WHERE {bare} AND object > ?3 ORDER BY object LIMIT ?4)"
        );
        let behind = if seen < 0 { id.as_str() } else { "" };
        let parameters = [known, search, behind.into(), left.into()];
        rows.extend(listed(ask(&database, &query, &parameters).await?));
    }
    Ok((rows, count))
}

fn listed(answer: Value) -> Vec<Value> {
    match answer {
        Value::Array(rows) => rows,
        _ => Vec::new(),
    }
}

/// A customer's imported row, found by who it is.
pub(crate) async fn row_of(env: &Env, customer: CustomerId) -> Result<Option<(String, Value)>> {
    let database = database(env).await?;
    let query = "SELECT json_array(key, json_patch('{}', body)) AS json FROM imported_row \
                 WHERE object = ?1 AND body IS NOT NULL";
    let mut found = listed(ask(&database, query, &[customer.to_string().into()]).await?).into_iter();
    let key = found.next().and_then(|key| key.as_str().map(str::to_owned));
    Ok(key.zip(found.next()))
}

/// A customer's imported row. The row is marked as having an object, so that later imports reach it;
/// where there is none yet, an empty row carries the mark.
pub(crate) async fn adopt_row(env: &Env, customer: &Customer) -> Result<Imported> {
    let database = database(env).await?;
    let query = "INSERT INTO imported_row (source, key, version, body, object, marked, pushed) \
                 VALUES (?1, ?2, 0, NULL, ?3, 1, 0) \
                 ON CONFLICT DO UPDATE SET object = ?3, marked = 1, pushed = version \
                 RETURNING json_array(version, json(body)) AS json";
    let parameters =
        [customer.table.as_str().into(), customer.auth_id.as_str().into(), customer.id.to_string().into()];
    imported(&ask(&database, query, &parameters).await?)
}

fn imported(found: &Value) -> Result<Imported> {
    let version = found.get(0).and_then(Value::as_u64).unwrap_or(0);
    let values = match found.get(1) {
        Some(values) if !values.is_null() => json::from_value(values)?,
        _ => Map::new(),
    };
    Ok(Imported { version, values })
}

/// One row to import.
pub(crate) struct NewRow {
    /// Key, normalised.
    pub(crate) key: String,
    /// Whose it is.
    pub(crate) customer: CustomerId,
    /// Columns, as JSON.
    pub(crate) body: String,
}

/// What an import did.
#[derive(Default)]
pub(crate) struct Upserted {
    /// Rows that were not there.
    pub(crate) created: u64,
    /// Rows that changed.
    pub(crate) updated: u64,
    /// Whether some of them have objects, which are to be told.
    pub(crate) marked: bool,
}

/// Inserts or updates rows; those that are the same stay untouched. One bound JSON array, since D1
/// takes a hundred parameters at most.
pub(crate) async fn upsert(env: &Env, table: &str, rows: &[NewRow]) -> Result<Upserted> {
    let database = database(env).await?;
    let list: Vec<Value> = rows.iter().map(|row| json!([row.key, row.customer, row.body])).collect();
    let written = database
        .prepare(
            "INSERT INTO imported_row (source, key, version, object, body) \
             SELECT ?1, value ->> 0, 1, value ->> 1, value ->> 2 FROM json_each(?2) WHERE true \
             ON CONFLICT DO UPDATE SET version = version + 1, body = excluded.body, object = excluded.object \
             WHERE body IS NOT excluded.body OR object <> excluded.object RETURNING json_array(version = 1, marked) AS json",
        )
        .bind(&[table.into(), JsValue::from(serde_json::to_string(&list)?)])?
        .all()
        .await;
    let mut done = Upserted::default();
    for row in noticed(written)?.results::<Answer>()? {
        let row = row.json.unwrap_or_default();
        if row.starts_with("[1") {
            done.created += 1;
        } else {
            done.updated += 1;
        }
        done.marked |= row.ends_with("1]");
    }
    Ok(done)
}

/// Some rows that changed since their objects were told.
pub(crate) async fn behind(env: &Env, limit: u32) -> Result<Vec<(CustomerId, Imported)>> {
    let database = database(env).await?;
    let query = "SELECT json_group_array(json_array(version, json(body), object)) AS json FROM \
                 (SELECT * FROM imported_row WHERE marked = 1 AND pushed < version LIMIT ?1)";
    let mut behind = Vec::new();
    for row in listed(ask(&database, query, &[limit.into()]).await?) {
        let object = row.get(2).and_then(Value::as_str).and_then(|object| object.parse().ok());
        let object = object.ok_or_else(|| Error::damaged("an imported row names no customer".to_owned()))?;
        behind.push((object, imported(&row)?));
    }
    Ok(behind)
}

/// An object has taken its row at this version.
pub(crate) async fn pushed(env: &Env, customer: CustomerId, version: u64) -> Result<()> {
    let database = database(env).await?;
    let statement = database
        .prepare("UPDATE imported_row SET pushed = max(pushed, ?2) WHERE object = ?1")
        .bind(&[customer.to_string().into(), (version as f64).into()])?;
    noticed(statement.run().await)?;
    Ok(())
}

/// Forgets a customer's imported row.
pub(crate) async fn forget_row(env: &Env, customer: CustomerId) -> Result<()> {
    let database = database(env).await?;
    let statement = database
        .prepare("DELETE FROM imported_row WHERE object = ?1")
        .bind(&[customer.to_string().into()])?;
    noticed(statement.run().await)?;
    Ok(())
}

/// How many rows a table has.
pub(crate) async fn count(env: &Env, table: &str) -> Result<u64> {
    let query = "SELECT json(count(*)) AS json FROM imported_row WHERE source = ?1 AND body IS NOT NULL";
    Ok(ask(&database(env).await?, query, &[table.into()]).await?.as_u64().unwrap_or(0))
}

//! The rows of one object: customer, memberships, cookie, claims, activities, written together or not at all.

use msci_core::activity::{activity_type, title};
use msci_core::ids::CustomerId;
use msci_core::json as shapes;
use msci_core::object::{CLAIMS_LISTED, Indexing, Row};
use msci_core::signal::Kind;
use msci_core::snapshot::Snapshot;
use msci_core::time::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use wasm_bindgen::JsValue;
use worker::{D1PreparedStatement, Env};

use super::{Answer, database, noticed};
use crate::error::{Error, Result};

/// Most bytes of activities in one statement; the database takes 2 MB.
const ACTIVITY_BYTES: usize = 1024 * 1024;
/// Activities too old for the index that one write takes along.
const TIDIED: u32 = 100;

/// The row of a customer is this very version of this life: everything else of a batch hangs on it, so
/// that a batch that is late, or of an earlier life, changes nothing at all.
const OWN: &str = "EXISTS (SELECT 1 FROM customer WHERE id = ?1 AND tag = ?2 AND version = ?3)";

/// What the index has by now.
pub(crate) struct Written {
    /// Up to which position the activities are there.
    pub(crate) up_to: u64,
    /// The version that is there, if it is not this one, else 0.
    pub(crate) floor: u64,
    /// Whom this visitor claims to be, and who was erased, and when.
    pub(crate) erased: Vec<(CustomerId, Timestamp)>,
}

/// Carries out an indexing: one transaction. `rows` are those of the log behind what is there, `since`
/// is how far back the index reaches.
pub(crate) async fn write(
    env: &Env,
    indexing: &Indexing,
    rows: &[Row],
    since: Timestamp,
    now: Timestamp,
) -> Result<Written> {
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
    if indexing.purge && !indexing.expired {
        let query = "DELETE FROM outcome WHERE customer = ?1 AND ?2 = ?2 AND NOT EXISTS \
                     (SELECT 1 FROM customer WHERE id = ?1 AND version >= ?3)";
        batch.push(statement(query, &[])?);
    }
    batch.push(statement(
        "INSERT INTO customer VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) \
         ON CONFLICT DO UPDATE SET tag = ?2, version = ?3, gone = ?4, known = ?5, auth = ?6, first_seen = ?7, \
         last_seen = ?8, search = ?9, body = ?10, since = ?11, written = ?12 WHERE version < ?3",
        &customer_row(indexing, now),
    )?);
    batch.extend(replaced(
        &statement,
        &indexing.memberships,
        "membership WHERE customer = ?1 AND segment NOT IN (SELECT value ->> 0 FROM json_each(?4))",
        "membership SELECT value ->> 0, ?1, value ->> 1",
        "UPDATE SET since = excluded.since WHERE since <> excluded.since",
    )?);
    batch.extend(replaced(
        &statement,
        &indexing.outcomes,
        "outcome WHERE customer = ?1 AND life = ?2 AND experience NOT IN \
         (SELECT value ->> 'experience' FROM json_each(?4))",
        "outcome SELECT value ->> 'experience', ?1, ?2, value ->> 'bucket', value ->> 'exposed', value ->> 'reached'",
        "UPDATE SET bucket = excluded.bucket, exposed = excluded.exposed, reached = excluded.reached \
         WHERE (bucket, exposed, reached) IS NOT (excluded.bucket, excluded.exposed, excluded.reached)",
    )?);
    if !indexing.object.is_known() {
        batch.extend(replaced(
            &statement,
            &indexing.claims,
            // Of a visitor with more claims than are listed none is forgotten.
            if indexing.claims.len() < CLAIMS_LISTED {
                "claim WHERE object = ?1 AND customer NOT IN (SELECT value FROM json_each(?4))"
            } else {
                "claim WHERE ?1 = '' AND ?4 = ''"
            },
            "claim SELECT value, ?1",
            "NOTHING",
        )?);
    }
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
        "SELECT json_array(iif(tag = ?2 AND version = ?3, 0, version), json((SELECT json_group_array(json_array(id, since)) \
         FROM customer WHERE gone = 1 AND since IS NOT NULL AND id IN (SELECT value FROM json_each(?4))))) AS json \
         FROM customer WHERE id = ?1",
        &[serde_json::to_string(&indexing.claims)?.into()],
    )?);
    let results = noticed(database.batch(batch).await)?;
    let told = results.last().map(worker::D1Result::results::<Answer>).transpose()?.unwrap_or_default();
    let told = told.first().and_then(|answer| shapes::from_str(answer.json.as_ref()?).ok());
    let (floor, erased) =
        told.ok_or_else(|| Error::damaged("the index has no row of a customer".to_owned()))?;
    Ok(Written { up_to, floor, erased })
}

/// Rows that are there with this version, and no others: those that are `gone`, and each that is `new` or has changed.
fn replaced<T: Serialize>(
    statement: &dyn Fn(&str, &[JsValue]) -> Result<D1PreparedStatement>,
    given: &[T],
    gone: &str,
    new: &str,
    changed: &str,
) -> Result<Vec<D1PreparedStatement>> {
    let values = [JsValue::from(serde_json::to_string(given)?)];
    let mut both = vec![statement(&format!("DELETE FROM {gone} AND {OWN}"), &values)?];
    if !given.is_empty() {
        let query = format!("INSERT INTO {new} FROM json_each(?4) WHERE {OWN} ON CONFLICT DO {changed}");
        both.push(statement(&query, &values)?);
    }
    Ok(both)
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
                // The definitions it was made with: a job looks for those that are behind.
                "n": snapshot.n,
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

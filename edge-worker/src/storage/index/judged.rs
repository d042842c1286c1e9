//! Customers without an object: their imported row alone says which segments they are in, and a job
//! judges that. What it found is written only while it still holds: by the newest definitions, of this
//! very version of the row, and as long as no object speaks for the customer (law 2).

use msci_core::ids::CustomerId;
use msci_core::json;
use msci_core::profile::Imported;
use msci_core::time::Timestamp;
use serde_json::{Value, json};
use wasm_bindgen::JsValue;
use worker::Env;

use super::reading::{LOOKED_AT, PAGE_BYTES, rows};
use super::{Answer, ask, database, imported, noticed};
use crate::error::{Error, Result};

/// An imported row of a customer without an object.
pub(crate) struct Bare {
    /// Its table.
    pub(crate) source: String,
    /// Its key.
    pub(crate) key: String,
    /// Whose it is; rows of an earlier program do not say so.
    pub(crate) customer: Option<CustomerId>,
    /// The row itself.
    pub(crate) row: Imported,
    /// Whether it has changed since it was last judged.
    pub(crate) news: bool,
    /// The segments that the customer is in, and since when.
    pub(crate) memberships: Vec<(String, Timestamp)>,
}

/// Which rows are to be judged.
pub(crate) enum Which<'a> {
    /// Those that changed.
    News,
    /// All, behind this table and key.
    Behind(&'a str, &'a str),
}

/// Some rows of customers without an object.
pub(crate) async fn bare(env: &Env, which: Which<'_>, limit: u32) -> Result<Vec<Bare>> {
    let (which, behind) = match which {
        Which::News => ("pushed < version", ("", "")),
        Which::Behind(source, key) => ("(source, key) > (?3, ?4)", (source, key)),
    };
    let query = format!(
        "SELECT json_array(version, json(body), source, key, object, pushed < version, \
         json((SELECT json_group_array(json_array(segment, since)) FROM membership WHERE customer = object))) AS json \
         FROM (SELECT *, sum(length(body)) OVER (ORDER BY source, key) - length(body) AS bytes FROM \
         (SELECT * FROM imported_row WHERE {which} AND ?3 = ?3 AND ?4 = ?4 AND marked = 0 AND body IS NOT NULL \
         ORDER BY source, key LIMIT ?1)) WHERE bytes < ?2"
    );
    let parameters = [limit.into(), PAGE_BYTES.into(), behind.0.into(), behind.1.into()];
    let statement = database(env).await?.prepare(query).bind(&parameters)?;
    let found = rows(&statement).await?;
    found.iter().map(read).collect()
}

fn read(found: &Value) -> Result<Bare> {
    let text = |at: usize| found.get(at).and_then(Value::as_str).unwrap_or_default();
    Ok(Bare {
        source: text(2).to_owned(),
        key: text(3).to_owned(),
        customer: text(4).parse().ok(),
        row: imported(found)?,
        news: found.get(5).and_then(Value::as_u64) == Some(1),
        memberships: json::from_value(found.get(6).unwrap_or(&Value::Null))?,
    })
}

/// The row of one customer, who has no object.
pub(crate) async fn bare_of(env: &Env, customer: CustomerId) -> Result<Option<Bare>> {
    let query = "SELECT json_array(version, json(body), source, key, object, 0, json('[]')) AS json FROM imported_row \
                 WHERE object = ?1 AND body IS NOT NULL";
    let statement = database(env).await?.prepare(query).bind(&[customer.to_string().into()])?;
    rows(&statement).await?.first().map(read).transpose()
}

/// From now on rows are judged by these definitions, or newer ones; answers by which.
pub(crate) async fn judge_by(env: &Env, n: u64) -> Result<u64> {
    let query = "INSERT INTO judged VALUES (1, ?1) ON CONFLICT DO UPDATE SET n = max(n, excluded.n) \
                 RETURNING json(n) AS json";
    Ok(ask(&database(env).await?, query, &[(n as f64).into()]).await?.as_u64().unwrap_or(n))
}

/// What was found of some rows.
#[derive(Default)]
pub(crate) struct Found {
    /// Table, key, version and customer of each row.
    pub(crate) rows: Vec<Value>,
    /// Segment, and the row as above, of each that was entered.
    pub(crate) entered: Vec<Value>,
    /// The same of each that was left.
    pub(crate) left: Vec<Value>,
}

impl Found {
    /// A row that was judged.
    pub(crate) fn add(&mut self, bare: &Bare, customer: CustomerId, entered: &[String], left: &[String]) {
        let place = |segment: &str| json!([bare.source, bare.key, bare.row.version, customer, segment]);
        self.rows.push(place(""));
        self.entered.extend(entered.iter().map(|segment| place(segment)));
        self.left.extend(left.iter().map(|segment| place(segment)));
    }
}

/// Writes what was found, in one transaction. `told` are the segments of which others hear who has
/// entered and left them. Doing it twice changes nothing. Answers by which definitions rows are judged now:
/// by newer ones, and nothing was written.
pub(crate) async fn judge(env: &Env, n: u64, found: &Found, told: &[&str], now: Timestamp) -> Result<u64> {
    let database = database(env).await?;
    // What still holds of a list of [table, key, version, customer, segment].
    let holds = "FROM json_each(?1) AS given WHERE (SELECT n FROM judged) = ?2 AND EXISTS \
                 (SELECT 1 FROM imported_row WHERE source = given.value ->> 0 AND key = given.value ->> 1 \
                 AND version = given.value ->> 2 AND marked = 0 AND body IS NOT NULL)";
    let is_in =
        "(SELECT 1 FROM membership WHERE segment = given.value ->> 4 AND customer = given.value ->> 3)";
    let told: JsValue = serde_json::to_string(told)?.into();
    let (n, now): (JsValue, JsValue) = ((n as f64).into(), (now.0 as f64).into());
    let mut batch = Vec::new();
    for (rows, entered) in [(&found.entered, true), (&found.left, false)] {
        if rows.is_empty() {
            continue;
        }
        let rows: JsValue = serde_json::to_string(rows)?.into();
        let (not, direction) = if entered { ("NOT", 1) } else { ("", 0) };
        let moved = format!(
            "INSERT INTO moved (segment, customer, entered, at) \
             SELECT given.value ->> 4, given.value ->> 3, {direction}, ?3 {holds} \
             AND given.value ->> 4 IN (SELECT value FROM json_each(?4)) AND {not} EXISTS {is_in}"
        );
        let parameters = [rows.clone(), n.clone(), now.clone(), told.clone()];
        batch.push(database.prepare(moved).bind(&parameters)?);
        batch.push(if entered {
            let enter = format!(
                "INSERT OR IGNORE INTO membership SELECT given.value ->> 4, given.value ->> 3, ?3 {holds}"
            );
            database.prepare(enter).bind(&[rows, n.clone(), now.clone()])?
        } else {
            let leave = format!(
                "DELETE FROM membership WHERE (segment, customer) IN \
                 (SELECT given.value ->> 4, given.value ->> 3 {holds})"
            );
            database.prepare(leave).bind(&[rows, n.clone()])?
        });
    }
    let settle = format!(
        "UPDATE imported_row SET pushed = max(pushed, version), object = given.value ->> 3 {holds} \
         AND imported_row.source = given.value ->> 0 AND imported_row.key = given.value ->> 1 \
         AND (imported_row.pushed < imported_row.version OR imported_row.object <> given.value ->> 3)"
    );
    batch.push(database.prepare(settle).bind(&[serde_json::to_string(&found.rows)?.into(), n])?);
    batch.push(database.prepare("SELECT json(n) AS json FROM judged"));
    let results = noticed(database.batch(batch).await)?;
    let by = results.last().map(worker::D1Result::results::<Answer>).transpose()?.unwrap_or_default();
    by.first()
        .and_then(|by| by.json.as_ref()?.parse().ok())
        .ok_or_else(|| Error::damaged("nothing is judged"))
}

/// How many customers without an object there are.
pub(crate) async fn count_bare(env: &Env) -> Result<u64> {
    let query = "SELECT json(count(*)) AS json FROM imported_row WHERE marked = 0 AND body IS NOT NULL";
    Ok(ask(&database(env).await?, query, &[]).await?.as_u64().unwrap_or(0))
}

/// Of the customers with an object behind this one: some whose rows were made with older definitions than
/// these, and the one behind which to go on; none at the end.
pub(crate) async fn customers_behind(
    env: &Env,
    n: u64,
    behind: &str,
    limit: u32,
) -> Result<(Vec<CustomerId>, Option<String>)> {
    let database = database(env).await?;
    // Most are up to date where this is a second look: many are passed over for each that is found.
    let query = "SELECT json_array((SELECT max(id) FROM page), json((SELECT json_group_array(id) FROM \
                 (SELECT id FROM page WHERE n < ?2 ORDER BY id LIMIT ?3)))) AS json FROM (SELECT 1)";
    let query = format!(
        "WITH page AS MATERIALIZED (SELECT id, coalesce(body ->> '$.n', 0) AS n FROM customer \
         WHERE gone = 0 AND id > ?1 ORDER BY id LIMIT {LOOKED_AT}) {query}"
    );
    let found = ask(&database, &query, &[behind.into(), (n as f64).into(), limit.into()]).await?;
    let ids: Vec<CustomerId> = json::from_value(found.get(1).unwrap_or(&Value::Null))?;
    let last = found.get(0).and_then(Value::as_str).map(str::to_owned);
    let next = if ids.len() >= limit as usize { ids.last().map(CustomerId::to_string) } else { last };
    Ok((ids, next))
}

/// How many customers with an object are behind these definitions.
pub(crate) async fn count_behind(env: &Env, n: u64) -> Result<u64> {
    let query =
        "SELECT json(count(*)) AS json FROM customer WHERE gone = 0 AND coalesce(body ->> '$.n', 0) < ?1";
    Ok(ask(&database(env).await?, query, &[(n as f64).into()]).await?.as_u64().unwrap_or(0))
}

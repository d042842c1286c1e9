//! Imported rows: what imports write, objects take and jobs carry on. A row's version grows with each
//! change; `pushed` is the version that has arrived, at the customer's object or, where there is none, in
//! the memberships that the row alone gives.

use msci_core::ids::CustomerId;
use msci_core::import::Row;
use msci_core::profile::Imported;
use msci_core::time::Timestamp;
use serde_json::{Value, json};
use wasm_bindgen::JsValue;
use worker::{D1PreparedStatement, Env};

use super::reading::{PAGE_BYTES, listed, rows};
use super::{Answer, ask, database, imported, noticed};
use crate::error::{Error, Result};

/// A customer who has an imported row: its key, columns and segments.
pub(crate) async fn row_of(env: &Env, customer: CustomerId) -> Result<Option<(String, Value, Value)>> {
    let database = database(env).await?;
    let query = "SELECT json_array(key, json_patch('{}', body), \
                 json((SELECT json_group_array(segment) FROM membership WHERE customer = object))) AS json \
                 FROM imported_row WHERE object = ?1 AND body IS NOT NULL";
    let mut found = listed(ask(&database, query, &[customer.to_string().into()]).await?).into_iter();
    let key = found.next().and_then(|key| key.as_str().map(str::to_owned));
    let (values, segments) = (found.next(), found.next());
    Ok(key.zip(values).zip(segments).map(|((key, values), segments)| (key, values, segments)))
}

/// What became of rows.
pub(crate) struct Upserted {
    /// Rows that were not there.
    pub(crate) created: u64,
    /// Rows that changed.
    pub(crate) updated: u64,
    /// Lines of people who were erased: not taken.
    pub(crate) erased: Vec<u64>,
}

/// Inserts or updates rows; those that are the same stay untouched, and those of people who were erased do not come
/// back, unless they are said to be `anew`. One bound JSON array, since D1 takes a hundred parameters at most.
pub(crate) async fn upsert(env: &Env, table: &str, rows: &[Row], anew: bool) -> Result<Upserted> {
    let database = database(env).await?;
    let list = rows.iter().map(|row| json!([row.key, row.customer, row.body, row.line]));
    let list = JsValue::from(serde_json::to_string(&list.collect::<Vec<Value>>())?);
    // Nobody is there, and somebody was erased: who signed up again since is a customer like others.
    let erased = "?1 = ?1 AND ?3 = 0 AND EXISTS \
                  (SELECT 1 FROM customer WHERE id = given.value ->> 1 AND gone = 1 AND since IS NOT NULL)";
    let insert = format!(
        "INSERT INTO imported_row (source, key, version, object, body) \
         SELECT ?1, value ->> 0, 1, value ->> 1, value ->> 2 FROM json_each(?2) AS given WHERE NOT ({erased}) \
         ON CONFLICT DO UPDATE SET version = version + 1, body = excluded.body, object = excluded.object \
         WHERE body IS NOT excluded.body OR object <> excluded.object RETURNING json(version = 1) AS json"
    );
    let refused = format!("SELECT json(value ->> 3) AS json FROM json_each(?2) AS given WHERE {erased}");
    let parameters = [table.into(), list, i32::from(anew).into()];
    let statements =
        vec![database.prepare(insert).bind(&parameters)?, database.prepare(refused).bind(&parameters)?];
    let results = noticed(database.batch(statements).await)?;
    let mut answers = results.iter().map(worker::D1Result::results::<Answer>);
    let written = answers.next().transpose()?.unwrap_or_default();
    let refused = answers.next().transpose()?.unwrap_or_default();
    let created = written.iter().filter(|row| row.json.as_deref() == Some("1")).count();
    let erased = refused.iter().filter_map(|row| row.json.as_ref()?.parse().ok()).collect();
    Ok(Upserted { created: created as u64, updated: (written.len() - created) as u64, erased })
}

/// Whether some row has not arrived where it belongs.
pub(crate) async fn has_news(env: &Env) -> Result<bool> {
    let query = "SELECT '1' AS json FROM imported_row WHERE pushed < version LIMIT 1";
    Ok(!ask(&database(env).await?, query, &[]).await?.is_null())
}

/// How many rows have not arrived where they belong.
pub(crate) async fn count_news(env: &Env) -> Result<u64> {
    let query = "SELECT json(count(*)) AS json FROM imported_row WHERE pushed < version";
    Ok(ask(&database(env).await?, query, &[]).await?.as_u64().unwrap_or(0))
}

/// Some rows that changed since their objects were told.
pub(crate) async fn behind(env: &Env, limit: u32) -> Result<Vec<(CustomerId, Imported)>> {
    let database = database(env).await?;
    let query = "SELECT json_array(version, json(body), object) AS json FROM (SELECT *, \
                 sum(length(body)) OVER (ORDER BY source, key) - length(body) AS bytes FROM \
                 (SELECT * FROM imported_row WHERE pushed < version AND marked = 1 \
                 ORDER BY source, key LIMIT ?1)) WHERE coalesce(bytes, 0) < ?2";
    let mut behind = Vec::new();
    for row in rows(&database.prepare(query).bind(&[limit.into(), PAGE_BYTES.into()])?).await? {
        let object = row.get(2).and_then(Value::as_str).and_then(|object| object.parse().ok());
        let object = object.ok_or_else(|| Error::damaged("an imported row names no customer".to_owned()))?;
        behind.push((object, imported(&row)?));
    }
    Ok(behind)
}

/// Objects have taken their rows at these versions.
pub(crate) async fn pushed(env: &Env, taken: &[(CustomerId, u64)]) -> Result<()> {
    let database = database(env).await?;
    let statement = database
        .prepare(
            "UPDATE imported_row SET pushed = max(pushed, taken.value ->> 1) FROM json_each(?1) AS taken \
             WHERE object = taken.value ->> 0",
        )
        .bind(&[serde_json::to_string(taken)?.into()])?;
    noticed(statement.run().await)?;
    Ok(())
}

/// Forgets a customer's imported row, and what it alone has led to.
pub(crate) async fn forget_row(env: &Env, customer: CustomerId) -> Result<()> {
    let database = database(env).await?;
    let queries = [
        "DELETE FROM imported_row WHERE object = ?1",
        "DELETE FROM moved WHERE customer = ?1",
        "DELETE FROM delivery WHERE customer = ?1 AND number < 0",
        "DELETE FROM membership WHERE customer = ?1 \
         AND NOT EXISTS (SELECT 1 FROM customer WHERE id = ?1 AND gone = 0)",
    ];
    let customer = [JsValue::from(customer.to_string())];
    let bound = queries.iter().map(|query| database.prepare(*query).bind(&customer));
    let bound: worker::Result<Vec<D1PreparedStatement>> = bound.collect();
    noticed(database.batch(bound?).await)?;
    Ok(())
}

/// Takes some rows of a table away: customers without an object go, the objects of the others are to hear
/// that their row is empty. Answers how many rows that were.
pub(crate) async fn drop_rows(env: &Env, table: &str, limit: u32, now: Timestamp) -> Result<u64> {
    let database = database(env).await?;
    let query = "SELECT json_array(max(key), count(*)) AS json FROM (SELECT key FROM imported_row \
                 WHERE source = ?1 AND body IS NOT NULL ORDER BY key LIMIT ?2)";
    let page = ask(&database, query, &[table.into(), limit.into()]).await?;
    let (Some(last), Some(rows)) = (page.get(0).and_then(Value::as_str), page.get(1).and_then(Value::as_u64))
    else {
        return Ok(0);
    };
    let bare = "(SELECT object FROM imported_row WHERE source = ?1 AND key <= ?2 AND marked = 0)";
    let place = [JsValue::from(table), last.into()];
    let at = [place.clone().as_slice(), &[(now.0 as f64).into()]].concat();
    let statements = vec![
        database
            .prepare(format!(
                "INSERT INTO moved (segment, customer, entered, at) \
                 SELECT segment, customer, 0, ?3 FROM membership WHERE customer IN {bare}"
            ))
            .bind(&at)?,
        database.prepare(format!("DELETE FROM membership WHERE customer IN {bare}")).bind(&place)?,
        database
            .prepare("DELETE FROM imported_row WHERE source = ?1 AND key <= ?2 AND marked = 0")
            .bind(&place)?,
        database
            .prepare(
                "UPDATE imported_row SET body = NULL, version = version + 1 \
                 WHERE source = ?1 AND key <= ?2 AND body IS NOT NULL",
            )
            .bind(&place)?,
    ];
    noticed(database.batch(statements).await)?;
    Ok(rows)
}

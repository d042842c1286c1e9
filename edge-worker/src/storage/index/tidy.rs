//! What has no place in the index any more.

use msci_core::time::Timestamp;
use wasm_bindgen::JsValue;
use worker::Env;

use super::reading::{LOOKED_AT, listed};
use super::{ask, database, noticed};
use crate::error::Result;

/// A membership of somebody who is not there.
const NOBODY: &str = "NOT EXISTS (SELECT 1 FROM customer WHERE id = membership.customer AND gone = 0) AND \
                      NOT EXISTS (SELECT 1 FROM imported_row WHERE object = membership.customer AND body IS NOT NULL)";

/// After every object has been asked to write its rows again: takes away what none of them wrote.
pub(crate) async fn sweep(env: &Env, begun: Timestamp) -> Result<()> {
    let database = database(env).await?;
    let begun = || -> JsValue { (begun.0 as f64).into() };
    let batch = vec![
        database.prepare("DELETE FROM customer WHERE written < ?1").bind(&[begun()])?,
        database.prepare("DELETE FROM cookie WHERE written < ?1").bind(&[begun()])?,
        database.prepare("DELETE FROM activity WHERE object NOT IN (SELECT object FROM cookie)"),
        database.prepare("DELETE FROM claim WHERE object NOT IN (SELECT id FROM customer WHERE gone = 0)"),
        database.prepare(format!("DELETE FROM membership WHERE {NOBODY}")),
    ];
    noticed(database.batch(batch).await)?;
    Ok(())
}

/// Memberships of customers who are gone, behind a segment and customer. Answers where to go on.
pub(crate) async fn tidy_members(env: &Env, behind: &(String, String)) -> Result<Option<(String, String)>> {
    let database = database(env).await?;
    let query = "SELECT json_array(segment, customer) AS json FROM (SELECT * FROM membership \
                 WHERE (segment, customer) > (?1, ?2) ORDER BY segment, customer LIMIT 1 OFFSET ?3)";
    let parameters = [behind.0.as_str().into(), behind.1.as_str().into(), LOOKED_AT.into()];
    let end = listed(ask(&database, query, &parameters).await?);
    let end = end.first().zip(end.get(1));
    let end = end
        .and_then(|(segment, customer)| Some((segment.as_str()?.to_owned(), customer.as_str()?.to_owned())));
    let bound = if end.is_some() { "AND (segment, customer) <= (?3, ?4)" } else { "AND ?3 = ?3 AND ?4 = ?4" };
    let (segment, customer) = end.clone().unwrap_or_default();
    let gone = database
        .prepare(format!("DELETE FROM membership WHERE (segment, customer) > (?1, ?2) {bound} AND {NOBODY}"))
        .bind(&[
            behind.0.as_str().into(),
            behind.1.as_str().into(),
            segment.as_str().into(),
            customer.as_str().into(),
        ])?;
    noticed(gone.run().await)?;
    Ok(end)
}

/// What is too old goes, a piece at a time: activities that the index does not reach back to, moves that
/// nobody has delivered, outcomes of exposures that retention has taken. Says whether there may be more.
pub(crate) async fn tidy(env: &Env, since: Timestamp, moved: Timestamp, exposed: Timestamp) -> Result<bool> {
    let database = database(env).await?;
    let count = "SELECT json(count(*)) AS json FROM (SELECT 1 FROM activity WHERE time < ?1 LIMIT ?2)";
    let parameters = [(since.0 as f64).into(), LOOKED_AT.into()];
    let found = ask(&database, count, &parameters).await?.as_u64().unwrap_or(0);
    let batch = vec![
        database
            .prepare(
                "DELETE FROM activity WHERE (object, stream, seq) IN \
                 (SELECT object, stream, seq FROM activity WHERE time < ?1 ORDER BY time LIMIT ?2)",
            )
            .bind(&parameters)?,
        database.prepare("DELETE FROM moved WHERE at < ?1").bind(&[(moved.0 as f64).into()])?,
        database.prepare("DELETE FROM outcome WHERE exposed < ?1").bind(&[(exposed.0 as f64).into()])?,
    ];
    noticed(database.batch(batch).await)?;
    Ok(found >= u64::from(LOOKED_AT))
}

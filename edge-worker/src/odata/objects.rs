//! Customers as their objects know them, now; and those who have none yet.

use msci_core::expr::sql::Param;
use msci_core::ids::{CookieId, CustomerId};
use msci_core::json;
use msci_core::odata::question::Question;
use msci_core::odata::record::Record;
use msci_core::odata::sql::{self, Store};
use msci_core::snapshot::Snapshot;
use serde_json::Value;

use super::Asked;
use crate::calls::{self, Activity, Page, ProfileCall, Seen, Statement};
use crate::error::Result;
use crate::reader;
use crate::storage::search;

/// Measures of somebody who was never seen, as JSON.
pub(super) fn unseen(asked: &Asked<'_>) -> Result<String> {
    let stranger = Snapshot::stranger(&asked.configuration.definitions, asked.now);
    Ok(serde_json::to_string(&stranger.measures)?)
}

/// The profile of a cookie, and whose object has it.
pub(super) async fn of_cookie(asked: &Asked<'_>, cookie: &str) -> Result<Option<Snapshot>> {
    let Ok(cookie) = cookie.parse::<CookieId>() else { return Ok(None) };
    let found = reader::of_cookie(asked.env, asked.configuration, cookie, 0).await?;
    Ok(found.map(|(snapshot, _)| snapshot))
}

/// A customer: from the object, or where there is none, from the imported row.
pub(super) async fn of_customer(asked: &Asked<'_>, id: CustomerId) -> Result<Option<Snapshot>> {
    match reader::read(asked.env, asked.configuration, id, 0).await? {
        Seen::Profile(snapshot, _) => Ok(Some(*snapshot)),
        // The visitor has become a customer; nobody has this id any more.
        Seen::Linked(_) => Ok(None),
        Seen::Nothing => {
            let row = search::imported(asked.env, id).await?;
            let definitions = &asked.configuration.definitions;
            Ok(row.map(|(customer, row)| Snapshot::imported(definitions, &customer, row, asked.now)))
        }
    }
}

fn statement(text: String, parameters: Vec<Param>) -> Statement {
    let value = |parameter| match parameter {
        Param::Number(number) => Value::from(number),
        Param::Text(text) => Value::from(text),
    };
    Statement { text, parameters: parameters.into_iter().map(value).collect() }
}

/// A page of a customer's signals, each with its place.
pub(super) async fn page(
    asked: &Asked<'_>,
    question: &Question,
    of: &Record,
) -> Result<Vec<(Record, Vec<Value>)>> {
    let page = sql::page(question, Store::Object(of), asked.now)?;
    let call = ProfileCall::Page(Page { place: page.place, rest: statement(page.tail, page.parameters) });
    let Ok(name) = of.customer.parse::<CustomerId>() else { return Ok(Vec::new()) };
    let found: Vec<(Activity, Vec<Value>)> =
        calls::profile(asked.env, asked.configuration.n(), name, call).await?;
    let record = |activity: &Activity| {
        let cookie = activity.id.split(':').next().unwrap_or_default().to_owned();
        of.with(cookie, &activity.signal)
    };
    Ok(found.into_iter().map(|(activity, place)| (record(&activity), place)).collect())
}

/// Values made of a customer's signals.
pub(super) async fn values(asked: &Asked<'_>, of: &Record, made: sql::Statement) -> Result<Vec<Value>> {
    let Ok(name) = of.customer.parse::<CustomerId>() else { return Ok(Vec::new()) };
    let call = ProfileCall::Values(statement(made.text, made.parameters));
    let found: Value = calls::profile(asked.env, asked.configuration.n(), name, call).await?;
    Ok(json::from_value(&found)?)
}

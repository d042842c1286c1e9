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
use crate::calls::{self, Activity, ProfileCall, Seen, Statement};
use crate::error::Result;
use crate::storage::search as index;

/// Measures of somebody who was never seen, as JSON.
pub(super) fn unseen(asked: &Asked<'_>) -> Result<String> {
    let stranger = Snapshot::stranger(&asked.configuration.definitions, asked.now);
    Ok(serde_json::to_string(&stranger.measures)?)
}

/// The profile that a cookie belongs to, known or unknown.
pub(super) async fn of_cookie(asked: &Asked<'_>, cookie: &str) -> Result<Option<Snapshot>> {
    let Ok(cookie) = cookie.parse::<CookieId>() else { return Ok(None) };
    let own = asked.configuration.names.unknown(cookie);
    let seen = match calls::read(asked.env, asked.configuration, own, 0).await? {
        Seen::Linked(customer) => calls::read(asked.env, asked.configuration, customer, 0).await?,
        seen => seen,
    };
    Ok(match seen {
        Seen::Profile(snapshot, _) => Some(*snapshot),
        Seen::Linked(_) | Seen::Nothing => None,
    })
}

/// A customer: from the object, or where there is none, from the imported row.
pub(super) async fn of_customer(asked: &Asked<'_>, id: CustomerId) -> Result<Option<Snapshot>> {
    match calls::read(asked.env, asked.configuration, id, 0).await? {
        Seen::Profile(snapshot, _) => Ok(Some(*snapshot)),
        // The visitor has become a customer; nobody has this id any more.
        Seen::Linked(_) => Ok(None),
        Seen::Nothing => {
            let row = index::imported(asked.env, id).await?;
            let definitions = &asked.configuration.definitions;
            Ok(row.map(|(customer, row)| Snapshot::imported(definitions, &customer, row, asked.now)))
        }
    }
}

/// Asks the object of a customer.
async fn search(asked: &Asked<'_>, of: &Record, place: String, made: sql::Statement) -> Result<Value> {
    let Ok(name) = of.customer.parse::<CustomerId>() else { return Ok(Value::Null) };
    let value = |parameter| match parameter {
        Param::Number(number) => Value::from(number),
        Param::Text(text) => Value::from(text),
    };
    let parameters = made.parameters.into_iter().map(value).collect();
    let call = ProfileCall::Search(Statement { place, text: made.text, parameters });
    calls::profile(asked.env, asked.configuration.n(), name, call).await
}

/// A page of a customer's signals, each with its place.
pub(super) async fn page(
    asked: &Asked<'_>,
    question: &Question,
    of: &Record,
) -> Result<Vec<(Record, Vec<Value>)>> {
    let page = sql::page(question, Store::Object(of), asked.now)?;
    let made = sql::Statement { text: page.tail, parameters: page.parameters };
    let found = search(asked, of, page.place, made).await?;
    // Of nobody there is nothing, not even two lists.
    let Some(activities) = found.get(0) else { return Ok(Vec::new()) };
    let activities: Vec<Activity> = json::from_value(activities)?;
    let places = found.get(1).and_then(Value::as_array).into_iter().flatten();
    let record = |activity: &Activity| {
        let cookie = activity.id.split(':').next().unwrap_or_default().to_owned();
        of.with(cookie, &activity.signal)
    };
    let placed = activities.iter().zip(places);
    Ok(placed
        .map(|(activity, place)| (record(activity), place.as_array().cloned().unwrap_or_default()))
        .collect())
}

/// Values made of a customer's signals.
pub(super) async fn values(asked: &Asked<'_>, of: &Record, made: sql::Statement) -> Result<Vec<Value>> {
    match search(asked, of, String::new(), made).await? {
        Value::Array(rows) => Ok(rows),
        _ => Ok(Vec::new()),
    }
}

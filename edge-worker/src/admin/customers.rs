//! Customers as an administrator sees them: lists from the index, one customer and its timeline from
//! the object itself; links taken back, and erasure.

use msci_core::activity::{activity_type, title};
use msci_core::ids::{CookieId, CustomerId, StreamId};
use msci_core::object::{LinkView, Unlinked};
use msci_core::sorting::{Order, Place};
use msci_core::time::Timestamp;
use serde_json::{Map, Value, json};
use worker::{Env, Request, Response};

use super::memberships;
use crate::calls::{self, Activity, ProfileCall, Seen};
use crate::configuration::Configuration;
use crate::error::{Error, Result};
use crate::http;
use crate::storage::index::{self, Asked};

/// Rows in an answer that asks for no number.
const TOP: u32 = 50;
/// Most rows in one answer.
const MOST: u32 = 500;

pub(super) fn invalid(message: &str) -> Error {
    Error::client(400, "invalid_request", message.to_owned())
}

/// `top` and `skiptoken` of a list.
pub(super) fn paging(query: &web_sys::UrlSearchParams) -> Result<(u32, Option<String>)> {
    let top = match query.get("top") {
        Some(top) => top.parse().ok().filter(|top| (1..=MOST).contains(top)),
        None => Some(TOP),
    };
    let top = top.ok_or_else(|| invalid(&format!("top should be a number from 1 to {MOST}")))?;
    Ok((top, query.get("skiptoken").filter(|token| !token.is_empty())))
}

pub(super) fn bad_token() -> Error {
    invalid("skiptoken should be one that an earlier answer gave")
}

/// `GET /customers?kind=&search=&sort=&order=&top=&skiptoken=`
pub(super) async fn list(request: &Request, env: &Env) -> Result<Response> {
    let query = http::url(request)?.search_params();
    let (known, claiming) = match query.get("kind").as_deref() {
        None | Some("" | "known") => (true, false),
        Some("unknown") => (false, false),
        Some("claiming") => (false, true),
        Some(_) => return Err(invalid("kind should be known, unknown or claiming")),
    };
    let asked = |name| query.get(name).unwrap_or_default();
    let order = Order::asked(known, &asked("sort"), &asked("order")).map_err(|words| invalid(&words))?;
    let (top, token) = paging(&query)?;
    let behind = token.map(|token| order.place(known, &token).ok_or_else(bad_token)).transpose()?;
    let search = asked("search");
    if search.len() > 256 {
        return Err(invalid("search should have at most 256 bytes"));
    }
    let asked = Asked { known, claiming, search, top: top + 1, order, behind };
    let (mut rows, count) = index::list(env, &asked).await?;
    let more = rows.len() > top as usize;
    rows.truncate(top as usize);
    let last = rows.last().filter(|_| more).and_then(|row| {
        let value = match row.get("place")? {
            Value::String(key) => key.clone(),
            instant => instant.as_i64()?.to_string(),
        };
        Some(order.token(&Place { value, id: row.get("customerId")?.as_str()?.parse().ok()? }))
    });
    rows.iter_mut().for_each(as_listed);
    http::json(&json!({ "customers": rows, "count": count, "skiptoken": last }))
}

/// A row of the index as lists show it.
pub(super) fn as_listed(row: &mut Value) {
    let Some(row) = row.as_object_mut() else { return };
    // Segments and measures are the detail's, the place is the token's.
    for detail in ["segments", "measures", "n", "place"] {
        row.remove(detail);
    }
    let of_a_member = if row.contains_key("since") { Some("since") } else { None };
    for instant in ["firstSeen", "lastSeen"].into_iter().chain(of_a_member) {
        let ms = row.get(instant).and_then(Value::as_i64).filter(|ms| *ms > 0);
        row.insert(instant.to_owned(), ms.map_or(Value::Null, |ms| Timestamp(ms).to_rfc3339().into()));
    }
}

/// `GET /customers/{id}`
pub(super) async fn one(env: &Env, configuration: &Configuration, id: &str) -> Result<Response> {
    let (customer, seen) = found(env, configuration, id).await?;
    let Seen::Profile(snapshot, _) = seen else {
        // Imported, and never seen on the web.
        let row = index::row_of(env, customer).await?;
        let (key, values, segments) = row.ok_or_else(Error::not_found)?;
        return http::json(&json!({
            "customerId": customer, "known": true, "cookieIds": [], "authId": key, "attributes": values,
            "firstSeen": null, "lastSeen": null, "measures": {}, "segments": segments, "links": [], "claims": [], "version": 0,
            "memberships": memberships::of_row(env, customer).await?,
        }));
    };
    let links: Vec<LinkView> = calls::profile(env, configuration.n(), customer, ProfileCall::Links).await?;
    let links: Vec<Value> = links
        .iter()
        .map(|link| {
            json!({
                "cookieId": link.cookie_id,
                "customerId": link.customer,
                "since": link.since.to_rfc3339(),
                "pending": link.pending,
            })
        })
        .collect();
    let claims = calls::claims(env, configuration.n(), customer).await?;
    let memberships = memberships::of_profile(env, configuration, customer, &snapshot.segments).await?;
    let instant = |time: Option<Timestamp>| time.map(Timestamp::to_rfc3339);
    http::json(&json!({
        "customerId": snapshot.customer,
        "known": snapshot.customer.is_known(),
        "cookieIds": snapshot.cookie_ids,
        "table": snapshot.auth.as_ref().map(|(table, _)| table),
        "authId": snapshot.auth.as_ref().map(|(_, key)| key),
        "attributes": snapshot.attributes,
        "firstSeen": instant(snapshot.first_seen),
        "lastSeen": instant(snapshot.last_seen),
        "measures": snapshot.measures,
        "segments": snapshot.segments,
        "memberships": memberships,
        "links": links,
        "claims": claims,
        "version": snapshot.version,
    }))
}

/// The customer that an id names; of a cookie that belongs to somebody, that one.
async fn found(env: &Env, configuration: &Configuration, id: &str) -> Result<(CustomerId, Seen)> {
    let id: CustomerId = id.parse().map_err(|_| Error::not_found())?;
    match calls::read(env, configuration, id, 0).await? {
        Seen::Linked(customer) => Ok((customer, calls::read(env, configuration, customer, 0).await?)),
        seen => Ok((id, seen)),
    }
}

/// `GET /customers/{id}/timeline?top=&skiptoken=`: every signal, newest first.
pub(super) async fn timeline(
    request: &Request,
    env: &Env,
    configuration: &Configuration,
    id: &str,
) -> Result<Response> {
    let (top, token) = paging(&http::url(request)?.search_params())?;
    let behind = token.as_deref().map(place).transpose()?;
    let (customer, seen) = found(env, configuration, id).await?;
    if matches!(seen, Seen::Nothing) && index::row_of(env, customer).await?.is_none() {
        return Err(Error::not_found());
    }
    let call = ProfileCall::Timeline { behind, limit: top as usize };
    let activities: Vec<Activity> = calls::profile(env, configuration.n(), customer, call).await?;
    let token = behind_last(&activities, top);
    let activities: Vec<Value> = activities.iter().map(shown).collect();
    http::json(&json!({ "activities": activities, "skiptoken": token }))
}

/// Where a token of a timeline goes on.
pub(super) fn place(token: &str) -> Result<(i64, CookieId, StreamId, u64)> {
    let mut parts = token.split('.');
    let mut part = || parts.next().ok_or_else(bad_token);
    let time = part()?.parse().map_err(|_| bad_token())?;
    let cookie = part()?.parse().map_err(|_| bad_token())?;
    let stream = part()?.parse().map_err(|_| bad_token())?;
    Ok((time, cookie, stream, part()?.parse().map_err(|_| bad_token())?))
}

/// The token behind the last of a full page.
pub(super) fn behind_last(page: &[Activity], top: u32) -> Option<String> {
    let more = page.last().filter(|_| page.len() == top as usize);
    more.map(|last| format!("{}.{}", last.signal.time.0, last.id.replace(':', ".")))
}

fn shown(activity: &Activity) -> Value {
    let signal = &activity.signal;
    let mut shown = Map::new();
    for (name, value) in &signal.fields {
        shown.insert(name.clone(), value.clone());
    }
    // After the signal's own fields, which cannot take these names.
    shown.insert("id".to_owned(), activity.id.as_str().into());
    shown.insert("kind".to_owned(), signal.kind.name().into());
    shown.insert("type".to_owned(), activity_type(signal).into());
    shown.insert("time".to_owned(), signal.time.to_rfc3339().into());
    shown.insert("title".to_owned(), title(signal).into());
    Value::Object(shown)
}

/// `POST /customers/{id}/unlink { cookieId }`
pub(super) async fn unlink(
    env: &Env,
    configuration: &Configuration,
    id: &str,
    asked: &Value,
) -> Result<Response> {
    let cookie: CookieId = text(asked, "cookieId")
        .and_then(|id| id.parse().ok())
        .ok_or_else(|| invalid("cookieId should be a GUID v4"))?;
    let customer: CustomerId = id.parse().map_err(|_| Error::not_found())?;
    let name = configuration.names.unknown(cookie);
    match calls::profile(env, configuration.n(), name, ProfileCall::Unlink(customer)).await? {
        Unlinked::Done => http::json(&json!({ "unlinked": true })),
        Unlinked::NotLinked => {
            Err(Error::client(404, "not_linked", "this cookie is not linked to this customer"))
        }
    }
}

pub(super) fn text<'a>(asked: &'a Value, name: &str) -> Option<&'a str> {
    asked.get(name).and_then(Value::as_str)
}

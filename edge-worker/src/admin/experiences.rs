//! Experiences as people ask about them: what they led to, and why a page is as it is.

use msci_core::consent;
use msci_core::explain::{Explained, explain};
use msci_core::ids::CustomerId;
use msci_core::page::HOLDOUT;
use msci_core::results::Results;
use msci_core::snapshot::Snapshot;
use serde::Serialize;
use serde_json::Value;
use worker::{Env, Request, Response};

use super::customers::{invalid, text};
use crate::calls::{self, Seen};
use crate::configuration::Configuration;
use crate::error::{Error, Result};
use crate::http;
use crate::platform::now;
use crate::storage::index;

/// `GET /experiences/{name}/results`
pub(super) async fn results(env: &Env, configuration: &Configuration, name: &str) -> Result<Response> {
    let experience = configuration.definitions.bundle.experiences.get(name).ok_or_else(Error::not_found)?;
    let counted = index::outcomes(env, name).await?;
    let variants = experience.variants.iter().map(|variant| variant.name.as_str());
    let mut names: Vec<&str> =
        if experience.variants.is_empty() { vec!["treated"] } else { variants.collect() };
    // Also where nobody is held out any more.
    if experience.holdout > 0.0 || counted.iter().any(|(bucket, ..)| bucket == HOLDOUT) {
        names.push(HOLDOUT);
    }
    http::json(&Results::new(name, experience.goal.as_deref(), &names, HOLDOUT, &counted))
}

/// `POST /experiences/explain { cookieId | customerId, uri }`
pub(super) async fn explained(
    request: &Request,
    env: &Env,
    configuration: &Configuration,
    asked: &Value,
) -> Result<Response> {
    let now = now();
    let uri = text(asked, "uri").ok_or_else(|| invalid("send the uri of a page"))?;
    let page = web_sys::Url::new_with_base(uri, &http::url(request)?.href());
    let path = page.map_err(|_| invalid("uri should be an address or a path"))?.pathname();
    let definitions = &configuration.definitions;
    let mode = configuration.settings().consent.mode;
    let (found, may) = match (text(asked, "cookieId"), text(asked, "customerId")) {
        (Some(cookie), None) => {
            let cookie = cookie.parse().map_err(|_| invalid("cookieId should be a GUID v4"))?;
            let found = profile(env, configuration, configuration.names.unknown(cookie)).await?;
            let may = found.as_ref().is_none_or(|snapshot| snapshot.may_personalise(mode, cookie));
            (found, may)
        }
        (None, Some(id)) => {
            let found = of_customer(env, configuration, id).await?;
            let may = consent::allows(mode, "personalization", &[Some(&found.consent)]);
            (Some(found), may)
        }
        _ => return Err(invalid("send either cookieId or customerId")),
    };
    // Who has no profile, or wants no personal pages, is a stranger to them.
    let stranger = found.is_none() || !may;
    let shown = found.as_ref().map(|snapshot| (snapshot.customer, snapshot.version));
    let snapshot = found.filter(|_| may).unwrap_or_else(|| Snapshot::stranger(definitions, now));
    let as_stranger = match (stranger, shown) {
        (false, _) => None,
        (true, None) => Some("no_profile"),
        (true, Some(_)) => Some("consent"),
    };
    http::json(&Explanation {
        path: &path,
        customer_id: shown.map(|(customer, _)| customer.to_string()),
        known: shown.is_some_and(|(customer, _)| customer.is_known()),
        version: shown.map(|(_, version)| version),
        n: configuration.n(),
        bucket_key: &snapshot.bucket_key,
        at: now.to_rfc3339(),
        as_stranger,
        experiences: explain(definitions, &path, &snapshot, now),
    })
}

/// What was decided, and all that it was decided from.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Explanation<'a> {
    path: &'a str,
    customer_id: Option<String>,
    known: bool,
    /// Of the profile.
    version: Option<u64>,
    /// Of the configuration.
    n: u64,
    bucket_key: &'a str,
    at: String,
    /// Why the page is one for strangers: `no_profile` or `consent`.
    as_stranger: Option<&'static str>,
    experiences: Vec<Explained>,
}

/// A customer or visitor by id, also one who was imported and never seen.
async fn of_customer(env: &Env, configuration: &Configuration, id: &str) -> Result<Snapshot> {
    let id = id.parse().map_err(|_| Error::not_found())?;
    if let Some(snapshot) = profile(env, configuration, id).await? {
        return Ok(snapshot);
    }
    let row = index::row_of(env, id).await?;
    let (key, values, _) = row.ok_or_else(Error::not_found)?;
    let row = msci_core::profile::Imported { version: 1, values: msci_core::json::from_value(&values)? };
    let customer = msci_core::object::Customer { id, table: String::new(), auth_id: key };
    Ok(Snapshot::imported(&configuration.definitions, &customer, row, now()))
}

/// The profile of this object; of a cookie that belongs to somebody, theirs.
async fn profile(env: &Env, configuration: &Configuration, id: CustomerId) -> Result<Option<Snapshot>> {
    let seen = match calls::read(env, configuration, id, 0).await? {
        Seen::Linked(owner) => calls::read(env, configuration, owner, 0).await?,
        seen => seen,
    };
    Ok(match seen {
        Seen::Profile(snapshot, _) => Some(*snapshot),
        Seen::Linked(_) | Seen::Nothing => None,
    })
}

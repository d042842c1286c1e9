//! What is decided for a visitor, for pages that the Worker does not stand in front of; and the ends
//! of a visit: `reset` and `forget` on the visitor's own cookies.

use msci_core::collections::json_object;
use msci_core::page;
use msci_core::time::Timestamp;
use serde_json::{Map, Value, json};
use worker::{Env, Request, Response};

use crate::calls::{self, ProfileCall};
use crate::collect::refuses_personal;
use crate::configuration::Configuration;
use crate::cookies::{self, Cookies};
use crate::cors::{self, Origin};
use crate::counting;
use crate::error::{Error, Result};
use crate::flood;
use crate::http::{self, header};
use crate::names;
use crate::page_preview;
use crate::reader::{self, Visit};

/// `GET /_msci/decisions?uri=…`
pub(crate) async fn get(
    request: &Request,
    env: &Env,
    configuration: &Configuration,
    now: Timestamp,
) -> Result<Response> {
    flood::of_network(request, now)?;
    let url = http::url(request)?;
    let uri = url.search_params().get("uri").unwrap_or_default();
    let path = web_sys::Url::new_with_base(&uri, &url.href())
        .map_or_else(|_| "/".to_owned(), |page| page.pathname());
    let mut cookies = Cookies::read(&header(request, "cookie"), configuration, now);
    if cookies.void_proof {
        flood::void_proof(request, now);
    }
    if refuses_personal(http::says_gpc(request), &cookies, configuration) {
        cookies.id = None;
    }
    let Visit { snapshot, behind } =
        match page_preview::viewer(&header(request, "cookie"), configuration, now) {
            Some(viewer) => {
                let snapshot = page_preview::snapshot(env, configuration, &viewer, now).await?;
                Visit { snapshot, behind: false }
            }
            None => reader::visitor(env, configuration, &cookies, now).await?,
        };
    let candidates = page::candidates(&configuration.definitions, &path, now);
    let settings = configuration.settings();
    let segments: Vec<&String> =
        snapshot.segments.iter().filter(|name| settings.decision_segments.contains(name)).collect();
    let fields = settings.decision_fields.iter();
    let fields: Map<String, Value> =
        json_object(fields.filter_map(|name| Some((name.clone(), snapshot.attributes.get(name)?.clone()))));
    let experiences: Vec<Value> = page::decide(&candidates, &snapshot)
        .into_iter()
        .map(|exposure| json!({ "name": exposure.name, "variant": exposure.bucket, "changes": exposure.changes }))
        .collect();
    counting::timed("decisions", now);
    let response = http::json(&json!({
        "known": snapshot.customer.is_known(),
        "segments": segments,
        "fields": fields,
        "experiences": experiences,
    }))?;
    if let Some((tag, version)) = cookies.version.filter(|_| behind) {
        let renewed = cookies::version(&tag, version, http::is_https(request));
        response.headers().append("Set-Cookie", &renewed)?;
    }
    Ok(response)
}

/// `POST /_msci/forget`: purges the visitor's own log, here and at the customer, and ends the link. It
/// acts on the request's own cookie alone.
pub(crate) async fn forget(
    request: &Request,
    env: &Env,
    configuration: &Configuration,
    now: Timestamp,
) -> Result<Response> {
    if cors::origin_of(request, configuration) != Origin::Own {
        return Err(Error::client(403, "origin_not_allowed", "only the site's own pages may ask for this"));
    }
    flood::of_network(request, now)?;
    let cookies = Cookies::read(&header(request, "cookie"), configuration, now);
    if let Some(cookie) = cookies.id {
        let name = configuration.names.unknown(cookie);
        calls::profile::<()>(env, configuration.n(), name, ProfileCall::Forget).await?;
    }
    let response = http::json(&json!({ "forgotten": cookies.id.is_some() }))?;
    let others = [names::COOKIE_PROOF, names::COOKIE_VERSION].map(cookies::expired);
    for line in cookies::expired_id(configuration.settings()).into_iter().chain(others) {
        response.headers().append("Set-Cookie", &line)?;
    }
    Ok(response)
}

/// `POST /_msci/reset`: after a logout this browser sees no customer any more. The profile is untouched.
pub(crate) fn reset() -> Result<Response> {
    let response = http::json(&json!({ "reset": true }))?;
    for name in [names::COOKIE_PROOF, names::COOKIE_VERSION] {
        response.headers().append("Set-Cookie", &cookies::expired(name))?;
    }
    Ok(response)
}

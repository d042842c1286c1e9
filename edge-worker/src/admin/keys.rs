//! Keys of pages and of the site's servers (contract §7), and what was counted.

use serde_json::{Map, Value, json};
use worker::{Env, Method, Request, Response};

use super::body;
use crate::calls;
use crate::error::{Error, Result};
use crate::http;

/// Answers what stands behind `/keys`.
pub(super) async fn any(request: &Request, env: &Env, parts: &[&str]) -> Result<Response> {
    let answer = match (request.method(), parts) {
        (Method::Get, []) => calls::keys(env).await?,
        (Method::Post, []) => calls::make_key(env, &body(request).await?).await?,
        (Method::Delete, [id]) => {
            calls::remove_key(env, id).await?;
            json!({ "deleted": true })
        }
        (_, [] | [_]) => return Err(Error::method_not_allowed()),
        _ => return Err(Error::not_found()),
    };
    http::json(&answer)
}

/// `GET /stats`: sums since the system began, a second behind. What stands behind a `/` in a name is a kind of it.
pub(super) async fn stats(env: &Env) -> Result<Response> {
    let mut stats = json!({
        "accepted": 0, "duplicate": 0, "conflicts": 0, "rejected": {}, "users": {}, "tokensRefused": {}, "proofsRefused": 0,
    });
    let counts = calls::counts(env).await?;
    for (name, n) in counts.as_object().unwrap_or(&Map::new()) {
        let (kind, of) = name.split_once('/').map_or((name.as_str(), None), |(kind, of)| (kind, Some(of)));
        match (of, stats.get_mut(kind)) {
            (Some(of), Some(Value::Object(kinds))) => {
                kinds.insert(of.to_owned(), n.clone());
            }
            (None, Some(sum)) => *sum = n.clone(),
            _ => {}
        }
    }
    http::json(&stats)
}

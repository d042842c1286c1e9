//! Tokens and the audit log (contract §7), which the configuration's object keeps and answers for.

use msci_core::access::token;
use msci_core::json;
use msci_core::time::Timestamp;
use serde_json::{Value, json};
use worker::{Env, Method, Request, Response};

use super::body;
use super::customers::{bad_token, invalid};
use crate::error::{Error, Result};
use crate::platform::now;
use crate::{access, calls, http};

/// Entries of the audit log in one answer: usually, and at most.
const ENTRIES: u32 = 100;
const MOST_ENTRIES: u32 = 1000;

/// `GET, POST /tokens` and `DELETE /tokens/{id}`
pub(super) async fn any(request: &Request, env: &Env, rest: &[&str]) -> Result<Response> {
    let answer = match (request.method(), rest) {
        (Method::Get, []) => calls::passed_on(env, calls::TOKENS, &Value::Null).await?,
        (Method::Post, []) => {
            let asked = token::asked(&body(request).await?, now());
            let asked = asked.map_err(|words| Error::client(400, "invalid_token", words))?;
            calls::passed_on(env, calls::MAKE_TOKEN, &Value::Object(asked)).await?
        }
        (Method::Delete, [id]) => {
            calls::passed_on(env, calls::REMOVE_TOKEN, &(*id).into()).await?;
            access::forget();
            json::text(&json!({ "deleted": true }))
        }
        _ => return Err(Error::not_found()),
    };
    http::json_text(answer)
}

/// `GET /audit?top=&skiptoken=&since=`: newest first.
pub(super) async fn audit(request: &Request, env: &Env) -> Result<Response> {
    let query = http::url(request)?.search_params();
    let given = |name: &str| query.get(name).filter(|value| !value.is_empty());
    let top = given("top").map_or(Some(ENTRIES), |top| top.parse().ok());
    let top = top
        .filter(|top| (1..=MOST_ENTRIES).contains(top))
        .ok_or_else(|| invalid("top should be 1 to 1000"))?;
    let behind = given("skiptoken").map(|token| token.parse::<u64>().map_err(|_| bad_token())).transpose()?;
    let since = given("since").map_or(Some(Timestamp(0)), |since| Timestamp::from_rfc3339(&since));
    let since = since.ok_or_else(|| invalid("since should be a date, such as 2027-01-31"))?;
    access::audit::rest(env).await;
    let asked = json!([top, behind, since.0]);
    http::json_text(calls::passed_on(env, calls::AUDIT, &asked).await?)
}

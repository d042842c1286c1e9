//! Tokens and the audit log (contract §7). Who has a token hears its text once; only its digest is kept.

use msci_core::access::token::Token;
use msci_core::access::{Role, Scope};
use msci_core::json;
use msci_core::time::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use worker::{Env, Method, Request, Response};

use super::body;
use super::customers::{bad_token, invalid};
use crate::error::{Error, Result};
use crate::platform::now;
use crate::{access, calls, http};

/// Longest name of a token, in bytes.
const NAME_BYTES: usize = 100;
/// Entries of the audit log in one answer: usually, and at most.
const ENTRIES: u32 = 100;
const MOST_ENTRIES: u32 = 1000;

/// Body of `POST /tokens`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    name: String,
    role: Role,
    #[serde(default)]
    scope: Option<Scope>,
    #[serde(default)]
    expires: Option<String>,
}

/// `GET, POST /tokens` and `DELETE /tokens/{id}`
pub(super) async fn any(request: &Request, env: &Env, rest: &[&str]) -> Result<Response> {
    match (request.method(), rest) {
        (Method::Get, []) => {
            let tokens = calls::tokens(env).await?;
            let items: Vec<_> = tokens.iter().map(|(token, used)| shown(token, *used)).collect();
            http::json(&json!({ "items": items }))
        }
        (Method::Post, []) => {
            let (text, token) = calls::make_token(env, &asked(&body(request).await?)?).await?;
            let mut made = shown(&token, None);
            if let Some(made) = made.as_object_mut() {
                made.insert("token".to_owned(), text.into());
            }
            http::json(&made)
        }
        (Method::Delete, [id]) => {
            calls::remove_token(env, id).await?;
            access::forget();
            http::json(&json!({ "deleted": true }))
        }
        _ => Err(Error::not_found()),
    }
}

fn asked(body: &Value) -> Result<Value> {
    let asked: Asked =
        json::from_value(body).map_err(|error| Error::client(400, "invalid_token", error.to_string()))?;
    let name = asked.name.trim();
    if name.is_empty() || name.len() > NAME_BYTES || name.chars().any(char::is_control) {
        return Err(invalid("name should have 1 to 100 bytes, none of them a control character"));
    }
    let expires = asked.expires.as_deref().map(|text| {
        let later = Timestamp::from_rfc3339(text).filter(|expires| *expires > now());
        later.ok_or_else(|| {
            invalid("expires should be a date to come, such as 2027-01-31 or 2027-01-31T12:00:00Z")
        })
    });
    Ok(json!({ "name": name, "role": asked.role, "scope": asked.scope, "expires": expires.transpose()? }))
}

fn shown(token: &Token, used: Option<Timestamp>) -> Value {
    let mut shown = json!({ "id": token.id, "name": token.name, "role": token.role, "createdAt": token.created.to_rfc3339() });
    let optional = [
        ("scope", token.scope.map(|scope| if scope == Scope::Data { "data" } else { "admin" }.to_owned())),
        ("expires", token.expires.map(Timestamp::to_rfc3339)),
        ("lastUsed", used.map(Timestamp::to_rfc3339)),
    ];
    if let Some(shown) = shown.as_object_mut() {
        for (name, value) in optional {
            if let Some(value) = value {
                shown.insert(name.to_owned(), value.into());
            }
        }
    }
    shown
}

/// `GET /audit?top=&skiptoken=&since=`: newest first.
pub(super) async fn audit(request: &Request, env: &Env) -> Result<Response> {
    let query = http::url(request)?.search_params();
    let given = |name: &str| query.get(name).filter(|value| !value.is_empty());
    let top = given("top").map_or(Some(ENTRIES), |top| top.parse().ok());
    let top = top
        .filter(|top| (1..=MOST_ENTRIES).contains(top))
        .ok_or_else(|| invalid("top should be 1 to 1000"))?;
    let behind = given("skiptoken").map(|token| token.parse().map_err(|_| bad_token())).transpose()?;
    let since = given("since").map_or(Some(Timestamp(0)), |since| Timestamp::from_rfc3339(&since));
    let since = since.ok_or_else(|| invalid("since should be a date, such as 2027-01-31"))?;
    let mut answer = calls::audit(env, top, behind, since).await?;
    if let Some(answer) =
        answer.as_object_mut().filter(|answer| answer.get("skiptoken").is_some_and(Value::is_null))
    {
        answer.remove("skiptoken");
    }
    http::json(&answer)
}

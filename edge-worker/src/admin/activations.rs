//! Activations (contract §7): what is told to whom, what became of each message, and dead ones put back.

use serde_json::{Value, json};
use worker::{Env, Method, Request, Response};

use super::customers::{bad_token, invalid, paging, text};
use super::{body, check_name, definitions, named};
use crate::calls::{self, JobCall, ProfileCall, Work};
use crate::configuration::{self, Configuration};
use crate::error::{Error, Result};
use crate::http;
use crate::storage::index::{self, AskedDeliveries};

/// Customers whose dead messages one request puts back.
const REPLAYED: u32 = 100;

/// Answers what stands behind `/activations`.
pub(super) async fn any(
    request: &Request,
    env: &Env,
    configuration: &Configuration,
    parts: &[&str],
) -> Result<Response> {
    let mut all = definitions(configuration, "activations").unwrap_or_default();
    let method = request.method();
    let answer = match (&method, parts) {
        (Method::Get, []) => {
            let items: Vec<Value> =
                all.into_iter().map(|(name, activation)| shown(&name, activation)).collect();
            json!({ "items": items })
        }
        (Method::Put, [name]) => {
            check_name(name)?;
            let answer = calls::change_activation(env, name, body(request).await?).await?;
            configuration::forget();
            let now = crate::platform::now();
            let configuration = configuration::current(env, now).await?;
            let mut put =
                shown(name, definitions(&configuration, "activations")?.remove(*name).unwrap_or_default());
            if let (Some(put), Some(secret)) =
                (put.as_object_mut(), answer.get("secret").filter(|secret| secret.is_string()))
            {
                // Told here once, if it was made here.
                put.insert("secret".to_owned(), secret.clone());
            }
            put
        }
        (Method::Get | Method::Post | Method::Delete, [name, rest @ ..]) => {
            let activation = all.remove(*name).ok_or_else(Error::not_found)?;
            match (&method, rest) {
                (Method::Get, []) => shown(name, activation),
                (Method::Delete, []) => {
                    calls::change_activation(env, name, Value::Null).await?;
                    configuration::forget();
                    index::forget_deliveries(env, name).await?;
                    json!({ "deleted": true })
                }
                (Method::Get, ["deliveries"]) => list(request, env, name).await?,
                (Method::Post, ["replay"]) => replay(env, configuration, name, &body(request).await?).await?,
                (_, [] | ["deliveries" | "replay"]) => return Err(Error::method_not_allowed()),
                _ => return Err(Error::not_found()),
            }
        }
        _ => return Err(Error::method_not_allowed()),
    };
    http::json(&answer)
}

/// Without what it has for us alone.
fn shown(name: &str, mut activation: Value) -> Value {
    if let Some(activation) = activation.as_object_mut() {
        activation.remove("key");
        activation.remove("since");
    }
    named(name, activation)
}

/// `GET /activations/{name}/deliveries?state=&customer=&top=&skiptoken=`, newest first.
async fn list(request: &Request, env: &Env, name: &str) -> Result<Value> {
    let query = http::url(request)?.search_params();
    let (top, token) = paging(&query)?;
    let token = token.unwrap_or_else(|| format!("{}.", i64::MAX));
    let (at, id) = token.split_once('.').ok_or_else(bad_token)?;
    let state = query.get("state").unwrap_or_default();
    if !matches!(state.as_str(), "" | "pending" | "delivered" | "dead") {
        return Err(invalid("state should be pending, delivered or dead"));
    }
    let asked = AskedDeliveries {
        activation: name,
        state: &state,
        customer: &query.get("customer").unwrap_or_default(),
        top,
        behind: (at.parse().map_err(|_| bad_token())?, id),
    };
    index::deliveries(env, &asked).await
}

/// `POST /activations/{name}/replay { id | state: "dead" }`. Of many customers some at a time: the answer
/// then has a `skiptoken` to go on with.
async fn replay(env: &Env, configuration: &Configuration, name: &str, asked: &Value) -> Result<Value> {
    let id = match (text(asked, "id"), text(asked, "state")) {
        (Some(id), None) => Some(id.to_owned()),
        (None, Some("dead")) => None,
        _ => return Err(invalid("send an id, or state: \"dead\"")),
    };
    let behind = text(asked, "skiptoken").unwrap_or_default();
    let which = id.as_deref().unwrap_or_default();
    let customers = index::with_dead_deliveries(env, name, which, behind, REPLAYED).await?;
    let now = crate::platform::now();
    let mut replayed = index::replay_messages(env, name, which, now).await?;
    if replayed > 0 {
        calls::job(env, &JobCall::Later(Work::Deliver {})).await?;
    }
    for customer in &customers {
        let call = ProfileCall::Replay { activation: name.to_owned(), id: id.clone() };
        replayed += calls::profile::<u64>(env, configuration.n(), *customer, call).await?;
    }
    let last = customers.last().filter(|_| customers.len() == REPLAYED as usize);
    Ok(json!({ "replayed": replayed, "skiptoken": last.map(ToString::to_string) }))
}

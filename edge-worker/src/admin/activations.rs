//! Activations (contract §7): what is told to whom, what became of each message, and dead ones put back.

use msci_core::time::Timestamp;
use serde_json::{Map, Value, json};
use worker::{Env, Method, Request, Response};

use super::{body, check_name, definitions, named};
use crate::calls::{self, ActivationChange, ProfileCall};
use crate::configuration::{self, Configuration};
use crate::error::{Error, Result};
use crate::http;
use crate::storage::deliveries::{self, Asked};

const KIND: &str = "activations";
/// Rows in an answer that asks for no number, and most of them.
const TOP: u32 = 50;
const MOST: u32 = 500;
/// Customers whose dead messages one request puts back.
const REPLAYED: u32 = 100;

/// Answers what stands behind `/activations`.
pub(super) async fn any(
    request: &Request,
    env: &Env,
    configuration: &Configuration,
    parts: &[&str],
) -> Result<Response> {
    match (request.method(), parts) {
        (Method::Get, []) => {
            let all = definitions(configuration, KIND).unwrap_or_default();
            let items: Vec<Value> =
                all.into_iter().map(|(name, activation)| shown(&name, activation)).collect();
            http::json(&json!({ "items": items }))
        }
        (Method::Get, [name]) => http::json(&shown(name, found(configuration, name)?)),
        (Method::Put, [name]) => {
            check_name(name)?;
            let Value::Object(activation) = body(request).await? else { return Err(Error::not_found()) };
            put(env, name, activation).await
        }
        (Method::Delete, [name]) => {
            calls::change_activation(env, &ActivationChange { name: (*name).to_owned(), body: None }).await?;
            configuration::forget();
            deliveries::forget(env, name).await?;
            http::json(&json!({ "deleted": true }))
        }
        (Method::Get, [name, "deliveries"]) => {
            found(configuration, name)?;
            list(request, env, name).await
        }
        (Method::Post, [name, "replay"]) => {
            found(configuration, name)?;
            replay(env, configuration, name, &body(request).await?).await
        }
        (_, [] | [_] | [_, "deliveries" | "replay"]) => Err(Error::method_not_allowed()),
        _ => Err(Error::not_found()),
    }
}

fn found(configuration: &Configuration, name: &str) -> Result<Value> {
    definitions(configuration, KIND)?.remove(name).ok_or_else(Error::not_found)
}

/// Without the key, which is of no use to anybody.
fn shown(name: &str, mut activation: Value) -> Value {
    if let Some(activation) = activation.as_object_mut() {
        activation.remove("key");
    }
    named(name, activation)
}

/// The secret is told here once, if it was made here.
async fn put(env: &Env, name: &str, activation: Map<String, Value>) -> Result<Response> {
    let change = ActivationChange { name: name.to_owned(), body: Some(activation) };
    let secret = calls::change_activation(env, &change).await?;
    configuration::forget();
    let configuration = configuration::current(env, crate::platform::now()).await?;
    let mut answer = shown(name, found(&configuration, name)?);
    if let (Some(answer), Some(secret)) = (answer.as_object_mut(), secret) {
        answer.insert("secret".to_owned(), secret.into());
    }
    http::json(&answer)
}

fn invalid(message: &str) -> Error {
    Error::client(400, "invalid_request", message.to_owned())
}

/// `GET /activations/{name}/deliveries?state=&customer=&top=&skiptoken=`, newest first.
async fn list(request: &Request, env: &Env, name: &str) -> Result<Response> {
    let query = http::url(request)?.search_params();
    let given = |name: &str| query.get(name).unwrap_or_default();
    let state = given("state");
    if !matches!(state.as_str(), "" | "pending" | "delivered" | "dead") {
        return Err(invalid("state should be pending, delivered or dead"));
    }
    let top = match given("top").as_str() {
        "" => Some(TOP),
        top => top.parse().ok().filter(|top| (1..=MOST).contains(top)),
    };
    let top = top.ok_or_else(|| invalid(&format!("top should be a number from 1 to {MOST}")))?;
    let token = given("skiptoken");
    let behind = token.split_once('.').and_then(|(at, id)| Some((at.parse().ok()?, id.to_owned())));
    if behind.is_none() && !token.is_empty() {
        return Err(invalid("skiptoken should be one that an earlier answer gave"));
    }
    let asked = Asked { activation: name, state, customer: given("customer"), top: top + 1, behind };
    let mut found = deliveries::list(env, &asked).await?;
    let dropped = found.get(1).and_then(Value::as_u64).unwrap_or(0);
    let mut items = match found.get_mut(0).map(Value::take) {
        Some(Value::Array(items)) => items,
        _ => Vec::new(),
    };
    let more = items.len() > top as usize;
    items.truncate(top as usize);
    for item in items.iter_mut().filter_map(Value::as_object_mut) {
        item.remove("dropped");
    }
    let last = items.last().filter(|_| more).and_then(|last| {
        let text = |name: &str| last.get(name).and_then(Value::as_str);
        Some(format!("{}.{}", Timestamp::from_rfc3339(text("at")?)?.0, text("id")?))
    });
    http::json(&json!({ "items": items, "dropped": dropped, "skiptoken": last }))
}

/// `POST /activations/{name}/replay { id | state: "dead" }`. Of many customers some at a time: the answer
/// then has a `skiptoken` to go on with.
async fn replay(env: &Env, configuration: &Configuration, name: &str, asked: &Value) -> Result<Response> {
    let text = |name: &str| asked.get(name).map(|value| value.as_str().unwrap_or_default());
    let id = match (text("id"), text("state")) {
        (Some(id), None) if !id.is_empty() => Some(id),
        (None, Some("dead")) => None,
        _ => return Err(invalid("send an id, or state: \"dead\"")),
    };
    let customers = deliveries::dead(env, name, id, text("skiptoken").unwrap_or_default(), REPLAYED).await?;
    let mut replayed = 0;
    for customer in &customers {
        let call = ProfileCall::Replay { activation: name.to_owned(), id: id.map(str::to_owned) };
        replayed += calls::profile::<usize>(env, configuration.n(), *customer, call).await?;
    }
    let last = customers.last().filter(|_| customers.len() == REPLAYED as usize);
    http::json(&json!({ "replayed": replayed, "skiptoken": last }))
}

//! Admin API (contract §7): settings, tables and rows, measures, segments, experiences, the snippet,
//! customers, jobs.

mod activations;
mod customers;
mod rows;

use msci_core::json;
use serde_json::{Map, Value, json};
use worker::{Env, Method, Request, Response};

use crate::calls::{self, Change, JobCall, Work};
use crate::configuration::{self, Configuration};
use crate::error::{Error, Result};
use crate::http::{self, header};
use crate::storage::index;
use crate::{access, names, snippet};

/// Admin API root.
pub(crate) const ROOT: &str = "/admin/v1/";

/// Largest definition or settings body, in bytes.
const DEFINITION_BYTES: usize = 64 * 1024;

/// Answers what stands behind the root.
pub(crate) async fn any(
    request: Request,
    env: &Env,
    configuration: &Configuration,
    path: &str,
) -> Result<Response> {
    access::require(&request, env)?;
    let method = request.method();
    let parts: Vec<String> = path.split('/').map(http::decoded).collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    match (&method, parts.as_slice()) {
        (Method::Get, ["settings"]) => http::json(configuration.settings()),
        (Method::Put, ["settings"]) => {
            let patch = body(&request).await?;
            change(env, Change::Settings(patch)).await?;
            let now = crate::platform::now();
            http::json(configuration::current(env, now).await?.settings())
        }
        (Method::Get, ["snippet"]) => {
            let key = names::var(env, names::VAR_INGESTION_KEY);
            http::json(&snippet::forms(&key, names::PREFIX)?)
        }
        (Method::Get, ["customers"]) => customers::list(&request, env).await,
        (Method::Get, ["customers", id]) => customers::one(env, configuration, id).await,
        (Method::Get, ["customers", id, "timeline"]) => {
            customers::timeline(&request, env, configuration, id).await
        }
        (Method::Post, ["customers", id, "unlink"]) => {
            customers::unlink(env, configuration, id, &body(&request).await?).await
        }
        (Method::Post, ["privacy", "erase"]) => {
            customers::erase(env, configuration, &body(&request).await?).await
        }
        (Method::Post, ["index", "rebuild"]) => {
            let work = Work::Rebuild { cursor: None };
            http::json(&calls::job(env, &JobCall::Start(work)).await?)
        }
        (Method::Get, ["jobs"]) => http::json(&json!({ "items": calls::job(env, &JobCall::List).await? })),
        (Method::Get, ["jobs", id]) => http::json(&calls::job(env, &JobCall::Get((*id).to_owned())).await?),
        (Method::Delete, ["jobs", id]) => {
            http::json(&calls::job(env, &JobCall::Cancel((*id).to_owned())).await?)
        }
        (Method::Post, ["tables", name, "rows"]) => rows::import(request, env, configuration, name).await,
        (_, ["activations", rest @ ..]) => activations::any(&request, env, configuration, rest).await,
        (Method::Get, [kind]) if is_kind(kind) => {
            let items: Vec<Value> = definitions(configuration, kind)?
                .into_iter()
                .map(|(name, definition)| named(&name, definition))
                .collect();
            http::json(&json!({ "items": items }))
        }
        (Method::Get, [kind, name]) if is_kind(kind) => {
            let mut definitions = definitions(configuration, kind)?;
            let definition = definitions.remove(*name).ok_or_else(Error::not_found)?;
            let mut answer = named(name, definition);
            if let Some(table) = answer.as_object_mut().filter(|_| *kind == "tables") {
                table.insert("rows".to_owned(), index::count(env, name).await?.into());
            }
            http::json(&answer)
        }
        (Method::Put, [kind, name]) if is_kind(kind) => {
            check_name(name)?;
            let definition = body(&request).await?;
            let (kind, name) = ((*kind).to_owned(), (*name).to_owned());
            let answer = named(&name, definition.clone());
            change(env, Change::Definition { kind, name, body: Some(definition) }).await?;
            http::json(&answer)
        }
        (Method::Delete, [kind, name]) if is_kind(kind) => {
            let (kind, name) = ((*kind).to_owned(), (*name).to_owned());
            change(env, Change::Definition { kind, name, body: None }).await?;
            http::json(&json!({ "deleted": true }))
        }
        (
            _,
            ["settings" | "snippet" | "customers" | "jobs"]
            | ["customers" | "jobs", _]
            | ["tables", _, "rows"]
            | ["customers", _, "timeline" | "unlink"]
            | ["privacy", "erase"]
            | ["index", "rebuild"],
        ) => Err(Error::method_not_allowed()),
        (_, [kind] | [kind, _]) if is_kind(kind) => Err(Error::method_not_allowed()),
        _ => Err(Error::not_found()),
    }
}

fn is_kind(kind: &str) -> bool {
    matches!(kind, "tables" | "measures" | "segments" | "experiences")
}

fn definitions(configuration: &Configuration, kind: &str) -> Result<Map<String, Value>> {
    let mut bundle = json::value(&serde_json::to_string(&configuration.definitions.bundle)?)?;
    match bundle.get_mut(kind).map(Value::take) {
        Some(Value::Object(definitions)) => Ok(definitions),
        _ => Err(Error::not_found()),
    }
}

fn named(name: &str, mut definition: Value) -> Value {
    if let Some(definition) = definition.as_object_mut() {
        definition.insert("name".to_owned(), name.into());
    }
    definition
}

/// Names become parts of addresses, columns and markers.
fn check_name(name: &str) -> Result<()> {
    let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    if plain && (1..=64).contains(&name.len()) {
        return Ok(());
    }
    Err(Error::client(400, "invalid_name", "a name has 1 to 64 letters, digits, - or _"))
}

async fn change(env: &Env, change: Change) -> Result<()> {
    calls::config_change(env, &change).await?;
    configuration::forget();
    Ok(())
}

async fn body(request: &Request) -> Result<Value> {
    if http::media_type(&header(request, "content-type")) != "application/json" {
        return Err(Error::client(415, "unsupported_media_type", "send application/json"));
    }
    let bytes = http::body(request, DEFINITION_BYTES).await?;
    let value = msci_core::strict_json::parse(&bytes).map_err(|error| {
        Error::client(400, "invalid_json", format!("the body is not valid JSON: {error}"))
    })?;
    if value.is_object() { Ok(value) } else { Err(Error::client(400, "invalid_json", "send a JSON object")) }
}

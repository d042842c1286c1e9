//! Admin API (contract §7): settings, tables and rows, measures, segments, experiences, the snippet,
//! customers, jobs, tokens and the audit log. Which routes there are, and to whom each is open, says `msci_core::access`.

mod activations;
mod customers;
mod experiences;
mod export;
mod keys;
mod live;
mod memberships;
mod page_preview;
mod privacy;
mod rows;
mod segments;
mod tokens;

use msci_core::access::audit::Entry;
use msci_core::access::{self as roles, Missing, Role, Scope};
use msci_core::json;
use serde_json::{Map, Value, json};
use worker::{Env, Method, Request, Response};

use crate::access::{self, Caller, audit};
use crate::calls::{self, Change, JobCall, Work};
use crate::configuration::{self, Configuration};
use crate::error::{Error, Result};
use crate::http::{self, header};
use crate::platform::now;
use crate::storage::index;
use crate::{names, snippet};

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
    let caller = access::caller(&request, env, configuration, Scope::Admin, now()).await?;
    answer(request, env, configuration, path, &caller).await
}

/// Answers whoever asks what they may: programs by the route above, people by pages of the console. The audit log
/// hears of what is more than reading before it is done.
pub(crate) async fn answer(
    request: Request,
    env: &Env,
    configuration: &Configuration,
    path: &str,
    caller: &Caller,
) -> Result<Response> {
    access::may_ask(caller, now())?;
    let method = request.method().to_string();
    let parts: Vec<String> = path.split('/').map(http::decoded).collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let route = roles::route(&method, &parts).map_err(|missing| match missing {
        Missing::Method => Error::method_not_allowed(),
        Missing::Address => Error::not_found(),
    })?;
    if let Err(refusal) = caller.must_be(route.role) {
        audit::counted(env, audit::entry(Some(caller), &method, &route.told, refusal.status()), now()).await;
        return Err(refusal);
    }
    let entry = audit::entry(Some(caller), &method, &route.told, 0);
    let begun = if route.alone { Some(audit::begin(env, entry.clone(), now()).await?) } else { None };
    let answer = allowed(request, env, configuration, &parts, caller).await;
    let status = answer.as_ref().map_or_else(Error::status, Response::status_code);
    match begun {
        Some(id) => audit::end(env, id, status).await,
        None => audit::counted(env, Entry { status, ..entry }, now()).await,
    }
    answer
}

async fn allowed(
    request: Request,
    env: &Env,
    configuration: &Configuration,
    parts: &[&str],
    caller: &Caller,
) -> Result<Response> {
    let method = request.method();
    if let Some(answer) = of_definitions(&request, env, configuration, parts).await? {
        return Ok(answer);
    }
    match (&method, parts) {
        (Method::Get, ["settings"]) => {
            let mut settings = json::value(&serde_json::to_string(configuration.settings())?)?;
            // Names of people who work here.
            if let Some(settings) = settings.as_object_mut().filter(|_| caller.role < Role::Administrator) {
                settings.remove("access");
            }
            http::json(&settings)
        }
        (_, ["tokens", rest @ ..]) => tokens::any(&request, env, rest).await,
        (Method::Get, ["audit"]) => tokens::audit(&request, env).await,
        (Method::Put, ["settings"]) => {
            let patch = body(&request).await?;
            change(env, Change::Settings(patch)).await?;
            http::json(configuration::current(env, now()).await?.settings())
        }
        (Method::Get, ["stats"]) => live::stats(&request, env).await,
        (Method::Get, ["live"]) => live::live(&request, env),
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
            privacy::erase(env, configuration, &body(&request).await?).await
        }
        (Method::Get, ["privacy", "consents"]) => privacy::consents(&request, env, configuration).await,
        (Method::Get, ["privacy", "export"]) => privacy::export(&request, env, configuration).await,
        (Method::Post, ["index", "rebuild"]) => {
            let work = Work::Rebuild { cursor: None };
            http::json(&calls::job(env, &JobCall::Start(work)).await?)
        }
        (Method::Post, ["index", "tidy"]) => {
            let work = Work::Retain { behind: None };
            http::json(&calls::job(env, &JobCall::Start(work)).await?)
        }
        (Method::Get, ["jobs"]) => http::json(&json!({ "items": calls::job(env, &JobCall::List).await? })),
        (Method::Get, ["jobs", id]) => http::json(&calls::job(env, &JobCall::Get((*id).to_owned())).await?),
        (Method::Delete, ["jobs", id]) => {
            let job = calls::job(env, &JobCall::Get((*id).to_owned())).await?;
            // Who may not have somebody erased may not prevent it either.
            if job.get("kind").is_some_and(|kind| kind == "erase") {
                caller.must_be(Role::Administrator)?;
            }
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
            if let Some(answer) = answer.as_object_mut() {
                match *kind {
                    "tables" => {
                        answer.insert("rows".to_owned(), index::count(env, name).await?.into());
                    }
                    "segments" => segments::add_size(env, name, answer).await?,
                    _ => {}
                }
            }
            http::json(&answer)
        }
        (Method::Put, [kind, name]) if is_kind(kind) => {
            check_name(name)?;
            if matches!((*kind, *name), ("segments", "preview") | ("experiences", "explain")) {
                return Err(Error::client(400, "invalid_name", "this is a name of this API's own"));
            }
            let definition = body(&request).await?;
            let answer = named(name, definition.clone());
            define(env, kind, name, Some(definition)).await?;
            http::json(&answer)
        }
        (Method::Delete, [kind, name]) if is_kind(kind) => {
            define(env, kind, name, None).await?;
            http::json(&json!({ "deleted": true }))
        }
        _ => Err(Error::not_found()),
    }
}

/// What is asked about segments and experiences, besides what they are.
async fn of_definitions(
    request: &Request,
    env: &Env,
    configuration: &Configuration,
    parts: &[&str],
) -> Result<Option<Response>> {
    let answer = match (&request.method(), parts) {
        (_, ["accounts", "optimizely"]) => export::account(request, env).await,
        (_, ["keys", rest @ ..]) => keys::any(request, env, rest).await,
        (Method::Get, ["segments", name, "export"]) => export::file(request, env, configuration, name).await,
        (Method::Post, ["segments", name, "export"]) => {
            export::upload(env, configuration, name, &body(request).await?).await
        }
        (Method::Get, ["experiences", name, "results"]) => {
            experiences::results(env, configuration, name).await
        }
        (Method::Post, ["experiences", "explain"]) => {
            experiences::explained(request, env, configuration, &body(request).await?).await
        }
        (Method::Post, ["preview"]) => {
            page_preview::link(request, env, configuration, &body(request).await?).await
        }
        (Method::Post, ["segments", "preview"]) => {
            segments::preview(env, configuration, &body(request).await?).await
        }
        (Method::Get, ["segments", name, "members"]) => {
            segments::members(request, env, configuration, name).await
        }
        _ => return Ok(None),
    };
    Ok(Some(answer?))
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
    if roles::is_name(name) {
        return Ok(());
    }
    Err(Error::client(400, "invalid_name", "a name has 1 to 64 letters, digits, - or _"))
}

async fn change(env: &Env, change: Change) -> Result<u64> {
    let n = calls::config_change(env, &change).await?;
    configuration::forget();
    Ok(n)
}

/// Puts or deletes a definition; a job brings every customer to it. Where that cannot begin, the caller
/// hears so, and does the same again: what is stored already changes nothing.
async fn define(env: &Env, kind: &str, name: &str, body: Option<Value>) -> Result<()> {
    let drops = body.is_none() && kind == "tables";
    let table = name.to_owned();
    let definition = Change::Definition { kind: kind.to_owned(), name: name.to_owned(), body };
    let n = match change(env, definition).await {
        // Of a table that went an hour ago rows may be left.
        Err(error) if drops && error.code() == "not_found" && index::count(env, name).await? > 0 => None,
        changed => Some(changed?),
    };
    if drops {
        calls::job(env, &JobCall::Later(Work::Drop { table })).await?;
    }
    if let Some(n) = n {
        calls::job(env, &JobCall::Later(Work::evaluate(n))).await?;
    }
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

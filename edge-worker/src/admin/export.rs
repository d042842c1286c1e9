//! Segments for Optimizely Web Experimentation: as list attributes, which name the members by what a cookie of
//! theirs holds. A file has one id a line, no header, and less than 5 MB; the REST API takes the same ids with commas
//! between them (`/v2/list_attributes`). A segment that does not fit one list has several, numbered.

use msci_core::activation::is_receiver;
use msci_core::json;
use msci_core::time::SECOND_MS;
use serde_json::{Value, json};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use worker::{Env, Method, Request, Response, ResponseBuilder};

use super::body;
use super::customers::{bad_token, invalid, text};
use crate::calls;
use crate::configuration::Configuration;
use crate::error::{Error, Result};
use crate::storage::index;
use crate::{http, names};

/// Less than this may a list have, in bytes.
const PART_BYTES: usize = 5_000_000;
/// Lists that one request uploads; more are gone on with.
const PARTS: u32 = 4;
/// How long the service may take.
const PATIENCE_MS: u32 = 30 * SECOND_MS as u32;
/// Most that is read of its answers, in bytes.
const ANSWER_BYTES: usize = 16 * 1024 * 1024;
/// Where it is.
const SERVICE: &str = "optimizely";
const URL: &str = "https://api.optimizely.com/v2";

/// `GET /segments/{name}/export?format=optimizely&skiptoken=`: one list as a file; a `Link` leads to the next.
pub(super) async fn file(
    request: &Request,
    env: &Env,
    configuration: &Configuration,
    name: &str,
) -> Result<Response> {
    let query = http::url(request)?.search_params();
    check(configuration, name, query.get("format").as_deref())?;
    let behind = query.get("skiptoken").unwrap_or_default();
    let (ids, next) = part(env, name, behind, '\n').await?;
    let mut builder = ResponseBuilder::new()
        .with_header("Content-Type", "text/csv; charset=utf-8")?
        .with_header("Content-Disposition", &format!("attachment; filename=\"{name}.csv\""))?
        .with_header("Cache-Control", "no-store")?;
    if let Some(next) = next {
        let link = format!("<export?format={SERVICE}&skiptoken={next}>; rel=\"next\"");
        builder = builder.with_header("Link", &link)?;
    }
    Ok(builder.fixed(ids.into_bytes()))
}

fn check(configuration: &Configuration, name: &str, format: Option<&str>) -> Result<()> {
    if !configuration.definitions.bundle.segments.contains_key(name) {
        return Err(Error::not_found());
    }
    if format == Some(SERVICE) { Ok(()) } else { Err(invalid("format should be optimizely")) }
}

/// The members' ids behind a customer, as many as a list holds; and behind whom the next one begins.
async fn part(env: &Env, segment: &str, behind: String, between: char) -> Result<(String, Option<String>)> {
    let (mut ids, mut behind) = (String::new(), behind);
    loop {
        let members = index::member_cookies(env, segment, &behind).await?;
        if members.is_empty() {
            return Ok((ids, None));
        }
        for (customer, cookies) in members {
            let more: usize = cookies.iter().map(|id| id.len() + 1).sum();
            if !ids.is_empty() && ids.len() + more >= PART_BYTES {
                return Ok((ids, Some(behind)));
            }
            for id in cookies {
                // A file's last line ends, a list's last id does not.
                if between == ',' && !ids.is_empty() {
                    ids.push(between);
                }
                ids.push_str(&id);
                if between != ',' {
                    ids.push(between);
                }
            }
            behind = customer;
        }
    }
}

/// `PUT, GET, DELETE /accounts/optimizely`: `{ url?, projectId, token }`; the token is not told again.
pub(super) async fn account(request: &Request, env: &Env) -> Result<Response> {
    match request.method() {
        Method::Put => {
            let asked = body(request).await?;
            let url = text(&asked, "url").unwrap_or(URL).trim_end_matches('/');
            let project = asked.get("projectId").and_then(Value::as_u64);
            let project = project.ok_or_else(|| invalid("projectId should be a number"))?;
            let token = text(&asked, "token").filter(|token| {
                (1..=512).contains(&token.len()) && token.bytes().all(|byte| (0x21..=0x7e).contains(&byte))
            });
            let token = token.ok_or_else(|| invalid("token should be a token of that account"))?;
            if !is_receiver(url) {
                return Err(invalid("url should be an https address (http on this machine alone)"));
            }
            let account = json!({ "url": url, "projectId": project, "token": token });
            calls::keep_account(env, SERVICE, &account).await?;
            http::json(&shown(account))
        }
        Method::Get => match calls::account(env, SERVICE).await? {
            Value::Null => Err(Error::not_found()),
            account => http::json(&shown(account)),
        },
        Method::Delete => {
            calls::keep_account(env, SERVICE, &Value::Null).await?;
            http::json(&json!({ "deleted": true }))
        }
        _ => Err(Error::method_not_allowed()),
    }
}

fn shown(mut account: Value) -> Value {
    if let Some(account) = account.as_object_mut() {
        account.remove("token");
    }
    account
}

/// `POST /segments/{name}/export { format, skiptoken? }`: uploads the lists; of very many the first ones, and a
/// `skiptoken` to go on with. Done twice, it leaves the same.
pub(super) async fn upload(
    env: &Env,
    configuration: &Configuration,
    name: &str,
    asked: &Value,
) -> Result<Response> {
    check(configuration, name, text(asked, "format"))?;
    let account = calls::account(env, SERVICE).await?;
    if account.is_null() {
        return Err(Error::client(409, "no_account", "put an account first: /accounts/optimizely"));
    }
    let project = account.get("projectId").cloned().unwrap_or_default();
    let present = call(&account, "GET", &format!("/list_attributes?project_id={project}"), None).await?;
    let id_of = |list: &str| {
        let mut found = present.as_array().into_iter().flatten();
        found.find(|one| text(one, "name") == Some(list)).and_then(|one| one.get("id")).cloned()
    };
    let (mut number, mut behind) = match text(asked, "skiptoken") {
        None => (1, String::new()),
        Some(token) => {
            let (number, behind) = token.split_once('.').ok_or_else(bad_token)?;
            (number.parse::<u32>().map_err(|_| bad_token())?, behind.to_owned())
        }
    };
    let named = |number: u32| if number == 1 { name.to_owned() } else { format!("{name}-{number}") };
    let mut lists = Vec::new();
    let last = number.saturating_add(PARTS);
    let left = loop {
        let (ids, next) = part(env, name, behind, ',').await?;
        let list = named(number);
        let count = ids.split(',').filter(|id| !id.is_empty()).count();
        let answer = match id_of(&list) {
            Some(id) => {
                let change = json!({ "archived": false, "list_content": ids });
                call(&account, "PATCH", &format!("/list_attributes/{id}"), Some(&change)).await?
            }
            None => {
                let list = json!({
                    "project_id": project, "name": list, "list_type": "cookies", "key_field": names::COOKIE,
                    "list_content": ids,
                });
                call(&account, "POST", "/list_attributes", Some(&list)).await?
            }
        };
        lists.push(json!({ "name": list, "id": answer.get("id"), "ids": count }));
        number += 1;
        match next {
            None => break None,
            Some(next) if number == last => break Some(format!("{number}.{next}")),
            Some(next) => behind = next,
        }
    };
    if left.is_none() {
        // Lists of a time when there were more members.
        while let Some(id) = id_of(&named(number)) {
            let change = json!({ "archived": true });
            call(&account, "PATCH", &format!("/list_attributes/{id}"), Some(&change)).await?;
            number += 1;
        }
    }
    http::json(&json!({ "lists": lists, "skiptoken": left }))
}

/// One call of the service.
async fn call(account: &Value, method: &str, path: &str, body: Option<&Value>) -> Result<Value> {
    let of = |name: &str| text(account, name).unwrap_or_default();
    let headers = web_sys::Headers::new()?;
    headers.set("authorization", &format!("Bearer {}", of("token")))?;
    headers.set("accept", "application/json")?;
    let init = web_sys::RequestInit::new();
    if let Some(body) = body {
        headers.set("content-type", "application/json")?;
        init.set_body(&json::text(body).into());
    }
    init.set_method(method);
    init.set_headers(&headers);
    init.set_redirect(web_sys::RequestRedirect::Manual);
    init.set_signal(Some(&web_sys::AbortSignal::timeout_with_u32(PATIENCE_MS)));
    let request = web_sys::Request::new_with_str_and_init(&format!("{}{path}", of("url")), &init)?;
    let failed = |why: String| Error::client(502, "upload_failed", format!("Optimizely {why}"));
    let response = JsFuture::from(http::fetch_request(&request)).await;
    let response: web_sys::Response =
        response.map_err(|_: JsValue| failed("does not answer".to_owned()))?.unchecked_into();
    if !response.ok() {
        return Err(failed(format!("answered {}", response.status())));
    }
    let answer =
        http::answer(&response, ANSWER_BYTES).await.ok().and_then(|bytes| String::from_utf8(bytes).ok());
    answer.and_then(|answer| json::value(&answer).ok()).ok_or_else(|| failed("answered no JSON".to_owned()))
}

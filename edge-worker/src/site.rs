//! The site behind, with its HTML personalised on the way. The site's answer passes through byte for
//! byte unless an experience applies, and whatever fails here, the page goes out (law 6).

use std::pin::pin;

use futures_util::future::{Either, select};
use msci_core::config::Action;
use msci_core::ids::CookieId;
use msci_core::page::{self, Edit, Exposure};
use msci_core::time::Timestamp;
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use worker::{Delay, Env, Request, Response, ResponseBuilder};

use crate::collect::refuses_tracking;
use crate::configuration::Configuration;
use crate::cookies::{self, Cookies};
use crate::error::Result;
use crate::http::{self, header};
use crate::names;
use crate::page_preview;
use crate::platform::random_bits;
use crate::reader::{self, Visit};

#[wasm_bindgen(module = "msci:rewriter")]
extern "C" {
    #[wasm_bindgen(catch)]
    fn rewrite(response: &web_sys::Response, edits: &str) -> std::result::Result<web_sys::Response, JsValue>;
}

/// Answers for the site.
pub(crate) async fn any(
    request: Request,
    env: &Env,
    configuration: Option<&Configuration>,
    now: Timestamp,
) -> Result<Response> {
    // Without a configuration nothing can be decided, but the site can be shown.
    let Some(configuration) = configuration else { return from_origin(&request, env, false).await };
    if let Some(viewer) = page_preview::viewer(&request, configuration, now) {
        return page_preview::show(&request, env, configuration, &viewer, now).await;
    }
    let cookies = Cookies::read(&header(&request, "cookie"), configuration, now);
    let refuses = refuses_tracking(&request, &cookies, configuration);
    let path = request.path();
    if path == names::GPC && configuration.settings().consent.honour_gpc {
        return gpc(&request, env).await;
    }
    let candidates = match request.method() {
        worker::Method::Get if !refuses && wants_page(&request) => {
            page::candidates(&configuration.definitions, &path, now)
        }
        _ => Vec::new(),
    };
    let tells = request.method() == worker::Method::Get && !refuses && wants_page(&request);
    let carried = cookies.carried.clone().filter(|_| tells);
    if candidates.is_empty() && carried.is_none() {
        let response = from_origin(&request, env, false).await?;
        let cookies = Cookies { version: None, ..cookies };
        return Ok(with_visitor_cookie(response, &request, configuration, &cookies, refuses));
    }
    let (response, visit) = beside(&request, env, configuration, &cookies, now).await?;
    let exposures = match &visit {
        Some(visit) if is_rewritable(&response) => page::decide(&candidates, &visit.snapshot),
        _ => Vec::new(),
    };
    let carried = carried.filter(|_| is_rewritable(&response));
    let response = personalised(&request, response, &exposures, carried.as_deref())?;
    let behind = visit.is_some_and(|visit| visit.behind);
    let cookies = Cookies { version: cookies.version.filter(|_| behind), ..cookies };
    Ok(with_visitor_cookie(response, &request, configuration, &cookies, refuses))
}

/// That the site honours Global Privacy Control, unless it has something to say itself.
async fn gpc(request: &Request, env: &Env) -> Result<Response> {
    let response = from_origin(request, env, false).await?;
    let silent = response.status_code() == 404 && request.method() == worker::Method::Get;
    if silent { http::json(&serde_json::json!({ "gpc": true })) } else { Ok(response) }
}

/// A navigation, not an image or a script: those that name what they want do not want HTML.
pub(crate) fn wants_page(request: &Request) -> bool {
    let accept = header(request, "accept");
    (accept.is_empty() || accept.contains("text/html") || accept.contains("*/*"))
        && !matches!(
            header(request, "sec-fetch-dest").as_str(),
            "image" | "script" | "style" | "font" | "video" | "audio"
        )
        && header(request, "upgrade").is_empty()
}

/// Asks the site and reads the profile side by side. The profile may be late by the deadline after the
/// site's headers; past it the page goes out as it is.
async fn beside(
    request: &Request,
    env: &Env,
    configuration: &Configuration,
    cookies: &Cookies,
    now: Timestamp,
) -> Result<(Response, Option<Visit>)> {
    let origin = pin!(from_origin(request, env, true));
    let profile = pin!(reader::visitor(env, configuration, cookies, now));
    let (response, profile) = match select(origin, profile).await {
        Either::Right((profile, origin)) => (origin.await?, Some(profile)),
        Either::Left((response, profile)) => {
            let response = response?;
            let deadline = u64::from(configuration.settings().profile_deadline_ms);
            let deadline = Delay::from(std::time::Duration::from_millis(deadline));
            match select(profile, pin!(deadline)).await {
                Either::Left((profile, _)) => (response, Some(profile)),
                Either::Right(_) => (response, None),
            }
        }
    };
    let snapshot = profile.and_then(|profile| {
        profile.map_err(|error| worker::console_error!("page goes out as it is: {error}")).ok()
    });
    Ok((response, snapshot))
}

/// The site's own answer; a page of ours where there is none.
pub(crate) async fn from_origin(request: &Request, env: &Env, fresh: bool) -> Result<Response> {
    let forwarded = forwarded(request, env, fresh)?;
    let answer = match env.service(names::SITE) {
        Ok(site) => site.fetch_request(Request::from(forwarded)).await,
        Err(_) => JsFuture::from(http::fetch_request(&forwarded))
            .await
            .and_then(JsCast::dyn_into::<web_sys::Response>)
            .map(Response::from)
            .map_err(worker::Error::from),
    };
    match answer {
        Ok(response) => Ok(response),
        Err(error) => {
            worker::console_error!("the site does not answer: {error}");
            unreachable_page(request)
        }
    }
}

/// The request as the site gets it. `fresh` leaves out what would make it answer "not modified": the
/// visitor's copy may be of another version of the page.
fn forwarded(request: &Request, env: &Env, fresh: bool) -> Result<web_sys::Request> {
    let inner = request.inner();
    let address = match env.var(names::VAR_ORIGIN) {
        Ok(origin) if env.service(names::SITE).is_err() => {
            let url = http::url(request)?;
            format!("{}{}{}", origin.to_string().trim_end_matches('/'), url.pathname(), url.search())
        }
        _ => inner.url(),
    };
    // A request is also a description of one: same method, headers, body and redirect mode.
    let copy = web_sys::Request::new_with_str_and_init(&address, inner.unchecked_ref())?;
    if fresh {
        for name in ["if-none-match", "if-modified-since", "range"] {
            copy.headers().delete(name)?;
        }
    }
    Ok(copy)
}

/// A header of an answer in lower case; empty when absent.
fn said(response: &Response, name: &str) -> String {
    response.headers().get(name).ok().flatten().unwrap_or_default().to_ascii_lowercase()
}

pub(crate) fn is_rewritable(response: &Response) -> bool {
    let header = |name: &str| said(response, name);
    let content_type = header("content-type");
    let charset = content_type.split("charset=").nth(1).map(|c| c.trim_matches(['"', ' ', ';']).to_owned());
    // The rewriter reads bytes as ASCII; charsets that reuse those bytes for others pass through.
    let ascii_compatible = charset.is_none_or(|charset| {
        ["utf-8", "utf8", "us-ascii", "iso-8859-", "windows-125"]
            .iter()
            .any(|known| charset.starts_with(known))
    });
    response.status_code() == 200 && content_type.trim_start().starts_with("text/html") && ascii_compatible
}

/// The page with the edits of all exposures, and the marker that says which they are, and what a redirect on
/// the way here showed.
pub(crate) fn personalised(
    request: &Request,
    response: Response,
    exposures: &[Exposure],
    carried: Option<&str>,
) -> Result<Response> {
    if exposures.is_empty() && carried.is_none() {
        return Ok(response);
    }
    let edits = || exposures.iter().flat_map(|exposure| &exposure.changes);
    if let Some((exposure, to)) = page::redirect(exposures) {
        let cookie = cookies::carried(&exposure, http::is_https(request));
        let response = ResponseBuilder::new().with_status(302).with_header("Location", to)?;
        let response = response.with_header("Set-Cookie", &cookie)?;
        return Ok(response.with_header("Cache-Control", "private, no-store")?.empty());
    }
    let marker = attribute(&page::marker(exposures, carried));
    let marker = format!("<meta name=\"msci-x\" content=\"{marker}\">");
    let marker = Edit { selector: "head".to_owned(), action: Action::Append, value: marker, name: None };
    let edits: Vec<&Edit> = edits().chain([&marker]).collect();
    let original: web_sys::Response = response.into();
    let rewritten = match rewrite(&original, &serde_json::to_string(&edits)?) {
        Ok(rewritten) => rewritten,
        Err(error) => {
            worker::console_error!("the page goes out as it is: {error:?}");
            return Ok(Response::from(original));
        }
    };
    let response = Response::from(web_sys::Response::new_with_opt_readable_stream_and_init(
        rewritten.body().as_ref(),
        &init_of(&rewritten),
    )?);
    let headers = response.headers();
    // One visitor's page is nobody else's (law 7), and no longer the one that these describe.
    headers.set("Cache-Control", "private, no-store")?;
    if carried.is_some() {
        headers.append("Set-Cookie", &cookies::expired(names::COOKIE_CARRIED))?;
    }
    for name in [
        "etag",
        "last-modified",
        "content-length",
        "expires",
        "age",
        "content-md5",
        "digest",
        "accept-ranges",
    ] {
        headers.delete(name)?;
    }
    Ok(response)
}

pub(crate) fn attribute(text: &str) -> String {
    text.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;")
}

pub(crate) fn init_of(response: &web_sys::Response) -> web_sys::ResponseInit {
    let init = web_sys::ResponseInit::new();
    init.set_status(response.status());
    init.set_status_text(&response.status_text());
    init.set_headers(&response.headers());
    init
}

/// Sets or renews `_msci` on HTML that no shared cache may keep; never on one that it may. So too the
/// version of the last action, where there is one to be renewed.
fn with_visitor_cookie(
    response: Response,
    request: &Request,
    configuration: &Configuration,
    cookies: &Cookies,
    refuses: bool,
) -> Response {
    let settings = configuration.settings();
    let implied = settings.consent.mode == msci_core::config::ConsentMode::Implied;
    // Where consent is required only a cookie that is there already is renewed: the SDK mints it once
    // it is granted.
    if refuses || !(implied || cookies.id.is_some()) || !is_private_page(&response, request) {
        return response;
    }
    let id = cookies.id.unwrap_or_else(|| CookieId::from_bits(random_bits()));
    let https = http::is_https(request);
    let marked = (|| -> Result<Response> {
        // A fetched response's headers are immutable; a new one over the same stream copies nothing.
        let original: web_sys::Response = (&response).into();
        let copy = Response::from(web_sys::Response::new_with_opt_readable_stream_and_init(
            original.body().as_ref(),
            &init_of(&original),
        )?);
        let headers = copy.headers();
        headers.append("Set-Cookie", &cookies::id(id, settings, https))?;
        if let Some((tag, version)) = &cookies.version {
            headers.append("Set-Cookie", &cookies::version(tag, *version, https))?;
        }
        // An answer that came after a `reset()` may have left one.
        if cookies.void_proof {
            headers.append("Set-Cookie", &cookies::expired(names::COOKIE_PROOF))?;
        }
        let control = headers.get("cache-control")?.unwrap_or_default();
        if !control.contains("private") && !control.contains("no-store") {
            let joined =
                if control.is_empty() { "private".to_owned() } else { format!("{control}, private") };
            headers.set("Cache-Control", &joined)?;
        }
        Ok(copy)
    })();
    marked.unwrap_or(response)
}

fn is_private_page(response: &Response, request: &Request) -> bool {
    let header = |name: &str| said(response, name);
    let control = header("cache-control");
    let shared = ["public", "s-maxage", "stale-while-revalidate"].iter().any(|word| control.contains(word))
        || (control.contains("max-age") && !control.contains("private"))
        || ["cdn-cache-control", "surrogate-control", "expires"].iter().any(|name| !header(name).is_empty());
    let page = response.status_code() == 200 && header("content-type").starts_with("text/html");
    page && !shared && request.method() == worker::Method::Get
}

/// A plain page for people, nothing for programs.
fn unreachable_page(request: &Request) -> Result<Response> {
    let builder = ResponseBuilder::new().with_status(502).with_header("Cache-Control", "no-store")?;
    if !wants_page(request) {
        return Ok(builder.empty());
    }
    Ok(builder.from_html(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>This site does not answer</title>\
         <meta name=\"viewport\" content=\"width=device-width\">\
         <style>body{font:1.1rem/1.6 system-ui;max-width:34rem;margin:15vh auto;padding:0 1rem}</style>\
         <h1>This site does not answer</h1><p>Please try again in a moment.</p></html>",
    )?)
}

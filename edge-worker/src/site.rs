//! The site behind, with its HTML personalised on the way. The site's answer passes through byte for
//! byte unless an experience applies, and whatever fails here, the page goes out (law 6).

use std::pin::pin;

use futures_util::future::{Either, select};
use msci_core::ids::CookieId;
use msci_core::page::{self, Edit, Exposure};
use msci_core::time::Timestamp;
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::Response;
use worker::{Delay, Env, Request, ResponseBuilder};

use crate::collect::refuses_tracking;
use crate::configuration::Configuration;
use crate::cookies::{self, Cookies};
use crate::counting;
use crate::error::Result;
use crate::http::{self, header};
use crate::names;
use crate::page_preview;
use crate::platform::random_bits;
use crate::reader::{self, Kept, Visit};
use crate::storage::snapshots;

#[wasm_bindgen(module = "msci:rewriter")]
extern "C" {
    #[wasm_bindgen(catch)]
    fn rewrite(
        page: &Response,
        edits: &str,
        head: &str,
        personal: bool,
    ) -> std::result::Result<Response, JsValue>;
}

#[wasm_bindgen(module = "msci:site")]
extern "C" {
    pub(crate) fn ask(request: &web_sys::Request, env: &Env, whole: bool) -> js_sys::Promise;
    fn told(of: &JsValue, names: &str) -> String;
    fn visit(request: &web_sys::Request, env: &Env, key: &str, deadline: u32) -> js_sys::Array;
}

/// Answers for the site.
pub(crate) async fn any(
    request: Request,
    env: &Env,
    configuration: Option<&Configuration>,
    now: Timestamp,
) -> Result<Response> {
    // Without a configuration nothing can be decided, but the site can be shown.
    let Some(configuration) = configuration else {
        return shown(ask(request.inner(), env, false), &request).await;
    };
    let [cookie, gpc_said, accept, destination, upgrade] =
        headers(request.inner(), "cookie sec-gpc accept sec-fetch-dest upgrade");
    if let Some(viewer) = page_preview::viewer(&cookie, configuration, now) {
        return page_preview::show(&request, env, configuration, &viewer, now).await;
    }
    let cookies = Cookies::read(&cookie, configuration, now);
    let refuses = refuses_tracking(gpc_said == "1", &cookies, configuration);
    let path = request.path();
    if path == names::GPC && configuration.settings().consent.honour_gpc {
        return gpc(&request, env).await;
    }
    let is_page =
        request.method() == worker::Method::Get && wants_page(&accept, &destination) && upgrade.is_empty();
    let candidates = if is_page && !refuses {
        page::candidates(&configuration.definitions, &path, now)
    } else {
        Vec::new()
    };
    let injects = is_page && configuration.settings().inject_script;
    let carried = cookies.carried.clone().filter(|_| is_page && !refuses);
    let (response, visit) = if candidates.is_empty() {
        (shown(ask(request.inner(), env, injects || carried.is_some()), &request).await?, None)
    } else {
        beside(&request, env, configuration, &cookies, now).await?
    };
    let said = Said::of(&response);
    if response.status() != 200 || !is_page || !said.is_html() {
        return Ok(response);
    }
    if !candidates.is_empty() {
        counting::count("pages decided", 1);
        counting::count("pages late", visit.is_none().into());
        counting::timed("pages", now);
    }
    let exposures = match &visit {
        Some(visit) if said.is_rewritable() => page::decide(&candidates, &visit.snapshot),
        _ => Vec::new(),
    };
    let script = (injects && said.is_rewritable()).then(|| script(env, &said.policy));
    let carried = carried.filter(|_| said.is_rewritable());
    let personal = !exposures.is_empty() || carried.is_some();
    counting::count("pages personalised", (!exposures.is_empty()).into());
    let rewritten = personalised(&request, &response, &exposures, carried.as_deref(), script)?;
    let ours = rewritten.is_some();
    let page = Page { response: rewritten.unwrap_or(response), ours, personal: ours && personal };
    let behind = visit.is_some_and(|visit| visit.behind);
    let cookies = Cookies { version: cookies.version.filter(|_| behind), ..cookies };
    Ok(with_visitor_cookie(page, &said, &request, configuration, &cookies, refuses))
}

/// That the site honours Global Privacy Control, unless it has something to say itself.
async fn gpc(request: &Request, env: &Env) -> Result<Response> {
    let response = shown(ask(request.inner(), env, false), request).await?;
    let silent = response.status() == 404 && request.method() == worker::Method::Get;
    if silent { Ok(http::json(&serde_json::json!({ "gpc": true }))?.into()) } else { Ok(response) }
}

/// A navigation, not an image or a script: those that name what they want do not want HTML.
pub(crate) fn wants_page(accept: &str, destination: &str) -> bool {
    accept.contains("text/html")
        || (accept.is_empty() || accept.contains("*/*"))
            && !matches!(destination, "image" | "script" | "style" | "font" | "video" | "audio")
}

/// Headers of a request or an answer by their names; empty where there is none.
fn headers<const N: usize>(of: &JsValue, names: &str) -> [String; N] {
    let told = told(of, names);
    let mut lines = told.split('\n').map(str::to_owned);
    std::array::from_fn(|_| lines.next().unwrap_or_default())
}

/// What an answer of the site says of itself.
pub(crate) struct Said {
    content_type: String,
    cache_control: String,
    /// Others that let shared caches keep it.
    shared: bool,
    policy: String,
}

impl Said {
    pub(crate) fn of(response: &Response) -> Self {
        let [mut content_type, cache_control, expires, surrogate, cdn, policy] = headers(
            response,
            "content-type cache-control expires surrogate-control cdn-cache-control content-security-policy",
        );
        content_type.make_ascii_lowercase();
        let shared = !(expires.is_empty() && surrogate.is_empty() && cdn.is_empty());
        Self { content_type, cache_control, shared, policy }
    }

    fn is_html(&self) -> bool {
        self.content_type.trim_start().starts_with("text/html")
    }

    /// The rewriter reads bytes as ASCII; charsets that reuse those bytes for others pass through.
    pub(crate) fn is_rewritable(&self) -> bool {
        let charset =
            self.content_type.split("charset=").nth(1).map(|c| c.trim_matches(['"', '\'', ' ', ';']));
        self.is_html()
            && charset.is_none_or(|charset| {
                ["utf-8", "utf8", "us-ascii", "iso-8859-", "windows-125"]
                    .iter()
                    .any(|known| charset.starts_with(known))
            })
    }

    fn controls(&self, words: &[&str]) -> bool {
        let control = self.cache_control.to_ascii_lowercase();
        words.iter().any(|word| control.contains(word))
    }

    /// Whether only this browser keeps it.
    fn is_private(&self) -> bool {
        !(self.shared
            || self.controls(&["public", "s-maxage", "stale-while-revalidate"])
            || self.controls(&["max-age"]) && !self.controls(&["private"]))
    }
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
    let Some(name) = reader::name(configuration, cookies) else {
        let response = shown(ask(request.inner(), env, true), request).await?;
        return Ok((response, Some(Visit::of_a_stranger(configuration, now))));
    };
    let deadline = configuration.settings().profile_deadline_ms;
    let asked = visit(request.inner(), env, &snapshots::key(name), deadline);
    let page: js_sys::Promise = asked.get(0).unchecked_into();
    let kept = match JsFuture::from(asked.get(1).unchecked_into::<js_sys::Promise>()).await {
        Ok(late) if late.is_undefined() => return Ok((shown(page, request).await?, None)),
        Ok(text) => snapshots::read(text.as_string()),
        Err(error) => {
            worker::console_error!("KV did not answer: {error:?}");
            Kept::NoAnswer
        }
    };
    let response = pin!(shown(page, request));
    match reader::at_once(configuration, cookies, now, kept) {
        Ok(visit) => Ok((response.await?, Some(visit))),
        Err(rest) => {
            let profile = pin!(rest.of(env, configuration, cookies, now));
            let (response, profile) = match select(response, profile).await {
                Either::Right((profile, response)) => (response.await?, Some(profile)),
                Either::Left((response, profile)) => {
                    let deadline = Delay::from(std::time::Duration::from_millis(deadline.into()));
                    match select(profile, pin!(deadline)).await {
                        Either::Left((profile, _)) => (response?, Some(profile)),
                        Either::Right(_) => (response?, None),
                    }
                }
            };
            let visit = profile.and_then(|profile| {
                profile.map_err(|error| worker::console_error!("page goes out as it is: {error}")).ok()
            });
            Ok((response, visit))
        }
    }
}

/// What the site answered; a page of ours where there is nothing.
pub(crate) async fn shown(answer: js_sys::Promise, request: &Request) -> Result<Response> {
    match JsFuture::from(answer).await.and_then(JsCast::dyn_into::<Response>) {
        Ok(response) => Ok(response),
        Err(error) => {
            worker::console_error!("the site does not answer: {error:?}");
            unreachable_page(request)
        }
    }
}

/// The page with the edits of all exposures, the marker that says which they are, and what a redirect on the way
/// here showed, and the tracking script where the site wants it; nothing where it stays as it is.
pub(crate) fn personalised(
    request: &Request,
    page: &Response,
    exposures: &[Exposure],
    carried: Option<&str>,
    script: Option<String>,
) -> Result<Option<Response>> {
    if let Some((exposure, to)) = page::redirect(exposures) {
        let cookie = cookies::carried(&exposure, http::is_https(request));
        let response = ResponseBuilder::new().with_status(302).with_header("Location", to)?;
        let response = response.with_header("Set-Cookie", &cookie)?;
        return Ok(Some(response.with_header("Cache-Control", "private, no-store")?.empty().into()));
    }
    let personal = !exposures.is_empty() || carried.is_some();
    let mut head = script.unwrap_or_default();
    if personal {
        let marker = attribute(&page::marker(exposures, carried));
        head = format!("{head}<meta name=\"msci-x\" content=\"{marker}\">");
    }
    if head.is_empty() {
        return Ok(None);
    }
    let edits: Vec<&Edit> = exposures.iter().flat_map(|exposure| &exposure.changes).collect();
    let rewritten = rewrite(page, &serde_json::to_string(&edits)?, &head, personal);
    let told = |error| worker::console_error!("the page goes out as it is: {error:?}");
    let rewritten = rewritten.map_err(told).ok();
    if let Some(rewritten) = rewritten.as_ref().filter(|_| carried.is_some()) {
        rewritten.headers().append("Set-Cookie", &cookies::expired(names::COOKIE_CARRIED))?;
    }
    Ok(rewritten)
}

/// The tracking script as an element, the same for every visitor, with the nonce that the page's own policy asks for.
fn script(env: &Env, policy: &str) -> String {
    let nonce = policy.split_once("'nonce-").and_then(|(_, rest)| rest.split_once('\''));
    let nonce = nonce.map(|(nonce, _)| format!(" nonce=\"{}\"", attribute(nonce))).unwrap_or_default();
    let key = attribute(&names::var(env, names::VAR_INGESTION_KEY));
    let prefix = names::PREFIX;
    format!("<script src=\"{prefix}/msci.js\" data-ingestion-key=\"{key}\" async{nonce}></script>")
}

pub(crate) fn attribute(text: &str) -> String {
    text.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;")
}

/// The same answer with headers that can be changed: those of one that was fetched cannot. A response is also a
/// description of one; a new one over the same stream copies nothing.
pub(crate) fn changeable(response: &Response) -> Result<Response> {
    let (body, same) = (response.body(), response.unchecked_ref());
    Ok(Response::new_with_opt_readable_stream_and_init(body.as_ref(), same)?)
}

/// A page on its way to the visitor.
struct Page {
    response: Response,
    /// Its headers can be changed; those of an answer that was fetched cannot.
    ours: bool,
    /// It is this visitor's alone, and says so.
    personal: bool,
}

/// Sets or renews `_msci` on HTML that no shared cache may keep; never on one that it may. So too the
/// version of the last action, where there is one to be renewed.
fn with_visitor_cookie(
    page: Page,
    said: &Said,
    request: &Request,
    configuration: &Configuration,
    cookies: &Cookies,
    refuses: bool,
) -> Response {
    let Page { response, ours, personal } = page;
    let settings = configuration.settings();
    let implied = settings.consent.mode == msci_core::config::ConsentMode::Implied;
    // Where consent is required only a cookie that is there already is renewed: the SDK mints it once
    // it is granted.
    if refuses || !(implied || cookies.id.is_some()) || !(personal || said.is_private()) {
        return response;
    }
    let id = cookies.id.unwrap_or_else(|| CookieId::from_bits(random_bits()));
    let https = http::is_https(request);
    let marked = (|| -> Result<Response> {
        let copy = if ours { Clone::clone(&response) } else { changeable(&response)? };
        let headers = copy.headers();
        headers.append("Set-Cookie", &cookies::id(id, settings, https))?;
        if let Some((tag, version)) = &cookies.version {
            headers.append("Set-Cookie", &cookies::version(tag, *version, https))?;
        }
        // An answer that came after a `reset()` may have left one.
        if cookies.void_proof {
            headers.append("Set-Cookie", &cookies::expired(names::COOKIE_PROOF))?;
        }
        if !personal && !said.controls(&["private", "no-store"]) {
            let control = &said.cache_control;
            let joined =
                if control.is_empty() { "private".to_owned() } else { format!("{control}, private") };
            headers.set("Cache-Control", &joined)?;
        }
        Ok(copy)
    })();
    marked.unwrap_or(response)
}

/// A plain page for people, nothing for programs.
fn unreachable_page(request: &Request) -> Result<Response> {
    let builder = ResponseBuilder::new().with_status(502).with_header("Cache-Control", "no-store")?;
    if !wants_page(&header(request, "accept"), &header(request, "sec-fetch-dest")) {
        return Ok(builder.empty().into());
    }
    let page = builder.from_html(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>This site does not answer</title>\
         <meta name=\"viewport\" content=\"width=device-width\">\
         <style>body{font:1.1rem/1.6 system-ui;max-width:34rem;margin:15vh auto;padding:0 1rem}</style>\
         <h1>This site does not answer</h1><p>Please try again in a moment.</p></html>",
    )?;
    Ok(page.into())
}

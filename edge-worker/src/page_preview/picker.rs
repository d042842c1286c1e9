//! A page of the site in a frame of the console, to point at its elements. It is the page of a stranger without
//! cookies, sandboxed by its own headers wherever it is opened: its scripts run in an origin of nobody's, and reach
//! neither the site nor the console. What is picked is told to the console's origin alone.

use msci_core::config::Action;
use msci_core::json;
use msci_core::time::Timestamp;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use worker::{Env, Request, Response, ResponseBuilder};

use super::{edit, silenced};
use crate::calls::previews::{PICK, Picked, ROOT};
use crate::configuration::Configuration;
use crate::error::{Error, Result};
use crate::site::said::{Kind, headers};
use crate::site::{Changes, attribute};
use crate::{assets, http, names};

#[wasm_bindgen(module = "msci:picker")]
extern "C" {
    #[wasm_bindgen(catch)]
    fn ask(
        request: &web_sys::Request,
        env: &Env,
        whole: bool,
    ) -> std::result::Result<js_sys::Promise, JsValue>;
    #[wasm_bindgen(catch)]
    fn changed(page: &web_sys::Response, changes: &str) -> std::result::Result<web_sys::Response, JsValue>;
}

/// Behind [`ROOT`]: the script that tells what was picked.
pub(super) const SCRIPT: &str = "pick.js";

/// Headers of the site's that would keep the page out of the frame, or leave something in the browser.
const DROPPED: [&str; 7] = [
    "x-frame-options",
    "content-security-policy-report-only",
    "cross-origin-opener-policy",
    "cross-origin-embedder-policy",
    "cross-origin-resource-policy",
    "set-cookie",
    "refresh",
];

/// The page that a seal names.
pub(super) async fn show(
    request: &Request,
    env: &Env,
    configuration: &Configuration,
    seal: &str,
    now: Timestamp,
) -> Result<Response> {
    let over = || Error::client(410, "link_over", "this link is older than ten minutes");
    let picked = configuration.proofs.unseal(PICK, seal, now).and_then(|text| String::from_utf8(text).ok());
    let Picked { path, by } = json::from_str(&picked.ok_or_else(over)?)?;
    let address = format!("{}{path}", http::url(request)?.origin());
    // Of the visitor's own request nothing goes along.
    let asked = web_sys::Request::new_with_str(&address)?;
    asked.headers().set("accept", "text/html")?;
    let silent = |_| Error::client(502, "site_unreachable", "the site does not answer");
    let page = JsFuture::from(ask(&asked, env, true)?).await.map_err(silent)?;
    let page: web_sys::Response = page.unchecked_into();
    let [content_type] = headers(&page, "content-type");
    if Kind::of(page.status(), &content_type) != Kind::Page {
        return Err(Error::client(404, "no_page", "there is no page at this address of the site"));
    }
    // What is relative on it is so to where it stands.
    let base = format!("<base href=\"{}\">", attribute(&address));
    let exposures = [silenced(edit("head", Action::Prepend, &base, None))];
    let script =
        format!("<script src=\"{}{ROOT}{SCRIPT}\" data-to=\"{}\"></script>", names::PREFIX, attribute(&by));
    let mut changes = Changes::of(&exposures, None);
    changes.head.insert_str(0, &script);
    let page = changed(&page, &changes.told().ok_or_else(Error::not_found)?)?;
    let headers = page.headers();
    for name in DROPPED {
        headers.delete(name)?;
    }
    let policy = format!("sandbox allow-scripts; frame-ancestors {by}");
    headers.set("Content-Security-Policy", &policy)?;
    headers.set("Referrer-Policy", "no-referrer")?;
    headers.set("X-Content-Type-Options", "nosniff")?;
    Ok(page.into())
}

/// `GET /_msci/preview/pick.js`
pub(super) fn script() -> Result<Response> {
    let builder = ResponseBuilder::new()
        .with_header("Content-Type", "text/javascript; charset=utf-8")?
        .with_header("Cache-Control", "max-age=60")?;
    Ok(builder.fixed(assets::text(SCRIPT)?.into_bytes()))
}

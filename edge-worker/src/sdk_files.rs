//! The SDK's files, as they are or compressed.

use msci_core::config::Settings;
use serde_json::json;
use worker::{Request, Response, ResponseBuilder};

use crate::assets::{self, text};
use crate::error::Result;
use crate::http;

/// `GET /_msci/assets/<name>`. Sites on other hosts load the SDK from here.
pub(crate) fn file(request: &Request, name: &str) -> Result<Response> {
    let file = assets::file(request, name)?;
    file.headers().set("Access-Control-Allow-Origin", "*")?;
    Ok(file)
}

/// `GET /_msci/msci.js`: the SDK's entry with the public settings in it, so kept for a minute at most.
/// Scripts cannot see the header of Global Privacy Control: they are told.
pub(crate) fn entry(request: &Request, settings: &Settings) -> Result<Response> {
    let public = json!({
        "consent": settings.consent,
        "capture": settings.capture,
        "cookie": settings.cookie,
        "gpc": http::says_gpc(request),
    });
    let source =
        text("msci.js")?.replace("\"__MSCI_SETTINGS__\"", &public.to_string().replace('<', "\\u003c"));
    Ok(ResponseBuilder::new()
        .with_header("Content-Type", "text/javascript; charset=utf-8")?
        .with_header("Cache-Control", "public, max-age=60")?
        .with_header("Vary", "Sec-GPC")?
        .with_header("Access-Control-Allow-Origin", "*")?
        .with_header("X-Content-Type-Options", "nosniff")?
        .fixed(source.into_bytes()))
}

/// `GET /_msci/manifest.json`: names, sizes and integrity of the hashed files.
pub(crate) fn manifest() -> Result<Response> {
    Ok(ResponseBuilder::new()
        .with_header("Content-Type", "application/json")?
        .with_header("X-Content-Type-Options", "nosniff")?
        .with_header("Cache-Control", "public, max-age=60")?
        .with_header("Access-Control-Allow-Origin", "*")?
        .fixed(text("manifest.json")?.into_bytes()))
}

//! The SDK's files, as they are or compressed.

use msci_core::config::Settings;
use serde_json::json;
use worker::{EncodeBody, Request, Response, ResponseBuilder};

use crate::assets::{asset, bytes, text};
use crate::error::{Error, Result};
use crate::http::{self, header};

struct Asset {
    media_type: String,
    immutable: bool,
    raw: Vec<u8>,
    /// Encoding and bytes of a compressed form that the client takes.
    packed: Option<(&'static str, Vec<u8>)>,
}

fn find(name: &str, accepts: &str) -> Option<Asset> {
    let found = asset(name);
    let field =
        |name: &str| js_sys::Reflect::get(&found, &name.into()).ok().filter(|value| !value.is_undefined());
    let takes =
        |encoding: &str| accepts.split(',').any(|taken| taken.trim().split(';').next() == Some(encoding));
    let packed = [("br", "brotli"), ("gzip", "gzip")]
        .into_iter()
        .filter(|(encoding, _)| takes(encoding))
        .find_map(|(encoding, form)| Some((encoding, bytes(&found, form)?)));
    Some(Asset {
        media_type: field("type")?.as_string()?,
        immutable: field("immutable").is_some_and(|value| value.is_truthy()),
        raw: bytes(&found, "raw")?,
        packed,
    })
}

/// `GET /_msci/assets/<name>`: hashed, so it never changes.
pub(crate) fn file(request: &Request, name: &str) -> Result<Response> {
    let asset = find(name, &header(request, "accept-encoding")).filter(|asset| asset.immutable);
    let asset = asset.ok_or_else(Error::not_found)?;
    let builder = ResponseBuilder::new()
        .with_header("Content-Type", &asset.media_type)?
        .with_header("Cache-Control", "public, max-age=31536000, immutable")?
        .with_header("Vary", "Accept-Encoding")?
        // Sites on other hosts load the SDK from here.
        .with_header("Access-Control-Allow-Origin", "*")?
        .with_header("X-Content-Type-Options", "nosniff")?;
    Ok(match asset.packed {
        Some((encoding, bytes)) => builder
            .with_header("Content-Encoding", encoding)?
            .with_encode_body(EncodeBody::Manual)
            .fixed(bytes),
        None => builder.fixed(asset.raw),
    })
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
        .with_header("Cache-Control", "public, max-age=60")?
        .with_header("Access-Control-Allow-Origin", "*")?
        .fixed(text("manifest.json")?.into_bytes()))
}

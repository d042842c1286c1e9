//! Files that are served, with their compressed forms, from beside the script's own code.

use wasm_bindgen::prelude::*;
use worker::{EncodeBody, Request, Response, ResponseBuilder};

use crate::error::{Error, Result};
use crate::http::header;

#[wasm_bindgen(module = "msci:assets")]
extern "C" {
    /// A file by name, or undefined.
    fn asset(name: &str) -> JsValue;
}

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

/// A file whose name is a hash, so it never changes; as it is or compressed.
///
/// # Errors
/// 404 for any other name.
pub(crate) fn file(request: &Request, name: &str) -> Result<Response> {
    let asset = find(name, &header(request, "accept-encoding")).filter(|asset| asset.immutable);
    let asset = asset.ok_or_else(Error::not_found)?;
    let builder = ResponseBuilder::new()
        .with_header("Content-Type", &asset.media_type)?
        .with_header("Cache-Control", "public, max-age=31536000, immutable")?
        .with_header("Vary", "Accept-Encoding")?
        .with_header("X-Content-Type-Options", "nosniff")?;
    Ok(match asset.packed {
        Some((encoding, bytes)) => builder
            .with_header("Content-Encoding", encoding)?
            .with_encode_body(EncodeBody::Manual)
            .fixed(bytes),
        None => builder.fixed(asset.raw),
    })
}

/// Bytes in a field of a file: of all of it (`raw`), or of a compressed form.
fn bytes(asset: &JsValue, form: &str) -> Option<Vec<u8>> {
    let found = js_sys::Reflect::get(asset, &form.into()).ok().filter(|value| !value.is_undefined())?;
    Some(js_sys::Uint8Array::new(&found).to_vec())
}

/// A file of text.
pub(crate) fn text(name: &str) -> Result<String> {
    let raw = bytes(&asset(name), "raw").ok_or_else(|| Error::damaged(format!("asset {name} is missing")))?;
    String::from_utf8(raw).map_err(|error| Error::damaged(format!("asset {name}: {error}")))
}

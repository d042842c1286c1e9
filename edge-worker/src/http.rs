//! Small things that every route needs of requests and answers.

use futures_util::StreamExt;
use serde::Serialize;
use worker::{Request, Response, ResponseBuilder};

use crate::error::{Error, Result};

/// A request header; empty when absent.
pub(crate) fn header(request: &Request, name: &str) -> String {
    request.headers().get(name).ok().flatten().unwrap_or_default()
}

/// JSON that nobody keeps.
pub(crate) fn json(value: &impl Serialize) -> Result<Response> {
    Ok(ResponseBuilder::new().with_header("Cache-Control", "no-store")?.from_json(value)?)
}

/// Reads a body of at most `limit` bytes; reading stops at the bound.
///
/// # Errors
/// 413 beyond it.
pub(crate) async fn body(request: &mut Request, limit: usize) -> Result<Vec<u8>> {
    let too_large = || Error::client(413, "too_large", format!("the body may have {limit} bytes"));
    if header(request, "content-length").parse::<usize>().is_ok_and(|length| length > limit) {
        return Err(too_large());
    }
    if request.inner().body().is_none() {
        return Ok(Vec::new());
    }
    let mut stream = request.stream()?;
    let mut bytes = Vec::new();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk?;
        if bytes.len() + chunk.len() > limit {
            return Err(too_large());
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// Media type without parameters, lower case.
pub(crate) fn media_type(header: &str) -> String {
    header.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// A percent-encoded part of an address as text; invalid sequences stay as they are.
pub(crate) fn decoded(text: &str) -> String {
    js_sys::decode_uri_component(text).map_or_else(|_| text.to_owned(), String::from)
}

//! Small things that every route needs of requests and answers.

#[cfg(feature = "console")]
mod outgoing;
#[cfg(feature = "edge")]
mod visitor;

use serde::Serialize;
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use worker::{Request, Response, ResponseBuilder};

use crate::error::{Error, Result};
#[cfg(feature = "console")]
pub(crate) use outgoing::*;
#[cfg(feature = "edge")]
pub(crate) use visitor::*;

/// A request header; empty when absent.
pub(crate) fn header(request: &Request, name: &str) -> String {
    request.headers().get(name).ok().flatten().unwrap_or_default()
}

/// Whether a page of another origin asks, as its browser says (scenario G6). Programs say nothing of the kind.
pub(crate) fn is_foreign(request: &Request) -> bool {
    let origin = header(request, "origin");
    let site = header(request, "sec-fetch-site");
    let other = origin.split_once("://").is_none_or(|(_, host)| host != header(request, "host"));
    if origin.is_empty() {
        matches!(site.as_str(), "cross-site" | "same-site")
    } else {
        other || site == "cross-site"
    }
}

/// The request's address. The browser's own parser: the `url` crate would bring its tables of all
/// alphabets into the Worker.
pub(crate) fn url(request: &Request) -> Result<web_sys::Url> {
    Ok(web_sys::Url::new(&request.inner().url())?)
}

/// A percent-encoded part of an address as text; invalid sequences stay as they are.
#[cfg(feature = "console")]
pub(crate) fn decoded(text: &str) -> String {
    js_sys::decode_uri_component(text).map_or_else(|_| text.to_owned(), String::from)
}

/// Text as a part of an address.
#[cfg(feature = "console")]
pub(crate) fn encoded(text: &str) -> String {
    js_sys::encode_uri_component(text).into()
}

/// JSON that nobody keeps.
pub(crate) fn json(value: &impl Serialize) -> Result<Response> {
    json_text(serde_json::to_string(value)?)
}

/// What all answers have in common is one function, whatever they tell.
pub(crate) fn json_text(text: String) -> Result<Response> {
    let builder = ResponseBuilder::new()
        .with_header("Cache-Control", "no-store")?
        .with_header("Content-Type", "application/json")?
        .with_header("X-Content-Type-Options", "nosniff")?;
    Ok(builder.fixed(text.into_bytes()))
}

/// So much more of a body that is too large is let pass unread, in bytes: most senders listen to an answer only when
/// they have sent everything, and see a broken connection if nobody takes it.
const PASSED_BY: usize = 16 * 1024 * 1024;

/// Reads a body of at most `limit` bytes; nothing is kept beyond it.
///
/// # Errors
/// 413 beyond it.
pub(crate) async fn body(request: &Request, limit: usize) -> Result<Vec<u8>> {
    let announced = header(request, "content-length").parse::<usize>().unwrap_or(0);
    if announced > PASSED_BY {
        return Err(too_large(limit));
    }
    // Not a byte is looked at where it is known before.
    let taken = if announced > limit { 0 } else { limit };
    match bounded(Pieces::of(request, false)?, taken).await? {
        Some(bytes) => Ok(bytes),
        None => Err(too_large(limit)),
    }
}

/// Reads what a service outside answered, of at most `limit` bytes.
///
/// # Errors
/// Beyond it, or where it breaks off.
#[cfg(feature = "console")]
pub(crate) async fn answer(response: &web_sys::Response, limit: usize) -> Result<Vec<u8>> {
    let reader = response.body().map(|stream| stream.get_reader().unchecked_into());
    let pieces = reader.map(|reader| Pieces { reader, gzip: false });
    bounded(pieces, limit).await?.ok_or_else(|| too_large(limit))
}

/// A body as it arrives.
pub(crate) struct Pieces {
    reader: web_sys::ReadableStreamDefaultReader,
    gzip: bool,
}

impl Pieces {
    /// Of a request that has a body. Gzip is unpacked only as fast as it is read, so a bomb costs no more
    /// than what the reader takes of it.
    pub(crate) fn of(request: &Request, gzip: bool) -> Result<Option<Self>> {
        let Some(mut stream) = request.inner().body() else { return Ok(None) };
        if gzip {
            stream = unpacked(&stream)?;
        }
        Ok(Some(Self { reader: stream.get_reader().unchecked_into(), gzip }))
    }

    /// The next piece; none at the end.
    ///
    /// # Errors
    /// 400 when it should be gzip and is not.
    #[cfg(feature = "console")]
    pub(crate) async fn next(&self) -> Result<Option<Vec<u8>>> {
        Ok(self.piece().await?.map(|piece| piece.to_vec()))
    }

    async fn piece(&self) -> Result<Option<js_sys::Uint8Array>> {
        let chunk = match JsFuture::from(self.reader.read()).await {
            Ok(chunk) => chunk,
            Err(_) if self.gzip => {
                return Err(Error::client(400, "invalid_gzip", "the body is not valid gzip"));
            }
            Err(error) => return Err(error.into()),
        };
        if js_sys::Reflect::get(&chunk, &"done".into())?.is_truthy() {
            return Ok(None);
        }
        Ok(Some(js_sys::Uint8Array::new(&js_sys::Reflect::get(&chunk, &"value".into())?)))
    }

    /// Lets the rest pass, up to a bound. What is packed is not unpacked for that.
    async fn pass_by(&self) {
        let mut left = if self.gzip { 0 } else { PASSED_BY };
        while left > 0
            && let Ok(Some(piece)) = self.piece().await
        {
            left = left.saturating_sub(piece.length() as usize);
        }
        self.stop();
    }

    /// Nobody waits for the rest; how the sender takes that is its own affair.
    pub(crate) fn stop(&self) {
        let _ = self.reader.cancel();
    }
}

#[wasm_bindgen]
extern "C" {
    /// Sends a request to wherever its address says.
    #[wasm_bindgen(js_name = fetch)]
    pub(crate) fn fetch_request(request: &web_sys::Request) -> js_sys::Promise;
}

#[wasm_bindgen(module = "msci:unpack")]
extern "C" {
    #[wasm_bindgen(catch)]
    fn unpacked(packed: &web_sys::ReadableStream) -> std::result::Result<web_sys::ReadableStream, JsValue>;
}

fn too_large(limit: usize) -> Error {
    Error::client(413, "too_large", format!("the body may have {limit} bytes"))
}

/// What arrives, up to the bound; nothing where it is more.
async fn bounded(pieces: Option<Pieces>, limit: usize) -> Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    let Some(pieces) = pieces else { return Ok(Some(bytes)) };
    while let Some(piece) = pieces.piece().await? {
        if bytes.len() + piece.length() as usize > limit {
            pieces.pass_by().await;
            return Ok(None);
        }
        bytes.append(&mut piece.to_vec());
    }
    Ok(Some(bytes))
}

/// Media type without parameters, lower case.
pub(crate) fn media_type(header: &str) -> String {
    header.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

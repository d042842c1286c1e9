//! What is asked of visitors' requests alone.

use worker::Request;

use super::{Pieces, bounded, header, too_large};
use crate::error::Result;

/// Whether the visitor came by https.
pub(crate) fn is_https(request: &Request) -> bool {
    request.inner().url().starts_with("https:")
}

/// The path of an address as the runtime writes it.
pub(crate) fn path(url: &str) -> &str {
    // Behind `https://` the first slash begins it.
    let path = url.match_indices('/').nth(2).and_then(|(at, _)| url.get(at..)).unwrap_or("/");
    path.split(['?', '#']).next().unwrap_or(path)
}

/// Whether the browser sends Global Privacy Control.
pub(crate) fn says_gpc(request: &Request) -> bool {
    header(request, "sec-gpc") == "1"
}

/// Reads a gzip body that holds at most `limit` bytes.
///
/// # Errors
/// 413 beyond it, 400 when it is not gzip.
pub(crate) async fn gzip_body(request: &Request, limit: usize) -> Result<Vec<u8>> {
    bounded(Pieces::of(request, true)?, limit).await?.ok_or_else(|| too_large(limit))
}

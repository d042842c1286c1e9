//! Base64 as addresses and tokens have it (RFC 4648 §5, without padding). One text for the same bytes: bits that are
//! not used are zero, or it is none.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Bytes as text.
pub fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Text as bytes; none if it is not exactly what [`encode`] would write.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

//! Tokens of programs and people: `msci_<id>_<secret>`. What is kept is a digest, found by the id that the token says,
//! so nothing is searched, and compared in constant time. The secret has 256 unpredictable bits: a plain digest of it
//! cannot be guessed backwards.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Role, Scope};
use crate::limits::TOKEN_BYTES;
use crate::proof::same;
use crate::time::Timestamp;

/// What is known of a token; its secret is not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Token {
    /// Tells it from others; no secret.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Where alone; both interfaces without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scope>,
    /// SHA-256 of its text.
    pub digest: String,
    /// Since when there is one.
    pub created: Timestamp,
    /// From when on it opens nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
}

impl Token {
    /// Whether it can open anything now.
    pub fn lives(&self, now: Timestamp) -> bool {
        self.expires.is_none_or(|expires| now < expires)
    }

    /// Whether this text is the token, and it lives.
    pub fn is(&self, text: &str, now: Timestamp) -> bool {
        same(&digest(text), &self.digest) && self.lives(now)
    }
}

/// The text of a new token.
pub fn text(id: u64, secret: &[u8; 32]) -> String {
    format!("msci_{id:016x}_{}", URL_SAFE_NO_PAD.encode(secret))
}

/// Which token a text says it is.
pub fn id(text: &str) -> Option<&str> {
    let (id, _) = text.strip_prefix("msci_")?.split_once('_')?;
    let plain = id.len() == 16 && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    (plain && text.len() <= TOKEN_BYTES).then_some(id)
}

/// What is kept of a text.
pub fn digest(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_790_000_000_000);

    fn made(expires: Option<Timestamp>) -> (String, Token) {
        let text = text(7, &[0xfe; 32]);
        let digest = digest(&text);
        let id = id(&text).unwrap().to_owned();
        let name = "shop".to_owned();
        (text, Token { id, name, role: Role::Viewer, scope: None, digest, created: NOW, expires })
    }

    #[test]
    fn a_token_is_known_by_its_id_and_proves_itself_by_its_secret() {
        let (text, token) = made(None);
        assert_eq!(id(&text), Some("0000000000000007"));
        assert!(token.is(&text, NOW));
        for at in 0..text.len() {
            let mut touched = text.clone().into_bytes();
            touched[at] = if touched[at] == b'1' { b'2' } else { b'1' };
            assert!(!token.is(&String::from_utf8(touched).unwrap(), NOW), "byte {at}");
        }
        assert!(!token.is(&token.digest, NOW), "what is stored opens nothing");
    }

    #[test]
    fn a_token_ends_at_its_time() {
        let (text, token) = made(Some(NOW.plus(1)));
        assert!(token.is(&text, NOW));
        assert!(!token.is(&text, NOW.plus(1)));
    }

    #[test]
    fn what_does_not_look_like_a_token_has_no_id() {
        let long = format!("msci_{:016x}_{}", 7, "x".repeat(TOKEN_BYTES));
        for text in
            ["", "msci_", "msci__", "msci_7_x", "msci_000000000000000G_x", "MSCI_0000000000000007_x", &long]
        {
            assert_eq!(id(text), None, "{text:.40}");
        }
    }
}

//! Tokens of programs and people: `msci_<id>_<secret>`. What is kept is a digest, found by the id that the token says,
//! so nothing is searched, and compared in constant time. The secret has 256 unpredictable bits: a plain digest of it
//! cannot be guessed backwards.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::{Role, Scope};
use crate::limits::TOKEN_BYTES;
use crate::proof::same;
use crate::time::Timestamp;

/// Longest name of a token, in bytes.
const NAME_BYTES: usize = 100;

/// What is known of a token; its secret is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Tells it from others; no secret.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Where alone; both interfaces without it.
    pub scope: Option<Scope>,
    /// SHA-256 of its text.
    pub digest: String,
    /// From when on it opens nothing.
    pub expires: Option<Timestamp>,
}

/// What is asked for by `{ name, role, scope?, expires? }`, as it is kept and shown.
///
/// # Errors
/// With words for whoever asks, where it does not fit.
pub fn asked(body: &Value, now: Timestamp) -> Result<Map<String, Value>, &'static str> {
    let body = body.as_object().ok_or("send a JSON object")?;
    if body.keys().any(|name| !matches!(name.as_str(), "name" | "role" | "scope" | "expires")) {
        return Err("a token has a name, a role, and perhaps a scope and a day on which it expires");
    }
    let text = |name: &str| body.get(name).filter(|value| !value.is_null()).map(Value::as_str);
    let mut kept = Map::new();
    let mut keep = |name: &str, value: &str| kept.insert(name.to_owned(), value.into());
    let name = text("name").flatten().unwrap_or_default().trim();
    if name.is_empty() || name.len() > NAME_BYTES || name.chars().any(char::is_control) {
        return Err("name should have 1 to 100 bytes, none of them a control character");
    }
    keep("name", name);
    let role = text("role").flatten().and_then(Role::from_name);
    keep("role", role.ok_or("role should be Viewer, Contributor or Administrator")?.name());
    if let Some(scope) = text("scope") {
        let scope = scope.and_then(Scope::from_name).ok_or("scope should be admin or data")?;
        keep("scope", scope.name());
    }
    if let Some(expires) = text("expires") {
        let later = expires.and_then(Timestamp::from_rfc3339).filter(|expires| *expires > now);
        let later =
            later.ok_or("expires should be a date to come, such as 2027-01-31 or 2027-01-31T12:00:00Z")?;
        keep("expires", &later.to_rfc3339());
    }
    Ok(kept)
}

impl Token {
    /// Of what is kept, with its `id`, and its digest. What cannot be read is no token.
    pub fn read(kept: &Value, digest: &str) -> Option<Self> {
        let text = |name: &str| kept.get(name).and_then(Value::as_str);
        let expires = text("expires").map(Timestamp::from_rfc3339);
        let scope = text("scope").map(Scope::from_name);
        Some(Self {
            id: text("id")?.to_owned(),
            name: text("name")?.to_owned(),
            role: Role::from_name(text("role")?)?,
            // Rather nothing than more than was meant.
            scope: scope.map_or(Some(None), |scope| scope.map(Some))?,
            expires: expires.map_or(Some(None), |expires| expires.map(Some))?,
            digest: digest.to_owned(),
        })
    }

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
    use serde_json::json;

    const NOW: Timestamp = Timestamp(1_790_000_000_000);

    fn made(expires: Option<Timestamp>) -> (String, Token) {
        let text = text(7, &[0xfe; 32]);
        let digest = digest(&text);
        let id = id(&text).unwrap().to_owned();
        let name = "shop".to_owned();
        (text, Token { id, name, role: Role::Viewer, scope: None, digest, expires })
    }

    #[test]
    fn what_is_asked_for_is_what_is_read_back() {
        let body =
            json!({ "name": " shop ", "role": "Contributor", "scope": "data", "expires": "2027-12-31" });
        let mut kept = asked(&body, NOW).unwrap();
        kept.insert("id".to_owned(), "7".into());
        let token = Token::read(&Value::Object(kept), "digest").unwrap();
        assert_eq!(
            (token.name.as_str(), token.role, token.scope),
            ("shop", Role::Contributor, Some(Scope::Data))
        );
        assert_eq!(token.expires, Timestamp::from_rfc3339("2027-12-31"));
        let plain =
            asked(&json!({ "name": "x", "role": "Viewer", "scope": null, "expires": null }), NOW).unwrap();
        assert_eq!(Value::Object(plain), json!({ "name": "x", "role": "Viewer" }));
    }

    #[test]
    fn what_does_not_fit_is_refused_and_what_cannot_be_read_is_no_token() {
        for wrong in [
            json!([]),
            json!({ "role": "Viewer" }),
            json!({ "name": " ", "role": "Viewer" }),
            json!({ "name": "x".repeat(101), "role": "Viewer" }),
            json!({ "name": "a\nb", "role": "Viewer" }),
            json!({ "name": "x", "role": "viewer" }),
            json!({ "name": "x", "role": "Viewer", "scope": "all" }),
            json!({ "name": "x", "role": "Viewer", "scope": 1 }),
            json!({ "name": "x", "role": "Viewer", "expires": "1999-01-01" }),
            json!({ "name": "x", "role": "Viewer", "expires": 1 }),
            json!({ "name": "x", "role": "Viewer", "digest": "y" }),
        ] {
            assert!(asked(&wrong, NOW).is_err(), "{wrong}");
        }
        for damaged in [
            json!({ "id": "7", "name": "x", "role": "Owner" }),
            json!({ "id": "7", "name": "x", "role": "Viewer", "scope": "all" }),
            json!({ "id": "7", "name": "x", "role": "Viewer", "expires": "soon" }),
        ] {
            assert_eq!(Token::read(&damaged, "digest"), None, "{damaged}");
        }
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

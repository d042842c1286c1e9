//! Who is who: normalised authIds, and ids derived by keyed hash so that names of objects, which show
//! up in dashboards, tell nothing.

use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::ids::{CookieId, CustomerId};
use crate::limits::AUTH_ID_BYTES;

/// What broken page code sends instead of an id: it would merge strangers into one customer.
const REFUSED: [&str; 11] =
    ["null", "undefined", "none", "nan", "true", "false", "0", "-1", "anonymous", "guest", "[object object]"];

/// Why an authId is refused (code `authid_invalid`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthIdError {
    /// Nothing but white space.
    #[error("authId is empty")]
    Empty,
    /// One of the words that stand for "no id".
    #[error("authId is a placeholder, not an id")]
    Placeholder,
    /// Over the limit.
    #[error("authId is longer than 256 bytes")]
    TooLong,
    /// Control characters.
    #[error("authId has control characters")]
    Control,
}

/// Unicode's normal form C of a text. Every platform brings it along; its tables would be a tenth of
/// the Worker.
pub type Nfc = fn(&str) -> String;

/// How the keys of an identity table are compared.
#[derive(Clone, Copy, Debug)]
pub struct Normal {
    /// Normal form C.
    pub nfc: Nfc,
    /// Whether the table ignores case.
    pub ignore_case: bool,
}

/// Trims, normalises to NFC and, where the table ignores case, folds it.
///
/// # Errors
/// For what cannot be anybody's id.
pub fn auth_id(raw: &str, normal: Normal) -> Result<String, AuthIdError> {
    // Longer text cannot become short enough by trimming alone in any honest use, and normalising it
    // would cost in proportion.
    if raw.len() > AUTH_ID_BYTES * 4 {
        return Err(AuthIdError::TooLong);
    }
    let id = (normal.nfc)(raw.trim());
    let bare = id.trim_matches(['"', '\'', '`']).trim();
    if bare.is_empty() {
        return Err(AuthIdError::Empty);
    }
    if REFUSED.contains(&bare.to_lowercase().as_str()) {
        return Err(AuthIdError::Placeholder);
    }
    if id.len() > AUTH_ID_BYTES {
        return Err(AuthIdError::TooLong);
    }
    if id.chars().any(char::is_control) {
        return Err(AuthIdError::Control);
    }
    Ok(if normal.ignore_case { id.to_lowercase() } else { id })
}

/// The key of all names. Made once, never rotated: another key would be another set of customers.
#[derive(Clone)]
pub struct NameKey(MacKey);

impl NameKey {
    /// From 32 random bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(MacKey::new(bytes))
    }

    fn derive(&self, parts: &[&str]) -> u128 {
        let mac = self.0.mac(parts);
        let (head, _) = mac.split_at(16);
        head.iter().fold(0, |bits, byte| (bits << 8) | u128::from(*byte))
    }

    /// The customer with this key in this identity table.
    pub fn known(&self, table: &str, auth_id: &str) -> CustomerId {
        CustomerId::Known(self.derive(&["known:", table, ":", auth_id]))
    }

    /// The profile of a cookie that belongs to nobody known.
    pub fn unknown(&self, cookie: CookieId) -> CustomerId {
        CustomerId::Unknown(self.derive(&["cookie:", &cookie.to_string()]))
    }

    /// What the other cookieIds of a browser derive from, made of its first one: kept with each of them, it
    /// names none.
    pub fn root(&self, cookie: CookieId) -> CookieId {
        CookieId::from_bits(self.derive(&["root:", &cookie.to_string()]))
    }

    /// The cookieId for another customer on the browser of `own`, and the root that it derives from:
    /// the same each time, so that a resend and a return find the identity that is there (design §5).
    ///
    /// Where that identity is `own` itself (its link was taken back and it now belongs to somebody
    /// else), a further one derives from it: nothing goes round in circles.
    pub fn rotated(&self, root: CookieId, own: CookieId, customer: CustomerId) -> (CookieId, CookieId) {
        let derived = |root: CookieId| {
            CookieId::from_bits(self.derive(&["rotated:", &root.to_string(), ":", &customer.to_string()]))
        };
        match derived(root) {
            next if next != own => (next, root),
            _ => (derived(self.root(own)), self.root(own)),
        }
    }
}

/// HMAC-SHA-256 over the parts in order. HMAC takes keys of any length, so this cannot fail; the
/// all-zero answer would match no stored or sent value.
pub(crate) fn mac_of(key: &[u8], parts: &[&str]) -> [u8; 32] {
    Hmac::new_from_slice(key).map(|mac| finished(mac, parts)).unwrap_or_default()
}

fn finished(mut mac: Hmac<Sha256>, parts: &[&str]) -> [u8; 32] {
    for part in parts {
        mac.update(part.as_bytes());
    }
    mac.finalize().into_bytes().into()
}

/// A key that is used for every page: what HMAC makes of the key alone, half of its work on a short text, is made once.
#[derive(Clone)]
pub(crate) struct MacKey(Hmac<Sha256>);

impl MacKey {
    pub(crate) fn new(bytes: [u8; 32]) -> Self {
        // A key shorter than a block of the hash is one that ends in zeros, by HMAC's own definition.
        let mut block = [0; 64];
        for (to, byte) in block.iter_mut().zip(bytes) {
            *to = byte;
        }
        Self(Hmac::new(&block.into()))
    }

    /// HMAC-SHA-256 over the parts in order.
    pub(crate) fn mac(&self, parts: &[&str]) -> [u8; 32] {
        finished(self.0.clone(), parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use unicode_normalization::UnicodeNormalization;

    fn auth_id(raw: &str, ignore_case: bool) -> Result<String, AuthIdError> {
        super::auth_id(raw, Normal { nfc: |text| text.nfc().collect(), ignore_case })
    }

    #[test]
    fn placeholders_are_nobody() {
        for bad in [
            "",
            "  ",
            "null",
            "NULL",
            " undefined ",
            "\"null\"",
            "'guest'",
            "[object Object]",
            "NaN",
            "0",
            "-1",
            "\"\"",
            "anonymous",
            "True",
            "x\u{0}y",
        ] {
            assert!(auth_id(bad, false).is_err(), "{bad:?}");
        }
        assert!(auth_id(&"x".repeat(257), false).is_err());
        assert!(auth_id(&"x".repeat(256), false).is_ok());
    }

    #[test]
    fn the_same_id_written_differently_is_the_same_id() {
        assert_eq!(auth_id(" Loyalty1\n", false), Ok("Loyalty1".into()));
        assert_eq!(auth_id("Zoe\u{308}", false), auth_id("Zo\u{eb}", false));
        assert_ne!(auth_id("loyalty1", false), auth_id("Loyalty1", false));
        assert_eq!(auth_id("loyalty1", true), auth_id("LOYALTY1", true));
    }

    #[test]
    fn a_key_that_is_prepared_says_what_the_key_says() {
        for parts in [&["cookie:", "a"][..], &[], &[&"x".repeat(200)]] {
            assert_eq!(MacKey::new([7; 32]).mac(parts), mac_of(&[7; 32], parts));
        }
    }

    #[test]
    fn derived_ids_are_stable_and_apart() {
        let key = NameKey::new([7; 32]);
        let cookie = CookieId::from_bits(1);
        let (a, b) = (key.known("T", "a"), key.known("T", "b"));
        assert_ne!(a, b);
        assert_eq!(a, key.known("T", "a"));
        let (for_a, root) = key.rotated(cookie, cookie, a);
        assert_eq!(root, cookie);
        assert_ne!(for_a, key.rotated(cookie, cookie, b).0);
        assert_eq!(for_a.to_string().parse(), Ok(for_a));
        assert_eq!(
            key.rotated(cookie, key.rotated(cookie, cookie, b).0, a).0,
            for_a,
            "from wherever it comes"
        );
        let (further, root) = key.rotated(cookie, for_a, a);
        assert_eq!(root, key.root(for_a));
        assert_ne!(further, for_a);
        assert_ne!(NameKey::new([8; 32]).known("T", "a"), a);
    }
}

//! What lets a browser in (law 5): the proof cookie that a merge gave it, a MAC over everything it says; comparison
//! takes the same time wherever it differs. What lets somebody merge is `token.rs`.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq;

use crate::identity::MacKey;
use crate::ids::{CookieId, CustomerId};
use crate::limits::TOKEN_BYTES;
use crate::time::Timestamp;

/// Key of the proof cookies of this system.
#[derive(Clone)]
pub struct ProofKey(MacKey);

impl ProofKey {
    /// From 32 random bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(MacKey::new(bytes))
    }

    fn mac(&self, cookie: CookieId, customer: &str, expires: &str) -> String {
        URL_SAFE_NO_PAD.encode(self.0.mac(&["proof:", &cookie.to_string(), ":", customer, ":", expires]))
    }

    /// The proof cookie's value: this browser may see this customer until then.
    pub fn sign(&self, cookie: CookieId, customer: CustomerId, expires: Timestamp) -> String {
        let (customer, expires) = (customer.to_string(), expires.0.to_string());
        let mac = self.mac(cookie, &customer, &expires);
        format!("{customer}.{expires}.{mac}")
    }

    /// Whom a browser with this cookieId may see; none if the proof is anything but ours, whole, for
    /// this cookieId and not yet expired.
    pub fn verify(&self, value: &str, cookie: CookieId, now: Timestamp) -> Option<CustomerId> {
        if value.len() > TOKEN_BYTES {
            return None;
        }
        let mut parts = value.split('.');
        let (customer, expires, mac) = (parts.next()?, parts.next()?, parts.next()?);
        let genuine = same(mac, &self.mac(cookie, customer, expires)) && parts.next().is_none();
        if !genuine || expires.parse::<i64>().ok()? <= now.0 {
            return None;
        }
        customer.parse().ok().filter(|customer: &CustomerId| customer.is_known())
    }
}

impl ProofKey {
    fn seal_of(&self, purpose: &str, body: &str, expires: &str) -> String {
        let parts = ["seal:", purpose, ":", body, ":", expires];
        URL_SAFE_NO_PAD.encode(self.0.mac(&parts))
    }

    /// Something that we hand out and want back as it was: for this purpose alone, until then.
    pub fn seal(&self, purpose: &str, body: &[u8], expires: Timestamp) -> String {
        let (body, expires) = (URL_SAFE_NO_PAD.encode(body), expires.0.to_string());
        let mac = self.seal_of(purpose, &body, &expires);
        format!("{body}.{expires}.{mac}")
    }

    /// What was sealed for this purpose; none if it is anything but ours, whole, and not yet expired.
    pub fn unseal(&self, purpose: &str, value: &str, now: Timestamp) -> Option<Vec<u8>> {
        if value.len() > TOKEN_BYTES {
            return None;
        }
        let (signed, mac) = value.rsplit_once('.')?;
        let (body, expires) = signed.split_once('.')?;
        let genuine = same(mac, &self.seal_of(purpose, body, expires));
        if !genuine || expires.parse::<i64>().ok()? <= now.0 {
            return None;
        }
        URL_SAFE_NO_PAD.decode(body).ok()
    }
}

/// Equality in constant time (of texts of equal length; the length is no secret).
pub fn same(left: &str, right: &str) -> bool {
    left.as_bytes().ct_eq(right.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_790_000_000_000);

    #[test]
    fn a_seal_holds_for_its_purpose_until_it_expires() {
        let key = ProofKey::new([1; 32]);
        let value = key.seal("link", b"a.b:c", NOW.plus(1000));
        assert_eq!(key.unseal("link", &value, NOW).as_deref(), Some(b"a.b:c".as_slice()));
        assert_eq!(key.unseal("page", &value, NOW), None);
        assert_eq!(key.unseal("link", &value, NOW.plus(1000)), None);
        assert_eq!(ProofKey::new([2; 32]).unseal("link", &value, NOW), None);
        let proof = key.sign(CookieId::from_bits(1), CustomerId::Known(5), NOW.plus(1000));
        for other in ["", "..", "a.b", proof.as_str()] {
            assert_eq!(key.unseal("link", other, NOW), None, "{other}");
        }
        for at in 0..value.len() {
            let mut forged = value.clone().into_bytes();
            forged[at] = if forged[at] == b'0' { b'1' } else { b'0' };
            let forged = String::from_utf8(forged).unwrap();
            assert_eq!(key.unseal("link", &forged, NOW), None, "byte {at}");
        }
    }

    #[test]
    fn a_proof_opens_one_customer_to_one_cookie_until_it_expires() {
        let key = ProofKey::new([1; 32]);
        let (cookie, customer) = (CookieId::from_bits(1), CustomerId::Known(5));
        let value = key.sign(cookie, customer, NOW.plus(1000));
        assert_eq!(key.verify(&value, cookie, NOW), Some(customer));
        assert_eq!(key.verify(&value, CookieId::from_bits(2), NOW), None);
        assert_eq!(key.verify(&value, cookie, NOW.plus(1000)), None);
        assert_eq!(ProofKey::new([2; 32]).verify(&value, cookie, NOW), None);
        for at in 0..value.len() {
            let mut forged = value.clone().into_bytes();
            forged[at] = if forged[at] == b'0' { b'1' } else { b'0' };
            let forged = String::from_utf8(forged).unwrap();
            assert_eq!(key.verify(&forged, cookie, NOW), None, "byte {at}");
        }
    }
}

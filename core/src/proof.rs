//! What lets somebody in (law 5): the proof cookie that a merge gave a browser, and the identity
//! token that a site's server signs. Both are a MAC over everything they say; comparison takes the
//! same time wherever they differ.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use subtle::ConstantTimeEq;

use crate::identity::{Normal, auth_id, mac_of};
use crate::ids::{CookieId, CustomerId};
use crate::limits::TOKEN_BYTES;
use crate::time::{SECOND_MS, Timestamp};

/// Key of the proof cookies of this system.
#[derive(Clone)]
pub struct ProofKey([u8; 32]);

impl ProofKey {
    /// From 32 random bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    fn mac(&self, cookie: CookieId, customer: &str, expires: &str) -> String {
        URL_SAFE_NO_PAD.encode(mac_of(&self.0, &["proof:", &cookie.to_string(), ":", customer, ":", expires]))
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
        URL_SAFE_NO_PAD.encode(mac_of(&self.0, &parts))
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

/// A token may be valid for an hour ahead, no more: a leaked one should die soon.
const TOKEN_LIFE_MS: i64 = 60 * 60 * SECOND_MS;

/// What an identity token must say.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// `sub`, normalised the same way as the claim.
    pub auth_id: &'a str,
    /// `aud`, if the token names one.
    pub table: &'a str,
    /// How keys of that table are compared.
    pub normal: Normal,
    /// The batch's cookieId: `cid` must be it, if the token names one.
    pub cookie: CookieId,
    /// Whether the request came with that cookie itself; otherwise the token must name it.
    pub own_cookie: bool,
}

/// Whether a compact JWT, HS256 with `secret`, proves what is expected (contract §9).
pub fn token_proves(token: &str, secret: &str, expected: Expected<'_>, now: Timestamp) -> bool {
    claims(token, secret).is_some_and(|claims| {
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        let subject = text("sub").and_then(|sub| auth_id(sub, expected.normal).ok());
        let alive = claims.get("exp").and_then(Value::as_f64).is_some_and(|exp| {
            let ms = exp * SECOND_MS as f64;
            ms > now.0 as f64 && ms <= now.plus(TOKEN_LIFE_MS).0 as f64
        });
        let for_table = claims.get("aud").is_none() || text("aud") == Some(expected.table);
        let for_cookie = match claims.get("cid") {
            Some(cid) => cid.as_str().and_then(|cid| cid.parse().ok()) == Some(expected.cookie),
            None => expected.own_cookie,
        };
        subject.as_deref() == Some(expected.auth_id) && alive && for_table && for_cookie
    })
}

/// The claims of a token whose algorithm is the key's and whose signature is right.
fn claims(token: &str, secret: &str) -> Option<Value> {
    if token.len() > TOKEN_BYTES || secret.is_empty() {
        return None;
    }
    let (signed, signature) = token.rsplit_once('.')?;
    let (header, payload) = signed.split_once('.')?;
    let header: Value = json(header)?;
    if header.get("alg").and_then(Value::as_str) != Some("HS256") {
        return None;
    }
    let genuine = same(signature, &URL_SAFE_NO_PAD.encode(mac_of(secret.as_bytes(), &[signed])));
    if !genuine { None } else { json(payload) }
}

fn json(part: &str) -> Option<Value> {
    crate::strict_json::parse(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

#[cfg(test)]
#[allow(clippy::integer_division_remainder_used)] // seconds of milliseconds
mod tests {
    use super::*;
    use serde_json::json;

    const NOW: Timestamp = Timestamp(1_790_000_000_000);

    fn expected<'a>() -> Expected<'a> {
        Expected {
            auth_id: "Loyalty1",
            table: "T",
            normal: Normal { nfc: str::to_owned, ignore_case: false },
            cookie: CookieId::from_bits(1),
            own_cookie: true,
        }
    }

    fn token(header: &Value, claims: &Value, secret: &str) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let mac = URL_SAFE_NO_PAD.encode(mac_of(secret.as_bytes(), &[&signed]));
        format!("{signed}.{mac}")
    }

    fn proves(claims: &Value) -> bool {
        token_proves(&token(&json!({ "alg": "HS256" }), claims, "s3cret"), "s3cret", expected(), NOW)
    }

    #[test]
    fn a_token_signed_by_the_site_proves_its_subject() {
        let exp = NOW.0 / 1000 + 600;
        assert!(proves(&json!({ "sub": "Loyalty1", "exp": exp })));
        assert!(proves(
            &json!({ "sub": "Loyalty1", "exp": exp, "aud": "T", "cid": CookieId::from_bits(1).to_string() })
        ));
    }

    #[test]
    fn a_token_about_anything_else_proves_nothing() {
        let exp = NOW.0 / 1000 + 600;
        for claims in [
            json!({ "sub": "Loyalty2", "exp": exp }),
            json!({ "sub": "Loyalty1" }),
            json!({ "sub": "Loyalty1", "exp": NOW.0 / 1000 }),
            json!({ "sub": "Loyalty1", "exp": NOW.0 / 1000 + 3700 }),
            json!({ "sub": "Loyalty1", "exp": exp, "aud": "Other" }),
            json!({ "sub": "Loyalty1", "exp": exp, "cid": CookieId::from_bits(2).to_string() }),
            json!({ "sub": "Loyalty1", "exp": exp, "cid": 7 }),
        ] {
            assert!(!proves(&claims), "{claims}");
        }
        let good = json!({ "sub": "Loyalty1", "exp": exp });
        let verdict = |token: &str| token_proves(token, "s3cret", expected(), NOW);
        assert!(!verdict(&token(&json!({ "alg": "none" }), &good, "s3cret")));
        assert!(!verdict(&token(&json!({ "alg": "HS256" }), &good, "other")));
        assert!(!verdict(""));
        assert!(!verdict("a.b.c"));
        let foreign = Expected { own_cookie: false, ..expected() };
        assert!(!token_proves(&token(&json!({ "alg": "HS256" }), &good, "s3cret"), "s3cret", foreign, NOW));
    }

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

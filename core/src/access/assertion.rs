//! What Cloudflare Access says of somebody it let in: a JWT, RS256, in the header `Cf-Access-Jwt-Assertion`
//! (<https://developers.cloudflare.com/cloudflare-one/identity/authorization-cookie/validating-json/>). Who checks the
//! signature, by a key of the settings, has the rest decided here.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::Role;
use crate::limits::TOKEN_BYTES;
use crate::strict_json;
use crate::time::{SECOND_MS, Timestamp};

/// Most keys; there are two, and for a while three, when they rotate.
const KEYS: usize = 10;

/// The setting `access`: `issuer` (`https://<team>.cloudflareaccess.com`), `audience` (the tag of the application),
/// `jwks` (public keys as `<issuer>/cdn-cgi/access/certs` lists them; nothing is fetched) and `roles` by e-mail address,
/// name of a service token, or group; anybody else who was let in is a Viewer.
///
/// # Errors
/// Where it is of another shape.
pub fn setting<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Value>, D::Error> {
    let value = Value::deserialize(from)?;
    if value.is_null() {
        return Ok(None);
    }
    match fault(&value) {
        None => Ok(Some(value)),
        Some(fault) => Err(D::Error::custom(fault)),
    }
}

fn fault(access: &Value) -> Option<&'static str> {
    let given = |name: &str| access.get(name).and_then(Value::as_str).is_some_and(|text| !text.is_empty());
    let known = |name: &String| matches!(name.as_str(), "issuer" | "audience" | "jwks" | "roles");
    if !(given("issuer")
        && given("audience")
        && access.as_object().is_some_and(|access| access.keys().all(known)))
    {
        return Some("access should be { issuer, audience, jwks, roles }");
    }
    let usable = |key: &Value| {
        let texts = ["kid", "n", "e"].iter().all(|name| key.get(*name).is_some_and(Value::is_string));
        texts && key.get("kty").is_some_and(|kty| kty == "RSA")
    };
    let keys = access.pointer("/jwks/keys").and_then(Value::as_array);
    if !keys.is_some_and(|keys| (1..=KEYS).contains(&keys.len()) && keys.iter().all(usable)) {
        return Some(
            "access.jwks should be { \"keys\": [...] } with 1 to 10 RSA keys, each with kid, n and e",
        );
    }
    // Settings are merged: null takes a role back.
    let role = |role: &Value| role.is_null() || role.as_str().and_then(Role::from_name).is_some();
    let roles = access
        .get("roles")
        .is_none_or(|roles| roles.as_object().is_some_and(|roles| roles.values().all(role)));
    (!roles).then_some("access.roles should name a role for each")
}

/// An assertion, not yet proven.
#[derive(Debug)]
pub struct Assertion<'a> {
    /// What the signature is of.
    pub signed: &'a str,
    /// The signature.
    pub signature: Vec<u8>,
    /// The key that should have made it.
    pub key: &'a Value,
    claims: Value,
}

/// Reads an assertion; none where it is anything but RS256 by a key of the settings.
pub fn read<'a>(text: &'a str, access: &'a Value) -> Option<Assertion<'a>> {
    if text.len() > 4 * TOKEN_BYTES {
        return None;
    }
    let (signed, signature) = text.rsplit_once('.')?;
    let (header, claims) = signed.split_once('.')?;
    let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part).ok();
    let header = strict_json::parse(&decoded(header)?).ok()?;
    if header.get("alg").is_none_or(|alg| alg != "RS256") {
        return None;
    }
    let kid = header.get("kid").and_then(Value::as_str)?;
    let key = access
        .pointer("/jwks/keys")?
        .as_array()?
        .iter()
        .find(|key| key.get("kid").is_some_and(|its| its == kid))?;
    Some(Assertion {
        signed,
        signature: decoded(signature)?,
        key,
        claims: strict_json::parse(&decoded(claims)?).ok()?,
    })
}

impl Assertion<'_> {
    /// Whom it vouches for, and what that one may do; none where it is for somewhere else, or over.
    pub fn whom(&self, access: &Value, now: Timestamp) -> Option<(String, Role)> {
        let claims = &self.claims;
        let text = |name: &str| claims.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let seconds = |name: &str| claims.get(name).and_then(Value::as_f64);
        let now = now.0 as f64 / SECOND_MS as f64;
        let audience = access.get("audience")?;
        let meant = match claims.get("aud")? {
            one @ Value::String(_) => *one == *audience,
            Value::Array(many) => many.contains(audience),
            _ => false,
        };
        // Clocks differ by a little.
        let begun = seconds("nbf").is_none_or(|nbf| nbf <= now + 60.0);
        if !meant
            || claims.get("iss") != access.get("issuer")
            || !begun
            || seconds("exp").is_none_or(|exp| exp <= now)
        {
            return None;
        }
        let who = text("email").or_else(|| text("common_name"))?;
        let groups = claims.get("groups").and_then(Value::as_array).into_iter().flatten();
        let own = std::iter::once(who).chain(groups.filter_map(Value::as_str));
        let role = own
            .filter_map(|name| Role::from_name(access.get("roles")?.get(name)?.as_str()?))
            .max()
            .unwrap_or(Role::Viewer);
        Some((who.to_owned(), role))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const NOW: Timestamp = Timestamp(1_790_000_000_000);

    fn access() -> Value {
        let key = json!({ "kid": "k1", "kty": "RSA", "n": "AQAB", "e": "AQAB", "alg": "RS256" });
        json!({
            "issuer": "https://team.example", "audience": "app", "jwks": { "keys": [key], "public_cert": {} },
            "roles": { "ann@shop.example": "Administrator", "editors": "Contributor" },
        })
    }

    fn text(header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}.c2ln", part(header), part(claims))
    }

    fn whom(changed: &Value) -> Option<(String, Role)> {
        let mut claims = json!({ "aud": ["app"], "iss": "https://team.example", "exp": 1_790_000_001, "email": "bob@shop.example" });
        claims.as_object_mut().unwrap().extend(changed.as_object().unwrap().clone());
        let text = text(&json!({ "alg": "RS256", "kid": "k1" }), &claims);
        let access = access();
        read(&text, &access).unwrap().whom(&access, NOW)
    }

    #[test]
    fn roles_come_from_the_settings_and_everybody_else_may_look() {
        let role = |changed: Value| whom(&changed).map(|(_, role)| role);
        assert_eq!(whom(&json!({})), Some(("bob@shop.example".to_owned(), Role::Viewer)));
        assert_eq!(role(json!({ "email": "ann@shop.example" })), Some(Role::Administrator));
        assert_eq!(role(json!({ "groups": ["editors", "others"] })), Some(Role::Contributor));
        assert_eq!(
            role(json!({ "email": "ann@shop.example", "groups": ["editors"] })),
            Some(Role::Administrator)
        );
        assert_eq!(
            whom(&json!({ "email": "", "common_name": "robot" })),
            Some(("robot".to_owned(), Role::Viewer))
        );
        assert_eq!(role(json!({ "email": "" })), None, "nobody");
    }

    #[test]
    fn an_assertion_for_elsewhere_or_of_another_time_vouches_for_nobody() {
        for wrong in [
            json!({ "aud": "other" }),
            json!({ "aud": ["other"] }),
            json!({ "aud": null }),
            json!({ "iss": "https://other.example" }),
            json!({ "iss": null }),
            json!({ "exp": 1_790_000_000 }),
            json!({ "exp": null }),
            json!({ "exp": "1790000001" }),
            json!({ "nbf": 1_790_000_100 }),
        ] {
            assert_eq!(whom(&wrong), None, "{wrong}");
        }
        assert!(whom(&json!({ "aud": "app", "nbf": 1_790_000_000 })).is_some());
    }

    #[test]
    fn only_rs256_by_a_key_that_is_known_is_looked_at() {
        let access = access();
        for header in [
            json!({ "alg": "none", "kid": "k1" }),
            json!({ "alg": "HS256", "kid": "k1" }),
            json!({ "alg": "RS256", "kid": "k2" }),
            json!({ "alg": "RS256" }),
            json!({ "kid": "k1" }),
        ] {
            assert!(read(&text(&header, &json!({})), &access).is_none(), "{header}");
        }
        for broken in ["", ".", "..", "a.b.c", &"x".repeat(4 * TOKEN_BYTES + 1)] {
            assert!(read(broken, &access).is_none(), "{broken:.20}");
        }
    }

    #[test]
    fn a_setting_of_another_shape_is_refused() {
        let mut taken_back = access();
        taken_back["roles"]["ann@shop.example"] = Value::Null;
        assert_eq!((fault(&access()), fault(&taken_back)), (None, None));
        for (name, wrong) in [
            ("issuer", json!("")),
            ("issuer", json!(1)),
            ("audience", json!(null)),
            ("nonsense", json!(1)),
            ("jwks", json!({})),
            ("jwks", json!([])),
            ("jwks", json!({ "keys": [] })),
            ("jwks", json!({ "keys": [{ "kty": "EC", "kid": "k", "n": "", "e": "" }] })),
            ("roles", json!({ "ann@shop.example": "Owner" })),
            ("roles", json!([])),
            ("roles", json!({ "ann@shop.example": 1 })),
        ] {
            let mut access = access();
            access[name] = wrong;
            assert!(fault(&access).is_some(), "{access}");
        }
        assert!(fault(&json!("on")).is_some());
    }
}

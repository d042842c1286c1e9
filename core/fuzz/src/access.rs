//! What lets people and programs in: the text itself, as a token and as an assertion; and an assertion that says whatever
//! it likes (`header`, line end, `claims`). Whom it vouches for is whom it says, here and now, and by a key that is known.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use msci_core::access::{Role, assertion, route, token};
use msci_core::time::Timestamp;
use serde_json::{Value, json};

const NOW: Timestamp = Timestamp(1_795_000_000_000);

/// Nothing is read into a text that is not in it.
pub(crate) fn everything(text: &str) {
    if let Some(id) = token::id(text) {
        assert!(text.starts_with(&format!("msci_{id}_")) && id.len() == 16);
    }
    let parts: Vec<&str> = text.split('/').collect();
    if let Ok(route) = route("GET", &parts) {
        assert!(route.told.len() <= text.len() + "{name}".len(), "{}", route.told);
    }
    let access = json!({
        "issuer": "https://team.example", "audience": "app",
        "jwks": { "keys": [{ "kid": "k1", "kty": "RSA", "n": "AQAB", "e": "AQAB" }] },
        "roles": { "ann@shop.example": "Administrator" },
    });
    let _ = assertion::read(text, &access);
    let Some((header, claims)) = text.split_once('\n') else { return };
    let made = format!("{}.{}.c2ln", BASE64.encode(header), BASE64.encode(claims));
    let Some(read) = assertion::read(&made, &access) else { return };
    assert_eq!(
        (read.signed, read.signature.as_slice()),
        (made.rsplit_once('.').expect("it has parts").0, b"sig".as_slice())
    );
    let header: Value = serde_json::from_str(header).expect("a header is JSON");
    assert_eq!((&header["alg"], &header["kid"]), (&json!("RS256"), &json!("k1")));
    let Some((who, role)) = read.whom(&access, NOW) else { return };
    let claims: Value = serde_json::from_str(claims).expect("claims are JSON");
    assert_eq!(claims["iss"], "https://team.example");
    let meant =
        claims["aud"] == "app" || claims["aud"].as_array().is_some_and(|all| all.contains(&json!("app")));
    assert!(meant && claims["exp"].as_f64().expect("it ends") * 1000.0 > NOW.0 as f64);
    assert!(!who.is_empty() && (claims["email"] == *who || claims["common_name"] == *who));
    let named =
        |claims: &Value| claims.as_array().is_some_and(|all| all.contains(&json!("ann@shop.example")));
    assert!(role == Role::Viewer || who == "ann@shop.example" || named(&claims["groups"]));
}

use super::*;

const NOW: Timestamp = Timestamp(1_790_000_000_000);
/// RFC 7515, appendix A.3: a key of somebody else's, to be checked against.
const JWK: &str = r#"{ "kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0" }"#;

fn asked(asked: &str) -> Result<(Record, Option<String>), BadKey> {
    let fresh = ("fresh-id".to_owned(), "a fresh secret of enough bytes, so".to_owned());
    Record::asked(&serde_json::from_str(asked).unwrap(), fresh, NOW)
}

fn fault(text: &str) -> String {
    match asked(text) {
        Ok(_) => format!("{text} is taken"),
        Err(bad) => bad.at,
    }
}

#[test]
fn a_secret_that_is_made_here_is_said_once_and_shown_never() {
    let (made, secret) = asked(r#"{ "kind": "identity", "alg": "HS256" }"#).unwrap();
    assert_eq!(secret.as_deref(), Some("a fresh secret of enough bytes, so"));
    let (_, given) =
        asked(r#"{ "kind": "identity", "alg": "HS256", "secret": "0123456789abcdef0123456789abcdef" }"#)
            .unwrap();
    assert_eq!(given, None);
    assert!(!made.shown().to_string().contains("fresh secret"), "{}", made.shown());
    assert_eq!(made.shown()["alg"], "HS256");
}

#[test]
fn a_public_key_is_the_same_as_jwk_and_as_pem() {
    let jwk = asked(&format!(r#"{{ "kind": "identity", "alg": "ES256", "publicKey": {JWK} }}"#)).unwrap().0;
    assert_eq!(jwk.id, "fresh-id");
    let point = base64url::decode(jwk.point.as_deref().unwrap()).unwrap();
    let key = VerifyingKey::from_sec1_bytes(&point).unwrap();
    for (head, _) in SPKI {
        let compressed = head.ends_with(b"\x22\x00");
        let der = [head, key.to_encoded_point(compressed).as_bytes()].concat();
        let body = base64url::encode(&der).replace('-', "+").replace('_', "/");
        let body = format!("{body}{}", if compressed { "=" } else { "" });
        let (one, two) = body.split_at(64);
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{one}\n{two}\n-----END PUBLIC KEY-----\n");
        let text = json!({ "kind": "identity", "alg": "ES256", "publicKey": pem }).to_string();
        assert_eq!(asked(&text).unwrap().0.point, jwk.point);
    }
    let shown = &jwk.shown()["publicKey"];
    let given: Value = serde_json::from_str(JWK).unwrap();
    assert_eq!((&shown["x"], &shown["y"]), (&given["x"], &given["y"]));
}

#[test]
fn what_can_be_no_key_is_refused_with_its_place() {
    let es256 = |key: &str| format!(r#"{{ "kind": "identity", "alg": "ES256", "publicKey": {key} }}"#);
    for (text, at) in [
        ("[]".to_owned(), "body"),
        ("{}".to_owned(), "kind"),
        (r#"{ "kind": "other" }"#.to_owned(), "kind"),
        (r#"{ "kind": "identity" }"#.to_owned(), "alg"),
        (r#"{ "kind": "identity", "alg": "none" }"#.to_owned(), "alg"),
        (r#"{ "kind": "identity", "alg": "HS512" }"#.to_owned(), "alg"),
        (r#"{ "kind": "identity", "alg": "HS256", "secret": "short" }"#.to_owned(), "secret"),
        (r#"{ "kind": "identity", "alg": "HS256", "secret": 7 }"#.to_owned(), "secret"),
        (r#"{ "kind": "identity", "alg": "HS256", "publicKey": "x" }"#.to_owned(), "publicKey"),
        (r#"{ "kind": "identity", "alg": "ES256", "secret": "x" }"#.to_owned(), "secret"),
        (r#"{ "kind": "identity", "alg": "HS256", "id": "a b" }"#.to_owned(), "id"),
        (r#"{ "kind": "identity", "alg": "HS256", "id": "built-in" }"#.to_owned(), "id"),
        (r#"{ "kind": "identity", "alg": "HS256", "origins": [] }"#.to_owned(), "origins"),
        (r#"{ "kind": "ingestion", "alg": "HS256" }"#.to_owned(), "alg"),
        (r#"{ "kind": "ingestion", "": 1 }"#.to_owned(), "body"),
        (format!(r#"{{ "kind": "ingestion", "{}": 1 }}"#, "x".repeat(65)), "body"),
        (r#"{ "kind": "ingestion", "name": "\u0007" }"#.to_owned(), "name"),
        (r#"{ "kind": "ingestion", "origins": "https://a.example" }"#.to_owned(), "origins"),
        (
            r#"{ "kind": "ingestion", "origins": ["https://a.example", "https://a.example/"] }"#.to_owned(),
            "origins[1]",
        ),
        (r#"{ "kind": "ingestion", "origins": ["*"] }"#.to_owned(), "origins[0]"),
        (es256("null"), "publicKey"),
        (es256("7"), "publicKey"),
        (es256(r#""nonsense""#), "publicKey"),
        (es256(r#""-----BEGIN EC PRIVATE KEY-----""#), "publicKey"),
        (es256(r#""-----BEGIN PUBLIC KEY-----AAAA-----END PUBLIC KEY-----""#), "publicKey"),
        (es256("{}"), "publicKey"),
        (es256(&JWK.replace("P-256", "P-384")), "publicKey"),
        (es256(&JWK.replace("\"y\"", "\"d\": \"x\", \"y\"")), "publicKey.d"),
        (es256(&JWK.replace("\"y\"", "\"alg\": \"ES384\", \"y\"")), "publicKey.alg"),
        (es256(&JWK.replace("\"y\"", "\"kid\": \"a b\", \"y\"")), "publicKey.kid"),
        (es256(&JWK.replace("f83", "f8")), "publicKey.x"),
        // No point of the curve.
        (es256(&JWK.replace("x_F", "y_F")), "publicKey"),
    ] {
        assert_eq!(fault(&text), at, "{text}");
    }
}

#[test]
fn an_ingestion_key_is_found_by_what_pages_send() {
    let own = asked(r#"{ "kind": "ingestion", "name": "blog", "origins": ["https://blog.example", "http://localhost:8080"] }"#).unwrap().0;
    let ring = Ring::of(1, vec![own.clone()]).with_built_in("", "local");
    assert_eq!(ring.ingestion("fresh-id"), Some(own.origins.as_slice()));
    assert_eq!(ring.ingestion("local"), Some([].as_slice()));
    for other in ["", "loca", "local2", "blog"] {
        assert_eq!(ring.ingestion(other), None, "{other}");
    }
    assert!(ring.lists("https://blog.example") && !ring.lists("https://blog.example.evil.example"));
    assert_eq!(Ring::default().with_built_in("", "").ingestion(""), None, "no key is no key");
}

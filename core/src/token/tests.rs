#![allow(clippy::integer_division_remainder_used)] // seconds of milliseconds

use p256::ecdsa::SigningKey;
use p256::ecdsa::signature::Signer;
use serde_json::{Value, json};

use super::*;
use crate::keys::Record;

const NOW: Timestamp = Timestamp(1_790_000_000_000);
const SECRET: &str = "a secret of the site's server, long";
const OLD: &str = "the secret before it, as long as it";

fn expected<'a>() -> Expected<'a> {
    Expected {
        auth_id: "Loyalty1",
        table: "T",
        normal: Normal { nfc: str::to_owned, ignore_case: false },
        cookie: CookieId::from_bits(1),
        own_cookie: true,
    }
}

fn signing_key() -> SigningKey {
    SigningKey::from_slice(&[7; 32]).unwrap()
}

fn record(asked: &Value) -> Record {
    Record::asked(asked, ("random".to_owned(), "a secret that was made at random".to_owned()), NOW).unwrap().0
}

/// Two secrets, of which one is on its way out, and a public key.
fn ring() -> Ring {
    let point = signing_key().verifying_key().to_encoded_point(false);
    let part = |bytes: Option<&p256::FieldBytes>| base64url::encode(bytes.unwrap());
    let jwk =
        json!({ "kty": "EC", "crv": "P-256", "x": part(point.x()), "y": part(point.y()), "kid": "site-1" });
    let records = vec![
        record(&json!({ "kind": "identity", "alg": "HS256", "id": "new", "secret": SECRET })),
        record(&json!({ "kind": "identity", "alg": "HS256", "id": "old", "secret": OLD })),
        record(&json!({ "kind": "identity", "alg": "ES256", "publicKey": jwk })),
    ];
    Ring::of(1, records)
}

fn text(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| base64url::encode(value.to_string().as_bytes());
    format!("{}.{}", part(header), part(claims))
}

fn hs256(header: &Value, claims: &Value, secret: &str) -> String {
    let signed = text(header, claims);
    format!("{signed}.{}", base64url::encode(&mac_of(secret.as_bytes(), &[&signed])))
}

fn es256(header: &Value, claims: &Value, key: &SigningKey) -> String {
    let signed = text(header, claims);
    let signature: Signature = key.sign(signed.as_bytes());
    format!("{signed}.{}", base64url::encode(&signature.to_bytes()))
}

fn verdict(token: &str) -> Result<Option<Use>, Fault> {
    prove(token, &ring(), expected(), &mut 16, NOW)
}

fn good() -> Value {
    json!({ "sub": "Loyalty1", "exp": NOW.0 / 1000 + 600 })
}

fn with(field: &str, value: Value) -> Value {
    let mut claims = good();
    claims[field] = value;
    claims
}

fn saying(claims: &Value) -> Result<Option<Use>, Fault> {
    verdict(&hs256(&json!({ "alg": "HS256" }), claims, SECRET))
}

#[test]
fn a_token_signed_by_the_site_proves_its_subject() {
    for claims in [
        good(),
        with("aud", "T".into()),
        with("iat", (NOW.0 / 1000 + 59).into()),
        with("nbf", (NOW.0 / 1000 - 1).into()),
        with("exp", (NOW.0 / 1000 + 3600 + 30).into()),
        with("exp", json!(NOW.0 as f64 / 1000.0 + 0.5)),
    ] {
        assert!(saying(&claims).unwrap().is_some(), "{claims}");
    }
    let named = with("cid", CookieId::from_bits(1).to_string().into());
    assert_eq!(saying(&named), Ok(None), "it is this browser's, whoever used it first");
}

#[test]
fn a_token_about_anything_else_proves_nothing() {
    let seconds = NOW.0 / 1000;
    for (claims, fault) in [
        (with("sub", "Loyalty2".into()), Fault::Subject),
        (with("sub", json!(["Loyalty1"])), Fault::Subject),
        (json!({ "exp": seconds + 600 }), Fault::Subject),
        (json!({ "sub": "Loyalty1" }), Fault::Expired),
        (with("exp", "1790000600".into()), Fault::Expired),
        (with("exp", seconds.into()), Fault::Expired),
        (with("exp", json!(-1e300)), Fault::Expired),
        (with("exp", (seconds + 3700).into()), Fault::TooLong),
        (with("exp", json!(1e300)), Fault::TooLong),
        (with("nbf", (seconds + 61).into()), Fault::TooEarly),
        (with("iat", (seconds + 61).into()), Fault::TooEarly),
        (with("iat", "now".into()), Fault::TooEarly),
        (with("aud", "Other".into()), Fault::Audience),
        (with("aud", json!(["T"])), Fault::Audience),
        (with("cid", CookieId::from_bits(2).to_string().into()), Fault::Cookie),
        (with("cid", 7.into()), Fault::Cookie),
        (with("cid", Value::Null), Fault::Cookie),
    ] {
        assert_eq!(saying(&claims), Err(fault), "{claims}");
    }
    let foreign = Expected { own_cookie: false, ..expected() };
    let token = hs256(&json!({ "alg": "HS256" }), &good(), SECRET);
    assert_eq!(prove(&token, &ring(), foreign, &mut 16, NOW), Err(Fault::Cookie));
}

#[test]
fn a_token_that_is_put_together_otherwise_is_none() {
    let good_token = hs256(&json!({ "alg": "HS256" }), &good(), SECRET);
    let (signed, mac) = good_token.rsplit_once('.').unwrap();
    let twice = base64url::encode(br#"{"alg":"HS256","alg":"HS256"}"#);
    let claims = signed.split_once('.').unwrap().1;
    let doubled = format!("{twice}.{claims}");
    let doubled = format!("{doubled}.{}", base64url::encode(&mac_of(SECRET.as_bytes(), &[&doubled])));
    for token in
        ["", ".", "..", "a.b.c", signed, &format!("{good_token}."), &format!("{good_token}.x"), &doubled]
    {
        assert!(matches!(verdict(token), Err(Fault::Malformed)), "{token}");
    }
    assert_eq!(verdict(&format!("{signed}.")), Err(Fault::Signature));
    assert_eq!(verdict(&format!("{signed}.{mac}=")), Err(Fault::Signature));
    assert_eq!(verdict(&good_token[..good_token.len() - 1]), Err(Fault::Signature));
    let long = with("pad", "x".repeat(TOKEN_BYTES).into());
    assert_eq!(saying(&long), Err(Fault::Malformed));
    let must = hs256(&json!({ "alg": "HS256", "crit": ["b64"], "b64": false }), &good(), SECRET);
    assert_eq!(verdict(&must), Err(Fault::Malformed));
}

#[test]
fn a_key_checks_its_own_algorithm_and_no_other() {
    let key = signing_key();
    let point = key.verifying_key().to_encoded_point(false);
    for header in [json!({ "alg": "ES256" }), json!({ "alg": "ES256", "kid": "site-1" })] {
        assert!(verdict(&es256(&header, &good(), &key)).is_ok(), "{header}");
    }
    for alg in ["none", "None", "", "hs256", "HS384", "RS256", "ES384"] {
        assert_eq!(verdict(&hs256(&json!({ "alg": alg }), &good(), SECRET)), Err(Fault::Algorithm), "{alg}");
    }
    assert_eq!(verdict(&hs256(&json!({}), &good(), SECRET)), Err(Fault::Algorithm));
    assert_eq!(verdict(&hs256(&json!({ "alg": ["HS256"] }), &good(), SECRET)), Err(Fault::Algorithm));
    // The public key as the secret of an HMAC, in whatever form somebody has it.
    let mut forms = vec![base64url::encode(point.as_bytes())];
    forms.push(ring_public_key_text());
    for form in forms {
        for header in [json!({ "alg": "HS256" }), json!({ "alg": "HS256", "kid": "site-1" })] {
            assert!(verdict(&hs256(&header, &good(), &form)).is_err());
        }
    }
    let mut raw = text(&json!({ "alg": "HS256", "kid": "site-1" }), &good());
    let mut mac = <hmac::Hmac<sha2::Sha256> as hmac::Mac>::new_from_slice(point.as_bytes()).unwrap();
    hmac::Mac::update(&mut mac, raw.as_bytes());
    raw = format!("{raw}.{}", base64url::encode(&hmac::Mac::finalize(mac).into_bytes()));
    assert_eq!(verdict(&raw), Err(Fault::UnknownKey), "this kid is of another algorithm");
    // And the secret's key asked for a curve.
    assert_eq!(
        verdict(&es256(&json!({ "alg": "ES256", "kid": "new" }), &good(), &key)),
        Err(Fault::UnknownKey)
    );
    let other = SigningKey::from_slice(&[9; 32]).unwrap();
    assert_eq!(verdict(&es256(&json!({ "alg": "ES256" }), &good(), &other)), Err(Fault::Signature));
}

fn ring_public_key_text() -> String {
    let point = signing_key().verifying_key().to_encoded_point(false);
    let mut der = b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00".to_vec();
    der.extend(point.as_bytes());
    base64url::encode(&der)
}

#[test]
fn a_key_is_chosen_by_kid_and_without_it_each_is_tried_until_it_is_removed() {
    for secret in [SECRET, OLD] {
        assert!(verdict(&hs256(&json!({ "alg": "HS256" }), &good(), secret)).is_ok());
    }
    let by = |kid: Value, secret| verdict(&hs256(&json!({ "alg": "HS256", "kid": kid }), &good(), secret));
    assert!(by("old".into(), OLD).is_ok());
    assert_eq!(by("new".into(), OLD), Err(Fault::Signature));
    for kid in [json!("nobody"), json!(""), json!(7), Value::Null, json!(["old"])] {
        assert_eq!(by(kid.clone(), OLD), Err(Fault::UnknownKey), "{kid}");
    }
    let left = Ring::of(
        2,
        vec![record(&json!({ "kind": "identity", "alg": "HS256", "id": "new", "secret": SECRET }))],
    );
    let token = hs256(&json!({ "alg": "HS256" }), &good(), OLD);
    assert_eq!(prove(&token, &left, expected(), &mut 16, NOW), Err(Fault::Signature));
    assert_eq!(prove(&token, &Ring::default(), expected(), &mut 16, NOW), Err(Fault::UnknownKey));
    let empty = Ring::default().with_built_in("", "");
    let token = hs256(&json!({ "alg": "HS256" }), &good(), "");
    assert_eq!(
        prove(&token, &empty, expected(), &mut 16, NOW),
        Err(Fault::UnknownKey),
        "no secret is no key"
    );
}

#[test]
fn a_request_pays_for_so_many_signatures_and_no_more() {
    let other = SigningKey::from_slice(&[9; 32]).unwrap();
    let (mut left, ring) = (3, ring());
    let faults: Vec<_> = (0..5)
        .map(|n| {
            let forged = es256(&json!({ "alg": "ES256" }), &with("jti", n.into()), &other);
            prove(&forged, &ring, expected(), &mut left, NOW)
        })
        .collect();
    let (bad, many) = (Err(Fault::Signature), Err(Fault::TooMany));
    assert_eq!(faults, [bad.clone(), bad.clone(), bad, many.clone(), many]);
}

#[test]
fn a_use_is_of_what_is_signed_so_another_signature_of_it_is_the_same_use() {
    let key = signing_key();
    let header = json!({ "alg": "ES256" });
    let token = es256(&header, &good(), &key);
    let (signed, signature) = token.rsplit_once('.').unwrap();
    // (r, -s) is as good as (r, s): anybody can make it.
    let signature = Signature::from_slice(&base64url::decode(signature).unwrap()).unwrap();
    let (r, s) = signature.split_scalars();
    let mirrored = Signature::from_scalars(r, -s).unwrap();
    assert_ne!(signature, mirrored);
    let other = format!("{signed}.{}", base64url::encode(&mirrored.to_bytes()));
    let (one, two) = (verdict(&token).unwrap().unwrap(), verdict(&other).unwrap().unwrap());
    assert_eq!(one, two);
    let elsewhere = one.as_cookie(CookieId::from_bits(2));
    assert_eq!((&elsewhere.token, elsewhere.before.as_ref()), (&one.token, Some(&one.by)));
    assert_ne!(elsewhere.by, one.by);
    assert_ne!(saying(&with("jti", 1.into())).unwrap().unwrap().token, one.token);
}

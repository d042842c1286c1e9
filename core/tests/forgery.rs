//! G1: of tokens and proof cookies that somebody changed, none is taken. What is changed is real: a valid one, so that
//! nothing but the change itself stands between a forger and a customer.
//!
//! `cargo test -p msci-core --release --test forgery`; `MSCI_FORGERIES` makes it a campaign.

// A test as a whole: what clippy allows inside test functions it does not know here.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::integer_division_remainder_used)]

use std::ops::Range;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use hmac::{Hmac, Mac};
use msci_core::identity::Normal;
use msci_core::ids::{CookieId, CustomerId};
use msci_core::keys::{Record, Ring};
use msci_core::proof::ProofKey;
use msci_core::time::Timestamp;
use msci_core::token::{CURVE_CHECKS, Expected, prove};
use p256::ecdsa::signature::Signer;
use p256::ecdsa::{Signature, SigningKey};
use serde_json::json;
use sha2::Sha256;

const NOW: Timestamp = Timestamp(1_790_000_000_000);
const SECRET: &str = "a secret of the site's server";
/// Forgeries of a run that sets no number.
const FORGERIES: u64 = if cfg!(debug_assertions) { 20_000 } else { 1_000_000 };

fn forgeries() -> u64 {
    std::env::var("MSCI_FORGERIES").ok().and_then(|text| text.parse().ok()).unwrap_or(FORGERIES)
}

/// Chance that begins the same each time.
struct Dice(u64);

impl Dice {
    fn new() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }

    /// Xorshift, by Marsaglia.
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % n.max(1)
    }

    fn range(&mut self, n: usize) -> Range<usize> {
        let (one, two) = (self.below(n + 1), self.below(n + 1));
        one.min(two)..one.max(two)
    }

    fn pick<'a, T: ?Sized>(&mut self, all: &[&'a T]) -> &'a T {
        all[self.below(all.len())]
    }

    fn byte(&mut self) -> u8 {
        // Of the alphabet mostly: what is no base64 at all is no challenge.
        b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ \n\0\xff"[self.below(72)]
    }
}

/// `text` with one to three changes of any kind.
fn mutated(text: &str, dice: &mut Dice) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for _ in 0..=dice.below(3) {
        let at = dice.below(bytes.len());
        match dice.below(9) {
            0 | 1 if !bytes.is_empty() => bytes[at] = dice.byte(),
            2 if !bytes.is_empty() => bytes[at] ^= 1 << dice.below(7),
            3 => {
                let byte = dice.byte();
                bytes.insert(at, byte);
            }
            4 if !bytes.is_empty() => {
                bytes.remove(at);
            }
            5 => bytes.truncate(at),
            6 => {
                let piece = bytes[dice.range(bytes.len())].to_vec();
                bytes.splice(at..at, piece);
            }
            7 => {
                let gone = dice.range(bytes.len());
                bytes.drain(gone);
            }
            // A byte and its neighbour.
            _ if at + 1 < bytes.len() => bytes.swap(at, at + 1),
            _ => bytes.push(b'='),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn signed(header: &str, claims: &str, secret: &[u8]) -> String {
    let text = format!("{}.{}", BASE64.encode(header), BASE64.encode(claims));
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).unwrap();
    mac.update(text.as_bytes());
    format!("{text}.{}", BASE64.encode(mac.finalize().into_bytes()))
}

fn expected<'a>() -> Expected<'a> {
    Expected {
        auth_id: "Loyalty1",
        table: "People",
        normal: Normal { nfc: str::to_owned, ignore_case: false },
        cookie: CookieId::from_bits(1),
        own_cookie: true,
    }
}

fn private_key() -> SigningKey {
    SigningKey::from_slice(&[7; 32]).unwrap()
}

/// The site's own secret, and its own public key.
fn ring() -> Ring {
    let point = private_key().verifying_key().to_encoded_point(false);
    let (x, y) = (BASE64.encode(point.x().unwrap()), BASE64.encode(point.y().unwrap()));
    let key = json!({
        "kind": "identity", "alg": "ES256", "publicKey": { "kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": "one" },
    });
    let Ok((record, _)) = Record::asked(&key, (String::new(), String::new()), NOW) else {
        return Ring::default();
    };
    Ring::of(1, vec![record]).with_built_in(SECRET, "")
}

fn proves(token: &str, ring: &Ring) -> bool {
    prove(token, ring, expected(), &mut { CURVE_CHECKS }, NOW).is_ok()
}

fn on_the_curve(header: &str, claims: &str, key: &SigningKey) -> String {
    let text = format!("{}.{}", BASE64.encode(header), BASE64.encode(claims));
    let signature: Signature = key.sign(text.as_bytes());
    format!("{text}.{}", BASE64.encode(signature.to_bytes()))
}

/// A two-hundredth of the others: each costs a signature's check.
#[test]
fn g1_no_changed_token_on_the_curve_is_taken() {
    let mut dice = Dice::new();
    let exp = NOW.0 / 1000 + 600;
    let claims = format!(r#"{{"sub":"Loyalty1","exp":{exp}}}"#);
    let (key, ring) = (private_key(), ring());
    let good: Vec<String> = [r#"{"alg":"ES256"}"#, r#"{"alg":"ES256","kid":"one"}"#]
        .iter()
        .map(|header| on_the_curve(header, &claims, &key))
        .collect();
    let other = on_the_curve(r#"{"alg":"ES256"}"#, &claims, &SigningKey::from_slice(&[9; 32]).unwrap());
    assert!(good.iter().all(|token| proves(token, &ring)) && !proves(&other, &ring));
    let n = (forgeries() / 200).max(100);
    let mut checked = 0_u64;
    for round in 0..n {
        let from = dice.pick(&[good[0].as_str(), good[1].as_str()]).to_owned();
        let (text, signature) = from.rsplit_once('.').unwrap();
        let forged = match round % 4 {
            // What is signed stays as it is, so that the curve has to say no.
            0 | 1 => format!("{text}.{}", mutated(signature, &mut dice)),
            2 => {
                let mut bytes = BASE64.decode(signature).unwrap();
                for _ in 0..=dice.below(4) {
                    let at = dice.below(bytes.len());
                    bytes[at] ^= 1 << dice.below(8);
                }
                format!("{text}.{}", BASE64.encode(bytes))
            }
            _ => mutated(&from, &mut dice),
        };
        if good.contains(&forged) {
            continue;
        }
        let mut left = CURVE_CHECKS;
        assert!(prove(&forged, &ring, expected(), &mut left, NOW).is_err(), "{forged:?}");
        checked += u64::from(left < CURVE_CHECKS);
    }
    assert!(checked > n / 4, "{checked} of {n} came as far as the curve");
}

#[test]
fn g1_no_changed_token_is_taken() {
    let mut dice = Dice::new();
    let exp = NOW.0 / 1000 + 600;
    let claims =
        format!(r#"{{"sub":"Loyalty1","exp":{exp},"aud":"People","cid":"{}"}}"#, CookieId::from_bits(1));
    let good = signed(r#"{"alg":"HS256","typ":"JWT"}"#, &claims, SECRET.as_bytes());
    let ring = ring();
    assert!(proves(&good, &ring));
    let (mut same, n) = (0_u64, forgeries());
    for _ in 0..n {
        let forged = mutated(&good, &mut dice);
        if forged == good {
            same += 1;
            continue;
        }
        assert!(!proves(&forged, &ring), "{forged:?}");
    }
    // Changes that take each other back.
    assert!(same < n / 20, "{same} of {n} were no forgeries");
}

#[test]
fn g1_no_token_that_somebody_signed_with_what_they_have_is_taken() {
    let mut dice = Dice::new();
    let exp = NOW.0 / 1000 + 600;
    let claims = format!(r#"{{"sub":"Loyalty1","exp":{exp}}}"#);
    let good = signed(r#"{"alg":"HS256"}"#, &claims, SECRET.as_bytes());
    let public = BASE64.encode(SECRET);
    let ring = ring();
    // What of the other key everybody may have.
    let point = private_key().verifying_key().to_encoded_point(false);
    let (point, x) = (BASE64.encode(point.as_bytes()), BASE64.encode(point.x().unwrap()));
    for _ in 0..forgeries() / 10 {
        let header = mutated(
            dice.pick(&[
                r#"{"alg":"none"}"#,
                r#"{"alg":"HS256"}"#,
                r#"{"alg":"HS512"}"#,
                r#"{"alg":"RS256"}"#,
                r#"{"alg":"ES256"}"#,
                r#"{"alg":"HS256","jwk":{"k":""}}"#,
                r#"{"alg":["HS256"]}"#,
                r#"{"alg":"HS256","alg":"none"}"#,
            ]),
            &mut dice,
        );
        let key = mutated(
            dice.pick(&[
                "",
                "secret",
                public.as_str(),
                point.as_str(),
                x.as_str(),
                "a secret of the site's serve",
                "\0",
            ]),
            &mut dice,
        );
        if key == SECRET {
            continue;
        }
        let forged = signed(&header, &claims, key.as_bytes());
        let (text, mac) = forged.rsplit_once('.').unwrap();
        let genuine = good.rsplit_once('.').unwrap().1;
        for forged in [
            forged.as_str(),
            text,
            &format!("{text}."),
            &format!("{text}.{genuine}"),
            &format!("{good}.{mac}"),
        ] {
            if forged != good {
                assert!(!proves(forged, &ring), "{forged:?}");
            }
        }
    }
}

#[test]
fn g1_no_changed_proof_cookie_opens_anything() {
    let mut dice = Dice::new();
    let key = ProofKey::new([7; 32]);
    let (cookie, customer) = (CookieId::from_bits(1), CustomerId::Known(5));
    let good = key.sign(cookie, customer, NOW.plus(1_000));
    let other = key.sign(CookieId::from_bits(2), CustomerId::Known(6), NOW.plus(1_000_000));
    assert_eq!(key.verify(&good, cookie, NOW), Some(customer));
    for _ in 0..forgeries() {
        let from = dice.pick(&[good.as_str(), other.as_str()]).to_owned();
        let forged = match dice.below(4) {
            // Parts of two real ones, put together.
            0 => {
                let (one, two): (Vec<&str>, Vec<&str>) =
                    (good.split('.').collect(), other.split('.').collect());
                let part = |n: usize, dice: &mut Dice| if dice.below(2) == 0 { one[n] } else { two[n] };
                let parts = [part(0, &mut dice), part(1, &mut dice), part(2, &mut dice)];
                parts.join(".")
            }
            _ => mutated(&from, &mut dice),
        };
        if forged != good {
            assert_eq!(key.verify(&forged, cookie, NOW), None, "{forged:?}");
        }
    }
}

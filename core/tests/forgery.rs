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
use msci_core::proof::{Expected, ProofKey, token_proves};
use msci_core::time::Timestamp;
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

#[test]
fn g1_no_changed_token_is_taken() {
    let mut dice = Dice::new();
    let exp = NOW.0 / 1000 + 600;
    let claims =
        format!(r#"{{"sub":"Loyalty1","exp":{exp},"aud":"People","cid":"{}"}}"#, CookieId::from_bits(1));
    let good = signed(r#"{"alg":"HS256","typ":"JWT"}"#, &claims, SECRET.as_bytes());
    assert!(token_proves(&good, SECRET, expected(), NOW));
    let (mut same, n) = (0_u64, forgeries());
    for _ in 0..n {
        let forged = mutated(&good, &mut dice);
        if forged == good {
            same += 1;
            continue;
        }
        assert!(!token_proves(&forged, SECRET, expected(), NOW), "{forged:?}");
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
            dice.pick(&["", "secret", public.as_str(), "a secret of the site's serve", "\0"]),
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
                assert!(!token_proves(forged, SECRET, expected(), NOW), "{forged:?}");
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

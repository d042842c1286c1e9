//! The identity token that a site's server signs for whom it has authenticated: a compact JWT (RFC 7515, 7519), HS256 or
//! ES256, which proves one authId to one browser for an hour at most (contract §9).
//!
//! A token says which algorithm it is signed with, and is not believed: a key has one, and is asked for no other. What it
//! claims is looked at before its signature, since that is the dear part and nothing of it is secret.

use p256::ecdsa::Signature;
use p256::ecdsa::signature::Verifier;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::base64url;
use crate::identity::{Normal, auth_id, mac_of};
use crate::ids::CookieId;
use crate::keys::{Alg, Checks, Ring};
use crate::limits::TOKEN_BYTES;
use crate::proof::same;
use crate::strict_json;
use crate::time::{SECOND_MS, Timestamp};

/// A token may be valid for an hour ahead, no more: a leaked one should die soon.
pub const LIFE_MS: i64 = 60 * 60 * SECOND_MS;
/// So far the clock of the site's server may be ahead of the edge's. Not behind: who signs for an instant that is over
/// signs for nothing.
const SKEW_MS: i64 = 60 * SECOND_MS;
/// Signatures on a curve that one request may have checked: a page sends one token, and one without `kid` is tried with
/// eight keys. At two milliseconds each, in WebAssembly made for size, what a request can cost stays within 50 ms.
pub const CURVE_CHECKS: u32 = 8;

/// What a token must say.
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

/// Why a token proves nothing. Counted by reason; whoever sent it hears `token_invalid` and no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// No compact JWT in strict base64url and strict JSON, too long, or with an extension that must be understood.
    Malformed,
    /// An algorithm that no key can have, `none` among them.
    Algorithm,
    /// No key of this algorithm goes by this `kid`.
    UnknownKey,
    /// Signed with something else.
    Signature,
    /// Over, or without an end.
    Expired,
    /// Valid for longer than an hour.
    TooLong,
    /// Not valid yet, or made in the future.
    TooEarly,
    /// About somebody else.
    Subject,
    /// For another identity table.
    Audience,
    /// For another browser.
    Cookie,
    /// Used by another browser before.
    Replayed,
    /// Too many signatures to check in one request.
    TooMany,
}

impl Fault {
    /// As it is counted.
    pub fn code(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Algorithm => "algorithm",
            Self::UnknownKey => "unknown_key",
            Self::Signature => "signature",
            Self::Expired => "expired",
            Self::TooLong => "too_long",
            Self::TooEarly => "too_early",
            Self::Subject => "subject",
            Self::Audience => "audience",
            Self::Cookie => "cookie",
            Self::Replayed => "replayed",
            Self::TooMany => "too_many",
        }
    }
}

/// A token that names no browser is used by a browser: the customer's object binds it to the first one. Both are told
/// by digests, from which neither can be had back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Use {
    /// Which token: a digest of what is signed. The signature is no part of it, as others could be made of it that are
    /// as good.
    pub token: String,
    /// By whom: a digest of that and the cookieId.
    pub by: String,
    /// When it went on under another cookieId: by whom before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// When the token is over.
    pub until: Timestamp,
}

impl Use {
    fn of(signed: &str, cookie: CookieId, until: Timestamp) -> Self {
        let token = digest(&[signed]);
        Self { by: digest(&[&token, ":", &cookie.to_string()]), token, before: None, until }
    }

    /// The same browser goes on under another cookieId, and takes what it has proven along.
    #[must_use]
    pub fn as_cookie(&self, cookie: CookieId) -> Self {
        let by = digest(&[&self.token, ":", &cookie.to_string()]);
        Self { by, before: Some(self.by.clone()), ..self.clone() }
    }
}

fn digest(parts: &[&str]) -> String {
    let bytes = mac_of(b"use of a token", parts);
    base64url::encode(bytes.get(..16).unwrap_or_default())
}

/// Whether a token proves what is expected. Where it names no browser, whose use of it is still to be bound.
///
/// `curve_checks` are those that this request has left.
///
/// # Errors
/// Why it does not.
pub fn prove(
    token: &str,
    ring: &Ring,
    expected: Expected<'_>,
    curve_checks: &mut u32,
    now: Timestamp,
) -> Result<Option<Use>, Fault> {
    let parts = Parts::of(token).ok_or(Fault::Malformed)?;
    let alg = parts.header.get("alg").and_then(Value::as_str).and_then(Alg::named).ok_or(Fault::Algorithm)?;
    let until = claimed(&parts.claims, expected, now)?;
    parts.check(ring, alg, curve_checks)?;
    Ok(match parts.claims.get("cid") {
        Some(_) => None,
        None => Some(Use::of(parts.signed, expected.cookie, until)),
    })
}

/// What the claims have to say; when they end.
fn claimed(claims: &Value, expected: Expected<'_>, now: Timestamp) -> Result<Timestamp, Fault> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    // In milliseconds, as a double has it: any number that JSON can write.
    let instant = |name: &str| claims.get(name).map(|at| at.as_f64().map(|at| at * SECOND_MS as f64));
    let exp = instant("exp").flatten().ok_or(Fault::Expired)?;
    if exp <= now.0 as f64 {
        return Err(Fault::Expired);
    }
    if exp > now.plus(LIFE_MS + SKEW_MS).0 as f64 {
        return Err(Fault::TooLong);
    }
    for name in ["nbf", "iat"] {
        let ahead = now.plus(SKEW_MS).0 as f64;
        if instant(name).is_some_and(|at| at.is_none_or(|at| at > ahead)) {
            return Err(Fault::TooEarly);
        }
    }
    let subject = text("sub").and_then(|sub| auth_id(sub, expected.normal).ok());
    if subject.as_deref() != Some(expected.auth_id) {
        return Err(Fault::Subject);
    }
    if claims.get("aud").is_some() && text("aud") != Some(expected.table) {
        return Err(Fault::Audience);
    }
    let for_cookie = match claims.get("cid") {
        Some(cid) => cid.as_str().and_then(|cid| cid.parse().ok()) == Some(expected.cookie),
        None => expected.own_cookie,
    };
    if for_cookie { Ok(Timestamp(exp.ceil() as i64)) } else { Err(Fault::Cookie) }
}

struct Parts<'a> {
    signed: &'a str,
    signature: &'a str,
    header: Value,
    claims: Value,
}

impl<'a> Parts<'a> {
    fn of(token: &'a str) -> Option<Self> {
        if token.len() > TOKEN_BYTES {
            return None;
        }
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let (header, claims) = (object(header)?, object(claims)?);
        // An extension that must be understood is not (RFC 7515 §4.1.11).
        header.get("crit").is_none().then_some(Self { signed, signature, header, claims })
    }

    fn check(&self, ring: &Ring, alg: Alg, curve_checks: &mut u32) -> Result<(), Fault> {
        let kid = match self.header.get("kid") {
            None => None,
            Some(kid) => Some(kid.as_str().ok_or(Fault::UnknownKey)?),
        };
        let signature = match alg {
            Alg::Hs256 => None,
            // Reading one costs, too.
            Alg::Es256 if *curve_checks == 0 => return Err(Fault::TooMany),
            Alg::Es256 => {
                let bytes = base64url::decode(self.signature).ok_or(Fault::Malformed)?;
                Some(Signature::from_slice(&bytes).map_err(|_| Fault::Signature)?)
            }
        };
        let mut fault = Fault::UnknownKey;
        for checks in ring.candidates(alg, kid) {
            let genuine = match (checks, &signature) {
                (Checks::Hs256(secret), None) => {
                    same(self.signature, &base64url::encode(&mac_of(secret.as_bytes(), &[self.signed])))
                }
                (Checks::Es256(key), Some(signature)) => {
                    *curve_checks = curve_checks.checked_sub(1).ok_or(Fault::TooMany)?;
                    key.verify(self.signed.as_bytes(), signature).is_ok()
                }
                _ => false,
            };
            if genuine {
                return Ok(());
            }
            fault = Fault::Signature;
        }
        Err(fault)
    }
}

fn object(part: &str) -> Option<Value> {
    strict_json::parse(&base64url::decode(part)?).ok().filter(Value::is_object)
}

#[cfg(test)]
mod tests;

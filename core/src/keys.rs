//! The key ring (contract §7, §9): the keys that pages send with, and the keys that a site's servers sign identity
//! tokens with. A key is of one kind and of one algorithm for as long as it exists; what replaces it is another key,
//! and the two overlap until the old one is removed. A secret is told to whoever makes it, once, and never again.

use p256::ecdsa::VerifyingKey;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::base64url;
use crate::proof::same;
use crate::time::Timestamp;

/// Most identity keys beside the built-in one: a token without `kid` is tried with each of its algorithm.
pub const IDENTITY_KEYS: usize = 8;
/// Most ingestion keys beside the built-in one.
pub const INGESTION_KEYS: usize = 32;
/// Most origins of one ingestion key.
const ORIGINS: usize = 32;
/// Shortest secret that is taken, in bytes: as long as what it makes (RFC 7518 §3.2).
const SECRET_BYTES: usize = 32;
/// Longest text of a key.
const TEXT_BYTES: usize = 1024;
/// `id` of the keys that are variables of the Worker.
pub const BUILT_IN: &str = "built-in";

/// What a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Pages send signals with it. Public, as the page is.
    Ingestion,
    /// The site's servers sign identity tokens with it.
    Identity,
}

/// How tokens are signed. There is no `none`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Alg {
    /// HMAC with a secret that the site and this system share.
    Hs256,
    /// A signature on the curve P-256, of which this system has the public half alone.
    Es256,
}

impl Alg {
    /// By the name that tokens have for it, to the letter.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "HS256" => Some(Self::Hs256),
            "ES256" => Some(Self::Es256),
            _ => None,
        }
    }

    /// The name that tokens have for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Es256 => "ES256",
        }
    }
}

/// A key as it is stored. No `Debug`: a secret is in it.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// Of an identity key, its `kid`; of an ingestion key, what pages send.
    pub id: String,
    /// What it is for.
    pub kind: Kind,
    /// What people call it.
    #[serde(default)]
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Of an identity key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alg: Option<Alg>,
    /// Of an HS256 key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
    /// Of an ES256 key: its point, uncompressed, in base64url.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    point: Option<String>,
    /// Of an ingestion key: the origins whose pages may use it; any that the settings allow where there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub origins: Vec<String>,
}

/// What is wrong with a key, and where. Says nothing of what was given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{at}: {what}")]
pub struct BadKey {
    /// The field.
    pub at: String,
    /// What it should be.
    pub what: &'static str,
}

fn bad<T>(at: &str, what: &'static str) -> Result<T, BadKey> {
    Err(BadKey { at: at.to_owned(), what })
}

impl Record {
    /// The key that somebody asks for. `random` are two texts that nobody can guess: an id and a secret, for what is
    /// not given. Also says the secret, where it was made here: it is told now or never.
    ///
    /// # Errors
    /// For what can be no key.
    pub fn asked(
        asked: &Value,
        random: (String, String),
        now: Timestamp,
    ) -> Result<(Self, Option<String>), BadKey> {
        let Some(fields) = asked.as_object() else { return bad("body", "should be an object") };
        let text = |field: &str| match fields.get(field) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.len() <= TEXT_BYTES => Ok(Some(text.as_str())),
            Some(_) => bad(field, "should be text of at most 1024 bytes"),
        };
        let kind = match text("kind")? {
            Some("ingestion") => Kind::Ingestion,
            Some("identity") => Kind::Identity,
            _ => return bad("kind", "should be ingestion or identity"),
        };
        let known: &[&str] = match kind {
            Kind::Ingestion => &["kind", "name", "origins"],
            Kind::Identity => &["kind", "name", "id", "alg", "secret", "publicKey"],
        };
        if let Some(other) = fields.keys().find(|field| !known.contains(&field.as_str())) {
            let plain = (1..=64).contains(&other.len()) && !other.chars().any(char::is_control);
            return bad(if plain { other } else { "body" }, "no field of this kind of key");
        }
        let name = text("name")?.unwrap_or_default();
        if name.len() > 64 || name.chars().any(char::is_control) {
            return bad("name", "should have at most 64 bytes, and no control characters");
        }
        let (id, fresh) = random;
        let key = Self {
            id,
            kind,
            name: name.to_owned(),
            created_at: now,
            alg: None,
            secret: None,
            point: None,
            origins: Vec::new(),
        };
        if kind == Kind::Ingestion {
            return Ok((Self { origins: origins(fields.get("origins"))?, ..key }, None));
        }
        let id = match text("id")? {
            Some(id) if is_id(id) => id.to_owned(),
            Some(_) => return bad("id", "should have 1 to 64 letters, digits, - _ . or :"),
            None => key.id.clone(),
        };
        match text("alg")?.and_then(Alg::named) {
            Some(Alg::Hs256) => {
                if fields.contains_key("publicKey") {
                    return bad("publicKey", "is of ES256 keys; an HS256 key has a secret");
                }
                let given = text("secret")?;
                if given.is_some_and(|secret| secret.len() < SECRET_BYTES) {
                    return bad("secret", "should have at least 32 bytes");
                }
                let made = given.is_none().then(|| fresh.clone());
                let secret = Some(given.map_or(fresh, str::to_owned));
                Ok((Self { id, alg: Some(Alg::Hs256), secret, ..key }, made))
            }
            Some(Alg::Es256) => {
                if fields.contains_key("secret") {
                    return bad("secret", "is of HS256 keys; an ES256 key has a publicKey");
                }
                let (point, kid) = public_key(fields.get("publicKey"))?;
                let id = match kid.filter(|_| !fields.contains_key("id")) {
                    Some(kid) if is_id(kid) => kid.to_owned(),
                    Some(_) => {
                        return bad("publicKey.kid", "should have 1 to 64 letters, digits, - _ . or :");
                    }
                    None => id,
                };
                let point = Some(base64url::encode(point.to_encoded_point(false).as_bytes()));
                Ok((Self { id, alg: Some(Alg::Es256), point, ..key }, None))
            }
            None => bad("alg", "should be HS256 or ES256"),
        }
    }

    /// The key as administrators see it: everything but a secret.
    pub fn shown(&self) -> Value {
        let mut shown = json!({
            "id": self.id,
            "kind": self.kind,
            "name": self.name,
            "createdAt": self.created_at.to_rfc3339(),
        });
        let Some(fields) = shown.as_object_mut() else { return shown };
        match self.alg {
            None => {
                fields.insert("key".to_owned(), self.id.as_str().into());
                fields.insert("origins".to_owned(), self.origins.as_slice().into());
            }
            Some(alg) => {
                fields.insert("alg".to_owned(), alg.name().into());
                let coordinates = self.point.as_deref().and_then(base64url::decode);
                if let Some((x, y)) =
                    coordinates.as_deref().and_then(|bytes| bytes.get(1..)?.split_at_checked(32))
                {
                    let jwk = json!({
                        "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": self.id,
                        "x": base64url::encode(x), "y": base64url::encode(y),
                    });
                    fields.insert("publicKey".to_owned(), jwk);
                }
            }
        }
        shown
    }
}

fn is_id(text: &str) -> bool {
    let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':'));
    plain && (1..=64).contains(&text.len()) && text != BUILT_IN
}

/// Origins as browsers write them, so that equality is all that is asked of them later.
fn origins(given: Option<&Value>) -> Result<Vec<String>, BadKey> {
    let list = match given {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(list)) if list.len() <= ORIGINS => list,
        Some(_) => return bad("origins", "should be a list of at most 32 origins"),
    };
    let mut origins = Vec::new();
    for (place, origin) in list.iter().enumerate() {
        match origin.as_str().filter(|origin| is_origin(origin)) {
            Some(origin) => origins.push(origin.to_owned()),
            None => {
                return bad(
                    &format!("origins[{place}]"),
                    "should be like https://www.shop.example, lower case, without a path",
                );
            }
        }
    }
    Ok(origins)
}

fn is_origin(text: &str) -> bool {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.:[]".contains(&b);
    host.is_some_and(|host| (1..=253).contains(&host.len()) && host.bytes().all(plain))
}

/// A `SubjectPublicKeyInfo` (RFC 5480) of a point on P-256 is the point behind one of these: uncompressed, compressed.
const SPKI: [(&[u8], usize); 2] = [
    (b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00", 65),
    (b"\x30\x39\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x22\x00", 33),
];

/// A public key as a JWK (RFC 7517), or as PEM of a `SubjectPublicKeyInfo`; and the JWK's `kid`.
fn public_key(given: Option<&Value>) -> Result<(VerifyingKey, Option<&str>), BadKey> {
    match given {
        Some(Value::Object(jwk)) => {
            let text = |name: &str| jwk.get(name).and_then(Value::as_str);
            if jwk.contains_key("d") {
                return bad("publicKey.d", "is the private half: send the public one alone");
            }
            if text("kty") != Some("EC") || text("crv") != Some("P-256") {
                return bad("publicKey", "should have kty EC and crv P-256");
            }
            if jwk.get("alg").is_some_and(|alg| alg != "ES256") {
                return bad("publicKey.alg", "should be ES256");
            }
            let mut point = vec![4];
            for name in ["x", "y"] {
                let part = text(name).and_then(base64url::decode).filter(|part| part.len() == 32);
                let Some(part) = part else {
                    return bad(&format!("publicKey.{name}"), "should be 32 bytes in base64url");
                };
                point.extend(part);
            }
            Ok((on_the_curve(&point)?, text("kid")))
        }
        Some(Value::String(pem)) if pem.len() <= TEXT_BYTES => {
            if pem.contains("PRIVATE KEY") {
                return bad("publicKey", "is a private key: send the public one alone");
            }
            let body = pem.trim().strip_prefix("-----BEGIN PUBLIC KEY-----");
            let body = body.and_then(|body| body.strip_suffix("-----END PUBLIC KEY-----"));
            let body: Option<String> = body.map(|body| body.split_ascii_whitespace().collect());
            let der = body.and_then(|body| {
                let url: String = body
                    .chars()
                    .map(|c| match c {
                        '+' => '-',
                        '/' => '_',
                        c => c,
                    })
                    .collect();
                base64url::decode(url.trim_end_matches('='))
            });
            let Some(der) = der else {
                return bad("publicKey", "should be PEM with one PUBLIC KEY, or a JWK");
            };
            let point = SPKI
                .iter()
                .find_map(|(head, len)| der.strip_prefix(*head).filter(|point| point.len() == *len));
            match point {
                Some(point) => Ok((on_the_curve(point)?, None)),
                None => bad("publicKey", "should be a key of the curve P-256"),
            }
        }
        _ => bad("publicKey", "should be a JWK, or PEM text"),
    }
}

fn on_the_curve(point: &[u8]) -> Result<VerifyingKey, BadKey> {
    VerifyingKey::from_sec1_bytes(point).or(bad("publicKey", "should be a point on the curve P-256"))
}

/// What a signature is checked with.
pub(crate) enum Checks {
    Hs256(String),
    Es256(Box<VerifyingKey>),
}

impl Checks {
    pub(crate) fn alg(&self) -> Alg {
        match self {
            Self::Hs256(_) => Alg::Hs256,
            Self::Es256(_) => Alg::Es256,
        }
    }
}

/// All keys in force.
#[derive(Default)]
pub struct Ring {
    /// Grows with each change.
    pub revision: u64,
    identity: Vec<(String, Checks)>,
    ingestion: Vec<(String, Vec<String>)>,
}

impl Ring {
    /// The ring of these keys. One that cannot be read checks nothing.
    pub fn of(revision: u64, records: Vec<Record>) -> Self {
        let mut ring = Self { revision, ..Self::default() };
        for record in records {
            match record.alg {
                None => ring.ingestion.push((record.id, record.origins)),
                Some(Alg::Hs256) => {
                    let secret = record.secret.filter(|secret| !secret.is_empty());
                    ring.identity.extend(secret.map(|secret| (record.id, Checks::Hs256(secret))));
                }
                Some(Alg::Es256) => {
                    let point = record.point.as_deref().and_then(base64url::decode);
                    let key = point.and_then(|point| VerifyingKey::from_sec1_bytes(&point).ok());
                    ring.identity.extend(key.map(|key| (record.id, Checks::Es256(Box::new(key)))));
                }
            }
        }
        ring
    }

    /// With the secret and the ingestion key that are variables of the Worker; an empty one is none.
    #[must_use]
    pub fn with_built_in(mut self, secret: &str, ingestion: &str) -> Self {
        if !secret.is_empty() {
            self.identity.push((BUILT_IN.to_owned(), Checks::Hs256(secret.to_owned())));
        }
        if !ingestion.is_empty() {
            self.ingestion.push((ingestion.to_owned(), Vec::new()));
        }
        self
    }

    /// What a token of this algorithm may be signed with: the key that it names, or each.
    pub(crate) fn candidates<'a>(
        &'a self,
        alg: Alg,
        kid: Option<&'a str>,
    ) -> impl Iterator<Item = &'a Checks> + 'a {
        let named = move |id: &str| kid.is_none_or(|kid| kid == id);
        self.identity
            .iter()
            .filter(move |(id, checks)| checks.alg() == alg && named(id))
            .map(|(_, checks)| checks)
    }

    /// The origins of an ingestion key; none if there is no such key.
    pub fn ingestion(&self, key: &str) -> Option<&[String]> {
        self.ingestion.iter().find(|(id, _)| same(id, key)).map(|(_, origins)| origins.as_slice())
    }

    /// Whether any ingestion key is for pages of this origin.
    pub fn lists(&self, origin: &str) -> bool {
        self.ingestion.iter().any(|(_, origins)| origins.iter().any(|listed| listed == origin))
    }
}

#[cfg(test)]
mod tests;

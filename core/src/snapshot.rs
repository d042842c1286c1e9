//! The derived, versioned, read-only view of a profile: what KV holds, what pages are decided with
//! and what the read API answers from. Never read back into the truth (law 2).

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::collections::Map;
use crate::config::ConsentMode;
use crate::consent::{self, Decisions};
use crate::definitions::Definitions;
use crate::ids::{CookieId, CustomerId};
use crate::json;
use crate::membership::Cause;
use crate::object::Customer;
use crate::profile::{Imported, Profile};
use crate::time::Timestamp;

/// How a text in KV begins that has such a line.
const LINE: &str = "{\"page\":\"";
/// The purpose that pages are asked for.
const PERSONALIZATION: &str = "personalization";

/// Parts of a list; none of an empty one.
fn listed(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').filter(|part| !part.is_empty())
}

/// A profile as it was at one version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    /// Whose.
    pub customer: CustomerId,
    /// Which life of the object made it: versions of different lives are not comparable.
    pub tag: String,
    /// The object's version.
    pub version: u64,
    /// The definitions' version.
    pub n: u64,
    /// The instant from which time alone may have changed a membership.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<Timestamp>,
    /// Identity table and key, when known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<(String, String)>,
    /// Cookies that belong to it.
    pub cookie_ids: Vec<CookieId>,
    /// Attributes by name, the winner of all sources.
    pub attributes: Map<String, Value>,
    /// Segments it is in.
    pub segments: Vec<String>,
    /// Measures by name.
    pub measures: Map<String, Value>,
    /// Experiences whose audience it is in.
    pub audiences: Vec<String>,
    /// What holdouts and variants hash.
    pub bucket_key: String,
    /// What was agreed to, by purpose.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub consent: Decisions,
    /// Of each cookie whose own browser decided something: what.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub cookie_consent: Map<CookieId, Decisions>,
    /// Oldest signal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_seen: Option<Timestamp>,
    /// Newest signal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<Timestamp>,
}

impl Snapshot {
    /// A visitor of whom nothing is known: what a page is decided with when there is no cookie, no
    /// proof, or no profile.
    pub fn stranger(definitions: &Definitions, now: Timestamp) -> Self {
        if let Some(stranger) = &definitions.stranger {
            return Self::clone(stranger);
        }
        let mut profile = Profile::default();
        profile.evaluate(definitions, now, Cause::Signal, &mut Vec::new());
        profile.snapshot(definitions, CustomerId::Unknown(0), String::new(), now)
    }

    /// A customer who was imported and never seen: what their object would say if there were one.
    pub fn imported(definitions: &Definitions, of: &Customer, row: Imported, now: Timestamp) -> Self {
        let mut profile = Profile::default();
        profile.import(definitions, row, now);
        profile.evaluate(definitions, now, Cause::Import, &mut Vec::new());
        let auth = Some((of.table.clone(), of.auth_id.clone()));
        Self { auth, ..profile.snapshot(definitions, of.id, String::new(), now) }
    }

    /// As KV holds it: JSON, which begins, where it says all that matters of consent, with a line of what a page is
    /// decided with that shows no field of anybody: most pages read no more.
    ///
    /// # Errors
    /// Never, for a snapshot.
    pub fn kept(&self) -> serde_json::Result<String> {
        let json = serde_json::to_string(self)?;
        Ok(match (self.line(), json.strip_prefix('{')) {
            (Some(line), Some(rest)) => [LINE, &line, "\",", rest].concat(),
            _ => json,
        })
    }

    fn line(&self) -> Option<String> {
        let consent =
            self.consent.get(PERSONALIZATION).map_or("", |granted| if *granted { "+" } else { "-" });
        let parts = [
            self.customer.to_string(),
            self.tag.clone(),
            self.version.to_string(),
            self.n.to_string(),
            self.valid_until.map(|until| until.0.to_string()).unwrap_or_default(),
            self.bucket_key.clone(),
            consent.to_owned(),
            self.cookie_ids.iter().map(CookieId::to_string).collect::<Vec<_>>().join(","),
            self.audiences.join(","),
        ];
        let plain = !parts.iter().any(|part| part.contains([' ', '"', '\\']))
            && !self.audiences.iter().any(|audience| audience.is_empty() || audience.contains(','));
        (plain && self.cookie_consent.is_empty()).then(|| parts.join(" "))
    }

    /// Of what KV holds, as much as a page needs that shows no field; none where that takes all of it. What the line
    /// does not say is empty.
    pub fn glance(kept: &str) -> Option<Self> {
        let (line, _) = kept.strip_prefix(LINE)?.split_once('"')?;
        let mut parts = line.split(' ');
        let mut next = || parts.next();
        let (customer, tag) = (next()?.parse().ok()?, next()?.to_owned());
        let (version, n) = (next()?.parse().ok()?, next()?.parse().ok()?);
        let valid_until = match next()? {
            "" => None,
            until => Some(Timestamp(until.parse().ok()?)),
        };
        let bucket_key = next()?.to_owned();
        let mut consent = Decisions::new();
        match next()? {
            "" => {}
            granted => drop(consent.insert(PERSONALIZATION.to_owned(), granted == "+")),
        }
        let (cookies, audiences) = (next()?, next()?);
        Some(Self {
            customer,
            tag,
            version,
            n,
            valid_until,
            auth: None,
            cookie_ids: listed(cookies).map(str::parse).collect::<Result<_, _>>().ok()?,
            attributes: Map::new(),
            segments: Vec::new(),
            measures: Map::new(),
            audiences: listed(audiences).map(str::to_owned).collect(),
            bucket_key,
            consent,
            cookie_consent: Map::new(),
            first_seen: None,
            last_seen: None,
        })
    }

    /// A field as text for a template: an attribute in any case, or `Measures/<name>`.
    pub fn text(&self, field: &str) -> Option<String> {
        let named = |map: &Map<String, Value>, name: &str| {
            let found = map.get(name).or_else(|| {
                map.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
            })?;
            match found {
                Value::String(text) => Some(text.clone()),
                Value::Number(_) | Value::Bool(_) => Some(json::text(found)),
                _ => None,
            }
        };
        match field.split_once('/') {
            Some((set, name)) if set.eq_ignore_ascii_case("Measures") => named(&self.measures, name),
            Some(_) => None,
            None => named(&self.attributes, field),
        }
    }

    /// Whether this may be used to make a page personal for the browser of this cookie.
    pub fn may_personalise(&self, mode: ConsentMode, cookie: CookieId) -> bool {
        // Of an unknown profile, what its browser decided is all there is.
        let own = self.cookie_consent.get(&cookie).or(if self.customer.is_known() {
            None
        } else {
            Some(&self.consent)
        });
        consent::allows(mode, PERSONALIZATION, &[Some(&self.consent), own])
    }

    /// Whether it can still be trusted at this instant, by itself.
    pub fn is_fresh(&self, n: u64, now: Timestamp) -> bool {
        self.n >= n && self.valid_until.is_none_or(|until| now < until)
    }
}

#[cfg(test)]
mod tests;

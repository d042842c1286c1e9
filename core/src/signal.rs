//! One thing that happened, as it is kept: validated, its time corrected, nothing secret in it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::ids::{CookieId, SignalKey, StreamId};
use crate::time::Timestamp;

/// What kind of thing happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A page was seen.
    View,
    /// A click or key press.
    Action,
    /// Something the site names.
    Event,
    /// `setUser`.
    User,
    /// A consent decision.
    Consent,
}

impl Kind {
    /// From the wire's `type`.
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "view" => Self::View,
            "action" => Self::Action,
            "event" => Self::Event,
            "user" => Self::User,
            "consent" => Self::Consent,
            _ => return None,
        })
    }

    /// The wire's `type`.
    pub fn name(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::Action => "action",
            Self::Event => "event",
            Self::User => "user",
            Self::Consent => "consent",
        }
    }
}

/// Who said so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A page, through the SDK.
    #[default]
    Browser,
    /// One of the site's servers, with a key of its own.
    Server,
}

impl Source {
    #[allow(clippy::trivially_copy_pass_by_ref)] // the signature that serde calls
    fn is_browser(&self) -> bool {
        *self == Self::Browser
    }
}

/// Fields that a batch gives all of its signals.
const OF_THE_BATCH: [&str; 6] = ["sessionId", "sessionStart", "language", "timezone", "screen", "sdk"];

/// A signal without the cookie it belongs to: that one is the log's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Signal {
    /// The SDK instance that sent it.
    pub stream: StreamId,
    /// Its number in that stream, from 1.
    pub seq: u64,
    /// When it happened, corrected to the edge's clock.
    pub time: Timestamp,
    /// Kind.
    pub kind: Kind,
    /// Who said so.
    #[serde(default, skip_serializing_if = "Source::is_browser")]
    pub source: Source,
    /// The fields of its kind by their wire names; `properties` is an object.
    pub fields: Map<String, Value>,
}

impl Signal {
    /// Its identity in the log of `cookie`.
    pub fn key(&self, cookie: CookieId) -> SignalKey {
        SignalKey { cookie, stream: self.stream, seq: self.seq }
    }

    /// Whether retention takes it. A consent stays as long as the profile: who forgets a refusal would
    /// track somebody who said no.
    pub fn ages(&self) -> bool {
        self.kind != Kind::Consent
    }

    /// Whether another one, of the same identity, says the same. Not when: its time is corrected anew whenever it is sent;
    /// nor what its batch said of the browser, which may be another page's.
    pub fn says_what(&self, other: &Self) -> bool {
        let own = |signal: &'_ Self| {
            signal.fields.keys().filter(|name| !OF_THE_BATCH.contains(&name.as_str())).count()
        };
        let same = |(name, value): (&String, &Value)| {
            OF_THE_BATCH.contains(&name.as_str()) || other.fields.get(name) == Some(value)
        };
        self.kind == other.kind && own(self) == own(other) && self.fields.iter().all(same)
    }

    /// A text field.
    pub fn text(&self, field: &str) -> Option<&str> {
        self.fields.get(field)?.as_str().filter(|text| !text.is_empty())
    }

    /// A property.
    pub fn property(&self, name: &str) -> Option<&Value> {
        self.fields.get("properties")?.get(name)
    }
}

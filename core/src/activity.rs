//! A signal seen as an activity: what the timeline shows and what filters can ask.

use serde::Serialize;
use serde_json::Value;

use crate::expr::{Scalar, Type};
use crate::signal::{Kind, Signal};

/// A field of one activity, as filters name it: those of the raw signals without prefix, plus
/// `Properties/<name>` (reference of the read API).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ActivityField {
    /// `View`, `Action`, or the custom event's name.
    Type,
    /// When it happened, corrected.
    Time,
    /// A field of the signal by its wire name.
    Wire(String),
    /// A property by its name, in its own case.
    Property(String),
    /// The bucket in which the page had shown an experience; filters cannot name it.
    Exposure(String),
}

/// Filter name (lower case), wire name and type.
const FIELDS: [(&str, &str, Type); 15] = [
    ("viewuri", "uri", Type::Text),
    ("uri", "uri", Type::Text),
    ("viewtitle", "title", Type::Text),
    ("title", "title", Type::Text),
    ("viewname", "name", Type::Text),
    ("actionname", "name", Type::Text),
    ("signalname", "name", Type::Text),
    ("viewtype", "viewType", Type::Text),
    ("referreruri", "referrer", Type::Text),
    ("actiontype", "actionType", Type::Text),
    ("actiontarget", "target", Type::Text),
    ("actionelementid", "elementId", Type::Text),
    ("actionisoutbound", "isOutbound", Type::Bool),
    ("actionelapsedtimems", "elapsedMs", Type::Number),
    ("clickcoordinates", "coordinates", Type::Text),
];

impl ActivityField {
    /// The field that a path such as `ViewUri` or `Properties/total` names, and its type.
    pub fn from_path(path: &[String]) -> Option<(Self, Type)> {
        match path {
            [name] => {
                let name = name.to_ascii_lowercase();
                match name.strip_prefix("msdynci_").unwrap_or(&name) {
                    "activitytype" => Some((Self::Type, Type::Text)),
                    "activitytime" | "signaltimestamp" => Some((Self::Time, Type::Time)),
                    other => FIELDS
                        .iter()
                        .find(|(filter, ..)| *filter == other)
                        .map(|(_, wire, kind)| (Self::Wire((*wire).to_owned()), *kind)),
                }
            }
            [set, name] if set.eq_ignore_ascii_case("Properties") => {
                Some((Self::Property(name.clone()), Type::Any))
            }
            _ => None,
        }
    }

    /// Its value in a signal.
    pub fn of(&self, signal: &Signal) -> Scalar {
        match self {
            Self::Time => Scalar::Time(signal.time),
            Self::Wire(name) => scalar(signal.fields.get(name)),
            Self::Property(name) => scalar(signal.property(name)),
            Self::Type | Self::Exposure(_) => {
                self.text(signal).map_or(Scalar::Null, |text| Scalar::Text(text.to_owned()))
            }
        }
    }

    /// Its value, where that is a text.
    pub fn text<'a>(&self, signal: &'a Signal) -> Option<&'a str> {
        match self {
            Self::Type => Some(activity_type(signal)),
            Self::Time => None,
            Self::Wire(name) => signal.fields.get(name)?.as_str(),
            Self::Property(name) => signal.property(name)?.as_str(),
            Self::Exposure(experience) => bucket_of(signal.text(EXPOSURES)?, experience),
        }
    }
}

/// The field that says which experiences a page had taken or held out: `experience:bucket,…`, as its marker
/// said (`page::marker`).
pub(crate) const EXPOSURES: &str = "exposures";

/// Longest name of a bucket, in bytes.
const BUCKET_BYTES: usize = 64;

/// The bucket of an experience; none where it is not named, or by something that is no name of a bucket.
fn bucket_of<'a>(shown: &'a str, experience: &str) -> Option<&'a str> {
    let mut pairs = shown.split(',').filter_map(|pair| pair.split_once(':'));
    let (_, bucket) = pairs.find(|(name, _)| *name == experience)?;
    (1..=BUCKET_BYTES).contains(&bucket.len()).then_some(bucket)
}

/// JSON to a value of the language; objects and lists are no scalars and count as absent.
pub(crate) fn scalar(value: Option<&Value>) -> Scalar {
    match value {
        Some(Value::Bool(truth)) => Scalar::Bool(*truth),
        Some(Value::Number(number)) => number.as_f64().map_or(Scalar::Null, Scalar::Number),
        Some(Value::String(text)) => Scalar::Text(text.clone()),
        _ => Scalar::Null,
    }
}

/// `View`, `Action` or the custom event's name.
pub fn activity_type(signal: &Signal) -> &str {
    match signal.kind {
        Kind::View => "View",
        Kind::Action => "Action",
        Kind::Event => signal.text("name").unwrap_or_default(),
        Kind::User => "User",
        Kind::Consent => "Consent",
    }
}

/// What the timeline shows as its heading.
pub fn title(signal: &Signal) -> &str {
    signal.text("title").or_else(|| signal.text("name")).or_else(|| signal.text("uri")).unwrap_or_default()
}

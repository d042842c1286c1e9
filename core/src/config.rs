//! What people configure: settings, tables, measures, segments, experiences, as one immutable bundle
//! per version. A change makes the next version; nothing edits one in place (design §6).

use crate::access::assertion;
use crate::collections::Map;
use crate::time::Timestamp;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// Everything configured, at one version.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Bundle {
    /// Version; grows by one with each change.
    pub n: u64,
    /// Settings.
    pub settings: Settings,
    /// Identity tables by name.
    pub tables: Map<String, Table>,
    /// Measures by name.
    pub measures: Map<String, Measure>,
    /// Segments by name.
    pub segments: Map<String, Segment>,
    /// Experiences by name.
    pub experiences: Map<String, Experience>,
    /// Since which version each definition that counts something is as it is, by kind and name.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub since: Map<String, u64>,
    /// Activations by name.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub activations: Map<String, Activation>,
}

impl Bundle {
    /// Makes this the version after another one, and notes what of it is new.
    pub fn follow(&mut self, before: &Self) {
        self.n = before.n.saturating_add(1);
        let n = self.n;
        let since = |kind, name: &str, same| if same { before.since(kind, name) } else { n };
        let measures = self.measures.iter().map(|(name, measure)| {
            let since = since(MEASURE, name, before.measures.get(name) == Some(measure));
            (format!("{MEASURE}/{name}"), since)
        });
        let segments = self.segments.iter().map(|(name, segment)| {
            let since = since(SEGMENT, name, before.segments.get(name) == Some(segment));
            (format!("{SEGMENT}/{name}"), since)
        });
        let experiences = self.experiences.iter().map(|(name, experience)| {
            let since = since(EXPERIENCE, name, before.experiences.get(name) == Some(experience));
            (format!("{EXPERIENCE}/{name}"), since)
        });
        // Who was shown what, and did what then, does not depend on what is shown.
        let outcomes = self.experiences.iter().map(|(name, experience)| {
            let key = format!("{OUTCOME}/{name}");
            // Of the version before this one nobody noted it: nothing was counted.
            let counted = before.since.contains_key(key.as_str());
            let same = before.experiences.get(name).is_some_and(|before| before.goal == experience.goal);
            (key, since(OUTCOME, name, same && counted))
        });
        self.since = Map::gathered(measures.chain(segments).chain(experiences).chain(outcomes).collect());
    }

    /// Since which version a definition is as it is; where nobody noted it, this one.
    pub(crate) fn since(&self, kind: &str, name: &str) -> u64 {
        self.since.get(format!("{kind}/{name}").as_str()).copied().unwrap_or(self.n)
    }
}

/// Kinds of definitions that count something.
pub(crate) const MEASURE: &str = "measure";
/// A segment.
pub(crate) const SEGMENT: &str = "segment";
/// An experience, by its audience.
pub(crate) const EXPERIENCE: &str = "experience";
/// An experience, by those who were shown it and reached its goal.
pub(crate) const OUTCOME: &str = "outcome";

/// Settings of the system, with the defaults of a new one (contract §7).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Settings {
    /// Identity table that `authId` belongs to.
    pub tracking_table: Option<String>,
    /// Identity.
    pub identity: Identity,
    /// Consent.
    pub consent: Consent,
    /// Retention.
    pub retention: Retention,
    /// The cookie `_msci`.
    pub cookie: Cookie,
    /// Origins allowed besides the site's own.
    pub origins: Vec<String>,
    /// Attributes that decisions may show to a browser.
    pub decision_fields: Vec<String>,
    /// Segments that decisions may show to a browser.
    pub decision_segments: Vec<String>,
    /// Capture.
    pub capture: Capture,
    /// Whether the tracking script is put into pages.
    pub inject_script: bool,
    /// How long a page waits for the profile after the site's headers, in milliseconds.
    pub profile_deadline_ms: u32,
    /// Read API: requests per token in 300 s.
    #[serde(rename = "apiRequestsPer300s")]
    pub api_requests_per_300s: u32,
    /// Index.
    pub index: Index,
    /// Cloudflare Access in front of the console and the APIs, where it is.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "assertion::setting")]
    pub access: Option<Value>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            tracking_table: None,
            identity: Identity::default(),
            consent: Consent::default(),
            retention: Retention::default(),
            cookie: Cookie::default(),
            origins: Vec::new(),
            decision_fields: vec!["FirstName".to_owned()],
            decision_segments: Vec::new(),
            capture: Capture::default(),
            inject_script: false,
            profile_deadline_ms: 75,
            api_requests_per_300s: 60_000,
            index: Index { databases: 1 },
            access: None,
        }
    }
}

/// Whether a claim needs a signed token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verification {
    /// Anyone can claim any id.
    #[default]
    Off,
    /// Only a signed token makes a link.
    Required,
}

/// Settings of identity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Identity {
    /// Whether a claim needs a signed token.
    pub verification: Verification,
    /// Links one customer may get in a day.
    pub max_links_per_day: u32,
    /// Links one customer may have.
    pub max_links: u32,
}

impl Default for Identity {
    fn default() -> Self {
        Self { verification: Verification::Off, max_links_per_day: 50, max_links: 5000 }
    }
}

/// Whether tracking starts without being asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ConsentMode {
    /// Until it is denied.
    #[default]
    Implied,
    /// Only once it is granted.
    Required,
}

/// Settings of consent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Consent {
    /// Whether tracking starts without being asked for.
    pub mode: ConsentMode,
    /// Whether Global Privacy Control counts as a denial.
    pub honour_gpc: bool,
    /// Consent platforms on the site's pages that visitors decide with; tracking then has to be asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<ConsentInput>,
}

/// How a consent platform says what a visitor decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ConsentInput {
    /// By the Transparency & Consent Framework of the IAB, version 2: `__tcfapi`, and its cookie.
    Tcf,
    /// By Google Consent Mode, version 2: commands of `gtag`.
    GoogleConsentMode,
}

impl Default for Consent {
    fn default() -> Self {
        Self { mode: ConsentMode::Implied, honour_gpc: true, inputs: Vec::new() }
    }
}

/// Settings of retention, in days.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Retention {
    /// An unknown profile without signals for so long expires.
    pub unknown_idle_days: u32,
    /// A signal older than this counts nowhere.
    pub signal_days: u32,
    /// Activities stay in the index for so long.
    pub index_days: u32,
}

impl Default for Retention {
    fn default() -> Self {
        Self { unknown_idle_days: 7, signal_days: 365, index_days: 30 }
    }
}

/// Settings of the cookie `_msci`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Cookie {
    /// `Domain` attribute.
    pub domain: Option<String>,
    /// Life, renewed on every visit.
    pub max_age_days: u32,
}

impl Default for Cookie {
    fn default() -> Self {
        Self { domain: None, max_age_days: 365 }
    }
}

/// Settings of capture, public: the SDK gets them with `msci.js`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Capture {
    /// Which history changes are views.
    pub history: String,
    /// Whether what happened before a grant is sent after it.
    pub send_after_grant: bool,
    /// Query parameters that stay in addresses: `"all"` or a list of names.
    #[serde(deserialize_with = "all_or_names")]
    pub query_parameters: Value,
}

impl Default for Capture {
    fn default() -> Self {
        Self { history: "path+query".to_owned(), send_after_grant: true, query_parameters: "all".into() }
    }
}

fn all_or_names<'de, D: Deserializer<'de>>(from: D) -> Result<Value, D::Error> {
    let value = Value::deserialize(from)?;
    if value == "all" || value.as_array().is_some_and(|names| names.iter().all(Value::is_string)) {
        return Ok(value);
    }
    Err(D::Error::custom("queryParameters should be \"all\" or a list of names"))
}

/// Settings of the index.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Index {
    /// Over how many databases it is split.
    pub databases: u32,
}

/// Type of an imported column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Column {
    /// Text.
    String,
    /// Double.
    Number,
    /// Truth value.
    Boolean,
}

/// An identity table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Table {
    /// Column whose value is the `authId`.
    pub primary_key: String,
    /// Columns by name, without the key.
    pub columns: Map<String, Column>,
    /// Whether two keys that differ only in case are the same.
    #[serde(default)]
    pub case_insensitive_key: bool,
}

/// A measure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Measure {
    /// How.
    pub aggregate: crate::counter::Aggregate,
    /// Of which property; not needed for a count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub property: Option<String>,
    /// Over which activities.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// Of how long until now, as in `P30D`; none is of all time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<String>,
    /// How people see it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display: Option<Value>,
}

/// A segment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Segment {
    /// Filter over the customer.
    pub filter: String,
    /// How people see it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Whether it is evaluated.
    #[serde(default = "yes")]
    pub active: bool,
}

/// An experience.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Experience {
    /// Filter over the customer; empty means everyone.
    #[serde(default)]
    pub audience: String,
    /// Paths it applies to; `*` stands for anything.
    pub pages: Vec<String>,
    /// What it changes; or `variants`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
    /// Alternatives with weights.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub variants: Vec<Variant>,
    /// Share of the audience that is left untouched, 0 to 1.
    #[serde(default)]
    pub holdout: f64,
    /// What it is to lead to: a filter over one activity. Without one, results count who was shown what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub goal: Option<String>,
    /// Higher comes first, at equal ones the name that comes first. Where two of them change the same thing of
    /// the same selector, the first alone does (`page::decisions`).
    #[serde(default)]
    pub priority: i32,
    /// Not before this time, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Not from this time on, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Whether it applies at all.
    #[serde(default = "yes")]
    pub active: bool,
}

/// One alternative of an experience.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Variant {
    /// Its name, as it shows in results.
    pub name: String,
    /// Its share relative to the others.
    pub weight: u32,
    /// What it changes.
    pub changes: Vec<Change>,
}

/// What a change does to the elements it selects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// Replaces the content by text.
    SetText,
    /// Replaces the content by HTML.
    SetHtml,
    /// Sets the attribute `name`.
    SetAttribute,
    /// HTML at the end of the content.
    Append,
    /// HTML at the start of the content.
    Prepend,
    /// HTML before the element.
    Before,
    /// HTML after the element.
    After,
    /// Takes the element away.
    Remove,
    /// Sends the visitor elsewhere; no selector.
    Redirect,
    /// Replaces the text `name` in scripts; the Worker's own, nobody can ask for it.
    #[serde(skip_deserializing)]
    ReplaceText,
}

/// One change to a page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Change {
    /// CSS selector.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub selector: String,
    /// What is done.
    pub action: Action,
    /// Template of the text, HTML, attribute value or address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Attribute name, for `setAttribute`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// What leaves the system when a segment is entered or left: a signed message to an address.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Activation {
    /// Which segment.
    pub segment: String,
    /// Which of its moves are told; both, unless it says otherwise.
    #[serde(default = "both")]
    pub on: Vec<Direction>,
    /// Where to.
    pub url: String,
    /// Name of the secret that signs, where secrets are kept: a bundle goes to places that need none.
    pub key: String,
    /// What happened before it was made is not told.
    #[serde(default)]
    pub since: Timestamp,
}

/// A move of a customer, as seen from a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Into it.
    Entered,
    /// Out of it.
    Left,
}

fn both() -> Vec<Direction> {
    vec![Direction::Entered, Direction::Left]
}

fn yes() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parameters_that_stay_are_all_or_named() {
        let read = |json: &str| {
            let capture = serde_json::from_str::<Capture>(&format!(r#"{{"queryParameters":{json}}}"#));
            capture.map(|capture| capture.query_parameters.to_string())
        };
        for good in [r#""all""#, "[]", r#"["q","size"]"#] {
            assert_eq!(read(good).unwrap(), good);
        }
        // Taken for nothing at all, they would let every parameter through.
        for bad in [r#""none""#, "null", "false", r#""q""#, r#"["q",1]"#, r#"[["q"]]"#, r#"{"q":true}"#] {
            assert!(read(bad).is_err(), "{bad}");
        }
        assert_eq!(serde_json::from_str::<Capture>("{}").unwrap(), Capture::default());
    }
}

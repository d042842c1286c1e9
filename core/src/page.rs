//! What a page becomes for a visitor: a pure function of the definitions, the profile as last seen,
//! the address and the time. Reproducible, so it can be explained.

mod policy;

pub use policy::script_nonce;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::config::Action;
use crate::definitions::{CompiledChange, CompiledExperience, Definitions};
use crate::limits::STRING_BYTES;
use crate::snapshot::Snapshot;
use crate::template::{Unfilled, percent_encode};
use crate::time::Timestamp;

/// A pattern over the path of a page: literal text, `*` stands for anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    pieces: Vec<String>,
}

impl Pattern {
    /// Parses a pattern such as `/` or `/shop/*`.
    ///
    /// # Errors
    /// In plain words, for the author.
    pub fn parse(text: &str) -> Result<Self, String> {
        if !text.starts_with(['/', '*']) || text.len() > 2048 {
            return Err(format!("the page {text:?} should be a path that begins with /"));
        }
        if text.matches('*').count() > 8 {
            return Err("a page has 8 stars at most".to_owned());
        }
        // As browsers write the path of an address.
        let mut path = String::new();
        for c in text.chars() {
            match c {
                ' ' | '"' | '<' | '>' | '`' => percent_encode(c.encode_utf8(&mut [0; 4]), &mut path),
                c if c.is_ascii() => path.push(c),
                c => percent_encode(c.encode_utf8(&mut [0; 4]), &mut path),
            }
        }
        Ok(Self { pieces: path.split('*').map(str::to_owned).collect() })
    }

    /// Whether a path fits. Linear: between stars the leftmost place is always a right one.
    pub fn matches(&self, path: &str) -> bool {
        let Some((first, rest)) = self.pieces.split_first() else { return false };
        let Some(mut left) = path.strip_prefix(first.as_str()) else { return false };
        let Some((last, middle)) = rest.split_last() else { return left.is_empty() };
        for piece in middle {
            let Some((_, after)) = left.split_once(piece.as_str()) else { return false };
            left = after;
        }
        left.ends_with(last.as_str())
    }
}

/// One edit of the page, ready for the rewriter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edit {
    /// CSS selector.
    pub selector: String,
    /// What is done.
    pub action: Action,
    /// The rendered value.
    pub value: String,
    /// Attribute, for `setAttribute`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// An experience whose audience the visitor is in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exposure {
    /// The experience.
    pub name: String,
    /// The variant, or `holdout`.
    pub bucket: String,
    /// What it changes; nothing when held out.
    pub changes: Vec<Edit>,
}

/// The bucket of those who are left untouched.
pub const HOLDOUT: &str = "holdout";

/// Why an experience is taken on a page, or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// Its schedule has not begun.
    NotYet,
    /// Its schedule has ended.
    Over,
    /// It is for other pages.
    OtherPage,
    /// It is for other people.
    OtherAudience,
    /// The visitor is among those who are left untouched.
    HeldOut,
    /// It is taken.
    Taken {
        /// The variant.
        bucket: String,
        /// What becomes of each of its changes.
        changes: Vec<Fate>,
    },
}

/// What becomes of one change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is made.
    Made(Edit),
    /// An experience that comes before has changed the same thing.
    LostTo(String),
    /// The customer has no such field, and the template no default for it.
    MissingField(String),
    /// What comes out is no address of the web.
    NoAddress,
}

/// What is decided about one experience.
#[derive(Clone, Debug)]
pub struct Decision<'a> {
    /// Which.
    pub experience: &'a CompiledExperience,
    /// Why it is taken, or not.
    pub why: Why,
}

/// Why an experience is out of the question here and now, whoever asks.
pub(crate) fn elsewhere(experience: &CompiledExperience, path: &str, now: Timestamp) -> Option<Why> {
    if experience.from.is_some_and(|from| now < from) {
        return Some(Why::NotYet);
    }
    if experience.until.is_some_and(|until| until <= now) {
        return Some(Why::Over);
    }
    (!experience.pages.iter().any(|page| page.matches(path))).then_some(Why::OtherPage)
}

/// Experiences that could apply to this path now, whoever asks. When there is none, no profile is
/// read at all.
pub fn candidates<'a>(
    definitions: &'a Definitions,
    path: &'a str,
    now: Timestamp,
) -> Vec<&'a CompiledExperience> {
    let fits = |experience: &&CompiledExperience| elsewhere(experience, path, now).is_none();
    definitions.experiences.iter().filter(fits).collect()
}

/// Decides about each of the candidates, in the order in which they apply.
///
/// The changes of one experience are all made, in their order. Between two of them the first wins where both
/// change the same thing of the same selector: its content (`setText`, `setHtml`, `remove`), one attribute, what
/// stands at one of its four sides; and there is one redirect.
pub fn decisions<'a>(candidates: &[&'a CompiledExperience], snapshot: &Snapshot) -> Vec<Decision<'a>> {
    let mut taken: Vec<(Place<'a>, &str)> = Vec::new();
    let mut out = Vec::new();
    for experience in candidates {
        let name = experience.name.as_str();
        let why = match bucket(experience, &snapshot.bucket_key) {
            _ if !snapshot.audiences.contains(&experience.name) => Why::OtherAudience,
            None => Why::HeldOut,
            Some((bucket, changes)) => {
                let mut fates = Vec::new();
                for change in changes {
                    let place = Place::of(change);
                    let first = taken.iter().find(|(other, of)| other.is(&place) && *of != name);
                    let fate = first
                        .map_or_else(|| render(change, snapshot), |(_, of)| Fate::LostTo((*of).to_owned()));
                    if matches!(fate, Fate::Made(_)) {
                        taken.push((place, name));
                    }
                    fates.push(fate);
                }
                Why::Taken { bucket: bucket.to_owned(), changes: fates }
            }
        };
        out.push(Decision { experience, why });
    }
    out
}

/// What a visitor's page becomes: the experiences taken and held out.
pub fn decide(candidates: &[&CompiledExperience], snapshot: &Snapshot) -> Vec<Exposure> {
    let exposure = |decision: Decision<'_>| {
        let name = decision.experience.name.clone();
        let (bucket, changes) = match decision.why {
            Why::NotYet | Why::Over | Why::OtherPage | Why::OtherAudience => return None,
            Why::HeldOut => (HOLDOUT.to_owned(), Vec::new()),
            Why::Taken { bucket, changes } => (bucket, changes),
        };
        let changes = changes.into_iter().filter_map(|fate| match fate {
            Fate::Made(edit) => Some(edit),
            Fate::LostTo(_) | Fate::MissingField(_) | Fate::NoAddress => None,
        });
        Some(Exposure { name, bucket, changes: changes.collect() })
    };
    decisions(candidates, snapshot).into_iter().filter_map(exposure).collect()
}

/// Which thing of which elements a change is about.
struct Place<'a> {
    selector: &'a str,
    /// One of the actions that change the same thing.
    of: Action,
    attribute: &'a str,
}

impl<'a> Place<'a> {
    fn of(compiled: &'a CompiledChange) -> Self {
        let change = &compiled.change;
        let of = match change.action {
            Action::SetText | Action::SetHtml | Action::Remove => Action::SetText,
            other => other,
        };
        let attribute = change.name.as_deref().filter(|_| of == Action::SetAttribute);
        Self { selector: &change.selector, of, attribute: attribute.unwrap_or_default() }
    }

    fn is(&self, other: &Self) -> bool {
        let same = self.selector == other.selector && self.of == other.of;
        same && self.attribute.eq_ignore_ascii_case(other.attribute)
    }
}

/// The variant that this key gets, by weight; none is held out.
fn bucket<'a>(experience: &'a CompiledExperience, key: &str) -> Option<(&'a str, &'a [CompiledChange])> {
    // Where there is nothing to choose, nothing is hashed.
    if experience.holdout > 0.0 && share(&[key, "\0", &experience.name, "\0holdout"]) < experience.holdout {
        return None;
    }
    if let [(name, 1.., changes)] = experience.variants.as_slice() {
        return Some((name, changes));
    }
    let total: f64 = experience.variants.iter().map(|(_, weight, _)| f64::from(*weight)).sum();
    let mut point = share(&[key, "\0", &experience.name]) * total;
    for (name, weight, changes) in &experience.variants {
        point -= f64::from(*weight);
        if point < 0.0 {
            return Some((name, changes));
        }
    }
    None
}

/// A number in [0, 1) that depends on the text alone.
fn share(parts: &[&str]) -> f64 {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.as_bytes());
    }
    let bits = hash.finalize().iter().take(4).fold(0_u32, |bits, byte| (bits << 8) | u32::from(*byte));
    f64::from(bits) / (f64::from(u32::MAX) + 1.0)
}

fn render(change: &CompiledChange, snapshot: &Snapshot) -> Fate {
    match change.template.render(&|field| snapshot.text(field)) {
        Ok(value) => Fate::Made(Edit {
            selector: change.change.selector.clone(),
            action: change.change.action,
            value,
            name: change.change.name.clone(),
        }),
        Err(Unfilled::MissingField(field)) => Fate::MissingField(field),
        Err(Unfilled::NoAddress) => Fate::NoAddress,
    }
}

/// Where a page redirects to, and for which exposure: `experience:bucket`. The page itself is not seen.
pub fn redirect(exposures: &[Exposure]) -> Option<(String, &str)> {
    exposures.iter().find_map(|exposure| {
        let edit = exposure.changes.iter().find(|edit| edit.action == Action::Redirect)?;
        Some((format!("{}:{}", exposure.name, exposure.bucket), edit.value.as_str()))
    })
}

/// Content of the marker `<meta name="msci-x">`: which experiences this page took or held out, behind what was
/// carried here by a redirect. The SDK sends it with the view, so that exposure costs no write of its own. What
/// a signal's field cannot hold is left out, whole.
pub fn marker(exposures: &[Exposure], carried: Option<&str>) -> String {
    let mut marker = carried.unwrap_or_default().to_owned();
    for exposure in exposures {
        let length = marker.len() + exposure.name.len() + exposure.bucket.len() + 2;
        if length > STRING_BYTES {
            break;
        }
        if !marker.is_empty() {
            marker.push(',');
        }
        marker.push_str(&exposure.name);
        marker.push(':');
        marker.push_str(&exposure.bucket);
    }
    marker
}

#[cfg(test)]
mod tests;

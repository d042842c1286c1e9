//! What a page becomes for a visitor: a pure function of the definitions, the profile as last seen,
//! the address and the time. Reproducible, so it can be explained.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::config::Action;
use crate::definitions::{CompiledChange, CompiledExperience, Definitions};
use crate::snapshot::Snapshot;
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
        Ok(Self { pieces: text.split('*').map(str::to_owned).collect() })
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

/// Experiences that could apply to this path now, whoever asks. When there is none, no profile is
/// read at all.
pub fn candidates<'a>(
    definitions: &'a Definitions,
    path: &'a str,
    now: Timestamp,
) -> Vec<&'a CompiledExperience> {
    let fits = |experience: &&CompiledExperience| {
        experience.scheduled(now) && experience.pages.iter().any(|page| page.matches(path))
    };
    definitions.experiences.iter().filter(fits).collect()
}

/// Decides what a visitor's page becomes.
pub fn decide(candidates: &[&CompiledExperience], snapshot: &Snapshot) -> Vec<Exposure> {
    let mut taken: Vec<(String, Action, Option<String>)> = Vec::new();
    let mut out = Vec::new();
    for experience in candidates.iter().filter(|experience| snapshot.audiences.contains(&experience.name)) {
        let (bucket, changes) = bucket(experience, &snapshot.bucket_key);
        let mut edits = Vec::new();
        for change in changes {
            let Some(edit) = render(change, snapshot) else { continue };
            let place = (edit.selector.clone(), edit.action, edit.name.clone());
            // The first to change a thing wins: the order is that of priority.
            if !taken.contains(&place) {
                taken.push(place);
                edits.push(edit);
            }
        }
        out.push(Exposure { name: experience.name.clone(), bucket: bucket.to_owned(), changes: edits });
    }
    out
}

fn bucket<'a>(experience: &'a CompiledExperience, key: &str) -> (&'a str, &'a [CompiledChange]) {
    if share(&[key, "\0", &experience.name, "\0holdout"]) < experience.holdout {
        return (HOLDOUT, &[]);
    }
    let total: f64 = experience.variants.iter().map(|(_, weight, _)| f64::from(*weight)).sum();
    let mut point = share(&[key, "\0", &experience.name]) * total;
    for (name, weight, changes) in &experience.variants {
        point -= f64::from(*weight);
        if point < 0.0 {
            return (name, changes);
        }
    }
    (HOLDOUT, &[])
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

fn render(change: &CompiledChange, snapshot: &Snapshot) -> Option<Edit> {
    let value = change.template.render(&|field| snapshot.text(field))?;
    Some(Edit {
        selector: change.change.selector.clone(),
        action: change.change.action,
        value,
        name: change.change.name.clone(),
    })
}

/// Content of the marker `<meta name="msci-x">`: which experiences this page took or held out. The
/// SDK sends it with the view, so that exposure costs no write of its own.
pub fn marker(exposures: &[Exposure]) -> String {
    let shown: Vec<String> = exposures.iter().map(|e| format!("{}:{}", e.name, e.bucket)).collect();
    shown.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_paths() {
        let fits = |pattern: &str, path: &str| Pattern::parse(pattern).unwrap().matches(path);
        assert!(fits("/", "/"));
        assert!(!fits("/", "/shop"));
        assert!(fits("/shop/*", "/shop/a/b"));
        assert!(!fits("/shop/*", "/shop"));
        assert!(fits("*", "/anything"));
        assert!(fits("/*/reviews/*.html", "/de/reviews/a/b.html"));
        assert!(!fits("/*/reviews/*.html", "/reviews/a.html"));
        assert!(fits("/a*a", "/aa") && !fits("/a*a", "/a"));
        assert!(Pattern::parse("shop").is_err() && Pattern::parse("/*********").is_err());
    }

    #[test]
    fn shares_are_even_and_stable() {
        let held = (0..100_000).filter(|id| share(&[&id.to_string(), "\0x\0holdout"]) < 0.1).count();
        assert!((9_000..=11_000).contains(&held), "{held}");
        assert!((share(&["a", "b"]) - share(&["ab"])).abs() < f64::EPSILON);
    }
}

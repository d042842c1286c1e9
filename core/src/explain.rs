//! Why a page becomes what it becomes: every experience with the reason that decided it, from the very decisions
//! that made the page (`page::decisions`).

use serde::Serialize;

use crate::activity;
use crate::config::Action;
use crate::counter::CounterId;
use crate::definitions::{CompiledChange, CompiledExperience, Definitions};
use crate::expr::resolve::{self, CustomerField};
use crate::expr::{self, Expr, Scalar, eval};
use crate::page::{self, Fate, HOLDOUT, Why};
use crate::snapshot::Snapshot;
use crate::time::Timestamp;

/// One experience, taken or not.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explained {
    /// Its name.
    pub name: String,
    /// Whether the page has what it changes.
    pub taken: bool,
    /// `taken`, `held_out`, `inactive`, `not_yet`, `over`, `other_page` or `other_audience`.
    pub why: &'static str,
    /// The variant, or `holdout`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bucket: Option<String>,
    /// Parts of the audience that do not hold, as they were written.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<String>,
    /// Of these parts, which count activities, at least one does not hold.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failed_one_of: Vec<String>,
    /// Its changes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<ExplainedChange>,
}

/// One change, made or not.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExplainedChange {
    /// Which elements.
    pub selector: String,
    /// What is done to them.
    pub action: Action,
    /// Whether it is made.
    pub made: bool,
    /// Why not: `lost`, `missing_field` or `no_address`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<&'static str>,
    /// To which experience it was lost, or which field is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub what: Option<String>,
    /// What the elements get.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

/// Every experience, for this path and profile: active ones in the order in which they apply, then the others.
pub fn explain(definitions: &Definitions, path: &str, snapshot: &Snapshot, now: Timestamp) -> Vec<Explained> {
    let candidates = page::candidates(definitions, path, now);
    let mut decided = page::decisions(&candidates, snapshot).into_iter();
    let mut next = decided.next();
    let mut out = Vec::new();
    for experience in &definitions.experiences {
        let own = next.as_ref().is_some_and(|decision| std::ptr::eq(decision.experience, experience));
        let why = match page::elsewhere(experience, path, now) {
            Some(why) => Some(why),
            None if own => std::mem::replace(&mut next, decided.next()).map(|decision| decision.why),
            None => None,
        };
        if let Some(why) = why {
            out.push(explained(definitions, experience, why, snapshot, now));
        }
    }
    let inactive = definitions.bundle.experiences.iter().filter(|(_, experience)| !experience.active);
    out.extend(inactive.map(|(name, _)| bare(name, "inactive")));
    out
}

fn bare(name: &str, why: &'static str) -> Explained {
    Explained {
        name: name.to_owned(),
        taken: false,
        why,
        bucket: None,
        failed: Vec::new(),
        failed_one_of: Vec::new(),
        changes: Vec::new(),
    }
}

fn explained(
    definitions: &Definitions,
    experience: &CompiledExperience,
    why: Why,
    snapshot: &Snapshot,
    now: Timestamp,
) -> Explained {
    let bare = |why| bare(&experience.name, why);
    match why {
        Why::NotYet => bare("not_yet"),
        Why::Over => bare("over"),
        Why::OtherPage => bare("other_page"),
        Why::OtherAudience => {
            let (failed, failed_one_of) = failed(definitions, &experience.name, snapshot, now);
            Explained { failed, failed_one_of, ..bare("other_audience") }
        }
        Why::HeldOut => Explained { bucket: Some(HOLDOUT.to_owned()), ..bare("held_out") },
        Why::Taken { bucket, changes: fates } => {
            let variant = experience.variants.iter().find(|(name, ..)| *name == bucket);
            let changes = variant.into_iter().flat_map(|(_, _, changes)| changes).zip(fates);
            let changes = changes.map(|(change, fate)| explained_change(change, fate)).collect();
            Explained { taken: true, bucket: Some(bucket), changes, ..bare("taken") }
        }
    }
}

fn explained_change(change: &CompiledChange, fate: Fate) -> ExplainedChange {
    let (why, what, value) = match fate {
        Fate::Made(edit) => (None, None, Some(edit.value)),
        Fate::LostTo(other) => (Some("lost"), Some(other), None),
        Fate::MissingField(field) => (Some("missing_field"), Some(field), None),
        Fate::NoAddress => (Some("no_address"), None, None),
    };
    let (selector, action) = (change.change.selector.clone(), change.change.action);
    ExplainedChange { selector, action, made: why.is_none(), why, what, value }
}

/// Which parts of an audience do not hold. A profile's counters are not in what pages are decided with: of parts
/// that count activities only what follows from the others is known.
fn failed(
    definitions: &Definitions,
    name: &str,
    snapshot: &Snapshot,
    now: Timestamp,
) -> (Vec<String>, Vec<String>) {
    let audience =
        definitions.bundle.experiences.get(name).map_or("", |experience| experience.audience.as_str());
    let schema = definitions.names();
    let (mut failed, mut counting) = (Vec::new(), Vec::new());
    for part in expr::conjuncts(audience) {
        let Ok(resolved) = resolve::customer(part, &schema) else { continue };
        if asks_for_counts(&resolved.expr) {
            counting.push(part.to_owned());
        } else if !holds(&resolved.expr, snapshot, now) {
            failed.push(part.to_owned());
        }
    }
    match counting.len() {
        _ if !failed.is_empty() => (failed, Vec::new()),
        1 => (counting, Vec::new()),
        _ => (failed, counting),
    }
}

fn asks_for_counts(filter: &Expr<CustomerField>) -> bool {
    let mut counts: Vec<CounterId> = Vec::new();
    filter.walk(&mut |node| {
        if let Expr::Field(CustomerField::Count(id)) = node {
            counts.push(*id);
        }
    });
    !counts.is_empty()
}

fn holds(filter: &Expr<CustomerField>, snapshot: &Snapshot, now: Timestamp) -> bool {
    let field = |field: &CustomerField| match field {
        CustomerField::Attribute(name) => activity::scalar(snapshot.attributes.get(name)),
        CustomerField::Measure(name) => activity::scalar(snapshot.measures.get(name)),
        CustomerField::Member(name) => Scalar::Bool(snapshot.segments.contains(name)),
        CustomerField::Count(_) => Scalar::Null,
    };
    eval::holds(filter, &field, now)
}

#[cfg(test)]
mod tests;

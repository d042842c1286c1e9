//! A configuration, compiled: every filter resolved, every counter named, segments in an order in
//! which each comes after those it refers to. What compiles here can be evaluated without an error.

mod leads;
mod order;
mod reach;
mod told;

use crate::activity::ActivityField;
use crate::collections::{Map, in_order, sorted_by_key};
use crate::config::{Action, Bundle, Change, Column, EXPERIENCE, Experience, MEASURE, OUTCOME, SEGMENT};
use crate::counter::{Aggregate, Counter, CounterId, Counting, Window};
use crate::expr::resolve::{self, CustomerField, Resolved, Schema};
use crate::expr::{self, Expr, ExprError, Type};
use crate::outcome::Trial;
use crate::page::Pattern;
use crate::snapshot::Snapshot;
use crate::template::{Sink, Template, markup};
use crate::time::{DAY_MS, SECOND_MS, Timestamp};

pub(crate) use self::reach::Reach;

/// Why a configuration is refused; each is an HTTP 400 and nothing is stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DefinitionError {
    /// A fault in a filter.
    #[error("{what}: {error}")]
    Filter {
        /// Whose filter, such as `segment VIP`.
        what: String,
        /// The fault.
        error: ExprError,
    },
    /// Anything else that is wrong with a definition.
    #[error("{what}: {message}")]
    Invalid {
        /// Which definition.
        what: String,
        /// What is wrong.
        message: String,
    },
}

impl DefinitionError {
    /// The code that the client sees.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Filter { error, .. } => error.code,
            Self::Invalid { .. } => "invalid_definition",
        }
    }
}

/// A compiled configuration.
#[derive(Debug, Default)]
pub struct Definitions {
    /// What it was compiled from.
    pub bundle: Bundle,
    /// Everything that is counted, by name.
    pub counters: Map<CounterId, Counting>,
    /// The counter of each measure.
    pub measures: Map<String, CounterId>,
    /// Active segments, each after those it refers to.
    pub segments: Vec<(String, Expr<CustomerField>)>,
    /// Active experiences, in the order in which they apply.
    pub experiences: Vec<CompiledExperience>,
    /// What is counted of each experience, also of those that have ended.
    pub(crate) trials: Vec<Trial>,
    pub(crate) reach: Reach,
    /// A visitor of whom nothing is known, where that does not depend on the time.
    pub(crate) stranger: Option<Box<Snapshot>>,
}

/// An experience, ready to be decided.
#[derive(Debug)]
pub struct CompiledExperience {
    /// Its name.
    pub name: String,
    /// Whom it is for.
    pub audience: Option<Expr<CustomerField>>,
    /// Where it applies.
    pub pages: Vec<Pattern>,
    /// Alternatives: name, weight, changes. A plain experience has one, named `treated`.
    pub variants: Vec<(String, u32, Vec<CompiledChange>)>,
    /// Whether a change shows a field of whom it is for.
    pub shows_fields: bool,
    /// Share left untouched.
    pub holdout: f64,
    /// From when.
    pub from: Option<Timestamp>,
    /// Until when.
    pub until: Option<Timestamp>,
}

/// A change with its template parsed.
#[derive(Debug)]
pub struct CompiledChange {
    /// As configured.
    pub change: Change,
    /// The value's template; empty for `remove`.
    pub template: Template,
}

impl Definitions {
    /// Compiles a bundle whole.
    ///
    /// # Errors
    /// With the first definition that does not hold.
    pub fn compile(bundle: Bundle) -> Result<Self, DefinitionError> {
        let mut out = Self::default();
        let names = Names::of(&bundle);
        let mut counters = Vec::new();
        let mut measures = Vec::new();
        for (name, measure) in bundle.measures.iter() {
            let what = format!("measure {name}");
            let refusal = "the filter of a measure cannot look at now(): say its window";
            let filter =
                measure.filter.as_deref().map(|filter| resolve::lasting(filter, refusal)).transpose();
            let filter = filter.map_err(|error| DefinitionError::Filter { what: what.clone(), error })?;
            let window = measure.window.as_deref().map(window).transpose();
            let window =
                window.map_err(|message| DefinitionError::Invalid { what: what.clone(), message })?;
            let field = measure.property.clone().map(|property| match property.strip_prefix("Properties/") {
                Some(name) => ActivityField::Property(name.to_owned()),
                None => ActivityField::Property(property),
            });
            if field.is_none() && measure.aggregate != Aggregate::Count {
                let message = "property is missing".to_owned();
                return Err(DefinitionError::Invalid { what, message });
            }
            let counting = Counting::values(filter, measure.aggregate, field, window);
            measures.push((name.clone(), counting.id));
            counters.push(Counting { since: bundle.since(MEASURE, name), ..counting });
        }
        out.measures = Map::gathered(measures);
        let mut resolved = Vec::new();
        for (name, segment) in bundle.segments.iter().filter(|(_, segment)| segment.active) {
            let what = format!("segment {name}");
            let since = bundle.since(SEGMENT, name);
            let filter = resolved_filter(&segment.filter, &names, &what, since, &mut counters)?;
            resolved.push((name.clone(), filter));
        }
        out.segments = order::after_what_they_ask(resolved, &bundle)?;
        let experiences = bundle.experiences.iter().filter(|(_, experience)| experience.active);
        // By name they are already.
        for (name, experience) in sorted_by_key(experiences, |(_, e)| std::cmp::Reverse(e.priority)) {
            let what = format!("experience {name}");
            let audience = match experience.audience.trim() {
                "" => None,
                // As it was written, so that a fault is found where it stands.
                _ => {
                    let since = bundle.since(EXPERIENCE, name);
                    Some(resolved_filter(&experience.audience, &names, &what, since, &mut counters)?)
                }
            };
            let compiled = CompiledExperience::compile(name, experience, audience);
            let compiled = compiled.map_err(|message| DefinitionError::Invalid { what, message })?;
            out.experiences.push(compiled);
        }
        for (name, experience) in bundle.experiences.iter() {
            let counted = Trial::compile(name, experience.goal.as_deref());
            let what = || format!("goal of experience {name}");
            let (trial, countings) =
                counted.map_err(|error| DefinitionError::Filter { what: what(), error })?;
            out.trials.push(trial);
            let since = bundle.since(OUTCOME, name);
            counters.extend(countings.into_iter().map(|counting| Counting { since, ..counting }));
        }
        out.bundle = bundle;
        out.counters = joined(counters);
        out.reach = Reach::of(&out);
        out.stranger = Some(Box::new(Snapshot::stranger(&out, Timestamp(0))));
        Ok(out)
    }

    /// What filters over the customer can name.
    pub(crate) fn names(&self) -> impl Schema + '_ {
        Names::of(&self.bundle)
    }

    /// The counting and state of a counter; the empty state where nothing was counted.
    pub fn counter<'a>(
        &'a self,
        id: CounterId,
        states: &'a Map<CounterId, Counter>,
    ) -> Option<(&'a Counting, &'a Counter)> {
        static NOTHING: Counter = Counter::NOTHING;
        Some((self.counters.get(&id)?, states.get(&id).unwrap_or(&NOTHING)))
    }
}

/// A filter over the customer; what it counts joins the others' counters.
fn resolved_filter(
    filter: &str,
    names: &Names,
    what: &str,
    since: u64,
    counters: &mut Vec<Counting>,
) -> Result<Expr<CustomerField>, DefinitionError> {
    let faulty = |error| DefinitionError::Filter { what: what.to_owned(), error };
    let resolved: Resolved = resolve::customer(filter, names).map_err(faulty)?;
    counters.extend(resolved.counters.into_iter().map(|counting| Counting { since, ..counting }));
    Ok(resolved.expr)
}

/// One counter for each name.
fn joined(counters: Vec<Counting>) -> Map<CounterId, Counting> {
    let before =
        |one: usize, other: usize| counters.get(one).map(|c| c.id) <= counters.get(other).map(|c| c.id);
    let order = in_order(counters.len(), &before);
    let mut apart: Vec<Option<Counting>> = counters.into_iter().map(Some).collect();
    let mut joined: Vec<(CounterId, Counting)> = Vec::with_capacity(apart.len());
    for counting in order.into_iter().filter_map(|place| apart.get_mut(place)?.take()) {
        match joined.last_mut().filter(|(id, _)| *id == counting.id) {
            Some((_, kept)) => kept.join(&counting),
            None => joined.push((counting.id, counting)),
        }
    }
    Map::gathered(joined)
}

/// The window of a measure: so long until now, as in `P30D`.
fn window(text: &str) -> Result<Window, String> {
    match expr::duration(text) {
        Some(ms) if (SECOND_MS..=WINDOW_DAYS * DAY_MS).contains(&ms) => Ok(Window::last(ms)),
        _ => Err(format!("window should be a duration from PT1S to P{WINDOW_DAYS}D, as in P30D")),
    }
}

/// Longest window of a measure, in days.
const WINDOW_DAYS: i64 = 3660;

impl CompiledExperience {
    fn compile(
        name: &str,
        experience: &Experience,
        audience: Option<Expr<CustomerField>>,
    ) -> Result<Self, String> {
        let instant = |text: &Option<String>| match text {
            None => Ok(None),
            Some(text) => {
                Timestamp::from_rfc3339(text).map(Some).ok_or(format!("{text:?} is no RFC 3339 time"))
            }
        };
        if !(0.0..=1.0).contains(&experience.holdout) {
            return Err("holdout is a share from 0 to 1".to_owned());
        }
        if experience.changes.is_empty() == experience.variants.is_empty() {
            return Err("either changes or variants should be given".to_owned());
        }
        let mut variants = Vec::new();
        for variant in &experience.variants {
            variants.push((variant.name.clone(), variant.weight, compile_changes(&variant.changes)?));
        }
        if variants.is_empty() {
            variants.push(("treated".to_owned(), 1, compile_changes(&experience.changes)?));
        }
        if variants.iter().all(|(_, weight, _)| *weight == 0) {
            return Err("one variant at least needs a weight above 0".to_owned());
        }
        let pages = experience.pages.iter().map(|page| Pattern::parse(page)).collect::<Result<_, _>>()?;
        let mut changes = variants.iter().flat_map(|(_, _, changes)| changes);
        Ok(Self {
            name: name.to_owned(),
            audience,
            pages,
            shows_fields: changes.any(|change| !change.template.is_plain()),
            variants,
            holdout: experience.holdout,
            from: instant(&experience.from)?,
            until: instant(&experience.until)?,
        })
    }
}

fn compile_changes(changes: &[Change]) -> Result<Vec<CompiledChange>, String> {
    changes.iter().map(compile_change).collect()
}

fn compile_change(change: &Change) -> Result<CompiledChange, String> {
    let needs_value = change.action != Action::Remove;
    if needs_value && change.value.is_none() {
        return Err("a change needs a value".to_owned());
    }
    if change.selector.trim().is_empty() != (change.action == Action::Redirect) {
        return Err("a change needs a selector, a redirect has none".to_owned());
    }
    if change.action == Action::SetAttribute {
        let name = change.name.as_deref().unwrap_or_default();
        let plain = !name.is_empty()
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b':'));
        if !plain || markup::is_code(name) {
            return Err(format!("the attribute {name:?} cannot be set"));
        }
    }
    let attribute = change.name.as_deref().unwrap_or_default();
    let sink = match change.action {
        Action::Redirect => Sink::Url,
        Action::SetAttribute if markup::is_address(attribute) => Sink::Url,
        Action::SetAttribute | Action::SetText | Action::Remove | Action::ReplaceText => Sink::Text,
        Action::SetHtml | Action::Append | Action::Prepend | Action::Before | Action::After => Sink::Html,
    };
    let template = Template::parse(change.value.as_deref().unwrap_or_default(), sink)?;
    Ok(CompiledChange { change: change.clone(), template })
}

/// Attributes that a browser can give, by the field of `setUser`.
pub const BROWSER_ATTRIBUTES: [(&str, &str); 4] =
    [("name", "FullName"), ("email", "Email"), ("localId", "LocalId"), ("authType", "AuthType")];

/// Names that filters can use, by their lower-case form.
struct Names {
    attributes: Map<String, (String, Type)>,
    measures: Map<String, (String, Type)>,
    segments: Map<String, String>,
}

impl Names {
    fn of(bundle: &Bundle) -> Self {
        let mut attributes = Map::new();
        let mut add = |name: &str, kind: Type| {
            attributes.get_or_insert_with(name.to_ascii_lowercase(), || (name.to_owned(), kind));
        };
        // The tracking table's columns come first: they are the ones a customer of it has.
        let tracking = bundle.settings.tracking_table.as_ref().and_then(|name| bundle.tables.get(name));
        for table in tracking.into_iter().chain(bundle.tables.values()) {
            add(&table.primary_key, Type::Text);
            for (name, column) in table.columns.iter() {
                add(
                    name,
                    match column {
                        Column::String => Type::Text,
                        Column::Number => Type::Number,
                        Column::Boolean => Type::Bool,
                    },
                );
            }
        }
        for (_, name) in BROWSER_ATTRIBUTES {
            add(name, Type::Text);
        }
        let measures = bundle.measures.iter().map(|(name, measure)| {
            let kind = match measure.aggregate {
                Aggregate::First | Aggregate::Last => Type::Any,
                _ => Type::Number,
            };
            (name.to_ascii_lowercase(), (name.clone(), kind))
        });
        let segments = bundle.segments.keys().map(|name| (name.to_ascii_lowercase(), name.clone()));
        let (measures, segments) = (measures.collect(), segments.collect());
        Self { attributes, measures: Map::gathered(measures), segments: Map::gathered(segments) }
    }
}

impl Schema for Names {
    fn attribute(&self, name: &str) -> Option<(String, Type)> {
        self.attributes.get(&name.to_ascii_lowercase()).cloned()
    }
    fn measure(&self, name: &str) -> Option<(String, Type)> {
        self.measures.get(&name.to_ascii_lowercase()).cloned()
    }
    fn segment(&self, name: &str) -> Option<String> {
        self.segments.get(&name.to_ascii_lowercase()).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn bundle(segments: &[(&str, &str)]) -> Bundle {
        serde_json::from_value(json!({
            "settings": { "trackingTable": "T" },
            "tables": { "T": { "primaryKey": "Id", "columns": { "Tier": "string", "Spend": "number", "Vip": "boolean" } } },
            "measures": { "LifetimeValue": { "aggregate": "sum", "property": "total", "filter": "ActivityType eq 'order'" } },
            "segments": segments.iter().map(|(name, filter)| ((*name).to_owned(), json!({ "filter": filter }))).collect::<serde_json::Map<_, _>>(),
        }))
        .unwrap()
    }

    fn refused(filter: &str) -> DefinitionError {
        Definitions::compile(bundle(&[("S", filter)])).unwrap_err()
    }

    #[test]
    fn the_documented_filters_compile() {
        for filter in [
            "UnifiedActivity/any(a: a/ActivityType eq 'View' and contains(a/ViewUri,'/coffee-machines/premium'))",
            "Measures/LifetimeValue ge 1000",
            "Tier in ('Gold','Platinum') and Measures/LifetimeValue gt 0",
            "UnifiedActivity/any(a: contains(a/ViewUri,'/reviews/') and a/ActivityTime gt now() sub duration'P30D')",
            "UnifiedActivity/$count($filter=contains(ViewUri,'/pricing') and ActivityTime gt now() sub duration'P7D') ge 3",
            "not (Vip eq true) or msdynci_tier eq null",
            "UnifiedActivity/all(a: a/Properties/total gt 5)",
        ] {
            Definitions::compile(bundle(&[("S", filter)]))
                .unwrap_or_else(|error| panic!("{filter}: {error}"));
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        for (filter, code, at) in [
            ("Tear eq 'Gold'", "invalid_filter", 0),
            ("Tier eq 5", "invalid_filter", 8),
            ("Spend", "invalid_filter", 0),
            ("Vip gt true", "invalid_filter", 0),
            ("Measures/Nope gt 1", "invalid_filter", 0),
            ("IsMemberOfSegment('Nope')", "invalid_filter", 18),
            ("contains(Tier)", "invalid_filter", 0),
            ("UnifiedActivity/any(a: Tier eq 'x')", "unsupported_in_definition", 23),
            (
                "UnifiedActivity/any(a: a/ActivityTime gt now() or a/Title eq 'x')",
                "unsupported_in_definition",
                0,
            ),
            ("UnifiedActivity/$count gt Spend", "unsupported_in_definition", 0),
            ("Other/any(a: a/Title eq 'x')", "invalid_filter", 0),
            (
                "Vip and UnifiedActivity/$count($filter=ActivityTime gt now() sub duration'P7D') ge 1000",
                "invalid_filter",
                8,
            ),
        ] {
            let error = refused(filter);
            assert_eq!(error.code(), code, "{filter}: {error}");
            assert!(matches!(error, DefinitionError::Filter { error, .. } if error.at == at), "{filter}");
        }
    }

    #[test]
    fn a_segment_over_segments_comes_after_them_and_a_cycle_is_refused() {
        let definitions = Definitions::compile(bundle(&[
            ("A", "IsMemberOfSegment('b') and Tier eq 'Gold'"),
            ("B", "IsMemberOfSegment('C')"),
            ("C", "Measures/LifetimeValue ge 1"),
        ]))
        .unwrap();
        let order: Vec<_> = definitions.segments.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(order, ["C", "B", "A"]);
    }

    #[test]
    fn a_circle_is_named_where_the_segment_that_is_saved_closes_it() {
        let before = bundle(&[
            ("A", "IsMemberOfSegment('B')"),
            ("B", "true"),
            ("C", "IsMemberOfSegment('A')"),
            ("D", "IsMemberOfSegment('A') and IsMemberOfSegment('B')"),
            ("E", "Tier eq 'IsMemberOfSegment('"),
        ]);
        for (name, filter, at) in [
            ("A", "IsMemberOfSegment('A')", 0),
            ("B", "not IsMemberOfSegment('b')", 4),
            ("B", "IsMemberOfSegment('E') or ismemberofsegment(('a'))", 26),
            ("B", "Tier eq 'IsMemberOfSegment(' or IsMemberOfSegment( 'C' )", 32),
            ("A", "IsMemberOfSegment('B') and (IsMemberOfSegment('D'))", 28),
        ] {
            let mut segments = before.clone();
            let segment = json!({ "filter": filter });
            segments.segments.insert(name.to_owned(), serde_json::from_value(segment).unwrap());
            segments.follow(&before);
            let error = Definitions::compile(segments).unwrap_err();
            assert_eq!(error.code(), "segment_cycle", "{filter}: {error}");
            let DefinitionError::Filter { what, error } = error else { panic!("{filter}") };
            assert_eq!((what, error.at), (format!("segment {name}"), at), "{filter}");
        }
    }

    #[test]
    fn a_measure_that_looks_at_the_clock_is_told_where() {
        let filter = "Title eq 'now()' and year(ActivityTime) eq year( NOW() )";
        let mut bundle = bundle(&[]);
        let measure = json!({ "aggregate": "count", "filter": filter });
        bundle.measures.insert("M".to_owned(), serde_json::from_value(measure).unwrap());
        let error = Definitions::compile(bundle).unwrap_err();
        assert_eq!(error.code(), "unsupported_in_definition", "{error}");
        assert!(matches!(error, DefinitionError::Filter { error, .. } if error.at == 49));
    }

    #[test]
    fn attributes_that_run_script_cannot_be_set() {
        for name in ["onclick", "ONLOAD", "style", "srcdoc", "", "a b"] {
            let change = json!({ "selector": "a", "action": "setAttribute", "name": name, "value": "x" });
            assert!(compile_change(&serde_json::from_value(change).unwrap()).is_err(), "{name}");
        }
    }
}

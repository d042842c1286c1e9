//! A filter tried out on customers as the index has them: their attributes, measures and segments as of
//! their last copy, and of their activities those that the index reaches back to.

use serde_json::Value;

use crate::activity;
use crate::collections::Map;
use crate::config::{Bundle, Segment};
use crate::counter::{Counter, CounterId};
use crate::definitions::{DefinitionError, Definitions};
use crate::expr::resolve::CustomerField;
use crate::expr::{Expr, Scalar, eval};
use crate::ids::SignalKey;
use crate::reading::Reading;
use crate::signal::Signal;
use crate::time::{DAY_MS, Timestamp};

/// No segment can be named so.
const NAME: &str = "?";

/// A filter, ready to be tried.
pub struct Preview {
    definitions: Definitions,
    filter: Expr<CustomerField>,
    counters: Vec<CounterId>,
}

/// A customer as the index has it.
pub struct Listed<'a> {
    /// Attributes by name.
    pub attributes: &'a Value,
    /// Measures by name.
    pub measures: &'a Value,
    /// Names of segments.
    pub segments: &'a [String],
    /// Activities, where [`Preview::needs_activities`].
    pub activities: &'a [(SignalKey, Signal)],
}

impl Preview {
    /// Of a filter that a segment of this configuration could have.
    ///
    /// # Errors
    /// As for a segment that is saved.
    pub fn new(bundle: &Bundle, filter: &str) -> Result<Self, DefinitionError> {
        let mut bundle = bundle.clone();
        let segment = Segment { filter: filter.to_owned(), display_name: None, active: true };
        bundle.segments.insert(NAME.to_owned(), segment);
        let definitions = Definitions::compile(bundle)?;
        let filter = definitions.segments.iter().find(|(name, _)| name == NAME);
        let filter = filter.map_or(Expr::Constant(Scalar::Null), |(_, filter)| filter.clone());
        let mut counters = Vec::new();
        filter.walk(&mut |node| {
            if let Expr::Field(CustomerField::Count(id)) = node {
                counters.push(*id);
            }
        });
        Ok(Self { definitions, filter, counters })
    }

    /// Whether activities are counted.
    pub fn needs_activities(&self) -> bool {
        !self.counters.is_empty()
    }

    /// Whether it looks further back than this.
    pub fn reaches_beyond(&self, days: u32) -> bool {
        let countings = self.counters.iter().filter_map(|id| self.definitions.counters.get(id));
        let mut windows = countings.map(|counting| counting.window.and_then(|window| window.after));
        windows.any(|after| after.is_none_or(|after| after < -DAY_MS * i64::from(days)))
    }

    /// Whether a customer would be in the segment.
    pub fn holds(&self, customer: &Listed<'_>, now: Timestamp) -> bool {
        let mut states: Map<CounterId, Counter> = Map::new();
        for id in &self.counters {
            let Some(counting) = self.definitions.counters.get(id) else { continue };
            let state = states.get_or_insert_with(*id, Counter::default);
            let counted = |signal: &Signal| counting.matches(&Reading::of(signal));
            for (key, signal) in customer.activities.iter().filter(|(_, signal)| counted(signal)) {
                state.fold(counting, *key, signal, now);
            }
        }
        let field = |field: &CustomerField| match field {
            CustomerField::Attribute(name) => activity::scalar(customer.attributes.get(name)),
            CustomerField::Measure(name) => activity::scalar(customer.measures.get(name)),
            CustomerField::Member(name) => Scalar::Bool(customer.segments.contains(name)),
            CustomerField::Count(id) => match self.definitions.counter(*id, &states) {
                Some((counting, counter)) => Scalar::Number(counter.count_at(counting, now) as f64),
                None => Scalar::Null,
            },
        };
        eval::holds(&self.filter, &field, now)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::ids::{CookieId, StreamId};
    use crate::signal::{Kind, Source};

    const NOW: Timestamp = Timestamp(100 * DAY_MS);

    fn preview(filter: &str) -> Result<Preview, DefinitionError> {
        let bundle = json!({
            "tables": { "T": { "primaryKey": "Id", "columns": { "Tier": "string" } } },
            "measures": { "Spent": { "aggregate": "sum", "property": "total" } },
            "segments": { "Gold": { "filter": "Tier eq 'Gold'" } },
        });
        Preview::new(&serde_json::from_value(bundle).unwrap(), filter)
    }

    fn view(uri: &str, days_ago: i64) -> (SignalKey, Signal) {
        let signal = Signal {
            stream: StreamId::from_bits(1),
            seq: 1,
            time: NOW.plus(-days_ago * DAY_MS),
            kind: Kind::View,
            fields: serde_json::from_value(json!({ "uri": uri })).unwrap(),
            source: Source::Browser,
        };
        (signal.key(CookieId::from_bits(1)), signal)
    }

    #[test]
    fn a_filter_is_tried_on_what_the_index_has() {
        let activities = [view("/reviews/1", 1), view("/reviews/2", 9), view("/", 2)];
        let customer = Listed {
            attributes: &json!({ "Tier": "Gold" }),
            measures: &json!({ "Spent": 120.5 }),
            segments: &["Gold".to_owned()],
            activities: &activities,
        };
        for (filter, holds) in [
            ("tier eq 'gold'", true),
            ("Measures/Spent gt 120", true),
            ("Measures/Spent gt 121", false),
            ("IsMemberOfSegment('gold') and Email eq null", true),
            ("UnifiedActivity/$count($filter=contains(ViewUri,'/reviews/')) eq 2", true),
            (
                "UnifiedActivity/$count($filter=contains(ViewUri,'/reviews/') and \
                 ActivityTime gt now() sub duration'P7D') eq 1",
                true,
            ),
        ] {
            let preview = preview(filter).unwrap();
            assert_eq!(preview.holds(&customer, NOW), holds, "{filter}");
            assert_eq!(preview.needs_activities(), filter.contains("Unified"), "{filter}");
        }
    }

    #[test]
    fn it_knows_when_the_index_cannot_tell() {
        let week = "UnifiedActivity/any(a: a/ActivityTime gt now() sub duration'P7D')";
        assert!(!preview(week).unwrap().reaches_beyond(30) && preview(week).unwrap().reaches_beyond(6));
        assert!(preview("UnifiedActivity/$count eq 0").unwrap().reaches_beyond(30));
        assert!(!preview("Tier eq 'x'").unwrap().reaches_beyond(0));
    }

    #[test]
    fn a_fault_is_named_with_its_place() {
        let error = preview("Tear eq 'Gold'").err().unwrap();
        assert_eq!(error.code(), "invalid_filter");
        assert!(error.to_string().ends_with("position 0"), "{error}");
    }
}

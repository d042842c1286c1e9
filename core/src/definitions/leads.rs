//! What led somebody into a segment: of the signals until they entered it, the newest that its condition looks at. A
//! function of the signals, the definitions and that instant, so it is told when it is asked for, and kept nowhere.

use super::{BROWSER_ATTRIBUTES, Definitions};
use crate::collections::Set;
use crate::places::Place;
use crate::reading::Reading;
use crate::signal::{Kind, Signal};
use crate::time::Timestamp;

impl Definitions {
    /// Which of these signals, given newest first, led into a segment that was entered `at` that instant. None where
    /// the condition looks at none of them.
    pub fn led_into<'a>(&self, segment: &str, at: Timestamp, signals: &[&'a Signal]) -> Option<&'a Signal> {
        let own = self.reach.place(segment)?;
        let mut askers = Set::default();
        askers.insert(own);
        // Those that it asks about stand before it.
        for place in (0..own).rev() {
            if self.reach.of_segment(place).iter().any(|asker| askers.contains(asker)) {
                askers.insert(place);
            }
        }
        signals.iter().find(|signal| signal.time <= at && self.looks_at(&askers, signal)).copied()
    }

    fn looks_at(&self, askers: &Set<Place>, signal: &Signal) -> bool {
        let ours = |places: &[Place]| places.iter().any(|place| askers.contains(place));
        match signal.kind {
            Kind::User => {
                let given = BROWSER_ATTRIBUTES.iter().filter(|(field, _)| signal.fields.contains_key(*field));
                let traits = signal.fields.get("traits").and_then(serde_json::Value::as_object);
                let traits = traits.into_iter().flatten().map(|(name, _)| name.as_str());
                given.map(|(_, name)| *name).chain(traits).any(|name| ours(self.reach.of_attribute(name)))
            }
            Kind::Consent => false,
            Kind::View | Kind::Action | Kind::Event => {
                let read = Reading::of(signal);
                self.reach.counters(&read).iter().any(|place| {
                    let counting = self.counters.nth(place as usize);
                    ours(self.reach.of_counter(place))
                        && counting.is_some_and(|(_, counting)| counting.matches(&read))
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::ids::StreamId;
    use crate::signal::Source;

    fn definitions() -> Definitions {
        let bundle = json!({
            "measures": { "Spent": { "aggregate": "sum", "property": "total", "filter": "ActivityType eq 'order'" } },
            "segments": {
                "Menu": { "filter": "UnifiedActivity/any(a: a/ViewUri eq '/menu')" },
                "Often": { "filter": "UnifiedActivity/$count($filter=ActivityType eq 'View') ge 2" },
                "Spender": { "filter": "Measures/Spent gt 100" },
                "Best": { "filter": "IsMemberOfSegment('Spender') and IsMemberOfSegment('Menu')" },
                "Ada": { "filter": "FullName eq 'Ada'" },
                "Quiet": { "filter": "not (UnifiedActivity/any(a: a/ActivityType eq 'order'))" },
            },
        });
        Definitions::compile(serde_json::from_value(bundle).unwrap()).unwrap()
    }

    fn signal(seq: u64, kind: Kind, fields: Value) -> Signal {
        let Value::Object(fields) = fields else { panic!() };
        let time = Timestamp(1000 * seq.cast_signed());
        Signal { stream: StreamId::from_bits(1), seq, time, kind, source: Source::Browser, fields }
    }

    /// The numbers of what led into segments, entered after so many of these.
    fn led(segment: &str, at: i64) -> Option<u64> {
        let signals = [
            signal(1, Kind::View, json!({ "uri": "/menu" })),
            signal(2, Kind::User, json!({ "name": "Ada" })),
            signal(3, Kind::Event, json!({ "name": "order", "properties": { "total": 120 } })),
            signal(4, Kind::View, json!({ "uri": "/" })),
            signal(5, Kind::Action, json!({ "name": "Buy" })),
            signal(6, Kind::Consent, json!({ "purposes": { "analytics": "granted" } })),
            signal(7, Kind::User, json!({ "traits": { "FullName": "Ada" } })),
            signal(8, Kind::User, json!({ "email": "ada@example.com" })),
        ];
        let newest: Vec<&Signal> = signals.iter().rev().collect();
        definitions().led_into(segment, Timestamp(1000 * at), &newest).map(|signal| signal.seq)
    }

    #[test]
    fn the_newest_that_the_condition_looks_at_is_told() {
        assert_eq!(led("Menu", 8), Some(1));
        assert_eq!(led("Often", 8), Some(4));
        assert_eq!((led("Ada", 8), led("Ada", 6)), (Some(7), Some(2)));
    }

    #[test]
    fn a_condition_looks_at_what_its_measures_and_other_segments_look_at() {
        assert_eq!(led("Spender", 8), Some(3));
        assert_eq!((led("Best", 8), led("Best", 2)), (Some(3), Some(1)));
    }

    #[test]
    fn nothing_after_the_instant_and_nothing_else_is() {
        assert_eq!((led("Often", 3), led("Often", 0)), (Some(1), None));
        assert_eq!((led("Spender", 2), led("Nobody", 8)), (None, None));
    }
}

//! What sources say of a customer, value by value: the newest of a source wins, nested values keep the
//! keys of both, and no value changes its type on the way. A pure function of the *set* of what was
//! said (law 1): order and doubling make no difference.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::collections::Map as SmallMap;
use crate::ids::SignalKey;
use crate::json;
use crate::time::Timestamp;

/// A value that the newest writer wins: by time, then by identity, so that ties have one answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Given {
    time: Timestamp,
    key: SignalKey,
    /// The value.
    pub value: Value,
}

impl Given {
    /// What one signal says.
    pub fn new(time: Timestamp, key: SignalKey, value: &Value) -> Self {
        Self { time, key, value: value.clone() }
    }

    fn rank(&self) -> (Timestamp, SignalKey) {
        (self.time, self.key)
    }

    /// Whether this one is at least as new.
    fn is_after(&self, other: &Self) -> bool {
        self.rank() >= other.rank()
    }

    /// As newest wins, but at equal times a denial does (scenario A12).
    pub fn is_stricter(&self, other: &Self) -> bool {
        let rank = |given: &Self| (given.time, given.value == "denied", given.key);
        rank(self) > rank(other)
    }
}

/// Values that one source may give a profile; the oldest ones beyond it go. Together with the next bound
/// it keeps a profile's row far below the 2 MB that storage takes.
const KEPT: usize = 128;
/// Longest value, as JSON, in bytes; a longer one stays with its signal and is no attribute.
const VALUE_BYTES: usize = 4096;

/// Values of one source by path: the keys on the way to it, escaped and joined as in a JSON Pointer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Attributes(SmallMap<String, Given>);

impl Attributes {
    /// One source said `name` is this value, in the signal `key` at `time`. An object is taken key by key.
    pub fn give(&mut self, name: &str, time: Timestamp, key: SignalKey, value: &Value) {
        self.leaf(&name.replace('~', "~0").replace('/', "~1"), time, key, value);
        while self.0.len() > KEPT {
            // The oldest of all: whatever order they came in, the same ones stay.
            let oldest = self.0.iter().min_by(|(a, x), (b, y)| (x.rank(), a).cmp(&(y.rank(), b)));
            let Some(path) = oldest.map(|(path, _)| path.clone()) else { break };
            self.0.remove(&path);
        }
    }

    fn leaf(&mut self, path: &str, time: Timestamp, key: SignalKey, value: &Value) {
        if let Value::Object(map) = value {
            for (name, value) in map {
                let name = name.replace('~', "~0").replace('/', "~1");
                self.leaf(&format!("{path}/{name}"), time, key, value);
            }
            return;
        }
        let short = match value {
            Value::String(text) => text.len() <= VALUE_BYTES,
            _ => json::text(value).len() <= VALUE_BYTES,
        };
        let given = Given::new(time, key, value);
        if short && self.0.get(path).is_none_or(|old| given.is_after(old)) {
            self.0.insert(path.to_owned(), given);
        }
    }

    /// A value that is not nested.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name).map(|given| &given.value)
    }

    /// Fills in what stronger sources left open. Where a plain value and keys below it exclude each
    /// other, the newer stands.
    pub fn fill(&self, into: &mut SmallMap<String, Value>) {
        let mut left: Vec<_> = self.0.iter().collect();
        // The newest first. There are a few of them, and never more than are kept.
        while let Some((at, _)) =
            left.iter().enumerate().max_by(|(_, (a, x)), (_, (b, y))| (x.rank(), a).cmp(&(y.rank(), b)))
        {
            let (path, given) = left.swap_remove(at);
            let mut parts = path.split('/').map(|part| part.replace("~1", "/").replace("~0", "~"));
            let Some(name) = parts.next() else { continue };
            put(into.get_or_insert_with(name, || Value::Null), &mut parts, &given.value);
        }
        into.retain(|_, value| !value.is_null());
    }
}

/// Puts a value where nothing is yet.
fn put(place: &mut Value, path: &mut impl Iterator<Item = String>, value: &Value) {
    let Some(name) = path.next() else {
        if place.is_null() {
            *place = value.clone();
        }
        return;
    };
    if place.is_null() {
        *place = Value::Object(Map::new());
    }
    if let Value::Object(map) = place {
        put(map.entry(name).or_insert(Value::Null), path, value);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::ids::{CookieId, StreamId};

    fn key(seq: u64) -> SignalKey {
        SignalKey { cookie: CookieId::from_bits(1), stream: StreamId::from_bits(1), seq }
    }

    fn filled(sources: &[&Attributes]) -> Value {
        let mut into = SmallMap::new();
        for source in sources {
            source.fill(&mut into);
        }
        json!(into)
    }

    #[test]
    fn nested_values_keep_both_keys_and_types_stay() {
        let mut given = Attributes::default();
        given.give("address", Timestamp(1), key(1), &json!({ "city": "Lyon", "floor": 3 }));
        given.give("address", Timestamp(2), key(2), &json!({ "zip": "02110", "city": "Paris" }));
        let expected = json!({ "address": { "city": "Paris", "floor": 3, "zip": "02110" } });
        assert_eq!(filled(&[&given]), expected);
    }

    #[test]
    fn a_value_that_is_too_long_is_none() {
        let mut given = Attributes::default();
        given.give("note", Timestamp(1), key(1), &json!("short"));
        given.give("note", Timestamp(2), key(2), &json!("x".repeat(VALUE_BYTES + 1)));
        given.give("list", Timestamp(2), key(2), &json!(vec![1; VALUE_BYTES]));
        assert_eq!(filled(&[&given]), json!({ "note": "short" }));
    }

    #[test]
    fn a_weaker_source_fills_in_and_never_hides() {
        let (mut server, mut browser) = (Attributes::default(), Attributes::default());
        server.give("plan", Timestamp(1), key(1), &json!("gold"));
        server.give("address", Timestamp(1), key(1), &json!({ "city": "Lyon" }));
        browser.give("plan", Timestamp(9), key(2), &json!({ "name": "free" }));
        browser.give("address", Timestamp(9), key(2), &json!({ "city": "Rome", "zip": "1" }));
        let expected = json!({ "plan": "gold", "address": { "city": "Lyon", "zip": "1" } });
        assert_eq!(filled(&[&server, &browser]), expected);
    }

    proptest! {
        #[test]
        fn any_order_and_doubling_give_the_same(
            told in prop::collection::vec((0_i64..4, 1_u64..30, 0_usize..6), 1..20),
            again in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
        ) {
            let values = [
                ("a", json!(1)), ("a", json!({ "b": 2 })), ("a", json!({ "b": { "c": 3 } })),
                ("a/b", json!("x")), ("a~", json!({ "/": true })), ("a", json!("1")),
            ];
            let all = |order: &mut dyn Iterator<Item = &(i64, u64, usize)>| {
                let mut given = Attributes::default();
                for (time, seq, value) in order {
                    // One signal says one thing: its identity is made of all three.
                    let (name, value) = (values[*value].0, (&values[*value].1, *value as u64));
                    given.give(name, Timestamp(*time), key(seq * 10 + value.1), value.0);
                }
                filled(&[&given])
            };
            let forth = all(&mut told.iter());
            let mut shuffled: Vec<_> = told.iter().rev().collect();
            shuffled.extend(again.iter().map(|index| index.get(&told)));
            prop_assert_eq!(forth, all(&mut shuffled.into_iter()));
        }

        #[test]
        fn the_newest_stay_whatever_the_order(seed in any::<u64>()) {
            let told: Vec<u64> = (1..=KEPT as u64 + 40).collect();
            let mut shuffled = told.clone();
            shuffled.sort_by_key(|n| n.wrapping_mul(seed | 1).rotate_left(17));
            let all = |order: &[u64]| {
                let mut given = Attributes::default();
                for n in order {
                    given.give(&format!("a{n}"), Timestamp(n.rem_euclid(7) as i64), key(*n), &json!(n));
                }
                given
            };
            prop_assert_eq!(all(&told), all(&shuffled));
        }
    }
}

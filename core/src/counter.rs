//! Counters: what is kept of the activities so that no filter or measure ever looks back (law 9).
//!
//! A counter's state is a function of the *set* of activities folded into it, whatever their order:
//! sums are exact integers, `first` and `last` compare (time, identity), what a window asks for keeps
//! the newest that can still decide (`recent`), different values keep the least digests
//! (`distinct`). The property tests of the profile hold that against a fold from scratch.

mod distinct;
mod recent;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::activity::ActivityField;
use crate::expr::{Comparison, Expr, Scalar, eval};
use crate::ids::SignalKey;
use crate::reading::Reading;
use crate::signal::{Kind, Signal};
use crate::time::Timestamp;
use crate::work;

pub use self::distinct::EXACT as DISTINCT_EXACT;
pub use self::recent::Window;

/// Name of a counter: a digest of what it counts, so that a definition that is renamed or saved again
/// unchanged keeps its state. As text, 16 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CounterId(u64);

impl CounterId {
    /// As text.
    pub fn text(self) -> String {
        format!("{:016x}", self.0)
    }
}

impl Serialize for CounterId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text())
    }
}

impl<'de> Deserialize<'de> for CounterId {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let bits = u64::from_str_radix(&text, 16);
        bits.map(Self).map_err(|_| serde::de::Error::custom("no name of a counter"))
    }
}

/// How activities become a number or a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Aggregate {
    /// How many.
    Count,
    /// Sum of a property.
    Sum,
    /// Mean of a property.
    Average,
    /// Least number.
    Min,
    /// Greatest number.
    Max,
    /// Value of the oldest.
    First,
    /// Value of the newest.
    Last,
    /// How many different values.
    CountDistinct,
}

/// Most activities of a time window that decide a comparison or make a measure. A profile keeps as many,
/// the newest, and writes them again with each one more.
pub const WINDOW_COUNT: usize = 1000;
/// As many of the newest values does a `first` with a window choose from.
pub const WINDOW_FIRSTS: usize = 100;
/// Longest text that a `first` with a window keeps, in bytes; longer ones are no value of it.
pub const WINDOW_TEXT_BYTES: usize = 256;

/// One thing to count.
#[derive(Clone, Debug, PartialEq)]
pub struct Counting {
    /// Its name.
    pub id: CounterId,
    /// Which activities.
    pub predicate: Option<Expr<ActivityField>>,
    /// In which moving window; none for all time.
    pub window: Option<Window>,
    /// What is made of them.
    pub aggregate: Aggregate,
    /// Of which field.
    pub field: Option<ActivityField>,
    /// How many of the newest in the window must be kept.
    pub keep: usize,
    /// The counts at which something changes for those who ask; none where each change is one.
    pub steps: Option<Vec<usize>>,
    /// Version of the definitions since which it is counted.
    pub since: u64,
}

impl Counting {
    /// Counts activities, for comparisons that need to know of `keep` of them.
    pub fn activities(predicate: Option<Expr<ActivityField>>, window: Option<Window>, keep: usize) -> Self {
        // What is kept does not name the counter: filters that count the same to different limits
        // share one, with the largest.
        let id = Self::digest(&(&predicate, &window));
        let steps = Some(vec![keep.saturating_sub(1), keep]);
        // Of all time only the number is kept.
        let keep = window.map_or(0, |_| keep);
        Self { id, predicate, window, aggregate: Aggregate::Count, field: None, keep, steps, since: 0 }
    }

    /// A measure: aggregates a property of activities, or counts them.
    pub fn values(
        predicate: Option<Expr<ActivityField>>,
        aggregate: Aggregate,
        field: Option<ActivityField>,
        window: Option<Window>,
    ) -> Self {
        let Some(window) = window else {
            let id = Self::digest(&(&predicate, &aggregate, &field));
            return Self { id, predicate, window: None, aggregate, field, keep: 0, steps: None, since: 0 };
        };
        if aggregate == Aggregate::Count {
            // The same counter that a filter would have, so that they share one.
            let predicate = join(predicate, field.map(has_value));
            let counting = Self::activities(predicate, Some(window), WINDOW_COUNT);
            return Self { steps: None, ..counting };
        }
        let keep = match aggregate {
            Aggregate::Last => 1,
            Aggregate::First => WINDOW_FIRSTS,
            _ => WINDOW_COUNT,
        };
        let id = Self::digest(&(&predicate, &aggregate, &field, &window));
        Self { id, predicate, window: Some(window), aggregate, field, keep, steps: None, since: 0 }
    }

    fn digest(parts: &impl Serialize) -> CounterId {
        // Serialising plain enums into memory cannot fail; were it to, all such counters would share a
        // name that no other has.
        let canonical = serde_json::to_vec(parts).unwrap_or_default();
        CounterId(digest(&canonical))
    }

    /// One counter for whoever asks for the same thing.
    pub(crate) fn join(&mut self, other: &Self) {
        self.keep = self.keep.max(other.keep);
        self.since = self.since.min(other.since);
        match (&mut self.steps, &other.steps) {
            (Some(steps), Some(others)) => {
                for step in others {
                    if let Err(place) = steps.binary_search(step) {
                        steps.insert(place, *step);
                    }
                }
            }
            (steps, _) => *steps = None,
        }
    }

    /// Whether an activity counts at all.
    pub fn matches(&self, read: &Reading<'_>) -> bool {
        work::tried();
        let Signal { kind, time, .. } = read.signal;
        matches!(kind, Kind::View | Kind::Action | Kind::Event)
            && self.predicate.as_ref().is_none_or(|predicate| eval::holds_of(predicate, read, *time))
    }
}

fn has_value(field: ActivityField) -> Expr<ActivityField> {
    let null = Expr::Constant(Scalar::Null);
    Expr::Compare(Box::new(Expr::Field(field)), Comparison::Ne, Box::new(null))
}

fn join(one: Option<Expr<ActivityField>>, other: Option<Expr<ActivityField>>) -> Option<Expr<ActivityField>> {
    match (one, other) {
        (Some(Expr::And(mut parts)), Some(other)) => {
            parts.push(other);
            Some(Expr::And(parts))
        }
        (Some(one), Some(other)) => Some(Expr::And(vec![one, other])),
        (one, other) => one.or(other),
    }
}

/// The first eight bytes of a digest.
fn digest(bytes: &[u8]) -> u64 {
    Sha256::digest(bytes).iter().take(8).fold(0, |bits, byte| (bits << 8) | u64::from(*byte))
}

/// Exact sums: a double is folded as a whole number of millionths, so that no order of addition can
/// change the result. Larger values than this count as absent.
const SUM_LIMIT: f64 = 1e24;
const SUM_SCALE: f64 = 1e6;

fn millionths(number: f64) -> i128 {
    (number * SUM_SCALE).round() as i128
}

fn of_millionths(sum: i128) -> f64 {
    sum as f64 / SUM_SCALE
}

/// What a counter has kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub struct Counter {
    /// How many activities matched (with a usable value, where one is aggregated), of all time.
    #[serde(default)]
    pub count: u64,
    /// Sum in millionths, as text: JSON numbers end at 2^53.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "wide")]
    sum: Option<i128>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    least: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    greatest: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    first: Option<Stamped>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last: Option<Stamped>,
    /// Digests of different values, the least ones, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    distinct: Vec<u64>,
    /// Newest instants, newest first; only of windows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    recent: Vec<Timestamp>,
    /// What each of them had, where more is asked of a window than how many.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    values: Vec<Value>,
    /// How many of the newest were kept: a definition that needs more looks at the timeline again.
    #[serde(default)]
    kept: usize,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Stamped {
    time: Timestamp,
    key: SignalKey,
    value: Value,
}

impl Counter {
    /// Nothing counted yet.
    pub const NOTHING: Self = Self {
        count: 0,
        sum: None,
        least: None,
        greatest: None,
        first: None,
        last: None,
        distinct: Vec::new(),
        recent: Vec::new(),
        values: Vec::new(),
        kept: 0,
    };

    /// The oldest of the activities that a `first` or `last` of all time is chosen from: when, and its value.
    pub fn oldest(&self) -> Option<(Timestamp, &Value)> {
        self.first.as_ref().map(|first| (first.time, &first.value))
    }

    /// When the newest of them was.
    pub fn newest(&self) -> Option<Timestamp> {
        self.last.as_ref().map(|last| last.time)
    }

    /// How many of the newest instants it keeps.
    pub fn kept(&self) -> usize {
        self.kept
    }

    /// Folds one activity that counts and was not folded before. Says whether anything changed.
    pub fn fold(&mut self, counting: &Counting, key: SignalKey, signal: &Signal, now: Timestamp) -> bool {
        self.kept = counting.keep;
        let value = counting.field.as_ref().map(|field| field.of(signal));
        if let Some(window) = counting.window {
            return self.note_recent(counting, window, signal.time, value, now);
        }
        let Some(value) = value else {
            self.count += 1;
            return true;
        };
        match counting.aggregate {
            Aggregate::Count => {
                if value == Scalar::Null {
                    return false;
                }
            }
            Aggregate::CountDistinct => {
                let Some(digest) = distinct::digest_of(value) else { return false };
                distinct::note(&mut self.distinct, digest);
            }
            Aggregate::First | Aggregate::Last => {
                let Some(value) = json_of(value) else { return false };
                let stamped = Stamped { time: signal.time, key, value };
                let order = |stamped: &Stamped| (stamped.time, stamped.key);
                if self.first.as_ref().is_none_or(|first| order(&stamped) < order(first)) {
                    self.first = Some(stamped.clone());
                }
                if self.last.as_ref().is_none_or(|last| order(&stamped) > order(last)) {
                    self.last = Some(stamped);
                }
            }
            Aggregate::Sum | Aggregate::Average | Aggregate::Min | Aggregate::Max => {
                let Some(number) = summand(&value) else { return false };
                self.sum = Some(self.sum.unwrap_or(0).saturating_add(millionths(number)));
                self.least = Some(self.least.map_or(number, |least| least.min(number)));
                self.greatest = Some(self.greatest.map_or(number, |greatest| greatest.max(number)));
            }
        }
        self.count += 1;
        true
    }

    /// The aggregate's value at `now`; null while nothing was counted, except a count, which is 0.
    pub fn value(&self, counting: &Counting, now: Timestamp) -> Value {
        if let Some(window) = counting.window {
            return self.recent_value(counting, window, now);
        }
        let number = |number: Option<f64>| number.map_or(Value::Null, Into::into);
        let stamped =
            |stamped: &Option<Stamped>| stamped.as_ref().map_or(Value::Null, |stamped| stamped.value.clone());
        match counting.aggregate {
            Aggregate::Count => self.count.into(),
            Aggregate::Sum => number(self.sum.map(of_millionths)),
            Aggregate::Average => number(self.sum.map(|sum| of_millionths(sum) / self.count as f64)),
            Aggregate::Min => number(self.least),
            Aggregate::Max => number(self.greatest),
            Aggregate::First => stamped(&self.first),
            Aggregate::Last => stamped(&self.last),
            Aggregate::CountDistinct => distinct::how_many(&self.distinct).into(),
        }
    }
}

/// A number that can be added up exactly.
fn summand(value: &Scalar) -> Option<f64> {
    match value {
        Scalar::Number(number) if number.abs() <= SUM_LIMIT => Some(*number),
        _ => None,
    }
}

fn json_of(value: Scalar) -> Option<Value> {
    Some(match value {
        Scalar::Null => return None,
        Scalar::Bool(truth) => truth.into(),
        Scalar::Number(number) => number.into(),
        Scalar::Text(text) => text.into(),
        Scalar::Time(time) => time.0.into(),
    })
}

/// `i128` as decimal text.
mod wide {
    use serde::{Deserialize, Deserializer, Serializer, de};

    #[allow(clippy::ref_option)] // the signature that serde calls
    pub(super) fn serialize<S: Serializer>(sum: &Option<i128>, serializer: S) -> Result<S::Ok, S::Error> {
        match sum {
            Some(sum) => serializer.collect_str(sum),
            None => serializer.serialize_none(),
        }
    }
    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i128>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| text.parse().map_err(de::Error::custom)).transpose()
    }
}

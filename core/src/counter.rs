//! Counters: what is kept of the activities so that no filter or measure ever looks back (law 9).
//!
//! A counter's state is a function of the *set* of activities folded into it, whatever their order:
//! sums are exact integers, `first` and `last` compare (time, identity), windowed counts keep the
//! newest instants that can still decide. The property tests below hold that against a fold from
//! scratch.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::activity::ActivityField;
use crate::expr::{Expr, Scalar, eval};
use crate::ids::SignalKey;
use crate::mutants::planted;
use crate::signal::{Kind, Signal};
use crate::time::Timestamp;

/// Name of a counter: a digest of what it counts, so that a definition that is renamed or saved again
/// unchanged keeps its state.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CounterId(String);

impl CounterId {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A moving window, in milliseconds relative to now: activities in `(now + after, now + until]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Window {
    /// Exclusive begin; none means since ever.
    pub after: Option<i64>,
    /// Inclusive end.
    pub until: i64,
}

impl Window {
    /// Both windows at once.
    #[must_use]
    pub fn narrowed(self, other: Self) -> Self {
        Self { after: self.after.max(other.after), until: self.until.min(other.until) }
    }

    fn begin(self, now: Timestamp) -> Timestamp {
        self.after.map_or(Timestamp(i64::MIN), |after| now.plus(after))
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
}

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
    /// How many of the newest instants must be kept to decide every comparison with a windowed count.
    pub keep: usize,
}

impl Counting {
    /// Counts activities.
    pub fn activities(predicate: Option<Expr<ActivityField>>, window: Option<Window>, keep: usize) -> Self {
        // What is kept does not name the counter: filters that count the same to different limits
        // share one, with the largest.
        let id = Self::digest(&(&predicate, &window));
        Self { id, predicate, window, aggregate: Aggregate::Count, field: None, keep }
    }

    /// Aggregates a property of activities.
    pub fn values(
        predicate: Option<Expr<ActivityField>>,
        aggregate: Aggregate,
        field: Option<ActivityField>,
    ) -> Self {
        let id = Self::digest(&(&predicate, &aggregate, &field));
        Self { id, predicate, window: None, aggregate, field, keep: 0 }
    }

    fn digest(parts: &impl Serialize) -> CounterId {
        // Serialising plain enums into memory cannot fail; were it to, all such counters would share a
        // name that no other has.
        let canonical = serde_json::to_vec(parts).unwrap_or_default();
        let digest = Sha256::digest(&canonical);
        let bits = digest.iter().take(8).fold(0_u64, |bits, byte| (bits << 8) | u64::from(*byte));
        CounterId(format!("{bits:016x}"))
    }

    /// Whether an activity counts at all.
    pub fn matches(&self, signal: &Signal) -> bool {
        matches!(signal.kind, Kind::View | Kind::Action | Kind::Event)
            && self
                .predicate
                .as_ref()
                .is_none_or(|predicate| eval::holds(predicate, &|field| field.of(signal), signal.time))
    }
}

/// Exact sums: a double is folded as a whole number of millionths, so that no order of addition can
/// change the result. Larger values than this count as absent.
const SUM_LIMIT: f64 = 1e24;
const SUM_SCALE: f64 = 1e6;

/// What a counter has kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub struct Counter {
    /// How many activities matched (with a usable value, where one is aggregated).
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
    /// Newest instants, newest first; only of windowed counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    recent: Vec<Timestamp>,
    /// How many of the newest were kept: a definition that needs more looks at the timeline again.
    #[serde(default)]
    kept: usize,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Stamped {
    time: Timestamp,
    key: SignalKey,
    value: serde_json::Value,
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
        recent: Vec::new(),
        kept: 0,
    };

    /// How many of the newest instants it keeps.
    pub fn kept(&self) -> usize {
        self.kept
    }

    /// Folds one activity that was not folded before. Says whether anything changed.
    pub fn fold(&mut self, counting: &Counting, key: SignalKey, signal: &Signal, now: Timestamp) -> bool {
        if !counting.matches(signal) {
            return false;
        }
        self.kept = counting.keep;
        if counting.window.is_some() {
            let place = if planted(27) { 0 } else { self.recent.partition_point(|time| *time > signal.time) };
            self.recent.insert(place, signal.time);
            self.trim(counting, now);
            return true;
        }
        let Some(field) = &counting.field else {
            self.count += 1;
            return true;
        };
        let value = field.of(signal);
        match counting.aggregate {
            Aggregate::Count => {
                if value == Scalar::Null {
                    return false;
                }
            }
            Aggregate::First | Aggregate::Last => {
                let value = match value {
                    Scalar::Null => return false,
                    Scalar::Bool(truth) => truth.into(),
                    Scalar::Number(number) => number.into(),
                    Scalar::Text(text) => text.into(),
                    Scalar::Time(time) => time.0.into(),
                };
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
                let Scalar::Number(number) = value else { return false };
                if number.abs() > SUM_LIMIT {
                    return false;
                }
                let millionths = (number * SUM_SCALE).round() as i128;
                self.sum = Some(self.sum.unwrap_or(0).saturating_add(millionths));
                self.least = Some(self.least.map_or(number, |least| least.min(number)));
                self.greatest = Some(self.greatest.map_or(number, |greatest| greatest.max(number)));
            }
        }
        self.count += 1;
        true
    }

    /// Forgets instants that no comparison can reach any more: those before the window, and those
    /// behind the `keep` newest that are already inside it.
    fn trim(&mut self, counting: &Counting, now: Timestamp) {
        let Some(window) = counting.window else { return };
        let end = now.plus(window.until);
        let ahead = self.recent.partition_point(|time| *time > end);
        self.recent.truncate(ahead.saturating_add(counting.keep));
        let begin = window.begin(now);
        self.recent.truncate(self.recent.partition_point(|time| *time > begin));
    }

    /// How many activities count now (capped at what is kept, which decides every comparison).
    pub fn count_at(&self, counting: &Counting, now: Timestamp) -> u64 {
        let Some(window) = counting.window else { return self.count };
        let (begin, end) = (window.begin(now), now.plus(window.until));
        self.recent.iter().filter(|time| **time > begin && **time <= end).count() as u64
    }

    /// The next instant after `now` at which time alone changes the count.
    pub fn next_change(&self, counting: &Counting, now: Timestamp) -> Option<Timestamp> {
        let window = counting.window?;
        let leaves = |time: &Timestamp| window.after.map(|after| time.plus(-after));
        let enters = |time: &Timestamp| Some(time.plus(-window.until));
        self.recent
            .iter()
            .flat_map(|time| [leaves(time), enters(time)])
            .flatten()
            .filter(|instant| *instant > now)
            .min()
    }

    /// The aggregate's value; null while nothing was counted, except a count, which is 0.
    pub fn value(&self, counting: &Counting) -> serde_json::Value {
        let number = |number: Option<f64>| number.map_or(serde_json::Value::Null, Into::into);
        let stamped = |stamped: &Option<Stamped>| {
            stamped.as_ref().map_or(serde_json::Value::Null, |stamped| stamped.value.clone())
        };
        match counting.aggregate {
            Aggregate::Count => self.count.into(),
            Aggregate::Sum => number(self.sum.map(|sum| sum as f64 / SUM_SCALE)),
            Aggregate::Average => number(self.sum.map(|sum| sum as f64 / SUM_SCALE / self.count as f64)),
            Aggregate::Min => number(self.least),
            Aggregate::Max => number(self.greatest),
            Aggregate::First => stamped(&self.first),
            Aggregate::Last => stamped(&self.last),
        }
    }
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

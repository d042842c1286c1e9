//! What a moving window asks for: instants of the newest activities, and their values where more is
//! asked than how many. Newest first.
//!
//! How many are kept is bounded, whoever sends whatever, and which ones is a function of their set:
//! - Of those that the window's end has passed, the `keep` newest: who is older leaves the window
//!   earlier, so no comparison with up to `keep`, and no measure of the `keep` newest, ever asks for it.
//! - Of those still ahead of it (a window that ended days ago; clocks ahead of ours), the `keep` newest
//!   in each of some [`CELLS`] equal stretches of time. Only where more than `keep` fall into the very
//!   stretch that the window's end is passing may the count be short, until it has passed.

use serde::Serialize;
use serde_json::Value;

use super::{
    Aggregate, Counter, Counting, WINDOW_TEXT_BYTES, distinct, json_of, millionths, of_millionths, summand,
};
use crate::expr::Scalar;
use crate::json;
use crate::limits::FUTURE_MS;
use crate::mutants::planted;
use crate::time::{SECOND_MS, Timestamp};

/// Into so many stretches is divided what a window's end has not reached.
const CELLS: i64 = 16;

/// A moving window, in milliseconds relative to now: activities in `(now + after, now + until]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Window {
    /// Exclusive begin; none means since ever.
    pub after: Option<i64>,
    /// Inclusive end.
    pub until: i64,
}

impl Window {
    /// The time that is over since `ms` ago.
    pub fn last(ms: i64) -> Self {
        Self { after: Some(ms.saturating_neg()), until: 0 }
    }

    /// Both windows at once.
    #[must_use]
    pub fn narrowed(self, other: Self) -> Self {
        Self { after: self.after.max(other.after), until: self.until.min(other.until) }
    }

    fn begin(self, now: Timestamp) -> Timestamp {
        self.after.map_or(Timestamp(i64::MIN), |after| now.plus(after))
    }

    fn end(self, now: Timestamp) -> Timestamp {
        now.plus(self.until)
    }

    /// First instant of the stretch that holds `time`, and of the next one.
    fn cell(self, time: Timestamp) -> (Timestamp, Timestamp) {
        let width = FUTURE_MS.saturating_sub(self.until).div_euclid(CELLS).max(SECOND_MS);
        let start = Timestamp(time.0.div_euclid(width).saturating_mul(width));
        (start, start.plus(width))
    }
}

impl Counter {
    /// Whether there is anything that time can move.
    pub fn has_recent(&self) -> bool {
        !self.recent.is_empty()
    }

    /// How many instants lie after `time`.
    fn after(&self, time: Timestamp) -> usize {
        // Mostly it is none, or all.
        match (self.recent.first(), self.recent.last()) {
            (Some(newest), _) if *newest <= time => 0,
            (_, Some(oldest)) if *oldest > time => self.recent.len(),
            _ => self.recent.partition_point(|other| *other > time),
        }
    }

    /// Places of those in the window, newest first.
    fn inside(&self, window: Window, now: Timestamp) -> (usize, usize) {
        let ahead = self.after(window.end(now));
        (ahead, self.after(window.begin(now)).max(ahead))
    }

    /// Folds one activity. Says whether anything changed.
    pub(super) fn note_recent(
        &mut self,
        counting: &Counting,
        window: Window,
        time: Timestamp,
        value: Option<Scalar>,
        now: Timestamp,
    ) -> bool {
        let value = match value.map(|value| kept_value(counting.aggregate, value)) {
            None => None,
            Some(None) => return false,
            Some(value) => value,
        };
        let mut place = if planted(27) { 0 } else { self.after(time) };
        if let Some(value) = value {
            // At one instant the greater in text comes first: an order without regard to arrival.
            let text = json::text(&value);
            while self.recent.get(place) == Some(&time)
                && self.values.get(place).is_some_and(|other| json::text(other) > text)
            {
                place += 1;
            }
            self.values.insert(place.min(self.values.len()), value);
        }
        self.recent.insert(place, time);
        self.trim(counting, window, time, now);
        true
    }

    fn trim(&mut self, counting: &Counting, window: Window, time: Timestamp, now: Timestamp) {
        let (start, next) = window.cell(time);
        let newest = self.after(next.plus(-1));
        let crowded = newest.saturating_add(counting.keep);
        let end_of_cell = self.after(start.plus(-1));
        if crowded < end_of_cell {
            remove(&mut self.recent, crowded, end_of_cell);
            remove(&mut self.values, crowded, end_of_cell);
        }
        // The stretch that the end is in may still lose some to newer ones.
        let end = window.end(now);
        // Mostly it is the same.
        let passing = if (start..next).contains(&end) { start } else { window.cell(end).0 };
        let ahead = self.after(passing.plus(-1));
        let reached = self.after(window.begin(now));
        self.recent.truncate(ahead.saturating_add(counting.keep).min(reached));
        self.values.truncate(self.recent.len());
    }

    /// How many activities count now (capped at what is kept, which decides every comparison).
    pub fn count_at(&self, counting: &Counting, now: Timestamp) -> u64 {
        let Some(window) = counting.window else { return self.count };
        let (ahead, end) = self.inside(window, now);
        (end - ahead) as u64
    }

    /// The next instant after `now` at which time alone changes what this counter says to who asks.
    pub fn next_change(&self, counting: &Counting, now: Timestamp) -> Option<Timestamp> {
        let window = counting.window?;
        let (ahead, end) = self.inside(window, now);
        let enters = self.recent.get(ahead.wrapping_sub(1)).map(|time| time.plus(-window.until));
        // Until the next one enters they only become fewer.
        let count = end - ahead;
        let last_to_stay = match &counting.steps {
            None => count.min(counting.keep),
            Some(steps) => steps.iter().copied().filter(|step| *step <= count).max().unwrap_or(0),
        };
        let leaves = self.recent.get((ahead + last_to_stay).wrapping_sub(1)).filter(|_| last_to_stay > 0);
        let leaves = leaves.zip(window.after).map(|(time, after)| time.plus(-after));
        enters.into_iter().chain(leaves).min()
    }

    /// What the newest in the window make, at most `keep` of them.
    pub(super) fn recent_value(&self, counting: &Counting, window: Window, now: Timestamp) -> Value {
        let (ahead, end) = self.inside(window, now);
        let keep = if counting.aggregate == Aggregate::Count { super::WINDOW_COUNT } else { counting.keep };
        let end = end.min(ahead.saturating_add(keep));
        let values = self.values.get(ahead..end).unwrap_or_default();
        let numbers = || values.iter().filter_map(Value::as_f64);
        let sum = || numbers().map(millionths).fold(0_i128, i128::saturating_add);
        match counting.aggregate {
            Aggregate::Count => (end - ahead).into(),
            Aggregate::CountDistinct => {
                let mut least = Vec::new();
                for digest in values.iter().filter_map(Value::as_u64) {
                    distinct::note(&mut least, digest);
                }
                least.len().into()
            }
            _ if values.is_empty() => Value::Null,
            Aggregate::Sum => of_millionths(sum()).into(),
            Aggregate::Average => (of_millionths(sum()) / values.len() as f64).into(),
            Aggregate::Min => numbers().reduce(f64::min).into(),
            Aggregate::Max => numbers().reduce(f64::max).into(),
            Aggregate::First => values.last().cloned().unwrap_or(Value::Null),
            Aggregate::Last => values.first().cloned().unwrap_or(Value::Null),
        }
    }
}

/// What is kept of an activity's value; none where it has none.
fn kept_value(aggregate: Aggregate, value: Scalar) -> Option<Value> {
    match aggregate {
        Aggregate::CountDistinct => distinct::digest_of(value).map(Into::into),
        Aggregate::Sum | Aggregate::Average | Aggregate::Min | Aggregate::Max => {
            summand(&value).map(Into::into)
        }
        Aggregate::First if matches!(&value, Scalar::Text(text) if text.len() > WINDOW_TEXT_BYTES) => None,
        Aggregate::Count | Aggregate::First | Aggregate::Last => json_of(value),
    }
}

/// Takes some away; none where there are not as many.
fn remove<T>(from: &mut Vec<T>, begin: usize, end: usize) {
    match from.len() {
        // Mostly they are the last ones.
        all if all == end => from.truncate(begin),
        all if all > end => drop(from.drain(begin..end)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::time::DAY_MS;

    const NOW: Timestamp = Timestamp(1_790_000_000_000);

    fn counting(aggregate: Aggregate, window: Window, keep: usize) -> Counting {
        let values = Counting::values(None, Aggregate::Sum, None, Some(window));
        Counting { aggregate, keep, steps: None, ..values }
    }

    /// Folds instants and numbers in this order, as of the instants they come at.
    fn folded(counting: &Counting, items: &[(i64, u8, i64)], counts_only: bool) -> Counter {
        let mut counter = Counter::default();
        for (time, number, now) in items {
            let value = (!counts_only).then(|| Scalar::Number(f64::from(*number)));
            let window = counting.window.unwrap();
            counter.note_recent(counting, window, NOW.plus(*time), value, NOW.plus(*now));
        }
        counter
    }

    /// The module's words, read plainly: who of a set counts at `now`.
    fn plainly(counting: &Counting, items: &[(i64, u8, i64)], now: Timestamp) -> Vec<(Timestamp, f64)> {
        let window = counting.window.unwrap();
        let mut all: Vec<_> = items.iter().map(|(time, n, _)| (NOW.plus(*time), f64::from(*n))).collect();
        all.sort_by(|one, other| other.0.cmp(&one.0).then(other.1.to_string().cmp(&one.1.to_string())));
        let crowd = |place: usize| {
            let cell = window.cell(all[place].0);
            all[..place].iter().filter(|other| window.cell(other.0) == cell).count()
        };
        let kept = (0..all.len()).filter(|place| crowd(*place) < counting.keep).map(|place| all[place]);
        let inside = kept.filter(|(time, _)| *time > window.begin(now) && *time <= window.end(now));
        inside.take(counting.keep).collect()
    }

    fn windows() -> impl Strategy<Value = Window> {
        prop::sample::select(vec![
            Window::last(DAY_MS),
            Window { after: None, until: 0 },
            Window { after: Some(-20 * DAY_MS), until: -10 * DAY_MS },
            Window { after: None, until: -3_600_000 },
            Window { after: Some(-60_000), until: 60_000 },
        ])
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn what_is_kept_is_a_function_of_the_set_and_decides_as_much_as_was_asked(
            mut items in prop::collection::vec(
                (prop_oneof![-25 * DAY_MS..300_000, -90_000_000..300_000_i64, -100_000..300_000_i64], 0..5_u8),
                0..40,
            ).prop_map(|items| items.into_iter().map(|(time, n)| (time, n, 0_i64)).collect::<Vec<_>>()),
            arrivals in prop::collection::vec(0..30 * DAY_MS, 40),
            window in windows(),
            keep in 1..6_usize,
        ) {
            // They come while time passes, none before it happened (but for what clocks are off).
            let mut clock = 0;
            for ((time, _, now), arrival) in items.iter_mut().zip(arrivals) {
                clock += if arrival.rem_euclid(3) == 0 { 0 } else { arrival.rem_euclid(DAY_MS) };
                *now = clock;
                *time += clock.div_euclid(2);
            }
            let now = NOW.plus(clock);
            for aggregate in [Aggregate::Sum, Aggregate::First, Aggregate::Last, Aggregate::Max] {
                let counting = counting(aggregate, window, keep);
                let kept = folded(&counting, &items, false);
                for later in [0, 1_000, 400_000, 5 * DAY_MS, 12 * DAY_MS] {
                    let now = now.plus(later);
                    let plain = plainly(&counting, &items, now);
                    let numbers = plain.iter().map(|(_, number)| *number);
                    let expected = match aggregate {
                        _ if plain.is_empty() => None,
                        Aggregate::Sum => Some(numbers.sum::<f64>()),
                        Aggregate::First => plain.last().map(|last| last.1),
                        Aggregate::Last => plain.first().map(|first| first.1),
                        _ => numbers.reduce(f64::max),
                    };
                    prop_assert_eq!(kept.recent_value(&counting, window, now).as_f64(), expected);
                }
            }
            let counting = counting(Aggregate::Count, window, keep);
            let kept = folded(&counting, &items, true);
            let counted = kept.count_at(&counting, now).min(keep as u64);
            prop_assert_eq!(counted, plainly(&counting, &items, now).len() as u64);
            // Whatever came: a stretch for each of what is ahead, one that is passing, and the newest.
            prop_assert!(kept.recent.len() <= keep * (CELLS as usize + 4), "{} are kept", kept.recent.len());
        }

        #[test]
        fn nothing_changes_before_the_instant_that_is_foretold(
            items in prop::collection::vec((-25 * DAY_MS..300_000, 0..5_u8), 0..30)
                .prop_map(|items| items.into_iter().map(|(time, n)| (time, n, 0_i64)).collect::<Vec<_>>()),
            window in windows(),
            keep in 1..40_usize,
            step in 1..5_usize,
        ) {
            let every = Counting { aggregate: Aggregate::Count, ..counting(Aggregate::Count, window, keep) };
            let kept = folded(&every, &items, true);
            let steps = Counting { steps: Some(vec![step]), ..every.clone() };
            let mut now = NOW;
            for _ in 0..10 {
                let Some(next) = kept.next_change(&steps, now) else { break };
                let reached = |at: Timestamp| kept.count_at(&every, at).min(keep as u64) >= step as u64;
                prop_assert!(next > now);
                for at in [now.plus(1), Timestamp(now.0.midpoint(next.0)), next.plus(-1)] {
                    if at > now && at < next {
                        prop_assert_eq!(reached(at), reached(now));
                    }
                }
                now = next;
            }
        }
    }

    #[test]
    fn long_texts_are_no_first_of_a_window() {
        let text = |length: usize| kept_value(Aggregate::First, Scalar::Text("x".repeat(length)));
        assert!(text(WINDOW_TEXT_BYTES).is_some() && text(WINDOW_TEXT_BYTES + 1).is_none());
    }
}

//! How the system does, in counters: plain sums by name, so that what isolates counted each for themselves adds up, in
//! any order. Times are counted in classes; from those come the percentiles.

use serde_json::{Value, json};

use crate::collections::{Map, json_object};
use crate::time::{DAY_MS, Timestamp};

/// Sums by name.
pub type Counters = Map<String, i64>;

/// Upper bounds of the classes of times, in milliseconds; what takes longer is in one more.
const CLASSES: [i64; 11] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000];

/// Days of which there are counters.
pub const DAYS: i64 = 90;

/// Adds to a counter.
pub fn add(counters: &mut Counters, name: &str, n: i64) {
    if n != 0 {
        *counters.get_or_insert_with(name.to_owned(), || 0) += n;
    }
}

/// Counts something that took so long.
pub fn timed(counters: &mut Counters, what: &str, ms: i64) {
    add_times(counters, what, class(ms), 1);
}

fn class(ms: i64) -> usize {
    CLASSES.iter().position(|most| ms <= *most).unwrap_or(CLASSES.len())
}

fn add_times(counters: &mut Counters, what: &str, class: usize, n: i64) {
    add(counters, &format!("time {what} {class}"), n);
}

/// Pages that were decided, counted without a word: a visitor waits for each of them.
#[derive(Clone, Copy, Default)]
pub struct Pages {
    decided: i64,
    late: i64,
    personalised: i64,
    classes: [i64; CLASSES.len() + 1],
}

impl Pages {
    /// One more.
    pub fn note(&mut self, late: bool, personalised: bool, ms: i64) {
        self.decided += 1;
        self.late += i64::from(late);
        self.personalised += i64::from(personalised);
        if let Some(n) = self.classes.get_mut(class(ms)) {
            *n += 1;
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.decided == 0
    }

    /// Adds them to the others.
    pub fn tell(&self, counters: &mut Counters) {
        add(counters, "pages decided", self.decided);
        add(counters, "pages late", self.late);
        add(counters, "pages personalised", self.personalised);
        for (class, n) in self.classes.iter().enumerate() {
            if *n > 0 {
                add_times(counters, "pages", class, *n);
            }
        }
    }
}

/// What `GET /stats` answers of counters by day, `[[day, counters] …]`: their sums, the days one by one, and of today
/// all there is. A day is told in days since the epoch.
pub fn told(days: &Value, today: i64) -> Value {
    let days = days.as_array().map(Vec::as_slice).unwrap_or_default();
    let mut sums = Counters::new();
    let mut by_day = Vec::with_capacity(days.len());
    let mut of_today = &Value::Null;
    for day in days {
        let (Some(at), Some(counters)) = (day.get(0).and_then(Value::as_i64), day.get(1)) else { continue };
        for (name, n) in counters.as_object().into_iter().flatten() {
            add(&mut sums, name, n.as_i64().unwrap_or(0));
        }
        let rejected =
            counters.as_object().into_iter().flatten().filter(|(name, _)| name.starts_with("rejected "));
        let rejected: i64 = rejected.filter_map(|(_, n)| n.as_i64()).sum();
        if at == today {
            of_today = counters;
        }
        let at = Timestamp(at.saturating_mul(DAY_MS)).to_rfc3339();
        by_day.push(json!({
            "day": at.get(..10),
            "accepted": counted(counters, "accepted"),
            "duplicate": counted(counters, "duplicate"),
            "rejected": rejected,
            "missing": counted(counters, "missing").max(0),
            "merges": counted(counters, "merges"),
            "personalised": counted(counters, "pages personalised"),
        }));
    }
    let mut told = shown(&Value::Object(json_object(sums.into_iter().map(|(name, n)| (name, n.into())))));
    if let Some(told) = told.as_object_mut() {
        told.insert("days".to_owned(), by_day.into());
        told.insert("today".to_owned(), shown(of_today));
    }
    told
}

/// What is answered of sums.
fn shown(counters: &Value) -> Value {
    let count = |name: &str| counted(counters, name);
    let by_kind = |of: &str| {
        let all = counters.as_object().into_iter().flatten();
        let kind = |name: &str| name.strip_prefix(of)?.strip_prefix(' ').map(str::to_owned);
        json_object(all.filter_map(|(name, n)| Some((kind(name)?, n.clone()))))
    };
    json!({
        "accepted": count("accepted"),
        "duplicate": count("duplicate"),
        // The same numbers of a stream with another content: the first stays.
        "conflicts": count("conflicts"),
        "rejected": by_kind("rejected"),
        // Of some that were missing another day's counters know.
        "missing": count("missing").max(0),
        "merges": count("merges"),
        "users": by_kind("users"),
        "tokensRefused": by_kind("tokensRefused"),
        "proofsRefused": count("proofsRefused"),
        "pages": { "decided": count("pages decided"), "personalised": count("pages personalised"), "late": count("pages late") },
        "latencies": { "collect": times(counters, "collect"), "decisions": times(counters, "decisions"), "pages": times(counters, "pages") },
    })
}

fn counted(counters: &Value, name: &str) -> i64 {
    counters.get(name).and_then(Value::as_i64).unwrap_or(0)
}

/// How many, and in how many milliseconds half, nearly all, and almost all of them were done, rounded up to a class.
fn times(counters: &Value, what: &str) -> Value {
    let of = |class: usize| counted(counters, &format!("time {what} {class}"));
    let count: i64 = (0..=CLASSES.len()).map(of).sum();
    let within = |percent: i64| {
        let mut sum = 0;
        let class = (0..CLASSES.len()).find(|class| {
            sum += of(*class);
            count > 0 && sum.saturating_mul(100) >= count.saturating_mul(percent)
        });
        class.and_then(|class| CLASSES.get(class))
    };
    json!({ "count": count, "p50": within(50), "p95": within(95), "p99": within(99) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(counters: &Counters) -> Value {
        serde_json::to_value(counters).unwrap()
    }

    #[test]
    fn times_are_told_by_the_class_that_holds_so_many_of_them() {
        let mut counters = Counters::new();
        for (ms, many) in [(1, 50), (4, 45), (60, 4), (9000, 1)] {
            (0..many).for_each(|_| timed(&mut counters, "collect", ms));
        }
        let shown = shown(&value(&counters));
        assert_eq!(shown["latencies"]["collect"], json!({ "count": 100, "p50": 1, "p95": 5, "p99": 100 }));
        assert_eq!(shown["latencies"]["pages"], json!({ "count": 0, "p50": null, "p95": null, "p99": null }));
        timed(&mut counters, "collect", 9000);
        assert_eq!(
            super::shown(&value(&counters))["latencies"]["collect"]["p99"],
            Value::Null,
            "longer than the last class"
        );
    }

    #[test]
    fn pages_add_up_like_anything_else_that_is_counted() {
        let mut pages = Pages::default();
        assert!(pages.is_empty());
        for (late, personalised, ms) in [(false, true, 1), (true, false, 80), (false, false, 9000)] {
            pages.note(late, personalised, ms);
        }
        let mut counters = Counters::new();
        pages.tell(&mut counters);
        pages.tell(&mut counters);
        let shown = shown(&value(&counters));
        assert_eq!(shown["pages"], json!({ "decided": 6, "personalised": 2, "late": 2 }));
        assert_eq!(shown["latencies"]["pages"], json!({ "count": 6, "p50": 100, "p95": null, "p99": null }));
    }

    #[test]
    fn days_are_told_one_by_one_and_all_together() {
        let days = json!([
            [20_000, { "accepted": 3, "rejected too_old": 1, "rejected erased": 2, "missing": -1 }],
            [20_001, { "accepted": 4, "merges": 1, "missing": 1 }],
        ]);
        let told = told(&days, 20_001);
        assert_eq!((&told["accepted"], &told["merges"], &told["missing"]), (&json!(7), &json!(1), &json!(0)));
        assert_eq!(told["days"][0]["day"], "2024-10-04");
        assert_eq!((&told["days"][0]["rejected"], &told["days"][1]["accepted"]), (&json!(3), &json!(4)));
        assert_eq!((&told["today"]["accepted"], &told["today"]["merges"]), (&json!(4), &json!(1)));
        let quiet = super::told(&days, 20_002);
        assert_eq!((&quiet["today"]["accepted"], &quiet["today"]["rejected"]), (&json!(0), &json!({})));
        assert_eq!(super::told(&json!([]), 1)["days"], json!([]));
    }

    #[test]
    fn rejections_are_told_by_their_code() {
        let mut counters = Counters::new();
        for (name, n) in [("accepted", 3), ("rejected too_old", 2), ("rejected erased", 1), ("missing", -1)] {
            add(&mut counters, name, n);
        }
        let shown = shown(&value(&counters));
        assert_eq!(shown["rejected"], json!({ "too_old": 2, "erased": 1 }));
        assert_eq!((&shown["accepted"], &shown["missing"]), (&json!(3), &json!(0)));
    }
}

//! What the audit log tells, and how it stays small. What changes something, or shows a person's data as a whole, is told
//! each by itself, before it is done. Reads and refusals are counted: the first of a kind in a minute is told at once,
//! the others of that minute with whatever is told next, so that the log does not grow with how much is read, and
//! nobody can push changes out of it by knocking.

use serde_json::{Value, json};

use crate::collections::Map;
use crate::time::{SECOND_MS, Timestamp};

/// Days that entries are kept.
pub const DAYS: i64 = 90;
/// Most entries that are kept of what is told each by itself, and as many of what is counted.
pub const ENTRIES: u32 = 100_000;
/// Kinds that are counted in one place at a time.
const KINDS: usize = 500;
/// How long those are one entry, of somebody who is known.
const MINUTE_MS: i64 = 60 * SECOND_MS;
/// And of anybody else, of whom there may be many.
const HOUR_MS: i64 = 60 * MINUTE_MS;

/// One entry. Nothing in it is about customers: ids, filters and bodies are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// Whose token; empty where nobody proved to be anybody.
    pub token: String,
    /// What that one is called.
    pub name: String,
    /// Method.
    pub method: String,
    /// Route, as `access::route` tells it.
    pub route: String,
    /// Status of the answer; 0 while it is not known.
    pub status: u16,
}

/// So many of an entry, from this time on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    /// Beginning of the minute, or hour.
    pub at: Timestamp,
    /// What.
    pub entry: Entry,
    /// How many; none is one that is told by itself.
    pub count: Option<u64>,
}

/// Some of them, as they are sent: of each the time, the status, the token, what is shown, and the count.
pub fn sent(due: &[Counted]) -> Value {
    let one = |Counted { at, entry, count }: &Counted| {
        let Entry { token, name, method, route, status } = entry;
        let shown = json!({ "token": token, "name": name, "method": method, "route": route });
        json!([at.0, status, token, crate::json::text(&shown), count])
    };
    due.iter().map(one).collect()
}

/// What was counted and not told yet.
#[derive(Debug, Default)]
pub struct Counts(Map<Entry, (Timestamp, u64)>);

impl Counts {
    /// One more. Answers what is to be told now: everything, if this is the first of its kind in its time.
    pub fn note(&mut self, entry: Entry, now: Timestamp) -> Vec<Counted> {
        let width = if entry.token.is_empty() { HOUR_MS } else { MINUTE_MS };
        let at = Timestamp(now.0.div_euclid(width).saturating_mul(width));
        let told = self.0.get(&entry).is_some_and(|(since, _)| *since == at);
        if told {
            if let Some((_, count)) = self.0.get_mut(&entry) {
                *count += 1;
            }
            return Vec::new();
        }
        let mut due = self.take();
        if self.0.len() >= KINDS {
            self.0.clear();
        }
        self.0.insert(entry.clone(), (at, 0));
        due.push(Counted { at, entry, count: Some(1) });
        due
    }

    /// Whether something was not told yet.
    pub fn is_untold(&self) -> bool {
        self.0.values().any(|(_, count)| *count > 0)
    }

    /// Everything that was not told yet.
    pub fn take(&mut self) -> Vec<Counted> {
        let untold: Vec<Entry> =
            self.0.iter().filter(|(_, (_, count))| *count > 0).map(|(entry, _)| entry.clone()).collect();
        let mut due = Vec::with_capacity(untold.len());
        for entry in untold {
            if let Some((at, count)) = self.0.get_mut(&entry) {
                due.push(Counted { at: *at, count: Some(std::mem::take(count)), entry });
            }
        }
        due
    }

    /// What should have been told was not: it is told with the next.
    pub fn again(&mut self, due: Vec<Counted>) {
        for Counted { at, entry, count } in due {
            let Some(count) = count else { continue };
            // Of an earlier minute than the one that is counted, maybe: when it was matters less than that it was.
            if self.0.len() < KINDS || self.0.contains_key(&entry) {
                self.0.get_or_insert_with(entry, || (at, 0)).1 += count;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_790_000_040_000);

    fn entry(token: &str, route: &str) -> Entry {
        Entry { token: token.to_owned(), route: route.to_owned(), status: 200, ..Entry::default() }
    }

    fn told(due: &[Counted]) -> Vec<(&str, u64)> {
        due.iter().map(|counted| (counted.entry.route.as_str(), counted.count.unwrap())).collect()
    }

    #[test]
    fn the_first_read_of_a_minute_is_told_and_the_others_with_what_comes_next() {
        let mut counts = Counts::default();
        assert_eq!(told(&counts.note(entry("a", "customers"), NOW)), [("customers", 1)]);
        for _ in 0..1000 {
            assert_eq!(counts.note(entry("a", "customers"), NOW), []);
        }
        assert!(counts.is_untold());
        assert_eq!(told(&counts.note(entry("a", "settings"), NOW)), [("customers", 1000), ("settings", 1)]);
        assert!(!counts.is_untold());
        assert_eq!(counts.take(), []);
        assert_eq!(told(&counts.note(entry("a", "customers"), NOW.plus(MINUTE_MS))), [("customers", 1)]);
    }

    #[test]
    fn another_token_is_another_entry() {
        let mut counts = Counts::default();
        assert_eq!(counts.note(entry("a", "customers"), NOW).len(), 1);
        assert_eq!(counts.note(entry("b", "customers"), NOW).len(), 1);
    }

    #[test]
    fn whoever_knocks_makes_one_entry_an_hour() {
        let mut counts = Counts::default();
        let told: usize = (0..59)
            .map(|n| counts.note(entry("", "admin"), Timestamp(1_789_999_200_000 + n * MINUTE_MS)).len())
            .sum();
        assert_eq!(told, 1);
        assert_eq!(counts.take().iter().filter_map(|counted| counted.count).sum::<u64>(), 58);
    }

    #[test]
    fn what_could_not_be_told_is_told_later() {
        let mut counts = Counts::default();
        let due = counts.note(entry("a", "customers"), NOW);
        counts.again(due);
        assert_eq!(told(&counts.take()), [("customers", 1)]);
    }

    #[test]
    fn memory_is_bounded_whatever_is_asked() {
        let mut counts = Counts::default();
        let mut all = 0;
        for n in 0..2000 {
            let due = counts.note(entry("a", &n.to_string()), NOW);
            all += due.iter().filter_map(|counted| counted.count).sum::<u64>();
        }
        assert_eq!(all, 2000);
        assert!(counts.0.len() <= KINDS);
    }
}

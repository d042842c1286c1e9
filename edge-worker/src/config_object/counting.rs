//! What isolates counted, added up by day; and the newest signals, in memory alone, while somebody watches.

use msci_core::json;
use msci_core::stats::{Counters, DAYS, add};
use msci_core::time::{DAY_MS, SECOND_MS, Timestamp};
use serde_json::Value;

use super::ConfigObject;
use crate::error::Result;
use crate::platform::now;
use crate::storage::sql::{self, Statements};

/// Signals that are kept for whoever watches.
const SIGNALS: usize = 200;
/// So long after somebody asked, somebody watches.
const WATCHED_MS: i64 = 15 * SECOND_MS;

/// The newest signals.
#[derive(Default)]
pub(super) struct Live {
    /// With their numbers, ascending.
    signals: Vec<(u64, Value)>,
    last: u64,
    until: Timestamp,
}

fn day(now: Timestamp) -> i64 {
    now.0.div_euclid(DAY_MS)
}

fn with_stats() -> Statements {
    let statements = Statements::new();
    let create = "CREATE TABLE IF NOT EXISTS stat (day INTEGER PRIMARY KEY, body TEXT NOT NULL)";
    statements.push(create, &[]);
    statements
}

impl ConfigObject {
    /// Versions of the configuration and of the key ring, and whether somebody watches; takes what was counted along.
    pub(super) fn pulse(&self, told: &str) -> Result<String> {
        let now = now();
        if !told.is_empty() {
            let (counters, signals): (Counters, Vec<Value>) = json::from_str(told)?;
            self.count(&counters, now)?;
            let mut live = self.live.borrow_mut();
            for signal in signals {
                live.last += 1;
                let last = live.last;
                live.signals.push((last, signal));
            }
            let surplus = live.signals.len().saturating_sub(SIGNALS);
            live.signals.drain(..surplus);
        }
        let watched = now < self.live.borrow().until;
        let told = self.told()?;
        Ok(serde_json::to_string(&(told.bundle.n, told.revision, watched))?)
    }

    /// One row a day: it is read and written as a whole, and nothing else runs in this object meanwhile.
    fn count(&self, counters: &Counters, now: Timestamp) -> Result<()> {
        let (today, storage) = (day(now), self.state.storage());
        with_stats().commit(&storage)?;
        let rows = sql::query(&storage, "SELECT body FROM stat WHERE day = ?", vec![(today as f64).into()])?;
        let mut sums: Counters = match rows.first() {
            Some(row) => json::from_str(sql::text(row, 0)?)?,
            None => Counters::new(),
        };
        counters.iter().for_each(|(name, n)| add(&mut sums, name, *n));
        let statements = Statements::new();
        let body = serde_json::to_string(&sums)?;
        statements.push("INSERT OR REPLACE INTO stat VALUES (?, ?)", &[(today as f64).into(), body.into()]);
        statements.push("DELETE FROM stat WHERE day < ?", &[((today - DAYS) as f64).into()]);
        statements.commit(&storage)
    }

    /// Counters of each day since then: `[[day, counters] …]`.
    pub(super) fn stats(&self, since: &str) -> Result<String> {
        let since: Timestamp = json::from_str(since)?;
        let storage = self.state.storage();
        with_stats().commit(&storage)?;
        let since = vec![(day(since) as f64).into()];
        let query = "SELECT json_group_array(json_array(day, json(body))) FROM \
                     (SELECT * FROM stat WHERE day >= ? ORDER BY day)";
        let rows = sql::query(&storage, query, since)?;
        Ok(rows.first().map_or(Ok("[]"), |row| sql::text(row, 0))?.to_owned())
    }

    /// Signals behind this number, and the number of the last; from now on somebody watches.
    pub(super) fn watch(&self, behind: &str) -> Result<String> {
        let behind: u64 = json::from_str(behind)?;
        let mut live = self.live.borrow_mut();
        live.until = now().plus(WATCHED_MS);
        // Numbers begin anew with this object.
        let behind = if behind > live.last { 0 } else { behind };
        let signals: Vec<_> =
            live.signals.iter().filter(|(n, _)| *n > behind).map(|(_, signal)| signal).collect();
        Ok(serde_json::to_string(&(live.last, signals))?)
    }
}

//! One object and its disk, and the dice that everything else is rolled with.

use std::collections::{BTreeMap, BTreeSet};

use msci_core::effects::{Table, Write};
use msci_core::ids::{CustomerId, SignalKey};
use msci_core::object::Object;
use msci_core::signal::Signal;
use msci_core::time::Timestamp;
use serde_json::Value;

/// `SplitMix64`: a schedule is its seed.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.roll() % n
    }
    pub(crate) fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
    pub(crate) fn bits(&mut self) -> u128 {
        (u128::from(self.roll()) << 64) | u128::from(self.roll())
    }
}

/// One object: what is on its disk, and what it holds in memory until it crashes.
#[derive(Default)]
pub(crate) struct Node {
    pub(crate) rows: BTreeMap<(Table, String), String>,
    pub(crate) timeline: BTreeMap<SignalKey, (u64, Signal)>,
    pub(crate) held: Option<Object>,
    /// When the platform calls it, and the message that does.
    pub(crate) alarm: Option<(Timestamp, u64)>,
    /// Which instance of it runs: what an earlier one waited for, nobody waits for any more.
    pub(crate) instance: u64,
    /// A write to KV is awaited.
    pub(crate) putting: bool,
    /// A write to the index is awaited.
    pub(crate) indexing: bool,
    /// Messages whose receivers were not heard of yet.
    pub(crate) delivering: u64,
    /// How far its host's clock is off, in milliseconds.
    pub(crate) skew: i64,
}

impl Node {
    pub(crate) fn exists(&self) -> bool {
        !self.rows.is_empty()
    }

    /// The object as it would wake up.
    pub(crate) fn loaded(&self, name: CustomerId) -> Option<Object> {
        let rows = self.rows.iter().map(|((table, key), body)| (*table, key.as_str(), body.as_str()));
        let held = rows.filter(|(table, ..)| Table::HELD.contains(table));
        Object::load(name, held).unwrap()
    }

    /// What was in memory is gone, and whoever waited in it.
    pub(crate) fn crash(&mut self) {
        self.held = None;
        self.instance += 1;
        self.putting = false;
        self.indexing = false;
        self.delivering = 0;
    }

    /// Everything goes, as the platform's `deleteAll` does it.
    pub(crate) fn delete_all(&mut self) {
        self.crash();
        self.rows.clear();
        self.timeline.clear();
    }

    /// Since when nothing older may be here.
    pub(crate) fn erased_at(&self) -> Option<Timestamp> {
        let body = self.rows.get(&(Table::Meta, "erased".to_owned()))?;
        let row: Value = serde_json::from_str(body).unwrap();
        row["at"].as_i64().map(Timestamp)
    }

    pub(crate) fn apply(&mut self, writes: Vec<Write>) {
        for write in writes {
            match write {
                Write::Put { table, key, body } => {
                    self.rows.insert((table, key), body);
                }
                Write::Delete { table, key } => {
                    self.rows.remove(&(table, key));
                }
                Write::Clear(cleared) => self.rows.retain(|(table, _), _| *table != cleared),
                Write::Append { cookie, position, signal } => {
                    let old = self.timeline.insert(signal.key(cookie), (position, signal));
                    assert!(old.is_none(), "a step appended what is there: the database would refuse");
                }
                Write::Remove(cookie) => self.timeline.retain(|key, _| key.cookie != cookie),
                Write::Withdraw(gone) => self.timeline.retain(|key, _| *key != gone),
                Write::Prune(before) => {
                    self.timeline.retain(|_, (_, signal)| signal.time >= before || !signal.ages());
                }
                Write::Wipe => {
                    self.rows.clear();
                    self.timeline.clear();
                }
            }
        }
    }

    pub(crate) fn keys(&self) -> BTreeSet<SignalKey> {
        self.timeline.keys().copied().collect()
    }
}

//! One object and its disk, and the dice that everything else is rolled with.

use std::collections::BTreeMap;

use msci_core::effects::{Table, Write};
use msci_core::ids::{CustomerId, SignalKey};
use msci_core::object::Object;
use msci_core::signal::Signal;
use msci_core::time::Timestamp;

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
pub(crate) struct Node {
    pub(crate) rows: BTreeMap<(Table, String), String>,
    pub(crate) timeline: BTreeMap<SignalKey, (u64, Signal)>,
    pub(crate) held: Option<Object>,
    pub(crate) alarm: Option<Timestamp>,
}

impl Node {
    /// The object as it would wake up.
    pub(crate) fn loaded(&self, name: CustomerId) -> Option<Object> {
        let rows = self.rows.iter().map(|((table, key), body)| (*table, key.as_str(), body.as_str()));
        let held = rows.filter(|(table, ..)| Table::HELD.contains(table));
        Object::load(name, held).unwrap()
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
            }
        }
    }
}

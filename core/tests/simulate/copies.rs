//! KV and the index (D1), and writes to them that are lost, late, doubled or of unknown outcome.

use std::collections::BTreeMap;

use msci_core::ids::{CustomerId, StreamId};
use msci_core::object::{Indexing, Object, Projection};
use msci_core::outcome::Outcome;
use msci_core::signal::Kind;
use msci_core::snapshot::Snapshot;
use msci_core::time::Timestamp;

use crate::world::{Message, PAGE, World};

/// A customer's row; without a body it is a tombstone.
pub(crate) struct CustomerRow {
    tag: String,
    version: u64,
    pub(crate) body: Option<Snapshot>,
    /// Older activities of its cookies do not count.
    pub(crate) since: Option<Timestamp>,
}

/// Tables of the index, by the name of the object whose row it is.
#[derive(Default)]
pub(crate) struct Index {
    pub(crate) customers: BTreeMap<CustomerId, CustomerRow>,
    /// Owner of a cookie's activities, and the order of that news.
    pub(crate) cookies: BTreeMap<CustomerId, (CustomerId, i64)>,
    pub(crate) activities: BTreeMap<(CustomerId, StreamId, u64), Timestamp>,
    /// By life of the customer.
    pub(crate) outcomes: BTreeMap<(CustomerId, String), Vec<Outcome>>,
}

/// What one transaction brings to the index.
#[derive(Clone)]
pub(crate) struct Batch {
    pub(crate) indexing: Indexing,
    activities: Vec<(StreamId, u64, Timestamp)>,
    up_to: u64,
}

impl Index {
    /// One transaction. Everything of it hangs on the customer's row: an older batch, or one of an
    /// earlier life, changes nothing at all. The answer is the floor: 0 if the row is this batch's own,
    /// be it by an earlier delivery of the same, else the version that is there.
    fn write(&mut self, batch: &Batch) -> u64 {
        let Indexing { object, tag, version, customer, cookie, purge, since, outcomes, expired, .. } =
            &batch.indexing;
        if self.customers.get(object).is_none_or(|row| *version > row.version) {
            // A later delivery of the same must not purge what has come since.
            if *purge {
                self.activities.retain(|(of, ..), _| of != object);
            }
            if *purge && !expired {
                self.outcomes.retain(|(of, _), _| of != object);
            }
            let body = customer.as_deref().cloned();
            let row = CustomerRow { tag: tag.clone(), version: *version, body, since: *since };
            self.customers.insert(*object, row);
        }
        let row = &self.customers[object];
        if (&row.tag, row.version) != (tag, *version) {
            return row.version;
        }
        let life = (*object, tag.clone());
        if outcomes.is_empty() {
            self.outcomes.remove(&life);
        } else {
            self.outcomes.insert(life, outcomes.clone());
        }
        match cookie {
            Some((owner, order)) => {
                let row = self.cookies.entry(*object).or_insert((*owner, *order));
                if *order > row.1 {
                    *row = (*owner, *order);
                }
            }
            None => {
                self.cookies.remove(object);
            }
        }
        for (stream, seq, time) in &batch.activities {
            self.activities.entry((*object, *stream, *seq)).or_insert(*time);
        }
        0
    }
}

/// Who waits for what.
#[derive(Clone)]
pub(crate) struct Asks {
    name: CustomerId,
    instance: u64,
    awaited: Awaited,
}

/// What somebody waits for.
#[derive(Clone)]
pub(crate) enum Awaited {
    /// The snapshot of this version.
    Projected(u64),
    /// These rows.
    Indexed(Box<Batch>),
    /// The rows that stay when the object goes.
    Farewell,
    /// The snapshot's deletion, when the object goes.
    LastDelete,
}

/// What becomes of a write.
struct Fate {
    lands: Option<u64>,
    answers: u64,
    succeeds: bool,
}

impl World<'_> {
    fn fate(&mut self) -> Fate {
        let soon = 1 + self.dice.below(200);
        if self.quiet {
            return Fate { lands: Some(soon), answers: soon, succeeds: true };
        }
        // A minute by a clock that jumps is no minute: such schedules have no late landings.
        let late = 1 + if self.clocks_jump { 0 } else { self.dice.below(60_000) };
        let gives_up = 1 + self.dice.below(5000);
        match self.dice.below(16) {
            0 => Fate { lands: None, answers: gives_up, succeeds: false },
            1 | 2 => Fate { lands: Some(late), answers: gives_up, succeeds: false },
            3 => Fate { lands: Some(soon), answers: soon, succeeds: false },
            4 => Fate { lands: Some(late), answers: late, succeeds: true },
            _ => Fate { lands: Some(soon), answers: soon, succeeds: true },
        }
    }

    /// Whoever waits gets an answer, unless the instance ends before.
    fn answer(&mut self, asks: Asks, answer: Option<u64>, delay: u64) {
        self.post(Message::Written { asks, answer }, delay as i64);
    }

    fn asks(&self, name: CustomerId, awaited: Awaited) -> Asks {
        Asks { name, instance: self.nodes.get(&name).map_or(0, |node| node.instance), awaited }
    }

    fn perhaps_crash(&mut self, name: CustomerId) {
        if !self.quiet && self.dice.one_in(16) {
            self.crash(name);
        }
    }

    /// Brings KV up to date.
    pub(crate) fn project(&mut self, name: CustomerId) {
        let context = self.context_of(name);
        let Some(node) = self.nodes.get_mut(&name) else { return };
        let Some(object) = &node.held else { return };
        let (projection, version) = (object.projection_due(context), object.profile.version());
        let value = match projection {
            None => return,
            Some(Projection::Put(snapshot)) => Some(snapshot),
            Some(Projection::Delete(_)) => None,
        };
        node.putting = true;
        self.put(name, value, Awaited::Projected(version));
    }

    fn put(&mut self, name: CustomerId, value: Option<Box<Snapshot>>, awaited: Awaited) {
        let (fate, asks) = (self.fate(), self.asks(name, awaited));
        if let Some(delay) = fate.lands {
            self.post(Message::Put { name, value }, delay as i64);
        }
        self.answer(asks, fate.succeeds.then_some(0), fate.answers);
        self.perhaps_crash(name);
    }

    pub(crate) fn put_lands(&mut self, name: CustomerId, value: Option<Box<Snapshot>>) {
        match value {
            Some(snapshot) => self.kv.insert(name, *snapshot),
            None => self.kv.remove(&name),
        };
    }

    /// Brings the index up to date.
    pub(crate) fn index(&mut self, name: CustomerId) {
        let context = self.context_of(name);
        let Some(node) = self.nodes.get_mut(&name) else { return };
        let Some(indexing) = node.held.as_ref().and_then(|object| object.indexing_due(context)) else {
            return;
        };
        node.indexing = true;
        let batch = self.batch(name, indexing);
        self.insert(batch.clone(), Awaited::Indexed(Box::new(batch)));
    }

    /// Activities go page by page.
    fn batch(&self, name: CustomerId, indexing: Indexing) -> Batch {
        let rows = indexing.log.and_then(|_| Some(&self.nodes.get(&name)?.timeline));
        let mut rows: Vec<_> =
            rows.into_iter().flatten().map(|(_, row)| row).filter(|row| row.0 > indexing.behind).collect();
        rows.sort_by_key(|(position, _)| *position);
        let up_to = rows.get(PAGE - 1).map_or(indexing.end, |(position, _)| *position);
        let activities = rows.iter().take(PAGE).map(|(_, signal)| signal);
        let activities = activities.filter(|signal| is_activity(signal.kind));
        let activities = activities.map(|signal| (signal.stream, signal.seq, signal.time)).collect();
        Batch { indexing, activities, up_to }
    }

    fn insert(&mut self, batch: Batch, awaited: Awaited) {
        let name = batch.indexing.object;
        let (fate, asks, database) = (self.fate(), self.asks(name, awaited), self.database);
        let doubled = !self.quiet && self.dice.one_in(10);
        if doubled {
            let again = 1 + self.dice.below(60_000) as i64;
            let batch = Box::new(batch.clone());
            self.post(Message::Insert { batch, database, asks: None }, again);
        }
        if !fate.succeeds {
            self.answer(asks.clone(), None, fate.answers);
        }
        if let Some(delay) = fate.lands {
            let asks = Some(asks).filter(|_| fate.succeeds);
            self.post(Message::Insert { batch: Box::new(batch), database, asks }, delay as i64);
        }
        self.perhaps_crash(name);
    }

    /// A batch arrives. What goes to a database that was given up in the meantime is lost.
    pub(crate) fn insert_lands(&mut self, batch: &Batch, database: u64, asks: Option<Asks>) {
        let answer = (database == self.database).then(|| self.index.write(batch));
        if let Some(asks) = asks {
            let slow = !self.quiet && self.dice.one_in(8);
            let delay = self.dice.below(if slow { 8000 } else { 50 });
            self.answer(asks, answer, delay);
        }
    }

    /// What became of a write; the floor, if it was one to the index.
    pub(crate) fn written(&mut self, asks: Asks, answer: Option<u64>) {
        let Asks { name, instance, awaited } = asks;
        let context = self.context_of(name);
        let Some(node) = self.nodes.get_mut(&name).filter(|node| node.instance == instance) else { return };
        let kv = matches!(awaited, Awaited::Projected(_) | Awaited::LastDelete);
        node.putting &= matches!(awaited, Awaited::Indexed(_));
        node.indexing &= matches!(awaited, Awaited::Projected(_));
        let Some(object) = &mut node.held else { return };
        let Some(floor) = answer else {
            if kv {
                object.projection_failed(context.now);
            } else {
                object.failed(context.now);
            }
            return self.arm(name);
        };
        object.succeeded();
        match awaited {
            Awaited::Projected(version) => {
                self.step(name, |o, c| ((), o.projected(version, c.now)));
            }
            Awaited::Indexed(batch) => {
                self.step(name, |o, c| ((), o.indexed(&batch.indexing, batch.up_to, floor, c.now)));
            }
            // A signal may have come while this waited.
            Awaited::Farewell if object.is_over(context) => {
                (node.putting, node.indexing) = (true, true);
                return self.put(name, None, Awaited::LastDelete);
            }
            Awaited::LastDelete if object.is_over(context) => return self.delete_all(name),
            Awaited::Farewell | Awaited::LastDelete => {}
        }
        self.arm(name);
    }

    /// What was idle goes: the copies first, so that nothing points at what is gone. Says whether it is
    /// on its way.
    pub(crate) fn leave(&mut self, name: CustomerId) -> Option<bool> {
        let context = self.context_of(name);
        let node = self.nodes.get_mut(&name)?;
        if !node.held.as_ref().is_some_and(|object| object.is_over(context)) {
            return Some(false);
        }
        (node.putting, node.indexing) = (true, true);
        let indexing = self.step(name, Object::farewell)?;
        let batch = Batch { activities: Vec::new(), up_to: 0, indexing };
        self.insert(batch, Awaited::Farewell);
        Some(true)
    }
}

/// What lists of activities hold.
pub(crate) fn is_activity(kind: Kind) -> bool {
    matches!(kind, Kind::View | Kind::Action | Kind::Event)
}

//! Receivers that fail, are slow, or whose answers get lost; what they were told, and what they should
//! have been told: each move of a membership, as the rows of memberships say, not as the object does.

use std::collections::{BTreeMap, BTreeSet};

use msci_core::activation::{Delivery, Outcome, State};
use msci_core::config::Direction;
use msci_core::effects::{Table, Write};
use msci_core::ids::CustomerId;
use msci_core::object::{Context, Listing, Object};
use msci_core::time::{DAY_MS, Timestamp};

use crate::node::Node;
use crate::world::{Message, World};

/// A move that an activation tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Expected {
    segment: String,
    event: Direction,
    /// Whoever it was about is gone: it need not be told any more.
    optional: bool,
}

/// A message as its receiver got it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Received {
    id: String,
    segment: String,
    event: Direction,
    at: Timestamp,
    /// How often its customer had been purged when it was sent.
    purges: u64,
}

/// By customer and activation, in order.
type Lanes<T> = BTreeMap<(CustomerId, String), Vec<T>>;

/// The world outside that activations tell of moves.
#[derive(Default)]
pub(crate) struct Outside {
    expected: Lanes<Expected>,
    received: Lanes<Received>,
    /// How often everything of somebody was purged.
    purges: BTreeMap<CustomerId, u64>,
    /// Nobody answers until it is quiet.
    pub(crate) down: bool,
    /// Messages that were given up at some time: what is put back comes later than what was behind it.
    dead: BTreeSet<(CustomerId, String)>,
    /// The list of deliveries: whose, which activation's, how new, and where it stands.
    list: BTreeMap<String, (CustomerId, String, u64, State)>,
}

/// Memberships on disk.
pub(crate) fn memberships(node: &Node) -> BTreeSet<String> {
    node.rows.keys().filter(|(table, _)| *table == Table::Membership).map(|(_, name)| name.clone()).collect()
}

impl Outside {
    /// One transaction: which moves it made, and which of those before it are nobody's any more.
    pub(crate) fn note(
        &mut self,
        name: CustomerId,
        (before, after): (&BTreeSet<String>, &BTreeSet<String>),
        writes: &[Write],
        context: Context<'_>,
    ) {
        let has = |wanted: fn(&Write) -> bool| writes.iter().any(wanted);
        let cleared = has(|write| matches!(write, Write::Clear(Table::Membership)));
        let purged = has(|write| matches!(write, Write::Wipe))
            || (cleared && has(|write| matches!(write, Write::Remove(_))));
        if purged {
            let lanes = self.expected.iter_mut().filter(|((of, _), _)| *of == name);
            lanes.flat_map(|(_, lane)| lane).for_each(|expected| expected.optional = true);
            *self.purges.entry(name).or_default() += 1;
        }
        // An unknown profile that became part of a customer's left nothing.
        if cleared || purged {
            return;
        }
        let moves = before.symmetric_difference(after);
        for segment in moves {
            let event = if after.contains(segment) { Direction::Entered } else { Direction::Left };
            for (activation, definition) in context.definitions.bundle.activations.iter() {
                if definition.segment == *segment && definition.on.contains(&event) {
                    let lane = self.expected.entry((name, activation.clone())).or_default();
                    lane.push(Expected { segment: segment.clone(), event, optional: false });
                }
            }
        }
    }

    fn receive(&mut self, name: CustomerId, delivery: &Delivery, purges: u64) {
        let lane = self.received.entry((name, delivery.activation.clone())).or_default();
        let Delivery { id, segment, event, at, .. } = delivery.clone();
        lane.push(Received { id, segment, event, at, purges });
    }

    /// An older listing changes nothing.
    fn enlist(&mut self, listing: &Listing) {
        if listing.unlist > 0 {
            self.list.retain(|_, (of, ..)| *of != listing.object);
        }
        for (_, delivery) in &listing.deliveries {
            let fresh = (listing.object, delivery.activation.clone(), delivery.changes, delivery.state);
            let row = self.list.entry(delivery.id.clone()).or_insert_with(|| fresh.clone());
            if delivery.changes > row.2 {
                *row = fresh;
            }
        }
    }
}

impl World<'_> {
    /// Sends what is due, unless something is under way.
    pub(crate) fn deliver(&mut self, name: CustomerId) {
        let context = self.context_of(name);
        let Some(node) = self.nodes.get(&name).filter(|node| node.delivering == 0) else { return };
        let Some(object) = &node.held else { return };
        let due = object.deliveries_due(context);
        if due.is_empty() {
            return self.list_deliveries(name);
        }
        let instance = node.instance;
        for (number, delivery) in due {
            let body = self.nodes[&name].held.as_ref().map(|object| object.message(&delivery, context));
            assert!(
                body.is_some_and(|body| body.contains(&delivery.segment)),
                "a message says what it is about"
            );
            if let Some(node) = self.nodes.get_mut(&name) {
                node.delivering += 1;
            }
            self.attempt(name, instance, number, delivery);
        }
    }

    fn attempt(&mut self, name: CustomerId, instance: u64, number: u64, delivery: Delivery) {
        let down = self.outside.down && !self.quiet;
        let (lands, answers, succeeds) = if down { (None, 1, false) } else { self.fate_of_message() };
        let id = delivery.id.clone();
        if let Some(delay) = lands {
            let purges = self.outside.purges.get(&name).copied().unwrap_or_default();
            self.post(Message::Receive { name, delivery: Box::new(delivery), purges }, delay);
        }
        let outcome = match succeeds {
            true => Outcome::Answered { status: 204, retry_after_ms: None },
            false => [
                Outcome::Late,
                Outcome::Unreachable,
                Outcome::Answered { status: 500, retry_after_ms: None },
                Outcome::Answered { status: 429, retry_after_ms: Some(3000) },
            ][self.dice.below(4) as usize]
                .clone(),
        };
        self.post(Message::Answered { name, instance, number, id, outcome }, answers);
    }

    /// When a message arrives, when its sender knows more, and whether that is good news.
    fn fate_of_message(&mut self) -> (Option<i64>, i64, bool) {
        let soon = 1 + self.dice.below(200) as i64;
        if self.quiet {
            return (Some(soon), soon, true);
        }
        let (late, gives_up) = (1 + self.dice.below(60_000) as i64, 1 + self.dice.below(5000) as i64);
        match self.dice.below(8) {
            0 => (None, gives_up, false),
            1 => (Some(late), gives_up, false),
            2 => (Some(soon), soon, false),
            3 => (Some(gives_up), gives_up, true),
            _ => (Some(soon), soon, true),
        }
    }

    pub(crate) fn receive(&mut self, name: CustomerId, delivery: &Delivery, purges: u64) {
        self.outside.receive(name, delivery, purges);
    }

    pub(crate) fn answered_message(
        &mut self,
        name: CustomerId,
        instance: u64,
        number: u64,
        id: &str,
        outcome: &Outcome,
    ) {
        let Some(node) = self.nodes.get_mut(&name).filter(|node| node.instance == instance) else { return };
        node.delivering -= 1;
        let last = node.delivering == 0;
        if self
            .step(name, |object, context| ((), object.attempted(number, id, outcome, context.now)))
            .is_none()
        {
            return;
        }
        if last {
            self.deliver(name);
        }
        self.arm(name);
    }

    fn list_deliveries(&mut self, name: CustomerId) {
        let context = self.context_of(name);
        let object = self.nodes.get(&name).and_then(|node| node.held.as_ref());
        let Some(listing) = object.and_then(|object| object.listing_due(context)) else { return };
        for (_, delivery) in &listing.deliveries {
            if delivery.state == State::Dead {
                self.outside.dead.insert((name, delivery.activation.clone()));
            }
        }
        let (arrives, answers) = (self.quiet || !self.dice.one_in(8), self.quiet || !self.dice.one_in(8));
        if arrives {
            self.outside.enlist(&listing);
        }
        if arrives && answers {
            self.step(name, |object, _| ((), object.listed(&listing)));
        } else if let Some(object) = self.nodes.get_mut(&name).and_then(|node| node.held.as_mut()) {
            object.failed(context.now);
        }
    }

    /// Everything that is owed to receivers is delivered, however long they were asked to wait.
    pub(crate) fn settle_deliveries(&mut self) {
        let names: Vec<_> = self.nodes.keys().copied().collect();
        for name in &names {
            for activation in self.activations() {
                if self.exists(*name) {
                    self.step(*name, |object, context| object.replay(&activation, None, context.now));
                }
            }
        }
        for _ in 0..48 {
            let owes = |object: Option<Object>| object.is_some_and(|object| object.owes_deliveries());
            if !self.nodes.iter().any(|(name, node)| owes(node.loaded(*name))) {
                return;
            }
            self.pass(self.now.plus(DAY_MS / 24));
        }
    }

    fn activations(&self) -> Vec<String> {
        self.versions[self.n - 1].bundle.activations.keys().cloned().collect()
    }

    /// What receivers were told is what happened, in the order in which it did, and nothing else.
    pub(crate) fn check_deliveries(&self) -> Result<(), String> {
        let outside = &self.outside;
        let lanes: BTreeSet<_> = outside.expected.keys().chain(outside.received.keys()).cloned().collect();
        let mut moves: BTreeMap<&str, &Received> = BTreeMap::new();
        for ((name, activation), received) in &outside.received {
            for message in received {
                let known = moves.entry(&message.id).or_insert(message);
                if *known != message {
                    return Err(format!("{name} {activation}: {message:?} has the id of {known:?}"));
                }
            }
        }
        for lane in &lanes {
            let mut seen = BTreeSet::new();
            let received = outside.received.get(lane).into_iter().flatten();
            let told: Vec<_> = received.filter(|message| seen.insert(&message.id)).collect();
            let expected = outside.expected.get(lane).cloned().unwrap_or_default();
            // What was under way when its customer was purged may arrive at any time, or never.
            let purges = outside.purges.get(&lane.0).copied().unwrap_or_default();
            let (late, told): (Vec<_>, Vec<_>) =
                told.into_iter().partition(|message| message.purges < purges);
            let (gone, expected): (Vec<_>, Vec<_>) =
                expected.into_iter().partition(|expected| expected.optional);
            // Of an activation that is no more, nothing need be told.
            let over = !self.activations().contains(&lane.1);
            let matches = match outside.dead.contains(lane) {
                true => as_many(&expected, &told),
                false => in_order(&expected, &told, over),
            };
            if !matches || !as_many(&gone, &late) {
                return Err(format!("{} {}: should tell {expected:?}, told {told:?}", lane.0, lane.1));
            }
        }
        for (id, (name, activation, _, state)) in &outside.list {
            let lives = self.exists(*name) && self.activations().contains(activation);
            if *state == State::Pending && lives {
                return Err(format!("{id} is listed as pending"));
            }
        }
        Ok(())
    }
}

fn same(expected: &Expected, told: &Received) -> bool {
    (&expected.segment, expected.event) == (&told.segment, told.event)
}

/// Whether what was told is what was expected, in order; or some of it, where the activation is no more.
fn in_order(expected: &[Expected], told: &[&Received], over: bool) -> bool {
    let Some((first, rest)) = expected.split_first() else { return told.is_empty() };
    let skipped = || over && in_order(rest, told, over);
    match told.split_first() {
        Some((message, others)) if same(first, message) => in_order(rest, others, over) || skipped(),
        _ => skipped(),
    }
}

/// Where some were given up and put back, or went with their object: none that never happened.
fn as_many(expected: &[Expected], told: &[&Received]) -> bool {
    told.iter().all(|message| {
        let count =
            told.iter().filter(|other| (&other.segment, other.event) == (&message.segment, message.event));
        count.count() <= expected.iter().filter(|expected| same(expected, message)).count()
    })
}

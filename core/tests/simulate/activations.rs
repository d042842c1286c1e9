//! Receivers that fail, are slow, or whose answers get lost; what they were told, and what they should
//! have been told: each move of a membership, as the rows of memberships say, not as the object does.

use std::collections::{BTreeMap, BTreeSet};

use msci_core::activation::{Delivery, Outcome, State};
use msci_core::config::Direction;
use msci_core::effects::{Table, Write};
use msci_core::ids::CustomerId;
use msci_core::object::{Context, Listing};
use msci_core::time::{DAY_MS, Timestamp};

use crate::node::Node;
use crate::world::{Message, World};

/// A move that an activation tells, as the rows of memberships show it. What time moved to and fro within one
/// transaction they do not show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Expected {
    segment: String,
    event: Direction,
    /// How often its customer had been purged before.
    purges: u64,
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
    /// How often somebody began anew without having left anything.
    lives: BTreeMap<CustomerId, u64>,
    /// Nobody answers until it is quiet.
    pub(crate) down: bool,
    /// Messages that were given up at some time: what is put back comes later than what was behind it.
    dead: BTreeSet<(CustomerId, String)>,
    /// The list of deliveries: whose, which activation's, how new, and where it stands.
    list: BTreeMap<String, (CustomerId, String, u64, State)>,
}

/// Memberships on disk, where these writes change them.
pub(crate) fn memberships(node: &Node, writes: &[Write]) -> BTreeSet<String> {
    let moves = |write: &Write| match write {
        Write::Put { table, .. } | Write::Delete { table, .. } | Write::Clear(table) => {
            *table == Table::Membership
        }
        Write::Wipe => true,
        Write::Append { .. } | Write::Remove(_) | Write::Prune(_) | Write::Withdraw(_) => false,
    };
    if !writes.iter().any(moves) {
        return BTreeSet::new();
    }
    all_memberships(node)
}

/// Memberships on disk.
pub(crate) fn all_memberships(node: &Node) -> BTreeSet<String> {
    let rows = node.rows.range((Table::Membership, String::new())..);
    rows.take_while(|((table, _), _)| *table == Table::Membership)
        .map(|((_, name), _)| name.clone())
        .collect()
}

impl Outside {
    /// One transaction: which moves it made, and whether what was before it is nobody's any more.
    pub(crate) fn note(
        &mut self,
        name: CustomerId,
        (before, after): (&BTreeSet<String>, &BTreeSet<String>),
        writes: &[Write],
        context: Context<'_>,
    ) {
        let has = |wanted: fn(&Write) -> bool| writes.iter().any(wanted);
        let wiped = has(|write| matches!(write, Write::Wipe));
        // A visitor's own log, not a customer's copy of one.
        let forgotten = !name.is_known() && has(|write| matches!(write, Write::Remove(_)));
        if wiped || forgotten {
            *self.purges.entry(name).or_default() += 1;
        }
        let cleared = has(|write| matches!(write, Write::Clear(Table::Membership)));
        if wiped || forgotten || cleared {
            *self.lives.entry(name).or_default() += 1;
        }
        // An unknown profile that became part of a customer's left nothing, nor did who was erased.
        if cleared || wiped {
            return;
        }
        let purges = self.purges.get(&name).copied().unwrap_or_default();
        for segment in before.symmetric_difference(after) {
            let event = if after.contains(segment) { Direction::Entered } else { Direction::Left };
            // Nobody enters anything by being forgotten.
            if forgotten && event == Direction::Entered {
                continue;
            }
            for (activation, definition) in context.definitions.bundle.activations.iter() {
                if definition.segment == *segment && definition.on.contains(&event) {
                    let lane = self.expected.entry((name, activation.clone())).or_default();
                    lane.push(Expected { segment: segment.clone(), event, purges });
                }
            }
        }
    }

    /// Everything of an object went, without having left anything.
    pub(crate) fn ended(&mut self, name: CustomerId) {
        *self.lives.entry(name).or_default() += 1;
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
        let outcome = if succeeds {
            Outcome::Answered { status: 204, retry_after_ms: None }
        } else {
            [
                Outcome::Late,
                Outcome::Unreachable,
                Outcome::Answered { status: 500, retry_after_ms: None },
                Outcome::Answered { status: 429, retry_after_ms: Some(3000) },
            ][self.dice.below(4) as usize]
                .clone()
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
            let row =
                |(table, key): &(Table, String)| *table == Table::Outbox && key.starts_with("delivery/");
            if !self.nodes.values().any(|node| node.rows.keys().any(row)) {
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
            // Of an activation that is no more nothing need be told; what was given up and put back comes late.
            if !self.activations().contains(&lane.1) || outside.dead.contains(lane) {
                continue;
            }
            let mut seen = BTreeSet::new();
            let received = outside.received.get(lane).into_iter().flatten();
            let told = received.filter(|message| seen.insert(&message.id));
            // What was under way when its customer was purged may arrive at any time, or never.
            let purges = outside.purges.get(&lane.0).copied().unwrap_or_default();
            let told: Vec<_> = told.filter(|message| message.purges == purges).collect();
            let expected = outside.expected.get(lane).into_iter().flatten();
            let expected: Vec<_> = expected.filter(|expected| expected.purges == purges).collect();
            let lives = outside.lives.get(&lane.0).copied().unwrap_or_default();
            if !in_order(&expected, &told) || !to_and_fro(&expected, &told, lives) {
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

/// Whether everything that was expected was told, in order.
fn in_order(expected: &[&Expected], told: &[&Received]) -> bool {
    let mut told = told.iter();
    expected
        .iter()
        .all(|expected| told.any(|told| (&expected.segment, expected.event) == (&told.segment, told.event)))
}

/// Whether what was told besides is what can happen within one transaction: an entry for each leave.
fn to_and_fro(expected: &[&Expected], told: &[&Received], lives: u64) -> bool {
    let more = |event: Direction| {
        let told = told.iter().filter(|message| message.event == event).count();
        told - expected.iter().filter(|expected| expected.event == event).count()
    };
    let both = told.iter().any(|message| message.event == Direction::Entered);
    let twice = told.windows(2).filter(|pair| both && pair[0].event == pair[1].event).count();
    (!both || more(Direction::Entered) == more(Direction::Left)) && twice as u64 <= lives
}

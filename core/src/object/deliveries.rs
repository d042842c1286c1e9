//! What activations are owed: every move that one of them tells, from the transaction that made the move
//! until its receiver has it, in the order in which it happened. A message that cannot be delivered holds
//! up those of the same activation behind it, and nothing else.

use super::{Context, OWED, Object};
use crate::activation::{Delivery, Outcome, State, message_id};
use crate::collections::Set;
use crate::effects::{Table, Write};
use crate::ids::CustomerId;
use crate::membership::Move;
use crate::mutants::planted;
use crate::time::Timestamp;

/// Messages that one object keeps, dead ones included. Beyond it the oldest goes, and is counted.
pub const HELD: usize = 200;

/// Begins the key of a message's row; its number follows.
const KEY: &str = "delivery/";

fn key(number: u64) -> String {
    format!("{KEY}{number}")
}

/// The number in a row's key.
pub(super) fn number(key: &str) -> Option<u64> {
    key.strip_prefix(KEY)?.parse().ok()
}

/// What the list of deliveries should hold of one object.
#[derive(Clone, Debug, PartialEq)]
pub struct Listing {
    /// Whose.
    pub object: CustomerId,
    /// By number.
    pub deliveries: Vec<(u64, Delivery)>,
    /// Those up to this number go from the list first.
    pub unlist: u64,
    /// The oldest that is still held: what the list has from before it, undelivered, was dropped.
    pub from: u64,
}

impl Object {
    /// Every move of a step becomes a message of each activation that tells it: before the step's writes
    /// are committed, with them.
    pub fn queue_moves(&mut self, context: Context<'_>, out: &mut Vec<Write>) {
        let moves = self.profile.take_moves();
        // Of whoever was erased nothing is told any more. Whoever keeps no cookie is met once: there is
        // nobody to be told about. And without the imported row a customer is not yet who they are: what was
        // told of that row is not known here, and what is told without it may not be true.
        let erased = out.iter().any(|write| matches!(write, Write::Wipe));
        let early = self.wants_row().is_some() && !planted(61);
        if moves.is_empty() || erased || early || self.is_unlisted() {
            return;
        }
        let activations = &context.definitions.bundle.activations;
        for moved in &moves {
            let telling = activations.iter().filter(|(_, a)| a.tells(moved));
            for (name, _) in telling {
                self.queue(name, moved, context.now, out);
            }
        }
    }

    fn queue(&mut self, activation: &str, moved: &Move, now: Timestamp, out: &mut Vec<Write>) {
        self.make_room(now, out);
        let (number, id) = self.next_message(activation, moved);
        let delivery = Delivery::new(id, activation, moved, now);
        if !planted(56) {
            out.push(Write::put(Table::Outbox, &key(number), &delivery));
        }
        self.deliveries.insert(number, delivery);
        out.push(Write::put(Table::Outbox, OWED, &self.owed));
    }

    fn next_message(&mut self, activation: &str, moved: &Move) -> (u64, String) {
        self.owed.messages = self.owed.messages.saturating_add(1);
        let number = self.owed.messages;
        let told = format!("{activation} {} {}", moved.segment, moved.entered);
        (number, message_id(self.name, &self.life.to_string(), number, &told, moved.at))
    }

    /// The oldest message goes where there are too many: first one that only the list waits for.
    fn make_room(&mut self, now: Timestamp, out: &mut Vec<Write>) {
        if self.held().count() < HELD {
            return;
        }
        let done = self.held().find(|(_, delivery)| delivery.state == State::Delivered);
        let Some(number) = done.or_else(|| self.held().next()).map(|(number, _)| *number) else { return };
        let Some(gone) = self.deliveries.remove(&number) else { return };
        out.push(Write::delete(Table::Outbox, &key(number)));
        if gone.state == State::Delivered {
            return;
        }
        let counts =
            |delivery: &Delivery| delivery.state == State::Dropped && delivery.activation == gone.activation;
        let counting = self.deliveries.iter().find(|(_, delivery)| counts(delivery));
        // The first of them takes the place of what it counts.
        let number = counting.map_or(number, |(number, _)| *number);
        let counting = self.deliveries.get_or_insert_with(number, || Delivery {
            state: State::Dropped,
            attempts: 0,
            next: now,
            status: None,
            error: Some("too_many".to_owned()),
            ..gone
        });
        counting.attempts = counting.attempts.saturating_add(1);
        counting.changed();
        out.push(Write::put(Table::Outbox, &key(number), counting));
    }

    /// All but the counts of what was dropped, oldest first.
    fn held(&self) -> impl Iterator<Item = (&u64, &Delivery)> {
        self.deliveries.iter().filter(|(_, delivery)| delivery.state != State::Dropped)
    }

    /// The oldest message of each activation that is still to be delivered.
    fn heads(&self) -> impl Iterator<Item = (u64, &Delivery)> {
        let mut seen = Set::default();
        let pending = self.deliveries.iter().filter(|(_, delivery)| delivery.state == State::Pending);
        pending
            .filter(move |(_, delivery)| seen.insert(delivery.activation.as_str()) || planted(55))
            .map(|(number, delivery)| (*number, delivery))
    }

    /// What is to be sent now: of each activation the oldest message, if its time has come.
    pub fn deliveries_due(&self, context: Context<'_>) -> Vec<(u64, Delivery)> {
        if self.patience.until(context.now) > context.now {
            return Vec::new();
        }
        let due = self.heads().filter(|(_, delivery)| delivery.due(context.now) <= context.now);
        due.map(|(number, delivery)| (number, delivery.clone())).collect()
    }

    /// A message as it is sent now.
    pub fn message(&self, delivery: &Delivery, context: Context<'_>) -> String {
        let merged = self.accepted_link().map(|link| link.customer.id);
        delivery.body(self.name, self.snapshot(context).as_ref(), merged)
    }

    /// What became of an attempt. Of a message that is gone in the meantime nothing follows.
    pub fn attempted(&mut self, number: u64, id: &str, outcome: &Outcome, now: Timestamp) -> Vec<Write> {
        let mut out = Vec::new();
        let sent = self.deliveries.get_mut(&number);
        if let Some(delivery) = sent.filter(|held| held.id == id && held.state == State::Pending) {
            delivery.attempted(outcome, now);
            if planted(57) {
                delivery.id.push('+');
            }
            out.push(Write::put(Table::Outbox, &key(number), delivery));
        }
        out
    }

    /// Puts dead messages of an activation back, one or all; says how many.
    pub fn replay(&mut self, activation: &str, id: Option<&str>, now: Timestamp) -> (usize, Vec<Write>) {
        let asked = |delivery: &Delivery| {
            let named = id.is_none_or(|id| id == delivery.id);
            named && delivery.state == State::Dead && delivery.activation == activation
        };
        let dead = self.deliveries.iter().filter(|(_, delivery)| asked(delivery));
        let dead: Vec<u64> = dead.map(|(number, _)| *number).collect();
        let mut out = Vec::new();
        for number in &dead {
            if let Some(delivery) = self.deliveries.get_mut(number) {
                delivery.put_back(now);
                out.push(Write::put(Table::Outbox, &key(*number), delivery));
            }
        }
        (dead.len(), out)
    }

    /// Messages that nobody waits for go: of activations that are no more, and those dead for long.
    pub(super) fn tidy_deliveries(&mut self, context: Context<'_>, out: &mut Vec<Write>) {
        let activations = &context.definitions.bundle.activations;
        self.deliveries.retain(|number, delivery| {
            let forgotten = delivery.state == State::Dead && delivery.next <= context.now;
            let over = forgotten || !activations.contains_key(&delivery.activation);
            if over {
                out.push(Write::delete(Table::Outbox, &key(*number)));
            }
            !over
        });
    }

    /// Whatever was to be told of this person is told to nobody any more.
    pub(super) fn drop_deliveries(&mut self, out: &mut Vec<Write>) {
        for (number, _) in std::mem::take(&mut self.deliveries) {
            out.push(Write::delete(Table::Outbox, &key(number)));
        }
        self.owed.unlist = self.owed.messages;
        out.push(Write::put(Table::Outbox, OWED, &self.owed));
    }

    /// Whether a message is still to be delivered, or the list to be written.
    pub fn owes_deliveries(&self) -> bool {
        let owed = |delivery: &Delivery| delivery.state == State::Pending || !delivery.listed;
        self.owed.unlist != 0 || self.deliveries.values().any(owed)
    }

    /// Whether some message is dead and could still be put back.
    pub fn has_dead_deliveries(&self) -> bool {
        self.deliveries.values().any(|delivery| delivery.state == State::Dead)
    }

    /// When something of this is to be done.
    pub(super) fn delivers_at(&self, now: Timestamp) -> Option<Timestamp> {
        let patience = self.patience.until(now);
        let sent = self.heads().map(|(_, delivery)| delivery.due(now).max(patience)).min();
        let dead = self.deliveries.values().filter(|delivery| delivery.state == State::Dead);
        let forgotten = dead.map(|delivery| delivery.next).min();
        let listed = self.is_behind().then(|| patience.max(now));
        [sent, forgotten, listed].into_iter().flatten().min()
    }

    /// Whether the list is to be written: not for what was never tried, since it will be in a moment.
    fn is_behind(&self) -> bool {
        let said = |delivery: &Delivery| delivery.attempts > 0 || delivery.state != State::Pending;
        self.owed.unlist != 0 || self.deliveries.values().any(|delivery| !delivery.listed && said(delivery))
    }

    /// What is to be written to the list of deliveries now.
    pub fn listing_due(&self, context: Context<'_>) -> Option<Listing> {
        if !self.is_behind() || self.patience.until(context.now) > context.now {
            return None;
        }
        let unlisted = self.deliveries.iter().filter(|(_, delivery)| !delivery.listed);
        let deliveries = unlisted.map(|(number, delivery)| (*number, delivery.clone())).collect();
        let from = self.held().next().map_or(self.owed.messages.saturating_add(1), |(number, _)| *number);
        Some(Listing { object: self.name, deliveries, unlist: self.owed.unlist, from })
    }

    /// The list has these as they were then; what is delivered needs no memory any more.
    pub fn listed(&mut self, listing: &Listing) -> Vec<Write> {
        let mut out = Vec::new();
        if self.owed.unlist == listing.unlist && listing.unlist != 0 {
            self.owed.unlist = 0;
            out.push(Write::put(Table::Outbox, OWED, &self.owed));
        }
        for (number, listed) in &listing.deliveries {
            let held = self.deliveries.get_mut(number);
            let Some(held) = held.filter(|held| (&held.id, held.changes) == (&listed.id, listed.changes))
            else {
                continue;
            };
            held.listed = true;
            if held.state == State::Delivered {
                self.deliveries.remove(number);
                out.push(Write::delete(Table::Outbox, &key(*number)));
            } else {
                out.push(Write::put(Table::Outbox, &key(*number), held));
            }
        }
        out
    }
}

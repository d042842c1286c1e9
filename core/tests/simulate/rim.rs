//! What the Worker does around the state machine: load, step, commit, crash, alarms, and who is told.

use std::collections::{BTreeMap, BTreeSet};

use msci_core::effects::{Table, Write};
use msci_core::ids::{CustomerId, SignalKey};
use msci_core::object::{
    CollectAnswer, CollectCall, Context, Object, Offered, Page, Present, Row, ShipAnswer, ShipOutcome,
    Verdict,
};
use msci_core::signal::Signal;
use msci_core::time::Timestamp;

use crate::activations::{all_memberships, memberships};
use crate::node::Node;
use crate::world::{Message, PAGE, World};

impl<'a> World<'a> {
    /// What an object is told of the world: its host's clock, the definitions that it follows.
    pub(crate) fn context_of(&self, name: CustomerId) -> Context<'a> {
        let node = self.nodes.get(&name);
        let n = node.and_then(|node| node.held.as_ref()).map_or(0, |o| o.profile.definitions_version());
        let n = if n == 0 { self.n } else { n as usize };
        let skew = node.map_or(0, |node| node.skew);
        Context { now: self.now.plus(skew), definitions: &self.versions[n - 1] }
    }

    pub(crate) fn exists(&self, name: CustomerId) -> bool {
        self.nodes.get(&name).is_some_and(Node::exists)
    }

    pub(crate) fn set_clock(&mut self, name: CustomerId, skew: i64) {
        if let Some(node) = self.nodes.get_mut(&name).filter(|node| node.skew != skew) {
            node.skew = skew;
            self.wake_at(name, self.now.plus(1000));
        }
    }

    /// The instance ends. An alarm that did not come to its end is called again.
    pub(crate) fn crash(&mut self, name: CustomerId) {
        self.crashes += 1;
        let Some(node) = self.nodes.get_mut(&name) else { return };
        node.crash();
        if node.alarm.is_none() {
            self.wake_at(name, self.now.plus(1000));
        }
        if self.clocks_jump && self.dice.one_in(3) {
            let off = [0, 60_000, 300_000][self.dice.below(3) as usize];
            let skew = if off == 0 { 0 } else { self.dice.below(off + 5000) as i64 - off as i64 };
            self.set_clock(name, skew);
        }
    }

    /// Sets the alarm, unless an earlier one is set.
    fn wake_at(&mut self, name: CustomerId, at: Timestamp) {
        let Some(set) = self.nodes.get(&name).map(|node| node.alarm) else { return };
        if set.is_some_and(|(set, _)| set <= at) {
            return;
        }
        if let Some((_, id)) = set {
            self.take_back(id);
        }
        let id = self.post(Message::Alarm(name), at.0 - self.now.0);
        if let Some(node) = self.nodes.get_mut(&name) {
            node.alarm = Some((at, id));
        }
    }

    /// Sets the alarm for what is owed next. While an alarm waits for a write, the next one waits for it.
    pub(crate) fn arm(&mut self, name: CustomerId) {
        let context = self.context_of(name);
        let Some(node) = self.nodes.get(&name).filter(|node| !node.putting && !node.indexing) else { return };
        if let Some(at) = node.held.as_ref().and_then(|object| object.alarm(context)) {
            // While messages are under way, everything else is looked after once a second.
            let least = if node.delivering > 0 { 1000 } else { 10 };
            let delay = (at.0 - context.now.0).max(least);
            self.wake_at(name, self.now.plus(delay));
        }
    }

    /// Loads the state, or begins a life; then brings it to the definitions in force.
    fn bring_up(&mut self, name: CustomerId) {
        let behind = self.n > 1 && self.now < self.known_at && self.dice.one_in(3);
        let bits = self.dice.bits();
        let node = self.nodes.entry(name).or_default();
        if node.held.is_none() {
            node.held = Some(node.loaded(name).unwrap_or_else(|| {
                let (object, writes) = Object::born(name, bits);
                node.apply(writes);
                object
            }));
        }
        let Some(object) = node.held.as_mut() else { return };
        let n = self.n - usize::from(behind);
        let definitions = &self.versions[n - 1];
        if object.profile.definitions_version() >= n as u64 {
            return;
        }
        let missing = object.profile.missing(definitions);
        object.profile.restart(&missing);
        for (key, (_, signal)) in &node.timeline {
            object.profile.backfill(definitions, &missing, *key, signal, self.now);
        }
        let mut writes = Vec::new();
        object.profile.adopt(definitions, &mut writes);
        node.apply(writes);
    }

    /// One step and its transaction. A crash before it leaves nothing, one after it loses only what
    /// would have been sent: both forget what was in memory.
    pub(crate) fn step<T>(
        &mut self,
        name: CustomerId,
        step: impl FnOnce(&mut Object, Context<'_>) -> (T, Vec<Write>),
    ) -> Option<T> {
        self.step_from(name, &BTreeSet::new(), step)
    }

    /// The same; where it brings the imported row, others were `told` of these segments.
    fn step_from<T>(
        &mut self,
        name: CustomerId,
        told: &BTreeSet<String>,
        step: impl FnOnce(&mut Object, Context<'_>) -> (T, Vec<Write>),
    ) -> Option<T> {
        self.bring_up(name);
        let context = self.context_of(name);
        let (before, after) = (!self.quiet && self.dice.one_in(24), !self.quiet && self.dice.one_in(24));
        let node = self.nodes.get_mut(&name)?;
        let object = node.held.as_mut()?;
        let early = object.wants_row().is_some();
        let (answer, mut writes) = step(object, context);
        let (arrives, early) = (early && object.wants_row().is_none(), object.wants_row().is_some());
        if before {
            self.crash(name);
            return None;
        }
        object.queue_moves(context, &mut writes);
        object.keep_unknown_fields(&mut writes);
        let takes = writes
            .iter()
            .any(|w| matches!(w, Write::Wipe | Write::Remove(_) | Write::Prune(_) | Write::Withdraw(_)));
        let had = if takes && !name.is_known() { node.timeline.clone() } else { BTreeMap::new() };
        for write in &writes {
            if let (Write::Append { signal, .. }, false) = (write, name.is_known()) {
                let first = self.first_seen.entry(name).or_insert(signal.time);
                *first = signal.time.min(*first);
            }
            if let (Write::Remove(cookie), false) = (write, name.is_known()) {
                self.unlinked.insert(*cookie);
            }
        }
        let moved_from = if arrives { told.clone() } else { memberships(node, &writes) };
        let purges = writes.iter().any(|write| matches!(write, Write::Wipe | Write::Remove(_)));
        let withdraws = writes.iter().any(|write| matches!(write, Write::Withdraw(_)));
        node.apply(writes.clone());
        let moved_to = if arrives { all_memberships(node) } else { memberships(node, &writes) };
        if arrives {
            self.spoken_for.insert(name);
        }
        // What seems to move while the imported row is not there is no news.
        let moved = if early { (&moved_to, &moved_to) } else { (&moved_from, &moved_to) };
        self.outside.note(name, moved, &writes, context);
        self.taken_away(name, had, purges, withdraws);
        // The alarm is set in the same write as the rows.
        self.arm(name);
        if after {
            self.crash(name);
            return None;
        }
        Some(answer)
    }

    /// A step after which, if it says so, what stays of the timeline is folded again.
    pub(crate) fn refold(
        &mut self,
        name: CustomerId,
        stays: impl Fn(&SignalKey, &Signal) -> bool,
        step: impl FnOnce(&mut Object, Context<'_>, &mut Vec<Write>) -> bool,
    ) -> Option<()> {
        let timeline = self.nodes.get(&name).map(|node| node.timeline.clone()).unwrap_or_default();
        self.step(name, |object, context| {
            let mut out = Vec::new();
            if step(object, context, &mut out) {
                object.unfold(context, &mut out);
                for (key, (_, signal)) in timeline.iter().filter(|(key, (_, signal))| stays(key, signal)) {
                    object.profile.fold(context.definitions, *key, signal, context.now);
                }
                object.refolded(context, &mut out);
            }
            ((), out)
        })
    }

    pub(crate) fn alarm(&mut self, name: CustomerId) {
        let Some(node) = self.nodes.get_mut(&name) else { return };
        node.alarm = None;
        if node.putting || node.indexing {
            // One alarm at a time. That a request makes two writes to the index at once is allowed for.
            if !node.putting && !self.quiet && self.dice.one_in(2) {
                self.index(name);
            }
            return;
        }
        if self.exists(name) && self.work(name).is_some() {
            self.arm(name);
        }
    }

    /// Everything that is owed.
    fn work(&mut self, name: CustomerId) -> Option<()> {
        self.step(name, |o, c| ((), o.wake(c)))?;
        let context = self.context_of(name);
        let object = self.nodes.get(&name)?.held.as_ref()?;
        let idle = object.expires(context).is_some_and(|at| at <= context.now);
        let wants_row = object.wants_row().is_some();
        if let Some(cutoff) = object.prune_due(context) {
            let ages = self.nodes.get(&name)?.timeline.values().filter(|(_, signal)| signal.ages());
            let oldest = ages.map(|(_, signal)| signal.time).filter(|time| *time >= cutoff).min();
            let stays = |_: &SignalKey, signal: &Signal| signal.time >= cutoff || !signal.ages();
            self.refold(name, stays, |object, _, out| object.prune(cutoff, oldest, out))?;
        }
        if idle {
            self.step(name, |o, c| ((), o.end_idle_link(c)))?;
        }
        // It may not answer; everything else is tried all the same.
        let late = wants_row && !self.quiet && self.dice.one_in(3);
        if wants_row && !late {
            self.fetch_row(name)?;
        }
        self.ship(name);
        self.tell_others(name);
        if !self.leave(name)? {
            self.project(name);
            self.index(name);
            if self.nodes.get(&name)?.held.as_ref().is_some_and(|object| object.wants_renewal(context.now)) {
                self.step(name, |object, _| ((), object.renewed()))?;
            }
            self.deliver(name);
        }
        if late {
            self.nodes.get_mut(&name)?.held.as_mut()?.failed(context.now);
        }
        Some(())
    }

    /// The imported row of a customer, and the segments that it alone has led to, as long as no rows of an
    /// object have taken their place.
    fn fetch_row(&mut self, name: CustomerId) -> Option<()> {
        let (row, mut memberships) = self.imported.get(&name).cloned().unwrap_or_default();
        if self.spoken_for.contains(&name) {
            memberships.clear();
        }
        let told = memberships.iter().map(|(segment, _)| segment.clone()).collect();
        if self.index.customers.contains_key(&name) {
            memberships.clear();
        }
        self.step_from(name, &told, |o, c| ((), o.adopt_row(row, memberships, c)))
    }

    /// Tells customers of links that are gone, and cookies of customers that are erased.
    pub(crate) fn tell_others(&mut self, name: CustomerId) {
        let object = self.nodes.get(&name).and_then(|node| node.held.as_ref());
        let (drop, purge) = (object.and_then(Object::next_drop), object.and_then(Object::next_purge));
        if let Some(drop) = drop {
            self.send(|| Message::Drop(drop.clone()));
        }
        if let Some(purge) = purge {
            self.send(|| Message::Purge(purge.clone()));
        }
    }

    /// An object is told something, if it is still there.
    pub(crate) fn tell(&mut self, name: CustomerId, step: impl FnOnce(&mut Object) -> Vec<Write>) {
        if self.exists(name) {
            self.step(name, |object, _| ((), step(object)));
        }
    }

    /// A job asks an object for something, until it is done.
    pub(crate) fn job(
        &mut self,
        name: CustomerId,
        ask: fn(CustomerId) -> Message,
        step: impl FnOnce(&mut Object, Context<'_>) -> Vec<Write>,
    ) {
        if self.exists(name) && self.step(name, |o, c| ((), step(o, c))).is_none() {
            self.post(ask(name), 500);
        }
    }

    pub(crate) fn collect(&mut self, tab: usize, call: &CollectCall, hops: u8) {
        let name = self.name_of(call.cookie);
        let present = self.present_of(name, call);
        let Some(answer) = self.step(name, |o, c| o.collect(call, &present, c)) else { return };
        self.ship(name);
        let CollectAnswer { verdicts, root, successor, .. } = answer;
        let (mut taken, mut refused) = (Vec::new(), Vec::new());
        let mut elsewhere: BTreeMap<CustomerId, Vec<Offered>> = BTreeMap::new();
        for (offered, verdict) in call.signals.iter().zip(&verdicts) {
            match verdict {
                Verdict::Accepted | Verdict::Duplicate => taken.push(offered.signal.seq),
                Verdict::Rejected(rejection) if ["erased", "too_old"].contains(&&*rejection.code) => {
                    refused.push(offered.signal.seq);
                }
                Verdict::Rejected(rejection) => panic!("rejected: {}", rejection.message),
                Verdict::Elsewhere(customer) => {
                    elsewhere.entry(*customer).or_default().push(offered.clone());
                }
            }
        }
        if !refused.is_empty() {
            self.nobody_said_who(tab);
        }
        let sent = self.tabs[tab].cookie;
        assert!(hops < 12, "a batch goes round in circles");
        // The edge goes on with the other cookies; what fails there is not acknowledged and comes again.
        for (customer, signals) in elsewhere {
            let (next, root) = self.names.rotated(root.unwrap_or(call.cookie), call.cookie, customer);
            if self.quiet || !self.dice.one_in(6) {
                self.collect(tab, &CollectCall::of(next, root, signals), hops + 1);
            }
        }
        let cookie = successor.map_or(call.cookie, |successor| {
            let (next, _) = self.names.rotated(call.cookie, call.cookie, successor);
            self.unlinked.insert(next);
            next
        });
        let given = self.sent;
        let (taken, refused) = (&taken, &refused);
        self.send(|| Message::Answer {
            tab,
            cookie,
            sent,
            given,
            taken: taken.clone(),
            refused: refused.clone(),
        });
    }

    pub(crate) fn page(&mut self, page: &Page) {
        let name = page.customer.id;
        let present = self.nodes.get(&name).map(Node::keys).unwrap_or_default();
        let Some(answer) = self.step(name, |o, c| o.ship(page, &present.iter().copied().collect(), c)) else {
            return;
        };
        let (to, epoch) = (page.object, page.epoch);
        self.send(|| Message::Shipped { to, epoch, answer: answer.clone() });
    }

    pub(crate) fn shipped(&mut self, to: CustomerId, epoch: i64, answer: &ShipAnswer) {
        if !self.exists(to) {
            return;
        }
        if let (ShipOutcome::Refused(_), Some(cookie)) =
            (&answer.outcome, self.nodes.get(&to).and_then(|node| node.loaded(to)?.cookie()))
        {
            self.unlinked.insert(cookie);
        }
        let bits = self.dice.bits();
        self.step(to, |o, c| ((), o.on_ship_answer(epoch, answer, bits, c)));
        self.ship(to);
    }

    pub(crate) fn ship(&mut self, name: CustomerId) {
        let Some(node) = self.nodes.get(&name) else { return };
        let Some(object) = &node.held else { return };
        let (Some(behind), Some(cookie)) = (object.shipped(), object.cookie()) else { return };
        let log = node.timeline.iter().filter(|(key, _)| key.cookie == cookie);
        let mut rows: Vec<Row> = log
            .filter(|(_, (position, _))| *position > behind)
            .map(|(_, (position, signal))| Row { position: *position, signal: signal.clone() })
            .collect();
        rows.sort_by_key(|row| row.position);
        rows.truncate(PAGE);
        if let Some(page) = object.next_page(rows, PAGE) {
            self.send(|| Message::Page(Box::new(page.clone())));
        }
    }

    fn present_of(&self, name: CustomerId, call: &CollectCall) -> Present {
        let Some(node) = self.nodes.get(&name) else { return Present::default() };
        let own = node.timeline.iter().filter(|(key, _)| key.cookie == call.cookie);
        let streams = call.signals.iter().filter_map(|offered| {
            let id = offered.signal.stream;
            let body = node.rows.get(&(Table::Stream, id.to_string()))?;
            Some((id, serde_json::from_str(body).unwrap()))
        });
        Present {
            signals: own.map(|(key, (_, signal))| ((key.stream, key.seq), signal.clone())).collect(),
            streams: streams.collect(),
        }
    }
}

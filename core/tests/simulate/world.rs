//! Objects with disks, clients with queues, and a network between them that cannot be trusted.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use msci_core::config::Bundle;
use msci_core::definitions::Definitions;
use msci_core::effects::{Table, Write};
use msci_core::identity::NameKey;
use msci_core::ids::{CookieId, CustomerId, SignalKey, StreamId};
use msci_core::object::{
    CollectAnswer, CollectCall, Context, Customer, Drop, Object, Offered, Page, Present, Row, ShipAnswer,
    Verdict,
};
use msci_core::signal::Signal;
use msci_core::time::Timestamp;
use serde_json::json;

use crate::node::{Dice, Node};
use crate::people::{Device, Tab};

pub(crate) fn definitions() -> Definitions {
    let bundle: Bundle = serde_json::from_value(json!({
        "n": 1,
        "measures": {
            "Views": { "aggregate": "count", "filter": "ActivityType eq 'View'" },
            "Total": { "aggregate": "sum", "property": "total" },
        },
        "segments": {
            "Often": { "filter": "Measures/Views ge 3" },
            "Lately": { "filter": "UnifiedActivity/$count($filter=ActivityTime gt now() sub duration'PT2M') ge 2" },
        },
    }))
    .unwrap();
    Definitions::compile(bundle).unwrap()
}

pub(crate) enum Message {
    /// A tab sends its queue.
    Flush(usize),
    /// The edge hands a batch to a cookie's object.
    Collect {
        tab: usize,
        call: CollectCall,
        hops: u8,
    },
    Answer {
        tab: usize,
        cookie: CookieId,
        sent: CookieId,
        seqs: Vec<u64>,
    },
    Page(Box<Page>),
    Shipped {
        to: CustomerId,
        epoch: i64,
        answer: ShipAnswer,
    },
    Drop(Drop),
    Dropped(Drop),
    Alarm(CustomerId),
    /// The person does something.
    Act(usize),
    /// The administrator takes a link back.
    Unlink {
        cookie: CookieId,
    },
    /// The visitor wants the log gone.
    Forget {
        cookie: CookieId,
    },
}

pub(crate) struct World<'a> {
    pub(crate) definitions: &'a Definitions,
    pub(crate) now: Timestamp,
    pub(crate) dice: Dice,
    pub(crate) names: NameKey,
    pub(crate) queue: BinaryHeap<Reverse<(Timestamp, u64)>>,
    pub(crate) mail: BTreeMap<u64, Message>,
    pub(crate) sent: u64,
    pub(crate) nodes: BTreeMap<CustomerId, Node>,
    pub(crate) devices: Vec<Device>,
    pub(crate) tabs: Vec<Tab>,
    pub(crate) customers: Vec<Customer>,
    pub(crate) acts_left: u64,
    /// At most so long until somebody does something again.
    pub(crate) pace: u64,
    pub(crate) quiet: bool,
    pub(crate) crashes: u64,
    pub(crate) lost: u64,
    /// Stream and seq of what a browser saw acknowledged, with the person who was signed in.
    pub(crate) acknowledged: BTreeMap<(StreamId, u64), Option<CustomerId>>,
    /// Cookies whose link was taken back once: their signals are nobody's again.
    pub(crate) unlinked: BTreeSet<CookieId>,
    /// Stream and seq of what was purged; a client that had no answer yet may bring it again.
    pub(crate) forgotten: BTreeSet<(StreamId, u64)>,
    /// Who was signed in when a signal was made.
    pub(crate) made_as: BTreeMap<(StreamId, u64), Option<CustomerId>>,
}

/// Signals in a page.
const PAGE: usize = 3;

const START: Timestamp = Timestamp(1_790_000_000_000);

impl<'a> World<'a> {
    pub(crate) fn new(seed: u64, definitions: &'a Definitions) -> Self {
        let mut dice = Dice(seed);
        let names = NameKey::new([7; 32]);
        let customer = |auth_id: &str| Customer {
            id: names.known("T", auth_id),
            table: "T".into(),
            auth_id: auth_id.into(),
        };
        let customers = (0..=dice.below(2)).map(|n| customer(&format!("C{n}"))).collect();
        let devices: Vec<Device> =
            (0..=dice.below(2)).map(|_| Device { cookie: CookieId::from_bits(dice.bits()) }).collect();
        let mut world = Self {
            definitions,
            now: START,
            dice,
            names,
            queue: BinaryHeap::new(),
            mail: BTreeMap::new(),
            sent: 0,
            nodes: BTreeMap::new(),
            devices,
            tabs: Vec::new(),
            customers,
            acts_left: 0,
            pace: 20_000,
            quiet: false,
            crashes: 0,
            lost: 0,
            acknowledged: BTreeMap::new(),
            unlinked: BTreeSet::new(),
            forgotten: BTreeSet::new(),
            made_as: BTreeMap::new(),
        };
        world.acts_left = 10 + world.dice.below(25);
        world.pace = [300, 3000, 20_000][world.dice.below(3) as usize];
        for device in 0..world.devices.len() {
            for _ in 0..=world.dice.below(2) {
                world.open_tab(device);
            }
        }
        for tab in 0..world.tabs.len() {
            world.later(Message::Act(tab), 100);
        }
        world
    }

    pub(crate) fn context(&self) -> Context<'a> {
        Context { now: self.now, definitions: self.definitions }
    }

    pub(crate) fn name_of(&self, cookie: CookieId) -> CustomerId {
        self.names.unknown(cookie)
    }

    /// Runs until nothing is left to do: first with faults, then without, until it is quiet.
    pub(crate) fn run(&mut self) {
        let mut steps = 0;
        let mut end = None;
        while let Some(Reverse((at, id))) = self.queue.pop() {
            // What is owed is settled soon, not when some alarm of next week happens to come.
            if end.is_some_and(|end| at > end) {
                return;
            }
            let Some(message) = self.mail.remove(&id) else { continue };
            self.now = self.now.max(at);
            if !self.quiet && self.acts_left == 0 && steps > 400 {
                self.quiet = true;
                end = Some(self.now.plus(10 * 60 * 1000));
            }
            assert!(steps <= 20_000, "it does not become quiet");
            steps += 1;
            self.handle(message);
        }
    }

    pub(crate) fn post(&mut self, message: Message, delay_ms: i64) {
        self.sent += 1;
        self.queue.push(Reverse((self.now.plus(delay_ms), self.sent)));
        self.mail.insert(self.sent, message);
    }

    pub(crate) fn later(&mut self, message: Message, within_ms: u64) {
        let delay = 1 + self.dice.below(within_ms);
        self.post(message, delay as i64);
    }

    /// Over the network: lost, doubled, late. A lost call is noticed by whoever waits for its answer,
    /// through an alarm or a retry.
    pub(crate) fn send(&mut self, make: impl Fn() -> Message) {
        if !self.quiet && self.dice.one_in(6) {
            self.lost += 1;
            return;
        }
        let copies = if !self.quiet && self.dice.one_in(8) { 2 } else { 1 };
        for _ in 0..copies {
            let within = if !self.quiet && self.dice.one_in(10) { 90_000 } else { 400 };
            self.later(make(), within);
        }
    }

    fn handle(&mut self, message: Message) {
        match message {
            Message::Act(tab) => self.act(tab),
            Message::Flush(tab) => self.flush(tab),
            Message::Collect { tab, call, hops } => self.collect(tab, &call, hops),
            Message::Answer { tab, cookie, sent, seqs } => self.answered(tab, cookie, sent, &seqs),
            Message::Page(page) => {
                let name = page.customer.id;
                let (object, present) = (page.object, self.present(name));
                let Some(answer) = self.step(name, |o, c| o.ship(&page, &present, c)) else { return };
                let epoch = page.epoch;
                self.send(|| Message::Shipped { to: object, epoch, answer: answer.clone() });
            }
            Message::Shipped { to, epoch, answer } => {
                self.step(to, |o, c| ((), o.on_ship_answer(epoch, &answer, c)));
                self.ship(to);
            }
            Message::Drop(drop) => {
                let refolded =
                    self.refold(drop.customer, Some(drop.cookie), |o, now, out| o.drop_link(&drop, now, out));
                if refolded {
                    self.send(|| Message::Dropped(drop.clone()));
                }
            }
            Message::Dropped(drop) => {
                self.step(drop.object, |o, _| ((), o.dropped(&drop)));
            }
            Message::Unlink { cookie } => self.unlink(cookie),
            Message::Forget { cookie } => self.forget(cookie),
            Message::Alarm(name) => self.alarm(name),
        }
    }

    fn collect(&mut self, tab: usize, call: &CollectCall, hops: u8) {
        let name = self.name_of(call.cookie);
        let present = self.present_of(name, call);
        let Some(answer) = self.step(name, |o, c| o.collect(call, &present, c)) else { return };
        self.ship(name);
        let CollectAnswer { verdicts, root, .. } = answer;
        let mut taken = Vec::new();
        let mut elsewhere: BTreeMap<CustomerId, Vec<Offered>> = BTreeMap::new();
        for (offered, verdict) in call.signals.iter().zip(&verdicts) {
            match verdict {
                Verdict::Accepted | Verdict::Duplicate => taken.push(offered.signal.seq),
                Verdict::Rejected(rejection) if rejection.code == "erased" => taken.push(offered.signal.seq),
                Verdict::Rejected(rejection) => panic!("rejected: {}", rejection.message),
                Verdict::Elsewhere(customer) => {
                    elsewhere.entry(*customer).or_default().push(offered.clone());
                }
            }
        }
        let sent = self.tabs[tab].cookie;
        assert!(hops < 8, "a batch goes round in circles");
        // The edge goes on with the other cookies; what fails there is not acknowledged and comes again.
        for (customer, signals) in elsewhere {
            let (next, root) = self.names.rotated(root.unwrap_or(call.cookie), call.cookie, customer);
            if self.quiet || !self.dice.one_in(6) {
                self.collect(tab, &CollectCall { cookie: next, root, signals }, hops + 1);
            }
        }
        let cookie = call.cookie;
        self.send(|| Message::Answer { tab, cookie, sent, seqs: taken.clone() });
    }

    fn unlink(&mut self, cookie: CookieId) {
        let name = self.name_of(cookie);
        let linked =
            self.nodes.get(&name).and_then(|node| node.loaded(name)).and_then(|o| o.accepted_link().cloned());
        let Some(link) = linked else { return };
        self.unlinked.insert(cookie);
        let unlinked = self.refold(name, None, |object, _, out| {
            let (outcome, writes) = object.unlink(link.customer.id);
            out.extend(writes);
            outcome == msci_core::object::Unlinked::Done
        });
        if unlinked {
            self.tell_drops(name);
        }
    }

    fn forget(&mut self, cookie: CookieId) {
        let name = self.name_of(cookie);
        let Some(node) = self.nodes.get(&name) else { return };
        let before: Vec<_> = node.timeline.keys().copied().collect();
        let done = self.step(name, |object, context| ((), object.forget(context))).is_some();
        // A crash may have come before the transaction or after it: the disk knows.
        let after = self.present(name);
        for key in before.iter().filter(|key| !after.contains(key)) {
            self.acknowledged.remove(&(key.stream, key.seq));
            self.forgotten.insert((key.stream, key.seq));
            self.unlinked.insert(cookie);
        }
        if done {
            self.tell_drops(name);
        } else {
            self.post(Message::Forget { cookie }, 500);
        }
    }

    fn tell_drops(&mut self, name: CustomerId) {
        let drop = self.nodes.get(&name).and_then(|node| node.held.as_ref()).and_then(Object::next_drop);
        if let Some(drop) = drop {
            self.send(|| Message::Drop(drop.clone()));
        }
    }

    fn alarm(&mut self, name: CustomerId) {
        let due = self.nodes.get(&name).and_then(|node| node.alarm);
        if due.is_none_or(|due| due > self.now) {
            return;
        }
        if let Some(node) = self.nodes.get_mut(&name) {
            node.alarm = None;
        }
        if self.step(name, |o, c| ((), o.wake(c))).is_none() {
            // The platform calls an alarm again that did not come to its end.
            if let Some(node) = self.nodes.get_mut(&name) {
                node.alarm = Some(self.now.plus(1000));
            }
            return self.post(Message::Alarm(name), 1000);
        }
        self.ship(name);
        self.tell_drops(name);
        // KV takes it at once: what is stale or failing there is not this simulator's matter.
        let context = self.context();
        let node = self.nodes.get(&name).and_then(|node| node.held.as_ref());
        if node.is_some_and(|object| object.projection_due(context).is_some()) {
            let version = node.map_or(0, |object| object.profile.version());
            self.step(name, |o, c| ((), o.projected(version, c.now)));
        }
    }

    fn ship(&mut self, name: CustomerId) {
        let Some(node) = self.nodes.get(&name) else { return };
        let Some(object) = &node.held else { return };
        let (Some(behind), Some(cookie)) = (object.shipped(), object.cookie()) else { return };
        let log = node.timeline.iter().filter(|(key, _)| key.cookie == cookie);
        let mut rows: Vec<Row> = log
            .filter(|(_, (position, _))| *position > behind)
            .map(|(_, (position, signal))| Row { position: *position, signal: signal.clone() })
            .collect();
        rows.sort_by_key(|row| row.position);
        // Small pages, so that a log takes several.
        rows.truncate(PAGE);
        if let Some(page) = object.next_page(rows, PAGE) {
            self.send(|| Message::Page(Box::new(page.clone())));
        }
    }

    fn present(&self, name: CustomerId) -> BTreeSet<SignalKey> {
        self.nodes.get(&name).map(|node| node.timeline.keys().copied().collect()).unwrap_or_default()
    }

    fn present_of(&self, name: CustomerId, call: &CollectCall) -> Present {
        let Some(node) = self.nodes.get(&name) else { return Present::default() };
        let own = node.timeline.keys().filter(|key| key.cookie == call.cookie);
        let streams = call.signals.iter().filter_map(|offered| {
            let id = offered.signal.stream;
            let body = node.rows.get(&(Table::Stream, id.to_string()))?;
            Some((id, serde_json::from_str(body).unwrap()))
        });
        Present { signals: own.map(|key| (key.stream, key.seq)).collect(), streams: streams.collect() }
    }

    /// A step after which, if it says so, the timeline is folded again.
    fn refold(
        &mut self,
        name: CustomerId,
        gone: Option<CookieId>,
        step: impl FnOnce(&mut Object, Timestamp, &mut Vec<Write>) -> bool,
    ) -> bool {
        let timeline: Vec<(SignalKey, Signal)> = match self.nodes.get(&name) {
            Some(node) => node.timeline.iter().map(|(key, (_, signal))| (*key, signal.clone())).collect(),
            None => Vec::new(),
        };
        self.step(name, |object, context| {
            let mut out = Vec::new();
            if step(object, context.now, &mut out) {
                object.unfold(context, &mut out);
                for (key, signal) in timeline.iter().filter(|(key, _)| Some(key.cookie) != gone) {
                    object.profile.fold(context.definitions, *key, signal, context.now);
                }
                object.refolded(context, &mut out);
            }
            ((), out)
        })
        .is_some()
    }

    /// One step and its transaction. A crash before it leaves nothing, one after it loses only what
    /// would have been sent: both forget what was in memory.
    fn step<T>(
        &mut self,
        name: CustomerId,
        step: impl FnOnce(&mut Object, Context<'_>) -> (T, Vec<Write>),
    ) -> Option<T> {
        let context = self.context();
        let (before, after) = (!self.quiet && self.dice.one_in(12), !self.quiet && self.dice.one_in(12));
        let bits = self.dice.bits();
        let node = self.nodes.entry(name).or_insert_with(|| Node {
            rows: BTreeMap::new(),
            timeline: BTreeMap::new(),
            held: None,
            alarm: None,
        });
        if node.held.is_none() {
            node.held = Some(match node.loaded(name) {
                Some(object) => object,
                None => {
                    let (mut object, mut writes) = Object::born(name, bits);
                    object.profile.adopt(context.definitions, &[], &mut writes);
                    node.apply(writes);
                    object
                }
            });
        }
        let object = node.held.as_mut()?;
        let (answer, writes) = step(object, context);
        if before {
            self.crashes += 1;
            node.held = None;
            return None;
        }
        let alarm = object.alarm(context);
        node.apply(writes);
        // The alarm is set in the same write as the rows; projections are not simulated here.
        let alarm = alarm.map(|at| at.max(context.now.plus(1)));
        let owes = node.held.as_ref().is_some_and(|o| o.has_to_ship() || o.next_drop().is_some());
        if owes && node.alarm.is_none_or(|set| alarm.is_some_and(|at| at < set)) {
            node.alarm = alarm;
        }
        let due = node.alarm;
        if after {
            self.crashes += 1;
            node.held = None;
        }
        if let Some(at) = due {
            let delay = at.0 - self.now.0;
            self.post(Message::Alarm(name), delay.max(1));
        }
        if after { None } else { Some(answer) }
    }
}

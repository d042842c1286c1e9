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
use msci_core::signal::{Kind, Signal};
use msci_core::time::Timestamp;
use serde_json::json;

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

/// `SplitMix64`: a schedule is its seed.
pub(crate) struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    fn below(&mut self, n: u64) -> u64 {
        self.roll() % n
    }
    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
    fn bits(&mut self) -> u128 {
        (u128::from(self.roll()) << 64) | u128::from(self.roll())
    }
}

/// One object: what is on its disk, and what it holds in memory until it crashes.
pub(crate) struct Node {
    rows: BTreeMap<(Table, String), String>,
    pub(crate) timeline: BTreeMap<SignalKey, (u64, Signal)>,
    pub(crate) held: Option<Object>,
    alarm: Option<Timestamp>,
}

impl Node {
    /// The object as it would wake up.
    pub(crate) fn loaded(&self, name: CustomerId) -> Option<Object> {
        let rows = self.rows.iter().map(|((table, key), body)| (*table, key.as_str(), body.as_str()));
        let held = rows.filter(|(table, ..)| Table::HELD.contains(table));
        Object::load(name, held).unwrap()
    }

    fn apply(&mut self, writes: Vec<Write>) {
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

/// A tab of a browser: one stream, its unacknowledged signals in order.
struct Tab {
    device: usize,
    cookie: CookieId,
    stream: StreamId,
    next_seq: u64,
    queue: Vec<Offered>,
    /// Who signed in last in this tab. What another tab does is adopted at the next page load.
    user: Option<usize>,
}

struct Device {
    cookie: CookieId,
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
    definitions: &'a Definitions,
    pub(crate) now: Timestamp,
    pub(crate) dice: Dice,
    names: NameKey,
    queue: BinaryHeap<Reverse<(Timestamp, u64)>>,
    mail: BTreeMap<u64, Message>,
    sent: u64,
    pub(crate) nodes: BTreeMap<CustomerId, Node>,
    devices: Vec<Device>,
    tabs: Vec<Tab>,
    customers: Vec<Customer>,
    acts_left: u64,
    /// At most so long until somebody does something again.
    pace: u64,
    quiet: bool,
    pub(crate) crashes: u64,
    pub(crate) lost: u64,
    /// Stream and seq of what a browser saw acknowledged, with the person who was signed in.
    pub(crate) acknowledged: BTreeMap<(StreamId, u64), Option<CustomerId>>,
    /// Cookies whose link was taken back once: their signals are nobody's again.
    pub(crate) unlinked: BTreeSet<CookieId>,
    /// Stream and seq of what was purged; a client that had no answer yet may bring it again.
    pub(crate) forgotten: BTreeSet<(StreamId, u64)>,
    /// Who was signed in when a signal was made.
    made_as: BTreeMap<(StreamId, u64), Option<CustomerId>>,
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

    fn open_tab(&mut self, device: usize) {
        let (cookie, stream) = (self.devices[device].cookie, StreamId::from_bits(self.dice.bits()));
        self.tabs.push(Tab { device, cookie, stream, next_seq: 1, queue: Vec::new(), user: None });
    }

    fn post(&mut self, message: Message, delay_ms: i64) {
        self.sent += 1;
        self.queue.push(Reverse((self.now.plus(delay_ms), self.sent)));
        self.mail.insert(self.sent, message);
    }

    fn later(&mut self, message: Message, within_ms: u64) {
        let delay = 1 + self.dice.below(within_ms);
        self.post(message, delay as i64);
    }

    /// Over the network: lost, doubled, late. A lost call is noticed by whoever waits for its answer,
    /// through an alarm or a retry.
    fn send(&mut self, make: impl Fn() -> Message) {
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

    /// Somebody does something in a tab.
    fn act(&mut self, tab: usize) {
        if self.acts_left == 0 {
            return;
        }
        self.acts_left -= 1;
        match self.dice.below(20) {
            0..=10 => self.signal(tab, None),
            11..=14 => {
                let user = self.dice.below(self.customers.len() as u64) as usize;
                self.signal(tab, Some(user));
            }
            15 => {
                // A logout: a new visitor in this tab.
                let cookie = CookieId::from_bits(self.dice.bits());
                let stream = StreamId::from_bits(self.dice.bits());
                let device = self.tabs[tab].device;
                self.devices[device] = Device { cookie };
                // What was queued keeps its cookie and is sent by a tab that does nothing else any more.
                self.tabs.push(Tab { device, cookie, stream, next_seq: 1, queue: Vec::new(), user: None });
                let fresh = self.tabs.len() - 1;
                self.later(Message::Flush(tab), 1000);
                return self.later(Message::Act(fresh), 3000);
            }
            16 => {
                let device = self.tabs[tab].device;
                self.open_tab(device);
                let opened = self.tabs.len() - 1;
                self.later(Message::Act(opened), 3000);
            }
            17 => {
                let cookie = self.tabs[tab].cookie;
                self.later(Message::Unlink { cookie }, 5000);
            }
            18 => {
                let cookie = self.tabs[tab].cookie;
                self.later(Message::Forget { cookie }, 1000);
            }
            _ => self.later(Message::Flush(tab), 50),
        }
        self.later(Message::Flush(tab), 2000);
        self.later(Message::Act(tab), self.pace);
    }

    fn signal(&mut self, tab: usize, user: Option<usize>) {
        let total = self.dice.below(1000) as f64 / 10.0;
        let tab = &mut self.tabs[tab];
        tab.user = user.or(tab.user);
        let owner = tab.user.map(|user| self.customers[user].id);
        let kind = if user.is_some() { Kind::User } else { Kind::View };
        let fields = json!({ "uri": "/", "properties": { "total": total } });
        let signal = Signal {
            stream: tab.stream,
            seq: tab.next_seq,
            time: self.now,
            kind,
            fields: fields.as_object().cloned().unwrap_or_default(),
        };
        self.made_as.insert((tab.stream, tab.next_seq), owner);
        tab.next_seq += 1;
        tab.queue.push(Offered {
            signal,
            customer: user.map(|user| self.customers[user].clone()),
            trusted: true,
        });
    }

    /// Sends what is not acknowledged, perhaps split differently than the last time.
    fn flush(&mut self, tab: usize) {
        let (cookie, mut signals) = (self.tabs[tab].cookie, self.tabs[tab].queue.clone());
        if signals.is_empty() {
            return;
        }
        if self.dice.one_in(3) {
            let keep = 1 + self.dice.below(signals.len() as u64) as usize;
            signals.truncate(keep);
        }
        let call = CollectCall { cookie, root: cookie, signals };
        self.send(|| Message::Collect { tab, call: call.clone(), hops: 0 });
        // No answer in time: once more.
        self.later(Message::Flush(tab), 6000);
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

    fn answered(&mut self, tab: usize, cookie: CookieId, sent: CookieId, seqs: &[u64]) {
        let stream = self.tabs[tab].stream;
        for seq in seqs {
            // An answer from before the purge says nothing about after it.
            if self.forgotten.contains(&(stream, *seq)) {
                continue;
            }
            let owner = self.made_as.get(&(stream, *seq)).copied().flatten();
            self.acknowledged.insert((stream, *seq), owner);
        }
        self.tabs[tab].queue.retain(|offered| !seqs.contains(&offered.signal.seq));
        let device = self.tabs[tab].device;
        if cookie != sent && self.devices[device].cookie == sent {
            self.devices[device].cookie = cookie;
        }
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

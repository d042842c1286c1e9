//! Time, the network between objects that cannot be trusted, and what is known of what should be.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use msci_core::activation::{Delivery, Outcome};
use msci_core::identity::NameKey;
use msci_core::ids::{CookieId, CustomerId, StreamId};
use msci_core::judge::judge;
use msci_core::object::{CollectCall, Customer, Drop, Object, Page, Purge, ShipAnswer};
use msci_core::profile::Imported;
use msci_core::signal::Kind;
use msci_core::snapshot::Snapshot;
use msci_core::time::{DAY_MS, Timestamp};

use crate::activations::Outside;
use crate::copies::{Asks, Batch, Index};
use crate::definitions::Versions;
use crate::node::{Dice, Node};
use crate::people::{Device, Made, Tab};

pub(crate) enum Message {
    /// A tab sends its queue.
    Flush(usize),
    /// The edge hands a batch to a cookie's object.
    Collect {
        tab: usize,
        call: CollectCall,
    },
    Answer {
        tab: usize,
        /// The cookieId to go on with.
        cookie: CookieId,
        sent: CookieId,
        /// When it was given, as number of a message.
        given: u64,
        taken: Vec<u64>,
        refused: Vec<u64>,
    },
    Page(Box<Page>),
    Shipped {
        to: CustomerId,
        epoch: i64,
        answer: ShipAnswer,
    },
    Drop(Drop),
    Dropped(Drop),
    Purge(Purge),
    Purged(Purge),
    Alarm(CustomerId),
    /// A snapshot, or its deletion, reaches KV.
    Put {
        name: CustomerId,
        value: Option<Box<Snapshot>>,
    },
    /// A transaction reaches a database.
    Insert {
        batch: Box<Batch>,
        database: u64,
        asks: Option<Asks>,
    },
    /// What became of a write: none if it failed or nobody knows.
    Written {
        asks: Asks,
        answer: Option<u64>,
    },
    /// The person does something.
    Act(usize),
    /// The person signs in.
    SignIn {
        tab: usize,
        customer: usize,
    },
    /// The administrator takes a link back.
    Unlink(CookieId),
    /// The visitor wants the log gone.
    Forget(CookieId),
    /// The administrator erases a customer, or a visitor who is nobody's.
    Erase(CustomerId),
    /// Definitions change; a job then asks every object.
    Define,
    AskAll,
    Wake(CustomerId),
    /// The index is lost; a job asks every object to copy again.
    Rebuild,
    CopyAgain(CustomerId),
    /// A message reaches its receiver.
    Receive {
        name: CustomerId,
        delivery: Box<Delivery>,
        purges: u64,
    },
    /// What its sender hears of that.
    Answered {
        name: CustomerId,
        instance: u64,
        number: u64,
        id: String,
        outcome: Outcome,
    },
}

pub(crate) struct World<'a> {
    pub(crate) versions: &'a Versions,
    /// Definitions in force.
    pub(crate) n: usize,
    /// Until when some do not know them.
    pub(crate) known_at: Timestamp,
    pub(crate) now: Timestamp,
    pub(crate) dice: Dice,
    pub(crate) names: NameKey,
    queue: BinaryHeap<Reverse<(Timestamp, u64)>>,
    mail: BTreeMap<u64, Message>,
    pub(crate) sent: u64,
    pub(crate) nodes: BTreeMap<CustomerId, Node>,
    pub(crate) kv: BTreeMap<CustomerId, Snapshot>,
    pub(crate) index: Index,
    /// Which database the index is in: a lost one does not come back.
    pub(crate) database: u64,
    pub(crate) devices: Vec<Device>,
    pub(crate) tabs: Vec<Tab>,
    pub(crate) customers: Vec<Customer>,
    pub(crate) acts_left: u64,
    /// At most so long until somebody does something again.
    pub(crate) pace: u64,
    /// Nobody does anything until then,
    pub(crate) away_until: Timestamp,
    /// and whether their devices are offline too.
    pub(crate) offline: bool,
    /// How often everybody goes away.
    pub(crate) absences: u64,
    pub(crate) clocks_jump: bool,
    pub(crate) quiet: bool,
    pub(crate) steps: u64,
    pub(crate) crashes: u64,
    pub(crate) lost: u64,
    /// Stream and seq of what a browser saw acknowledged, and what is still to be somewhere.
    pub(crate) acknowledged: BTreeSet<(StreamId, u64)>,
    /// Cookies whose signals may have been made as somebody else: a link was taken back or refused, or
    /// their object began anew.
    pub(crate) unlinked: BTreeSet<CookieId>,
    /// Stream and seq of what was purged; a client that had no answer yet may bring it again.
    pub(crate) forgotten: BTreeMap<(StreamId, u64), CookieId>,
    /// When something was taken away: an answer from before says nothing about after it.
    pub(crate) gone: BTreeMap<(StreamId, u64), u64>,
    /// What an expired object might have said about where it belongs, nobody knows any more.
    pub(crate) untold: BTreeSet<(StreamId, u64)>,
    pub(crate) made: BTreeMap<(StreamId, u64), Made>,
    /// The oldest signal that the log of each object had in this life.
    pub(crate) first_seen: BTreeMap<CustomerId, Timestamp>,
    pub(crate) outside: Outside,
    /// Imported rows, and the segments that each alone has led to: others were told of those.
    pub(crate) imported: BTreeMap<CustomerId, (Imported, Vec<(String, Timestamp)>)>,
    /// Customers whose object has once taken over from their row.
    pub(crate) spoken_for: BTreeSet<CustomerId>,
}

/// Signals in a page, so few that a log takes several.
pub(crate) const PAGE: usize = 3;

const START: Timestamp = Timestamp(1_790_000_000_000);
/// Within this everything that is owed is settled: a minute of patience, one of a late write, one until
/// it is repeated, for a chain of them.
const CALM_MS: i64 = 12 * 60 * 1000;
/// Within this the next step of something follows.
const SOON_MS: i64 = 5000;

impl<'a> World<'a> {
    pub(crate) fn new(seed: u64, definitions: &'a [Versions]) -> Self {
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
        let settings = if dice.one_in(2) { dice.below(definitions.len() as u64) as usize } else { 0 };
        let mut world = Self {
            versions: &definitions[settings],
            n: 1,
            known_at: START,
            now: START.plus(dice.below(DAY_MS as u64) as i64),
            dice,
            names,
            queue: BinaryHeap::new(),
            mail: BTreeMap::new(),
            sent: 0,
            nodes: BTreeMap::new(),
            kv: BTreeMap::new(),
            index: Index::default(),
            database: 0,
            devices,
            tabs: Vec::new(),
            customers,
            acts_left: 0,
            pace: 20_000,
            away_until: START,
            offline: false,
            absences: 0,
            clocks_jump: false,
            quiet: false,
            steps: 0,
            crashes: 0,
            lost: 0,
            acknowledged: BTreeSet::new(),
            unlinked: BTreeSet::new(),
            forgotten: BTreeMap::new(),
            gone: BTreeMap::new(),
            untold: BTreeSet::new(),
            made: BTreeMap::new(),
            first_seen: BTreeMap::new(),
            outside: Outside::default(),
            imported: BTreeMap::new(),
            spoken_for: BTreeSet::new(),
        };
        world.acts_left = 10 + world.dice.below(25);
        world.pace = [300, 3000, 20_000][world.dice.below(3) as usize];
        world.absences = [0, 0, 1, 3][world.dice.below(4) as usize];
        world.clocks_jump = world.dice.one_in(3);
        world.outside.down = world.dice.one_in(5);
        for customer in world.customers.clone() {
            world.import(customer.id);
        }
        for device in 0..world.devices.len() {
            for _ in 0..=world.dice.below(2) {
                world.open_tab(device);
            }
        }
        for tab in 0..world.tabs.len() {
            world.later(Message::Act(tab), 100);
        }
        let length = world.acts_left * world.pace / 2;
        if world.dice.one_in(3) {
            world.later(Message::Define, length);
        }
        if world.dice.one_in(4) {
            world.later(Message::Rebuild, length);
        }
        world
    }

    /// Some customers have an imported row, which a job has judged long ago.
    fn import(&mut self, customer: CustomerId) {
        let tier = ["Gold", "Plain"][self.dice.below(2) as usize];
        let row = serde_json::json!({ "version": 1, "values": { "Tier": tier } });
        let row: Imported = serde_json::from_value(row).unwrap_or_default();
        if self.dice.one_in(3) {
            return;
        }
        let (entered, _) = judge(&self.versions[0], row.clone(), Vec::new(), START);
        let memberships = entered.into_iter().map(|segment| (segment, START)).collect();
        self.imported.insert(customer, (row, memberships));
    }

    pub(crate) fn name_of(&self, cookie: CookieId) -> CustomerId {
        self.names.unknown(cookie)
    }

    /// Runs until nobody does anything any more, with every fault; then without, until it is quiet.
    pub(crate) fn run(&mut self) {
        let begun = self.steps;
        while let Some(Reverse((at, _))) = self.queue.peek() {
            let idle = *at > self.now.plus(CALM_MS) || self.steps > begun + 400;
            if self.acts_left == 0 && idle && *at > self.away_until {
                break;
            }
            self.next();
        }
        self.calm();
    }

    /// So many days go by, with every fault; then it is quiet again.
    pub(crate) fn days_pass(&mut self, days: u64) {
        self.quiet = false;
        self.pass(self.now.plus(days as i64 * DAY_MS));
        self.calm();
    }

    /// What is owed is settled soon, not when some alarm of next week happens to come.
    fn calm(&mut self) {
        self.quiet = true;
        self.away_until = self.now;
        let names: Vec<_> = self.nodes.keys().copied().collect();
        for name in names {
            self.set_clock(name, 0);
        }
        for tab in 0..self.tabs.len() {
            self.later(Message::Flush(tab), 1000);
        }
        self.pass(self.now.plus(CALM_MS));
        self.settle_deliveries();
        // What time alone changes in the last second is copied in the next.
        while self.queue.peek().is_some_and(|Reverse((at, _))| *at <= self.now.plus(SOON_MS)) {
            self.pass(self.now.plus(SOON_MS));
        }
    }

    pub(crate) fn pass(&mut self, until: Timestamp) {
        while self.queue.peek().is_some_and(|Reverse((at, _))| *at <= until) {
            self.next();
        }
        self.now = until;
    }

    fn next(&mut self) {
        let Some(Reverse((at, id))) = self.queue.pop() else { return };
        let Some(message) = self.mail.remove(&id) else { return };
        self.now = self.now.max(at);
        self.steps += 1;
        assert!(self.steps <= 20_000, "it does not become quiet");
        self.handle(message);
    }

    pub(crate) fn post(&mut self, message: Message, delay_ms: i64) -> u64 {
        self.sent += 1;
        self.queue.push(Reverse((self.now.plus(delay_ms), self.sent)));
        self.mail.insert(self.sent, message);
        self.sent
    }

    pub(crate) fn take_back(&mut self, id: u64) {
        self.mail.remove(&id);
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
            Message::SignIn { tab, customer } => {
                self.signal(tab, Kind::User, Some(customer));
                self.later(Message::Flush(tab), 100);
            }
            Message::Collect { tab, call } => self.collect(tab, &call, 0),
            Message::Answer { tab, cookie, sent, given, taken, refused } => {
                self.acknowledge(tab, given, &taken);
                self.answered(tab, cookie, sent, |seq| taken.contains(&seq) || refused.contains(&seq));
            }
            Message::Page(page) => self.page(&page),
            Message::Shipped { to, epoch, answer } => self.shipped(to, epoch, &answer),
            Message::Drop(drop) => self.drop_link(&drop),
            Message::Dropped(drop) => self.tell(drop.object, |o| o.dropped(&drop)),
            Message::Purge(purge) => self.purge(&purge),
            Message::Purged(purge) => {
                let teller = purge.cookie.map_or(purge.customer, |cookie| self.name_of(cookie));
                self.tell(teller, |o| o.purged(&purge));
            }
            Message::Unlink(cookie) => self.unlink(cookie),
            Message::Forget(cookie) => self.forget(cookie),
            Message::Erase(name) => self.erase(name),
            Message::Alarm(name) => self.alarm(name),
            Message::Put { name, value } => self.put_lands(name, value),
            Message::Insert { batch, database, asks } => self.insert_lands(&batch, database, asks),
            Message::Written { asks, answer } => self.written(asks, answer),
            Message::Define => {
                self.n = self.versions.len().min(self.n + 1);
                self.known_at = self.now.plus(5000);
                self.post(Message::AskAll, 5500);
                if self.dice.one_in(2) && self.n < self.versions.len() {
                    self.later(Message::Define, 60_000);
                }
            }
            Message::AskAll => self.ask_all(Message::Wake),
            Message::Wake(name) => self.job(name, Message::Wake, Object::wake),
            Message::Rebuild => {
                self.index = Index::default();
                self.database += 1;
                self.ask_all(Message::CopyAgain);
            }
            Message::Receive { name, delivery, purges } => self.receive(name, &delivery, purges),
            Message::Answered { name, instance, number, id, outcome } => {
                self.answered_message(name, instance, number, &id, &outcome);
            }
            Message::CopyAgain(name) => self.job(name, Message::CopyAgain, |o, c| o.copy_again(c.now)),
        }
    }

    fn ask_all(&mut self, ask: fn(CustomerId) -> Message) {
        let names: Vec<_> =
            self.nodes.iter().filter(|(_, node)| node.exists()).map(|(name, _)| *name).collect();
        for name in names {
            self.later(ask(name), 2000);
        }
    }
}

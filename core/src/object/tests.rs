//! The merge protocol between two objects, without a network: what the rim would carry is handed over
//! here, lost, doubled or late as each test says.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::config::Bundle;
use crate::ids::{SignalKey, StreamId};
use crate::signal::{Kind, Signal};

const NOW: Timestamp = Timestamp(1_790_000_000_000);

fn definitions() -> Definitions {
    let bundle: Bundle = serde_json::from_value(json!({
        "n": 1,
        "measures": { "Views": { "aggregate": "count", "filter": "ActivityType eq 'View'" } },
        "segments": { "Often": { "filter": "Measures/Views ge 3" } },
    }))
    .unwrap();
    Definitions::compile(bundle).unwrap()
}

/// An object with its storage: rows as they would be on disk.
struct Disk {
    object: Object,
    signals: Vec<(CookieId, Row)>,
    streams: BTreeMap<StreamId, crate::stream::Stream>,
}

impl Disk {
    fn new(name: CustomerId, bits: u128) -> Self {
        let (object, _) = Object::born(name, bits);
        Self { object, signals: Vec::new(), streams: BTreeMap::new() }
    }

    fn write(&mut self, writes: Vec<Write>) {
        for write in writes {
            match write {
                Write::Append { cookie, position, signal } => {
                    self.signals.push((cookie, Row { position, signal }));
                }
                Write::Put { table: Table::Stream, key, body } => {
                    self.streams.insert(key.parse().unwrap(), serde_json::from_str(&body).unwrap());
                }
                _ => {}
            }
        }
    }

    fn keys(&self) -> Vec<SignalKey> {
        let mut keys: Vec<_> = self.signals.iter().map(|(cookie, row)| row.signal.key(*cookie)).collect();
        keys.sort_unstable();
        keys
    }

    fn collect(&mut self, cookie: CookieId, signals: Vec<Offered>, context: Context<'_>) -> CollectAnswer {
        let present = Present {
            signals: self.signals.iter().map(|(_, row)| (row.signal.stream, row.signal.seq)).collect(),
            streams: self.streams.clone(),
        };
        let call = CollectCall { cookie, root: cookie, signals };
        let (answer, writes) = self.object.collect(&call, &present, context);
        self.write(writes);
        answer
    }

    fn page(&self) -> Option<Page> {
        let behind = self.object.shipped()?;
        let rows =
            self.signals.iter().map(|(_, row)| row.clone()).filter(|row| row.position > behind).collect();
        self.object.next_page(rows, 500)
    }

    fn ship(&mut self, page: &Page, context: Context<'_>) -> ShipAnswer {
        let present = self.keys().into_iter().collect();
        let (answer, writes) = self.object.ship(page, &present, context);
        self.write(writes);
        answer
    }
}

fn customer() -> Customer {
    Customer { id: CustomerId::Known(9), table: "T".into(), auth_id: "Loyalty1".into() }
}

fn offered(seq: u64, customer: Option<Customer>) -> Offered {
    let kind = if customer.is_some() { Kind::User } else { Kind::View };
    let fields = serde_json::Map::from_iter([("uri".to_owned(), "/".into())]);
    let signal = Signal { stream: StreamId::from_bits(1), seq, time: NOW, kind, fields };
    Offered { signal, customer, trusted: true }
}

/// Ships until nothing is left.
fn settle(cookie: &mut Disk, known: &mut Disk, context: Context<'_>) {
    while let Some(page) = cookie.page() {
        let answer = known.ship(&page, context);
        let writes = cookie.object.on_ship_answer(page.epoch, &answer, context);
        cookie.write(writes);
    }
}

#[test]
fn until_the_customer_accepts_the_unknown_profile_stands() {
    let definitions = definitions();
    let context = Context { now: NOW, definitions: &definitions };
    let (cookie, mut c) = (CookieId::from_bits(1), Disk::new(CustomerId::Unknown(1), 1));
    let answer = c.collect(cookie, vec![offered(1, None), offered(2, Some(customer()))], context);
    assert_eq!(answer.user, Some(UserOutcome::Merged));
    assert!(c.object.has_to_ship() && c.object.accepted_link().is_none());
    assert!(c.object.snapshot(context).is_some(), "reads by cookie still answer the unknown profile");
    let mut k = Disk::new(customer().id, 2);
    settle(&mut c, &mut k, context);
    assert!(c.object.snapshot(context).is_none(), "the unknown profile is gone");
    assert_eq!(k.object.snapshot(context).unwrap().measures["Views"], json!(1));
    assert_eq!(c.keys(), k.keys());
}

#[test]
fn f2_a_page_whose_answer_was_lost_is_a_no_op_the_second_time() {
    let definitions = definitions();
    let context = Context { now: NOW, definitions: &definitions };
    let (cookie, mut c) = (CookieId::from_bits(1), Disk::new(CustomerId::Unknown(1), 1));
    let mut k = Disk::new(customer().id, 2);
    c.collect(cookie, vec![offered(1, None), offered(2, Some(customer()))], context);
    let page = c.page().unwrap();
    let first = k.ship(&page, context);
    let again = k.ship(&page, context);
    assert_eq!(again.outcome, first.outcome);
    assert_eq!(k.object.snapshot(context).unwrap().measures["Views"], json!(1));
    settle(&mut c, &mut k, context);
    assert_eq!(c.keys(), k.keys());
}

#[test]
fn a_customer_with_too_many_links_refuses_and_the_signals_stay_with_the_cookie() {
    let mut definitions = definitions();
    definitions.bundle.settings.identity.max_links = 0;
    let context = Context { now: NOW, definitions: &definitions };
    let (cookie, mut c) = (CookieId::from_bits(1), Disk::new(CustomerId::Unknown(1), 1));
    let mut k = Disk::new(customer().id, 2);
    c.collect(cookie, vec![offered(1, None), offered(2, Some(customer()))], context);
    settle(&mut c, &mut k, context);
    assert_eq!(k.keys(), []);
    assert!(!c.object.has_to_ship());
    assert_eq!(c.object.snapshot(context).unwrap().measures["Views"], json!(1));
}

#[test]
fn a_claim_without_trust_links_nothing() {
    let definitions = definitions();
    let context = Context { now: NOW, definitions: &definitions };
    let (cookie, mut c) = (CookieId::from_bits(1), Disk::new(CustomerId::Unknown(1), 1));
    let claim = Offered { trusted: false, ..offered(1, Some(customer())) };
    let answer = c.collect(cookie, vec![claim], context);
    assert_eq!(answer.user, Some(UserOutcome::Claimed));
    assert!(!answer.trusted && c.page().is_none());
}

#[test]
fn what_is_loaded_from_storage_is_what_was_written() {
    let definitions = definitions();
    let context = Context { now: NOW, definitions: &definitions };
    let cookie = CookieId::from_bits(1);
    let (mut object, mut rows) = Object::born(CustomerId::Unknown(1), 7);
    object.profile.adopt(&definitions, &[], &mut rows);
    let call =
        CollectCall { cookie, root: cookie, signals: vec![offered(1, None), offered(2, Some(customer()))] };
    let (_, writes) = object.collect(&call, &Present::default(), context);
    rows.extend(writes);
    let stored: BTreeMap<(Table, String), String> = rows
        .into_iter()
        .filter_map(|write| match write {
            Write::Put { table, key, body } if Table::HELD.contains(&table) => Some(((table, key), body)),
            _ => None,
        })
        .collect();
    let loaded = Object::load(
        CustomerId::Unknown(1),
        stored.iter().map(|((table, key), body)| (*table, key.as_str(), body.as_str())),
    );
    assert_eq!(loaded.unwrap().unwrap(), object);
    let damaged = Object::load(CustomerId::Unknown(1), [(Table::Profile, "head", "{")].into_iter());
    assert!(damaged.is_err(), "a damaged row is named, not guessed at");
}

proptest! {
    /// Pages and answers lost, doubled and late, batches resent: once it is quiet the customer has
    /// every signal of the log exactly once.
    #[test]
    fn after_any_faults_the_customer_has_the_log_exactly_once(
        faults in prop::collection::vec((0..4_u8, 1..9_u64), 1..40),
    ) {
        let definitions = definitions();
        let context = Context { now: NOW, definitions: &definitions };
        let cookie = CookieId::from_bits(1);
        let (mut c, mut k) = (Disk::new(CustomerId::Unknown(1), 1), Disk::new(customer().id, 2));
        let mut old: Option<Page> = None;
        for (fault, seq) in faults {
            let signal = if seq == 4 { offered(4, Some(customer())) } else { offered(seq, None) };
            c.collect(cookie, vec![signal], context);
            let Some(page) = c.page() else { continue };
            match fault {
                // The page is lost.
                0 => {}
                // Its answer is lost.
                1 => {
                    k.ship(&page, context);
                }
                // An old page arrives late, before this one.
                2 => {
                    if let Some(old) = &old {
                        k.ship(old, context);
                    }
                    k.ship(&page, context);
                }
                _ => settle(&mut c, &mut k, context),
            }
            old = Some(page);
        }
        settle(&mut c, &mut k, context);
        if c.object.accepted_link().is_some() {
            prop_assert_eq!(c.keys(), k.keys());
            let views = k.signals.iter().filter(|(_, row)| row.signal.kind == Kind::View).count();
            prop_assert_eq!(&k.object.snapshot(context).unwrap().measures["Views"], &json!(views));
        }
    }
}

//! The merge protocol between two objects, without a network: what the rim would carry is handed over
//! here, lost, doubled or late as each test says.

use proptest::prelude::*;
use serde_json::json;

use super::copies::REPEAT_AFTER_MS;
use super::*;
use crate::collections::Map;
use crate::config::{Bundle, ConsentMode};
use crate::ids::{SignalKey, StreamId};
use crate::limits::QUEUE_DAYS;
use crate::signal::{Kind, Signal, Source};

mod batches;
mod claims;
mod clocks;
mod consents;
mod deliveries;
mod earlier;
mod links;
mod moves;
mod naming;
mod tokens;

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
    streams: Map<StreamId, Stream>,
    /// Small rows.
    rows: Map<(Table, String), String>,
    /// Segments that were entered and left, in order.
    moves: Vec<String>,
}

impl Disk {
    fn new(name: CustomerId, bits: u128) -> Self {
        let (object, writes) = Object::born(name, bits);
        let (signals, streams, rows) = (Vec::new(), Map::new(), Map::new());
        let mut disk = Self { object, signals, streams, rows, moves: Vec::new() };
        disk.write(writes);
        disk
    }

    fn write(&mut self, writes: Vec<Write>) {
        for write in writes {
            self.note(&write);
            match write {
                Write::Append { cookie, position, signal } => {
                    self.signals.push((cookie, Row { position, signal }));
                }
                Write::Put { table: Table::Stream, key, body } => {
                    self.streams.insert(key.parse().unwrap(), serde_json::from_str(&body).unwrap());
                }
                Write::Remove(gone) => self.signals.retain(|(cookie, _)| *cookie != gone),
                Write::Prune(before) => {
                    self.signals.retain(|(_, row)| row.signal.time >= before || !row.signal.ages());
                }
                Write::Withdraw(gone) => self.signals.retain(|(cookie, row)| row.signal.key(*cookie) != gone),
                Write::Wipe => {
                    self.signals.clear();
                    self.streams.clear();
                }
                _ => {}
            }
        }
    }

    fn note(&mut self, write: &Write) {
        match write {
            Write::Put { table, key, body } => {
                if *table == Table::Membership {
                    let since = serde_json::from_str::<crate::membership::Membership>(body).unwrap().since;
                    self.moves.push(format!("entered {key} at {}", (since.0 - NOW.0).div_euclid(SECOND_MS)));
                }
                self.rows.insert((*table, key.clone()), body.clone());
            }
            Write::Delete { table, key } => {
                if *table == Table::Membership {
                    self.moves.push(format!("left {key}"));
                }
                self.rows.remove(&(*table, key.clone()));
            }
            Write::Clear(cleared) => self.rows.retain(|(table, _), _| table != cleared),
            Write::Wipe => self.rows = Map::new(),
            Write::Append { .. } | Write::Remove(_) | Write::Prune(_) | Write::Withdraw(_) => {}
        }
    }

    /// The timeline again, as the rim folds it when something left.
    fn refold(&mut self, context: Context<'_>) {
        let mut writes = Vec::new();
        self.object.unfold(context, &mut writes);
        for (cookie, row) in &self.signals {
            let signal = &row.signal;
            self.object.profile.fold(context.definitions, signal.key(*cookie), signal, context.now);
        }
        self.object.refolded(context, &mut writes);
        self.write(writes);
    }

    fn unlink(&mut self, context: Context<'_>) -> Unlinked {
        let (outcome, writes) = self.object.unlink(customer().id);
        self.write(writes);
        self.refold(context);
        outcome
    }

    fn drop_link(&mut self, gone: &Drop, context: Context<'_>) {
        let mut writes = Vec::new();
        let again = self.object.drop_link(gone, context.now, &mut writes);
        self.write(writes);
        if again {
            self.refold(context);
        }
    }

    fn prune(&mut self, context: Context<'_>) {
        let cutoff = self.object.prune_due(context).unwrap();
        let stays = self.signals.iter().map(|(_, row)| row.signal.time).filter(|time| *time >= cutoff).min();
        let mut writes = Vec::new();
        let again = self.object.prune(cutoff, stays, &mut writes);
        self.write(writes);
        if again {
            self.refold(context);
        }
    }

    fn keys(&self) -> Vec<SignalKey> {
        let mut keys: Vec<_> = self.signals.iter().map(|(cookie, row)| row.signal.key(*cookie)).collect();
        keys.sort_unstable();
        keys
    }

    fn collect(&mut self, cookie: CookieId, signals: Vec<Offered>, context: Context<'_>) -> CollectAnswer {
        let present = Present {
            signals: self
                .signals
                .iter()
                .map(|(_, row)| ((row.signal.stream, row.signal.seq), row.signal.clone()))
                .collect(),
            streams: self.streams.clone(),
        };
        let call = CollectCall::of(cookie, cookie, signals);
        let (answer, writes) = self.object.collect(&call, &present, context);
        self.write(writes);
        answer
    }

    fn page(&self) -> Option<Page> {
        self.page_of(500)
    }

    fn page_of(&self, limit: usize) -> Option<Page> {
        let behind = self.object.shipped()?;
        let rows = self.signals.iter().map(|(_, row)| row.clone()).filter(|row| row.position > behind);
        self.object.next_page(rows.take(limit).collect(), limit)
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
    let signal =
        Signal { stream: StreamId::from_bits(1), seq, time: NOW, kind, source: Source::Browser, fields };
    Offered { signal, customer, trusted: true }
}

/// Ships until nothing is left.
fn settle(cookie: &mut Disk, known: &mut Disk, context: Context<'_>) {
    while let Some(page) = cookie.page() {
        let answer = known.ship(&page, context);
        let writes = cookie.object.on_ship_answer(page.epoch, &answer, 99, context);
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
    assert_eq!(k.object.snapshot(context).unwrap().measures.get("Views"), Some(&json!(1)));
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
    assert_eq!(k.object.snapshot(context).unwrap().measures.get("Views"), Some(&json!(1)));
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
    assert_eq!(c.object.snapshot(context).unwrap().measures.get("Views"), Some(&json!(1)));
}

#[test]
fn a10_a_refusal_is_said_again_and_a_daily_limit_ends_with_the_day() {
    let mut definitions = definitions();
    definitions.bundle.settings.identity.max_links_per_day = 1;
    let context = Context { now: NOW, definitions: &definitions };
    let mut k = Disk::new(customer().id, 2);
    let mut first = Disk::new(CustomerId::Unknown(1), 1);
    first.collect(CookieId::from_bits(1), vec![offered(1, Some(customer()))], context);
    settle(&mut first, &mut k, context);
    let (cookie, mut c) = (CookieId::from_bits(2), Disk::new(CustomerId::Unknown(2), 3));
    c.collect(cookie, vec![offered(1, None), offered(2, Some(customer()))], context);
    settle(&mut c, &mut k, context);
    let refused = Some(UserOutcome::Refused("too_many_links".to_owned()));
    let again = c.collect(cookie, vec![offered(2, Some(customer()))], context);
    assert_eq!(again.user, refused, "the same answer to the same signal");
    assert_eq!(k.keys(), first.keys());
    let tomorrow = Context { now: NOW.plus(DAY_MS), ..context };
    c.collect(cookie, vec![offered(3, Some(customer()))], tomorrow);
    settle(&mut c, &mut k, tomorrow);
    assert_eq!(k.keys().len(), 4);
}

#[test]
fn f42_an_erased_customer_takes_nothing_older_and_a_later_sign_up_begins_anew() {
    let definitions = definitions();
    let context = Context { now: NOW, definitions: &definitions };
    let (cookie, mut c) = (CookieId::from_bits(1), Disk::new(CustomerId::Unknown(1), 1));
    let mut k = Disk::new(customer().id, 2);
    c.collect(cookie, vec![offered(1, None), offered(2, Some(customer()))], context);
    settle(&mut c, &mut k, context);
    c.collect(cookie, vec![offered(3, None)], context);
    let under_way = c.page().unwrap();
    let later = Context { now: NOW.plus(SECOND_MS), ..context };
    let writes = k.object.erase(7, later);
    assert!(!format!("{writes:?}").contains("Loyalty1"), "what stays does not say who it was");
    k.write(writes);
    assert_eq!(k.ship(&under_way, later).outcome, ShipOutcome::Erased { at: later.now });
    assert_eq!(k.keys(), []);
    let purge = k.object.next_purge().unwrap();
    let writes = c.object.purge(&purge, 8, later);
    assert!(!format!("{writes:?}").contains(&cookie.to_string()));
    c.write(writes);
    k.object.purged(&purge);
    assert!(k.object.next_purge().is_none() && c.keys().is_empty());
    // What is older is refused, what is newer goes on under another cookieId.
    let mut newer = offered(5, None);
    newer.signal.time = NOW.plus(2 * SECOND_MS);
    let answer = c.collect(cookie, vec![offered(4, None), newer], later);
    assert!(matches!(&answer.verdicts[0], Verdict::Rejected(rejection) if rejection.code == "erased"));
    assert_eq!(answer.verdicts[1], Verdict::Elsewhere(answer.successor.unwrap()));
    assert_eq!(c.keys(), []);
    // A device that was offline while its owner was erased.
    let (offline, mut o) = (CookieId::from_bits(3), Disk::new(CustomerId::Unknown(3), 4));
    let much_later = Context { now: NOW.plus(DAY_MS), ..context };
    o.collect(offline, vec![offered(1, Some(customer()))], much_later);
    settle(&mut o, &mut k, much_later);
    assert!(k.keys().is_empty() && o.keys().is_empty());
    // The same person signs up again.
    let (fresh, mut f) = (CookieId::from_bits(4), Disk::new(CustomerId::Unknown(4), 5));
    let mut user = offered(2, Some(customer()));
    user.signal.time = much_later.now;
    f.collect(fresh, vec![offered(1, None), user], much_later);
    settle(&mut f, &mut k, much_later);
    assert_eq!(k.keys().len(), 1, "only what is newer than the erasure");
}

#[test]
fn a12_a_browser_is_treated_by_the_stricter_of_its_own_consent_and_its_customers() {
    let definitions = definitions();
    let context = Context { now: NOW, definitions: &definitions };
    let consent = |seq, decision: &str| {
        let fields = json!({ "purposes": { "analytics": decision, "personalization": decision } });
        let mut offered = offered(seq, None);
        offered.signal.kind = Kind::Consent;
        offered.signal.time = NOW.plus(seq as i64);
        offered.signal.fields = fields.as_object().cloned().unwrap();
        offered
    };
    let taken = |answer: &CollectAnswer| answer.verdicts == [Verdict::Accepted];
    let mut k = Disk::new(customer().id, 9);
    let (phone, mut p) = (CookieId::from_bits(1), Disk::new(CustomerId::Unknown(1), 1));
    let (laptop, mut l) = (CookieId::from_bits(2), Disk::new(CustomerId::Unknown(2), 2));
    p.collect(phone, vec![offered(1, Some(customer())), consent(2, "denied")], context);
    settle(&mut p, &mut k, context);
    l.collect(laptop, vec![offered(1, Some(customer()))], context);
    settle(&mut l, &mut k, context);
    // The customer's record is the phone's denial: it holds for the laptop too.
    assert!(!taken(&l.collect(laptop, vec![offered(2, None)], context)));
    let mode = ConsentMode::Implied;
    assert!(!k.object.snapshot(context).unwrap().may_personalise(mode, laptop));
    // A newer grant on the laptop opens the laptop; the phone said no, and stays so.
    l.collect(laptop, vec![consent(3, "granted")], context);
    settle(&mut l, &mut k, context);
    assert!(taken(&l.collect(laptop, vec![offered(4, None)], context)));
    settle(&mut l, &mut k, context);
    assert!(!taken(&p.collect(phone, vec![offered(3, None)], context)));
    let snapshot = k.object.snapshot(context).unwrap();
    assert!(snapshot.may_personalise(mode, laptop) && !snapshot.may_personalise(mode, phone));
    // Where consent has to be asked for, a browser that was never asked is not open.
    let (tablet, required) = (CookieId::from_bits(3), ConsentMode::Required);
    assert!(snapshot.may_personalise(required, laptop) && !snapshot.may_personalise(required, tablet));
}

#[test]
fn f41_once_storage_is_taken_back_nothing_is_kept_but_what_the_visitor_says_about_it() {
    let definitions = definitions();
    let context = Context { now: NOW, definitions: &definitions };
    let mut disk = Disk::new(CustomerId::Unknown(1), 1);
    let cookie = CookieId::from_bits(1);
    let mut say = |seq, decision: &str, with: Vec<Offered>| {
        let mut consent = offered(seq, None);
        consent.signal.kind = Kind::Consent;
        consent.signal.time = NOW.plus(seq as i64);
        let fields = json!({ "purposes": { "storage": decision } });
        consent.signal.fields = fields.as_object().cloned().unwrap();
        let answer = disk.collect(cookie, [vec![consent], with].concat(), context);
        let taken: Vec<bool> = answer.verdicts.iter().map(|verdict| *verdict == Verdict::Accepted).collect();
        (taken, answer.barred)
    };
    let both = |from| vec![offered(from, None), offered(from + 1, Some(customer()))];
    assert_eq!(say(1, "granted", both(2)), (vec![true; 3], false));
    assert_eq!(say(4, "denied", both(5)), (vec![true, false, false], true));
    assert_eq!(say(7, "granted", both(8)), (vec![true; 3], false));
}

#[test]
fn retention_takes_what_is_too_old_and_first_seen_stays() {
    let definitions = definitions();
    let context = Context { now: NOW, definitions: &definitions };
    let (cookie, mut c) = (CookieId::from_bits(1), Disk::new(CustomerId::Unknown(1), 1));
    let consent = Offered {
        signal: Signal {
            kind: Kind::Consent,
            fields: serde_json::Map::from_iter([("purposes".to_owned(), json!({ "storage": "granted" }))]),
            ..offered(2, None).signal
        },
        ..offered(2, None)
    };
    c.collect(cookie, vec![offered(1, None), consent], context);
    let at = c.object.prunes_at(context).unwrap();
    let eve = Context { now: at.plus(-1), ..context };
    assert_eq!(c.object.prune_due(eve), None);
    let due = Context { now: at, ..context };
    let cutoff = c.object.prune_due(due).unwrap();
    assert!(cutoff > NOW && cutoff <= NOW.plus(DAY_MS));
    let mut writes = Vec::new();
    assert!(c.object.prune(cutoff, None, &mut writes));
    c.write(writes);
    c.object.unfold(due, &mut Vec::new());
    c.object.refolded(due, &mut Vec::new());
    let snapshot = c.object.snapshot(due).unwrap();
    assert_eq!((snapshot.measures.get("Views"), snapshot.first_seen), (Some(&json!(0)), Some(NOW)));
    assert_eq!(c.keys().len(), 1, "a consent does not age");
    assert_eq!(c.object.prunes_at(due), None);
}

#[test]
fn f22_fields_of_a_newer_version_survive_an_older_one() {
    let definitions = definitions();
    let context = Context { now: NOW, definitions: &definitions };
    let (_, mut rows) = Object::born(CustomerId::Unknown(1), 7);
    let cookie = CookieId::from_bits(1);
    let log = json!({ "cookie": cookie, "root": cookie, "end": 4, "last_epoch": 0, "shard": { "of": 3 } });
    rows.push(Write::put(Table::Meta, LOG, &log));
    let rows: Vec<_> = rows
        .iter()
        .filter_map(|write| match write {
            Write::Put { table, key, body } => Some((*table, key.as_str(), body.as_str())),
            _ => None,
        })
        .collect();
    let mut object = Object::load(CustomerId::Unknown(1), rows.into_iter()).unwrap().unwrap();
    let call = CollectCall::of(cookie, cookie, vec![offered(1, None)]);
    let (_, mut writes) = object.collect(&call, &Present::default(), context);
    object.keep_unknown_fields(&mut writes);
    let kept = writes.iter().find_map(|write| match write {
        Write::Put { table: Table::Meta, key, body } if key == LOG => {
            Some(serde_json::from_str::<serde_json::Value>(body).unwrap())
        }
        _ => None,
    });
    let kept = kept.unwrap();
    assert_eq!((&kept["end"], &kept["shard"]), (&json!(5), &json!({ "of": 3 })));
}

#[test]
fn a_profile_that_comes_again_goes_on_above_its_tombstone() {
    let definitions = definitions();
    let context = Context { now: NOW, definitions: &definitions };
    let (cookie, mut c) = (CookieId::from_bits(1), Disk::new(CustomerId::Unknown(1), 1));
    c.collect(cookie, vec![offered(1, None)], context);
    let due = Context { now: NOW.plus(SECOND_MS), ..context };
    let indexing = c.object.indexing_due(due).unwrap();
    assert_eq!((indexing.version, indexing.behind, indexing.log), (1, 0, Some(cookie)));
    c.object.indexed(&indexing, 1, 41, due.now);
    let after = Context { now: due.now.plus(SECOND_MS), ..context };
    assert_eq!(c.object.indexing_due(after).unwrap().version, 42);
    let indexing = c.object.indexing_due(after).unwrap();
    c.object.indexed(&indexing, 1, 0, after.now);
    assert_eq!(c.object.indexing_due(Context { now: after.now.plus(DAY_MS), ..context }), None);
}

#[test]
fn f11_a_write_of_unknown_outcome_is_repeated_and_tries_become_rarer() {
    let definitions = definitions();
    let at = |ms| Context { now: NOW.plus(ms), definitions: &definitions };
    let (cookie, mut c) = (CookieId::from_bits(1), Disk::new(CustomerId::Unknown(1), 1));
    c.collect(cookie, vec![offered(1, None)], at(0));
    assert!(c.object.projection_due(at(SECOND_MS)).is_some());
    let mut pauses = Vec::new();
    let mut now = SECOND_MS;
    for _ in 0..8 {
        c.object.projection_failed(at(now).now);
        let next = c.object.projects_at(at(now).now).unwrap();
        pauses.push(next.0 - at(now).now.0);
        now = next.0 - NOW.0;
    }
    assert_eq!(pauses, [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
    c.object.succeeded();
    let version = c.object.profile.version();
    c.object.projected(version, at(now).now);
    c.object.wake(at(now + REPEAT_AFTER_MS - 1));
    assert!(c.object.projection_due(at(now + REPEAT_AFTER_MS - 1)).is_none());
    c.object.wake(at(now + REPEAT_AFTER_MS));
    let again = now + REPEAT_AFTER_MS + SECOND_MS;
    assert!(c.object.projection_due(at(again)).is_some());
    c.object.projected(version, at(again).now);
    c.object.wake(at(now + DAY_MS));
    assert!(c.object.projection_due(at(now + DAY_MS)).is_none());
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
    object.profile.adopt(&definitions, &mut rows);
    let call = CollectCall::of(cookie, cookie, vec![offered(1, None), offered(2, Some(customer()))]);
    let (_, writes) = object.collect(&call, &Present::default(), context);
    rows.extend(writes);
    let stored: Map<(Table, String), String> = rows
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
    // An instance that ended may have left a write to KV under way; what moved was taken with the step.
    object.unsure = true;
    object.profile.take_moves();
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
            let snapshot = k.object.snapshot(context).unwrap();
            prop_assert_eq!(snapshot.measures.get("Views"), Some(&json!(views)));
        }
    }
}

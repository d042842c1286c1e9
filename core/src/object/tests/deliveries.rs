//! The queue of messages, one object at a time.

use super::*;
use crate::activation::{Outcome, State};
use crate::collections::Set;
use crate::object::deliveries::HELD;

/// A switch, and whoever hears of it.
fn telling() -> Definitions {
    let tell = |segment: &str| json!({ "segment": segment, "url": "https://r.example/", "key": "k" });
    let bundle: Bundle = serde_json::from_value(json!({
        "n": 1,
        "measures": { "On": { "aggregate": "last", "property": "on" } },
        "segments": { "In": { "filter": "Measures/On eq 1" }, "Out": { "filter": "Measures/On eq 0" } },
        "activations": { "in": tell("In"), "out": tell("Out"), "also-in": tell("In") },
    }))
    .unwrap();
    crate::activation::check(&bundle).unwrap();
    Definitions::compile(bundle).unwrap()
}

/// A step as the rim commits it: with the messages that its moves make.
fn step<T>(disk: &mut Disk, context: Context<'_>, step: impl FnOnce(&mut Object) -> (T, Vec<Write>)) -> T {
    let (answer, mut writes) = step(&mut disk.object);
    disk.object.queue_moves(context, &mut writes);
    disk.write(writes);
    answer
}

/// The `seq`-th signal turns the switch.
fn switch(seq: u64, on: u64) -> Offered {
    let fields = json!({ "name": "switch", "properties": { "on": on } });
    let fields = fields.as_object().cloned().unwrap();
    let time = NOW.plus(seq as i64);
    let (stream, kind, source) = (StreamId::from_bits(1), Kind::Event, Source::Browser);
    Offered { signal: Signal { stream, seq, time, kind, source, fields }, customer: None, trusted: true }
}

fn turn(disk: &mut Disk, seq: u64, on: u64, context: Context<'_>) {
    let present = Present { streams: disk.streams.clone(), ..Present::default() };
    let cookie = CookieId::from_bits(1);
    let call = CollectCall::of(cookie, cookie, vec![switch(seq, on)]);
    step(disk, context, |object| object.collect(&call, &present, context));
}

fn due(disk: &Disk, context: Context<'_>) -> Vec<(String, &'static str, u64)> {
    let due = disk.object.deliveries_due(context);
    due.into_iter().map(|(number, d)| (d.activation, d.event.kind(), number)).collect()
}

fn answer(disk: &mut Disk, number: u64, outcome: &Outcome, now: Timestamp) {
    let id = disk.object.deliveries.get(&number).unwrap().id.clone();
    let writes = disk.object.attempted(number, &id, outcome, now);
    disk.write(writes);
}

const TAKEN: Outcome = Outcome::Answered { status: 200, retry_after_ms: None };

/// What a restart would find.
fn reloaded(disk: &Disk) -> Object {
    let rows = disk.rows.iter().map(|((table, key), body)| (*table, key.as_str(), body.as_str()));
    Object::load(disk.object.name(), rows.filter(|(table, ..)| Table::HELD.contains(table))).unwrap().unwrap()
}

#[test]
fn each_activation_has_its_own_order_and_its_own_trouble() {
    let definitions = telling();
    let context = Context { now: NOW, definitions: &definitions };
    let mut c = Disk::new(CustomerId::Unknown(1), 7);
    turn(&mut c, 1, 1, context);
    turn(&mut c, 2, 0, context);
    assert_eq!(
        due(&c, context),
        [
            ("also-in".into(), "segment.entered", 1),
            ("in".into(), "segment.entered", 2),
            ("out".into(), "segment.entered", 5)
        ]
    );
    answer(&mut c, 1, &Outcome::Late, NOW);
    answer(&mut c, 2, &TAKEN, NOW);
    // The one waits, the other goes on; a restart knows both.
    c.object = reloaded(&c);
    let left = due(&c, context);
    assert!(left.contains(&("in".into(), "segment.left", 4)), "{left:?}");
    assert!(!left.iter().any(|(activation, ..)| activation == "also-in"), "{left:?}");
    let later = Context { now: NOW.plus(6 * SECOND_MS), ..context };
    assert!(due(&c, later).contains(&("also-in".into(), "segment.entered", 1)));
    assert!(c.object.alarm(context).is_some_and(|at| at <= later.now));
}

#[test]
fn what_was_delivered_is_forgotten_once_it_is_listed() {
    let definitions = telling();
    let context = Context { now: NOW, definitions: &definitions };
    let mut c = Disk::new(CustomerId::Unknown(1), 7);
    turn(&mut c, 1, 1, context);
    assert_eq!(c.object.listing_due(context), None, "it will be sent in a moment");
    answer(&mut c, 1, &TAKEN, NOW);
    answer(&mut c, 2, &Outcome::Unreachable, NOW);
    let listing = c.object.listing_due(context).unwrap();
    assert_eq!(listing.deliveries.len(), 2);
    // An answer to what changed in the meantime says nothing about what it is now.
    answer(&mut c, 2, &TAKEN, NOW.plus(6 * SECOND_MS));
    let writes = c.object.listed(&listing);
    c.write(writes);
    assert_eq!(c.object.deliveries.keys().copied().collect::<Vec<_>>(), [2]);
    let listing = c.object.listing_due(context).unwrap();
    let writes = c.object.listed(&listing);
    c.write(writes);
    assert!(!c.object.owes_deliveries() && !reloaded(&c).owes_deliveries());
}

#[test]
fn there_is_a_bound_and_what_goes_beyond_it_is_counted() {
    let definitions = telling();
    let context = Context { now: NOW, definitions: &definitions };
    let mut c = Disk::new(CustomerId::Unknown(1), 7);
    // Each turn makes three messages.
    for seq in 1..=200 {
        turn(&mut c, seq, seq & 1, context);
    }
    let made = c.object.owed.messages;
    let held = || c.object.deliveries.values();
    let dropped: u32 = held().filter(|d| d.state == State::Dropped).map(|d| d.attempts).sum();
    assert_eq!(held().filter(|d| d.state == State::Pending).count(), HELD);
    assert_eq!(u64::from(dropped) + HELD as u64, made);
    assert!(held().count() <= HELD + 3);
    // The newest are there.
    assert_eq!(*c.object.deliveries.keys().last().unwrap(), made);
    let listing = c.object.listing_due(context).unwrap();
    assert_eq!(listing.from, made - HELD as u64 + 1);
    assert_eq!(reloaded(&c).deliveries, c.object.deliveries);
}

#[test]
fn dead_ones_are_put_back_under_their_ids_and_forgotten_in_the_end() {
    let definitions = telling();
    let context = Context { now: NOW, definitions: &definitions };
    let mut c = Disk::new(CustomerId::Unknown(1), 7);
    turn(&mut c, 1, 1, context);
    let gone = Outcome::Answered { status: 410, retry_after_ms: None };
    answer(&mut c, 1, &gone, NOW);
    answer(&mut c, 2, &gone, NOW);
    let id = c.object.deliveries.get(&1).unwrap().id.clone();
    assert_eq!(step(&mut c, context, |object| object.replay("in", Some(&id), NOW)), 0, "it is another's");
    assert_eq!(step(&mut c, context, |object| object.replay("also-in", Some(&id), NOW)), 1);
    assert_eq!(due(&c, context), [("also-in".into(), "segment.entered", 1)]);
    assert_eq!(c.object.deliveries.get(&1).unwrap().id, id);
    let month = Context { now: NOW.plus(31 * DAY_MS), ..context };
    step(&mut c, month, |object| ((), object.wake(month)));
    assert_eq!(c.object.deliveries.keys().copied().collect::<Vec<_>>(), [1]);
}

#[test]
fn whoever_is_erased_is_told_about_no_more_and_numbers_go_on() {
    let definitions = telling();
    let context = Context { now: NOW, definitions: &definitions };
    let mut c = Disk::new(CustomerId::Unknown(1), 7);
    turn(&mut c, 1, 1, context);
    let (number, sent) = c.object.deliveries_due(context).remove(0);
    step(&mut c, context, |object| ((), object.erase(5, context)));
    assert!(due(&c, context).is_empty());
    let late = c.object.attempted(number, &sent.id, &Outcome::Late, NOW);
    assert_eq!(late, Vec::new(), "an answer that is late brings nothing back");
    let listing = c.object.listing_due(context).unwrap();
    assert_eq!((listing.deliveries.len(), listing.unlist), (0, 2));
    assert_eq!(c.object.owed.messages, 2, "no number is used twice");
}

#[test]
fn of_an_unknown_profile_that_was_merged_only_the_name_is_told() {
    let definitions = telling();
    let context = Context { now: NOW, definitions: &definitions };
    let (mut c, mut k) = (Disk::new(CustomerId::Unknown(1), 7), Disk::new(customer().id, 8));
    turn(&mut c, 1, 1, context);
    let (_, sent) = c.object.deliveries_due(context).remove(0);
    let before: serde_json::Value = serde_json::from_str(&c.object.message(&sent, context)).unwrap();
    assert_eq!(before["data"]["measures"]["On"], 1.0);
    c.collect(CookieId::from_bits(1), vec![offered(2, Some(customer()))], context);
    settle(&mut c, &mut k, context);
    let after: serde_json::Value = serde_json::from_str(&c.object.message(&sent, context)).unwrap();
    assert_eq!(after["data"]["mergedInto"], customer().id.to_string());
    assert_eq!(
        (&after["data"]["measures"], &after["timestamp"]),
        (&serde_json::Value::Null, &before["timestamp"])
    );
    assert_eq!(due(&c, context).len(), 2, "what it did before is still told");
}

#[test]
fn visitors_without_cookies_and_activations_that_are_no_more_are_told_nothing() {
    let definitions = telling();
    let context = Context { now: NOW, definitions: &definitions };
    let mut c = Disk::new(CustomerId::Unknown(1), 7);
    turn(&mut c, 1, 1, context);
    let fewer = super::definitions();
    let without = Context { now: NOW, definitions: &fewer };
    step(&mut c, without, |object| ((), object.wake(without)));
    assert!(c.object.deliveries.is_empty() && reloaded(&c).deliveries.is_empty());
    let mut once = Disk::new(CustomerId::Unknown(2), 7);
    let cookie = CookieId::from_bits(2);
    let signals = vec![switch(1, 1)];
    let call = CollectCall { ephemeral: true, ..CollectCall::of(cookie, cookie, signals) };
    step(&mut once, context, |object| object.collect(&call, &Present::default(), context));
    assert!(once.object.deliveries.is_empty());
}

/// Who is in a segment by the imported row, and by a switch as well.
fn telling_of_rows() -> Definitions {
    let tell = |segment: &str| json!({ "segment": segment, "url": "https://r.example/", "key": "k" });
    let bundle: Bundle = serde_json::from_value(json!({
        "n": 1,
        "tables": { "T": { "primaryKey": "Id", "columns": { "Tier": "string" } } },
        "measures": { "On": { "aggregate": "last", "property": "on" } },
        "segments": {
            "Either": { "filter": "Tier eq 'Gold' or Measures/On eq 1" },
            "Plain": { "filter": "Tier ne 'Gold'" },
            "Switched": { "filter": "Measures/On eq 1" },
        },
        "activations": { "either": tell("Either"), "plain": tell("Plain"), "switched": tell("Switched") },
    }))
    .unwrap();
    Definitions::compile(bundle).unwrap()
}

/// A customer whose first page turns the switch.
fn newborn(context: Context<'_>) -> Disk {
    let (mut c, mut k) = (Disk::new(CustomerId::Unknown(1), 7), Disk::new(customer().id, 8));
    let present = Present::default();
    let cookie = CookieId::from_bits(1);
    let signals = vec![switch(1, 1), offered(2, Some(customer()))];
    let call = CollectCall::of(cookie, cookie, signals);
    let (_, writes) = c.object.collect(&call, &present, context);
    c.write(writes);
    let page = c.page().unwrap();
    step(&mut k, context, |object| object.ship(&page, &Set::default(), context));
    k
}

fn row(tier: &str) -> Imported {
    serde_json::from_value(json!({ "version": 3, "values": { "Tier": tier } })).unwrap()
}

#[test]
fn what_the_row_alone_has_led_to_is_not_told_once_more_by_the_object() {
    let definitions = telling_of_rows();
    let context = Context { now: NOW, definitions: &definitions };
    let mut k = newborn(context);
    assert_eq!(due(&k, context), [], "without its row nobody is who they are");
    let later = Context { now: NOW.plus(9), ..context };
    // Of this the job has told when the row came.
    let told = vec![("Either".to_owned(), NOW.plus(-SECOND_MS))];
    step(&mut k, later, |object| ((), object.adopt_row(row("Gold"), told, later)));
    assert_eq!(due(&k, later), [("switched".into(), "segment.entered", 1)]);
    let queued = k.object.deliveries.get(&1).unwrap();
    assert_eq!((queued.at, queued.cause), (NOW, Some(Cause::Merge)), "since then, and by that");
}

#[test]
fn what_the_row_had_led_to_and_does_no_more_is_left_once() {
    let definitions = telling_of_rows();
    let context = Context { now: NOW, definitions: &definitions };
    let mut k = newborn(context);
    // The job told that they are plain; the row has changed since.
    let told = vec![("Plain".to_owned(), NOW.plus(-SECOND_MS))];
    step(&mut k, context, |object| ((), object.adopt_row(row("Gold"), told, context)));
    let expected = [
        ("either".into(), "segment.entered", 2),
        ("plain".into(), "segment.left", 1),
        ("switched".into(), "segment.entered", 3),
    ];
    let mut found = due(&k, context);
    found.sort();
    assert_eq!(found, expected);
}

#[test]
fn a_row_that_is_pushed_waits_for_what_it_has_led_to() {
    let definitions = telling_of_rows();
    let context = Context { now: NOW, definitions: &definitions };
    let mut k = newborn(context);
    step(&mut k, context, |object| ((), object.import(row("Gold"), context)));
    assert!(k.object.wants_row().is_some() && due(&k, context).is_empty());
    assert_eq!(k.object.indexing_due(Context { now: NOW.plus(9 * SECOND_MS), ..context }), None);
    let told = vec![("Either".to_owned(), NOW)];
    step(&mut k, context, |object| ((), object.adopt_row(row("Gold"), told, context)));
    assert_eq!(due(&k, context), [("switched".into(), "segment.entered", 1)]);
    // The same once more changes nothing, and what the row brings later is told at once.
    step(&mut k, context, |object| ((), object.adopt_row(row("Gold"), Vec::new(), context)));
    let plain = Imported { version: 4, ..row("Plain") };
    step(&mut k, context, |object| ((), object.import(plain, context)));
    assert_eq!(k.object.deliveries.len(), 2);
}

#[test]
fn whoever_only_hears_of_a_link_that_is_gone_takes_nothing_from_the_imported_row() {
    let definitions = telling_of_rows();
    let context = Context { now: NOW, definitions: &definitions };
    let mut c = Disk::new(CustomerId::Unknown(1), 7);
    let cookie = CookieId::from_bits(1);
    c.collect(cookie, vec![switch(1, 1), offered(2, Some(customer()))], context);
    // Erased before the customer heard of the link.
    let writes = c.object.erase(9, context);
    c.write(writes);
    let mut k = Disk::new(customer().id, 8);
    k.drop_link(&c.object.next_drop().unwrap(), context);
    let writes = k.object.copy_again(NOW);
    k.write(writes);
    let later = Context { now: NOW.plus(9 * SECOND_MS), ..context };
    assert_eq!(k.object.indexing_due(later), None, "no tombstone over what the row has led to");
}

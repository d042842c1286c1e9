//! Links that come and go while pages of them are under way, and memberships over a merge.

use super::*;
use crate::profile::Imported;

const COOKIE: u128 = 1;

fn cookie() -> CookieId {
    CookieId::from_bits(COOKIE)
}

fn visitor() -> Disk {
    Disk::new(CustomerId::Unknown(COOKIE), 1)
}

fn views(disk: &Disk, context: Context<'_>) -> Option<serde_json::Value> {
    disk.object.snapshot(context)?.measures.get("Views").cloned()
}

/// The nearest news of a link's end reaches the customer.
fn tell(cookie: &mut Disk, known: &mut Disk, context: Context<'_>) {
    let gone = cookie.object.next_drop().unwrap();
    known.drop_link(&gone, context);
    let writes = cookie.object.dropped(&gone);
    cookie.write(writes);
}

/// A cookie linked to a customer who has its log: two views and the `user` signal.
fn linked(context: Context<'_>) -> (Disk, Disk) {
    let (mut c, mut k) = (visitor(), Disk::new(customer().id, 2));
    c.collect(cookie(), vec![offered(1, None), offered(2, None), offered(3, Some(customer()))], context);
    settle(&mut c, &mut k, context);
    (c, k)
}

#[test]
fn a11_a_merge_over_a_threshold_enters_the_segment_once() {
    let definitions = definitions();
    let at = |seconds| Context { now: NOW.plus(seconds * SECOND_MS), definitions: &definitions };
    let (phone, laptop) = (CookieId::from_bits(1), CookieId::from_bits(2));
    let (mut p, mut l) = (visitor(), Disk::new(CustomerId::Unknown(2), 3));
    let mut k = Disk::new(customer().id, 2);
    p.collect(phone, vec![offered(1, None), offered(2, None), offered(3, Some(customer()))], at(0));
    settle(&mut p, &mut k, at(0));
    assert!(k.moves.is_empty());
    l.collect(laptop, vec![offered(1, None)], at(1));
    l.collect(laptop, vec![offered(2, Some(customer()))], at(2));
    settle(&mut l, &mut k, at(2));
    assert_eq!(k.moves, ["entered Often at 2"]);
    // Later signals, time and an import do not enter it again.
    l.collect(laptop, vec![offered(3, None), offered(4, None)], at(3));
    settle(&mut l, &mut k, at(3));
    p.collect(phone, vec![offered(4, None)], at(4));
    settle(&mut p, &mut k, at(4));
    let writes = k.object.wake(at(5));
    k.write(writes);
    let writes = k.object.adopt_row(Imported { version: 1, ..Imported::default() }, Vec::new(), at(6));
    k.write(writes);
    assert_eq!(k.moves, ["entered Often at 2"]);
    assert!(p.moves.is_empty() && l.moves.is_empty());
}

#[test]
fn a11_a_visitor_in_a_segment_ends_without_leaving_it_and_the_customer_enters_once() {
    let definitions = definitions();
    let context = Context { now: NOW, definitions: &definitions };
    let (mut c, mut k) = (visitor(), Disk::new(customer().id, 2));
    c.collect(cookie(), (1..=3).map(|seq| offered(seq, None)).collect(), context);
    c.collect(cookie(), vec![offered(4, Some(customer()))], context);
    // The history goes in several pages; each is a step of its own.
    while let Some(page) = c.page_of(1) {
        let answer = k.ship(&page, context);
        let writes = c.object.on_ship_answer(page.epoch, &answer, 99, context);
        c.write(writes);
    }
    assert_eq!(c.moves, ["entered Often at 0"]);
    assert_eq!(k.moves, ["entered Often at 0"]);
}

#[test]
fn a16_a_page_that_was_under_way_at_the_unlink_stays_outside() {
    let definitions = definitions();
    let context = Context { now: NOW, definitions: &definitions };
    for page_first in [true, false] {
        let (mut c, mut k) = linked(context);
        c.collect(cookie(), vec![offered(4, None)], context);
        let under_way = c.page().unwrap();
        assert_eq!(c.unlink(context), Unlinked::Done);
        let answer = if page_first {
            let answer = k.ship(&under_way, context);
            tell(&mut c, &mut k, context);
            answer
        } else {
            tell(&mut c, &mut k, context);
            let answer = k.ship(&under_way, context);
            assert_eq!(answer.outcome, ShipOutcome::Unlinked);
            answer
        };
        assert_eq!(c.object.on_ship_answer(under_way.epoch, &answer, 99, context), []);
        assert_eq!(k.keys(), []);
        assert_eq!((views(&k, context), views(&c, context)), (Some(json!(0)), Some(json!(3))));
        assert!(c.page().is_none() && c.object.next_drop().is_none());
    }
}

#[test]
fn a16_a_link_made_again_at_once_neither_stalls_nor_counts_twice() {
    let definitions = definitions();
    let context = Context { now: NOW, definitions: &definitions };
    let (mut c, mut k) = linked(context);
    c.collect(cookie(), vec![offered(4, None)], context);
    let under_way = c.page().unwrap();
    c.unlink(context);
    let gone = c.object.next_drop().unwrap();
    let answer = c.collect(cookie(), vec![offered(5, None), offered(6, Some(customer()))], context);
    assert_eq!(answer.user, Some(UserOutcome::Merged));
    // The customer hears of the end first, and both pages of the old link come late.
    assert!(c.page().is_none() && c.object.alarm(context).is_some());
    tell(&mut c, &mut k, context);
    settle(&mut c, &mut k, context);
    assert_eq!(k.ship(&under_way, context).outcome, ShipOutcome::Stale);
    k.drop_link(&gone, context);
    assert_eq!(k.keys(), c.keys());
    assert_eq!((c.keys().len(), views(&k, context)), (6, Some(json!(4))));
    assert!(!c.object.has_to_ship());
}

#[test]
fn a16_the_news_of_an_end_holds_up_no_link_to_somebody_else() {
    let definitions = definitions();
    let context = Context { now: NOW, definitions: &definitions };
    let (mut c, mut k) = linked(context);
    c.unlink(context);
    let other = Customer { id: CustomerId::Known(8), auth_id: "Loyalty2".into(), ..customer() };
    let mut o = Disk::new(other.id, 5);
    // A new SDK instance, as after a sign-out.
    let mut user = offered(1, Some(other));
    user.signal.stream = StreamId::from_bits(2);
    c.collect(cookie(), vec![user], context);
    settle(&mut c, &mut o, context);
    assert_eq!((o.keys(), views(&o, context)), (c.keys(), Some(json!(2))));
    tell(&mut c, &mut k, context);
    assert_eq!((k.keys(), views(&k, context)), (Vec::new(), Some(json!(0))));
}

#[test]
fn a16_a_link_after_pruning_brings_what_is_left_and_comes_to_an_end() {
    let definitions = definitions();
    let context = Context { now: NOW, definitions: &definitions };
    let (mut c, mut k) = (visitor(), Disk::new(customer().id, 2));
    c.collect(cookie(), (1..=4).map(|seq| offered(seq, None)).collect(), context);
    let later = Context { now: c.object.prunes_at(context).unwrap(), ..context };
    let fresh = |seq, customer| {
        let mut offered = offered(seq, customer);
        offered.signal.time = later.now;
        offered
    };
    c.collect(cookie(), vec![fresh(5, None)], later);
    c.prune(later);
    c.collect(cookie(), vec![fresh(6, Some(customer())), fresh(7, None)], later);
    // Half of it was shipped when retention takes the rest.
    let first = c.page_of(1).unwrap();
    let answer = k.ship(&first, later);
    let writes = c.object.on_ship_answer(first.epoch, &answer, 99, later);
    c.write(writes);
    c.signals.retain(|(_, row)| row.signal.seq != 6);
    settle(&mut c, &mut k, later);
    assert_eq!(k.keys(), c.keys());
    assert_eq!(views(&k, later), Some(json!(2)));
    assert!(!c.object.has_to_ship());
    assert_eq!(
        k.object.snapshot(later).unwrap().first_seen,
        Some(NOW),
        "the memory of the first visit stays"
    );
}

#[test]
fn a16_a_cookie_that_lost_its_log_joins_again_and_leaves_with_all_of_it() {
    let definitions = definitions();
    let context = Context { now: NOW, definitions: &definitions };
    let (mut old, mut k) = linked(context);
    old.collect(cookie(), vec![offered(4, None)], context);
    let under_way = old.page().unwrap();
    // The object comes back empty, under another life; one signal is sent again.
    let later = Context { now: NOW.plus(SECOND_MS), ..context };
    let mut c = Disk::new(CustomerId::Unknown(COOKIE), 77);
    c.collect(cookie(), vec![offered(2, None), offered(8, None), offered(9, Some(customer()))], later);
    settle(&mut c, &mut k, later);
    assert!(!c.object.has_to_ship());
    assert_eq!((k.keys().len(), views(&k, later)), (5, Some(json!(3))), "both logs, nothing twice");
    assert_eq!(k.ship(&under_way, later).outcome, ShipOutcome::Stale, "what the lost log had under way");
    c.collect(cookie(), vec![offered(10, None)], later);
    settle(&mut c, &mut k, later);
    assert_eq!(views(&k, later), Some(json!(4)));
    c.unlink(later);
    tell(&mut c, &mut k, later);
    assert_eq!((k.keys(), views(&k, later)), (Vec::new(), Some(json!(0))));
    assert_eq!(k.ship(&under_way, later).outcome, ShipOutcome::Stale, "and it stays outside");
    assert_eq!(k.keys(), []);
}

#[test]
fn a16_a_lost_log_joins_again_also_where_the_clock_fell_behind() {
    let definitions = definitions();
    let context = Context { now: NOW, definitions: &definitions };
    let (_, mut k) = linked(context);
    let mut c = Disk::new(CustomerId::Unknown(COOKIE), 77);
    let behind = Context { now: NOW.plus(-SECOND_MS), ..context };
    c.collect(cookie(), vec![offered(8, None), offered(9, Some(customer()))], behind);
    for second in 0..60 {
        let context = Context { now: behind.now.plus(second * SECOND_MS), ..context };
        let Some(page) = c.page() else { break };
        let answer = k.ship(&page, context);
        let writes = c.object.on_ship_answer(page.epoch, &answer, 99, context);
        c.write(writes);
    }
    assert!(!c.object.has_to_ship());
    assert_eq!(views(&k, context), Some(json!(3)));
}

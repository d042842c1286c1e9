//! Who enters and leaves what at merges and ends (design §5), as the moves tell it.

use super::*;
use crate::membership::{Cause, Move};

fn definitions() -> Definitions {
    let bundle: Bundle = serde_json::from_value(json!({
        "n": 1,
        "measures": { "Views": { "aggregate": "count", "filter": "ActivityType eq 'View'" } },
        "segments": {
            "Often": { "filter": "Measures/Views ge 3" },
            "Quiet": { "filter": "Measures/Views lt 3" },
        },
    }))
    .unwrap();
    Definitions::compile(bundle).unwrap()
}

/// What moved since this was last asked, in order.
fn moves(disk: &mut Disk) -> Vec<(String, bool, Cause)> {
    let moved = |Move { segment, entered, cause, .. }| (segment, entered, cause);
    disk.object.profile.take_moves().into_iter().map(moved).collect()
}

fn entered(segment: &str, cause: Cause) -> (String, bool, Cause) {
    (segment.to_owned(), true, cause)
}

fn left(segment: &str, cause: Cause) -> (String, bool, Cause) {
    (segment.to_owned(), false, cause)
}

#[test]
fn at_a_merge_the_unknown_one_leaves_nothing_and_the_customer_enters_once() {
    let definitions = definitions();
    let context = Context { now: NOW, definitions: &definitions };
    let (cookie, mut c) = (CookieId::from_bits(1), Disk::new(CustomerId::Unknown(1), 1));
    let mut k = Disk::new(customer().id, 2);
    c.collect(cookie, (1..4).map(|seq| offered(seq, None)).collect(), context);
    assert_eq!(moves(&mut c), [entered("Often", Cause::Signal)]);
    c.collect(cookie, vec![offered(4, Some(customer()))], context);
    let page = c.page().unwrap();
    let answer = k.ship(&page, context);
    k.ship(&page, context);
    let writes = c.object.on_ship_answer(page.epoch, &answer, 99, context);
    c.write(writes);
    assert_eq!((moves(&mut c), moves(&mut k)), (vec![], vec![entered("Often", Cause::Merge)]));
    // Another device joins: nothing moves, and so nothing is told.
    let (tablet, mut t) = (CookieId::from_bits(2), Disk::new(CustomerId::Unknown(2), 3));
    t.collect(tablet, vec![offered(1, None), offered(2, Some(customer()))], context);
    settle(&mut t, &mut k, context);
    assert_eq!(moves(&mut k), []);
    // The first link is taken back: the customer loses what only that one had, the visitor is one again.
    moves(&mut t);
    c.unlink(context);
    let drop = c.object.next_drop().unwrap();
    k.drop_link(&drop, context);
    let removal = Cause::Removal;
    assert_eq!(moves(&mut c), [entered("Often", removal)]);
    assert_eq!(moves(&mut k), [left("Often", removal), entered("Quiet", removal)]);
}

#[test]
fn who_is_forgotten_or_erased_leaves_and_enters_nothing() {
    let definitions = definitions();
    let context = Context { now: NOW, definitions: &definitions };
    let often = |c: &mut Disk| {
        c.collect(CookieId::from_bits(1), (1..4).map(|seq| offered(seq, None)).collect(), context);
        assert_eq!(moves(c), [entered("Often", Cause::Signal)]);
    };
    let mut forgotten = Disk::new(CustomerId::Unknown(1), 1);
    often(&mut forgotten);
    let writes = forgotten.object.forget(context);
    forgotten.write(writes);
    assert_eq!(moves(&mut forgotten), [left("Often", Cause::Removal)]);
    assert_eq!(forgotten.object.profile.segments().collect::<Vec<_>>(), ["Quiet"], "what it is, it is");
    let mut erased = Disk::new(CustomerId::Unknown(1), 1);
    often(&mut erased);
    let writes = erased.object.erase(7, context);
    erased.write(writes);
    assert_eq!(moves(&mut erased), [left("Often", Cause::Removal)]);
    assert_eq!(erased.object.wake(context), [], "and nothing is left to move");
}

#[test]
fn d4_a_changed_definition_moves_the_difference_only() {
    let before = definitions();
    let context = Context { now: NOW, definitions: &before };
    let mut c = Disk::new(CustomerId::Unknown(1), 1);
    c.collect(CookieId::from_bits(1), vec![offered(1, None)], context);
    moves(&mut c);
    let mut bundle = before.bundle.clone();
    bundle.segments = serde_json::from_value(json!({
        "Often": { "filter": "Measures/Views ge 1" },
        "Calm": { "filter": "Measures/Views lt 3" },
        "Never": { "filter": "Measures/Views gt 9" },
    }))
    .unwrap();
    bundle.follow(&before.bundle);
    let after = Definitions::compile(bundle).unwrap();
    let context = Context { definitions: &after, ..context };
    assert_eq!(c.object.profile.missing(&after), [], "nothing new is counted: nobody looks back");
    c.object.profile.adopt(&after, &mut Vec::new());
    let writes = c.object.wake(context);
    c.write(writes);
    let definition = Cause::Definition;
    let told = [left("Quiet", definition), entered("Calm", definition), entered("Often", definition)];
    assert_eq!(moves(&mut c), told);
}

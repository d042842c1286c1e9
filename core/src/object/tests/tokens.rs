//! Who uses a token that names no browser.

use super::*;
use crate::token::Use;

fn used(token: &str, by: &str) -> Use {
    Use { token: token.to_owned(), by: by.to_owned(), before: None, until: NOW.plus(600_000) }
}

fn use_token(disk: &mut Disk, used: &Use, now: Timestamp) -> bool {
    let (may, writes) = disk.object.use_token(used, now);
    disk.write(writes);
    may
}

/// The object as it comes back after its instance ended.
fn again(disk: &Disk) -> Object {
    let rows = disk.rows.iter().map(|((table, key), body)| (*table, key.as_str(), body.as_str()));
    Object::load(disk.object.name(), rows).unwrap().unwrap()
}

#[test]
fn g1_a_token_is_its_first_browsers_until_it_is_over() {
    let mut known = Disk::new(CustomerId::Known(9), 2);
    assert!(use_token(&mut known, &used("t", "her"), NOW));
    assert!(use_token(&mut known, &used("t", "her"), NOW.plus(1)), "sent again");
    assert!(!use_token(&mut known, &used("t", "thief"), NOW.plus(1)));
    assert!(use_token(&mut known, &used("another", "thief"), NOW), "that one is theirs");
    known.object = again(&known);
    assert!(!use_token(&mut known, &used("t", "thief"), NOW.plus(599_999)), "after a restart too");
    use_token(&mut known, &used("x", "her"), NOW.plus(600_000));
    let rows = known.rows.keys().filter(|(_, key)| key.starts_with("token "));
    assert_eq!(rows.count(), 1, "what is over is forgotten");
}

#[test]
fn g1_a_browser_takes_its_tokens_along_to_its_next_cookie_id_and_nobody_else_does() {
    let mut known = Disk::new(CustomerId::Known(9), 2);
    assert!(use_token(&mut known, &used("t", "before"), NOW));
    let after = |by: &str, before: &str| Use { before: Some(before.to_owned()), ..used("t", by) };
    assert!(!use_token(&mut known, &after("thief", "thief too"), NOW));
    assert!(use_token(&mut known, &after("now", "before"), NOW));
    for by in ["before", "now"] {
        assert!(use_token(&mut known, &used("t", by), NOW), "{by}");
    }
    for n in 0..20 {
        assert!(use_token(&mut known, &after(&format!("{n}"), "before"), NOW));
    }
    let row = known.rows.iter().find(|((_, key), _)| key.starts_with("token ")).unwrap();
    assert!(row.1.len() < 200, "bounded: {}", row.1);
}

#[test]
fn g1_more_tokens_than_anybody_needs_are_refused_rather_than_an_earlier_one_forgotten() {
    let mut known = Disk::new(CustomerId::Known(9), 2);
    let taken = (0..1_000).filter(|n| use_token(&mut known, &used(&format!("{n}"), "her"), NOW)).count();
    assert_eq!(taken, 512);
    assert!(!use_token(&mut known, &used("0", "thief"), NOW));
    assert!(use_token(&mut known, &used("new", "her"), NOW.plus(600_000)), "and there is room again");
}

#[test]
fn an_object_that_has_nothing_but_used_tokens_goes_when_they_are_over() {
    let definitions = definitions();
    let at = |now| Context { now, definitions: &definitions };
    let mut known = Disk::new(CustomerId::Known(9), 2);
    assert!(known.object.is_nothing());
    use_token(&mut known, &used("t", "her"), NOW);
    assert!(!known.object.is_nothing() && known.object.is_unlisted());
    assert_eq!(known.object.alarm(at(NOW)), Some(NOW.plus(600_000)));
    assert!(!known.object.is_over(at(NOW.plus(599_999))) && known.object.is_over(at(NOW.plus(600_000))));
    // With a link it is a customer like any other, and stays.
    let mut cookie = Disk::new(CustomerId::Unknown(1), 1);
    cookie.collect(CookieId::from_bits(1), vec![offered(1, Some(customer()))], at(NOW));
    settle(&mut cookie, &mut known, at(NOW));
    assert!(!known.object.is_unlisted() && known.object.expires(at(NOW)).is_none());
}

#[test]
fn g1_an_erasure_does_not_make_a_used_token_good_again_and_keeps_no_id() {
    let definitions = definitions();
    let context = Context { now: NOW, definitions: &definitions };
    let mut known = Disk::new(CustomerId::Known(9), 2);
    use_token(&mut known, &used("t", "her"), NOW);
    let writes = known.object.erase(7, context);
    known.write(writes);
    known.object = again(&known);
    assert!(!use_token(&mut known, &used("t", "thief"), NOW));
    assert!(use_token(&mut known, &used("t", "her"), NOW));
}

//! Claims: what somebody says to be without a proof.

use super::*;

fn claimed(seq: u64, auth_id: &str) -> Offered {
    let customer = Customer { auth_id: auth_id.to_owned(), ..customer() };
    let id = CustomerId::Known(auth_id.bytes().fold(0, |id, byte| id * 256 + u128::from(byte)));
    Offered { trusted: false, ..offered(seq, Some(Customer { id, ..customer })) }
}

fn names(disk: &Disk) -> Vec<String> {
    disk.object.claims().into_iter().map(|claim| claim.customer.auth_id).collect()
}

#[test]
fn a14_a_claim_waits_at_the_cookie_alone_and_a_proof_merges_all_of_it() {
    let definitions = definitions();
    let context = Context { now: NOW, definitions: &definitions };
    let mut cookie = Disk::new(CustomerId::Unknown(1), 1);
    let id = CookieId::from_bits(1);
    let claim = Offered { trusted: false, ..offered(2, Some(customer())) };
    let answer = cookie.collect(id, vec![offered(1, None), claim.clone(), offered(3, None)], context);
    assert_eq!((answer.user, answer.trusted), (Some(UserOutcome::Claimed), false));
    assert_eq!(answer.verdicts, [Verdict::Accepted, Verdict::Accepted, Verdict::Accepted]);
    assert!(!cookie.object.has_to_ship() && cookie.object.links().is_empty(), "nothing goes anywhere");
    let snapshot = cookie.object.snapshot(context).unwrap();
    assert_eq!((snapshot.customer, snapshot.auth), (CustomerId::Unknown(1), None));
    assert_eq!(names(&cookie), ["Loyalty1"]);
    assert_eq!(cookie.collect(id, vec![claim], context).user, Some(UserOutcome::Claimed), "sent again");
    assert_eq!(cookie.object.claims()[0].times, 1, "and counted once");

    let mut known = Disk::new(CustomerId::Known(9), 2);
    let proven = cookie.collect(id, vec![offered(4, Some(customer()))], context);
    assert_eq!((proven.user, proven.trusted), (Some(UserOutcome::Merged), true));
    assert_eq!(names(&cookie), ["Loyalty1"], "until the customer has it");
    settle(&mut cookie, &mut known, context);
    assert_eq!(known.keys().len(), 4, "all history, the claim too");
    assert_eq!(names(&cookie), [""; 0], "it is a link now");
}

#[test]
fn claims_are_listed_by_whom_they_name_the_newest_of_them() {
    let definitions = definitions();
    let context = Context { now: NOW, definitions: &definitions };
    let mut cookie = Disk::new(CustomerId::Unknown(1), 1);
    let all = CLAIMS_LISTED as u64 + 4;
    for n in 0..all {
        let mut claim = claimed(n + 1, &format!("N{n:02}"));
        claim.signal.time = NOW.plus(n as i64);
        cookie.collect(CookieId::from_bits(1), vec![claim], context);
    }
    let newest = format!("N{:02}", all - 1);
    let mut again = claimed(all + 1, &newest);
    again.signal.time = NOW.plus(100);
    cookie.collect(CookieId::from_bits(1), vec![again], context);
    let listed = |from: u64| (from..all).map(|n| format!("N{n:02}")).collect::<Vec<_>>();
    assert_eq!(names(&cookie), listed(4));
    let last = cookie.object.claims().pop().unwrap();
    assert_eq!((last.times, last.first, last.last), (2, NOW.plus(all as i64 - 1), NOW.plus(100)));
    // Gone with what they were made in.
    let mut writes = Vec::new();
    cookie.object.prune(NOW.plus(9), None, &mut writes);
    assert_eq!(names(&cookie), listed(9));
    cookie.object.forget(context);
    assert_eq!(names(&cookie), [""; 0]);
}

#[test]
fn f44_what_comes_again_and_says_something_else_is_a_duplicate_and_a_conflict() {
    let definitions = definitions();
    let context = Context { now: NOW, definitions: &definitions };
    let mut cookie = Disk::new(CustomerId::Unknown(1), 1);
    let id = CookieId::from_bits(1);
    let saying = |uri: &str, time: i64| {
        let mut signal = offered(1, None);
        signal.signal.fields.insert("uri".to_owned(), uri.into());
        signal.signal.fields.insert("sessionId".to_owned(), time.to_string().into());
        signal.signal.time = NOW.plus(-time);
        signal
    };
    let first = cookie.collect(id, vec![saying("/first", 0)], context);
    assert_eq!((first.conflicts, &first.verdicts[0]), (0, &Verdict::Accepted));
    let same = cookie.collect(id, vec![saying("/first", 1_000)], context);
    assert_eq!(
        (same.conflicts, &same.verdicts[0]),
        (0, &Verdict::Duplicate),
        "from another page, at another time"
    );
    let other = cookie.collect(id, vec![saying("/other", 0)], context);
    assert_eq!((other.conflicts, &other.verdicts[0]), (1, &Verdict::Duplicate));
    let mut more = saying("/first", 0);
    more.signal.fields.insert("title".to_owned(), "more".into());
    let mut event = saying("/first", 0);
    event.signal.kind = Kind::Event;
    assert_eq!(cookie.collect(id, vec![more, event], context).conflicts, 2);
    assert_eq!(cookie.signals.len(), 1);
    assert_eq!(cookie.signals[0].1.signal.text("uri"), Some("/first"), "the first stands");
    // Within one batch as well.
    let two = |uri: &str| Offered { signal: Signal { seq: 2, ..saying(uri, 0).signal }, ..saying(uri, 0) };
    let batch = cookie.collect(id, vec![two("/a"), two("/b")], context);
    assert_eq!((batch.conflicts, batch.verdicts), (1, vec![Verdict::Accepted, Verdict::Duplicate]));
}

//! Clocks that are wrong: the browser's, and the server's.

use super::*;

const COOKIE: u128 = 1;

fn collect_at(disk: &mut Disk, seq: u64, context: Context<'_>) -> CollectAnswer {
    let mut offered = offered(seq, None);
    offered.signal.time = context.now;
    disk.collect(CookieId::from_bits(COOKIE), vec![offered], context)
}

#[test]
fn f6_what_is_older_than_the_retention_is_refused_and_not_moved() {
    let definitions = definitions();
    let context = Context { now: NOW, definitions: &definitions };
    let (cookie, mut c) = (CookieId::from_bits(COOKIE), Disk::new(CustomerId::Unknown(COOKIE), 1));
    let oldest = NOW.midnight().plus(-365 * DAY_MS);
    let at = |seq, time| {
        let mut offered = offered(seq, None);
        offered.signal.time = time;
        offered
    };
    let ten_years = NOW.plus(-3650 * DAY_MS);
    let answer =
        c.collect(cookie, vec![at(1, oldest), at(2, oldest.plus(-1)), at(3, ten_years), at(4, NOW)], context);
    let codes: Vec<_> = answer
        .verdicts
        .iter()
        .map(|verdict| match verdict {
            Verdict::Rejected(rejection) => rejection.code.as_str(),
            Verdict::Accepted => "accepted",
            _ => "other",
        })
        .collect();
    assert_eq!(codes, ["accepted", "too_old", "too_old", "accepted"]);
    let mut times: Vec<_> = c.signals.iter().map(|(_, row)| row.signal.time).collect();
    times.sort_unstable();
    assert_eq!(times, [oldest, NOW]);
    assert_eq!(c.object.snapshot(context).unwrap().first_seen, Some(oldest));
}

#[test]
fn f6_at_one_instant_the_number_in_the_stream_decides() {
    let definitions = definitions();
    let context = Context { now: NOW, definitions: &definitions };
    for order in [[1, 2, 3], [3, 2, 1], [2, 3, 1]] {
        let (cookie, mut c) = (CookieId::from_bits(COOKIE), Disk::new(CustomerId::Unknown(COOKIE), 1));
        for seq in order {
            let mut named = offered(seq, None);
            named.signal.kind = Kind::User;
            named.signal.fields.insert("name".to_owned(), format!("number {seq}").into());
            c.collect(cookie, vec![named], context);
        }
        let snapshot = c.object.snapshot(context).unwrap();
        assert_eq!(snapshot.attributes.get("FullName"), Some(&json!("number 3")));
    }
}

#[test]
fn f7_versions_positions_and_epochs_count_on_whatever_the_servers_clock_does() {
    let definitions = definitions();
    let cookie = CookieId::from_bits(COOKIE);
    let (mut c, mut k) = (Disk::new(CustomerId::Unknown(COOKIE), 1), Disk::new(customer().id, 2));
    let (mut versions, mut epochs) = (Vec::new(), Vec::new());
    let mut seq = 0;
    // Forward, back, and further back: days, as after a move to a host whose clock is wrong.
    for days in [0, 30, 1, -20] {
        let context = Context { now: NOW.plus(days * DAY_MS), definitions: &definitions };
        collect_at(&mut c, seq + 1, context);
        let mut user = offered(seq + 2, Some(customer()));
        user.signal.time = context.now;
        c.collect(cookie, vec![user], context);
        seq += 2;
        settle(&mut c, &mut k, context);
        versions.extend([k.object.profile.version(), 0].into_iter().filter(|version| *version > 0));
        epochs.push(c.object.link.as_ref().unwrap().epoch);
        assert_eq!(c.keys(), k.keys());
        assert_eq!(c.object.log_end(), seq);
        let views = k.object.snapshot(context).unwrap().measures.get("Views").cloned();
        assert_eq!(views, Some(json!(seq.div_euclid(2))));
        c.unlink(context);
        let gone = c.object.next_drop().unwrap();
        k.drop_link(&gone, context);
        c.object.dropped(&gone);
    }
    assert!(versions.is_sorted_by(|a, b| a < b), "{versions:?}");
    assert!(epochs.is_sorted_by(|a, b| a < b), "{epochs:?}");
}

#[test]
fn f7_a_clock_that_falls_behind_ends_nobody_early() {
    let definitions = definitions();
    let context = Context { now: NOW, definitions: &definitions };
    let mut c = Disk::new(CustomerId::Unknown(COOKIE), 1);
    let ahead = Context { now: NOW.plus(3 * DAY_MS), ..context };
    collect_at(&mut c, 1, ahead);
    collect_at(&mut c, 2, context);
    // Idle since the latest instant that was ever seen, not since the last one.
    let week = c.object.expires(context).unwrap();
    assert_eq!(week, ahead.now.plus(7 * DAY_MS));
    assert!(!c.object.is_over(Context { now: week.plus(-1), ..context }));
    assert!(c.object.is_over(Context { now: week, ..context }));
}

#[test]
fn f7_a_clock_that_falls_behind_holds_up_no_copy() {
    let definitions = definitions();
    let context = Context { now: NOW, definitions: &definitions };
    let mut c = Disk::new(CustomerId::Unknown(COOKIE), 1);
    let ahead = Context { now: NOW.plus(DAY_MS), ..context };
    collect_at(&mut c, 1, ahead);
    let written = Context { now: ahead.now.plus(SECOND_MS), ..ahead };
    let indexing = c.object.indexing_due(written).unwrap();
    c.object.projected(c.object.profile.version(), written.now);
    c.object.indexed(&indexing, 1, 0, written.now);
    collect_at(&mut c, 2, context);
    let soon = Context { now: NOW.plus(2 * SECOND_MS), ..context };
    assert!(c.object.alarm(context).unwrap() <= soon.now);
    assert!(c.object.projection_due(soon).is_some() && c.object.indexing_due(soon).is_some());
}

#[test]
fn f7_a_clock_that_falls_behind_holds_up_no_log() {
    let definitions = definitions();
    let context = Context { now: NOW, definitions: &definitions };
    let mut c = Disk::new(CustomerId::Unknown(COOKIE), 1);
    c.collect(CookieId::from_bits(COOKIE), vec![offered(1, Some(customer()))], context);
    c.object.failed(NOW.plus(DAY_MS));
    assert!(c.object.alarm(context).unwrap() <= NOW.plus(PATIENCE_MS));
}

#[test]
fn a_cookie_that_was_linked_says_where_signals_went_while_a_browser_may_still_send_them() {
    let definitions = definitions();
    let context = Context { now: NOW, definitions: &definitions };
    let mut c = Disk::new(CustomerId::Unknown(COOKIE), 1);
    c.collect(CookieId::from_bits(COOKIE), vec![offered(1, Some(customer()))], context);
    let mut k = Disk::new(customer().id, 2);
    settle(&mut c, &mut k, context);
    // Another customer in the same browser: from here on the stream goes elsewhere.
    let other = Customer { id: CustomerId::Known(10), auth_id: "Loyalty2".into(), ..customer() };
    let turns = offered(2, Some(other));
    let verdicts = c.collect(CookieId::from_bits(COOKIE), vec![turns.clone()], context).verdicts;
    assert!(matches!(verdicts[0], Verdict::Elsewhere(_)), "{verdicts:?}");
    c.unlink(context);
    let drop = c.object.next_drop().unwrap();
    c.object.dropped(&drop);
    let last = Context { now: NOW.plus(i64::from(QUEUE_DAYS) * DAY_MS), ..context };
    assert!(!c.object.is_over(last));
    let verdicts = c.collect(CookieId::from_bits(COOKIE), vec![turns], last).verdicts;
    assert!(matches!(verdicts[0], Verdict::Elsewhere(_)), "{verdicts:?}");
    let idle = c.object.expires(last).unwrap();
    assert!(c.object.is_over(Context { now: idle, ..context }));
}

#[test]
fn f42_an_erased_cookie_stays_as_long_as_what_it_sent_elsewhere_may_come_again() {
    let definitions = definitions();
    let context = Context { now: NOW, definitions: &definitions };
    let mut c = Disk::new(CustomerId::Unknown(COOKIE), 1);
    collect_at(&mut c, 1, context);
    let writes = c.object.erase(5, context);
    c.write(writes);
    let end = c.object.expires(context).unwrap();
    let asked = Context { now: end.plus(-1), ..context };
    collect_at(&mut c, 2, asked);
    let last = asked.now.plus(i64::from(QUEUE_DAYS) * DAY_MS);
    assert!(c.object.expires(context).unwrap() > last);
    let rows = c.rows.iter().map(|((table, key), body)| (*table, key.as_str(), body.as_str()));
    let loaded = Object::load(CustomerId::Unknown(COOKIE), rows).unwrap().unwrap();
    assert_eq!(loaded.expires(context), c.object.expires(context));
}

#[test]
fn f35_a_visitor_without_a_cookie_is_copied_nowhere_until_somebody_signs_in() {
    let definitions = definitions();
    let at = |seconds: i64| Context { now: NOW.plus(seconds * SECOND_MS), definitions: &definitions };
    let (mut object, _) = Object::born(CustomerId::Unknown(COOKIE), 7);
    let cookie = CookieId::from_bits(COOKIE);
    let mut send = |seq, customer, ephemeral, context| {
        let call = CollectCall { ephemeral, ..CollectCall::of(cookie, cookie, vec![offered(seq, customer)]) };
        object.collect(&call, &Present::default(), context);
        (object.projection_due(at(9)).is_some(), object.indexing_due(at(9)).is_some(), object.clone())
    };
    let (kv, index, unknown) = send(1, None, true, at(0));
    assert_eq!((kv, index, unknown.expires(at(0))), (false, false, Some(NOW.plus(DAY_MS))));
    assert!(unknown.is_over(at(86_400)), "and it goes after a day");
    let (kv, index, _) = send(2, Some(customer()), true, at(1));
    assert!(kv && index, "who signs in is somebody");
}

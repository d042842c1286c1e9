use super::*;

const A: &str = "aaaaaaaa-0000-4000-8000-000000000000";
const B: &str = "bbbbbbbb-0000-4000-8000-000000000000";

fn engine() -> Engine {
    let mut engine = Engine::new();
    engine.begin(A.into(), "s1".into());
    engine.set_session("v1", 1);
    engine
}

fn chance() -> Chance {
    Chance { jitter: 512, stream: "s2".into() }
}

fn push(engine: &mut Engine, kind: Kind, n: usize, now: u64) {
    for _ in 0..n {
        let _ = engine.push(kind, r#"{"type":"x""#.into(), now);
    }
}

fn send(engine: &mut Engine, now: u64) -> Batch {
    match engine.next(now) {
        Next::Send(batch) => batch,
        other => panic!("expected a batch, got {other:?}"),
    }
}

fn seqs(batch: &Batch) -> Vec<u64> {
    let parts = batch.signals.split("{\"seq\":").skip(1);
    parts.map(|p| p.split(',').next().unwrap().parse().unwrap()).collect()
}

/// The body of an answer that accepts everything.
fn accepted(batch: &Batch, cookie_id: &str) -> String {
    answer(cookie_id, &batch.origin.stream, seqs(batch).len(), 0, "[]")
}

fn answer(cookie_id: &str, stream: &str, accepted: usize, duplicate: usize, rejected: &str) -> String {
    format!(
        r#"{{"cookieId":"{cookie_id}","ack":{{"stream":"{stream}"}},"accepted":{accepted},"duplicate":{duplicate},"rejected":{rejected}}}"#
    )
}

fn settle(engine: &mut Engine, batch: &Batch, now: u64, status: u64, body: &str) -> Settled {
    let reply = Reply { status, body: Value(body), retry_after: None };
    engine.settle(batch.id, &reply, now, chance())
}

fn accept(engine: &mut Engine, batch: &Batch, now: u64) -> Settled {
    settle(engine, batch, now, 200, &accepted(batch, A))
}

fn fail(engine: &mut Engine, batch: &Batch, now: u64, status: u64) -> Settled {
    settle(engine, batch, now, status, "null")
}

#[test]
fn twenty_signals_make_one_batch() {
    let mut e = engine();
    push(&mut e, Kind::View, 19, 0);
    assert!(matches!(e.next(0), Next::Wait(1_000)));
    push(&mut e, Kind::View, 2, 0);
    let batch = send(&mut e, 0);
    assert_eq!(seqs(&batch), (1..=20).collect::<Vec<_>>());
    assert!(batch.signals.starts_with(r#"[{"seq":1,"type":"x"},{"seq":2,"type":"x"}"#));
    assert!(matches!(e.next(0), Next::Idle), "one request at a time");
    accept(&mut e, &batch, 0);
    assert!(matches!(e.next(0), Next::Wait(1_000)), "the twenty-first waits for company");
}

#[test]
fn after_one_second_a_partial_batch_goes() {
    let mut e = engine();
    push(&mut e, Kind::View, 2, 100);
    assert!(matches!(e.next(1_099), Next::Wait(1)));
    assert_eq!(seqs(&send(&mut e, 1_100)), [1, 2]);
}

#[test]
fn set_user_goes_at_once_with_everything_before_it_in_order() {
    let mut e = engine();
    push(&mut e, Kind::View, 3, 0);
    push(&mut e, Kind::User, 1, 0);
    push(&mut e, Kind::Action, 1, 0);
    let batch = send(&mut e, 0);
    assert_eq!(seqs(&batch), [1, 2, 3, 4]);
    let settled = accept(&mut e, &batch, 0);
    assert_eq!((settled.user, settled.refusal.as_str()), (4, ""));
    assert!(matches!(e.next(0), Next::Wait(_)), "what came after it waits as usual");
}

#[test]
fn a_batch_holds_one_user_signal_and_it_is_the_last() {
    let mut e = engine();
    push(&mut e, Kind::User, 2, 0);
    let first = send(&mut e, 0);
    assert_eq!(seqs(&first), [1]);
    accept(&mut e, &first, 0);
    assert_eq!(seqs(&send(&mut e, 0)), [2]);
}

#[test]
fn flush_sends_what_was_queued_and_is_done_when_it_is_acknowledged() {
    let mut e = engine();
    push(&mut e, Kind::View, 25, 0);
    let ticket = e.flush();
    let first = send(&mut e, 0);
    accept(&mut e, &first, 0);
    assert!(!e.done(ticket));
    let second = send(&mut e, 0);
    assert_eq!(seqs(&second), (21..=25).collect::<Vec<_>>());
    push(&mut e, Kind::View, 1, 0);
    accept(&mut e, &second, 0);
    assert!(e.done(ticket));
    assert_eq!((e.acknowledged(), e.queued()), (25, 1));
}

#[test]
fn an_answer_removes_exactly_what_was_sent() {
    let mut e = engine();
    push(&mut e, Kind::View, 20, 0);
    let batch = send(&mut e, 0);
    push(&mut e, Kind::View, 5, 0);
    let rejected = r#"[{"seq":3,"code":"name_missing"},{"seq":4,"code":"name_missing"}]"#;
    settle(&mut e, &batch, 0, 200, &answer(A, "s1", 17, 1, rejected));
    assert_eq!(e.queued(), 5);
    assert_eq!(e.acknowledged(), 18);
    assert_eq!(e.rejected(), [("name_missing".to_owned(), 2)]);
    accept(&mut e, &batch, 0);
    assert_eq!((e.queued(), e.acknowledged()), (5, 18), "the same answer again changes nothing");
}

#[test]
fn an_answer_that_does_not_account_for_the_batch_acknowledges_nothing() {
    for (stream, accepted, duplicate) in [("other", 2, 0), ("s1", 1, 0), ("s1", 2, 1), ("s1", usize::MAX, 3)]
    {
        let mut e = engine();
        push(&mut e, Kind::View, 2, 0);
        let batch = send(&mut e, 1_000);
        settle(&mut e, &batch, 1_000, 200, &answer(A, stream, accepted, duplicate, "[]"));
        assert!(matches!(e.next(1_000), Next::Wait(1_000)), "kept, and tried again");
        let again = send(&mut e, 2_000);
        assert_eq!((seqs(&again), again.retry), (vec![1, 2], 1));
    }
}

#[test]
fn no_answer_and_server_errors_are_retried_under_the_same_names() {
    for code in [0, 200, 408, 429, 500, 503] {
        let mut e = engine();
        push(&mut e, Kind::User, 1, 0);
        let mut now = 0;
        let mut batch = send(&mut e, now);
        for retry in 1..=3 {
            let settled = fail(&mut e, &batch, now, code);
            assert_eq!(settled, Settled::default());
            let Next::Wait(ms) = e.next(now) else { panic!("waits before a retry") };
            now += ms;
            batch = send(&mut e, now);
            assert_eq!((seqs(&batch), batch.retry), (vec![1], retry), "{code}");
        }
        accept(&mut e, &batch, now);
        push(&mut e, Kind::User, 1, now);
        assert_eq!(send(&mut e, now).retry, 0, "a success ends the count");
    }
}

#[test]
fn retry_after_holds_back_even_a_set_user() {
    let mut e = engine();
    push(&mut e, Kind::View, 1, 0);
    let batch = send(&mut e, 1_000);
    let reply = Reply { status: 429, body: Value::NULL, retry_after: Some(2_000) };
    e.settle(batch.id, &reply, 1_000, chance());
    push(&mut e, Kind::User, 1, 1_000);
    assert!(matches!(e.next(1_000), Next::Wait(2_000)));
    assert_eq!(seqs(&send(&mut e, 3_000)), [1, 2]);
}

#[test]
fn a_bad_request_is_given_up_and_counted_and_the_next_goes_on() {
    let mut e = engine();
    push(&mut e, Kind::View, 21, 0);
    let batch = send(&mut e, 0);
    settle(&mut e, &batch, 0, 400, r#"{"error":{"code":"invalid_batch","message":""}}"#);
    assert_eq!(e.rejected(), [("invalid_batch".to_owned(), 20)]);
    let next = send(&mut e, 1_000);
    assert_eq!(seqs(&next), [21]);
    fail(&mut e, &next, 1_000, 404);
    assert_eq!(e.rejected()[1], ("http_404".to_owned(), 1));
    assert_eq!(e.queued(), 0);
}

#[test]
fn f30_what_was_damaged_on_the_way_is_sent_again_but_not_for_ever() {
    let mut e = engine();
    push(&mut e, Kind::User, 1, 0);
    let mut now = 0;
    for retry in 0..3 {
        let batch = send(&mut e, now);
        assert_eq!((seqs(&batch), batch.retry), (vec![1], retry));
        settle(&mut e, &batch, now, 400, r#"{"error":{"code":"invalid_json","message":""}}"#);
        if let Next::Wait(ms) = e.next(now) {
            now += ms;
        }
    }
    assert_eq!((e.queued(), e.rejected()), (0, &[("invalid_json".to_owned(), 1)][..]));
}

#[test]
fn f28_a_blocked_page_keeps_everything_and_sends_nothing_by_itself() {
    let mut e = engine();
    push(&mut e, Kind::View, 20, 0);
    let mut now = 0;
    while let Next::Send(batch) = e.next(now) {
        fail(&mut e, &batch, now, 0);
        if let Next::Wait(ms) = e.next(now) {
            now += ms;
        }
    }
    assert_eq!((e.queued(), e.transport(), e.is_stopped()), (20, "blocked", true));
    push(&mut e, Kind::User, 1, now);
    assert!(matches!(e.next(now + 1_000_000), Next::Idle));
    assert!(e.piece(now + 1_000_000).is_none());
    e.again();
    assert!(matches!(e.next(now), Next::Wait(ms) if ms > 60_000), "not at once either");
    now += 300_000;
    let batch = send(&mut e, now);
    accept(&mut e, &batch, now);
    assert_eq!(seqs(&send(&mut e, now)), [21], "it goes on as if nothing had been");
}

#[test]
fn b2_a_page_that_goes_leaves_an_edge_alone_that_asked_for_time() {
    let mut e = engine();
    push(&mut e, Kind::View, 20, 0);
    let batch = send(&mut e, 0);
    let reply = Reply { status: 503, body: Value::NULL, retry_after: Some(60_000) };
    e.settle(batch.id, &reply, 0, chance());
    assert!(e.piece(59_999).is_none());
    assert!(e.piece(60_000).is_some());
}

#[test]
fn a_user_signal_that_is_given_up_is_refused() {
    let mut e = engine();
    push(&mut e, Kind::User, 1, 0);
    let batch = send(&mut e, 0);
    let settled = fail(&mut e, &batch, 0, 400);
    assert_eq!((settled.user, settled.refusal.as_str()), (1, "http_400"));
}

#[test]
fn an_unwanted_page_keeps_its_signals_and_sends_nothing_more() {
    for code in [401, 403] {
        let mut e = engine();
        push(&mut e, Kind::View, 20, 0);
        let batch = send(&mut e, 0);
        fail(&mut e, &batch, 0, code);
        push(&mut e, Kind::User, 1, 0);
        assert!(matches!(e.next(1_000_000), Next::Idle));
        assert!(e.piece(0).is_none());
        assert_eq!((e.queued(), e.transport()), (21, "paused"));
    }
}

#[test]
fn too_large_is_halved_down_to_one_which_is_given_up() {
    let mut e = engine();
    push(&mut e, Kind::View, 20, 0);
    let mut sizes = Vec::new();
    loop {
        let batch = send(&mut e, 1_000);
        sizes.push(seqs(&batch).len());
        fail(&mut e, &batch, 1_000, 413);
        if e.queued() < 20 {
            break;
        }
    }
    assert_eq!(sizes, [20, 10, 5, 2, 1]);
    assert_eq!(e.rejected(), [("http_413".to_owned(), 1)]);
    let next = send(&mut e, 1_000);
    assert_eq!(seqs(&next), [2, 3], "the others go on, the batch grows again");
    accept(&mut e, &next, 1_000);
    assert_eq!(seqs(&send(&mut e, 1_000)).len(), 4);
}

#[test]
fn rotation_starts_a_new_stream_and_leaves_the_queued_their_names() {
    let mut e = engine();
    push(&mut e, Kind::User, 1, 0);
    let batch = send(&mut e, 0);
    push(&mut e, Kind::View, 1, 0);
    let settled = settle(&mut e, &batch, 0, 200, &accepted(&batch, B));
    assert_eq!((settled.changed, e.cookie_id()), (true, B));
    push(&mut e, Kind::View, 1, 0);
    let old = send(&mut e, 0);
    assert_eq!((old.origin.cookie_id.as_str(), old.origin.stream.as_str()), (A, "s1"));
    assert_eq!(seqs(&old), [2]);
    let settled = settle(&mut e, &old, 0, 200, &accepted(&old, A));
    assert_eq!((settled.changed, e.cookie_id()), (true, B), "an old answer never wins");
    let new = send(&mut e, 1_000);
    assert_eq!((new.origin.cookie_id.as_str(), new.origin.stream.as_str()), (B, "s2"));
    assert_eq!(seqs(&new), [1]);
}

#[test]
fn reset_during_a_request_is_not_undone_by_its_answer() {
    let mut e = engine();
    push(&mut e, Kind::View, 20, 0);
    let batch = send(&mut e, 0);
    e.begin(B.into(), "s2".into());
    let settled = accept(&mut e, &batch, 0);
    assert!(settled.changed, "the answer may have set the old cookie again");
    assert_eq!(e.cookie_id(), B);
}

#[test]
fn a_batch_holds_one_session() {
    let mut e = engine();
    push(&mut e, Kind::View, 1, 0);
    e.set_session("v2", 2);
    push(&mut e, Kind::View, 1, 0);
    let first = send(&mut e, 0);
    assert_eq!((seqs(&first), first.origin.session.as_str()), (vec![1], "v1"));
    accept(&mut e, &first, 0);
    let second = send(&mut e, 1_000);
    assert_eq!((seqs(&second), second.origin.stream.as_str()), (vec![2], "s1"));
}

#[test]
fn a_full_queue_drops_the_oldest_but_no_user_signal_and_counts() {
    let mut e = engine();
    push(&mut e, Kind::User, 1, 0);
    push(&mut e, Kind::View, 1_004, 0);
    assert_eq!(e.queued(), 1_000);
    assert_eq!(e.rejected(), [("queue_full".to_owned(), 5)]);
    let user = send(&mut e, 0);
    assert_eq!(seqs(&user), [1]);
    accept(&mut e, &user, 0);
    assert_eq!(seqs(&send(&mut e, 0))[0], 7);
}

#[test]
fn the_queue_is_bounded_in_bytes_too() {
    let mut e = engine();
    for _ in 0..40 {
        e.push(Kind::View, "x".repeat(20_000), 0).unwrap();
    }
    assert_eq!(e.queued(), 26, "26 × 20,025 bytes fit into 512 KB");
    assert_eq!(e.rejected(), [("queue_full".to_owned(), 14)]);
}

#[test]
fn what_is_under_way_is_not_dropped() {
    let mut e = engine();
    push(&mut e, Kind::View, 20, 0);
    let batch = send(&mut e, 0);
    push(&mut e, Kind::View, 1_000, 0);
    accept(&mut e, &batch, 0);
    assert_eq!(e.acknowledged(), 20);
}

#[test]
fn a_runaway_loop_is_limited_and_harms_nothing_else() {
    let mut e = engine();
    push(&mut e, Kind::Event, 150, 5_000);
    push(&mut e, Kind::View, 1, 5_000);
    assert_eq!(e.queued(), 101);
    assert_eq!(e.rejected(), [("rate_limited".to_owned(), 50)]);
    push(&mut e, Kind::Event, 1, 6_000);
    assert_eq!(e.queued(), 102);
}

#[test]
fn the_last_flush_goes_in_pieces_within_the_quota() {
    let mut e = engine();
    for _ in 0..100 {
        e.push(Kind::View, format!("{{\"p\":\"{}\"", "x".repeat(2_000)), 0).unwrap();
    }
    let under_way = send(&mut e, 0);
    let pieces: Vec<Batch> = std::iter::from_fn(|| e.piece(0)).collect();
    let mut total = under_way.signals.len();
    for piece in &pieces {
        assert!(piece.signals.len() + ENVELOPE_BYTES <= 16 * 1024);
        total += piece.signals.len();
    }
    assert_eq!(pieces.len(), 3);
    assert!(total + 4 * ENVELOPE_BYTES <= 64 * 1024);
    assert_eq!(e.queued(), 100, "nothing is gone before its answer");
    assert!(e.piece(0).is_none(), "hidden, then pagehide: sent once");
    for batch in pieces.iter().chain([&under_way]) {
        accept(&mut e, batch, 0);
    }
    assert_eq!(e.queued(), 72);
}

#[test]
fn f40_nothing_overtakes_a_user_signal_when_the_page_goes() {
    let mut e = engine();
    push(&mut e, Kind::User, 1, 0);
    let user = send(&mut e, 0);
    push(&mut e, Kind::View, 1, 0);
    assert!(e.piece(0).is_none(), "the user is under way");
    accept(&mut e, &user, 0);
    push(&mut e, Kind::User, 1, 0);
    push(&mut e, Kind::View, 1, 0);
    let pieces: Vec<_> = std::iter::from_fn(|| e.piece(0)).map(|piece| seqs(&piece)).collect();
    assert_eq!(pieces, [[2, 3]], "up to the next one");
}

#[test]
fn a_page_that_comes_back_sends_again_under_the_same_names() {
    let mut e = engine();
    push(&mut e, Kind::View, 3, 0);
    let piece = e.piece(0).unwrap();
    assert!(matches!(e.next(2_000), Next::Idle));
    e.resume();
    let again = send(&mut e, 2_000);
    assert_eq!((seqs(&again), &again.origin), (seqs(&piece), &piece.origin));
    accept(&mut e, &piece, 2_000);
    assert_eq!(e.queued(), 3, "a late answer to the first is not an answer to the second");
}

#[test]
fn a_signal_that_the_edge_would_refuse_is_not_queued() {
    let mut e = engine();
    assert_eq!(e.push(Kind::View, "x".repeat(33_000), 0), Err("too_large"));
    assert_eq!((e.queued(), e.rejected()), (0, &[("too_large".to_owned(), 1)][..]));
}

#[test]
fn a_purged_queue_sends_nothing() {
    let mut e = engine();
    push(&mut e, Kind::View, 30, 0);
    let batch = send(&mut e, 0);
    assert!(!e.purge(Consent::default()));
    assert!(e.purge(Consent::new(false, false, true)));
    assert!(matches!(e.next(10_000), Next::Idle));
    assert_eq!(accept(&mut e, &batch, 0), Settled::default());
}

#[test]
fn codes_are_counted_up_to_a_bound() {
    let mut e = engine();
    for n in 0..100 {
        e.count(&n.to_string(), 1);
    }
    e.count("0", 5);
    assert_eq!((e.rejected().len(), e.rejected()[0].1), (MOST_CODES, 6));
}

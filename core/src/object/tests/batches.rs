//! How signals are cut into requests leaves no trace.

use super::*;
use crate::snapshot::Snapshot;

/// What a visitor did, by stream: each has its own numbers.
fn visit() -> impl Strategy<Value = Vec<Offered>> {
    let one = (0..5_u8, 1..3_u128, 0..30_i64, 0..200_i32);
    prop::collection::vec(one, 1..25).prop_map(|parts| {
        let mut seqs = Map::new();
        let mut signals = Vec::new();
        for (kind, stream, minutes, total) in parts {
            let seq: &mut u64 = seqs.get_or_insert_with(stream, || 0);
            *seq += 1;
            let (kind, customer, fields) = match kind {
                0 | 1 => (Kind::View, None, json!({ "uri": format!("/{seq}") })),
                2 => (Kind::Event, None, json!({ "name": "order", "properties": { "total": total } })),
                3 => {
                    (Kind::User, None, json!({ "name": format!("Ada {total}"), "email": "ada@example.com" }))
                }
                _ => (Kind::User, Some(customer()), json!({ "authId": "Loyalty1" })),
            };
            let signal = Signal {
                stream: StreamId::from_bits(stream),
                seq: *seq,
                time: NOW.plus(-minutes * 60 * SECOND_MS),
                kind,
                source: Source::Browser,
                fields: fields.as_object().unwrap().clone(),
            };
            signals.push(Offered { signal, customer, trusted: true });
        }
        signals
    })
}

fn rich() -> Definitions {
    let bundle: Bundle = serde_json::from_value(json!({
        "n": 1,
        "measures": {
            "Views": { "aggregate": "count", "filter": "ActivityType eq 'View'" },
            "Spent": { "aggregate": "sum", "property": "total" },
            "Newest": { "aggregate": "last", "property": "total" },
            "Oldest": { "aggregate": "first", "property": "total" },
        },
        "segments": {
            "Often": { "filter": "Measures/Views ge 3" },
            "Lately": { "filter": "UnifiedActivity/$count($filter=ActivityTime gt now() sub duration'PT10M') ge 2" },
            "Fifth": { "filter": "FullName eq 'Ada 5'" },
        },
    }))
    .unwrap();
    Definitions::compile(bundle).unwrap()
}

/// Everything that must not depend on the cut, as text: snapshots but for their version, timelines, what
/// is known of streams.
fn state(disks: [&Disk; 2], context: Context<'_>) -> String {
    let told = disks.map(|disk| {
        let snapshot = disk.object.snapshot(context).map(|snapshot| Snapshot { version: 0, ..snapshot });
        let mut timeline: Vec<_> =
            disk.signals.iter().map(|(cookie, row)| (row.signal.time, row.signal.key(*cookie), &row.signal)).collect();
        timeline.sort_by_key(|(time, key, _)| (*time, *key));
        json!({ "snapshot": snapshot, "timeline": timeline, "streams": disk.streams, "end": disk.object.log_end() })
    });
    serde_json::to_string(&told).unwrap()
}

/// Sends batches, each of one stream as a browser's are; after a batch the log is shipped, or not.
fn sent(batches: impl Iterator<Item = (Vec<Offered>, bool)>, context: Context<'_>) -> String {
    let cookie = CookieId::from_bits(1);
    let (mut c, mut k) = (Disk::new(CustomerId::Unknown(1), 1), Disk::new(customer().id, 2));
    for (batch, ships) in batches {
        let mut streams: Vec<_> = batch.iter().map(|offered| offered.signal.stream).collect();
        streams.sort_unstable();
        streams.dedup();
        for stream in streams {
            let of_stream = batch.iter().filter(|offered| offered.signal.stream == stream).cloned();
            c.collect(cookie, of_stream.collect(), context);
        }
        if ships {
            settle(&mut c, &mut k, context);
        }
    }
    settle(&mut c, &mut k, context);
    state([&c, &k], context)
}

proptest! {
    #[test]
    fn f5_however_a_visit_is_cut_into_batches_the_state_is_the_same(
        visit in visit(),
        keys in prop::collection::vec((any::<u32>(), 1..4_usize, any::<bool>()), 25),
        again in prop::collection::vec(any::<prop::sample::Index>(), 0..15),
    ) {
        let definitions = rich();
        let context = Context { now: NOW, definitions: &definitions };
        let whole = sent([(visit.clone(), true)].into_iter(), context);
        // Any order, some of it twice, in pieces of one to three.
        let mut shuffled: Vec<_> = visit.iter().zip(&keys).collect();
        shuffled.sort_by_key(|(_, key)| **key);
        let mut rest: Vec<_> = shuffled.into_iter().map(|(offered, _)| offered.clone()).collect();
        rest.extend(again.iter().map(|index| index.get(&visit).clone()));
        let mut batches = Vec::new();
        for (_, size, ships) in keys.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            batches.push((rest.drain(..(*size).min(rest.len())).collect(), *ships));
        }
        prop_assert_eq!(whole, sent(batches.into_iter(), context));
    }
}

#[test]
fn where_no_newcomers_are_taken_nobody_comes_into_being_and_whoever_was_met_is_heard() {
    let definitions = definitions();
    let context = Context { now: NOW, definitions: &definitions };
    let mut disk = Disk::new(CustomerId::Unknown(1), 1);
    let cookie = CookieId::from_bits(1);
    let mut send = |seq, closed| {
        let call = CollectCall { closed, ..CollectCall::of(cookie, cookie, vec![offered(seq, None)]) };
        let (answer, writes) = disk.object.collect(&call, &Present::default(), context);
        (answer.met, answer.verdicts.len(), writes.is_empty(), disk.object.is_nothing())
    };
    assert_eq!(send(1, true), (Met::Never, 0, true, true));
    assert_eq!(send(1, false), (Met::Now, 1, false, false));
    assert_eq!(send(2, true), (Met::Before, 1, false, false));
    for met in [Met::Before, Met::Now, Met::Never] {
        let told = serde_json::to_string(&CollectAnswer { met, ..CollectAnswer::default() }).unwrap();
        assert_eq!(serde_json::from_str::<CollectAnswer>(&told).unwrap().met, met, "{told}");
    }
    let mut gone = Disk::new(CustomerId::Unknown(2), 2);
    gone.collect(cookie, vec![offered(1, None)], context);
    gone.object.erase(7, context);
    let call = CollectCall { closed: true, ..CollectCall::of(cookie, cookie, vec![offered(2, None)]) };
    let (answer, _) = gone.object.collect(&call, &Present::default(), context);
    assert!(answer.met == Met::Before && answer.successor.is_some(), "who was erased was met");
}

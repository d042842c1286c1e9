//! Law 1, as properties: a profile is a function of the set of its signals, however they arrive.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::config::Bundle;
use crate::ids::{CookieId, StreamId};
use crate::time::DAY_MS;

const NOW: Timestamp = Timestamp(1_790_000_000_000);

fn definitions() -> Definitions {
    let bundle: Bundle = serde_json::from_value(json!({
        "n": 1,
        "settings": { "trackingTable": "T" },
        "tables": { "T": { "primaryKey": "Id", "columns": { "Tier": "string" } } },
        "measures": {
            "Sum": { "aggregate": "sum", "property": "total" },
            "Mean": { "aggregate": "average", "property": "total", "filter": "ActivityType eq 'order'" },
            "Least": { "aggregate": "min", "property": "total" },
            "Most": { "aggregate": "max", "property": "total" },
            "First": { "aggregate": "first", "property": "total" },
            "Last": { "aggregate": "last", "property": "total" },
            "Views": { "aggregate": "count", "filter": "ActivityType eq 'View'" },
        },
        "segments": {
            "Often": { "filter": "UnifiedActivity/$count($filter=ActivityType eq 'View') ge 3" },
            "Lately": { "filter": "UnifiedActivity/$count($filter=ActivityTime gt now() sub duration'P10D') ge 2" },
            "NotLately": { "filter": "not (UnifiedActivity/any(a: a/ActivityTime gt now() sub duration'P3D'))" },
            "Both": { "filter": "IsMemberOfSegment('Often') and IsMemberOfSegment('Lately')" },
            "Ada": { "filter": "FullName eq 'ada'" },
        },
    }))
    .unwrap();
    Definitions::compile(bundle).unwrap()
}

fn signals() -> impl Strategy<Value = Vec<Signal>> {
    let one = (0..4_u8, 0..20_i64, 0..40_i64, prop::sample::select(vec![0.1, 0.2, 0.3, -1.5, 1e9, 7.0]));
    prop::collection::vec(one, 0..25).prop_map(|parts| {
        let signal = |(seq, (kind, days, minutes, total)): (u64, (u8, i64, i64, f64))| {
            let (kind, fields) = match kind {
                0 | 1 => (Kind::View, json!({ "uri": "/", "properties": { "total": total } })),
                2 => (Kind::Event, json!({ "name": "order", "properties": { "total": total } })),
                _ => (Kind::User, json!({ "name": if total > 0.25 { "Ada" } else { "Bob" } })),
            };
            let Value::Object(fields) = fields else { return None };
            let time = NOW.plus(-days * DAY_MS - minutes * 60_000);
            Some(Signal { stream: StreamId::from_bits(1), seq, time, kind, source: Source::Browser, fields })
        };
        (1..).zip(parts).filter_map(signal).collect()
    })
}

/// The same signals in another order, by sorting keys.
fn shuffled(signals: &[Signal], keys: &[u32]) -> Vec<Signal> {
    let mut order: Vec<_> = signals.iter().cloned().enumerate().collect();
    order.sort_by_key(|(index, _)| (keys.get(*index).copied().unwrap_or(0), *index));
    order.into_iter().map(|(_, signal)| signal).collect()
}

fn folded(definitions: &Definitions, signals: &[Signal], evaluated_between: bool) -> Snapshot {
    let mut profile = Profile::default();
    let cookie = CookieId::from_bits(1);
    for signal in signals {
        profile.fold(definitions, signal.key(cookie), signal, NOW);
        if evaluated_between {
            profile.evaluate(definitions, NOW, Cause::Signal, &mut Vec::new());
        }
    }
    profile.evaluate(definitions, NOW, Cause::Signal, &mut Vec::new());
    profile.snapshot(definitions, CustomerId::Unknown(1), String::new(), NOW)
}

/// The plainest possible reading of the segments' definitions.
fn from_scratch(signals: &[Signal], now: Timestamp) -> Vec<&'static str> {
    let activities = || signals.iter().filter(|signal| signal.kind != Kind::User);
    let views = activities().filter(|signal| signal.kind == Kind::View).count();
    let since =
        |days: i64| activities().filter(|s| s.time > now.plus(-days * DAY_MS) && s.time <= now).count();
    let newest = signals
        .iter()
        .filter(|signal| signal.kind == Kind::User)
        .max_by_key(|signal| (signal.time, signal.seq))
        .and_then(|signal| signal.text("name"));
    let holds = [
        ("Ada", newest == Some("Ada")),
        ("Both", views >= 3 && since(10) >= 2),
        ("Lately", since(10) >= 2),
        ("NotLately", since(3) == 0),
        ("Often", views >= 3),
    ];
    holds.into_iter().filter(|(_, holds)| *holds).map(|(name, _)| name).collect()
}

proptest! {
    #[test]
    fn the_order_of_arrival_does_not_matter(signals in signals(), keys in prop::collection::vec(any::<u32>(), 25)) {
        let definitions = definitions();
        let one = folded(&definitions, &signals, true);
        let other = folded(&definitions, &shuffled(&signals, &keys), false);
        prop_assert_eq!(one, other);
    }

    #[test]
    fn d6_what_is_kept_incrementally_is_the_fold_from_scratch(signals in signals()) {
        let snapshot = folded(&definitions(), &signals, true);
        prop_assert_eq!(snapshot.segments, from_scratch(&signals, NOW));
    }

    #[test]
    fn d2_memberships_change_at_the_instant_that_was_foretold(signals in signals()) {
        let definitions = definitions();
        let mut profile = Profile::default();
        for signal in &signals {
            profile.fold(&definitions, signal.key(CookieId::from_bits(1)), signal, NOW);
        }
        let mut now = NOW;
        profile.evaluate(&definitions, now, Cause::Signal, &mut Vec::new());
        while let Some(next) = profile.next_change(&definitions, now) {
            // Just before it nothing moves; at it, everything is as if folded then.
            prop_assert!(!profile.evaluate(&definitions, next.plus(-1), Cause::Signal, &mut Vec::new()));
            profile.evaluate(&definitions, next, Cause::Signal, &mut Vec::new());
            prop_assert_eq!(profile.segments().collect::<Vec<_>>(), from_scratch(&signals, next));
            now = next;
        }
    }

    #[test]
    fn a_definition_that_comes_later_finds_what_an_earlier_one_would_have(signals in signals()) {
        let definitions = definitions();
        let cookie = CookieId::from_bits(1);
        let mut late = Profile::default();
        for signal in &signals {
            late.fold(&Definitions::default(), signal.key(cookie), signal, NOW);
        }
        let missing = late.missing(&definitions);
        late.restart(&missing);
        for signal in &signals {
            late.backfill(&definitions, &missing, signal.key(cookie), signal, NOW);
        }
        late.adopt(&definitions, &mut Vec::new());
        late.evaluate(&definitions, NOW, Cause::Signal, &mut Vec::new());
        let snapshot = late.snapshot(&definitions, CustomerId::Unknown(1), String::new(), NOW);
        prop_assert_eq!(Snapshot { n: 0, ..snapshot }, folded(&definitions, &signals, false));
    }
}

/// What a source says of a customer in one `user` signal.
fn says(source: Source, seq: u64, time: i64, fields: Value) -> Signal {
    let Value::Object(fields) = fields else { return says(source, seq, time, json!({})) };
    Signal { stream: StreamId::from_bits(1), seq, time: NOW.plus(time), kind: Kind::User, source, fields }
}

#[test]
fn a8_the_row_beats_the_server_beats_the_browser_and_the_newest_of_a_source_wins() {
    use Source::{Browser, Server};
    let signals = [
        says(Browser, 1, 5, json!({ "name": "Browser, older", "email": "older@example.com" })),
        says(Browser, 2, 9, json!({ "name": "Browser, newer" })),
        says(Browser, 3, 9, json!({ "localId": "7" })),
        // The same instant: the identity decides.
        says(Browser, 4, 9, json!({ "localId": "8" })),
        says(Server, 5, 1, json!({ "traits": { "plan": "gold", "seats": 3, "vip": false, "zip": "02110" } })),
        says(Server, 6, 2, json!({ "traits": { "seats": 4, "address": { "city": "Lyon", "floor": 3 } } })),
        says(
            Server,
            7,
            3,
            json!({ "traits": { "address": { "city": "Paris", "zip": "75001" }, "Tier": "Silver" } }),
        ),
        says(Browser, 8, 99, json!({ "authType": "browser" })),
        says(Server, 9, 1, json!({ "authType": "server" })),
    ];
    let expected = json!({
        "Tier": "Gold", "Spend": 1.5, "FullName": "Browser, newer", "Email": "older@example.com", "LocalId": "8",
        "AuthType": "server", "plan": "gold", "seats": 4, "vip": false, "zip": "02110",
        "address": { "city": "Paris", "floor": 3, "zip": "75001" },
    });
    let row = json!({ "version": 1, "values": { "Tier": "Gold", "Spend": 1.5, "LocalId": null } });
    // Whatever order they come in, and whether the row comes first or last.
    for turn in 0..signals.len() {
        let mut profile = Profile::default();
        let row: Imported = serde_json::from_value(row.clone()).unwrap();
        if turn.is_multiple_of(2) {
            profile.import(&definitions(), row.clone(), NOW);
        }
        let (one, two) = signals.split_at(turn);
        for signal in two.iter().chain(one).chain(&signals[..2]) {
            profile.fold(&definitions(), signal.key(CookieId::from_bits(1)), signal, NOW);
        }
        profile.import(&definitions(), row, NOW);
        let snapshot = profile.snapshot(&definitions(), CustomerId::Known(1), String::new(), NOW);
        assert_eq!(json!(snapshot.attributes), expected);
    }
}

#[test]
fn a8_what_both_sides_of_a_merge_said_is_the_newest_of_both() {
    // Two cookies of one customer: the same source on both sides.
    let (cookies, names) = ([CookieId::from_bits(1), CookieId::from_bits(2)], ["one", "two"]);
    for (times, winner) in [([1, 2], "two"), ([2, 1], "one"), ([2, 2], "two")] {
        for order in [[0, 1], [1, 0]] {
            let mut profile = Profile::default();
            for side in order {
                let signal = says(Source::Browser, 1, times[side], json!({ "name": names[side] }));
                profile.fold(&definitions(), signal.key(cookies[side]), &signal, NOW);
            }
            let snapshot = profile.snapshot(&definitions(), CustomerId::Known(1), String::new(), NOW);
            assert_eq!(json!(snapshot.attributes), json!({ "FullName": winner }));
        }
    }
}

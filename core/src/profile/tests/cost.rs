//! Law 9 and its like: what a signal costs depends on what it touches.

use super::*;
use crate::work;

/// So many segments of the usual kinds, of which a visitor's signals touch a few.
fn many(segments: usize) -> Definitions {
    let filter = |place: usize| match place.rem_euclid(5) {
        0 => format!("UnifiedActivity/any(a: contains(a/ViewUri,'/category/{place}/'))"),
        1 => {
            let window = "ActivityTime gt now() sub duration'P30D'";
            format!("UnifiedActivity/$count($filter=ActivityType eq 'event{place}' and {window}) ge 2")
        }
        2 => format!("Measures/M{} ge {place}", place.rem_euclid(100)),
        3 => format!("IsMemberOfSegment('S{}')", place - 1),
        _ => format!("Tier eq 'tier{place}' or FullName eq 'name{place}'"),
    };
    let segments: serde_json::Map<_, _> =
        (0..segments).map(|place| (format!("S{place}"), json!({ "filter": filter(place) }))).collect();
    let measures: serde_json::Map<_, _> = (0..100)
        .map(|place| {
            let filter = format!("ActivityType eq 'order{place}'");
            (format!("M{place}"), json!({ "aggregate": "sum", "property": "total", "filter": filter }))
        })
        .collect();
    let bundle = json!({
        "settings": { "trackingTable": "T" },
        "tables": { "T": { "primaryKey": "Id", "columns": { "Tier": "string" } } },
        "measures": measures,
        "segments": segments,
    });
    Definitions::compile(serde_json::from_value(bundle).unwrap()).unwrap()
}

#[test]
fn a_batch_costs_what_it_touches_not_what_is_defined() {
    let signal = |seq, kind, fields: Value| {
        let fields = fields.as_object().cloned().unwrap();
        Signal { stream: StreamId::from_bits(1), seq, time: NOW, kind, source: Source::Browser, fields }
    };
    let batch: Vec<_> = (0..20)
        .map(|seq| match u64::rem_euclid(seq, 4) {
            0 => signal(seq, Kind::View, json!({ "uri": "https://shop.example/category/5/machine" })),
            1 => signal(seq, Kind::View, json!({ "uri": "https://shop.example/about-us" })),
            2 => signal(seq, Kind::Event, json!({ "name": "EVENT6" })),
            _ => signal(seq, Kind::Event, json!({ "name": "order7", "properties": { "total": 20 } })),
        })
        .collect();
    let mut costs = Vec::new();
    for segments in [10, 100, 1_000, 10_000] {
        let definitions = many(segments);
        let mut profile = Profile::default();
        profile.evaluate(&definitions, NOW, Cause::Signal, &mut Vec::new());
        let (_, evaluated) = work::take();
        assert!(evaluated >= segments as u64);
        for signal in &batch {
            profile.fold(&definitions, signal.key(CookieId::from_bits(1)), signal, NOW);
        }
        profile.evaluate(&definitions, NOW, Cause::Signal, &mut Vec::new());
        let (tried, evaluated) = work::take();
        let members: Vec<_> = profile.segments().map(str::to_owned).collect();
        assert!(["S5", "S6"].iter().all(|name| members.contains(&(*name).to_owned())), "{members:?}");
        // A measure has segments of its own, the more there are: they are touched. Nothing else is.
        costs.push((tried, evaluated - (segments as u64).div_ceil(100)));
    }
    // Of the views those of the one category, each event's own counter.
    assert!(costs.iter().all(|(tried, evaluated)| *tried <= 20 && *evaluated <= 20), "{costs:?}");
}

#[test]
fn a_long_address_that_every_segment_asks_for_is_looked_through_once() {
    let segments = 1_000_usize;
    let mark = |place: usize| format!("/{place:03x}/");
    let filter = |place| format!("UnifiedActivity/any(a: contains(a/ViewUri,'{}'))", mark(place));
    let all: serde_json::Map<_, _> =
        (0..segments).map(|place| (format!("S{place}"), json!({ "filter": filter(place) }))).collect();
    let bundle = serde_json::from_value(json!({ "segments": all })).unwrap();
    let definitions = Definitions::compile(bundle).unwrap();
    let uri: String = (0..segments).map(mark).collect();
    let fields = json!({ "uri": uri }).as_object().cloned().unwrap();
    let stream = StreamId::from_bits(1);
    let view = Signal { stream, seq: 1, time: NOW, kind: Kind::View, source: Source::Browser, fields };
    let mut profile = Profile::default();
    work::take_bytes();
    profile.fold(&definitions, view.key(CookieId::from_bits(1)), &view, NOW);
    profile.evaluate(&definitions, NOW, Cause::Signal, &mut Vec::new());
    assert_eq!(profile.segments().count(), segments);
    // Once for all, and each part where its rarest bytes stand; not a thousand times the address.
    let looked_at = work::take_bytes();
    assert!(looked_at <= 10 * uri.len() as u64, "{looked_at} bytes of {}", uri.len());
}

#[test]
fn time_alone_evaluates_only_whose_window_is_due() {
    let definitions = many(1_000);
    let mut profile = Profile::default();
    let event = json!({ "name": "event6" });
    let fields = event.as_object().cloned().unwrap();
    for seq in 1..3 {
        let stream = StreamId::from_bits(1);
        let fields = fields.clone();
        let signal = Signal { stream, seq, time: NOW, kind: Kind::Event, source: Source::Browser, fields };
        profile.fold(&definitions, signal.key(CookieId::from_bits(1)), &signal, NOW);
    }
    profile.evaluate(&definitions, NOW, Cause::Signal, &mut Vec::new());
    assert_eq!(profile.segments().collect::<Vec<_>>(), ["S6"]);
    work::take();
    let end = NOW.plus(30 * DAY_MS);
    assert_eq!(profile.next_change(&definitions, NOW), Some(end));
    assert!(!profile.evaluate(&definitions, end.plus(-1), Cause::Time, &mut Vec::new()));
    assert_eq!(work::take(), (0, 0));
    assert!(profile.evaluate(&definitions, end.plus(DAY_MS), Cause::Time, &mut Vec::new()));
    assert_eq!(work::take(), (0, 1));
    let left = profile.take_moves().pop().unwrap();
    assert_eq!((left.entered, left.at, left.cause), (false, end, Cause::Time));
}

#[test]
fn what_cannot_be_kept_exactly_is_bounded_as_documented() {
    let bundle = json!({
        "measures": {
            "Sum": { "aggregate": "sum", "property": "total", "window": "P30D" },
            "Count": { "aggregate": "count", "window": "P30D" },
            "First": { "aggregate": "first", "property": "total", "window": "P30D" },
            "Kinds": { "aggregate": "countDistinct", "property": "total" },
        },
    });
    let definitions = Definitions::compile(serde_json::from_value(bundle).unwrap()).unwrap();
    let mut profile = Profile::default();
    for seq in 1..=1500_u64 {
        let fields = json!({ "uri": "/", "properties": { "total": seq } }).as_object().cloned().unwrap();
        let time = NOW.plus(seq as i64 * 60_000);
        let stream = StreamId::from_bits(1);
        let signal = Signal { stream, seq, time, kind: Kind::View, source: Source::Browser, fields };
        profile.fold(&definitions, signal.key(CookieId::from_bits(1)), &signal, time);
    }
    let now = NOW.plus(1500 * 60_000);
    let snapshot = profile.snapshot(&definitions, CustomerId::Unknown(1), String::new(), now);
    let measure = |name: &str| snapshot.measures.get(name).unwrap().as_f64().unwrap();
    // The newest 1,000 are 501 to 1,500, the newest 100 begin with 1,401.
    assert!((measure("Sum") - 1_000_500.0).abs() < f64::EPSILON);
    assert!((measure("Count") - 1000.0).abs() < f64::EPSILON);
    assert!((measure("First") - 1401.0).abs() < f64::EPSILON);
    assert!((measure("Kinds") / 1500.0 - 1.0).abs() < 0.1, "{}", measure("Kinds"));
    let mut out = Vec::new();
    profile.bump(&mut out);
    assert!(out.iter().all(|write| !matches!(write, Write::Put { body, .. } if body.len() > 100_000)));
}

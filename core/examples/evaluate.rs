//! What a batch of 20 signals costs with few and with many definitions: `npm run bench evaluate`.
//! Medians of native time, built as the Worker is (for size).
#![allow(clippy::disallowed_methods)] // a bench has a clock
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::unreachable)]
#![allow(clippy::integer_division_remainder_used)]

use std::io::Write;
use std::time::{Duration, Instant};

use msci_core::config::Bundle;
use msci_core::definitions::Definitions;
use msci_core::ids::{CookieId, CustomerId, StreamId};
use msci_core::membership::Cause;
use msci_core::profile::Profile;
use msci_core::signal::{Kind, Signal, Source};
use msci_core::time::{DAY_MS, SECOND_MS, Timestamp};
use serde_json::{Value, json};

const NOW: Timestamp = Timestamp(1_790_000_000_000);
const MEASURES: usize = 100;
const BATCH: usize = 20;
const ROUNDS: usize = 200;

/// As people write them: by address, by event and window, by row and measure, by other segments.
fn bundle(segments: usize, all_touched: bool) -> Bundle {
    let mut bundle = json!({
        "n": 1,
        "settings": { "trackingTable": "T" },
        "tables": { "T": { "primaryKey": "Id", "columns": { "Tier": "string" } } },
        "measures": {}, "segments": {},
    });
    for measure in 0..MEASURES {
        let filter = format!("ActivityType eq 'order{measure}'");
        let window = (measure % 2 == 0).then_some("P30D");
        bundle["measures"][format!("M{measure}")] =
            json!({ "aggregate": "sum", "property": "total", "filter": filter, "window": window });
    }
    for segment in 0..segments {
        let measure = segment % MEASURES;
        let filter = match segment % 4 {
            _ if all_touched => format!("Measures/M1 gt {segment} or Measures/M{measure} gt 1000000"),
            0 => format!(
                "UnifiedActivity/any(a: a/ActivityType eq 'View' and contains(a/ViewUri,'/category/{segment}/'))"
            ),
            1 => format!(
                "UnifiedActivity/$count($filter=ActivityType eq 'event{segment}' and ActivityTime gt now() sub duration'P30D') ge 3"
            ),
            2 => format!("Tier eq 'tier{segment}' and Measures/M{measure} ge {segment}"),
            _ => format!("IsMemberOfSegment('S{}') and Measures/M{measure} gt 10", segment - 1),
        };
        bundle["segments"][format!("S{segment}")] = json!({ "filter": filter });
    }
    serde_json::from_value(bundle).unwrap()
}

fn signal(round: usize, place: usize) -> Signal {
    let seq = (round * BATCH + place + 1) as u64;
    let (kind, fields) = match place % 4 {
        0 | 1 => {
            let uri = format!("https://shop.example/category/{}/premium-machine?size=2", place * 4);
            (Kind::View, json!({ "uri": uri, "title": "A machine", "properties": { "plan": "gold" } }))
        }
        2 => (
            Kind::Event,
            json!({ "name": format!("event{}", place * 4 + 1), "properties": { "colour": "red" } }),
        ),
        _ => (Kind::Event, json!({ "name": format!("order{}", place / 4), "properties": { "total": 12.5 } })),
    };
    let Value::Object(fields) = fields else { unreachable!() };
    let time = NOW.plus(seq as i64 * SECOND_MS);
    Signal { stream: StreamId::from_bits(1), seq, time, kind, source: Source::Browser, fields }
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64() * 1000.0
}

/// Milliseconds to compile, and of each step of a batch: folding and evaluating it, the view of it, and
/// a change of definitions.
fn measure(segments: usize, all_touched: bool) -> [f64; 4] {
    let bundle = bundle(segments, all_touched);
    let begun = Instant::now();
    let definitions = Definitions::compile(bundle).unwrap();
    let compiled = begun.elapsed().as_secs_f64() * 1000.0;
    let cookie = CookieId::from_bits(1);
    let mut profile = Profile::default();
    let (mut batches, mut views) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let signals: Vec<_> = (0..BATCH).map(|place| signal(round, place)).collect();
        let now = signals[BATCH - 1].time;
        let mut out = Vec::new();
        let begun = Instant::now();
        for signal in &signals {
            profile.fold(&definitions, signal.key(cookie), signal, now);
        }
        profile.evaluate(&definitions, now, Cause::Signal, &mut out);
        profile.bump(&mut out);
        batches.push(begun.elapsed());
        let begun = Instant::now();
        let snapshot = profile.snapshot(&definitions, CustomerId::Unknown(1), String::new(), now);
        views.push(begun.elapsed());
        assert!(!snapshot.measures.is_empty());
        profile.take_moves();
    }
    let redefined = Definitions::compile(Bundle { n: 2, ..definitions.bundle.clone() }).unwrap();
    let begun = Instant::now();
    let missing = profile.missing(&redefined);
    profile.restart(&missing);
    profile.adopt(&redefined, &mut Vec::new());
    profile.evaluate(&redefined, NOW.plus(DAY_MS), Cause::Time, &mut Vec::new());
    [compiled, median(batches), median(views), begun.elapsed().as_secs_f64() * 1000.0]
}

fn main() -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{MEASURES} measures, batches of {BATCH} signals; medians, milliseconds of native time")?;
    for (what, all_touched) in [("each signal touches a few", false), ("each batch touches all", true)] {
        writeln!(out, "{what}")?;
        writeln!(
            out,
            "{:>10} {:>10} {:>10} {:>10} {:>12}",
            "segments", "compile", "batch", "view", "redefinition"
        )?;
        for segments in [10, 100, 1_000, 10_000] {
            let [compiled, batch, view, redefined] = measure(segments, all_touched);
            writeln!(out, "{segments:>10} {compiled:>10.2} {batch:>10.3} {view:>10.3} {redefined:>12.2}")?;
        }
    }
    Ok(())
}

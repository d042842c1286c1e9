//! D6, over everything that can happen to a profile: what is kept incrementally equals the fold from
//! scratch, after every step, and the moves tell of exactly what changed, when, and why.

use super::*;
use crate::expr::{eval, resolve};
use crate::outcome::Outcome;

/// What happens to a profile.
#[derive(Clone, Debug)]
enum Step {
    /// These signals come, in one batch; those that are there already are not folded again.
    Batch(Vec<usize>),
    /// Time passes.
    Time(i64),
    /// The imported row changes.
    Row(u8),
    /// The definitions change.
    Redefine,
    /// Everything of one cookie is taken away.
    Unlink(u64),
    /// The instance ends; the next one loads what was written.
    Reload,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let batch = || prop::collection::vec(0..40_usize, 1..6).prop_map(Step::Batch);
    let time = prop_oneof![
        0..5_000_i64,
        Just(60_000_i64),
        0..2 * 3_600_000_i64,
        0..5 * DAY_MS,
        (0..6_i64).prop_map(|days| days * DAY_MS)
    ];
    let step = prop_oneof![
        4 => batch(),
        3 => time.prop_map(Step::Time),
        1 => (0..4_u8).prop_map(Step::Row),
        1 => Just(Step::Redefine),
        1 => (1..3_u64).prop_map(Step::Unlink),
        1 => Just(Step::Reload),
    ];
    prop::collection::vec(step, 1..25)
}

/// Signals of two cookies: some long ago, some ahead of the clock, many at the same instant.
fn pool() -> impl Strategy<Value = Vec<(CookieId, Signal)>> {
    let ago = prop_oneof![
        Just(0_i64),
        -300_000..300_000_i64,
        (0..25_i64).prop_map(|days| days * DAY_MS),
        0..25 * DAY_MS
    ];
    let text = prop::sample::select(vec!["gold", "GOLD", "silver", "Go"]);
    let number = prop::sample::select(vec![0.1, 0.2, -1.5, 7.0, 1e9, -0.0]);
    let one = (0..10_u8, 1..3_u64, ago, text, number);
    prop::collection::vec(one, 40).prop_map(|parts| {
        let signal = |(seq, (kind, cookie, ago, text, number)): (u64, (u8, u64, i64, &str, f64))| {
            let (kind, fields) = match kind {
                0 => (
                    Kind::View,
                    json!({ "uri": "/reviews/1", "properties": { "plan": text }, "exposures": shown(cookie, seq) }),
                ),
                1 => (
                    Kind::View,
                    json!({ "uri": "/Pricing", "title": text, "properties": { "total": number } }),
                ),
                2 => (Kind::View, json!({ "uri": "/a", "exposures": shown(seq, cookie) })),
                3 | 4 => {
                    (Kind::Event, json!({ "name": "order", "properties": { "total": number, "plan": text } }))
                }
                5 => (Kind::Event, json!({ "name": "ORDER", "properties": { "total": text } })),
                6 => (Kind::Event, json!({ "name": text, "properties": { "vip": number > 1.0 } })),
                7 => (Kind::Action, json!({ "name": text, "isOutbound": true, "exposures": shown(cookie, seq) })),
                8 => (Kind::User, json!({ "name": text })),
                _ => (Kind::User, json!({ "traits": { "Tier": text, "Spend": number } })),
            };
            let Value::Object(fields) = fields else { return None };
            let source = if seq.is_multiple_of(2) { Source::Server } else { Source::Browser };
            let time = NOW.plus(-ago);
            let signal = Signal { stream: StreamId::from_bits(1), seq, time, kind, source, fields };
            Some((CookieId::from_bits(u128::from(cookie)), signal))
        };
        (1..).zip(parts).filter_map(signal).collect()
    })
}

/// What a page's marker may say, and what nobody's does.
fn shown(cookie: u64, seq: u64) -> String {
    let bucket = ["treated", "holdout", "a", ""].get(seq.rem_euclid(4) as usize).copied().unwrap_or_default();
    let more = if seq.is_multiple_of(3) { ",OfTier:b,Everyone:late" } else { "" };
    format!("Nobody:x,Everyone:{bucket}{cookie},Of,{more}")
}

/// What became of the people in a set, told by looking at all of it.
fn outcomes_by_looking(definitions: &Definitions, set: &[&(CookieId, Signal)]) -> Vec<Outcome> {
    let activities = || set.iter().filter(|(_, s)| matches!(s.kind, Kind::View | Kind::Action | Kind::Event));
    let mut outcomes = Vec::new();
    for (name, experience) in definitions.bundle.experiences.iter() {
        let exposures = activities().filter_map(|(cookie, signal)| {
            let shown = signal.fields.get("exposures")?.as_str()?;
            let mut pairs = shown.split(',').filter_map(|pair| pair.split_once(':'));
            let (_, bucket) = pairs.find(|(experience, _)| experience == name)?;
            (!bucket.is_empty()).then(|| (signal.time, signal.key(*cookie), bucket.to_owned()))
        });
        let Some((exposed, _, bucket)) = exposures.min() else { continue };
        let goal = experience.goal.as_ref().map(|goal| resolve::activity(goal).unwrap());
        let reached = goal.and_then(|goal| {
            let is_one = |signal: &Signal| eval::holds(&goal, &|field| field.of(signal), signal.time);
            let reached = activities().filter(|(_, signal)| signal.time >= exposed && is_one(signal));
            reached.map(|(_, signal)| signal.time).max()
        });
        outcomes.push(Outcome { experience: name.clone(), bucket, exposed, reached });
    }
    outcomes
}

/// Definitions that ask in all the ways there are; each version asks otherwise.
fn version(n: u64) -> Bundle {
    let count = |filter: &str, n: u64| format!("UnifiedActivity/$count($filter={filter}) ge {n}");
    let since = |time: &str| format!("ActivityTime gt now() sub duration'{time}'");
    let between = "ActivityTime lt now() sub duration'P5D' and ActivityTime gt now() sub duration'P12D'";
    let odd = !n.is_multiple_of(2);
    let mut filters = json!({
        "Orders": count("ActivityType eq 'order'", 2 + n.rem_euclid(3)),
        "Never": format!("not (UnifiedActivity/any(a: a/{}))", since("P3D")),
        "LongAgo": count(between, 1),
        "Exactly": "UnifiedActivity/$count($filter=ActivityTime ge now() sub duration'PT1H') eq 1",
        "Ahead": count("ActivityTime le now() add duration'PT1M'", 3),
        "Reviews": "UnifiedActivity/any(a: contains(a/ViewUri,'/REVIEWS/'))",
        "Prices": "UnifiedActivity/any(a: startswith(tolower(a/ViewUri),'/pr') or a/ActivityType in ('gold','Go'))",
        "AllViews": "UnifiedActivity/all(a: a/ActivityType eq 'View')",
        "Out": "UnifiedActivity/any(a: a/ActionIsOutbound eq true)",
        "Cheap": "UnifiedActivity/any(a: a/Properties/total lt 1)",
        "Zero": "UnifiedActivity/any(a: a/Properties/total eq 0)",
        "Golden": "Tier eq 'gold' and FullName ne null",
        "Both": "IsMemberOfSegment('Lately') and IsMemberOfSegment('Golden')",
        "Neither": "not IsMemberOfSegment('Both') and not IsMemberOfSegment('Chain')",
        "Chain": "IsMemberOfSegment('Both') or Measures/Recent ge 1",
        "Rich": "Measures/Mean gt 1 or Measures/Newest eq 7",
        "Kinds": format!("Measures/Plans ge {}", 1 + u64::from(odd)),
        "Lately": count(&since("P10D"), 3),
    });
    if odd {
        filters["Golden"] = json!("Spend gt 1");
        filters["Lately"] = json!(count(&since("P4D"), 1));
        filters["Oddly"] = json!(count("Properties/plan eq 'gold'", 2));
    }
    let filters = filters.as_object().unwrap().iter();
    let segments: serde_json::Map<_, _> =
        filters.map(|(name, filter)| (name.clone(), json!({ "filter": filter }))).collect();
    let audience = |audience: &str, priority: u64| {
        let change = json!({ "selector": "h1", "action": "setText", "value": "x" });
        json!({ "audience": audience, "pages": ["/"], "changes": [change], "priority": priority })
    };
    let audience = |filter: &str, priority: u64| {
        let mut experience = audience(filter, priority);
        if priority != 1 || odd {
            experience["goal"] =
                json!(if odd { "ActivityType eq 'order'" } else { "contains(ViewUri,'/reviews/')" });
        }
        experience["active"] = json!(n != 3 || priority != 2);
        experience
    };
    let window = if odd { "P7D" } else { "PT2H" };
    let measure = |aggregate: &str, property: &str, window: Option<&str>| json!({ "aggregate": aggregate, "property": property, "window": window });
    let bundle = json!({
        "n": n,
        "settings": { "trackingTable": "T" },
        "tables": { "T": { "primaryKey": "Id", "columns": { "Tier": "string", "Spend": "number" } } },
        "measures": {
            "Sum": measure("sum", "total", None),
            "Mean": measure("average", "total", Some(window)),
            "Least": measure("min", "total", Some("P9D")),
            "Most": measure("max", "total", Some("P9D")),
            "Oldest": measure("first", "plan", Some(window)),
            "Newest": measure("last", "total", Some("P20D")),
            "Plans": measure("countDistinct", "plan", None),
            "PlansLately": measure("countDistinct", "plan", Some("P6D")),
            "Recent": { "aggregate": "count", "window": "P1D", "filter": "ActivityType eq 'order'" },
            "Total": measure("sum", "total", Some("P10D")),
            "WithTotal": measure("count", "total", Some("P10D")),
        },
        "segments": segments,
        "experiences": {
            "Everyone": audience("", 1),
            "OfMembers": audience("IsMemberOfSegment('Chain')", n.rem_euclid(4)),
            "OfTier": audience("Tier eq 'gold'", 2),
            "OfCount": audience("UnifiedActivity/$count ge 3", 2),
        },
    });
    serde_json::from_value(bundle).unwrap()
}

/// Versions that follow each other.
fn versions() -> Vec<Definitions> {
    let mut compiled = Vec::new();
    let mut before = Bundle::default();
    for n in 1..5 {
        let mut bundle = version(n);
        bundle.follow(&before);
        assert_eq!(bundle.n, n);
        before = bundle.clone();
        compiled.push(Definitions::compile(bundle).unwrap());
    }
    compiled
}

/// A profile, its rows and all that was ever put into it.
struct Life<'p> {
    pool: &'p [(CookieId, Signal)],
    versions: Vec<Definitions>,
    n: usize,
    now: Timestamp,
    held: Vec<usize>,
    row: Option<Imported>,
    profile: Profile,
    rows: Map<(Table, String), String>,
    /// Members by the moves alone.
    members: Set<String>,
}

impl<'p> Life<'p> {
    fn new(pool: &'p [(CookieId, Signal)]) -> Self {
        let versions = versions();
        let (held, rows) = (Vec::new(), Map::new());
        let mut profile = Profile::default();
        profile.head.n = 1;
        Self { pool, versions, n: 0, now: NOW, held, row: None, profile, rows, members: Set::default() }
    }

    /// The same set, folded by one that never saw anything else.
    fn scratch(&self, now: Timestamp) -> Snapshot {
        let definitions = &self.versions[self.n];
        let mut fresh = Profile::default();
        for (cookie, signal) in self.held.iter().map(|place| &self.pool[*place]) {
            fresh.fold(definitions, signal.key(*cookie), signal, now);
        }
        self.row.iter().for_each(|row| assert!(fresh.import(definitions, row.clone(), now)));
        fresh.evaluate(definitions, now, Cause::Signal, &mut Vec::new());
        fresh.snapshot(definitions, CustomerId::Unknown(1), String::new(), now)
    }

    /// Does to the profile what happens; says what should be told as its cause.
    fn happen(&mut self, step: &Step, out: &mut Vec<Write>) -> Cause {
        let held = |held: &[usize]| held.iter().map(|place| &self.pool[*place]).collect::<Vec<_>>();
        match step {
            Step::Batch(batch) => {
                for place in batch {
                    if !self.held.contains(place) {
                        self.held.push(*place);
                        let (cookie, signal) = &self.pool[*place];
                        let definitions = &self.versions[self.n];
                        self.profile.fold(definitions, signal.key(*cookie), signal, self.now);
                    }
                }
                Cause::Signal
            }
            Step::Time(ms) => {
                self.now = self.now.plus(*ms);
                Cause::Time
            }
            Step::Row(values) => {
                let version = self.row.as_ref().map_or(1, |row| row.version + 1);
                let tier = ["gold", "silver", "GOLD"].get(usize::from(*values)).copied();
                let values = json!({ "Tier": tier, "Spend": u64::from(*values) });
                let row = json!({ "version": version, "values": values });
                let row: Imported = serde_json::from_value(row).unwrap();
                assert!(self.profile.import(&self.versions[self.n], row.clone(), self.now));
                self.row = Some(row);
                Cause::Import
            }
            Step::Redefine => {
                self.n = (self.n + 1).min(self.versions.len() - 1);
                let definitions = &self.versions[self.n];
                let missing = self.profile.missing(definitions);
                self.profile.restart(&missing);
                for (cookie, signal) in held(&self.held) {
                    self.profile.backfill(definitions, &missing, signal.key(*cookie), signal, self.now);
                }
                self.profile.adopt(definitions, out);
                Cause::Definition
            }
            Step::Unlink(cookie) => {
                let gone = CookieId::from_bits(u128::from(*cookie));
                let definitions = &self.versions[self.n];
                self.profile.unfold(definitions, self.now);
                out.push(Write::Clear(Table::Measure));
                self.held.retain(|place| self.pool[*place].0 != gone);
                for (cookie, signal) in held(&self.held) {
                    self.profile.fold(definitions, signal.key(*cookie), signal, self.now);
                }
                Cause::Removal
            }
            Step::Reload => {
                let mut loaded = Profile::default();
                for ((table, key), body) in self.rows.iter() {
                    loaded.load(*table, key, body, &mut UnknownFields::default()).unwrap();
                }
                loaded.head.n = self.profile.head.n;
                self.profile = loaded;
                Cause::Time
            }
        }
    }

    fn step(&mut self, step: &Step) {
        let before = self.profile.head.evaluated.map_or(Timestamp(i64::MIN), |evaluated| evaluated.at);
        let mut out = Vec::new();
        let cause = self.happen(step, &mut out);
        let definitions = &self.versions[self.n];
        // What comes with new definitions is found out by whoever comes first.
        let known = before > Timestamp(i64::MIN);
        let called = if cause == Cause::Definition && known { Cause::Time } else { cause };
        if self.profile.evaluate(definitions, self.now, called, &mut out) || cause != Cause::Time {
            self.profile.bump(&mut out);
        }
        self.write(out);
        for moved in self.profile.take_moves() {
            let was = self.members.contains(&moved.segment);
            assert_ne!(was, moved.entered, "{moved:?} tells nothing new");
            if moved.entered {
                self.members.insert(moved.segment.clone());
            } else {
                self.members.remove(&moved.segment);
            }
            if moved.cause == Cause::Time && known {
                assert!(matches!(step, Step::Time(_)), "{moved:?} after {step:?}");
                let at = |ms| self.scratch(moved.at.plus(ms)).segments.contains(&moved.segment);
                assert_eq!((at(-1), at(0)), (was, moved.entered), "{moved:?} is not at its instant");
                assert!(moved.at <= self.now && moved.at > before);
            } else {
                assert_eq!((moved.at, moved.cause), (self.now, cause));
            }
        }
    }

    fn write(&mut self, writes: Vec<Write>) {
        for write in writes {
            match write {
                Write::Put { table, key, body } => {
                    self.rows.insert((table, key), body);
                }
                Write::Delete { table, key } => {
                    self.rows.remove(&(table, key));
                }
                Write::Clear(cleared) => self.rows.retain(|(table, _), _| *table != cleared),
                other => panic!("{other:?} is no write of a profile"),
            }
        }
    }
}

/// Without what is a record of processing.
fn timeless(snapshot: Snapshot) -> Snapshot {
    Snapshot { version: 0, n: 0, ..snapshot }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn d6_whatever_happens_what_is_kept_is_the_fold_from_scratch(steps in steps(), pool in pool()) {
        let mut life = Life::new(&pool);
        for step in &steps {
            life.step(step);
            let definitions = &life.versions[life.n];
            let kept = life.profile.snapshot(definitions, CustomerId::Unknown(1), String::new(), life.now);
            let members: Vec<_> = life.members.iter().cloned().collect();
            prop_assert_eq!(&members, &kept.segments, "the moves do not lead to what is");
            let scratch = life.scratch(life.now);
            prop_assert_eq!(timeless(kept), timeless(scratch), "after {:?}", step);
            let set: Vec<_> = life.held.iter().map(|place| &life.pool[*place]).collect();
            let looked = outcomes_by_looking(definitions, &set);
            prop_assert_eq!(life.profile.outcomes(definitions), looked, "after {:?}", step);
        }
    }

    #[test]
    fn what_a_signal_cannot_move_is_not_tried_and_nothing_else_is_left_out(pool in pool()) {
        for definitions in versions().iter().take(2) {
            for (_, signal) in pool.iter().take(10) {
                let read = Reading::of(signal);
                let tried: Vec<_> = definitions.reach.counters(&read).iter().collect();
                for (counting, place) in definitions.counters.values().zip(0..) {
                    prop_assert!(tried.contains(&place) || !counting.matches(&read), "{counting:?}");
                }
            }
        }
    }
}

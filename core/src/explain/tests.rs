use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::ids::CustomerId;
use crate::membership::Cause;
use crate::profile::{Imported, Profile};

fn compile(experiences: &Value) -> Definitions {
    let bundle = json!({
        "tables": { "T": { "primaryKey": "Id", "columns": { "Tier": "string", "Spend": "number" } } },
        "segments": { "Gold": { "filter": "Tier eq 'gold'" } },
        "experiences": experiences,
    });
    Definitions::compile(serde_json::from_value(bundle).unwrap()).unwrap()
}

/// Somebody with this row, as their object would say.
fn customer(definitions: &Definitions, row: &Value, key: &str, now: Timestamp) -> Snapshot {
    let mut profile = Profile::default();
    let row: Imported = serde_json::from_value(json!({ "version": 1, "values": row })).unwrap();
    profile.import(definitions, row, now);
    profile.evaluate(definitions, now, Cause::Import, &mut Vec::new());
    let snapshot = profile.snapshot(definitions, CustomerId::Known(1), String::new(), now);
    Snapshot { bucket_key: key.to_owned(), ..snapshot }
}

fn change(value: &str) -> Value {
    json!({ "selector": "h1", "action": "setText", "value": value })
}

#[test]
fn each_experience_says_why() {
    let definitions = compile(&json!({
        "shown": { "pages": ["/"], "priority": 9, "changes": [change("Hi {{ Tier }}")] },
        "lost": { "pages": ["/"], "priority": 8, "changes": [
            change("x"),
            { "selector": "h2", "action": "setText", "value": "{{ Email }}" },
            { "selector": "a", "action": "setAttribute", "name": "href", "value": "j{{ Tier }}:x" },
        ] },
        "held": { "pages": ["/"], "holdout": 1, "changes": [change("x")] },
        "off": { "pages": ["/"], "active": false, "changes": [change("x")] },
        "early": { "pages": ["/"], "from": "2000-01-01T00:00:00Z", "changes": [change("x")] },
        "late": { "pages": ["/"], "until": "1970-01-01T00:00:00Z", "changes": [change("x")] },
        "there": { "pages": ["/there"], "changes": [change("x")] },
        "gold": { "pages": ["/"], "changes": [change("x")],
                  "audience": "IsMemberOfSegment('Gold') and (Spend gt 5 or Spend lt 1) and UnifiedActivity/$count ge 0" },
        "reader": { "pages": ["/"], "changes": [change("x")],
                    "audience": "Tier eq 'silver' and UnifiedActivity/any(a: a/ActivityType eq 'a and b')" },
        "counts": { "pages": ["/"], "changes": [change("x")],
                    "audience": "UnifiedActivity/$count ge 1 and UnifiedActivity/any()" },
        "either": { "pages": ["/"], "changes": [change("x")], "audience": "Tier eq 'a' or Tier eq 'b' and Spend eq 3" },
    }));
    let row = json!({ "Tier": "silver", "Spend": 3 });
    let now = Timestamp(1000);
    let told = explain(&definitions, "/", &customer(&definitions, &row, "k", now), now);
    let told: serde_json::Map<_, _> = told
        .into_iter()
        .map(|one| {
            let mut value = serde_json::to_value(&one).unwrap();
            value.as_object_mut().unwrap().remove("name");
            (one.name, value)
        })
        .collect();
    assert_eq!(
        told["shown"]["changes"][0],
        json!({ "selector": "h1", "action": "setText", "made": true, "value": "Hi silver" })
    );
    assert_eq!(told["shown"]["bucket"], "treated");
    let lost = &told["lost"]["changes"];
    assert_eq!(told["lost"]["taken"], true);
    assert_eq!(
        lost[0],
        json!({ "selector": "h1", "action": "setText", "made": false, "why": "lost", "what": "shown" })
    );
    assert_eq!((&lost[1]["why"], &lost[1]["what"]), (&json!("missing_field"), &json!("Email")));
    assert_eq!(lost[2]["why"], "no_address");
    assert_eq!(told["held"], json!({ "taken": false, "why": "held_out", "bucket": "holdout" }));
    for (name, why) in [("off", "inactive"), ("early", "not_yet"), ("late", "over"), ("there", "other_page")]
    {
        assert_eq!(told[name], json!({ "taken": false, "why": why }), "{name}");
    }
    let why = |parts: &[&str]| json!({ "taken": false, "why": "other_audience", "failed": parts });
    assert_eq!(told["gold"], why(&["IsMemberOfSegment('Gold')", "(Spend gt 5 or Spend lt 1)"]));
    assert_eq!(told["reader"], why(&["UnifiedActivity/any(a: a/ActivityType eq 'a and b')"]));
    assert_eq!(told["either"], why(&["Tier eq 'a' or Tier eq 'b' and Spend eq 3"]));
    let one_of = json!(["UnifiedActivity/$count ge 1", "UnifiedActivity/any()"]);
    assert_eq!(told["counts"], json!({ "taken": false, "why": "other_audience", "failedOneOf": one_of }));
}

prop_compose! {
    fn an_experience()(
        audience in prop::sample::select(vec!["", "Tier eq 'gold'", "Spend gt 5", "IsMemberOfSegment('Gold') and Spend gt 1"]),
        page in prop::sample::select(vec!["/", "/a", "/*", "/b"]),
        holdout in prop::sample::select(vec![0.0, 0.3, 1.0]),
        priority in 0..3_i32,
        (from, until) in (0..4_i64, 0..4_i64),
        active in any::<bool>(),
        changes in prop::collection::vec(
            (prop::sample::select(vec!["h1", "h2"]), prop::sample::select(vec!["setText", "setHtml", "append"]),
             prop::sample::select(vec!["x", "{{ Tier }}", "{{ Email }}", "{{ Email | default('y') }}"])),
            1..4,
        ),
    ) -> Value {
        let instant = |second: i64| Timestamp(second * 1000).to_rfc3339();
        let changes: Vec<_> = changes
            .into_iter()
            .map(|(selector, action, value)| json!({ "selector": selector, "action": action, "value": value }))
            .collect();
        json!({
            "audience": audience, "pages": [page], "holdout": holdout, "priority": priority, "changes": changes,
            "from": instant(from), "until": instant(until), "active": active,
        })
    }
}

proptest! {
    #[test]
    fn what_is_explained_is_what_is_decided(
        experiences in prop::collection::vec(an_experience(), 1..8),
        tier in prop::sample::select(vec![None, Some("gold"), Some("silver")]),
        spend in 0..9_u32,
        key in "[a-z]{1,4}",
        path in prop::sample::select(vec!["/", "/a", "/c"]),
        now in 0..4000_i64,
    ) {
        let named: serde_json::Map<_, _> =
            experiences.into_iter().enumerate().map(|(i, e)| (format!("e{i}"), e)).collect();
        let count = named.len();
        let definitions = compile(&named.into());
        let now = Timestamp(now);
        let snapshot = customer(&definitions, &json!({ "Tier": tier, "Spend": spend }), &key, now);
        let told = explain(&definitions, path, &snapshot, now);
        prop_assert_eq!(told.len(), count, "each is explained once");
        let told: Vec<_> = told
            .into_iter()
            .filter_map(|one| {
                let made = one.changes.into_iter().filter(|change| change.made);
                let values: Vec<_> = made.filter_map(|change| Some((change.selector, change.value?))).collect();
                assert_eq!(one.taken, one.why == "taken");
                Some((one.name, one.bucket?, values))
            })
            .collect();
        let decided: Vec<_> = page::decide(&page::candidates(&definitions, path, now), &snapshot)
            .into_iter()
            .map(|exposure| {
                let values: Vec<_> = exposure.changes.into_iter().map(|edit| (edit.selector, edit.value)).collect();
                (exposure.name, exposure.bucket, values)
            })
            .collect();
        prop_assert_eq!(told, decided);
    }
}

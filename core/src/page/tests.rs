use proptest::prelude::*;
use serde_json::json;

use super::*;

fn definitions(experiences: &serde_json::Value) -> Definitions {
    Definitions::compile(serde_json::from_value(json!({ "experiences": experiences })).unwrap()).unwrap()
}

/// Somebody with this bucket key, in every audience.
fn visitor(definitions: &Definitions, key: &str) -> Snapshot {
    let stranger = Snapshot::stranger(definitions, Timestamp(0));
    Snapshot { bucket_key: key.to_owned(), ..stranger }
}

fn decided(definitions: &Definitions, path: &str, key: &str, now: i64) -> Vec<Exposure> {
    let candidates = candidates(definitions, path, Timestamp(now));
    decide(&candidates, &visitor(definitions, key))
}

#[test]
fn patterns_match_whole_paths() {
    let fits = |pattern: &str, path: &str| Pattern::parse(pattern).unwrap().matches(path);
    assert!(fits("/", "/"));
    assert!(!fits("/", "/shop"));
    assert!(fits("/shop/*", "/shop/a/b"));
    assert!(!fits("/shop/*", "/shop"));
    assert!(fits("*", "/anything"));
    assert!(fits("/*/reviews/*.html", "/de/reviews/a/b.html"));
    assert!(!fits("/*/reviews/*.html", "/reviews/a.html"));
    assert!(fits("/a*a", "/aa") && !fits("/a*a", "/a"));
    assert!(fits("/café au lait", "/caf%C3%A9%20au%20lait") && fits("/caf%C3%A9", "/caf%C3%A9"));
    assert!(Pattern::parse("shop").is_err() && Pattern::parse("/*********").is_err());
}

#[test]
fn e7_a_holdout_holds_its_share_of_100_000_visitors_out_and_weights_share_the_rest() {
    let change = json!([{ "selector": "h1", "action": "setText", "value": "x" }]);
    let variant = |name: &str, weight: u32| json!({ "name": name, "weight": weight, "changes": change });
    for holdout in [0.0, 0.1, 0.5, 1.0] {
        let variants = json!([variant("a", 1), variant("b", 3)]);
        let definitions =
            definitions(&json!({ "x": { "pages": ["/"], "variants": variants, "holdout": holdout } }));
        let mut counts = [0_u32; 3];
        for id in 0..100_000_u64 {
            let key = crate::ids::CustomerId::Unknown(u128::from(id) << 64 | 1).to_string();
            let seen = bucket(&definitions.experiences[0], &key).map(|(name, _)| name);
            assert_eq!(seen, bucket(&definitions.experiences[0], &key).map(|(name, _)| name));
            counts[match seen {
                None => 0,
                Some("a") => 1,
                Some(_) => 2,
            }] += 1;
        }
        for (count, share) in counts.into_iter().zip([holdout, (1.0 - holdout) / 4.0, (1.0 - holdout) * 0.75])
        {
            let found = f64::from(count) / 100_000.0;
            assert!((found - share).abs() < 0.01, "{holdout}: {found} instead of {share}");
        }
    }
    assert!((share(&["a", "b"]) - share(&["ab"])).abs() < f64::EPSILON);
}

#[test]
fn one_experience_says_nothing_of_the_bucket_in_another() {
    let change = json!([{ "selector": "h1", "action": "setText", "value": "x" }]);
    let experience = json!({ "pages": ["/"], "changes": change, "holdout": 0.5 });
    let definitions = definitions(&json!({ "x": experience, "y": experience }));
    let both = (0..20_000).filter(|id| {
        let key = id.to_string();
        definitions.experiences.iter().all(|experience| bucket(experience, &key).is_none())
    });
    let both = both.count();
    assert!((4_700..5_300).contains(&both), "{both}");
}

#[test]
fn a_schedule_begins_and_ends_at_its_instant() {
    let change = json!([{ "selector": "h1", "action": "setText", "value": "x" }]);
    let (from, until) = ("1970-01-01T00:00:01Z", "1970-01-01T01:00:02+01:00");
    let definitions =
        definitions(&json!({ "x": { "pages": ["/"], "changes": change, "from": from, "until": until } }));
    let shown = |now: i64| !decided(&definitions, "/", "k", now).is_empty();
    assert_eq!([999, 1000, 1999, 2000].map(shown), [false, true, true, false]);
}

#[test]
fn of_two_experiences_the_first_changes_a_thing_and_each_makes_all_its_own_changes() {
    let change = |selector: &str, action: &str, value: &str| json!({ "selector": selector, "action": action, "value": value });
    let attribute = |name: &str, value: &str| json!({ "selector": "a", "action": "setAttribute", "name": name, "value": value });
    let definitions = definitions(&json!({
        "second": { "pages": ["/"], "priority": 1, "changes": [
            change("h1", "setHtml", "2"), { "selector": "h1", "action": "remove" }, change("h2", "setText", "2"),
            attribute("HREF", "/2"), attribute("title", "2"), change("h1", "append", "2"), change("h1", "prepend", "2"),
        ] },
        "first": { "pages": ["/"], "priority": 2, "changes": [
            change("h1", "setText", "1"), attribute("href", "/1"), change("h1", "append", "1a"), change("h1", "append", "1b"),
        ] },
        "third": { "pages": ["/"], "priority": 1, "changes": [change("h2", "setHtml", "3"), change("H2", "setHtml", "3")] },
    }));
    let made: Vec<(String, Vec<String>)> = decided(&definitions, "/", "k", 0)
        .into_iter()
        .map(|exposure| (exposure.name, exposure.changes.into_iter().map(|edit| edit.value).collect()))
        .collect();
    let expected =
        [("first", vec!["1", "/1", "1a", "1b"]), ("second", vec!["2", "2", "2"]), ("third", vec!["3"])];
    let expected =
        expected.map(|(name, made)| (name.to_owned(), made.into_iter().map(str::to_owned).collect()));
    assert_eq!(made, expected.to_vec());
}

#[test]
fn a_change_that_cannot_be_made_leaves_its_place_to_the_next() {
    let change = |value: &str| json!([{ "selector": "h1", "action": "setText", "value": value }]);
    let definitions = definitions(&json!({
        "a": { "pages": ["/"], "priority": 2, "changes": change("Hi {{ Email }}") },
        "b": { "pages": ["/"], "priority": 1, "changes": change("Hello") },
    }));
    let shown = decided(&definitions, "/", "k", 0);
    assert_eq!(shown[0].changes, []);
    assert_eq!(shown[1].changes[0].value, "Hello");
}

#[test]
fn the_marker_never_outgrows_a_signals_field() {
    let exposure =
        |i: usize| Exposure { name: format!("{i:0>64}"), bucket: "treated".to_owned(), changes: Vec::new() };
    let few: Vec<_> = (0..2).map(exposure).collect();
    assert_eq!(marker(&few, None), format!("{:0>64}:treated,{:0>64}:treated", 0, 1));
    let many: Vec<_> = (0..200).map(exposure).collect();
    let marker = marker(&many, Some("a:b"));
    assert!(marker.len() <= STRING_BYTES && marker.len() > STRING_BYTES - 80 && marker.ends_with(":treated"));
}

#[test]
fn a_page_that_redirects_is_told_of_by_the_next_one() {
    let change = |to: &str| json!([{ "action": "redirect", "value": to }]);
    let definitions = definitions(&json!({
        "move": { "pages": ["/a"], "priority": 1, "changes": change("/b?n={{ Email | default('x y') }}") },
        "late": { "pages": ["/a"], "priority": 0, "changes": change("/c") },
    }));
    let shown = decided(&definitions, "/a", "k", 0);
    assert_eq!(redirect(&shown), Some(("move:treated".to_owned(), "/b?n=x%20y")));
    assert_eq!(redirect(&decided(&definitions, "/b", "k", 0)), None);
    assert_eq!(marker(&[], Some("move:treated")), "move:treated");
}

proptest! {
    #[test]
    fn no_value_of_a_field_leaves_its_place_in_html(value in ".*") {
        let template = crate::template::Template::parse("<a title=\"{{ X }}\" href='/q?{{ X }}'>{{ X }}</a>", crate::template::Sink::Html).unwrap();
        if let Ok(html) = template.render(&|_| Some(value.clone())) {
            prop_assert_eq!(html.matches('<').count(), 2);
            prop_assert_eq!(html.matches('"').count(), 2);
            prop_assert_eq!(html.matches('\'').count(), 2);
        }
    }
}

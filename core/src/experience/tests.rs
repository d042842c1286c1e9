use serde_json::{Value, json};

use super::*;

fn bundle(experience: &Value) -> Bundle {
    serde_json::from_value(json!({ "experiences": { "hero": experience } })).unwrap()
}

fn verdict(experience: &Value) -> Result<(), DefinitionError> {
    check(&bundle(experience), &Bundle::default())
}

fn with(field: &str, value: Value) -> Value {
    let change = json!({ "selector": "h1", "action": "setText", "value": "x" });
    let mut experience = json!({ "pages": ["/"], "changes": [change] });
    experience[field] = value;
    experience
}

#[test]
fn what_is_beyond_a_bound_is_refused_when_it_is_saved() {
    let change = json!({ "selector": "h1", "action": "setText", "value": "x" });
    let variant = |name: &str| json!({ "name": name, "weight": 1, "changes": [change] });
    let many = |n: usize, value: &Value| Value::Array(vec![value.clone(); n]);
    let variants = |n: usize| (0..n).map(|i| variant(&format!("v{i}"))).collect::<Vec<_>>();
    let value = |value: &str| json!([{ "selector": "h1", "action": "setText", "value": value }]);
    let selector = |selector: &str| json!([{ "selector": selector, "action": "remove" }]);
    for (good, bad) in [
        (with("pages", many(PAGES, &"/".into())), with("pages", many(PAGES + 1, &"/".into()))),
        (with("changes", many(CHANGES, &change)), with("changes", many(CHANGES + 1, &change))),
        (with("variants", variants(VARIANTS).into()), with("variants", variants(VARIANTS + 1).into())),
        (
            with("changes", value(&"x".repeat(VALUE_BYTES))),
            with("changes", value(&"x".repeat(VALUE_BYTES + 1))),
        ),
        (
            with("changes", selector(&"x".repeat(SELECTOR_BYTES))),
            with("changes", selector(&"x".repeat(SELECTOR_BYTES + 1))),
        ),
        (with("pages", json!(["*"])), with("pages", json!([]))),
        (with("pages", json!(["/search"])), with("pages", json!(["/search?q=*"]))),
        (
            with("variants", json!([variant("a"), variant("b")])),
            with("variants", json!([variant("a"), variant("a")])),
        ),
        (
            with("variants", json!([variant(&"a".repeat(64))])),
            with("variants", json!([variant(&"a".repeat(65))])),
        ),
        (with("variants", json!([variant("a-b_1")])), with("variants", json!([variant("a:b")]))),
        (with("variants", json!([variant("Holdout")])), with("variants", json!([variant("holdout")]))),
    ] {
        assert_eq!(verdict(&good), Ok(()));
        assert_eq!(verdict(&bad).map_err(|error| error.code()), Err("invalid_definition"), "{bad}");
    }
    let schedule = |from: &str, until: &str| {
        let mut experience = with("from", from.into());
        experience["until"] = until.into();
        verdict(&experience).is_ok()
    };
    assert!(schedule("2030-01-01T00:00:00Z", "2030-01-01T00:00:00.001Z"));
    assert!(!schedule("2030-01-01T00:00:00Z", "2030-01-01T01:00:00+01:00"));
}

#[test]
fn there_are_so_many_experiences_and_those_that_are_stored_stay() {
    let one = with("priority", 1.into());
    let named = |n: usize| -> Bundle {
        let all: serde_json::Map<_, _> = (0..n).map(|i| (format!("e{i}"), one.clone())).collect();
        serde_json::from_value(json!({ "experiences": all })).unwrap()
    };
    assert!(check(&named(EXPERIENCES), &named(EXPERIENCES - 1)).is_ok());
    assert!(check(&named(EXPERIENCES + 1), &named(EXPERIENCES)).is_err());
    assert!(check(&named(EXPERIENCES + 5), &named(EXPERIENCES + 5)).is_ok());
    let stored = bundle(&with("pages", json!([])));
    assert!(check(&stored, &stored).is_ok(), "what is stored already is not looked at again");
}

#[test]
fn a_redirect_to_a_page_of_its_own_is_refused() {
    let redirect = |to: &str| {
        let change = json!([{ "action": "redirect", "value": to }]);
        let mut experience = with("changes", change);
        experience["pages"] = json!(["/old/*", "/"]);
        verdict(&experience)
    };
    for good in ["/new", "https://shop.example/old/1", "/new?from=/old/1", "/old/{{ FirstName }}", "old/1"] {
        assert_eq!(redirect(good), Ok(()), "{good}");
    }
    for bad in ["/old/1", "/old/1?x=1", "/"] {
        assert!(redirect(bad).is_err(), "{bad}");
    }
}

#[test]
fn selectors_that_the_rewriter_cannot_take_are_refused() {
    for good in [
        "*",
        "h1",
        "#hero-title",
        ".a.b",
        "main > p.quiet a[href]",
        "a[href^=\"/p/\"]",
        "a[title=\"a, b > c:hover + d\" i]",
        "[data-x|='en']",
        "li:nth-child(2n+1)",
        "li:nth-of-type(3)",
        "tr:first-child td:first-of-type",
        "div:not(.a):not([b])",
        "h1, h2",
        "#a\\:b",
    ] {
        assert_eq!(selector(good), Ok(()), "{good}");
    }
    for bad in [
        "a + b",
        "a ~ b",
        "a+b",
        "a:hover",
        "p::before",
        "div:has(a)",
        "li:last-child",
        "li:nth-last-child(1)",
        "div:not(a + b)",
        "a[href",
        "a]",
        "a)",
        ":not(a",
        "(a)",
        "> a",
        "a >",
        "a,",
        "a{}",
        "a || b",
        "svg|a",
        "<h1>",
        "a[title=\"x]",
    ] {
        assert!(selector(bad).is_err(), "{bad}");
    }
}

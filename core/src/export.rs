//! Everything that is held of one person, as lines that each say what they are (`kind`). What the site's visitors did
//! is in the words of `POST /_msci/collect`, imported rows in those of an import: replayed into an empty system with
//! the same definitions they give the same profile, since a profile is a function of them (law 1). All other lines
//! are what was made of it.

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::attributes::Attributes;
use crate::collections::json_object;
use crate::ids::{CookieId, StreamId};
use crate::membership::Membership;
use crate::object::LinkView;
use crate::outcome::Outcome;
use crate::signal::Signal;
use crate::snapshot::Snapshot;
use crate::time::Timestamp;

/// Of these lines: it grows when a kind changes its shape.
pub const FORMAT: u32 = 1;

/// What an object has besides what readers see.
#[derive(Serialize)]
pub struct Held<'a> {
    /// Given by browsers.
    pub browser: &'a Attributes,
    /// Given by the site's servers.
    pub server: &'a Attributes,
    /// Since when it is in which segment, and why.
    pub memberships: Vec<(&'a str, &'a Membership)>,
    /// What it was shown, and whether it reached a goal.
    pub outcomes: Vec<Outcome>,
}

/// One kind of line.
fn line(kind: &str, of: &[(&str, Value)]) -> Value {
    let mut line = Map::new();
    line.insert("kind".to_owned(), kind.into());
    for (name, value) in of.iter().filter(|(_, value)| !value.is_null()) {
        line.insert((*name).to_owned(), value.clone());
    }
    Value::Object(line)
}

fn instant(time: Timestamp) -> Value {
    time.to_rfc3339().into()
}

/// In a held value, a time.
fn instant_of(value: Option<&Value>) -> Value {
    value.and_then(Value::as_i64).map_or(Value::Null, |ms| instant(Timestamp(ms)))
}

/// The first line of somebody who has a profile: who it is, and what readers see.
pub fn customer(snapshot: &Snapshot, now: Timestamp) -> Value {
    let auth = snapshot.auth.as_ref();
    let seen = |time: Option<Timestamp>| time.map_or(Value::Null, instant);
    line(
        "customer",
        &[
            ("format", FORMAT.into()),
            ("exportedAt", instant(now)),
            ("customerId", snapshot.customer.to_string().into()),
            ("known", snapshot.customer.is_known().into()),
            ("table", auth.map_or(Value::Null, |(table, _)| table.as_str().into())),
            ("authId", auth.map_or(Value::Null, |(_, key)| key.as_str().into())),
            ("cookieIds", snapshot.cookie_ids.iter().map(ToString::to_string).collect()),
            ("firstSeen", seen(snapshot.first_seen)),
            ("lastSeen", seen(snapshot.last_seen)),
            ("version", snapshot.version.into()),
            (
                "attributes",
                json_object(snapshot.attributes.iter().map(|(name, value)| (name.clone(), value.clone())))
                    .into(),
            ),
        ],
    )
}

/// The lines behind it, but for signals and what the index has. `held` is a [`Held`], as it arrived.
pub fn profile(snapshot: &Snapshot, held: &Value, links: &[LinkView]) -> Vec<Value> {
    let mut lines = Vec::new();
    for source in ["browser", "server"] {
        for (path, given) in held.get(source).and_then(Value::as_object).into_iter().flatten() {
            let key = |name: &str| given.pointer(&format!("/key/{name}")).cloned().unwrap_or_default();
            lines.push(line(
                "attribute",
                &[
                    ("source", source.into()),
                    // A value inside another has the keys on the way to it, as in a JSON Pointer.
                    ("name", path.as_str().into()),
                    ("value", given.get("value").cloned().unwrap_or_default()),
                    ("time", instant_of(given.get("time"))),
                    ("cookieId", key("cookie")),
                    ("stream", key("stream")),
                    ("seq", key("seq")),
                ],
            ));
        }
    }
    for link in links {
        lines.push(line(
            "link",
            &[
                ("cookieId", link.cookie_id.to_string().into()),
                ("customerId", link.customer.to_string().into()),
                ("since", instant(link.since)),
                ("pending", link.pending.into()),
            ],
        ));
    }
    for (name, value) in snapshot.measures.iter() {
        lines.push(line("measure", &[("name", name.as_str().into()), ("value", value.clone())]));
    }
    for of in held.get("memberships").and_then(Value::as_array).into_iter().flatten() {
        let part = |path: &str| of.pointer(path).cloned().unwrap_or_default();
        let since = instant_of(of.pointer("/1/since"));
        let fields = [("segment", part("/0")), ("since", since), ("cause", part("/1/cause"))];
        lines.push(line("membership", &fields));
    }
    let decided = |whose: Value, decisions: &crate::consent::Decisions| {
        let word = |granted: bool| if granted { "granted" } else { "denied" };
        let purposes =
            json_object(decisions.iter().map(|(purpose, granted)| (purpose.clone(), word(*granted).into())));
        line("consent", &[("cookieId", whose), ("purposes", purposes.into())])
    };
    if !snapshot.consent.is_empty() {
        lines.push(decided(Value::Null, &snapshot.consent));
    }
    for (cookie, decisions) in snapshot.cookie_consent.iter() {
        lines.push(decided(cookie.to_string().into(), decisions));
    }
    for of in held.get("outcomes").and_then(Value::as_array).into_iter().flatten() {
        let part = |name: &str| of.get(name).cloned().unwrap_or_default();
        let (exposed, reached) = (instant_of(of.get("exposed")), instant_of(of.get("reached")));
        let fields = [
            ("experience", part("experience")),
            ("bucket", part("bucket")),
            ("exposed", exposed),
            ("reached", reached),
        ];
        lines.push(line("outcome", &fields));
    }
    lines
}

/// A signal in the words of the wire; its time is what the wire has, milliseconds since 1970.
pub fn signal(cookie: CookieId, stream: StreamId, signal: &Signal) -> Value {
    let mut of = match line(
        "signal",
        &[
            ("cookieId", cookie.to_string().into()),
            ("stream", stream.to_string().into()),
            ("seq", signal.seq.into()),
            ("time", signal.time.0.into()),
            ("type", signal.kind.name().into()),
        ],
    ) {
        Value::Object(of) => of,
        other => return other,
    };
    if signal.source == crate::signal::Source::Server {
        of.insert("source".to_owned(), "server".into());
    }
    for (name, value) in &signal.fields {
        // None of them takes a name from above: what a kind may have is listed (`wire::collect`).
        of.entry(name.clone()).or_insert_with(|| value.clone());
    }
    Value::Object(of)
}

/// The last line: without it, something is missing.
pub fn end(lines: u64, signals: u64) -> Value {
    json!({ "kind": "end", "lines": lines, "signals": signals })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collections::Map as SmallMap;
    use crate::definitions::Definitions;
    use crate::ids::{CustomerId, SignalKey};
    use crate::membership::Cause;
    use crate::signal::{Kind, Source};

    #[test]
    fn each_line_says_what_it_is_and_nothing_that_is_not_there() {
        let definitions = Definitions::compile(crate::config::Bundle::default()).unwrap();
        let cookie = CookieId::from_bits(1);
        let mut snapshot = Snapshot::stranger(&definitions, Timestamp(0));
        snapshot.customer = CustomerId::Known(7);
        snapshot.auth = Some(("People".to_owned(), "Ada".to_owned()));
        snapshot.measures = [("Total".to_owned(), json!(5))].into_iter().collect();
        snapshot.cookie_consent =
            [(cookie, [("storage".to_owned(), false)].into_iter().collect::<SmallMap<_, _>>())]
                .into_iter()
                .collect();
        let key = SignalKey { cookie, stream: StreamId::from_bits(2), seq: 3 };
        let mut browser = Attributes::default();
        browser.give("address", Timestamp(9), key, &json!({ "city": "Lyon" }));
        let membership = Membership { since: Timestamp(4), cause: Some(Cause::Merge) };
        let held = Held {
            browser: &browser,
            server: &Attributes::default(),
            memberships: vec![("Gold", &membership)],
            outcomes: Vec::new(),
        };
        let held = serde_json::to_value(held).unwrap();
        let first = customer(&snapshot, Timestamp(0));
        assert_eq!((&first["kind"], &first["authId"]), (&json!("customer"), &json!("Ada")));
        assert_eq!(first["format"], FORMAT);
        assert!(first.get("firstSeen").is_none());
        let lines = profile(&snapshot, &held, &[]);
        assert_eq!(
            lines,
            [
                json!({ "kind": "attribute", "source": "browser", "name": "address/city", "value": "Lyon",
                    "time": "1970-01-01T00:00:00.009Z", "cookieId": cookie, "stream": key.stream, "seq": 3 }),
                json!({ "kind": "measure", "name": "Total", "value": 5 }),
                json!({ "kind": "membership", "segment": "Gold", "since": "1970-01-01T00:00:00.004Z", "cause": "merge" }),
                json!({ "kind": "consent", "cookieId": cookie, "purposes": { "storage": "denied" } }),
            ]
        );
        let Value::Object(fields) = json!({ "uri": "/", "type": "x" }) else { panic!() };
        let view = Signal {
            stream: key.stream,
            seq: 3,
            time: Timestamp(9),
            kind: Kind::View,
            source: Source::Browser,
            fields,
        };
        let shown = signal(cookie, key.stream, &view);
        assert_eq!(
            shown,
            json!({ "kind": "signal", "cookieId": cookie, "stream": key.stream, "seq": 3, "time": 9, "type": "view", "uri": "/" })
        );
    }
}

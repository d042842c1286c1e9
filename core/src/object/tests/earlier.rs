//! Rows and calls of the version before this one, word for word: `earlier.json` was written by it.

use super::*;
use crate::profile::Imported;

fn golden() -> serde_json::Value {
    serde_json::from_str(include_str!("earlier.json")).unwrap()
}

/// The object that these rows are. In storage a body is text.
fn loaded(rows: &serde_json::Value, name: CustomerId) -> Object {
    let rows: Vec<(Table, String, String)> = rows
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            let table = Table::ALL.into_iter().find(|table| row[0] == table.name()).unwrap();
            (table, row[1].as_str().unwrap().to_owned(), row[2].to_string())
        })
        .collect();
    let held = rows.iter().filter(|(table, ..)| Table::HELD.contains(table));
    let rows = held.map(|(table, key, body)| (*table, key.as_str(), body.as_str()));
    Object::load(name, rows).unwrap().unwrap()
}

fn read<T: serde::de::DeserializeOwned>(value: &serde_json::Value) -> T {
    serde_json::from_str(&value.to_string()).unwrap()
}

fn visitor(rows: &str) -> Disk {
    let golden = golden();
    let object = loaded(&golden["rows"][rows], CustomerId::Unknown(1));
    let page: Page = read(&golden["page"]);
    let signals = page.rows.into_iter().filter(|row| rows != "unknown" || row.position < 6);
    let signals = signals.map(|row| (page.cookie, row)).collect();
    let streams = golden["rows"][rows].as_array().unwrap().iter().filter(|row| row[0] == "stream");
    let streams = streams.map(|row| (row[1].as_str().unwrap().parse().unwrap(), read(&row[2]))).collect();
    Disk { object, signals, streams, ..Disk::new(CustomerId::Unknown(1), 0) }
}

#[test]
fn f22_rows_of_the_version_before_this_one_are_the_same_profiles() {
    let definitions = definitions();
    let context = Context { now: NOW, definitions: &definitions };
    let unknown = visitor("unknown").object.snapshot(context).unwrap();
    assert_eq!(unknown.measures.get("Views"), Some(&json!(3)));
    assert_eq!(unknown.attributes.get("FullName"), Some(&json!("Ada")));
    assert_eq!((unknown.segments.as_slice(), unknown.version), (["Often".to_owned()].as_slice(), 1));
    let customer = loaded(&golden()["rows"]["customer"], CustomerId::Known(9));
    let mut snapshot: Snapshot = read(&golden()["snapshot"]);
    // Snapshots of then did not say it.
    snapshot.consent = customer.profile.consent();
    assert_eq!(customer.snapshot(context).unwrap(), snapshot);
    assert_eq!(customer.profile.consent().get("analytics"), Some(&true));
    let linked = visitor("linked");
    assert!(linked.object.accepted_link().is_some() && linked.object.snapshot(context).is_none());
}

#[test]
fn f22_a_link_half_made_by_the_version_before_this_one_is_finished() {
    let definitions = definitions();
    let context = Context { now: NOW.plus(SECOND_MS), definitions: &definitions };
    let (mut c, mut k) = (visitor("pending"), Disk::new(customer().id, 9));
    assert_eq!(c.page(), Some(read(&golden()["page"])));
    settle(&mut c, &mut k, context);
    assert_eq!(k.keys(), c.keys());
    assert_eq!(k.object.snapshot(context).unwrap().measures.get("Views"), Some(&json!(3)));
    // And one that was taken back is told.
    let mut told = visitor("unlinked");
    let drop: Drop = read(&golden()["drop"]);
    assert_eq!(told.object.next_drop(), Some(drop.clone()));
    k.drop_link(&drop, context);
    told.object.dropped(&drop);
    assert_eq!((k.keys(), told.object.next_drop()), (Vec::new(), None));
}

#[test]
fn f22_calls_and_answers_of_the_version_before_this_one_are_understood() {
    let definitions = definitions();
    let context = Context { now: NOW, definitions: &definitions };
    let golden = golden();
    let (mut c, mut k) = (Disk::new(CustomerId::Unknown(1), 7), Disk::new(customer().id, 9));
    k.object.profile.adopt(&definitions, &mut Vec::new());
    let mut answers = Vec::new();
    for call in golden["collect"].as_array().unwrap() {
        let call: CollectCall = read(call);
        answers.push(c.collect(call.cookie, call.signals, context));
    }
    let expected: Vec<CollectAnswer> = read(&golden["collected"]);
    // What is missing, and who is new, nobody told then.
    let untold = |answer: CollectAnswer| CollectAnswer { missing: 0, met: Met::Before, ..answer };
    assert_eq!(answers.into_iter().map(untold).collect::<Vec<_>>(), expected);
    let page: Page = read(&golden["page"]);
    let (shipped, then): (ShipAnswer, ShipAnswer) = (k.ship(&page, context), read(&golden["shipped"]));
    assert_eq!((shipped.outcome, shipped.tag, shipped.version), (then.outcome, then.tag, then.version));
    let row: Imported = read(&golden["import"]);
    let writes = k.object.adopt_row(row, Vec::new(), context);
    k.write(writes);
    let mut snapshot: Snapshot = read(&golden["snapshot"]);
    snapshot.consent = k.object.profile.consent();
    assert_eq!(k.object.snapshot(context).unwrap(), snapshot);
    let outcomes: Vec<ShipOutcome> = read(&golden["outcomes"]);
    assert_eq!(outcomes, [ShipOutcome::Stale, ShipOutcome::Unlinked, ShipOutcome::Refused("x".to_owned())]);
}

#[test]
fn f22_the_version_before_this_one_understands_what_this_one_writes() {
    // Every field that it wants is still there, with the same name and a value of the same kind.
    let definitions = definitions();
    let context = Context { now: NOW, definitions: &definitions };
    let golden = golden();
    let (mut c, mut k) = (Disk::new(CustomerId::Unknown(1), 7), Disk::new(customer().id, 9));
    let mut said = vec![("page", serde_json::Value::Null)];
    for call in golden["collect"].as_array().unwrap() {
        let call: CollectCall = read(call);
        c.collect(call.cookie, call.signals, context);
    }
    let page = c.page().unwrap();
    said[0].1 = json!(page);
    let shipped = k.ship(&page, context);
    said.push(("shipped", json!(shipped)));
    let writes = k.object.adopt_row(read(&golden["import"]), Vec::new(), context);
    k.write(writes);
    said.push(("snapshot", json!(k.object.snapshot(context))));
    let writes = c.object.on_ship_answer(page.epoch, &shipped, 99, context);
    c.write(writes);
    let linked = stored(&c);
    c.unlink(context);
    said.push(("drop", json!(c.object.next_drop())));
    for (name, value) in &said {
        wants(&golden[*name], value, name);
    }
    let rows = [("linked", linked), ("unlinked", stored(&c)), ("customer", stored(&k))];
    for (name, written) in rows {
        for row in golden["rows"][name].as_array().unwrap() {
            let key = format!("{}/{}", row[0].as_str().unwrap(), row[1].as_str().unwrap());
            let Some(body) = written.get(&key) else { continue };
            wants(&row[2], &serde_json::from_str(body).unwrap(), &key);
        }
    }
}

/// Small rows as they are in storage, by table and key.
fn stored(disk: &Disk) -> Map<String, String> {
    disk.rows.iter().map(|((table, key), body)| (format!("{}/{key}", table.name()), body.clone())).collect()
}

/// Every field of `old` is in `new`, and holds the same kind of value.
fn wants(old: &serde_json::Value, new: &serde_json::Value, place: &str) {
    match (old, new) {
        (serde_json::Value::Object(old), serde_json::Value::Object(new)) => {
            for (name, value) in old {
                let place = format!("{place}.{name}");
                assert!(new.contains_key(name), "{place} is gone");
                wants(value, &new[name], &place);
            }
        }
        (serde_json::Value::Array(old), serde_json::Value::Array(new)) => {
            for (index, (old, new)) in old.iter().zip(new).enumerate() {
                wants(old, new, &format!("{place}[{index}]"));
            }
        }
        (serde_json::Value::Null, _) | (_, serde_json::Value::Null) => {}
        _ => assert_eq!(std::mem::discriminant(old), std::mem::discriminant(new), "{place}: {old} {new}"),
    }
}

/// Rows that a newer version wrote a field `later` into, worked on by this one: which rows it writes, and
/// whether the field is still in them.
fn worked_on() -> Vec<String> {
    let definitions = definitions();
    let context = Context { now: NOW.plus(SECOND_MS), definitions: &definitions };
    let later = json!({ "of": "tomorrow" });
    let mut golden = golden();
    for name in ["pending", "customer"] {
        for row in golden["rows"][name].as_array_mut().unwrap() {
            if let Some(body) = row[2].as_object_mut() {
                body.insert("later".to_owned(), later.clone());
            }
        }
    }
    let mut c = loaded(&golden["rows"]["pending"], CustomerId::Unknown(1));
    let mut k = loaded(&golden["rows"]["customer"], CustomerId::Known(9));
    let call = CollectCall::of(
        CookieId::from_bits(1),
        CookieId::from_bits(1),
        (10..14).map(|seq| offered(seq, None)).collect(),
    );
    let streams = golden["rows"]["pending"].as_array().unwrap().iter().filter(|row| row[0] == "stream");
    let streams = streams.map(|row| {
        let key = row[1].as_str().unwrap();
        (key.parse().unwrap(), c.read_stream(key, &row[2].to_string()).unwrap())
    });
    let streams = streams.collect();
    let (_, mut writes) = c.collect(&call, &Present { streams, ..Present::default() }, context);
    c.keep_unknown_fields(&mut writes);
    let rows = (7..=10).zip(&call.signals);
    let rows = rows.map(|(position, offered)| Row { position, signal: offered.signal.clone() }).collect();
    let page = Page { from: 6, to: 10, rows, ..read(&golden["page"]) };
    let (_, mut at_k) = k.ship(&page, &crate::collections::Set::default(), context);
    at_k.extend(k.copy_again(context.now));
    at_k.extend(k.projected(0, context.now));
    k.keep_unknown_fields(&mut at_k);
    writes.extend(at_k);
    let mut kept: Vec<String> = writes
        .iter()
        .filter_map(|write| match write {
            Write::Put { table, key, body } => {
                let body: serde_json::Value = serde_json::from_str(body).unwrap();
                let kept = body.get("later") == Some(&later);
                body.is_object().then(|| format!("{}/{key} {kept}", table.name()))
            }
            _ => None,
        })
        .collect();
    kept.sort();
    kept.dedup();
    kept
}

#[test]
fn f22_what_a_newer_version_wrote_into_a_row_stays_in_it() {
    let mut kept = worked_on();
    kept.retain(|row| !row.starts_with("measure/") && !row.starts_with("stream/"));
    let cookie = CookieId::from_bits(1);
    let link = format!("link/{cookie} true");
    assert_eq!(kept, [link.as_str(), "meta/log true", "outbox/owed true", "profile/head true"]);
}

#[test]
fn f22_also_into_a_row_of_a_measure_or_a_stream() {
    let lost: Vec<_> = worked_on().into_iter().filter(|row| row.ends_with("false")).collect();
    assert!(lost.is_empty(), "{lost:?}");
}

//! The read API's SQL on `SQLite` with the limits of D1: every shape of question runs, answers what memory
//! answers, and looks at no more than it has to.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::integer_division_remainder_used
)]

use msci_core::config::Bundle;
use msci_core::expr::sql::Param;
use msci_core::odata::Fault;
use msci_core::odata::address::{self, Dialect, Path};
use msci_core::odata::model::{self, Set};
use msci_core::odata::question::Question;
use msci_core::odata::record::Record;
use msci_core::odata::sql::{self, PLACE, Statement, Store};
use msci_core::time::Timestamp;
use rusqlite::limits::Limit;
use rusqlite::{Connection, params_from_iter, types};
use serde_json::{Value, json};

const NOW: Timestamp = Timestamp(1_790_000_000_000);
const KNOWN: &str = "0123456789abcdef0123456789abcdef";
const IMPORTED: &str = "00000000000000000000000000000002";
const UNKNOWN: &str = "3f43317e-d1ef-4cd3-9917-2d3342111d1a";
const OBJECT: &str = "aaaaaaaa-0000-4000-8000-000000000001";
const STREAM: &str = "c0ffee00-1234-4000-8000-000000000000";

fn bundle() -> Bundle {
    serde_json::from_value(json!({
        "settings": { "trackingTable": "LoyaltySignUps" },
        "tables": { "LoyaltySignUps": { "primaryKey": "LoyaltyId", "columns": {
            "FirstName": "string", "LastName": "string", "Tier": "string", "Spend": "number", "Vip": "boolean"
        } } },
        "measures": { "LifetimeValue": { "aggregate": "sum", "property": "total" } },
        "segments": { "Gold": { "filter": "Tier eq 'Gold'" }, "Rich": { "filter": "Spend ge 1000" } }
    }))
    .unwrap()
}

/// The tables of the index, as the Worker makes them.
fn index() -> Connection {
    let database = limited();
    database
        .execute_batch(
            "CREATE TABLE imported_row (source TEXT NOT NULL, key TEXT NOT NULL, version INTEGER NOT NULL, body TEXT,
               object TEXT NOT NULL, marked INTEGER NOT NULL DEFAULT 0, pushed INTEGER NOT NULL DEFAULT 0,
               PRIMARY KEY (source, key)) WITHOUT ROWID;
             CREATE INDEX imported_object ON imported_row (object);
             CREATE TABLE customer (id TEXT PRIMARY KEY, tag TEXT NOT NULL, version INTEGER NOT NULL,
               gone INTEGER NOT NULL, known INTEGER NOT NULL, auth TEXT, first_seen INTEGER, last_seen INTEGER NOT NULL,
               search TEXT NOT NULL, body TEXT NOT NULL, since INTEGER, written INTEGER NOT NULL) WITHOUT ROWID;
             CREATE TABLE cookie (object TEXT PRIMARY KEY, customer TEXT NOT NULL, place INTEGER NOT NULL,
               written INTEGER NOT NULL) WITHOUT ROWID;
             CREATE INDEX cookie_customer ON cookie (customer);
             CREATE TABLE activity (object TEXT NOT NULL, stream TEXT NOT NULL, seq INTEGER NOT NULL,
               time INTEGER NOT NULL, type TEXT NOT NULL, title TEXT NOT NULL, fields TEXT NOT NULL,
               PRIMARY KEY (object, stream, seq)) WITHOUT ROWID;
             CREATE INDEX activity_time ON activity (time);
             CREATE TABLE membership (segment TEXT NOT NULL, customer TEXT NOT NULL, since INTEGER NOT NULL,
               PRIMARY KEY (segment, customer)) WITHOUT ROWID;
             CREATE INDEX membership_customer ON membership (customer);",
        )
        .unwrap();
    let known = json!({
        "cookieIds": [UNKNOWN], "attributes": { "FirstName": "Abbie", "LastName": "Moss", "FullName": "Abbie Moss",
            "LoyaltyId": "Loyalty1", "Tier": "Gold", "Spend": 1250, "Vip": true },
        "segments": ["Gold", "Rich"], "measures": { "LifetimeValue": 1250.5 },
    });
    let unknown =
        json!({ "cookieIds": ["x"], "attributes": {}, "segments": [], "measures": { "LifetimeValue": 0 } });
    for (id, auth, key, body) in [(KNOWN, 1, Some("Loyalty1"), &known), (OBJECT, 0, None, &unknown)] {
        database
            .execute(
                "INSERT INTO customer VALUES (?1, 't', 1, 0, ?2, ?3, ?4, ?4, 'abbie moss', ?5, NULL, 0)",
                (id, auth, key, NOW.0 - 5000, body.to_string()),
            )
            .unwrap();
    }
    database
        .execute_batch(&format!(
            "INSERT INTO customer VALUES ('gone', 't', 1, 1, 0, NULL, NULL, 0, '', '{{}}', NULL, 0);
             INSERT INTO imported_row VALUES ('LoyaltySignUps', 'Loyalty1', 1, '{{}}', '{KNOWN}', 1, 1);
             INSERT INTO imported_row VALUES ('LoyaltySignUps', 'Loyalty2', 1,
               '{{\"LoyaltyId\":\"Loyalty2\",\"FirstName\":\"Bo\",\"Spend\":5,\"Vip\":false}}', '{IMPORTED}', 0, 0);
             INSERT INTO cookie VALUES ('{OBJECT}', '{KNOWN}', 0, 0);
             INSERT INTO membership VALUES ('Gold', '{KNOWN}', 0), ('Rich', '{KNOWN}', 0), ('Rich', '{IMPORTED}', 0)"
        ))
        .unwrap();
    for (seq, kind, fields) in signals() {
        database
            .execute(
                "INSERT INTO activity VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                (
                    OBJECT,
                    STREAM,
                    seq,
                    NOW.0 - 1000 + seq,
                    told(kind),
                    fields["name"].as_str(),
                    fields.to_string(),
                ),
            )
            .unwrap();
    }
    database
}

fn told(kind: &str) -> &str {
    match kind {
        "view" => "View",
        "action" => "Action",
        _ => "order_completed",
    }
}

fn signals() -> [(i64, &'static str, Value); 4] {
    [
        (
            1,
            "view",
            json!({ "uri": "https://shop.example/a?x#y", "name": "A", "sessionStart": NOW.0 - 2000 }),
        ),
        (
            2,
            "action",
            json!({ "uri": "/b", "name": "Buy", "actionType": "LClick", "isOutbound": false, "elapsedMs": 12 }),
        ),
        (3, "event", json!({ "name": "order_completed", "properties": { "total": 120.5, "kind": "x" } })),
        (4, "event", json!({ "name": "order_completed", "properties": { "total": 9, "kind": "y" } })),
    ]
}

/// What the object of the known customer holds.
fn object() -> Connection {
    let database = limited();
    database
        .execute_batch(
            "CREATE TABLE signal (cookie TEXT NOT NULL, stream TEXT NOT NULL, seq INTEGER NOT NULL,
               position INTEGER NOT NULL, time INTEGER NOT NULL, type TEXT NOT NULL, fields TEXT NOT NULL,
               PRIMARY KEY (cookie, stream, seq)) WITHOUT ROWID;
             CREATE INDEX signal_time ON signal (time);",
        )
        .unwrap();
    for (seq, kind, fields) in
        signals().into_iter().chain([(5, "user", json!({})), (6, "consent", json!({}))])
    {
        database
            .execute(
                "INSERT INTO signal VALUES (?1, ?2, ?3, ?3, ?4, ?5, ?6)",
                (UNKNOWN, STREAM, seq, NOW.0 - 1000 + seq, kind, fields.to_string()),
            )
            .unwrap();
    }
    database
}

fn limited() -> Connection {
    let database = Connection::open_in_memory().unwrap();
    for (limit, most) in [
        (Limit::SQLITE_LIMIT_FUNCTION_ARG, 32),
        (Limit::SQLITE_LIMIT_EXPR_DEPTH, 100),
        (Limit::SQLITE_LIMIT_VARIABLE_NUMBER, 100),
        (Limit::SQLITE_LIMIT_SQL_LENGTH, 100_000),
        (Limit::SQLITE_LIMIT_COMPOUND_SELECT, 5),
    ] {
        database.set_limit(limit, most);
    }
    database
}

fn bound(parameters: &[Param]) -> impl Iterator<Item = types::Value> + '_ {
    parameters.iter().map(|parameter| match parameter {
        Param::Number(number) => types::Value::Real(*number),
        Param::Text(text) => types::Value::Text(text.clone()),
    })
}

fn rows(database: &Connection, statement: &Statement) -> Vec<Value> {
    let mut prepared =
        database.prepare(&statement.text).unwrap_or_else(|error| panic!("{error}: {}", statement.text));
    let found = prepared
        .query_map(params_from_iter(bound(&statement.parameters)), |row| row.get::<_, String>(0))
        .unwrap();
    found.map(|row| serde_json::from_str(&row.unwrap()).unwrap()).collect()
}

fn asked(text: &str) -> Result<Question, Fault> {
    let (path, query) = text.split_once('?').unwrap_or((text, ""));
    let dialect = if path.starts_with("msdynci_") { Dialect::Current } else { Dialect::Legacy };
    let address = address::parse(dialect, path, query)?;
    let Path::Named { name, .. } = &address.path else { panic!("{text} names no set") };
    Question::new(model::named(dialect, name)?.set, &address, &bundle(), None)
}

fn listed(database: &Connection, question: &Question) -> Vec<(Record, Vec<Value>)> {
    let statement = sql::page(question, Store::Index, NOW).unwrap().of_index(question.set);
    let place = |row: &Value| row[PLACE].as_array().unwrap().clone();
    rows(database, &statement).iter().map(|row| (Record::from_row(row), place(row))).collect()
}

/// First column of each row found.
fn found(text: &str) -> Vec<String> {
    let question = asked(text).unwrap_or_else(|fault| panic!("{text}: {fault}"));
    let key = question.columns[0].source.clone();
    listed(&index(), &question)
        .iter()
        .map(|(record, _)| record.value(&key).as_str().unwrap_or("?").to_owned())
        .collect()
}

#[test]
fn the_documented_filters_find_in_the_index_what_they_say() {
    let (all, none): (&[&str], &[&str]) = (&[IMPORTED, KNOWN, OBJECT], &[]);
    for (text, expected) in [
        ("msdynci_customerprofiles", all),
        (
            "msdynci_customerprofiles?$filter=msdynci_customerid eq '0123456789ABCDEF0123456789abcdef'",
            &[KNOWN],
        ),
        ("msdynci_customerprofiles?$filter=msdynci_loyaltysignups_loyaltyid eq 'loyalty2'", &[IMPORTED]),
        (
            "msdynci_customerprofiles?$filter=msdynci_loyaltysignups_loyaltyid ne null&$orderby=msdynci_spend",
            &[IMPORTED, KNOWN],
        ),
        ("msdynci_customerprofiles?$filter=contains(msdynci_lastname,'OS')&$top=10", &[KNOWN]),
        ("msdynci_customerprofiles?$filter=msdynci_vip eq false", &[IMPORTED]),
        ("msdynci_customerprofiles?$filter=msdynci_known eq false", &[OBJECT]),
        (
            "msdynci_customerprofiles?$filter=msdynci_firstseen lt now() sub duration'PT1S'&$orderby=msdynci_known desc",
            &[KNOWN, OBJECT],
        ),
        ("msdynci_customerprofiles?$filter=Measures/LifetimeValue gt 1000", &[KNOWN]),
        ("msdynci_customerprofiles?$filter=IsMemberOfSegment('gold')", &[KNOWN]),
        ("msdynci_customerprofiles?$filter=contains(msdynci_cookieids,'3f43317e')", &[KNOWN]),
        (
            "msdynci_customerprofiles?$filter=UnifiedActivity/any(a: a/ActivityType eq 'View' and contains(a/ViewUri,'/a'))",
            &[KNOWN],
        ),
        (
            "msdynci_customerprofiles?$filter=UnifiedActivity/$count($filter=Properties/total gt 5) ge 2",
            &[KNOWN],
        ),
        (
            "msdynci_customerprofiles?$filter=UnifiedActivity/all(a: a/ActivityType ne 'View')",
            &[IMPORTED, OBJECT],
        ),
        ("msdynci_customerprofiles?$search=\"abbie\"", &[KNOWN, OBJECT]),
        ("msdynci_customerprofiles?$search=BO", &[IMPORTED]),
        ("msdynci_segmentmemberships?$filter=contains(msdynci_segments,'\\\"Gold\\\"')", &[KNOWN]),
        ("msdynci_segmentmemberships?$filter=contains(msdynci_segments,'\"Go\"')", none),
        (
            "msdynci_segmentmemberships?$filter=contains(msdynci_segments,%27%22rich%22%27)",
            &[IMPORTED, KNOWN],
        ),
        ("msdynci_segmentmemberships", &[IMPORTED, KNOWN]),
        ("msdynci_customermeasures?$filter=Measures/LifetimeValue eq 1250.5", &[KNOWN]),
        ("msdynci_alternatekeys?$filter=msdynci_alternatevalue eq 'Loyalty2'", &[IMPORTED]),
        ("msdynci_alternatekeys?$orderby=msdynci_alternatevalue desc", &[IMPORTED, KNOWN]),
        ("msdynci_personalizationcookies", &[UNKNOWN, "x"]),
        ("msdynci_personalizationusers?$filter=msdynci_userauthid eq 'Loyalty1'", &[UNKNOWN]),
        ("Customer?$filter=customerid in ('x','0123456789abcdef0123456789abcdef')", &[KNOWN]),
        ("Customer?$filter=LoyaltySignUps_LoyaltyId eq 'Loyalty1'&IsMemberOfSegment('Gold')", &[KNOWN]),
        ("Customer?select=*&$filter=IsMemberOfSegment('Gold')&$top=10", &[KNOWN]),
        ("Customer?IsMemberOfSegment('Rich')", &[IMPORTED, KNOWN]),
        ("Customer_Measure?$filter=CustomerId eq 'x'", none),
    ] {
        assert_eq!(found(text), expected, "{text}");
    }
}

const BY_HAND: [&str; 12] = [
    "msdynci_unifiedactivities",
    "msdynci_unifiedactivities?$filter=msdynci_activitytype eq 'view'",
    "msdynci_unifiedactivities?$filter=msdynci_activitytypedisplay eq 'order_completed' and msdynci_activitytime gt 2020-01-01T00:00:00Z",
    "msdynci_unifiedactivities?$orderby=msdynci_activitytime asc",
    "msdynci_unifiedactivities?$orderby=msdynci_activityname,msdynci_title desc",
    "msdynci_unifiedactivities?$filter=Properties/total gt 100",
    "msdynci_unifiedactivities?$filter=contains(msdynci_semanticdata,'kind')",
    "msdynci_personalizationviews?$filter=msdynci_hostdomain eq 'shop.example' and msdynci_sessiondurationms eq 1001",
    "msdynci_personalizationactions?$filter=msdynci_actiontype eq 'LClick' and msdynci_actionisoutbound eq false",
    "msdynci_personalizationactions?$filter=msdynci_actionelapsedtimems ge 12&$orderby=msdynci_actionname",
    "msdynci_personalizationviews?$filter=msdynci_userauthid eq 'Loyalty1'",
    "UnifiedActivity?$filter=length(Title) ge 1 and year(ActivityTime) eq 2026",
];

#[test]
fn an_object_answers_what_the_index_answers() {
    let (index, object) = (index(), object());
    let person = listed(
        &index,
        &asked("msdynci_customerprofiles?$filter=msdynci_known eq true and msdynci_spend gt 100").unwrap(),
    );
    let person = &person[0].0;
    for text in BY_HAND {
        let question = asked(text).unwrap_or_else(|fault| panic!("{text}: {fault}"));
        let of_index: Vec<Value> = listed(&index, &question)
            .into_iter()
            .map(|(record, _)| json!([record.value(&model::Source::Id), record.signal.unwrap().title]))
            .collect();
        let page = sql::page(&question, Store::Object(person), NOW).unwrap();
        let columns = "json_array(r0.stream, r0.seq, r0.time, r0.type, json(r0.fields))";
        let text_of = format!("SELECT {columns} {}", page.tail);
        let of_object = rows(&object, &Statement { text: text_of, parameters: page.parameters });
        let of_object: Vec<Value> = of_object
            .iter()
            .map(|row| {
                let signal = serde_json::from_value(json!({ "stream": row[0], "seq": row[1], "time": row[2],
                    "kind": row[3], "fields": row[4] }))
                .unwrap();
                let record = person.with(UNKNOWN.to_owned(), &signal);
                json!([record.value(&model::Source::Id), record.value(&model::Source::Title)])
            })
            .collect();
        assert!(!of_index.is_empty(), "{text} finds nothing");
        assert_eq!(of_index, of_object, "{text}");
        let counts = [(&index, Store::Index), (&object, Store::Object(person))]
            .map(|(database, store)| rows(database, &sql::count(&question, store, NOW).unwrap()));
        assert_eq!(counts[0], counts[1], "{text}");
        assert_eq!(counts[0][0], of_index.len(), "{text}");
    }
}

#[test]
fn every_column_filters_sorts_and_groups_as_its_value_says() {
    let index = index();
    for set in Set::ALL {
        let name = set.name(Dialect::Current);
        let all = listed(&index, &asked(&name).unwrap());
        for column in model::columns(set, &bundle()) {
            let own = column.name(Dialect::Current);
            let one = &all[0].0;
            let literal = match one.value(&column.source) {
                Value::Null => "null".to_owned(),
                Value::String(text) if column.edm == model::Edm::Time => text,
                Value::String(text) => format!("'{}'", text.replace('\'', "''")),
                Value::Array(_) => continue,
                other => other.to_string(),
            };
            let filter =
                literal.replace('%', "%25").replace('#', "%23").replace('&', "%26").replace('+', "%2B");
            let question = asked(&format!("{name}?$filter={own} eq {filter}&$orderby={own} desc")).unwrap();
            let statement = sql::page(&question, Store::Index, NOW);
            if column.source == model::Source::Cookie && set.is_of_activities() {
                assert_eq!(statement.unwrap_err().code, "query_too_costly");
                continue;
            }
            let expected = all
                .iter()
                .filter(|(other, _)| other.value(&column.source) == one.value(&column.source))
                .count();
            assert_eq!(listed(&index, &question).len(), expected, "{name} {own} eq {literal}");
            let question =
                asked(&format!("{name}?$apply=groupby(({own}),aggregate($count as n,{own} with max as m))"))
                    .unwrap();
            let apply = question.apply.as_ref().unwrap();
            let groups = rows(&index, &sql::aggregates(&question, apply, Store::Index, NOW).unwrap());
            assert_eq!(
                groups.iter().map(|group| group[1].as_u64().unwrap()).sum::<u64>(),
                all.len() as u64,
                "{name} {own}"
            );
        }
    }
}

#[test]
fn pages_hold_each_row_once_in_any_order() {
    let index = index();
    for n in 0..40 {
        let body = json!({ "cookieIds": [], "attributes": { "FirstName": if n % 3 == 0 { Value::Null } else { json!(format!("N{}", n % 5)) }, "Spend": n % 7 }, "segments": [], "measures": {} });
        index
            .execute(
                "INSERT INTO customer VALUES (?1, 't', 1, 0, 1, NULL, NULL, 0, '', ?2, NULL, 0)",
                (format!("{n:032x}9"), body.to_string()),
            )
            .unwrap();
    }
    for order in [
        "",
        "&$orderby=msdynci_firstname",
        "&$orderby=msdynci_firstname desc,msdynci_spend",
        "&$orderby=msdynci_customerid desc",
        "&$orderby=msdynci_lastseen desc,msdynci_firstname desc",
    ] {
        let all: Vec<String> = found(&format!("msdynci_customerprofiles?{order}"));
        let (mut behind, mut seen): (Option<Vec<Value>>, Vec<String>) = (None, Vec::new());
        let whole: Vec<String> =
            listed(&index, &asked(&format!("msdynci_customerprofiles?{order}")).unwrap())
                .into_iter()
                .map(|(record, _)| record.customer)
                .collect();
        loop {
            let mut question = asked(&format!("msdynci_customerprofiles?{order}")).unwrap();
            question.page = 7;
            question.behind = behind.take();
            let page = listed(&index, &question);
            seen.extend(page.iter().take(7).map(|(record, _)| record.customer.clone()));
            if page.len() <= 7 {
                break;
            }
            behind = Some(page[6].1.clone());
        }
        assert_eq!(seen, whole, "{order}");
        assert_eq!(all.len(), 3);
        assert_eq!(seen.len(), 43);
    }
}

#[test]
fn what_is_listed_page_by_page_is_not_sorted_as_a_whole() {
    let index = index();
    for text in [
        "msdynci_customerprofiles",
        "msdynci_unifiedactivities",
        "msdynci_alternatekeys",
        "msdynci_unifiedactivities?$orderby=msdynci_activitytime asc",
        "msdynci_customermeasures",
    ] {
        let mut question = asked(text).unwrap();
        question.behind = listed(&index, &question).first().map(|(_, place)| place.clone());
        let statement = sql::page(&question, Store::Index, NOW).unwrap().of_index(question.set);
        let mut plan = index.prepare(&format!("EXPLAIN QUERY PLAN {}", statement.text)).unwrap();
        let steps: Vec<String> = plan
            .query_map(params_from_iter(bound(&statement.parameters)), |row| row.get(3))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        let steps = steps.join("\n");
        assert!(!steps.contains("TEMP B-TREE"), "{text}\n{steps}");
        let whole =
            ["SCAN c ", "SCAN c\n", "SCAN i ", "SCAN i\n", "SCAN k0", "SCAN activity", "SCAN imported_row"];
        assert!(!whole.iter().any(|scan| steps.contains(scan)), "{text}\n{steps}");
    }
}

#[test]
fn what_stands_in_quotes_is_data() {
    let index = index();
    for evil in [
        "'' OR 1=1 --",
        "x'') --",
        "%3B DROP TABLE customer%3B",
        "/* */",
        "?1",
        "%00",
        "\"; --",
        "\\",
        "$.x",
        "''''",
    ] {
        for set in Set::ALL {
            let name = set.name(Dialect::Current);
            for column in
                model::columns(set, &bundle()).iter().filter(|column| column.edm == model::Edm::Text)
            {
                let own = column.name(Dialect::Current);
                for filter in [
                    format!("{own} eq '{evil}'"),
                    format!("contains({own},'{evil}')"),
                    format!("{own} in ('{evil}','a')"),
                    format!("tolower({own}) eq '{evil}'"),
                ] {
                    let question = asked(&format!("{name}?$filter={filter}")).unwrap();
                    let _ = listed(&index, &question);
                }
            }
        }
    }
    for evil in ["Properties/x'y", "Measures/x'y", "msdynci_spend;--", "1", "msdynci_spend--", "(select 1)"] {
        for option in ["$select", "$orderby", "$expand", "$apply"] {
            assert!(asked(&format!("msdynci_customerprofiles?{option}={evil}")).is_err(), "{option}={evil}");
        }
    }
    let property = asked("msdynci_unifiedactivities?$orderby=Properties/a\"b'c").unwrap();
    assert_eq!(listed(&index, &property).len(), 4);
    assert_eq!(found("msdynci_customerprofiles").len(), 3);
}

#[test]
fn a_question_has_bounds() {
    for (text, code) in [
        (format!("msdynci_customerprofiles?$filter={}", "x".repeat(4097)), "invalid_filter"),
        (format!("msdynci_customerprofiles?$filter={}msdynci_known", "not ".repeat(21)), "invalid_filter"),
        (
            format!("msdynci_customerprofiles?$filter={}", vec!["msdynci_known eq true"; 60].join(" or ")),
            "invalid_filter",
        ),
        ("msdynci_customerprofiles?$top=-1".to_owned(), "invalid_query"),
        ("msdynci_customerprofiles?$skip=200001".to_owned(), "invalid_query"),
        ("msdynci_customerprofiles?$count=yes".to_owned(), "invalid_query"),
        (format!("msdynci_customerprofiles?$orderby={}", ["msdynci_known"; 9].join(",")), "invalid_query"),
        ("msdynci_customerprofiles?$skiptoken=AAAA".to_owned(), "invalid_query"),
        ("msdynci_customerprofiles?$format=atom".to_owned(), "invalid_query"),
        ("msdynci_customerprofiles?$filter=msdynci_nope eq 1".to_owned(), "invalid_filter"),
        ("msdynci_unifiedactivities?$search=x".to_owned(), "invalid_query"),
        (
            "msdynci_customerprofiles?$apply=aggregate(msdynci_firstname with sum as x)".to_owned(),
            "invalid_query",
        ),
        (
            "msdynci_customerprofiles?$apply=groupby((msdynci_known))&$filter=msdynci_known".to_owned(),
            "invalid_query",
        ),
        ("msdynci_customerprofiles?$nope=1".to_owned(), "unknown_option"),
    ] {
        assert_eq!(asked(&text).unwrap_err().code, code, "{text:.200}");
    }
    // The longest list of names that a filter can hold still runs.
    let list =
        vec!["'a'"; 90].iter().enumerate().map(|(n, _)| format!("'{n}'")).collect::<Vec<_>>().join(",");
    assert_eq!(found(&format!("msdynci_customerprofiles?$filter=msdynci_firstname in ({list})")).len(), 0);
}

#[test]
fn aggregates_add_up() {
    let index = index();
    let question = asked("msdynci_unifiedactivities?$apply=filter(msdynci_activitytype eq 'order_completed')/groupby((Properties/kind),aggregate(Properties/total with sum as total,$count as n,msdynci_activitytime with max as last))&$orderby=total desc").unwrap();
    let apply = question.apply.as_ref().unwrap();
    let found = rows(&index, &sql::aggregates(&question, apply, Store::Index, NOW).unwrap());
    assert_eq!(found, [json!(["x", 120.5, 1, NOW.0 - 997]), json!(["y", 9, 1, NOW.0 - 996])]);
    assert_eq!(apply.names().collect::<Vec<_>>(), ["Properties/kind", "total", "n", "last"]);
    let question = asked("msdynci_customermeasures?$apply=aggregate(Measures/LifetimeValue with average as mean,msdynci_customerid with countdistinct as n)").unwrap();
    let found = rows(
        &index,
        &sql::aggregates(&question, question.apply.as_ref().unwrap(), Store::Index, NOW).unwrap(),
    );
    assert_eq!(found, [json!([625.25, 3])]);
}

#[test]
fn only_what_searches_is_judged() {
    for (text, judged) in [
        ("msdynci_customerprofiles", 0),
        ("msdynci_customerprofiles?$filter=msdynci_customerid eq 'x'", 0),
        ("msdynci_customerprofiles?$filter=msdynci_tier eq 'x'", 1),
        ("msdynci_customerprofiles?$filter=UnifiedActivity/any()", 2),
        ("msdynci_customerprofiles?$count=true", 1),
        ("msdynci_unifiedactivities?$top=5", 0),
        ("msdynci_unifiedactivities?$filter=msdynci_activitytype eq 'View'", 1),
        ("msdynci_unifiedactivities?$filter=msdynci_customerid in ('a','b')", 0),
    ] {
        assert_eq!(sql::sizes(&asked(text).unwrap(), NOW).len(), judged, "{text}");
    }
    let recent = asked("msdynci_unifiedactivities?$filter=msdynci_activitytime gt now() sub duration'P1D' and msdynci_title eq 'x'").unwrap();
    let size = &sql::sizes(&recent, NOW)[0];
    assert!(
        size.statement.text.contains(&format!("time >= {}", NOW.0 - 86_400_000)),
        "{}",
        size.statement.text
    );
    assert_eq!(rows(&index(), &size.statement), [json!(4)]);
}

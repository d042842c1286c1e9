//! Tables, measures, segments, experiences and activations: one list and one form for all of them, by what
//! is said of each kind here. A form that is refused comes back as it was typed, with the fault in its place.
//! `data-edit` says what a text is, so that the page's script can put an editor beside it (`www/console/edit.js`).

use maud::{Markup, html};
use msci_core::collections::json_object;
use serde_json::{Map, Value, json};

use super::Answer;
use super::ask::Visit;
use super::layout::to;
use super::parts::{
    check, choice, confirmed, done, empty, field, items, lacking, line, note, number, pager, plain, shown,
    table, text,
};
use super::{activations, customers, experiences};
use crate::error::{Error, Result};
use crate::http::encoded;
use crate::platform;
use crate::storage::index;
use msci_core::time::{DAY_MS, Timestamp};

/// How a field is typed, and what of the definition it is.
#[derive(Clone, Copy, PartialEq)]
enum Shape {
    /// A text.
    Line,
    /// A filter over activities, with its fault where it stands.
    Filter,
    /// A filter over customers, likewise.
    Audience,
    /// A truth value.
    Check,
    /// One of these.
    Choice(&'static [&'static str]),
    /// One of the segments.
    Segment,
    /// A list of columns, one a line.
    Columns,
    /// Entered, left, or both.
    Moves,
    /// All of the definition, as JSON.
    Whole,
}

struct Field {
    name: &'static str,
    label: &'static str,
    help: &'static str,
    shape: Shape,
}

struct Kind {
    /// Its part of addresses, here and in the admin API.
    path: &'static str,
    many: &'static str,
    one: &'static str,
    /// What it is for, where there is none yet.
    purpose: &'static str,
    fields: &'static [Field],
}

const AGGREGATES: &[&str] = &["count", "sum", "average", "min", "max", "first", "last", "countDistinct"];

const KINDS: [Kind; 5] = [
    Kind {
        path: "tables",
        many: "Tables",
        one: "table",
        purpose: "A table holds the customers you know, one a row. Its primary key is the id that your site calls them by.",
        fields: &[
            Field {
                name: "primaryKey",
                label: "Primary key",
                help: "The column whose value is the authId of setUser.",
                shape: Shape::Line,
            },
            Field {
                name: "columns",
                label: "Columns",
                help: "The others, one a line: Name: string, number or boolean.",
                shape: Shape::Columns,
            },
            Field {
                name: "caseInsensitiveKey",
                label: "Keys that differ only in case are the same",
                help: "",
                shape: Shape::Check,
            },
        ],
    },
    Kind {
        path: "measures",
        many: "Measures",
        one: "measure",
        purpose: "A measure is a number about each customer that is kept up to date, such as what they spent.",
        fields: &[
            Field {
                name: "aggregate",
                label: "How",
                help: "What is made of the activities.",
                shape: Shape::Choice(AGGREGATES),
            },
            Field {
                name: "property",
                label: "Of which property",
                help: "Such as total. A count needs none.",
                shape: Shape::Line,
            },
            Field {
                name: "filter",
                label: "Over which activities",
                help: "Such as ActivityType eq 'order_completed'. Empty: all.",
                shape: Shape::Filter,
            },
            Field {
                name: "window",
                label: "Of how long until now",
                help: "Such as P30D for thirty days. Empty: of all time.",
                shape: Shape::Line,
            },
        ],
    },
    Kind {
        path: "segments",
        many: "Segments",
        one: "segment",
        purpose: "A segment is a group of customers that a condition describes. They enter and leave by themselves.",
        fields: &[
            Field {
                name: "displayName",
                label: "Shown as",
                help: "In words, for people.",
                shape: Shape::Line,
            },
            Field {
                name: "filter",
                label: "Condition",
                help: "Such as Tier eq 'Gold' and Measures/LifetimeValue ge 1000.",
                shape: Shape::Audience,
            },
            Field { name: "active", label: "Active", help: "", shape: Shape::Check },
        ],
    },
    Kind {
        path: "experiences",
        many: "Experiences",
        one: "experience",
        purpose: "An experience changes pages for those whom a condition holds for.",
        fields: &[Field {
            name: "whole",
            label: "Definition",
            help: "audience is a condition as in segments, or empty for everyone; pages are paths, * stands for anything; \
                   actions are setText, setHtml, setAttribute, append, prepend, before, after, remove and redirect.",
            shape: Shape::Whole,
        }],
    },
    Kind {
        path: "activations",
        many: "Activations",
        one: "activation",
        purpose: "An activation tells another system, by a signed message, who enters or leaves a segment.",
        fields: &[
            Field { name: "segment", label: "Segment", help: "Whose moves are told.", shape: Shape::Segment },
            Field { name: "on", label: "When somebody", help: "", shape: Shape::Moves },
            Field {
                name: "url",
                label: "Address",
                help: "Where messages are posted to, by https.",
                shape: Shape::Line,
            },
            Field {
                name: "secret",
                label: "Secret",
                help: "Signs messages. Empty: the one there is, or else one is made and shown once.",
                shape: Shape::Line,
            },
        ],
    },
];

/// What a new experience begins with.
const EXPERIENCE: &str = "{\n  \"audience\": \"\",\n  \"pages\": [\"/\"],\n  \"changes\": [\n    { \"selector\": \"h1\", \
                          \"action\": \"setText\", \"value\": \"Hello!\" }\n  ],\n  \"holdout\": 0.1,\n  \"active\": true\n}";

fn kind(path: &str) -> Result<&'static Kind> {
    KINDS.iter().find(|kind| kind.path == path).ok_or_else(Error::not_found)
}

impl Kind {
    fn address(&self, name: &str) -> String {
        format!("{}/{}", self.path, encoded(name))
    }
}

pub(super) async fn list(visit: &Visit<'_>, path: &str) -> Result<Answer> {
    let kind = kind(path)?;
    let answer = visit.get(path).await?;
    let sizes = if path == "segments" { index::sizes(visit.env).await? } else { Value::Null };
    let mut rows = Vec::new();
    for definition in items(&answer, "items") {
        let name = text(definition, "name");
        let size = match path {
            "segments" => Some(number(&sizes, name)),
            "tables" => Some(index::count(visit.env, name).await?),
            _ => None,
        };
        rows.push(vec![
            html! { a href=(to(&kind.address(name))) { (name) } },
            html! { (summary(kind, definition)) },
            html! { @if let Some(size) = size { (size) } @else { (state(definition)) } },
        ]);
    }
    let new = format!("new/{path}");
    let make = format!("New {}", kind.one);
    let size = if matches!(path, "segments" | "tables") { "Customers" } else { "State" };
    let body = html! {
        (done(visit))
        @if rows.is_empty() { (lacking(visit, kind.purpose, (&new, &make))) }
        @else {
            (table(kind.many, &["Name", "What", size], &rows))
            @if visit.sees(&new) { p { a.button href=(to(&new)) { (make) } } }
        }
    };
    Ok(Answer::Page(kind.path, kind.many.to_owned(), body))
}

fn state(definition: &Value) -> &'static str {
    if definition.get("active").and_then(Value::as_bool) == Some(false) { "off" } else { "on" }
}

fn summary(kind: &Kind, definition: &Value) -> String {
    let of = |name: &str| definition.get(name).map(plain).filter(|text| !text.is_empty());
    let names = kind.fields.iter().filter(|field| field.shape != Shape::Check).map(|field| field.name);
    let parts: Vec<_> = names.chain(["audience", "pages"]).filter_map(of).collect();
    parts.join(" · ")
}

/// The form for a new one.
pub(super) fn new(visit: &Visit<'_>, path: &str) -> Result<Answer> {
    let kind = kind(path)?;
    if kind.path == "activations" && visit.configuration.definitions.bundle.segments.is_empty() {
        let words = "An activation tells of a segment, and there is none yet.";
        let body = empty(words, Some(("new/segments", "New segment")));
        return Ok(Answer::Page(kind.path, format!("New {}", kind.one), body));
    }
    let start = json!({ "active": true, "on": ["entered", "left"] });
    let typed = |field: &Field| match field.shape {
        Shape::Whole => EXPERIENCE.to_owned(),
        _ => typed_of(field, &start),
    };
    Ok(edited(visit, kind, None, &typed, "", &html! {}))
}

/// One of them: its form, and what has come of it.
pub(super) async fn one(visit: &Visit<'_>, path: &str, name: &str) -> Result<Answer> {
    let kind = kind(path)?;
    let definition = visit.get(&kind.address(name)).await?;
    let typed = |field: &Field| typed_of(field, &definition);
    let below = match path {
        "segments" => members(visit, name, &definition).await?,
        "tables" => rows(visit, name, &definition),
        "experiences" => experiences::below(name),
        "activations" => activations::deliveries(visit, name).await?,
        _ => html! {},
    };
    Ok(edited(visit, kind, Some(name), &typed, "", &below))
}

fn rows(visit: &Visit<'_>, name: &str, definition: &Value) -> Markup {
    html! {
        section.card {
            h2 { "Rows" }
            p { (number(definition, "rows")) " rows are in it." }
            @if visit.sends("tables") { form method="post" enctype="multipart/form-data" action=(to(&format!("tables/{}/rows", encoded(name)))) {
                input type="hidden" name="form" value=(visit.session.form);
                (field("file", "File", "CSV with a header, or JSON Lines, up to 30 MB. Rows with a known key are updated. What is larger goes through the admin API.", &|id, described| html! {
                    input type="file" id=(id) name="file" accept=".csv,.txt,.jsonl,.ndjson,.json" required aria-describedby=(described);
                }))
                button { "Upload" }
            } }
        }
    }
}

/// How many were in a segment at the end of each day, and are now.
async fn sizes(visit: &Visit<'_>, name: &str, now: u64) -> Result<Markup> {
    let today = platform::now().0.div_euclid(DAY_MS);
    let day = |size: &Value| size.get(0).and_then(Value::as_i64).unwrap_or(today);
    let mut sizes = index::sizes_by_day(visit.env, name).await?;
    sizes.retain(|size| day(size) < today);
    if sizes.is_empty() {
        return Ok(
            html! { p.quiet { "Its size is noted once a day, and drawn here from the second day on." } },
        );
    }
    sizes.push(json!([today, now]));
    let rows: Vec<_> = sizes
        .iter()
        .map(|size| {
            let at = Timestamp(day(size).saturating_mul(DAY_MS)).to_rfc3339();
            vec![
                html! { (at.get(..10).unwrap_or_default()) },
                html! { (plain(size.get(1).unwrap_or(&Value::Null))) },
            ]
        })
        .collect();
    Ok(html! {
        section.card {
            h2 { "Size over time" }
            div.chart data-days=(msci_core::json::text(&Value::Array(sizes))) role="img"
                aria-label="Members by day; the numbers stand in the table below." {}
            details { summary { "As numbers" } (table("Members by day", &["Day (UTC)", "Members"], &rows)) }
        }
    })
}

async fn members(visit: &Visit<'_>, name: &str, definition: &Value) -> Result<Markup> {
    let path = format!("segments/{}", encoded(name));
    let token = encoded(&visit.asked("skiptoken"));
    let answer = visit.get(&format!("{path}/members?skiptoken={token}")).await?;
    let customers = items(&answer, "customers");
    let count = number(&answer, "count");
    Ok(html! {
        (sizes(visit, name, count).await?)
        section.card {
            h2 { "Members (" (count) ")" }
            @if let Some(evaluating) = definition.get("evaluating") {
                (note("", &html! {
                    "Customers are being brought to it: " (number(evaluating, "done")) " of "
                    (number(evaluating, "total")) ". " a href=(to("jobs")) { "Jobs" }
                }))
            }
            @if customers.is_empty() { p.quiet { "Nobody is in it." } } @else { (customers::rows(customers)) }
            (pager(visit, &format!("{path}?skiptoken="), &answer))
        }
    })
}

/// A field of a definition as it is typed.
fn typed_of(field: &Field, definition: &Value) -> String {
    let value = definition.get(field.name).unwrap_or(&Value::Null);
    match field.shape {
        Shape::Check => if value == true { "yes" } else { "" }.to_owned(),
        Shape::Columns => {
            let columns = value.as_object().into_iter().flatten();
            columns.map(|(name, kind)| format!("{name}: {}", plain(kind))).collect::<Vec<_>>().join("\n")
        }
        Shape::Whole => serde_json::to_string_pretty(&Value::Object(own(definition))).unwrap_or_default(),
        _ => plain(value),
    }
}

/// A definition without what the API adds to it.
fn own(definition: &Value) -> Map<String, Value> {
    let mut own = definition.as_object().cloned().unwrap_or_default();
    for added in ["name", "members", "evaluating", "rows"] {
        own.remove(added);
    }
    own
}

/// The page with the form, as it is filled, and the fault that it has.
fn edited(
    visit: &Visit<'_>,
    kind: &Kind,
    name: Option<&str>,
    typed: &dyn Fn(&Field) -> String,
    fault: &str,
    below: &Markup,
) -> Answer {
    let action = name.map_or_else(|| kind.path.to_owned(), |name| kind.address(name));
    let controls = kind.fields.iter().map(|field| control(visit, field, &typed(field), fault));
    let body = html! {
        (done(visit))
        @if !fault.is_empty() { (note("bad", &html! { (fault) })) }
        section.card {
            (shown(visit, &action, &html! {
                @if name.is_none() {
                    (line("name", "Name", "Letters, digits, - and _. It stays as it is.", &visit.sent("name")))
                }
                @for control in controls { (control) }
                button { "Save" }
            }))
        }
        (below)
        @if let Some(name) = name.filter(|_| visit.sends(&action)) {
            section.card {
                (confirmed(visit, &format!("{}/delete", kind.address(name)), "Delete", "It cannot be taken back.", &html! {}))
            }
        }
    };
    let title = name.map_or_else(|| format!("New {}", kind.one), str::to_owned);
    Answer::Page(kind.path, title, body)
}

fn control(visit: &Visit<'_>, of: &Field, value: &str, fault: &str) -> Markup {
    let Field { name, label, help, shape } = of;
    let area = |rows: u8, edits: &str| {
        field(name, label, help, &|id, described| {
            html! {
                textarea id=(id) name=(name) rows=(rows) spellcheck="false" aria-describedby=(described)
                    data-edit=(edits) { (value) }
            }
        })
    };
    let named = |name: &str| (name.to_owned(), name.to_owned());
    match shape {
        Shape::Line => line(name, label, help, value),
        Shape::Check => check(name, label, value == "yes"),
        Shape::Choice(of) => {
            choice(name, label, help, &of.iter().map(|name| named(name)).collect::<Vec<_>>(), value)
        }
        Shape::Segment => {
            let segments = visit.configuration.definitions.bundle.segments.keys();
            choice(name, label, help, &segments.map(|name| named(name)).collect::<Vec<_>>(), value)
        }
        Shape::Moves => html! {
            fieldset {
                legend { (label) }
                (check("entered", "Enters it", value.contains("entered")))
                (check("left", "Leaves it", value.contains("left")))
            }
        },
        Shape::Columns => area(6, ""),
        Shape::Whole => area(20, "experience"),
        Shape::Filter => html! { (area(3, "activities")) (marked(value, fault)) },
        Shape::Audience => html! { (area(4, "customers")) (marked(value, fault)) },
    }
}

/// The filter with the place where its fault stands.
fn marked(filter: &str, fault: &str) -> Markup {
    let at = fault.rsplit_once("at position ").and_then(|(_, at)| at.parse::<usize>().ok());
    let Some((before, rest)) = at.and_then(|at| filter.split_at_checked(at)) else { return html! {} };
    // To the end of the word that it stands at; at the end of the text there is none.
    let end =
        rest.char_indices().skip(1).find(|(_, c)| !c.is_alphanumeric()).map_or(rest.len(), |(at, _)| at);
    let (word, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
    let word = if word.is_empty() { "…" } else { word };
    html! { pre.told aria-label="Where the fault stands" { (before) mark { (word) } (after) } }
}

/// What is typed, as a definition; or why it is none.
fn definition(visit: &Visit<'_>, kind: &Kind, old: &Value) -> std::result::Result<Value, String> {
    let mut made = own(old);
    for Field { name, shape, .. } in kind.fields {
        let sent = visit.sent(name);
        made.remove(*name);
        let value = match shape {
            Shape::Whole => {
                return msci_core::strict_json::parse(sent.as_bytes())
                    .map_err(|error| format!("This is not valid JSON: {error}"));
            }
            Shape::Check => (sent == "yes").into(),
            Shape::Columns => Value::Object(columns(&sent)),
            Shape::Moves => {
                ["entered", "left"].into_iter().filter(|name| visit.sent(name) == "yes").collect()
            }
            _ if sent.trim().is_empty() => continue,
            _ => sent.trim().into(),
        };
        made.insert((*name).to_owned(), value);
    }
    Ok(Value::Object(made))
}

fn columns(lines: &str) -> Map<String, Value> {
    let column = |line: &str| {
        let (name, kind) = line.split_once([':', ',']).unwrap_or((line, "string"));
        (name.trim().to_owned(), kind.trim().to_lowercase().into())
    };
    json_object(lines.lines().filter(|line| !line.trim().is_empty()).map(column))
}

/// `POST {kind}` makes one, `POST {kind}/{name}` changes one.
pub(super) async fn save(visit: &Visit<'_>, path: &str, name: Option<&str>) -> Result<Answer> {
    let kind = kind(path)?;
    let typed = |field: &Field| match field.shape {
        Shape::Moves => format!("{} {}", moved(visit, "entered"), moved(visit, "left")),
        _ => visit.sent(field.name),
    };
    let again = |fault: &str| edited(visit, kind, name, &typed, fault, &html! {});
    let chosen = name.map_or_else(|| visit.sent("name").trim().to_owned(), str::to_owned);
    if chosen.is_empty() {
        return Ok(again("It needs a name."));
    }
    let old = match visit.get(&kind.address(&chosen)).await {
        Ok(_) if name.is_none() => return Ok(again("There is one of this name already.")),
        Ok(old) => old,
        Err(error) if error.code() == "not_found" => Value::Null,
        Err(error) => return Err(error),
    };
    let made = match definition(visit, kind, &old) {
        Ok(made) => made,
        Err(fault) => return Ok(again(&fault)),
    };
    match visit.call("PUT", &kind.address(&chosen), Some(&made)).await {
        Ok(answer) if !text(&answer, "secret").is_empty() => Ok(once(kind, &chosen, text(&answer, "secret"))),
        Ok(_) => Ok(Answer::Done(format!("{}?done=saved", kind.address(&chosen)))),
        Err(error) => {
            let (status, _, message) = error.told();
            // What the writer of the form can mend is told beside it.
            if status < 500 {
                Ok(again(&message))
            } else {
                Err(Error::client(status, "unavailable", message))
            }
        }
    }
}

fn moved<'a>(visit: &Visit<'_>, name: &'a str) -> &'a str {
    if visit.sent(name) == "yes" { name } else { "" }
}

/// A secret that nobody is told a second time.
fn once(kind: &Kind, name: &str, secret: &str) -> Answer {
    let body = html! {
        (note("good", &html! { "Saved. This secret signs its messages, and is shown only now." }))
        (super::parts::code("secret", "Secret", secret))
        p { a.button href=(to(&kind.address(name))) { "Go on" } }
    };
    Answer::Page(kind.path, name.to_owned(), body)
}

pub(super) async fn delete(visit: &Visit<'_>, path: &str, name: &str) -> Result<Answer> {
    let kind = kind(path)?;
    visit.call("DELETE", &kind.address(name), None).await?;
    Ok(Answer::Done(format!("{path}?done=deleted")))
}

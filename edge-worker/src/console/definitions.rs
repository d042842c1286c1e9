//! Tables, measures, segments, experiences and activations: one list and one form for all of them, by what
//! `kinds.rs` says of each. A form that is refused comes back as it was typed, with the fault in its place.
//! `data-edit` says what a text is, so that the page's script can put an editor beside it (`www/console/edit.js`).

use maud::{Markup, Render, html};
use msci_core::collections::json_object;
use serde_json::{Map, Value, json};

use super::Answer;
use super::ask::Visit;
use super::kinds::{Field, Kind, Shape, kind};
use super::layout::to;
use super::parts::{
    check, choice, confirmed, done, empty, field, items, lacking, line, note, number, pager, plain, shown,
    table, text,
};
use super::texts::{activations as tells, columns, common, definitions as say, layout, segments, tables};
use super::{activations, customers, experiences};
use crate::error::{Error, Result};
use crate::http::encoded;
use crate::platform;
use crate::storage::index;
use msci_core::time::{DAY_MS, Timestamp};

/// What a new experience begins with.
const EXPERIENCE: &str = "{\n  \"audience\": \"\",\n  \"pages\": [\"/\"],\n  \"changes\": [\n    { \"selector\": \"h1\", \
                          \"action\": \"setText\", \"value\": \"Hello!\" }\n  ],\n  \"holdout\": 0.1,\n  \"active\": true\n}";

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
    let size = if matches!(path, "segments" | "tables") { columns::CUSTOMERS } else { columns::STATE };
    let body = html! {
        (done(visit))
        @if rows.is_empty() { (lacking(visit, kind.purpose, (&new, kind.new))) }
        @else {
            (table(kind.many, &[columns::NAME, columns::WHAT, size], &rows))
            @if visit.sees(&new) { p { a.button href=(to(&new)) { (kind.new) } } }
        }
    };
    Ok(Answer::Page(kind.path, kind.many.render(), body))
}

fn state(definition: &Value) -> &'static str {
    if definition.get("active").and_then(Value::as_bool) == Some(false) { say::OFF } else { say::ON }
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
        let body = empty(tells::NO_SEGMENT, Some(("new/segments", segments::NEW)));
        return Ok(Answer::Page(kind.path, kind.new.render(), body));
    }
    let start = json!({ "active": true, "on": ["entered", "left"] });
    let typed = |field: &Field| match field.shape {
        Shape::Whole => EXPERIENCE.to_owned(),
        _ => typed_of(field, &start),
    };
    Ok(edited(visit, kind, None, &typed, None, &html! {}))
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
    Ok(edited(visit, kind, Some(name), &typed, None, &below))
}

fn rows(visit: &Visit<'_>, name: &str, definition: &Value) -> Markup {
    html! {
        section.card {
            h2 { (tables::ROWS) }
            p { (tables::RowCount { count: number(definition, "rows") }) }
            @if visit.sends("tables") { form method="post" enctype="multipart/form-data" action=(to(&format!("tables/{}/rows", encoded(name)))) {
                input type="hidden" name="form" value=(visit.session.form);
                (field("file", tables::FILE, tables::FILE_HELP, &|id, described| html! {
                    input type="file" id=(id) name="file" accept=".csv,.txt,.jsonl,.ndjson,.json" required aria-describedby=(described);
                }))
                button { (tables::UPLOAD) }
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
        return Ok(html! { p.quiet { (segments::SIZE_LATER) } });
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
            h2 { (segments::SIZE) }
            div.chart data-days=(msci_core::json::text(&Value::Array(sizes))) role="img"
                aria-label=(common::Drawn { what: &segments::BY_DAY }) {}
            details { summary { (common::AS_NUMBERS) } (table(segments::BY_DAY, &[columns::DAY, columns::MEMBERS], &rows)) }
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
            h2 { (segments::Members { number: &count }) }
            @if let Some(evaluating) = definition.get("evaluating") {
                (note("", &html! {
                    (segments::Evaluating { done: &number(evaluating, "done"), total: &number(evaluating, "total") })
                    " " a href=(to("jobs")) { (layout::JOBS) }
                }))
            }
            @if customers.is_empty() { p.quiet { (segments::NOBODY) } } @else { (customers::rows(customers)) }
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

/// Why a form is refused, and where in its filter the reason stands.
struct Fault {
    words: Markup,
    at: Option<usize>,
}

impl Fault {
    fn of(words: &dyn Render) -> Self {
        Self { words: words.render(), at: None }
    }

    /// As the admin API tells it.
    fn told(message: &str) -> Self {
        let at = message.rsplit_once("at position ").and_then(|(_, at)| at.parse().ok());
        Self { words: message.render(), at }
    }
}

/// The page with the form, as it is filled, and the fault that it has.
fn edited(
    visit: &Visit<'_>,
    kind: &Kind,
    name: Option<&str>,
    typed: &dyn Fn(&Field) -> String,
    fault: Option<&Fault>,
    below: &Markup,
) -> Answer {
    let action = name.map_or_else(|| kind.path.to_owned(), |name| kind.address(name));
    let controls = kind.fields.iter().map(|field| control(visit, field, &typed(field), fault));
    let body = html! {
        (done(visit))
        @if let Some(fault) = fault { (note("bad", &fault.words)) }
        section.card {
            (shown(visit, &action, &html! {
                @if name.is_none() {
                    (line("name", say::NAME, say::NAME_HELP, &visit.sent("name")))
                }
                @for control in controls { (control) }
                button { (common::SAVE) }
            }))
        }
        (below)
        @if let Some(name) = name.filter(|_| visit.sends(&action)) {
            section.card {
                (confirmed(visit, &format!("{}/delete", kind.address(name)), say::DELETE, say::DELETE_FINAL, &html! {}))
            }
        }
    };
    let title = name.unwrap_or(kind.new).render();
    Answer::Page(kind.path, title, body)
}

fn control(visit: &Visit<'_>, of: &Field, value: &str, fault: Option<&Fault>) -> Markup {
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
    let at = fault.and_then(|fault| fault.at);
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
                (check("entered", tells::ENTERS, value.contains("entered")))
                (check("left", tells::LEAVES, value.contains("left")))
            }
        },
        Shape::Columns => area(6, ""),
        Shape::Whole => area(20, "experience"),
        Shape::Filter => html! { (area(3, "activities")) (marked(value, at)) },
        Shape::Audience => html! { (area(4, "customers")) (marked(value, at)) },
    }
}

/// The filter with the place where its fault stands.
fn marked(filter: &str, at: Option<usize>) -> Markup {
    let Some((before, rest)) = at.and_then(|at| filter.split_at_checked(at)) else { return html! {} };
    // To the end of the word that it stands at; at the end of the text there is none.
    let end =
        rest.char_indices().skip(1).find(|(_, c)| !c.is_alphanumeric()).map_or(rest.len(), |(at, _)| at);
    let (word, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
    let word = if word.is_empty() { "…" } else { word };
    html! { pre.told aria-label=(say::FAULT_PLACE) { (before) mark { (word) } (after) } }
}

/// What is typed, as a definition; or why it is none.
fn definition(visit: &Visit<'_>, kind: &Kind, old: &Value) -> std::result::Result<Value, Fault> {
    let mut made = own(old);
    for Field { name, shape, .. } in kind.fields {
        let sent = visit.sent(name);
        made.remove(*name);
        let value = match shape {
            Shape::Whole => {
                return msci_core::strict_json::parse(sent.as_bytes())
                    .map_err(|error| Fault::of(&say::NoJson { error: &error.to_string() }));
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
    let again = |fault: Fault| edited(visit, kind, name, &typed, Some(&fault), &html! {});
    let chosen = name.map_or_else(|| visit.sent("name").trim().to_owned(), str::to_owned);
    if chosen.is_empty() {
        return Ok(again(Fault::of(&say::NEEDS_NAME)));
    }
    let old = match visit.get(&kind.address(&chosen)).await {
        Ok(_) if name.is_none() => return Ok(again(Fault::of(&say::NAME_TAKEN))),
        Ok(old) => old,
        Err(error) if error.code() == "not_found" => Value::Null,
        Err(error) => return Err(error),
    };
    let made = match definition(visit, kind, &old) {
        Ok(made) => made,
        Err(fault) => return Ok(again(fault)),
    };
    match visit.call("PUT", &kind.address(&chosen), Some(&made)).await {
        Ok(answer) if !text(&answer, "secret").is_empty() => Ok(once(kind, &chosen, text(&answer, "secret"))),
        Ok(_) => Ok(Answer::Done(format!("{}?done=saved", kind.address(&chosen)))),
        Err(error) => {
            let (status, _, message) = error.told();
            // What the writer of the form can mend is told beside it.
            if status < 500 {
                Ok(again(Fault::told(&message)))
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
        (note("good", &tells::SECRET_ONCE.render()))
        (super::parts::code("secret", tells::SECRET, secret))
        p { a.button href=(to(&kind.address(name))) { (common::GO_ON) } }
    };
    Answer::Page(kind.path, name.render(), body)
}

pub(super) async fn delete(visit: &Visit<'_>, path: &str, name: &str) -> Result<Answer> {
    let kind = kind(path)?;
    visit.call("DELETE", &kind.address(name), None).await?;
    Ok(Answer::Done(format!("{path}?done=deleted")))
}

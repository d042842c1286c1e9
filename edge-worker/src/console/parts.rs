//! What pages are made of: one table, one form, one list of pages, one way to say that there is nothing.

use maud::{Markup, html};
use msci_core::json;
use msci_core::time::Timestamp;
use serde_json::Value;

use super::ask::Visit;
use super::layout::to;
use super::texts::{common as say, done as has};
use crate::http::encoded;

/// A member that is text; empty where it is not.
pub(super) fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// A member that is a list.
pub(super) fn items<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// A member that is a number; 0 where it is not.
pub(super) fn number(value: &Value, name: &str) -> u64 {
    value.get(name).and_then(Value::as_u64).unwrap_or(0)
}

/// Any value, for people.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => json::text(other),
    }
}

/// A value that may be an address. What signals say is an address leads somewhere only if it is one of the web.
pub(super) fn linked(value: &Value) -> Markup {
    let shown = plain(value);
    let web = shown.starts_with("https://") || shown.starts_with("http://");
    html! { @if web { a href=(shown) rel="noopener noreferrer nofollow" { (shown) } } @else { (shown) } }
}

/// An instant: RFC 3339, or milliseconds.
pub(super) fn time(value: Option<&Value>) -> Markup {
    let text = match value {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(ms)) => ms.as_i64().map(|ms| Timestamp(ms).to_rfc3339()).unwrap_or_default(),
        _ => return html! { span.quiet { (say::NEVER) } },
    };
    let minutes = text.get(..16).unwrap_or(&text).replace('T', " ");
    html! { time datetime=(text) { (say::Time { time: &minutes }) } }
}

/// A table that scrolls by itself where it is too wide.
pub(super) fn table(name: &str, head: &[&str], rows: &[Vec<Markup>]) -> Markup {
    headed(name, &html! { @for name in head { th scope="col" { (name) } } }, rows)
}

/// The same, with heads of its own.
pub(super) fn headed(name: &str, head: &Markup, rows: &[Vec<Markup>]) -> Markup {
    html! {
        div.scroll role="region" aria-label=(name) tabindex="0" {
            table {
                thead { tr { (head) } }
                tbody { @for row in rows { tr { @for cell in row { td { (cell) } } } } }
            }
        }
    }
}

/// Names and values.
pub(super) fn pairs(of: &[(String, Markup)]) -> Markup {
    html! { dl.pairs { @for (name, value) in of { dt { (name) } dd { (value) } } } }
}

/// There is nothing, and this is what to do next, if it is for whoever visits.
pub(super) fn lacking(visit: &Visit<'_>, words: &str, next: (&str, &str)) -> Markup {
    empty(words, Some(next).filter(|(path, _)| visit.sees(path)))
}

/// There is nothing, and this is what to do next.
pub(super) fn empty(words: &str, next: Option<(&str, &str)>) -> Markup {
    html! {
        div.card.empty {
            p { (words) }
            @if let Some((path, name)) = next { a.button href=(to(path)) { (name) } }
        }
    }
}

/// A remark: `warn`, `bad`, `good`, or none of these.
pub(super) fn note(kind: &str, words: &Markup) -> Markup {
    let role = if kind == "bad" { "alert" } else { "status" };
    html! { div class={ "note " (kind) } role=(role) { p { (words) } } }
}

/// What the page before has done.
pub(super) fn done(visit: &Visit<'_>) -> Markup {
    let words = match visit.asked("done").as_str() {
        "saved" => has::SAVED,
        "deleted" => has::DELETED,
        "unlinked" => has::UNLINKED,
        "replayed" => has::REPLAYED,
        "cancelled" => has::CANCELLED,
        "removed" => has::REMOVED,
        "erasing" => has::ERASING,
        _ => return html! {},
    };
    note("good", &html! { (words) })
}

/// Views of the same thing: address, name, whether it is the one.
pub(super) fn tabs(label: &str, views: &[(String, String, bool)]) -> Markup {
    html! {
        nav.tabs aria-label=(label) {
            @for (path, name, here) in views {
                a href=(to(path)) aria-current=[here.then_some("page")] { (name) }
            }
        }
    }
}

/// From page to page of a list; `path` ends where the token belongs.
pub(super) fn pager(visit: &Visit<'_>, path: &str, answer: &Value) -> Markup {
    let first = path.trim_end_matches("skiptoken=").trim_end_matches(['&', '?']);
    let next = text(answer, "skiptoken");
    let beyond = !visit.asked("skiptoken").is_empty();
    html! {
        @if beyond || !next.is_empty() {
            nav.pager aria-label=(say::PAGES) {
                @if beyond { a.button.plain href=(to(first)) { (say::FIRST_PAGE) } }
                @if !next.is_empty() { a.button.plain href=(to(&format!("{path}{}", encoded(next)))) rel="next" { (say::NEXT_PAGE) } }
            }
        }
    }
}

/// A form of this session; nothing where it is not for whoever visits.
pub(super) fn form(visit: &Visit<'_>, action: &str, body: &Markup) -> Markup {
    html! {
        @if visit.sends(action) { (shown(visit, action, body)) }
    }
}

/// The same, for what it shows: who may not send it sees what is in it.
pub(super) fn shown(visit: &Visit<'_>, action: &str, body: &Markup) -> Markup {
    if !visit.sends(action) {
        return html! {
            fieldset.still disabled { (body) }
            p.quiet { (say::LookOnly { role: &visit.caller.role.name() }) }
        };
    }
    html! {
        form method="post" action=(to(action)) {
            input type="hidden" name="form" value=(visit.session.form);
            (body)
        }
    }
}

/// Something that cannot be taken back: asked about before it is done.
pub(super) fn confirmed(
    visit: &Visit<'_>,
    action: &str,
    verb: &str,
    question: &str,
    fields: &Markup,
) -> Markup {
    html! {
        @if visit.sends(action) {
            details {
                summary { (verb) "…" }
                p { (question) }
                (form(visit, action, &html! { (fields) button.bad { (verb) } }))
            }
        }
    }
}

/// A code to copy.
pub(super) fn code(id: &str, title: &str, text: &str) -> Markup {
    html! {
        p.title #{ (id) "-title" } { (title) }
        pre #(id) tabindex="0" role="region" aria-labelledby={ (id) "-title" } { (text) }
        p { button.plain type="button" data-copy=(id) aria-label=(say::CopyOf { what: &title }) { (say::COPY) } }
    }
}

/// A field with its label, what it means, and what is in it.
pub(super) fn field(name: &str, label: &str, help: &str, control: &dyn Fn(&str, &str) -> Markup) -> Markup {
    let id = format!("f-{name}");
    let described = format!("{id}-help");
    html! {
        div.field {
            label for=(id) { (label) }
            (control(&id, &described))
            span.help id=(described) { (help) }
        }
    }
}

/// One of several: value and name.
pub(super) fn choice(name: &str, label: &str, help: &str, of: &[(String, String)], chosen: &str) -> Markup {
    field(name, label, help, &|id, described| {
        html! {
            select id=(id) name=(name) aria-describedby=(described) {
                @for (value, words) in of { option value=(value) selected[value == chosen] { (words) } }
            }
        }
    })
}

/// One line.
pub(super) fn line(name: &str, label: &str, help: &str, value: &str) -> Markup {
    field(name, label, help, &|id, described| {
        html! { input id=(id) name=(name) value=(value) aria-describedby=(described) autocomplete="off"; }
    })
}

/// Yes or no.
pub(super) fn check(name: &str, label: &str, value: bool) -> Markup {
    let id = format!("f-{name}");
    html! {
        div.field.check {
            input type="checkbox" id=(id) name=(name) value="yes" checked[value];
            label for=(id) { (label) }
        }
    }
}

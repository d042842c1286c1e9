//! The consent log: what somebody agreed to and refused, in which browser, when, and who said so.

use maud::{Markup, Render as _, html};
use serde_json::Value;

use super::Answer;
use super::ask::Visit;
use super::layout::to;
use super::parts::{choice, empty, items, line, note, pager, plain, table, text, time};
use super::texts::{columns, consents as say, privacy};
use super::work;
use crate::error::Result;
use crate::http::encoded;

pub(super) async fn show(visit: &Visit<'_>) -> Result<Answer> {
    let (kind, id) = (visit.asked("kind"), visit.asked("id"));
    let path = format!("{}={}", encoded(&kind), encoded(id.trim()));
    let token = encoded(&visit.asked("skiptoken"));
    let found = match id.trim() {
        "" => html! {},
        _ => match visit.get(&format!("privacy/consents?{path}&skiptoken={token}")).await {
            Ok(log) => {
                decisions(visit, &format!("consents?kind={}&id={}", encoded(&kind), encoded(&id)), &log)
            }
            Err(error) if error.status() < 500 => note("bad", &html! { (error.told().2) }),
            Err(error) => return Err(error),
        },
    };
    let body = html! {
        section.card {
            h2 { (columns::WHOSE) }
            form method="get" role="search" action=(to("consents")) {
                (choice("kind", privacy::KIND, say::KIND_HELP, &work::names(), &kind))
                (line("id", privacy::ID, privacy::ID_HELP, &id))
                button { (say::SHOW) }
            }
        }
        (found)
    };
    Ok(Answer::Page("privacy", say::TITLE.render(), body))
}

fn decisions(visit: &Visit<'_>, path: &str, log: &Value) -> Markup {
    let rows: Vec<_> = items(log, "consents")
        .iter()
        .map(|consent| {
            let purposes = consent.get("purposes").and_then(Value::as_object);
            let said = purposes.into_iter().flatten();
            let said: Vec<_> = said.map(|(purpose, said)| format!("{purpose}: {}", plain(said))).collect();
            let by = if text(consent, "source") == "server" { say::SERVER } else { say::PAGE };
            vec![
                time(consent.get("time")),
                html! { (said.join(", ")) },
                html! { (by) },
                html! { code { (text(consent, "cookieId")) } },
            ]
        })
        .collect();
    let customer = text(log, "customerId");
    html! {
        p { a href=(to(&format!("customers/{customer}"))) { (say::PERSON) } }
        @if rows.is_empty() {
            (empty(say::NONE, None))
        } @else {
            p.quiet { (say::MEANS) }
            (table(say::TITLE, &[columns::WHEN, say::DECIDED, say::SAID_BY, columns::BROWSER], &rows))
        }
        (pager(visit, &format!("{path}&skiptoken="), log))
    }
}

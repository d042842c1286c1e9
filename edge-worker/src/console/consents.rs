//! The consent log: what somebody agreed to and refused, in which browser, when, and who said so.

use maud::{Markup, html};
use serde_json::Value;

use super::Answer;
use super::ask::Visit;
use super::layout::to;
use super::parts::{choice, empty, items, line, note, pager, plain, table, text, time};
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
            h2 { "Whose" }
            form method="get" role="search" action=(to("consents")) {
                (choice("kind", "Who is known by", "Of a browser that belongs to a customer, all of the customer's browsers are shown.", &work::names(), &kind))
                (line("id", "Id", "As it stands on the customer's page.", &id))
                button { "Show" }
            }
        }
        (found)
    };
    Ok(Answer::Page("privacy", "Consent log".to_owned(), body))
}

fn decisions(visit: &Visit<'_>, path: &str, log: &Value) -> Markup {
    let rows: Vec<_> = items(log, "consents")
        .iter()
        .map(|consent| {
            let purposes = consent.get("purposes").and_then(Value::as_object);
            let said = purposes.into_iter().flatten();
            let said: Vec<_> = said.map(|(purpose, said)| format!("{purpose}: {}", plain(said))).collect();
            let by = if text(consent, "source") == "server" { "Your server" } else { "The page" };
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
        p { a href=(to(&format!("customers/{customer}"))) { "All there is about this person" } }
        @if rows.is_empty() {
            (empty("Nothing was agreed to or refused here. A refusal from before anything was kept is not kept either.", None))
        } @else {
            p.quiet { "Newest first. At each purpose the newest decision holds; they do not age, and go with the person." }
            (table("Consent log", &["When", "What was decided", "Said by", "Browser"], &rows))
        }
        (pager(visit, &format!("{path}&skiptoken="), log))
    }
}

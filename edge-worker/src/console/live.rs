//! Signals with their verdicts, as they arrive. Without scripts it is what came last; loading it again goes on.

use maud::{Render as _, html};
use serde_json::Value;

use super::Answer;
use super::ask::Visit;
use super::layout::to;
use super::parts::{plain, table, tabs, text, time};
use super::texts::{columns, layout, live as say};
use crate::access::audit;
use crate::calls;
use crate::error::Result;
use crate::platform::now;

/// Where the page's script listens.
pub(super) const EVENTS: &str = "live/events";

const TYPES: [(&str, &str); 6] = [
    ("", say::ALL),
    ("view", say::VIEWS),
    ("action", say::ACTIONS),
    ("event", say::EVENTS),
    ("user", say::USERS),
    ("consent", say::CONSENTS),
];
const HEAD: [&str; 5] = [columns::WHEN, columns::TYPE, columns::WHAT, columns::VERDICT, columns::WHOSE];

pub(super) async fn show(visit: &Visit<'_>) -> Result<Answer> {
    let kind = visit.asked("type");
    let path = |kind: &str| if kind.is_empty() { "live".to_owned() } else { format!("live?type={kind}") };
    let views: Vec<_> =
        TYPES.iter().map(|(its, words)| (path(its), (*words).to_owned(), *its == kind)).collect();
    let entry = audit::entry(Some(&visit.caller), "GET", "live", 200);
    audit::counted(visit.env, entry, now()).await;
    let told = calls::watch(visit.env, 0).await?;
    let last = told.get(0).map(plain).unwrap_or_default();
    let signals = told.get(1).and_then(Value::as_array).into_iter().flatten();
    let shown = signals.rev().filter(|signal| kind.is_empty() || text(signal, "type") == kind);
    let rows: Vec<_> = shown
        .map(|signal| {
            let customer = text(signal, "customerId");
            vec![
                time(signal.get("at")),
                html! { (text(signal, "type")) },
                html! { (what(signal)) },
                html! { (text(signal, "verdict")) },
                html! { a href=(to(&format!("customers/{customer}"))) { (customer.get(..8).unwrap_or(customer)) } },
            ]
        })
        .collect();
    let body = html! {
        (tabs(say::TYPES, &views))
        div #live data-events=(to(EVENTS)) data-last=(last) data-type=(kind) data-customers=(to("customers/")) {
            p #waiting role="status" { (say::WATCHING) }
            p { button.plain #pause type="button" hidden aria-pressed="false" { (say::PAUSE) } }
            (table(say::SIGNALS, &HEAD, &rows))
        }
    };
    Ok(Answer::Page("live", layout::LIVE.render(), body))
}

fn what(signal: &Value) -> &str {
    let name = text(signal, "name");
    if name.is_empty() { text(signal, "uri") } else { name }
}

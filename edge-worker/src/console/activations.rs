//! What became of an activation's messages.

use maud::{Markup, html};
use serde_json::{Value, json};

use super::Answer;
use super::ask::Visit;
use super::layout::to;
use super::parts::{form, items, number, pager, plain, table, tabs, text, time};
use super::texts::{columns, deliveries as say};
use crate::error::Result;
use crate::http::encoded;

const STATES: [(&str, &str); 4] =
    [("", say::ALL), ("pending", say::PENDING), ("delivered", say::DELIVERED), ("dead", say::DEAD)];

const HEAD: [&str; 6] =
    [columns::WHEN, columns::EVENT, columns::CUSTOMER, columns::STATE, columns::ATTEMPTS, say::DEAD_ONES];

/// The messages of an activation, newest first.
pub(super) async fn deliveries(visit: &Visit<'_>, name: &str) -> Result<Markup> {
    let state = visit.asked("state");
    let path = |state: &str| format!("activations/{}?state={}", encoded(name), encoded(state));
    let asked = format!(
        "activations/{}/deliveries?state={}&skiptoken={}",
        encoded(name),
        encoded(&state),
        encoded(&visit.asked("skiptoken"))
    );
    let answer = visit.get(&asked).await?;
    let views: Vec<_> =
        STATES.iter().map(|(its, words)| (path(its), (*words).to_owned(), *its == state)).collect();
    let part = |of: &Value, name: &str| of.get(name).map(plain).unwrap_or_default();
    let rows: Vec<_> = items(&answer, "items")
        .iter()
        .map(|delivery| {
            let customer = text(delivery, "customerId");
            let dead = text(delivery, "state") == "dead";
            vec![
                time(delivery.get("at")),
                html! { (text(delivery, "event")) },
                html! { a href=(to(&format!("customers/{customer}"))) { (customer.get(..8).unwrap_or(customer)) } },
                html! { (text(delivery, "state")) " " span.quiet { (part(delivery, "status")) " " (part(delivery, "error")) } },
                html! { (part(delivery, "attempts")) },
                html! { @if dead { (replayed(visit, name, "id", text(delivery, "id"), say::AGAIN)) } },
            ]
        })
        .collect();
    let dropped = number(&answer, "dropped");
    Ok(html! {
        section.card #deliveries {
            h2 { (say::TITLE) }
            (tabs(say::STATES, &views))
            @if rows.is_empty() { p.quiet { (say::NONE) } } @else { (table(say::TITLE, &HEAD, &rows)) }
            @if dropped > 0 { p { (say::Dropped { count: dropped }) } }
            @if state == "dead" && !rows.is_empty() { (replayed(visit, name, "state", "dead", say::ALL_AGAIN)) }
            (pager(visit, &format!("{}&skiptoken=", path(&state)), &answer))
        }
    })
}

fn replayed(visit: &Visit<'_>, name: &str, field: &str, value: &str, words: &str) -> Markup {
    form(
        visit,
        &format!("activations/{}/replay", encoded(name)),
        &html! { input type="hidden" name=(field) value=(value); button.plain { (words) } },
    )
}

/// `POST activations/{name}/replay`: of many customers some at a time, until all are.
pub(super) async fn replay(visit: &Visit<'_>, name: &str) -> Result<Answer> {
    let id = visit.sent("id");
    let mut asked = if id.is_empty() { json!({ "state": "dead" }) } else { json!({ "id": id }) };
    loop {
        let answer =
            visit.call("POST", &format!("activations/{}/replay", encoded(name)), Some(&asked)).await?;
        let next = text(&answer, "skiptoken");
        if next.is_empty() {
            return Ok(Answer::Done(format!("activations/{}?done=replayed", encoded(name))));
        }
        if let Some(asked) = asked.as_object_mut() {
            asked.insert("skiptoken".to_owned(), next.into());
        }
    }
}

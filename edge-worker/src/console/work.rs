//! Long work as people see it: rows uploaded, jobs under way, people erased.

use maud::{Markup, Render as _, html};
use serde_json::{Value, json};
use wasm_bindgen::JsValue;

use super::Answer;
use super::ask::Visit;
use super::layout::to;
use super::parts::{check, choice, done, empty, form, items, line, note, number, plain, table, text};
use super::texts::{columns, counts, jobs, layout, privacy, upload};
use crate::error::Result;
use crate::http::encoded;

/// `POST tables/{name}/rows`: a file's rows, and what became of each.
pub(super) async fn upload(visit: &Visit<'_>, name: &str) -> Result<Answer> {
    let file = visit.form.as_ref().map_or(JsValue::NULL, |form| form.get("file"));
    let of = |field: &str| js_sys::Reflect::get(&file, &field.into()).unwrap_or(JsValue::UNDEFINED);
    let called = of("name").as_string().unwrap_or_default().to_ascii_lowercase();
    let ending = called.rsplit('.').next().unwrap_or_default();
    let csv = matches!(ending, "csv" | "txt");
    let kind = if csv { "text/csv" } else { "application/x-ndjson" };
    let title = upload::Title { table: &name }.render();
    let back = html! { p { a href=(to(&format!("tables/{}", encoded(name)))) { (upload::BACK) } } };
    if called.is_empty() {
        let words = note("bad", &upload::NO_FILE.render());
        return Ok(Answer::Page("tables", title, html! { (words) (back) }));
    }
    let told = match visit.send("POST", &format!("tables/{}/rows", encoded(name)), kind, Some(file)).await {
        Ok(report) => verdicts(&report),
        Err(error) => note("bad", &html! { (error.told().2) }),
    };
    Ok(Answer::Page("tables", title, html! { (told) (back) }))
}

/// What an upload counts, and how people call it.
const COUNTS: [(&str, &str); 4] = [
    ("received", counts::RECEIVED),
    ("created", counts::CREATED),
    ("updated", counts::UPDATED),
    ("unchanged", counts::UNCHANGED),
];

fn verdicts(report: &Value) -> Markup {
    let rejected = items(report, "rejected");
    let rows: Vec<_> = rejected
        .iter()
        .map(|bad| {
            vec![
                html! { (number(bad, "line")) },
                html! { code { (text(bad, "code")) } },
                html! { (text(bad, "message")) },
            ]
        })
        .collect();
    let unlisted = number(report, "unlisted");
    html! {
        dl.numbers {
            @for (name, words) in COUNTS { div { dt { (words) } dd { (number(report, name)) } } }
            div { dt { (counts::REJECTED) } dd { (rejected.len() as u64 + unlisted) } }
        }
        @if rows.is_empty() { (note("good", &upload::ALL_TAKEN.render())) }
        @else {
            h2 { (upload::NOT_TAKEN) }
            (table(upload::NOT_TAKEN, &[columns::LINE, columns::CODE, columns::WHY], &rows))
            @if unlisted > 0 { p { (upload::More { number: &unlisted }) } }
        }
    }
}

pub(super) async fn jobs(visit: &Visit<'_>) -> Result<Answer> {
    let answer = visit.get("jobs").await?;
    let rows: Vec<_> = items(&answer, "items")
        .iter()
        .map(|job| {
            let (id, running) = (text(job, "id"), text(job, "state") == "running");
            let (so_far, total) = (number(job, "done"), number(job, "total"));
            vec![
                html! { (described(text(job, "kind"))) },
                html! { (text(job, "state")) @if let Some(error) = job.get("error") { " " span.quiet { (plain(error)) } } },
                html! {
                    @if running { progress max=(total.max(1)) value=(so_far) aria-label=(jobs::ProgressOf { job: &id }) {} " " }
                    (jobs::SoFar { done: &so_far, total: &total })
                },
                // At once: what is asked again every few seconds cannot be asked about. The id keeps the focus on it.
                html! { @if running && (text(job, "kind") != "erase" || visit.sees("privacy")) { (form(visit, &format!("jobs/{id}/cancel"), &html! { button.bad #{ "cancel-" (id) } { (jobs::CANCEL) } })) } },
            ]
        })
        .collect();
    let body = html! {
        (done(visit))
        @if rows.is_empty() { (empty(jobs::NONE, None)) }
        @else {
            div #jobs hx-get=(to("jobs")) hx-select="#jobs" hx-target="this" hx-swap="outerHTML" hx-trigger="every 3s" {
                (table(layout::JOBS, &[columns::WHAT, columns::STATE, columns::PROGRESS, columns::STOP], &rows))
            }
        }
    };
    Ok(Answer::Page("jobs", layout::JOBS.render(), body))
}

fn described(kind: &str) -> &str {
    match kind {
        "rebuild" => jobs::REBUILD,
        "erase" => jobs::ERASE,
        "push" => jobs::PUSH,
        "evaluate" => jobs::EVALUATE,
        "drop" => jobs::DROP,
        "deliver" => jobs::DELIVER,
        "retain" => jobs::RETAIN,
        other => other,
    }
}

pub(super) async fn cancel(visit: &Visit<'_>, id: &str) -> Result<Answer> {
    visit.call("DELETE", &format!("jobs/{}", encoded(id)), None).await?;
    Ok(Answer::Done("jobs?done=cancelled".to_owned()))
}

pub(super) fn privacy(visit: &Visit<'_>) -> Answer {
    erasing(visit, "")
}

/// What a person is known by.
pub(super) fn names() -> Vec<(String, String)> {
    let kinds = [
        ("authId", privacy::AUTH_ID),
        ("cookieId", privacy::COOKIE_ID),
        ("customerId", privacy::CUSTOMER_ID),
    ];
    kinds.into_iter().map(|(kind, words)| (kind.to_owned(), words.to_owned())).collect()
}

fn erasing(visit: &Visit<'_>, fault: &str) -> Answer {
    // What was typed, or what the customer's page says.
    let given = |name: &str| {
        Some(visit.sent(name)).filter(|sent| !sent.is_empty()).unwrap_or_else(|| visit.asked(name))
    };
    let body = html! {
        @if !fault.is_empty() { (note("bad", &html! { (fault) })) }
        p { a href=(to("consents")) { (privacy::CONSENTS) } }
        section.card {
            h2 { (privacy::ERASE) }
            p { (privacy::MEANS) }
            (form(visit, "privacy", &html! {
                (choice("kind", privacy::KIND, privacy::KIND_HELP, &names(), &given("kind")))
                (line("id", privacy::ID, privacy::ID_HELP, &given("id")))
                (check("sure", privacy::SURE, false))
                button.bad { (privacy::BEGIN) }
            }))
        }
    };
    Answer::Page("privacy", layout::PRIVACY.render(), body)
}

pub(super) async fn erase(visit: &Visit<'_>) -> Result<Answer> {
    let (kind, id) = (visit.sent("kind"), visit.sent("id"));
    let id = id.trim();
    if id.is_empty() || visit.sent("sure") != "yes" {
        return Ok(erasing(visit, privacy::UNSURE));
    }
    match visit.call("POST", "privacy/erase", Some(&json!({ kind: id }))).await {
        Ok(_) => Ok(Answer::Done("jobs?done=erasing".to_owned())),
        Err(error) => Ok(erasing(visit, &error.told().2)),
    }
}

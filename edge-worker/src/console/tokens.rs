//! Who has a token, and what was done with each.

use maud::{Markup, html};
use serde_json::{Value, json};

use super::Answer;
use super::ask::Visit;
use super::layout::to;
use super::parts::{
    choice, code, confirmed, done, empty, field, form, items, line, note, number, pager, table, text, time,
};
use crate::error::Result;
use crate::http::encoded;

const ROLES: [(&str, &str); 3] = [
    ("Viewer", "Viewer: looks, and changes nothing"),
    ("Contributor", "Contributor: also changes what there is"),
    ("Administrator", "Administrator: may do everything"),
];
const SCOPES: [(&str, &str); 3] =
    [("", "Console and both APIs"), ("admin", "Console and admin API"), ("data", "Read API alone")];

pub(super) async fn list(visit: &Visit<'_>) -> Result<Answer> {
    page(visit, "").await
}

async fn page(visit: &Visit<'_>, fault: &str) -> Result<Answer> {
    let answer = visit.get("tokens").await?;
    let rows: Vec<_> = items(&answer, "items")
        .iter()
        .map(|token| {
            let id = text(token, "id");
            let scope = SCOPES.iter().find(|(scope, _)| *scope == text(token, "scope"));
            vec![
                html! { span.wide { (text(token, "name")) " " span.quiet { (id) } } },
                html! { span.wide { (text(token, "role")) ", " (scope.map_or("", |(_, words)| words)) } },
                time(token.get("lastUsed")),
                time(token.get("expires")),
                confirmed(
                    visit,
                    &format!("tokens/{}/delete", encoded(id)),
                    "Remove",
                    "Whoever has it is out.",
                    &html! {},
                ),
            ]
        })
        .collect();
    let head = ["Name", "Role and what it opens", "Last used", "Expires", "Remove"];
    let body = html! {
        (done(visit))
        @if !fault.is_empty() { (note("bad", &html! { (fault) })) }
        @if rows.is_empty() { (empty("There is none yet besides MSCI_ADMIN_TOKEN. Each program and each person should have their own.", None)) }
        @else { (table("Tokens", &head, &rows)) }
        section.card { h2 { "New token" } (made(visit)) }
    };
    Ok(Answer::Page("tokens", "Tokens".to_owned(), body))
}

fn made(visit: &Visit<'_>) -> Markup {
    let owned = |of: &[(&str, &str)]| -> Vec<_> {
        of.iter().map(|(value, words)| ((*value).to_owned(), (*words).to_owned())).collect()
    };
    form(
        visit,
        "tokens",
        &html! {
            (line("name", "Name", "Who or what it is for; the audit log shows it.", &visit.sent("name")))
            (choice("role", "Role", "A Contributor changes definitions, imports rows, sends again, unlinks. Settings, tokens, the audit log and the whole of a person's data are an Administrator's.", &owned(&ROLES), &visit.sent("role")))
            (choice("scope", "Opens", "", &owned(&SCOPES), &visit.sent("scope")))
            (field("expires", "Expires", "It opens nothing from this day (UTC) on. Empty: never.", &|id, described| html! {
                input type="date" id=(id) name="expires" value=(visit.sent("expires")) aria-describedby=(described);
            }))
            button { "Make token" }
        },
    )
}

/// `POST tokens`: its text is shown now and never again.
pub(super) async fn make(visit: &Visit<'_>) -> Result<Answer> {
    let given = |name: &str| Some(visit.sent(name)).filter(|sent| !sent.is_empty());
    let asked = json!({ "name": visit.sent("name"), "role": given("role"), "scope": given("scope"), "expires": given("expires") });
    let answer = match visit.call("POST", "tokens", Some(&asked)).await {
        Ok(answer) => answer,
        Err(error) => return page(visit, &error.told().2).await,
    };
    let body = html! {
        (note("good", &html! { "Made. This is the token " strong { (text(&answer, "name")) } ", and it is shown only now." }))
        (code("secret", "Token", text(&answer, "token")))
        p { a.button href=(to("tokens")) { "Go on" } }
    };
    Ok(Answer::Page("tokens", "New token".to_owned(), body))
}

pub(super) async fn remove(visit: &Visit<'_>, id: &str) -> Result<Answer> {
    visit.call("DELETE", &format!("tokens/{}", encoded(id)), None).await?;
    Ok(Answer::Done("tokens?done=removed".to_owned()))
}

/// The audit log, newest first.
pub(super) async fn audit(visit: &Visit<'_>) -> Result<Answer> {
    let (since, behind) = (visit.asked("since"), visit.asked("skiptoken"));
    let path = format!("audit?since={}&skiptoken=", encoded(&since));
    let answer = visit.get(&format!("{path}{}", encoded(&behind))).await?;
    let rows: Vec<_> = items(&answer, "items")
        .iter()
        .map(|entry| {
            let name = text(entry, "name");
            let count = number(entry, "count");
            vec![
                time(entry.get("at")),
                html! { span.wide { @if name.is_empty() { span.quiet { "nobody" } } @else { (name) } } },
                html! { span.wide { (text(entry, "method")) " " code { (text(entry, "route")) } } },
                html! { span.wide { (outcome(entry)) } },
                html! { @if count > 1 { (count) } },
            ]
        })
        .collect();
    let body = html! {
        p { "What was done with which token. Changes and sign-ins stand here one by one; reads and refusals are counted, for each token by the minute. No customer's id is in it." }
        form.row method="get" role="search" action=(to("audit")) {
            div.field { label for="since" { "Since" } input #since type="date" name="since" value=(since); }
            button.plain { "Show" }
        }
        @if rows.is_empty() { (empty("Nothing is in it of that time.", None)) }
        @else { (table("Audit", &["When", "Who", "What", "Outcome", "Times"], &rows)) }
        (pager(visit, &path, &answer))
    };
    Ok(Answer::Page("audit", "Audit".to_owned(), body))
}

fn outcome(entry: &Value) -> Markup {
    let status = number(entry, "status");
    let words = match status {
        0 => return html! { span.quiet { "not recorded" } },
        200..400 => "done",
        401 => "not known",
        403 => "not allowed",
        400..500 => "refused",
        _ => "failed",
    };
    html! { (words) " " span.quiet { (status) } }
}

//! Who has a token, and what was done with each.

use maud::{Markup, Render as _, html};
use serde_json::{Value, json};

use super::Answer;
use super::ask::Visit;
use super::layout::to;
use super::parts::{
    choice, code, confirmed, done, empty, field, form, items, line, note, number, pager, table, text, time,
};
use super::texts::{audit, columns, common, layout, tokens as say};
use crate::error::Result;
use crate::http::encoded;

const ROLES: [(&str, &str); 3] =
    [("Viewer", say::VIEWER), ("Contributor", say::CONTRIBUTOR), ("Administrator", say::ADMINISTRATOR)];
const SCOPES: [(&str, &str); 3] = [("", say::EVERYTHING), ("admin", say::ADMIN), ("data", say::DATA)];

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
                html! { span.wide { (say::RoleAndScope { role: &text(token, "role"), scope: &scope.map_or("", |(_, words)| words) }) } },
                time(token.get("lastUsed")),
                time(token.get("expires")),
                confirmed(
                    visit,
                    &format!("tokens/{}/delete", encoded(id)),
                    say::REMOVE,
                    say::REMOVE_MEANS,
                    &html! {},
                ),
            ]
        })
        .collect();
    let head = [columns::NAME, say::OPENS, columns::LAST_USED, columns::EXPIRES, columns::REMOVE];
    let body = html! {
        (done(visit))
        @if !fault.is_empty() { (note("bad", &html! { (fault) })) }
        @if rows.is_empty() { (empty(say::NONE, None)) }
        @else { (table(layout::TOKENS, &head, &rows)) }
        section.card { h2 { (say::NEW) } (made(visit)) }
    };
    Ok(Answer::Page("tokens", layout::TOKENS.render(), body))
}

fn made(visit: &Visit<'_>) -> Markup {
    let owned = |of: &[(&str, &str)]| -> Vec<_> {
        of.iter().map(|(value, words)| ((*value).to_owned(), (*words).to_owned())).collect()
    };
    form(
        visit,
        "tokens",
        &html! {
            (line("name", say::NAME, say::NAME_HELP, &visit.sent("name")))
            (choice("role", say::ROLE, say::ROLE_HELP, &owned(&ROLES), &visit.sent("role")))
            (choice("scope", say::SCOPE, "", &owned(&SCOPES), &visit.sent("scope")))
            (field("expires", say::EXPIRES, say::EXPIRES_HELP, &|id, described| html! {
                input type="date" id=(id) name="expires" value=(visit.sent("expires")) aria-describedby=(described);
            }))
            button { (say::MAKE) }
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
        (note("good", &say::Made { name: &html! { strong { (text(&answer, "name")) } } }.render()))
        (code("secret", say::TOKEN, text(&answer, "token")))
        p { a.button href=(to("tokens")) { (common::GO_ON) } }
    };
    Ok(Answer::Page("tokens", say::NEW.render(), body))
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
                html! { span.wide { @if name.is_empty() { span.quiet { (audit::NOBODY) } } @else { (name) } } },
                html! { span.wide { (text(entry, "method")) " " code { (text(entry, "route")) } } },
                html! { span.wide { (outcome(entry)) } },
                html! { @if count > 1 { (count) } },
            ]
        })
        .collect();
    let head = [columns::WHEN, columns::WHO, columns::WHAT, columns::OUTCOME, columns::TIMES];
    let body = html! {
        p { (audit::MEANS) }
        form.row method="get" role="search" action=(to("audit")) {
            div.field { label for="since" { (audit::SINCE) } input #since type="date" name="since" value=(since); }
            button.plain { (audit::SHOW) }
        }
        @if rows.is_empty() { (empty(audit::NONE, None)) }
        @else { (table(layout::AUDIT, &head, &rows)) }
        (pager(visit, &path, &answer))
    };
    Ok(Answer::Page("audit", layout::AUDIT.render(), body))
}

fn outcome(entry: &Value) -> Markup {
    let status = number(entry, "status");
    let words = match status {
        0 => return html! { span.quiet { (audit::UNRECORDED) } },
        200..400 => audit::DONE,
        401 => audit::UNKNOWN,
        403 => audit::FORBIDDEN,
        400..500 => audit::REFUSED,
        _ => audit::FAILED,
    };
    html! { (words) " " span.quiet { (status) } }
}

//! Customers, known and unknown, and all there is about one of them.

use maud::{Markup, Render, html};
use msci_core::sorting::{Column, Order};
use serde_json::{Value, json};

use super::Answer;
use super::ask::Visit;
use super::layout::to;
use super::parts::{
    confirmed, done, empty, headed, items, linked, number, pager, pairs, plain, table, tabs, text, time,
};
use super::texts::{columns, customer as say, customers as all, layout, membership as cause};
use crate::error::{Error, Result};
use crate::http::encoded;

/// Activities that a page of a timeline looks at; the most pages it takes for as many as it shows.
const LOOKED_AT: u32 = 100;
const PAGES: u32 = 10;
const SHOWN: usize = 50;

/// What a list says of a customer.
pub(super) fn rows(customers: &[Value]) -> Markup {
    table(layout::CUSTOMERS, &HEAD, &cells(customers))
}

const HEAD: [&str; 5] =
    [columns::NAME, columns::ID, columns::BROWSERS, columns::FIRST_SEEN, columns::LAST_SEEN];

fn cells(customers: &[Value]) -> Vec<Vec<Markup>> {
    let row = |customer: &Value| {
        let path = to(&format!("customers/{}", text(customer, "customerId")));
        vec![
            html! { a href=(path) { (name(customer)) } },
            html! { (text(customer, "authId")) },
            html! { (items(customer, "cookieIds").len()) },
            time(customer.get("firstSeen")),
            time(customer.get("lastSeen")),
        ]
    };
    customers.iter().map(row).collect()
}

/// The same, sorted by the column that is chosen in its head; `path` ends where the order belongs.
fn sorted(customers: &[Value], known: bool, order: Order, path: &str) -> Markup {
    let by = |name: &str| {
        let column = match name {
            columns::ID => Column::AuthId,
            columns::FIRST_SEEN => Column::FirstSeen,
            columns::LAST_SEEN => Column::LastSeen,
            _ => return None,
        };
        Column::of(known).contains(&column).then_some(column)
    };
    let head = |name: &str| {
        let Some(column) = by(name) else { return html! { th scope="col" { (name) } } };
        let here = column == order.by;
        let next = Order { by: column, descending: if here { !order.descending } else { column.falls() } };
        let sorted = here.then_some(if order.descending { "descending" } else { "ascending" });
        html! {
            th scope="col" aria-sort=[sorted] { a.head href=(to(&format!("{path}{}", said(next)))) { (name) } }
        }
    };
    headed(layout::CUSTOMERS, &html! { @for name in HEAD { (head(name)) } }, &cells(customers))
}

/// An order, in an address.
fn said(order: Order) -> String {
    format!("sort={}&order={}", order.by.name(), order.direction())
}

/// How people call a customer: by the name that was imported, or by what there is.
fn name(customer: &Value) -> Markup {
    let attributes = customer.get("attributes").unwrap_or(&Value::Null);
    let whole =
        ["FullName", "Name"].into_iter().map(|field| text(attributes, field)).find(|name| !name.is_empty());
    let both = format!("{} {}", text(attributes, "FirstName"), text(attributes, "LastName"));
    let both = Some(both.trim()).filter(|name| !name.is_empty());
    let id = Some(text(customer, "authId")).filter(|id| !id.is_empty());
    let stranger = || {
        let id = text(customer, "customerId");
        all::Visitor { id: &id.get(..8).unwrap_or(id) }.render()
    };
    whole.or(both).or(id).map_or_else(stranger, Render::render)
}

pub(super) async fn list(visit: &Visit<'_>) -> Result<Answer> {
    let kind = match visit.asked("kind").as_str() {
        "unknown" => "unknown",
        "claiming" => "claiming",
        _ => "known",
    };
    let unknown = kind != "known";
    let search = visit.asked("search");
    let order = Order::asked(!unknown, &visit.asked("sort"), &visit.asked("order"));
    let order = order.map_err(|words| Error::client(400, "invalid_request", words))?;
    let path = format!("customers?kind={kind}&search={}&", encoded(&search));
    let asked = format!("{path}{}&skiptoken=", said(order));
    let answer = visit.get(&format!("{asked}{}", encoded(&visit.asked("skiptoken")))).await?;
    let mut views = Vec::new();
    for (of, name) in [("known", all::KNOWN), ("unknown", all::UNKNOWN), ("claiming", all::CLAIMING)] {
        // Those of another kind are counted only where that is quick.
        let count = match (of == kind, search.as_str()) {
            (true, _) => Some(number(&answer, "count")),
            (false, "") => Some(number(&visit.get(&format!("customers?kind={of}&top=1")).await?, "count")),
            (false, _) => None,
        };
        // Mostly nobody claims anything.
        if of == "claiming" && of != kind && count.unwrap_or(0) == 0 {
            continue;
        }
        let count = count.map(|count| format!(" ({count})")).unwrap_or_default();
        views.push((
            format!("customers?kind={of}&search={}", encoded(&search)),
            format!("{name}{count}"),
            of == kind,
        ));
    }
    let customers = items(&answer, "customers");
    let body = html! {
        (done(visit))
        (tabs(all::KINDS, &views))
        form.row method="get" role="search" action=(to("customers")) {
            input type="hidden" name="kind" value=(kind);
            input type="hidden" name="sort" value=(order.by.name());
            input type="hidden" name="order" value=(order.direction());
            div.field { label for="search" { (all::SEARCH) } input #search name="search" type="search" value=(search) maxlength="200"; }
            button { (all::SEARCH) }
        }
        @if !customers.is_empty() {
            (sorted(customers, !unknown, order, &path))
            (pager(visit, &asked, &answer))
        } @else if !search.is_empty() {
            (empty(all::NOBODY, Some((&format!("customers?kind={kind}"), all::SHOW_ALL))))
        } @else if kind == "claiming" {
            (empty(all::NO_CLAIM, Some(("customers?kind=unknown", all::SHOW_ALL))))
        } @else if unknown {
            (empty(all::NO_VISITOR, Some(("tracking", all::SET_UP))))
        } @else {
            (empty(all::NO_CUSTOMER, Some(("tables", all::UPLOAD))))
        }
    };
    Ok(Answer::Page("customers", layout::CUSTOMERS.render(), body))
}

pub(super) async fn one(visit: &Visit<'_>, id: &str) -> Result<Answer> {
    let customer = visit.get(&format!("customers/{}", encoded(id))).await?;
    let id = text(&customer, "customerId");
    let known = customer.get("known").and_then(Value::as_bool) == Some(true);
    let members = |of: &str, show: &dyn Fn(&Value) -> Markup| -> Vec<(String, Markup)> {
        let of = customer.get(of).and_then(Value::as_object);
        of.into_iter().flatten().map(|(name, value)| (name.clone(), show(value))).collect()
    };
    let attributes = members("attributes", &linked);
    let measures = members("measures", &|value| html! { (plain(value)) });
    let segments = items(&customer, "memberships");
    let seen = time(customer.get("lastSeen"));
    let nothing = |words: &str| html! { p.quiet { (words) } };
    let body = html! {
        (done(visit))
        p.quiet { @if known { (say::Known { time: &seen }) } @else { (say::Unknown { time: &seen }) } }
        div.columns {
            section.card { h2 { (say::ATTRIBUTES) } @if attributes.is_empty() { (nothing(say::NO_ATTRIBUTE)) } @else { (pairs(&attributes)) } }
            section.card { h2 { (say::IDS) } (ids(&customer)) }
            section.card { h2 { (layout::SEGMENTS) } @if segments.is_empty() { (nothing(say::NO_SEGMENT)) } @else { ul { @for segment in segments { li { (membership(visit, segment)) } } } } }
            section.card { h2 { (layout::MEASURES) } @if measures.is_empty() { (nothing(say::NO_MEASURE)) } @else { (pairs(&measures)) } }
        }
        @if known { section.card { h2 { (say::LINKS) } (links(visit, &customer)) } }
        (claims(&customer))
        (timeline(visit, id).await?)
        section.card { h2 { (say::DECISIONS) } div data-explain=(id) {} input type="hidden" name="form" value=(visit.session.form); }
        p { a href=(to(&format!("consents?kind=customerId&id={id}"))) { (say::CONSENTS) } }
        @if visit.sees("privacy") {
            p { a href=(to(&format!("data/privacy/export?customerId={id}"))) download={ (id) ".jsonl" } { (say::EXPORT) } }
            p { a href=(to(&format!("privacy?kind=customerId&id={id}"))) { (say::ERASE) } }
        }
    };
    Ok(Answer::Page("customers", name(&customer), body))
}

/// A segment that somebody is in: since when, by what, and the condition.
fn membership(visit: &Visit<'_>, of: &Value) -> Markup {
    let name = text(of, "segment");
    let filter = visit.configuration.definitions.bundle.segments.get(name).map(|segment| &segment.filter);
    let (segment, since) =
        (html! { a href=(to(&format!("segments/{name}"))) { (name) } }, time(of.get("since")));
    html! {
        @if let Some(cause) = because(of) { (cause::Because { segment: &segment, since: &since, cause: &cause }) }
        @else { (cause::Since { segment: &segment, since: &since }) }
        @if let Some(filter) = filter { br; span.quiet { (cause::Condition { filter: &html! { code { (filter) } } }) } }
    }
}

/// What moved a membership, in words.
fn because(of: &Value) -> Option<Markup> {
    let led = of.get("activity").filter(|activity| activity.is_object()).map(|activity| {
        match text(activity, "type") {
            "View" => cause::View { page: &linked(seen(activity)) }.render(),
            "Action" => cause::Action { action: &plain(seen(activity)) }.render(),
            "User" => cause::USER.render(),
            event => cause::Event { event: &event }.render(),
        }
    });
    Some(match (text(of, "cause"), &led) {
        ("signal", Some(activity)) => cause::BySignal { activity }.render(),
        ("signal", None) => cause::SIGNAL.render(),
        ("merge", Some(activity)) => cause::ByMerge { activity }.render(),
        ("merge", None) => cause::MERGE.render(),
        ("time", _) => cause::TIME.render(),
        ("import", _) => cause::IMPORT.render(),
        ("removal", _) => cause::REMOVAL.render(),
        ("definition", _) => cause::DEFINITION.render(),
        _ => return None,
    })
}

/// Where an activity was, or what it is called.
fn seen(activity: &Value) -> &Value {
    let uri = activity.get("uri").filter(|uri| uri.is_string() && text(activity, "type") == "View");
    uri.or_else(|| activity.get("title")).unwrap_or(&Value::Null)
}

/// Whom this visitor said to be, without a proof.
fn claims(customer: &Value) -> Markup {
    let claims = items(customer, "claims");
    if claims.is_empty() {
        return html! {};
    }
    html! {
        section.card {
            h2 { (say::CLAIMS) }
            p.quiet { (say::CLAIMS_MEAN) }
            ul { @for claim in claims { li { (say::Claim { id: &html! { code { (text(claim, "authId")) } }, table: &text(claim, "table"), time: &time(claim.get("last")) }) } } }
        }
    }
}

/// By source.
fn ids(customer: &Value) -> Markup {
    let mut ids = vec![(columns::CUSTOMER.to_owned(), html! { code { (text(customer, "customerId")) } })];
    if !text(customer, "authId").is_empty() {
        let source = Some(text(customer, "table")).filter(|table| !table.is_empty()).unwrap_or(say::IMPORTED);
        ids.push((source.to_owned(), html! { code { (text(customer, "authId")) } }));
    }
    for cookie in items(customer, "cookieIds") {
        ids.push((columns::BROWSER.to_owned(), html! { code { (plain(cookie)) } }));
    }
    pairs(&ids)
}

fn links(visit: &Visit<'_>, customer: &Value) -> Markup {
    let id = text(customer, "customerId");
    let rows: Vec<_> = items(customer, "links")
        .iter()
        .map(|link| {
            let cookie = text(link, "cookieId");
            let hidden = html! { input type="hidden" name="cookieId" value=(cookie); };
            vec![
                html! { code { (cookie) } },
                time(link.get("since")),
                confirmed(visit, &format!("customers/{id}/unlink"), say::UNLINK, say::UNLINK_MEANS, &hidden),
            ]
        })
        .collect();
    html! {
        @if rows.is_empty() { p.quiet { (say::NO_LINK) } }
        @else { (table(say::LINKS, &[columns::BROWSER, columns::SINCE, say::TAKE_BACK], &rows)) }
    }
}

async fn timeline(visit: &Visit<'_>, id: &str) -> Result<Markup> {
    let kind = visit.asked("type");
    let mut token = visit.asked("skiptoken");
    let (mut shown, mut types) = (Vec::new(), vec!["View".to_owned(), "Action".to_owned()]);
    let mut answer = Value::Null;
    for _ in 0..PAGES {
        answer = visit
            .get(&format!("customers/{id}/timeline?top={LOOKED_AT}&skiptoken={}", encoded(&token)))
            .await?;
        for activity in items(&answer, "activities") {
            let its = text(activity, "type");
            if !types.iter().any(|known| known == its) {
                types.push(its.to_owned());
            }
            if kind.is_empty() || kind == its {
                shown.push(row(activity));
            }
        }
        token = text(&answer, "skiptoken").to_owned();
        if token.is_empty() || shown.len() >= SHOWN {
            break;
        }
    }
    let path = |kind: &str| format!("customers/{id}?type={}", encoded(kind));
    let views: Vec<_> = [(path(""), say::ALL.to_owned(), kind.is_empty())]
        .into_iter()
        .chain(types.iter().map(|name| (path(name), name.clone(), *name == kind)))
        .collect();
    Ok(html! {
        section.card #timeline {
            h2 { (say::TIMELINE) }
            (tabs(say::KINDS, &views))
            // What arrives shows on the first page by itself (`www/console/live.js`).
            div #activities data-live[visit.asked("skiptoken").is_empty()] {
                @if shown.is_empty() { p.quiet { (say::NOTHING) } }
                @else { (table(say::TIMELINE, &[columns::WHEN, columns::WHAT, columns::TITLE, columns::WHERE], &shown)) }
            }
            (pager(visit, &format!("{}&skiptoken=", path(&kind)), &answer))
        }
    })
}

fn row(activity: &Value) -> Vec<Markup> {
    let properties = activity.get("properties").filter(|properties| properties.is_object());
    vec![
        time(activity.get("time")),
        html! { (text(activity, "type")) },
        html! { (text(activity, "title")) @if let Some(properties) = properties { " " code { (plain(properties)) } } },
        linked(activity.get("uri").unwrap_or(&Value::Null)),
    ]
}

pub(super) async fn unlink(visit: &Visit<'_>, id: &str) -> Result<Answer> {
    let cookie = json!({ "cookieId": visit.sent("cookieId") });
    visit.call("POST", &format!("customers/{}/unlink", encoded(id)), Some(&cookie)).await?;
    Ok(Answer::Done(format!("customers/{}?done=unlinked", encoded(id))))
}

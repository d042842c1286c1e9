//! Customers, known and unknown, and all there is about one of them.

use maud::{Markup, html};
use msci_core::sorting::{Column, Order};
use serde_json::{Value, json};

use super::Answer;
use super::ask::Visit;
use super::layout::to;
use super::parts::{
    confirmed, done, empty, headed, items, linked, number, pager, pairs, plain, table, tabs, text, time,
};
use crate::error::{Error, Result};
use crate::http::encoded;

/// Activities that a page of a timeline looks at; the most pages it takes for as many as it shows.
const LOOKED_AT: u32 = 100;
const PAGES: u32 = 10;
const SHOWN: usize = 50;

/// What a list says of a customer.
pub(super) fn rows(customers: &[Value]) -> Markup {
    table("Customers", &HEAD, &cells(customers))
}

const HEAD: [&str; 5] = ["Name", "Id", "Browsers", "First seen", "Last seen"];

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
            "Id" => Column::AuthId,
            "First seen" => Column::FirstSeen,
            "Last seen" => Column::LastSeen,
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
    headed("Customers", &html! { @for name in HEAD { (head(name)) } }, &cells(customers))
}

/// An order, in an address.
fn said(order: Order) -> String {
    format!("sort={}&order={}", order.by.name(), order.direction())
}

/// How people call a customer: by the name that was imported, or by what there is.
fn name(customer: &Value) -> String {
    let attributes = customer.get("attributes").unwrap_or(&Value::Null);
    let whole =
        ["FullName", "Name"].into_iter().map(|field| text(attributes, field)).find(|name| !name.is_empty());
    let both = format!("{} {}", text(attributes, "FirstName"), text(attributes, "LastName"));
    let both = Some(both.trim()).filter(|name| !name.is_empty());
    let id = Some(text(customer, "authId")).filter(|id| !id.is_empty());
    let stranger = || {
        let id = text(customer, "customerId");
        format!("Visitor {}", id.get(..8).unwrap_or(id))
    };
    whole.or(both).or(id).map_or_else(stranger, str::to_owned)
}

pub(super) async fn list(visit: &Visit<'_>) -> Result<Answer> {
    let unknown = visit.asked("kind") == "unknown";
    let kind = if unknown { "unknown" } else { "known" };
    let search = visit.asked("search");
    let order = Order::asked(!unknown, &visit.asked("sort"), &visit.asked("order"));
    let order = order.map_err(|words| Error::client(400, "invalid_request", words))?;
    let path = format!("customers?kind={kind}&search={}&", encoded(&search));
    let asked = format!("{path}{}&skiptoken=", said(order));
    let answer = visit.get(&format!("{asked}{}", encoded(&visit.asked("skiptoken")))).await?;
    // Those of the other kind are counted only where that is quick.
    let other = if unknown { "known" } else { "unknown" };
    let other = match search.as_str() {
        "" => format!(" ({})", number(&visit.get(&format!("customers?kind={other}&top=1")).await?, "count")),
        _ => String::new(),
    };
    let own = format!(" ({})", number(&answer, "count"));
    let (known, strangers) = if unknown { (other, own) } else { (own, other) };
    let view = |kind: &str, name: &str, count: &str, here| {
        (format!("customers?kind={kind}&search={}", encoded(&search)), format!("{name}{count}"), here)
    };
    let customers = items(&answer, "customers");
    let body = html! {
        (done(visit))
        (tabs("Kinds of customers", &[view("known", "Known", &known, !unknown), view("unknown", "Unknown", &strangers, unknown)]))
        form.row method="get" role="search" action=(to("customers")) {
            input type="hidden" name="kind" value=(kind);
            input type="hidden" name="sort" value=(order.by.name());
            input type="hidden" name="order" value=(order.direction());
            div.field { label for="search" { "Search" } input #search name="search" type="search" value=(search) maxlength="200"; }
            button { "Search" }
        }
        @if !customers.is_empty() {
            (sorted(customers, !unknown, order, &path))
            (pager(visit, &asked, &answer))
        } @else if !search.is_empty() {
            (empty("Nobody here has that in a name, an id or an attribute.", Some((&format!("customers?kind={kind}"), "Show all"))))
        } @else if unknown {
            (empty("No unknown visitor is here. They come with the tracking script.", Some(("tracking", "Set up tracking"))))
        } @else {
            (empty("No customer is known yet. Upload a table of your customers, and they are.", Some(("tables", "Upload a table"))))
        }
    };
    Ok(Answer::Page("customers", "Customers".to_owned(), body))
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
    let nothing = |words: &str| html! { p.quiet { (words) } };
    let body = html! {
        (done(visit))
        p.quiet { @if known { "Known customer" } @else { "Unknown visitor" } ", last seen " (time(customer.get("lastSeen"))) "." }
        div.columns {
            section.card { h2 { "Attributes" } @if attributes.is_empty() { (nothing("Nothing was imported.")) } @else { (pairs(&attributes)) } }
            section.card { h2 { "Ids" } (ids(&customer)) }
            section.card { h2 { "Segments" } @if segments.is_empty() { (nothing("In none.")) } @else { ul { @for segment in segments { li { (membership(visit, segment)) } } } } }
            section.card { h2 { "Measures" } @if measures.is_empty() { (nothing("None is defined.")) } @else { (pairs(&measures)) } }
        }
        @if known { section.card { h2 { "Linked browsers" } (links(visit, &customer)) } }
        (claims(&customer))
        (timeline(visit, id).await?)
        section.card { h2 { "Decisions for a page" } div data-explain=(id) {} input type="hidden" name="form" value=(visit.session.form); }
        p { a href=(to(&format!("consents?kind=customerId&id={id}"))) { "What this person agreed to" } }
        @if visit.sees("privacy") {
            p { a href=(to(&format!("data/privacy/export?customerId={id}"))) download={ (id) ".jsonl" } { "Download all that is held about this person" } }
            p { a href=(to(&format!("privacy?kind=customerId&id={id}"))) { "Erase this person…" } }
        }
    };
    Ok(Answer::Page("customers", name(&customer), body))
}

/// A segment that somebody is in: since when, by what, and the condition.
fn membership(visit: &Visit<'_>, of: &Value) -> Markup {
    let name = text(of, "segment");
    let filter = visit.configuration.definitions.bundle.segments.get(name).map(|segment| &segment.filter);
    html! {
        a href=(to(&format!("segments/{name}"))) { (name) } " since " (time(of.get("since"))) (because(of)) "."
        @if let Some(filter) = filter { br; span.quiet { "Condition: " code { (filter) } } }
    }
}

/// What moved a membership, in words.
fn because(of: &Value) -> Markup {
    let led = of.get("activity").filter(|activity| activity.is_object());
    let what = html! {
        @if let Some(activity) = led {
            @match text(activity, "type") {
                "View" => { "a view of " (linked(seen(activity))) }
                "Action" => { "an action, " (plain(seen(activity))) }
                "User" => { "what they told of themselves" }
                event => { "the event " (event) }
            }
        }
    };
    html! {
        @match text(of, "cause") {
            "signal" if led.is_some() => { ", by " (what) }
            "signal" => { ", by something they did" }
            "merge" if led.is_some() => { ", when a browser was linked to them that brought " (what) }
            "merge" => { ", when a browser was linked to them" }
            "time" => { ", when the time had passed" }
            "import" => { ", by their imported row" }
            "removal" => { ", when something they had done was taken away" }
            "definition" => { ", when definitions were changed" }
            _ => {}
        }
    }
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
            h2 { "Claims" }
            p.quiet { "Said by the page without a token that proves it. They change nothing, and wait for a proof of the same." }
            ul { @for claim in claims { li { code { (text(claim, "authId")) } " of " (text(claim, "table")) ", last " (time(claim.get("last"))) } } }
        }
    }
}

/// By source.
fn ids(customer: &Value) -> Markup {
    let mut ids = vec![("Customer".to_owned(), html! { code { (text(customer, "customerId")) } })];
    if !text(customer, "authId").is_empty() {
        let source = Some(text(customer, "table")).filter(|table| !table.is_empty()).unwrap_or("Imported");
        ids.push((source.to_owned(), html! { code { (text(customer, "authId")) } }));
    }
    for cookie in items(customer, "cookieIds") {
        ids.push(("Browser".to_owned(), html! { code { (plain(cookie)) } }));
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
                confirmed(
                    visit,
                    &format!("customers/{id}/unlink"),
                    "Unlink",
                    "What this browser did leaves this customer and becomes an unknown visitor's again.",
                    &hidden,
                ),
            ]
        })
        .collect();
    html! {
        @if rows.is_empty() { p.quiet { "No browser has signed in as this customer." } }
        @else { (table("Linked browsers", &["Browser", "Since", "Take back"], &rows)) }
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
    let views: Vec<_> = [(path(""), "All".to_owned(), kind.is_empty())]
        .into_iter()
        .chain(types.iter().map(|name| (path(name), name.clone(), *name == kind)))
        .collect();
    Ok(html! {
        section.card #timeline {
            h2 { "Timeline" }
            (tabs("Kinds of activities", &views))
            // What arrives shows on the first page by itself (`www/console/live.js`).
            div #activities data-live[visit.asked("skiptoken").is_empty()] {
                @if shown.is_empty() { p.quiet { "Nothing of this kind is here." } }
                @else { (table("Timeline", &["When", "What", "Title", "Where"], &shown)) }
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

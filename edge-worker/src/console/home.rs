//! Home: how the system is, in numbers, and what to do next.

use maud::html;
use msci_core::time::DAY_MS;

use super::Answer;
use super::ask::Visit;
use super::layout::to;
use super::parts::{empty, items, number, plain, table, text, time};
use crate::error::Result;
use crate::platform::now;
use crate::storage::index;

/// Activities that are shown.
const SHOWN: u32 = 10;

pub(super) async fn show(visit: &Visit<'_>) -> Result<Answer> {
    let known = number(&visit.get("customers?kind=known&top=1").await?, "count");
    let unknown = number(&visit.get("customers?kind=unknown&top=1").await?, "count");
    let today = index::since(visit.env, now().plus(-DAY_MS).0).await?;
    let jobs = visit.get("jobs").await?;
    let running = items(&jobs, "items").iter().filter(|job| text(job, "state") == "running").count();
    let sizes = index::sizes(visit.env).await?;
    let segments = &visit.configuration.definitions.bundle.segments;
    let sizes: Vec<_> = segments
        .iter()
        .map(|(name, segment)| {
            let path = to(&format!("segments/{name}"));
            let shown = segment.display_name.as_deref().unwrap_or(name);
            vec![html! { a href=(path) { (shown) } }, html! { (number(&sizes, name)) }]
        })
        .collect();
    let newest = index::newest(visit.env, SHOWN).await?;
    let newest: Vec<_> = newest
        .iter()
        .map(|activity| {
            let whose = to(&format!("customers/{}", text(activity, "customerId")));
            let title = activity.get("title").map(plain).unwrap_or_default();
            vec![
                time(activity.get("time")),
                html! { (text(activity, "type")) },
                html! { (title) },
                html! { a href=(whose) { "Whose" } },
            ]
        })
        .collect();
    let many = if today >= u64::from(index::COUNTED) { " or more" } else { "" };
    let body = html! {
        dl.numbers {
            div { dt { "Known customers" } dd { a href=(to("customers")) { (known) } } }
            div { dt { "Unknown visitors" } dd { a href=(to("customers?kind=unknown")) { (unknown) } } }
            div { dt { "Activities in 24 hours" } dd { (today) (many) } }
            div { dt { "Jobs under way" } dd { a href=(to("jobs")) { (running) } } }
        }
        div.columns {
            section.card {
                h2 { "Segments" }
                @if sizes.is_empty() {
                    (empty("A segment is a group of customers that a condition describes.", Some(("new/segments", "Make a segment"))))
                } @else { (table("Segments", &["Segment", "Members"], &sizes)) }
            }
            section.card {
                h2 { "Newest activities" }
                @if newest.is_empty() {
                    (empty("No signal has arrived yet. Put the tracking script on your site.", Some(("tracking", "Set up tracking"))))
                } @else { (table("Newest activities", &["When", "What", "Title", "Visitor"], &newest)) }
            }
        }
    };
    Ok(Answer::Page("", "Home".to_owned(), body))
}

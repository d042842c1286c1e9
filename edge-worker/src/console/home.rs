//! Home: how the system is, in numbers, and what to do next.

use maud::{Markup, Render as _, html};
use msci_core::json;
use msci_core::time::{DAY_MS, Timestamp};
use serde_json::Value;

use super::Answer;
use super::ask::Visit;
use super::layout::to;
use super::parts::{empty, items, lacking, number, plain, table, text, time};
use super::texts::{columns, common, customers, home as say, layout, live};
use crate::error::Result;
use crate::platform::now;
use crate::storage::index;

/// Activities that are shown.
const SHOWN: u32 = 10;

pub(super) async fn show(visit: &Visit<'_>) -> Result<Answer> {
    let known = number(&visit.get("customers?kind=known&top=1").await?, "count");
    let unknown = number(&visit.get("customers?kind=unknown&top=1").await?, "count");
    let (hours, today) = by_hour(visit).await?;
    let jobs = visit.get("jobs").await?;
    let running = items(&jobs, "items").iter().filter(|job| text(job, "state") == "running").count();
    let stats = visit.get("stats").await?;
    let today_at = now().0.div_euclid(DAY_MS);
    let sizes = index::sizes(visit.env).await?;
    let over_time = html! { (visitors(visit, today_at).await?) (segment_sizes(visit, today_at).await?) };
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
            let (kind, title) = (text(activity, "type"), text(activity, "title"));
            vec![
                time(activity.get("time")),
                html! { (kind) },
                html! { a href=(whose) { @if title.is_empty() { (kind) } @else { (title) } } },
            ]
        })
        .collect();
    let body = html! {
        dl.numbers {
            div { dt { (say::KNOWN) } dd { a href=(to("customers")) { (known) } } }
            div { dt { (say::UNKNOWN) } dd { a href=(to("customers?kind=unknown")) { (unknown) } } }
            div { dt { (say::RECENT) } dd { @if today >= u64::from(index::COUNTED) { (say::OrMore { number: &today }) } @else { (today) } } }
            div { dt { (say::JOBS) } dd { a href=(to("jobs")) { (running) } } }
        }
        @if today > 0 { (chart(&hours)) }
        (since_midnight(stats.get("today").unwrap_or(&Value::Null)))
        (by_day(&stats))
        div.columns { (over_time) }
        section.card {
            h2 { (layout::SEGMENTS) }
            @if sizes.is_empty() {
                (lacking(visit, say::NO_SEGMENT, ("new/segments", say::MAKE_SEGMENT)))
            } @else { (table(layout::SEGMENTS, &[columns::SEGMENT, columns::MEMBERS], &sizes)) }
        }
        section.card {
            h2 { (say::NEWEST) }
            @if newest.is_empty() {
                (empty(say::NO_SIGNAL, Some(("tracking", customers::SET_UP))))
            } @else { (table(say::NEWEST, &[columns::WHEN, columns::WHAT, columns::TITLE], &newest)) }
        }
    };
    Ok(Answer::Page("", layout::HOME.render(), body))
}

/// What became of signals and pages today: lost is what a browser numbered and nothing here has got.
fn since_midnight(stats: &Value) -> Markup {
    let rejected: Vec<_> = stats.get("rejected").and_then(Value::as_object).into_iter().flatten().collect();
    let pages = stats.get("pages").cloned().unwrap_or_default();
    let all: u64 = rejected.iter().filter_map(|(_, n)| n.as_u64()).sum();
    let codes: Vec<_> =
        rejected.iter().map(|(code, n)| vec![html! { (code) }, html! { (plain(n)) }]).collect();
    html! {
        section.card {
            h2 { (say::MIDNIGHT) }
            dl.numbers {
                div { dt { (say::SIGNALS_TAKEN) } dd { (number(stats, "accepted")) } }
                div { dt { (say::TAKEN_ONCE) } dd { (number(stats, "duplicate")) } }
                div { dt { (say::REJECTED) } dd { (all) } }
                div { dt { (say::LOST) } dd #lost { (number(stats, "missing")) } }
                div { dt { (say::MERGES) } dd { (number(stats, "merges")) } }
                div { dt { (say::PAGES) } dd { (say::OfPages { personal: &number(&pages, "personalised"), all: &number(&pages, "decided") }) } }
            }
            @if !codes.is_empty() { details { summary { (say::BY_CODE) } (table(say::REJECTED_SIGNALS, &[columns::CODE, live::SIGNALS], &codes)) } }
        }
    }
}

/// What became of signals and visitors, day by day.
fn by_day(stats: &Value) -> Markup {
    let days = items(stats, "days");
    let chart = |title: &str, lines: [(&str, &str); 3]| {
        let row = |day: &Value| {
            let at = Timestamp::from_rfc3339(&format!("{}T00:00:00Z", text(day, "day"))).unwrap_or_default();
            let numbers = lines.iter().map(|(_, field)| Value::from(number(day, field)));
            std::iter::once(Value::from(at.0.div_euclid(DAY_MS))).chain(numbers).collect()
        };
        chart_of_days(title, "", &lines.map(|(name, _)| name), &days.iter().map(row).collect::<Vec<_>>())
    };
    html! {
        @if !days.is_empty() {
            div.columns {
                (chart(say::SIGNALS, [(say::TAKEN, "accepted"), (say::TWICE, "duplicate"), (say::REJECTED, "rejected")]))
                (chart(say::MERGES_BY_DAY, [(say::MERGES, "merges"), (say::PERSONAL, "personalised"), (say::MISSING, "missing")]))
            }
        }
    }
}

/// Days that are drawn of what is noted once a day.
const DAYS: i64 = 90;
/// Segments that are drawn: as many as there are colours.
const DRAWN: u32 = 3;

/// How many visitors there are, known and unknown, day by day.
async fn visitors(visit: &Visit<'_>, today: i64) -> Result<Markup> {
    let days = index::visitors_by_day(visit.env, today, today - DAYS).await?;
    let (title, told) = (say::VISITORS, say::VISITORS_MEAN);
    if days.len() > 1 {
        return Ok(chart_of_days(title, told, &[customers::KNOWN, customers::UNKNOWN], &days));
    }
    let nobody = days.iter().flat_map(|day| day.as_array().into_iter().flatten().skip(1)).all(|n| *n == 0);
    let next = nobody && visit.sees("tracking");
    Ok(not_yet(title, told, &html! { @if next { p { a href=(to("tracking")) { (say::TRACK) } } } }))
}

/// How many are in the largest segments, day by day.
async fn segment_sizes(visit: &Visit<'_>, today: i64) -> Result<Markup> {
    let found = index::largest_by_day(visit.env, DRAWN, today, today - DAYS).await?;
    let list = |at: usize| found.get(at).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let segments = &visit.configuration.definitions.bundle.segments;
    let shown = |name: &'_ Value| {
        let name = plain(name);
        segments.get(&name).and_then(|segment| segment.display_name.clone()).unwrap_or(name)
    };
    let names: Vec<String> = list(0).iter().map(shown).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (title, told) = (say::LARGEST, say::LARGEST_MEAN);
    Ok(match list(1) {
        _ if segments.is_empty() => html! {},
        [] | [_] => not_yet(title, told, &html! {}),
        days => chart_of_days(title, told, &names, days),
    })
}

fn not_yet(title: &str, told: &str, next: &Markup) -> Markup {
    html! {
        section.card {
            h2 { (title) }
            p.quiet { (told) " " (say::LATER) }
            (next)
        }
    }
}

/// Numbers of days, `[day, number …]`, drawn by the page's script; the table says the same.
fn chart_of_days(title: &str, told: &str, lines: &[&str], days: &[Value]) -> Markup {
    let rows: Vec<Vec<Markup>> = days
        .iter()
        .map(|day| {
            let mut cells = day.as_array().into_iter().flatten();
            let at = cells.next().and_then(Value::as_i64).unwrap_or_default();
            let at = Timestamp(at.saturating_mul(DAY_MS)).to_rfc3339();
            let date = html! { (at.get(..10).unwrap_or_default()) };
            std::iter::once(date).chain(cells.map(|cell| html! { (plain(cell)) })).collect()
        })
        .collect();
    let head: Vec<&str> = std::iter::once(columns::DAY).chain(lines.iter().copied()).collect();
    html! {
        section.card {
            h2 { (title) }
            @if !told.is_empty() { p.quiet { (told) } }
            div.chart data-days=(json::text(&days.iter().cloned().collect())) data-lines=(lines.join("\n")) role="img"
                aria-label=(common::Drawn { what: &title }) {}
            details { summary { (common::AS_NUMBERS) } (table(title, &head, &rows)) }
        }
    }
}

/// Hours of the chart, and of each the milliseconds.
const HOURS: i64 = 24;
const HOUR_MS: i64 = 60 * 60 * 1000;

/// Of each of the last hours: the hour since the epoch, views, other activities. And how many in all.
async fn by_hour(visit: &Visit<'_>) -> Result<(Vec<[u64; 3]>, u64)> {
    let last = now().0.checked_div(HOUR_MS).unwrap_or(0);
    let first = last - HOURS + 1;
    let found = index::hours(visit.env, first * HOUR_MS).await?;
    let part = |row: &Value, at: usize| row.get(at).and_then(Value::as_u64).unwrap_or(0);
    let hours = (first..=last).map(i64::unsigned_abs).map(|hour| {
        let row = found.iter().find(|row| part(row, 0) == hour);
        row.map_or([hour, 0, 0], |row| [hour, part(row, 1), part(row, 2)])
    });
    let hours: Vec<_> = hours.collect();
    let all = hours.iter().map(|[_, views, others]| views + others).sum();
    Ok((hours, all))
}

/// Drawn by the page's script; the table says the same.
fn chart(hours: &[[u64; 3]]) -> Markup {
    let rows: Vec<_> = hours
        .iter()
        .filter(|[_, views, others]| views + others > 0)
        .map(|[hour, views, others]| {
            let at = Timestamp(hour.cast_signed().saturating_mul(HOUR_MS)).to_rfc3339();
            vec![time(Some(&at.into())), html! { (views) }, html! { (others) }]
        })
        .collect();
    html! {
        section.card {
            h2 { (say::HOURS) }
            div.chart data-hours=(json::text(&hours.iter().map(|hour| Value::from(hour.to_vec())).collect())) role="img"
                aria-label=(common::Drawn { what: &say::BY_HOUR }) {}
            details { summary { (common::AS_NUMBERS) } (table(say::BY_HOUR, &[columns::HOUR, live::VIEWS, say::OTHERS], &rows)) }
        }
    }
}

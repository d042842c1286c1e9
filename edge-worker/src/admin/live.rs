//! Signals as they arrive, and how many there were (contract §7).

use std::time::Duration;

use msci_core::json;
use msci_core::stats::{self, DAYS};
use msci_core::time::{DAY_MS, Timestamp};
use serde_json::Value;
use worker::{Delay, Env, Request, Response};

use super::customers::invalid;
use crate::calls;
use crate::error::Result;
use crate::http::{self, Outgoing, header};
use crate::platform::now;

/// How often is asked whether there is something new.
const EVERY_MS: u64 = 500;
/// So often; then the one who watches asks again, and is asked who that is.
const ROUNDS: u32 = 100;
/// Silence is no longer than so many rounds: something on the way may end a connection on which nothing comes.
const SILENT: u32 = 20;
/// Days of `GET /stats` unless it says since when.
const USUAL_DAYS: i64 = 30;

/// `GET /stats?since=`: sums of the days from that one on, each of them, and today.
pub(super) async fn stats(request: &Request, env: &Env) -> Result<Response> {
    let asked = http::url(request)?.search_params().get("since").filter(|since| !since.is_empty());
    let usual = now().plus(-USUAL_DAYS * DAY_MS);
    let since = asked.map_or(Some(usual), |since| Timestamp::from_rfc3339(&since));
    let since = since.ok_or_else(|| invalid("since should be a date, such as 2027-01-31"))?;
    let since = Timestamp(since.0.max(now().0 - DAYS * DAY_MS)).midnight();
    let counters = calls::passed_on(env, calls::STATS, &since.0.into()).await?;
    let mut told = stats::told(&json::value(&counters)?, now().0.div_euclid(DAY_MS));
    if let Some(told) = told.as_object_mut() {
        told.insert("since".to_owned(), since.to_rfc3339().into());
    }
    http::json(&told)
}

/// `GET /live?after=`: server-sent events, all that are still known, or those behind the number that `after` or, when a
/// browser connects again, `Last-Event-ID` names.
pub(super) fn live(request: &Request, env: &Env) -> Result<Response> {
    let last = header(request, "last-event-id").parse().ok();
    let after = || http::url(request).ok()?.search_params().get("after")?.parse().ok();
    let behind = last.or_else(after).unwrap_or(0);
    let env = env.clone();
    http::streamed("text/event-stream", |out| async move { watch(&env, behind, &out).await })
}

async fn watch(env: &Env, mut behind: u64, out: &Outgoing) -> Result<()> {
    let mut silent = SILENT;
    for _ in 0..ROUNDS {
        let told = calls::watch(env, behind).await?;
        let last = told.get(0).and_then(Value::as_u64).unwrap_or(0);
        let signals = told.get(1).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        silent += 1;
        let mut text = String::new();
        for (left, signal) in (0..signals.len()).rev().zip(signals) {
            // With the last of them: who connects again has them all.
            if left == 0 {
                text.push_str("id: ");
                text.push_str(&last.to_string());
                text.push('\n');
            }
            text.push_str("data: ");
            text.push_str(&json::text(signal));
            text.push_str("\n\n");
        }
        if text.is_empty() && silent > SILENT {
            text.push_str(": \n\n");
        }
        if !text.is_empty() {
            silent = 0;
            out.send(&text).await?;
        }
        behind = last;
        Delay::from(Duration::from_millis(EVERY_MS)).await;
    }
    Ok(())
}

//! Since when a customer is in which segments, and why. That an object has recorded; which of the signals it was, is
//! looked up in the timeline.

use msci_core::activity::{activity_type, title};
use msci_core::ids::{CookieId, CustomerId, StreamId};
use msci_core::signal::Signal;
use msci_core::time::Timestamp;
use serde_json::{Value, json};
use worker::Env;

use crate::calls::{self, Activity, ProfileCall};
use crate::configuration::Configuration;
use crate::error::Result;
use crate::storage::index;

/// Signals that are looked at.
const LOOKED_AT: usize = 200;

/// Of somebody with a profile: `{ segment, since, cause, activity? }` each.
pub(super) async fn of_profile(
    env: &Env,
    configuration: &Configuration,
    customer: CustomerId,
    segments: &[String],
) -> Result<Vec<Value>> {
    let held: Value = calls::profile(env, configuration.n(), customer, ProfileCall::Held).await?;
    let memberships = held.get("memberships").and_then(Value::as_array).into_iter().flatten();
    let memberships: Vec<Membership<'_>> = memberships
        .filter_map(|of| {
            let (name, of) = (of.get(0)?.as_str()?, of.get(1)?);
            let since = Timestamp(of.get("since")?.as_i64()?);
            Some(Membership { name, since, cause: of.get("cause").and_then(Value::as_str) })
        })
        .filter(|of| segments.iter().any(|name| name == of.name))
        .collect();
    let newest = memberships.iter().filter(|of| of.is_by_signals()).map(|of| of.since.0).max();
    let activities: Vec<Activity> = match newest {
        Some(newest) => {
            let behind = Some((newest + 1, CookieId::from_bits(0), StreamId::from_bits(0), 0));
            let call = ProfileCall::Timeline { behind, limit: LOOKED_AT };
            calls::profile(env, configuration.n(), customer, call).await?
        }
        None => Vec::new(),
    };
    let signals: Vec<&Signal> = activities.iter().map(|activity| &activity.signal).collect();
    let told = memberships.iter().map(|of| {
        let led = || configuration.definitions.led_into(of.name, of.since, &signals);
        shown(of, if of.is_by_signals() { led() } else { None })
    });
    Ok(told.collect())
}

/// As the object has it; an earlier version wrote no cause.
struct Membership<'a> {
    name: &'a str,
    since: Timestamp,
    cause: Option<&'a str>,
}

impl Membership<'_> {
    /// One of somebody's signals did it, new to them or brought by a browser.
    fn is_by_signals(&self) -> bool {
        matches!(self.cause, Some("signal" | "merge"))
    }
}

/// Of somebody who has an imported row alone.
pub(super) async fn of_row(env: &Env, customer: CustomerId) -> Result<Vec<Value>> {
    let since = index::memberships(env, &customer.to_string()).await?;
    let since = since.as_object().into_iter().flatten();
    let told = since.map(|(name, since)| {
        let since = Timestamp(since.as_i64().unwrap_or_default());
        shown(&Membership { name, since, cause: Some("import") }, None)
    });
    Ok(told.collect())
}

fn shown(of: &Membership<'_>, led: Option<&Signal>) -> Value {
    let activity = led.map(|signal| {
        json!({
            "type": activity_type(signal),
            "title": title(signal),
            "uri": signal.text("uri"),
            "time": signal.time.to_rfc3339(),
        })
    });
    json!({ "segment": of.name, "since": of.since.to_rfc3339(), "cause": of.cause, "activity": activity })
}

//! Since when a customer is in which segments, and why. That an object has recorded; which of the signals it was, is
//! looked up in the timeline.

use msci_core::activity::{activity_type, title};
use msci_core::ids::{CookieId, CustomerId, StreamId};
use msci_core::json;
use msci_core::membership::{Cause, Membership};
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
    let mut memberships: Vec<(String, Membership)> = match held.get("memberships") {
        Some(held) => json::from_value(held)?,
        None => Vec::new(),
    };
    memberships.retain(|(name, _)| segments.contains(name));
    let done = |cause: Option<Cause>| matches!(cause, Some(Cause::Signal | Cause::Merge));
    let newest = memberships.iter().filter(|(_, of)| done(of.cause)).map(|(_, of)| of.since.0).max();
    let activities: Vec<Activity> = match newest {
        Some(newest) => {
            let behind = Some((newest + 1, CookieId::from_bits(0), StreamId::from_bits(0), 0));
            let call = ProfileCall::Timeline { behind, limit: LOOKED_AT };
            calls::profile(env, configuration.n(), customer, call).await?
        }
        None => Vec::new(),
    };
    let signals: Vec<&Signal> = activities.iter().map(|activity| &activity.signal).collect();
    let told = memberships.iter().map(|(name, of)| {
        let led = || configuration.definitions.led_into(name, of.since, &signals);
        shown(name, of.since, of.cause, if done(of.cause) { led() } else { None })
    });
    Ok(told.collect())
}

/// Of somebody who has an imported row alone.
pub(super) async fn of_row(env: &Env, customer: CustomerId) -> Result<Vec<Value>> {
    let since = index::memberships(env, &customer.to_string()).await?;
    let since = since.as_object().into_iter().flatten();
    let told = since.map(|(name, since)| {
        shown(name, Timestamp(since.as_i64().unwrap_or_default()), Some(Cause::Import), None)
    });
    Ok(told.collect())
}

fn shown(segment: &str, since: Timestamp, cause: Option<Cause>, led: Option<&Signal>) -> Value {
    let activity = led.map(|signal| {
        json!({
            "type": activity_type(signal),
            "title": title(signal),
            "uri": signal.text("uri"),
            "time": signal.time.to_rfc3339(),
        })
    });
    json!({ "segment": segment, "since": since.to_rfc3339(), "cause": cause, "activity": activity })
}

//! Which profile a browser may see, and the cheapest read of it that is new enough (design §6).

use msci_core::ids::CustomerId;
use msci_core::snapshot::Snapshot;
use msci_core::time::Timestamp;
use worker::Env;

use crate::calls::{self, Activity, ProfileCall, Seen};
use crate::configuration::Configuration;
use crate::cookies::Cookies;
use crate::error::Result;
use crate::storage::snapshots;

/// The profile of a visitor, for a page or a decision. Without a cookie, or for a cookie whose customer
/// this browser has no proof for, a stranger.
///
/// KV first; the object itself where KV is older than the visitor's own last action, or than what time
/// has changed since.
pub(crate) async fn visitor(
    env: &Env,
    configuration: &Configuration,
    cookies: &Cookies,
    now: Timestamp,
) -> Result<Snapshot> {
    let stranger = || Snapshot::stranger(&configuration.definitions, now);
    let Some(cookie) = cookies.id else { return Ok(stranger()) };
    let unknown = configuration.names.unknown(cookie);
    let name = cookies.proof.unwrap_or(unknown);
    let kept = snapshots::get(env, name).await.unwrap_or_else(|error| {
        worker::console_error!("KV did not answer: {error}");
        None
    });
    let recent = match (&kept, &cookies.version) {
        // No action in the last two minutes: KV has all there is, also that there is nothing.
        (None, None) if cookies.proof.is_none() => return Ok(stranger()),
        (None, _) => false,
        (Some(kept), None) => kept.is_fresh(configuration.n(), now),
        (Some(kept), Some((tag, version))) => {
            kept.is_fresh(configuration.n(), now) && kept.tag == *tag && kept.version >= *version
        }
    };
    let snapshot = match kept.filter(|_| recent) {
        Some(snapshot) => Some(snapshot),
        None => match read(env, configuration, name, 0).await? {
            Seen::Profile(snapshot, _) => Some(*snapshot),
            Seen::Linked(_) | Seen::Nothing => None,
        },
    };
    let mode = configuration.settings().consent.mode;
    let shown = |snapshot: Snapshot| match snapshot.may_personalise(mode, cookie) {
        true => snapshot,
        false => stranger(),
    };
    match snapshot.filter(|snapshot| snapshot.cookie_ids.contains(&cookie)) {
        Some(snapshot) => Ok(shown(snapshot)),
        // A proof holds only while the customer still lists the cookie; after that the visitor is again
        // who the cookie alone says.
        None if cookies.proof.is_some() => match read(env, configuration, unknown, 0).await? {
            Seen::Profile(snapshot, _) => Ok(shown(*snapshot)),
            Seen::Linked(_) | Seen::Nothing => Ok(stranger()),
        },
        None => Ok(stranger()),
    }
}

/// What the object itself says.
pub(crate) async fn read(
    env: &Env,
    configuration: &Configuration,
    name: CustomerId,
    activities: usize,
) -> Result<Seen> {
    calls::profile(env, configuration.n(), name, ProfileCall::Read { activities }).await
}

/// The profile that a cookie belongs to, known or unknown; for callers that may see any (the read API).
pub(crate) async fn of_cookie(
    env: &Env,
    configuration: &Configuration,
    cookie: msci_core::ids::CookieId,
    activities: usize,
) -> Result<Option<(Snapshot, Vec<Activity>)>> {
    let own = configuration.names.unknown(cookie);
    let seen = match read(env, configuration, own, activities).await? {
        Seen::Linked(customer) => read(env, configuration, customer, activities).await?,
        seen => seen,
    };
    Ok(match seen {
        Seen::Profile(snapshot, activities) => Some((*snapshot, activities)),
        Seen::Linked(_) | Seen::Nothing => None,
    })
}

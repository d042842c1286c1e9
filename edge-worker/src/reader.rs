//! Which profile a browser may see, and the cheapest read of it that is new enough (design §6).

use msci_core::snapshot::Snapshot;
use msci_core::time::Timestamp;
use worker::Env;

use crate::calls::{self, Seen};
use crate::configuration::Configuration;
use crate::cookies::Cookies;
use crate::error::Result;
use crate::platform::within;
use crate::storage::snapshots;

/// A visitor's profile as a page may use it.
pub(crate) struct Visit {
    /// The profile, or a stranger's.
    pub(crate) snapshot: Snapshot,
    /// Whether KV has not held the visitor's last action yet: the browser should remember it for longer.
    pub(crate) behind: bool,
}

/// How long KV may take, in milliseconds; then the object is asked.
const KV_BUDGET_MS: i64 = 500;

/// The profile of a visitor, for a page or a decision. Without a cookie, or for a cookie whose customer
/// this browser has no proof for, a stranger.
///
/// KV first; the object itself where KV is older than the visitor's own last action, or than what time
/// has changed since, or does not answer.
pub(crate) async fn visitor(
    env: &Env,
    configuration: &Configuration,
    cookies: &Cookies,
    now: Timestamp,
) -> Result<Visit> {
    let visit = |snapshot, behind| Visit { snapshot, behind };
    let stranger = || Snapshot::stranger(&configuration.definitions, now);
    let Some(cookie) = cookies.id else { return Ok(visit(stranger(), false)) };
    let unknown = configuration.names.unknown(cookie);
    let name = cookies.proof.unwrap_or(unknown);
    let kept = match within(KV_BUDGET_MS, snapshots::get(env, name)).await {
        // No action in the last two minutes: KV has all there is, also that there is nothing.
        Some(Ok(None)) if cookies.version.is_none() && cookies.proof.is_none() => {
            return Ok(visit(stranger(), false));
        }
        Some(Ok(kept)) => kept,
        Some(Err(error)) => {
            worker::console_error!("KV did not answer: {error}");
            None
        }
        None => None,
    };
    let acted = cookies.version.as_ref();
    let holds = |kept: &Snapshot| acted.is_none_or(|(tag, n)| kept.tag == *tag && kept.version >= *n);
    let behind = acted.is_some() && !kept.as_ref().is_some_and(holds);
    let recent = |kept: &Snapshot| kept.is_fresh(configuration.n(), now) && holds(kept);
    let snapshot = match kept.filter(recent) {
        Some(snapshot) => Some(snapshot),
        None => match calls::read(env, configuration, name, 0).await? {
            Seen::Profile(snapshot, _) => Some(*snapshot),
            Seen::Linked(_) | Seen::Nothing => None,
        },
    };
    let snapshot = match snapshot.filter(|snapshot| snapshot.cookie_ids.contains(&cookie)) {
        // A proof holds only while the customer still lists the cookie; after that the visitor is again
        // who the cookie alone says.
        None if cookies.proof.is_some() => match calls::read(env, configuration, unknown, 0).await? {
            Seen::Profile(snapshot, _) => Some(*snapshot),
            Seen::Linked(_) | Seen::Nothing => None,
        },
        snapshot => snapshot,
    };
    let mode = configuration.settings().consent.mode;
    let snapshot = snapshot.filter(|snapshot| snapshot.may_personalise(mode, cookie));
    Ok(visit(snapshot.unwrap_or_else(stranger), behind))
}

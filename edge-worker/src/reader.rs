//! Which profile a browser may see, and the cheapest read of it that is new enough (design §6).

use msci_core::ids::CustomerId;
use msci_core::snapshot::Snapshot;
use msci_core::time::Timestamp;
use worker::Env;

use crate::calls::{self, Seen};
use crate::configuration::Configuration;
use crate::cookies::Cookies;
use crate::error::{Error, Result};
use crate::platform::within;
use crate::storage::snapshots;

/// A visitor's profile as a page may use it.
pub(crate) struct Visit {
    /// The profile, or a stranger's.
    pub(crate) snapshot: Snapshot,
    /// Whether KV has not held the visitor's last action yet: the browser should remember it for longer.
    pub(crate) behind: bool,
}

impl Visit {
    /// Of somebody about whom nothing is known.
    pub(crate) fn of_a_stranger(configuration: &Configuration, now: Timestamp) -> Self {
        Self { snapshot: Snapshot::stranger(&configuration.definitions, now), behind: false }
    }
}

/// How long KV may take, in milliseconds; then the object is asked.
const KV_BUDGET_MS: i64 = 500;

/// What KV has of a visitor.
pub(crate) enum Kept {
    /// A snapshot, perhaps a minute old.
    Snapshot(Box<Snapshot>),
    /// Nothing.
    Nothing,
    /// Nobody knows.
    NoAnswer,
}

/// The customer whom this browser may see; nobody without a cookie.
pub(crate) fn name(configuration: &Configuration, cookies: &Cookies) -> Option<CustomerId> {
    let cookie = cookies.id?;
    Some(cookies.proof.unwrap_or_else(|| configuration.names.unknown(cookie)))
}

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
    let Some(name) = name(configuration, cookies) else {
        return Ok(Visit::of_a_stranger(configuration, now));
    };
    let kept = match within(KV_BUDGET_MS, snapshots::get(env, name)).await {
        Some(Ok(kept)) => kept,
        Some(Err(error)) => {
            worker::console_error!("KV did not answer: {error}");
            Kept::NoAnswer
        }
        None => Kept::NoAnswer,
    };
    match at_once(configuration, cookies, now, kept) {
        Ok(visit) => Ok(visit),
        Err(rest) => rest.of(env, configuration, cookies, now).await,
    }
}

/// The visit as far as KV can tell, or what an object is to be asked.
pub(crate) fn at_once(
    configuration: &Configuration,
    cookies: &Cookies,
    now: Timestamp,
    kept: Kept,
) -> std::result::Result<Visit, Unsettled> {
    let acted = cookies.version.as_ref();
    let kept = match kept {
        // No action in the last two minutes: KV has all there is, also that there is nothing.
        Kept::Nothing if acted.is_none() && cookies.proof.is_none() => {
            return Ok(Visit::of_a_stranger(configuration, now));
        }
        Kept::Snapshot(snapshot) => Some(*snapshot),
        Kept::Nothing | Kept::NoAnswer => None,
    };
    let holds = |kept: &Snapshot| acted.is_none_or(|(tag, n)| kept.tag == *tag && kept.version >= *n);
    let behind = acted.is_some() && !kept.as_ref().is_some_and(holds);
    let recent = |kept: &Snapshot| kept.is_fresh(configuration.n(), now) && holds(kept);
    match kept.filter(recent) {
        Some(snapshot) => checked(configuration, cookies, now, behind, Some(snapshot)),
        None => Err(Unsettled { behind, own: true }),
    }
}

/// What KV could not tell.
pub(crate) struct Unsettled {
    behind: bool,
    /// Whether it is the profile itself that is to be asked for, and not only who the cookie alone says.
    own: bool,
}

impl Unsettled {
    /// The visit, from the objects.
    pub(crate) async fn of(
        self,
        env: &Env,
        configuration: &Configuration,
        cookies: &Cookies,
        now: Timestamp,
    ) -> Result<Visit> {
        let behind = self.behind;
        let profile = async |name| {
            Ok::<_, Error>(match calls::read(env, configuration, name, 0).await? {
                Seen::Profile(snapshot, _) => Some(*snapshot),
                Seen::Linked(_) | Seen::Nothing => None,
            })
        };
        if let Some(name) = name(configuration, cookies).filter(|_| self.own) {
            let snapshot = profile(name).await?;
            if let Ok(visit) = checked(configuration, cookies, now, behind, snapshot) {
                return Ok(visit);
            }
        }
        let Some(cookie) = cookies.id else { return Ok(Visit::of_a_stranger(configuration, now)) };
        let snapshot = profile(configuration.names.unknown(cookie)).await?;
        let unproven = Cookies { proof: None, version: None, carried: None, ..*cookies };
        Ok(checked(configuration, &unproven, now, behind, snapshot)
            .unwrap_or_else(|_| Visit::of_a_stranger(configuration, now)))
    }
}

/// The visit with this snapshot. A proof holds only while the customer still lists the cookie; after that the
/// visitor is again who the cookie alone says, and that is to be asked.
fn checked(
    configuration: &Configuration,
    cookies: &Cookies,
    now: Timestamp,
    behind: bool,
    snapshot: Option<Snapshot>,
) -> std::result::Result<Visit, Unsettled> {
    let lists = |snapshot: &Snapshot| cookies.id.is_some_and(|cookie| snapshot.cookie_ids.contains(&cookie));
    let snapshot = snapshot.filter(lists);
    if snapshot.is_none() && cookies.proof.is_some() {
        return Err(Unsettled { behind, own: false });
    }
    let mode = configuration.settings().consent.mode;
    let allowed =
        |snapshot: &Snapshot| cookies.id.is_some_and(|cookie| snapshot.may_personalise(mode, cookie));
    let snapshot = snapshot.filter(allowed);
    Ok(match snapshot {
        Some(snapshot) => Visit { snapshot, behind },
        None => Visit { behind, ..Visit::of_a_stranger(configuration, now) },
    })
}

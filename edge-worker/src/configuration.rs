//! The configuration in force, as an isolate knows it: at most a second old where a change must hold
//! at once, and rather old than absent, since pages must go on.

use std::cell::RefCell;
use std::rc::Rc;

use msci_core::config::Bundle;
use msci_core::definitions::Definitions;
use msci_core::identity::NameKey;
#[cfg(feature = "edge")]
use msci_core::keys::{Record, Ring};
use msci_core::proof::ProofKey;
use msci_core::time::{SECOND_MS, Timestamp};
use serde::{Deserialize, Serialize};
use worker::Env;

use crate::calls;
use crate::error::{Error, Result};
use crate::platform::within;
use crate::storage::snapshots;

/// What the `ConfigObject` tells.
#[derive(Serialize, Deserialize)]
pub(crate) struct Told {
    /// The bundle.
    pub(crate) bundle: Bundle,
    /// Key of all names.
    pub(crate) names: Vec<u8>,
    /// Key of proof cookies.
    pub(crate) proofs: Vec<u8>,
    /// Version of the key ring.
    #[cfg(feature = "edge")]
    #[serde(default)]
    pub(crate) revision: u64,
    /// The keys of pages and of the site's servers. The console has no use for them.
    #[cfg(feature = "edge")]
    #[serde(default)]
    pub(crate) keys: Vec<Record>,
}

/// Configuration, compiled.
pub(crate) struct Configuration {
    /// Definitions and settings.
    pub(crate) definitions: Definitions,
    /// Key of all names.
    pub(crate) names: NameKey,
    /// Key of proof cookies.
    pub(crate) proofs: ProofKey,
    /// The keys of pages and of the site's servers.
    #[cfg(feature = "edge")]
    pub(crate) ring: Rc<Ring>,
}

impl Configuration {
    /// Version.
    pub(crate) fn n(&self) -> u64 {
        self.definitions.bundle.n
    }

    /// Settings.
    pub(crate) fn settings(&self) -> &msci_core::config::Settings {
        &self.definitions.bundle.settings
    }

    /// Whether this is the key ring of that revision.
    #[cfg(feature = "edge")]
    fn has_ring(&self, revision: u64) -> bool {
        self.ring.revision == revision
    }

    #[cfg(not(feature = "edge"))]
    #[allow(clippy::unused_self)] // there is none here
    fn has_ring(&self, _: u64) -> bool {
        true
    }
}

struct Cached {
    configuration: Rc<Configuration>,
    checked: Timestamp,
}

thread_local! {
    static CACHE: RefCell<Option<Cached>> = const { RefCell::new(None) };
}

/// How long a bundle is waited for from KV.
const KV_BUDGET_MS: i64 = SECOND_MS;
/// A change holds here within this time: for readers at once, at the price of a call with each question, since a
/// program that changes something and then asks does so in a moment.
const FRESH_MS: i64 = if cfg!(feature = "api") { 0 } else { SECOND_MS };

fn cached() -> Option<(Rc<Configuration>, Timestamp)> {
    CACHE.with_borrow(|cache| cache.as_ref().map(|c| (Rc::clone(&c.configuration), c.checked)))
}

fn keep(configuration: &Rc<Configuration>, checked: Timestamp) {
    CACHE.with_borrow_mut(|cache| {
        // Another request may have brought a newer one while this one waited.
        if cache.as_ref().is_none_or(|old| old.configuration.n() <= configuration.n()) {
            *cache = Some(Cached { configuration: Rc::clone(configuration), checked });
        }
    });
}

/// The configuration, if it was asked about at most [`FRESH_MS`] ago.
pub(crate) fn fresh(now: Timestamp) -> Option<Rc<Configuration>> {
    cached().filter(|(_, checked)| now < checked.plus(FRESH_MS)).map(|(configuration, _)| configuration)
}

/// The configuration, asked about at most [`FRESH_MS`] ago.
pub(crate) async fn current(env: &Env, now: Timestamp) -> Result<Rc<Configuration>> {
    if let Some(configuration) = fresh(now) {
        return Ok(configuration);
    }
    match cached() {
        Some((configuration, _)) => match calls::config_state(env).await {
            // A key that was removed opens nothing any more, whatever else stayed as it was.
            Ok((_, revision)) if !configuration.has_ring(revision) => fetch(env, now).await,
            Ok((n, _)) if n == configuration.n() => {
                keep(&configuration, now);
                Ok(configuration)
            }
            Ok((n, _)) => fetch_version(env, n, now).await,
            // The page must go on with what is known.
            Err(error) => {
                worker::console_error!("configuration could not be asked about: {error}");
                Ok(configuration)
            }
        },
        None => fetch(env, now).await,
    }
}

/// The configuration at version `n` or later: what a call to an object was made with.
pub(crate) async fn at_least(env: &Env, n: u64, now: Timestamp) -> Result<Rc<Configuration>> {
    match cached() {
        Some((configuration, _)) if configuration.n() >= n => Ok(configuration),
        _ => fetch_version(env, n, now).await,
    }
}

/// A key that was removed opens nothing any more after this time, wherever it is.
#[cfg(feature = "edge")]
const KEYS_MS: i64 = 60 * SECOND_MS;

/// Whether the keys are surely those in force: where the object that has them cannot be asked, pages go on with what is
/// known, and sign-ins wait.
#[cfg(feature = "edge")]
pub(crate) fn knows_keys(now: Timestamp) -> bool {
    cached().is_some_and(|(_, checked)| now < checked.plus(KEYS_MS))
}

/// A change was just made: the next request asks again.
pub(crate) fn forget() {
    CACHE.with_borrow_mut(|cache| {
        if let Some(cache) = cache {
            cache.checked = Timestamp(0);
        }
    });
}

async fn fetch(env: &Env, now: Timestamp) -> Result<Rc<Configuration>> {
    let told = calls::config_told(env).await?;
    let key = |bytes: Vec<u8>| bytes.try_into().map_err(|_| Error::damaged("a key of another length"));
    let keys = Keys {
        names: NameKey::new(key(told.names)?),
        proofs: ProofKey::new(key(told.proofs)?),
        #[cfg(feature = "edge")]
        ring: {
            let secret = crate::names::var(env, crate::names::VAR_IDENTITY_SECRET);
            let ingestion = crate::names::var(env, crate::names::VAR_INGESTION_KEY);
            Rc::new(Ring::of(told.revision, told.keys).with_built_in(&secret, &ingestion))
        },
    };
    configured(told.bundle, keys, now)
}

/// What a configuration has besides its bundle.
struct Keys {
    names: NameKey,
    proofs: ProofKey,
    #[cfg(feature = "edge")]
    ring: Rc<Ring>,
}

/// The configuration at this version: its bundle is in KV, near every location; where it has not arrived
/// yet, the one object that holds it answers.
async fn fetch_version(env: &Env, n: u64, now: Timestamp) -> Result<Rc<Configuration>> {
    let Some((old, _)) = cached() else { return fetch(env, now).await };
    match within(KV_BUDGET_MS, snapshots::bundle(env, n)).await {
        Some(Ok(Some(bundle))) if bundle.n == n => {
            let keys = Keys {
                names: old.names.clone(),
                proofs: old.proofs.clone(),
                #[cfg(feature = "edge")]
                ring: Rc::clone(&old.ring),
            };
            configured(bundle, keys, now)
        }
        _ => fetch(env, now).await,
    }
}

fn configured(bundle: Bundle, keys: Keys, now: Timestamp) -> Result<Rc<Configuration>> {
    let definitions =
        Definitions::compile(bundle).map_err(|error| Error::damaged(format!("configuration: {error}")))?;
    let configuration = Rc::new(Configuration {
        definitions,
        names: keys.names,
        proofs: keys.proofs,
        #[cfg(feature = "edge")]
        ring: newest(keys.ring),
    });
    keep(&configuration, now);
    Ok(configuration)
}

/// Another request may have brought a newer ring while this one waited.
#[cfg(feature = "edge")]
fn newest(ring: Rc<Ring>) -> Rc<Ring> {
    let cached = cached().map(|(configuration, _)| Rc::clone(&configuration.ring));
    cached.filter(|cached| cached.revision > ring.revision).unwrap_or(ring)
}

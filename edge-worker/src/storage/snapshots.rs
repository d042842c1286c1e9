//! What KV holds: a snapshot per customerId, written by that object alone and read by pages, and the
//! configuration's bundles by version, which never change.

#[cfg(feature = "edge")]
mod copies;
#[cfg(feature = "console")]
mod holders;

use msci_core::config::Bundle;
use msci_core::json;
use worker::Env;

use super::kv::Kv;
use crate::error::Result;
use crate::names;

#[cfg(feature = "edge")]
pub(crate) use copies::*;
#[cfg(feature = "console")]
pub(crate) use holders::*;

const PROFILES: &str = "p:";

fn store(env: &Env) -> Result<Kv> {
    Kv::of(env, names::SNAPSHOTS)
}

/// The bundle of this version, if it has arrived here.
pub(crate) async fn bundle(env: &Env, n: u64) -> Result<Option<Bundle>> {
    let text = store(env)?.get(&format!("cfg:{n}")).await?;
    Ok(text.and_then(|text| json::from_str(&text).ok()))
}

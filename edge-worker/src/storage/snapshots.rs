//! What KV holds: a snapshot per customerId, written by that object alone and read by pages, and the
//! configuration's bundles by version, which never change.

use msci_core::config::Bundle;
use msci_core::ids::CustomerId;
use msci_core::json;
use msci_core::object::Projection;
use worker::Env;

use super::kv::Kv;
use crate::error::Result;
use crate::names;
use crate::reader::Kept;

const PROFILES: &str = "p:";

/// Where a customer's snapshot stands.
pub(crate) fn key(customer: CustomerId) -> String {
    format!("{PROFILES}{customer}")
}

fn store(env: &Env) -> Result<Kv> {
    Kv::of(env, names::SNAPSHOTS)
}

/// The snapshot as KV has it.
pub(crate) async fn get(env: &Env, customer: CustomerId) -> Result<Kept> {
    Ok(read(store(env)?.get(&key(customer)).await?))
}

/// A snapshot out of its text. One that cannot be read counts as none: the object answers then.
pub(crate) fn read(text: Option<String>) -> Kept {
    match text.map(|text| json::from_str(&text)) {
        Some(Ok(snapshot)) => Kept::Snapshot(Box::new(snapshot)),
        Some(Err(_)) | None => Kept::Nothing,
    }
}

/// Carries out a projection.
pub(crate) async fn put(env: &Env, projection: &Projection) -> Result<()> {
    let store = store(env)?;
    match projection {
        Projection::Put(snapshot) => {
            store.put(&key(snapshot.customer), &serde_json::to_string(snapshot)?).await
        }
        Projection::Delete(customer) => store.delete(&key(*customer)).await,
    }
}

/// Some profiles that have a snapshot, behind a cursor; and the next cursor, if there are more.
pub(crate) async fn list(env: &Env, cursor: Option<&str>) -> Result<(Vec<CustomerId>, Option<String>)> {
    let (keys, next) = store(env)?.list(PROFILES, PER_LIST, cursor).await?;
    let names = keys.iter().filter_map(|key| key.strip_prefix(PROFILES)?.parse().ok());
    Ok((names.collect(), next))
}

/// Profiles in one answer of [`list`].
const PER_LIST: u32 = 100;

/// Keeps a bundle of the configuration where every location can read it.
pub(crate) async fn put_bundle(env: &Env, n: u64, body: &str) -> Result<()> {
    store(env)?.put(&format!("cfg:{n}"), body).await
}

/// The bundle of this version, if it has arrived here.
pub(crate) async fn bundle(env: &Env, n: u64) -> Result<Option<Bundle>> {
    let text = store(env)?.get(&format!("cfg:{n}")).await?;
    Ok(text.and_then(|text| json::from_str(&text).ok()))
}

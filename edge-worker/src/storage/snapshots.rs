//! What KV holds: a snapshot per customerId, written by that object alone and read by pages, and the
//! configuration's bundles by version, which never change.

use msci_core::config::Bundle;
use msci_core::ids::CustomerId;
use msci_core::object::Projection;
use msci_core::snapshot::Snapshot;
use worker::{Env, KvStore};

use crate::error::Result;
use crate::names;

const PROFILES: &str = "p:";

fn key(customer: CustomerId) -> String {
    format!("{PROFILES}{customer}")
}

fn store(env: &Env) -> Result<KvStore> {
    Ok(env.kv(names::SNAPSHOTS)?)
}

/// The snapshot as KV has it, perhaps a minute old. One that cannot be read counts as none: the object
/// answers then.
pub(crate) async fn get(env: &Env, customer: CustomerId) -> Result<Option<Snapshot>> {
    let text = store(env)?.get(&key(customer)).text().await.map_err(worker::Error::from)?;
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
}

/// Carries out a projection.
pub(crate) async fn put(env: &Env, projection: &Projection) -> Result<()> {
    let store = store(env)?;
    match projection {
        Projection::Put(snapshot) => {
            let body = serde_json::to_string(snapshot)?;
            let put = store.put(&key(snapshot.customer), body).map_err(worker::Error::from)?;
            put.execute().await.map_err(worker::Error::from)?;
        }
        Projection::Delete(customer) => store.delete(&key(*customer)).await.map_err(worker::Error::from)?,
    }
    Ok(())
}

/// Some profiles that have a snapshot, behind a cursor; and the next cursor, if there are more.
pub(crate) async fn list(env: &Env, cursor: Option<String>) -> Result<(Vec<CustomerId>, Option<String>)> {
    let mut list = store(env)?.list().prefix(PROFILES.to_owned()).limit(PER_LIST);
    if let Some(cursor) = cursor {
        list = list.cursor(cursor);
    }
    let page = list.execute().await.map_err(worker::Error::from)?;
    let names = page.keys.iter().filter_map(|key| key.name.strip_prefix(PROFILES)?.parse().ok());
    Ok((names.collect(), page.cursor.filter(|_| !page.list_complete)))
}

/// Profiles in one answer of [`list`].
const PER_LIST: u64 = 100;

/// Keeps a bundle of the configuration where every location can read it.
pub(crate) async fn put_bundle(env: &Env, n: u64, body: &str) -> Result<()> {
    let put = store(env)?.put(&format!("cfg:{n}"), body).map_err(worker::Error::from)?;
    Ok(put.execute().await.map_err(worker::Error::from)?)
}

/// The bundle of this version, if it has arrived here.
pub(crate) async fn bundle(env: &Env, n: u64) -> Result<Option<Bundle>> {
    let text = store(env)?.get(&format!("cfg:{n}")).text().await.map_err(worker::Error::from)?;
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
}

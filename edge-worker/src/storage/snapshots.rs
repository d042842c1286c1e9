//! Snapshots in KV: one key per customerId, written by that object alone, read by pages.

use msci_core::ids::CustomerId;
use msci_core::object::Projection;
use msci_core::snapshot::Snapshot;
use worker::{Env, KvStore};

use crate::error::Result;
use crate::names;

fn key(customer: CustomerId) -> String {
    format!("p:{customer}")
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

//! One snapshot, read and written; bundles of the configuration, written.

use msci_core::ids::CustomerId;
use msci_core::json;
use msci_core::object::Projection;
use worker::Env;

use super::{PROFILES, store};
use crate::error::Result;
use crate::reader::Kept;

/// Where a customer's snapshot stands.
pub(crate) fn key(customer: CustomerId) -> String {
    format!("{PROFILES}{customer}")
}

/// The snapshot as KV has it.
pub(crate) async fn get(env: &Env, customer: CustomerId) -> Result<Kept> {
    Ok(read(store(env)?.get(&key(customer)).await?))
}

/// A snapshot out of its text, perhaps a minute old. One that cannot be read counts as none: the object answers then.
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

/// Keeps a bundle of the configuration where every location can read it.
pub(crate) async fn put_bundle(env: &Env, n: u64, body: &str) -> Result<()> {
    store(env)?.put(&format!("cfg:{n}"), body).await
}

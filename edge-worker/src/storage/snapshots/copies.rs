//! One snapshot, read and written; bundles of the configuration, written.

use msci_core::ids::CustomerId;
use msci_core::json;
use msci_core::object::Projection;
use msci_core::snapshot::Snapshot;
use worker::Env;

use super::{PROFILES, store};
use crate::error::Result;
use crate::reader::Kept;

/// Where a customer's snapshot stands.
pub(crate) fn key(customer: CustomerId) -> String {
    [PROFILES, &customer.to_string()].concat()
}

/// The snapshot as KV has it.
pub(crate) async fn get(env: &Env, customer: CustomerId) -> Result<Kept> {
    Ok(read(store(env)?.get(&key(customer)).await?, true))
}

/// A snapshot out of its text, perhaps a minute old, with its fields or without. One that cannot be read counts as none:
/// the object answers then.
pub(crate) fn read(text: Option<String>, fields: bool) -> Kept {
    let glance = |text: &String| Snapshot::glance(text).filter(|_| !fields);
    let snapshot = text.and_then(|text| glance(&text).or_else(|| json::from_str(&text).ok()));
    snapshot.map_or(Kept::Nothing, |snapshot| Kept::Snapshot(Box::new(snapshot)))
}

/// Carries out a projection.
pub(crate) async fn put(env: &Env, projection: &Projection) -> Result<()> {
    let store = store(env)?;
    match projection {
        Projection::Put(snapshot) => store.put(&key(snapshot.customer), &snapshot.kept()?).await,
        Projection::Delete(customer) => store.delete(&key(*customer)).await,
    }
}

/// Keeps a bundle of the configuration where every location can read it.
pub(crate) async fn put_bundle(env: &Env, n: u64, body: &str) -> Result<()> {
    store(env)?.put(&format!("cfg:{n}"), body).await
}

//! Who has a snapshot.

use msci_core::ids::CustomerId;
use worker::Env;

use super::{PROFILES, store};
use crate::error::Result;

/// Some profiles that have a snapshot, behind a cursor; and the next cursor, if there are more.
pub(crate) async fn list(env: &Env, cursor: Option<&str>) -> Result<(Vec<CustomerId>, Option<String>)> {
    let (keys, next) = store(env)?.list(PROFILES, PER_LIST, cursor).await?;
    let names = keys.iter().filter_map(|key| key.strip_prefix(PROFILES)?.parse().ok());
    Ok((names.collect(), next))
}

/// Profiles in one answer of [`list`].
const PER_LIST: u32 = 100;

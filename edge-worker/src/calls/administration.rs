//! Changes of the configuration.

use msci_core::json;
use serde_json::{Value, json};
use worker::Env;

use super::{Change, config};
use crate::error::Result;

/// Changes the configuration; answers its new version.
pub(crate) async fn config_change(env: &Env, change: &Change) -> Result<u64> {
    let body = serde_json::to_string(change)?;
    Ok(json::from_str(&config(env, "https://config/change", Some(&body)).await?)?)
}

/// Puts an activation, with a secret or without, or deletes it; answers `{ n, secret? }`: the new version, and
/// the secret that was made for it.
pub(crate) async fn change_activation(env: &Env, name: &str, body: Value) -> Result<Value> {
    let body = json::text(&json!({ "name": name, "body": body }));
    Ok(json::value(&config(env, "https://config/activation", Some(&body)).await?)?)
}

/// Keeps the account `{ url, projectId, token }` of an outside service, or forgets it (null).
pub(crate) async fn keep_account(env: &Env, service: &str, account: &Value) -> Result<()> {
    let body = serde_json::to_string(&(service, account))?;
    config(env, "https://config/account/keep", Some(&body)).await.map(drop)
}

/// An account that was kept; null if there is none.
pub(crate) async fn account(env: &Env, service: &str) -> Result<Value> {
    Ok(json::value(&config(env, "https://config/account", Some(service)).await?)?)
}

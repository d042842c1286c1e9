//! Changes of the configuration.

use msci_core::ids::CustomerId;
use msci_core::json;
use serde_json::{Value, json};
use worker::Env;

use super::{Change, ProfileCall, config, profile_text};
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

/// Claims that wait at a visitor's object.
pub(crate) async fn claims(env: &Env, n: u64, visitor: CustomerId) -> Result<Value> {
    Ok(json::value(&profile_text(env, n, visitor, ProfileCall::Claims).await?)?)
}

/// Keys, without their secrets.
pub(crate) async fn keys(env: &Env) -> Result<Value> {
    Ok(json::value(&config(env, "https://config/keys", None).await?)?)
}

/// Makes a key; answers it, with the secret if that was made there.
pub(crate) async fn make_key(env: &Env, asked: &Value) -> Result<Value> {
    Ok(json::value(&config(env, "https://config/keys/make", Some(&json::text(asked))).await?)?)
}

/// Removes a key.
pub(crate) async fn remove_key(env: &Env, id: &str) -> Result<()> {
    config(env, "https://config/keys/remove", Some(id)).await.map(drop)
}

/// What is kept of a token, and its digest; null if there is none of this id.
pub(crate) async fn token(env: &Env, id: &str) -> Result<Value> {
    Ok(json::value(&config(env, "https://config/token", Some(id)).await?)?)
}

/// Entries for the audit log; answers the number of the last.
pub(crate) async fn tell_audit(env: &Env, told: &Value) -> Result<u64> {
    Ok(json::from_str(&config(env, "https://config/audit/tell", Some(&json::text(told))).await?)?)
}

/// All tokens.
pub(crate) const TOKENS: &str = "https://config/tokens";
/// Makes a token of what `token::asked` took.
pub(crate) const MAKE_TOKEN: &str = "https://config/token/make";
/// Takes the token of an id away.
pub(crate) const REMOVE_TOKEN: &str = "https://config/token/remove";
/// The audit log: `[top, skiptoken?, since]`.
pub(crate) const AUDIT: &str = "https://config/audit";
/// `[number, status]`: the outcome of an entry.
pub(crate) const END_AUDIT: &str = "https://config/audit/end";
/// Counters since a day.
pub(crate) const STATS: &str = "https://config/stats";

/// What the configuration's object answers to this, where it answers as the API does.
pub(crate) async fn passed_on(env: &Env, url: &str, body: &Value) -> Result<String> {
    config(env, url, Some(&json::text(body))).await
}

/// The number of the newest signal, and the signals behind this one; who asks is taken to watch.
pub(crate) async fn watch(env: &Env, behind: u64) -> Result<Value> {
    Ok(json::value(&passed_on(env, "https://config/watch", &behind.into()).await?)?)
}

//! Changes of the configuration, and what the read API asks it for.

use msci_core::access::audit::Counted;
use msci_core::access::token::Token;
use msci_core::json;
use msci_core::time::Timestamp;
use serde_json::{Value, json};
use worker::Env;

use super::{Change, config};
use crate::error::Result;

/// Asks for so many of the requests that a token may make in a window, of at most so many. Answers how
/// many are granted, and how many are then left.
pub(crate) async fn config_lease(
    env: &Env,
    token: u32,
    window: i64,
    want: u32,
    most: u32,
) -> Result<(u32, u32)> {
    let body = serde_json::to_string(&(token, window, want, most))?;
    Ok(json::from_str(&config(env, "https://config/lease", Some(&body)).await?)?)
}

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

/// What is kept of a token.
pub(crate) async fn token(env: &Env, id: &str) -> Result<Option<Token>> {
    Ok(json::from_str(&config(env, "https://config/token", Some(id)).await?)?)
}

/// All of them, and when each was last used.
pub(crate) async fn tokens(env: &Env) -> Result<Vec<(Token, Option<Timestamp>)>> {
    Ok(json::from_str(&config(env, "https://config/tokens", None).await?)?)
}

/// Makes a token; answers its text too.
pub(crate) async fn make_token(env: &Env, asked: &Value) -> Result<(String, Token)> {
    Ok(json::from_str(&config(env, "https://config/token/make", Some(&json::text(asked))).await?)?)
}

/// Takes a token away.
pub(crate) async fn remove_token(env: &Env, id: &str) -> Result<()> {
    config(env, "https://config/token/remove", Some(id)).await.map(drop)
}

/// An entry of the audit log, before what it tells is done; answers its number.
pub(crate) async fn audit_begin(env: &Env, entry: &Counted) -> Result<u64> {
    let body = serde_json::to_string(entry)?;
    Ok(json::from_str(&config(env, "https://config/audit/begin", Some(&body)).await?)?)
}

/// The outcome of an entry.
pub(crate) async fn audit_end(env: &Env, id: u64, status: u16) -> Result<()> {
    let body = serde_json::to_string(&(id, status))?;
    config(env, "https://config/audit/end", Some(&body)).await.map(drop)
}

/// Entries that were counted.
pub(crate) async fn audit_count(env: &Env, counted: &[Counted]) -> Result<()> {
    let body = serde_json::to_string(counted)?;
    config(env, "https://config/audit/count", Some(&body)).await.map(drop)
}

/// The newest entries from a time on, behind one of them, as `{ items, skiptoken? }`.
pub(crate) async fn audit(env: &Env, top: u32, behind: Option<i64>, since: Timestamp) -> Result<Value> {
    let body = serde_json::to_string(&(top, behind, since))?;
    Ok(json::value(&config(env, "https://config/audit", Some(&body)).await?)?)
}

/// Counters since that day.
pub(crate) async fn stats(env: &Env, since: Timestamp) -> Result<msci_core::stats::Counters> {
    let body = since.0.to_string();
    Ok(json::from_str(&config(env, "https://config/stats", Some(&body)).await?)?)
}

/// The number of the newest signal, and the signals behind this one; who asks is taken to watch.
pub(crate) async fn watch(env: &Env, behind: u64) -> Result<(u64, Vec<Value>)> {
    let body = behind.to_string();
    Ok(json::from_str(&config(env, "https://config/watch", Some(&body)).await?)?)
}

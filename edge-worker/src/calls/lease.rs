//! Requests that a token may make, as the configuration's object counts them.

use msci_core::json;
use worker::Env;

use super::config;
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

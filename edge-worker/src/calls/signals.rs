//! Signals on their way: from a browser to the cookie's object, and from there to the customer's.

use msci_core::ids::CustomerId;
use msci_core::json;
use msci_core::object::{CollectAnswer, CollectCall, Offered, Page, ShipAnswer};
use msci_core::token::Use;
use serde::{Deserialize, Serialize};
use worker::Env;

use super::{Envelope, ProfileCall, profile, twice};
use crate::error::Result;

/// Answer to `Collect`.
#[derive(Serialize, Deserialize)]
pub(crate) struct Collected {
    /// What the log says.
    pub(crate) answer: CollectAnswer,
    /// Whose profile the signals are in now.
    pub(crate) customer: CustomerId,
    /// Its life.
    pub(crate) tag: String,
    /// Its version.
    pub(crate) version: u64,
    /// Whether a part is still on its way to the customer.
    pub(crate) pending: bool,
}

/// Has the cookie's object take a batch; gives the signals back, which are too many to be copied.
pub(crate) async fn collect(
    env: &Env,
    n: u64,
    name: CustomerId,
    call: CollectCall,
) -> Result<(Collected, Vec<Offered>)> {
    let envelope = Envelope { name, n, call: ProfileCall::Collect(call) };
    let collected = json::from_str(&twice(env, name, &serde_json::to_string(&envelope)?).await?)?;
    match envelope.call {
        ProfileCall::Collect(call) => Ok((collected, call.signals)),
        _ => Ok((collected, Vec::new())),
    }
}

/// Ships a page to the customer's object.
pub(crate) async fn ship(env: &Env, n: u64, page: Page) -> Result<ShipAnswer> {
    let name = page.customer.id;
    profile(env, n, name, ProfileCall::Ship(page)).await
}

/// Binds a token to the browser that uses it, at the object of whom it proves. Says whether that browser may.
pub(crate) async fn use_token(env: &Env, n: u64, customer: CustomerId, used: &Use) -> Result<bool> {
    profile(env, n, customer, ProfileCall::UseToken(used.clone())).await
}

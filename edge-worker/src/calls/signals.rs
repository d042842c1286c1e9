//! Signals on their way: from a browser to the cookie's object, and from there to the customer's.

use msci_core::ids::CustomerId;
use msci_core::object::{CollectAnswer, Page, ShipAnswer};
use msci_core::token::Use;
use serde::{Deserialize, Serialize};
use worker::Env;

use super::{ProfileCall, profile};
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

/// Ships a page to the customer's object.
pub(crate) async fn ship(env: &Env, n: u64, page: Page) -> Result<ShipAnswer> {
    let name = page.customer.id;
    profile(env, n, name, ProfileCall::Ship(page)).await
}

/// Binds a token to the browser that uses it, at the object of whom it proves. Says whether that browser may.
pub(crate) async fn use_token(env: &Env, n: u64, customer: CustomerId, used: &Use) -> Result<bool> {
    profile(env, n, customer, ProfileCall::UseToken(used.clone())).await
}

//! The list of deliveries, as objects that deliver write it: by versioned upserts (law 2).

use msci_core::activation::State;
use msci_core::ids::CustomerId;
use msci_core::object::Listing;
use msci_core::time::{DAY_MS, Timestamp};
use wasm_bindgen::JsValue;
use worker::Env;

use super::run;
use crate::error::Result;

/// Longer than a dead message can be put back.
const LISTED_MS: i64 = 40 * DAY_MS;
/// Old deliveries that one write takes along.
const TIDIED: u32 = 100;

/// Carries out a listing. An older one that is late changes nothing.
pub(crate) async fn write_deliveries(env: &Env, listing: &Listing, now: Timestamp) -> Result<()> {
    let customer: JsValue = listing.object.to_string().into();
    let given: JsValue = serde_json::to_string(&listing.deliveries)?.into();
    // Before the oldest message that the object still has, what was not delivered was dropped.
    let dropped = listing.deliveries.iter().any(|(_, delivery)| delivery.state == State::Dropped);
    let from = if dropped { listing.from } else { 0 };
    run(
        env,
        &[
            (
                "DELETE FROM delivery WHERE customer = ?1 AND number > 0 AND (number <= ?2 OR \
                 (number < ?3 AND state IN ('pending', 'dead')))",
                &[customer.clone(), (listing.unlist as f64).into(), (from as f64).into()],
            ),
            (
                "INSERT INTO delivery SELECT value ->> '$[1].id', value ->> '$[1].activation', ?1, value ->> 0, \
                 value ->> '$[1].at', value ->> '$[1].state', value ->> '$[1].changes', value -> 1 \
                 FROM json_each(?2) WHERE true ON CONFLICT DO UPDATE SET number = excluded.number, \
                 state = excluded.state, changes = excluded.changes, body = excluded.body \
                 WHERE changes < excluded.changes",
                &[customer, given.clone()],
            ),
            (
                "DELETE FROM delivery WHERE id IN (SELECT id FROM delivery WHERE activation IN \
                 (SELECT value ->> '$[1].activation' FROM json_each(?1)) AND at < ?2 LIMIT ?3)",
                &[given, (now.plus(-LISTED_MS).0 as f64).into(), TIDIED.into()],
            ),
        ],
    )
    .await
}

/// An object ends: what it could still have sent again, nobody can.
pub(crate) async fn end_deliveries(env: &Env, customer: CustomerId) -> Result<()> {
    let query = "DELETE FROM delivery WHERE customer = ?1 AND number > 0 AND state <> 'delivered'";
    run(env, &[(query, &[customer.to_string().into()])]).await
}

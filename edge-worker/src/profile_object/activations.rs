//! What activations are owed: messages to receivers that may be slow, wrong or gone, and the list of what
//! became of them. By the alarm alone, beside everything else that it does.

use std::rc::Rc;

use msci_core::object::Context;
use msci_core::time::{SECOND_MS, Timestamp};

use super::ProfileObject;
use super::owed::in_time;
use crate::configuration::Configuration;
use crate::error::Result;
use crate::platform::now;
use crate::storage::index;
use crate::webhook;

/// Messages under way at once; the platform takes six connections.
const AT_ONCE: usize = 5;
/// One alarm begins no attempt later than this; the next one goes on.
const ROUND_MS: i64 = 20 * SECOND_MS;

impl ProfileObject {
    /// Sends what is due, of each activation one message after the other, and writes what became of it.
    pub(super) async fn deliver(&self, configuration: &Rc<Configuration>) -> Result<()> {
        let definitions = &configuration.definitions;
        let begun = now();
        while now() < begun.plus(ROUND_MS) {
            let context = Context { now: now(), definitions };
            let mut under_way = Vec::new();
            for (number, delivery) in
                self.peek(|object| object.deliveries_due(context)).into_iter().take(AT_ONCE)
            {
                let Some(activation) = definitions.bundle.activations.get(&delivery.activation) else {
                    continue;
                };
                let body = self.peek(|object| object.message(&delivery, context));
                let sending = webhook::send(&self.env, activation, &delivery.id, &body).await?;
                under_way.push((number, delivery.id, sending));
            }
            if under_way.is_empty() {
                break;
            }
            for (number, id, sending) in under_way {
                let outcome = sending.outcome().await;
                let now = now();
                self.step(configuration, now, |object, _| {
                    ((), object.attempted(number, &id, &outcome, now))
                })?;
            }
        }
        self.list_deliveries(configuration, now()).await
    }

    async fn list_deliveries(&self, configuration: &Rc<Configuration>, now: Timestamp) -> Result<()> {
        let context = Context { now, definitions: &configuration.definitions };
        let Some(listing) = self.peek(|object| object.listing_due(context)) else { return Ok(()) };
        in_time("the list of deliveries", index::write_deliveries(&self.env, &listing, now)).await?;
        self.step(configuration, now, |object, _| ((), object.listed(&listing)))
    }

    /// Puts dead messages back; answers how many.
    pub(super) async fn replay(
        &self,
        activation: &str,
        id: Option<&str>,
        configuration: &Rc<Configuration>,
        now: Timestamp,
    ) -> Result<u64> {
        let replayed = self.step(configuration, now, |object, _| object.replay(activation, id, now))?;
        self.arm(configuration, now).await?;
        Ok(replayed as u64)
    }
}

//! What activations are owed about customers without an object: their moves become messages in the index,
//! and are sent from there, by the same rules as those of an object (`core/src/activation.rs`).

use msci_core::activation::{Delivery, message_id};
use msci_core::definitions::Definitions;
use msci_core::ids::CustomerId;
use msci_core::membership::Cause;
use msci_core::profile::Profile;
use msci_core::snapshot::Snapshot;
use msci_core::time::Timestamp;
use wasm_bindgen::JsValue;

use super::{Job, JobObject, MESSAGES, Step};
use crate::calls::Work;
use crate::configuration;
use crate::error::Result;
use crate::platform::now;
use crate::storage::index::{self, Bare, Message};
use crate::storage::sql::Statements;
use crate::webhook;

/// Moves that one step makes messages of.
const MOVED: u32 = 200;
/// Messages under way at once.
const AT_ONCE: u32 = 5;
/// Names the ids of these messages, where an object's own name the object's life.
const LIFE: &str = "moved";

impl JobObject {
    /// Whether anything of this is to be done now.
    pub(super) async fn owes_messages(&self) -> Result<bool> {
        let configuration = configuration::current(&self.env, now()).await?;
        let nobody = configuration.definitions.bundle.activations.is_empty();
        Ok(!nobody && index::owes_messages(&self.env, now()).await?)
    }

    pub(super) async fn deliver(&self, job: &Job) -> Result<Step> {
        let configuration = configuration::current(&self.env, now()).await?;
        let definitions = &configuration.definitions;
        let queued = self.queue_moved(definitions).await?;
        let due = index::messages_due(&self.env, now(), AT_ONCE).await?;
        let mut under_way = Vec::new();
        for message in due {
            let Some(activation) = definitions.bundle.activations.get(&message.delivery.activation) else {
                index::forget_deliveries(&self.env, &message.delivery.activation).await?;
                continue;
            };
            let profile = self.imported_profile(definitions, message.customer, now()).await?;
            let body = message.delivery.body(message.customer, profile.as_ref(), None);
            let sending = webhook::send(&self.env, activation, &message.delivery.id, &body).await?;
            under_way.push((message, sending));
        }
        let sent = under_way.len() as u64;
        for (mut message, sending) in under_way {
            message.delivery.attempted(&sending.outcome().await, now());
            index::write_messages(&self.env, &[message], 0).await?;
        }
        let (done, total) = (job.done + sent, job.done + sent);
        if queued || sent > 0 {
            return Ok(Step::new(done, total + 1, Some(Work::Deliver {})));
        }
        if let Some(next) = index::next_message(&self.env).await? {
            let statements = Statements::new();
            let due: [JsValue; 2] = [MESSAGES.into(), (next.0 as f64).into()];
            statements.push("INSERT OR REPLACE INTO due VALUES (?, ?)", &due);
            statements.commit(&self.state.storage())?;
        }
        Ok(Step::new(done, total, None))
    }

    /// Makes messages of some moves. Says whether there were any.
    async fn queue_moved(&self, definitions: &Definitions) -> Result<bool> {
        let moved = index::moved(&self.env, MOVED).await?;
        let mut messages = Vec::new();
        for (number, customer, moved) in &moved {
            let activations = definitions.bundle.activations.iter();
            for (name, _) in activations.filter(|(_, a)| a.tells(moved)) {
                let told = format!("{name} {} {}", moved.segment, moved.entered);
                let id = message_id(*customer, LIFE, *number, &told, moved.at);
                let delivery = Delivery::new(id, name, moved, now());
                messages.push(Message { customer: *customer, number: -(*number as i64), delivery });
            }
        }
        if let Some((last, ..)) = moved.last() {
            index::write_messages(&self.env, &messages, *last).await?;
        }
        Ok(!moved.is_empty())
    }

    /// What is known of a customer who was only imported.
    async fn imported_profile(
        &self,
        definitions: &Definitions,
        customer: CustomerId,
        now: Timestamp,
    ) -> Result<Option<Snapshot>> {
        let Some(Bare { source, key, row, .. }) = index::bare_of(&self.env, customer).await? else {
            return Ok(None);
        };
        let mut profile = Profile::default();
        profile.import(definitions, row, now);
        profile.evaluate(definitions, now, Cause::Import, &mut Vec::new());
        let mut snapshot = profile.snapshot(definitions, customer, String::new(), now);
        snapshot.auth = Some((source, key));
        Ok(Some(snapshot))
    }
}

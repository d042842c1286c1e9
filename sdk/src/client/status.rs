//! What a page asks about itself. Each settles the `call` that asked.

use super::{Client, Waiting};
use crate::consent::{Gate, Purpose};
use crate::effects::Effects;
use crate::engine::Engine;
use crate::facts::Facts;
use crate::json::Writer;

impl Client {
    /// Whether the decisions for this page may be asked for.
    pub(super) fn decisions(&self, facts: &Facts, out: &mut Effects) {
        let open = |purpose| self.consent.gate(purpose) == Gate::Open;
        let allowed = open(Purpose::Storage) && open(Purpose::Personalization);
        out.with_call("decide", facts.call()).item().push(if allowed { "true" } else { "false" });
        out.end();
    }

    /// Settled once everything queued so far has left the queue.
    pub(super) fn flush(&mut self, facts: &Facts) {
        let ticket = self.engine.as_mut().map_or(0, Engine::flush);
        self.waiting.push(Waiting { ticket, call: facts.call(), user: false });
    }

    pub(super) fn status(&self, facts: &Facts, out: &mut Effects) {
        let mut json = Writer("{".into());
        let (mut queued, mut acknowledged, mut transport) = (self.held.len(), 0, "off");
        let mut rejected: &[(String, u64)] = &[];
        if let Some(engine) = &self.engine {
            json.text("cookieId", engine.cookie_id());
            queued += engine.queued();
            acknowledged = engine.acknowledged();
            transport = engine.transport();
            rejected = engine.rejected();
        }
        json.number("queued", queued as u64);
        json.number("acknowledged", acknowledged);
        json.text("transport", transport);
        json.raw("rejected", "[");
        for (code, n) in rejected {
            json.item().push("{").text("code", code);
            json.number("n", *n);
            json.push("}");
        }
        json.push("]").raw("consent", "{");
        self.consent.write(&mut json);
        // What stands above it, for whoever wonders why nothing is sent.
        for (word, is) in [
            ("required", self.consent.required),
            ("gpc", self.consent.barred),
            ("optedOut", self.consent.opted_out),
        ] {
            if is {
                json.raw(word, "true");
            }
        }
        json.push("}}");
        out.with_call("status", facts.call()).item().push(&json.0);
        out.end();
    }
}

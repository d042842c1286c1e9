//! The methods of `window.MSCI`. Bad input rejects with a code and sends nothing.

use super::{Client, Waiting};
use crate::capture::signal;
use crate::consent::{Gate, Purpose};
use crate::effects::{Call, Effects};
use crate::engine::{Engine, Kind};
use crate::facts::Facts;
use crate::json::{Value, Writer};

const STRANGER: &str = r#"{"known":false,"segments":[],"fields":{},"experiences":[]}"#;

impl Client {
    /// A call: an input with `method`, `args`, and the number to settle it by.
    pub(super) fn call(&mut self, facts: &mut Facts, out: &mut Effects) {
        let call = facts.get("call").number().unwrap_or_default();
        let mut args = facts.get("args").parts();
        let first = args.next().unwrap_or(Value::NULL);
        let second = args.next().unwrap_or(Value::NULL);
        let method = facts.text("method");
        let early = ["initialize", "setProperty", "optOut", "optIn", "status", "teardown"];
        if !self.config.is_there() && !early.contains(&method) {
            return out.reject(call, "not_initialized");
        }
        let mut done = Ok(());
        match method {
            // Settled by what the edge answers.
            "setUser" => return self.set_user(call, first, facts, out),
            "decisions" => return self.decisions(call, out),
            "flush" => {
                let ticket = self.engine.as_mut().map_or(0, Engine::flush);
                return self.waiting.push(Waiting { ticket, call, user: false });
            }
            "status" => return self.status(call, facts, out),
            "initialize" => done = self.initialize(first, facts, out),
            "trackView" | "trackAction" | "trackEvent" => done = self.track(method, first, facts, out),
            "setProperty" => {
                done = first.text().ok_or("name_missing").and_then(|name| self.properties.set(name, second));
            }
            "setConfig" => done = self.set_config(first, facts, out),
            "setConsent" => done = self.set_consent(first, facts, out),
            "reset" => self.reset(facts, out),
            "optOut" => self.opt_out(facts, out),
            "optIn" => self.opt_in(facts, out),
            "teardown" => {
                self.hidden(facts, out);
                self.ended = true;
            }
            _ => done = Err("unknown_method"),
        }
        match done {
            Ok(()) => out.done(call),
            Err(code) => out.reject(call, code),
        }
    }

    /// A signal by hand, with the properties that the page gives it.
    fn track(
        &mut self,
        method: &str,
        of: Value,
        facts: &mut Facts,
        out: &mut Effects,
    ) -> Result<(), &'static str> {
        let text = |key| of.get(key).text().unwrap_or_default();
        let (kind, word) = match method {
            "trackView" => (Kind::View, "view"),
            "trackAction" => (Kind::Action, "action"),
            _ => (Kind::Event, "event"),
        };
        let mut json = signal(word, facts);
        if kind == Kind::View {
            if text("uri").is_empty() {
                return Err("uri_missing");
            }
            json.text("uri", &facts.absolute(text("uri")));
            let sort = text("type");
            json.text("viewType", if sort.is_empty() { "page" } else { sort });
            json.copy("exposures", facts.get("exposures"));
        } else if text("name").trim_ascii().is_empty() {
            return Err("name_missing");
        }
        if kind == Kind::Action {
            json.copy("uri", facts.get("uri"));
            json.copy("actionType", of.get("type"));
        }
        json.copy_all(of, &["name", "title", "target", "elementId", "version"]);
        self.signal(kind, json, of.get("properties"), facts, out)
    }

    /// The decisions for this page; a stranger's when there are none to be had.
    fn decisions(&self, call: Call, out: &mut Effects) {
        let open = |purpose| self.consent.gate(purpose) == Gate::Open;
        if open(Purpose::Storage) && open(Purpose::Personalization) {
            out.get(call, &[&self.config.endpoint, "decisions?uri="], STRANGER);
        } else {
            out.resolve(call, STRANGER);
        }
    }

    fn status(&self, call: Call, facts: &Facts, out: &mut Effects) {
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
        json.text("wasm", "ok");
        json.copy("store", facts.get("store"));
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
        out.resolve(call, json.push("}}").0.as_str());
    }
}

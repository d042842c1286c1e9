//! Who the visitor is, and what they allow.

use super::{Client, Held};
use crate::capture::signal;
use crate::consent::{self, Consent, Gate, Purpose};
use crate::cookie::{self, Cookies};
use crate::effects::{Call, Effects};
use crate::engine::Kind;
use crate::facts::Facts;
use crate::json::{Value, Writer};
use crate::properties::Properties;
use crate::session::{self, Session};
use crate::user;

const ALL_GRANTED: Value =
    Value(r#"{"storage":"granted","analytics":"granted","personalization":"granted"}"#);
const ALL_DENIED: Value = Value(r#"{"storage":"denied","analytics":"denied","personalization":"denied"}"#);

impl Client {
    /// Starts: finds out what may happen here, and sees the first page.
    pub(super) fn initialize(
        &mut self,
        cfg: Value,
        facts: &mut Facts,
        out: &mut Effects,
    ) -> Result<(), &'static str> {
        if self.config.is_there() {
            return Err("already_initialized");
        }
        if !self.config.read(cfg, facts) {
            return Err("ingestion_key_missing");
        }
        self.session.land(facts);
        let said = cfg.get("userConsent").flag();
        let honours_gpc = self.setting("consent", "honourGpc").flag() != Some(false);
        let required = said == Some(false) || self.setting("consent", "mode").text() == Some("required");
        // By the browser's word, or by the header that the edge saw.
        let says = |of: Value| of.get("gpc").flag() == Some(true);
        let barred = honours_gpc && (says(facts.input) || says(Value(&self.settings)));
        self.consent = Consent::new(required, barred, cookie::opted_out(facts.text("cookie")));
        self.remember(facts);
        self.cookies = Cookies::read(Value(&self.settings).get("cookie"), facts.secure());
        self.device = facts.get("device").0.into();
        self.open(facts, out);
        if self.consent.gate(Purpose::Storage) == Gate::Shut {
            self.clear(out);
            // There was a visit before this stood against it.
            if !facts.get("session").is_null() {
                self.end_proof(out);
            }
            if barred && !self.consent.refuses() {
                self.said = false;
                out.remove(consent::KEY);
            }
        }
        if said == Some(true) {
            self.set_consent(ALL_GRANTED, facts, out)?;
        }
        if facts.get("hidden").flag() != Some(true) {
            self.see(false, facts, out);
        }
        Ok(())
    }

    /// Takes over what may change at run time.
    pub(super) fn set_config(
        &mut self,
        cfg: Value,
        facts: &mut Facts,
        out: &mut Effects,
    ) -> Result<(), &'static str> {
        self.config.update(cfg);
        match cfg.get("userConsent").flag() {
            Some(true) => self.set_consent(ALL_GRANTED, facts, out),
            Some(false) => self.set_consent(ALL_DENIED, facts, out),
            None => Ok(()),
        }
    }

    /// Says who the visitor is.
    pub(super) fn set_user(&mut self, call: Call, user: Value, facts: &mut Facts, out: &mut Effects) {
        let mut json = signal("user", facts);
        let nothing = json.0.len();
        // Absent is one thing, `null` another: somebody meant to name the visitor and could not.
        if user.parts().any(|part| part.text() == Some("authId")) {
            let id = user.get("authId").text().unwrap_or_default();
            if !user::is_somebody(id) {
                return out.reject(call, "authid_invalid");
            }
            json.text("authId", id);
        }
        for field in user::FIELDS {
            let value = user.get(field);
            if !value.is_null() && (value.text().is_none() || value.0.len() > user::FIELD_BYTES) {
                return out.reject(call, "invalid_field");
            }
            json.copy(field, value);
        }
        if json.0.len() == nothing {
            return out.reject(call, "invalid_user");
        }
        self.take(Held { kind: Kind::User, json: json.0, call }, facts, out);
    }

    /// What the visitor says about each purpose.
    pub(super) fn set_consent(
        &mut self,
        purposes: Value,
        facts: &mut Facts,
        out: &mut Effects,
    ) -> Result<(), &'static str> {
        let before = self.consent;
        self.consent.say(purposes)?;
        if self.consent == before {
            return Ok(());
        }
        self.said_at = facts.time;
        // Not known to be stored before it is read back: there may be no storage, which is no withdrawal.
        self.said = false;
        if self.consent.is_kept() {
            let json = out.begin("store");
            json.quoted(&[consent::KEY]);
            json.item().push("{").number("time", self.said_at);
            json.raw("said", "{");
            self.consent.write(json);
            json.push("}}");
            out.end();
        } else {
            out.remove(consent::KEY);
        }
        // The edge hears of it before what it allows, and even when it allows nothing any more.
        let told = self.open(facts, out);
        self.withdraw(facts);
        if !told {
            self.tell_consent(purposes.0, facts);
        }
        self.settle_consent(facts, out);
        Ok(())
    }

    /// Carries out what the visitor said.
    fn settle_consent(&mut self, facts: &mut Facts, out: &mut Effects) {
        if self.consent.gate(Purpose::Storage) != Gate::Open {
            self.forget(out);
        }
        for held in std::mem::take(&mut self.held) {
            self.take(held, facts, out);
        }
    }

    /// Takes over what is stored.
    fn remember(&mut self, facts: &Facts) {
        let stored = facts.get("consent");
        self.said = !stored.is_null();
        if let Some(time) = stored.get("time").number() {
            self.said_at = time;
        }
        // It is whole or it is nothing.
        let _recalled = self.consent.say(stored.get("said"));
    }

    /// Tells the edge what it cannot know of a cookieId that is new: what the visitor has said, and when.
    /// Answers whether there is anything.
    pub(super) fn affirm(&mut self, facts: &mut Facts) -> bool {
        if self.said_at > 0 {
            let mut said = Writer("{".into());
            self.consent.write(&mut said);
            let now = std::mem::replace(&mut facts.time, self.said_at);
            self.tell_consent(&said.push("}").0, facts);
            facts.time = now;
        }
        self.said_at > 0
    }

    fn tell_consent(&mut self, purposes: &str, facts: &Facts) {
        if let Some(engine) = self.engine.as_mut().filter(|_| !self.forgotten) {
            let mut json = signal("consent", facts);
            json.raw("purposes", purposes);
            let _queued = engine.push(Kind::Consent, json.0, facts.now);
        }
    }

    /// Takes over what the visitor said in another tab.
    pub(super) fn recall(&mut self, facts: &mut Facts, out: &mut Effects) {
        if !self.config.is_there() {
            return;
        }
        if !self.consent.opted_out && cookie::opted_out(facts.text("cookie")) {
            return self.opt_out(facts, out);
        }
        let (before, said) = (self.consent, self.said);
        self.remember(facts);
        if said && !self.said {
            let _denied = self.consent.say(ALL_DENIED);
        }
        if self.consent != before {
            self.open(facts, out);
            self.withdraw(facts);
            self.settle_consent(facts, out);
        }
    }

    /// Forgets what is queued but may not be sent any more. What follows is another stream, so that
    /// the missing end of this one is not taken for a loss.
    pub(super) fn withdraw(&mut self, facts: &mut Facts) {
        if let Some(engine) = &mut self.engine
            && engine.purge(self.consent)
        {
            let cookie_id = engine.cookie_id().into();
            engine.begin(cookie_id, facts.guid());
        }
    }

    /// Logout: whoever comes next is somebody else.
    pub(super) fn reset(&mut self, facts: &mut Facts, out: &mut Effects) {
        self.properties = Properties::default();
        self.session = Session::default();
        if let Some(engine) = self.engine.as_mut().filter(|_| !self.forgotten) {
            let cookie_id = facts.guid();
            self.cookies.set_id(&cookie_id, out);
            out.remove(session::KEY);
            engine.begin(cookie_id, facts.guid());
            self.affirm(facts);
            self.end_proof(out);
        }
    }

    /// Stops, and leaves nothing on the device but the fact that it was asked to.
    pub(super) fn opt_out(&mut self, facts: &mut Facts, out: &mut Effects) {
        self.consent.opted_out = true;
        self.cookies.set_opted_out(true, out);
        out.remove(consent::KEY);
        self.forget(out);
        self.engine = None;
        for held in std::mem::take(&mut self.held) {
            self.take(held, facts, out);
        }
    }

    /// Takes an opt-out back.
    pub(super) fn opt_in(&mut self, facts: &mut Facts, out: &mut Effects) {
        self.consent.opted_out = false;
        self.cookies.set_opted_out(false, out);
        self.open(facts, out);
    }

    /// Removes what names this browser, if anything does.
    fn forget(&mut self, out: &mut Effects) {
        if self.engine.is_none() || self.forgotten {
            return;
        }
        self.forgotten = true;
        self.session = Session::default();
        self.clear(out);
        self.end_proof(out);
    }

    /// Leaves nothing on the device but what the visitor said.
    fn clear(&self, out: &mut Effects) {
        self.cookies.remove_id(out);
        out.remove(session::KEY);
        out.begin("purge");
        out.end();
    }

    /// Tells the edge to end what this browser may see of a known customer. Scripts cannot: the proof
    /// cookie is `HttpOnly`. That it fails offline costs nothing, the proof is bound to the old cookieId.
    pub(super) fn end_proof(&self, out: &mut Effects) {
        out.tell(&[&self.config.endpoint, "reset"]);
    }
}

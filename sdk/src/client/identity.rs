//! Who the visitor is, and what they allow.

use super::Client;
use crate::consent::{self, Consent, Gate, Purpose};
use crate::effects::Effects;
use crate::engine::Kind;
use crate::facts::Facts;
use crate::json::Writer;
use crate::session::{self, Session};

impl Client {
    /// Starts: `required` says whether nothing may happen without a grant, `barred` that nothing may in
    /// any case, `holds` whether what happens before a grant is sent after it, and `campaign` what led here.
    pub(super) fn start(&mut self, facts: &mut Facts, out: &mut Effects) {
        let flag = |key| facts.get(key).flag() == Some(true);
        self.started = true;
        self.holds = flag("holds");
        self.session.land(facts);
        self.consent = Consent::new(flag("required"), flag("barred"), flag("optedOut"));
        self.remember(facts);
        self.open(facts, out);
        if self.consent.gate(Purpose::Storage) == Gate::Shut {
            Self::clear(out);
            // There was a visit before this stood against it.
            if !facts.get("session").is_null() {
                out.end_proof();
            }
            if self.consent.barred && !self.consent.refuses() {
                self.said = false;
                out.remove(consent::KEY);
            }
        }
    }

    /// What the visitor says about some `purposes`.
    pub(super) fn set_consent(&mut self, facts: &mut Facts, out: &mut Effects) {
        let (before, purposes) = (self.consent, facts.get("purposes"));
        self.consent.say(purposes);
        if self.consent == before {
            return;
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
            self.tell_consent(purposes.0, facts.time, facts);
        }
        self.settle_consent(facts, out);
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
        self.consent.say(stored.get("said"));
    }

    /// Tells the edge what it cannot know of a cookieId that is new: what the visitor has said, and when.
    /// Answers whether there is anything.
    pub(super) fn affirm(&mut self, facts: &Facts) -> bool {
        if self.said_at > 0 {
            let mut said = Writer("{".into());
            self.consent.write(&mut said);
            self.tell_consent(&said.push("}").0, self.said_at, facts);
        }
        self.said_at > 0
    }

    fn tell_consent(&mut self, purposes: &str, time: u64, facts: &Facts) {
        if let Some(engine) = self.engine.as_mut().filter(|_| !self.forgotten) {
            let mut json = Writer("{".into());
            json.number("time", time);
            json.text("type", "consent");
            json.raw("purposes", purposes);
            let _queued = engine.push(Kind::Consent, json.0, facts.now);
        }
    }

    /// Takes over what the visitor said in another tab.
    pub(super) fn recall(&mut self, facts: &mut Facts, out: &mut Effects) {
        if !self.started {
            return;
        }
        if !self.consent.opted_out && facts.get("optedOut").flag() == Some(true) {
            return self.opt_out(facts, out);
        }
        let (before, said) = (self.consent, self.said);
        self.remember(facts);
        if said && !self.said {
            self.consent.deny();
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
        self.session = Session::default();
        if let Some(engine) = self.engine.as_mut().filter(|_| !self.forgotten) {
            let cookie_id = facts.guid();
            out.name(&cookie_id);
            out.remove(session::KEY);
            engine.begin(cookie_id, facts.guid());
            self.affirm(facts);
            out.end_proof();
        }
    }

    /// Stops, and leaves nothing on the device but the fact that it was asked to.
    pub(super) fn opt_out(&mut self, facts: &mut Facts, out: &mut Effects) {
        // What was said before is purged, too: whoever opts in again has not said anything yet.
        self.consent = Consent::new(self.consent.required, self.consent.barred, true);
        (self.said, self.said_at) = (false, 0);
        out.opt_out(true);
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
        out.opt_out(false);
        self.open(facts, out);
    }

    /// Removes what names this browser, if anything does.
    fn forget(&mut self, out: &mut Effects) {
        if self.engine.is_none() || self.forgotten {
            return;
        }
        self.forgotten = true;
        self.session = Session::default();
        Self::clear(out);
        out.end_proof();
    }

    /// Leaves nothing on the device but what the visitor said.
    fn clear(out: &mut Effects) {
        out.name("");
        out.remove(session::KEY);
        out.begin("purge");
        out.end();
    }
}

//! One instance of the SDK: it ties the queue, the consent, the cookie and the page together.
//!
//! Invariant: nothing is queued, stored or sent unless there is an engine, and an engine is made only
//! once [`Consent`] opens the gate. There is no clock, no randomness and no browser here: an input goes
//! in, effects come out, and whatever the page does meanwhile is another input.

mod calls;
mod identity;
#[cfg(test)]
mod tests;

use std::mem::take;

use crate::capture::Page;
use crate::config::Config;
use crate::consent::{Consent, Gate, Purpose};
use crate::cookie::{self, Cookies};
use crate::effects::{Call, Effects};
use crate::engine::{Batch, Chance, Engine, Kind, Next, Reply, Ticket};
use crate::facts::Facts;
use crate::json::{Value, Writer};
use crate::properties::Properties;
use crate::session::Session;
use crate::transport;

/// What a `setUser` resolves to that was taken without a verdict.
const QUEUED: &str = r#"{"status":"queued"}"#;
/// Signals kept in memory while the visitor has not said anything.
const HELD_SIGNALS: usize = 200;

/// One instance of the SDK.
#[derive(Debug, Default)]
#[allow(clippy::struct_excessive_bools)] // each is a fact of its own
pub(crate) struct Client {
    /// The site's public settings, as JSON. A missing one has its default.
    settings: String,
    config: Config,
    consent: Consent,
    cookies: Cookies,
    engine: Option<Engine>,
    /// The visitor took back what the engine's cookieId stood on: a later grant begins another.
    forgotten: bool,
    /// What the visitor said is stored, as far as this page knows.
    said: bool,
    /// When the visitor said it, by the wall clock; 0 if never.
    said_at: u64,
    held: Vec<Held>,
    session: Session,
    properties: Properties,
    page: Page,
    /// Whether a visitor has seen the page: one that is opened hidden has no view until then.
    seen: bool,
    waiting: Vec<Waiting>,
    /// When the browser was asked to wake us; 0 if it was not.
    wake_at: u64,
    device: String,
    ended: bool,
}

/// A signal on its way in.
#[derive(Debug)]
struct Held {
    kind: Kind,
    json: String,
    /// A `setUser`'s, else 0.
    call: Call,
}

/// A call that waits: a `setUser` for its verdict, a `flush` until everything before it has left the
/// queue.
#[derive(Debug)]
struct Waiting {
    ticket: Ticket,
    call: Call,
    user: bool,
}

impl Client {
    /// An instance that does nothing until it is told to initialize.
    pub(crate) fn new(settings: &str) -> Self {
        let mut client = Self::default();
        client.settings.push_str(settings);
        client
    }

    fn setting(&self, group: &str, name: &str) -> Value<'_> {
        Value(&self.settings).get(group).get(name)
    }

    /// Takes in what happened; answers what the browser is to do, as JSON.
    pub(crate) fn step(&mut self, input: &str) -> String {
        let mut facts = Facts::read(input);
        let mut out = Effects::new();
        self.recall(&mut facts, &mut out);
        match facts.text("in") {
            "call" => self.call(&mut facts, &mut out),
            "click" => self.clicked(&mut facts, &mut out),
            "moved" => self.moved(&mut facts, &mut out),
            "visible" => self.visible(&mut facts, &mut out),
            "shown" => self.shown(&mut facts, &mut out),
            "hidden" => self.hidden(&facts, &mut out),
            "online" => {
                self.engine.iter_mut().for_each(Engine::online);
                self.look_for_left(&mut out);
            }
            "left" => self.left(&mut facts),
            "reply" => self.replied(&mut facts, &mut out),
            // `tick`, or one from a newer script.
            _ => self.wake_at = 0,
        }
        self.pump(&facts, &mut out);
        out.finish()
    }

    /// Does what is to be done now.
    fn pump(&mut self, facts: &Facts, out: &mut Effects) {
        let offline = facts.get("offline").flag() == Some(true);
        if let Some(engine) = self.engine.as_mut().filter(|_| !self.ended && !offline) {
            match engine.next(facts.now) {
                Next::Send(batch) => self.send(&batch, false, facts, out),
                Next::Wait(ms) => {
                    let at = facts.now + ms;
                    if self.wake_at == 0 || at < self.wake_at {
                        self.wake_at = at;
                        out.wake(ms);
                    }
                }
                Next::Idle => {}
            }
        }
        self.write_rows(out);
        // Smaller than `retain`, of which each call is code of its own.
        for w in take(&mut self.waiting) {
            match &self.engine {
                None => out.refuse(w.call, "opted_out"),
                Some(engine) if !w.user && (engine.done(w.ticket) || engine.is_stopped()) => out.done(w.call),
                _ => self.waiting.push(w),
            }
        }
    }

    fn send(&self, batch: &Batch, last: bool, facts: &Facts, out: &mut Effects) {
        let json = out.begin("send");
        json.quoted(&[&self.config.endpoint, "collect"]);
        // Where cookies are blocked, each page is somebody else.
        let ephemeral = cookie::find_id(facts.text("cookie")).is_none();
        transport::write_body(json.item(), &self.config.key, &self.device, facts.time, batch, ephemeral);
        for n in [batch.id, batch.retry, last.into()] {
            json.item().push_number(n.into());
        }
        out.end();
    }

    /// A batch's outcome: `batch`, `status` (0 without an answer), `after` (seconds of `Retry-After`)
    /// and `answer` (the parsed body).
    fn replied(&mut self, facts: &mut Facts, out: &mut Effects) {
        let number = |key| facts.get(key).number();
        let answer = facts.get("answer");
        let reply = Reply {
            status: number("status").unwrap_or_default(),
            body: answer,
            retry_after: number("after").map(|seconds| seconds.saturating_mul(1_000)),
        };
        let batch = number("batch").unwrap_or_default() as u32;
        let jitter = number("jitter").unwrap_or_default();
        let chance = Chance { jitter, stream: facts.guid() };
        if let Some(engine) = &mut self.engine {
            let settled = engine.settle(batch, &reply, facts.now, chance);
            for w in take(&mut self.waiting) {
                let user = answer.get("user");
                if !w.user || w.ticket != settled.user {
                    self.waiting.push(w);
                } else if settled.refusal.is_empty() {
                    out.resolve(w.call, if user.is_null() { QUEUED } else { user.0 });
                } else {
                    out.refuse(w.call, &settled.refusal);
                }
            }
            if self.consent.gate(Purpose::Storage) == Gate::Open {
                if settled.changed {
                    self.cookies.set_id(engine.cookie_id(), out);
                }
                if settled.rotated {
                    self.affirm(facts);
                }
                return;
            }
        }
        // An answer to what was sent before the visitor said no may have set cookies again.
        if reply.status == 200 {
            self.cookies.remove_id(out);
            self.end_proof(out);
        }
    }

    /// What is to be stored goes out, unless nothing may be.
    fn write_rows(&mut self, out: &mut Effects) {
        let rows = self.engine.as_mut().map(Engine::take_rows).unwrap_or_default();
        if !rows.is_empty() && !self.forgotten {
            out.0.item().push(&rows);
        }
    }

    /// Other pages may have ended and left something.
    fn look_for_left(&self, out: &mut Effects) {
        if let Some(engine) = self.engine.as_ref().filter(|_| !self.forgotten) {
            out.begin("load").quoted(&[engine.owner()]);
            out.end();
        }
    }

    /// Rows of a page that ended: `owner`, and `rows` with a number and a row each.
    fn left(&mut self, facts: &mut Facts) {
        if let Some(engine) = self.engine.as_mut().filter(|_| !self.forgotten) {
            engine.adopt(facts.text("owner"), facts.get("rows"), facts.time);
            self.withdraw(facts);
        }
    }

    /// The page may never run again: everything goes now.
    fn hidden(&mut self, facts: &Facts, out: &mut Effects) {
        while let Some(piece) = self.engine.as_mut().and_then(|engine| engine.piece(facts.now)) {
            self.send(&piece, true, facts, out);
        }
    }

    /// The page is looked at, maybe for the first time.
    fn visible(&mut self, facts: &mut Facts, out: &mut Effects) {
        self.engine.iter_mut().for_each(Engine::again);
        if !self.seen && self.config.is_there() {
            self.see(false, facts, out);
        }
    }

    /// The page came back out of the back/forward cache.
    fn shown(&mut self, facts: &mut Facts, out: &mut Effects) {
        self.engine.iter_mut().for_each(Engine::resume);
        self.look_for_left(out);
        self.see(false, facts, out);
    }

    /// The history changed: a view, if the visitor is somewhere else now.
    fn moved(&mut self, facts: &mut Facts, out: &mut Effects) {
        if self.seen && self.page.leads_to(&self.here(facts)) {
            self.see(true, facts, out);
        }
    }

    fn here(&self, facts: &Facts) -> Page {
        Page::read(self.setting("capture", "history").text().unwrap_or_default(), facts)
    }

    fn see(&mut self, moved: bool, facts: &mut Facts, out: &mut Effects) {
        self.engine.iter_mut().for_each(Engine::again);
        let here = self.here(facts);
        if self.config.views {
            let view = Page::view(facts, moved.then_some(&self.page));
            let _without_own = self.signal(Kind::View, view, Value::NULL, facts, out);
        }
        self.page = here;
        self.seen = true;
    }

    fn clicked(&mut self, facts: &mut Facts, out: &mut Effects) {
        if self.config.clicks
            && let Some(action) = self.page.gesture(facts)
        {
            let _without_own = self.signal(Kind::Action, action, Value::NULL, facts, out);
        }
    }

    /// A signal, with properties of its `own` and those of the page.
    fn signal(
        &mut self,
        kind: Kind,
        mut json: Writer,
        own: Value,
        facts: &mut Facts,
        out: &mut Effects,
    ) -> Result<(), &'static str> {
        let mut campaign = "";
        if kind == Kind::View {
            // Of the session that it belongs to, which may begin with it.
            if self.engine.is_some() && self.consent.signal(kind) == Gate::Open {
                self.session.touch(facts, out);
            }
            campaign = &self.session.campaign;
        }
        self.properties.write(campaign, own, &mut json)?;
        self.take(Held { kind, json: json.0, call: 0 }, facts, out);
        Ok(())
    }

    /// Queues a signal, or keeps it until there is consent, or drops it.
    fn take(&mut self, held: Held, facts: &mut Facts, out: &mut Effects) {
        let gate = self.consent.signal(held.kind);
        let keep = self.setting("capture", "sendAfterGrant").flag() != Some(false);
        if gate == Gate::Held && keep && self.held.len() < HELD_SIGNALS {
            return self.held.push(held);
        }
        let pushed = match &mut self.engine {
            Some(engine) if gate == Gate::Open => {
                self.session.touch(facts, out);
                engine.set_session(&self.session.id, self.session.start);
                let pushed = engine.push(held.kind, held.json, facts.now);
                self.write_rows(out);
                pushed
            }
            _ if self.consent.opted_out => Err("opted_out"),
            _ => Err("consent_missing"),
        };
        match pushed {
            Ok(ticket) if held.call > 0 => {
                self.waiting.push(Waiting { ticket, call: held.call, user: true });
            }
            Err(reason) if held.call > 0 => out.refuse(held.call, reason),
            Err("rate_limited") if self.engine.as_ref().is_some_and(Engine::is_first_dropped) => {
                out.warn("more than 100 custom events in a second, the rest is dropped");
            }
            _ => {}
        }
    }

    /// Begins, or goes on after a new grant, if the visitor's consent allows it; answers whether the edge
    /// hears of that consent with it.
    fn open(&mut self, facts: &mut Facts, out: &mut Effects) -> bool {
        let begun = self.engine.is_some() && !self.forgotten;
        if begun || !self.config.is_there() || self.consent.gate(Purpose::Storage) != Gate::Open {
            return false;
        }
        let found = cookie::find_id(facts.text("cookie"));
        let minted = found.is_none();
        let cookie_id = found.unwrap_or_else(|| facts.guid());
        // Renewed on every page, too.
        self.cookies.set_id(&cookie_id, out);
        let engine = self.engine.get_or_insert_with(Engine::new);
        engine.begin(cookie_id, facts.guid());
        self.session.touch(facts, out);
        engine.set_session(&self.session.id, self.session.start);
        self.forgotten = false;
        self.look_for_left(out);
        minted && self.affirm(facts)
    }
}

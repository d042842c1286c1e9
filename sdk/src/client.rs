//! One instance of the SDK: it ties the queue, the consent, the cookie and the page together.
//!
//! Invariant: nothing is queued, stored or sent unless there is an engine, and an engine is made only
//! once [`Consent`] opens the gate. There is no clock, no randomness and no browser here: an input goes
//! in, effects come out, and whatever the page does meanwhile is another input.

mod identity;
mod status;
#[cfg(test)]
mod tests;

use std::mem::take;

use crate::consent::{Consent, Gate, Purpose};
use crate::effects::{Call, Effects};
use crate::engine::{Batch, Chance, Engine, Kind, Next, Reply, Ticket};
use crate::facts::Facts;
use crate::json::Writer;
use crate::session::Session;
use crate::{properties, transport};

/// What a `setUser` resolves to that was taken without a verdict.
const QUEUED: &str = r#"{"status":"queued"}"#;
/// Signals kept in memory while the visitor has not said anything.
const HELD_SIGNALS: usize = 200;

/// One instance of the SDK.
#[allow(clippy::struct_excessive_bools, reason = "each answers a question of its own")]
#[derive(Debug, Default)]
pub(crate) struct Client {
    /// Nothing may happen before.
    started: bool,
    consent: Consent,
    /// What happens before the visitor has said something is sent once they agree.
    holds: bool,
    engine: Option<Engine>,
    /// The visitor took back what the engine's cookieId stood on: a later grant begins another.
    forgotten: bool,
    /// What the visitor said is stored, as far as this page knows.
    said: bool,
    /// When the visitor said it, by the wall clock; 0 if never.
    said_at: u64,
    held: Vec<Held>,
    session: Session,
    waiting: Vec<Waiting>,
    /// When the browser was asked to wake us; 0 if it was not.
    wake_at: u64,
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
    /// Takes in what happened; answers what the browser is to do, as JSON.
    pub(crate) fn step(&mut self, input: &str) -> String {
        let mut facts = Facts::read(input);
        let mut out = Effects::new();
        self.recall(&mut facts, &mut out);
        match facts.text("in") {
            "start" => self.start(&mut facts, &mut out),
            "signal" => self.signal(&mut facts, &mut out),
            "setConsent" => self.set_consent(&mut facts, &mut out),
            "reset" => self.reset(&mut facts, &mut out),
            "optOut" => self.opt_out(&mut facts, &mut out),
            "optIn" => self.opt_in(&mut facts, &mut out),
            "decisions" => self.decisions(&facts, &mut out),
            "flush" => self.flush(&facts),
            "status" => self.status(&facts, &mut out),
            "teardown" => {
                self.hidden(&facts, &mut out);
                self.ended = true;
            }
            // The page came back out of the back/forward cache.
            "shown" => {
                self.engine.iter_mut().for_each(Engine::resume);
                self.look_for_left(&mut out);
            }
            "hidden" => self.hidden(&facts, &mut out),
            // The page is looked at, or the visitor goes on to a view that is no signal.
            "visible" => self.engine.iter_mut().for_each(Engine::again),
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
                Next::Send(batch) => Self::send(&batch, false, facts, out),
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
                None => out.refuse(w.call, self.consent.why_not()),
                Some(engine) if !w.user && (engine.done(w.ticket) || engine.is_stopped()) => out.done(w.call),
                _ => self.waiting.push(w),
            }
        }
    }

    fn send(batch: &Batch, last: bool, facts: &Facts, out: &mut Effects) {
        let json = out.begin("send");
        // Where cookies are blocked, each page is somebody else.
        let ephemeral = facts.text("cookieId").is_empty();
        transport::write_body(json, batch, ephemeral);
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
            let decided = self.waiting.iter().position(|w| w.user && w.ticket == settled.user);
            if let Some(at) = decided {
                let (w, user) = (self.waiting.swap_remove(at), answer.get("user"));
                if settled.refusal.is_empty() {
                    out.resolve(w.call, if user.is_null() { QUEUED } else { user.0 });
                } else {
                    out.refuse(w.call, &settled.refusal);
                }
            }
            if self.consent.gate(Purpose::Storage) == Gate::Open {
                if settled.changed {
                    out.name(engine.cookie_id());
                }
                if settled.rotated {
                    self.affirm(facts);
                }
                return;
            }
        }
        // An answer to what was sent before the visitor said no may have set cookies again.
        if reply.status == 200 {
            out.name("");
            out.end_proof();
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
            Self::send(&piece, true, facts, out);
        }
    }

    /// A `signal` of the page, with its `properties`; of a `user` signal, the `call` that it settles.
    fn signal(&mut self, facts: &mut Facts, out: &mut Effects) {
        let signal = facts.get("signal");
        let kind = Kind::of(signal);
        let mut campaign = "";
        if kind == Kind::View {
            self.engine.iter_mut().for_each(Engine::again);
            // Of the session that it belongs to, which may begin with it.
            if self.engine.is_some() && self.consent.signal(kind) == Gate::Open {
                self.session.touch(facts, out);
            }
            campaign = &self.session.campaign;
        }
        let mut json = Writer(signal.0.strip_suffix('}').unwrap_or_default().into());
        properties::write(campaign, facts.get("properties"), &mut json);
        self.take(Held { kind, json: json.0, call: facts.call() }, facts, out);
    }

    /// Queues a signal, or keeps it until there is consent, or drops it.
    fn take(&mut self, held: Held, facts: &mut Facts, out: &mut Effects) {
        let gate = self.consent.signal(held.kind);
        if gate == Gate::Held && self.holds && self.held.len() < HELD_SIGNALS {
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
            _ => Err(self.consent.why_not()),
        };
        match pushed {
            Ok(ticket) if held.call > 0 => {
                self.waiting.push(Waiting { ticket, call: held.call, user: true });
            }
            Err(reason) if held.call > 0 => out.refuse(held.call, reason),
            Err("rate_limited") if self.engine.as_ref().is_some_and(Engine::is_first_dropped) => {
                out.begin("warn");
                out.end();
            }
            _ => {}
        }
    }

    /// Begins, or goes on after a new grant, if the visitor's consent allows it; answers whether the edge
    /// hears of that consent with it.
    fn open(&mut self, facts: &mut Facts, out: &mut Effects) -> bool {
        let begun = self.engine.is_some() && !self.forgotten;
        if begun || !self.started || self.consent.gate(Purpose::Storage) != Gate::Open {
            return false;
        }
        let mut cookie_id = facts.text("cookieId").to_owned();
        let minted = cookie_id.is_empty();
        if minted {
            cookie_id = facts.guid();
        }
        // Renewed on every page, too.
        out.name(&cookie_id);
        let engine = self.engine.get_or_insert_with(Engine::new);
        engine.begin(cookie_id, facts.guid());
        self.session.touch(facts, out);
        engine.set_session(&self.session.id, self.session.start);
        self.forgotten = false;
        self.look_for_left(out);
        minted && self.affirm(facts)
    }
}

//! The cookie's role: take signals into the log, decide what a `user` signal does.

use serde::{Deserialize, Serialize};

use super::{Context, CookieLog, Customer, ERASED, Erased, LOG, Link, OWN_LINK, Object, is_false, is_zero};
use crate::collections::Map;
use crate::consent::{self, Consents, Decisions};
use crate::effects::{Table, Write};
use crate::ids::{CookieId, CustomerId, StreamId};
use crate::membership::Cause;
use crate::mutants::planted;
use crate::signal::{Kind, Signal};
use crate::stream::Stream;
use crate::time::DAY_MS;
use crate::wire::collect::Rejection;

/// A signal as the edge hands it to the object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Offered {
    /// The signal.
    pub signal: Signal,
    /// Of a `user` signal with an authId: whom it names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<Customer>,
    /// Whether it may link: a valid token, or verification is off.
    #[serde(default)]
    pub trusted: bool,
}

/// Signals of one cookie and one stream, in the order sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CollectCall {
    /// Whose log.
    pub cookie: CookieId,
    /// Derived from the cookieId that this browser had first.
    pub root: CookieId,
    /// The signals.
    pub signals: Vec<Offered>,
    /// The browser keeps no cookie: this cookieId ends with its page.
    #[serde(default, skip_serializing_if = "is_false")]
    pub ephemeral: bool,
    /// What this browser agreed to under the cookieId that it was rotated away from: it counts until the browser
    /// says it again under this one.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub consent: Decisions,
    /// Who was never here does not come into being: their network has brought too many newcomers.
    #[serde(default, skip_serializing_if = "is_false")]
    pub closed: bool,
}

/// What storage already has of a batch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Present {
    /// Signals in the log, as they are there.
    pub signals: Map<(StreamId, u64), Signal>,
    /// Streams of the batch that were met before.
    pub streams: Map<StreamId, Stream>,
}

/// The verdict on one signal (law 4).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is in the log now.
    Accepted,
    /// It was there before.
    Duplicate,
    /// It will never be.
    Rejected(Rejection),
    /// It belongs to this customer's own cookieId on the same browser.
    Elsewhere(CustomerId),
}

/// What a `user` signal did. Exhaustive: there is no other success.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "status", content = "reason")]
pub enum UserOutcome {
    /// The cookie belongs to the customer from now on.
    Merged,
    /// It did before (or nobody was named and there was nothing to link).
    Already,
    /// The browser gets another cookieId, which belongs to the customer.
    Rotated,
    /// Noted, not believed: the settings require a proof.
    Claimed,
    /// Not done, and why.
    Refused(String),
}

impl UserOutcome {
    /// As it is counted.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Merged => "merged",
            Self::Already => "already",
            Self::Rotated => "rotated",
            Self::Claimed => "claimed",
            Self::Refused(_) => "refused",
        }
    }
}

/// Whether a cookie was met before. Exhaustive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "u8", into = "u8")]
pub enum Met {
    /// It was.
    #[default]
    Before,
    /// This batch is the first of it.
    Now,
    /// It was not, and no newcomers are taken: nothing of the batch was looked at.
    Never,
}

impl From<u8> for Met {
    fn from(number: u8) -> Self {
        match number {
            1 => Self::Now,
            2 => Self::Never,
            _ => Self::Before,
        }
    }
}

impl From<Met> for u8 {
    fn from(met: Met) -> Self {
        met as Self
    }
}

impl Met {
    #[allow(clippy::trivially_copy_pass_by_ref)] // the signature that serde calls
    fn is_before(&self) -> bool {
        *self == Self::Before
    }
}

/// Answer to a [`CollectCall`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CollectAnswer {
    /// One for each signal.
    pub verdicts: Vec<Verdict>,
    /// What the last `user` signal did.
    pub user: Option<UserOutcome>,
    /// Whether it was believed, so that this browser may see the customer.
    pub trusted: bool,
    /// What the other cookieIds of this browser derive from.
    pub root: Option<CookieId>,
    /// Signals that are there already, but say something else.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub conflicts: u64,
    /// This cookie was erased: the browser goes on with the cookieId that derives from this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub successor: Option<CustomerId>,
    /// Nothing of this visitor may be stored, so this browser is to keep nothing either.
    #[serde(default, skip_serializing_if = "is_false")]
    pub barred: bool,
    /// What this browser agreed to, for the cookieIds that its signals go on under.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub consent: Decisions,
    /// Whether the cookie is a newcomer.
    #[serde(default, skip_serializing_if = "Met::is_before")]
    pub met: Met,
    /// So many signals more are missing below those that arrived; fewer where it is negative.
    #[serde(default)]
    pub missing: i64,
}

impl CollectCall {
    /// Of a browser that keeps its cookie, and said nothing elsewhere.
    pub fn of(cookie: CookieId, root: CookieId, signals: Vec<Offered>) -> Self {
        Self { cookie, root, signals, ephemeral: false, consent: Decisions::new(), closed: false }
    }
}

impl CollectAnswer {
    /// There is no room for anything more: what is there already is, the rest never will be.
    pub fn full(call: &CollectCall, present: &Present) -> Self {
        let verdict = |offered: &Offered| {
            let Signal { stream, seq, .. } = offered.signal;
            if present.signals.contains_key(&(stream, seq)) {
                return Verdict::Duplicate;
            }
            Verdict::Rejected(Rejection::new(seq, "storage_full", "this visitor's storage is full"))
        };
        Self { verdicts: call.signals.iter().map(verdict).collect(), ..Self::default() }
    }

    /// Nobody knows this cookie, and newcomers are not taken.
    pub fn turned_away() -> Self {
        Self { met: Met::Never, ..Self::default() }
    }

    /// The customer turned out to be erased: nothing of the batch is kept.
    pub fn all_erased(&mut self, call: &CollectCall) {
        let message = "the person was erased after this happened";
        let seqs = call.signals.iter().map(|offered| offered.signal.seq);
        for (verdict, seq) in self.verdicts.iter_mut().zip(seqs) {
            if *verdict == Verdict::Accepted {
                *verdict = Verdict::Rejected(Rejection::new(seq, "erased", message));
            }
        }
        self.user = Some(UserOutcome::Refused("erased".to_owned()));
        self.trusted = false;
    }
}

/// A batch on its way into the log.
struct Taking<'a> {
    log: CookieLog,
    /// What the browser agreed to elsewhere.
    consent: &'a Decisions,
    taken: Map<(StreamId, u64), &'a Signal>,
    streams: Map<StreamId, Stream>,
    answer: CollectAnswer,
    out: Vec<Write>,
    folded: bool,
}

impl Object {
    /// Takes a batch into the log.
    pub fn collect(
        &mut self,
        call: &CollectCall,
        present: &Present,
        context: Context<'_>,
    ) -> (CollectAnswer, Vec<Write>) {
        if let Some(erased) = self.erased.as_mut().filter(|_| !planted(36)) {
            let mut out = Vec::new();
            if erased.asked.plus(DAY_MS) < context.now {
                erased.asked = context.now;
                out.push(Write::put(Table::Meta, ERASED, erased));
            }
            return (erased.answer(call), out);
        }
        if call.closed && self.log.is_none() {
            return (CollectAnswer::turned_away(), Vec::new());
        }
        let held = self.log.take();
        let unmet = held.is_none();
        let log = held.unwrap_or(CookieLog {
            cookie: call.cookie,
            root: call.root,
            end: 0,
            last_epoch: 0,
            active: context.now,
            purged: false,
            first_seen: None,
            last_seen: None,
            ephemeral: call.ephemeral,
            consent: Consents::default(),
            claims: Vec::new(),
            refused: None,
        });
        let (before, linked) = (log.clone(), self.link.is_some());
        let mut batch = Taking {
            answer: CollectAnswer { root: Some(log.root), ..CollectAnswer::default() },
            log,
            consent: &call.consent,
            taken: present.signals.iter().map(|(id, signal)| (*id, signal)).collect(),
            streams: present.streams.clone(),
            out: Vec::new(),
            folded: false,
        };
        for offered in &call.signals {
            let verdict = self.take(offered, &mut batch, context);
            batch.answer.verdicts.push(verdict);
        }
        let Taking { mut log, streams, mut answer, mut out, folded, .. } = batch;
        answer.barred = !self.allows("storage", &log, &call.consent, context);
        if answer.verdicts.iter().any(|verdict| matches!(verdict, Verdict::Elsewhere(_))) {
            answer.consent = said(&log, &call.consent);
        }
        log.ephemeral &= call.ephemeral;
        // Also who only gets other cookies' signals is not idle: what was decided about them is still asked.
        if log.active.plus(DAY_MS) < context.now {
            log.active = context.now;
        }
        for (stream, state) in streams.iter().filter(|(id, state)| present.streams.get(id) != Some(state)) {
            if !planted(14) {
                out.push(Write::put(Table::Stream, &stream.to_string(), state));
            }
        }
        if log != before && !planted(26) {
            out.push(Write::put(Table::Meta, LOG, &log));
        }
        // A batch of which nothing was taken brings no log into being.
        self.log = Some(log).filter(|log| log.end > 0);
        if unmet && self.log.is_some() {
            answer.met = Met::Now;
        }
        if !linked && self.link.is_some() {
            out.push(Write::put(Table::Link, OWN_LINK, &self.link));
        }
        if folded {
            self.changed(context, Cause::Signal, &mut out);
        }
        (answer, out)
    }

    fn take<'a>(&mut self, offered: &'a Offered, batch: &mut Taking<'a>, context: Context<'_>) -> Verdict {
        let signal = &offered.signal;
        let id = (signal.stream, signal.seq);
        if let Some(first) = batch.taken.get(&id) {
            // The first stands (fault F44); that another came is told.
            batch.answer.conflicts += u64::from(!first.says_what(signal));
            if let Some(outcome) = self.outcome_again(offered, &batch.log) {
                batch.answer.user = Some(outcome);
                batch.answer.trusted = offered.trusted;
            }
            return Verdict::Duplicate;
        }
        let stream = batch.streams.get_or_insert_with(signal.stream, Stream::default);
        if batch.log.purged && stream.seen(signal.seq) && !planted(28) {
            let message = "the visitor had this signal purged";
            return Verdict::Rejected(Rejection::new(signal.seq, "erased", message));
        }
        if let Some(customer) = self.turn(stream, offered) {
            return Verdict::Elsewhere(customer);
        }
        if let Some(rejection) = self.refusal(signal, batch, context) {
            return Verdict::Rejected(rejection);
        }
        if signal.kind == Kind::User {
            batch.answer.user = Some(self.user(offered, &mut batch.log, context));
            batch.answer.trusted = offered.trusted && offered.customer.is_some();
        }
        batch.log.end += 1;
        batch.log.active = batch.log.active.max(context.now);
        let (cookie, position) = (batch.log.cookie, batch.log.end);
        batch.log.first_seen = Some(batch.log.first_seen.map_or(signal.time, |seen| seen.min(signal.time)));
        batch.log.last_seen = batch.log.last_seen.max(Some(signal.time));
        batch.log.consent.note(signal.key(batch.log.cookie), signal);
        self.note_age(signal, &mut batch.out);
        batch.out.push(Write::Append { cookie, position, signal: signal.clone() });
        batch.taken.insert(id, signal);
        let stream = batch.streams.get_or_insert_with(signal.stream, Stream::default);
        let missing = stream.missing();
        stream.note(signal.seq);
        batch.answer.missing += stream.missing().cast_signed() - missing.cast_signed();
        if planted(16) {
            stream.turns.clear();
        }
        if self.accepted_link().is_none() {
            self.profile.fold(context.definitions, signal.key(cookie), signal, context.now);
            batch.folded = true;
        }
        Verdict::Accepted
    }

    /// What a `user` signal of this cookie does: it links where there is no link yet.
    fn user(&mut self, offered: &Offered, log: &mut CookieLog, context: Context<'_>) -> UserOutcome {
        match &offered.customer {
            None => UserOutcome::Already,
            Some(customer) if !offered.trusted => {
                log.claim(customer, offered.signal.time);
                UserOutcome::Claimed
            }
            Some(_) if self.link.is_some() => UserOutcome::Already,
            Some(customer) => {
                log.last_epoch = if planted(11) { 1 } else { context.now.0.max(log.last_epoch + 1) };
                self.link = Some(Link {
                    customer: customer.clone(),
                    epoch: log.last_epoch,
                    shipped: 0,
                    accepted: false,
                    by: signal_id(&offered.signal),
                    made: Some(offered.signal.time),
                    consent: Decisions::new(),
                });
                UserOutcome::Merged
            }
        }
    }

    /// Whose cookieId a signal belongs to, if not this one. A `user` signal that names another customer
    /// than the link's turns its stream to that customer's cookieId, one that names the link's turns it
    /// back; both from its number on, whatever batch the others come in.
    fn turn(&self, stream: &mut Stream, offered: &Offered) -> Option<CustomerId> {
        let seq = offered.signal.seq;
        if let (Some(customer), true) = (&offered.customer, offered.trusted && !stream.turned_at(seq)) {
            let other =
                self.link.as_ref().is_some_and(|link| link.customer.id != customer.id) && !planted(12);
            // Also where it stays: an earlier one that comes later must not reach beyond this one.
            if other {
                stream.turn(seq, Some(customer.id));
            } else if !planted(13) {
                stream.turn(seq, None);
            }
        }
        if planted(15) && offered.customer.is_none() {
            return None;
        }
        stream.owner(seq)
    }

    /// Why a signal is not taken.
    fn refusal(&self, signal: &Signal, batch: &Taking<'_>, context: Context<'_>) -> Option<Rejection> {
        let settings = &context.definitions.bundle.settings;
        if signal.time < Self::cutoff(context) {
            let message = format!("older than {} days", settings.retention.signal_days);
            return Some(Rejection::new(signal.seq, "too_old", message));
        }
        let gated = matches!(signal.kind, Kind::View | Kind::Action | Kind::Event);
        let allows = |purpose| self.allows(purpose, &batch.log, batch.consent, context);
        // What the visitor says about consent is all that may be kept without one (law 8, fault F41).
        let message = if signal.kind != Kind::Consent && !allows("storage") {
            "the visitor has not agreed to storage"
        } else if gated && !allows("analytics") {
            "the visitor has not agreed to analytics"
        } else {
            return None;
        };
        Some(Rejection::new(signal.seq, "consent_missing", message))
    }

    /// Whether a purpose is open, by the stricter of what this browser and its customer decided.
    fn allows(&self, purpose: &str, log: &CookieLog, elsewhere: &Decisions, context: Context<'_>) -> bool {
        let own = log.consent.decision(purpose).or(elsewhere.get(purpose).copied());
        // What a customer never decided they decide by what this browser said: it is on its way to them.
        let customer = self.accepted_link().and_then(|link| link.consent.get(purpose).copied()).or(own);
        let mode = context.definitions.bundle.settings.consent.mode;
        consent::opens(mode, own) && consent::opens(mode, customer)
    }

    /// The same answer that a `user` signal got the first time.
    fn outcome_again(&self, offered: &Offered, log: &CookieLog) -> Option<UserOutcome> {
        if offered.signal.kind != Kind::User {
            return None;
        }
        let customer = match &offered.customer {
            None => return Some(UserOutcome::Already),
            Some(_) if !offered.trusted => return Some(UserOutcome::Claimed),
            Some(customer) => customer,
        };
        let by = signal_id(&offered.signal);
        Some(match &self.link {
            Some(link) if link.customer.id == customer.id && link.by == by => UserOutcome::Merged,
            Some(link) if link.customer.id == customer.id => UserOutcome::Already,
            _ => match &log.refused {
                Some((refused, reason)) if *refused == by => UserOutcome::Refused(reason.clone()),
                _ => UserOutcome::Refused("unlinked".to_owned()),
            },
        })
    }
}

impl Erased {
    /// What an erased cookie answers: what is older was meant by the erasure, what is newer belongs to the
    /// browser's next cookieId.
    fn answer(&self, call: &CollectCall) -> CollectAnswer {
        let verdict = |offered: &Offered| {
            if offered.signal.time < self.at {
                let message = "the person was erased after this happened";
                return Verdict::Rejected(Rejection::new(offered.signal.seq, "erased", message));
            }
            Verdict::Elsewhere(self.successor)
        };
        CollectAnswer {
            verdicts: call.signals.iter().map(verdict).collect(),
            successor: Some(self.successor),
            ..CollectAnswer::default()
        }
    }
}

/// What a browser agreed to under this cookieId, or, where it said nothing yet, under the one before it.
fn said(log: &CookieLog, elsewhere: &Decisions) -> Decisions {
    if log.consent.is_empty() { elsewhere.clone() } else { log.consent.decisions() }
}

/// A signal within its log.
fn signal_id(signal: &Signal) -> String {
    format!("{}/{}", signal.stream, signal.seq)
}

//! The queue: it does no I/O and knows no clock, it answers "what next?".
//!
//! Invariant: a signal leaves the queue only when an answer accounts for it, when it is given up, or
//! when it is dropped for want of room, and each of these is counted. Its name (cookieId, stream, seq)
//! is given once, when it is pushed, and never changes, so that sending it twice changes nothing.

mod retry;
mod rows;
#[cfg(test)]
mod tests;

use std::rc::Rc;

use retry::{MOST_DAMAGED, Retry, Verdict, verdict};

use crate::consent::{Consent, Gate};
use crate::json::{Value, Writer};
use crate::transport::Answer;

/// Signals that make a full batch.
pub(crate) const BATCH_SIGNALS: usize = 20;
/// How long the first signal of a batch waits for others, in milliseconds.
pub(crate) const BATCH_MS: u64 = 1_000;
/// A request body is at most 16 KB, of which this much is for everything around the signals: so each
/// request may be `keepalive`, and navigating away does not cut it off.
const ENVELOPE_BYTES: usize = 1024;
const BATCH_BYTES: usize = 16 * 1024 - ENVELOPE_BYTES;
/// What the browser lets a page have under way in `keepalive` requests.
const KEEPALIVE_BYTES: usize = 64 * 1024;
const QUEUE_SIGNALS: usize = 1_000;
const QUEUE_BYTES: usize = 512 * 1024;
/// Longest single signal that the edge takes.
const SIGNAL_BYTES: usize = 32 * 1024;
/// `{"seq":9007199254740991,` and a separator.
const SEQ_BYTES: usize = 25;
const EVENTS_PER_SECOND: u32 = 100;
/// Distinct codes that are counted by name; the edge has far fewer.
const MOST_CODES: usize = 32;

/// Under which names signals are made. A batch holds signals of one origin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The page that stored them, by its first stream.
    pub(crate) owner: String,
    pub(crate) cookie_id: String,
    pub(crate) stream: String,
    /// The session's id.
    pub(crate) session: String,
    pub(crate) session_start: u64,
}

impl Origin {
    /// Begins an object with what is sent and stored of it.
    pub(crate) fn write(&self, json: &mut Writer) {
        json.item().push("{").text("cookieId", &self.cookie_id);
        json.text("stream", &self.stream);
        json.raw("session", "{");
        json.text("id", &self.session);
        json.number("start", self.session_start);
        json.push("}");
    }
}

/// What a signal is, as far as the queue cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    View,
    Action,
    Event,
    User,
    Consent,
}

impl Kind {
    /// Of a signal, by its type.
    pub(crate) fn of(signal: Value) -> Self {
        match signal.get("type").text().unwrap_or_default() {
            "view" => Self::View,
            "action" => Self::Action,
            "event" => Self::Event,
            "user" => Self::User,
            _ => Self::Consent,
        }
    }
}

/// Position of a signal in the order of this page, across streams.
pub(crate) type Ticket = u64;

#[derive(Debug)]
struct Signal {
    origin: Rc<Origin>,
    seq: u64,
    ticket: Ticket,
    /// Its row's number among those of its owner.
    row: u64,
    kind: Kind,
    queued_at: u64,
    /// A JSON object without `seq` and without its closing bracket.
    json: String,
    /// The batch it is under way in, else 0.
    batch: u32,
}

impl Signal {
    fn bytes(&self) -> usize {
        self.json.len() + SEQ_BYTES
    }
}

/// What leaves the queue.
enum Gone {
    Batch(u32),
    Ticket(Ticket),
    /// What this consent does not allow.
    Shut(Consent),
}

impl Gone {
    // A closure would be called through the module's table, and so keep alive what else is in it.
    fn takes(&self, signal: &Signal) -> bool {
        match self {
            Self::Batch(batch) => signal.batch == *batch,
            Self::Ticket(ticket) => signal.ticket == *ticket,
            Self::Shut(consent) => consent.signal(signal.kind) == Gate::Shut,
        }
    }
}

/// One request's worth of signals.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) id: u32,
    pub(crate) origin: Rc<Origin>,
    /// A JSON array.
    pub(crate) signals: String,
    /// Failed tries before this one.
    pub(crate) retry: u32,
}

/// What the driver is to do now.
#[derive(Debug)]
pub(crate) enum Next {
    Send(Batch),
    /// Ask again after so many milliseconds.
    Wait(u64),
    /// Nothing, until something happens.
    Idle,
}

/// What became of a request.
#[derive(Debug)]
pub(crate) struct Reply<'a> {
    /// 0 when there was no answer at all.
    pub(crate) status: u64,
    pub(crate) body: Value<'a>,
    /// In milliseconds.
    pub(crate) retry_after: Option<u64>,
}

impl Reply<'_> {
    fn error(&self) -> Option<&str> {
        self.body.get("error").get("code").text()
    }

    /// The edge's word for a failure.
    fn code(&self) -> String {
        if let Some(code) = self.error() {
            return code.into();
        }
        let mut code = Writer("http_".into());
        code.push_number(self.status);
        code.0
    }
}

/// What a reply changed, for the driver to carry out.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Settled {
    /// The cookie is to be written again: another cookieId is in use now, or the batch was made
    /// under an earlier one, which its answer may have set again.
    pub(crate) changed: bool,
    /// It is another cookieId.
    pub(crate) rotated: bool,
    /// The batch's `user` signal, if it is decided now, else 0.
    pub(crate) user: Ticket,
    /// Why it was refused, if it was.
    pub(crate) refusal: String,
}

/// Randomness, made outside.
#[derive(Debug)]
pub(crate) struct Chance {
    /// In 0..=1,024.
    pub(crate) jitter: u64,
    /// An unused stream id.
    pub(crate) stream: String,
}

/// The queue of one SDK instance.
#[derive(Debug)]
pub(crate) struct Engine {
    origin: Rc<Origin>,
    seq: u64,
    queue: Vec<Signal>,
    bytes: usize,
    tickets: Ticket,
    batches: u32,
    /// Everything up to this ticket goes without waiting for company.
    forced: Ticket,
    /// Most signals in the next batch: less than `BATCH_SIGNALS` after a 413.
    most: usize,
    retry: Retry,
    paused: bool,
    second: u64,
    events: u32,
    acknowledged: u64,
    rejected: Vec<(String, u64)>,
    /// What is to be stored and unstored, as effects.
    rows: Writer,
}

impl Engine {
    /// An empty queue. It [begins](Self::begin) before its first signal.
    pub(crate) fn new() -> Self {
        Self {
            origin: Rc::default(),
            seq: 0,
            queue: Vec::new(),
            bytes: 0,
            tickets: 0,
            batches: 0,
            forced: 0,
            most: BATCH_SIGNALS,
            retry: Retry::default(),
            paused: false,
            second: 0,
            events: 0,
            acknowledged: 0,
            rejected: Vec::new(),
            rows: Writer::default(),
        }
    }

    /// Queues a signal, an unclosed JSON object without `seq`. The errors `rate_limited` and `too_large`
    /// are counted here.
    pub(crate) fn push(&mut self, kind: Kind, json: String, now: u64) -> Result<Ticket, &'static str> {
        if kind == Kind::Event && !self.event_allowed(now) {
            return Err(self.drop_as("rate_limited"));
        }
        if json.len() + SEQ_BYTES > SIGNAL_BYTES {
            return Err(self.drop_as("too_large"));
        }
        self.seq += 1;
        self.tickets += 1;
        let signal = Signal {
            origin: Rc::clone(&self.origin),
            seq: self.seq,
            ticket: self.tickets,
            row: self.tickets,
            kind,
            queued_at: now,
            json,
            batch: 0,
        };
        signal.keep(&mut self.rows);
        self.bytes += signal.bytes();
        self.queue.push(signal);
        if matches!(kind, Kind::User | Kind::Consent) {
            self.flush();
        }
        self.make_room();
        Ok(self.tickets)
    }

    /// Everything queued so far goes at once; answers the last ticket of it.
    pub(crate) fn flush(&mut self) -> Ticket {
        self.forced = self.tickets;
        self.forced
    }

    /// What to do now.
    pub(crate) fn next(&mut self, now: u64) -> Next {
        if self.is_stopped() || self.is_sending() {
            return Next::Idle;
        }
        let Some(head) = self.queue.first() else { return Next::Idle };
        if let Some(ms) = self.retry.wait(now) {
            return Next::Wait(ms);
        }
        let (signals, full) = self.cut(self.most);
        let waited = now.saturating_sub(head.queued_at);
        if !full && head.ticket > self.forced && waited < BATCH_MS {
            return Next::Wait(BATCH_MS - waited);
        }
        Next::Send(self.assemble(signals))
    }

    /// The last flush of a page that goes away: the next piece of what is not under way, as long as
    /// all pieces fit into the browser's quota. The signals stay queued until their answers are read.
    /// Nothing overtakes a `user` signal: whose it is hangs on that one's answer.
    pub(crate) fn piece(&mut self, now: u64) -> Option<Batch> {
        let (signals, _) = self.cut(BATCH_SIGNALS);
        if self.is_stopped() || self.retry.is_put_off(now) || signals == 0 {
            return None;
        }
        let (mut bytes, mut last) = (ENVELOPE_BYTES, 0);
        for signal in self.queue.iter().filter(|s| s.batch > 0) {
            if signal.kind == Kind::User {
                return None;
            }
            bytes += signal.bytes() + if last == signal.batch { 0 } else { ENVELOPE_BYTES };
            last = signal.batch;
        }
        bytes += self.waiting().take(signals).map(Signal::bytes).sum::<usize>();
        (bytes <= KEEPALIVE_BYTES).then(|| self.assemble(signals))
    }

    /// Takes in what became of a batch. Nothing happens when it is no longer under way.
    pub(crate) fn settle(&mut self, batch: u32, reply: &Reply, now: u64, chance: Chance) -> Settled {
        let mut settled = Settled::default();
        let (mut count, mut user_seq, mut origin) = (0, 0, None);
        for signal in self.queue.iter().filter(|s| s.batch == batch && batch > 0) {
            count += 1;
            origin = Some(Rc::clone(&signal.origin));
            if signal.kind == Kind::User {
                (settled.user, user_seq) = (signal.ticket, signal.seq);
            }
        }
        let Some(origin) = origin else { return settled };
        let answer = Answer::read(reply.body, &origin.stream, count).filter(|_| reply.status == 200);
        if let Some(answer) = answer {
            self.acknowledged += answer.accepted;
            for (seq, code) in answer.rejected() {
                self.count(code, 1);
                if user_seq == seq {
                    settled.refusal = code.into();
                }
            }
            let current = origin.cookie_id == self.origin.cookie_id;
            settled.changed = !current || answer.cookie_id != origin.cookie_id;
            settled.rotated = current && settled.changed;
            if settled.rotated {
                self.begin(answer.cookie_id, chance.stream);
            }
        } else if self.keeps(reply, count, now, chance.jitter) {
            self.release(batch);
            return Settled::default();
        } else {
            settled.refusal = reply.code();
            self.count(&settled.refusal, count);
        }
        // Taken or refused, it is done, and the next may be larger.
        self.remove(&Gone::Batch(batch));
        self.retry = Retry::default();
        self.most = (self.most * 2).min(BATCH_SIGNALS);
        settled
    }

    /// Draws the conclusions from a failure; answers whether its `count` signals are kept.
    fn keeps(&mut self, reply: &Reply, count: u64, now: u64, jitter: u64) -> bool {
        let damaged = reply.error() == Some("invalid_json") && self.retry.attempts < MOST_DAMAGED;
        match verdict(reply.status) {
            Verdict::GiveUp if !damaged => return false,
            Verdict::Retry | Verdict::GiveUp => {
                self.retry.failed(reply.status, reply.retry_after, now, jitter);
            }
            Verdict::Pause => self.paused = true,
            Verdict::Halve if count > 1 => self.most = count as usize >> 1,
            Verdict::Halve => return false,
        }
        true
    }

    /// Signals that were under way wait again: those of a batch, or of all.
    fn release(&mut self, batch: u32) {
        for signal in &mut self.queue {
            if batch == 0 || signal.batch == batch {
                signal.batch = 0;
            }
        }
    }

    /// A new stream under `cookie_id`; what is queued keeps the names it was made under. The first one
    /// names the owner of what is stored.
    pub(crate) fn begin(&mut self, cookie_id: String, stream: String) {
        let Origin { owner, session, session_start, .. } = &*self.origin;
        let owner = if owner.is_empty() { &stream } else { owner }.clone();
        let (session, session_start) = (session.clone(), *session_start);
        self.origin = Rc::new(Origin { owner, cookie_id, stream, session, session_start });
        self.seq = 0;
    }

    /// Later signals belong to this session.
    pub(crate) fn set_session(&mut self, id: &str, start: u64) {
        if self.origin.session != id {
            let Origin { owner, cookie_id, stream, .. } = &*self.origin;
            let (owner, cookie_id, stream) = (owner.clone(), cookie_id.clone(), stream.clone());
            self.origin =
                Rc::new(Origin { owner, cookie_id, stream, session: id.into(), session_start: start });
        }
    }

    /// Forgets what is queued and may not be sent (any more); answers whether there was any.
    pub(crate) fn purge(&mut self, consent: Consent) -> bool {
        let before = self.queue.len();
        self.remove(&Gone::Shut(consent));
        self.queue.len() < before
    }

    /// The page is back after it was frozen: answers to what was under way will not come.
    pub(crate) fn resume(&mut self) {
        self.release(0);
    }

    /// The network is back.
    pub(crate) fn online(&mut self) {
        self.retry.online();
    }

    /// The visitor looks at the page, or goes on to another view.
    pub(crate) fn again(&mut self) {
        self.retry.again();
    }

    /// Whether everything up to `ticket` has left the queue.
    pub(crate) fn done(&self, ticket: Ticket) -> bool {
        self.queue.iter().all(|s| s.ticket > ticket)
    }

    pub(crate) fn cookie_id(&self) -> &str {
        &self.origin.cookie_id
    }

    /// Whose rows are this page's.
    pub(crate) fn owner(&self) -> &str {
        &self.origin.owner
    }

    pub(crate) fn queued(&self) -> usize {
        self.queue.len()
    }

    /// Signals the edge holds because of this page.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    /// Signals that will not arrive, by code.
    pub(crate) fn rejected(&self) -> &[(String, u64)] {
        &self.rejected
    }

    /// Whether the rate limit was met for the first time.
    pub(crate) fn is_first_dropped(&self) -> bool {
        self.rejected.iter().any(|(code, n)| code == "rate_limited" && *n == 1)
    }

    /// Whether nothing is sent by itself any more: the edge said so, or nothing comes through.
    pub(crate) fn is_stopped(&self) -> bool {
        self.paused || self.retry.is_blocked()
    }

    /// One word for `status()`.
    pub(crate) fn transport(&self) -> &'static str {
        if self.paused {
            "paused"
        } else if self.retry.is_blocked() {
            "blocked"
        } else if self.is_sending() {
            "sending"
        } else if self.retry.attempts > 0 {
            "retrying"
        } else {
            "idle"
        }
    }

    fn is_sending(&self) -> bool {
        self.queue.iter().any(|s| s.batch > 0)
    }

    fn waiting(&self) -> impl Iterator<Item = &Signal> {
        self.queue.iter().filter(|s| s.batch == 0)
    }

    /// How many of the waiting signals make the next batch, and whether it can grow no further. It
    /// ends at a `user` signal: the answer's `user` part is then about that one, and a rotation is
    /// known before anything later is sent.
    fn cut(&self, most: usize) -> (usize, bool) {
        let (mut signals, mut bytes) = (0, 0);
        let mut origin = None;
        for signal in self.waiting() {
            bytes += signal.bytes();
            let of_another = *origin.get_or_insert(&signal.origin) != &signal.origin;
            if of_another || signals == most || (bytes > BATCH_BYTES && signals > 0) {
                return (signals, true);
            }
            signals += 1;
            if signal.kind == Kind::User {
                return (signals, true);
            }
        }
        (signals, signals >= most)
    }

    fn assemble(&mut self, signals: usize) -> Batch {
        self.batches = self.batches.wrapping_add(1).max(1);
        let id = self.batches;
        let mut json = Writer("[".into());
        let mut origin = Rc::clone(&self.origin);
        for signal in self.queue.iter_mut().filter(|s| s.batch == 0).take(signals) {
            signal.batch = id;
            json.item().push("{").number("seq", signal.seq);
            json.push(",").push(signal.json.strip_prefix('{').unwrap_or_default()).push("}");
            origin = Rc::clone(&signal.origin);
        }
        json.push("]");
        Batch { id, origin, signals: json.0, retry: self.retry.attempts }
    }

    fn event_allowed(&mut self, now: u64) -> bool {
        if now.saturating_sub(self.second) >= 1_000 {
            self.second = now;
            self.events = 0;
        }
        self.events = self.events.saturating_add(1);
        self.events <= EVENTS_PER_SECOND
    }

    fn make_room(&mut self) {
        while self.queue.len() > QUEUE_SIGNALS || self.bytes > QUEUE_BYTES {
            let oldest = |user: bool| self.waiting().find(|s| user || s.kind != Kind::User).map(|s| s.ticket);
            let Some(ticket) = oldest(false).or_else(|| oldest(true)) else { return };
            self.remove(&Gone::Ticket(ticket));
            self.count("queue_full", 1);
        }
    }

    fn remove(&mut self, gone: &Gone) {
        let rows = &mut self.rows;
        self.queue.retain(|signal| {
            let goes = gone.takes(signal);
            if goes {
                signal.unkeep(rows);
            }
            !goes
        });
        self.bytes = self.queue.iter().map(Signal::bytes).sum();
    }

    fn drop_as(&mut self, code: &'static str) -> &'static str {
        self.count(code, 1);
        code
    }

    fn count(&mut self, code: &str, n: u64) {
        let mut known = self.rejected.iter_mut();
        if let Some((_, count)) = known.find(|(known, _)| known == code) {
            *count += n;
        } else if self.rejected.len() < MOST_CODES {
            self.rejected.push((code.into(), n));
        }
    }
}

//! The queue's rows on the device: a page that ends without an answer leaves them, and another page goes
//! on with them. A signal has a row from the moment it is queued until it leaves the queue.

use std::rc::Rc;

use super::{Engine, Kind, Origin, Signal};
use crate::json::{Value, Writer};

/// So long a row waits for a page that sends it (`QUEUE_DAYS` of the core).
const KEPT_MS: u64 = 30 * 24 * 60 * 60 * 1_000;

impl Signal {
    /// The effect that stores it.
    pub(super) fn keep(&self, rows: &mut Writer) {
        let origin = &self.origin;
        rows.item().push("[").quoted(&["keep"]);
        rows.quoted(&[&origin.owner]);
        rows.item().push_number(self.row);
        origin.write(rows);
        rows.number("seq", self.seq);
        rows.raw("signal", &self.json);
        rows.push("}}]");
    }

    /// The effect that removes what is stored of it.
    pub(super) fn unkeep(&self, rows: &mut Writer) {
        unkeep(&self.origin.owner, self.row, rows);
    }

    /// A signal of another page, as it was stored.
    fn read(owner: &str, n: Value, row: Value) -> Option<(u64, Self)> {
        let text = |of: Value, key| of.get(key).text().map(String::from);
        let (session, signal) = (row.get("session"), row.get("signal"));
        let origin = Origin {
            owner: owner.into(),
            cookie_id: text(row, "cookieId")?,
            stream: text(row, "stream")?,
            session: text(session, "id")?,
            session_start: session.get("start").number()?,
        };
        let read = Self {
            origin: Rc::new(origin),
            seq: row.get("seq").number()?,
            ticket: 0,
            row: n.number()?,
            kind: Kind::of(signal),
            // Long enough ago to go at once.
            queued_at: 0,
            json: signal.0.strip_suffix('}')?.into(),
            batch: 0,
        };
        Some((signal.get("time").number()?, read))
    }
}

fn unkeep(owner: &str, row: u64, rows: &mut Writer) {
    rows.item().push("[").quoted(&["drop"]);
    rows.quoted(&[owner]);
    rows.item().push("[").push_number(row);
    rows.push("]]");
}

impl Engine {
    /// Takes over `rows`, numbers and rows in turn, that a page left when it ended. They go before
    /// everything else, under the names they have. `time` is the wall clock.
    pub(crate) fn adopt(&mut self, owner: &str, rows: Value, time: u64) {
        let mut adopted = Vec::new();
        for pair in rows.parts() {
            let mut parts = pair.parts();
            let (n, row) = (parts.next().unwrap_or(Value::NULL), parts.next().unwrap_or(Value::NULL));
            match Signal::read(owner, n, row) {
                // A page that came back may have had them before.
                Some((_, signal)) if self.has(owner, signal.row) => {}
                Some((made, mut signal)) if made.saturating_add(KEPT_MS) >= time => {
                    self.tickets += 1;
                    signal.ticket = self.tickets;
                    self.bytes += signal.bytes();
                    adopted.push(signal);
                }
                // Too old, or no row of ours.
                other => {
                    unkeep(owner, n.number().unwrap_or_default(), &mut self.rows);
                    self.count(if other.is_some() { "expired" } else { "damaged" }, 1);
                }
            }
        }
        adopted.append(&mut self.queue);
        self.queue = adopted;
        self.make_room();
    }

    fn has(&self, owner: &str, row: u64) -> bool {
        self.queue.iter().any(|signal| signal.row == row && signal.origin.owner == owner)
    }

    /// What is to be stored and unstored by now, as effects.
    pub(crate) fn take_rows(&mut self) -> String {
        std::mem::take(&mut self.rows.0)
    }
}

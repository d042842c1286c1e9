//! The customer's role: take pages of linked logs.

use serde::{Deserialize, Serialize};

use super::{Context, Copy, Customer, Erased, KNOWN, Known, Object, REFUSED, is_false};
use crate::collections::{Map, Set};
use crate::consent::Decisions;
use crate::effects::{Table, Write};
use crate::ids::{CookieId, CustomerId, LogId, SignalKey};
use crate::limits::FUTURE_MS;
use crate::membership::Cause;
use crate::mutants::planted;
use crate::signal::Signal;
use crate::time::{DAY_MS, Timestamp};

/// How long a link that ended refuses what is still under way of it, at least.
const ENDED_LINK_DAYS: i64 = 30;
/// So many cookies are remembered whose links were not taken: anybody may try.
const REFUSED_LINKS: usize = 1000;

/// A row of a log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Its place.
    pub position: u64,
    /// The signal.
    pub signal: Signal,
}

impl Row {
    /// Those that these writes append.
    pub fn appended(writes: &[Write]) -> Vec<Self> {
        let row = |write: &Write| match write {
            Write::Append { position, signal, .. } => {
                Some(Self { position: *position, signal: signal.clone() })
            }
            _ => None,
        };
        writes.iter().filter_map(row).collect()
    }
}

/// What a cookie's object ships: the rows that exist in `(from, to]` of its log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Page {
    /// To whom.
    pub customer: Customer,
    /// Whose log.
    pub cookie: CookieId,
    /// The cookie's object.
    pub object: CustomerId,
    /// Which life of the log: an unknown one starts at 0.
    pub log: LogId,
    /// Which link.
    pub epoch: i64,
    /// When the visitor did what made the link.
    #[serde(default)]
    pub made: Option<Timestamp>,
    /// Where it begins, exclusive: must be where the customer is.
    pub from: u64,
    /// Where it ends, inclusive; holes are allowed.
    pub to: u64,
    /// Time of the oldest signal that this log ever had.
    #[serde(default)]
    pub first_seen: Option<Timestamp>,
    /// What this browser agreed to.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub consent: Decisions,
    /// The rows.
    pub rows: Vec<Row>,
}

/// What became of a page. Exhaustive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShipOutcome {
    /// The customer has the log up to here (also when the page was not the expected one).
    Taken {
        /// Position.
        up_to: u64,
    },
    /// The customer knows a newer link of this cookie.
    Stale,
    /// This link was taken back.
    Unlinked,
    /// The customer does not take this link, and why.
    Refused(String),
    /// The customer was erased after this link was made.
    Erased {
        /// What is older than this is refused.
        at: Timestamp,
    },
}

/// Answer to a [`Page`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ShipAnswer {
    /// What became of it.
    pub outcome: ShipOutcome,
    /// The customer's life and version after it.
    pub tag: String,
    /// Version.
    pub version: u64,
    /// What the customer agreed to.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub consent: Decisions,
    /// The newest link of this cookie that the customer knows.
    #[serde(default)]
    pub epoch: Option<i64>,
}

/// A link that was taken back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Drop {
    /// Whose link it was.
    pub customer: CustomerId,
    /// Which cookie's.
    pub cookie: CookieId,
    /// That cookie's object.
    pub object: CustomerId,
    /// Which one: those up to it end.
    pub epoch: i64,
    /// The cookie's log went with it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub emptied: bool,
}

impl Object {
    /// Takes a page. `present` are the page's signals that this object already has.
    pub fn ship(
        &mut self,
        page: &Page,
        present: &Set<SignalKey>,
        context: Context<'_>,
    ) -> (ShipAnswer, Vec<Write>) {
        let mut out = Vec::new();
        let outcome = self.take_page(page, present, context, &mut out);
        let consent = self.profile.consent();
        let epoch = self.link_of(page.cookie).map(|copy| copy.epoch);
        (ShipAnswer { outcome, tag: self.tag(), version: self.profile.version(), consent, epoch }, out)
    }

    fn take_page(
        &mut self,
        page: &Page,
        present: &Set<SignalKey>,
        context: Context<'_>,
        out: &mut Vec<Write>,
    ) -> ShipOutcome {
        let fresh = |since| Copy {
            object: page.object,
            log: page.log,
            epoch: page.epoch,
            up_to: 0,
            since,
            dropped: false,
            ended: None,
            emptied: false,
            refused: false,
            first_seen: None,
            consent: Decisions::new(),
        };
        let before =
            |erased: &Erased| page.epoch <= erased.at.0 || page.made.is_some_and(|made| made < erased.at);
        if let Some(erased) = self.erased.as_ref().filter(|erased| before(erased) && !planted(37)) {
            return ShipOutcome::Erased { at: erased.at };
        }
        let already = self.link_of(page.cookie).filter(|copy| copy.epoch == page.epoch || !copy.dropped);
        let over = already.is_none() && (page.epoch <= self.refused || self.is_full(context));
        if let Some(reason) = over.then_some("too_many_links") {
            // A clock that is far ahead would refuse everybody until then.
            let ahead = context.now.plus(FUTURE_MS).0;
            if (self.refused + 1..ahead).contains(&page.epoch) && !planted(49) {
                self.refused = page.epoch;
                out.push(Write::put(Table::Meta, REFUSED, &self.refused));
            }
            if page.epoch < ahead {
                let not_taken =
                    Copy { dropped: true, refused: true, ended: Some(context.now), ..fresh(context.now) };
                self.remember_refused(page.cookie, not_taken, out);
            }
            return ShipOutcome::Refused(reason.to_owned());
        }
        let mut copy = match self.link_of(page.cookie) {
            Some(copy) if copy.epoch > page.epoch && !planted(1) => {
                return ShipOutcome::Stale;
            }
            Some(copy) if copy.epoch == page.epoch && copy.dropped && !planted(2) => {
                return ShipOutcome::Unlinked;
            }
            Some(copy) if copy.epoch == page.epoch && copy.log == page.log => copy.clone(),
            // A newer link, or a log that lost what it had: from the start; what is there is known by
            // its identity and not counted twice.
            Some(copy) if planted(3) => {
                Copy { epoch: page.epoch, log: page.log, dropped: false, ..copy.clone() }
            }
            Some(copy) => fresh(if copy.dropped { context.now } else { copy.since }),
            None => fresh(context.now),
        };
        if self.link_of(page.cookie) == Some(&copy) && page.from != copy.up_to {
            return ShipOutcome::Taken { up_to: copy.up_to };
        }
        if page.from != copy.up_to {
            // A link this object has not met begins at the log's start: say where to go on from, and
            // remember the link.
            self.remember(page.cookie, copy, out);
            return ShipOutcome::Taken { up_to: 0 };
        }
        if self.known.is_none() {
            let bucket_key = page.object.to_string();
            let known = Known { customer: page.customer.clone(), bucket_key };
            out.push(Write::put(Table::Meta, KNOWN, &known));
            self.known = Some(known);
        }
        // The first page of a link is the merge; what comes later are signals like any others.
        let cause = if copy.up_to == 0 { Cause::Merge } else { Cause::Signal };
        self.tidy_copies(context, out);
        let erased = self.erased.as_ref().map(|erased| erased.at);
        let cutoff = Self::cutoff(context);
        for row in &page.rows {
            let key = row.signal.key(page.cookie);
            let too_old = row.signal.ages() && row.signal.time < cutoff;
            let before = erased.is_some_and(|at| row.signal.time < at);
            if present.contains(&key) || too_old || before {
                continue;
            }
            self.note_age(&row.signal, out);
            out.push(Write::Append {
                cookie: page.cookie,
                position: row.position,
                signal: row.signal.clone(),
            });
            if !planted(7) || row.position > 1 {
                self.profile.fold(context.definitions, key, &row.signal, context.now);
            }
        }
        copy.consent.clone_from(&page.consent);
        copy.first_seen = page.first_seen.max(erased.filter(|_| page.first_seen.is_some()));
        copy.up_to = if planted(6) { page.from } else { page.to };
        self.remember(page.cookie, copy, out);
        if !planted(5) {
            self.changed(context, cause, out);
        }
        ShipOutcome::Taken { up_to: page.to }
    }

    /// Whether there is no room for another link.
    fn is_full(&self, context: Context<'_>) -> bool {
        let identity = &context.definitions.bundle.settings.identity;
        let held = self.copies.values().filter(|copy| !copy.dropped).count();
        let day_ago = context.now.plus(-DAY_MS);
        let today = self.copies.values().filter(|copy| copy.up_to > 0 && copy.since > day_ago).count();
        held >= identity.max_links as usize || today >= identity.max_links_per_day as usize
    }

    /// A link that is or was one.
    fn link_of(&self, cookie: CookieId) -> Option<&Copy> {
        self.copies.get(&cookie).filter(|copy| !copy.refused)
    }

    /// A link was not taken: whoever is erased is to go from that cookie's log too.
    fn remember_refused(&mut self, cookie: CookieId, not_taken: Copy, out: &mut Vec<Write>) {
        let copy = match self.copies.get(&cookie) {
            Some(copy) => Copy { ended: not_taken.ended, emptied: false, ..copy.clone() },
            None if self.copies.values().filter(|copy| copy.refused).count() < REFUSED_LINKS => not_taken,
            None => return,
        };
        self.remember(cookie, copy, out);
    }

    /// Links that ended long ago need no memory: nothing of them is under way any more, and nothing that a cookie's log
    /// said of the customer is still there.
    pub(super) fn tidy_copies(&mut self, context: Context<'_>, out: &mut Vec<Write>) {
        let named = i64::from(context.definitions.bundle.settings.retention.signal_days) + 2;
        let ago = |days: i64| context.now.plus(days.saturating_mul(-DAY_MS));
        self.copies.retain(|cookie, copy| {
            let days = if copy.emptied { ENDED_LINK_DAYS } else { ENDED_LINK_DAYS.max(named) };
            let over = copy.dropped && copy.ended.is_some_and(|ended| ended < ago(days));
            if over {
                out.push(Write::delete(Table::Link, &cookie.to_string()));
            }
            !over
        });
    }

    fn remember(&mut self, cookie: CookieId, copy: Copy, out: &mut Vec<Write>) {
        if !planted(4) {
            out.push(Write::put(Table::Link, &cookie.to_string(), &copy));
        }
        self.copies.insert(cookie, copy);
    }
}

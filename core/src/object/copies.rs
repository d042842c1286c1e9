//! Copies of a profile: what KV and the index should hold, when they are behind, and when a write to them
//! counts. Derived, versioned, and never read back (law 2).

use super::{Context, OWED, Object, past};
use crate::effects::{Table, Write};
use crate::ids::{CookieId, CustomerId};
use crate::mutants::planted;
use crate::outcome::Outcome;
use crate::snapshot::Snapshot;
use crate::time::{SECOND_MS, Timestamp};

/// Copies of one profile are written at most this often.
const PROJECT_EVERY_MS: i64 = SECOND_MS;
/// How long a change waits for others that come with it.
const PROJECT_AFTER_MS: i64 = 200;
/// When a write of unknown outcome is surely over.
pub(super) const REPEAT_AFTER_MS: i64 = 60 * SECOND_MS;

/// What the index should hold of one object.
#[derive(Clone, Debug, PartialEq)]
pub struct Indexing {
    /// Whose.
    pub object: CustomerId,
    /// Which life of it.
    pub tag: String,
    /// The version of this.
    pub version: u64,
    /// The customer's row; none is a tombstone.
    pub customer: Option<Box<Snapshot>>,
    /// The segments that the customer is in, and since when.
    pub memberships: Vec<(String, Timestamp)>,
    /// What became of the customer where an experience was shown.
    pub outcomes: Vec<Outcome>,
    /// The customer has not been seen for so long that nothing of them stays but these outcomes: whoever does
    /// not come back belongs to the result of what they were shown.
    pub expired: bool,
    /// Of a cookie's object: whose its activities are, and the order of that news.
    pub cookie: Option<(CustomerId, i64)>,
    /// Of a cookie's object: whom its visitor claims to be.
    pub claims: Vec<CustomerId>,
    /// The activities that are there go first.
    pub purge: bool,
    /// The log whose activities belong there.
    pub log: Option<CookieId>,
    /// Up to which position they are there already.
    pub behind: u64,
    /// Where the log ends: so far they are there, once there are no rows behind those written.
    pub end: u64,
    /// Of a customer that was erased: older activities of its cookies are not its own.
    pub since: Option<Timestamp>,
}

/// What KV should hold.
#[derive(Clone, Debug, PartialEq)]
pub enum Projection {
    /// This snapshot.
    Put(Box<Snapshot>),
    /// Nothing under this name.
    Delete(CustomerId),
}

impl Object {
    pub(super) fn owe_copies(&mut self, now: Timestamp, out: &mut Vec<Write>) {
        if self.owed.projection.is_some() && self.owed.index.is_some() {
            return;
        }
        self.owed.projection.get_or_insert(now);
        self.owed.index.get_or_insert(now);
        out.push(Write::put(Table::Outbox, OWED, &self.owed));
    }

    /// A copy of everything is to be made again, also of what was copied before.
    pub fn copy_again(&mut self, now: Timestamp) -> Vec<Write> {
        let mut out = Vec::new();
        self.recopy(now, &mut out);
        out
    }

    /// What the index was told so far does not count, whatever is still to be answered about it.
    fn recopy(&mut self, now: Timestamp, out: &mut Vec<Write>) {
        self.owed.projection = Some(now);
        self.owed.index = Some(now);
        self.owed.activities = 0;
        if !planted(39) {
            self.owed.void = self.profile.version();
            self.profile.bump(out);
        }
        out.push(Write::put(Table::Outbox, OWED, &self.owed));
    }

    /// Whether no copy says anything of what is here: a visitor without a cookie, whom nobody knows.
    pub fn is_unlisted(&self) -> bool {
        let ephemeral = self.log.as_ref().is_some_and(|log| log.ephemeral && log.last_epoch == 0);
        self.only_tokens().is_some() || (self.link.is_none() && ephemeral)
    }

    /// When the snapshot is to be written.
    pub(super) fn projects_at(&self, now: Timestamp) -> Option<Timestamp> {
        if self.is_unlisted() {
            return None;
        }
        let at = past(self.owed.projection?, now).plus(PROJECT_AFTER_MS);
        Some(at.max(past(self.owed.projected, now).plus(PROJECT_EVERY_MS)).max(self.patience.until(now)))
    }

    /// What is to be written to KV now.
    pub fn projection_due(&self, context: Context<'_>) -> Option<Projection> {
        self.projects_at(context.now).filter(|at| *at <= context.now)?;
        Some(match self.snapshot(context) {
            Some(snapshot) => Projection::Put(Box::new(snapshot)),
            None => Projection::Delete(self.name),
        })
    }

    /// The projection of `version` reached KV.
    pub fn projected(&mut self, version: u64, now: Timestamp) -> Vec<Write> {
        self.owed.projected = now;
        if self.profile.version() == version {
            self.owed.projection = None;
        }
        if std::mem::take(&mut self.unsure) && !planted(29) {
            self.owed.repeat = Some(now.plus(REPEAT_AFTER_MS + self.own_pace()));
        }
        vec![Write::put(Table::Outbox, OWED, &self.owed)]
    }

    /// After a restart all objects are unsure at once: each repeats at a moment of its own.
    fn own_pace(&self) -> i64 {
        let (CustomerId::Unknown(bits) | CustomerId::Known(bits)) = self.name;
        i64::from((bits as u32) >> 16)
    }

    /// Nobody knows whether the projection reached KV, or still will.
    pub fn projection_failed(&mut self, now: Timestamp) {
        self.unsure = true;
        self.failed(now);
    }

    /// Whether the index knows more of this customer than is here: as long as the imported row was not fetched,
    /// with the memberships that stand there of it, or nobody was ever here whom it could be of.
    fn is_early(&self) -> bool {
        let nobody = self.known.is_none() && self.erased.is_none();
        self.wants_row().is_some() || (self.name.is_known() && nobody)
    }

    /// When the rows in the index are to be written.
    pub(super) fn indexes_at(&self, now: Timestamp) -> Option<Timestamp> {
        if (self.is_early() && !planted(62)) || self.is_unlisted() {
            return None;
        }
        let log = self.log.as_ref().filter(|log| log.end > self.owed.activities).map(|log| log.active);
        let since = past([self.owed.index, log].into_iter().flatten().min()?, now);
        let at = since.plus(PROJECT_AFTER_MS).max(past(self.owed.indexed, now).plus(PROJECT_EVERY_MS));
        Some(at.max(self.patience.until(now)))
    }

    /// What is to be written to the index now.
    pub fn indexing_due(&self, context: Context<'_>) -> Option<Indexing> {
        self.indexes_at(context.now).filter(|at| *at <= context.now)?;
        Some(self.indexing(context))
    }

    fn indexing(&self, context: Context<'_>) -> Indexing {
        let owner = self.accepted_link().map(|link| (link.customer.id, link.epoch.saturating_mul(2)));
        let cookie = self.log.as_ref().map(|log| {
            // Ordered: never linked, about to be linked, linked, that link taken back, the next one, …
            let own = match (&self.link, log.last_epoch) {
                (_, 0) => 0,
                (Some(_), epoch) if !planted(40) => epoch.saturating_mul(2) - 1,
                (_, epoch) => epoch.saturating_mul(2) + 1,
            };
            owner.unwrap_or((self.name, own))
        });
        let customer = self.snapshot(context).map(Box::new);
        let memberships = match customer {
            Some(_) => {
                self.profile.memberships().map(|(name, is_in)| (name.to_owned(), is_in.since)).collect()
            }
            None => Vec::new(),
        };
        let outcomes = match customer {
            Some(_) if !planted(58) => self.profile.outcomes(context.definitions),
            _ => Vec::new(),
        };
        Indexing {
            object: self.name,
            tag: self.tag(),
            version: self.profile.version(),
            customer,
            memberships,
            outcomes,
            expired: planted(59),
            cookie,
            claims: self.claims().iter().map(|claim| claim.customer.id).collect(),
            purge: self.owed.unindex,
            log: self.log.as_ref().map(|log| log.cookie).filter(|_| !planted(34)),
            behind: self.owed.activities,
            end: self.log_end(),
            since: self.erased.as_ref().map(|erased| erased.at),
        }
    }

    /// What the index must hold once nothing is left here. Who comes before that finds everything to be
    /// copied again, at a version of its own.
    pub fn farewell(&mut self, context: Context<'_>) -> (Indexing, Vec<Write>) {
        let mut out = Vec::new();
        self.profile.bump(&mut out);
        let farewell = Indexing {
            customer: None,
            memberships: Vec::new(),
            // Of somebody who wanted to be forgotten not even they stay.
            expired: !self.owed.unindex,
            cookie: None,
            claims: Vec::new(),
            purge: true,
            log: None,
            ..self.indexing(context)
        };
        if !planted(41) {
            self.recopy(context.now, &mut out);
        }
        (farewell, out)
    }

    /// The rows of `indexing` are in the index, activities up to the position `up_to`. A `floor` of its
    /// version or above says that they are not: the index knows a later one.
    pub fn indexed(&mut self, indexing: &Indexing, up_to: u64, floor: u64, now: Timestamp) -> Vec<Write> {
        let mut out = Vec::new();
        self.owed.indexed = now;
        if floor >= indexing.version && !planted(30) {
            // Copies of this life must count as newer than those of the other one.
            self.profile.raise(floor);
            self.profile.bump(&mut out);
            self.owed.projection = Some(now);
            self.owed.index = Some(now);
        } else if indexing.version > self.owed.void || planted(35) {
            self.owed.activities = self.owed.activities.max(up_to);
            self.owed.unindex &= !indexing.purge;
            if self.profile.version() == indexing.version {
                self.owed.index = None;
            }
        }
        out.push(Write::put(Table::Outbox, OWED, &self.owed));
        out
    }
}

//! One profile's object as a state machine. It has two roles (design §5):
//!
//! - **The cookie's object** owns the log of its cookie. Unlinked, it folds the log: that fold is the
//!   unknown profile. Linked, it keeps only the log and the link, and ships what the log has.
//! - **The known customer's object** is the fold over the union of the logs linked to it. Per link it
//!   remembers up to which position it has the log; a page that does not begin there changes nothing,
//!   so lost, doubled and reordered messages are harmless.
//!
//! A step changes the state in memory and returns what must be written; the rim commits all of it in
//! one transaction, or throws this state away and loads it anew.

mod cookie;
mod customer;
mod ending;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use cookie::{CollectAnswer, CollectCall, Offered, Present, UserOutcome, Verdict};
pub use customer::{Drop, Page, Row, ShipAnswer, ShipOutcome};
pub use ending::Unlinked;

use crate::definitions::Definitions;
use crate::effects::{Table, Write};
use crate::ids::{CookieId, CustomerId, LogId};
use crate::mutants::planted;
use crate::profile::{Imported, Profile};
use crate::snapshot::Snapshot;
use crate::time::{SECOND_MS, Timestamp};

/// What a step is told of the world.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// Read once for the whole request.
    pub now: Timestamp,
    /// The definitions in force.
    pub definitions: &'a Definitions,
}

/// A customer of an identity table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Customer {
    /// Name of its object.
    pub id: CustomerId,
    /// Identity table.
    pub table: String,
    /// Key in that table, normalised.
    pub auth_id: String,
}

/// The log of a cookie, at its object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct CookieLog {
    cookie: CookieId,
    /// The cookieId that this browser had first: rotations derive from it.
    root: CookieId,
    /// Position of the newest signal; positions begin at 1.
    end: u64,
    /// Epoch of the newest link; the next one is greater.
    last_epoch: i64,
    /// When the last signal arrived; clocks may jump back, this does not.
    #[serde(default)]
    active: Timestamp,
    /// Whether signals were ever purged: what comes again of them is refused.
    #[serde(default, skip_serializing_if = "is_false")]
    purged: bool,
}

/// A cookie's link, at the cookie's object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Link {
    /// Whom it belongs to.
    pub customer: Customer,
    /// Which link of this cookie, in order.
    pub epoch: i64,
    /// Up to where the customer has the log.
    pub shipped: u64,
    /// Whether the customer has accepted it; until then the unknown profile stands.
    pub accepted: bool,
    /// By which signal: `stream/seq`.
    pub by: String,
}

/// A linked cookie, at the customer's object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Copy {
    /// The cookie's object.
    object: CustomerId,
    log: LogId,
    epoch: i64,
    /// Up to where this object has the log.
    up_to: u64,
    since: Timestamp,
    /// The link was taken back; the row stays to refuse what of it is still under way.
    #[serde(default, skip_serializing_if = "is_false")]
    dropped: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // the signature that serde calls
fn is_false(truth: &bool) -> bool {
    !truth
}

/// What a customer's object knows of whom it stands for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Known {
    customer: Customer,
    /// What holdouts hash: that of the first visitor merged into it, so a bucket survives the merge.
    bucket_key: String,
}

/// What is owed to the outside.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Owed {
    /// Since when the snapshot in KV is behind.
    projection: Option<Timestamp>,
    /// When it was last written.
    projected: Timestamp,
    /// Links taken back, of which their customers are to be told.
    drops: Vec<Drop>,
}

/// The state of one object that is held in memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    name: CustomerId,
    /// This life of the object, and name of its log.
    life: LogId,
    log: Option<CookieLog>,
    link: Option<Link>,
    known: Option<Known>,
    copies: BTreeMap<CookieId, Copy>,
    owed: Owed,
    /// The fold.
    pub profile: Profile,
}

const LIFE: &str = "life";
const LOG: &str = "log";
const KNOWN: &str = "known";
const OWN_LINK: &str = "own";
const OWED: &str = "owed";

/// A stored row that cannot be read: the object refuses to go on rather than to guess.
#[derive(Debug, thiserror::Error)]
#[error("stored row {table}/{key} is damaged: {error}")]
pub struct Damaged {
    table: &'static str,
    key: String,
    error: serde_json::Error,
}

/// Snapshots of one key are written at most this often.
const PROJECT_EVERY_MS: i64 = SECOND_MS;

impl Object {
    /// An object that never existed; `bits` are random. The writes make it exist.
    pub fn born(name: CustomerId, bits: u128) -> (Self, Vec<Write>) {
        let life = LogId::from_bits(bits);
        let object = Self {
            name,
            life,
            log: None,
            link: None,
            known: None,
            copies: BTreeMap::new(),
            owed: Owed::default(),
            profile: Profile::default(),
        };
        (object, vec![Write::put(Table::Meta, LIFE, &life)])
    }

    /// The object that these rows are; none if there are none.
    ///
    /// # Errors
    /// When a row cannot be read.
    pub fn load<'a>(
        name: CustomerId,
        rows: impl Iterator<Item = (Table, &'a str, &'a str)>,
    ) -> Result<Option<Self>, Damaged> {
        let (mut object, _) = Self::born(name, 0);
        let mut alive = false;
        for (table, key, body) in rows {
            alive |= (table, key) == (Table::Meta, LIFE);
            object.load_row(table, key, body).map_err(|error| Damaged {
                table: table.name(),
                key: key.to_owned(),
                error,
            })?;
        }
        Ok(alive.then_some(object))
    }

    fn load_row(&mut self, table: Table, key: &str, body: &str) -> Result<(), serde_json::Error> {
        match (table, key) {
            (Table::Meta, LIFE) => self.life = serde_json::from_str(body)?,
            (Table::Meta, LOG) => self.log = serde_json::from_str(body)?,
            (Table::Meta, KNOWN) => self.known = serde_json::from_str(body)?,
            (Table::Outbox, OWED) => self.owed = serde_json::from_str(body)?,
            (Table::Link, OWN_LINK) => self.link = serde_json::from_str(body)?,
            (Table::Link, cookie) => {
                let cookie = serde_json::from_value(cookie.into())?;
                self.copies.insert(cookie, serde_json::from_str(body)?);
            }
            _ => self.profile.load(table, key, body)?,
        }
        Ok(())
    }

    /// Its name.
    pub fn name(&self) -> CustomerId {
        self.name
    }

    /// The cookie whose log this is.
    pub fn cookie(&self) -> Option<CookieId> {
        self.log.as_ref().map(|log| log.cookie)
    }

    /// The link of this cookie, once the customer has accepted it.
    pub fn accepted_link(&self) -> Option<&Link> {
        self.link.as_ref().filter(|link| link.accepted)
    }

    /// Whether anything of the log is still to be shipped (or the link to be accepted).
    pub fn has_to_ship(&self) -> bool {
        match (&self.link, &self.log) {
            (Some(link), Some(log)) => !link.accepted || link.shipped < log.end,
            _ => false,
        }
    }

    /// Whom this object stands for, where the imported row was never asked for.
    pub fn wants_row(&self) -> Option<&Customer> {
        let known = self.known.as_ref()?;
        self.profile.imported_version().is_none().then_some(&known.customer)
    }

    /// The imported row arrived (or its absence was found: version 0).
    pub fn import(&mut self, row: Imported, context: Context<'_>) -> Vec<Write> {
        let mut out = Vec::new();
        if self.profile.import(row) {
            self.changed(context, &mut out);
        }
        out
    }

    /// Time may have moved a membership; says so by what it writes.
    pub fn wake(&mut self, context: Context<'_>) -> Vec<Write> {
        let mut out = Vec::new();
        if self.has_profile() && self.profile.evaluate(context.definitions, context.now, &mut out) {
            self.changed(context, &mut out);
        }
        out
    }

    /// Whether this object folds a profile: an unlinked cookie or a customer.
    fn has_profile(&self) -> bool {
        self.known.is_some() || (self.log.is_some() && self.accepted_link().is_none())
    }

    /// The profile changed: memberships again, one more version, a projection is owed.
    fn changed(&mut self, context: Context<'_>, out: &mut Vec<Write>) {
        self.profile.evaluate(context.definitions, context.now, out);
        self.profile.bump(out);
        if self.owed.projection.is_none() {
            self.owed.projection = Some(context.now);
            out.push(Write::put(Table::Outbox, OWED, &self.owed));
        }
    }

    /// What is to be written to KV now, if it is owed and its second has passed.
    pub fn projection_due(&self, context: Context<'_>) -> Option<Projection> {
        self.owed.projection?;
        if context.now < self.owed.projected.plus(PROJECT_EVERY_MS) {
            return None;
        }
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
        vec![Write::put(Table::Outbox, OWED, &self.owed)]
    }

    /// When this object wants to be woken: for what is owed, or for time itself.
    pub fn alarm(&self, context: Context<'_>) -> Option<Timestamp> {
        let owes_log = self.has_to_ship() && !planted(25);
        let ship = (owes_log || !self.owed.drops.is_empty()).then(|| context.now.plus(SECOND_MS));
        let project = self.owed.projection.map(|since| since.max(self.owed.projected).plus(PROJECT_EVERY_MS));
        let row = self.wants_row().map(|_| context.now);
        let time = if self.has_profile() {
            self.profile.next_change(context.definitions, context.now)
        } else {
            None
        };
        let expiry = self.expires(context);
        [ship, project, row, time, expiry].into_iter().flatten().min()
    }

    /// The profile as readers see it; none where there is nothing to see: a cookie whose signals belong
    /// to a customer, or an object without any.
    pub fn snapshot(&self, context: Context<'_>) -> Option<Snapshot> {
        if !self.has_profile() {
            return None;
        }
        let mut snapshot =
            self.profile.snapshot(context.definitions, self.name, self.life.to_string(), context.now);
        let linked = self.copies.iter().filter(|(_, copy)| !copy.dropped);
        snapshot.cookie_ids = linked.map(|(cookie, _)| *cookie).collect();
        if let Some(known) = &self.known {
            snapshot.auth = Some((known.customer.table.clone(), known.customer.auth_id.clone()));
            snapshot.bucket_key.clone_from(&known.bucket_key);
        } else if let Some(log) = &self.log {
            snapshot.cookie_ids.push(log.cookie);
        }
        Some(snapshot)
    }

    /// This life of the object, as versions of it are told apart from another's.
    pub fn tag(&self) -> String {
        self.life.to_string()
    }
}

/// What KV should hold.
#[derive(Clone, Debug, PartialEq)]
pub enum Projection {
    /// This snapshot.
    Put(Box<Snapshot>),
    /// Nothing under this name.
    Delete(CustomerId),
}

#[cfg(test)]
mod tests;

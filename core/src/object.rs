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

mod claims;
mod cookie;
mod copies;
mod customer;
mod deliveries;
mod ending;
mod naming;
mod shipping;
mod tokens;
mod unknown_fields;

use serde::{Deserialize, Serialize};

pub use claims::{Claim, LISTED as CLAIMS_LISTED};
pub use cookie::{CollectAnswer, CollectCall, Met, Offered, Present, UserOutcome, Verdict};
pub use copies::{Indexing, Projection};
pub use customer::{Drop, Page, Row, ShipAnswer, ShipOutcome};
pub use deliveries::{HELD as DELIVERIES_HELD, Listing};
pub use ending::{Purge, Unlinked};
pub use naming::naming;
pub(crate) use unknown_fields::UnknownFields;

use crate::activation::Delivery;
use crate::collections::Map;
use crate::consent::{Consents, Decisions};
use crate::definitions::Definitions;
use crate::effects::{Table, Write};
use crate::ids::{CookieId, CustomerId, LogId};
use crate::json;
use crate::membership::Cause;
use crate::mutants::planted;
use crate::profile::{Imported, Profile};
use crate::signal::Signal;
use crate::snapshot::Snapshot;
use crate::stream::Stream;
use crate::time::{DAY_MS, SECOND_MS, Timestamp};

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
    /// Derived from the cookieId that this browser had first; rotations derive from it.
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
    /// Time of the oldest signal there ever was, also when retention has taken it.
    #[serde(default)]
    first_seen: Option<Timestamp>,
    /// Time of the newest one.
    #[serde(default)]
    last_seen: Option<Timestamp>,
    /// The browser keeps no cookie. One such visit makes many of these, so nothing lists them, nothing
    /// copies them, and they go after a day.
    #[serde(default, skip_serializing_if = "is_false")]
    ephemeral: bool,
    /// What this browser agreed to.
    #[serde(default, skip_serializing_if = "Consents::is_empty")]
    consent: Consents,
    /// Whom this browser said to be, without a proof.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    claims: Vec<Claim>,
    /// The newest link that the customer did not take: by which signal, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refused: Option<(String, String)>,
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
    /// When that happened.
    #[serde(default)]
    pub made: Option<Timestamp>,
    /// What the customer agreed to, as of its last answer.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub consent: Decisions,
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
    /// The link was taken back; the row stays a while to refuse what of it is still under way.
    #[serde(default, skip_serializing_if = "is_false")]
    dropped: bool,
    /// When it was taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ended: Option<Timestamp>,
    /// The cookie's log went with it: there is nothing left that names the customer.
    #[serde(default, skip_serializing_if = "is_false")]
    emptied: bool,
    /// There never was a link, it was not taken; the cookie's log names the customer all the same.
    #[serde(default, skip_serializing_if = "is_false")]
    refused: bool,
    /// Time of the oldest signal that this cookie ever had.
    #[serde(default)]
    first_seen: Option<Timestamp>,
    /// What its browser agreed to.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    consent: Decisions,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // the signature that serde calls
fn is_false(truth: &bool) -> bool {
    !truth
}

#[allow(clippy::trivially_copy_pass_by_ref)] // the signature that serde calls
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// What a customer's object knows of whom it stands for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Known {
    customer: Customer,
    /// What holdouts hash: that of the first visitor merged into it, so a bucket survives the merge.
    bucket_key: String,
}

/// Whose data was erased here, said without a word about whom.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Erased {
    /// What is older than this is refused.
    at: Timestamp,
    /// At a cookie's object: what the browser's next cookieId derives from.
    successor: CustomerId,
    /// When a browser last asked, to the day.
    #[serde(default)]
    asked: Timestamp,
}

/// What is owed to the outside.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Owed {
    /// Since when the snapshot in KV is behind.
    projection: Option<Timestamp>,
    /// When it was last written.
    projected: Timestamp,
    /// When it is to be written again, whatever it holds: the outcome of a write is unknown, and it may
    /// still land on top of a later one.
    #[serde(skip_serializing_if = "Option::is_none")]
    repeat: Option<Timestamp>,
    /// Since when the rows in the index are behind.
    index: Option<Timestamp>,
    /// When they were last written.
    indexed: Timestamp,
    /// Up to which position of the log the index has the activities.
    activities: u64,
    /// The index has activities of this cookie that are purged.
    #[serde(skip_serializing_if = "is_false")]
    unindex: bool,
    /// What the index answers about versions up to this one says nothing any more: what it was told of
    /// them was purged since, or is to be told again.
    void: u64,
    /// Definitions that the copies are made with.
    n: u64,
    /// Links taken back, of which their customers are to be told.
    drops: Vec<Drop>,
    /// Free pages of the object's file still have what was purged.
    #[serde(skip_serializing_if = "is_false")]
    renewal: bool,
    /// Cookies of an erased customer that are to be told.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    purges: Vec<Purge>,
    /// Number of the newest message of an activation; none is used twice.
    #[serde(skip_serializing_if = "is_zero")]
    messages: u64,
    /// Messages up to this number are to go from the list of deliveries.
    #[serde(skip_serializing_if = "is_zero")]
    unlist: u64,
}

/// Tasks for others that failed: each time the next try comes later.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Patience {
    failures: u32,
    until: Timestamp,
}

impl Patience {
    /// Until when; not at all, where the clock has fallen back since.
    fn until(self, now: Timestamp) -> Timestamp {
        if self.until > now.plus(PATIENCE_MS) { NEVER } else { self.until }
    }
}

/// Before every instant.
const NEVER: Timestamp = Timestamp(i64::MIN);

/// When something was, as a clock says that may have fallen back since: what it calls the future is long
/// past.
fn past(instant: Timestamp, now: Timestamp) -> Timestamp {
    if instant > now { NEVER } else { instant }
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
    copies: Map<CookieId, Copy>,
    /// No signal on the timeline is older than this, consents aside.
    oldest: Option<Timestamp>,
    erased: Option<Erased>,
    /// Epoch of the newest link that was refused: its cookie has given it up, so what is still under way
    /// of it comes too late, also when there is room again.
    refused: i64,
    /// Tokens that were used here, by their digests.
    tokens: Map<String, tokens::Bound>,
    owed: Owed,
    /// Messages of activations by number, those that are still to be delivered and those that could not be.
    deliveries: Map<u64, Delivery>,
    patience: Patience,
    /// Whether a write to KV is, perhaps, still under way.
    unsure: bool,
    unknown_fields: UnknownFields,
    /// The fold.
    pub profile: Profile,
}

const LIFE: &str = "life";
const LOG: &str = "log";
const KNOWN: &str = "known";
const OWN_LINK: &str = "own";
const OWED: &str = "owed";
const OLDEST: &str = "oldest";
const ERASED: &str = "erased";
const REFUSED: &str = "refused";

/// A stored row that cannot be read: the object refuses to go on rather than to guess.
#[derive(Debug, thiserror::Error)]
#[error("stored row {table}/{key} is damaged: {error}")]
pub struct Damaged {
    table: &'static str,
    key: String,
    error: serde_json::Error,
}

/// Longest pause between two tries.
const PATIENCE_MS: i64 = 60 * SECOND_MS;

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
            copies: Map::new(),
            oldest: None,
            erased: None,
            refused: 0,
            tokens: Map::new(),
            owed: Owed::default(),
            deliveries: Map::new(),
            patience: Patience::default(),
            unsure: false,
            unknown_fields: UnknownFields::default(),
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
        // An earlier instance may have ended in the middle of a write.
        object.unsure = object.owed.projection.is_some();
        Ok(alive.then_some(object))
    }

    fn load_row(&mut self, table: Table, key: &str, body: &str) -> Result<(), serde_json::Error> {
        let unknown = &mut self.unknown_fields;
        match (table, key) {
            (Table::Meta, LIFE) => self.life = json::from_str(body)?,
            (Table::Meta, LOG) => self.log = unknown.read(table, key, body)?,
            (Table::Meta, KNOWN) => self.known = unknown.read(table, key, body)?,
            (Table::Meta, OLDEST) => self.oldest = json::from_str(body)?,
            (Table::Meta, ERASED) => self.erased = unknown.read(table, key, body)?,
            (Table::Meta, REFUSED) => self.refused = json::from_str(body)?,
            (Table::Meta, key) if tokens::token_of(key).is_some() => {
                let token = tokens::token_of(key).unwrap_or_default().to_owned();
                self.tokens.insert(token, unknown.read(table, key, body)?);
            }
            (Table::Outbox, OWED) => self.owed = unknown.read(table, key, body)?,
            (Table::Outbox, key) => {
                if let Some(number) = deliveries::number(key) {
                    self.deliveries.insert(number, unknown.read(table, key, body)?);
                }
            }
            (Table::Link, OWN_LINK) => self.link = unknown.read(table, key, body)?,
            (Table::Link, cookie) => {
                let id = json::from_value(&cookie.into())?;
                self.copies.insert(id, unknown.read(table, cookie, body)?);
            }
            _ => self.profile.load(table, key, body, unknown)?,
        }
        Ok(())
    }

    /// A stream's row; streams are not held, so this is how storage reads one.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read_stream(&mut self, key: &str, body: &str) -> Result<Stream, serde_json::Error> {
        self.unknown_fields.read(Table::Stream, key, body)
    }

    /// Puts back into rows what a newer version of this program had written there and this one does not
    /// know: after a step, before its writes are committed.
    pub fn keep_unknown_fields(&mut self, writes: &mut [Write]) {
        self.unknown_fields.put_back(writes);
    }

    /// Its name.
    pub fn name(&self) -> CustomerId {
        self.name
    }

    /// The cookie whose log this is.
    pub fn cookie(&self) -> Option<CookieId> {
        self.log.as_ref().map(|log| log.cookie)
    }

    /// Whether there is nothing here that anybody would miss.
    pub fn is_nothing(&self) -> bool {
        let somebody = self.log.is_some() || self.known.is_some() || !self.copies.is_empty();
        let remembered = self.erased.is_some() || self.refused != 0 || !self.tokens.is_empty();
        !(somebody || remembered) && self.owed == Owed::default()
    }

    /// Position of the newest signal of the log.
    pub fn log_end(&self) -> u64 {
        self.log.as_ref().map_or(0, |log| log.end)
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

    /// The imported row changed. An object that never asked for its row lets it pass: it asks itself, and for
    /// more than the row.
    pub fn import(&mut self, row: Imported, context: Context<'_>) -> Vec<Write> {
        let mut out = Vec::new();
        if self.wants_row().is_none() && self.profile.import(context.definitions, row, context.now) {
            self.changed(context, Cause::Import, &mut out);
        }
        out
    }

    /// The imported row arrived for the first time (or its absence was found: version 0), with the memberships
    /// that it alone has led to. Those were told to others, and go on here; what leads from them to what is
    /// now moves, and nothing else, whatever seemed to move while the row was not there.
    pub fn adopt_row(
        &mut self,
        row: Imported,
        memberships: Vec<(String, Timestamp)>,
        context: Context<'_>,
    ) -> Vec<Write> {
        if self.wants_row().is_none() {
            return self.import(row, context);
        }
        let mut out = Vec::new();
        let told: Vec<String> = memberships.iter().map(|(segment, _)| segment.clone()).collect();
        self.profile.inherit(memberships, &mut out);
        self.profile.import(context.definitions, row, context.now);
        self.changed(context, Cause::Import, &mut out);
        self.profile.move_from(&told);
        out
    }

    /// Time, or a change of definitions, may have moved a membership; says so by what it writes.
    pub fn wake(&mut self, context: Context<'_>) -> Vec<Write> {
        let mut out = Vec::new();
        if self.owed.repeat.is_some_and(|at| at <= context.now) {
            // Owed on disk before it is tried: whoever finds it there after a crash is unsure again.
            self.owed.repeat = None;
            self.owed.projection.get_or_insert(context.now);
            if !planted(48) {
                out.push(Write::put(Table::Outbox, OWED, &self.owed));
            }
        }
        if self.has_profile() {
            // Copies made with older definitions are behind, also where nobody moved.
            let redefined = self.owed.n < context.definitions.bundle.n && !planted(38);
            let cause = if redefined { Cause::Definition } else { Cause::Time };
            if self.profile.evaluate(context.definitions, context.now, cause, &mut out) || redefined {
                self.changed(context, cause, &mut out);
            }
        }
        self.tidy_deliveries(context, &mut out);
        self.tidy_copies(context, &mut out);
        self.tidy_tokens(context.now, &mut out);
        out
    }

    /// Whether this object folds a profile: an unlinked cookie or a customer.
    fn has_profile(&self) -> bool {
        self.known.is_some() || (self.log.is_some() && self.accepted_link().is_none())
    }

    /// The profile changed: memberships again, one more version, its copies are behind.
    fn changed(&mut self, context: Context<'_>, cause: Cause, out: &mut Vec<Write>) {
        self.profile.evaluate(context.definitions, context.now, cause, out);
        self.profile.bump(out);
        let n = context.definitions.bundle.n.max(self.owed.n);
        if self.owed.n != n {
            self.owed.n = n;
            out.push(Write::put(Table::Outbox, OWED, &self.owed));
        }
        self.owe_copies(context.now, out);
    }

    /// Something that is owed to others could not be done: the next try comes later.
    pub fn failed(&mut self, now: Timestamp) {
        let pause = SECOND_MS.saturating_mul(1 << self.patience.failures.min(16)).min(PATIENCE_MS);
        self.patience.failures = self.patience.failures.saturating_add(1);
        self.patience.until = now.plus(pause);
    }

    /// Everything that was owed is done, or on its way.
    pub fn succeeded(&mut self) {
        self.patience = Patience::default();
    }

    /// When this object wants to be woken: for what is owed, or for time itself.
    pub fn alarm(&self, context: Context<'_>) -> Option<Timestamp> {
        let owes_log = self.has_to_ship() && !planted(25);
        let tells = owes_log || !self.owed.drops.is_empty() || !self.owed.purges.is_empty();
        let tell = tells.then(|| self.patience.until(context.now).max(context.now.plus(SECOND_MS)));
        let row = self.wants_row().map(|_| context.now.max(self.patience.until(context.now)));
        let renewal =
            self.wants_renewal(context.now).then(|| context.now.max(self.patience.until(context.now)));
        let time = if self.has_profile() {
            self.profile.holds_until(context.definitions, context.now).map(|at| at.max(context.now))
        } else {
            None
        };
        let prune = self.prunes_at(context);
        // What has to come before the end calls for itself.
        let end = self.expires(context).filter(|_| self.link.is_some() || self.owes_nobody());
        let end = end.map(|at| at.max(self.patience.until(context.now)));
        [
            tell,
            self.projects_at(context.now),
            self.owed.repeat,
            self.indexes_at(context.now),
            self.delivers_at(context.now),
            row,
            renewal,
            time,
            prune,
            end,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// From which time on signals count (law 1): whole days, so that what retention takes goes in one
    /// piece a day.
    fn cutoff(context: Context<'_>) -> Timestamp {
        let days = context.definitions.bundle.settings.retention.signal_days;
        context.now.midnight().plus(-DAY_MS * i64::from(days))
    }

    /// When the oldest signal becomes too old.
    fn prunes_at(&self, context: Context<'_>) -> Option<Timestamp> {
        let days = i64::from(context.definitions.bundle.settings.retention.signal_days);
        Some(self.oldest?.midnight().plus((days + 1).saturating_mul(DAY_MS)))
    }

    /// From which time on signals stay, if there are older ones.
    pub fn prune_due(&self, context: Context<'_>) -> Option<Timestamp> {
        self.prunes_at(context).filter(|at| *at <= context.now && !planted(31))?;
        Some(Self::cutoff(context))
    }

    /// Retention takes what is older than `cutoff`; `oldest` is the oldest signal that stays. Says whether
    /// what stays is to be folded again.
    pub fn prune(&mut self, cutoff: Timestamp, oldest: Option<Timestamp>, out: &mut Vec<Write>) -> bool {
        self.oldest = oldest;
        out.push(Write::put(Table::Meta, OLDEST, &self.oldest));
        out.push(Write::Prune(cutoff));
        if let Some(log) = self.log.as_mut().filter(|log| log.claims.iter().any(|claim| claim.last < cutoff))
        {
            log.claims.retain(|claim| claim.last >= cutoff);
            out.push(Write::put(Table::Meta, LOG, log));
        }
        self.has_profile()
    }

    /// A signal joins the timeline.
    fn note_age(&mut self, signal: &Signal, out: &mut Vec<Write>) {
        if signal.ages() && self.oldest.is_none_or(|oldest| signal.time < oldest) {
            self.oldest = Some(signal.time);
            out.push(Write::put(Table::Meta, OLDEST, &self.oldest));
        }
    }

    /// The profile as readers see it; none where there is nothing to see: a cookie whose signals belong
    /// to a customer, or an object without any.
    pub fn snapshot(&self, context: Context<'_>) -> Option<Snapshot> {
        if !self.has_profile() {
            return None;
        }
        let mut snapshot =
            self.profile.snapshot(context.definitions, self.name, self.life.to_string(), context.now);
        let linked = || self.copies.iter().filter(|(_, copy)| !copy.dropped);
        snapshot.cookie_ids = linked().map(|(cookie, _)| *cookie).collect();
        if let Some(known) = &self.known {
            snapshot.auth = Some((known.customer.table.clone(), known.customer.auth_id.clone()));
            snapshot.bucket_key.clone_from(&known.bucket_key);
        }
        snapshot.cookie_consent = linked()
            .filter(|(_, copy)| !copy.consent.is_empty())
            .map(|(cookie, copy)| (*cookie, copy.consent.clone()))
            .collect();
        // Retention takes signals, not the memory of when it began.
        let own = self.log.as_ref().and_then(|log| log.first_seen);
        let first = linked().filter_map(|(_, copy)| copy.first_seen).chain(own).chain(snapshot.first_seen);
        snapshot.first_seen = first.min();
        if let (None, Some(log)) = (&self.known, &self.log) {
            snapshot.cookie_ids.push(log.cookie);
        }
        Some(snapshot)
    }

    /// Links as an administrator sees them: those of a customer, or the one of a cookie.
    pub fn links(&self) -> Vec<LinkView> {
        let of_customer = self.copies.iter().filter(|(_, copy)| !copy.dropped);
        let of_customer = of_customer.map(|(cookie, copy)| LinkView {
            cookie_id: *cookie,
            object: copy.object,
            customer: self.name,
            since: copy.since,
            pending: false,
        });
        let own = self.log.as_ref().zip(self.link.as_ref()).map(|(log, link)| LinkView {
            cookie_id: log.cookie,
            object: self.name,
            customer: link.customer.id,
            since: Timestamp(link.epoch),
            pending: !link.accepted || link.shipped < log.end,
        });
        of_customer.chain(own).collect()
    }

    /// This life of the object, as versions of it are told apart from another's.
    pub fn tag(&self) -> String {
        self.life.to_string()
    }
}

/// A link, as an administrator sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LinkView {
    /// The cookie.
    pub cookie_id: CookieId,
    /// Its object.
    pub object: CustomerId,
    /// Whom it belongs to.
    pub customer: CustomerId,
    /// Since when.
    pub since: Timestamp,
    /// Whether something of it is still on its way.
    pub pending: bool,
}

#[cfg(test)]
mod tests;

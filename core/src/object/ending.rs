//! Ends: a link taken back, a log purged, a profile that expires. Nothing moves back at an unlink: the
//! signals never left the cookie's log, so the cookie folds it again and the customer folds what
//! remains.

use serde::{Deserialize, Serialize};

use super::{
    Context, Copy, Drop, ERASED, Erased, LIFE, LOG, OWED, OWN_LINK, Object, Owed, REFUSED, is_false,
};
use crate::consent::{Consents, Decisions};
use crate::effects::{Table, Write};
use crate::ids::{CookieId, CustomerId, LogId};
use crate::limits::QUEUE_DAYS;
use crate::membership::Cause;
use crate::mutants::planted;
use crate::time::{DAY_MS, Timestamp};

/// What an unlink did. Exhaustive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unlinked {
    /// The link is gone here; the customer is told until it has answered.
    Done,
    /// There was no link to this customer.
    NotLinked,
}

/// A customer was erased: what this cookie has of it goes too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Purge {
    /// Who was erased.
    pub customer: CustomerId,
    /// The customer's identity table: with it a log's authIds are compared with the customer's name. Empty where a claim
    /// of the log says it.
    #[serde(default)]
    pub table: String,
    /// Whom this tells: the cookie's object, or that of the customer that it is linked to by now.
    pub object: CustomerId,
    /// The link was gone: only what names the customer goes.
    #[serde(default, skip_serializing_if = "is_false")]
    pub unlinked: bool,
    /// Towards another customer: of which cookie's log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cookie: Option<CookieId>,
    /// The link that the customer knew.
    pub epoch: i64,
    /// What is older than this is refused.
    #[serde(default)]
    pub at: Timestamp,
}

impl Purge {
    /// Tells a cookie's object, whose visitor claims to be this customer without a link.
    pub fn of_a_claim(customer: CustomerId, object: CustomerId, at: Timestamp) -> Self {
        Self { customer, table: String::new(), object, unlinked: true, cookie: None, epoch: 0, at }
    }
}

impl Object {
    /// Takes this cookie's link back, at the cookie's object. The rim then folds the log again, in the
    /// same transaction: that fold is the unknown profile once more.
    pub fn unlink(&mut self, customer: CustomerId) -> (Unlinked, Vec<Write>) {
        let mut out = Vec::new();
        let linked = self.link.as_ref().is_some_and(|link| link.customer.id == customer);
        if !linked || !self.cut(false, &mut out) {
            return (Unlinked::NotLinked, out);
        }
        (Unlinked::Done, out)
    }

    /// The visitor wants this cookie's signals gone, here and from its customer. What streams there were
    /// stays: random ids and numbers, by which a resend still goes where it went.
    pub fn forget(&mut self, context: Context<'_>) -> Vec<Write> {
        let mut out = Vec::new();
        let had_profile = self.has_profile();
        let before: Vec<String> = self.profile.segments().map(str::to_owned).collect();
        self.cut(true, &mut out);
        if let Some(log) = &mut self.log {
            log.purged = true;
            log.first_seen = None;
            log.last_seen = None;
            log.refused = None;
            log.claims = Vec::new();
            log.consent = Consents::default();
            out.push(Write::put(Table::Meta, LOG, log));
            out.push(Write::Remove(log.cookie));
        }
        self.owed.renewal = true;
        self.unindex(&mut out);
        self.drop_deliveries(&mut out);
        if had_profile {
            self.unfold(context, &mut out);
        } else {
            self.profile.clear(&mut out);
        }
        self.changed(context, Cause::Removal, &mut out);
        // Nobody enters anything by being forgotten, and leaves once what they were in before: of what time
        // moved to and fro on the way nobody was told.
        let after: Vec<String> = self.profile.segments().map(str::to_owned).collect();
        let mut left: Vec<String> = before.into_iter().filter(|name| !after.contains(name)).collect();
        self.profile.keep_moves(|moved| {
            let place = left.iter().position(|name| !moved.entered && *name == moved.segment);
            place.map(|place| left.swap_remove(place)).is_some()
        });
        out
    }

    /// The index is to lose what it has of this log; the caller makes a new version.
    fn unindex(&mut self, out: &mut Vec<Write>) {
        self.owed.unindex = true;
        self.owed.activities = self.log.as_ref().map_or(0, |log| log.end);
        if !planted(42) {
            self.owed.void = self.profile.version();
        }
        out.push(Write::put(Table::Outbox, OWED, &self.owed));
    }

    /// Ends the link, if there is one, and owes the customer the news, and whether the log goes with it.
    fn cut(&mut self, emptied: bool, out: &mut Vec<Write>) -> bool {
        let (Some(link), Some(log)) = (self.link.take(), &self.log) else { return false };
        out.push(Write::delete(Table::Link, OWN_LINK));
        let drop = Drop {
            customer: link.customer.id,
            cookie: log.cookie,
            object: self.name,
            epoch: link.epoch,
            emptied,
        };
        if !planted(20) {
            self.owed.drops.push(drop);
        }
        out.push(Write::put(Table::Outbox, OWED, &self.owed));
        true
    }

    /// The next customer to be told that a link is gone.
    pub fn next_drop(&self) -> Option<Drop> {
        self.owed.drops.first().cloned()
    }

    /// The customer knows.
    pub fn dropped(&mut self, drop: &Drop) -> Vec<Write> {
        self.owed.drops.retain(|owed| owed != drop);
        vec![Write::put(Table::Outbox, OWED, &self.owed)]
    }

    /// A cookie's object says that its link is gone, at the customer's object. Says whether anything is
    /// to be folded again: then the rim unfolds, feeds what remains of the timeline to the profile, and
    /// says that it is refolded, all in the same transaction.
    pub fn drop_link(&mut self, drop: &Drop, now: Timestamp, out: &mut Vec<Write>) -> bool {
        if self.erased.as_ref().is_some_and(|erased| drop.epoch <= erased.at.0) {
            return false;
        }
        // Also of a link that never came here: a page of it may still be under way.
        let copy = self.copies.get_or_insert_with(drop.cookie, || Copy {
            object: drop.object,
            log: LogId::from_bits(0),
            epoch: i64::MIN,
            up_to: 0,
            since: now,
            dropped: true,
            ended: None,
            emptied: false,
            refused: false,
            first_seen: None,
            consent: Decisions::new(),
        });
        if (copy.epoch > drop.epoch && !planted(21)) || (copy.dropped && copy.epoch == drop.epoch) {
            return false;
        }
        let held = !copy.dropped;
        copy.dropped = !planted(24);
        copy.refused = false;
        copy.emptied = drop.emptied;
        copy.ended = Some(now);
        copy.first_seen = None;
        copy.consent = Decisions::new();
        copy.epoch = drop.epoch;
        out.push(Write::put(Table::Link, &drop.cookie.to_string(), copy));
        if held && !planted(22) {
            out.push(Write::Remove(drop.cookie));
        }
        held && !planted(23)
    }

    /// Begins to fold the timeline again: everything that came from signals is forgotten.
    pub fn unfold(&mut self, context: Context<'_>, out: &mut Vec<Write>) {
        self.profile.unfold(context.definitions, context.now);
        out.push(Write::Clear(Table::Measure));
    }

    /// The timeline is folded again.
    pub fn refolded(&mut self, context: Context<'_>, out: &mut Vec<Write>) {
        self.changed(context, Cause::Removal, out);
    }

    /// Erases what this object holds: of a customer, or of a cookie that nobody is linked to. What is left
    /// is the hour, which refuses what is older, and whom to tell. Nothing of it says who it was.
    pub fn erase(&mut self, bits: u128, context: Context<'_>) -> Vec<Write> {
        // Also those whose links are gone: their logs still say who they were.
        let copies = self.copies.values().filter(|copy| !copy.emptied);
        let copies: Vec<_> = copies.filter(|copy| !(copy.dropped && planted(63))).cloned().collect();
        let table = self.known.as_ref().map(|known| known.customer.table.clone()).unwrap_or_default();
        let mut out = Vec::new();
        // The customer may have taken the link already, its answer still being under way.
        if !planted(43) {
            self.cut(true, &mut out);
        }
        let at = self.wipe(bits, context.now, context.now, &mut out);
        for copy in copies.into_iter().filter(|_| !planted(32)) {
            self.owed.purges.push(Purge {
                customer: self.name,
                table: table.clone(),
                object: copy.object,
                unlinked: copy.dropped,
                cookie: None,
                epoch: copy.epoch,
                at,
            });
        }
        out.push(Write::put(Table::Outbox, OWED, &self.owed));
        out
    }

    /// Everything goes but the marker, the version, by which copies are told apart, and what is owed. Says
    /// from which time on something may be here again, `at` or later.
    pub(super) fn wipe(
        &mut self,
        bits: u128,
        at: Timestamp,
        now: Timestamp,
        out: &mut Vec<Write>,
    ) -> Timestamp {
        // Clocks may have jumped back: what was there is older than the erasure.
        let links = self.copies.values().map(|copy| Timestamp(copy.epoch)).max();
        let earlier = self.erased.take();
        let asked = earlier.as_ref().map_or(now, |erased| erased.asked.max(now));
        let known = links.max(self.log.as_ref().map(|log| log.active));
        let newest = self.log.as_ref().and_then(|log| log.last_seen).max(self.profile.last_seen());
        let known = known.max(newest.map(|newest| newest.plus(1)));
        let known = known.max(earlier.as_ref().map(|erased| erased.at)).filter(|_| !planted(44));
        let at = known.map_or(at, |known| known.max(at));
        // Erased twice, the browser goes on where it went on the first time.
        let successor = earlier.map(|erased| erased.successor);
        let successor = successor.unwrap_or(CustomerId::Unknown(bits));
        let erased = Erased { at, successor, asked };
        let version = self.profile.version();
        let Owed { purges, drops, repeat, messages, .. } = std::mem::take(&mut self.owed);
        let repeat = repeat.filter(|_| !planted(45));
        let (life, refused, patience, unsure) = (self.life, self.refused, self.patience, self.unsure);
        let left = self.profile.leave_all(now, Cause::Removal);
        let tokens = std::mem::take(&mut self.tokens);
        *self = Self { life, refused, tokens, patience, unsure, ..Self::born(self.name, 0).0 };
        self.profile = left;
        out.push(Write::Wipe);
        out.push(Write::put(Table::Meta, LIFE, &self.life));
        out.push(Write::put(Table::Meta, ERASED, &erased));
        if refused != 0 {
            out.push(Write::put(Table::Meta, REFUSED, &refused));
        }
        self.keep_tokens(out);
        self.erased = Some(erased);
        self.profile.raise(version);
        self.profile.bump(out);
        let unlist = messages;
        self.owed = Owed { repeat, drops, purges, messages, unlist, ..Owed::default() };
        (self.owed.unindex, self.owed.void, self.owed.renewal) = (true, version, true);
        self.owe_copies(now, out);
        at
    }

    /// Whether what this tells of takes only what names the customer: the cookie was taken from them, or belongs to
    /// somebody else by now.
    pub fn only_unnames(&self, purge: &Purge) -> bool {
        purge.unlinked || self.link.as_ref().is_some_and(|link| link.customer.id != purge.customer)
    }

    /// An erased customer says that this cookie is linked to it, at the cookie's object.
    pub fn purge(&mut self, purge: &Purge, bits: u128, context: Context<'_>) -> Vec<Write> {
        let mut out = Vec::new();
        if self.log.is_some() && !self.only_unnames(purge) && !planted(33) {
            // A link that was made since is one that the customer has by now.
            if self.link.as_ref().is_some_and(|link| link.epoch > purge.epoch) && !planted(46) {
                self.cut(true, &mut out);
            }
            self.wipe(bits, context.now.max(purge.at), context.now, &mut out);
        }
        out
    }

    /// The next cookie to be told that its customer was erased; or, once it has all of this log, the next customer that
    /// part of it is gone: nothing that was sent before can bring it back then.
    pub fn next_purge(&self) -> Option<Purge> {
        self.owed.purges.first().filter(|_| !self.has_to_ship()).cloned()
    }

    /// The cookie knows.
    pub fn purged(&mut self, purge: &Purge) -> Vec<Write> {
        self.owed.purges.retain(|owed| owed != purge);
        vec![Write::put(Table::Outbox, OWED, &self.owed)]
    }

    /// Whether the file of this object still has, in pages that are free, what was purged: it is to be written anew.
    /// First all others hear of it, and the copies follow: nothing of that is to be lost with a file.
    pub fn wants_renewal(&self, now: Timestamp) -> bool {
        let is_told = self.owed.purges.is_empty() && self.owed.drops.is_empty();
        let is_copied = self.projects_at(now).is_none() && self.indexes_at(now).is_none();
        self.owed.renewal && is_told && is_copied
    }

    /// Whether something of what was purged is still somewhere: at cookies that were not told, in the index, or in free
    /// pages of the object's file.
    pub fn is_ending(&self) -> bool {
        !self.owed.purges.is_empty() || self.owed.unindex || self.owed.renewal
    }

    /// The file was written anew, with what is here and nothing else.
    pub fn renewed(&mut self) -> Vec<Write> {
        self.owed.renewal = false;
        vec![Write::put(Table::Outbox, OWED, &self.owed)]
    }

    /// When an unknown profile, or a linked cookie without signals, has been idle for so long that it goes.
    pub fn expires(&self, context: Context<'_>) -> Option<Timestamp> {
        let settings = &context.definitions.bundle.settings;
        let retention = &settings.retention;
        // What went elsewhere is asked again as long as a browser may send it again.
        let again = retention.signal_days.saturating_add(2).min(QUEUE_DAYS + 2);
        if let Some(until) = self.only_tokens() {
            return Some(until);
        }
        let Some(log) = &self.log else {
            // What an erasure left behind: once everything older is too old anyway, it is not needed.
            let days = i64::from(retention.signal_days) + 1;
            let erased = self.erased.as_ref().filter(|_| self.known.is_none())?;
            let asked = erased.asked.plus(i64::from(again) * DAY_MS);
            return Some(erased.at.plus(days * DAY_MS).max(asked));
        };
        let idle = |days: u32| log.active.plus(i64::from(days) * DAY_MS);
        Some(match self.link {
            None if self.is_unlisted() => idle(1),
            None if log.last_epoch == 0 => idle(retention.unknown_idle_days),
            // It was linked: signals of its streams may have gone elsewhere.
            None => idle(retention.unknown_idle_days.max(again)),
            // What a customer did stays theirs for as long as retention says; and until the last resend of a
            // signal would be too old, its stream says where it went.
            Some(_) => idle(settings.cookie.max_age_days).max(idle(retention.signal_days.saturating_add(2))),
        })
    }

    /// Whether everything here may be deleted now: idle, nothing owed to anybody, and not just being written anew.
    pub fn is_over(&self, context: Context<'_>) -> bool {
        let idle = self.expires(context).is_some_and(|at| at <= context.now);
        idle && self.link.is_none() && self.owes_nobody() && !self.owed.renewal
    }

    /// Nobody is to be told anything, and no write to KV can land after its last one.
    pub(super) fn owes_nobody(&self) -> bool {
        let settled = !self.unsure && self.owed.repeat.is_none();
        let told = self.owed.drops.is_empty() && self.owed.purges.is_empty() && !self.owes_deliveries();
        told && (settled || planted(47))
    }

    /// An idle link ends like one that is taken back; the object goes once the customer knows. Its
    /// signals go now: who comes before that finds a log with nothing folded, and so nothing in it.
    pub fn end_idle_link(&mut self, context: Context<'_>) -> Vec<Write> {
        let mut out = Vec::new();
        if self.link.is_none() || self.expires(context).is_none_or(|at| at > context.now) {
            return out;
        }
        self.cut(true, &mut out);
        if let Some(log) = &mut self.log {
            log.first_seen = None;
            out.push(Write::put(Table::Meta, LOG, log));
            out.push(Write::Remove(log.cookie));
            self.unindex(&mut out);
            self.profile.clear(&mut out);
            self.changed(context, Cause::Removal, &mut out);
            self.profile.keep_moves(|moved| !moved.entered);
        }
        out
    }
}

//! Whom a log names: an erasure reaches also cookies that were taken from the customer, or never given. Their views stay,
//! which are the visitor's; what says who the customer was goes.

use super::{LOG, OWED, Object, Purge, Row};
use crate::collections::Set;
use crate::effects::{Table, Write};
use crate::ids::{CookieId, SignalKey};
use crate::mutants::planted;

/// Those of a log's `user` signals, in the order of the log, that say something of an erased customer: `is_theirs` tells
/// their authId. One without any authId is about whoever the log named last.
pub fn naming(
    users: &[Row],
    cookie: CookieId,
    purge: &Purge,
    is_theirs: &dyn Fn(&str) -> bool,
) -> Set<SignalKey> {
    let mut named = Set::default();
    let mut theirs = false;
    for signal in users.iter().map(|row| &row.signal) {
        if let Some(auth_id) = signal.fields.get("authId").and_then(|value| value.as_str()) {
            theirs = is_theirs(auth_id);
        }
        // What is newer than the erasure is somebody who signed up again.
        if theirs && signal.time < purge.at {
            named.insert(signal.key(cookie));
        }
    }
    named
}

impl Object {
    /// Takes these signals, and what was claimed, from a log: at the cookie's object, or at that of the customer that it is
    /// linked to by now. Says whether what stays is to be folded again: then the rim does, in the same transaction.
    pub fn unname(&mut self, purge: &Purge, named: &Set<SignalKey>, out: &mut Vec<Write>) -> bool {
        if let Some(log) = &mut self.log {
            log.claims.retain(|claim| claim.customer.id != purge.customer || claim.last >= purge.at);
            // What comes again of them is refused.
            log.purged |= !named.is_empty();
            out.push(Write::put(Table::Meta, LOG, log));
        }
        for key in named.iter() {
            out.push(Write::Withdraw(*key));
        }
        let others = self.link.as_ref().map(|link| link.customer.id).filter(|id| *id != purge.customer);
        if let (Some(log), Some(object), false) = (&self.log, others, named.is_empty() || planted(64)) {
            let cookie = Some(log.cookie);
            self.owed.purges.push(Purge { object, cookie, unlinked: true, ..purge.clone() });
        }
        self.owed.renewal = true;
        out.push(Write::put(Table::Outbox, OWED, &self.owed));
        !named.is_empty() && self.has_profile()
    }
}

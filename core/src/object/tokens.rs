//! Tokens that name no browser, at the customer's object: the first browser that uses one is the only one that may
//! (contract §9). One writer decides which was first; what it keeps are digests, which name nobody, until the token is
//! over. An object that has nothing else goes then.
//!
//! It is asked before the signal goes anywhere, also where the link then never comes about. To refuse the link instead
//! would be too late for a cookie that is linked already, and whose proof a token renews.

use serde::{Deserialize, Serialize};

use super::Object;
use crate::effects::{Table, Write};
use crate::time::Timestamp;
use crate::token::Use;

/// Most uses of one customer within the hour that a token lives at most. Who needs more names the browser in the token.
const HELD: usize = 512;
/// What a row of a use is called, before the token's digest.
const ROW: &str = "token ";

/// Who used a token first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Bound {
    /// Digests of the browser's cookieIds: the first, and those it went on under.
    by: Vec<String>,
    until: Timestamp,
}

/// The token that a row is of.
pub(super) fn token_of(key: &str) -> Option<&str> {
    key.strip_prefix(ROW)
}

fn row(token: &str) -> String {
    format!("{ROW}{token}")
}

impl Object {
    /// Binds a token to the browser that uses it. Says whether it may: it is the first, or the same.
    pub fn use_token(&mut self, used: &Use, now: Timestamp) -> (bool, Vec<Write>) {
        let mut out = Vec::new();
        self.tidy_tokens(now, &mut out);
        let full = self.tokens.len() >= HELD;
        match self.tokens.get_mut(used.token.as_str()) {
            Some(bound) if bound.by.contains(&used.by) => return (true, out),
            Some(bound) if used.before.as_ref().is_some_and(|before| bound.by.contains(before)) => {
                bound.by.push(used.by.clone());
                // The first, and where it is now.
                if bound.by.len() > 4 {
                    bound.by.remove(1);
                }
                out.push(Write::put(Table::Meta, &row(&used.token), bound));
            }
            Some(_) => return (false, out),
            // Forgetting an earlier one would let it be used again.
            None if full => return (false, out),
            None => {
                let bound = Bound { by: vec![used.by.clone()], until: used.until };
                out.push(Write::put(Table::Meta, &row(&used.token), &bound));
                self.tokens.insert(used.token.clone(), bound);
            }
        }
        (true, out)
    }

    /// Tokens that are over prove nothing any more, whoever comes with them.
    pub(super) fn tidy_tokens(&mut self, now: Timestamp, out: &mut Vec<Write>) {
        self.tokens.retain(|token, bound| {
            let over = bound.until <= now;
            if over {
                out.push(Write::delete(Table::Meta, &row(token)));
            }
            !over
        });
    }

    /// What outlives an erasure: who was erased may not be signed up again with a token that was used.
    pub(super) fn keep_tokens(&self, out: &mut Vec<Write>) {
        for (token, bound) in self.tokens.iter() {
            out.push(Write::put(Table::Meta, &row(token), bound));
        }
    }

    /// Until when there is nothing here but used tokens.
    pub(super) fn only_tokens(&self) -> Option<Timestamp> {
        let nobody =
            self.log.is_none() && self.known.is_none() && self.copies.is_empty() && self.erased.is_none();
        self.tokens.values().map(|bound| bound.until).max().filter(|_| nobody)
    }
}

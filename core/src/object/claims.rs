//! Claims, at the cookie's object: whom a browser said to be where the settings require a proof. They change nothing but
//! what an administrator sees of this visitor, and wait there until a proof of the same comes along (law 5).

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{CookieLog, Customer, Object};
use crate::ids::CustomerId;
use crate::time::Timestamp;

/// Most claims that one visitor has listed; of more, those made last. The index forgets none of more.
pub const LISTED: usize = 50;

/// A claim.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Claim {
    /// Whom it names.
    pub customer: Customer,
    /// When it was first made.
    pub first: Timestamp,
    /// When it was made last.
    pub last: Timestamp,
    /// How often.
    pub times: u64,
}

impl Claim {
    /// As administrators see it.
    pub fn shown(&self) -> Value {
        json!({
            "table": self.customer.table,
            "authId": self.customer.auth_id,
            "first": self.first.to_rfc3339(),
            "last": self.last.to_rfc3339(),
            "times": self.times,
        })
    }
}

impl CookieLog {
    /// Notes a claim.
    pub(super) fn claim(&mut self, customer: &Customer, at: Timestamp) {
        if let Some(claim) = self.claims.iter_mut().find(|claim| claim.customer.id == customer.id) {
            claim.first = claim.first.min(at);
            claim.last = claim.last.max(at);
            claim.times += 1;
            return;
        }
        self.claims.push(Claim { customer: customer.clone(), first: at, last: at, times: 1 });
        if self.claims.len() > LISTED {
            let oldest = self.claims.iter().map(|claim| claim.last).min();
            if let Some(place) = self.claims.iter().position(|claim| Some(claim.last) == oldest) {
                self.claims.remove(place);
            }
        }
    }

    /// What was claimed is proven now: it is a link. Says whether there was such a claim.
    pub(super) fn proven(&mut self, customer: CustomerId) -> bool {
        let before = self.claims.len();
        self.claims.retain(|claim| claim.customer.id != customer);
        self.claims.len() < before
    }
}

impl Object {
    /// Claims that wait, at a cookie's object.
    pub fn claims(&self) -> Vec<Claim> {
        self.log.as_ref().map(|log| log.claims.clone()).unwrap_or_default()
    }
}

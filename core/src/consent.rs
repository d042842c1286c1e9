//! What visitors agreed to, by purpose (`storage`, `analytics`, `personalization`).

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::attributes::Given;
use crate::collections::Map;
use crate::config::ConsentMode;
use crate::ids::SignalKey;
use crate::signal::{Kind, Signal};

/// Decisions by purpose: granted or not. One that was never taken is not in it.
pub type Decisions = Map<String, bool>;

/// The newest decision by purpose, at equal times the stricter (scenario A12): a function of the set of
/// `consent` signals.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Consents(Map<String, Given>);

impl Consents {
    /// A signal arrived; those of other kinds say nothing.
    pub fn note(&mut self, key: SignalKey, signal: &Signal) {
        let purposes = signal.fields.get("purposes").and_then(Value::as_object);
        for (purpose, decision) in purposes.into_iter().flatten().filter(|_| signal.kind == Kind::Consent) {
            let given = Given::new(signal.time, key, decision);
            if self.0.get(purpose).is_none_or(|old| given.is_stricter(old)) {
                self.0.insert(purpose.clone(), given);
            }
        }
    }

    /// The decisions alone.
    pub fn decisions(&self) -> Decisions {
        self.0.iter().map(|(purpose, given)| (purpose.clone(), given.value == "granted")).collect()
    }

    /// The decision on one purpose.
    pub fn decision(&self, purpose: &str) -> Option<bool> {
        self.0.get(purpose).map(|given| given.value == "granted")
    }

    /// Whether nothing was ever decided.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Whether a purpose is open to a browser: by the stricter of all whose decision counts, which are its
/// own and, of a linked one, its customer's.
pub fn allows(mode: ConsentMode, purpose: &str, whose: &[Option<&Decisions>]) -> bool {
    whose.iter().all(|decisions| opens(mode, decisions.and_then(|decisions| decisions.get(purpose)).copied()))
}

/// Whether a decision, or that there is none, opens a purpose.
pub fn opens(mode: ConsentMode, decision: Option<bool>) -> bool {
    match mode {
        ConsentMode::Implied => decision != Some(false),
        ConsentMode::Required => decision == Some(true),
    }
}

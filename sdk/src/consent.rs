//! What may happen, given what the visitor said. Without leave nothing happens at all: no cookie, no
//! storage, no signal (law 8). Global Privacy Control and an opt-out stand above everything else.

use crate::engine::Kind;
use crate::json::{Value, Writer};

/// Its storage key.
pub(crate) const KEY: &str = "_msci_consent";

/// What was said about one purpose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Grant {
    #[default]
    Unsaid,
    Granted,
    Denied,
}

/// The purposes' names, in their order.
const PURPOSES: [&str; 3] = ["storage", "analytics", "personalization"];

/// A reason to collect something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Storage,
    Analytics,
    Personalization,
}

/// What to do with something that happened. Ordered: the stricter is the greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Gate {
    Open,
    /// Not yet: keep it in memory until the visitor has said something.
    Held,
    Shut,
}

/// The visitor's consent as this page knows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Consent {
    /// Nothing without an explicit grant.
    pub(crate) required: bool,
    /// Global Privacy Control, where the site honours it.
    pub(crate) barred: bool,
    pub(crate) opted_out: bool,
    said: [Grant; 3],
}

impl Consent {
    /// Of a visitor who has not said anything.
    pub(crate) fn new(required: bool, barred: bool, opted_out: bool) -> Self {
        Self { required, barred, opted_out, ..Self::default() }
    }

    /// Takes in what the visitor says, `{ purpose: "granted"|"denied" … }`.
    pub(crate) fn say(&mut self, purposes: Value) {
        for (said, purpose) in self.said.iter_mut().zip(PURPOSES) {
            match purposes.get(purpose).text() {
                Some("granted") => *said = Grant::Granted,
                Some("denied") => *said = Grant::Denied,
                _ => {}
            }
        }
    }

    /// Takes everything back.
    pub(crate) fn deny(&mut self) {
        self.said = [Grant::Denied; 3];
    }

    /// Writes what was said, in the same form.
    pub(crate) fn write(self, json: &mut Writer) {
        for (said, purpose) in self.said.into_iter().zip(PURPOSES) {
            match said {
                Grant::Unsaid => {}
                Grant::Granted => json.text(purpose, "granted"),
                Grant::Denied => json.text(purpose, "denied"),
            }
        }
    }

    /// What a purpose allows.
    pub(crate) fn gate(self, purpose: Purpose) -> Gate {
        let said = self.said.get(purpose as usize).copied().unwrap_or_default();
        if self.barred || self.opted_out || said == Grant::Denied {
            Gate::Shut
        } else if self.required && said == Grant::Unsaid {
            Gate::Held
        } else {
            Gate::Open
        }
    }

    /// What becomes of a signal.
    pub(crate) fn signal(self, kind: Kind) -> Gate {
        let storage = self.gate(Purpose::Storage);
        match kind {
            Kind::View | Kind::Action | Kind::Event => storage.max(self.gate(Purpose::Analytics)),
            Kind::User | Kind::Consent => storage,
        }
    }

    /// The reason of a refusal.
    pub(crate) fn why_not(self) -> &'static str {
        if self.opted_out { "opted_out" } else { "consent_missing" }
    }

    /// Whether anything was refused.
    pub(crate) fn refuses(self) -> bool {
        self.said.contains(&Grant::Denied)
    }

    /// Whether to store what was said, so that the next page knows. Without leave to store, only a
    /// refusal is kept, and only where silence would count as leave.
    pub(crate) fn is_kept(self) -> bool {
        let stands = self.said.first() == Some(&Grant::Granted) || !self.required;
        stands && !self.barred && !self.opted_out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KINDS: [Kind; 5] = [Kind::View, Kind::Action, Kind::Event, Kind::User, Kind::Consent];
    const ALL: Value = Value(r#"{"storage":"granted","analytics":"granted","personalization":"granted"}"#);

    #[test]
    fn implied_consent_opens_everything_until_something_is_denied() {
        let mut consent = Consent::default();
        assert!(KINDS.iter().all(|kind| consent.signal(*kind) == Gate::Open));
        consent.say(Value(r#"{"analytics":"denied"}"#));
        assert_eq!(consent.signal(Kind::View), Gate::Shut);
        assert_eq!(consent.signal(Kind::User), Gate::Open);
        consent.say(Value(r#"{"storage":"denied"}"#));
        assert!(KINDS.iter().all(|kind| consent.signal(*kind) == Gate::Shut));
    }

    #[test]
    fn required_consent_holds_everything_until_storage_and_analytics_are_granted() {
        let mut consent = Consent { required: true, ..Consent::default() };
        assert!(KINDS.iter().all(|kind| consent.signal(*kind) == Gate::Held));
        consent.say(Value(r#"{"storage":"granted"}"#));
        assert_eq!(consent.signal(Kind::View), Gate::Held);
        assert_eq!(consent.signal(Kind::User), Gate::Open);
        consent.say(Value(r#"{"analytics":"granted"}"#));
        assert_eq!(consent.signal(Kind::View), Gate::Open);
        assert_eq!(consent.gate(Purpose::Personalization), Gate::Held);
    }

    #[test]
    fn global_privacy_control_and_an_opt_out_stand_above_a_grant() {
        for (barred, opted_out) in [(true, false), (false, true)] {
            let mut consent = Consent { barred, opted_out, ..Consent::default() };
            consent.say(ALL);
            assert!(KINDS.iter().all(|kind| consent.signal(*kind) == Gate::Shut));
            assert_eq!(consent.gate(Purpose::Personalization), Gate::Shut);
            assert!(!consent.is_kept());
        }
    }

    #[test]
    fn what_was_said_reads_back() {
        let mut consent = Consent::default();
        consent.say(Value(r#"{"personalization":"denied","storage":"granted"}"#));
        let mut json = Writer::default();
        json.push("{");
        consent.write(&mut json);
        json.push("}");
        assert_eq!(json.0, r#"{"storage":"granted","personalization":"denied"}"#);
        let mut next = Consent::default();
        next.say(Value(&json.0));
        assert_eq!(next, consent);
    }

    #[test]
    fn what_is_not_understood_changes_nothing() {
        for bad in [r#"{"ads":"granted"}"#, r#"{"storage":true}"#, r#"{"storage":"yes"}"#, "null", "7"] {
            let mut consent = Consent::default();
            consent.say(Value(bad));
            assert_eq!(consent, Consent::default());
        }
    }

    #[test]
    fn a_refusal_leaves_no_trace_where_silence_says_the_same() {
        let mut consent = Consent { required: true, ..Consent::default() };
        consent.say(Value(r#"{"storage":"denied"}"#));
        assert!(!consent.is_kept());
        consent.required = false;
        assert!(consent.is_kept());
    }
}

//! Activations: messages that say which segment somebody entered or left. What a message holds, how it
//! is signed ([Standard Webhooks](https://www.standardwebhooks.com), version 1), and what follows from its
//! receiver's answer. A message keeps its id however often it is sent, so that a receiver can tell.

use std::fmt::Write as _;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::collections::Map;
use crate::config::{Activation, Bundle, Direction};
use crate::consent::Decisions;
use crate::definitions::DefinitionError;
use crate::identity::mac_of;
use crate::ids::{CookieId, CustomerId};
use crate::membership::{Cause, Move};
use crate::mutants::planted;
use crate::snapshot::Snapshot;
use crate::time::{DAY_MS, SECOND_MS, Timestamp};

/// Longest address of a receiver, in bytes.
const URL_BYTES: usize = 2048;
/// What a secret begins with.
const SECRET_PREFIX: &str = "whsec_";
/// So long a message is tried again.
const TRIED_MS: i64 = 3 * DAY_MS;
/// Pauses after the first failure, the second, and so on; the last one repeats.
const PAUSES_S: [i64; 8] = [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000];
/// A receiver may ask for a pause up to this.
const LONGEST_PAUSE_MS: i64 = DAY_MS;
/// So long a dead one can be put back.
const DEAD_MS: i64 = 30 * DAY_MS;
/// Cookies that a message names; the customer itself lists all of them.
const COOKIES: usize = 100;

/// Where a message stands. Exhaustive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It is to be sent, for the first time or again.
    Pending,
    /// Its receiver took it.
    Delivered,
    /// Nobody tries any more, unless it is put back.
    Dead,
    /// There were too many: this one stands for all that an activation lost at one customer, and its
    /// attempts count them.
    Dropped,
}

impl State {
    /// As people see it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Dead => "dead",
            Self::Dropped => "dropped",
        }
    }
}

/// One move of one customer, on its way to one activation's receiver.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Delivery {
    /// Its id, for ever.
    pub id: String,
    /// Which activation.
    pub activation: String,
    /// Which segment.
    pub segment: String,
    /// Into it or out of it.
    pub event: Direction,
    /// When that was.
    pub at: Timestamp,
    /// By what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// From when on it is tried.
    pub since: Timestamp,
    /// Where it stands.
    pub state: State,
    /// How often it was sent.
    #[serde(default)]
    pub attempts: u32,
    /// When it is sent next; of a dead one, when it is forgotten.
    pub next: Timestamp,
    /// Status of the last answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Why the last attempt failed: a stable word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Grows with every change, so that a list takes none that is older.
    #[serde(default)]
    pub changes: u64,
    /// The list of deliveries has it as it is.
    #[serde(default)]
    pub listed: bool,
}

/// What became of an attempt. Exhaustive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver answered.
    Answered {
        /// HTTP status.
        status: u16,
        /// The pause it asked for.
        retry_after_ms: Option<i64>,
    },
    /// It did not answer in time; it may have taken the message.
    Late,
    /// It could not be reached.
    Unreachable,
}

impl Delivery {
    /// A move that was just made. Of time alone it may have been earlier.
    pub fn new(id: String, activation: &str, moved: &Move, now: Timestamp) -> Self {
        Self {
            id,
            activation: activation.to_owned(),
            segment: moved.segment.clone(),
            event: Direction::of(moved),
            at: moved.at,
            cause: Some(moved.cause),
            since: now,
            state: State::Pending,
            attempts: 0,
            next: now,
            status: None,
            error: None,
            changes: 1,
            listed: false,
        }
    }

    /// What follows from an attempt: done, another one later, or the end.
    pub fn attempted(&mut self, outcome: &Outcome, now: Timestamp) {
        self.attempts = self.attempts.saturating_add(1);
        self.status = None;
        self.error = None;
        self.changed();
        let (error, asked) = match outcome {
            Outcome::Answered { status, retry_after_ms } => {
                self.status = Some(*status);
                if (200..300).contains(status) || planted(54) {
                    self.state = State::Delivered;
                    return;
                }
                // Followed, a redirect would send what was meant for one address to another.
                let error = if (300..400).contains(status) { "redirect" } else { "status" };
                (if *status == GONE { "gone" } else { error }, retry_after_ms.unwrap_or(0))
            }
            Outcome::Late => ("timeout", 0),
            Outcome::Unreachable => ("unreachable", 0),
        };
        self.error = Some(error.to_owned());
        let end = self.since.plus(TRIED_MS);
        if now >= end || self.status == Some(GONE) {
            self.state = State::Dead;
            self.next = now.plus(DEAD_MS);
            return;
        }
        let pause = self.pause().max(asked.clamp(0, LONGEST_PAUSE_MS));
        self.next = now.plus(pause).min(end);
    }

    /// The pause after so many attempts, up to a quarter longer: whoever failed together does not come
    /// again together.
    fn pause(&self) -> i64 {
        let failures = (self.attempts as usize).saturating_sub(1);
        let seconds = PAUSES_S.get(failures).or(PAUSES_S.last()).copied().unwrap_or_default();
        let pause = seconds.saturating_mul(SECOND_MS);
        let spread = self.id.bytes().fold(self.attempts, |sum, byte| sum.wrapping_mul(31) ^ u32::from(byte));
        pause + (pause.saturating_mul(i64::from(spread & 0xff)) >> 10)
    }

    /// It is tried again, as if it had just been made.
    pub fn put_back(&mut self, now: Timestamp) {
        self.state = State::Pending;
        self.attempts = 0;
        self.since = now;
        self.next = now;
        self.changed();
    }

    /// When it is due. A clock that has fallen back since would keep it for longer than any pause is.
    pub fn due(&self, now: Timestamp) -> Timestamp {
        if self.next > now.plus(LONGEST_PAUSE_MS.saturating_mul(2)) { now } else { self.next }
    }

    /// The list is behind.
    pub fn changed(&mut self) {
        self.changes = self.changes.saturating_add(1);
        self.listed = false;
    }

    /// The message, as of now: its receiver hears of a move what is known of the customer when it hears of
    /// it. None of the profile, where it has become part of a known customer's in the meantime.
    pub fn body(
        &self,
        customer: CustomerId,
        profile: Option<&Snapshot>,
        merged: Option<CustomerId>,
    ) -> String {
        let data = Data {
            activation: &self.activation,
            segment: &self.segment,
            cause: self.cause,
            customer_id: customer,
            known: customer.is_known(),
            merged_into: merged,
            table: profile.and_then(|profile| Some(&profile.auth.as_ref()?.0)),
            auth_id: profile.and_then(|profile| Some(&profile.auth.as_ref()?.1)),
            cookie_ids: profile.map(|profile| profile.cookie_ids.iter().take(COOKIES).copied().collect()),
            attributes: profile.map(|profile| &profile.attributes),
            measures: profile.map(|profile| &profile.measures),
            segments: profile.map(|profile| &profile.segments),
            consent: profile.map(|profile| &profile.consent),
        };
        let message = Message { kind: self.event.kind(), timestamp: self.at.to_rfc3339(), data };
        // Plain data into memory: serialising cannot fail.
        serde_json::to_string(&message).unwrap_or_default()
    }
}

/// A message as its receiver reads it.
#[derive(Serialize)]
struct Message<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    timestamp: String,
    data: Data<'a>,
}

/// What a move was, and who made it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Data<'a> {
    activation: &'a str,
    segment: &'a str,
    cause: Option<Cause>,
    customer_id: CustomerId,
    known: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    merged_into: Option<CustomerId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    table: Option<&'a String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_id: Option<&'a String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cookie_ids: Option<Vec<CookieId>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attributes: Option<&'a Map<String, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    measures: Option<&'a Map<String, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    segments: Option<&'a Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    consent: Option<&'a Decisions>,
}

/// "Gone" is for good: no pause makes it come back.
const GONE: u16 = 410;

impl Direction {
    /// That of a move.
    pub fn of(moved: &Move) -> Self {
        if moved.entered { Self::Entered } else { Self::Left }
    }

    /// `type` of a message.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Entered => "segment.entered",
            Self::Left => "segment.left",
        }
    }
}

/// The id of a message. Of the move too, not of its number alone: a disk that lost its end counts some
/// numbers again.
pub fn message_id(customer: CustomerId, life: &str, number: u64, told: &str, at: Timestamp) -> String {
    let (customer, number, at) = (customer.to_string(), number.to_string(), at.0.to_string());
    let mac = mac_of(life.as_bytes(), &[&customer, ":", &number, ":", told, ":", &at]);
    let mut id = "msg_".to_owned();
    for byte in mac.iter().take(16) {
        // Into memory: cannot fail.
        let _ = write!(id, "{byte:02x}");
    }
    id
}

/// The header `webhook-signature` of a message sent at this second.
pub fn signature(secret: &[u8], id: &str, second: i64, body: &str) -> String {
    let mac = mac_of(secret, &[id, ".", &second.to_string(), ".", body]);
    format!("v1,{}", STANDARD.encode(mac))
}

/// The key that a secret stands for: `whsec_` and 24 to 64 bytes in base64.
pub fn secret_bytes(secret: &str) -> Option<Vec<u8>> {
    let bytes = STANDARD.decode(secret.strip_prefix(SECRET_PREFIX)?).ok()?;
    (24..=64).contains(&bytes.len()).then_some(bytes)
}

/// A new secret, made of random bytes.
pub fn secret(bytes: &[u8]) -> String {
    format!("{SECRET_PREFIX}{}", STANDARD.encode(bytes))
}

/// Whether the activations of a configuration hold.
///
/// # Errors
/// With the first that does not.
pub fn check(bundle: &Bundle) -> Result<(), DefinitionError> {
    for (name, activation) in bundle.activations.iter() {
        let message = if !bundle.segments.contains_key(&activation.segment) {
            format!("there is no segment named {}", activation.segment)
        } else if activation.on.is_empty() || activation.on.len() > 2 {
            "on should hold entered, left, or both".to_owned()
        } else if !is_receiver(&activation.url) {
            "url should be an absolute https address (http on this machine alone), without credentials or fragment".to_owned()
        } else {
            continue;
        };
        return Err(DefinitionError::Invalid { what: format!("activation {name}"), message });
    }
    Ok(())
}

/// Whether messages may be sent there: profiles do not travel in the clear.
pub fn is_receiver(url: &str) -> bool {
    let (rest, secure) = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
        (Some(rest), _) => (rest, true),
        (None, Some(rest)) => (rest, false),
        (None, None) => return false,
    };
    let authority = rest.split(['/', '?', '\\']).next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(address) => address.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    let printable = url.bytes().all(|byte| (0x21..=0x7e).contains(&byte)) && url.len() <= URL_BYTES;
    let local = matches!(host, "localhost" | "127.0.0.1" | "::1");
    printable
        && !host.is_empty()
        && !authority.contains('@')
        && !url.contains(['#', '\\'])
        && (secure || local)
}

impl Activation {
    /// Whether it tells this move.
    pub fn tells(&self, moved: &Move) -> bool {
        self.segment == moved.segment && self.on.contains(&Direction::of(moved)) && self.since <= moved.at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_790_000_000_000);

    fn message() -> Delivery {
        let moved = Move { segment: "Readers".into(), entered: true, at: NOW, cause: Cause::Signal };
        Delivery::new("msg_1".into(), "mail", &moved, NOW)
    }

    fn status(status: u16) -> Outcome {
        Outcome::Answered { status, retry_after_ms: None }
    }

    #[test]
    fn the_signature_is_the_one_of_the_standards_own_example() {
        let secret = secret_bytes("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signed =
            signature(&secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_secret_has_24_to_64_bytes() {
        for length in [24, 64] {
            assert_eq!(secret_bytes(&secret(&vec![7; length])).unwrap().len(), length);
        }
        for bad in
            [&secret(&[7; 23]), &secret(&[7; 65]), "whsec_", "whsec_?", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]
        {
            assert_eq!(secret_bytes(bad), None, "{bad}");
        }
    }

    #[test]
    fn profiles_travel_by_https_alone_but_on_this_machine() {
        for good in [
            "https://mail.example/hook?x=1",
            "https://mail.example:8443",
            "http://127.0.0.1:9/x",
            "http://localhost",
            "http://[::1]:80/",
        ] {
            assert!(is_receiver(good), "{good}");
        }
        for bad in [
            "",
            "mail.example",
            "ftp://mail.example",
            "https://",
            "https:///x",
            "http://mail.example/",
            "http://127.0.0.1.example/",
            "http://localhost@mail.example/",
            "https://user:word@mail.example/",
            "https://mail.example/#x",
            "https://mail.example/a b",
            "https://mail.exämple/",
            "http://localhost\\@mail.example",
            "https://mail.example/\n",
            &format!("https://mail.example/{}", "x".repeat(2048)),
        ] {
            assert!(!is_receiver(bad), "{bad}");
        }
    }

    #[test]
    fn a_failure_is_tried_again_more_and_more_rarely_for_three_days() {
        let (mut delivery, mut now, mut pauses) = (message(), NOW, Vec::new());
        while delivery.state == State::Pending {
            now = now.max(delivery.next);
            delivery.attempted(&status(500), now);
            pauses.push((delivery.next.0 - now.0).div_euclid(SECOND_MS));
        }
        assert_eq!((delivery.state, now), (State::Dead, NOW.plus(TRIED_MS)));
        assert_eq!(delivery.attempts as usize, pauses.len());
        for (pause, least) in pauses.iter().zip(PAUSES_S) {
            assert!((least..=least + least.div_euclid(4)).contains(pause), "{pauses:?}");
        }
        assert_eq!((delivery.status, delivery.error.as_deref()), (Some(500), Some("status")));
        delivery.put_back(now);
        assert_eq!((delivery.state, delivery.attempts, delivery.next), (State::Pending, 0, now));
    }

    #[test]
    fn what_waited_behind_others_for_days_is_tried_once_at_least() {
        let mut delivery = message();
        delivery.attempted(&Outcome::Late, NOW.plus(5 * DAY_MS));
        assert_eq!((delivery.state, delivery.attempts), (State::Dead, 1));
    }

    #[test]
    fn an_answer_decides() {
        for (outcome, state, error) in [
            (status(200), State::Delivered, None),
            (status(299), State::Delivered, None),
            (status(302), State::Pending, Some("redirect")),
            (status(404), State::Pending, Some("status")),
            (status(410), State::Dead, Some("gone")),
            (Outcome::Late, State::Pending, Some("timeout")),
            (Outcome::Unreachable, State::Pending, Some("unreachable")),
        ] {
            let mut delivery = message();
            delivery.attempted(&outcome, NOW);
            assert_eq!((delivery.state, delivery.error.as_deref()), (state, error), "{outcome:?}");
        }
    }

    #[test]
    fn a_receiver_may_ask_for_a_longer_pause_but_not_for_any() {
        for (asked, least, most) in [(0, 5, 6), (-9, 5, 6), (60, 60, 60), (i64::MAX >> 11, 86_400, 86_400)] {
            let mut delivery = message();
            delivery.attempted(&Outcome::Answered { status: 503, retry_after_ms: Some(asked * 1000) }, NOW);
            let pause = (delivery.next.0 - NOW.0).div_euclid(SECOND_MS);
            assert!((least..=most).contains(&pause), "{asked}: {pause}");
        }
    }

    #[test]
    fn a_message_has_one_id_and_no_other_has_it() {
        let customer = CustomerId::Known(1);
        let id = message_id(customer, "life", 1, "mail entered", NOW);
        assert_eq!(id, message_id(customer, "life", 1, "mail entered", NOW));
        assert!(id.starts_with("msg_") && id.len() == 36, "{id}");
        for other in [
            message_id(CustomerId::Unknown(1), "life", 1, "mail entered", NOW),
            message_id(customer, "next", 1, "mail entered", NOW),
            message_id(customer, "life", 2, "mail entered", NOW),
            message_id(customer, "life", 1, "mail left", NOW),
            message_id(customer, "life", 1, "mail entered", NOW.plus(1)),
        ] {
            assert_ne!(id, other);
        }
    }
}

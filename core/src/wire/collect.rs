//! `POST /_msci/collect`, inward: bytes to signals with a verdict each (contract §3).
//!
//! A batch is refused whole only when nothing in it can be trusted (not JSON, no stream, too many);
//! a bad signal is rejected by itself and the others are taken.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::collections::json_object;
use crate::ids::{CookieId, StreamId};
use crate::json;
use crate::limits;
use crate::signal::{Kind, Signal, Source};
use crate::strict_json;
use crate::time::Timestamp;

/// Why a whole batch is refused; each is an HTTP 400.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// Not JSON as the border takes it.
    #[error("the body is not valid JSON: {0}")]
    Json(String),
    /// JSON, but not a batch.
    #[error("{0}")]
    Batch(&'static str),
}

impl BatchError {
    /// The code that the client sees.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Json(_) => "invalid_json",
            Self::Batch(_) => "invalid_batch",
        }
    }
}

/// One signal that was not taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejection {
    /// Its number; 0 when it had none.
    pub seq: u64,
    /// Stable code.
    pub code: String,
    /// Plain words.
    pub message: String,
}

impl Rejection {
    /// A rejection.
    pub fn new(seq: u64, code: &str, message: impl Into<String>) -> Self {
        Self { seq, code: code.to_owned(), message: message.into() }
    }
}

/// A signal that passed the border.
#[derive(Clone, Debug, PartialEq)]
pub struct Incoming {
    /// The signal, without its token.
    pub signal: Signal,
    /// The identity token of a `user` signal; never stored.
    pub token: Option<String>,
}

/// A batch that passed the border.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// Ingestion key.
    pub key: String,
    /// Whose signals these are, when the body says so.
    pub cookie: Option<CookieId>,
    /// The SDK instance.
    pub stream: StreamId,
    /// The batch's highest seq: what the acknowledgement names.
    pub up_to: u64,
    /// The browser keeps no cookie: each of its pages is somebody else.
    pub ephemeral: bool,
    /// In the order sent.
    pub signals: Vec<Result<Incoming, Rejection>>,
}

impl Batch {
    /// What a visitor did is not taken, what they say of themselves is.
    pub fn refuse_activities(&mut self, code: &str, message: &str) {
        for signal in &mut self.signals {
            let activity =
                |incoming: &Incoming| matches!(incoming.signal.kind, Kind::View | Kind::Action | Kind::Event);
            if let Some(seq) = signal.as_ref().ok().filter(|i| activity(i)).map(|i| i.signal.seq) {
                *signal = Err(Rejection::new(seq, code, message));
            }
        }
    }
}

/// Reads a batch. `received` is the edge's clock.
///
/// # Errors
/// When nothing in the body can be taken.
pub fn parse(body: &[u8], received: Timestamp) -> Result<Batch, BatchError> {
    let value = strict_json::parse(body).map_err(|error| BatchError::Json(error.to_string()))?;
    let Value::Object(mut batch) = value else {
        return Err(BatchError::Batch("the body should be a JSON object"));
    };
    let key = match batch.get("key") {
        Some(Value::String(key)) => key.clone(),
        None | Some(Value::Null) => String::new(),
        Some(_) => return Err(BatchError::Batch("key should be text")),
    };
    let cookie = match batch.get("cookieId") {
        None | Some(Value::Null) => None,
        Some(id) => Some(
            id.as_str()
                .and_then(|id| id.parse().ok())
                .ok_or(BatchError::Batch("cookieId should be a GUID v4"))?,
        ),
    };
    let stream: StreamId = batch
        .get("stream")
        .and_then(Value::as_str)
        .and_then(|id| id.parse().ok())
        .ok_or(BatchError::Batch("stream should be a GUID"))?;
    let sent_at = batch
        .get("sentAt")
        .and_then(millis)
        .ok_or(BatchError::Batch("sentAt should be milliseconds since 1970"))?;
    let Some(Value::Array(signals)) = batch.remove("signals") else {
        return Err(BatchError::Batch("signals should be a list"));
    };
    if signals.is_empty() || signals.len() > limits::BATCH_SIGNALS {
        return Err(BatchError::Batch("a batch holds 1 to 500 signals"));
    }
    let sender = Sender { stream, sent_at, received, context: context(&batch) };
    let up_to = signals.iter().filter_map(seq_of).max().unwrap_or(0);
    let signals = signals.into_iter().map(|signal| sender.read(signal)).collect();
    let ephemeral = batch.get("ephemeral") == Some(&Value::Bool(true));
    Ok(Batch { key, cookie, stream, up_to, ephemeral, signals })
}

fn millis(value: &Value) -> Option<i64> {
    let ms = value.as_f64().filter(|ms| ms.abs() < 1e16)?;
    Some(ms as i64)
}

fn seq_of(signal: &Value) -> Option<u64> {
    signal.get("seq")?.as_u64().filter(|seq| (1..=limits::SEQ_MAX).contains(seq))
}

/// What the batch says of the browser, kept with each of its signals so that every one stands alone.
fn context(batch: &Map<String, Value>) -> Map<String, Value> {
    let part = |from: Option<&Value>, name: &str| {
        from.and_then(|from| from.get(name)).filter(|value| short(value)).cloned()
    };
    let (session, device) = (batch.get("session"), batch.get("device"));
    let fields = [
        ("sessionId", part(session, "id")),
        ("sessionStart", part(session, "start")),
        ("language", part(device, "language")),
        ("timezone", part(device, "timezone")),
        ("screen", part(device, "screen")),
        ("sdk", batch.get("sdk").filter(|value| short(value)).cloned()),
    ];
    json_object(fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))))
}

fn short(value: &Value) -> bool {
    match value {
        Value::String(text) => text.len() <= limits::PROPERTY_NAME_BYTES,
        Value::Number(_) => true,
        _ => false,
    }
}

/// What a field of a signal holds.
#[derive(Clone, Copy)]
enum Shape {
    Text,
    Bool,
    Number,
    Properties,
    Purposes,
}

/// Fields a kind of signal may have; others are left out (data minimisation).
fn shapes(kind: Kind) -> &'static [(&'static str, Shape)] {
    match kind {
        Kind::View => &[
            ("uri", Shape::Text),
            ("title", Shape::Text),
            ("name", Shape::Text),
            ("viewType", Shape::Text),
            ("referrer", Shape::Text),
            ("previous", Shape::Text),
            ("exposures", Shape::Text),
            ("properties", Shape::Properties),
        ],
        Kind::Action => &[
            ("name", Shape::Text),
            ("actionType", Shape::Text),
            ("target", Shape::Text),
            ("elementId", Shape::Text),
            ("isOutbound", Shape::Bool),
            ("coordinates", Shape::Text),
            ("elapsedMs", Shape::Number),
            ("uri", Shape::Text),
            ("properties", Shape::Properties),
        ],
        Kind::Event => &[
            ("name", Shape::Text),
            ("version", Shape::Text),
            ("uri", Shape::Text),
            ("exposures", Shape::Text),
            ("properties", Shape::Properties),
        ],
        Kind::User => &[
            ("authId", Shape::Text),
            ("authType", Shape::Text),
            ("localId", Shape::Text),
            ("name", Shape::Text),
            ("email", Shape::Text),
        ],
        Kind::Consent => &[("purposes", Shape::Purposes)],
    }
}

/// What must be there, and the code of its absence.
fn required(kind: Kind) -> Option<(&'static str, &'static str)> {
    match kind {
        Kind::View => Some(("uri", "invalid_field")),
        Kind::Action | Kind::Event => Some(("name", "name_missing")),
        Kind::Consent => Some(("purposes", "invalid_field")),
        Kind::User => None,
    }
}

struct Sender {
    stream: StreamId,
    sent_at: i64,
    received: Timestamp,
    context: Map<String, Value>,
}

impl Sender {
    fn read(&self, value: Value) -> Result<Incoming, Rejection> {
        let seq = seq_of(&value)
            .ok_or_else(|| Rejection::new(0, "seq_out_of_range", "seq should be a whole number from 1"))?;
        let reject = |code: &str, message: &str| Rejection::new(seq, code, message);
        if json::text(&value).len() > limits::SIGNAL_BYTES {
            return Err(reject("too_large", "a signal may have 32 KB"));
        }
        let Value::Object(mut object) = value else {
            return Err(reject("invalid_field", "a signal should be a JSON object"));
        };
        let kind =
            object.get("type").and_then(Value::as_str).and_then(Kind::from_name).ok_or_else(|| {
                reject("invalid_field", "type should be view, action, event, user or consent")
            })?;
        let time = object
            .get("time")
            .and_then(millis)
            .ok_or_else(|| reject("invalid_field", "time should be milliseconds since 1970"))?;
        let mut fields = self.context.clone();
        for (name, shape) in shapes(kind) {
            if let Some(value) = object.remove(*name).filter(|value| !value.is_null()) {
                check(*shape, &value).map_err(|why| reject("invalid_field", &format!("{name}: {why}")))?;
                fields.insert((*name).to_owned(), value);
            }
        }
        let token = match object.remove("token") {
            Some(Value::String(token)) if kind == Kind::User => Some(token),
            _ => None,
        };
        let signal = Signal {
            stream: self.stream,
            seq,
            time: self.corrected(time),
            kind,
            source: Source::Browser,
            fields,
        };
        match required(kind) {
            Some((name, code))
                if signal.text(name).is_none() && !signal.fields.get(name).is_some_and(Value::is_object) =>
            {
                Err(reject(code, &format!("{name} is missing")))
            }
            _ => Ok(Incoming { signal, token }),
        }
    }

    /// The browser's clock may be wrong, the time between happening and sending is not.
    fn corrected(&self, time: i64) -> Timestamp {
        let ago = self.sent_at.saturating_sub(time);
        self.received.plus(ago.saturating_neg()).min(self.received.plus(limits::FUTURE_MS))
    }
}

fn check(shape: Shape, value: &Value) -> Result<(), &'static str> {
    match (shape, value) {
        (Shape::Text, Value::String(text)) if text.len() <= limits::STRING_BYTES => Ok(()),
        (Shape::Text, Value::String(_)) => Err("text longer than 8 KB"),
        (Shape::Text, _) => Err("should be text"),
        (Shape::Bool, Value::Bool(_)) | (Shape::Number, Value::Number(_)) => Ok(()),
        (Shape::Bool, _) => Err("should be true or false"),
        (Shape::Number, _) => Err("should be a number"),
        (Shape::Properties, Value::Object(map)) => {
            if map.len() > limits::PROPERTIES {
                return Err("more than 64 properties");
            }
            map.iter().try_for_each(|(name, value)| {
                name_fits(name)?;
                strings_fit(value)
            })
        }
        (Shape::Purposes, Value::Object(map)) => map.iter().try_for_each(|(purpose, decision)| {
            let known = matches!(purpose.as_str(), "storage" | "analytics" | "personalization");
            match decision.as_str() {
                Some("granted" | "denied") if known => Ok(()),
                _ => Err("storage, analytics, personalization are granted or denied"),
            }
        }),
        (Shape::Properties | Shape::Purposes, _) => Err("should be an object"),
    }
}

fn name_fits(name: &str) -> Result<(), &'static str> {
    if name.is_empty() || name.len() > limits::PROPERTY_NAME_BYTES {
        return Err("a property's name has 1 to 128 bytes");
    }
    Ok(())
}

fn strings_fit(value: &Value) -> Result<(), &'static str> {
    match value {
        Value::String(text) if text.len() > limits::STRING_BYTES => Err("text longer than 8 KB"),
        Value::Array(items) => items.iter().try_for_each(strings_fit),
        Value::Object(map) => map.iter().try_for_each(|(name, value)| {
            name_fits(name)?;
            strings_fit(value)
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const NOW: Timestamp = Timestamp(1_790_000_000_000);

    fn batch(signals: &Value) -> Value {
        json!({ "key": "local", "stream": "c0ffee00-0000-4000-8000-000000000000", "sentAt": NOW.0, "signals": signals })
    }

    fn one(signal: &Value) -> Result<Incoming, Rejection> {
        let body = batch(&json!([signal])).to_string();
        parse(body.as_bytes(), NOW).unwrap().signals.remove(0)
    }

    fn view(extra: &[(&str, Value)]) -> Value {
        let mut view = json!({ "seq": 1, "time": NOW.0, "type": "view", "uri": "/" });
        for (name, value) in extra {
            view[name] = value.clone();
        }
        view
    }

    #[test]
    fn a_bad_signal_is_rejected_by_itself() {
        let body = batch(
            &json!([view(&[]), { "seq": 2, "time": NOW.0, "type": "event" }, view(&[("seq", json!(3))])]),
        );
        let batch = parse(body.to_string().as_bytes(), NOW).unwrap();
        assert_eq!(batch.up_to, 3);
        assert!(batch.signals[0].is_ok() && batch.signals[2].is_ok());
        assert_eq!(batch.signals[1].as_ref().unwrap_err().code, "name_missing");
    }

    #[test]
    fn each_bad_field_has_its_code() {
        let many: Map<String, Value> = (0..65).map(|n| (format!("p{n}"), json!(n))).collect();
        for (field, value, code) in [
            ("seq", json!(0), "seq_out_of_range"),
            ("seq", json!(-1), "seq_out_of_range"),
            ("seq", json!(1.5), "seq_out_of_range"),
            ("seq", json!(9_007_199_254_740_992_u64), "seq_out_of_range"),
            ("type", json!("click"), "invalid_field"),
            ("time", json!("now"), "invalid_field"),
            ("time", json!(1e300), "invalid_field"),
            ("uri", json!(7), "invalid_field"),
            ("uri", json!(""), "invalid_field"),
            ("title", json!("x".repeat(8193)), "invalid_field"),
            ("properties", json!([1]), "invalid_field"),
            ("properties", Value::Object(many), "invalid_field"),
            ("properties", json!({ "k".repeat(129): 1 }), "invalid_field"),
            ("whatever", json!("x".repeat(33_000)), "too_large"),
        ] {
            assert_eq!(one(&view(&[(field, value)])).unwrap_err().code, code, "{field}");
        }
    }

    #[test]
    fn what_a_page_was_shown_is_kept_of_views_and_events() {
        let event = json!({ "seq": 1, "time": NOW.0, "type": "event", "name": "experience_viewed" });
        for mut signal in [view(&[]), event] {
            signal["exposures"] = json!("hero:treated,offer:holdout");
            let kept = one(&signal).unwrap().signal.fields;
            assert_eq!(kept["exposures"], "hero:treated,offer:holdout");
            signal["exposures"] = json!(["hero"]);
            assert_eq!(one(&signal).unwrap_err().code, "invalid_field");
        }
    }

    #[test]
    fn a_batch_that_is_none_is_refused_whole() {
        let refused = |body: &str| parse(body.as_bytes(), NOW).unwrap_err().code();
        assert_eq!(refused("{"), "invalid_json");
        assert_eq!(refused("[]"), "invalid_batch");
        assert_eq!(refused(r#"{"stream":1}"#), "invalid_batch");
        assert_eq!(refused(&batch(&json!([])).to_string()), "invalid_batch");
        assert_eq!(refused(&batch(&json!(vec![view(&[]); 501])).to_string()), "invalid_batch");
        let mut bad_cookie = batch(&json!([view(&[])]));
        bad_cookie["cookieId"] = json!("x");
        assert_eq!(refused(&bad_cookie.to_string()), "invalid_batch");
    }

    #[test]
    fn a_clock_that_is_hours_off_is_corrected() {
        let skew = 2 * 3600 * 1000;
        let mut body = batch(&json!([view(&[("time", json!(NOW.0 + skew - 700))])]));
        body["sentAt"] = json!(NOW.0 + skew);
        let taken = parse(body.to_string().as_bytes(), NOW).unwrap().signals.remove(0).unwrap();
        assert_eq!(taken.signal.time, NOW.plus(-700));
    }

    #[test]
    fn a_time_in_the_future_is_five_minutes_ahead_at_most() {
        let taken = one(&view(&[("time", json!(NOW.0 + 3_600_000))])).unwrap();
        assert_eq!(taken.signal.time, NOW.plus(limits::FUTURE_MS));
    }

    #[test]
    fn f6_a_clock_ten_years_off_or_before_1970_is_corrected() {
        let year = 365 * crate::time::DAY_MS;
        for skew in [-10 * year, -year, 1, year, 10 * year, -NOW.0 - 5 * year] {
            let signals =
                [view(&[("time", json!(NOW.0 + skew - 700))]), view(&[("time", json!(NOW.0 + skew))])];
            let mut body = batch(&json!(signals));
            body["sentAt"] = json!(NOW.0 + skew);
            let taken = parse(body.to_string().as_bytes(), NOW).unwrap().signals;
            let times: Vec<_> = taken.into_iter().map(|taken| taken.unwrap().signal.time).collect();
            assert_eq!(times, [NOW.plus(-700), NOW], "{skew}");
        }
    }

    #[test]
    fn f6_a_clock_that_jumps_between_happening_and_sending_moves_nothing_into_the_future() {
        for jump in [-3_600_000, -10 * 365 * crate::time::DAY_MS, i64::from(i32::MIN)] {
            // It happened at one o'clock and was sent at twelve.
            let mut body = batch(&json!([view(&[("time", json!(NOW.0))])]));
            body["sentAt"] = json!(NOW.0 + jump);
            let taken = parse(body.to_string().as_bytes(), NOW).unwrap().signals.remove(0).unwrap();
            assert_eq!(taken.signal.time, NOW.plus(limits::FUTURE_MS));
        }
        // Forward, the time that passed cannot be told from the jump: it is as old as it says.
        let mut body = batch(&json!([view(&[("time", json!(NOW.0))])]));
        body["sentAt"] = json!(NOW.0 + 3_600_000);
        let taken = parse(body.to_string().as_bytes(), NOW).unwrap().signals.remove(0).unwrap();
        assert_eq!(taken.signal.time, NOW.plus(-3_600_000));
    }

    #[test]
    fn f6_what_is_no_time_is_refused_by_itself_and_a_clock_that_is_none_with_its_batch() {
        for time in [json!(null), json!("NaN"), json!("2026-01-01"), json!({}), json!(1e16), json!(-1e300)] {
            assert_eq!(one(&view(&[("time", time.clone())])).unwrap_err().code, "invalid_field", "{time}");
            let mut body = batch(&json!([view(&[])]));
            body["sentAt"] = time;
            assert_eq!(parse(body.to_string().as_bytes(), NOW).unwrap_err().code(), "invalid_batch");
        }
        let body = batch(&json!([view(&[])])).to_string();
        for number in ["NaN", "Infinity", "-Infinity", "1e999", "-1e999"] {
            let body = body.replace(&format!("\"time\":{}", NOW.0), &format!("\"time\":{number}"));
            assert_eq!(parse(body.as_bytes(), NOW).unwrap_err().code(), "invalid_json", "{number}");
        }
    }

    proptest::proptest! {
        #[test]
        fn f6_any_two_clocks_give_a_time_that_is_never_far_ahead(
            time in -1e17_f64..1e17,
            sent_at in -1e17_f64..1e17,
            lag in 0_i64..100_000,
        ) {
            let mut body = batch(&json!([view(&[("time", json!(time))])]));
            body["sentAt"] = json!(sent_at);
            if let Ok(mut batch) = parse(body.to_string().as_bytes(), NOW)
                && let Ok(taken) = batch.signals.remove(0)
            {
                proptest::prop_assert!(taken.signal.time <= NOW.plus(limits::FUTURE_MS));
            }
            // The same clock at both ends, however wrong, gives the time that passed.
            if time.abs() < 1e15 {
                let mut body = batch(&json!([view(&[("time", json!(time as i64))])]));
                body["sentAt"] = json!(time as i64 + lag);
                let taken = parse(body.to_string().as_bytes(), NOW).unwrap().signals.remove(0).unwrap();
                proptest::prop_assert_eq!(taken.signal.time, NOW.plus(-lag));
            }
        }
    }

    #[test]
    fn a_token_never_becomes_part_of_the_signal() {
        let user =
            json!({ "seq": 1, "time": NOW.0, "type": "user", "authId": "Loyalty1", "token": "secret" });
        let taken = one(&user).unwrap();
        assert_eq!(taken.token.as_deref(), Some("secret"));
        assert!(!serde_json::to_string(&taken.signal).unwrap().contains("secret"));
    }

    #[test]
    fn fields_nobody_named_are_left_out() {
        let taken = one(&view(&[("password", json!("hunter2"))])).unwrap();
        assert!(!taken.signal.fields.contains_key("password"));
    }
}

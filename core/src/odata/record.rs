//! What is behind a row of the read API, read from an object or from the index alike, and the columns
//! made of it. The index answers with the same record that an object's snapshot gives, so a column
//! has one meaning.

use serde_json::{Map, Value, json};

use super::model::{Column, Edm, Set, Source};
use crate::activity::{activity_type, scalar, title};
use crate::expr::Scalar;
use crate::json;
use crate::signal::Signal;
use crate::snapshot::Snapshot;
use crate::time::Timestamp;

/// A customer, and of rows that are signals, the signal.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record {
    /// Whose.
    pub customer: String,
    /// Identity table and key, when known.
    pub auth: Option<(String, String)>,
    /// First seen.
    pub first: Option<Timestamp>,
    /// Last seen.
    pub last: Option<Timestamp>,
    /// `{ cookieIds, attributes, segments, measures }`
    pub body: Value,
    /// The cookie of this row; of a signal from the index, first the name of its object.
    pub cookie: Option<String>,
    /// The signal.
    pub signal: Option<Told>,
}

/// A signal as the index tells it.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// The SDK instance.
    pub stream: String,
    /// Its number there.
    pub seq: u64,
    /// When.
    pub time: Timestamp,
    /// `View`, `Action`, or the event's name.
    pub kind: String,
    /// Its heading.
    pub title: String,
    /// Its fields.
    pub fields: Value,
}

impl Record {
    /// Of a profile.
    pub fn of(snapshot: &Snapshot) -> Self {
        Self {
            customer: snapshot.customer.to_string(),
            auth: snapshot.auth.clone(),
            first: snapshot.first_seen,
            last: snapshot.last_seen,
            body: json!({
                "cookieIds": snapshot.cookie_ids,
                "attributes": snapshot.attributes,
                "segments": snapshot.segments,
                "measures": snapshot.measures,
            }),
            cookie: None,
            signal: None,
        }
    }

    /// The same customer, and one of their signals.
    #[must_use]
    pub fn with(&self, cookie: String, signal: &Signal) -> Self {
        let told = Told {
            stream: signal.stream.to_string(),
            seq: signal.seq,
            time: signal.time,
            kind: activity_type(signal).to_owned(),
            title: title(signal).to_owned(),
            fields: Value::Object(signal.fields.clone()),
        };
        Self { cookie: Some(cookie), signal: Some(told), ..self.clone() }
    }

    /// From a row of the index, in the order of `RECORD` of `sql.rs`.
    pub fn from_row(row: &Value) -> Self {
        let at = |at: usize| row.get(at).unwrap_or(&Value::Null);
        let text = |n: usize| at(n).as_str().map(str::to_owned);
        let time = |n: usize| at(n).as_i64().map(Timestamp);
        let told = |time| Told {
            stream: text(7).unwrap_or_default(),
            seq: at(8).as_u64().unwrap_or(0),
            time,
            kind: text(10).unwrap_or_default(),
            title: text(11).unwrap_or_default(),
            fields: at(12).clone(),
        };
        Self {
            customer: text(0).unwrap_or_default(),
            auth: text(1).zip(text(2)),
            first: time(3),
            last: time(4),
            body: at(5).clone(),
            cookie: text(6),
            signal: time(9).map(told),
        }
    }

    /// The same for one of its cookies.
    #[must_use]
    pub fn of_cookie(mut self, cookie: &str) -> Self {
        self.cookie = Some(cookie.to_ascii_lowercase());
        self
    }

    /// One for each of its cookies.
    pub fn of_cookies(&self) -> Vec<Self> {
        let cookies = self.body("cookieIds").as_array().into_iter().flatten();
        cookies.filter_map(Value::as_str).map(|cookie| self.clone().of_cookie(cookie)).collect()
    }

    /// Whether the set has a row of this.
    pub fn is_row_of(&self, set: Set) -> bool {
        match set {
            Set::Memberships => self.body("segments").as_array().is_some_and(|segments| !segments.is_empty()),
            Set::Users => self.auth.is_some(),
            _ => true,
        }
    }

    /// About how many bytes there are of it.
    pub fn size(&self) -> usize {
        json::text(&self.body).len() + self.signal.as_ref().map_or(0, |told| json::text(&told.fields).len())
    }

    fn body(&self, part: &str) -> &Value {
        self.body.get(part).unwrap_or(&Value::Null)
    }

    /// Whether this is a customer of an identity table: their id has no dashes.
    fn known(&self) -> bool {
        !self.customer.contains('-')
    }

    /// The value of a column.
    pub fn value(&self, source: &Source) -> Value {
        let instant = |time: Option<Timestamp>| time.map_or(Value::Null, |time| time.to_rfc3339().into());
        let told = self.signal.as_ref();
        let field = |name: &str| told.and_then(|told| told.fields.get(name)).cloned().unwrap_or_default();
        let (table, key) = self.auth.as_ref().map(|(table, key)| (table.as_str(), key.as_str())).unzip();
        match source {
            Source::Customer => self.customer.as_str().into(),
            Source::Known => self.known().into(),
            Source::Key(of) => key.filter(|_| table == Some(&**of)).into(),
            Source::AnyKey => key.into(),
            Source::Table => table.into(),
            Source::Attribute(name) => self.body("attributes").get(&**name).cloned().unwrap_or_default(),
            Source::Cookies => self.body("cookieIds").clone(),
            Source::Cookie => self.cookie.as_deref().into(),
            Source::First => instant(self.first),
            Source::Last => instant(self.last),
            Source::Segments => json::text(self.body("segments")).into(),
            Source::Measures => json::text(self.body("measures")).into(),
            Source::Measure(name) => self.body("measures").get(&**name).cloned().unwrap_or_default(),
            Source::Member(name) => {
                let segments = self.body("segments").as_array();
                segments.is_some_and(|segments| segments.iter().any(|segment| *segment == **name)).into()
            }
            Source::Id => told.map(Told::id).into(),
            Source::Time => instant(told.map(|told| told.time)),
            Source::Type => told.map(|told| told.kind.as_str()).into(),
            Source::Title => told.map(|told| told.title.as_str()).into(),
            Source::Name => match field("name") {
                Value::Null => told.map(|told| told.kind.as_str()).into(),
                name => name,
            },
            Source::Field(name) => field(name),
            Source::Property(name) => field("properties").get(&**name).cloned().unwrap_or_default(),
            Source::Properties => match field("properties") {
                Value::Null => Value::Null,
                properties => json::text(&properties).into(),
            },
            Source::Host => field("uri").as_str().and_then(host).into(),
            Source::Duration => {
                let start = field("sessionStart").as_f64();
                let lasted = told.zip(start).map(|(told, start)| (told.time.0 as f64 - start).max(0.0));
                lasted.map(|lasted| lasted as i64).into()
            }
            Source::Constant(text) => (*text).into(),
            Source::Nothing | Source::Activities => Value::Null,
        }
    }

    /// The value of a column in a filter.
    pub fn scalar(&self, source: &Source, edm: Edm) -> Scalar {
        if edm == Edm::Time {
            let time = match source {
                Source::First => self.first,
                Source::Last => self.last,
                _ => self.signal.as_ref().map(|told| told.time),
            };
            return time.map_or(Scalar::Null, Scalar::Time);
        }
        if edm == Edm::Texts {
            return Scalar::Text(json::text(&self.value(source)));
        }
        scalar(Some(&self.value(source)))
    }

    /// A row of these columns, by name.
    pub fn row<'a>(&self, columns: impl Iterator<Item = (&'a str, &'a Column)>) -> Map<String, Value> {
        let mut row = Map::new();
        for (name, column) in columns {
            row.insert(name.to_owned(), self.value(&column.source));
        }
        row
    }
}

impl Told {
    /// A GUID (version 8) that begins with the time, so that the signal is found again by it: 48 bits of
    /// milliseconds, 40 of the stream, 32 of the number.
    pub fn id(&self) -> String {
        let part = |from: usize, to: usize| self.stream.get(from..to).unwrap_or_default();
        let time = self.time.0 & 0xffff_ffff_ffff;
        format!(
            "{:08x}-{:04x}-8{}-9{}-{}{}{:08x}",
            time >> 16,
            time & 0xffff,
            part(0, 3),
            part(3, 6),
            part(6, 8),
            part(9, 11),
            self.seq & 0xffff_ffff
        )
    }
}

/// The instant that a signal's id begins with.
pub fn time_of_id(id: &str) -> Option<Timestamp> {
    let bits = u128::from_str_radix(&id.replace('-', ""), 16).ok()?;
    (id.len() == 36).then_some(Timestamp((bits >> 80) as i64))
}

/// Host of an address, where it has one.
fn host(uri: &str) -> Option<&str> {
    let (_, rest) = uri.split_once("://")?;
    rest.split(['/', '?', '#']).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_guid_that_tells_its_time() {
        let told = Told {
            stream: "c0ffee00-1234-4000-8000-000000000000".to_owned(),
            seq: 258,
            time: Timestamp(1_790_000_000_123),
            kind: String::new(),
            title: String::new(),
            fields: Value::Null,
        };
        assert_eq!(told.id(), "01a0c450-6c7b-8c0f-9fee-001200000102");
        assert_eq!(time_of_id(&told.id()), Some(told.time));
        assert_eq!(time_of_id("x"), None);
    }

    #[test]
    fn a_host_is_what_stands_between_slashes() {
        for (uri, expected) in [
            ("https://shop.example/p?q", Some("shop.example")),
            ("https://shop.example:8443?x", Some("shop.example:8443")),
            ("/p/1", None),
            ("", None),
        ] {
            assert_eq!(host(uri), expected, "{uri}");
        }
    }
}

//! Names of things. An id names, it never proves (law 5): nothing here grants access.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Text that is not the id it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a valid {0}")]
pub struct BadId(&'static str);

/// Hex digits of 128 bits, lower case. By hand, like reading them: each page does both several times, and what the
/// standard library has for numbers of this size is slow and large in WebAssembly.
fn digits(bits: u128) -> [u8; 32] {
    let digit = |n: u8| if n < 10 { b'0' + n } else { b'a' + (n - 10) };
    let mut text = [0; 32];
    for (place, byte) in text.chunks_exact_mut(2).zip(bits.to_be_bytes()) {
        place.copy_from_slice(&[digit(byte >> 4), digit(byte & 0xf)]);
    }
    text
}

/// As a GUID: `3f43317e-d1ef-4cd3-9917-2d3342111d1a`.
fn write_guid(bits: u128, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut text = [b'-'; 36];
    let mut digits = digits(bits).into_iter();
    for (at, place) in text.iter_mut().enumerate() {
        if !is_dash(at) {
            *place = digits.next().unwrap_or_default();
        }
    }
    f.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
}

/// Whether a GUID has a dash there.
fn is_dash(at: usize) -> bool {
    matches!(at, 8 | 13 | 18 | 23)
}

fn write_hex(bits: u128, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str(std::str::from_utf8(&digits(bits)).map_err(|_| fmt::Error)?)
}

fn read_hex(text: &str) -> Option<u128> {
    (text.len() == 32).then(|| text.bytes().try_fold(0, with_digit)).flatten()
}

fn read_guid(text: &str) -> Option<u128> {
    let mut places = text.bytes().enumerate();
    let read =
        |bits, (at, byte)| if is_dash(at) { (byte == b'-').then_some(bits) } else { with_digit(bits, byte) };
    (text.len() == 36).then(|| places.try_fold(0, read)).flatten()
}

fn with_digit(bits: u128, byte: u8) -> Option<u128> {
    Some((bits << 4) | u128::from(char::from(byte).to_digit(16)?))
}

macro_rules! text_id {
    ($id:ident) => {
        impl Serialize for $id {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $id {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }
    };
}

/// The visitor's id in the cookie `_msci`: a GUID v4, one per browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CookieId(u128);
text_id!(CookieId);

impl CookieId {
    /// A GUID v4 made of 128 random (or derived) bits: version and variant are set here.
    pub fn from_bits(bits: u128) -> Self {
        Self((bits & !(0xf << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62))
    }
}

impl FromStr for CookieId {
    type Err = BadId;
    /// Anything but a GUID v4 is no cookieId, whatever its length (fault F37).
    fn from_str(text: &str) -> Result<Self, BadId> {
        read_guid(text).map(Self).filter(|id| *id == Self::from_bits(id.0)).ok_or(BadId("cookieId"))
    }
}

impl fmt::Display for CookieId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_guid(self.0, f)
    }
}

/// One SDK instance: the random id that its counter `seq` belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(u128);
text_id!(StreamId);

impl StreamId {
    /// A stream made of 128 random bits.
    pub fn from_bits(bits: u128) -> Self {
        Self(bits)
    }
}

impl FromStr for StreamId {
    type Err = BadId;
    fn from_str(text: &str) -> Result<Self, BadId> {
        read_guid(text).map(Self).ok_or(BadId("stream"))
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_guid(self.0, f)
    }
}

/// The random name of one life of a cookie's log: a log that was deleted or lost comes back under
/// another, so that nobody skips what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogId(u128);
text_id!(LogId);

impl LogId {
    /// A log's name made of 128 random bits.
    pub fn from_bits(bits: u128) -> Self {
        Self(bits)
    }
}

impl FromStr for LogId {
    type Err = BadId;
    fn from_str(text: &str) -> Result<Self, BadId> {
        read_hex(text).map(Self).ok_or(BadId("logId"))
    }
}

impl fmt::Display for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(self.0, f)
    }
}

/// Id of a profile and name of its object: 32 hex digits when known, a dashed GUID when unknown, so
/// that the two can never be mistaken for each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CustomerId {
    /// A visitor without an authId.
    Unknown(u128),
    /// A customer of an identity table.
    Known(u128),
}
text_id!(CustomerId);

impl CustomerId {
    /// Whether this names a customer of an identity table.
    pub fn is_known(self) -> bool {
        matches!(self, Self::Known(_))
    }
}

impl FromStr for CustomerId {
    type Err = BadId;
    fn from_str(text: &str) -> Result<Self, BadId> {
        read_hex(text)
            .map(Self::Known)
            .or_else(|| read_guid(text).map(Self::Unknown))
            .ok_or(BadId("customerId"))
    }
}

impl fmt::Display for CustomerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(bits) => write_guid(*bits, f),
            Self::Known(bits) => write_hex(*bits, f),
        }
    }
}

/// Identity of a signal for ever: a resend carries the same one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SignalKey {
    /// The browser.
    pub cookie: CookieId,
    /// The SDK instance in it.
    pub stream: StreamId,
    /// Its counter, from 1.
    pub seq: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_guid_v4_is_a_cookie_id() {
        let good = "3f43317e-d1ef-4cd3-9917-2d3342111d1a";
        assert_eq!(good.parse::<CookieId>().unwrap().to_string(), good);
        let upper: CookieId = good.to_uppercase().parse().unwrap();
        assert_eq!(upper.to_string(), good);
        for bad in [
            "",
            "3f43317e-d1ef-1cd3-9917-2d3342111d1a",
            "3f43317e-d1ef-4cd3-c917-2d3342111d1a",
            "3f43317ed1ef4cd399172d3342111d1a",
            "3f43317e-d1ef-4cd3-9917-2d3342111d1",
            "+f43317e-d1ef-4cd3-9917-2d3342111d1a",
            "3f43317e--d1f-4cd3-9917-2d3342111d1a",
        ] {
            assert!(bad.parse::<CookieId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn any_bits_become_a_guid_v4() {
        for bits in [0, u128::MAX, 0x1234_5678_9abc_def0_1234_5678_9abc_def0] {
            let id = CookieId::from_bits(bits);
            assert_eq!(id.to_string().parse::<CookieId>(), Ok(id));
        }
    }

    #[test]
    fn a_customer_id_says_whether_it_is_known() {
        for id in [CustomerId::Known(7), CustomerId::Unknown(7)] {
            assert_eq!(id.to_string().parse::<CustomerId>(), Ok(id));
        }
    }
}

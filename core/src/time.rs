//! Instants and days as plain numbers. `core` has no clock: every `now` is an argument.

use serde::{Deserialize, Serialize};

/// Milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

/// One second in milliseconds.
pub const SECOND_MS: i64 = 1000;
/// One day in milliseconds.
pub const DAY_MS: i64 = 24 * 60 * 60 * SECOND_MS;

impl Timestamp {
    /// This instant moved by `ms`, stopping at the ends of the range.
    #[must_use]
    pub fn plus(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// In microseconds, stopping at the ends of the range.
    pub fn micros(self) -> i64 {
        self.0.saturating_mul(1000)
    }

    /// Midnight (UTC) at the start of this instant's day.
    #[must_use]
    pub fn midnight(self) -> Self {
        Self(self.0.div_euclid(DAY_MS).saturating_mul(DAY_MS))
    }

    /// Its place in the calendar (UTC), within the years that RFC 3339 can write.
    pub(crate) fn civil(self) -> Option<Civil> {
        let (year, month, day) = civil_from_days(self.0.div_euclid(DAY_MS));
        let hour = self.0.rem_euclid(DAY_MS).div_euclid(60 * 60 * SECOND_MS);
        (0..=9999).contains(&year).then_some(Civil { year, month, day, hour })
    }

    /// `2026-11-23T20:58:32.000Z`, as OData's `Edm.DateTimeOffset` wants it.
    pub fn to_rfc3339(self) -> String {
        let days = self.0.div_euclid(DAY_MS);
        let ms = self.0.rem_euclid(DAY_MS);
        let (year, month, day) = civil_from_days(days);
        let (hour, rest) = split(ms, 60 * 60 * SECOND_MS);
        let (minute, rest) = split(rest, 60 * SECOND_MS);
        let (second, milli) = split(rest, SECOND_MS);
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
    }

    /// Reads `2026-11-23T20:58:32Z`, with optional fraction, `±hh:mm` offsets, or a date alone.
    pub fn from_rfc3339(text: &str) -> Option<Self> {
        let (date, clock) = match text.split_once(['T', 't']) {
            Some((date, clock)) => (date, Some(clock)),
            None => (text, None),
        };
        let mut parts = date.splitn(3, '-');
        let year = digits(parts.next()?, 4, 0, 9999)?;
        let month = digits(parts.next()?, 2, 1, 12)?;
        let day = digits(parts.next()?, 2, 1, days_in_month(year, month))?;
        let midnight = days_from_civil(year, month, day).checked_mul(DAY_MS)?;
        let Some(clock) = clock else {
            return Some(Self(midnight));
        };
        let (clock, offset) = split_offset(clock)?;
        let mut parts = clock.splitn(3, ':');
        let hour = digits(parts.next()?, 2, 0, 23)?;
        let minute = digits(parts.next()?, 2, 0, 59)?;
        let (second, milli) = match parts.next() {
            None => (0, 0),
            Some(second) => match second.split_once('.') {
                None => (digits(second, 2, 0, 59)?, 0),
                Some((second, fraction)) => (digits(second, 2, 0, 59)?, millis(fraction)?),
            },
        };
        let ms = ((hour * 60 + minute - offset) * 60 + second) * SECOND_MS + milli;
        Some(Self(midnight.checked_add(ms)?))
    }
}

/// A date and an hour.
pub(crate) struct Civil {
    pub(crate) year: i64,
    pub(crate) month: i64,
    pub(crate) day: i64,
    pub(crate) hour: i64,
}

fn split(ms: i64, unit: i64) -> (i64, i64) {
    (ms.div_euclid(unit), ms.rem_euclid(unit))
}

fn digits(text: &str, width: usize, min: i64, max: i64) -> Option<i64> {
    if text.len() != width || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok().filter(|n| (min..=max).contains(n))
}

fn millis(fraction: &str) -> Option<i64> {
    if fraction.is_empty() || fraction.len() > 12 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let mut padded: String = fraction.chars().take(3).collect();
    while padded.len() < 3 {
        padded.push('0');
    }
    padded.parse().ok()
}

/// The clock without its offset, and the offset in minutes.
fn split_offset(clock: &str) -> Option<(&str, i64)> {
    if let Some(clock) = clock.strip_suffix(['Z', 'z']) {
        return Some((clock, 0));
    }
    let at = clock.rfind(['+', '-'])?;
    let (clock, offset) = clock.split_at_checked(at)?;
    let sign = if offset.starts_with('-') { -1 } else { 1 };
    let (hours, minutes) = offset.get(1..)?.split_once(':')?;
    Some((clock, sign * (digits(hours, 2, 0, 14)? * 60 + digits(minutes, 2, 0, 59)?)))
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.rem_euclid(4) == 0 && (year.rem_euclid(100) != 0 || year.rem_euclid(400) == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days since the epoch of a proleptic Gregorian date (Howard Hinnant, "chrono-Compatible Low-Level
/// Date Algorithms").
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month = (month + 9).rem_euclid(12);
    let day_of_year = (153 * month + 2).div_euclid(5) + day - 1;
    let day_of_era =
        year_of_era * 365 + year_of_era.div_euclid(4) - year_of_era.div_euclid(100) + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The inverse of [`days_from_civil`].
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era.div_euclid(1460) + day_of_era.div_euclid(36_524)
        - day_of_era.div_euclid(146_096))
    .div_euclid(365);
    let day_of_year =
        day_of_era - (365 * year_of_era + year_of_era.div_euclid(4) - year_of_era.div_euclid(100));
    let month = (5 * day_of_year + 2).div_euclid(153);
    let day = day_of_year - (153 * month + 2).div_euclid(5) + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_instants_read_and_print() {
        let t = Timestamp::from_rfc3339("2024-02-29T23:59:59.5Z").unwrap();
        assert_eq!(t.to_rfc3339(), "2024-02-29T23:59:59.500Z");
        assert_eq!(Timestamp(0).to_rfc3339(), "1970-01-01T00:00:00.000Z");
        assert_eq!(
            Timestamp::from_rfc3339("2026-01-01T02:00:00+02:00"),
            Timestamp::from_rfc3339("2026-01-01")
        );
    }

    #[test]
    fn impossible_dates_are_refused() {
        for text in [
            "2023-02-29",
            "2023-13-01",
            "2023-1-1",
            "yesterday",
            "2023-01-01T25:00:00Z",
            "",
            "2023-01-01T10:00:00",
        ] {
            assert_eq!(Timestamp::from_rfc3339(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn printing_and_reading_is_the_identity(ms in -62_135_596_800_000_i64..253_402_300_799_000) {
            let t = Timestamp(ms);
            prop_assert_eq!(Timestamp::from_rfc3339(&t.to_rfc3339()), Some(t));
        }
    }
}

//! How many different values there were: exact up to [`EXACT`], beyond that estimated from the least
//! digests, which say how dense all of them lie. A set of least digests is the same in whatever order,
//! and however often, its values come.

use super::{digest, json_of};
use crate::expr::Scalar;
use crate::json;

/// So many different values are counted exactly. Beyond, the estimate is off by 3 % (standard error,
/// `1 / sqrt(EXACT)`).
pub const EXACT: usize = 1000;

/// Digests are whole numbers below this: so large ones survive as numbers of JSON.
const BITS: u32 = 53;

/// Digest of a value; texts that differ only in ASCII case are one, as everywhere in the language.
pub(super) fn digest_of(value: Scalar) -> Option<u64> {
    let value = match value {
        Scalar::Text(text) => Scalar::Text(text.to_ascii_lowercase()),
        // There are two zeros.
        Scalar::Number(number) => Scalar::Number(number + 0.0),
        other => other,
    };
    Some(digest(json::text(&json_of(value)?).as_bytes()) >> (u64::BITS - BITS))
}

/// Notes a digest among the least ones.
pub(super) fn note(least: &mut Vec<u64>, digest: u64) {
    if let Err(place) = least.binary_search(&digest) {
        // One more than are counted exactly shows that there are more.
        if place <= EXACT {
            least.insert(place, digest);
            least.truncate(EXACT + 1);
        }
    }
}

/// How many different values left these digests.
pub(super) fn how_many(least: &[u64]) -> u64 {
    match least.get(EXACT) {
        None => least.len() as u64,
        Some(greatest) => {
            let share = *greatest as f64 / 2_f64.powi(BITS as i32);
            (EXACT as f64 / share).round() as u64
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(count: u32) -> Vec<u64> {
        let mut least = Vec::new();
        for number in 0..count {
            note(&mut least, digest_of(Scalar::Text(format!("value {number}"))).unwrap());
        }
        least
    }

    #[test]
    fn different_values_are_counted_exactly_up_to_the_bound_and_closely_beyond() {
        for count in [0, 1, 999, 1000] {
            assert_eq!(how_many(&of(count)), u64::from(count));
        }
        for count in [1001, 5_000, 100_000] {
            let off = how_many(&of(count)) as f64 / f64::from(count) - 1.0;
            assert!(off.abs() < 0.1, "{count}: off by {off}");
        }
        assert_eq!(of(5_000).len(), EXACT + 1);
    }

    #[test]
    fn case_and_the_sign_of_zero_make_no_difference_the_kind_of_value_does() {
        let digest = |value| digest_of(value).unwrap();
        assert_eq!(digest(Scalar::Text("Red".into())), digest(Scalar::Text("rED".into())));
        assert_eq!(digest(Scalar::Number(0.0)), digest(Scalar::Number(-0.0)));
        assert_ne!(digest(Scalar::Text("1".into())), digest(Scalar::Number(1.0)));
        assert_eq!(digest_of(Scalar::Null), None);
    }
}

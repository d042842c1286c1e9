//! What an experience has led to: how many of each bucket reached its goal, and by how much more or less than
//! those who were left alone.

use serde::Serialize;

/// How sure the intervals are.
pub const CONFIDENCE: f64 = 0.95;
/// Quantile of the chi-squared distribution with one degree of freedom at [`CONFIDENCE`].
const CHI_SQUARED: f64 = 3.841_458_820_694_124;
/// With fewer who reached the goal, or fewer who did not, a lift says little.
const FEW: u64 = 10;

/// Those who saw an experience first in one bucket.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Bucket {
    /// The variant, or `holdout`.
    pub name: String,
    /// How many saw it there, or were held out.
    pub exposed: u64,
    /// How many of them reached the goal at that moment or later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub converted: Option<u64>,
    /// Their share; none of nobody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
}

/// A bucket against another.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// The variant.
    pub variant: String,
    /// Against which bucket.
    pub against: String,
    /// How much greater its rate is, relative to the other's: 0.2 is 20 % more. None where that is 0.
    pub lift: Option<f64>,
    /// Between which two values the lift lies; a second of none is unbounded. None where nobody reached the goal.
    pub interval: Option<[Option<f64>; 2]>,
    /// How sure that is.
    pub confidence: f64,
    /// Too few did, or did not, to rely on it.
    pub few: bool,
}

/// Results of an experience.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Results {
    /// Which.
    pub experience: String,
    /// What counts as reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub goal: Option<String>,
    /// Variants in their order, then those held out.
    pub buckets: Vec<Bucket>,
    /// Each variant against those held out; where nobody is, against the first variant.
    pub comparisons: Vec<Comparison>,
}

impl Results {
    /// Of the buckets that an experience has, in order, the one to compare with as the last or the first; and
    /// what was counted of each: who was exposed, who reached the goal.
    pub fn new(
        experience: &str,
        goal: Option<&str>,
        names: &[&str],
        holdout: &str,
        counted: &[(String, u64, u64)],
    ) -> Self {
        let buckets: Vec<Bucket> = names
            .iter()
            .map(|name| {
                let found = counted.iter().find(|(bucket, ..)| bucket == name);
                let (exposed, converted) =
                    found.map_or((0, 0), |(_, exposed, converted)| (*exposed, *converted));
                let converted = goal.map(|_| converted);
                let rate =
                    converted.filter(|_| exposed > 0).map(|converted| converted as f64 / exposed as f64);
                Bucket { name: (*name).to_owned(), exposed, converted, rate }
            })
            .collect();
        let against = buckets.iter().find(|bucket| bucket.name == holdout).or(buckets.first());
        let others =
            buckets.iter().filter(|bucket| against.is_some_and(|against| against.name != bucket.name));
        let comparisons = match against {
            Some(against) if goal.is_some() => others.map(|bucket| compared(bucket, against)).collect(),
            _ => Vec::new(),
        };
        let goal = goal.map(str::to_owned);
        Self { experience: experience.to_owned(), goal, buckets, comparisons }
    }
}

fn compared(bucket: &Bucket, against: &Bucket) -> Comparison {
    let counts = |bucket: &Bucket| (bucket.converted.unwrap_or(0), bucket.exposed);
    let (one, other) = (counts(bucket), counts(against));
    let few = [one, other].iter().any(|(reached, of)| (*reached).min(of.saturating_sub(*reached)) < FEW);
    let lift =
        bucket.rate.zip(against.rate).filter(|(_, other)| *other > 0.0).map(|(one, other)| one / other - 1.0);
    let interval = ratio(one, other).map(|(low, high)| [Some(low - 1.0), high.map(|high| high - 1.0)]);
    let (variant, against) = (bucket.name.clone(), against.name.clone());
    Comparison { variant, against, lift, interval, confidence: CONFIDENCE, few }
}

/// Between which values the ratio of two shares lies: Koopman's asymptotic score interval (P. A. R. Koopman,
/// "Confidence intervals for the ratio of two binomial proportions", Biometrics 40, 1984; recommended by Fagerland,
/// Lydersen and Laake, Statistical Methods in Medical Research 24, 2015). It holds the ratios that Pearson's
/// chi-squared test does not reject, so it also says something where a count is 0. None where both are.
fn ratio(one: (u64, u64), other: (u64, u64)) -> Option<(f64, Option<f64>)> {
    let ((x, m), (y, n)) = (one, other);
    if m == 0 || n == 0 || (x == 0 && y == 0) {
        return None;
    }
    let [x, m, y, n] = [x, m, y, n].map(|count| count as f64);
    let accepts = |ratio: f64| deviance((x, m), (y, n), ratio) <= CHI_SQUARED;
    // Where nobody of the other reached it, the ratio has no upper end, and no estimate to begin with.
    let estimate = (y > 0.0).then(|| (x / m) / (y / n));
    let low = match estimate {
        Some(0.0) => 0.0,
        estimate => edge(estimate.unwrap_or(GREAT), 0.5, accepts),
    };
    let high = estimate.map(|estimate| match estimate {
        0.0 => edge(SMALL, 2.0, accepts),
        estimate => edge(estimate, 2.0, accepts),
    });
    Some((low, high))
}

/// Ratios that stand for one without end, and for none.
const GREAT: f64 = 1e9;
const SMALL: f64 = 1e-9;

/// How far from a ratio that is accepted, downwards or upwards, others are: the last one, to ten digits.
fn edge(from: f64, factor: f64, accepts: impl Fn(f64) -> bool) -> f64 {
    let (mut within, mut beyond) = (from, from * factor);
    while accepts(beyond) && (SMALL..=GREAT).contains(&beyond) {
        (within, beyond) = (beyond, beyond * factor);
    }
    for _ in 0..40 {
        let middle = f64::midpoint(within, beyond);
        if accepts(middle) { within = middle } else { beyond = middle }
    }
    within
}

/// Pearson's chi-squared of two counts, were the first share so many times the second one.
fn deviance(one: (f64, f64), other: (f64, f64), ratio: f64) -> f64 {
    let ((x, m), (y, n)) = (one, other);
    // The likeliest first share under that ratio: the smaller root of a square, without cancellation.
    let half = (ratio * (m + y) + x + n) / (2.0 * (m + n));
    let product = ratio * (x + y) / (m + n);
    let share = product / (half + (half * half - product).max(0.0).sqrt());
    let share = share.clamp(0.0, 1.0);
    squared(x, m, share) + squared(y, n, share / ratio)
}

/// How far a count is from what a share of its number would be, squared, in units of its variance.
fn squared(count: f64, of: f64, share: f64) -> f64 {
    let (left, variance) = (count - of * share, of * share * (1.0 - share));
    // As sure as that, it is just so, or cannot be.
    if variance > of * f64::EPSILON {
        left * left / variance
    } else if left.abs() <= of * 1e-9 {
        0.0
    } else {
        f64::INFINITY
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: Option<(f64, Option<f64>)>, low: f64, high: Option<f64>, by: f64) -> bool {
        let (l, h) = found.unwrap();
        (l - low).abs() <= by
            && h.is_some() == high.is_some()
            && (h.unwrap_or(0.0) - high.unwrap_or(0.0)).abs() <= by
    }

    #[test]
    fn the_interval_is_that_of_published_examples() {
        // Koopman 1984: 36 of 40 against 16 of 80, 95 %: 2.94 to 7.15.
        assert!(close(ratio((36, 40), (16, 80)), 2.94, Some(7.15), 0.006), "{:?}", ratio((36, 40), (16, 80)));
        // Gart and Nam, Biometrics 44, 1988: 8 of 15 against 4 of 15, without their correction: 0.815 to 5.336.
        assert!(close(ratio((8, 15), (4, 15)), 0.815, Some(5.336), 0.0006), "{:?}", ratio((8, 15), (4, 15)));
    }

    #[test]
    fn it_holds_what_the_chi_squared_test_does_not_reject() {
        for (one, other) in
            [((120, 1000), (100, 1000)), ((5, 50), (9, 20)), ((3, 4000), (2, 90)), ((40, 40), (79, 80))]
        {
            let (low, high) = ratio(one, other).unwrap();
            let counts = |(x, m): (u64, u64)| (x as f64, m as f64);
            for end in [low, high.unwrap()] {
                let there = deviance(counts(one), counts(other), end);
                assert!((there - CHI_SQUARED).abs() < 1e-4, "{one:?} {other:?} {end}: {there}");
            }
            // The other way round it is the same interval, turned over.
            let (low_again, high_again) = ratio(other, one).unwrap();
            assert!(
                (low * high_again.unwrap() - 1.0).abs() < 1e-4
                    && (high.unwrap() * low_again - 1.0).abs() < 1e-4
            );
        }
    }

    #[test]
    fn nothing_and_everything_are_no_division_by_zero() {
        assert_eq!(ratio((0, 10), (0, 10)), None);
        assert_eq!(ratio((0, 0), (1, 10)), None);
        assert_eq!(ratio((1, 10), (0, 0)), None);
        let (low, high) = ratio((0, 100), (10, 100)).unwrap();
        assert!(low == 0.0 && high.unwrap() > 0.1 && high.unwrap() < 1.0, "{high:?}");
        let (low, high) = ratio((10, 100), (0, 100)).unwrap();
        assert!(low > 1.0 && low < 10.0 && high.is_none(), "{low}");
        let (low, high) = ratio((10, 10), (10, 10)).unwrap();
        assert!(low > 0.5 && low < 1.0 && (high.unwrap() * low - 1.0).abs() < 1e-4, "{low} {high:?}");
    }

    #[test]
    fn every_variant_is_compared_with_those_left_alone() {
        let counted = |name: &str, exposed, converted| (name.to_owned(), exposed, converted);
        let counts = [counted("b", 1000, 150), counted("holdout", 1000, 100), counted("gone", 5, 5)];
        let results =
            Results::new("hero", Some("ActivityType eq 'order'"), &["a", "b", "holdout"], "holdout", &counts);
        let json = serde_json::to_value(&results).unwrap();
        assert_eq!(json["buckets"][0], serde_json::json!({ "name": "a", "exposed": 0, "converted": 0 }));
        assert_eq!(json["buckets"][1]["rate"], 0.15);
        let [a, b] = results.comparisons.as_slice() else { panic!("{results:?}") };
        assert_eq!((a.lift, a.interval, a.few), (None, None, true));
        assert!((b.lift.unwrap() - 0.5).abs() < 1e-9 && !b.few && b.against == "holdout");
        let [Some(low), Some(high)] = b.interval.unwrap() else { panic!("{b:?}") };
        assert!(low > 0.0 && low < 0.5 && high > 0.5 && high < 1.0, "{low} {high}");
    }

    #[test]
    fn without_anybody_held_out_the_first_variant_is_what_others_are_compared_with() {
        let counts = [("a".to_owned(), 100, 20), ("b".to_owned(), 100, 30)];
        let results = Results::new("hero", Some("x"), &["a", "b"], "holdout", &counts);
        let [b] = results.comparisons.as_slice() else { panic!("{results:?}") };
        assert_eq!((b.variant.as_str(), b.against.as_str()), ("b", "a"));
    }

    #[test]
    fn without_a_goal_there_are_exposures_alone() {
        let results =
            Results::new("hero", None, &["treated", "holdout"], "holdout", &[("treated".to_owned(), 3, 0)]);
        let buckets =
            serde_json::json!([{ "name": "treated", "exposed": 3 }, { "name": "holdout", "exposed": 0 }]);
        assert_eq!(serde_json::to_value(&results.buckets).unwrap(), buckets);
        assert!(results.comparisons.is_empty());
    }
}

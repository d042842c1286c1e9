//! What became of whoever was shown an experience: in which bucket they saw it first, and whether they
//! reached its goal then. A function of the set of a profile's signals like everything else of it (law 1): the
//! oldest exposure and the newest activity that is a goal, each kept by a counter, so a merge, an unlink,
//! retention and any order of arrival lead to what counting from scratch would.

use serde::{Deserialize, Serialize};

use crate::activity::{ActivityField, EXPOSURES};
use crate::collections::Map;
use crate::counter::{Aggregate, Counter, CounterId, Counting};
use crate::definitions::Definitions;
use crate::expr::resolve;
use crate::expr::{Expr, ExprError, Scalar, TextTest};
use crate::time::Timestamp;

/// What is counted of one experience.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Trial {
    experience: String,
    exposures: CounterId,
    goals: Option<CounterId>,
}

impl Trial {
    /// Of an experience with this goal; with what is to be counted for it.
    pub(crate) fn compile(experience: &str, goal: Option<&str>) -> Result<(Self, Vec<Counting>), ExprError> {
        // What a signal must have for this: cheap to look up. The bucket is read exactly.
        let shown = Expr::Text(
            TextTest::Contains,
            Box::new(Expr::Field(ActivityField::Wire(EXPOSURES.to_owned()))),
            Box::new(Expr::Constant(Scalar::Text(format!("{experience}:")))),
        );
        let bucket = ActivityField::Exposure(experience.to_owned());
        let exposures = Counting::values(Some(shown), Aggregate::First, Some(bucket), None);
        let goals = goal.map(goals).transpose()?;
        let trial = Self {
            experience: experience.to_owned(),
            exposures: exposures.id,
            goals: goals.as_ref().map(|goals| goals.id),
        };
        Ok((trial, std::iter::once(exposures).chain(goals).collect()))
    }

    fn of(&self, definitions: &Definitions, states: &Map<CounterId, Counter>) -> Option<Outcome> {
        let (exposed, bucket) = definitions.counter(self.exposures, states)?.1.oldest()?;
        let newest = self.goals.and_then(|goals| definitions.counter(goals, states)?.1.newest());
        Some(Outcome {
            experience: self.experience.clone(),
            bucket: bucket.as_str().unwrap_or_default().to_owned(),
            exposed,
            reached: newest.filter(|reached| *reached >= exposed),
        })
    }
}

/// Counts when an activity that is the goal was last.
fn goals(goal: &str) -> Result<Counting, ExprError> {
    let filter = resolve::lasting(goal, "a goal cannot look at now()")?;
    Ok(Counting::values(Some(filter), Aggregate::Last, Some(ActivityField::Time), None))
}

/// One customer and one experience that they were shown, or held out of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The experience.
    pub experience: String,
    /// The bucket in which they saw it first; those who saw it in several, under several cookies, count there.
    pub bucket: String,
    /// When that was.
    pub exposed: Timestamp,
    /// When they last did what is the experience's goal, at that instant or later.
    pub reached: Option<Timestamp>,
}

/// The outcomes that these counters know.
pub(crate) fn all(definitions: &Definitions, states: &Map<CounterId, Counter>) -> Vec<Outcome> {
    definitions.trials.iter().filter_map(|trial| trial.of(definitions, states)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::config::Bundle;
    use crate::ids::{CookieId, StreamId};
    use crate::profile::Profile;
    use crate::reading::Reading;
    use crate::signal::{Kind, Signal, Source};

    const NOW: Timestamp = Timestamp(1000);

    fn compile(n: u64, title: &str, goal: Option<&str>, before: &Bundle) -> Definitions {
        let change = json!({ "selector": "h1", "action": "setText", "value": title });
        let hero = json!({ "pages": ["/"], "changes": [change], "goal": goal });
        let mut bundle: Bundle =
            serde_json::from_value(json!({ "n": n, "experiences": { "hero": hero } })).unwrap();
        bundle.follow(before);
        Definitions::compile(bundle).unwrap()
    }

    fn signal(seq: u64, time: i64, kind: Kind, fields: Value) -> Signal {
        let Value::Object(fields) = fields else { panic!() };
        let (stream, source) = (StreamId::from_bits(1), Source::Browser);
        Signal { stream, seq, time: Timestamp(time), kind, source, fields }
    }

    fn folded(definitions: &Definitions, signals: &[(u128, Signal)]) -> Vec<Outcome> {
        let mut profile = Profile::default();
        for (cookie, signal) in signals {
            profile.fold(definitions, signal.key(CookieId::from_bits(*cookie)), signal, NOW);
        }
        profile.outcomes(definitions)
    }

    #[test]
    fn who_saw_two_buckets_counts_where_they_saw_the_first_and_only_a_goal_from_then_on_is_one() {
        let definitions = compile(1, "x", Some("ActivityType eq 'order'"), &Bundle::default());
        let shown = |seq, time, exposures: &str| {
            signal(seq, time, Kind::View, json!({ "uri": "/", "exposures": exposures }))
        };
        let order = |seq, time| signal(seq, time, Kind::Event, json!({ "name": "order" }));
        let early =
            [(1, shown(1, 50, "other:b,hero:treated")), (2, shown(2, 40, "hero:holdout")), (1, order(3, 39))];
        let outcome = |reached: Option<i64>| Outcome {
            experience: "hero".to_owned(),
            bucket: "holdout".to_owned(),
            exposed: Timestamp(40),
            reached: reached.map(Timestamp),
        };
        assert_eq!(folded(&definitions, &early), [outcome(None)]);
        let at_once: Vec<_> = early.iter().cloned().chain([(1, order(4, 40))]).collect();
        assert_eq!(folded(&definitions, &at_once), [outcome(Some(40))]);
        let twice: Vec<_> = at_once.iter().cloned().chain([(2, order(5, 90)), (2, order(6, 70))]).collect();
        assert_eq!(folded(&definitions, &twice), [outcome(Some(90))]);
    }

    #[test]
    fn what_names_no_bucket_is_no_exposure() {
        let definitions = compile(1, "x", None, &Bundle::default());
        let long = format!("hero:{}", "x".repeat(65));
        for exposures in ["", "hero", "hero:", "heroes:a", "Hero:a", "a:hero", ":hero", long.as_str()] {
            let view = signal(1, 1, Kind::View, json!({ "exposures": exposures }));
            assert_eq!(folded(&definitions, &[(1, view)]), [], "{exposures}");
        }
        let user = signal(1, 1, Kind::User, json!({ "exposures": "hero:a" }));
        assert_eq!(folded(&definitions, &[(1, user)]), []);
    }

    #[test]
    fn only_another_goal_sends_profiles_back_to_their_timelines() {
        let goal = Some("ActivityType eq 'order'");
        let first = compile(1, "x", goal, &Bundle::default());
        let mut profile = Profile::default();
        profile.adopt(&first, &mut Vec::new());
        let reworded = compile(2, "y", goal, &first.bundle);
        assert_eq!(profile.missing(&reworded), []);
        let unnoted = Bundle { since: Map::new(), ..first.bundle.clone() };
        assert_eq!(profile.missing(&compile(2, "x", goal, &unnoted)).len(), 2, "it was never counted");
        let aimed = compile(2, "x", Some("ActivityType eq 'signup'"), &first.bundle);
        assert_eq!(profile.missing(&aimed).len(), 2);
    }

    #[test]
    fn a_signal_is_not_tried_for_experiences_that_it_does_not_name() {
        let change = json!({ "selector": "h1", "action": "setText", "value": "x" });
        let all: serde_json::Map<_, _> = (0..200)
            .map(|i| {
                (
                    format!("experience-{i:03}"),
                    json!({ "pages": ["/"], "changes": [change], "goal": "ActivityType eq 'order'" }),
                )
            })
            .collect();
        let bundle = serde_json::from_value(json!({ "experiences": all })).unwrap();
        let definitions = Definitions::compile(bundle).unwrap();
        let tried = |fields| {
            definitions.reach.counters(&Reading::of(&signal(1, 1, Kind::View, fields))).iter().count()
        };
        assert_eq!(tried(json!({ "uri": "/" })), 0);
        assert!(tried(json!({ "exposures": "experience-017:treated" })) < 12);
    }

    #[test]
    fn a_goal_looks_at_no_clock() {
        let change = json!({ "selector": "h1", "action": "setText", "value": "x" });
        let hero =
            json!({ "pages": ["/"], "changes": [change], "goal": "ActivityTime gt now() sub duration'P1D'" });
        let bundle = serde_json::from_value(json!({ "experiences": { "hero": hero } })).unwrap();
        assert_eq!(Definitions::compile(bundle).unwrap_err().code(), "unsupported_in_definition");
    }
}

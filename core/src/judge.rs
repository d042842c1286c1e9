//! What an imported row alone says of a customer. Of a customer without signals the row and the
//! definitions are all there is, so no object is needed to fold them.

use crate::definitions::Definitions;
use crate::membership::{Cause, Move};
use crate::profile::{Imported, Profile};
use crate::time::Timestamp;

/// Segments that a customer without an object enters and leaves by this row, who was in those of `before`.
/// A segment that is no more is left, too.
pub fn judge(
    definitions: &Definitions,
    row: Imported,
    before: Vec<(String, Timestamp)>,
    now: Timestamp,
) -> (Vec<String>, Vec<String>) {
    // None of its rows is ever written: the index keeps memberships, and nothing else, of who has no object.
    let mut unwritten = Vec::new();
    let mut profile = Profile::default();
    profile.inherit(before, &mut unwritten);
    profile.import(definitions, row, now);
    profile.evaluate(definitions, now, Cause::Import, &mut unwritten);
    let (entered, left): (Vec<_>, Vec<_>) = profile.take_moves().into_iter().partition(|moved| moved.entered);
    let names = |moves: Vec<Move>| moves.into_iter().map(|moved| moved.segment).collect();
    (names(entered), names(left))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn definitions(segments: &serde_json::Value) -> Definitions {
        let bundle = json!({
            "tables": { "T": { "primaryKey": "Id", "columns": { "Tier": "string" } } },
            "measures": { "Spent": { "aggregate": "sum", "property": "total" } },
            "segments": segments,
        });
        Definitions::compile(serde_json::from_value(bundle).unwrap()).unwrap()
    }

    fn row(tier: &str) -> Imported {
        serde_json::from_value(json!({ "version": 1, "values": { "Id": "A", "Tier": tier } })).unwrap()
    }

    fn before(names: &[&str]) -> Vec<(String, Timestamp)> {
        names.iter().map(|name| ((*name).to_owned(), Timestamp(5))).collect()
    }

    #[test]
    fn only_the_difference_is_entered_and_left() {
        let definitions = definitions(&json!({
            "Gold": { "filter": "Tier eq 'Gold'" },
            "Over": { "filter": "IsMemberOfSegment('Gold') and Measures/Spent eq null" },
            "Plain": { "filter": "Tier eq 'Plain'" },
            "Quiet": { "filter": "UnifiedActivity/$count eq 0" },
            "Resting": { "filter": "Tier ne null", "active": false },
        }));
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let judged = |tier, was: &[&str]| judge(&definitions, row(tier), before(was), Timestamp(9));
        assert_eq!(
            judged("Gold", &[]),
            (names(&["Gold", "Quiet", "Over"]), names(&[])),
            "each after those it asks about"
        );
        assert_eq!(judged("Gold", &["Gold", "Over", "Quiet"]), (names(&[]), names(&[])));
        assert_eq!(
            judged("Plain", &["Gold", "Over", "Quiet"]),
            (names(&["Plain"]), names(&["Gold", "Over"]))
        );
        // Deleted, or at rest: nobody is in them.
        assert_eq!(
            judged("Plain", &["Gone", "Plain", "Quiet", "Resting"]),
            (names(&[]), names(&["Gone", "Resting"]))
        );
    }
}

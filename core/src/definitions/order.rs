//! Segments in an order in which each comes after those it asks about; a circle has none.

use super::DefinitionError;
use crate::collections::Map;
use crate::config::{Bundle, SEGMENT};
use crate::expr::resolve::CustomerField;
use crate::expr::{Expr, ExprError, place_of_call};

/// A name and its filter.
type Segment = (String, Expr<CustomerField>);

/// Each after what it asks about; where there is a choice, as they came.
pub(super) fn after_what_they_ask(
    segments: Vec<Segment>,
    bundle: &Bundle,
) -> Result<Vec<Segment>, DefinitionError> {
    let places: Map<&str, usize> =
        Map::gathered(segments.iter().zip(0..).map(|((name, _), place)| (name.as_str(), place)).collect());
    // By place: who asks, and how many it still waits for.
    let mut askers = vec![Vec::new(); segments.len()];
    let mut waits = vec![0_usize; segments.len()];
    for ((_, filter), place) in segments.iter().zip(0..) {
        filter.walk(&mut |node| {
            let Expr::Field(CustomerField::Member(name)) = node else { return };
            // Who is not active has no members and waits for nobody.
            let Some(asked) = places.get(name.as_str()) else { return };
            if let (Some(askers), Some(waits)) = (askers.get_mut(*asked), waits.get_mut(place)) {
                askers.push(place);
                *waits += 1;
            }
        });
    }
    let ready = waits.iter().zip(0..).filter(|(waits, _)| **waits == 0).map(|(_, place)| place);
    let mut order: Vec<usize> = ready.collect();
    let mut done = 0;
    while let Some(place) = order.get(done).copied() {
        done += 1;
        for asker in askers.get(place).into_iter().flatten() {
            let Some(waits) = waits.get_mut(*asker) else { continue };
            *waits -= 1;
            if *waits == 0 {
                order.push(*asker);
            }
        }
    }
    if order.len() < segments.len() {
        return Err(circle(&segments, &askers, &waits, bundle));
    }
    let mut segments: Vec<Option<Segment>> = segments.into_iter().map(Some).collect();
    Ok(order.into_iter().filter_map(|place| segments.get_mut(place)?.take()).collect())
}

/// A circle, at the question that closes it. Whoever waits, waits for somebody that waits, and after so many
/// steps as there are segments that is somebody met before; of the circle, the one that changed last made it.
fn circle(segments: &[Segment], askers: &[Vec<usize>], waits: &[usize], bundle: &Bundle) -> DefinitionError {
    let stuck = |place: usize| waits.get(place).is_some_and(|waits| *waits > 0);
    let mut asked_by = vec![0; segments.len()];
    for (asked, askers) in askers.iter().enumerate().filter(|(asked, _)| stuck(*asked)) {
        for asker in askers {
            if let Some(known) = asked_by.get_mut(*asker) {
                *known = asked;
            }
        }
    }
    let asked = |place: usize| asked_by.get(place).copied().unwrap_or(place);
    let name = |place: usize| segments.get(place).map(|(name, _)| name.as_str()).unwrap_or_default();
    let since = |place: usize| bundle.since(SEGMENT, name(place));
    let mut place = waits.iter().position(|waits| *waits > 0).unwrap_or(0);
    for _ in segments {
        place = asked(place);
    }
    let mut last = place;
    for _ in segments {
        place = asked(place);
        if since(place) > since(last) {
            last = place;
        }
    }
    let filter = bundle.segments.get(name(last)).map(|segment| segment.filter.as_str());
    let at = place_of_call(filter.unwrap_or_default(), "ismemberofsegment", Some(name(asked(last))));
    let message = "the segment would refer to itself, directly or through others".to_owned();
    let error = ExprError { code: "segment_cycle", at, message };
    DefinitionError::Filter { what: format!("segment {}", name(last)), error }
}

//! Which segments and audiences a profile is in. Only filters that something has touched since are
//! evaluated; what time alone does is done at its instants, one after the other, before anything that
//! comes later.

use std::cell::RefCell;

use super::{Evaluated, Profile};
use crate::activity;
use crate::collections::{Map, Set};
use crate::counter::{Counter, CounterId, Counting};
use crate::definitions::Definitions;
use crate::effects::{Table, Write};
use crate::expr::resolve::CustomerField;
use crate::expr::{Expr, Scalar, eval};
use crate::membership::{Cause, Membership, Move};
use crate::mutants::planted;
use crate::places::{Place, Places};
use crate::time::Timestamp;
use crate::work;

/// Measures as of one instant.
type Measures = RefCell<Map<CounterId, Scalar>>;

impl Profile {
    /// Evaluates what was touched, each filter after those it asks about, so that one pass moves all of
    /// them. `cause` is what touched it. Says whether anything changed since this was last asked.
    pub fn evaluate(
        &mut self,
        definitions: &Definitions,
        now: Timestamp,
        cause: Cause,
        out: &mut Vec<Write>,
    ) -> bool {
        self.pass(definitions, now);
        if self.head.evaluated.is_some() {
            self.settle(definitions, now, cause);
        } else {
            self.evaluate_all(definitions, now, cause);
        }
        let changed = std::mem::take(&mut self.stirred) || !self.moved.is_empty();
        for name in std::mem::take(&mut self.moved) {
            out.push(match self.memberships.get(&name) {
                Some(membership) => Write::put(Table::Membership, &name, membership),
                None => Write::delete(Table::Membership, &name),
            });
        }
        changed
    }

    /// Lets time pass until `now`, if filters were ever evaluated: what it moves, moves at its instant.
    /// With other definitions than before, or an earlier clock, all of them are evaluated.
    pub(super) fn pass(&mut self, definitions: &Definitions, now: Timestamp) {
        let Some(Evaluated { n, mut at }) = self.head.evaluated else { return };
        if n != definitions.bundle.n && !planted(51) {
            return self.evaluate_all(definitions, now, Cause::Definition);
        }
        if now < at {
            // What has already come into a window may be ahead of it again.
            let shows = self.windows(definitions).any(|(_, counting, _)| counting.steps.is_none());
            self.stirred |= shows;
            return self.evaluate_all(definitions, now, Cause::Time);
        }
        if now == at {
            return;
        }
        // A measure is something that readers see, also where no filter asks for it.
        self.stirred |= !planted(52)
            && self.windows(definitions).any(|(_, counting, counter)| {
                counting.steps.is_none() && counter.next_change(counting, at).is_some_and(|next| next <= now)
            });
        while let Some(next) = self.next_touch(definitions, at).filter(|next| *next <= now) {
            self.touch_at(definitions, at, next);
            at = next;
            self.settle(definitions, at, Cause::Time);
        }
        self.head.evaluated = Some(Evaluated { n, at: now });
    }

    /// Counters of moving windows, with their places.
    fn windows<'a>(
        &'a self,
        definitions: &'a Definitions,
    ) -> impl Iterator<Item = (Place, &'a Counting, &'a Counter)> {
        self.counters.iter().filter(|(_, counter)| counter.has_recent()).filter_map(|(id, counter)| {
            let place = definitions.counters.position(id)?;
            let (_, counting) = definitions.counters.nth(place)?;
            Some((place as Place, counting, counter))
        })
    }

    /// The first instant after `at` that touches a filter.
    fn next_touch(&self, definitions: &Definitions, at: Timestamp) -> Option<Timestamp> {
        let asked =
            self.windows(definitions).filter(|(place, ..)| !definitions.reach.of_counter(*place).is_empty());
        asked.filter_map(|(_, counting, counter)| counter.next_change(counting, at)).min()
    }

    /// Touches whom the instant `next`, the first after `at` that touches anybody, can move.
    fn touch_at(&mut self, definitions: &Definitions, at: Timestamp, next: Timestamp) {
        let mut touched: Vec<Place> = Vec::new();
        for (place, counting, counter) in self.windows(definitions) {
            if counter.next_change(counting, at) == Some(next) {
                touched.extend(definitions.reach.of_counter(place));
            }
        }
        self.touch(&touched);
    }

    fn evaluate_all(&mut self, definitions: &Definitions, now: Timestamp, cause: Cause) {
        let gone = self.memberships.keys().filter(|name| !definitions.reach.has_segment(name));
        for name in gone.cloned().collect::<Vec<_>>() {
            self.relocate(&name, false, now, cause);
        }
        let (audiences, stirred) = (std::mem::take(&mut self.head.audiences), self.stirred);
        self.touched = Places::all(definitions.segments.len() + definitions.experiences.len());
        self.settle(definitions, now, cause);
        self.stirred = stirred || self.head.audiences != audiences;
        self.head.evaluated = Some(Evaluated { n: definitions.bundle.n, at: now });
    }

    /// Evaluates the touched filters as of `at`, and whoever asks about those that moved.
    fn settle(&mut self, definitions: &Definitions, at: Timestamp, cause: Cause) {
        let mut queue = std::mem::take(&mut self.touched);
        let mut flipped = Set::default();
        // A measure is made once for all who ask for it.
        let measures = RefCell::new(Map::new());
        let mut from = 0;
        while let Some(place) = queue.next(from) {
            from = place.saturating_add(1);
            let index = place as usize;
            if let Some((name, filter)) = definitions.segments.get(index) {
                let is_in = self.holds(definitions, filter, at, &measures);
                if is_in == self.memberships.contains_key(name) {
                    continue;
                }
                self.relocate(name, is_in, at, cause);
                // All of them have later places.
                for asker in definitions.reach.of_segment(place).iter().filter(|_| !planted(53)) {
                    queue.insert(*asker);
                }
            } else if let Some(e) = definitions.experiences.get(index - definitions.segments.len()) {
                let audience = e.audience.as_ref();
                let is_in = audience.is_none_or(|filter| self.holds(definitions, filter, at, &measures));
                if is_in != self.head.audiences.contains(&e.name) {
                    flipped.insert(e.name.clone());
                }
            }
        }
        if !flipped.is_empty() {
            self.stirred = true;
            let held: Set<String> = std::mem::take(&mut self.head.audiences).into_iter().collect();
            let names = definitions.experiences.iter().map(|experience| &experience.name);
            let now_in = names.filter(|name| held.contains(name) != flipped.contains(name));
            self.head.audiences = now_in.cloned().collect();
        }
    }

    /// Enters a segment, or leaves it.
    fn relocate(&mut self, name: &str, is_in: bool, at: Timestamp, cause: Cause) {
        if is_in {
            self.memberships.insert(name.to_owned(), Membership { since: at, cause: Some(cause) });
        } else {
            self.memberships.remove(name);
        }
        self.moved.push(name.to_owned());
        self.moves.push(Move { segment: name.to_owned(), entered: is_in, at, cause });
    }

    /// What moves is what leads from the memberships that others were `told` of to those that are.
    pub fn move_from(&mut self, told: &[String]) {
        let moves = std::mem::take(&mut self.moves);
        let left = told.iter().filter(|name| !self.memberships.contains_key(name.as_str()));
        self.moves.extend(left.filter_map(|name| {
            moves.iter().rfind(|moved| moved.segment == *name && !moved.entered).cloned()
        }));
        let entered = self.memberships.iter().filter(|(name, _)| !told.contains(name) || planted(60));
        self.moves.extend(entered.map(|(name, membership)| Move {
            segment: name.clone(),
            entered: true,
            at: membership.since,
            cause: membership.cause.unwrap_or(Cause::Import),
        }));
    }

    /// As of when memberships, and the measures that are shown with them, are; `now`, if never evaluated.
    pub(super) fn as_of(&self, now: Timestamp) -> Timestamp {
        self.head.evaluated.map_or(now, |evaluated| evaluated.at)
    }

    /// Until when what was evaluated holds: the first instant that is not evaluated yet and may change
    /// something. It lies before `now` where nobody came when it was due.
    pub fn holds_until(&self, definitions: &Definitions, now: Timestamp) -> Option<Timestamp> {
        self.next_change(definitions, self.as_of(now))
    }

    /// The next instant after `now` at which time alone may change a membership or a measure.
    pub fn next_change(&self, definitions: &Definitions, now: Timestamp) -> Option<Timestamp> {
        let windows = self.windows(definitions);
        windows.filter_map(|(_, counting, counter)| counter.next_change(counting, now)).min()
    }

    fn holds(
        &self,
        definitions: &Definitions,
        filter: &Expr<CustomerField>,
        now: Timestamp,
        measures: &Measures,
    ) -> bool {
        work::evaluated();
        eval::holds(filter, &|field| self.field(definitions, field, now, measures), now)
    }

    fn field(
        &self,
        definitions: &Definitions,
        field: &CustomerField,
        now: Timestamp,
        measures: &Measures,
    ) -> Scalar {
        match field {
            CustomerField::Attribute(name) => activity::scalar(self.attribute(name)),
            CustomerField::Measure(name) => {
                let Some(id) = definitions.measures.get(name) else { return Scalar::Null };
                let made = || {
                    let (counting, counter) = definitions.counter(*id, &self.counters)?;
                    Some(counter.value(counting, now))
                };
                let mut measures = measures.borrow_mut();
                measures.get_or_insert_with(*id, || activity::scalar(made().as_ref())).clone()
            }
            CustomerField::Count(id) => match definitions.counter(*id, &self.counters) {
                Some((counting, counter)) => Scalar::Number(counter.count_at(counting, now) as f64),
                None => Scalar::Null,
            },
            CustomerField::Member(name) => Scalar::Bool(self.memberships.contains_key(name)),
        }
    }
}

//! Which segments and audiences a profile is in. Only filters that something has touched since are
//! evaluated; what time alone does is done at its instants, one after the other, before anything that
//! comes later.

use super::{Evaluated, Profile};
use crate::activity;
use crate::collections::Set;
use crate::definitions::{Definitions, Place};
use crate::effects::{Table, Write};
use crate::expr::resolve::CustomerField;
use crate::expr::{Expr, Scalar, eval};
use crate::membership::{Cause, Membership, Move};
use crate::mutants::planted;
use crate::time::Timestamp;
use crate::work;

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
            return self.evaluate_all(definitions, now, Cause::Time);
        }
        while let Some(next) = self.next_change(definitions, at).filter(|next| *next <= now) {
            self.touch_at(definitions, at, next);
            at = next;
            self.settle(definitions, at, Cause::Time);
        }
        self.head.evaluated = Some(Evaluated { n, at: now });
    }

    /// Touches whom the instant `next`, the first after `at` at which anything changes, can move.
    fn touch_at(&mut self, definitions: &Definitions, at: Timestamp, next: Timestamp) {
        let mut touched: Vec<Place> = definitions.reach.at_edge(next).collect();
        for (id, counter) in self.counters.iter() {
            let Some(place) = definitions.counters.position(id) else { continue };
            let Some((_, counting)) = definitions.counters.nth(place) else { continue };
            if counter.next_change(counting, at) == Some(next) {
                touched.extend(definitions.reach.of_counter(place));
                // A measure is something that readers see.
                self.stirred |= counting.steps.is_none();
            }
        }
        self.touch(&touched);
    }

    fn evaluate_all(&mut self, definitions: &Definitions, now: Timestamp, cause: Cause) {
        let gone = self.memberships.keys().filter(|name| !definitions.reach.has_segment(name));
        for name in gone.cloned().collect::<Vec<_>>() {
            self.relocate(&name, false, now, cause);
        }
        let defined = |name: &String| definitions.experiences.iter().any(|e| e.name == *name);
        let audiences = self.head.audiences.len();
        self.head.audiences.retain(defined);
        self.stirred |= self.head.audiences.len() != audiences;
        let filters = definitions.segments.len() + definitions.experiences.len();
        self.touched = (0..filters as Place).collect();
        self.settle(definitions, now, cause);
        self.head.evaluated = Some(Evaluated { n: definitions.bundle.n, at: now });
    }

    /// Evaluates the touched filters as of `at`, and whoever asks about those that moved.
    fn settle(&mut self, definitions: &Definitions, at: Timestamp, cause: Cause) {
        let mut queue: Vec<Place> = std::mem::take(&mut self.touched).into_iter().collect();
        let mut flipped = Set::default();
        let mut next = 0;
        while let Some(place) = queue.get(next).copied() {
            next += 1;
            let index = place as usize;
            if let Some((name, filter)) = definitions.segments.get(index) {
                let is_in = self.holds(definitions, filter, at);
                if is_in == self.memberships.contains_key(name) {
                    continue;
                }
                self.relocate(name, is_in, at, cause);
                // All of them have later places.
                for asker in definitions.reach.of_segment(place).iter().filter(|_| !planted(53)) {
                    if let Err(place) = queue.binary_search(asker) {
                        queue.insert(place, *asker);
                    }
                }
            } else if let Some(e) = definitions.experiences.get(index - definitions.segments.len()) {
                let is_in = e.audience.as_ref().is_none_or(|audience| self.holds(definitions, audience, at));
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
        self.moved.insert(name.to_owned());
        self.moves.push(Move { segment: name.to_owned(), entered: is_in, at, cause });
    }

    /// The next instant after `now` at which time alone may change a membership or a measure.
    pub fn next_change(&self, definitions: &Definitions, now: Timestamp) -> Option<Timestamp> {
        let counters = self.counters.iter();
        let windows =
            counters.filter_map(|(id, counter)| counter.next_change(definitions.counters.get(id)?, now));
        windows.chain(definitions.reach.next_edge(now)).min()
    }

    fn holds(&self, definitions: &Definitions, filter: &Expr<CustomerField>, now: Timestamp) -> bool {
        work::evaluated();
        eval::holds(filter, &|field| self.field(definitions, field, now), now)
    }

    fn field(&self, definitions: &Definitions, field: &CustomerField, now: Timestamp) -> Scalar {
        match field {
            CustomerField::Attribute(name) => activity::scalar(self.attribute(name)),
            CustomerField::Measure(name) => {
                let measure = definitions.measures.get(name);
                let found = measure.and_then(|id| definitions.counter(*id, &self.counters));
                activity::scalar(found.map(|(counting, counter)| counter.value(counting, now)).as_ref())
            }
            CustomerField::Count(id) => match definitions.counter(*id, &self.counters) {
                Some((counting, counter)) => Scalar::Number(counter.count_at(counting, now) as f64),
                None => Scalar::Null,
            },
            CustomerField::Member(name) => Scalar::Bool(self.memberships.contains_key(name)),
        }
    }
}

//! What reaches what: from a signal to the counters that it can move, from a counter, an attribute, a
//! segment or an instant to the filters that ask for it. So the cost of a signal grows with the
//! definitions it touches, not with those there are.

use super::Definitions;
use crate::activity::ActivityField;
use crate::collections::{Map, Set};
use crate::counter::{CounterId, Counting};
use crate::expr::resolve::CustomerField;
use crate::expr::{Comparison, Expr, Scalar, TextTest};
use crate::reading::{GRAM, Reading, gram_of};

/// A filter, by its place: segments in the order in which they are evaluated, then audiences.
pub(crate) type Place = u32;

/// Who asks for what.
#[derive(Debug, Default)]
pub(crate) struct Reach {
    signals: Signals,
    /// By place of the counter.
    of_counter: Vec<Vec<Place>>,
    of_attribute: Map<String, Vec<Place>>,
    /// By place of the segment.
    of_segment: Vec<Vec<Place>>,
    /// Places of segments by name.
    places: Map<String, Place>,
}

impl Reach {
    /// Of compiled definitions: segments in their order, counters, measures and audiences.
    pub(crate) fn of(definitions: &Definitions) -> Self {
        let names = definitions.segments.iter().zip(0..).map(|((name, _), place)| (name.clone(), place));
        let places = Map::gathered(names.collect());
        let segments = definitions.segments.iter().map(|(_, filter)| Some(filter));
        let audiences = definitions.experiences.iter().map(|experience| experience.audience.as_ref());
        let mut reach = Self {
            signals: Signals::of(definitions.counters.values()),
            of_counter: vec![Vec::new(); definitions.counters.len()],
            of_attribute: Map::new(),
            of_segment: vec![Vec::new(); definitions.segments.len()],
            places,
        };
        let mut attributes = Vec::new();
        for (filter, place) in segments.chain(audiences).zip(0..) {
            let Some(filter) = filter else { continue };
            filter.walk(&mut |node| {
                let Expr::Field(field) = node else { return };
                let counter = |id: &CounterId| definitions.counters.position(id);
                let asked = match field {
                    CustomerField::Attribute(name) => {
                        attributes.push((name.clone(), place));
                        None
                    }
                    CustomerField::Measure(name) => {
                        let counter = definitions.measures.get(name).and_then(counter);
                        counter.and_then(|counter| reach.of_counter.get_mut(counter))
                    }
                    CustomerField::Count(id) => {
                        counter(id).and_then(|counter| reach.of_counter.get_mut(counter))
                    }
                    CustomerField::Member(name) => {
                        let segment = reach.places.get(name);
                        segment.and_then(|segment| reach.of_segment.get_mut(*segment as usize))
                    }
                };
                if let Some(places) = asked.filter(|places| places.last() != Some(&place)) {
                    places.push(place);
                }
            });
        }
        for (name, place) in attributes {
            reach.of_attribute.get_or_insert_with(name, Vec::new).push(place);
        }
        reach
    }

    /// Places of the counters that may count this signal, each once.
    pub(crate) fn counters(&self, read: &Reading<'_>) -> Vec<u32> {
        self.signals.candidates(read, self.of_counter.len())
    }

    /// Who asks for the counter in this place.
    pub(crate) fn of_counter(&self, counter: usize) -> &[Place] {
        self.of_counter.get(counter).map_or(&[], Vec::as_slice)
    }

    /// Who asks for an attribute.
    pub(crate) fn of_attribute(&self, name: &str) -> &[Place] {
        self.of_attribute.get(name).map_or(&[], Vec::as_slice)
    }

    /// Who asks whether somebody is in the segment of this place.
    pub(crate) fn of_segment(&self, segment: Place) -> &[Place] {
        self.of_segment.get(segment as usize).map_or(&[], Vec::as_slice)
    }

    /// The place of an active segment.
    pub(crate) fn place(&self, name: &str) -> Option<Place> {
        self.places.get(name).copied()
    }

    /// Whether an active segment has this name.
    pub(crate) fn has_segment(&self, name: &str) -> bool {
        self.places.contains_key(name)
    }
}

/// Counters by what a signal must have for them: of all that a predicate cannot do without, what the
/// fewest others need. What is found this way is still tried.
#[derive(Debug, Default)]
struct Signals {
    /// Fields that are looked at, and whether for parts of their text.
    fields: Vec<(ActivityField, bool)>,
    needs: Chains,
    /// Counters of which more than one need may be met by the same signal.
    several: Set<u32>,
    /// Counters that need nothing that could be looked up.
    others: Vec<u32>,
}

/// Something that a signal has or has not: a field, a value of it, three bytes in a row of its text. The
/// lowest two bits say which of them.
type Need = u64;

/// Most parts of one text that are considered: its last ones, since beginnings are often alike.
const GRAMS: usize = 16;

impl Signals {
    fn of<'a>(counters: impl Iterator<Item = &'a Counting>) -> Self {
        let mut signals = Self::default();
        let needs: Vec<Vec<Vec<Need>>> = counters
            .map(|counting| counting.predicate.as_ref().map_or_else(Vec::new, |it| signals.needs(it)))
            .collect();
        let all = needs.iter().flatten().flatten();
        let mut crowd = Chains::with_room(all.clone().count());
        for need in all {
            crowd.count(*need);
        }
        signals.needs = Chains::with_room(needs.len());
        for (choices, counter) in needs.into_iter().zip(0..) {
            let crowded = |choice: &Vec<Need>| choice.iter().flat_map(|need| crowd.of(*need)).sum::<u32>();
            let Some(choice) = choices.into_iter().min_by_key(crowded) else {
                signals.others.push(counter);
                continue;
            };
            let choice: Set<Need> = choice.into_iter().collect();
            if choice.iter().nth(1).is_some() {
                signals.several.insert(counter);
            }
            choice.iter().for_each(|need| signals.needs.add(*need, counter));
        }
        signals
    }

    /// What a predicate cannot do without: choices, each of them needs of which one is met at least.
    fn needs(&mut self, predicate: &Expr<ActivityField>) -> Vec<Vec<Need>> {
        match predicate {
            Expr::And(parts) => parts.iter().flat_map(|part| self.needs(part)).collect(),
            Expr::Or(parts) => {
                let choices = parts.iter().map(|part| self.needs(part).into_iter().min_by_key(Vec::len));
                choices.collect::<Option<Vec<_>>>().map(|choices| choices.concat()).into_iter().collect()
            }
            Expr::Compare(left, operator, right) => match (left.cased(), right.as_ref()) {
                (Some(field), Expr::Constant(value)) if *value != Scalar::Null => {
                    let field = self.field(field, false);
                    match operator {
                        Comparison::Eq => vec![vec![value_of(field, value)]],
                        Comparison::Ne => Vec::new(),
                        _ => vec![vec![any(field)]],
                    }
                }
                _ => Vec::new(),
            },
            Expr::In(left, items) if !items.contains(&Scalar::Null) => match left.cased() {
                Some(field) => {
                    let field = self.field(field, false);
                    vec![items.iter().map(|item| value_of(field, item)).collect()]
                }
                None => Vec::new(),
            },
            Expr::Text(TextTest::Contains | TextTest::StartsWith | TextTest::EndsWith, text, part) => {
                match (text.cased(), part.as_ref()) {
                    (Some(field), Expr::Constant(Scalar::Text(part))) => {
                        let field = self.field(field, part.len() >= GRAM);
                        let grams = part.as_bytes().windows(GRAM).rev().take(GRAMS);
                        let grams: Vec<_> = grams.map(|gram| vec![part_of(field, gram_of(gram))]).collect();
                        if grams.is_empty() { vec![vec![any(field)]] } else { grams }
                    }
                    _ => Vec::new(),
                }
            }
            _ => Vec::new(),
        }
    }

    /// The number of a field.
    fn field(&mut self, field: &ActivityField, parts: bool) -> u64 {
        let known = self.fields.iter().position(|(known, _)| known == field);
        let place = known.unwrap_or_else(|| {
            self.fields.push((field.clone(), false));
            self.fields.len() - 1
        });
        if let Some((_, by_parts)) = self.fields.get_mut(place) {
            *by_parts |= parts;
        }
        place as u64
    }

    /// Of so many counters.
    fn candidates(&self, read: &Reading<'_>, counters: usize) -> Vec<u32> {
        let mut found = self.others.clone();
        let mut several = vec![false; if self.several.is_empty() { 0 } else { counters }];
        let mut meet = |need: Need| {
            for counter in self.needs.of(need) {
                let again = self.several.contains(&counter)
                    && several.get_mut(counter as usize).is_some_and(|met| std::mem::replace(met, true));
                if !again {
                    found.push(counter);
                }
            }
        };
        for ((field, by_parts), number) in self.fields.iter().zip(0..) {
            let value = field.of(read.signal);
            if value == Scalar::Null {
                continue;
            }
            meet(any(number));
            meet(value_of(number, &value));
            if let (Scalar::Text(text), true) = (&value, *by_parts) {
                let parts = read.look_through(field, text);
                parts.grams().for_each(|gram| meet(part_of(number, gram)));
            }
        }
        found
    }
}

/// That there is a value at all.
fn any(field: u64) -> Need {
    field << 2
}

fn value_of(field: u64, value: &Scalar) -> Need {
    let mut mixed = Mixed(field);
    match value {
        Scalar::Null => {}
        Scalar::Bool(truth) => mixed.byte(u8::from(*truth)),
        // There are two zeros.
        Scalar::Number(number) => {
            (number + 0.0).to_bits().to_le_bytes().into_iter().for_each(|b| mixed.byte(b));
        }
        Scalar::Text(text) => text.bytes().for_each(|byte| mixed.byte(byte.to_ascii_lowercase())),
        Scalar::Time(time) => time.0.to_le_bytes().into_iter().for_each(|byte| mixed.byte(byte)),
    }
    (mixed.0 << 2) | 1
}

fn part_of(field: u64, gram: u32) -> Need {
    (((field << (8 * GRAM)) | u64::from(gram)) << 2) | 2
}

/// FNV-1a: short texts, and whoever finds two that collide has a predicate tried in vain.
struct Mixed(u64);

impl Mixed {
    fn byte(&mut self, byte: u8) {
        self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
}

/// Numbers by need, in a table that is made once.
#[derive(Debug, Default)]
struct Chains {
    /// By the top bits of the mixed need: one above the place of the chain's first entry.
    heads: Vec<u32>,
    /// Need, number, the next one.
    entries: Vec<(Need, u32, u32)>,
}

impl Chains {
    fn with_room(room: usize) -> Self {
        Self { heads: vec![0; room.next_power_of_two().max(2)], entries: Vec::with_capacity(room) }
    }

    fn head(&self, need: Need) -> usize {
        let mixed = need.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        mixed as usize & self.heads.len().wrapping_sub(1)
    }

    fn add(&mut self, need: Need, number: u32) {
        let head = self.head(need);
        let next = self.entries.len() as u32 + 1;
        if let Some(head) = self.heads.get_mut(head) {
            self.entries.push((need, number, std::mem::replace(head, next)));
        }
    }

    /// One more of this need: one entry, whose number is how many there were.
    fn count(&mut self, need: Need) {
        let mut next = self.heads.get(self.head(need)).copied().unwrap_or(0);
        while let Some((other, number, after)) = self.entries.get_mut((next as usize).wrapping_sub(1)) {
            if *other == need {
                *number = number.saturating_add(1);
                return;
            }
            next = *after;
        }
        self.add(need, 1);
    }

    fn of(&self, need: Need) -> impl Iterator<Item = u32> {
        let mut next = self.heads.get(self.head(need)).copied().unwrap_or(0);
        std::iter::from_fn(move || {
            let (need, number, after) = *self.entries.get((next as usize).wrapping_sub(1))?;
            next = after;
            Some((need, number))
        })
        .filter(move |(other, _)| *other == need)
        .map(|(_, number)| number)
    }
}

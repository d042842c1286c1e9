//! What reaches what: from a signal to the counters that it can move, from a counter, an attribute, a
//! segment or an instant to the filters that ask for it. So the cost of a signal grows with the
//! definitions it touches, not with those there are.

use super::Definitions;
use crate::activity::ActivityField;
use crate::collections::Map;
use crate::counter::{CounterId, Counting};
use crate::expr::resolve::CustomerField;
use crate::expr::{Comparison, Expr, Scalar, TextTest};
use crate::places::{Place, Places};
use crate::reading::{GRAM, Parts, Reading, grams_of, grams_of_part};

/// Who asks for what. Filters have places: segments in the order in which they are evaluated, then audiences.
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

    /// Places of the counters that may count this signal.
    pub(crate) fn counters(&self, read: &Reading<'_>) -> Places {
        self.signals.candidates(read)
    }

    /// Who asks for the counter in this place.
    pub(crate) fn of_counter(&self, counter: Place) -> &[Place] {
        self.of_counter.get(counter as usize).map_or(&[], Vec::as_slice)
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
    /// Fields that are looked at.
    fields: Vec<Asked>,
    needs: Chains,
    /// Counters that need nothing that could be looked up.
    others: Places,
}

/// A field, and what of it is looked up beside that it is there.
#[derive(Debug)]
struct Asked {
    field: ActivityField,
    value: bool,
    parts: bool,
}

/// Something that a signal has or has not: a field, a value of it, three bytes in a row of its text. The
/// lowest two bits say which of them.
type Need = u64;

/// In the place of a counter: no counter needs it, a condition looks for it.
const NO_COUNTER: u32 = u32::MAX;

impl Signals {
    fn of<'a>(counters: impl Iterator<Item = &'a Counting> + Clone) -> Self {
        let mut signals = Self::default();
        let needs: Vec<Vec<Vec<Need>>> = counters
            .clone()
            .map(|counting| counting.predicate.as_ref().map_or_else(Vec::new, |it| signals.needs(it)))
            .collect();
        let all = needs.iter().flatten().flatten();
        let mut crowd = Chains::with_room(all.clone().count());
        for need in all {
            crowd.count(*need);
        }
        signals.needs = Chains::with_room(needs.len().saturating_mul(4));
        for (choices, counter) in needs.into_iter().zip(0..) {
            let crowded = |choice: &Vec<Need>| choice.iter().flat_map(|need| crowd.of(*need)).sum::<u32>();
            let Some(choice) = choices.into_iter().min_by_key(crowded) else {
                signals.others.insert(counter);
                continue;
            };
            for need in &choice {
                signals.needs.add(*need, counter);
            }
        }
        // Also a part that no counter is found by is looked for, once it is tried.
        for predicate in counters.filter_map(|counting| counting.predicate.as_ref()) {
            predicate.walk(&mut |node| {
                let Expr::Text(TextTest::Contains, text, part) = node else { return };
                let (Some(field), Expr::Constant(Scalar::Text(part))) = (text.cased(), part.as_ref()) else {
                    return;
                };
                let (asked, field) = signals.asked(field);
                asked.parts |= part.len() >= GRAM;
                let needs = grams_of_part(part.as_bytes()).map(|gram| part_of(field, gram));
                let rarest = needs.min_by_key(|need| crowd.of(*need).sum::<u32>());
                if let Some(need) = rarest.filter(|need| !signals.needs.has(*need)) {
                    signals.needs.add(need, NO_COUNTER);
                }
            });
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
                    let (asked, field) = self.asked(field);
                    asked.value |= *operator == Comparison::Eq;
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
                    let (asked, field) = self.asked(field);
                    asked.value = true;
                    vec![items.iter().map(|item| value_of(field, item)).collect()]
                }
                None => Vec::new(),
            },
            Expr::Text(TextTest::Contains | TextTest::StartsWith | TextTest::EndsWith, text, part) => {
                match (text.cased(), part.as_ref()) {
                    (Some(field), Expr::Constant(Scalar::Text(part))) => {
                        let (asked, field) = self.asked(field);
                        asked.parts |= part.len() >= GRAM;
                        let grams = grams_of_part(part.as_bytes());
                        let grams: Vec<_> = grams.map(|gram| vec![part_of(field, gram)]).collect();
                        if grams.is_empty() { vec![vec![any(field)]] } else { grams }
                    }
                    _ => Vec::new(),
                }
            }
            _ => Vec::new(),
        }
    }

    /// What is asked of a field, and its number.
    fn asked(&mut self, field: &ActivityField) -> (&mut Asked, u64) {
        let known = self.fields.iter().position(|known| known.field == *field);
        let place = known.unwrap_or_else(|| {
            self.fields.push(Asked { field: field.clone(), value: false, parts: false });
            self.fields.len() - 1
        });
        #[allow(clippy::indexing_slicing)] // the place that was just found or filled
        (&mut self.fields[place], place as u64)
    }

    fn candidates(&self, read: &Reading<'_>) -> Places {
        let mut found = self.others.clone();
        let mut meet = |need: Need| {
            let counters = self.needs.of(need).filter(|counter| *counter != NO_COUNTER);
            counters.for_each(|counter| found.insert(counter));
        };
        for (Asked { field, value, parts }, number) in self.fields.iter().zip(0..) {
            let held = field.of(read.signal);
            if held == Scalar::Null {
                continue;
            }
            meet(any(number));
            if *value {
                meet(value_of(number, &held));
            }
            if let (Scalar::Text(text), true) = (&held, *parts) {
                let mut parts = Parts::of(text);
                for (gram, place) in grams_of(text.as_bytes()).zip(0..) {
                    let need = part_of(number, gram);
                    if self.needs.has(need) && parts.note(gram, place) {
                        meet(need);
                    }
                }
                read.looked_through(field, parts);
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
        let mut next = self.first(need);
        while let Some((other, number, after)) = self.entries.get_mut((next as usize).wrapping_sub(1)) {
            if *other == need {
                *number = number.saturating_add(1);
                return;
            }
            next = *after;
        }
        self.add(need, 1);
    }

    /// The chain's entries of this need.
    fn of(&self, need: Need) -> impl Iterator<Item = u32> {
        let mut from = self.first(need);
        std::iter::from_fn(move || self.next(need, &mut from))
    }

    fn has(&self, need: Need) -> bool {
        self.next(need, &mut self.first(need)).is_some()
    }

    fn first(&self, need: Need) -> u32 {
        self.heads.get(self.head(need)).copied().unwrap_or(0)
    }

    fn next(&self, need: Need, from: &mut u32) -> Option<u32> {
        while let Some((other, number, after)) = self.entries.get((*from as usize).wrapping_sub(1)) {
            *from = *after;
            if *other == need {
                return Some(*number);
            }
        }
        None
    }
}

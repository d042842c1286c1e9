//! A signal as filters look at it. A long text that many of them search is looked through once, for the bytes that they
//! ask for, and each search then looks where its rarest ones are: what a page's address costs does not grow with its
//! length times the number of filters that ask for a part of it.

use std::cell::RefCell;

use crate::activity::ActivityField;
use crate::expr::Scalar;
use crate::expr::eval::Subject;
use crate::signal::Signal;
use crate::work;

/// So many bytes in a row are looked up.
pub(crate) const GRAM: usize = 3;
/// Of what is searched for so many are considered: the last ones, since beginnings are often alike.
const GRAMS: usize = 16;

/// A signal, and the texts of it that were looked through.
pub struct Reading<'a> {
    /// The signal.
    pub signal: &'a Signal,
    texts: RefCell<Vec<(ActivityField, Parts)>>,
}

impl<'a> Reading<'a> {
    /// Nothing was looked through yet.
    pub fn of(signal: &'a Signal) -> Self {
        Self { signal, texts: RefCell::default() }
    }

    /// A field's text was looked through, and in it each part that filters may ask for has bytes that were noted.
    pub(crate) fn looked_through(&self, field: &ActivityField, parts: Parts) {
        self.texts.borrow_mut().push((field.clone(), parts));
    }
}

impl Subject<ActivityField> for Reading<'_> {
    fn value(&self, field: &ActivityField) -> Scalar {
        field.of(self.signal)
    }

    fn text(&self, field: &ActivityField) -> Option<&str> {
        field.text(self.signal)
    }

    fn contains(&self, field: &ActivityField, part: &str) -> Option<bool> {
        let texts = self.texts.borrow();
        let (_, parts) = texts.iter().find(|(known, _)| known == field)?;
        Some(parts.contains(part.as_bytes()))
    }
}

/// Where in a text some of its three bytes in a row stand, without regard to ASCII case.
pub(crate) struct Parts {
    text: Vec<u8>,
    /// By the low bits of a mixed gram: one above the place of the chain's first entry.
    heads: Vec<u32>,
    entries: Vec<Entry>,
    /// Places, each with one above the number of the one before it where the same bytes stand.
    places: Vec<(u32, u32)>,
}

struct Entry {
    gram: u32,
    /// One above the number of its last place.
    last: u32,
    /// How often it occurs.
    times: u32,
    /// One above the place of the chain's next entry.
    next: u32,
}

impl Parts {
    /// Of a text, none yet.
    pub(crate) fn of(text: &str) -> Self {
        work::looked_at(text.len());
        let heads = vec![0; text.len().next_power_of_two()];
        Self { text: text.as_bytes().to_ascii_lowercase(), heads, entries: Vec::new(), places: Vec::new() }
    }

    /// Notes where a gram stands. Says whether it did not occur so far.
    pub(crate) fn note(&mut self, gram: u32, place: u32) -> bool {
        let (head, found) = self.find(gram);
        let known = found.and_then(|entry| self.entries.get_mut(entry));
        let first = known.is_none();
        let last = self.places.len() as u32 + 1;
        let before = match (known, self.heads.get_mut(head)) {
            (Some(entry), _) => {
                entry.times += 1;
                std::mem::replace(&mut entry.last, last)
            }
            (None, Some(head)) => {
                let next = std::mem::replace(head, self.entries.len() as u32 + 1);
                self.entries.push(Entry { gram, last, times: 1, next });
                0
            }
            (None, None) => 0,
        };
        self.places.push((place, before));
        first
    }

    /// Its chain, and its entry.
    fn find(&self, gram: u32) -> (usize, Option<usize>) {
        let head = (gram.wrapping_mul(0x9e37_79b1) >> 8) as usize & self.heads.len().wrapping_sub(1);
        let mut next = self.heads.get(head).copied().unwrap_or(0);
        while let Some(entry) = self.entries.get((next as usize).wrapping_sub(1)) {
            if entry.gram == gram {
                return (head, Some(next as usize - 1));
            }
            next = entry.next;
        }
        (head, None)
    }

    /// Whether the text has a part of which some bytes were noted wherever they occur, or a shorter one.
    fn contains(&self, part: &[u8]) -> bool {
        if part.len() < GRAM {
            return part.is_empty()
                || self.text.windows(part.len()).any(|here| here.eq_ignore_ascii_case(part));
        }
        let mut rarest: Option<(&Entry, usize)> = None;
        let (mut gram, early) = (0, grams_before(part));
        for (byte, end) in part.iter().zip(1..) {
            gram = rolled(gram, *byte);
            if end < GRAM + early {
                continue;
            }
            let offset = end - GRAM;
            let entry = self.find(gram).1.and_then(|entry| self.entries.get(entry));
            let Some(entry) = entry.filter(|it| rarest.is_none_or(|(other, _)| it.times < other.times))
            else {
                continue;
            };
            rarest = Some((entry, offset));
            if entry.times == 1 {
                break;
            }
        }
        let Some((entry, offset)) = rarest else { return false };
        let mut next = entry.last;
        while let Some((place, before)) = self.places.get((next as usize).wrapping_sub(1)) {
            work::looked_at(part.len());
            let begin = (*place as usize).checked_sub(offset);
            let here = begin.and_then(|begin| self.text.get(begin..begin + part.len()));
            if here.is_some_and(|here| here.eq_ignore_ascii_case(part)) {
                return true;
            }
            next = *before;
        }
        false
    }
}

/// The grams by which a part is looked up.
pub(crate) fn grams_of_part(part: &[u8]) -> impl Iterator<Item = u32> + '_ {
    grams_of(part).skip(grams_before(part))
}

/// How many of a part's grams stand before those.
fn grams_before(part: &[u8]) -> usize {
    (part.len() + 1).saturating_sub(GRAM + GRAMS)
}

/// The gram that ends with this byte.
fn rolled(gram: u32, byte: u8) -> u32 {
    ((gram << 8) | u32::from(byte.to_ascii_lowercase())) & 0x00ff_ffff
}

/// Each three bytes in a row as a number, in lower case.
pub(crate) fn grams_of(bytes: &[u8]) -> impl Iterator<Item = u32> + '_ {
    let mut gram = 0;
    let ends = bytes.iter().map(move |byte| {
        gram = rolled(gram, *byte);
        gram
    });
    ends.skip(GRAM - 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::expr::{Comparison, Expr, TextTest, Unary, eval};
    use crate::ids::StreamId;
    use crate::signal::{Kind, Source};
    use crate::time::Timestamp;

    /// Tests of an address, of every kind that there is a shorter way for.
    fn filters(part: &str) -> Vec<Expr<ActivityField>> {
        let uri = || Box::new(Expr::Field(ActivityField::Wire("uri".to_owned())));
        let lower = || Box::new(Expr::Unary(Unary::ToLower, uri()));
        let part = || Box::new(Expr::Constant(Scalar::Text(part.to_owned())));
        let mut all = vec![
            Expr::Text(TextTest::Contains, uri(), part()),
            Expr::Text(TextTest::Contains, lower(), part()),
            Expr::Text(TextTest::StartsWith, uri(), part()),
        ];
        for operator in [Comparison::Eq, Comparison::Ne, Comparison::Lt, Comparison::Ge] {
            all.push(Expr::Compare(uri(), operator, part()));
            all.push(Expr::Compare(lower(), operator, part()));
        }
        let none = all.clone().into_iter().map(|filter| Expr::Not(Box::new(filter)));
        all.extend(none.collect::<Vec<_>>());
        all
    }

    /// A text of which everything was noted.
    fn noted(text: &str) -> Parts {
        let mut parts = Parts::of(text);
        for (gram, place) in grams_of(text.as_bytes()).zip(0..) {
            parts.note(gram, place);
        }
        parts
    }

    proptest! {
        #[test]
        fn a_filter_holds_of_what_was_looked_through_as_of_its_values(
            uri in prop_oneof![
                "[abAé/]{0,20}".prop_map(Value::from), Just(Value::Null), Just(json!(7)), Just(json!(["ab"])),
            ],
            part in "[abAé/]{0,5}",
        ) {
            let fields = json!({ "uri": uri }).as_object().cloned().unwrap();
            let (stream, time) = (StreamId::from_bits(1), Timestamp(0));
            let signal = Signal { stream, seq: 1, time, kind: Kind::View, source: Source::Browser, fields };
            let (bare, read) = (Reading::of(&signal), Reading::of(&signal));
            if let Some(text) = uri.as_str() {
                read.looked_through(&ActivityField::Wire("uri".to_owned()), noted(text));
            }
            for filter in filters(&part) {
                let expected = eval::holds(&filter, &|field: &ActivityField| field.of(&signal), time);
                prop_assert_eq!(eval::holds_of(&filter, &read, time), expected, "{:?}", &filter);
                prop_assert_eq!(eval::holds_of(&filter, &bare, time), expected, "{:?}", &filter);
            }
        }

        #[test]
        fn a_part_is_found_where_the_library_finds_it(text in "[abAé/]{0,40}", part in "[abBé/]{0,6}") {
            let expected = text.to_ascii_lowercase().contains(&part.to_ascii_lowercase());
            prop_assert_eq!(noted(&text).contains(part.as_bytes()), expected);
        }

        #[test]
        fn every_part_of_a_text_is_found_and_told_once(text in "[abé]{0,30}", from in 0..30_usize, to in 0..30_usize) {
            let bytes = text.to_ascii_lowercase().into_bytes();
            let (mut parts, mut told) = (Parts::of(&text), Vec::new());
            for (gram, place) in grams_of(text.as_bytes()).zip(0..) {
                if parts.note(gram, place) {
                    told.push(gram);
                }
            }
            if let Some(part) = bytes.get(from..to) {
                prop_assert!(parts.contains(part));
            }
            let number = |gram: &[u8]| gram.iter().fold(0, |bits, byte| (bits << 8) | u32::from(*byte));
            let mut grams: Vec<_> = bytes.windows(GRAM).map(number).collect();
            grams.sort_unstable();
            grams.dedup();
            told.sort_unstable();
            prop_assert_eq!(told, grams);
        }

        #[test]
        fn one_of_its_last_grams_is_enough_to_find_a_part(
            text in "[abé/]{0,60}", part in "[abé/]{3,24}", which in any::<prop::sample::Index>(),
        ) {
            let grams: Vec<_> = grams_of_part(part.as_bytes()).collect();
            let mut parts = Parts::of(&text);
            for (gram, place) in grams_of(text.as_bytes()).zip(0..).filter(|(gram, _)| gram == which.get(&grams)) {
                parts.note(gram, place);
            }
            prop_assert_eq!(parts.contains(part.as_bytes()), text.contains(&part));
        }
    }
}

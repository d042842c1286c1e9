//! A signal as filters look at it. A long text that many of them search is looked through once, and each search then
//! looks where its rarest part is: what a page's address costs does not grow with its length times the number of
//! filters that ask for a part of it.

use std::cell::RefCell;
use std::rc::Rc;

use crate::activity::ActivityField;
use crate::expr::Scalar;
use crate::expr::eval::Subject;
use crate::signal::Signal;
use crate::work;

/// So many bytes in a row are looked up.
pub(crate) const GRAM: usize = 3;
/// Most parts of what is searched that are compared by how often they occur.
const TRIED: usize = 16;

/// A signal, and the texts of it that were looked through.
pub struct Reading<'a> {
    /// The signal.
    pub signal: &'a Signal,
    texts: RefCell<Vec<(ActivityField, Rc<Parts>)>>,
}

impl<'a> Reading<'a> {
    /// Nothing was looked through yet.
    pub fn of(signal: &'a Signal) -> Self {
        Self { signal, texts: RefCell::default() }
    }

    /// Looks through a field's text: worth it where more than one filter is going to ask for a part of it.
    pub(crate) fn look_through(&self, field: &ActivityField, text: &str) -> Rc<Parts> {
        let parts = Rc::new(Parts::of(text));
        self.texts.borrow_mut().push((field.clone(), parts.clone()));
        parts
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

/// Where in a text each three bytes in a row stand, without regard to ASCII case.
pub(crate) struct Parts {
    text: Vec<u8>,
    /// By the low bits of a mixed gram: one above the place of the chain's first entry.
    heads: Vec<u32>,
    entries: Vec<Entry>,
    /// For each place one above the place before it where the same bytes stand.
    before: Vec<u32>,
}

struct Entry {
    gram: u32,
    /// Where it stands last.
    last: u32,
    /// How often.
    times: u32,
    /// One above the place of the chain's next entry.
    next: u32,
}

impl Parts {
    fn of(text: &str) -> Self {
        work::looked_at(text.len());
        let text = text.as_bytes().to_ascii_lowercase();
        let room = text.len().next_power_of_two();
        let mut parts =
            Self { heads: vec![0; room], entries: Vec::new(), before: Vec::with_capacity(text.len()), text };
        for at in 0..parts.text.len().saturating_sub(GRAM - 1) {
            let gram = parts.text.get(at..).map_or(0, gram_of);
            let place = at as u32;
            let (head, found) = parts.find(gram);
            let before = match found.and_then(|entry| parts.entries.get_mut(entry)) {
                Some(entry) => {
                    entry.times += 1;
                    std::mem::replace(&mut entry.last, place) + 1
                }
                None => {
                    if let Some(head) = parts.heads.get_mut(head) {
                        let next = std::mem::replace(head, parts.entries.len() as u32 + 1);
                        parts.entries.push(Entry { gram, last: place, times: 1, next });
                    }
                    0
                }
            };
            parts.before.push(before);
        }
        parts
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

    /// Each three bytes in a row, once.
    pub(crate) fn grams(&self) -> impl Iterator<Item = u32> {
        self.entries.iter().map(|entry| entry.gram)
    }

    fn contains(&self, part: &[u8]) -> bool {
        let mut rarest: Option<(&Entry, usize)> = None;
        for (offset, gram) in part.windows(GRAM).take(TRIED).map(gram_of).enumerate() {
            let Some(entry) = self.find(gram).1.and_then(|entry| self.entries.get(entry)) else {
                return false;
            };
            if rarest.is_none_or(|(other, _)| entry.times < other.times) {
                rarest = Some((entry, offset));
            }
        }
        let Some((entry, offset)) = rarest else {
            return part.is_empty()
                || self.text.windows(part.len()).any(|here| here.eq_ignore_ascii_case(part));
        };
        let mut place = entry.last + 1;
        while let Some(at) = (place as usize).checked_sub(1) {
            work::looked_at(part.len());
            let here = at.checked_sub(offset).and_then(|begin| self.text.get(begin..begin + part.len()));
            if here.is_some_and(|here| here.eq_ignore_ascii_case(part)) {
                return true;
            }
            place = self.before.get(at).copied().unwrap_or(0);
        }
        false
    }
}

/// The first three bytes as a number, in lower case.
pub(crate) fn gram_of(bytes: &[u8]) -> u32 {
    bytes.iter().take(GRAM).fold(0, |bits, byte| (bits << 8) | u32::from(byte.to_ascii_lowercase()))
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
                read.look_through(&ActivityField::Wire("uri".to_owned()), text);
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
            prop_assert_eq!(Parts::of(&text).contains(part.as_bytes()), expected);
        }

        #[test]
        fn every_part_of_a_text_is_found_and_told_once(text in "[abé]{0,30}", from in 0..30_usize, to in 0..30_usize) {
            let bytes = text.to_ascii_lowercase().into_bytes();
            let parts = Parts::of(&text);
            if let Some(part) = bytes.get(from..to) {
                prop_assert!(parts.contains(part));
            }
            let mut grams: Vec<_> = bytes.windows(GRAM).map(gram_of).collect();
            let mut told: Vec<_> = parts.grams().collect();
            grams.sort_unstable();
            grams.dedup();
            told.sort_unstable();
            prop_assert_eq!(told, grams);
        }
    }
}

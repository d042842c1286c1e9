//! A set of filters or counters by their places, a bit for each: touching is cheap, and they come out in
//! order, also those that join meanwhile.

/// A place in the order in which filters are evaluated, or in the order of the counters' names.
pub(crate) type Place = u32;

/// Places.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Places(Vec<u64>);

const BITS: u32 = u64::BITS;

impl Places {
    /// All places below `count`.
    pub(crate) fn all(count: usize) -> Self {
        let mut places = Self::default();
        (0..count as Place).for_each(|place| places.insert(place));
        places
    }

    pub(crate) fn insert(&mut self, place: Place) {
        let word = place.div_euclid(BITS) as usize;
        if word >= self.0.len() {
            self.0.resize(word.saturating_add(1), 0);
        }
        if let Some(bits) = self.0.get_mut(word) {
            *bits |= 1 << place.rem_euclid(BITS);
        }
    }

    /// All of them, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Place> + '_ {
        let mut from = 0;
        std::iter::from_fn(move || {
            let place = self.next(from)?;
            from = place.saturating_add(1);
            Some(place)
        })
    }

    /// The first place from `from` on.
    pub(crate) fn next(&self, from: Place) -> Option<Place> {
        let word = from.div_euclid(BITS);
        let rest = self.0.get(word as usize)? & (u64::MAX << from.rem_euclid(BITS));
        let words = self.0.iter().copied().zip(0..).skip(word as usize).skip(1);
        let (bits, word) = std::iter::once((rest, word)).chain(words).find(|(bits, _)| *bits != 0)?;
        Some(word.saturating_mul(BITS).saturating_add(bits.trailing_zeros()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn places_come_out_in_order(held in prop::collection::btree_set(0..300_u32, 0..40), from in 0..310_u32) {
            let mut places = Places::default();
            for place in &held {
                places.insert(*place);
            }
            prop_assert_eq!(places.next(from), held.range(from..).next().copied());
            prop_assert_eq!(Places::all(held.len()).next(from), Some(from).filter(|place| (*place as usize) < held.len()));
        }

        #[test]
        fn who_joins_later_comes_too(first in 0..200_u32, later in 1..200_u32) {
            let mut places = Places::default();
            places.insert(first);
            let found = places.next(0).unwrap();
            places.insert(found + later);
            prop_assert_eq!(places.next(found + 1), Some(first + later));
        }
    }
}

//! Which customers an import has brought already. What is held is bounded: of a very long import the last
//! quarter of a million rows at least, so that a key that comes again further on is an update.

use crate::ids::CustomerId;

/// Places of one generation; at most half of them are taken.
const PLACES: usize = 1 << 19;
/// Places to begin with.
const FEW: usize = 1 << 10;

/// Two generations: when the younger is full, the older goes.
#[derive(Default)]
pub(super) struct Seen {
    young: Keys,
    old: Keys,
}

impl Seen {
    /// Says whether this one is new.
    pub(super) fn insert(&mut self, customer: CustomerId) -> bool {
        let (CustomerId::Known(bits) | CustomerId::Unknown(bits)) = customer;
        // Zero is what an empty place holds.
        let bits = bits.max(1);
        if self.old.has(bits) {
            return false;
        }
        if self.young.held >= PLACES >> 1 {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(bits)
    }
}

/// A set of numbers that are evenly spread: names of customers are keyed hashes.
#[derive(Default)]
struct Keys {
    places: Vec<u128>,
    held: usize,
}

impl Keys {
    /// Where a number is, or would be.
    fn place(&self, bits: u128) -> Option<usize> {
        let last = self.places.len().checked_sub(1)?;
        let mut at = bits as usize & last;
        while self.places.get(at).is_some_and(|held| *held != 0 && *held != bits) {
            at = (at + 1) & last;
        }
        Some(at)
    }

    fn has(&self, bits: u128) -> bool {
        self.place(bits).and_then(|at| self.places.get(at)).is_some_and(|held| *held == bits)
    }

    fn insert(&mut self, bits: u128) -> bool {
        if self.held.saturating_mul(2) >= self.places.len() {
            let room = self.places.len().saturating_mul(2).max(FEW);
            let before = std::mem::replace(&mut self.places, vec![0; room]);
            before.into_iter().filter(|bits| *bits != 0).for_each(|bits| self.put(bits));
        }
        let new = !self.has(bits);
        if new {
            self.put(bits);
            self.held += 1;
        }
        new
    }

    fn put(&mut self, bits: u128) {
        if let Some(place) = self.place(bits).and_then(|at| self.places.get_mut(at)) {
            *place = bits;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Spread as hashes are.
    fn customer(n: u64) -> CustomerId {
        let mixed = |salt: u64| u128::from((n + 1).wrapping_mul(salt).rotate_left(29).wrapping_mul(salt));
        CustomerId::Known((mixed(0x9e37_79b9_7f4a_7c15) << 64) | mixed(0xbf58_476d_1ce4_e5b9))
    }

    #[test]
    fn a_key_is_new_once() {
        let mut seen = Seen::default();
        assert!(seen.insert(CustomerId::Known(0)) && !seen.insert(CustomerId::Known(0)));
        assert!((0..100_000).all(|n| seen.insert(customer(n))));
        assert!((0..100_000).all(|n| !seen.insert(customer(n))));
    }

    #[test]
    fn what_is_held_is_bounded_and_the_last_rows_are_in_it() {
        let mut seen = Seen::default();
        assert!((0..1_200_000).all(|n| seen.insert(customer(n))));
        assert!(seen.young.places.len() <= PLACES && seen.old.places.len() <= PLACES);
        assert!((1_200_000 - 262_144..1_200_000).all(|n| !seen.insert(customer(n))));
        assert!(seen.insert(customer(0)), "the first ones are forgotten");
    }
}

//! Maps and sets as sorted vectors. What is held in them is small, and every kind of tree, or of sorting
//! routine, of the libraries would bring 3 to 8 KB of its own into the Worker. What grows with the number
//! of definitions is [`Map::gathered`]: sorted once, by the one routine there is.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A map of a few things, in the order of their keys.
#[derive(Clone, Debug, PartialEq)]
pub struct Map<K, V>(Vec<(K, V)>);

impl<K, V> Default for Map<K, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: Ord, V> Map<K, V> {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    fn place<Q: Ord + ?Sized>(&self, key: &Q) -> Result<usize, usize>
    where
        K: Borrow<Q>,
    {
        self.0.binary_search_by(|(held, _)| held.borrow().cmp(key))
    }

    /// What stands under a key.
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let at = self.place(key).ok()?;
        self.0.get(at).map(|(_, value)| value)
    }

    /// The same, to be changed.
    pub fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let at = self.place(key).ok()?;
        self.0.get_mut(at).map(|(_, value)| value)
    }

    /// Whether something stands under a key.
    pub fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.place(key).is_ok()
    }

    /// Puts a value under a key; gives back the one that it replaces.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        match self.place(&key) {
            Ok(at) => self.0.get_mut(at).map(|(_, held)| std::mem::replace(held, value)),
            Err(at) => {
                self.0.insert(at, (key, value));
                None
            }
        }
    }

    /// What stands under a key, after `fresh` was put there if nothing did.
    pub fn get_or_insert_with(&mut self, key: K, fresh: impl FnOnce() -> V) -> &mut V {
        let at = self.place(&key).unwrap_or_else(|at| {
            self.0.insert(at, (key, fresh()));
            at
        });
        #[allow(clippy::indexing_slicing)] // the place that was just found or filled
        &mut self.0[at].1
    }

    /// The same, for one of some keys that are asked for in order, each once: `from` is where to look, and then behind it.
    pub fn get_or_insert_from(&mut self, from: &mut usize, key: K, fresh: impl FnOnce() -> V) -> &mut V {
        let rest = self.0.get(*from..).unwrap_or_default();
        // Where many are asked for it is the first of the rest.
        let at = match rest.first().map(|(held, _)| held.cmp(&key)) {
            Some(Ordering::Equal) => Ok(0),
            Some(Ordering::Less) => rest.binary_search_by(|(held, _)| held.cmp(&key)),
            Some(Ordering::Greater) | None => Err(0),
        };
        let at = match at {
            Ok(at) => from.saturating_add(at),
            Err(at) => {
                let at = from.saturating_add(at);
                self.0.insert(at, (key, fresh()));
                at
            }
        };
        *from = at.saturating_add(1);
        #[allow(clippy::indexing_slicing)] // the place that was just found or filled
        &mut self.0[at].1
    }

    /// A map of many things: as if they were inserted one after the other, in time that is not quadratic.
    pub fn gathered(items: Vec<(K, V)>) -> Self {
        let before = |left: usize, right: usize| match (items.get(left), items.get(right)) {
            (Some((left, _)), Some((right, _))) => left <= right,
            _ => true,
        };
        let order = in_order(items.len(), &before);
        let mut items: Vec<_> = items.into_iter().map(Some).collect();
        let mut sorted: Vec<(K, V)> = Vec::with_capacity(items.len());
        for item in order.into_iter().filter_map(|place| items.get_mut(place)?.take()) {
            match sorted.last_mut().filter(|last| last.0 == item.0) {
                Some(last) => *last = item,
                None => sorted.push(item),
            }
        }
        Self(sorted)
    }

    /// In which place a key stands, from 0.
    pub fn position<Q: Ord + ?Sized>(&self, key: &Q) -> Option<usize>
    where
        K: Borrow<Q>,
    {
        self.place(key).ok()
    }

    /// Takes away what stands under a key.
    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let at = self.place(key).ok()?;
        Some(self.0.remove(at).1)
    }
}

impl<K, V> Map<K, V> {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them away.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// What stands in a place.
    pub fn nth(&self, place: usize) -> Option<(&K, &V)> {
        self.0.get(place).map(|(key, value)| (key, value))
    }

    /// Keys and values.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&K, &V)> + Clone {
        self.0.iter().map(|(key, value)| (key, value))
    }

    /// Keys.
    pub fn keys(&self) -> impl Iterator<Item = &K> + Clone {
        self.0.iter().map(|(key, _)| key)
    }

    /// Values.
    pub fn values(&self) -> impl Iterator<Item = &V> + Clone {
        self.0.iter().map(|(_, value)| value)
    }

    /// Keeps those of which `keep` says so.
    pub fn retain(&mut self, mut keep: impl FnMut(&K, &V) -> bool) {
        self.0.retain(|(key, value)| keep(key, value));
    }
}

impl<K: Ord, V> Extend<(K, V)> for Map<K, V> {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, items: I) {
        for (key, value) in items {
            self.insert(key, value);
        }
    }
}

impl<K: Ord, V> FromIterator<(K, V)> for Map<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(items: I) -> Self {
        let mut map = Self::new();
        map.extend(items);
        map
    }
}

impl<K, V> IntoIterator for Map<K, V> {
    type Item = (K, V);
    type IntoIter = std::vec::IntoIter<(K, V)>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<K: Serialize, V: Serialize> Serialize for Map<K, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de, K: Ord + Deserialize<'de>, V: Deserialize<'de>> Deserialize<'de> for Map<K, V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries<K, V>(PhantomData<(K, V)>);
        impl<'de, K: Ord + Deserialize<'de>, V: Deserialize<'de>> Visitor<'de> for Entries<K, V> {
            type Value = Map<K, V>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
                let mut map = Map::new();
                while let Some((key, value)) = access.next_entry()? {
                    map.insert(key, value);
                }
                Ok(map)
            }
        }
        deserializer.deserialize_map(Entries(PhantomData))
    }
}

/// A set of a few things, in order.
#[derive(Clone, Debug, PartialEq)]
pub struct Set<K>(Map<K, ()>);

impl<K> Default for Set<K> {
    fn default() -> Self {
        Self(Map::default())
    }
}

impl<K: Ord> Set<K> {
    /// Adds one; says whether it is new.
    pub fn insert(&mut self, item: K) -> bool {
        self.0.insert(item, ()).is_none()
    }

    /// Adds one of some that are added in order, each once: `from` is where to look, and then behind it.
    pub fn insert_from(&mut self, from: &mut usize, item: K) {
        self.0.get_or_insert_from(from, item, || ());
    }

    /// Whether this one is in it.
    pub fn contains(&self, item: &K) -> bool {
        self.0.contains_key(item)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes one away; says whether it was there.
    pub fn remove(&mut self, item: &K) -> bool {
        self.0.remove(item).is_some()
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &K> {
        self.0.keys()
    }
}

impl<K> IntoIterator for Set<K> {
    type Item = K;
    type IntoIter = std::iter::Map<std::vec::IntoIter<(K, ())>, fn((K, ())) -> K>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter().map(|(item, ())| item)
    }
}

impl<K: Ord> Extend<K> for Set<K> {
    fn extend<I: IntoIterator<Item = K>>(&mut self, items: I) {
        self.0.extend(items.into_iter().map(|item| (item, ())));
    }
}

impl<K: Ord> FromIterator<K> for Set<K> {
    fn from_iter<I: IntoIterator<Item = K>>(items: I) -> Self {
        let mut set = Self::default();
        set.extend(items);
        set
    }
}

/// A few things in the order of their keys; equal ones as they came.
pub fn sorted_by_key<T, K: Ord>(items: impl IntoIterator<Item = T>, key: impl Fn(&T) -> K) -> Vec<T> {
    let mut sorted = Vec::new();
    for item in items {
        let place = sorted.partition_point(|other| key(other) <= key(&item));
        sorted.insert(place, item);
    }
    sorted
}

/// Places of `count` things so that each comes before the next; equal ones as they came. `before(a, b)`
/// says whether the thing in place `a` may come before the one in place `b`. One routine for all kinds.
pub fn in_order(count: usize, before: &dyn Fn(usize, usize) -> bool) -> Vec<usize> {
    let mut from: Vec<usize> = (0..count).collect();
    let mut width = 1;
    while width < count {
        let mut merged = Vec::with_capacity(count);
        for pair in from.chunks(width.saturating_mul(2)) {
            let (mut left, mut right) = pair.split_at(width.min(pair.len()));
            while let (Some((one, ones)), Some((other, others))) = (left.split_first(), right.split_first()) {
                if before(*one, *other) {
                    merged.push(*one);
                    left = ones;
                } else {
                    merged.push(*other);
                    right = others;
                }
            }
            merged.extend_from_slice(left);
            merged.extend_from_slice(right);
        }
        from = merged;
        width = width.saturating_mul(2);
    }
    from
}

/// A JSON object, collected one by one: `collect` would sort.
pub fn json_object(
    items: impl IntoIterator<Item = (String, serde_json::Value)>,
) -> serde_json::Map<String, serde_json::Value> {
    let mut gathered = serde_json::Map::new();
    gathered.extend(items);
    gathered
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_sorts_as_the_library_does(items in prop::collection::vec((0_u8..5, any::<u8>()), 0..40)) {
            let mut expected = items.clone();
            expected.sort_by_key(|(key, _)| *key);
            prop_assert_eq!(sorted_by_key(items, |(key, _)| *key), expected);
        }

        #[test]
        fn many_things_gathered_are_a_map_of_them(items in prop::collection::vec((0_u8..9, any::<u8>()), 0..40)) {
            let places = in_order(items.len(), &|left, right| items[left].0 <= items[right].0);
            let sorted: Vec<_> = places.into_iter().map(|place| items[place]).collect();
            prop_assert_eq!(sorted, sorted_by_key(items.clone(), |(key, _)| *key));
            prop_assert_eq!(Map::gathered(items.clone()), items.into_iter().collect());
        }

        #[test]
        fn it_holds_what_a_tree_holds(
            steps in prop::collection::vec((any::<bool>(), 0_u8..20, 0_u16..50_000), 0..80),
        ) {
            let (mut map, mut tree) = (Map::new(), BTreeMap::new());
            for (put, key, value) in steps {
                if put {
                    prop_assert_eq!(map.insert(key, value), tree.insert(key, value));
                } else {
                    prop_assert_eq!(map.remove(&key), tree.remove(&key));
                }
                // Some, in order.
                let mut from = 0;
                for key in (0..key).step_by(3) {
                    *map.get_or_insert_from(&mut from, key, || 9) += 1;
                    *tree.entry(key).or_insert(9) += 1;
                }
                *map.get_or_insert_with(0, || 7) += 1;
                *tree.entry(0).or_insert(7) += 1;
            }
            prop_assert!(map.iter().eq(tree.iter()));
            let text = serde_json::to_string(&map).unwrap();
            prop_assert_eq!(&text, &serde_json::to_string(&tree).unwrap());
            prop_assert_eq!(serde_json::from_str::<Map<u8, u16>>(&text).unwrap(), map);
        }
    }
}

//! A map that is a plain slice to whoever reads it.
//!
//! Serves the subscribers of one Topic Filter and the members of one Shared Subscription: nearly all have one
//! entry, a few have a hundred thousand, and every publish walks them all. One entry lies inline, a few are
//! searched in order, many get an index beside the slice. The order of entries means nothing and may change.

use std::{borrow::Borrow, hash::Hash, slice};

use ahash::RandomState;
use hashbrown::HashTable;

/// Up to this many entries, searching in order is faster than hashing.
const SEARCHED_IN_ORDER: usize = 16;

/// Keys and values in one slice; inserting and removing take constant time.
///
/// The hasher comes with each call, so that an entry costs no seed of its own. It must always be the same one.
#[derive(Debug)]
pub(super) struct DenseMap<K, V>(Entries<K, V>);

#[derive(Debug)]
enum Entries<K, V> {
    Empty,
    One((K, V)),
    Many(Box<Many<K, V>>),
}

#[derive(Debug)]
struct Many<K, V> {
    entries: Vec<(K, V)>,
    /// Positions in `entries` by key; empty while the entries are searched in order.
    index: HashTable<u32>,
}

impl<K, V> Default for DenseMap<K, V> {
    fn default() -> Self {
        Self(Entries::Empty)
    }
}

impl<K, V> DenseMap<K, V> {
    /// All entries, in no order.
    pub(super) fn as_slice(&self) -> &[(K, V)] {
        match &self.0 {
            Entries::Empty => &[],
            Entries::One(entry) => slice::from_ref(entry),
            Entries::Many(many) => &many.entries,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        matches!(self.0, Entries::Empty)
    }
}

impl<K: Eq + Hash, V> DenseMap<K, V> {
    pub(super) fn get<Q>(&self, hasher: &RandomState, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        match &self.0 {
            Entries::Empty => None,
            Entries::One((held, value)) => (held.borrow() == key).then_some(value),
            Entries::Many(many) => {
                let position = many.position(hasher, key)?;
                many.entries.get(position).map(|(_, value)| value)
            }
        }
    }

    /// Adds the entry, or replaces the value of a known key and returns the old one.
    pub(super) fn insert(&mut self, hasher: &RandomState, key: &K, value: V) -> Option<V>
    where
        K: Clone,
    {
        match &mut self.0 {
            Entries::Empty => {
                self.0 = Entries::One((key.clone(), value));
                None
            }
            Entries::One((held, old)) if held == key => Some(std::mem::replace(old, value)),
            Entries::One(_) => {
                if let Entries::One(first) = std::mem::replace(&mut self.0, Entries::Empty) {
                    self.0 = Entries::Many(Box::new(Many {
                        entries: vec![first, (key.clone(), value)],
                        index: HashTable::new(),
                    }));
                }
                None
            }
            Entries::Many(many) => {
                if let Some(position) = many.position(hasher, key)
                    && let Some((_, old)) = many.entries.get_mut(position)
                {
                    return Some(std::mem::replace(old, value));
                }
                many.push(hasher, (key.clone(), value));
                None
            }
        }
    }

    /// Takes the entry out. The key comes with it, so that the caller decides where it is dropped.
    pub(super) fn remove<Q>(&mut self, hasher: &RandomState, key: &Q) -> Option<(K, V)>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        match &mut self.0 {
            Entries::Empty => None,
            Entries::One((held, _)) => {
                if (*held).borrow() != key {
                    return None;
                }
                match std::mem::replace(&mut self.0, Entries::Empty) {
                    Entries::One(entry) => Some(entry),
                    Entries::Empty | Entries::Many(_) => None,
                }
            }
            Entries::Many(many) => {
                let position = many.position(hasher, key)?;
                let removed = many.swap_remove(hasher, position);
                if many.entries.len() == 1
                    && let Some(last) = many.entries.pop()
                {
                    self.0 = Entries::One(last);
                }
                Some(removed)
            }
        }
    }
}

impl<K: Eq + Hash, V> Many<K, V> {
    fn position<Q>(&self, hasher: &RandomState, key: &Q) -> Option<usize>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        if self.index.is_empty() {
            return self
                .entries
                .iter()
                .position(|(held, _)| held.borrow() == key);
        }
        let same_key = |&position: &u32| self.entries[position as usize].0.borrow() == key;
        self.index
            .find(hasher.hash_one(key), same_key)
            .map(|&position| position as usize)
    }

    fn push(&mut self, hasher: &RandomState, entry: (K, V)) {
        self.entries.push(entry);
        let from = match (self.entries.len(), self.index.is_empty()) {
            (..=SEARCHED_IN_ORDER, true) => return,
            (_, true) => 0,
            (n_entries, false) => n_entries - 1,
        };
        let entries = &self.entries;
        for (position, (key, _)) in entries.iter().enumerate().skip(from) {
            let hash_at = |&held: &u32| hasher.hash_one(&entries[held as usize].0);
            self.index
                .insert_unique(hasher.hash_one(key), position as u32, hash_at);
        }
    }

    /// `position` is one that `Self::position` gave.
    fn swap_remove(&mut self, hasher: &RandomState, position: usize) -> (K, V) {
        let last = self.entries.len() - 1;
        if !self.index.is_empty() {
            self.unindex(hasher, position);
            if position != last {
                self.unindex(hasher, last);
            }
        }
        let removed = self.entries.swap_remove(position);
        let entries = &self.entries;
        if entries.len() <= SEARCHED_IN_ORDER / 2 {
            // Half the threshold, so that a client coming and going does not build the index each time.
            self.index = HashTable::new();
        } else if !self.index.is_empty() && position != last {
            let hash_at = |&held: &u32| hasher.hash_one(&entries[held as usize].0);
            self.index.insert_unique(
                hasher.hash_one(&entries[position].0),
                position as u32,
                hash_at,
            );
        }
        self.give_memory_back(hasher);
        removed
    }

    fn unindex(&mut self, hasher: &RandomState, position: usize) {
        let hash = hasher.hash_one(&self.entries[position].0);
        if let Ok(found) = self
            .index
            .find_entry(hash, |&held| held as usize == position)
        {
            found.remove();
        }
    }

    fn give_memory_back(&mut self, hasher: &RandomState) {
        let length = self.entries.len();
        if self.entries.capacity() > SEARCHED_IN_ORDER && length < self.entries.capacity() / 4 {
            self.entries.shrink_to(length * 2);
            let entries = &self.entries;
            self.index.shrink_to(length * 2, |&held| {
                hasher.hash_one(&entries[held as usize].0)
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_history_leaves_what_a_hash_map_would_hold(
            history in prop::collection::vec((any::<bool>(), 0u16..60, any::<u8>()), 0..400),
        ) {
            let hasher = RandomState::new();
            let mut map = DenseMap::default();
            let mut model = HashMap::new();
            for (insert, key, value) in history {
                if insert {
                    prop_assert_eq!(map.insert(&hasher, &key, value), model.insert(key, value));
                } else {
                    prop_assert_eq!(map.remove(&hasher, &key).map(|(_, value)| value), model.remove(&key));
                }
                prop_assert_eq!(map.get(&hasher, &key), model.get(&key));
                prop_assert_eq!(map.is_empty(), model.is_empty());
                let held: HashMap<u16, u8> = map.as_slice().iter().copied().collect();
                prop_assert_eq!(map.as_slice().len(), model.len());
                prop_assert_eq!(held, model.clone());
            }
        }
    }

    #[test]
    fn memory_follows_the_entries_down() {
        let hasher = RandomState::new();
        let mut map = DenseMap::default();
        for key in 0..10_000u32 {
            map.insert(&hasher, &key, ());
        }
        for key in 0..9_990u32 {
            assert!(map.remove(&hasher, &key).is_some());
        }
        let Entries::Many(many) = &map.0 else {
            panic!("ten entries are many")
        };
        assert!(many.entries.capacity() < 100 && many.index.capacity() < 100);
        for key in 9_990..9_999 {
            map.remove(&hasher, &key);
        }
        assert!(matches!(map.0, Entries::One((9_999, ()))));
    }
}

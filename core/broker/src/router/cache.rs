//! A publisher's memory of who matched its topics.
//!
//! Belongs to one connection, so it needs no lock. Everything in it is valid for one generation of the router and
//! goes when another one is seen. Bounded by entries and bytes; the oldest entry makes room. Holds no memory until it
//! is used.

use std::{collections::VecDeque, sync::Arc};

use ahash::RandomState;
use hashbrown::HashTable;

/// How much one [`MatchCache`] may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheLimits {
    /// Topics remembered.
    pub n_entries: usize,
    /// Bytes of topics and results together, without what the results point at.
    pub n_bytes: usize,
}

impl Default for CacheLimits {
    /// 64 topics and 64 KiB, for each connection that publishes.
    fn default() -> Self {
        Self {
            n_entries: 64,
            n_bytes: 64 * 1024,
        }
    }
}

/// Results by topic, valid for one generation of the router.
#[derive(Debug)]
pub struct MatchCache<T> {
    limits: CacheLimits,
    generation: u64,
    /// The oldest first.
    entries: VecDeque<Entry<T>>,
    /// Number of the first entry; the others follow in order, wrapping around.
    oldest: u32,
    /// Number of the entry last asked for or added. Most publishers repeat one topic, which then needs no hash.
    last: u32,
    /// Numbers of entries by topic.
    index: HashTable<u32>,
    n_bytes: usize,
    hasher: RandomState,
}

#[derive(Debug)]
struct Entry<T> {
    topic: Box<str>,
    results: Arc<[T]>,
}

impl<T> MatchCache<T> {
    /// An empty cache. `hasher` should be seeded, as clients choose topics; all caches of a broker can share one.
    pub fn new(limits: CacheLimits, hasher: RandomState) -> Self {
        Self {
            limits,
            generation: 0,
            entries: VecDeque::new(),
            oldest: 0,
            last: 0,
            index: HashTable::new(),
            n_bytes: 0,
            hasher,
        }
    }

    /// What was remembered for `topic` in this generation of the router.
    #[inline]
    pub fn get(&mut self, generation: u64, topic: &str) -> Option<&Arc<[T]>> {
        if self.seek(generation, topic) {
            self.found()
        } else {
            None
        }
    }

    /// Whether `topic` was remembered in this generation of the router; [`MatchCache::found`] has it then. In two steps, so that
    /// whoever must do more where nothing was found borrows nothing meanwhile.
    #[inline]
    pub fn seek(&mut self, generation: u64, topic: &str) -> bool {
        if self.generation != generation {
            self.clear();
            return false;
        }
        if self
            .entry(self.last)
            .is_some_and(|entry| *entry.topic == *topic)
        {
            return true;
        }
        let Some(number) = self.find(topic) else {
            return false;
        };
        self.last = number;
        true
    }

    /// What the last successful [`MatchCache::seek`] found.
    #[inline]
    pub fn found(&self) -> Option<&Arc<[T]>> {
        self.entry(self.last).map(|entry| &entry.results)
    }

    /// Remembers `results` for `topic`, as found in `generation`; forgets the oldest topics as far as room is needed.
    ///
    /// Results too large for the whole cache are not remembered.
    pub fn insert(&mut self, generation: u64, topic: &str, results: Arc<[T]>) {
        if self.generation != generation {
            self.clear();
            self.generation = generation;
        }
        let n_bytes = size(topic, &results);
        if n_bytes > self.limits.n_bytes || self.limits.n_entries == 0 || self.find(topic).is_some()
        {
            // A known topic has the same results, as long as the generation is the same.
            return;
        }
        while self.entries.len() >= self.limits.n_entries
            || self.n_bytes + n_bytes > self.limits.n_bytes
        {
            self.remove_oldest();
        }
        self.n_bytes += n_bytes;
        self.last = self.oldest.wrapping_add(self.entries.len() as u32);
        self.entries.push_back(Entry {
            topic: topic.into(),
            results,
        });
        let Self {
            entries,
            oldest,
            index,
            hasher,
            ..
        } = self;
        let hash_of = |number: &u32| {
            let position = number.wrapping_sub(*oldest) as usize;
            hasher.hash_one(&*entries[position].topic)
        };
        index.insert_unique(hash_of(&self.last), self.last, hash_of);
    }

    /// Forgets everything and gives the memory back.
    pub fn clear(&mut self) {
        if !self.entries.is_empty() {
            self.entries = VecDeque::new();
            self.index = HashTable::new();
            self.n_bytes = 0;
        }
    }

    /// Topics remembered.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether no topic is remembered.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Bytes held, as [`CacheLimits::n_bytes`] counts them.
    pub fn n_bytes(&self) -> usize {
        self.n_bytes
    }

    fn entry(&self, number: u32) -> Option<&Entry<T>> {
        self.entries.get(number.wrapping_sub(self.oldest) as usize)
    }

    fn find(&self, topic: &str) -> Option<u32> {
        if self.index.is_empty() {
            return None;
        }
        let same_topic = |&number: &u32| {
            self.entry(number)
                .is_some_and(|entry| *entry.topic == *topic)
        };
        self.index
            .find(self.hasher.hash_one(topic), same_topic)
            .copied()
    }

    fn remove_oldest(&mut self) {
        let Some(removed) = self.entries.pop_front() else {
            return;
        };
        self.n_bytes -= size(&removed.topic, &removed.results);
        let hash = self.hasher.hash_one(&*removed.topic);
        if let Ok(found) = self.index.find_entry(hash, |&number| number == self.oldest) {
            found.remove();
        }
        self.oldest = self.oldest.wrapping_add(1);
    }
}

/// What one entry counts against the limit.
fn size<T>(topic: &str, results: &[T]) -> usize {
    size_of::<Entry<T>>() + topic.len() + size_of_val(results)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache(n_entries: usize, n_bytes: usize) -> MatchCache<u32> {
        MatchCache::new(CacheLimits { n_entries, n_bytes }, RandomState::new())
    }

    fn topic(n: u32) -> String {
        format!("topic/{n}")
    }

    #[test]
    fn what_was_remembered_is_found_until_the_generation_changes() {
        let mut cache = cache(10, 10_000);
        assert!(cache.get(0, "a").is_none());
        cache.insert(7, "a", [1].into());
        cache.insert(7, "b", [].into());
        for _ in 0..3 {
            assert_eq!(
                cache.get(7, "a").map(|results| results.to_vec()),
                Some(vec![1])
            );
            assert_eq!(cache.get(7, "b").map(|results| results.len()), Some(0));
            assert!(cache.get(7, "c").is_none());
        }
        assert!(cache.get(8, "a").is_none());
        assert!(cache.is_empty() && cache.n_bytes() == 0);
        // What was found before a change is not taken for what is true after it.
        cache.insert(8, "a", [2].into());
        assert!(cache.get(7, "a").is_none());
    }

    #[test]
    fn the_same_topic_is_remembered_once() {
        let mut cache = cache(10, 10_000);
        cache.insert(1, "a", [1].into());
        let n_bytes = cache.n_bytes();
        cache.insert(1, "a", [1].into());
        assert_eq!((cache.len(), cache.n_bytes()), (1, n_bytes));
    }

    #[test]
    fn neither_limit_is_exceeded_and_the_latest_stay() {
        const MANY: usize = usize::MAX;
        for (n_entries, n_bytes, n_kept) in [
            (8, MANY, 8),
            (MANY, 600, 5),
            (1, 1000, 1),
            (0, 1000, 0),
            (8, 0, 0),
        ] {
            let mut cache = cache(n_entries, n_bytes);
            // So that the numbers of the entries wrap around on the way.
            cache.oldest = u32::MAX - 500;
            for n in 0..1000 {
                cache.insert(1, &topic(n), vec![n; (n % 5) as usize].into());
                assert!(cache.len() <= n_entries && cache.n_bytes() <= n_bytes);
                for kept in (0..n_kept.min(n + 1)).map(|back| n - back) {
                    assert!(
                        cache
                            .get(1, &topic(kept))
                            .is_some_and(|results| results.len() as u32 == kept % 5)
                    );
                }
            }
            let sum: usize = cache
                .entries
                .iter()
                .map(|entry| size(&entry.topic, &entry.results))
                .sum();
            assert_eq!((cache.n_bytes(), cache.index.len()), (sum, cache.len()));
        }
    }

    #[test]
    fn a_result_larger_than_the_cache_passes_by() {
        let mut cache = cache(10, 500);
        cache.insert(1, "small", [1].into());
        cache.insert(1, "large", vec![0; 1000].into());
        assert!(cache.get(1, "large").is_none());
        assert!(cache.get(1, "small").is_some());
    }
}

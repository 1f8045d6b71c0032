//! The key-value map that all plugins of a broker share: expiry, compare and set, counters; bounded in every direction.
//!
//! The time is passed in, in milliseconds of any clock that only goes forward. What has expired is absent at once; its memory is
//! given back by later writes, a few entries each, and by whoever finds the map full.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use ahash::RandomState;
use hookmq_plugin_api::{HostError, KvCondition};
use parking_lot::Mutex;

const N_SHARDS: usize = 16;

/// Expired entries that one write removes at most, beside its own work.
const SWEEP_PER_WRITE: usize = 8;

/// Expired entries per shard that a write removes at most when the map is full.
const SWEEP_WHEN_FULL: usize = 1024;

/// How much the map holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KvSettings {
    /// Entries.
    pub n_entries: usize,
    /// Bytes of all keys and values.
    pub bytes: usize,
    /// Bytes of one key.
    pub key_bytes: usize,
    /// Bytes of one value.
    pub value_bytes: usize,
}

impl Default for KvSettings {
    fn default() -> Self {
        Self {
            n_entries: 100_000,
            bytes: 64 << 20,
            key_bytes: 1 << 10,
            value_bytes: 64 << 10,
        }
    }
}

/// See the module's words.
pub struct Kv {
    settings: KvSettings,
    /// Chooses the shard.
    hasher: RandomState,
    shards: [Mutex<Shard>; N_SHARDS],
    n_entries: AtomicUsize,
    bytes: AtomicUsize,
}

#[derive(Default)]
struct Shard {
    entries: HashMap<Arc<str>, Entry, RandomState>,
    /// When entries expire, soonest first. An entry that was removed or got another expiry leaves its old line behind; lines
    /// that fit no entry are skipped, and thrown out when they are the most.
    expiries: BinaryHeap<Reverse<(u64, Arc<str>)>>,
}

struct Entry {
    value: Box<[u8]>,
    /// `u64::MAX` is never.
    expires_ms: u64,
}

impl Kv {
    pub(super) fn new(settings: KvSettings) -> Self {
        Self {
            settings,
            hasher: RandomState::new(),
            shards: std::array::from_fn(|_| Mutex::default()),
            n_entries: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
        }
    }

    /// The value, if there is one.
    #[must_use]
    pub fn get(&self, key: &str, now_ms: u64) -> Option<Vec<u8>> {
        let shard = self.shard(key).lock();
        Some(shard.live(key, now_ms)?.value.to_vec())
    }

    /// Writes; without `expires_in` the entry stays, whatever expiry it had. False if the condition did not hold.
    ///
    /// # Errors
    /// [`HostError::Limit`] for a key or value that is too large, and for a map that is full.
    pub fn set(
        &self,
        key: &str,
        value: &[u8],
        expires_in: Option<Duration>,
        condition: &KvCondition,
        now_ms: u64,
    ) -> Result<bool, HostError> {
        self.check(key, value)?;
        self.with_room(key, now_ms, |shard| {
            let current = shard.live(key, now_ms);
            let holds = match condition {
                KvCondition::Always => true,
                KvCondition::Absent => current.is_none(),
                KvCondition::Equals(expected) => {
                    current.is_some_and(|entry| *entry.value == **expected)
                }
            };
            if holds {
                self.write(shard, key, value, expires_at(now_ms, expires_in))?;
            }
            Ok(holds)
        })
    }

    /// Removes; false if there was nothing.
    pub fn delete(&self, key: &str, now_ms: u64) -> bool {
        let mut shard = self.shard(key).lock();
        let was_live = shard.live(key, now_ms).is_some();
        self.remove(&mut shard, key);
        was_live
    }

    /// Adds to a decimal number, absent counting as 0, and returns the sum. `expires_in` counts from when the key was absent.
    ///
    /// # Errors
    /// [`HostError::Argument`] if the value is no number or the sum does not fit; else as [`Kv::set`].
    pub fn add(
        &self,
        key: &str,
        amount: i64,
        expires_in: Option<Duration>,
        now_ms: u64,
    ) -> Result<i64, HostError> {
        self.check(key, &[])?;
        self.with_room(key, now_ms, |shard| {
            let (number, expires_ms) = match shard.live(key, now_ms) {
                None => (0, expires_at(now_ms, expires_in)),
                Some(entry) => (number(key, &entry.value)?, entry.expires_ms),
            };
            let sum = number.checked_add(amount).ok_or_else(|| {
                HostError::Argument(
                    "amount",
                    format!("{number} and {amount} do not add up to a 64 bit number"),
                )
            })?;
            self.write(shard, key, sum.to_string().as_bytes(), expires_ms)?;
            Ok(sum)
        })
    }

    /// Entries, expired ones that were not removed yet included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.n_entries.load(Relaxed)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of all keys and values.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes.load(Relaxed)
    }

    /// Removes what has expired, at most a thousand entries per shard. Writes do this too; call it now and then for a map that
    /// nobody writes to any more.
    pub fn sweep(&self, now_ms: u64) {
        for shard in &self.shards {
            self.sweep_shard(&mut shard.lock(), now_ms, SWEEP_WHEN_FULL);
        }
    }

    fn shard(&self, key: &str) -> &Mutex<Shard> {
        &self.shards[self.hasher.hash_one(key) as usize % N_SHARDS]
    }

    fn check(&self, key: &str, value: &[u8]) -> Result<(), HostError> {
        let KvSettings {
            key_bytes,
            value_bytes,
            ..
        } = self.settings;
        if key.len() > key_bytes {
            return Err(HostError::Limit("bytes of a key", key_bytes as u64));
        }
        if value.len() > value_bytes {
            return Err(HostError::Limit("bytes of a value", value_bytes as u64));
        }
        Ok(())
    }

    /// Does it, and if the map was full once more after everything that has expired is gone.
    fn with_room<T>(
        &self,
        key: &str,
        now_ms: u64,
        mut write: impl FnMut(&mut Shard) -> Result<T, HostError>,
    ) -> Result<T, HostError> {
        let mut attempt = || {
            let mut shard = self.shard(key).lock();
            self.sweep_shard(&mut shard, now_ms, SWEEP_PER_WRITE);
            write(&mut shard)
        };
        match attempt() {
            Err(HostError::Limit(..)) => {
                self.sweep(now_ms);
                attempt()
            }
            done => done,
        }
    }

    /// Puts the value in, if it fits beside all others.
    fn write(
        &self,
        shard: &mut Shard,
        key: &str,
        value: &[u8],
        expires_ms: u64,
    ) -> Result<(), HostError> {
        let KvSettings {
            n_entries, bytes, ..
        } = self.settings;
        if let Some(entry) = shard.entries.get_mut(key) {
            // What it held until now is free for it.
            reserve(&self.bytes, value.len(), entry.value.len(), bytes)
                .map_err(|limit| HostError::Limit("bytes in the key-value map", limit))?;
            entry.value = value.into();
            if entry.expires_ms == expires_ms {
                return Ok(());
            }
            entry.expires_ms = expires_ms;
            let key = shard
                .entries
                .get_key_value(key)
                .map(|(key, _)| Arc::clone(key));
            if let Some(key) = key {
                shard.expire(key, expires_ms);
            }
            return Ok(());
        }
        reserve(&self.n_entries, 1, 0, n_entries)
            .map_err(|limit| HostError::Limit("entries in the key-value map", limit))?;
        if let Err(limit) = reserve(&self.bytes, key.len() + value.len(), 0, bytes) {
            self.n_entries.fetch_sub(1, Relaxed);
            return Err(HostError::Limit("bytes in the key-value map", limit));
        }
        let key: Arc<str> = key.into();
        shard.entries.insert(
            Arc::clone(&key),
            Entry {
                value: value.into(),
                expires_ms,
            },
        );
        shard.expire(key, expires_ms);
        Ok(())
    }

    fn remove(&self, shard: &mut Shard, key: &str) {
        if let Some(entry) = shard.entries.remove(key) {
            self.n_entries.fetch_sub(1, Relaxed);
            self.bytes.fetch_sub(key.len() + entry.value.len(), Relaxed);
        }
    }

    fn sweep_shard(&self, shard: &mut Shard, now_ms: u64, at_most: usize) {
        for _ in 0..at_most {
            let due = shard
                .expiries
                .peek()
                .is_some_and(|Reverse((at, _))| *at <= now_ms);
            let line = if due { shard.expiries.pop() } else { None };
            let Some(Reverse((at, key))) = line else {
                return;
            };
            if shard
                .entries
                .get(&key)
                .is_some_and(|entry| entry.expires_ms == at)
            {
                self.remove(shard, &key);
            }
        }
    }
}

impl Shard {
    fn live(&self, key: &str, now_ms: u64) -> Option<&Entry> {
        self.entries
            .get(key)
            .filter(|entry| entry.expires_ms > now_ms)
    }

    fn expire(&mut self, key: Arc<str>, expires_ms: u64) {
        if expires_ms == u64::MAX {
            return;
        }
        self.expiries.push(Reverse((expires_ms, key)));
        // Renewing one key for ever must not grow the heap for ever.
        if self.expiries.len() > 2 * self.entries.len() + 64 {
            let entries = &self.entries;
            self.expiries.retain(|Reverse((at, key))| {
                entries
                    .get(key)
                    .is_some_and(|entry| entry.expires_ms == *at)
            });
        }
    }
}

/// Takes `add` and gives back `free` if the sum stays within the limit, else says the limit.
fn reserve(total: &AtomicUsize, add: usize, free: usize, limit: usize) -> Result<(), u64> {
    total
        .fetch_update(Relaxed, Relaxed, |now| {
            let then = now.saturating_sub(free).saturating_add(add);
            // What shrinks is always welcome.
            (then <= limit || then <= now).then_some(then)
        })
        .map(|_| ())
        .map_err(|_| limit as u64)
}

fn expires_at(now_ms: u64, expires_in: Option<Duration>) -> u64 {
    expires_in.map_or(u64::MAX, |time| {
        now_ms.saturating_add(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
    })
}

fn number(key: &str, value: &[u8]) -> Result<i64, HostError> {
    std::str::from_utf8(value)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| {
            HostError::Argument("key", format!("the value of \"{key}\" is no whole number"))
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: Option<Duration> = Some(Duration::from_secs(1));

    fn kv() -> Kv {
        Kv::new(KvSettings::default())
    }

    fn small() -> Kv {
        Kv::new(KvSettings {
            n_entries: 4,
            bytes: 40,
            key_bytes: 8,
            value_bytes: 16,
        })
    }

    fn put(kv: &Kv, key: &str, value: &str, now_ms: u64) -> Result<bool, HostError> {
        kv.set(key, value.as_bytes(), None, &KvCondition::Always, now_ms)
    }

    #[test]
    fn conditions_decide_whether_it_is_written() {
        let kv = kv();
        for (condition, value, written, then) in [
            (KvCondition::Equals(b"a".into()), "x", false, None),
            (KvCondition::Absent, "a", true, Some("a")),
            (KvCondition::Absent, "b", false, Some("a")),
            (KvCondition::Equals(b"b".into()), "c", false, Some("a")),
            (KvCondition::Equals(b"a".into()), "c", true, Some("c")),
            (KvCondition::Always, "d", true, Some("d")),
        ] {
            assert_eq!(
                kv.set("key", value.as_bytes(), None, &condition, 0),
                Ok(written),
                "{condition:?}"
            );
            assert_eq!(kv.get("key", 0), then.map(|text| text.as_bytes().to_vec()));
        }
        assert!(kv.delete("key", 0));
        assert!(!kv.delete("key", 0));
        assert!(kv.is_empty() && kv.bytes() == 0);
    }

    #[test]
    fn expired_is_absent_for_everyone() {
        let kv = kv();
        let set = |now| kv.set("key", b"v", SECOND, &KvCondition::Absent, now);
        assert_eq!(set(0), Ok(true));
        assert_eq!(kv.get("key", 999), Some(b"v".to_vec()));
        assert_eq!(set(999), Ok(false));
        assert_eq!(kv.get("key", 1000), None);
        assert!(!kv.delete("key", 1000));
        assert_eq!(set(1000), Ok(true));
        // A write without an expiry makes it stay.
        assert_eq!(put(&kv, "key", "v", 1500), Ok(true));
        assert_eq!(kv.get("key", 1 << 40), Some(b"v".to_vec()));
    }

    #[test]
    fn a_counter_keeps_the_expiry_it_began_with() {
        let kv = kv();
        assert_eq!(kv.add("n", 2, SECOND, 0), Ok(2));
        assert_eq!(kv.add("n", 40, SECOND, 900), Ok(42));
        assert_eq!(kv.get("n", 999), Some(b"42".to_vec()));
        assert_eq!(kv.add("n", -1, SECOND, 1000), Ok(-1), "it begins anew");
        assert_eq!(
            kv.add("n", i64::MIN, None, 1000)
                .map_err(|error| matches!(error, HostError::Argument("amount", _))),
            Err(true)
        );
        assert_eq!(put(&kv, "n", "a few", 1000), Ok(true));
        assert_eq!(
            kv.add("n", 1, None, 1000),
            Err(HostError::Argument(
                "key",
                "the value of \"n\" is no whole number".into()
            ))
        );
        assert_eq!(kv.get("n", 1000), Some(b"a few".to_vec()));
    }

    #[test]
    fn limits_are_named_and_nothing_is_lost_by_them() {
        let kv = small();
        assert_eq!(
            put(&kv, "123456789", "", 0),
            Err(HostError::Limit("bytes of a key", 8))
        );
        assert_eq!(
            put(&kv, "k", "12345678901234567", 0),
            Err(HostError::Limit("bytes of a value", 16))
        );
        for key in ["a", "b", "c", "d"] {
            assert_eq!(put(&kv, key, "123", 0), Ok(true));
        }
        assert_eq!(
            put(&kv, "e", "1", 0),
            Err(HostError::Limit("entries in the key-value map", 4))
        );
        assert_eq!(
            kv.add("e", 1, None, 0),
            Err(HostError::Limit("entries in the key-value map", 4))
        );
        assert_eq!(put(&kv, "a", "1234567890123456", 0), Ok(true));
        assert_eq!(
            put(&kv, "b", "1234567890123456", 0),
            Err(HostError::Limit("bytes in the key-value map", 40))
        );
        assert_eq!(kv.get("b", 0), Some(b"123".to_vec()));
        assert_eq!((kv.len(), kv.bytes()), (4, 29));
        assert!(kv.delete("a", 0));
        assert_eq!(put(&kv, "e", "1", 0), Ok(true));
    }

    #[test]
    fn a_full_map_gives_up_what_has_expired() {
        let kv = small();
        for key in ["a", "b", "c", "d"] {
            assert_eq!(kv.set(key, b"1", SECOND, &KvCondition::Always, 0), Ok(true));
        }
        assert!(put(&kv, "e", "1", 999).is_err());
        assert_eq!(put(&kv, "e", "1", 1000), Ok(true));
        kv.sweep(1000);
        assert_eq!((kv.len(), kv.bytes()), (1, 2));
    }

    #[test]
    fn renewing_a_key_does_not_pile_up_expiries() {
        let kv = kv();
        for now in 0..10_000 {
            assert_eq!(
                kv.set(
                    "key",
                    b"v",
                    Some(Duration::from_secs(3600)),
                    &KvCondition::Always,
                    now
                ),
                Ok(true)
            );
        }
        assert!(kv.shard("key").lock().expiries.len() <= 66);
    }

    #[test]
    fn one_of_many_threads_takes_a_lock_and_counts_add_up() {
        let kv = kv();
        let takers: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        for _ in 0..500 {
                            kv.add("n", 1, None, 0).expect("within limits");
                        }
                        usize::from(kv.set("lock", b"", None, &KvCondition::Absent, 0) == Ok(true))
                    })
                })
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().expect("no panic inside"))
                .sum()
        });
        assert_eq!(takers, 1);
        assert_eq!(kv.get("n", 0), Some(b"4000".to_vec()));
    }

    #[derive(Debug, Clone)]
    enum Step {
        Set(u8, u8, Option<u64>),
        Add(u8, Option<u64>),
        Delete(u8),
        Sweep,
    }

    fn step() -> impl Strategy<Value = Step> {
        let expiry = || prop::option::of(1_u64..50);
        prop_oneof![
            (0_u8..6, 0_u8..12, expiry())
                .prop_map(|(key, length, expiry)| Step::Set(key, length, expiry)),
            (0_u8..6, expiry()).prop_map(|(key, expiry)| Step::Add(key, expiry)),
            (0_u8..6).prop_map(Step::Delete),
            Just(Step::Sweep),
        ]
    }

    proptest! {
        /// Against a map of values and times, with limits counted by hand.
        #[test]
        fn it_is_a_map_with_expiry(steps in prop::collection::vec((0_u64..20, step()), 1..120)) {
            let kv = small();
            let mut model: HashMap<String, (Vec<u8>, u64)> = HashMap::new();
            let mut now = 0;
            for (passed, step) in steps {
                now += passed;
                model.retain(|_, (_, expires)| *expires > now);
                let ms = |expiry: Option<u64>| expiry.map(Duration::from_millis);
                let at = |expiry: Option<u64>| expiry.map_or(u64::MAX, |expiry| now + expiry);
                let fits = |model: &HashMap<String, (Vec<u8>, u64)>| {
                    model.len() <= 4 && model.iter().map(|(key, (value, _))| key.len() + value.len()).sum::<usize>() <= 40
                };
                let mut then = model.clone();
                match step {
                    Step::Set(key, length, expiry) => {
                        let key = format!("k{key}");
                        let value = vec![b'x'; length.into()];
                        let shrinks = model.get(&key).is_some_and(|(old, _)| old.len() >= value.len());
                        then.insert(key.clone(), (value.clone(), at(expiry)));
                        let expected = fits(&then) || shrinks;
                        prop_assert_eq!(kv.set(&key, &value, ms(expiry), &KvCondition::Always, now).is_ok(), expected);
                        if expected { model = then }
                    }
                    Step::Add(key, expiry) => {
                        let key = format!("k{key}");
                        let old = model.get(&key).cloned().unwrap_or((b"0".to_vec(), at(expiry)));
                        let number: Option<i64> = String::from_utf8(old.0).ok().and_then(|text| text.parse().ok());
                        let sum = number.map(|number| number + 1);
                        then.insert(key.clone(), (sum.unwrap_or(0).to_string().into_bytes(), old.1));
                        let expected = sum.filter(|_| fits(&then));
                        prop_assert_eq!(kv.add(&key, 1, ms(expiry), now).ok(), expected);
                        if expected.is_some() { model = then }
                    }
                    Step::Delete(key) => {
                        let key = format!("k{key}");
                        prop_assert_eq!(kv.delete(&key, now), model.remove(&key).is_some());
                    }
                    Step::Sweep => kv.sweep(now),
                }
                for key in 0..6 {
                    let key = format!("k{key}");
                    prop_assert_eq!(kv.get(&key, now), model.get(&key).map(|(value, _)| value.clone()));
                }
            }
            kv.sweep(now);
            model.retain(|_, (_, expires)| *expires > now);
            prop_assert_eq!(kv.len(), model.len());
            prop_assert_eq!(kv.bytes(), model.iter().map(|(key, (value, _))| key.len() + value.len()).sum::<usize>());
        }
    }
}

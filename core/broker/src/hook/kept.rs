//! The answers that one plugin lets the broker keep at one hook: to decide without calling.
//!
//! Bounded in entries and bytes. Time is passed in, in milliseconds of the engine's clock. Sharded, each shard behind a short lock:
//! a hit takes one lock, allocates nothing and never enters the plugin. What is old goes by a clock hand (second chance).

use std::cell::Cell;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use ahash::RandomState;
use hashbrown::HashTable;
use hookmq_plugin_api::{Answer, Event, Field, FieldSet, Owned, Refusal, Verdict};
use parking_lot::{Mutex, RwLock};

use super::key;
use super::tags::{Moment, Tags};

const N_SHARDS: usize = 16;

/// Old entries that one new one looks for, beside its own work.
const SWEEP_PER_ENTRY: usize = 4;

/// Entries that go under one hold of a shard's lock when a tag is taken back.
const REMOVED_AT_ONCE: usize = 256;

/// What an entry costs beside its key and its texts, roughly.
const OVERHEAD: usize = 192;

/// How much one plugin may have the broker keep at one hook.
#[derive(Debug, Clone, Copy)]
pub(super) struct KeptLimits {
    pub(super) n_entries: usize,
    pub(super) bytes: usize,
}

impl Default for KeptLimits {
    fn default() -> Self {
        Self {
            n_entries: 100_000,
            bytes: 32 << 20,
        }
    }
}

/// An answer that holds for a while. It was valid when it was made.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct KeptAnswer {
    /// Accept or deny.
    pub(super) verdict: Verdict,
    pub(super) changes: Vec<(Field, Owned)>,
    pub(super) tags: Arc<[Box<str>]>,
}

/// An answer on its way to be kept: everything that must be taken down before it takes effect on its event.
pub(super) struct Keeping {
    key: Vec<u8>,
    hash: u64,
    ttl_ms: u64,
    answer: Arc<KeptAnswer>,
}

/// How often it was of use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KeptTally {
    /// Events decided by a kept answer.
    pub hits: u64,
    /// Events that the plugin was asked about, once it had let an answer be kept.
    pub misses: u64,
    /// Answers that are kept now; what has expired may still be among them.
    pub entries: u64,
    /// Bytes that they hold.
    pub bytes: u64,
}

/// See the module's words.
pub(super) struct Kept {
    declared: FieldSet,
    /// The same as a list.
    fields: Box<[Field]>,
    /// Fields that the plugin has read without having declared them, and whether there are any.
    undeclared: RwLock<FieldSet>,
    reads_undeclared: AtomicBool,
    /// Whether any answer was ever to be kept; until then nothing is looked for.
    is_used: AtomicBool,
    tags: Arc<Tags>,
    hasher: RandomState,
    limits: KeptLimits,
    shards: [Mutex<Shard>; N_SHARDS],
    /// Of the plugin's earlier generations.
    before: KeptTally,
}

#[derive(Default)]
struct Shard {
    /// Places in `entries`.
    table: HashTable<u32>,
    entries: Vec<Option<Entry>>,
    free: Vec<u32>,
    /// Hash of a tag and place of an entry that has it.
    tagged: BTreeSet<(u64, u32)>,
    /// The next place to look at for what is old.
    hand: usize,
    bytes: usize,
    hits: u64,
    misses: u64,
}

struct Entry {
    key: Box<[u8]>,
    hash: u64,
    expires_ms: u64,
    since: Moment,
    bytes: usize,
    /// Since the hand last passed.
    was_used: bool,
    answer: Arc<KeptAnswer>,
}

thread_local! {
    /// Where keys are made to be looked up.
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

impl Kept {
    /// Empty, for a plugin that declares these fields.
    pub(super) fn new(
        declared: FieldSet,
        tags: Arc<Tags>,
        limits: KeptLimits,
        before: KeptTally,
    ) -> Self {
        Self {
            declared,
            fields: declared.iter().collect(),
            undeclared: RwLock::default(),
            reads_undeclared: AtomicBool::new(false),
            is_used: AtomicBool::new(false),
            tags,
            hasher: RandomState::new(),
            limits,
            shards: std::array::from_fn(|_| Mutex::default()),
            before,
        }
    }

    /// The moment to take before the plugin is asked.
    #[inline]
    pub(super) fn moment(&self) -> Moment {
        self.tags.now()
    }

    /// The answer to events like this one, if one is kept and still holds.
    #[inline]
    pub(super) fn recall(
        &self,
        event: &dyn Event,
        now_ms: impl FnOnce() -> u64,
    ) -> Option<Arc<KeptAnswer>> {
        if !self.is_used.load(Relaxed) {
            return None;
        }
        let mut key = SCRATCH.take();
        key.clear();
        let found = if self.write_key(event, &mut key) {
            self.find(&key, now_ms())
        } else {
            None
        };
        SCRATCH.set(key);
        found
    }

    fn find(&self, key: &[u8], now_ms: u64) -> Option<Arc<KeptAnswer>> {
        let hash = self.hasher.hash_one(key);
        let mut guard = self.shard(hash).lock();
        let shard = &mut *guard;
        let entries = &mut shard.entries;
        let at = shard
            .table
            .find(hash, |at| {
                place(entries, *at).is_some_and(|entry| *entry.key == *key)
            })
            .copied();
        match at.and_then(|at| entries.get_mut(at as usize)?.as_mut()) {
            Some(entry) if entry.expires_ms > now_ms => {
                entry.was_used = true;
                shard.hits += 1;
                Some(Arc::clone(&entry.answer))
            }
            found => {
                let is_old = found.is_some();
                shard.misses += 1;
                if let Some(at) = at.filter(|_| is_old) {
                    shard.remove(at, &self.tags);
                }
                None
            }
        }
    }

    /// Takes a valid answer down that may be kept, and what it was made from. `event` is as the plugin saw it, and `read` is what it
    /// read; none if the event cannot be told from others, or if there is nothing to keep.
    pub(super) fn prepare(
        &self,
        event: &dyn Event,
        read: FieldSet,
        answer: &Answer,
    ) -> Option<Keeping> {
        let keep = answer.keep.as_deref()?;
        let ttl_ms = u64::try_from(keep.ttl.as_millis()).unwrap_or(u64::MAX);
        if ttl_ms == 0 {
            return None;
        }
        if read.union(self.declared) != self.declared {
            let mut undeclared = self.undeclared.write();
            *undeclared = read.union(*undeclared);
            self.reads_undeclared.store(true, Relaxed);
        }
        self.is_used.store(true, Relaxed);
        let mut key = Vec::with_capacity(128);
        if !self.write_key(event, &mut key) {
            return None;
        }
        Some(Keeping {
            hash: self.hasher.hash_one(&*key),
            key,
            ttl_ms,
            answer: Arc::new(KeptAnswer {
                verdict: answer.verdict.clone(),
                changes: answer.changes.clone(),
                tags: keep.tags.clone().into(),
            }),
        })
    }

    /// Keeps an answer that took effect, unless what stands behind one of its tags has changed since the plugin was asked.
    pub(super) fn keep(&self, keeping: Keeping, since: Moment, now_ms: u64) {
        let Keeping {
            key,
            hash,
            ttl_ms,
            answer,
        } = keeping;
        let bytes = OVERHEAD + key.len() + size(&answer);
        let limits = KeptLimits {
            n_entries: (self.limits.n_entries / N_SHARDS).max(1),
            bytes: self.limits.bytes / N_SHARDS,
        };
        if bytes > limits.bytes {
            return;
        }
        let mut guard = self.shard(hash).lock();
        let shard = &mut *guard;
        // Under the lock that whoever takes the tag back takes after having said so.
        if self.tags.changed_since(&answer.tags, since) {
            return;
        }
        let entries = &shard.entries;
        let same = shard
            .table
            .find(hash, |at| {
                place(entries, *at).is_some_and(|entry| *entry.key == *key)
            })
            .copied();
        if let Some(at) = same {
            shard.remove(at, &self.tags);
        }
        shard.make_room(bytes, limits, now_ms, &self.tags);
        shard.insert(
            Entry {
                key: key.into(),
                hash,
                expires_ms: now_ms.saturating_add(ttl_ms),
                since,
                bytes,
                was_used: false,
                answer,
            },
            &self.tags,
        );
    }

    /// Forgets what was kept with this tag before this moment; returns how many answers.
    pub(super) fn forget(&self, tag: &str, before: Moment) -> usize {
        let hash = self.tags.hash(tag);
        self.shards
            .iter()
            .map(|shard| {
                let mut n_forgotten = 0;
                let mut from = 0;
                // Nothing older than the moment is added any more, so one way through the places finds all.
                while let Some((removed, next)) =
                    shard.lock().forget(hash, tag, before, from, &self.tags)
                {
                    n_forgotten += removed;
                    from = next;
                }
                n_forgotten
            })
            .sum()
    }

    /// Forgets what has expired, a part of it under each hold of a lock.
    pub(super) fn sweep(&self, now_ms: u64) {
        if !self.is_used.load(Relaxed) {
            return;
        }
        for shard in &self.shards {
            let n_places = shard.lock().entries.len();
            for _ in 0..n_places.div_ceil(REMOVED_AT_ONCE) {
                shard.lock().sweep(REMOVED_AT_ONCE, now_ms, &self.tags);
            }
        }
    }

    pub(super) fn tally(&self) -> KeptTally {
        let mut tally = KeptTally {
            entries: 0,
            bytes: 0,
            ..self.before
        };
        for shard in &self.shards {
            let shard = shard.lock();
            tally.hits += shard.hits;
            tally.misses += shard.misses;
            tally.entries += shard.table.len() as u64;
            tally.bytes += shard.bytes as u64;
        }
        tally
    }

    fn write_key(&self, event: &dyn Event, out: &mut Vec<u8>) -> bool {
        if self.reads_undeclared.load(Relaxed) {
            let all = self.declared.union(*self.undeclared.read());
            key::write(event, all.iter(), out)
        } else {
            key::write(event, self.fields.iter().copied(), out)
        }
    }

    fn shard(&self, hash: u64) -> &Mutex<Shard> {
        // The table takes the lowest and the highest bits.
        &self.shards[(hash >> 40) as usize % N_SHARDS]
    }
}

fn place(entries: &[Option<Entry>], at: u32) -> Option<&Entry> {
    entries.get(at as usize)?.as_ref()
}

impl Shard {
    fn insert(&mut self, entry: Entry, tags: &Tags) {
        let at = match self.free.pop() {
            Some(at) => at,
            None => {
                let Ok(at) = u32::try_from(self.entries.len()) else {
                    return;
                };
                self.entries.push(None);
                at
            }
        };
        for tag in &*entry.answer.tags {
            self.tagged.insert((tags.hash(tag), at));
        }
        self.bytes += entry.bytes;
        let entries = &self.entries;
        self.table.insert_unique(entry.hash, at, |at| {
            place(entries, *at).map_or(0, |entry| entry.hash)
        });
        if let Some(place) = self.entries.get_mut(at as usize) {
            *place = Some(entry);
        }
    }

    fn remove(&mut self, at: u32, tags: &Tags) {
        let Some(entry) = self.entries.get_mut(at as usize).and_then(Option::take) else {
            return;
        };
        if let Ok(found) = self.table.find_entry(entry.hash, |other| *other == at) {
            found.remove();
        }
        for tag in &*entry.answer.tags {
            self.tagged.remove(&(tags.hash(tag), at));
        }
        self.bytes -= entry.bytes;
        self.free.push(at);
    }

    /// Removes what has expired where the hand passes anyway, and then what was not used lately until one more entry fits.
    fn make_room(&mut self, bytes: usize, limits: KeptLimits, now_ms: u64, tags: &Tags) {
        self.sweep(SWEEP_PER_ENTRY, now_ms, tags);
        // Twice around at most: the first time takes the second chances away.
        for _ in 0..2 * self.entries.len() {
            if self.table.len() < limits.n_entries && self.bytes + bytes <= limits.bytes {
                return;
            }
            if let Some(at) = self.advance()
                && let Some(entry) = self.entries.get_mut(at as usize).and_then(Option::as_mut)
                && !std::mem::take(&mut entry.was_used)
            {
                self.remove(at, tags);
            }
        }
    }

    fn sweep(&mut self, n_places: usize, now_ms: u64, tags: &Tags) {
        for _ in 0..n_places.min(self.entries.len()) {
            if let Some(at) = self.advance()
                && place(&self.entries, at).is_some_and(|entry| entry.expires_ms <= now_ms)
            {
                self.remove(at, tags);
            }
        }
    }

    /// The place at the hand, which moves on.
    fn advance(&mut self) -> Option<u32> {
        let at = if self.hand < self.entries.len() {
            self.hand
        } else {
            0
        };
        self.hand = at + 1;
        u32::try_from(at).ok()
    }

    /// Removes some of the entries with this tag that were made before the moment, from this place on: how many, and where to go on.
    fn forget(
        &mut self,
        hash: u64,
        tag: &str,
        before: Moment,
        from: u32,
        tags: &Tags,
    ) -> Option<(usize, u32)> {
        let places: Vec<u32> = self
            .tagged
            .range((hash, from)..=(hash, u32::MAX))
            .take(REMOVED_AT_ONCE)
            .map(|(_, at)| *at)
            .collect();
        let next = places.last()?.checked_add(1)?;
        let mut n_removed = 0;
        for at in places {
            let is_meant = place(&self.entries, at).is_some_and(|entry| {
                entry.since < before && entry.answer.tags.iter().any(|own| **own == *tag)
            });
            if is_meant {
                self.remove(at, tags);
                n_removed += 1;
            }
        }
        Some((n_removed, next))
    }
}

/// Bytes that an answer holds, roughly.
fn size(answer: &KeptAnswer) -> usize {
    let refusal = match &answer.verdict {
        Verdict::Deny(refusal) | Verdict::Disconnect(refusal) => refusal_size(refusal),
        Verdict::Drop(Some(refusal)) => refusal_size(refusal),
        Verdict::Drop(None) | Verdict::Pass | Verdict::Accept | Verdict::Consume => 0,
    };
    let changes: usize = answer
        .changes
        .iter()
        .map(|(_, value)| {
            size_of::<(Field, Owned)>() + value.as_value().as_bytes().map_or(0, <[u8]>::len)
        })
        .sum();
    // Each tag also has a line in the index.
    let tags: usize = answer.tags.iter().map(|tag| 64 + tag.len()).sum();
    refusal + changes + tags
}

fn refusal_size(refusal: &Refusal) -> usize {
    let text = |text: &Option<Box<str>>| text.as_deref().map_or(0, str::len);
    let pairs: usize = refusal
        .user_properties
        .iter()
        .map(|(name, value)| size_of::<(String, String)>() + name.len() + value.len())
        .sum();
    size_of::<Refusal>()
        + text(&refusal.reason_string)
        + text(&refusal.server_reference)
        + text(&refusal.place)
        + pairs
}

#[cfg(test)]
mod tests;

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
mod tests {
    use super::*;
    use hookmq_plugin_api::{EventRecord, Hook, Keep};
    use std::time::Duration;

    const SMALL: KeptLimits = KeptLimits {
        n_entries: 4 * N_SHARDS,
        bytes: 64 << 10,
    };
    const NOTHING: KeptTally = KeptTally {
        hits: 0,
        misses: 0,
        entries: 0,
        bytes: 0,
    };

    fn kept_of(fields: &[Field], limits: KeptLimits) -> Kept {
        let tags = Arc::new(Tags::new());
        Kept::new(FieldSet::of(fields), tags, limits, NOTHING)
    }

    fn event(client_id: &str, topic: &str) -> EventRecord {
        EventRecord::new(Hook::AuthorizePublish)
            .with(Field::ClientId, client_id)
            .with(Field::Topic, topic)
            .with(Field::Qos, 1)
    }

    fn accept(seconds: u64, tags: &[&str]) -> Answer {
        let keep = Keep::lasting(Duration::from_secs(seconds));
        let keep = tags.iter().fold(keep, |keep, tag| keep.tagged(tag));
        Answer::from(Verdict::Accept).kept(keep)
    }

    fn keep(kept: &Kept, event: &EventRecord, answer: &Answer, now_ms: u64) {
        let moment = kept.moment();
        let keeping = kept.prepare(event, FieldSet::EMPTY, answer);
        kept.keep(keeping.expect("something to keep"), moment, now_ms);
    }

    fn knows(kept: &Kept, event: &EventRecord, now_ms: u64) -> bool {
        kept.recall(event, || now_ms).is_some()
    }

    #[test]
    fn it_answers_for_events_that_are_the_same_in_every_declared_field() {
        let kept = kept_of(&[Field::ClientId, Field::Topic], SMALL);
        keep(&kept, &event("a", "t"), &accept(60, &[]), 1);
        assert!(knows(&kept, &event("a", "t"), 1));
        assert!(knows(&kept, &event("a", "t").with(Field::Qos, 2), 1));
        for other in [
            event("b", "t"),
            event("a", "t/u"),
            event("", "at"),
            EventRecord::new(Hook::AuthorizePublish).with(Field::Topic, "t"),
        ] {
            assert!(!knows(&kept, &other, 1), "{other:?}");
        }
    }

    #[test]
    fn a_field_that_was_read_without_being_declared_counts_from_then_on() {
        let kept = kept_of(&[Field::Topic], SMALL);
        keep(&kept, &event("a", "t"), &accept(60, &[]), 1);
        assert!(knows(&kept, &event("b", "t"), 1));
        let read = FieldSet::of(&[Field::Topic, Field::ClientId]);
        let moment = kept.moment();
        let other = event("b", "u");
        let keeping = kept.prepare(&other, read, &accept(60, &[]));
        kept.keep(keeping.expect("something to keep"), moment, 1);
        assert!(knows(&kept, &other, 1));
        assert!(!knows(&kept, &event("a", "u"), 1));
        assert!(
            !knows(&kept, &event("b", "t"), 1),
            "its key has one field less"
        );
    }

    #[test]
    fn it_holds_for_its_time_and_no_longer() {
        let kept = kept_of(&[Field::ClientId], SMALL);
        keep(&kept, &event("a", "t"), &accept(1, &[]), 5_000);
        assert!(knows(&kept, &event("a", "t"), 5_999));
        assert!(!knows(&kept, &event("a", "t"), 6_000));
        assert_eq!(kept.tally().entries, 0, "what was found too old is gone");
        keep(&kept, &event("a", "t"), &accept(u64::MAX, &[]), 6_000);
        assert!(knows(&kept, &event("a", "t"), u64::MAX - 1));
        assert!(
            kept.prepare(&event("a", "t"), FieldSet::EMPTY, &accept(0, &["t"]))
                .is_none()
        );
    }

    #[test]
    fn nothing_is_looked_for_before_anything_was_kept() {
        let kept = kept_of(&[Field::ClientId], SMALL);
        let untouched = || -> u64 { panic!("the clock was read") };
        assert!(kept.recall(&event("a", "t"), untouched).is_none());
        assert_eq!(kept.tally(), NOTHING);
    }

    #[test]
    fn entries_and_bytes_are_bounded_and_what_is_used_stays() {
        let kept = kept_of(&[Field::ClientId], SMALL);
        let used = event("used", "t");
        keep(&kept, &used, &accept(600, &["used"]), 1);
        for number in 0..5_000 {
            let other = event(&format!("client {number}"), "t");
            keep(&kept, &other, &accept(600, &["others"]), 1);
            assert!(knows(&kept, &used, 1), "after {number}");
        }
        let tally = kept.tally();
        let limit = SMALL.n_entries as u64;
        assert!(
            tally.entries > limit / 2 && tally.entries <= limit,
            "{tally:?}"
        );
        // Large ones fill the bytes before the entries.
        for number in 0..1_000 {
            let answer = Answer {
                verdict: Verdict::deny(0x87, &"x".repeat(1_500)),
                ..accept(600, &[])
            };
            keep(&kept, &event(&format!("large {number}"), "t"), &answer, 1);
            assert!(kept.tally().bytes <= SMALL.bytes as u64);
        }
        assert!(kept.tally().entries >= N_SHARDS as u64);
        let huge = Answer {
            verdict: Verdict::deny(0x87, &"x".repeat(60_000)),
            ..accept(600, &[])
        };
        let before = kept.tally().entries;
        keep(&kept, &event("huge", "t"), &huge, 1);
        assert_eq!(kept.tally().entries, before, "too large to be kept at all");
        // Nothing is left behind by what went.
        assert!(kept.forget("others", kept.tags.change("others")) <= before as usize);
        for shard in &kept.shards {
            let shard = shard.lock();
            let present = shard.entries.iter().flatten().count();
            assert_eq!(shard.table.len(), present);
            assert_eq!(shard.entries.len() - shard.free.len(), present);
            let tagged: usize = shard
                .entries
                .iter()
                .flatten()
                .map(|entry| entry.answer.tags.len())
                .sum();
            assert_eq!(shard.tagged.len(), tagged);
            let bytes: usize = shard
                .entries
                .iter()
                .flatten()
                .map(|entry| entry.bytes)
                .sum();
            assert_eq!(shard.bytes, bytes);
        }
    }

    #[test]
    fn what_has_expired_goes_by_itself() {
        let kept = kept_of(&[Field::ClientId], KeptLimits::default());
        for number in 0..2_000 {
            keep(
                &kept,
                &event(&number.to_string(), "t"),
                &accept(1, &["t"]),
                1,
            );
        }
        keep(&kept, &event("late", "t"), &accept(60, &["t"]), 1);
        assert_eq!(kept.tally().entries, 2_001);
        kept.sweep(2_000);
        assert_eq!(kept.tally().entries, 1);
        assert!(knows(&kept, &event("late", "t"), 2_000));
    }

    #[test]
    fn a_tag_takes_back_all_that_carry_it_and_nothing_else() {
        let kept = kept_of(&[Field::ClientId], KeptLimits::default());
        for number in 0..3_000 {
            let tags: &[&str] = match number % 3 {
                0 => &["third", "all"],
                1 => &["all"],
                _ => &[],
            };
            keep(
                &kept,
                &event(&number.to_string(), "t"),
                &accept(60, tags),
                1,
            );
        }
        let forget = |tag| kept.forget(tag, kept.tags.change(tag));
        assert_eq!(forget("nobody"), 0);
        assert_eq!(forget("third"), 1_000);
        assert_eq!(forget("third"), 0);
        assert!(!knows(&kept, &event("0", "t"), 1) && knows(&kept, &event("1", "t"), 1));
        assert_eq!(forget("all"), 1_000);
        assert!(!knows(&kept, &event("1", "t"), 1) && knows(&kept, &event("2", "t"), 1));
    }

    #[test]
    fn a_decision_under_way_while_its_tag_is_taken_back_is_not_kept() {
        let kept = kept_of(&[Field::ClientId], SMALL);
        let (one, other) = (event("one", "t"), event("other", "t"));
        let moment = kept.moment();
        let with_tag = kept.prepare(&one, FieldSet::EMPTY, &accept(60, &["a", "b"]));
        let without = kept.prepare(&other, FieldSet::EMPTY, &accept(60, &[]));
        assert_eq!(kept.forget("b", kept.tags.change("b")), 0);
        kept.keep(with_tag.expect("something to keep"), moment, 1);
        kept.keep(without.expect("something to keep"), moment, 1);
        assert!(!knows(&kept, &one, 1), "it was decided before");
        assert!(knows(&kept, &other, 1));
        keep(&kept, &one, &accept(60, &["a", "b"]), 1);
        assert!(knows(&kept, &one, 1), "it was decided after");
        // An answer that is newer than the moment stays.
        let earlier = kept.tags.change("unrelated");
        keep(&kept, &one, &accept(60, &["a", "b"]), 1);
        assert_eq!(kept.forget("a", earlier), 0);
        assert!(knows(&kept, &one, 1));
    }

    /// Deciders read a number and keep answers made from it; another thread changes the number, takes the tag back, and from then on
    /// no earlier number may be recalled.
    #[test]
    fn nothing_that_was_taken_back_is_recalled_whoever_is_faster() {
        use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
        let kept = kept_of(&[Field::ClientId], SMALL);
        let (truth, done) = (AtomicU64::new(0), AtomicBool::new(false));
        let same = event("same", "t");
        std::thread::scope(|threads| {
            for _ in 0..2 {
                threads.spawn(|| {
                    while !done.load(SeqCst) {
                        let moment = kept.moment();
                        let decided = truth.load(SeqCst);
                        std::thread::yield_now();
                        let answer = Answer {
                            changes: vec![(Field::Qos, Owned::Integer(decided as i64))],
                            ..accept(60, &["truth"])
                        };
                        let keeping = kept.prepare(&same, FieldSet::EMPTY, &answer);
                        kept.keep(keeping.expect("something to keep"), moment, 1);
                    }
                });
            }
            let (mut n_recalled, mut wrong) = (0, Vec::new());
            for now in 1..3_000 {
                truth.store(now, SeqCst);
                kept.forget("truth", kept.tags.change("truth"));
                for _ in 0..3 {
                    if let Some(answer) = kept.recall(&same, || 1) {
                        n_recalled += 1;
                        if answer.changes != [(Field::Qos, Owned::Integer(now as i64))] {
                            wrong.push((now, answer));
                        }
                    }
                    std::thread::yield_now();
                }
            }
            // The deciders end before anything is judged.
            done.store(true, SeqCst);
            assert_eq!(wrong, []);
            assert!(n_recalled > 0, "the deciders were never heard");
        });
    }

    #[test]
    fn it_counts_what_it_was_good_for() {
        let kept = kept_of(&[Field::ClientId], SMALL);
        keep(&kept, &event("a", "t"), &accept(60, &[]), 1);
        for _ in 0..3 {
            assert!(knows(&kept, &event("a", "t"), 1));
        }
        assert!(!knows(&kept, &event("b", "t"), 1));
        let tally = kept.tally();
        assert_eq!((tally.hits, tally.misses, tally.entries), (3, 1, 1));
        assert!(tally.bytes > OVERHEAD as u64);
    }
}

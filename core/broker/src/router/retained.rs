//! Retained Messages: the last one of each topic that asked to be kept.
//!
//! One ordered map by topic, in which a level and everything below it lie side by side: topics are held with U+0000,
//! which no topic contains [MQTT-4.7.3-2], in the place of `/`, so that the bytes' own order is the order of the
//! tree. A filter is then a few leaps through the map (`filter_walk.rs`), and where a reader stopped is told by a
//! topic alone: it can go on there later whatever has changed. Never decides what expires, and never calls out under
//! its lock, except where an argument says so. Serves step 7 of the path of a PUBLISH and the replay at SUBSCRIBE.

mod filter_walk;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, btree_map::Range},
    error::Error,
    fmt,
    ops::Bound,
};

use parking_lot::RwLock;
use smallvec::SmallVec;

use self::filter_walk::{FilterWalk, Verdict};

/// Messages by topic, within limits. `M` should be cheap to clone, such as an `Arc`.
#[derive(Debug)]
pub struct Retained<M> {
    limits: RetainedLimits,
    store: RwLock<Store<M>>,
}

/// How much a [`Retained`] may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetainedLimits {
    /// Topics with a message.
    pub n_messages: usize,
    /// Sum of the sizes that came with the messages.
    pub n_bytes: usize,
}

/// Why a message was not retained. Whatever was retained for the topic before still is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetainedFull {
    /// [`RetainedLimits::n_messages`] topics have a message already.
    Messages {
        /// The limit.
        limit: usize,
    },
    /// The message would exceed [`RetainedLimits::n_bytes`].
    Bytes {
        /// The limit.
        limit: usize,
    },
}

/// How far a reader of the messages that match one filter has come.
///
/// Holds the filter and a topic, no lock and no message.
#[derive(Debug, Clone)]
pub struct Cursor {
    walk: FilterWalk,
    place: Place,
}

/// How much one call of [`Retained::collect_matching`] may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Messages to hand out at most.
    pub n_messages: usize,
    /// Topics to look at, at most; bounds the time when few of them match. From 30 ns each in order to 2 us when
    /// each is a leap among a million.
    pub n_visits: usize,
}

/// Whether a reader has seen everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// The budget is spent, and there may be more.
    More,
    /// Nothing is left that matches.
    Done,
}

#[derive(Debug)]
struct Store<M> {
    messages: Messages<M>,
    n_bytes: usize,
}

type Messages<M> = BTreeMap<Box<[u8]>, Kept<M>>;
type Entry<'a, M> = (&'a Box<[u8]>, &'a Kept<M>);

#[derive(Debug)]
struct Kept<M> {
    message: M,
    /// As the caller said.
    n_bytes: usize,
}

/// From where in the map to read on.
#[derive(Debug, Clone)]
enum Place {
    /// This key, if there is one, or the next.
    At(Vec<u8>),
    /// Nothing is left.
    End,
}

/// A topic with U+0000 for `/`.
type Key = SmallVec<[u8; 128]>;

/// Topics looked at under one hold of the lock.
const VISITS_PER_HOLD: usize = 64;

/// Topics stepped over before searching: a step is much cheaper than a search, and the goal is often near.
const STEPS_BEFORE_SEARCH: usize = 8;

impl<M: Clone> Retained<M> {
    /// Nothing retained yet.
    pub fn new(limits: RetainedLimits) -> Self {
        Self {
            limits,
            store: RwLock::new(Store {
                messages: BTreeMap::new(),
                n_bytes: 0,
            }),
        }
    }

    /// Keeps `message` for `topic` and returns the one that it replaces [MQTT-3.3.1-5].
    ///
    /// `n_bytes` is what the message counts against the limit.
    ///
    /// # Errors
    ///
    /// [`RetainedFull`] names the limit in the way; nothing is changed then.
    pub fn set(&self, topic: &str, message: M, n_bytes: usize) -> Result<Option<M>, RetainedFull> {
        self.set_and(topic, message, n_bytes, || ())
    }

    /// [`Retained::set`], and `tell` if it was kept: under the lock, so that of two messages the later one is told later. It must not
    /// call back.
    ///
    /// # Errors
    /// As [`Retained::set`].
    pub fn set_and(
        &self,
        topic: &str,
        message: M,
        n_bytes: usize,
        tell: impl FnOnce(),
    ) -> Result<Option<M>, RetainedFull> {
        let key = key(topic);
        let mut store = self.store.write();
        let Store {
            messages,
            n_bytes: n_bytes_held,
        } = &mut *store;
        let too_many_bytes = RetainedFull::Bytes {
            limit: self.limits.n_bytes,
        };
        let fits = |others: usize| {
            others
                .checked_add(n_bytes)
                .filter(|&sum| sum <= self.limits.n_bytes)
                .ok_or(too_many_bytes)
        };
        if let Some(kept) = messages.get_mut(key.as_slice()) {
            *n_bytes_held = fits(*n_bytes_held - kept.n_bytes)?;
            let old = std::mem::replace(kept, Kept { message, n_bytes });
            tell();
            return Ok(Some(old.message));
        }
        if messages.len() >= self.limits.n_messages {
            return Err(RetainedFull::Messages {
                limit: self.limits.n_messages,
            });
        }
        *n_bytes_held = fits(*n_bytes_held)?;
        messages.insert(key.as_slice().into(), Kept { message, n_bytes });
        tell();
        Ok(None)
    }

    /// The message retained for exactly this topic.
    pub fn get(&self, topic: &str) -> Option<M> {
        self.store
            .read()
            .messages
            .get(key(topic).as_slice())
            .map(|kept| kept.message.clone())
    }

    /// Forgets the message of `topic` and returns it, as a PUBLISH with an empty payload asks [MQTT-3.3.1-6].
    pub fn clear(&self, topic: &str) -> Option<M> {
        self.clear_if(topic, |_| true)
    }

    /// Forgets the message of `topic` if it is one that `goes` means, such as the very one that was found expired.
    ///
    /// `goes` runs under the lock and must not call back.
    pub fn clear_if(&self, topic: &str, goes: impl FnOnce(&M) -> bool) -> Option<M> {
        let key = key(topic);
        let mut store = self.store.write();
        if !goes(&store.messages.get(key.as_slice())?.message) {
            return None;
        }
        let removed = store.messages.remove(key.as_slice())?;
        store.n_bytes -= removed.n_bytes;
        Some(removed.message)
    }

    /// Forgets all messages; returns how many there were.
    pub fn clear_all(&self) -> usize {
        // They are dropped when the lock is free again.
        let messages = {
            let mut store = self.store.write();
            store.n_bytes = 0;
            std::mem::take(&mut store.messages)
        };
        messages.len()
    }

    /// Adds to `found` the next messages that match the cursor's filter, in the order of their topics.
    ///
    /// A message that is there from the first call to the last is found once; one that comes, goes or is replaced
    /// meanwhile is found in one of its states or not at all, and never twice. The lock is held for some tens of
    /// microseconds at a time.
    pub fn collect_matching(
        &self,
        cursor: &mut Cursor,
        budget: Budget,
        found: &mut Vec<M>,
    ) -> Progress {
        let mut left = budget;
        while left.n_messages > 0 && left.n_visits > 0 {
            let store = self.store.read();
            cursor.read(&store.messages, &mut left, |message| {
                found.push(message.clone())
            });
            if matches!(cursor.place, Place::End) {
                return Progress::Done;
            }
        }
        if matches!(cursor.place, Place::End) {
            Progress::Done
        } else {
            Progress::More
        }
    }

    /// Shows all messages with their topics, in order and without a lock; changes made meanwhile may be missed.
    pub fn for_each(&self, mut show: impl FnMut(&str, &M)) {
        let mut page: Vec<(Box<[u8]>, M)> = Vec::new();
        loop {
            let from = page
                .last()
                .map_or(Bound::Unbounded, |(key, _)| Bound::Excluded(&**key));
            let next: Vec<_> = {
                let store = self.store.read();
                let rest = store.messages.range::<[u8], _>((from, Bound::Unbounded));
                rest.take(VISITS_PER_HOLD)
                    .map(|(key, kept)| (key.clone(), kept.message.clone()))
                    .collect()
            };
            if next.is_empty() {
                return;
            }
            page = next;
            for (key, message) in &page {
                show(&topic(key), message);
            }
        }
    }

    /// Topics with a message.
    pub fn len(&self) -> usize {
        self.store.read().messages.len()
    }

    /// Whether nothing is retained.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Sum of the sizes that came with the messages.
    pub fn n_bytes(&self) -> usize {
        self.store.read().n_bytes
    }

    /// How much may be held.
    pub fn limits(&self) -> RetainedLimits {
        self.limits
    }
}

impl Cursor {
    /// The beginning of everything that matches `filter`, which comes without `$share/` and Share Name.
    pub fn new(filter: &str) -> Self {
        let walk = FilterWalk::new(&key(filter));
        let place = Place::At(walk.first().to_vec());
        Self { walk, place }
    }

    /// Reads on until the budget or this hold of the lock is spent.
    fn read<M>(&mut self, messages: &Messages<M>, left: &mut Budget, mut show: impl FnMut(&M)) {
        let Place::At(from) = std::mem::replace(&mut self.place, Place::End) else {
            return;
        };
        let mut rest = messages.range::<[u8], _>((Bound::Included(&*from), Bound::Unbounded));
        let mut goal = Vec::new();
        let mut next = rest.next();
        let mut visits_in_hold = 0;
        while let Some((key, kept)) = next {
            if visits_in_hold == VISITS_PER_HOLD || left.n_visits == 0 || left.n_messages == 0 {
                self.place = Place::At(key.to_vec());
                return;
            }
            visits_in_hold += 1;
            left.n_visits -= 1;
            match self.walk.judge(key, &mut goal) {
                Verdict::Matches => {
                    left.n_messages -= 1;
                    show(&kept.message);
                    next = rest.next();
                }
                Verdict::GoOnAtGoal => next = advance(messages, &mut rest, &goal),
                Verdict::Over => return,
            }
        }
    }
}

/// Goes forward to the first key at or behind `goal`: by steps if it is near, or else by a search.
fn advance<'a, M>(
    messages: &'a Messages<M>,
    rest: &mut Range<'a, Box<[u8]>, Kept<M>>,
    goal: &[u8],
) -> Option<Entry<'a, M>> {
    for _ in 0..STEPS_BEFORE_SEARCH {
        match rest.next() {
            Some((key, _)) if **key < *goal => {}
            reached => return reached,
        }
    }
    *rest = messages.range::<[u8], _>((Bound::Included(goal), Bound::Unbounded));
    rest.next()
}

fn key(topic: &str) -> Key {
    let mut key = Key::from_slice(topic.as_bytes());
    key.iter_mut()
        .filter(|byte| **byte == b'/')
        .for_each(|byte| *byte = 0);
    key
}

fn topic(key: &[u8]) -> String {
    let bytes = key
        .iter()
        .map(|&byte| if byte == 0 { b'/' } else { byte })
        .collect();
    // The key was made from a `&str` by swapping one ASCII character for another.
    String::from_utf8(bytes).unwrap_or_default()
}

impl fmt::Display for RetainedFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Messages { limit } => {
                write!(f, "the limit of {limit} retained messages is reached")
            }
            Self::Bytes { limit } => write!(
                f,
                "the limit of {limit} bytes of retained messages is reached"
            ),
        }
    }
}

impl Error for RetainedFull {}

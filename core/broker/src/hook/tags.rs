//! When what stands behind a tag last changed, so that an answer made before is never kept afterwards.
//!
//! Tags are many and come from plugins, so they share a fixed number of slots. Two tags in one slot mean an answer that could have been
//! kept and is not, never the other way round.

use std::sync::atomic::{AtomicU64, Ordering};

use ahash::RandomState;

const N_SLOTS: usize = 1024;

/// Counts changes from 0 up.
pub(crate) struct Tags {
    hasher: RandomState,
    now: AtomicU64,
    slots: Box<[AtomicU64]>,
}

/// A moment between two changes. Take it before the plugin is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(u64);

impl Tags {
    pub(super) fn new() -> Self {
        Self {
            hasher: RandomState::new(),
            now: AtomicU64::new(0),
            slots: (0..N_SLOTS).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    /// The present moment. Whatever was written before a change that is over by now can be seen from here on.
    #[inline]
    pub(crate) fn now(&self) -> Moment {
        Moment(self.now.load(Ordering::Acquire))
    }

    /// What stands behind this tag has changed; gives the first moment after it.
    pub(super) fn change(&self, tag: &str) -> Moment {
        let moment = self.now.fetch_add(1, Ordering::AcqRel) + 1;
        if let Some(slot) = self.slots.get(self.slot(self.hash(tag))) {
            slot.fetch_max(moment, Ordering::AcqRel);
        }
        Moment(moment)
    }

    /// Whether what stands behind any of these tags may have changed since. To be asked under the lock under which the consequences
    /// are written, and [`Tags::change`] is to be called before whoever looks for them takes it.
    pub(crate) fn changed_since(&self, tags: &[Box<str>], since: Moment) -> bool {
        tags.iter().any(|tag| {
            self.slots
                .get(self.slot(self.hash(tag)))
                .is_some_and(|slot| slot.load(Ordering::Acquire) > since.0)
        })
    }

    /// A number for the tag, the same as long as the broker runs.
    pub(super) fn hash(&self, tag: &str) -> u64 {
        self.hasher.hash_one(tag)
    }

    const fn slot(&self, hash: u64) -> usize {
        hash as usize % N_SLOTS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_counts_for_who_began_before_it() {
        let tags = Tags::new();
        let names =
            |names: &[&str]| -> Vec<Box<str>> { names.iter().map(|name| (*name).into()).collect() };
        let before = tags.now();
        assert!(!tags.changed_since(&names(&["a"]), before));
        let after = tags.change("a");
        assert!(tags.changed_since(&names(&["a"]), before));
        assert!(tags.changed_since(&names(&["another tag", "a"]), before));
        assert!(!tags.changed_since(&names(&[]), before));
        assert!(!tags.changed_since(&names(&["a"]), after));
        assert!(!tags.changed_since(&names(&["a"]), tags.now()));
        // Of a thousand others, a few share its slot at most.
        let unlucky = (0..1000)
            .filter(|number| tags.changed_since(&names(&[&format!("tag {number}")]), before))
            .count();
        assert!(unlucky < 20, "{unlucky}");
    }
}

//! The bytes of all Sessions' messages, queued and in flight, against one limit of the whole broker.
//!
//! Counted as each Session holds them: a message that waits for a hundred Sessions counts a hundred times, though its bytes are there
//! once. Up to half of the limit whoever comes first is served; the other half is kept for Sessions that hold less than their fair
//! share, so that some who let much pile up leave room for all others. Nothing touches it but messages that stay, Will Messages among them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// See the module.
#[derive(Debug)]
pub(crate) struct Budget {
    maximum: usize,
    used: AtomicUsize,
    /// Sessions that hold something.
    n_holders: AtomicUsize,
}

impl Budget {
    pub(crate) fn new(maximum: usize) -> Self {
        Self {
            maximum,
            used: AtomicUsize::new(0),
            n_holders: AtomicUsize::new(0),
        }
    }

    /// The limit, in bytes.
    pub(crate) const fn maximum(&self) -> usize {
        self.maximum
    }

    /// Bytes that all Sessions hold.
    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// Whether so little is left, a twentieth, that senders should slow down.
    pub(crate) fn is_short(&self) -> bool {
        self.used() >= self.maximum - self.maximum / 20
    }

    /// Bytes that a Session with `held` bytes must give up before it may hold `more`. Threads that ask at the same moment may all be
    /// told none, so the limit can be exceeded by a message for each of them.
    fn owed(&self, held: usize, more: usize) -> usize {
        let used = self.used().saturating_add(more);
        if used <= self.maximum / 2 {
            return 0;
        }
        let n_others = self.n_holders.load(Ordering::Relaxed) - usize::from(held > 0);
        // As if one more were to come: else whoever is alone would leave no room for a second.
        let share = self.maximum / (n_others + 2);
        if held.saturating_add(more) > share {
            // Twice as much, so that it comes down to its share while messages come.
            more.saturating_mul(2)
        } else if used > self.maximum {
            more
        } else {
            0
        }
    }
}

/// Bytes that stay as long as something that is no message of a queue, such as a Will Message.
#[derive(Debug)]
pub(crate) struct Reserved {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Reserved {
    /// None where so much is used that somebody who holds nothing yet may not have it.
    pub(crate) fn new(budget: &Arc<Budget>, bytes: usize) -> Option<Self> {
        (budget.owed(0, bytes) == 0).then(|| Self::anyway(budget, bytes))
    }

    /// Whatever else is used.
    pub(crate) fn anyway(budget: &Arc<Budget>, bytes: usize) -> Self {
        budget.used.fetch_add(bytes, Ordering::Relaxed);
        Self {
            budget: Arc::clone(budget),
            bytes,
        }
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// What one Session holds of a [`Budget`]; given back at its end.
#[derive(Debug)]
pub(super) struct Holding {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Holding {
    pub(super) const fn new(budget: Arc<Budget>) -> Self {
        Self { budget, bytes: 0 }
    }

    /// Bytes that the Session must give up before it may hold `more`.
    pub(super) fn owed(&self, more: usize) -> usize {
        self.budget.owed(self.bytes, more)
    }

    /// Counts what the Session holds now.
    pub(super) fn set(&mut self, bytes: usize) {
        if bytes == self.bytes {
            return;
        }
        let Budget {
            used, n_holders, ..
        } = &*self.budget;
        if bytes > self.bytes {
            used.fetch_add(bytes - self.bytes, Ordering::Relaxed);
        } else {
            used.fetch_sub(self.bytes - bytes, Ordering::Relaxed);
        }
        if self.bytes == 0 {
            n_holders.fetch_add(1, Ordering::Relaxed);
        } else if bytes == 0 {
            n_holders.fetch_sub(1, Ordering::Relaxed);
        }
        self.bytes = bytes;
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Grows as far as it is let, by ten bytes.
    fn fill(holding: &mut Holding) -> usize {
        while holding.owed(10) == 0 {
            holding.set(holding.bytes + 10);
        }
        holding.bytes
    }

    #[test]
    fn one_alone_leaves_half_and_those_with_less_than_their_share_get_the_rest() {
        let budget = Arc::new(Budget::new(1200));
        let mut all: Vec<_> = (0..8).map(|_| Holding::new(Arc::clone(&budget))).collect();
        let taken: Vec<_> = all.iter_mut().map(fill).collect();
        assert_eq!(taken, [600, 400, 200, 0, 0, 0, 0, 0]);
        assert_eq!(budget.used(), 1200);
        assert!(budget.is_short());
        // What one gives back is for those with less than their share.
        all[1].set(100);
        assert!(!budget.is_short());
        assert_eq!(all[0].owed(10), 20);
        assert_eq!(fill(&mut all[5]), 240);
        drop(all);
        assert_eq!(budget.used(), 0);
        assert_eq!(budget.n_holders.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn what_is_reserved_counts_until_it_is_dropped() {
        let budget = Arc::new(Budget::new(1000));
        let first = Reserved::new(&budget, 500).expect("the first half is for whoever comes");
        assert!(Reserved::new(&budget, 501).is_none(), "more than its share");
        let second = Reserved::new(&budget, 500).expect("its share");
        assert!(Reserved::new(&budget, 1).is_none(), "all is used");
        let third = Reserved::anyway(&budget, 10);
        assert_eq!(budget.used(), 1010);
        drop((first, second, third));
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn where_everything_is_used_each_gives_up_what_it_wants_to_take() {
        let budget = Arc::new(Budget::new(1000));
        let mut one = Holding::new(Arc::clone(&budget));
        let mut other = Holding::new(Arc::clone(&budget));
        other.set(100);
        // Restored at a start, whatever the limit is.
        one.set(5000);
        assert_eq!((one.owed(10), other.owed(10)), (20, 10));
        one.set(500);
        assert_eq!((one.owed(10), other.owed(10)), (20, 0));
        one.set(390);
        assert_eq!((one.owed(10), other.owed(10)), (0, 0));
    }
}

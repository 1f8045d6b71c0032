//! How many messages of one publisher are under way: the window that it keeps to.
//!
//! A window is one half at least and is written in halves: the next half goes out when every receiver has the half
//! before the last one. One thread, so plain cells do.

use std::cell::{Cell, RefCell};

use tokio::sync::Notify;

use super::report::Counts;

/// The messages of one publisher.
pub(super) struct Flow {
    /// Messages written at once.
    pub(super) half: u32,
    /// Halves that may be under way: 2, or 1 for a window of one message.
    pub(super) n_halves: u32,
    /// Halves that each receiver has.
    received: RefCell<Vec<u32>>,
    /// The least of them, and how many receivers are there.
    slowest: Cell<u32>,
    n_slowest: Cell<usize>,
    /// Wakes the publisher.
    pub(super) moved: Notify,
}

impl Flow {
    pub(super) fn new(window: usize, n_receivers: usize) -> Self {
        let half = u32::try_from((window / 2).max(1)).unwrap_or(u32::MAX);
        Self {
            half,
            n_halves: if window > 1 { 2 } else { 1 },
            received: RefCell::new(vec![0; n_receivers]),
            slowest: Cell::new(0),
            n_slowest: Cell::new(n_receivers),
            moved: Notify::new(),
        }
    }

    /// Halves that every receiver has.
    pub(super) fn received(&self) -> u32 {
        self.slowest.get()
    }

    /// A receiver has everything up to this sequence number, or will never have it.
    #[inline]
    pub(super) fn note(&self, receiver: usize, sequence: u32) {
        if (sequence + 1).is_multiple_of(self.half) {
            self.advance(receiver, (sequence + 1) / self.half);
        }
    }

    /// Whatever is under way counts as received, so that a lost message does not stop the load.
    pub(super) fn give_up(&self, sent_halves: u32) {
        let n_receivers = self.received.borrow().len();
        for receiver in 0..n_receivers {
            self.advance(receiver, sent_halves);
        }
    }

    fn advance(&self, receiver: usize, halves: u32) {
        let mut received = self.received.borrow_mut();
        let Some(own) = received.get_mut(receiver) else {
            return;
        };
        let before = *own;
        if before >= halves {
            return;
        }
        *own = halves;
        if before != self.slowest.get() {
            return;
        }
        self.n_slowest.set(self.n_slowest.get() - 1);
        if self.n_slowest.get() == 0 {
            let slowest = received.iter().copied().min().unwrap_or(halves);
            self.slowest.set(slowest);
            self.n_slowest
                .set(received.iter().filter(|it| **it == slowest).count());
            self.moved.notify_one();
        }
    }
}

/// What all connections of a run count.
#[derive(Default)]
pub(super) struct Totals {
    pub(super) received: Cell<u64>,
    pub(super) disordered: Cell<u64>,
    pub(super) refused: Cell<u64>,
    pub(super) expected: Cell<u64>,
    /// Publishers stop at the next half.
    pub(super) stopped: Cell<bool>,
    pub(super) failed: RefCell<Option<String>>,
}

impl Totals {
    /// Remembers the first failure.
    pub(super) fn fail(&self, who: &str, error: &dyn std::fmt::Display) {
        self.failed
            .borrow_mut()
            .get_or_insert_with(|| format!("{who}: {error}"));
    }

    pub(super) fn counts(&self) -> Counts {
        Counts {
            expected: self.expected.get(),
            received: self.received.get(),
            disordered: self.disordered.get(),
            refused: self.refused.get(),
            failed: self.failed.borrow().clone(),
        }
    }
}

/// Adds to a counter.
#[inline]
pub(super) fn add(counter: &Cell<u64>, n: u64) {
    counter.set(counter.get() + n);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_receiver_decides() {
        let flow = Flow::new(10, 2);
        assert_eq!((flow.half, flow.n_halves), (5, 2));
        for sequence in 0..10 {
            flow.note(0, sequence);
        }
        assert_eq!(flow.received(), 0);
        for sequence in 0..5 {
            flow.note(1, sequence);
        }
        assert_eq!(flow.received(), 1);
        flow.note(1, 9);
        assert_eq!(flow.received(), 2);
        flow.give_up(7);
        assert_eq!(flow.received(), 7);
    }

    #[test]
    fn a_window_of_one_is_one_half() {
        let flow = Flow::new(1, 1);
        assert_eq!((flow.half, flow.n_halves), (1, 1));
        flow.note(0, 0);
        assert_eq!(flow.received(), 1);
    }
}

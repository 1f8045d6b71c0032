//! Counters of the whole broker. Every lost message has a reason that is counted.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::session::sending::DropReason;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Stats {
    received: AtomicU64,
    sent: AtomicU64,
    not_consumed: AtomicU64,
    refused: AtomicU64,
    dropped: [AtomicU64; DropReason::ALL.len()],
}

/// The counters at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatsView {
    /// PUBLISH packets received.
    pub received: u64,
    /// PUBLISH packets sent.
    pub sent: u64,
    /// Messages that no Session received.
    pub not_consumed: u64,
    /// Refusals by plugins.
    pub refused: u64,
    /// Copies lost, by reason.
    pub dropped: Vec<(DropReason, u64)>,
    /// Sessions, connected or not.
    pub sessions: usize,
    /// Connected clients.
    pub connected: usize,
    /// Subscriptions held.
    pub subscriptions: usize,
    /// Retained messages.
    pub retained: usize,
    /// Bytes of changes that the store does not have yet.
    pub unstored_bytes: usize,
    /// The store fails: acknowledgements that promise it wait.
    pub store_is_failing: bool,
}

impl Stats {
    pub(crate) fn received(&self, n: u64) {
        self.received.fetch_add(n, Ordering::Relaxed);
    }

    pub(crate) fn sent(&self, n: u64) {
        self.sent.fetch_add(n, Ordering::Relaxed);
    }

    pub(crate) fn not_consumed(&self) {
        self.not_consumed.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn dropped(&self, reason: DropReason) {
        self.dropped[reason as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn view(&self, inner: &super::Inner) -> StatsView {
        StatsView {
            received: self.received.load(Ordering::Relaxed),
            sent: self.sent.load(Ordering::Relaxed),
            not_consumed: self.not_consumed.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
            dropped: DropReason::ALL
                .into_iter()
                .map(|reason| {
                    (
                        reason,
                        self.dropped[reason as usize].load(Ordering::Relaxed),
                    )
                })
                .collect(),
            sessions: inner.sessions.len(),
            connected: inner.sessions.n_connected(),
            subscriptions: inner.router.counts().n_subscriptions,
            retained: inner.retained.len(),
            unstored_bytes: inner
                .journal
                .get()
                .map_or(0, |journal| journal.waiting_bytes()),
            store_is_failing: inner
                .journal
                .get()
                .is_some_and(|journal| journal.is_failing()),
        }
    }
}

//! Counters of the whole broker, and how they are told. Every lost message has a reason that is counted.

use std::fmt::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};

use super::load::{Used, nearest};
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
#[derive(Debug, Clone, PartialEq)]
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
    /// Bytes of messages that Sessions hold, queued and in flight, each message counted for every Session.
    pub queued_bytes: usize,
    /// Connections that had to go before they said CONNECT, because more came than a listener may have of them.
    pub evicted_handshakes: u64,
    /// How near the broker is to turning something away: 0 is not at all, at 1 a limit is reached. The greatest of [`StatsView::used`].
    pub load: f64,
    /// The limit that is behind [`StatsView::load`], as the key that sets it.
    pub nearest_limit: &'static str,
    /// How much of each limit is used.
    pub used: Vec<Used>,
}

impl StatsView {
    /// Appends what monitoring should watch, in the text format that Prometheus and its kin read: `hookmq_load` and what it is made of.
    pub fn render(&self, out: &mut String) {
        // Writing to a string does not fail.
        let _ = self.write_all(out);
    }

    fn write_all(&self, out: &mut String) -> fmt::Result {
        let head = |out: &mut String, name: &str, kind: &str, help: &str| {
            writeln!(
                out,
                "# HELP hookmq_{name} {help}\n# TYPE hookmq_{name} {kind}"
            )
        };
        head(
            out,
            "load",
            "gauge",
            "How near the broker is to turning something away: 1 is at a limit.",
        )?;
        writeln!(out, "hookmq_load {}", self.load)?;
        head(
            out,
            "limit_used",
            "gauge",
            "How much of each limit is used: 1 is all of it.",
        )?;
        for Used { limit, part } in &self.used {
            writeln!(out, "hookmq_limit_used{{limit=\"{limit}\"}} {part}")?;
        }
        for (name, value, help) in [
            (
                "store_is_failing",
                u64::from(self.store_is_failing),
                "1 while the store does not work and acknowledgements wait for it.",
            ),
            (
                "unstored_bytes",
                self.unstored_bytes as u64,
                "Bytes of changes that the store does not have yet.",
            ),
        ] {
            head(out, name, "gauge", help)?;
            writeln!(out, "hookmq_{name} {value}")?;
        }
        head(
            out,
            "evicted_handshakes_total",
            "counter",
            "Connections that gave way to newer ones before they said CONNECT.",
        )?;
        writeln!(
            out,
            "hookmq_evicted_handshakes_total {}",
            self.evicted_handshakes
        )?;
        head(
            out,
            "messages_dropped_total",
            "counter",
            "Copies lost, by reason.",
        )?;
        for (reason, n) in &self.dropped {
            let reason = reason.name();
            writeln!(
                out,
                "hookmq_messages_dropped_total{{reason=\"{reason}\"}} {n}"
            )?;
        }
        Ok(())
    }
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
        let used = inner.used();
        let nearest = nearest(&used);
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
            queued_bytes: inner.budget.used(),
            evicted_handshakes: inner
                .handshakes
                .get()
                .into_iter()
                .flatten()
                .map(|of_one| of_one.n_evicted())
                .sum(),
            load: nearest.map_or(0.0, |nearest| nearest.part),
            nearest_limit: nearest.map_or("", |nearest| nearest.limit),
            used,
        }
    }
}

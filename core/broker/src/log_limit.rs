//! Keeps what clients and plugins can cause from flooding the log: so many lines a second, then a count of those held back.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// One kind of log line. Counts by the second of a clock that the caller passes in.
#[derive(Debug)]
pub(crate) struct LogLimit {
    per_second: u64,
    second: AtomicU64,
    n_lines: AtomicU64,
    n_held: AtomicU64,
}

/// Whether a line may be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Line {
    /// Yes; so many were held back before it.
    Write {
        /// Lines held back since the last one that was written.
        held: u64,
    },
    /// No, it is counted.
    Hold,
}

impl LogLimit {
    pub(crate) const fn new(per_second: u64) -> Self {
        Self {
            per_second,
            second: AtomicU64::new(0),
            n_lines: AtomicU64::new(0),
            n_held: AtomicU64::new(0),
        }
    }

    /// Asks for one line. Threads that meet at the turn of a second may write a few lines more.
    pub(crate) fn line(&self, now_ms: u64) -> Line {
        let second = now_ms / 1000;
        if self.second.swap(second, Relaxed) != second {
            self.n_lines.store(0, Relaxed);
        }
        if self.n_lines.fetch_add(1, Relaxed) >= self.per_second {
            self.n_held.fetch_add(1, Relaxed);
            return Line::Hold;
        }
        Line::Write {
            held: self.n_held.swap(0, Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_lines_a_second_and_a_count_of_the_others() {
        let limit = LogLimit::new(2);
        let lines: Vec<_> = [10, 20, 30, 999, 1001].map(|now| limit.line(now)).into();
        assert_eq!(
            lines,
            [
                Line::Write { held: 0 },
                Line::Write { held: 0 },
                Line::Hold,
                Line::Hold,
                Line::Write { held: 2 },
            ]
        );
    }
}

//! Keeps a log line from flooding the log: one a second, with the number of those held back.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

const PERIOD_MS: u64 = 1000;

/// One kind of log line.
#[derive(Debug, Default)]
pub(super) struct Quiet {
    next_ms: AtomicU64,
    held: AtomicU64,
}

impl Quiet {
    /// How many lines were held back since the last one, if a line may be written now.
    pub(super) fn speak(&self, now_ms: u64) -> Option<u64> {
        let next = self.next_ms.load(Relaxed);
        let may = now_ms >= next
            && self
                .next_ms
                .compare_exchange(next, now_ms + PERIOD_MS, Relaxed, Relaxed)
                .is_ok();
        if may {
            Some(self.held.swap(0, Relaxed))
        } else {
            self.held.fetch_add(1, Relaxed);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_a_second_tells_how_many_were_held_back() {
        let quiet = Quiet::default();
        let spoken: Vec<_> = [5, 6, 7, 1004, 1005, 1006, 9000]
            .map(|now| quiet.speak(now))
            .into();
        assert_eq!(spoken, [Some(0), None, None, None, Some(3), None, Some(1)]);
    }
}

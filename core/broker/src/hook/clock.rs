//! Milliseconds since the hook engine began. Breakers, the key-value map and log limits count in these; only this file reads
//! the clock for them.

use std::time::{SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// A clock that only goes forward, in milliseconds.
///
/// It reads tokio's clock, so that tests can hold and advance it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    origin: Instant,
}

impl Clock {
    pub(super) fn new() -> Self {
        Self {
            origin: Instant::now(),
        }
    }

    /// Milliseconds since [`Clock::new`], from 1 on: 0 is free to mean "never".
    pub(super) fn now_ms(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_millis())
            .unwrap_or(u64::MAX)
            .saturating_add(1)
    }
}

/// Milliseconds since 1970-01-01 UTC, for [`hookmq_plugin_api::Field::Timestamp`].
pub(super) fn unix_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| {
            i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
        })
}

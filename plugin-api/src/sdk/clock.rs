//! The time. In WASM it wants the grant `clock`.

use super::edge::carrier;

/// Milliseconds since 1970-01-01 UTC.
#[must_use]
pub fn now_ms() -> u64 {
    carrier::now_ms()
}

/// Nanoseconds of a clock that never goes back.
#[must_use]
pub fn monotonic_ns() -> u64 {
    carrier::monotonic_ns()
}

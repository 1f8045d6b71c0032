//! Answers that the broker keeps. Wants the grant `cache`.

use super::Refused;
use super::edge::carrier;

/// Forgets every kept answer with this tag; how many there were.
///
/// # Errors
/// Not granted; no tag can be so long, or empty.
pub fn invalidate(tag: &str) -> Result<u64, Refused> {
    carrier::invalidate(tag)
}

/// The same, and the broker asks again about every subscription that was allowed with this tag; how many there are.
///
/// # Errors
/// As [`invalidate`].
pub fn reauthorize(tag: &str) -> Result<u64, Refused> {
    carrier::reauthorize(tag)
}

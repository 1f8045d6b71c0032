//! The map that all plugins share. Wants the grant `kv`.

use std::time::Duration;

use super::Refused;
use super::edge::carrier;
use crate::host::KvCondition;

/// The value of a key.
///
/// # Errors
/// Not granted.
pub fn get(key: &str) -> Result<Option<Vec<u8>>, Refused> {
    carrier::kv_get(key)
}

/// Writes a key.
///
/// # Errors
/// Not granted; over the map's limits.
pub fn set(key: &str, value: impl AsRef<[u8]>) -> Result<(), Refused> {
    set_if(key, value, None, &KvCondition::Always).map(drop)
}

/// Writes a key, perhaps for a time; false if the condition did not hold.
///
/// # Errors
/// As [`set`].
pub fn set_if(
    key: &str,
    value: impl AsRef<[u8]>,
    expires_in: Option<Duration>,
    condition: &KvCondition,
) -> Result<bool, Refused> {
    carrier::kv_set(key, value.as_ref(), millis(expires_in), condition)
}

/// Removes a key; false if it was absent.
///
/// # Errors
/// Not granted.
pub fn delete(key: &str) -> Result<bool, Refused> {
    carrier::kv_delete(key)
}

/// Adds to a whole number (absent counts as 0) in one step, and returns the sum. An expiry is set only when the key is new.
///
/// # Errors
/// Not granted; the stored value is no number; over the map's limits.
pub fn add(key: &str, amount: i64, expires_in: Option<Duration>) -> Result<i64, Refused> {
    carrier::kv_add(key, amount, millis(expires_in))
}

/// Never 0, which stands for never where it crosses.
fn millis(expires_in: Option<Duration>) -> Option<u64> {
    expires_in.map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1))
}

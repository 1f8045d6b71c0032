//! Puts fields into bytes; what [`super::reader`] takes back.

use std::time::SystemTime;

/// A length or a count: seven bits a byte, the lowest first. Nothing that is kept is longer than 2^32.
pub(crate) fn len(into: &mut Vec<u8>, len: usize) {
    let mut left = len;
    while left >= 0x80 {
        into.push((left & 0x7f) as u8 | 0x80);
        left >>= 7;
    }
    into.push(left as u8);
}

/// Bytes behind their length.
pub(crate) fn bytes(into: &mut Vec<u8>, bytes: &[u8]) {
    len(into, bytes.len());
    into.extend_from_slice(bytes);
}

/// Text behind its length.
pub(crate) fn text(into: &mut Vec<u8>, text: &str) {
    bytes(into, text.as_bytes());
}

/// A time by the wall clock, to the microsecond. What is beyond 290 000 years is that far.
pub(crate) fn time(into: &mut Vec<u8>, time: SystemTime) {
    let micros = match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_micros()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_micros()).map_or(i64::MIN, |us| -us),
    };
    into.extend_from_slice(&micros.to_be_bytes());
}

//! Random bytes of the operating system, fit for secrets. In WASM they want the grant `random`.

use super::edge::carrier;

/// Fills the buffer, of at most 64 KiB.
pub fn fill(buffer: &mut [u8]) {
    carrier::random(buffer);
}

/// A random number.
#[must_use]
pub fn number() -> u64 {
    let mut bytes = [0; 8];
    fill(&mut bytes);
    u64::from_le_bytes(bytes)
}

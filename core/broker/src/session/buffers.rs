//! Byte buffers that go from hand to hand: a session takes one when it has something to send and gives it back when it was written,
//! so that an idle connection holds none. One small pool per thread, no lock.

use std::cell::RefCell;

use bytes::BytesMut;

/// Buffers kept per thread.
const MAXIMUM_POOLED: usize = 64;
/// A larger buffer is freed rather than kept.
const MAXIMUM_CAPACITY: usize = 256 << 10;
/// Capacity of a new buffer: a few packets.
const FIRST_CAPACITY: usize = 4 << 10;

thread_local! {
    static POOL: RefCell<Vec<BytesMut>> = const { RefCell::new(Vec::new()) };
}

/// An empty buffer with some capacity.
pub(crate) fn take() -> BytesMut {
    POOL.with_borrow_mut(Vec::pop)
        .unwrap_or_else(|| BytesMut::with_capacity(FIRST_CAPACITY))
}

/// Gives a buffer back; what it holds is dropped.
pub(crate) fn give(mut buffer: BytesMut) {
    buffer.clear();
    // After a partial write the front of the allocation may be gone; reserve() reclaims it without copying.
    if (1..=MAXIMUM_CAPACITY).contains(&buffer.capacity()) {
        POOL.with_borrow_mut(|pool| {
            if pool.len() < MAXIMUM_POOLED {
                pool.push(buffer);
            }
        });
    }
}

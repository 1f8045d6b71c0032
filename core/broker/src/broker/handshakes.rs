//! Connections that have not said CONNECT yet, as many as a listener may have: for one more the oldest gives way.
//!
//! Whoever means to connect says so at once, so the oldest is the least likely to be missed; sockets that are opened and kept silent
//! push out each other.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::sync::Notify;

/// See the module. One for each listener.
#[derive(Debug)]
pub(crate) struct Handshakes {
    maximum: usize,
    open: Mutex<Open>,
    n_evicted: AtomicU64,
}

#[derive(Debug, Default)]
struct Open {
    n_entered: u64,
    by_age: BTreeMap<u64, Arc<Notify>>,
}

impl Handshakes {
    pub(crate) fn new(maximum: usize) -> Self {
        Self {
            maximum,
            open: Mutex::default(),
            n_evicted: AtomicU64::new(0),
        }
    }

    /// Takes a new connection in.
    pub(crate) fn enter(self: &Arc<Self>) -> Handshake {
        let evicted = Arc::new(Notify::new());
        let mut open = self.open.lock();
        open.n_entered += 1;
        let number = open.n_entered;
        open.by_age.insert(number, Arc::clone(&evicted));
        let is_over = open.by_age.len() > self.maximum;
        drop(open);
        if is_over {
            self.evict_oldest();
        }
        Handshake {
            all: Arc::clone(self),
            number,
            evicted,
        }
    }

    /// The oldest has to go; false if there is none.
    pub(crate) fn evict_oldest(&self) -> bool {
        let oldest = self.open.lock().by_age.pop_first();
        if let Some((_, evicted)) = &oldest {
            self.n_evicted.fetch_add(1, Ordering::Relaxed);
            evicted.notify_one();
        }
        oldest.is_some()
    }

    pub(crate) fn len(&self) -> usize {
        self.open.lock().by_age.len()
    }

    pub(crate) const fn maximum(&self) -> usize {
        self.maximum
    }

    /// How many had to go.
    pub(crate) fn n_evicted(&self) -> u64 {
        self.n_evicted.load(Ordering::Relaxed)
    }
}

/// One connection's place; dropped when CONNECT is there.
#[derive(Debug)]
pub(crate) struct Handshake {
    all: Arc<Handshakes>,
    number: u64,
    evicted: Arc<Notify>,
}

impl Handshake {
    /// Waits until it has to go.
    pub(crate) async fn evicted(&self) {
        self.evicted.notified().await;
    }
}

impl Drop for Handshake {
    fn drop(&mut self) {
        self.all.open.lock().by_age.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn has_to_go(handshake: &Handshake) -> bool {
        handshake.evicted().now_or_never().is_some()
    }

    #[test]
    fn the_oldest_gives_way_and_who_is_through_does_not_count() {
        let all = Arc::new(Handshakes::new(2));
        let (first, second) = (all.enter(), all.enter());
        assert!(!has_to_go(&first));
        let third = all.enter();
        assert!(has_to_go(&first) && !has_to_go(&second));
        drop(first);
        assert_eq!((all.len(), all.n_evicted()), (2, 1));
        drop(second);
        let fourth = all.enter();
        assert!(!has_to_go(&third) && !has_to_go(&fourth));
        assert!(all.evict_oldest() && has_to_go(&third));
        drop((third, fourth));
        assert!(!all.evict_oldest());
        assert_eq!((all.len(), all.n_evicted()), (0, 2));
    }
}

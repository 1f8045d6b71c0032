//! Connections that have not said CONNECT yet, as many as a listener may have: for one more the oldest gives way. And the bytes that
//! their CONNECT packets take, of all listeners together.
//!
//! Whoever means to connect says so at once, so the oldest is the least likely to be missed; sockets that are opened and kept silent
//! push out each other.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::Notify;

/// How long a connection may say nothing before it is thought to be silent.
const GRACE: Duration = Duration::from_millis(100);

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
    by_age: BTreeMap<u64, Silent>,
}

#[derive(Debug)]
struct Silent {
    since: Instant,
    evicted: Arc<Notify>,
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
    pub(crate) fn enter(self: &Arc<Self>, now: Instant) -> Handshake {
        let evicted = Arc::new(Notify::new());
        let mut open = self.open.lock();
        open.n_entered += 1;
        let number = open.n_entered;
        let silent = Silent {
            since: now,
            evicted: Arc::clone(&evicted),
        };
        open.by_age.insert(number, silent);
        if open.by_age.len() > self.maximum {
            self.evict_oldest(&mut open);
        }
        drop(open);
        Handshake {
            all: Arc::clone(self),
            number,
            evicted,
        }
    }

    /// The oldest has to go if it has had the time to say CONNECT; false if there is none like that.
    pub(crate) fn evict_silent(&self, now: Instant) -> bool {
        let mut open = self.open.lock();
        let is_silent = open
            .by_age
            .first_key_value()
            .is_some_and(|(_, oldest)| now.saturating_duration_since(oldest.since) >= GRACE);
        if is_silent {
            self.evict_oldest(&mut open);
        }
        is_silent
    }

    fn evict_oldest(&self, open: &mut Open) {
        if let Some((_, oldest)) = open.by_age.pop_first() {
            self.n_evicted.fetch_add(1, Ordering::Relaxed);
            oldest.evicted.notify_one();
        }
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

/// Bytes of a CONNECT packet that are not counted: as many as nearly everybody needs.
const FREE: usize = 4 << 10;

/// The bytes of CONNECT packets that nobody has answered yet, beyond the first few of each: whoever sends them is unknown.
#[derive(Debug)]
pub(crate) struct Unanswered {
    maximum: usize,
    used: AtomicUsize,
}

impl Unanswered {
    pub(crate) const fn new(maximum: usize) -> Self {
        Self {
            maximum,
            used: AtomicUsize::new(0),
        }
    }

    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    pub(crate) const fn maximum(&self) -> usize {
        self.maximum
    }

    /// Of one connection, nothing so far.
    pub(crate) fn begin(self: &Arc<Self>) -> UnansweredConnect {
        UnansweredConnect {
            all: Arc::clone(self),
            bytes: 0,
        }
    }
}

/// What one CONNECT packet takes; dropped when it is answered.
#[derive(Debug)]
pub(crate) struct UnansweredConnect {
    all: Arc<Unanswered>,
    bytes: usize,
}

impl UnansweredConnect {
    /// It takes so many bytes now; false if that is more than all together may.
    pub(crate) fn grow(&mut self, to: usize) -> bool {
        let bytes = to.saturating_sub(FREE);
        let more = bytes.saturating_sub(self.bytes);
        if more == 0 {
            return true;
        }
        let before = self.all.used.fetch_add(more, Ordering::Relaxed);
        self.bytes += more;
        before.saturating_add(more) <= self.all.maximum
    }
}

impl Drop for UnansweredConnect {
    fn drop(&mut self) {
        self.all.used.fetch_sub(self.bytes, Ordering::Relaxed);
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
    fn what_large_packets_take_together_has_a_limit_and_small_ones_are_free() {
        let all = Arc::new(Unanswered::new(10_000));
        let (mut one, mut other) = (all.begin(), all.begin());
        assert!(one.grow(FREE) && other.grow(FREE));
        assert_eq!(all.used(), 0);
        assert!(
            one.grow(FREE + 6_000) && one.grow(100),
            "it does not shrink"
        );
        assert!(!other.grow(FREE + 6_000));
        drop(other);
        assert_eq!(all.used(), 6_000);
        assert!(all.begin().grow(FREE + 4_000));
        drop(one);
        assert_eq!(all.used(), 0);
    }

    #[test]
    fn the_oldest_gives_way_and_who_is_through_does_not_count() {
        let now = Instant::now();
        let all = Arc::new(Handshakes::new(2));
        let (first, second) = (all.enter(now), all.enter(now));
        assert!(!has_to_go(&first));
        let third = all.enter(now);
        assert!(has_to_go(&first) && !has_to_go(&second));
        drop(first);
        assert_eq!((all.len(), all.n_evicted()), (2, 1));
        drop(second);
        let fourth = all.enter(now + GRACE);
        assert!(!has_to_go(&third) && !has_to_go(&fourth));
        assert!(!all.evict_silent(now + GRACE / 2), "it has only begun");
        assert!(all.evict_silent(now + GRACE) && has_to_go(&third));
        assert!(!all.evict_silent(now + GRACE));
        drop((third, fourth));
        assert!(!all.evict_silent(now + GRACE * 3));
        assert_eq!((all.len(), all.n_evicted()), (0, 2));
    }
}

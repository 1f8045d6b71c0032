//! Calls that run on and on upon a thread of the broker's executor, seen by the ticker, so that nobody else waits for their end.
//!
//! The executor reads its sockets on whichever of its threads has nothing to do. A thread that gets a single event handles it at once and
//! wakes no other for it; if a call runs long there, no socket is read until it ends, however many threads sleep. So the ticker looks for
//! calls that began before its last step, and has the executor run a task of nothing: that wakes one of its threads, which then reads the
//! sockets. A plugin whose last call was such a one has it done as its next call begins.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tokio::runtime::{Handle, RuntimeFlavor};

/// One thread that calls plugins.
#[derive(Debug, Default)]
struct Caller {
    /// The ticker's count when the outermost call began; 0 while none runs.
    since: AtomicU64,
    /// The call that the ticker has seen run long, by its `since`.
    seen: AtomicU64,
    /// The call that begins is likely to run long.
    asks: AtomicBool,
    /// `None` where no sockets wait for this thread.
    executor: Option<Handle>,
}

/// All threads that call plugins.
static CALLERS: Mutex<Vec<Weak<Caller>>> = Mutex::new(Vec::new());

thread_local! {
    static CALLER: Arc<Caller> = Caller::of_this_thread();
}

/// What one plugin's calls were like.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    was_slow: AtomicBool,
}

impl Caller {
    fn of_this_thread() -> Arc<Self> {
        let executor = Handle::try_current()
            .ok()
            .filter(|handle| handle.runtime_flavor() == RuntimeFlavor::MultiThread);
        let caller = Arc::new(Self {
            executor,
            ..Self::default()
        });
        if caller.executor.is_some() {
            let mut callers = CALLERS.lock();
            callers.retain(|caller| caller.strong_count() > 0);
            callers.push(Arc::downgrade(&caller));
        }
        caller
    }

    /// Whether the executor was roused for this thread's sake.
    fn look(&self, now: u64) -> bool {
        let since = self.since.load(Relaxed);
        let runs_long = since != 0 && since < now && self.seen.load(Relaxed) != since;
        if runs_long {
            self.seen.store(since, Relaxed);
        }
        if !(self.asks.swap(false, Relaxed) || runs_long) {
            return false;
        }
        if let Some(executor) = &self.executor {
            drop(executor.spawn(async {}));
        }
        true
    }
}

impl Pace {
    /// Makes a call that begins at `now`, by the ticker's count. `wake` has the ticker look at once.
    #[inline]
    pub(crate) fn watched<R>(&self, now: u64, wake: impl FnOnce(), call: impl FnOnce() -> R) -> R {
        CALLER.with(|caller| {
            // A call within a call is watched as a part of it.
            if caller.since.load(Relaxed) != 0 {
                return call();
            }
            let now = now.saturating_add(1);
            caller.since.store(now, Relaxed);
            let was_slow = self.was_slow.load(Relaxed);
            if was_slow && caller.executor.is_some() {
                caller.asks.store(true, Relaxed);
                wake();
            }
            let outcome = call();
            caller.since.store(0, Relaxed);
            let is_slow = caller.seen.load(Relaxed) == now;
            if is_slow != was_slow {
                self.was_slow.store(is_slow, Relaxed);
            }
            outcome
        })
    }
}

/// The ticker's part, after each of its steps and whenever it was woken: rouses the executors of calls that began before `now`.
pub(crate) fn look(now: u64) {
    let callers = CALLERS.lock();
    for caller in callers.iter().filter_map(Weak::upgrade) {
        caller.look(now.saturating_add(1));
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::sync::mpsc::sync_channel;
    use std::time::Duration;

    use tokio::runtime::Builder;

    use super::*;

    #[test]
    fn a_call_that_began_before_the_last_step_is_seen_once() {
        let caller = Caller::default();
        assert!(!caller.look(7));
        caller.since.store(7, Relaxed);
        assert!(!caller.look(7), "it has just begun");
        assert!(caller.look(8));
        assert!(!caller.look(9), "one thread that reads is enough");
        caller.since.store(9, Relaxed);
        assert!(caller.look(10), "the next call");
    }

    #[test]
    fn a_plugin_that_was_slow_asks_as_its_next_call_begins() {
        let (pace, wakes) = (Pace::default(), Cell::new(0));
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .build()
            .unwrap();
        let _entered = runtime.enter();
        let wake = || wakes.set(wakes.get() + 1);
        let is_seen = |now| CALLER.with(|caller| caller.look(now));
        pace.watched(1, wake, || assert!(is_seen(3)));
        assert_eq!(wakes.get(), 0);
        pace.watched(5, wake, || assert!(is_seen(6), "asked for"));
        assert_eq!(wakes.get(), 1);
        pace.watched(7, wake, || ());
        assert_eq!(wakes.get(), 1, "a quick call and it is forgotten");
    }

    #[test]
    fn sockets_are_read_while_a_call_runs_on() {
        use std::io::Write as _;
        use tokio::io::AsyncReadExt as _;

        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .enable_io()
            .build()
            .unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (served, hears) = sync_channel(1);
        let (ends, end) = sync_channel::<()>(1);
        let mut sockets = Vec::new();
        let mut accept = || {
            sockets.push(std::net::TcpStream::connect(address).unwrap());
            let (stream, _) = listener.accept().unwrap();
            stream.set_nonblocking(true).unwrap();
            let _entered = runtime.enter();
            tokio::net::TcpStream::from_std(stream).unwrap()
        };
        let (mut first, mut second) = (accept(), accept());
        let (begins, begun) = sync_channel(1);
        runtime.spawn(async move {
            let _byte = first.read_u8().await;
            let pace = Pace::default();
            pace.watched(
                1,
                || (),
                || {
                    begins.send(()).unwrap();
                    let _over = end.recv_timeout(Duration::from_secs(60));
                },
            );
        });
        runtime.spawn(async move {
            let _byte = second.read_u8().await;
            served.send(()).unwrap();
        });
        // One of them waits for the sockets now, and the other for the first.
        let metrics = runtime.metrics();
        while (0..2).any(|worker| metrics.worker_park_unpark_count(worker).is_multiple_of(2)) {
            std::thread::yield_now();
        }
        sockets[0].write_all(b"x").unwrap();
        begun.recv().unwrap();
        look(5);
        sockets[1].write_all(b"x").unwrap();
        hears
            .recv_timeout(Duration::from_secs(30))
            .expect("the other socket is read while the call runs");
        ends.send(()).unwrap();
    }
}

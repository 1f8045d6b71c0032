//! Calls that run on and on upon a thread of the executor, seen by a watch of its own, so that nobody else waits for their end.
//!
//! The executor reads its sockets on whichever of its threads has nothing to do. A thread that gets a single event handles it at once and
//! wakes no other for it; if a call runs long there, no socket is read until it ends, however many threads sleep. So the watch looks for
//! calls that were under way at its last look, and has the executor run a task of nothing: that wakes one of its threads, which then
//! reads the sockets. A seat whose last call was such a one has it done as its next call begins.

use std::cell::Cell;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::{self, Thread};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::runtime::{Handle, RuntimeFlavor};

/// Between two looks.
const STEP: Duration = Duration::from_millis(2);

/// Looks without a call between them, after which the watch sleeps.
const QUIET_STEPS: u32 = 25;

/// How long it sleeps at most: it may miss that it is woken, when that happens as it lies down.
const SLEEP: Duration = Duration::from_secs(1);

/// One thread that calls plugins. It lives on when its thread has ended, for the next one, so that a call needs no more than a word of its
/// thread to find it.
#[derive(Debug)]
struct Caller {
    /// Beginnings and ends of outermost calls: odd while one runs, and then its number.
    n: AtomicU64,
    /// The same at the last look.
    looked_at: AtomicU64,
    /// The call that was found to run long.
    seen: AtomicU64,
    /// The call that begins is likely to run long.
    asks: AtomicBool,
    /// `None` where no sockets wait for this thread.
    executor: Mutex<Option<Handle>>,
}

/// All threads of executors that have called plugins; as many as there were at once.
static CALLERS: Mutex<Vec<&'static Caller>> = Mutex::new(Vec::new());
/// Those whose threads have ended.
static IDLE: Mutex<Vec<&'static Caller>> = Mutex::new(Vec::new());
static WATCH: OnceLock<Option<Thread>> = OnceLock::new();
static ASLEEP: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// [`UNWATCHED`] where no sockets wait for the thread; `None` before its first call.
    static CALLER: Cell<Option<&'static Caller>> = const { Cell::new(None) };
    static LEASE: Lease = const { Lease };
}

/// In the middle of a call for ever, so that every other one is a part of it, and never looked at.
static UNWATCHED: Caller = Caller::new(1);

/// Gives the thread's caller back as the thread ends.
struct Lease;

impl Drop for Lease {
    fn drop(&mut self) {
        // Only a thread that is watched has one.
        if let Some(caller) = CALLER.replace(Some(&UNWATCHED)) {
            *caller.executor.lock() = None;
            IDLE.lock().push(caller);
        }
    }
}

/// What the calls of one seat were like.
#[derive(Debug, Default)]
pub(super) struct Pace {
    was_slow: AtomicBool,
}

impl Caller {
    const fn new(n: u64) -> Self {
        Self {
            n: AtomicU64::new(n),
            looked_at: AtomicU64::new(0),
            seen: AtomicU64::new(0),
            asks: AtomicBool::new(false),
            executor: Mutex::new(None),
        }
    }

    #[cold]
    fn of_this_thread() -> &'static Self {
        let executor = Handle::try_current()
            .ok()
            .filter(|handle| handle.runtime_flavor() == RuntimeFlavor::MultiThread);
        let Some(executor) = executor else {
            CALLER.set(Some(&UNWATCHED));
            return &UNWATCHED;
        };
        // Without a watch calls are made as before it was invented.
        WATCH.get_or_init(|| {
            thread::Builder::new()
                .name("hook-watch".to_owned())
                .spawn(watch)
                .inspect_err(|error| tracing::warn!(%error, "slow plugins are not watched"))
                .map(|handle| handle.thread().clone())
                .ok()
        });
        let caller = IDLE.lock().pop().unwrap_or_else(|| {
            let caller: &Self = Box::leak(Box::new(Self::new(0)));
            CALLERS.lock().push(caller);
            caller
        });
        *caller.executor.lock() = Some(executor);
        CALLER.set(Some(caller));
        LEASE.with(|_| ());
        caller
    }

    /// Whether a call runs here since the last look that was not found yet, or one begins that asks; then the executor is roused.
    fn look(&self) -> bool {
        let n = self.n.load(Relaxed);
        let was = self.looked_at.swap(n, Relaxed);
        let runs_long = runs(n) && n == was && n != self.seen.load(Relaxed);
        if runs_long {
            self.seen.store(n, Relaxed);
        }
        if !(self.asks.swap(false, Relaxed) || runs_long) {
            return false;
        }
        if let Some(executor) = &*self.executor.lock() {
            drop(executor.spawn(async {}));
        }
        true
    }
}

/// Whether a call runs at this count.
const fn runs(n: u64) -> bool {
    n % 2 == 1
}

/// A call that runs; over when this is dropped, whatever the plugin did.
struct Running<'a> {
    caller: &'a Caller,
    pace: &'a Pace,
    number: u64,
    was_slow: bool,
}

impl Drop for Running<'_> {
    #[inline]
    fn drop(&mut self) {
        self.caller.n.store(self.number + 1, Relaxed);
        let is_slow = self.caller.seen.load(Relaxed) == self.number;
        if is_slow || self.was_slow {
            self.pace.was_slow.store(is_slow, Relaxed);
        }
    }
}

impl Pace {
    /// Makes a call under the watch.
    #[inline]
    pub(super) fn watched<R>(&self, call: impl FnOnce() -> R) -> R {
        let caller = CALLER.get().unwrap_or_else(Caller::of_this_thread);
        let n = caller.n.load(Relaxed);
        // A call within a call is watched as a part of it.
        if runs(n) {
            return call();
        }
        // Nobody else writes here.
        let number = n + 1;
        caller.n.store(number, Relaxed);
        let running = Running {
            caller,
            pace: self,
            number,
            was_slow: self.was_slow.load(Relaxed),
        };
        if running.was_slow || ASLEEP.load(Relaxed) {
            caller.asks.store(running.was_slow, Relaxed);
            wake();
        }
        call()
    }
}

#[cold]
fn wake() {
    ASLEEP.store(false, Relaxed);
    if let Some(Some(watch)) = WATCH.get() {
        watch.unpark();
    }
}

/// Looks at every thread; returns how often they have begun or ended a call.
fn look() -> u64 {
    CALLERS
        .lock()
        .iter()
        .map(|caller| {
            caller.look();
            caller.n.load(Relaxed)
        })
        .fold(0, u64::wrapping_add)
}

fn watch() {
    let (mut counted, mut n_quiet) = (0, 0);
    loop {
        thread::park_timeout(STEP);
        let now = look();
        // One long call is no quiet, but found by then, and all that can be done for it is done.
        n_quiet = if now == counted { n_quiet + 1 } else { 0 };
        counted = now;
        if n_quiet >= QUIET_STEPS {
            ASLEEP.store(true, Relaxed);
            thread::park_timeout(SLEEP);
            ASLEEP.store(false, Relaxed);
            n_quiet = QUIET_STEPS - 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::sync::mpsc::sync_channel;

    use tokio::io::AsyncReadExt as _;
    use tokio::runtime::{Builder, Runtime};

    use super::*;

    fn runtime(n_workers: usize) -> Runtime {
        Builder::new_multi_thread()
            .worker_threads(n_workers)
            .enable_io()
            .build()
            .unwrap()
    }

    #[test]
    fn a_call_that_was_under_way_at_the_last_look_is_found_once() {
        let caller = Caller::new(0);
        assert!(!caller.look());
        caller.n.store(7, Relaxed);
        assert!(!caller.look(), "it may have just begun");
        assert!(caller.look());
        assert!(!caller.look(), "one thread that reads is enough");
        caller.n.store(8, Relaxed);
        assert!(!caller.look());
        assert!(!caller.look(), "nothing runs");
        caller.n.store(9, Relaxed);
        assert!(!caller.look());
        caller.n.store(11, Relaxed);
        assert!(!caller.look(), "another call");
        assert!(caller.look());
    }

    #[test]
    fn a_seat_that_was_slow_asks_as_its_next_call_begins() {
        let runtime = runtime(1);
        let _entered = runtime.enter();
        let pace = Pace::default();
        let look = || watched().is_some_and(Caller::look);
        let slow = |pace: &Pace| pace.was_slow.load(Relaxed);
        pace.watched(|| {
            look();
            look();
        });
        assert!(slow(&pace));
        // A quick call and it is forgotten; the machine may hold one up.
        while slow(&pace) {
            pace.watched(|| ());
        }
    }

    #[test]
    fn a_call_that_panics_is_over() {
        let runtime = runtime(1);
        let _entered = runtime.enter();
        let outcome = catch(|| Pace::default().watched(|| std::panic::resume_unwind(Box::new(()))));
        assert!(outcome.is_err());
        assert!(watched().is_some_and(|caller| !runs(caller.n.load(Relaxed))));
    }

    #[test]
    fn the_next_thread_takes_over_from_one_that_has_ended() {
        let runtime = runtime(1);
        let of_a_thread = || {
            let handle = runtime.handle().clone();
            let thread = thread::spawn(move || {
                let _entered = handle.enter();
                Pace::default().watched(|| ());
                watched().map(std::ptr::from_ref).map(<*const Caller>::addr)
            });
            thread.join().unwrap()
        };
        let first = of_a_thread();
        assert!(first.is_some());
        // Threads of other tests may come between.
        assert!((0..1000).any(|_| of_a_thread() == first));
    }

    fn watched() -> Option<&'static Caller> {
        CALLER
            .get()
            .filter(|caller| !std::ptr::eq(*caller, &UNWATCHED))
    }

    fn catch(call: impl FnOnce()) -> thread::Result<()> {
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(call))
    }

    #[test]
    fn sockets_are_read_while_a_call_runs_on() {
        let runtime = runtime(2);
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
            Pace::default().watched(|| {
                begins.send(()).unwrap();
                let _over = end.recv_timeout(Duration::from_secs(60));
            });
        });
        runtime.spawn(async move {
            let _byte = second.read_u8().await;
            served.send(()).unwrap();
        });
        // One of them waits for the sockets now, and the other for the first.
        let metrics = runtime.metrics();
        while (0..2).any(|worker| metrics.worker_park_unpark_count(worker).is_multiple_of(2)) {
            thread::yield_now();
        }
        sockets[0].write_all(b"x").unwrap();
        begun.recv().unwrap();
        sockets[1].write_all(b"x").unwrap();
        hears
            .recv_timeout(Duration::from_secs(30))
            .expect("the other socket is read while the call runs");
        ends.send(()).unwrap();
    }
}

//! Changes on their way to the store, gathered into batches, and who waits for which batch.
//!
//! Whatever comes while the store writes one batch is the next one: the slower the disk, the larger the batches. A ticket is the
//! number of a batch.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::{Change, Durability, Place, SessionNumber};

/// Number of the batch that must be committed first. 0 waits for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Ticket(pub(crate) u64);

impl Ticket {
    /// Nothing to wait for.
    pub(crate) const NONE: Self = Self(0);
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Journal {
    open: Mutex<Open>,
    filled: Condvar,
    /// The last batch that the store has.
    committed: AtomicU64,
    /// The store has to catch up before more may come in.
    is_full: AtomicBool,
    /// The store fails at present.
    is_failing: AtomicBool,
    waiting: Mutex<Waiting>,
    numbers: AtomicU64,
    maximum_bytes: usize,
}

/// The batch that is being filled.
#[derive(Debug)]
struct Open {
    changes: Vec<Change>,
    bytes: usize,
    /// Of the batch that the store has at present.
    bytes_taken: usize,
    durability: Durability,
    number: u64,
    is_closed: bool,
    /// Places given out from here on are of this batch, or of a later one.
    begins: Place,
    /// Messages in this batch that a receiver was sent and has not acknowledged.
    n_live: usize,
    /// Places of the batch before this one, up to the second, if it is not on its way into the store yet.
    ripening: Option<(Place, Place)>,
    /// Messages of that batch that a receiver was sent and has not acknowledged.
    n_unripe: usize,
    /// Messages of that batch that are done since.
    done: Vec<Place>,
}

#[derive(Debug, Default)]
struct Waiting {
    wakers: Vec<Waker>,
    /// Another number whenever all of them were woken.
    round: u64,
}

impl Open {
    /// Whether the batch that ripens has waited long enough: for all but a few, who may be far away.
    fn is_ripe(&self) -> bool {
        self.n_unripe <= self.done.len() / 64
    }

    /// Notes that a message is done; true if its batch need not wait for others.
    fn is_done(&mut self, place: Place) -> bool {
        match self.ripening {
            Some((first, end)) if (first..end).contains(&place) => {
                self.done.push(place);
                self.n_unripe = self.n_unripe.saturating_sub(1);
                self.is_ripe()
            }
            _ => {
                if place >= self.begins {
                    self.n_live = self.n_live.saturating_sub(1);
                }
                false
            }
        }
    }
}

/// A batch on its way into the store.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) changes: Vec<Change>,
    pub(crate) durability: Durability,
    /// Messages in it that a receiver was sent and has not acknowledged.
    pub(crate) n_live: usize,
    ticket: Ticket,
}

/// What the committer finds to do.
#[derive(Debug)]
pub(crate) enum Work {
    Batch(Batch),
    /// Nothing came in time.
    Idle,
    /// Nothing comes any more.
    Closed,
}

/// Remembers that a task has asked to be woken, so that it asks once a batch.
#[derive(Debug, Default)]
pub(crate) struct Asked(u64);

impl Journal {
    /// `first_number` is above all that the store has seen.
    pub(crate) fn new(first_number: u64, maximum_bytes: usize) -> Self {
        Self {
            open: Mutex::new(Open {
                changes: Vec::new(),
                bytes: 0,
                bytes_taken: 0,
                durability: Durability::None,
                number: 1,
                is_closed: false,
                begins: Place::new(first_number, false),
                n_live: 0,
                ripening: None,
                n_unripe: 0,
                done: Vec::new(),
            }),
            filled: Condvar::new(),
            committed: AtomicU64::new(0),
            is_full: AtomicBool::new(false),
            is_failing: AtomicBool::new(false),
            waiting: Mutex::new(Waiting {
                wakers: Vec::new(),
                round: 1,
            }),
            numbers: AtomicU64::new(first_number),
            maximum_bytes,
        }
    }

    /// A Session's name.
    pub(crate) fn session_number(&self) -> SessionNumber {
        SessionNumber(self.numbers.fetch_add(1, Ordering::Relaxed))
    }

    /// A queued message's name.
    pub(crate) fn place(&self, is_shared: bool) -> Place {
        Place::new(self.numbers.fetch_add(1, Ordering::Relaxed), is_shared)
    }

    /// Adds a change to the batch that is being filled.
    pub(crate) fn push(&self, change: Change, durability: Durability) -> Ticket {
        self.push_all(std::iter::once(change), durability)
    }

    /// Adds a message that its receiver is sent at the same time: its acknowledgement may come before it is written.
    pub(crate) fn push_live(&self, change: Change, durability: Durability) -> Ticket {
        self.add(std::iter::once(change), durability, 1)
    }

    /// Adds changes that must not be parted.
    pub(crate) fn push_all(
        &self,
        changes: impl IntoIterator<Item = Change>,
        durability: Durability,
    ) -> Ticket {
        self.add(changes, durability, 0)
    }

    fn add(
        &self,
        changes: impl IntoIterator<Item = Change>,
        durability: Durability,
        n_live: usize,
    ) -> Ticket {
        let mut open = self.open.lock();
        open.n_live += n_live;
        let before = open.changes.len();
        open.changes.extend(changes);
        let mut is_ripe = false;
        for at in before..open.changes.len() {
            let Some(change) = open.changes.get(at) else {
                break;
            };
            let (size, done) = match change {
                Change::Done(_, place, ..) => (change.size(), Some(*place)),
                _ => (change.size(), None),
            };
            open.bytes += size;
            is_ripe |= done.is_some_and(|place| open.is_done(place));
        }
        open.durability = open.durability.max(durability);
        if open.bytes + open.bytes_taken > self.maximum_bytes {
            self.is_full.store(true, Ordering::Release);
        }
        let ticket = Ticket(open.number);
        drop(open);
        if before == 0 || is_ripe {
            self.filled.notify_one();
        }
        ticket
    }

    /// The ticket of everything that has been told so far.
    pub(crate) fn tail(&self) -> Ticket {
        let open = self.open.lock();
        if open.changes.is_empty() {
            Ticket(open.number - 1)
        } else {
            Ticket(open.number)
        }
    }

    /// Whether that batch is in the store.
    pub(crate) fn is_committed(&self, ticket: Ticket) -> bool {
        self.committed.load(Ordering::Acquire) >= ticket.0
    }

    /// The newest ticket that is in the store.
    pub(crate) fn committed(&self) -> Ticket {
        Ticket(self.committed.load(Ordering::Acquire))
    }

    /// Whether the store has to catch up before more is taken from clients.
    pub(crate) fn is_full(&self) -> bool {
        self.is_full.load(Ordering::Acquire)
    }

    /// Whether the store fails at present.
    pub(crate) fn is_failing(&self) -> bool {
        self.is_failing.load(Ordering::Relaxed)
    }

    /// Bytes of changes that are not in the store yet.
    pub(crate) fn waiting_bytes(&self) -> usize {
        let open = self.open.lock();
        open.bytes + open.bytes_taken
    }

    /// Has the task woken when the next batch is done or the journal has room again. Whoever calls must look again afterwards.
    pub(crate) fn wake_me(&self, context: &Context<'_>, asked: &mut Asked) {
        let mut waiting = self.waiting.lock();
        if asked.0 != waiting.round {
            asked.0 = waiting.round;
            waiting.wakers.push(context.waker().clone());
        }
    }

    /// Waits for a batch.
    pub(crate) async fn wait(&self, ticket: Ticket) {
        self.wait_until(|| self.is_committed(ticket)).await;
    }

    /// Waits until more may come in.
    pub(crate) async fn wait_for_room(&self) {
        self.wait_until(|| !self.is_full()).await;
    }

    async fn wait_until(&self, is_so: impl Fn() -> bool) {
        std::future::poll_fn(|context| {
            if is_so() {
                return Poll::Ready(());
            }
            // A future may be polled by another task each time.
            self.wake_me(context, &mut Asked::default());
            if is_so() {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }

    /// The committer waits for the next batch.
    pub(crate) fn take(&self, within: Duration) -> Work {
        let until = Instant::now() + within;
        let mut open = self.open.lock();
        while open.changes.is_empty() {
            if open.is_closed {
                return Work::Closed;
            }
            if self.filled.wait_until(&mut open, until).timed_out() && open.changes.is_empty() {
                return if open.is_closed {
                    Work::Closed
                } else {
                    Work::Idle
                };
            }
        }
        let ticket = Ticket(open.number);
        open.number += 1;
        open.bytes_taken = std::mem::take(&mut open.bytes);
        let n_live = std::mem::take(&mut open.n_live);
        // Whatever has a place in this batch was given it before.
        let end = Place::new(self.numbers.load(Ordering::Relaxed), false);
        let first = std::mem::replace(&mut open.begins, end);
        if n_live > 0 {
            (open.ripening, open.n_unripe) = (Some((first, end)), n_live);
        }
        Work::Batch(Batch {
            changes: std::mem::take(&mut open.changes),
            durability: std::mem::take(&mut open.durability),
            n_live,
            ticket,
        })
    }

    /// The committer waits until receivers have acknowledged what they were sent of the batch that it has just taken, but no longer
    /// than this. Gives what was done since.
    pub(crate) fn ripen(&self, within: Duration) -> Vec<Place> {
        let mut open = self.open.lock();
        if !within.is_zero() {
            let until = Instant::now() + within;
            while !open.is_ripe()
                && !open.is_closed
                && !self.filled.wait_until(&mut open, until).timed_out()
            {}
        }
        open.ripening = None;
        open.n_unripe = 0;
        std::mem::take(&mut open.done)
    }

    /// The committer says that a batch is in the store, and wakes who waits.
    pub(crate) fn done(&self, batch: &Batch) {
        {
            let mut open = self.open.lock();
            open.bytes_taken = 0;
            if open.bytes <= self.maximum_bytes / 2 {
                self.is_full.store(false, Ordering::Release);
            }
        }
        self.committed.store(batch.ticket.0, Ordering::Release);
        self.wake_all();
    }

    /// Wakes who waits, whether or not anything has changed: who still waits asks again, and who has gone is forgotten.
    pub(crate) fn wake_all(&self) {
        let wakers = {
            let mut waiting = self.waiting.lock();
            waiting.round += 1;
            std::mem::take(&mut waiting.wakers)
        };
        for waker in wakers {
            waker.wake();
        }
    }

    /// The committer says how the store is.
    pub(crate) fn set_failing(&self, is_failing: bool) {
        self.is_failing.store(is_failing, Ordering::Relaxed);
    }

    /// Nothing comes any more.
    pub(crate) fn close(&self) {
        self.open.lock().is_closed = true;
        self.filled.notify_all();
    }

    /// Whether [`Journal::close`] was called.
    pub(crate) fn is_closed(&self) -> bool {
        self.open.lock().is_closed
    }

    /// Waits a little, or less if the journal is closed meanwhile.
    pub(crate) fn rest(&self, within: Duration) {
        let until = Instant::now() + within;
        let mut open = self.open.lock();
        while !open.is_closed && !self.filled.wait_until(&mut open, until).timed_out() {}
    }
}

//! Tells plugins what has happened, off the packet path: one bounded queue and one thread per plugin that listens to notices.
//!
//! Pushing never waits for a plugin. What is about one client is pushed under that client's [`NoticeOrder`], so every plugin sees
//! it in order. A full queue drops the newest, which leaves a gap in the plugin's sequence numbers.
//!
//! Order of locks: `NoticeOrder`, then the queue. No lock is held while a plugin is called.

use std::collections::VecDeque;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;

use hookmq_plugin_api::{Event, EventRecord, Field, Hook, Owned, Value};
use parking_lot::{Condvar, Mutex};
use tokio::sync::Notify;

use super::answer;
use super::chain::Chain;
use super::clock::unix_ms;
use super::scope::Scope;
use super::seat::Seat;

/// What one queue holds at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoticeSettings {
    /// Notices.
    pub n_notices: usize,
    /// Bytes of texts, payloads and properties in them.
    pub bytes: usize,
}

impl Default for NoticeSettings {
    fn default() -> Self {
        Self {
            n_notices: 100_000,
            bytes: 64 << 20,
        }
    }
}

/// The order of the notices about one client, or about the broker: each plugin counts them from 1 without gaps.
///
/// Numbers are per plugin, because only so does a gap mean that something was lost: what a plugin does not listen to, or what its
/// filter does not admit, takes no number. A reloaded plugin begins at 1.
#[derive(Debug, Default)]
pub struct NoticeOrder {
    /// Lane and the last number it got. As many as there are plugins with notices, so few that a search is quickest.
    counts: Mutex<Vec<(u64, i64)>>,
}

/// Hands a notice to every listener that admits it.
///
/// The chain is loaded under the order's lock, so that nobody counts by an older chain than the one before.
pub(super) fn tell<C: Deref<Target = Arc<Chain>>>(
    load: impl FnOnce() -> C,
    hook: Hook,
    scope: &Scope<'_>,
    event: &dyn Event,
    order: &NoticeOrder,
) {
    let mut counts = order.counts.lock();
    let chain = load();
    let mut timestamp = None;
    for seat in chain.seats(hook) {
        let Some(lane) = &seat.lane else { continue };
        if !seat.sieve.admits(scope) {
            seat.account.metrics.filtered();
            continue;
        }
        let sequence = next(&mut counts, lane.id, &chain);
        let bytes: usize = seat.sized.iter().map(|field| size(event.get(*field))).sum();
        if !lane.has_room(bytes) {
            seat.lost_notice(scope.client_id);
            continue;
        }
        let mut record = seat.record(event);
        if seat.fields.has(Field::Sequence) {
            record.set(Field::Sequence, Owned::Integer(sequence));
        }
        if seat.fields.has(Field::Timestamp) {
            let now = *timestamp.get_or_insert_with(unix_ms);
            record.set(Field::Timestamp, Owned::Integer(now));
        }
        let client_id = scope.client_id.into();
        let notice = Notice {
            seat: Arc::clone(seat),
            record,
            bytes,
            client_id,
        };
        if !lane.push(notice) {
            seat.lost_notice(scope.client_id);
        }
    }
}

fn next(counts: &mut Vec<(u64, i64)>, lane: u64, chain: &Chain) -> i64 {
    if let Some((_, count)) = counts.iter_mut().find(|(id, _)| *id == lane) {
        *count += 1;
        return *count;
    }
    // A new lane often follows one that is gone.
    counts.retain(|(id, _)| {
        chain
            .list_seats()
            .any(|seat| seat.lane.as_ref().is_some_and(|lane| lane.id == *id))
    });
    counts.push((lane, 1));
    1
}

/// Bytes that a value holds on its own.
fn size(value: Value<'_>) -> usize {
    match value {
        Value::Nil | Value::Bool(_) | Value::Integer(_) => 0,
        Value::Text(text) => text.len(),
        Value::Bytes(bytes) => bytes.len(),
        Value::Pairs(pairs) => {
            let mut bytes = 0;
            pairs.for_each(&mut |name, value| bytes += name.len() + value.len());
            bytes
        }
        Value::Records(records) => records
            .iter()
            .flatten()
            .map(|(_, value)| size_of::<(Field, Owned)>() + size(value.as_value()))
            .sum(),
    }
}

/// What waits for a plugin.
struct Notice {
    seat: Arc<Seat>,
    record: EventRecord,
    bytes: usize,
    client_id: Box<str>,
}

/// One plugin's queue and thread. The thread starts with the first notice.
pub(super) struct Lane {
    /// Unique among all lanes of the process.
    id: u64,
    name: Arc<str>,
    settings: NoticeSettings,
    queue: Mutex<Queue>,
    /// Something to do for the thread.
    wake: Condvar,
    /// Nothing left to do.
    idle: Notify,
}

#[derive(Default)]
struct Queue {
    notices: VecDeque<Notice>,
    bytes: usize,
    /// The thread exists.
    runs: bool,
    /// The thread waits for `wake`.
    waits: bool,
    /// The thread works on what it took.
    busy: bool,
    /// The thread ends once the queue is empty; a late notice starts it again.
    closed: bool,
}

/// How many notices the thread takes at once: enough that the queue's lock is rarely in the publishers' way.
const BATCH: usize = 64;

static NEXT_LANE: AtomicU64 = AtomicU64::new(1);

impl Lane {
    pub(super) fn new(name: Arc<str>, settings: NoticeSettings) -> Self {
        Self {
            id: NEXT_LANE.fetch_add(1, Relaxed),
            name,
            settings,
            queue: Mutex::default(),
            wake: Condvar::new(),
            idle: Notify::new(),
        }
    }

    /// Whether a notice of this size would fit now: saves the copy of what would not.
    fn has_room(&self, bytes: usize) -> bool {
        self.queue.lock().has_room(bytes, &self.settings)
    }

    /// False if it does not fit, or no thread can be had.
    fn push(self: &Arc<Self>, notice: Notice) -> bool {
        let mut queue = self.queue.lock();
        if !queue.has_room(notice.bytes, &self.settings) {
            return false;
        }
        if !queue.runs {
            let lane = Arc::clone(self);
            // The kernel shows 15 bytes of it.
            let started = thread::Builder::new()
                .name(format!("notices {}", self.name))
                .spawn(move || lane.work());
            if let Err(error) = started {
                tracing::error!(plugin = %self.name, %error, "no thread for the plugin's notices");
                return false;
            }
            queue.runs = true;
        }
        notice.seat.account.metrics.notice_queued();
        queue.bytes += notice.bytes;
        queue.notices.push_back(notice);
        let wake = std::mem::take(&mut queue.waits);
        drop(queue);
        if wake {
            self.wake.notify_one();
        }
        true
    }

    /// Its plugin is gone from the chain: what is queued is still told, then the thread ends.
    pub(super) fn close(&self) {
        self.queue.lock().closed = true;
        self.wake.notify_one();
    }

    /// Waits until nothing is queued and no call is under way.
    pub(super) async fn drained(&self) {
        loop {
            let idle = self.idle.notified();
            tokio::pin!(idle);
            // Listening begins before looking, so that no end in between is missed.
            idle.as_mut().enable();
            if self.queue.lock().is_idle() {
                return;
            }
            idle.await;
        }
    }

    fn work(&self) {
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            if !self.take(&mut batch) {
                return;
            }
            for notice in batch.drain(..) {
                // Calls are guarded already; what is left is a plugin that panics while it is dropped. The queue outlives it.
                let _ = catch_unwind(AssertUnwindSafe(|| notice.tell()));
            }
        }
    }

    /// Waits for notices; false when the thread shall end.
    fn take(&self, batch: &mut Vec<Notice>) -> bool {
        let mut queue = self.queue.lock();
        queue.busy = false;
        while queue.notices.is_empty() {
            self.idle.notify_waiters();
            if queue.closed {
                queue.runs = false;
                return false;
            }
            queue.waits = true;
            self.wake.wait(&mut queue);
        }
        queue.waits = false;
        queue.busy = true;
        let n_taken = queue.notices.len().min(BATCH);
        batch.extend(queue.notices.drain(..n_taken));
        queue.bytes -= batch.iter().map(|notice| notice.bytes).sum::<usize>();
        true
    }
}

impl Queue {
    fn has_room(&self, bytes: usize, settings: &NoticeSettings) -> bool {
        self.notices.len() < settings.n_notices
            && self.bytes.saturating_add(bytes) <= settings.bytes
    }

    fn is_idle(&self) -> bool {
        self.notices.is_empty() && !self.busy
    }
}

impl Notice {
    /// Calls the plugin. What it answers is nobody's business, unless it is an error.
    fn tell(self) {
        let Self {
            seat,
            record,
            client_id,
            ..
        } = self;
        seat.account.metrics.notice_taken();
        let Some(permit) = seat.enter() else {
            seat.account.metrics.notice_dropped();
            return;
        };
        let outcome = seat.call(&record, &client_id).and_then(|answer| {
            answer::check(seat.spec, &answer)?;
            Ok(answer.verdict.kind())
        });
        match outcome {
            Ok(verdict) => seat.succeeded(permit, verdict),
            Err(error) => seat.failed(permit, &error, &client_id),
        }
    }
}

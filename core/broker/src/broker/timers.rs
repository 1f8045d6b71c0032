//! What is due later: Session expiry, delayed wills. One queue and one task for all of them.

use std::collections::BTreeMap;
use std::time::Instant;

use hookmq_mqtt::ClientId;
use parking_lot::Mutex;
use tokio::sync::Notify;

/// What is due. The epoch tells whether the client has come back since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Due {
    /// The Session Expiry Interval has passed.
    SessionExpiry(ClientId, u64),
    /// The Will Delay Interval has passed.
    Will(ClientId, u64),
}

/// Names one entry, to cancel it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TimerKey(Instant, u64);

/// See the module. At most two entries per Session, both while it is away.
#[derive(Default)]
pub(crate) struct Timers {
    queue: Mutex<Queue>,
    changed: Notify,
}

#[derive(Default)]
struct Queue {
    due: BTreeMap<TimerKey, Due>,
    n_added: u64,
}

impl Timers {
    /// Adds an entry; whoever is away no longer must cancel it.
    #[must_use]
    pub(crate) fn add(&self, at: Instant, due: Due) -> TimerKey {
        let mut queue = self.queue.lock();
        queue.n_added += 1;
        let key = TimerKey(at, queue.n_added);
        let is_first = queue
            .due
            .first_key_value()
            .is_none_or(|(first, _)| key < *first);
        queue.due.insert(key, due);
        drop(queue);
        if is_first {
            self.changed.notify_one();
        }
        key
    }

    /// Takes entries out that have not come yet.
    pub(crate) fn cancel(&self, keys: &[TimerKey]) {
        if keys.is_empty() {
            return;
        }
        let mut queue = self.queue.lock();
        for key in keys {
            queue.due.remove(key);
        }
    }

    /// Waits for the next that is due.
    pub(crate) async fn next(&self) -> Due {
        loop {
            let first = self
                .queue
                .lock()
                .due
                .first_key_value()
                .map(|(key, _)| key.0);
            match first {
                None => self.changed.notified().await,
                Some(at) => {
                    let _ = tokio::time::timeout_at(at.into(), self.changed.notified()).await;
                    if let Some(due) = self.take_due(crate::now()) {
                        return due;
                    }
                }
            }
        }
    }

    fn take_due(&self, now: Instant) -> Option<Due> {
        let mut queue = self.queue.lock();
        let entry = queue.due.first_entry()?;
        if entry.key().0 <= now {
            Some(entry.remove())
        } else {
            None
        }
    }
}

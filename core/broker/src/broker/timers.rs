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

/// See the module. At most two entries per Session that is away.
#[derive(Default)]
pub(crate) struct Timers {
    queue: Mutex<Queue>,
    changed: Notify,
}

#[derive(Default)]
struct Queue {
    due: BTreeMap<(Instant, u64), Due>,
    n_added: u64,
}

impl Timers {
    pub(crate) fn add(&self, at: Instant, due: Due) {
        let mut queue = self.queue.lock();
        queue.n_added += 1;
        let key = (at, queue.n_added);
        let is_first = queue
            .due
            .first_key_value()
            .is_none_or(|(first, _)| key < *first);
        queue.due.insert(key, due);
        drop(queue);
        if is_first {
            self.changed.notify_one();
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
                .map(|((at, _), _)| *at);
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

//! The one thread that talks to the store: takes batches out of the journal, and does not give up when the store fails.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hashbrown::HashMap;

use super::journal::{Batch, Journal, Work};
use super::{Change, Durability, Moment, Place, RestoredQueue, Store, StoreError, WallClock};

/// How often what the operating system has is brought to the disk.
const SYNC_EVERY: Duration = Duration::from_secs(1);

/// See the module.
pub(crate) struct Committer {
    pub(crate) store: Box<dyn Store>,
    pub(crate) journal: Arc<Journal>,
    pub(crate) clock: Arc<dyn WallClock>,
    pub(crate) retry_after: Duration,
}

impl Committer {
    /// Hands the queues that were stored to `on_queue`, and commits batches all the while; returns when the journal is closed and
    /// empty. `None` says that all queues were handed over.
    pub(crate) fn run(mut self, mut on_queue: impl FnMut(Option<RestoredQueue>)) {
        let mut is_loading = true;
        let mut synced = Instant::now();
        let mut is_dirty = false;
        loop {
            let patience = match (is_loading, is_dirty) {
                (true, _) => Duration::ZERO,
                (false, true) => SYNC_EVERY.saturating_sub(synced.elapsed()),
                (false, false) => Duration::from_secs(3600),
            };
            match self.journal.take(patience) {
                Work::Batch(batch) => {
                    if !self.commit(batch) {
                        return;
                    }
                    is_dirty = true;
                }
                Work::Idle if is_loading => is_loading = self.load_queue(&mut on_queue),
                Work::Idle => {}
                Work::Closed => {
                    if is_dirty {
                        self.sync();
                    }
                    return;
                }
            }
            if is_dirty && synced.elapsed() >= SYNC_EVERY {
                self.sync();
                synced = Instant::now();
                is_dirty = false;
            }
        }
    }

    /// False if queues are left that cannot be loaded, or none are.
    fn load_queue(&mut self, on_queue: &mut impl FnMut(Option<RestoredQueue>)) -> bool {
        match self.store.load_queue(self.moment()) {
            Ok(Some(queue)) => {
                for damaged in &queue.damaged {
                    tracing::error!("store: {damaged} is damaged and left out");
                }
                on_queue(Some(queue));
                true
            }
            Ok(None) => {
                on_queue(None);
                false
            }
            Err(error) => {
                tracing::error!(%error, "store: queued messages that cannot be read are left where they are");
                on_queue(None);
                false
            }
        }
    }

    /// Commits a batch, however long it takes; false if the broker ends before that.
    fn commit(&mut self, mut batch: Batch) -> bool {
        forget_what_came_and_went(&mut batch.changes);
        let durability = batch.durability.max(Durability::Os);
        let mut retry_after = self.retry_after;
        let mut has_failed = false;
        while !batch.changes.is_empty() {
            let moment = self.moment();
            let Err(error) = self.store.commit(&batch.changes, durability, moment) else {
                break;
            };
            has_failed = true;
            self.tell_failure(&error);
            if !self.reopen(&mut retry_after) {
                return false;
            }
        }
        if has_failed {
            self.journal.set_failing(false);
            tracing::warn!("store: works again; what waited for it is acknowledged");
        }
        self.journal.done(&batch);
        true
    }

    fn sync(&mut self) {
        let mut retry_after = self.retry_after;
        let mut has_failed = false;
        while let Err(error) = self.store.sync() {
            has_failed = true;
            self.tell_failure(&error);
            if !self.reopen(&mut retry_after) {
                return;
            }
        }
        if has_failed {
            self.journal.set_failing(false);
            tracing::warn!("store: works again");
        }
    }

    fn tell_failure(&self, error: &StoreError) {
        if !self.journal.is_failing() {
            tracing::error!(%error, "store: cannot write; acknowledgements that promise it wait");
        }
        self.journal.set_failing(true);
    }

    /// Tries until it works; false if the broker ends before that.
    fn reopen(&mut self, retry_after: &mut Duration) -> bool {
        loop {
            if self.journal.is_closed() {
                tracing::error!(
                    "store: does not work, and the broker ends; what was not acknowledged is not kept"
                );
                return false;
            }
            self.journal.rest(*retry_after);
            *retry_after = (*retry_after * 2).min(self.retry_after * 10);
            match self.store.reopen() {
                Ok(()) => return true,
                Err(error) => tracing::warn!(%error, "store: still cannot be opened"),
            }
        }
    }

    fn moment(&self) -> Moment {
        Moment {
            now: crate::now(),
            wall: self.clock.now(),
        }
    }
}

/// A message that came and was acknowledged within one batch need not be written at all.
fn forget_what_came_and_went(changes: &mut Vec<Change>) {
    let mut gone: HashMap<Place, bool, ahash::RandomState> = HashMap::default();
    for change in changes.iter() {
        if let Change::Done(_, place, ..) = change {
            gone.insert(*place, false);
        }
    }
    if gone.is_empty() {
        return;
    }
    // Whether its coming is in this batch too.
    for change in changes.iter() {
        if let Change::Queued(_, place, ..) = change
            && let Some(came) = gone.get_mut(place)
        {
            *came = true;
        }
    }
    changes.retain(|change| match change {
        Change::Queued(_, place, ..) | Change::Sent(_, place, _) | Change::Done(_, place, ..) => {
            gone.get(place) != Some(&true)
        }
        _ => true,
    });
}

//! The one thread that talks to the store: takes batches out of the journal, and does not give up when the store fails.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hashbrown::{HashMap, HashSet};

use super::journal::{Batch, Journal, Work};
use super::{Change, Durability, Moment, Place, RestoredQueue, Store, StoreError, WallClock};

/// How often what the operating system has is brought to the disk.
const SYNC_EVERY: Duration = Duration::from_secs(1);

/// A store that has worked for so long has recovered.
const RECOVERED_AFTER: Duration = Duration::from_secs(60);

/// See the module.
pub(crate) struct Committer {
    pub(crate) store: Box<dyn Store>,
    pub(crate) journal: Arc<Journal>,
    pub(crate) clock: Arc<dyn WallClock>,
    pub(crate) retry_after: Duration,
    /// Messages of the last batch that were not written, as they were done meanwhile; nor need it be written that they are.
    pub(crate) unwritten: HashSet<Place, ahash::RandomState>,
    pub(crate) hopes: Hopes,
    /// When it failed last, and how long it rested then: a store that works for a moment and fails again has not recovered.
    pub(crate) last_failure: Option<(Instant, Duration)>,
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
                    tracing::error!("store: damaged: {damaged}");
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
        let patience = self.hopes.patience(batch.n_live);
        let done = self.journal.ripen(patience);
        if !patience.is_zero() {
            self.hopes.learn(batch.n_live, done.len());
        }
        forget_what_came_and_went(&mut batch.changes, &done, &mut self.unwritten);
        let durability = batch.durability.max(Durability::Os);
        let mut has_failed = false;
        while !batch.changes.is_empty() {
            let moment = self.moment();
            let Err(error) = self.store.commit(&batch.changes, durability, moment) else {
                break;
            };
            has_failed = true;
            self.tell_failure(&error);
            if !self.reopen() {
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
        let mut has_failed = false;
        while let Err(error) = self.store.sync() {
            has_failed = true;
            self.tell_failure(&error);
            if !self.reopen() {
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
    fn reopen(&mut self) -> bool {
        let longest = self.retry_after * 10;
        loop {
            let retry_after = match self.last_failure {
                Some((at, rested)) if at.elapsed() < RECOVERED_AFTER => (rested * 2).min(longest),
                _ => self.retry_after,
            };
            if self.journal.is_closed() {
                tracing::error!(
                    "store: does not work, and the broker ends; what was not acknowledged is not kept"
                );
                return false;
            }
            self.journal.rest(retry_after);
            self.last_failure = Some((Instant::now(), retry_after));
            // Clients that came and went meanwhile must not be remembered for as long as the store fails.
            self.journal.wake_all();
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

/// How long it pays to wait for acknowledgements of what a batch has.
#[derive(Debug, Default)]
pub(crate) struct Hopes {
    /// Of a hundred messages, so many were acknowledged in time when it was last waited.
    percent: usize,
    /// Batches since then.
    n_batches: usize,
}

/// Receivers that are near acknowledge a message within this, and then it need not be written.
const RIPENS_WITHIN: Duration = Duration::from_millis(1);
/// With fewer that do, publishers wait in vain.
const WORTHWHILE_PERCENT: usize = 30;
/// How often it is tried all the same.
const TRIED_EVERY: usize = 32;

impl Hopes {
    fn patience(&mut self, n_live: usize) -> Duration {
        if n_live == 0 {
            return Duration::ZERO;
        }
        self.n_batches += 1;
        if self.percent >= WORTHWHILE_PERCENT || self.n_batches >= TRIED_EVERY {
            self.n_batches = 0;
            RIPENS_WITHIN
        } else {
            Duration::ZERO
        }
    }

    fn learn(&mut self, n_live: usize, n_done: usize) {
        self.percent = n_done.saturating_mul(100) / n_live.max(1);
    }
}

/// What came and went before it was written need not be written at all. `done` are messages that went since the batch was closed;
/// `unwritten` are those of the batch before, and then those of this one.
fn forget_what_came_and_went(
    changes: &mut Vec<Change>,
    done: &[Place],
    unwritten: &mut HashSet<Place, ahash::RandomState>,
) {
    let mut gone: HashMap<Place, bool, ahash::RandomState> = HashMap::default();
    gone.extend(done.iter().map(|place| (*place, false)));
    for change in changes.iter() {
        if let Change::Done(_, place, ..) = change {
            gone.insert(*place, unwritten.contains(place));
        }
    }
    if gone.is_empty() {
        unwritten.clear();
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
    unwritten.clear();
    let went_since = done.iter().filter(|place| gone.get(*place) == Some(&true));
    unwritten.extend(went_since);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use bytes::Bytes;
    use hookmq_mqtt::{QoS, TopicName};

    use super::*;
    use crate::delivery::Delivery;
    use crate::message::{Message, Source};
    use crate::store::{Durability, SessionNumber};

    fn message() -> Arc<Message> {
        Arc::new(Message {
            topic: TopicName::parse("t").unwrap(),
            payload: Bytes::new(),
            qos: QoS::AtLeastOnce,
            retain: false,
            properties: None,
            expires_at: None,
            sender: None,
            source: Source::Client,
        })
    }

    fn queued(place: Place) -> Change {
        let delivery = Delivery::plain(QoS::AtLeastOnce);
        Change::Queued(SessionNumber(1), place, message(), delivery)
    }

    fn done(place: Place) -> Change {
        Change::Done(SessionNumber(1), place, message(), false)
    }

    /// What a store has after these batches, each with what was done while it ripened.
    #[test]
    fn what_is_left_out_makes_no_difference_in_the_end() {
        fastrand::seed(7);
        let mut n_left_out = 0;
        for _ in 0..500 {
            let journal = Journal::new(1, usize::MAX);
            let mut unwritten = HashSet::default();
            let (mut stored, mut expected, mut live) =
                (BTreeSet::new(), BTreeSet::new(), Vec::new());
            let mut step = |journal: &Journal| {
                for _ in 0..fastrand::usize(0..6) {
                    if fastrand::bool() || live.is_empty() {
                        let place = journal.place(false);
                        journal.push_live(queued(place), Durability::Os);
                        expected.insert(place);
                        live.push(place);
                    } else {
                        let place = live.swap_remove(fastrand::usize(..live.len()));
                        journal.push(done(place), Durability::Os);
                        expected.remove(&place);
                    }
                }
            };
            for round in 0..20 {
                if round < 19 {
                    step(&journal);
                }
                let Work::Batch(mut batch) = journal.take(Duration::ZERO) else {
                    continue;
                };
                if round < 18 {
                    step(&journal);
                }
                let n_before = batch.changes.len();
                let went = journal.ripen(Duration::ZERO);
                forget_what_came_and_went(&mut batch.changes, &went, &mut unwritten);
                n_left_out += n_before - batch.changes.len();
                for change in &batch.changes {
                    match change {
                        Change::Queued(_, place, ..) => assert!(stored.insert(*place)),
                        Change::Done(_, place, ..) => assert!(stored.remove(place), "{place:?}"),
                        _ => {}
                    }
                }
                journal.done(&batch);
            }
            assert_eq!(stored, expected);
        }
        assert!(n_left_out > 1_000, "{n_left_out}");
    }
}

//! A store in memory: what it holds after each batch is what a broker would find that was killed there.

use std::collections::BTreeMap;
use std::sync::Arc;

use hookmq_broker::store::{
    Change, Durability, Moment, Place, Restored, RestoredMessage, RestoredQueue, RestoredSession,
    Sent, SessionNumber, Store, StoreError, StoredSession, StoredSubscription,
};
use hookmq_broker::{Delivery, Message};
use hookmq_mqtt::{PacketIdentifier, ReasonCode, TopicFilter};
use parking_lot::{Condvar, Mutex};

/// What is in the store.
#[derive(Debug, Clone, Default)]
pub(crate) struct Image {
    pub(crate) sessions: BTreeMap<SessionNumber, StoredSession>,
    pub(crate) subscriptions: BTreeMap<(SessionNumber, TopicFilter), StoredSubscription>,
    pub(crate) queued: BTreeMap<(SessionNumber, Place), (Arc<Message>, Delivery)>,
    pub(crate) sent: BTreeMap<(SessionNumber, Place), Sent>,
    pub(crate) received: BTreeMap<(SessionNumber, PacketIdentifier), ReasonCode>,
    pub(crate) retained: BTreeMap<String, Arc<Message>>,
    first_number: u64,
}

impl Image {
    pub(crate) fn is_empty(&self) -> bool {
        self.sessions.is_empty()
            && self.subscriptions.is_empty()
            && self.queued.is_empty()
            && self.sent.is_empty()
            && self.received.is_empty()
            && self.retained.is_empty()
    }

    fn apply(&mut self, change: &Change) {
        match change.clone() {
            Change::Session(session) => {
                self.saw(session.number.0);
                self.sessions.insert(session.number, *session);
            }
            Change::SessionEnded(number) => drop(self.sessions.remove(&number)),
            Change::Subscribed(number, filter, subscription) => {
                self.subscriptions.insert((number, filter), *subscription);
            }
            Change::Unsubscribed(number, filter) => {
                self.subscriptions.remove(&(number, filter));
            }
            Change::Queued(number, place, message, delivery) => {
                self.saw(place.number());
                self.queued.insert((number, place), (message, delivery));
            }
            Change::Sent(number, place, sent) => drop(self.sent.insert((number, place), sent)),
            Change::Done(number, place, message, was_sent) => {
                let known = self.queued.remove(&(number, place));
                if let Some((known, _)) = known {
                    assert!(Arc::ptr_eq(&known, &message), "another message is done");
                }
                assert_eq!(self.sent.remove(&(number, place)).is_some(), was_sent);
            }
            Change::Received(number, identifier, reason) => {
                self.received.insert((number, identifier), reason);
            }
            Change::Released(number, identifier) => {
                assert!(self.received.remove(&(number, identifier)).is_some());
            }
            Change::Retained(message) => {
                self.retained.insert(message.topic.to_string(), message);
            }
            Change::RetainedCleared(topic) => drop(self.retained.remove(&*topic)),
        }
    }

    fn saw(&mut self, number: u64) {
        self.first_number = self.first_number.max(number + 1);
    }
}

/// The store as a test sees it.
#[derive(Debug, Default)]
pub(crate) struct Shelf {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    image: Image,
    n_batches: usize,
    /// Batches that may still be written; `None` is any number.
    allowance: Option<usize>,
    fails: bool,
    n_reopened: usize,
    highest: Durability,
}

impl Shelf {
    pub(crate) fn of(image: Image) -> Arc<Self> {
        let shelf = Self::default();
        shelf.state.lock().image = image;
        Arc::new(shelf)
    }

    pub(crate) fn store(self: &Arc<Self>) -> Box<dyn Store> {
        let image = self.state.lock().image.clone();
        let queues = image.queued.keys().map(|(number, _)| *number).collect();
        Box::new(OnShelf {
            shelf: Arc::clone(self),
            loading: image,
            queues,
        })
    }

    /// What a broker would find that is killed now.
    pub(crate) fn image(&self) -> Image {
        self.state.lock().image.clone()
    }

    pub(crate) fn n_batches(&self) -> usize {
        self.state.lock().n_batches
    }

    /// The highest promise that a batch had to keep.
    pub(crate) fn highest(&self) -> Durability {
        self.state.lock().highest
    }

    /// So many more batches go through, then it stands still.
    pub(crate) fn allow(&self, allowance: Option<usize>) {
        self.state.lock().allowance = allowance;
        self.changed.notify_all();
    }

    /// Whether every batch fails.
    pub(crate) fn set_failing(&self, fails: bool) {
        self.state.lock().fails = fails;
    }

    pub(crate) fn n_reopened(&self) -> usize {
        self.state.lock().n_reopened
    }
}

struct OnShelf {
    shelf: Arc<Shelf>,
    loading: Image,
    queues: std::collections::BTreeSet<SessionNumber>,
}

impl Store for OnShelf {
    fn load(&mut self, _: Moment) -> Result<Restored, StoreError> {
        let image = &self.loading;
        let of = |number: &SessionNumber, key: &SessionNumber| number == key;
        let sessions = image
            .sessions
            .iter()
            .map(|(number, session)| RestoredSession {
                session: session.clone(),
                subscriptions: image
                    .subscriptions
                    .iter()
                    .filter(|((key, _), _)| of(number, key))
                    .map(|((_, filter), subscription)| (filter.clone(), subscription.clone()))
                    .collect(),
                received: image
                    .received
                    .iter()
                    .filter(|((key, _), _)| of(number, key))
                    .map(|((_, identifier), reason)| (*identifier, *reason))
                    .collect(),
            });
        Ok(Restored {
            sessions: sessions.collect(),
            retained: image
                .retained
                .values()
                .map(|message| Message::clone(message))
                .collect(),
            first_number: image.first_number + 1,
            damaged: Vec::new(),
        })
    }

    fn load_queue(&mut self, _: Moment) -> Result<Option<RestoredQueue>, StoreError> {
        let Some(session) = self.queues.pop_first() else {
            return Ok(None);
        };
        let image = &self.loading;
        let messages = image
            .queued
            .range((session, Place::from_u64(0))..=(session, Place::from_u64(u64::MAX)))
            .map(|((_, place), (message, delivery))| RestoredMessage {
                place: *place,
                message: Arc::clone(message),
                delivery: delivery.clone(),
                sent: image.sent.get(&(session, *place)).copied(),
            });
        Ok(Some(RestoredQueue {
            session,
            messages: messages.collect(),
            damaged: Vec::new(),
        }))
    }

    fn commit(
        &mut self,
        batch: &[Change],
        durability: Durability,
        _: Moment,
    ) -> Result<(), StoreError> {
        let mut state = self.shelf.state.lock();
        while state.allowance == Some(0) {
            self.shelf.changed.wait(&mut state);
        }
        if state.fails {
            return Err(StoreError {
                what: "the shelf".to_owned(),
                why: "it fails".to_owned(),
            });
        }
        if let Some(allowance) = &mut state.allowance {
            *allowance -= 1;
        }
        state.n_batches += 1;
        state.highest = state.highest.max(durability);
        batch.iter().for_each(|change| state.image.apply(change));
        Ok(())
    }

    fn sync(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    fn reopen(&mut self) -> Result<(), StoreError> {
        let mut state = self.shelf.state.lock();
        state.n_reopened += 1;
        if state.fails {
            return Err(StoreError {
                what: "the shelf".to_owned(),
                why: "it still fails".to_owned(),
            });
        }
        Ok(())
    }
}

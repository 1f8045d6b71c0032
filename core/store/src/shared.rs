//! Messages that several queues hold, each kept once: who still refers to which.
//!
//! The disk has no counters. They are kept here, rebuilt from the queues at the start, and change only when a batch is committed:
//! until then the changes are in an [`Overlay`].

use std::sync::Arc;

use hashbrown::HashMap;
use hookmq_broker::Message;
use hookmq_broker::store::Place;

/// By the address of the message. The message is held along, so that no other one gets its address.
type ByAddress = HashMap<usize, Held, ahash::RandomState>;

/// Messages that are referred to.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    by_address: ByAddress,
    /// While queues are given back: addresses by number, and which numbers are of an earlier run.
    restoring: Option<Restoring>,
}

#[derive(Debug)]
struct Restoring {
    addresses: HashMap<u64, usize, ahash::RandomState>,
    /// Messages below it may be referred to by queues that were not read yet.
    first_new: u64,
}

#[derive(Debug, Clone)]
struct Held {
    number: u64,
    n_references: usize,
    message: Arc<Message>,
}

/// What a batch changes.
#[derive(Debug, Default)]
pub(crate) struct Overlay {
    changed: ByAddress,
}

/// A reference more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Joined {
    /// The number that the message is kept under.
    pub(crate) number: u64,
    /// It is not kept yet.
    pub(crate) is_first: bool,
}

impl Shared {
    /// Queues are going to be given back; messages below `first_new` are of an earlier run.
    pub(crate) fn begin_restoring(&mut self, first_new: u64) {
        self.by_address.clear();
        self.restoring = Some(Restoring {
            addresses: HashMap::default(),
            first_new,
        });
    }

    /// All queues were given back.
    pub(crate) fn end_restoring(&mut self) {
        self.restoring = None;
    }

    /// A message that was read already and is still referred to.
    pub(crate) fn restored(&self, number: u64) -> Option<&Arc<Message>> {
        let address = self.restoring.as_ref()?.addresses.get(&number)?;
        Some(&self.by_address.get(address)?.message)
    }

    /// A queue that was read refers to it.
    pub(crate) fn restore(&mut self, number: u64, message: &Arc<Message>) {
        let address = address_of(message);
        if let Some(restoring) = &mut self.restoring {
            restoring.addresses.insert(number, address);
        }
        self.by_address
            .entry(address)
            .or_insert_with(|| Held {
                number,
                n_references: 0,
                message: Arc::clone(message),
            })
            .n_references += 1;
    }

    /// A batch was committed.
    pub(crate) fn apply(&mut self, overlay: &mut Overlay) {
        for (address, held) in overlay.changed.drain() {
            if held.n_references > 0 {
                self.by_address.insert(address, held);
                continue;
            }
            self.by_address.remove(&address);
            if let Some(restoring) = &mut self.restoring {
                restoring.addresses.remove(&held.number);
            }
        }
    }

    /// How many messages are referred to.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.by_address.len()
    }
}

impl Overlay {
    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.changed.clear();
    }

    /// A queue refers to it, at `place`.
    pub(crate) fn join(&mut self, shared: &Shared, message: &Arc<Message>, place: Place) -> Joined {
        let address = address_of(message);
        let held = self.changed.entry(address).or_insert_with(|| {
            shared
                .by_address
                .get(&address)
                .cloned()
                .unwrap_or_else(|| Held {
                    // No other place has this number, and the same batch given again leads to it again.
                    number: place.get(),
                    n_references: 0,
                    message: Arc::clone(message),
                })
        });
        held.n_references += 1;
        Joined {
            number: held.number,
            is_first: held.n_references == 1,
        }
    }

    /// A queue does not refer to it any more; the number, if it was the last one and the message is to go.
    pub(crate) fn leave(&mut self, shared: &Shared, message: &Arc<Message>) -> Option<u64> {
        let address = address_of(message);
        if !self.changed.contains_key(&address) {
            // A message that is not known is one of a queue that could not be read; it goes at the next start.
            self.changed
                .insert(address, shared.by_address.get(&address)?.clone());
        }
        let held = self.changed.get_mut(&address)?;
        held.n_references = held.n_references.saturating_sub(1);
        let may_be_referred_to = shared
            .restoring
            .as_ref()
            .is_some_and(|restoring| held.number < restoring.first_new);
        (held.n_references == 0 && !may_be_referred_to).then_some(held.number)
    }
}

fn address_of(message: &Arc<Message>) -> usize {
    Arc::as_ptr(message).addr()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use hookmq_broker::Source;
    use hookmq_mqtt::{QoS, TopicName};

    fn a_message() -> Arc<Message> {
        Arc::new(Message {
            topic: TopicName::parse("a").expect("valid"),
            payload: Bytes::new(),
            qos: QoS::AtLeastOnce,
            retain: false,
            properties: None,
            expires_at: None,
            sender: None,
            source: Source::Client,
        })
    }

    #[test]
    fn nothing_changes_before_the_batch_is_committed() {
        let (mut shared, message) = (Shared::default(), a_message());
        let place = Place::new(5, true);
        for _ in 0..2 {
            let mut overlay = Overlay::default();
            let joined = overlay.join(&shared, &message, place);
            assert_eq!((joined.number, joined.is_first), (11, true));
            let joined = overlay.join(&shared, &message, Place::new(6, true));
            assert_eq!((joined.number, joined.is_first), (11, false));
        }
        assert_eq!(shared.len(), 0);
        let mut overlay = Overlay::default();
        overlay.join(&shared, &message, place);
        overlay.join(&shared, &message, Place::new(6, true));
        shared.apply(&mut overlay);
        assert_eq!(overlay.leave(&shared, &message), None);
        overlay.clear();
        assert_eq!(overlay.leave(&shared, &message), None);
        assert_eq!(overlay.leave(&shared, &message), Some(11));
        assert_eq!(overlay.leave(&shared, &a_message()), None);
        shared.apply(&mut overlay);
        assert_eq!(shared.len(), 0);
    }

    #[test]
    fn a_message_that_queues_not_read_yet_may_hold_stays() {
        let (mut shared, message) = (Shared::default(), a_message());
        shared.begin_restoring(100);
        shared.restore(11, &message);
        assert!(shared.restored(11).is_some());
        let mut overlay = Overlay::default();
        assert_eq!(overlay.leave(&shared, &message), None);
        shared.apply(&mut overlay);
        assert!(shared.restored(11).is_none());
        let new = a_message();
        overlay.join(&shared, &new, Place::new(200, true));
        shared.apply(&mut overlay);
        assert_eq!(overlay.leave(&shared, &new), Some(401));
    }
}

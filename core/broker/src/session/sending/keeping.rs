//! What the store is told of a Session's messages, and what comes back from it: only of one that survives the broker.

use std::sync::Arc;

use hookmq_mqtt::{PacketIdentifier, QoS};

use super::Sending;
use crate::delivery::Delivery;
use crate::message::Message;
use crate::offer::{Kept, Offer};
use crate::session::inflight::{Awaits, Slot};
use crate::session::pending::Waiting;
use crate::store::ledger::Ledger;
use crate::store::{self, Durability, Place};

impl Sending {
    /// A restored Session's line to the journal; its queue comes with [`Sending::restore`].
    pub(crate) fn set_ledger(&mut self, ledger: Arc<Ledger>) {
        self.ledger = Some(ledger);
    }

    /// From here on the Session survives the broker; what it holds is told.
    pub(crate) fn survive(&mut self, ledger: &Arc<Ledger>) {
        self.ledger = Some(ledger.clone());
        let mut changes = Vec::new();
        for (identifier, slot) in self.inflight.iter_mut() {
            let place = ledger.journal.place(false);
            changes.push(ledger.queued(place, &slot.message, &slot.delivery));
            let sent = match slot.awaits {
                Awaits::PubComp => store::Sent::PubRel(identifier),
                Awaits::PubAck | Awaits::PubRec => store::Sent::Publish(identifier),
            };
            changes.push(store::Change::Sent(ledger.session, place, sent));
            (slot.kept, slot.is_told) = (Some(place), true);
        }
        for waiting in self.pending.iter_mut() {
            if waiting.delivery.qos != QoS::AtMostOnce {
                let place = ledger.journal.place(false);
                changes.push(ledger.queued(place, &waiting.message, &waiting.delivery));
                waiting.kept = Some(Kept { place, gate: None });
            }
        }
        ledger.journal.push_all(changes, ledger.durability());
    }

    /// Puts stored messages before what came since the start.
    pub(crate) fn restore(&mut self, messages: Vec<store::RestoredMessage>) {
        // Of those whose sending the store was not told the first may have been sent: their receiver is warned with DUP.
        let mut maybe_sent = usize::from(self.settings.maximum_inflight);
        let mut waiting = Vec::with_capacity(messages.len());
        let mut named = Vec::new();
        for restored in messages {
            let store::RestoredMessage {
                place,
                message,
                delivery,
                sent,
            } = restored;
            let (identifier, awaits) = match sent {
                Some(store::Sent::Publish(identifier)) if delivery.qos == QoS::ExactlyOnce => {
                    (identifier, Awaits::PubRec)
                }
                Some(store::Sent::Publish(identifier)) => (identifier, Awaits::PubAck),
                Some(store::Sent::PubRel(identifier)) => (identifier, Awaits::PubComp),
                None => {
                    let dup = delivery.qos == QoS::AtLeastOnce && maybe_sent > 0;
                    maybe_sent = maybe_sent.saturating_sub(1);
                    waiting.push(Waiting {
                        kept: Some(Kept { place, gate: None }),
                        dup,
                        ..Waiting::new(message, delivery)
                    });
                    continue;
                }
            };
            let mut slot = Slot::new(message, delivery, Some(place));
            (slot.awaits, slot.is_told) = (awaits, true);
            named.push((identifier, slot));
        }
        self.inflight.restore(named);
        self.pending.restore(waiting);
        self.count_held();
    }

    /// A message stands in the outbox from `place` on. With QoS 2 the store must know its identifier before the receiver does: a second
    /// copy under another one would be a second message.
    pub(super) fn sent(
        &mut self,
        place: usize,
        identifier: PacketIdentifier,
        message: Arc<Message>,
        delivery: Delivery,
        kept: Option<Place>,
    ) {
        let mut slot = Slot::new(message, delivery, kept);
        if let (Some(ledger), Some(kept), Awaits::PubRec) = (&self.ledger, kept, slot.awaits) {
            let ticket = ledger.sent(kept, store::Sent::Publish(identifier));
            self.outbox.hold(place, ticket);
            slot.is_told = true;
        }
        self.inflight.push(slot);
    }

    /// Tells the store what is under way, so that it is sent again under the same identifier even if the broker ends before the client
    /// is back [MQTT-4.4.0-1].
    pub(super) fn tell_sent(&mut self) {
        let Some(ledger) = &self.ledger else { return };
        for (identifier, slot) in self.inflight.iter_mut() {
            if let (Some(place), false) = (slot.kept, slot.is_told) {
                slot.is_told = true;
                ledger.sent(place, store::Sent::Publish(identifier));
            }
        }
    }

    pub(super) fn done(&self, slot: &Slot) {
        if let (Some(ledger), Some(place)) = (&self.ledger, slot.kept) {
            ledger.done(place, &slot.message, slot.is_told);
        }
    }

    /// A message that was taken with [`Sending::next_held`] is not sent at all.
    pub(crate) fn forget(&self, waiting: &Waiting) {
        if let (Some(ledger), Some(kept)) = (&self.ledger, &waiting.kept) {
            ledger.done(kept.place, &waiting.message, false);
        }
    }

    /// Whether the store must have a message before this receiver gets it.
    pub(super) fn must_be_stored_first(&self, offer: &Offer<'_>) -> bool {
        offer.is_grouped() && self.ledger.is_some() && offer.durability() != Durability::None
    }

    /// Whether a waiting message may be sent as far as the store is concerned.
    pub(super) fn is_stored(&self, waiting: &Waiting) -> bool {
        let gate = waiting.kept.as_ref().and_then(|kept| kept.gate.as_ref());
        match (&self.ledger, gate) {
            (Some(ledger), Some(gate)) => gate.is_passed(&ledger.journal),
            _ => true,
        }
    }

    /// Whether something can move on only when the store has come further.
    pub(crate) fn waits_for_store(&self) -> bool {
        self.outbox.is_held()
            || self
                .pending
                .front()
                .is_some_and(|front| !self.is_stored(front))
    }
}

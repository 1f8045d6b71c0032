//! Messages sent with QoS 1 or 2 and not yet acknowledged, in the order in which they were sent.
//!
//! Packet Identifiers are handed out in sequence, so an identifier's place is its distance from the oldest one: a lookup is a
//! subtraction. An acknowledgement out of order leaves a hole that goes when the ones before it go.

use std::collections::VecDeque;
use std::sync::Arc;

use hookmq_mqtt::{PacketIdentifier, QoS};

use crate::delivery::Delivery;
use crate::message::Message;

/// What the receiver must send next, in the standard's words.
#[expect(clippy::enum_variant_names, reason = "the packets' names")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Awaits {
    PubAck,
    PubRec,
    PubComp,
}

/// One unacknowledged message.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) message: Arc<Message>,
    pub(super) delivery: Delivery,
    pub(super) awaits: Awaits,
}

/// The window of unacknowledged messages.
#[derive(Debug)]
pub(super) struct Inflight {
    /// Holes are acknowledged.
    slots: VecDeque<Option<Box<Slot>>>,
    /// Identifier of the first slot.
    oldest: PacketIdentifier,
    n_waiting: usize,
    bytes: usize,
}

impl Inflight {
    /// Identifiers between the oldest unacknowledged and the next one, at most. A client that acknowledges everything but the
    /// oldest stops receiving here instead of growing the window without bound.
    const MAXIMUM_SPAN: usize = 16_384;

    pub(super) const fn new() -> Self {
        Self {
            slots: VecDeque::new(),
            oldest: PacketIdentifier::FIRST,
            n_waiting: 0,
            bytes: 0,
        }
    }

    /// Unacknowledged messages.
    pub(super) const fn len(&self) -> usize {
        self.n_waiting
    }

    /// Whether one more may be sent under this many at once, and this many bytes.
    pub(super) fn has_room(&self, window: usize, maximum_bytes: usize) -> bool {
        self.n_waiting < window
            && self.bytes < maximum_bytes
            && self.slots.len() < Self::MAXIMUM_SPAN
    }

    /// Takes a message in and names it.
    pub(super) fn push(&mut self, message: Arc<Message>, delivery: Delivery) -> PacketIdentifier {
        let identifier = self.identifier_at(self.slots.len());
        let awaits = if delivery.qos == QoS::ExactlyOnce {
            Awaits::PubRec
        } else {
            Awaits::PubAck
        };
        self.bytes += message.size();
        self.slots.push_back(Some(Box::new(Slot {
            message,
            delivery,
            awaits,
        })));
        self.n_waiting += 1;
        identifier
    }

    /// The identifier that [`Inflight::push`] will give next.
    pub(super) fn next_identifier(&self) -> PacketIdentifier {
        self.identifier_at(self.slots.len())
    }

    /// The message of an identifier.
    pub(super) fn get_mut(&mut self, identifier: PacketIdentifier) -> Option<&mut Slot> {
        let at = self.place_of(identifier);
        self.slots.get_mut(at)?.as_deref_mut()
    }

    /// Takes an acknowledged message out.
    pub(super) fn remove(&mut self, identifier: PacketIdentifier) -> Option<Box<Slot>> {
        let at = self.place_of(identifier);
        let slot = self.slots.get_mut(at)?.take()?;
        self.n_waiting -= 1;
        self.bytes -= slot.message.size();
        while let Some(None) = self.slots.front() {
            self.slots.pop_front();
            self.oldest = self.oldest.next();
        }
        if self.slots.is_empty() && self.slots.capacity() > 64 {
            self.slots = VecDeque::new();
        }
        Some(slot)
    }

    /// All unacknowledged, oldest first [MQTT-4.6.0-1].
    pub(super) fn iter(&self) -> impl Iterator<Item = (PacketIdentifier, &Slot)> {
        self.slots
            .iter()
            .enumerate()
            .filter_map(|(at, slot)| slot.as_deref().map(|slot| (self.identifier_at(at), slot)))
    }

    fn identifier_at(&self, place: usize) -> PacketIdentifier {
        // 1 to 65 535 in a ring; the span is far below its length.
        let number = (usize::from(self.oldest.get()) - 1 + place) % usize::from(u16::MAX) + 1;
        u16::try_from(number)
            .ok()
            .and_then(PacketIdentifier::new)
            .unwrap_or(PacketIdentifier::FIRST)
    }

    fn place_of(&self, identifier: PacketIdentifier) -> usize {
        let (from, to) = (
            usize::from(self.oldest.get()),
            usize::from(identifier.get()),
        );
        if to >= from {
            to - from
        } else {
            to + usize::from(u16::MAX) - from
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::tests::message;

    fn push(inflight: &mut Inflight) -> u16 {
        inflight
            .push(
                message("t", QoS::AtLeastOnce),
                Delivery::plain(QoS::AtLeastOnce),
            )
            .get()
    }

    fn ack(inflight: &mut Inflight, identifier: u16) -> bool {
        PacketIdentifier::new(identifier)
            .is_some_and(|identifier| inflight.remove(identifier).is_some())
    }

    // [MQTT-2.2.1-4]
    #[test]
    fn identifiers_wrap_without_zero_and_are_unique_while_in_use() {
        let mut inflight = Inflight::new();
        for _ in 0..3 {
            for expected in 1..=u16::MAX {
                assert_eq!(push(&mut inflight), expected);
                assert!(ack(&mut inflight, expected));
                assert!(!ack(&mut inflight, expected), "acknowledged twice");
            }
        }
        assert_eq!(inflight.len(), 0);
    }

    #[test]
    fn holes_close_when_the_oldest_goes() {
        let mut inflight = Inflight::new();
        for _ in 0..5 {
            push(&mut inflight);
        }
        assert!(ack(&mut inflight, 3) && ack(&mut inflight, 2));
        assert_eq!(
            inflight
                .iter()
                .map(|(identifier, _)| identifier.get())
                .collect::<Vec<_>>(),
            [1, 4, 5]
        );
        assert!(ack(&mut inflight, 1));
        assert_eq!(inflight.slots.len(), 2);
        assert_eq!(push(&mut inflight), 6);
    }

    #[test]
    fn an_oldest_that_is_never_acknowledged_stops_the_window() {
        let mut inflight = Inflight::new();
        push(&mut inflight);
        let mut n = 0;
        while inflight.has_room(100, usize::MAX) {
            let identifier = push(&mut inflight);
            assert!(ack(&mut inflight, identifier));
            n += 1;
        }
        assert_eq!(n, Inflight::MAXIMUM_SPAN - 1);
    }
}

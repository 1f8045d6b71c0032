//! Messages sent with QoS 1 or 2 and not yet acknowledged, in the order in which they were sent.
//!
//! Packet Identifiers are handed out in sequence, so an identifier's place is its distance from the oldest one: a lookup is a
//! subtraction. An acknowledgement out of order leaves a hole that goes when the ones before it go.

use std::collections::VecDeque;
use std::sync::Arc;

use hookmq_mqtt::{PacketIdentifier, QoS};

use crate::delivery::Delivery;
use crate::message::Message;
use crate::store::Place;

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
    /// Where the store has it, if it must survive.
    pub(super) kept: Option<Place>,
    /// The store was told that it was sent.
    pub(super) is_told: bool,
}

impl Slot {
    /// A message that is sent for the first time.
    pub(super) fn new(message: Arc<Message>, delivery: Delivery, kept: Option<Place>) -> Self {
        let awaits = if delivery.qos == QoS::ExactlyOnce {
            Awaits::PubRec
        } else {
            Awaits::PubAck
        };
        Self {
            message,
            delivery,
            awaits,
            kept,
            is_told: false,
        }
    }
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

/// Identifiers from 1 to 65 535, in a ring.
const RING: usize = u16::MAX as usize;

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

    /// Bytes of the messages.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether one more may be sent under this many at once, and this many bytes.
    pub(super) fn has_room(&self, window: usize, maximum_bytes: usize) -> bool {
        self.n_waiting < window
            && self.bytes < maximum_bytes
            && self.slots.len() < Self::MAXIMUM_SPAN
    }

    /// Takes a message in and names it.
    pub(super) fn push(&mut self, slot: Slot) -> PacketIdentifier {
        let identifier = self.identifier_at(self.slots.len());
        self.bytes += slot.message.size();
        self.slots.push_back(Some(Box::new(slot)));
        self.n_waiting += 1;
        identifier
    }

    /// Takes messages in that were named before the broker ended.
    pub(super) fn restore(&mut self, mut named: Vec<(PacketIdentifier, Slot)>) {
        named.sort_by_key(|(identifier, _)| identifier.get());
        // In the ring of identifiers the oldest comes behind the widest gap: the window never spans more than a quarter of it.
        let ids: Vec<usize> = named.iter().map(|(id, _)| usize::from(id.get())).collect();
        let before = ids.iter().rev().take(1).map(|last| last.wrapping_sub(RING));
        let gaps = before
            .chain(ids.iter().copied())
            .zip(&ids)
            .map(|(before, id)| id.wrapping_sub(before));
        let widest = gaps.enumerate().max_by_key(|(_, gap)| *gap);
        named.rotate_left(widest.map_or(0, |(at, _)| at));
        for (identifier, slot) in named {
            if self.slots.is_empty() {
                self.oldest = identifier;
            }
            let at = self.place_of(identifier);
            while self.slots.len() < at {
                self.slots.push_back(None);
            }
            self.push(slot);
        }
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

    /// The same, to note what the store knows of them.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (PacketIdentifier, &mut Slot)> {
        let oldest = self.oldest;
        self.slots
            .iter_mut()
            .enumerate()
            .filter_map(move |(at, slot)| {
                let slot = slot.as_deref_mut()?;
                Some((identifier_from(oldest, at), slot))
            })
    }

    fn identifier_at(&self, place: usize) -> PacketIdentifier {
        identifier_from(self.oldest, place)
    }

    fn place_of(&self, identifier: PacketIdentifier) -> usize {
        let (from, to) = (
            usize::from(self.oldest.get()),
            usize::from(identifier.get()),
        );
        if to >= from {
            to - from
        } else {
            to + RING - from
        }
    }
}

fn identifier_from(oldest: PacketIdentifier, place: usize) -> PacketIdentifier {
    // The span is far below the ring's length.
    let number = (usize::from(oldest.get()) - 1 + place) % RING + 1;
    u16::try_from(number)
        .ok()
        .and_then(PacketIdentifier::new)
        .unwrap_or(PacketIdentifier::FIRST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::tests::message;

    fn push(inflight: &mut Inflight) -> u16 {
        inflight
            .push(Slot::new(
                message("t", QoS::AtLeastOnce),
                Delivery::plain(QoS::AtLeastOnce),
                None,
            ))
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

    // [MQTT-4.4.0-1]
    #[test]
    fn what_is_restored_keeps_its_identifiers_and_their_order() {
        let slot = || {
            Slot::new(
                message("t", QoS::AtLeastOnce),
                Delivery::plain(QoS::AtLeastOnce),
                None,
            )
        };
        for names in [
            vec![7],
            vec![3, 4, 9],
            vec![65_530, 65_535, 2, 5],
            vec![1, 65_535],
        ] {
            let mut inflight = Inflight::new();
            let mut named: Vec<_> = names
                .iter()
                .filter_map(|name| PacketIdentifier::new(*name))
                .map(|name| (name, slot()))
                .collect();
            named.reverse();
            inflight.restore(named);
            let mut expected = names.clone();
            if names == [1, 65_535] {
                expected.reverse();
            }
            let restored: Vec<_> = inflight.iter().map(|(name, _)| name.get()).collect();
            assert_eq!(restored, expected);
            let last = expected.last().copied().unwrap_or_default();
            assert_eq!(
                push(&mut inflight),
                if last == 65_535 { 1 } else { last + 1 }
            );
            for name in expected {
                assert!(ack(&mut inflight, name));
            }
            assert_eq!(inflight.len(), 1);
        }
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

//! Encoded packets that wait for the socket, some of them for the store first.

use std::collections::VecDeque;

use bytes::BytesMut;

use super::buffers;
use crate::store::journal::Ticket;

/// Bytes in order; what lies behind a barrier goes out when its ticket is in the store.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    pub(crate) bytes: BytesMut,
    /// Where waiting begins, and for what. Both rise.
    #[expect(
        clippy::box_collection,
        reason = "hardly any outbox has one, and there are as many as clients"
    )]
    barriers: Option<Box<VecDeque<(usize, Ticket)>>>,
}

impl Outbox {
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Makes room for a first packet.
    pub(crate) fn reserve(&mut self) {
        if self.bytes.capacity() == 0 {
            self.bytes = buffers::take();
        }
    }

    /// What stands from `place` on waits for a ticket.
    pub(crate) fn hold(&mut self, place: usize, ticket: Ticket) {
        if ticket == Ticket::NONE {
            return;
        }
        let barriers = self.barriers.get_or_insert_default();
        match barriers.back() {
            // What comes behind waits as long, as order is kept.
            Some((_, last)) if *last >= ticket => {}
            _ => barriers.push_back((place, ticket)),
        }
    }

    /// Whether something waits for the store.
    pub(crate) fn is_held(&self) -> bool {
        self.barriers.is_some()
    }

    /// Gives what may go out, in exchange for an empty buffer; true if there is something.
    pub(crate) fn take(&mut self, committed: impl FnOnce() -> Ticket, into: &mut BytesMut) -> bool {
        if self.bytes.is_empty() {
            return false;
        }
        if let Some(barriers) = &mut self.barriers {
            let committed = committed();
            while barriers
                .front()
                .is_some_and(|(_, ticket)| *ticket <= committed)
            {
                barriers.pop_front();
            }
            if let Some((place, _)) = barriers.front().copied() {
                if place == 0 {
                    return false;
                }
                into.extend_from_slice(&self.bytes.split_to(place));
                for (later, _) in &mut **barriers {
                    *later -= place;
                }
                return true;
            }
            self.barriers = None;
        }
        std::mem::swap(&mut self.bytes, into);
        true
    }

    /// Drops everything.
    pub(crate) fn clear(&mut self) {
        self.barriers = None;
        buffers::give(std::mem::take(&mut self.bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(outbox: &mut Outbox, committed: u64) -> Vec<u8> {
        let mut into = BytesMut::new();
        outbox.take(|| Ticket(committed), &mut into);
        into.to_vec()
    }

    #[test]
    fn what_waits_for_the_store_goes_out_in_order_when_it_is_there() {
        let mut outbox = Outbox::default();
        outbox.bytes.extend_from_slice(b"ab");
        outbox.hold(outbox.len(), Ticket(2));
        outbox.bytes.extend_from_slice(b"cd");
        outbox.hold(outbox.len(), Ticket(1));
        outbox.bytes.extend_from_slice(b"e");
        outbox.hold(outbox.len(), Ticket(3));
        outbox.bytes.extend_from_slice(b"f");
        assert_eq!(take(&mut outbox, 1), b"ab");
        assert_eq!(take(&mut outbox, 1), b"");
        assert!(outbox.is_held());
        assert_eq!(take(&mut outbox, 2), b"cde");
        outbox.bytes.extend_from_slice(b"g");
        assert_eq!(take(&mut outbox, 2), b"");
        assert_eq!(take(&mut outbox, 3), b"fg");
        assert!(!outbox.is_held() && outbox.is_empty());
    }
}

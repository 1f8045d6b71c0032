//! Answers to a connected client, at once or when the store has what they promise.

use bytes::BytesMut;
use hookmq_mqtt::property::UserProperties;
use hookmq_mqtt::{Packet, codec};

use super::Protocol;
use crate::session::buffers;
use crate::store::journal::Ticket;

impl Protocol {
    /// An answer that promises something waits until the store has it. Answers of this kind keep their order among themselves
    /// [MQTT-4.6.0-2]; all others go at once.
    pub(in crate::net) fn reply_after(&mut self, ticket: Ticket, packet: Packet<'_>) {
        if ticket == Ticket::NONE && self.promises.is_empty() {
            return self.reply(packet);
        }
        let waiting =
            std::mem::replace(&mut self.replies, std::mem::take(&mut self.promises.bytes));
        let place = self.replies.len();
        self.reply(packet);
        self.promises.bytes = std::mem::replace(&mut self.replies, waiting);
        self.promises.hold(place, ticket);
    }

    /// Moves the answers to where they are written from whose promises hold now.
    pub(in crate::net) fn keep_promises(&mut self) {
        if self.promises.is_empty() {
            return;
        }
        let mut kept = BytesMut::new();
        let journal = self.inner.journal.get();
        let committed = || journal.map_or(Ticket::NONE, |journal| journal.committed());
        if self.promises.take(committed, &mut kept) {
            if self.replies.is_empty() {
                self.replies = kept;
            } else {
                self.replies.extend_from_slice(&kept);
                buffers::give(kept);
            }
        }
    }

    /// Encodes an answer. Texts are left out where the client did not ask for them [MQTT-3.1.2-29] or has no room for them
    /// [MQTT-3.4.2-2, MQTT-3.4.2-3].
    pub(in crate::net) fn reply(&mut self, mut packet: Packet<'_>) {
        if !self.client.request_problem_information {
            strip(&mut packet);
        }
        if self.replies.capacity() == 0 {
            self.replies = buffers::take();
        }
        let before = self.replies.len();
        if self.encode(&packet) && self.replies.len() - before <= self.maximum_packet_size {
            return;
        }
        self.replies.truncate(before);
        strip(&mut packet);
        self.encode(&packet);
    }

    fn encode(&mut self, packet: &Packet<'_>) -> bool {
        codec::encode(packet, self.client.version, &mut self.replies)
            .inspect_err(|error| tracing::warn!(client_id = %self.client.client_id, %error, "an answer could not be encoded"))
            .is_ok()
    }
}

/// Takes Reason String and User Properties out of an answer.
fn strip(packet: &mut Packet<'_>) {
    match packet {
        Packet::PubAck(ack) | Packet::PubRec(ack) | Packet::PubRel(ack) | Packet::PubComp(ack) => {
            ack.properties = None
        }
        Packet::SubAck(suback) => {
            suback.reason_string = None;
            suback.user_properties = UserProperties::new();
        }
        Packet::UnsubAck(unsuback) => {
            unsuback.reason_string = None;
            unsuback.user_properties = UserProperties::new();
        }
        _ => {}
    }
}

//! `intercept_outbound_packet`: where a plugin listens, what is about to be written is read again, packet by packet, and asked about.
//!
//! Publishers encode straight into outboxes under a lock, where no hook may run; so the question comes here, off the fast path, and
//! costs those who listen.

use std::num::NonZeroU16;

use bytes::{Buf, BytesMut};
use hookmq_mqtt::codec::{self, Frame};
use hookmq_mqtt::{Packet, Publish};
use hookmq_plugin_api::Hook;

use super::packets::ask_packet;
use crate::broker::Inner;
use crate::client::ClientInfo;
use crate::event::packet::PacketDraft;
use crate::hook::{Chain, Decision};
use crate::session::Session;

/// To whom packets go, and what a plugin's changes must respect.
pub(crate) struct Outbound<'a> {
    pub(crate) inner: &'a Inner,
    pub(crate) client: &'a ClientInfo,
    /// Who knows the Topic Aliases; a client that is not let in has none.
    pub(crate) session: Option<&'a Session>,
    /// Largest packet that the client takes [MQTT-3.1.2-24].
    pub(crate) maximum_packet_size: usize,
}

/// Topic Aliases that the client was never told, because a plugin changed or dropped the packet that set them. At most as many as
/// the client allows.
#[derive(Debug, Default)]
pub(crate) struct Unlearned(Vec<NonZeroU16>);

impl Unlearned {
    /// Whether packets may go as they are.
    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn insert(&mut self, alias: Option<NonZeroU16>) {
        if let Some(alias) = alias.filter(|alias| !self.0.contains(alias)) {
            self.0.push(alias);
        }
    }

    fn take(&mut self, alias: NonZeroU16) -> bool {
        let place = self.0.iter().position(|known| *known == alias);
        place.map(|place| self.0.swap_remove(place)).is_some()
    }
}

impl Outbound<'_> {
    /// Moves the first packet into `write`, as the plugins let it pass; false if there is none.
    pub(crate) fn admit_one(
        &self,
        chain: &Chain,
        packets: &mut BytesMut,
        unlearned: &mut Unlearned,
        write: &mut BytesMut,
    ) -> bool {
        let Ok(Frame::Complete(len)) = codec::frame(packets, u32::MAX) else {
            return false;
        };
        let Some(frame) = packets.get(..len) else {
            return false;
        };
        match codec::decode(frame, self.client.version) {
            Ok(Packet::Publish(publish)) if publish.properties.topic_alias.is_some() => {
                self.admit_aliased(chain, publish, frame, unlearned, write);
            }
            Ok(packet) => {
                self.ask(chain, &packet, frame, write);
            }
            Err(_) => write.extend_from_slice(frame),
        }
        packets.advance(len);
        true
    }

    /// Plugins see the topic behind an alias, and the client learns each alias before it is used alone.
    fn admit_aliased(
        &self,
        chain: &Chain,
        publish: Publish<'_>,
        frame: &[u8],
        unlearned: &mut Unlearned,
        write: &mut BytesMut,
    ) {
        let alias = publish.properties.topic_alias;
        let sets = !publish.topic.is_empty();
        let known = alias
            .filter(|_| !sets)
            .and_then(|alias| self.session?.sending().topic_of(alias));
        let mut shown = publish;
        shown.topic = known.as_deref().unwrap_or(publish.topic);
        shown.properties.topic_alias = None;
        let mut whole = BytesMut::new();
        let frame = if alias.is_some_and(|alias| !sets && unlearned.take(alias)) {
            let mut telling = shown;
            telling.properties.topic_alias = alias;
            // Topic and alias were sent together before, so they can be again.
            match codec::encode_publish(&telling, self.client.version, &mut whole) {
                Ok(()) => &whole,
                Err(_) => frame,
            }
        } else {
            frame
        };
        let told = sets || !whole.is_empty();
        let passed = self.ask(chain, &Packet::Publish(shown), frame, write);
        if told && !passed {
            unlearned.insert(alias);
        }
    }

    /// Asks about one packet; true if `frame` itself is what is written.
    fn ask(&self, chain: &Chain, packet: &Packet<'_>, frame: &[u8], write: &mut BytesMut) -> bool {
        let hook = Hook::InterceptOutboundPacket;
        let settings = &self.inner.session_settings;
        let mut draft = PacketDraft::new(hook, Some(self.client), packet, settings);
        match ask_packet(chain, hook, self.client, &mut draft) {
            Decision::Drop(explained) | Decision::Deny(explained) => {
                tracing::debug!(client_id = %self.client.client_id, "{explained}");
                return false;
            }
            _ if draft.is_changed() => {
                let before = write.len();
                let changed = codec::encode(&draft.packet(), self.client.version, write);
                if changed.is_ok() && write.len() - before <= self.maximum_packet_size {
                    return false;
                }
                tracing::warn!(client_id = %self.client.client_id, "intercept_outbound_packet: the changed packet cannot be sent, the original goes");
                write.truncate(before);
            }
            _ => {}
        }
        write.extend_from_slice(frame);
        true
    }
}

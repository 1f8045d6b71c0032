//! `intercept_outbound_packet`: where a plugin listens, what is about to be written is read again, packet by packet, and asked about.
//!
//! Publishers encode straight into outboxes under a lock, where no hook may run; so the question comes here, off the fast path, and
//! costs those who listen.

use bytes::BytesMut;
use hookmq_mqtt::codec::{self, Frame};
use hookmq_plugin_api::Hook;

use super::packets::ask_packet;
use crate::broker::Inner;
use crate::client::ClientInfo;
use crate::event::packet::PacketDraft;
use crate::hook::{Chain, Decision};

/// Moves packets into `write`, as the plugins let them pass.
pub(crate) fn admit(
    inner: &Inner,
    chain: &Chain,
    client: &ClientInfo,
    packets: &[u8],
    write: &mut BytesMut,
) {
    let mut rest = packets;
    while let Ok(Frame::Complete(len)) = codec::frame(rest, u32::MAX) {
        let Some((frame, after)) = rest.split_at_checked(len) else {
            break;
        };
        rest = after;
        let Ok(packet) = codec::decode(frame, client.version) else {
            write.extend_from_slice(frame);
            continue;
        };
        let mut draft = PacketDraft::new(
            Hook::InterceptOutboundPacket,
            Some(client),
            &packet,
            &inner.session_settings,
        );
        match ask_packet(chain, Hook::InterceptOutboundPacket, client, &mut draft) {
            Decision::Drop(explained) | Decision::Deny(explained) => {
                tracing::debug!(client_id = %client.client_id, "{explained}")
            }
            _ if draft.is_changed() => {
                let before = write.len();
                if codec::encode(&draft.packet(), client.version, write).is_err() {
                    write.truncate(before);
                    write.extend_from_slice(frame);
                }
            }
            _ => write.extend_from_slice(frame),
        }
    }
}

//! Writes packets. PUBLISH and the short answers go straight to the buffer; of the others the length is counted
//! first, by writing them to a [`Sink`] that keeps nothing, because the fixed header comes before the body.

mod answers;
mod connack;
mod connect;
pub(super) mod publish;
mod sink;
mod subscribe;

use bytes::{BufMut, BytesMut};

use crate::error::EncodeError;
use crate::packet::{Ack, Packet, PacketType};
use crate::reason::ReasonCode;
use crate::varint;
use crate::version::ProtocolVersion;
use sink::{Counter, Sink};

pub(super) fn packet(
    packet: &Packet<'_>,
    version: ProtocolVersion,
    out: &mut BytesMut,
) -> Result<(), EncodeError> {
    match packet {
        Packet::Publish(publish) => return publish::encode_publish(publish, version, out),
        Packet::PubAck(ack) | Packet::PubRec(ack) | Packet::PubRel(ack) | Packet::PubComp(ack)
            if is_short(ack, version) =>
        {
            let [high, low] = ack.packet_identifier.get().to_be_bytes();
            out.extend_from_slice(&[first_byte(packet.packet_type()), 2, high, low]);
            return Ok(());
        }
        _ => {}
    }
    let mut counter = Counter::default();
    body(packet, version, &mut counter)?;
    let (remaining_length, n_bytes) =
        varint::write(counter.n_bytes).ok_or(too_long(counter.n_bytes))?;
    out.reserve(1 + n_bytes + counter.n_bytes);
    out.put_u8(first_byte(packet.packet_type()));
    out.extend_from_slice(remaining_length.get(..n_bytes).unwrap_or_default());
    body(packet, version, out)
}

pub(super) fn packet_len(
    packet: &Packet<'_>,
    version: ProtocolVersion,
) -> Result<usize, EncodeError> {
    if let Packet::Publish(publish) = packet {
        return publish::checked_len(publish, version);
    }
    let mut counter = Counter::default();
    body(packet, version, &mut counter)?;
    varint::write(counter.n_bytes).ok_or(too_long(counter.n_bytes))?;
    Ok(1 + varint::size(counter.n_bytes) + counter.n_bytes)
}

/// Whether the answer is its Packet Identifier and nothing else.
fn is_short(ack: &Ack, version: ProtocolVersion) -> bool {
    !version.is_v5() || (ack.reason == ReasonCode::Success && ack.properties.is_none())
}

/// All after the fixed header. PUBLISH is written elsewhere.
fn body(
    packet: &Packet<'_>,
    version: ProtocolVersion,
    sink: &mut dyn Sink,
) -> Result<(), EncodeError> {
    match packet {
        Packet::Connect(connect) => connect::connect(connect, sink),
        Packet::ConnAck(connack) => connack::connack(connack, version, sink),
        Packet::PubAck(ack) | Packet::PubRec(ack) | Packet::PubRel(ack) | Packet::PubComp(ack) => {
            answers::ack(packet.packet_type(), ack, version, sink)
        }
        Packet::Subscribe(subscribe) => subscribe::subscribe(subscribe, version, sink),
        Packet::SubAck(suback) => answers::suback(suback, version, sink),
        Packet::Unsubscribe(unsubscribe) => subscribe::unsubscribe(unsubscribe, version, sink),
        Packet::UnsubAck(unsuback) => answers::unsuback(unsuback, version, sink),
        Packet::Publish(_) | Packet::PingReq | Packet::PingResp => Ok(()),
        Packet::Disconnect(disconnect) => answers::disconnect(disconnect, version, sink),
        Packet::Auth(auth) => answers::auth(auth, version, sink),
    }
}

fn first_byte(packet_type: PacketType) -> u8 {
    ((packet_type as u8) << 4) | packet_type.flags().unwrap_or_default()
}

#[cold]
fn too_long(n_bytes: usize) -> EncodeError {
    EncodeError::PacketTooLong { n_bytes }
}

/// The code, if a packet of this type may carry it.
fn reason(reason: ReasonCode, packet_type: PacketType) -> Result<u8, EncodeError> {
    if reason.allowed_in(packet_type) {
        Ok(reason as u8)
    } else {
        Err(EncodeError::ReasonCode {
            reason,
            packet_type,
        })
    }
}

//! Reads a whole packet: fixed header here, the rest by packet type.

mod ack;
mod auth;
mod connack;
mod connect;
mod disconnect;
mod publish;
mod suback;
mod subscribe;

use super::first_byte;
use super::reader::Reader;
use crate::clause;
use crate::error::{DecodeError, DecodeErrorKind};
use crate::packet::{Packet, PacketType};
use crate::reason::ReasonCode;
use crate::varint::{self, Varint};
use crate::version::ProtocolVersion;

#[inline]
pub(super) fn packet(frame: &[u8], version: ProtocolVersion) -> Result<Packet<'_>, DecodeError> {
    let (first, reader) = fixed_header(frame, version)?;
    // The common packet does not pay for the stack that the others need.
    if reader.packet_type == PacketType::Publish {
        publish::publish(first, reader)
    } else {
        other(first, reader)
    }
}

#[inline(never)]
fn other(first: u8, mut reader: Reader<'_>) -> Result<Packet<'_>, DecodeError> {
    let reader = &mut reader;
    let packet = match reader.packet_type {
        PacketType::Connect => Packet::Connect(connect::connect(reader)?),
        PacketType::ConnAck => Packet::ConnAck(connack::connack(reader)?),
        PacketType::Publish => return publish::publish(first, *reader),
        PacketType::PubAck => Packet::PubAck(ack::ack(reader, clause::PUBACK_REASON)?),
        PacketType::PubRec => Packet::PubRec(ack::ack(reader, clause::PUBREC_REASON)?),
        PacketType::PubRel => Packet::PubRel(ack::ack(reader, clause::PUBREL_REASON)?),
        PacketType::PubComp => Packet::PubComp(ack::ack(reader, clause::PUBCOMP_REASON)?),
        PacketType::Subscribe => Packet::Subscribe(subscribe::subscribe(reader)?),
        PacketType::SubAck => Packet::SubAck(suback::suback(reader)?),
        PacketType::Unsubscribe => Packet::Unsubscribe(subscribe::unsubscribe(reader)?),
        PacketType::UnsubAck => Packet::UnsubAck(suback::unsuback(reader)?),
        PacketType::PingReq => Packet::PingReq,
        PacketType::PingResp => Packet::PingResp,
        PacketType::Disconnect => Packet::Disconnect(disconnect::disconnect(reader)?),
        PacketType::Auth => Packet::Auth(auth::auth(reader)?),
    };
    reader.finish()?;
    Ok(packet)
}

/// The first byte, and a reader of what follows the fixed header.
#[inline(always)]
fn fixed_header(frame: &[u8], version: ProtocolVersion) -> Result<(u8, Reader<'_>), DecodeError> {
    let Some((&first, rest)) = frame.split_first() else {
        let kind = DecodeErrorKind::Truncated;
        return Err(DecodeError {
            packet_type: None,
            offset: 0,
            kind,
            clause: clause::MALFORMED.of(version),
        });
    };
    let packet_type = first_byte(first, version)?;
    let header = Reader::new(rest, frame.len(), packet_type, version);
    match varint::read(rest) {
        Varint::Value(remaining, n_bytes) => match rest.get(n_bytes..) {
            Some(body) if body.len() == remaining as usize => {
                Ok((first, Reader::new(body, frame.len(), packet_type, version)))
            }
            _ => Err(header.fail(DecodeErrorKind::FrameLength, 1, clause::MALFORMED)),
        },
        Varint::Incomplete => Err(header.fail(DecodeErrorKind::FrameLength, 1, clause::MALFORMED)),
        Varint::Malformed => {
            Err(header.fail(DecodeErrorKind::VariableByteInteger, 1, clause::VARINT))
        }
    }
}

/// A Reason Code that exists and that this packet may carry.
fn reason(reader: &mut Reader<'_>, clause: clause::Clause) -> Result<ReasonCode, DecodeError> {
    let offset = reader.offset();
    let value = reader.u8()?;
    match ReasonCode::from_u8(value) {
        Some(reason) if reason.allowed_in(reader.packet_type) => Ok(reason),
        Some(reason) => Err(reader.fail(
            DecodeErrorKind::ReasonCodeNotAllowed(reason),
            offset,
            clause,
        )),
        None => Err(reader.fail(DecodeErrorKind::UnknownReasonCode(value), offset, clause)),
    }
}

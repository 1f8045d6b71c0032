//! Bytes to packets and back: [`frame`] finds a whole packet, [`decode()`] reads it, [`encode()`] writes one.
//!
//! Decoding is strict, for both directions and both versions, and answers for every byte: what it lets through is a
//! valid packet. Encoding writes the shortest valid form. Neither panics on any input.

mod decode;
mod encode;
mod properties;
mod reader;

use bytes::BytesMut;

use crate::clause;
use crate::error::{DecodeError, DecodeErrorKind, EncodeError};
use crate::packet::{Packet, PacketType};
use crate::varint::{self, Varint};
use crate::version::ProtocolVersion;

pub use encode::publish::{encode_publish, publish_len};

/// What the start of a buffer holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame {
    /// A whole packet of so many bytes, fixed header included.
    Complete(usize),
    /// Not yet a whole packet. It will need so many bytes in all; while the header itself is not whole, the least
    /// number of bytes that may tell more, at least 2. Always more than there are.
    Incomplete(usize),
}

/// Looks at the fixed header for a whole packet.
///
/// `maximum_packet_size` in bytes counts the whole packet, as the property of that name does.
///
/// # Errors
/// As soon as the bytes there are cannot become an acceptable packet: reserved type or flags, a malformed Remaining
/// Length, or a packet that will be too large, before any of its body is waited for.
#[inline]
pub fn frame(buf: &[u8], maximum_packet_size: u32) -> Result<Frame, DecodeError> {
    let Some((&first, rest)) = buf.split_first() else {
        return Ok(Frame::Incomplete(2));
    };
    // The version is not known here; the clauses named are those of 5.0, which says the same as 3.1.1.
    let packet_type = first_byte(first, ProtocolVersion::V5)?;
    let fail = |kind, clause: clause::Clause| DecodeError {
        packet_type: Some(packet_type),
        offset: 1,
        kind,
        clause: clause.of(ProtocolVersion::V5),
    };
    match varint::read(rest) {
        Varint::Value(remaining, n_bytes) => {
            let whole = 1 + n_bytes + remaining as usize;
            if whole > maximum_packet_size as usize {
                let kind = DecodeErrorKind::PacketTooLarge {
                    n_bytes: whole,
                    maximum: maximum_packet_size,
                };
                return Err(fail(kind, clause::PACKET_TOO_LARGE));
            }
            Ok(if buf.len() >= whole {
                Frame::Complete(whole)
            } else {
                Frame::Incomplete(whole)
            })
        }
        Varint::Incomplete => Ok(Frame::Incomplete(buf.len() + 1)),
        Varint::Malformed => Err(fail(DecodeErrorKind::VariableByteInteger, clause::VARINT)),
    }
}

/// Reads one whole packet: `frame` is what [`frame`] found, fixed header included.
///
/// `version` is that of the connection; a CONNECT says its own.
///
/// # Errors
/// What is wrong first, where, and by which clause; [`DecodeError::reason_code`] is what to tell the peer.
pub fn decode(frame: &[u8], version: ProtocolVersion) -> Result<Packet<'_>, DecodeError> {
    decode::packet(frame, version)
}

/// Writes `packet` at the end of `out`. A CONNECT says its own version, whatever `version` is.
///
/// What only 5.0 has, such as properties and most Reason Codes, is left out in 3.1.1.
///
/// # Errors
/// If a field or the packet is too long for the wire, or if no valid packet says this. Nothing is written then.
pub fn encode(
    packet: &Packet<'_>,
    version: ProtocolVersion,
    out: &mut BytesMut,
) -> Result<(), EncodeError> {
    encode::packet(packet, version, out)
}

/// How many bytes [`encode()`] would write, for comparison with the receiver's Maximum Packet Size.
///
/// # Errors
/// As [`encode()`].
pub fn packet_len(packet: &Packet<'_>, version: ProtocolVersion) -> Result<usize, EncodeError> {
    encode::packet_len(packet, version)
}

/// The packet type, if the flags beside it are allowed.
#[inline]
fn first_byte(first: u8, version: ProtocolVersion) -> Result<PacketType, DecodeError> {
    match PacketType::from_first_byte(first) {
        // The common packet first: 0x3_ with QoS 0 to 2, and DUP only above QoS 0.
        Some(PacketType::Publish) if first & 0b0110 != 0b0110 && first & 0b1110 != 0b1000 => {
            Ok(PacketType::Publish)
        }
        Some(packet_type) if packet_type.flags() == Some(first & 0x0f) => Ok(packet_type),
        packet_type => Err(bad_first_byte(first, packet_type, version)),
    }
}

#[cold]
fn bad_first_byte(
    first: u8,
    packet_type: Option<PacketType>,
    version: ProtocolVersion,
) -> DecodeError {
    let (kind, clause) = match packet_type {
        None => (DecodeErrorKind::ReservedPacketType, clause::PACKET_TYPE),
        Some(PacketType::Publish) if first & 0b0110 == 0b0110 => {
            (DecodeErrorKind::QoS3, clause::QOS)
        }
        Some(PacketType::Publish) => (DecodeErrorKind::DupWithQoS0, clause::DUP),
        Some(_) => (
            DecodeErrorKind::FixedHeaderFlags(first & 0x0f),
            clause::FLAGS,
        ),
    };
    DecodeError {
        packet_type,
        offset: 0,
        kind,
        clause: clause.of(version),
    }
}

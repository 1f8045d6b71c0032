//! Reads SUBACK and UNSUBACK.

use super::{ack, reason};
use crate::clause;
use crate::codec::reader::Reader;
use crate::error::{DecodeError, DecodeErrorKind};
use crate::packet::{SubAck, UnsubAck};
use crate::reason::ReasonCode;

pub(super) fn suback(reader: &mut Reader<'_>) -> Result<SubAck, DecodeError> {
    let packet_identifier = reader.packet_identifier()?;
    let properties = ack::properties(reader)?;
    let reasons = reasons(reader, clause::SUBACK_REASON)?;
    Ok(SubAck {
        packet_identifier,
        reasons,
        reason_string: properties.reason_string,
        user_properties: properties.user_properties,
    })
}

pub(super) fn unsuback(reader: &mut Reader<'_>) -> Result<UnsubAck, DecodeError> {
    let packet_identifier = reader.packet_identifier()?;
    let properties = ack::properties(reader)?;
    // 3.1.1 has no payload here.
    let reasons = if reader.version.is_v5() {
        reasons(reader, clause::UNSUBACK_REASON)?
    } else {
        Vec::new()
    };
    Ok(UnsubAck {
        packet_identifier,
        reasons,
        reason_string: properties.reason_string,
        user_properties: properties.user_properties,
    })
}

fn reasons(
    reader: &mut Reader<'_>,
    clause: clause::Clause,
) -> Result<Vec<ReasonCode>, DecodeError> {
    if reader.is_empty() {
        return Err(reader.fail(DecodeErrorKind::EmptyList, reader.offset(), clause));
    }
    let mut reasons = Vec::with_capacity(reader.remaining().len());
    while !reader.is_empty() {
        reasons.push(if reader.version.is_v5() {
            reason(reader, clause)?
        } else {
            return_code(reader)?
        });
    }
    Ok(reasons)
}

/// The return codes of 3.1.1: 0, 1, 2 and 0x80 [v3 MQTT-3.9.3-2].
fn return_code(reader: &mut Reader<'_>) -> Result<ReasonCode, DecodeError> {
    let offset = reader.offset();
    match reader.u8()? {
        0x00 => Ok(ReasonCode::Success),
        0x01 => Ok(ReasonCode::GrantedQoS1),
        0x02 => Ok(ReasonCode::GrantedQoS2),
        0x80 => Ok(ReasonCode::UnspecifiedError),
        value => Err(reader.fail(
            DecodeErrorKind::UnknownReasonCode(value),
            offset,
            clause::SUBACK_REASON,
        )),
    }
}

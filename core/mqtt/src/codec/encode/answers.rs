//! Writes the packets that are a Reason Code and little else: the four answers around QoS 1 and 2, SUBACK, UNSUBACK,
//! DISCONNECT and AUTH. What may be left out is left out.

use super::reason;
use super::sink::Sink;
use crate::error::EncodeError;
use crate::packet::{Ack, AckProperties, Auth, Disconnect, PacketType, SubAck, UnsubAck};
use crate::property::{PropertyId, UserProperties};
use crate::reason::ReasonCode;
use crate::version::ProtocolVersion;

pub(super) fn ack(
    packet_type: PacketType,
    ack: &Ack,
    version: ProtocolVersion,
    sink: &mut dyn Sink,
) -> Result<(), EncodeError> {
    sink.u16(ack.packet_identifier.get());
    let properties = ack
        .properties
        .as_deref()
        .filter(|properties| **properties != AckProperties::default());
    if !version.is_v5() || (ack.reason == ReasonCode::Success && properties.is_none()) {
        return Ok(());
    }
    sink.u8(reason(ack.reason, packet_type)?);
    match properties {
        Some(properties) => sink.properties(version, |sink| {
            explanation(
                properties.reason_string.as_deref(),
                &properties.user_properties,
                sink,
            )
        }),
        None => Ok(()),
    }
}

pub(super) fn suback(
    suback: &SubAck,
    version: ProtocolVersion,
    sink: &mut dyn Sink,
) -> Result<(), EncodeError> {
    sink.u16(suback.packet_identifier.get());
    sink.properties(version, |sink| {
        explanation(
            suback.reason_string.as_deref(),
            &suback.user_properties,
            sink,
        )
    })?;
    if suback.reasons.is_empty() {
        return Err(EncodeError::EmptyList);
    }
    for code in &suback.reasons {
        let byte = reason(*code, PacketType::SubAck)?;
        // 3.1.1 has one failure only [v3 MQTT-3.9.3-2].
        sink.u8(if code.is_error() && !version.is_v5() {
            ReasonCode::UnspecifiedError as u8
        } else {
            byte
        });
    }
    Ok(())
}

pub(super) fn unsuback(
    unsuback: &UnsubAck,
    version: ProtocolVersion,
    sink: &mut dyn Sink,
) -> Result<(), EncodeError> {
    sink.u16(unsuback.packet_identifier.get());
    if !version.is_v5() {
        return Ok(());
    }
    sink.properties(version, |sink| {
        explanation(
            unsuback.reason_string.as_deref(),
            &unsuback.user_properties,
            sink,
        )
    })?;
    if unsuback.reasons.is_empty() {
        return Err(EncodeError::EmptyList);
    }
    for code in &unsuback.reasons {
        sink.u8(reason(*code, PacketType::UnsubAck)?);
    }
    Ok(())
}

pub(super) fn disconnect(
    disconnect: &Disconnect,
    version: ProtocolVersion,
    sink: &mut dyn Sink,
) -> Result<(), EncodeError> {
    if !version.is_v5() || *disconnect == Disconnect::default() {
        return Ok(());
    }
    sink.u8(reason(disconnect.reason, PacketType::Disconnect)?);
    if *disconnect == Disconnect::new(disconnect.reason) {
        return Ok(());
    }
    sink.properties(version, |sink| {
        if let Some(seconds) = disconnect.session_expiry_interval {
            sink.four_byte_property(PropertyId::SessionExpiryInterval, seconds);
        }
        explanation(
            disconnect.reason_string.as_deref(),
            &disconnect.user_properties,
            sink,
        )?;
        sink.string_property(
            PropertyId::ServerReference,
            disconnect.server_reference.as_deref(),
        )
    })
}

pub(super) fn auth(
    auth: &Auth,
    version: ProtocolVersion,
    sink: &mut dyn Sink,
) -> Result<(), EncodeError> {
    if !version.is_v5() {
        return Err(EncodeError::NotInThisVersion { what: "AUTH" });
    }
    if *auth == Auth::default() {
        return Ok(());
    }
    if auth.authentication_method.is_none() {
        return Err(EncodeError::AuthenticationMethodMissing);
    }
    sink.u8(reason(auth.reason, PacketType::Auth)?);
    sink.properties(version, |sink| {
        sink.string_property(
            PropertyId::AuthenticationMethod,
            auth.authentication_method.as_deref(),
        )?;
        sink.binary_property(
            PropertyId::AuthenticationData,
            auth.authentication_data.as_deref(),
        )?;
        explanation(auth.reason_string.as_deref(), &auth.user_properties, sink)
    })
}

fn explanation(
    reason_string: Option<&str>,
    user_properties: &UserProperties,
    sink: &mut dyn Sink,
) -> Result<(), EncodeError> {
    sink.string_property(PropertyId::ReasonString, reason_string)?;
    sink.user_properties(user_properties);
    Ok(())
}

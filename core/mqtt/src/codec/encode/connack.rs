//! Writes CONNACK.

use super::reason;
use super::sink::Sink;
use crate::error::EncodeError;
use crate::packet::{ConnAck, ConnAckProperties, PacketType};
use crate::property::PropertyId;
use crate::qos::QoS;
use crate::version::ProtocolVersion;

pub(super) fn connack(
    connack: &ConnAck,
    version: ProtocolVersion,
    sink: &mut dyn Sink,
) -> Result<(), EncodeError> {
    // A refusal never has a Session [MQTT-3.2.2-6], [v3 MQTT-3.2.2-4].
    sink.u8(u8::from(
        connack.session_present && !connack.reason.is_error(),
    ));
    let code = reason(connack.reason, PacketType::ConnAck)?;
    sink.u8(if version.is_v5() {
        code
    } else {
        connack.reason.v311_connect_return_code()
    });
    sink.properties(version, |sink| match &connack.properties {
        Some(connack) => properties(connack, sink),
        None => Ok(()),
    })
}

fn properties(properties: &ConnAckProperties, sink: &mut dyn Sink) -> Result<(), EncodeError> {
    if properties.authentication_data.is_some() && properties.authentication_method.is_none() {
        return Err(EncodeError::AuthenticationMethodMissing);
    }
    if let Some(seconds) = properties.session_expiry_interval {
        sink.four_byte_property(PropertyId::SessionExpiryInterval, seconds);
    }
    if let Some(maximum) = properties.receive_maximum {
        sink.two_byte_property(PropertyId::ReceiveMaximum, maximum.get());
    }
    if properties.maximum_qos != QoS::ExactlyOnce {
        sink.byte_property(PropertyId::MaximumQoS, properties.maximum_qos as u8);
    }
    if !properties.retain_available {
        sink.byte_property(PropertyId::RetainAvailable, 0);
    }
    if let Some(maximum) = properties.maximum_packet_size {
        sink.four_byte_property(PropertyId::MaximumPacketSize, maximum.get());
    }
    let assigned = properties.assigned_client_identifier.as_deref();
    sink.string_property(PropertyId::AssignedClientIdentifier, assigned)?;
    if properties.topic_alias_maximum != 0 {
        sink.two_byte_property(
            PropertyId::TopicAliasMaximum,
            properties.topic_alias_maximum,
        );
    }
    sink.string_property(
        PropertyId::ReasonString,
        properties.reason_string.as_deref(),
    )?;
    sink.user_properties(&properties.user_properties);
    if !properties.wildcard_subscription_available {
        sink.byte_property(PropertyId::WildcardSubscriptionAvailable, 0);
    }
    if !properties.subscription_identifiers_available {
        sink.byte_property(PropertyId::SubscriptionIdentifierAvailable, 0);
    }
    if !properties.shared_subscription_available {
        sink.byte_property(PropertyId::SharedSubscriptionAvailable, 0);
    }
    if let Some(seconds) = properties.server_keep_alive {
        sink.two_byte_property(PropertyId::ServerKeepAlive, seconds);
    }
    sink.string_property(
        PropertyId::ResponseInformation,
        properties.response_information.as_deref(),
    )?;
    sink.string_property(
        PropertyId::ServerReference,
        properties.server_reference.as_deref(),
    )?;
    sink.string_property(
        PropertyId::AuthenticationMethod,
        properties.authentication_method.as_deref(),
    )?;
    sink.binary_property(
        PropertyId::AuthenticationData,
        properties.authentication_data.as_deref(),
    )
}

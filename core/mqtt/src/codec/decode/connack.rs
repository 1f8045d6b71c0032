//! Reads CONNACK.

use bytes::Bytes;

use super::reason;
use crate::clause;
use crate::codec::properties::{Property, PropertyReader, PropertySet};
use crate::codec::reader::Reader;
use crate::error::{DecodeError, DecodeErrorKind};
use crate::packet::{ConnAck, ConnAckProperties};
use crate::property::PropertyId;
use crate::reason::ReasonCode;

const PROPERTIES: PropertySet = PropertySet::of(&[
    PropertyId::SessionExpiryInterval,
    PropertyId::AssignedClientIdentifier,
    PropertyId::ServerKeepAlive,
    PropertyId::AuthenticationMethod,
    PropertyId::AuthenticationData,
    PropertyId::ResponseInformation,
    PropertyId::ServerReference,
    PropertyId::ReasonString,
    PropertyId::ReceiveMaximum,
    PropertyId::TopicAliasMaximum,
    PropertyId::MaximumQoS,
    PropertyId::RetainAvailable,
    PropertyId::MaximumPacketSize,
    PropertyId::WildcardSubscriptionAvailable,
    PropertyId::SubscriptionIdentifierAvailable,
    PropertyId::SharedSubscriptionAvailable,
]);

pub(super) fn connack(reader: &mut Reader<'_>) -> Result<ConnAck, DecodeError> {
    let offset = reader.offset();
    let flags = reader.u8()?;
    if flags > 1 {
        return Err(reader.fail(
            DecodeErrorKind::AcknowledgeFlags(flags),
            offset,
            clause::ACKNOWLEDGE_FLAGS,
        ));
    }
    let session_present = flags == 1;
    let reason = if reader.version.is_v5() {
        reason(reader, clause::CONNACK_REASON)?
    } else {
        return_code(reader)?
    };
    if session_present && reason.is_error() {
        return Err(reader.fail(
            DecodeErrorKind::AcknowledgeFlags(flags),
            offset,
            clause::SESSION_PRESENT,
        ));
    }
    Ok(ConnAck {
        session_present,
        reason,
        properties: properties(reader)?,
    })
}

fn return_code(reader: &mut Reader<'_>) -> Result<ReasonCode, DecodeError> {
    let offset = reader.offset();
    let value = reader.u8()?;
    ReasonCode::from_v311_connect_return_code(value).ok_or_else(|| {
        reader.fail(
            DecodeErrorKind::UnknownReasonCode(value),
            offset,
            clause::CONNACK_REASON,
        )
    })
}

fn properties(reader: &mut Reader<'_>) -> Result<Option<Box<ConnAckProperties>>, DecodeError> {
    let offset = reader.offset();
    let mut section = PropertyReader::new(reader, PROPERTIES)?;
    if section.whole().is_empty() {
        return Ok(None);
    }
    let mut properties = Box::<ConnAckProperties>::default();
    while let Some(property) = section.next()? {
        match property {
            Property::SessionExpiryInterval(seconds) => {
                properties.session_expiry_interval = Some(seconds)
            }
            Property::AssignedClientIdentifier(id) => {
                properties.assigned_client_identifier = Some(id.to_owned())
            }
            Property::ServerKeepAlive(seconds) => properties.server_keep_alive = Some(seconds),
            Property::AuthenticationMethod(name) => {
                properties.authentication_method = Some(name.to_owned())
            }
            Property::AuthenticationData(data) => {
                properties.authentication_data = Some(Bytes::copy_from_slice(data))
            }
            Property::ResponseInformation(text) => {
                properties.response_information = Some(text.to_owned())
            }
            Property::ServerReference(text) => properties.server_reference = Some(text.to_owned()),
            Property::ReasonString(text) => properties.reason_string = Some(text.to_owned()),
            Property::ReceiveMaximum(maximum) => properties.receive_maximum = Some(maximum),
            Property::TopicAliasMaximum(maximum) => properties.topic_alias_maximum = maximum,
            Property::MaximumQoS(qos) => properties.maximum_qos = qos,
            Property::RetainAvailable(available) => properties.retain_available = available,
            Property::MaximumPacketSize(maximum) => properties.maximum_packet_size = Some(maximum),
            Property::WildcardSubscriptionAvailable(available) => {
                properties.wildcard_subscription_available = available;
            }
            Property::SubscriptionIdentifierAvailable(available) => {
                properties.subscription_identifiers_available = available;
            }
            Property::SharedSubscriptionAvailable(available) => {
                properties.shared_subscription_available = available
            }
            // User Properties are taken as a whole, others were refused.
            _ => {}
        }
    }
    properties.user_properties = section.user_properties().to_owned();
    if properties.authentication_data.is_some() && properties.authentication_method.is_none() {
        let kind = DecodeErrorKind::AuthenticationMethodMissing;
        return Err(reader.fail(kind, offset, clause::AUTHENTICATION_DATA));
    }
    // A default said aloud is the same as one that is not said.
    Ok((*properties != ConnAckProperties::default()).then_some(properties))
}

//! Reads CONNECT, which says its own version and is judged by it.

use bytes::Bytes;

use crate::clause;
use crate::codec::properties::{Property, PropertyReader, PropertySet};
use crate::codec::reader::Reader;
use crate::error::{DecodeError, DecodeErrorKind};
use crate::packet::{Connect, Will};
use crate::property::PropertyId;
use crate::qos::QoS;
use crate::topic::{TopicError, TopicName};
use crate::version::ProtocolVersion;

const PROPERTIES: PropertySet = PropertySet::of(&[
    PropertyId::SessionExpiryInterval,
    PropertyId::AuthenticationMethod,
    PropertyId::AuthenticationData,
    PropertyId::RequestProblemInformation,
    PropertyId::RequestResponseInformation,
    PropertyId::ReceiveMaximum,
    PropertyId::TopicAliasMaximum,
    PropertyId::MaximumPacketSize,
]);

const WILL_PROPERTIES: PropertySet = PropertySet::of(&[
    PropertyId::WillDelayInterval,
    PropertyId::PayloadFormatIndicator,
    PropertyId::MessageExpiryInterval,
    PropertyId::ContentType,
    PropertyId::ResponseTopic,
    PropertyId::CorrelationData,
]);

/// The byte of Connect Flags (section 3.1.2.3).
#[derive(Debug, Clone, Copy)]
struct ConnectFlags {
    clean_start: bool,
    will: Option<(QoS, bool)>,
    password: bool,
    username: bool,
}

pub(super) fn connect(reader: &mut Reader<'_>) -> Result<Box<Connect>, DecodeError> {
    reader.version = protocol(reader)?;
    let flags = connect_flags(reader)?;
    let keep_alive = reader.u16()?;
    let mut connect = Box::new(Connect {
        clean_start: flags.clean_start,
        keep_alive,
        ..Connect::new(reader.version, "")
    });
    properties(reader, &mut connect)?;
    // The fields of the payload come in this order [MQTT-3.1.3-1].
    reader.string()?.clone_into(&mut connect.client_id);
    if let Some((qos, retain)) = flags.will {
        connect.will = Some(will(reader, qos, retain)?);
    }
    if flags.username {
        connect.username = Some(reader.string()?.to_owned());
    }
    if flags.password {
        connect.password = Some(Bytes::copy_from_slice(reader.binary()?));
    }
    Ok(connect)
}

/// Protocol Name and Protocol Version.
fn protocol(reader: &mut Reader<'_>) -> Result<ProtocolVersion, DecodeError> {
    let offset = reader.offset();
    let name = reader.binary()?;
    if name != b"MQTT" {
        let kind = DecodeErrorKind::ProtocolName {
            v3_like: name == b"MQIsdp",
        };
        return Err(reader.fail(kind, offset, clause::PROTOCOL_NAME));
    }
    let offset = reader.offset();
    let level = reader.u8()?;
    ProtocolVersion::from_level(level).ok_or_else(|| {
        reader.fail(
            DecodeErrorKind::ProtocolLevel(level),
            offset,
            clause::PROTOCOL_LEVEL,
        )
    })
}

fn connect_flags(reader: &mut Reader<'_>) -> Result<ConnectFlags, DecodeError> {
    let offset = reader.offset();
    let byte = reader.u8()?;
    let bit = |index: u8| byte & (1 << index) != 0;
    if bit(0) {
        return Err(reader.fail(
            DecodeErrorKind::ReservedConnectFlag,
            offset,
            clause::CONNECT_RESERVED,
        ));
    }
    let will_qos = (byte >> 3) & 0b11;
    let will = match (bit(2), QoS::from_u8(will_qos)) {
        (true, Some(qos)) => Some((qos, bit(5))),
        (true, None) => {
            return Err(reader.fail(DecodeErrorKind::WillFlags, offset, clause::WILL_QOS));
        }
        (false, _) if will_qos != 0 => {
            return Err(reader.fail(DecodeErrorKind::WillFlags, offset, clause::NO_WILL_QOS));
        }
        (false, _) if bit(5) => {
            return Err(reader.fail(DecodeErrorKind::WillFlags, offset, clause::NO_WILL_RETAIN));
        }
        (false, _) => None,
    };
    let (password, username) = (bit(6), bit(7));
    if password && !username && !reader.version.is_v5() {
        return Err(reader.fail(
            DecodeErrorKind::PasswordWithoutUserName,
            offset,
            clause::PASSWORD,
        ));
    }
    Ok(ConnectFlags {
        clean_start: bit(1),
        will,
        password,
        username,
    })
}

fn properties(reader: &mut Reader<'_>, connect: &mut Connect) -> Result<(), DecodeError> {
    let offset = reader.offset();
    let mut section = PropertyReader::new(reader, PROPERTIES)?;
    while let Some(property) = section.next()? {
        match property {
            Property::SessionExpiryInterval(seconds) => {
                connect.session_expiry_interval = Some(seconds)
            }
            Property::AuthenticationMethod(name) => {
                connect.authentication_method = Some(name.to_owned())
            }
            Property::AuthenticationData(data) => {
                connect.authentication_data = Some(Bytes::copy_from_slice(data))
            }
            Property::RequestProblemInformation(wanted) => {
                connect.request_problem_information = wanted
            }
            Property::RequestResponseInformation(wanted) => {
                connect.request_response_information = wanted
            }
            Property::ReceiveMaximum(maximum) => connect.receive_maximum = Some(maximum),
            Property::TopicAliasMaximum(maximum) => connect.topic_alias_maximum = maximum,
            Property::MaximumPacketSize(maximum) => connect.maximum_packet_size = Some(maximum),
            // User Properties are taken as a whole, others were refused.
            _ => {}
        }
    }
    connect.user_properties = section.user_properties().to_owned();
    if connect.authentication_data.is_some() && connect.authentication_method.is_none() {
        let kind = DecodeErrorKind::AuthenticationMethodMissing;
        return Err(reader.fail(kind, offset, clause::AUTHENTICATION_DATA));
    }
    Ok(())
}

fn will(reader: &mut Reader<'_>, qos: QoS, retain: bool) -> Result<Box<Will>, DecodeError> {
    let mut section = PropertyReader::new(reader, WILL_PROPERTIES)?;
    let mut delay_interval = 0;
    let mut payload_format = None;
    let mut message_expiry_interval = None;
    let mut content_type = None;
    let mut response_topic = None;
    let mut correlation_data = None;
    while let Some(property) = section.next()? {
        match property {
            Property::WillDelayInterval(seconds) => delay_interval = seconds,
            Property::PayloadFormatIndicator(format) => payload_format = Some(format),
            Property::MessageExpiryInterval(seconds) => message_expiry_interval = Some(seconds),
            Property::ContentType(text) => content_type = Some(text.to_owned()),
            Property::ResponseTopic(topic) => response_topic = Some(topic.to_owned()),
            Property::CorrelationData(data) => {
                correlation_data = Some(Bytes::copy_from_slice(data))
            }
            // User Properties are taken as a whole, others were refused.
            _ => {}
        }
    }
    let offset = reader.offset();
    // What a Topic Name may hold was checked as it was read, so that only its emptiness is left to say.
    let topic = TopicName::parse(reader.topic_name(clause::TOPIC_NAME_WILDCARD)?).map_err(
        |error: TopicError| {
            reader.fail(
                DecodeErrorKind::TopicName(error),
                offset,
                clause::TOPIC_NAME_EMPTY,
            )
        },
    )?;
    Ok(Box::new(Will {
        topic,
        payload: Bytes::copy_from_slice(reader.binary()?),
        qos,
        retain,
        delay_interval,
        payload_format,
        message_expiry_interval,
        content_type,
        response_topic,
        correlation_data,
        user_properties: section.user_properties().to_owned(),
    }))
}

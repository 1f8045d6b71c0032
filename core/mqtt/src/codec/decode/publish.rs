//! Reads PUBLISH, the hot path: no allocation, and no work for properties that are not there.

use crate::clause;
use crate::codec::properties::{Property, PropertyReader, PropertySet};
use crate::codec::reader::Reader;
use crate::error::{DecodeError, DecodeErrorKind};
use crate::ids::PacketIdentifier;
use crate::packet::{Packet, Publish, PublishProperties, SubscriptionIdentifiers};
use crate::property::PropertyId;
use crate::qos::QoS;
use crate::topic::TopicError;

const PROPERTIES: PropertySet = PropertySet::of(&[
    PropertyId::PayloadFormatIndicator,
    PropertyId::MessageExpiryInterval,
    PropertyId::TopicAlias,
    PropertyId::ResponseTopic,
    PropertyId::CorrelationData,
    PropertyId::SubscriptionIdentifier,
    PropertyId::ContentType,
]);

/// `first` is the first byte, whose flags were checked. What is left after the properties is the payload, so that no
/// byte can be too many.
// In its caller, so that the reader stays in registers.
#[inline(always)]
pub(super) fn publish(first: u8, mut reader: Reader<'_>) -> Result<Packet<'_>, DecodeError> {
    let start = reader;
    let Some(topic) = reader.good_topic_name() else {
        return Err(start.bad_topic_name(clause::TOPIC_NAME_WILDCARD));
    };
    let qos = match first & 0b0110 {
        0b0000 => QoS::AtMostOnce,
        0b0010 => QoS::AtLeastOnce,
        _ => QoS::ExactlyOnce,
    };
    let packet_identifier = if qos == QoS::AtMostOnce {
        None
    } else {
        Some(reader.packet_identifier()?)
    };
    let has_properties = reader.version.is_v5() && !reader.skip_zero();
    // Each way makes the packet in its final place: moving one costs as much as reading its topic.
    if has_properties {
        return described(first, qos, topic, packet_identifier, reader, start);
    }
    if topic.is_empty() {
        return Err(no_topic(&start));
    }
    Ok(Packet::Publish(Publish {
        dup: first & 0b1000 != 0,
        qos,
        retain: first & 0b0001 != 0,
        topic,
        packet_identifier,
        payload: reader.remaining(),
        properties: PublishProperties::default(),
    }))
}

#[cold]
fn no_topic(reader: &Reader<'_>) -> DecodeError {
    let offset = reader.offset();
    if reader.version.is_v5() {
        reader.fail(
            DecodeErrorKind::TopicNameMissing,
            offset,
            clause::TOPIC_NAME_MISSING,
        )
    } else {
        reader.fail(
            DecodeErrorKind::TopicName(TopicError::Empty),
            offset,
            clause::TOPIC_NAME_EMPTY,
        )
    }
}

/// The same for a PUBLISH whose properties come next in `reader`; `start` stands before the topic.
#[inline(never)]
fn described<'a>(
    first: u8,
    qos: QoS,
    topic: &'a str,
    packet_identifier: Option<PacketIdentifier>,
    mut reader: Reader<'a>,
    start: Reader<'a>,
) -> Result<Packet<'a>, DecodeError> {
    let properties = properties(&mut reader)?;
    if topic.is_empty() && properties.topic_alias.is_none() {
        return Err(no_topic(&start));
    }
    Ok(Packet::Publish(Publish {
        dup: first & 0b1000 != 0,
        qos,
        retain: first & 0b0001 != 0,
        topic,
        packet_identifier,
        payload: reader.remaining(),
        properties,
    }))
}

fn properties<'a>(reader: &mut Reader<'a>) -> Result<PublishProperties<'a>, DecodeError> {
    let mut properties = PublishProperties::default();
    let mut section = PropertyReader::new(reader, PROPERTIES)?;
    let mut identified = false;
    while let Some(property) = section.next()? {
        match property {
            Property::PayloadFormatIndicator(format) => properties.payload_format = Some(format),
            Property::MessageExpiryInterval(seconds) => {
                properties.message_expiry_interval = Some(seconds)
            }
            Property::TopicAlias(alias) => properties.topic_alias = Some(alias),
            Property::ResponseTopic(topic) => properties.response_topic = Some(topic),
            Property::CorrelationData(data) => properties.correlation_data = Some(data),
            Property::SubscriptionIdentifier(_) => identified = true,
            Property::ContentType(text) => properties.content_type = Some(text),
            // User Properties are taken as a whole, others were refused.
            _ => {}
        }
    }
    properties.user_properties = section.user_properties();
    if identified {
        properties.subscription_identifiers =
            SubscriptionIdentifiers::from_checked(section.whole());
    }
    Ok(properties)
}

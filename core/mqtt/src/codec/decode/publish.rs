//! Reads PUBLISH, the hot path: no allocation, and no work for properties that are not there.

use crate::clause;
use crate::codec::properties::{Property, PropertyReader, PropertySet};
use crate::codec::reader::Reader;
use crate::error::{DecodeError, DecodeErrorKind};
use crate::packet::{Publish, PublishProperties, SubscriptionIdentifiers};
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

/// `first` is the first byte, whose flags were checked.
#[inline]
pub(super) fn publish<'a>(first: u8, reader: &mut Reader<'a>) -> Result<Publish<'a>, DecodeError> {
    let topic_offset = reader.offset();
    let qos = match first & 0b0110 {
        0b0000 => QoS::AtMostOnce,
        0b0010 => QoS::AtLeastOnce,
        _ => QoS::ExactlyOnce,
    };
    let topic = reader.topic_name(clause::TOPIC_NAME_WILDCARD)?;
    let packet_identifier = if qos == QoS::AtMostOnce {
        None
    } else {
        Some(reader.packet_identifier()?)
    };
    let properties = if !reader.version.is_v5() || reader.skip_zero() {
        PublishProperties::default()
    } else {
        properties(reader)?
    };
    if topic.is_empty() && properties.topic_alias.is_none() {
        return Err(no_topic(reader, topic_offset));
    }
    Ok(Publish {
        dup: first & 0b1000 != 0,
        qos,
        retain: first & 0b0001 != 0,
        topic,
        packet_identifier,
        payload: reader.remaining(),
        properties,
    })
}

#[cold]
fn no_topic(reader: &Reader<'_>, offset: usize) -> DecodeError {
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

#[inline(never)]
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

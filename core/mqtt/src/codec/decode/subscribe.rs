//! Reads SUBSCRIBE and UNSUBSCRIBE. Topic Filters are text here; their form is judged one by one later.

use crate::clause;
use crate::codec::properties::{Property, PropertyReader, PropertySet};
use crate::codec::reader::Reader;
use crate::error::{DecodeError, DecodeErrorKind};
use crate::packet::{RetainHandling, Subscribe, SubscribeEntry, SubscriptionOptions, Unsubscribe};
use crate::property::PropertyId;
use crate::qos::QoS;

const SUBSCRIBE_PROPERTIES: PropertySet = PropertySet::of(&[PropertyId::SubscriptionIdentifier]);
const UNSUBSCRIBE_PROPERTIES: PropertySet = PropertySet::of(&[]);

pub(super) fn subscribe(reader: &mut Reader<'_>) -> Result<Subscribe, DecodeError> {
    let packet_identifier = reader.packet_identifier()?;
    let mut section = PropertyReader::new(reader, SUBSCRIBE_PROPERTIES)?;
    let mut subscription_identifier = None;
    while let Some(property) = section.next()? {
        if let Property::SubscriptionIdentifier(identifier) = property {
            subscription_identifier = Some(identifier);
        }
    }
    if reader.is_empty() {
        return Err(reader.fail(
            DecodeErrorKind::EmptyList,
            reader.offset(),
            clause::SUBSCRIBE_EMPTY,
        ));
    }
    let mut subscriptions = Vec::new();
    while !reader.is_empty() {
        let topic_filter = reader.string()?.to_owned();
        let offset = reader.offset();
        let options = options(reader)?;
        if options.no_local && topic_filter.starts_with("$share/") {
            return Err(reader.fail(
                DecodeErrorKind::NoLocalShared,
                offset,
                clause::NO_LOCAL_SHARED,
            ));
        }
        subscriptions.push(SubscribeEntry {
            topic_filter,
            options,
        });
    }
    let user_properties = section.user_properties().to_owned();
    Ok(Subscribe {
        packet_identifier,
        subscription_identifier,
        user_properties,
        subscriptions,
    })
}

pub(super) fn unsubscribe(reader: &mut Reader<'_>) -> Result<Unsubscribe, DecodeError> {
    let packet_identifier = reader.packet_identifier()?;
    let mut section = PropertyReader::new(reader, UNSUBSCRIBE_PROPERTIES)?;
    while section.next()?.is_some() {}
    if reader.is_empty() {
        return Err(reader.fail(
            DecodeErrorKind::EmptyList,
            reader.offset(),
            clause::UNSUBSCRIBE_EMPTY,
        ));
    }
    let mut topic_filters = Vec::new();
    while !reader.is_empty() {
        topic_filters.push(reader.string()?.to_owned());
    }
    Ok(Unsubscribe {
        packet_identifier,
        topic_filters,
        user_properties: section.user_properties().to_owned(),
    })
}

/// The options byte; 3.1.1 has the QoS only and reserves the other six bits.
fn options(reader: &mut Reader<'_>) -> Result<SubscriptionOptions, DecodeError> {
    let offset = reader.offset();
    let byte = reader.u8()?;
    let reserved = if reader.version.is_v5() {
        0b1100_0000
    } else {
        0b1111_1100
    };
    if byte & reserved != 0 {
        return Err(reader.fail(
            DecodeErrorKind::SubscriptionOptions(byte),
            offset,
            clause::SUBSCRIPTION_OPTIONS,
        ));
    }
    let qos = QoS::from_u8(byte & 0b11)
        .ok_or_else(|| reader.fail(DecodeErrorKind::QoS3, offset, clause::SUBSCRIPTION_QOS))?;
    let retain_handling = RetainHandling::from_u8(byte >> 4).ok_or_else(|| {
        reader.fail(
            DecodeErrorKind::RetainHandling,
            offset,
            clause::SUBSCRIPTION_QOS,
        )
    })?;
    Ok(SubscriptionOptions {
        qos,
        no_local: byte & 0b0100 != 0,
        retain_as_published: byte & 0b1000 != 0,
        retain_handling,
    })
}

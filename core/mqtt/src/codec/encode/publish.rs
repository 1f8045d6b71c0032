//! Writes PUBLISH, the hot path: sizes first, then each byte once.

use bytes::{BufMut, BytesMut};

use super::sink::{checked, field_len};
use crate::error::EncodeError;
use crate::packet::{Publish, PublishProperties};
use crate::property::PropertyId;
use crate::qos::QoS;
use crate::varint;
use crate::version::ProtocolVersion;

/// Writes `publish` at the end of `out`. Its topic is a Topic Name, which is not checked again.
///
/// Properties are left out in 3.1.1.
///
/// # Errors
/// If a field or the packet is too long for the wire, if the Packet Identifier does not fit the QoS
/// [MQTT-2.2.1-2], or if there is neither Topic Name nor Topic Alias. Nothing is written then.
#[inline]
pub fn encode_publish(
    publish: &Publish<'_>,
    version: ProtocolVersion,
    out: &mut BytesMut,
) -> Result<(), EncodeError> {
    check(publish, version)?;
    let topic_len = field_len("topic name", publish.topic.as_bytes())?;
    let properties_len = if version.is_v5() {
        properties_len(&publish.properties)
    } else {
        0
    };
    let remaining = remaining_len(publish, version, properties_len);
    let Some((remaining_length, n_bytes)) = varint::write(remaining) else {
        return Err(EncodeError::PacketTooLong { n_bytes: remaining });
    };
    let first =
        0x30 | u8::from(publish.dup) << 3 | (publish.qos as u8) << 1 | u8::from(publish.retain);

    out.reserve(1 + n_bytes + remaining);
    let [len_high, len_low] = topic_len.to_be_bytes();
    match remaining_length {
        // The common header goes out in one piece.
        [length, ..] if n_bytes == 1 => out.extend_from_slice(&[first, length, len_high, len_low]),
        _ => {
            out.put_u8(first);
            out.extend_from_slice(remaining_length.get(..n_bytes).unwrap_or_default());
            out.extend_from_slice(&[len_high, len_low]);
        }
    }
    out.extend_from_slice(publish.topic.as_bytes());
    if let Some(packet_identifier) = publish.packet_identifier {
        out.extend_from_slice(&packet_identifier.get().to_be_bytes());
    }
    if version.is_v5() {
        if properties_len == 0 {
            out.put_u8(0);
        } else {
            put_properties(&publish.properties, properties_len, out);
        }
    }
    out.extend_from_slice(publish.payload);
    Ok(())
}

/// How many bytes [`encode_publish`] writes, for comparison with the receiver's Maximum Packet Size.
#[inline]
#[must_use]
pub fn publish_len(publish: &Publish<'_>, version: ProtocolVersion) -> usize {
    let properties_len = if version.is_v5() {
        properties_len(&publish.properties)
    } else {
        0
    };
    let remaining = remaining_len(publish, version, properties_len);
    1 + varint::size(remaining) + remaining
}

/// [`publish_len`] of a packet that [`encode_publish`] would write.
pub(in crate::codec) fn checked_len(
    publish: &Publish<'_>,
    version: ProtocolVersion,
) -> Result<usize, EncodeError> {
    check(publish, version)?;
    field_len("topic name", publish.topic.as_bytes())?;
    let properties_len = if version.is_v5() {
        properties_len(&publish.properties)
    } else {
        0
    };
    let remaining = remaining_len(publish, version, properties_len);
    match varint::write(remaining) {
        Some((_, n_bytes)) => Ok(1 + n_bytes + remaining),
        None => Err(EncodeError::PacketTooLong { n_bytes: remaining }),
    }
}

#[inline]
fn remaining_len(publish: &Publish<'_>, version: ProtocolVersion, properties_len: usize) -> usize {
    let identifier = if publish.packet_identifier.is_some() {
        2
    } else {
        0
    };
    let properties = if version.is_v5() {
        varint::size(properties_len) + properties_len
    } else {
        0
    };
    2 + publish.topic.len() + identifier + properties + publish.payload.len()
}

/// What makes a PUBLISH that no receiver could read; lengths of the whole are not judged here.
#[inline]
fn check(publish: &Publish<'_>, version: ProtocolVersion) -> Result<(), EncodeError> {
    let at_most_once = publish.qos == QoS::AtMostOnce;
    if at_most_once == publish.packet_identifier.is_some() {
        return Err(EncodeError::PacketIdentifier);
    }
    // [MQTT-3.3.1-2]
    if at_most_once && publish.dup {
        return Err(EncodeError::DupWithQoS0);
    }
    let properties = &publish.properties;
    if publish.topic.is_empty() && !(version.is_v5() && properties.topic_alias.is_some()) {
        return Err(EncodeError::TopicNameMissing);
    }
    if version.is_v5() {
        if let Some(topic) = properties.response_topic {
            field_len(
                PropertyId::ResponseTopic.name(),
                checked(PropertyId::ResponseTopic.name(), topic)?,
            )?;
        }
        if let Some(text) = properties.content_type {
            field_len(
                PropertyId::ContentType.name(),
                checked(PropertyId::ContentType.name(), text)?,
            )?;
        }
        if let Some(data) = properties.correlation_data {
            field_len(PropertyId::CorrelationData.name(), data)?;
        }
    }
    Ok(())
}

#[inline]
fn properties_len(properties: &PublishProperties<'_>) -> usize {
    let text = |text: Option<&str>| text.map_or(0, |text| 3 + text.len());
    let mut n_bytes = 0;
    if properties.payload_format.is_some() {
        n_bytes += 2;
    }
    if properties.message_expiry_interval.is_some() {
        n_bytes += 5;
    }
    if properties.topic_alias.is_some() {
        n_bytes += 3;
    }
    n_bytes += text(properties.response_topic) + text(properties.content_type);
    n_bytes += properties.correlation_data.map_or(0, |data| 3 + data.len());
    n_bytes += properties.user_properties.encoded_len();
    if !properties.subscription_identifiers.is_empty() {
        for identifier in properties.subscription_identifiers {
            n_bytes += 1 + varint::size(identifier.get() as usize);
        }
    }
    n_bytes
}

/// The section; `n_bytes` is what [`properties_len`] said, and the lengths within were checked.
fn put_properties(properties: &PublishProperties<'_>, n_bytes: usize, out: &mut BytesMut) {
    put_varint(n_bytes, out);
    if let Some(format) = properties.payload_format {
        out.extend_from_slice(&[PropertyId::PayloadFormatIndicator as u8, format as u8]);
    }
    if let Some(seconds) = properties.message_expiry_interval {
        out.put_u8(PropertyId::MessageExpiryInterval as u8);
        out.put_u32(seconds);
    }
    if let Some(alias) = properties.topic_alias {
        out.put_u8(PropertyId::TopicAlias as u8);
        out.put_u16(alias.get());
    }
    put_prefixed(
        PropertyId::ResponseTopic,
        properties.response_topic.map(str::as_bytes),
        out,
    );
    put_prefixed(
        PropertyId::CorrelationData,
        properties.correlation_data,
        out,
    );
    properties
        .user_properties
        .encoded_parts(|part| out.extend_from_slice(part));
    for identifier in properties.subscription_identifiers {
        out.put_u8(PropertyId::SubscriptionIdentifier as u8);
        put_varint(identifier.get() as usize, out);
    }
    put_prefixed(
        PropertyId::ContentType,
        properties.content_type.map(str::as_bytes),
        out,
    );
}

fn put_varint(value: usize, out: &mut BytesMut) {
    // A value that does not fit was refused with the length of the packet.
    let (bytes, n_bytes) = varint::write(value).unwrap_or_default();
    out.extend_from_slice(bytes.get(..n_bytes).unwrap_or_default());
}

fn put_prefixed(id: PropertyId, bytes: Option<&[u8]>, out: &mut BytesMut) {
    // A length that does not fit was refused before.
    let Some((len, bytes)) =
        bytes.and_then(|bytes| Some((u16::try_from(bytes.len()).ok()?, bytes)))
    else {
        return;
    };
    out.put_u8(id as u8);
    out.put_u16(len);
    out.extend_from_slice(bytes);
}

//! A message as it is kept: in a queue, once for many queues, or as Retained Message; and what Wills have in common with it.

use std::time::Duration;

use bytes::Bytes;
use hookmq_broker::store::Moment;
use hookmq_broker::{Message, MessageProperties, Source};
use hookmq_mqtt::{ClientId, PayloadFormat, QoS, TopicName, UserProperties};

use super::reader::Reader;
use super::{Malformed, writer};

const RETAIN: u8 = 1 << 2;
const HAS_PROPERTIES: u8 = 1 << 3;
const EXPIRES: u8 = 1 << 4;
const HAS_SENDER: u8 = 1 << 5;

const HAS_CONTENT_TYPE: u8 = 1 << 2;
const HAS_RESPONSE_TOPIC: u8 = 1 << 3;
const HAS_CORRELATION_DATA: u8 = 1 << 4;

/// Puts everything but the topic, and the payload last. The Message Expiry Interval is kept as the time of day when it ends, so that it
/// runs on while the broker does not; and as what is left of it, so that a clock that was put back meanwhile does not make it longer.
pub(crate) fn write(into: &mut Vec<u8>, message: &Message, moment: Moment) {
    let mut flags = u8::from(message.qos);
    for (is_set, flag) in [
        (message.retain, RETAIN),
        (message.properties.is_some(), HAS_PROPERTIES),
        (message.expires_at.is_some(), EXPIRES),
        (message.sender.is_some(), HAS_SENDER),
    ] {
        if is_set {
            flags |= flag;
        }
    }
    into.push(flags);
    match message.source {
        Source::Client => into.push(0),
        Source::Will => into.push(1),
        Source::Plugin { depth } => into.extend([2, depth]),
        Source::Broker => into.push(3),
        Source::Retained => into.push(4),
    }
    if let Some(at) = message.expires_at {
        writer::time(into, moment.to_wall(at));
        let left = at.saturating_duration_since(moment.now).as_micros();
        into.extend_from_slice(&u64::try_from(left).unwrap_or(u64::MAX).to_be_bytes());
    }
    if let Some(sender) = &message.sender {
        writer::text(into, sender.as_str());
    }
    if let Some(own) = &message.properties {
        write_properties(into, own);
    }
    into.extend_from_slice(&message.payload);
}

/// What [`write()`] put, up to the end of the record.
pub(crate) fn read(
    mut reader: Reader<'_>,
    topic: TopicName,
    moment: Moment,
) -> Result<Message, Malformed> {
    let flags = reader.u8()?;
    let qos = QoS::from_u8(flags & 3).ok_or(Malformed::Field("QoS"))?;
    let source = match reader.u8()? {
        0 => Source::Client,
        1 => Source::Will,
        2 => Source::Plugin {
            depth: reader.u8()?,
        },
        3 => Source::Broker,
        4 => Source::Retained,
        _ => return Err(Malformed::Field("source")),
    };
    let expires_at = if flags & EXPIRES != 0 {
        let at = reader.time()?;
        let left = Duration::from_micros(reader.u64()?);
        let at = moment.wall.checked_add(left).map_or(at, |end| at.min(end));
        // What ran out meanwhile is served as just running out: the broker drops it, and tells whoever wants to know.
        Some(if at <= moment.wall {
            moment.now
        } else {
            moment
                .to_steady(at)
                .ok_or(Malformed::Field("expiry time"))?
        })
    } else {
        None
    };
    let sender = if flags & HAS_SENDER != 0 {
        Some(ClientId::from(reader.text()?))
    } else {
        None
    };
    let properties = if flags & HAS_PROPERTIES != 0 {
        Some(Box::new(read_properties(&mut reader)?))
    } else {
        None
    };
    Ok(Message {
        topic,
        payload: Bytes::copy_from_slice(reader.rest()),
        qos,
        retain: flags & RETAIN != 0,
        properties,
        expires_at,
        sender,
        source,
    })
}

/// A Topic Name behind its length.
pub(crate) fn read_topic(reader: &mut Reader<'_>) -> Result<TopicName, Malformed> {
    TopicName::parse(reader.text()?).map_err(|_| Malformed::Field("Topic Name"))
}

/// Puts the properties of a message or a Will.
pub(crate) fn write_properties(into: &mut Vec<u8>, own: &MessageProperties) {
    let mut flags = own.payload_format.map_or(0, |format| format as u8 + 1);
    for (is_set, flag) in [
        (own.content_type.is_some(), HAS_CONTENT_TYPE),
        (own.response_topic.is_some(), HAS_RESPONSE_TOPIC),
        (own.correlation_data.is_some(), HAS_CORRELATION_DATA),
    ] {
        if is_set {
            flags |= flag;
        }
    }
    into.push(flags);
    for text in [&own.content_type, &own.response_topic]
        .into_iter()
        .flatten()
    {
        writer::text(into, text);
    }
    if let Some(data) = &own.correlation_data {
        writer::bytes(into, data);
    }
    writer::len(into, own.user_properties.len());
    for (name, value) in &own.user_properties {
        writer::text(into, name);
        writer::text(into, value);
    }
}

/// What [`write_properties`] put.
pub(crate) fn read_properties(reader: &mut Reader<'_>) -> Result<MessageProperties, Malformed> {
    let flags = reader.u8()?;
    let payload_format = match flags & 3 {
        0 => None,
        1 => Some(PayloadFormat::Bytes),
        2 => Some(PayloadFormat::Utf8),
        _ => return Err(Malformed::Field("payload format")),
    };
    let mut text = |flag| -> Result<Option<String>, Malformed> {
        (flags & flag != 0)
            .then(|| reader.text().map(str::to_owned))
            .transpose()
    };
    let content_type = text(HAS_CONTENT_TYPE)?;
    let response_topic = text(HAS_RESPONSE_TOPIC)?;
    let correlation_data = (flags & HAS_CORRELATION_DATA != 0)
        .then(|| reader.bytes().map(Bytes::copy_from_slice))
        .transpose()?;
    let mut user_properties = UserProperties::new();
    for _ in 0..reader.len()? {
        let (name, value) = (reader.text()?, reader.text()?);
        user_properties
            .push(name, value)
            .map_err(|_| Malformed::Field("User Property"))?;
    }
    Ok(MessageProperties {
        payload_format,
        content_type,
        response_topic,
        correlation_data,
        user_properties,
    })
}

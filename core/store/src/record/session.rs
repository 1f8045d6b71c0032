//! A Session's record: who it is, where it was, its Will, and since when it is away.

use std::sync::Arc;

use bytes::Bytes;
use hookmq_broker::MessageProperties;
use hookmq_broker::store::{SessionNumber, StoredSession};
use hookmq_mqtt::packet::Will;
use hookmq_mqtt::{ClientId, ProtocolVersion, QoS};

use super::reader::Reader;
use super::{Malformed, message, writer};

const HAS_USERNAME: u8 = 1;
const HAS_WILL: u8 = 1 << 1;
const IS_AWAY: u8 = 1 << 2;

const WILL_RETAIN: u8 = 1 << 2;
const WILL_EXPIRES: u8 = 1 << 3;

/// Puts everything but the number, which is the key.
pub(crate) fn write(into: &mut Vec<u8>, session: &StoredSession) {
    let mut flags = 0;
    for (is_set, flag) in [
        (session.username.is_some(), HAS_USERNAME),
        (session.will.is_some(), HAS_WILL),
        (session.away_since.is_some(), IS_AWAY),
    ] {
        if is_set {
            flags |= flag;
        }
    }
    into.extend([flags, session.version.level()]);
    into.extend_from_slice(&session.keep_alive.to_be_bytes());
    into.extend_from_slice(&session.session_expiry_interval.to_be_bytes());
    writer::text(into, session.client_id.as_str());
    writer::text(into, &session.endpoint);
    writer::text(into, &session.listener);
    if let Some(username) = &session.username {
        writer::text(into, username);
    }
    if let Some(since) = session.away_since {
        writer::time(into, since);
    }
    if let Some(will) = &session.will {
        write_will(into, will);
    }
}

/// What [`write()`] put.
pub(crate) fn read(
    mut reader: Reader<'_>,
    number: SessionNumber,
) -> Result<StoredSession, Malformed> {
    let flags = reader.u8()?;
    let version = ProtocolVersion::from_level(reader.u8()?).ok_or(Malformed::Field("version"))?;
    let keep_alive = reader.u16()?;
    let session_expiry_interval = reader.u32()?;
    let client_id = ClientId::from(reader.text()?);
    let endpoint = reader.text()?.to_owned();
    let listener = reader.text()?.to_owned();
    let username = (flags & HAS_USERNAME != 0)
        .then(|| reader.text().map(str::to_owned))
        .transpose()?;
    let away_since = (flags & IS_AWAY != 0).then(|| reader.time()).transpose()?;
    let will = (flags & HAS_WILL != 0)
        .then(|| read_will(&mut reader).map(Arc::new))
        .transpose()?;
    reader.end()?;
    Ok(StoredSession {
        number,
        client_id,
        username,
        endpoint,
        listener,
        version,
        keep_alive,
        session_expiry_interval,
        will,
        away_since,
    })
}

fn write_will(into: &mut Vec<u8>, will: &Will) {
    let retain = if will.retain { WILL_RETAIN } else { 0 };
    let expires = will.message_expiry_interval.map_or(0, |_| WILL_EXPIRES);
    into.push(u8::from(will.qos) | retain | expires);
    into.extend_from_slice(&will.delay_interval.to_be_bytes());
    if let Some(interval) = will.message_expiry_interval {
        into.extend_from_slice(&interval.to_be_bytes());
    }
    writer::text(into, &will.topic);
    writer::bytes(into, &will.payload);
    message::write_properties(
        into,
        &MessageProperties {
            payload_format: will.payload_format,
            content_type: will.content_type.clone(),
            response_topic: will.response_topic.clone(),
            correlation_data: will.correlation_data.clone(),
            user_properties: will.user_properties.clone(),
        },
    );
}

fn read_will(reader: &mut Reader<'_>) -> Result<Will, Malformed> {
    let flags = reader.u8()?;
    let qos = QoS::from_u8(flags & 3).ok_or(Malformed::Field("QoS"))?;
    let delay_interval = reader.u32()?;
    let message_expiry_interval = (flags & WILL_EXPIRES != 0)
        .then(|| reader.u32())
        .transpose()?;
    let topic = message::read_topic(reader)?;
    let payload = Bytes::copy_from_slice(reader.bytes()?);
    let own = message::read_properties(reader)?;
    Ok(Will {
        topic,
        payload,
        qos,
        retain: flags & WILL_RETAIN != 0,
        delay_interval,
        payload_format: own.payload_format,
        message_expiry_interval,
        content_type: own.content_type,
        response_topic: own.response_topic,
        correlation_data: own.correlation_data,
        user_properties: own.user_properties,
    })
}

//! What a queue keeps: the delivery with the message or a reference to it, what was sent of it, and what was received.

use hookmq_broker::store::{Moment, Sent};
use hookmq_broker::{Delivery, Identifiers, Message};
use hookmq_mqtt::{PacketIdentifier, QoS, ReasonCode, SubscriptionIdentifier};

use super::reader::Reader;
use super::{Malformed, message, writer};

const RETAIN: u8 = 1 << 2;
const IS_REFERENCE: u8 = 1 << 3;

/// Where the message of a queue's entry is.
#[derive(Debug)]
pub(crate) enum Content {
    /// Right there.
    Inline(Message),
    /// Kept once, under this number.
    Reference(u64),
}

/// Puts an entry with its message.
pub(crate) fn write_inline(
    into: &mut Vec<u8>,
    delivery: &Delivery,
    message: &Message,
    moment: Moment,
) {
    write_delivery(into, delivery, 0);
    writer::text(into, &message.topic);
    message::write(into, message, moment);
}

/// Puts an entry whose message is kept once for several.
pub(crate) fn write_reference(into: &mut Vec<u8>, delivery: &Delivery, number: u64) {
    write_delivery(into, delivery, IS_REFERENCE);
    into.extend_from_slice(&number.to_be_bytes());
}

/// What one of the two put.
pub(crate) fn read(
    mut reader: Reader<'_>,
    moment: Moment,
) -> Result<(Delivery, Content), Malformed> {
    let flags = reader.u8()?;
    let qos = QoS::from_u8(flags & 3).ok_or(Malformed::Field("QoS"))?;
    let mut identifiers = Identifiers::new();
    for _ in 0..reader.len()? {
        identifiers.push(identifier(reader.u32()?)?);
    }
    let delivery = Delivery {
        qos,
        retain: flags & RETAIN != 0,
        identifiers,
    };
    let content = if flags & IS_REFERENCE != 0 {
        let number = reader.u64()?;
        reader.end()?;
        Content::Reference(number)
    } else {
        let topic = message::read_topic(&mut reader)?;
        Content::Inline(message::read(reader, topic, moment)?)
    };
    Ok((delivery, content))
}

/// Puts what was sent.
pub(crate) fn write_sent(into: &mut Vec<u8>, sent: Sent) {
    let (state, packet_identifier) = match sent {
        Sent::Publish(packet_identifier) => (0, packet_identifier),
        Sent::PubRel(packet_identifier) => (1, packet_identifier),
    };
    into.push(state);
    into.extend_from_slice(&packet_identifier.get().to_be_bytes());
}

/// What [`write_sent`] put.
pub(crate) fn read_sent(mut reader: Reader<'_>) -> Result<Sent, Malformed> {
    let state = reader.u8()?;
    let packet_identifier =
        PacketIdentifier::new(reader.u16()?).ok_or(Malformed::Field("Packet Identifier"))?;
    reader.end()?;
    match state {
        0 => Ok(Sent::Publish(packet_identifier)),
        1 => Ok(Sent::PubRel(packet_identifier)),
        _ => Err(Malformed::Field("state")),
    }
}

/// The Reason Code that a received message was answered with; one byte.
pub(crate) fn read_reason(mut reader: Reader<'_>) -> Result<ReasonCode, Malformed> {
    let reason = ReasonCode::from_u8(reader.u8()?).ok_or(Malformed::Field("Reason Code"))?;
    reader.end()?;
    Ok(reason)
}

/// A Subscription Identifier out of its number.
pub(crate) fn identifier(number: u32) -> Result<SubscriptionIdentifier, Malformed> {
    SubscriptionIdentifier::new(number).ok_or(Malformed::Field("Subscription Identifier"))
}

fn write_delivery(into: &mut Vec<u8>, delivery: &Delivery, flags: u8) {
    let retain = if delivery.retain { RETAIN } else { 0 };
    into.push(u8::from(delivery.qos) | retain | flags);
    writer::len(into, delivery.identifiers.len());
    for identifier in &delivery.identifiers {
        into.extend_from_slice(&identifier.get().to_be_bytes());
    }
}

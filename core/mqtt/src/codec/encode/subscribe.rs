//! Writes SUBSCRIBE and UNSUBSCRIBE.

use super::sink::Sink;
use crate::error::EncodeError;
use crate::packet::{Subscribe, Unsubscribe};
use crate::property::PropertyId;
use crate::version::ProtocolVersion;

pub(super) fn subscribe(
    subscribe: &Subscribe,
    version: ProtocolVersion,
    sink: &mut dyn Sink,
) -> Result<(), EncodeError> {
    if subscribe.subscriptions.is_empty() {
        return Err(EncodeError::EmptyList);
    }
    sink.u16(subscribe.packet_identifier.get());
    sink.properties(version, |sink| {
        if let Some(identifier) = subscribe.subscription_identifier {
            sink.u8(PropertyId::SubscriptionIdentifier as u8);
            sink.varint(identifier.get() as usize)?;
        }
        sink.user_properties(&subscribe.user_properties);
        Ok(())
    })?;
    for entry in &subscribe.subscriptions {
        if version.is_v5() && entry.options.no_local && entry.topic_filter.starts_with("$share/") {
            return Err(EncodeError::NoLocalShared);
        }
        sink.string("topic filter", &entry.topic_filter)?;
        sink.u8(if version.is_v5() {
            entry.options.to_byte()
        } else {
            entry.options.qos as u8
        });
    }
    Ok(())
}

pub(super) fn unsubscribe(
    unsubscribe: &Unsubscribe,
    version: ProtocolVersion,
    sink: &mut dyn Sink,
) -> Result<(), EncodeError> {
    if unsubscribe.topic_filters.is_empty() {
        return Err(EncodeError::EmptyList);
    }
    sink.u16(unsubscribe.packet_identifier.get());
    sink.properties(version, |sink| {
        sink.user_properties(&unsubscribe.user_properties);
        Ok(())
    })?;
    for topic_filter in &unsubscribe.topic_filters {
        sink.string("topic filter", topic_filter)?;
    }
    Ok(())
}

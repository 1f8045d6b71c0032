//! `hookmq.publish.1`: publishing.

use hookmq_plugin_api::OutgoingMessage;
use hookmq_plugin_api::abi::host::{EXPIRES, Message, PublishCalls, RETAIN};
use hookmq_plugin_api::abi::{Bytes, Event, Host};

use super::{Refused, ask, bytes, text};
use crate::wire::{self, check_pointer, size};
use crate::{call, take};

pub(super) static CALLS: PublishCalls = PublishCalls {
    size: size::<PublishCalls>(),
    reserved: 0,
    publish: Some(publish),
    publish_to: Some(publish_to),
};

unsafe extern "C" fn publish(
    host: *const Host,
    event: *const Event,
    message: *const Message,
) -> i32 {
    // SAFETY: the library passes on the host and the event that it was given, and says where its message is.
    unsafe {
        ask(host, |host| {
            host.publish(read(message)?, depth(event))?;
            Ok(0)
        })
    }
}

unsafe extern "C" fn publish_to(
    host: *const Host,
    event: *const Event,
    client_id: Bytes,
    message: *const Message,
) -> i32 {
    // SAFETY: as above.
    unsafe {
        ask(host, |host| {
            let client_id = text(client_id, "client_id")?;
            let is_there = host.publish_to(client_id, read(message)?, depth(event))?;
            Ok(is_there.into())
        })
    }
}

/// How many plugins' publishes led here. A handler that leaves its event out does not get around it.
///
/// # Safety
/// `event` is null or was lent to the handler that runs.
unsafe fn depth(event: *const Event) -> u8 {
    let here = call::depth();
    if check_pointer(event, "").is_err() {
        return here;
    }
    // SAFETY: not null, so it was lent.
    let said = unsafe { (*event).depth };
    here.max(u8::try_from(said).unwrap_or(u8::MAX))
}

/// # Safety
/// What the message points to is there.
unsafe fn read(message: *const Message) -> Result<OutgoingMessage, Refused> {
    // SAFETY: as the caller says.
    unsafe {
        let message = wire::copied(message, "the message", size_of::<Message>())
            .map_err(Refused::argument)?;
        let qos = u8::try_from(message.qos)
            .ok()
            .filter(|qos| *qos <= 2)
            .ok_or_else(|| {
                Refused::argument(format!("qos: must be 0, 1 or 2, got {}", message.qos))
            })?;
        if message.flags & !(RETAIN | EXPIRES) != 0 {
            return Err(Refused::argument(format!(
                "flags: {:#x} has some that this broker does not know",
                message.flags
            )));
        }
        let optional_text = |from: Bytes, what| -> Result<Option<String>, Refused> {
            if from.data.is_null() && from.len == 0 {
                return Ok(None);
            }
            Ok(Some(text(from, what)?.to_owned()))
        };
        let correlation_data = message.correlation_data;
        Ok(OutgoingMessage {
            topic: text(message.topic, "topic")?.to_owned(),
            payload: bytes(message.payload, "payload")?.to_owned(),
            qos,
            retain: message.flags & RETAIN != 0,
            message_expiry_interval: (message.flags & EXPIRES != 0)
                .then_some(message.message_expiry_interval),
            content_type: optional_text(message.content_type, "content_type")?,
            response_topic: optional_text(message.response_topic, "response_topic")?,
            correlation_data: if correlation_data.data.is_null() && correlation_data.len == 0 {
                None
            } else {
                Some(bytes(correlation_data, "correlation_data")?.to_owned())
            },
            user_properties: take::pairs(
                message.user_properties,
                message.user_property_count,
                "user_properties",
            )
            .map_err(Refused::argument)?,
        })
    }
}

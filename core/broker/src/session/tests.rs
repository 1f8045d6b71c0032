//! The two halves of a Session against each other, without sockets or tasks.

use std::sync::Arc;

use bytes::Bytes;
use hookmq_mqtt::{QoS, TopicName};

use crate::message::{Message, Source};

/// A small message.
pub(super) fn message(topic: &str, qos: QoS) -> Arc<Message> {
    Arc::new(Message {
        topic: TopicName::parse(topic).unwrap(),
        payload: Bytes::from_static(b"payload"),
        qos,
        retain: false,
        properties: None,
        expires_at: None,
        sender: None,
        source: Source::Client,
    })
}

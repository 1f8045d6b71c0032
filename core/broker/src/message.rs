//! An Application Message on its way through the broker: borrowed from the socket's bytes as long as nobody must keep it, shared
//! as one [`Message`] as soon as somebody must.

use std::time::{Duration, Instant};

use bytes::Bytes;
use hookmq_mqtt::packet::{Publish, PublishProperties, Will};
use hookmq_mqtt::property::{PayloadFormat, UserProperties};
use hookmq_mqtt::{ClientId, QoS, TopicName};

/// Where a message comes from; hooks see the word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A client's PUBLISH.
    Client,
    /// A Will Message.
    Will,
    /// A plugin published it; so many plugins' publishes led to it.
    Plugin {
        /// 1 for a message that a plugin published because of an outside event.
        depth: u8,
    },
    /// The embedding program, or the broker itself.
    Broker,
    /// A retained message on its way to a new subscription.
    Retained,
}

impl Source {
    /// The word that hooks see.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Will => "will",
            Self::Plugin { .. } => "plugin",
            Self::Broker => "broker",
            Self::Retained => "retained",
        }
    }

    /// How many plugins' publishes led here.
    #[must_use]
    pub const fn depth(self) -> u8 {
        if let Self::Plugin { depth } = self {
            depth
        } else {
            0
        }
    }
}

/// A message that somebody keeps: a queue, an inflight window, the retained store. Immutable, shared, its payload never copied again.
#[derive(Debug, Clone)]
pub struct Message {
    /// Topic Name.
    pub topic: TopicName,
    /// The payload.
    pub payload: Bytes,
    /// QoS as published.
    pub qos: QoS,
    /// RETAIN as published.
    pub retain: bool,
    /// What MQTT 5 adds; most messages have none.
    pub properties: Option<Box<MessageProperties>>,
    /// When its Message Expiry Interval has passed.
    pub expires_at: Option<Instant>,
    /// Client Identifier of the publisher.
    pub sender: Option<ClientId>,
    /// Where it comes from.
    pub source: Source,
}

/// The properties that travel with a message from publisher to receivers [MQTT-3.3.2-4, MQTT-3.3.2-15 to 20].
#[derive(Debug, Clone, Default)]
pub struct MessageProperties {
    /// Payload Format Indicator.
    pub payload_format: Option<PayloadFormat>,
    /// Content Type.
    pub content_type: Option<String>,
    /// Response Topic.
    pub response_topic: Option<String>,
    /// Correlation Data.
    pub correlation_data: Option<Bytes>,
    /// User Properties, in order [MQTT-3.3.2-18].
    pub user_properties: UserProperties,
}

impl Message {
    /// Keeps a PUBLISH; `topic` is its Topic Name in shared form.
    #[must_use]
    pub fn keep(
        publish: &Publish<'_>,
        topic: &TopicName,
        sender: Option<&ClientId>,
        source: Source,
        now: Instant,
    ) -> Self {
        let properties = &publish.properties;
        let bare = properties.payload_format.is_none()
            && properties.content_type.is_none()
            && properties.response_topic.is_none()
            && properties.correlation_data.is_none()
            && properties.user_properties.is_empty();
        Self {
            topic: topic.clone(),
            payload: Bytes::copy_from_slice(publish.payload),
            qos: publish.qos,
            retain: publish.retain,
            properties: (!bare).then(|| {
                Box::new(MessageProperties {
                    payload_format: properties.payload_format,
                    content_type: properties.content_type.map(str::to_owned),
                    response_topic: properties.response_topic.map(str::to_owned),
                    correlation_data: properties.correlation_data.map(Bytes::copy_from_slice),
                    user_properties: properties.user_properties.to_owned(),
                })
            }),
            expires_at: expires_at(properties.message_expiry_interval, now),
            sender: sender.cloned(),
            source,
        }
    }

    /// The Will Message of a client, its Message Expiry Interval counted from `now`.
    #[must_use]
    pub fn from_will(will: &Will, sender: &ClientId, now: Instant) -> Self {
        Self {
            topic: will.topic.clone(),
            payload: will.payload.clone(),
            qos: will.qos,
            retain: will.retain,
            properties: Some(Box::new(MessageProperties {
                payload_format: will.payload_format,
                content_type: will.content_type.clone(),
                response_topic: will.response_topic.clone(),
                correlation_data: will.correlation_data.clone(),
                user_properties: will.user_properties.clone(),
            })),
            expires_at: expires_at(will.message_expiry_interval, now),
            sender: Some(sender.clone()),
            source: Source::Will,
        }
    }

    /// The message as a PUBLISH without identifier, alias or subscription; its Message Expiry Interval counted down [MQTT-3.3.2-6].
    #[must_use]
    pub fn as_publish(&self, now: Instant) -> Publish<'_> {
        let mut properties = PublishProperties {
            message_expiry_interval: self.expires_at.map(|at| remaining(at, now)),
            ..PublishProperties::default()
        };
        if let Some(own) = &self.properties {
            properties.payload_format = own.payload_format;
            properties.content_type = own.content_type.as_deref();
            properties.response_topic = own.response_topic.as_deref();
            properties.correlation_data = own.correlation_data.as_deref();
            properties.user_properties = own.user_properties.as_ref();
        }
        Publish {
            dup: false,
            qos: self.qos,
            retain: self.retain,
            topic: &self.topic,
            packet_identifier: None,
            payload: &self.payload,
            properties,
        }
    }

    /// Whether its Message Expiry Interval has passed.
    #[must_use]
    pub fn is_expired(&self, now: Instant) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }

    /// What it weighs against byte limits.
    #[must_use]
    pub fn size(&self) -> usize {
        let properties = self.properties.as_ref().map_or(0, |own| {
            own.content_type.as_ref().map_or(0, String::len)
                + own.response_topic.as_ref().map_or(0, String::len)
                + own.correlation_data.as_ref().map_or(0, Bytes::len)
                + own.user_properties.encoded_len()
        });
        size_of::<Self>() + self.topic.len() + self.payload.len() + properties
    }
}

/// When a Message Expiry Interval ends. An interval that the clock cannot reach never ends.
fn expires_at(interval: Option<u32>, now: Instant) -> Option<Instant> {
    interval.and_then(|seconds| now.checked_add(Duration::from_secs(seconds.into())))
}

/// Seconds until `at`, a begun second counting whole.
fn remaining(at: Instant, now: Instant) -> u32 {
    let left = at.saturating_duration_since(now);
    let seconds = left.as_secs() + u64::from(left.subsec_nanos() > 0);
    u32::try_from(seconds).unwrap_or(u32::MAX)
}

//! An Application Message, owned: to be published or as it came.

use bytes::Bytes;
use hookmq_mqtt::{
    EncodeError, PacketIdentifier, PayloadFormat, Publish, PublishProperties, QoS,
    SubscriptionIdentifier, UserProperties,
};

/// An Application Message.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Topic Name; never empty in a received message, whose alias is resolved.
    pub topic: String,
    /// Any bytes, also none.
    pub payload: Bytes,
    /// How it is or was delivered.
    pub qos: QoS,
    /// To the server: keep it. From the server: it was kept.
    pub retain: bool,
    /// The server may have sent it before. Not used in what is published.
    pub dup: bool,
    /// 5.0 only.
    pub properties: MessageProperties,
}

/// The properties of PUBLISH, owned.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MessageProperties {
    /// What the payload is.
    pub payload_format: Option<PayloadFormat>,
    /// Remaining lifetime in seconds; `None` is for ever.
    pub message_expiry_interval: Option<u32>,
    /// Where an answer is expected.
    pub response_topic: Option<String>,
    /// What the answer shall carry.
    pub correlation_data: Option<Bytes>,
    /// What the payload is, in the application's words.
    pub content_type: Option<String>,
    /// User Properties.
    pub user_properties: UserProperties,
    /// The subscriptions that caused this copy. Not used in what is published.
    pub subscription_identifiers: Vec<SubscriptionIdentifier>,
}

impl Message {
    /// A message with QoS 0, not retained, without properties.
    #[must_use]
    pub fn new(topic: impl Into<String>, payload: impl Into<Bytes>) -> Self {
        Self {
            topic: topic.into(),
            payload: payload.into(),
            qos: QoS::AtMostOnce,
            retain: false,
            dup: false,
            properties: MessageProperties::default(),
        }
    }

    /// The same message with this QoS.
    #[must_use]
    pub const fn qos(mut self, qos: QoS) -> Self {
        self.qos = qos;
        self
    }

    /// The same message, to be retained or not.
    #[must_use]
    pub const fn retain(mut self, retain: bool) -> Self {
        self.retain = retain;
        self
    }

    /// Adds a User Property after the others.
    ///
    /// # Errors
    /// If name or value is longer than 65 535 bytes or has U+0000.
    pub fn user_property(mut self, name: &str, value: &str) -> Result<Self, EncodeError> {
        self.properties.user_properties.push(name, value)?;
        Ok(self)
    }

    /// The payload as text; bytes that are not UTF-8 become replacement characters.
    #[must_use]
    pub fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.payload)
    }

    /// The packet to be sent.
    pub(crate) fn publish(&self, packet_identifier: Option<PacketIdentifier>) -> Publish<'_> {
        let properties = &self.properties;
        Publish {
            dup: false,
            qos: self.qos,
            retain: self.retain,
            topic: &self.topic,
            packet_identifier,
            payload: &self.payload,
            properties: PublishProperties {
                payload_format: properties.payload_format,
                message_expiry_interval: properties.message_expiry_interval,
                topic_alias: None,
                response_topic: properties.response_topic.as_deref(),
                correlation_data: properties.correlation_data.as_deref(),
                content_type: properties.content_type.as_deref(),
                user_properties: properties.user_properties.as_ref(),
                // A client sends none [MQTT-3.3.4-6].
                subscription_identifiers: Default::default(),
            },
        }
    }

    /// What came: `publish` lies in `frame`, so the payload is shared with it and not copied.
    pub(crate) fn received(publish: &Publish<'_>, topic: String, frame: &Bytes) -> Self {
        let properties = &publish.properties;
        Self {
            topic,
            payload: frame.slice_ref(publish.payload),
            qos: publish.qos,
            retain: publish.retain,
            dup: publish.dup,
            properties: MessageProperties {
                payload_format: properties.payload_format,
                message_expiry_interval: properties.message_expiry_interval,
                response_topic: properties.response_topic.map(str::to_owned),
                correlation_data: properties
                    .correlation_data
                    .map(|data| frame.slice_ref(data)),
                content_type: properties.content_type.map(str::to_owned),
                user_properties: properties.user_properties.to_owned(),
                subscription_identifiers: properties.subscription_identifiers.iter().collect(),
            },
        }
    }
}

//! CONNECT: who wants to speak, and how.

use std::num::{NonZeroU16, NonZeroU32};

use bytes::Bytes;

use crate::property::{PayloadFormat, UserProperties};
use crate::qos::QoS;
use crate::topic::TopicName;
use crate::version::ProtocolVersion;

/// CONNECT, the first packet of a Client [MQTT-3.1.0-1].
#[derive(Debug, Clone, PartialEq)]
pub struct Connect {
    /// The version spoken from here on; decides how this packet is encoded.
    pub version: ProtocolVersion,
    /// Clean Start, in 3.1.1 Clean Session: forget an earlier Session. What Clean Session means for the end of the
    /// Session is for the receiver to say; `session_expiry_interval` is `None` in 3.1.1.
    pub clean_start: bool,
    /// Keep Alive in seconds; 0 turns it off.
    pub keep_alive: u16,
    /// Client Identifier; empty if the Server is to choose one.
    pub client_id: String,
    /// User Name.
    pub username: Option<String>,
    /// Password; in 3.1.1 only together with a User Name [v3 MQTT-3.1.2-22].
    pub password: Option<Bytes>,
    /// What the Server publishes when the connection is lost.
    pub will: Option<Box<Will>>,
    /// Seconds that the Session outlives the connection; `None` is 0, `u32::MAX` is for ever. 5.0 only.
    pub session_expiry_interval: Option<u32>,
    /// How many QoS 1 and 2 messages may be on their way to the Client; `None` is 65 535. 5.0 only.
    pub receive_maximum: Option<NonZeroU16>,
    /// The largest packet in bytes that the Client takes; `None` is no limit. 5.0 only.
    pub maximum_packet_size: Option<NonZeroU32>,
    /// The greatest Topic Alias that the Server may send; 0 is none. 5.0 only.
    pub topic_alias_maximum: u16,
    /// Whether the Client asks for Response Information. 5.0 only.
    pub request_response_information: bool,
    /// Whether Reason Strings and User Properties may be sent with refusals; true by default. 5.0 only.
    pub request_problem_information: bool,
    /// User Properties. 5.0 only.
    pub user_properties: UserProperties,
    /// Name of the extended authentication, if the Client wants one. 5.0 only.
    pub authentication_method: Option<String>,
    /// Data of the extended authentication; only with a method. 5.0 only.
    pub authentication_data: Option<Bytes>,
}

/// Will Message: topic, payload and properties that the Client leaves with the Server.
#[derive(Debug, Clone, PartialEq)]
pub struct Will {
    /// Will Topic.
    pub topic: TopicName,
    /// Will Payload, at most 65 535 bytes.
    pub payload: Bytes,
    /// Will QoS.
    pub qos: QoS,
    /// Will Retain.
    pub retain: bool,
    /// Seconds between the loss of the connection and the Will; 0 is at once. 5.0 only.
    pub delay_interval: u32,
    /// What the payload is. 5.0 only.
    pub payload_format: Option<PayloadFormat>,
    /// Lifetime in seconds, counted from its publication. 5.0 only.
    pub message_expiry_interval: Option<u32>,
    /// Content Type. 5.0 only.
    pub content_type: Option<String>,
    /// Response Topic; a well formed Topic Name. 5.0 only.
    pub response_topic: Option<String>,
    /// Correlation Data. 5.0 only.
    pub correlation_data: Option<Bytes>,
    /// User Properties. 5.0 only.
    pub user_properties: UserProperties,
}

impl Connect {
    /// A CONNECT with Clean Start, without Keep Alive, everything else absent or at its default.
    #[must_use]
    pub fn new(version: ProtocolVersion, client_id: &str) -> Self {
        Self {
            version,
            clean_start: true,
            keep_alive: 0,
            client_id: client_id.to_owned(),
            username: None,
            password: None,
            will: None,
            session_expiry_interval: None,
            receive_maximum: None,
            maximum_packet_size: None,
            topic_alias_maximum: 0,
            request_response_information: false,
            request_problem_information: true,
            user_properties: UserProperties::new(),
            authentication_method: None,
            authentication_data: None,
        }
    }
}

impl Will {
    /// A Will with QoS 0, not retained, without delay and properties.
    #[must_use]
    pub fn new(topic: TopicName, payload: Bytes) -> Self {
        Self {
            topic,
            payload,
            qos: QoS::AtMostOnce,
            retain: false,
            delay_interval: 0,
            payload_format: None,
            message_expiry_interval: None,
            content_type: None,
            response_topic: None,
            correlation_data: None,
            user_properties: UserProperties::new(),
        }
    }
}

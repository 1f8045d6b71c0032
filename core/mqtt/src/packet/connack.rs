//! CONNACK: the Server's answer to CONNECT.

use std::num::{NonZeroU16, NonZeroU32};

use bytes::Bytes;

use crate::property::UserProperties;
use crate::qos::QoS;
use crate::reason::ReasonCode;

/// CONNACK, the first packet of a Server [MQTT-3.2.0-1].
#[derive(Debug, Clone, PartialEq)]
pub struct ConnAck {
    /// Whether the Server goes on with a Session that it had; false with a refusal [MQTT-3.2.2-6].
    pub session_present: bool,
    /// The answer. In 3.1.1 it becomes the nearest Connect Return code.
    pub reason: ReasonCode,
    /// What else the Server says; `None` if everything is at its default. 5.0 only.
    pub properties: Option<Box<ConnAckProperties>>,
}

/// The properties of CONNACK. The default is what their absence means.
#[derive(Debug, Clone, PartialEq)]
pub struct ConnAckProperties {
    /// Seconds that the Session outlives the connection, if not what the Client asked for.
    pub session_expiry_interval: Option<u32>,
    /// How many QoS 1 and 2 messages may be on their way to the Server; `None` is 65 535.
    pub receive_maximum: Option<NonZeroU16>,
    /// The greatest QoS that the Server takes.
    pub maximum_qos: QoS,
    /// Whether the Server keeps Retained Messages.
    pub retain_available: bool,
    /// The largest packet in bytes that the Server takes; `None` is no limit.
    pub maximum_packet_size: Option<NonZeroU32>,
    /// The name that the Server chose for a Client that had none.
    pub assigned_client_identifier: Option<String>,
    /// The greatest Topic Alias that the Client may send; 0 is none.
    pub topic_alias_maximum: u16,
    /// Reason String, for people.
    pub reason_string: Option<String>,
    /// User Properties.
    pub user_properties: UserProperties,
    /// Whether filters may have wildcards.
    pub wildcard_subscription_available: bool,
    /// Whether SUBSCRIBE may have a Subscription Identifier.
    pub subscription_identifiers_available: bool,
    /// Whether there are Shared Subscriptions.
    pub shared_subscription_available: bool,
    /// Keep Alive in seconds that the Client must use instead of its own.
    pub server_keep_alive: Option<u16>,
    /// Basis for the Client's response topics.
    pub response_information: Option<String>,
    /// Another Server to use.
    pub server_reference: Option<String>,
    /// Name of the extended authentication.
    pub authentication_method: Option<String>,
    /// Data of the extended authentication.
    pub authentication_data: Option<Bytes>,
}

impl ConnAck {
    /// An answer without properties.
    #[must_use]
    pub const fn new(session_present: bool, reason: ReasonCode) -> Self {
        Self {
            session_present,
            reason,
            properties: None,
        }
    }
}

impl Default for ConnAckProperties {
    fn default() -> Self {
        Self {
            session_expiry_interval: None,
            receive_maximum: None,
            maximum_qos: QoS::ExactlyOnce,
            retain_available: true,
            maximum_packet_size: None,
            assigned_client_identifier: None,
            topic_alias_maximum: 0,
            reason_string: None,
            user_properties: UserProperties::new(),
            wildcard_subscription_available: true,
            subscription_identifiers_available: true,
            shared_subscription_available: true,
            server_keep_alive: None,
            response_information: None,
            server_reference: None,
            authentication_method: None,
            authentication_data: None,
        }
    }
}

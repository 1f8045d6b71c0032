//! `intercept_will` in a plugin.
//!
//! Generated from the hook catalogue by `cargo xtask generate`: change the catalogue instead.

use crate::answer::Answer;
use crate::catalogue::Hook;
use crate::closures::Reply;
use crate::error::PluginError;
use crate::event::Event;
use crate::typed::{InterceptWill as View, InterceptWillAnswer as Answered};

/// Answers `intercept_will`. A Will Message is due, before it takes the way of every message.
pub trait OnInterceptWill<R: Reply<Answered> = Answered> {
    /// A Will Message is due, before it takes the way of every message.
    fn intercept_will(&self, event: View<'_>) -> R;
}

/// The hook.
pub const HOOK: Hook = Hook::InterceptWill;

/// Calls the handler.
///
/// # Errors
/// Its own.
pub fn call<P, R>(plugin: &P, event: &dyn Event) -> Result<Answer, PluginError>
where
    P: OnInterceptWill<R>,
    R: Reply<Answered>,
{
    plugin.intercept_will(View::new(event)).reply()
}

/// The fields of the hook, as `export!` names them.
#[expect(non_upper_case_globals, reason = "they have the names of their fields")]
pub mod fields {
    use crate::field::Field;

    /// Seconds between the end of the Network Connection and the Will Message.
    pub const will_delay_interval: Field = Field::WillDelayInterval;

    /// Client Identifier of the client that this is about; absent for what no client caused.
    pub const client_id: Field = Field::ClientId;

    /// Username that the client sent in CONNECT.
    pub const username: Field = Field::Username;

    /// Remote address of the client, `ip:port`; for `broker_...` hooks the first listener's bound address.
    pub const endpoint: Field = Field::Endpoint;

    /// Name of the listener that accepted the connection.
    pub const listener: Field = Field::Listener;

    /// 4 for MQTT 3.1.1, 5 for MQTT 5.0.
    pub const protocol_version: Field = Field::ProtocolVersion;

    /// Topic Name.
    pub const topic: Field = Field::Topic;

    /// Payload of the message, any bytes.
    pub const payload: Field = Field::Payload;

    /// Length of the payload in bytes.
    pub const payload_size: Field = Field::PayloadSize;

    /// QoS of the message or of the subscription: 0, 1 or 2.
    pub const qos: Field = Field::Qos;

    /// RETAIN flag.
    pub const retain: Field = Field::Retain;

    /// Payload Format Indicator: 0 bytes, 1 UTF-8 text.
    pub const payload_format: Field = Field::PayloadFormat;

    /// Seconds that the message still lives.
    pub const message_expiry_interval: Field = Field::MessageExpiryInterval;

    /// Content Type, MIME or the application's own.
    pub const content_type: Field = Field::ContentType;

    /// Topic Name for a response.
    pub const response_topic: Field = Field::ResponseTopic;

    /// Handed back with the response.
    pub const correlation_data: Field = Field::CorrelationData;

    /// User Properties of the packet or message, in order; names may repeat.
    pub const user_properties: Field = Field::UserProperties;
}

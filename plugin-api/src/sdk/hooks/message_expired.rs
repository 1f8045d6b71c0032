//! `message_expired` in a plugin.
//!
//! Generated from the hook catalogue by `cargo xtask generate`: change the catalogue instead.

use crate::answer::Answer;
use crate::catalogue::Hook;
use crate::closures::{Reply, Told as Answered};
use crate::error::PluginError;
use crate::event::Event;
use crate::typed::MessageExpired as View;

/// Answers `message_expired`. A waiting message was dropped because its Message Expiry Interval has passed.
pub trait OnMessageExpired<R: Reply<Answered> = ()> {
    /// A waiting message was dropped because its Message Expiry Interval has passed.
    fn message_expired(&self, event: View<'_>) -> R;
}

/// The hook.
pub const HOOK: Hook = Hook::MessageExpired;

/// Calls the handler.
///
/// # Errors
/// Its own.
pub fn call<P, R>(plugin: &P, event: &dyn Event) -> Result<Answer, PluginError>
where
    P: OnMessageExpired<R>,
    R: Reply<Answered>,
{
    plugin.message_expired(View::new(event)).reply()
}

/// The fields of the hook, as `export!` names them.
#[expect(non_upper_case_globals, reason = "they have the names of their fields")]
pub mod fields {
    use crate::field::Field;

    /// Client Identifier of the publisher; absent for what no client published.
    pub const sender_client_id: Field = Field::SenderClientId;

    /// Client Identifier of the receiving Session; for a message that was dropped before anybody was to receive it, absent.
    pub const receiver_client_id: Field = Field::ReceiverClientId;

    /// Username of the receiving client.
    pub const receiver_username: Field = Field::ReceiverUsername;

    /// Where the message comes from: `client`, `will`, `plugin`, `broker` or, on its way to a new subscriber, `retained`.
    pub const source: Field = Field::Source;

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

    /// Counts the notices about one client that this plugin is told, from 1; a gap means that some were lost to a full queue. Notices about the broker count for themselves.
    pub const sequence: Field = Field::Sequence;

    /// Milliseconds since 1970-01-01 UTC.
    pub const timestamp: Field = Field::Timestamp;
}

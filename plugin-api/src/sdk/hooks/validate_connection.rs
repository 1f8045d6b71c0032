//! `validate_connection` in a plugin.
//!
//! Generated from the hook catalogue by `cargo xtask generate`: change the catalogue instead.

use crate::answer::Answer;
use crate::catalogue::Hook;
use crate::closures::Reply;
use crate::error::PluginError;
use crate::event::Event;
use crate::typed::{ValidateConnection as View, ValidateConnectionAnswer as Answered};

/// Answers `validate_connection`. CONNECT is decoded and CONNACK not yet sent.
pub trait OnValidateConnection<R: Reply<Answered> = Answered> {
    /// CONNECT is decoded and CONNACK not yet sent.
    fn validate_connection(&self, event: View<'_>) -> R;
}

/// The hook.
pub const HOOK: Hook = Hook::ValidateConnection;

/// Calls the handler.
///
/// # Errors
/// Its own.
pub fn call<P, R>(plugin: &P, event: &dyn Event) -> Result<Answer, PluginError>
where
    P: OnValidateConnection<R>,
    R: Reply<Answered>,
{
    plugin.validate_connection(View::new(event)).reply()
}

/// The fields of the hook, as `export!` names them.
#[expect(non_upper_case_globals, reason = "they have the names of their fields")]
pub mod fields {
    use crate::field::Field;

    /// Password that the client sent in CONNECT.
    pub const password: Field = Field::Password;

    /// Whether the Network Connection is encrypted.
    pub const secure: Field = Field::Secure;

    /// Clean Start (3.1.1: Clean Session).
    pub const clean_start: Field = Field::CleanStart;

    /// Keep Alive in seconds, 0 to 65 535; 0 is off. Where it may be changed: sent as Server Keep Alive.
    pub const keep_alive: Field = Field::KeepAlive;

    /// Seconds that the Session outlives its Network Connection; 0 ends with it, 4 294 967 295 never ends.
    pub const session_expiry_interval: Field = Field::SessionExpiryInterval;

    /// QoS 1 and 2 messages that the client takes at once unacknowledged, 1 to 65 535.
    pub const receive_maximum: Field = Field::ReceiveMaximum;

    /// Largest packet that the client takes, in bytes; absent: no limit of its own.
    pub const maximum_packet_size: Field = Field::MaximumPacketSize;

    /// Topic Aliases that the client takes, 0 to 65 535.
    pub const topic_alias_maximum: Field = Field::TopicAliasMaximum;

    /// Whether the client wants Response Information.
    pub const request_response_information: Field = Field::RequestResponseInformation;

    /// Whether the client wants Reason Strings and User Properties on failures.
    pub const request_problem_information: Field = Field::RequestProblemInformation;

    /// Authentication Method of CONNECT.
    pub const authentication_method: Field = Field::AuthenticationMethod;

    /// Authentication Data; changed: sent back.
    pub const authentication_data: Field = Field::AuthenticationData;

    /// User Properties of the packet or message, in order; names may repeat.
    pub const user_properties: Field = Field::UserProperties;

    /// Topic Name of the Will Message.
    pub const will_topic: Field = Field::WillTopic;

    /// Payload of the Will Message.
    pub const will_payload: Field = Field::WillPayload;

    /// QoS of the Will Message.
    pub const will_qos: Field = Field::WillQos;

    /// RETAIN of the Will Message.
    pub const will_retain: Field = Field::WillRetain;

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
}

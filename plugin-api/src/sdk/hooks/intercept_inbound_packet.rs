//! `intercept_inbound_packet` in a plugin.
//!
//! Generated from the hook catalogue by `cargo xtask generate`: change the catalogue instead.

use crate::answer::Answer;
use crate::catalogue::Hook;
use crate::closures::Reply;
use crate::error::PluginError;
use crate::event::Event;
use crate::typed::{InterceptInboundPacket as View, InterceptInboundPacketAnswer as Answered};

/// Answers `intercept_inbound_packet`. A packet is decoded, CONNECT included.
pub trait OnInterceptInboundPacket<R: Reply<Answered> = Answered> {
    /// A packet is decoded, CONNECT included.
    fn intercept_inbound_packet(&self, event: View<'_>) -> R;
}

/// The hook.
pub const HOOK: Hook = Hook::InterceptInboundPacket;

/// Calls the handler.
///
/// # Errors
/// Its own.
pub fn call<P, R>(plugin: &P, event: &dyn Event) -> Result<Answer, PluginError>
where
    P: OnInterceptInboundPacket<R>,
    R: Reply<Answered>,
{
    plugin.intercept_inbound_packet(View::new(event)).reply()
}

/// The fields of the hook, as `export!` names them.
#[expect(non_upper_case_globals, reason = "they have the names of their fields")]
pub mod fields {
    use crate::field::Field;

    /// Name of the control packet in lower case: connect, publish, puback, ...
    pub const packet_type: Field = Field::PacketType;

    /// Packet Identifier, 1 to 65 535.
    pub const packet_identifier: Field = Field::PacketIdentifier;

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

    /// DUP flag as received.
    pub const dup: Field = Field::Dup;

    /// MQTT 5 Reason Code of the packet or event.
    pub const reason_code: Field = Field::ReasonCode;

    /// User Properties of the packet or message, in order; names may repeat.
    pub const user_properties: Field = Field::UserProperties;

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

//! `intercept_inbound_packet`, typed.
//!
//! Generated from the hook catalogue by `cargo xtask generate`: change the catalogue instead.

use std::fmt;

use crate::answer::{Answer, Refusal, Verdict};
use crate::catalogue::Hook;
use crate::closures::{Closures, Reply, TypedAnswer};
use crate::event::Event;
use crate::field::Field;
use crate::value::{Owned, Value};
use crate::view::{self, Properties};

/// A packet is decoded, CONNECT included.
///
/// Filter `intercept_inbound_packet`; on the hot path; a failure counts as pass.
#[derive(Clone, Copy)]
pub struct InterceptInboundPacket<'a> {
    event: &'a dyn Event,
}

impl<'a> InterceptInboundPacket<'a> {
    /// The view of an event of this hook; of another hook's event it sees what the two share.
    #[must_use]
    pub const fn new(event: &'a dyn Event) -> Self {
        Self { event }
    }

    /// The event as all runtimes see it.
    #[must_use]
    pub fn event(&self) -> &dyn Event {
        self.event
    }

    /// Name of the control packet in lower case: connect, publish, puback, ...
    #[must_use]
    pub fn packet_type(&self) -> &str {
        view::text(self.get(Field::PacketType))
    }

    /// Packet Identifier, 1 to 65 535.
    #[must_use]
    pub fn packet_identifier(&self) -> Option<u16> {
        view::maybe_number(self.get(Field::PacketIdentifier))
    }

    /// Topic Name.
    #[must_use]
    pub fn topic(&self) -> &str {
        view::text(self.get(Field::Topic))
    }

    /// Payload of the message, any bytes.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        view::bytes(self.get(Field::Payload))
    }

    /// Length of the payload in bytes.
    #[must_use]
    pub fn payload_size(&self) -> u64 {
        view::number(self.get(Field::PayloadSize))
    }

    /// QoS of the message or of the subscription: 0, 1 or 2.
    #[must_use]
    pub fn qos(&self) -> u8 {
        view::number(self.get(Field::Qos))
    }

    /// RETAIN flag.
    #[must_use]
    pub fn retain(&self) -> bool {
        view::truth(self.get(Field::Retain))
    }

    /// DUP flag as received.
    #[must_use]
    pub fn dup(&self) -> bool {
        view::truth(self.get(Field::Dup))
    }

    /// MQTT 5 Reason Code of the packet or event.
    #[must_use]
    pub fn reason_code(&self) -> u8 {
        view::number(self.get(Field::ReasonCode))
    }

    /// User Properties of the packet or message, in order; names may repeat.
    #[must_use]
    pub fn user_properties(&self) -> Properties<'_> {
        view::pairs(self.get(Field::UserProperties))
    }

    /// Client Identifier of the client that this is about; absent for what no client caused.
    #[must_use]
    pub fn client_id(&self) -> Option<&str> {
        self.get(Field::ClientId).as_text()
    }

    /// Username that the client sent in CONNECT.
    #[must_use]
    pub fn username(&self) -> Option<&str> {
        self.get(Field::Username).as_text()
    }

    /// Remote address of the client, `ip:port`; for `broker_...` hooks the first listener's bound address.
    #[must_use]
    pub fn endpoint(&self) -> Option<&str> {
        self.get(Field::Endpoint).as_text()
    }

    /// Name of the listener that accepted the connection.
    #[must_use]
    pub fn listener(&self) -> Option<&str> {
        self.get(Field::Listener).as_text()
    }

    /// 4 for MQTT 3.1.1, 5 for MQTT 5.0.
    #[must_use]
    pub fn protocol_version(&self) -> Option<u8> {
        view::maybe_number(self.get(Field::ProtocolVersion))
    }

    fn get(&self, field: Field) -> Value<'_> {
        self.event.get(field)
    }
}

impl fmt::Debug for InterceptInboundPacket<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields = Hook::InterceptInboundPacket.spec().field_set();
        view::debug("InterceptInboundPacket", self.event(), fields, out)
    }
}

/// What a handler of `intercept_inbound_packet` may answer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct InterceptInboundPacketAnswer(Answer);

impl InterceptInboundPacketAnswer {
    /// No opinion, maybe with changes.
    pub const fn pass() -> Self {
        Self(Answer::PASS)
    }

    /// Acknowledge and go no further; counted as dropped.
    pub fn drop() -> Self {
        Self(Verdict::Drop(None).into())
    }

    /// As [`Self::drop`], and says why.
    pub fn drop_with(refusal: Refusal) -> Self {
        Self(Verdict::Drop(Some(Box::new(refusal))).into())
    }

    /// Refused, and the Network Connection ends, with a Reason Code and why.
    pub fn disconnect(reason_code: u8, reason_string: &str) -> Self {
        Self::disconnect_with(Refusal::new(reason_code, reason_string))
    }

    /// As [`Self::disconnect`], with all that a refusal can say.
    pub fn disconnect_with(refusal: Refusal) -> Self {
        Self(Verdict::Disconnect(Box::new(refusal)).into())
    }

    /// Changes `topic`. Topic Name.
    pub fn topic(self, value: impl Into<Box<str>>) -> Self {
        self.with(Field::Topic, Owned::Text(value.into()))
    }

    /// Changes `payload`. Payload of the message, any bytes.
    pub fn payload(self, value: impl AsRef<[u8]>) -> Self {
        self.with(Field::Payload, view::owned_bytes(value))
    }

    /// Changes `retain`. RETAIN flag.
    pub fn retain(self, value: bool) -> Self {
        self.with(Field::Retain, Owned::Bool(value))
    }

    /// Changes `user_properties`. User Properties of the packet or message, in order; names may repeat.
    pub fn user_properties(
        self,
        value: impl IntoIterator<Item = (impl Into<String>, impl Into<String>)>,
    ) -> Self {
        self.with(Field::UserProperties, view::owned_pairs(value))
    }

    fn with(self, field: Field, value: Owned) -> Self {
        Self(view::changed(self.0, field, value))
    }
}

impl From<InterceptInboundPacketAnswer> for Answer {
    fn from(answer: InterceptInboundPacketAnswer) -> Self {
        answer.0
    }
}

impl TypedAnswer for InterceptInboundPacketAnswer {}

impl Closures {
    /// Answers `intercept_inbound_packet`. A packet is decoded, CONNECT included.
    #[must_use]
    pub fn on_intercept_inbound_packet<R>(
        self,
        closure: impl Fn(InterceptInboundPacket<'_>) -> R + Send + Sync + 'static,
    ) -> Self
    where
        R: Reply<InterceptInboundPacketAnswer>,
    {
        self.on(Hook::InterceptInboundPacket, move |event| {
            let event = InterceptInboundPacket::new(event);
            closure(event).reply()
        })
    }
}

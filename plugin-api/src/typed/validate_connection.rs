//! `validate_connection`, typed.
//!
//! Generated from the hook catalogue by `cargo xtask generate`: change the catalogue instead.

use std::fmt;
use std::marker::PhantomData;

use crate::answer::{Answer, Refusal, Verdict};
use crate::catalogue::Hook;
use crate::closures::{Closures, Reply, TypedAnswer};
use crate::event::Event;
use crate::field::Field;
use crate::value::{Owned, Value};
use crate::view::{self, EventRef, Properties, SharedEvent};

/// CONNECT is decoded and CONNACK not yet sent.
///
/// Gate `validate_connection`; may await; a failure counts as deny.
#[derive(Clone, Copy)]
pub struct ValidateConnection<'a, E = &'a dyn Event> {
    event: E,
    life: PhantomData<&'a ()>,
}

/// [`ValidateConnection`] for a handler that awaits: it holds its event.
pub type SharedValidateConnection = ValidateConnection<'static, SharedEvent>;

impl<'a> ValidateConnection<'a> {
    /// The view of an event of this hook; of another hook's event it sees what the two share.
    #[must_use]
    pub const fn new(event: &'a dyn Event) -> Self {
        Self {
            event,
            life: PhantomData,
        }
    }
}

impl SharedValidateConnection {
    /// The view of an event of this hook; of another hook's event it sees what the two share.
    #[must_use]
    pub const fn shared(event: SharedEvent) -> Self {
        Self {
            event,
            life: PhantomData,
        }
    }
}

impl<E: EventRef> ValidateConnection<'_, E> {
    /// The event as all runtimes see it.
    #[must_use]
    pub fn event(&self) -> &dyn Event {
        self.event.event()
    }

    /// Password that the client sent in CONNECT.
    #[must_use]
    pub fn password(&self) -> Option<&[u8]> {
        self.get(Field::Password).as_bytes()
    }

    /// Whether the Network Connection is encrypted.
    #[must_use]
    pub fn secure(&self) -> bool {
        view::truth(self.get(Field::Secure))
    }

    /// Clean Start (3.1.1: Clean Session).
    #[must_use]
    pub fn clean_start(&self) -> bool {
        view::truth(self.get(Field::CleanStart))
    }

    /// Keep Alive in seconds, 0 to 65 535; 0 is off. Where it may be changed: sent as Server Keep Alive.
    #[must_use]
    pub fn keep_alive(&self) -> u16 {
        view::number(self.get(Field::KeepAlive))
    }

    /// Seconds that the Session outlives its Network Connection; 0 ends with it, 4 294 967 295 never ends.
    #[must_use]
    pub fn session_expiry_interval(&self) -> u32 {
        view::number(self.get(Field::SessionExpiryInterval))
    }

    /// QoS 1 and 2 messages that the client takes at once unacknowledged, 1 to 65 535.
    #[must_use]
    pub fn receive_maximum(&self) -> u16 {
        view::number(self.get(Field::ReceiveMaximum))
    }

    /// Largest packet that the client takes, in bytes; absent: no limit of its own.
    #[must_use]
    pub fn maximum_packet_size(&self) -> Option<u32> {
        view::maybe_number(self.get(Field::MaximumPacketSize))
    }

    /// Topic Aliases that the client takes, 0 to 65 535.
    #[must_use]
    pub fn topic_alias_maximum(&self) -> u16 {
        view::number(self.get(Field::TopicAliasMaximum))
    }

    /// Whether the client wants Response Information.
    #[must_use]
    pub fn request_response_information(&self) -> bool {
        view::truth(self.get(Field::RequestResponseInformation))
    }

    /// Whether the client wants Reason Strings and User Properties on failures.
    #[must_use]
    pub fn request_problem_information(&self) -> bool {
        view::truth(self.get(Field::RequestProblemInformation))
    }

    /// Authentication Method of CONNECT.
    #[must_use]
    pub fn authentication_method(&self) -> Option<&str> {
        self.get(Field::AuthenticationMethod).as_text()
    }

    /// Authentication Data; changed: sent back.
    #[must_use]
    pub fn authentication_data(&self) -> Option<&[u8]> {
        self.get(Field::AuthenticationData).as_bytes()
    }

    /// User Properties of the packet or message, in order; names may repeat.
    #[must_use]
    pub fn user_properties(&self) -> Properties<'_> {
        view::pairs(self.get(Field::UserProperties))
    }

    /// Topic Name of the Will Message.
    #[must_use]
    pub fn will_topic(&self) -> Option<&str> {
        self.get(Field::WillTopic).as_text()
    }

    /// Payload of the Will Message.
    #[must_use]
    pub fn will_payload(&self) -> Option<&[u8]> {
        self.get(Field::WillPayload).as_bytes()
    }

    /// QoS of the Will Message.
    #[must_use]
    pub fn will_qos(&self) -> Option<u8> {
        view::maybe_number(self.get(Field::WillQos))
    }

    /// RETAIN of the Will Message.
    #[must_use]
    pub fn will_retain(&self) -> Option<bool> {
        self.get(Field::WillRetain).as_bool()
    }

    /// Seconds between the end of the Network Connection and the Will Message.
    #[must_use]
    pub fn will_delay_interval(&self) -> Option<u32> {
        view::maybe_number(self.get(Field::WillDelayInterval))
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
        self.event.event().get(field)
    }
}

impl<E: EventRef> fmt::Debug for ValidateConnection<'_, E> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields = Hook::ValidateConnection.spec().field_set();
        view::debug("ValidateConnection", self.event(), fields, out)
    }
}

/// What a handler of `validate_connection` may answer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct ValidateConnectionAnswer(Answer);

impl ValidateConnectionAnswer {
    /// No opinion, maybe with changes.
    pub const fn pass() -> Self {
        Self(Answer::PASS)
    }

    /// Allowed by this plugin; another plugin's deny still wins.
    pub fn accept() -> Self {
        Self(Verdict::Accept.into())
    }

    /// Refused, with a Reason Code (0: the hook's usual one) and why.
    pub fn deny(reason_code: u8, reason_string: &str) -> Self {
        Self::deny_with(Refusal::new(reason_code, reason_string))
    }

    /// Refused, with all that a refusal can say.
    pub fn deny_with(refusal: Refusal) -> Self {
        Self(Verdict::Deny(Box::new(refusal)).into())
    }

    /// Refused, and the Network Connection ends, with a Reason Code and why.
    pub fn disconnect(reason_code: u8, reason_string: &str) -> Self {
        Self::disconnect_with(Refusal::new(reason_code, reason_string))
    }

    /// As [`Self::disconnect`], with all that a refusal can say.
    pub fn disconnect_with(refusal: Refusal) -> Self {
        Self(Verdict::Disconnect(Box::new(refusal)).into())
    }

    /// Changes `client_id`. Client Identifier of the client that this is about; absent for what no client caused.
    pub fn client_id(self, value: impl Into<Box<str>>) -> Self {
        self.with(Field::ClientId, Owned::Text(value.into()))
    }

    /// Takes `client_id` away.
    pub fn without_client_id(self) -> Self {
        self.with(Field::ClientId, Owned::Nil)
    }

    /// Changes `username`. Username that the client sent in CONNECT.
    pub fn username(self, value: impl Into<Box<str>>) -> Self {
        self.with(Field::Username, Owned::Text(value.into()))
    }

    /// Takes `username` away.
    pub fn without_username(self) -> Self {
        self.with(Field::Username, Owned::Nil)
    }

    /// Changes `keep_alive`. Keep Alive in seconds, 0 to 65 535; 0 is off. Where it may be changed: sent as Server Keep Alive.
    pub fn keep_alive(self, value: u16) -> Self {
        self.with(Field::KeepAlive, Owned::Integer(value.into()))
    }

    /// Changes `session_expiry_interval`. Seconds that the Session outlives its Network Connection; 0 ends with it, 4 294 967 295 never ends.
    pub fn session_expiry_interval(self, value: u32) -> Self {
        self.with(Field::SessionExpiryInterval, Owned::Integer(value.into()))
    }

    /// Changes `receive_maximum`. QoS 1 and 2 messages that the client takes at once unacknowledged, 1 to 65 535.
    pub fn receive_maximum(self, value: u16) -> Self {
        self.with(Field::ReceiveMaximum, Owned::Integer(value.into()))
    }

    /// Changes `maximum_packet_size`. Largest packet that the client takes, in bytes; absent: no limit of its own.
    pub fn maximum_packet_size(self, value: u32) -> Self {
        self.with(Field::MaximumPacketSize, Owned::Integer(value.into()))
    }

    /// Takes `maximum_packet_size` away.
    pub fn without_maximum_packet_size(self) -> Self {
        self.with(Field::MaximumPacketSize, Owned::Nil)
    }

    /// Changes `topic_alias_maximum`. Topic Aliases that the client takes, 0 to 65 535.
    pub fn topic_alias_maximum(self, value: u16) -> Self {
        self.with(Field::TopicAliasMaximum, Owned::Integer(value.into()))
    }

    /// Changes `maximum_qos`. Highest QoS that the client may publish with: 0, 1 or 2.
    pub fn maximum_qos(self, value: u8) -> Self {
        self.with(Field::MaximumQos, Owned::Integer(value.into()))
    }

    /// Changes `response_information`. Response Information for CONNACK, if the client asked for it.
    pub fn response_information(self, value: impl Into<Box<str>>) -> Self {
        self.with(Field::ResponseInformation, Owned::Text(value.into()))
    }

    /// Takes `response_information` away.
    pub fn without_response_information(self) -> Self {
        self.with(Field::ResponseInformation, Owned::Nil)
    }

    /// Changes `response_user_properties`. User Properties of the answering packet.
    pub fn response_user_properties(
        self,
        value: impl IntoIterator<Item = (impl Into<String>, impl Into<String>)>,
    ) -> Self {
        self.with(Field::ResponseUserProperties, view::owned_pairs(value))
    }

    /// Changes `reason_string`. Reason String.
    pub fn reason_string(self, value: impl Into<Box<str>>) -> Self {
        self.with(Field::ReasonString, Owned::Text(value.into()))
    }

    /// Takes `reason_string` away.
    pub fn without_reason_string(self) -> Self {
        self.with(Field::ReasonString, Owned::Nil)
    }

    /// Changes `authentication_data`. Authentication Data; changed: sent back.
    pub fn authentication_data(self, value: impl AsRef<[u8]>) -> Self {
        self.with(Field::AuthenticationData, view::owned_bytes(value))
    }

    /// Takes `authentication_data` away.
    pub fn without_authentication_data(self) -> Self {
        self.with(Field::AuthenticationData, Owned::Nil)
    }

    fn with(self, field: Field, value: Owned) -> Self {
        Self(view::changed(self.0, field, value))
    }
}

impl From<ValidateConnectionAnswer> for Answer {
    fn from(answer: ValidateConnectionAnswer) -> Self {
        answer.0
    }
}

impl TypedAnswer for ValidateConnectionAnswer {}

impl Closures {
    /// Answers `validate_connection`. CONNECT is decoded and CONNACK not yet sent.
    #[must_use]
    pub fn on_validate_connection<R>(
        self,
        closure: impl Fn(ValidateConnection<'_>) -> R + Send + Sync + 'static,
    ) -> Self
    where
        R: Reply<ValidateConnectionAnswer>,
    {
        self.on(Hook::ValidateConnection, move |event| {
            let event = ValidateConnection::new(event);
            closure(event).reply()
        })
    }

    /// Answers `validate_connection` and may await meanwhile. CONNECT is decoded and CONNACK not yet sent.
    #[must_use]
    pub fn on_async_validate_connection<F>(
        self,
        closure: impl Fn(SharedValidateConnection) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output: Reply<ValidateConnectionAnswer>> + Send + 'static,
    {
        let hook = Hook::ValidateConnection;
        self.on_async::<ValidateConnectionAnswer, _>(hook, move |event| {
            let event = ValidateConnection::shared(event);
            closure(event)
        })
    }
}

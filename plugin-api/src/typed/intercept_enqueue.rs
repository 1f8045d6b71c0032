//! `intercept_enqueue`, typed.
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

/// Once per receiver, before the message is handed to its Session; retained messages too.
///
/// Filter `intercept_enqueue`; on the hot path; a failure counts as pass.
#[derive(Clone, Copy)]
pub struct InterceptEnqueue<'a> {
    event: &'a dyn Event,
}

impl<'a> InterceptEnqueue<'a> {
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

    /// Client Identifier of the publisher; absent for what no client published.
    #[must_use]
    pub fn sender_client_id(&self) -> Option<&str> {
        self.get(Field::SenderClientId).as_text()
    }

    /// Client Identifier of the receiving Session; for a message that was dropped before anybody was to receive it, absent.
    #[must_use]
    pub fn receiver_client_id(&self) -> &str {
        view::text(self.get(Field::ReceiverClientId))
    }

    /// Username of the receiving client.
    #[must_use]
    pub fn receiver_username(&self) -> Option<&str> {
        self.get(Field::ReceiverUsername).as_text()
    }

    /// Where the message comes from: `client`, `will`, `plugin`, `broker` or, on its way to a new subscriber, `retained`.
    #[must_use]
    pub fn source(&self) -> &str {
        view::text(self.get(Field::Source))
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

    /// Payload Format Indicator: 0 bytes, 1 UTF-8 text.
    #[must_use]
    pub fn payload_format(&self) -> Option<u8> {
        view::maybe_number(self.get(Field::PayloadFormat))
    }

    /// Seconds that the message still lives.
    #[must_use]
    pub fn message_expiry_interval(&self) -> Option<u32> {
        view::maybe_number(self.get(Field::MessageExpiryInterval))
    }

    /// Content Type, MIME or the application's own.
    #[must_use]
    pub fn content_type(&self) -> Option<&str> {
        self.get(Field::ContentType).as_text()
    }

    /// Topic Name for a response.
    #[must_use]
    pub fn response_topic(&self) -> Option<&str> {
        self.get(Field::ResponseTopic).as_text()
    }

    /// Handed back with the response.
    #[must_use]
    pub fn correlation_data(&self) -> Option<&[u8]> {
        self.get(Field::CorrelationData).as_bytes()
    }

    /// User Properties of the packet or message, in order; names may repeat.
    #[must_use]
    pub fn user_properties(&self) -> Properties<'_> {
        view::pairs(self.get(Field::UserProperties))
    }

    fn get(&self, field: Field) -> Value<'_> {
        self.event.get(field)
    }
}

impl fmt::Debug for InterceptEnqueue<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields = Hook::InterceptEnqueue.spec().field_set();
        view::debug("InterceptEnqueue", self.event(), fields, out)
    }
}

/// What a handler of `intercept_enqueue` may answer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct InterceptEnqueueAnswer(Answer);

impl InterceptEnqueueAnswer {
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

    /// Changes `qos`. QoS of the message or of the subscription: 0, 1 or 2.
    pub fn qos(self, value: u8) -> Self {
        self.with(Field::Qos, Owned::Integer(value.into()))
    }

    /// Changes `payload_format`. Payload Format Indicator: 0 bytes, 1 UTF-8 text.
    pub fn payload_format(self, value: u8) -> Self {
        self.with(Field::PayloadFormat, Owned::Integer(value.into()))
    }

    /// Takes `payload_format` away.
    pub fn without_payload_format(self) -> Self {
        self.with(Field::PayloadFormat, Owned::Nil)
    }

    /// Changes `message_expiry_interval`. Seconds that the message still lives.
    pub fn message_expiry_interval(self, value: u32) -> Self {
        self.with(Field::MessageExpiryInterval, Owned::Integer(value.into()))
    }

    /// Takes `message_expiry_interval` away.
    pub fn without_message_expiry_interval(self) -> Self {
        self.with(Field::MessageExpiryInterval, Owned::Nil)
    }

    /// Changes `content_type`. Content Type, MIME or the application's own.
    pub fn content_type(self, value: impl Into<Box<str>>) -> Self {
        self.with(Field::ContentType, Owned::Text(value.into()))
    }

    /// Takes `content_type` away.
    pub fn without_content_type(self) -> Self {
        self.with(Field::ContentType, Owned::Nil)
    }

    /// Changes `response_topic`. Topic Name for a response.
    pub fn response_topic(self, value: impl Into<Box<str>>) -> Self {
        self.with(Field::ResponseTopic, Owned::Text(value.into()))
    }

    /// Takes `response_topic` away.
    pub fn without_response_topic(self) -> Self {
        self.with(Field::ResponseTopic, Owned::Nil)
    }

    /// Changes `correlation_data`. Handed back with the response.
    pub fn correlation_data(self, value: impl AsRef<[u8]>) -> Self {
        self.with(Field::CorrelationData, view::owned_bytes(value))
    }

    /// Takes `correlation_data` away.
    pub fn without_correlation_data(self) -> Self {
        self.with(Field::CorrelationData, Owned::Nil)
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

impl From<InterceptEnqueueAnswer> for Answer {
    fn from(answer: InterceptEnqueueAnswer) -> Self {
        answer.0
    }
}

impl TypedAnswer for InterceptEnqueueAnswer {}

impl Closures {
    /// Answers `intercept_enqueue`. Once per receiver, before the message is handed to its Session; retained messages too.
    #[must_use]
    pub fn on_intercept_enqueue<R>(
        self,
        closure: impl Fn(InterceptEnqueue<'_>) -> R + Send + Sync + 'static,
    ) -> Self
    where
        R: Reply<InterceptEnqueueAnswer>,
    {
        self.on(Hook::InterceptEnqueue, move |event| {
            let event = InterceptEnqueue::new(event);
            closure(event).reply()
        })
    }
}

//! `intercept_will`, typed.
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

/// A Will Message is due, before it takes the way of every message.
///
/// Filter `intercept_will`; may await; a failure counts as pass.
#[derive(Clone, Copy)]
pub struct InterceptWill<'a, E = &'a dyn Event> {
    event: E,
    life: PhantomData<&'a ()>,
}

/// [`InterceptWill`] for a handler that awaits: it holds its event.
pub type SharedInterceptWill = InterceptWill<'static, SharedEvent>;

impl<'a> InterceptWill<'a> {
    /// The view of an event of this hook; of another hook's event it sees what the two share.
    #[must_use]
    pub const fn new(event: &'a dyn Event) -> Self {
        Self {
            event,
            life: PhantomData,
        }
    }
}

impl SharedInterceptWill {
    /// The view of an event of this hook; of another hook's event it sees what the two share.
    #[must_use]
    pub const fn shared(event: SharedEvent) -> Self {
        Self {
            event,
            life: PhantomData,
        }
    }
}

impl<E: EventRef> InterceptWill<'_, E> {
    /// The event as all runtimes see it.
    #[must_use]
    pub fn event(&self) -> &dyn Event {
        self.event.event()
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
        self.event.event().get(field)
    }
}

impl<E: EventRef> fmt::Debug for InterceptWill<'_, E> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields = Hook::InterceptWill.spec().field_set();
        view::debug("InterceptWill", self.event(), fields, out)
    }
}

/// What a handler of `intercept_will` may answer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct InterceptWillAnswer(Answer);

impl InterceptWillAnswer {
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

    /// Changes `retain`. RETAIN flag.
    pub fn retain(self, value: bool) -> Self {
        self.with(Field::Retain, Owned::Bool(value))
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

impl From<InterceptWillAnswer> for Answer {
    fn from(answer: InterceptWillAnswer) -> Self {
        answer.0
    }
}

impl TypedAnswer for InterceptWillAnswer {}

impl Closures {
    /// Answers `intercept_will`. A Will Message is due, before it takes the way of every message.
    #[must_use]
    pub fn on_intercept_will<R>(
        self,
        closure: impl Fn(InterceptWill<'_>) -> R + Send + Sync + 'static,
    ) -> Self
    where
        R: Reply<InterceptWillAnswer>,
    {
        self.on(Hook::InterceptWill, move |event| {
            let event = InterceptWill::new(event);
            closure(event).reply()
        })
    }

    /// Answers `intercept_will` and may await meanwhile. A Will Message is due, before it takes the way of every message.
    #[must_use]
    pub fn on_async_intercept_will<F>(
        self,
        closure: impl Fn(SharedInterceptWill) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output: Reply<InterceptWillAnswer>> + Send + 'static,
    {
        let hook = Hook::InterceptWill;
        self.on_async::<InterceptWillAnswer, _>(hook, move |event| {
            let event = InterceptWill::shared(event);
            closure(event)
        })
    }
}

//! `authorize_publish`, typed.
//!
//! Generated from the hook catalogue by `cargo xtask generate`: change the catalogue instead.

use std::fmt;
use std::marker::PhantomData;

use crate::answer::{Answer, Keep, Refusal, Verdict};
use crate::catalogue::Hook;
use crate::closures::{Closures, Reply, TypedAnswer};
use crate::event::Event;
use crate::field::Field;
use crate::value::{Owned, Value};
use crate::view::{self, EventRef, SharedEvent};

/// After intercept_publish, on the final message; wills too.
///
/// Gate `authorize_publish`; may await; on the hot path; a failure counts as deny.
#[derive(Clone, Copy)]
pub struct AuthorizePublish<'a, E = &'a dyn Event> {
    event: E,
    life: PhantomData<&'a ()>,
}

/// [`AuthorizePublish`] for a handler that awaits: it holds its event.
pub type SharedAuthorizePublish = AuthorizePublish<'static, SharedEvent>;

impl<'a> AuthorizePublish<'a> {
    /// The view of an event of this hook; of another hook's event it sees what the two share.
    #[must_use]
    pub const fn new(event: &'a dyn Event) -> Self {
        Self {
            event,
            life: PhantomData,
        }
    }
}

impl SharedAuthorizePublish {
    /// The view of an event of this hook; of another hook's event it sees what the two share.
    #[must_use]
    pub const fn shared(event: SharedEvent) -> Self {
        Self {
            event,
            life: PhantomData,
        }
    }
}

impl<E: EventRef> AuthorizePublish<'_, E> {
    /// The event as all runtimes see it.
    #[must_use]
    pub fn event(&self) -> &dyn Event {
        self.event.event()
    }

    /// Topic Name.
    #[must_use]
    pub fn topic(&self) -> &str {
        view::text(self.get(Field::Topic))
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

    /// Where the message comes from: `client`, `will`, `plugin`, `broker` or, on its way to a new subscriber, `retained`.
    #[must_use]
    pub fn source(&self) -> &str {
        view::text(self.get(Field::Source))
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

impl<E: EventRef> fmt::Debug for AuthorizePublish<'_, E> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields = Hook::AuthorizePublish.spec().field_set();
        view::debug("AuthorizePublish", self.event(), fields, out)
    }
}

/// What a handler of `authorize_publish` may answer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct AuthorizePublishAnswer(Answer);

impl AuthorizePublishAnswer {
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

    /// Changes `qos`. QoS of the message or of the subscription: 0, 1 or 2.
    pub fn qos(self, value: u8) -> Self {
        self.with(Field::Qos, Owned::Integer(value.into()))
    }

    /// Changes `retain`. RETAIN flag.
    pub fn retain(self, value: bool) -> Self {
        self.with(Field::Retain, Owned::Bool(value))
    }

    /// The broker may decide like events by this answer without calling; with accept and deny only.
    pub fn keep(self, keep: Keep) -> Self {
        Self(self.0.kept(keep))
    }

    fn with(self, field: Field, value: Owned) -> Self {
        Self(view::changed(self.0, field, value))
    }
}

impl From<AuthorizePublishAnswer> for Answer {
    fn from(answer: AuthorizePublishAnswer) -> Self {
        answer.0
    }
}

impl TypedAnswer for AuthorizePublishAnswer {}

impl Closures {
    /// Answers `authorize_publish`. After intercept_publish, on the final message; wills too.
    #[must_use]
    pub fn on_authorize_publish<R>(
        self,
        closure: impl Fn(AuthorizePublish<'_>) -> R + Send + Sync + 'static,
    ) -> Self
    where
        R: Reply<AuthorizePublishAnswer>,
    {
        self.on(Hook::AuthorizePublish, move |event| {
            let event = AuthorizePublish::new(event);
            closure(event).reply()
        })
    }

    /// Answers `authorize_publish` and may await meanwhile. After intercept_publish, on the final message; wills too.
    #[must_use]
    pub fn on_async_authorize_publish<F>(
        self,
        closure: impl Fn(SharedAuthorizePublish) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output: Reply<AuthorizePublishAnswer>> + Send + 'static,
    {
        let hook = Hook::AuthorizePublish;
        self.on_async::<AuthorizePublishAnswer, _>(hook, move |event| {
            let event = AuthorizePublish::shared(event);
            closure(event)
        })
    }
}

//! `authorize_subscribe`, typed.
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

/// After intercept_subscription, on the final Topic Filter.
///
/// Gate `authorize_subscribe`; may await; a failure counts as deny.
#[derive(Clone, Copy)]
pub struct AuthorizeSubscribe<'a, E = &'a dyn Event> {
    event: E,
    life: PhantomData<&'a ()>,
}

/// [`AuthorizeSubscribe`] for a handler that awaits: it holds its event.
pub type SharedAuthorizeSubscribe = AuthorizeSubscribe<'static, SharedEvent>;

impl<'a> AuthorizeSubscribe<'a> {
    /// The view of an event of this hook; of another hook's event it sees what the two share.
    #[must_use]
    pub const fn new(event: &'a dyn Event) -> Self {
        Self {
            event,
            life: PhantomData,
        }
    }
}

impl SharedAuthorizeSubscribe {
    /// The view of an event of this hook; of another hook's event it sees what the two share.
    #[must_use]
    pub const fn shared(event: SharedEvent) -> Self {
        Self {
            event,
            life: PhantomData,
        }
    }
}

impl<E: EventRef> AuthorizeSubscribe<'_, E> {
    /// The event as all runtimes see it.
    #[must_use]
    pub fn event(&self) -> &dyn Event {
        self.event.event()
    }

    /// Topic Filter as the client sent it, `$share/{ShareName}/` included.
    #[must_use]
    pub fn topic_filter(&self) -> &str {
        view::text(self.get(Field::TopicFilter))
    }

    /// Share Name of a Shared Subscription.
    #[must_use]
    pub fn share_name(&self) -> Option<&str> {
        self.get(Field::ShareName).as_text()
    }

    /// QoS of the message or of the subscription: 0, 1 or 2.
    #[must_use]
    pub fn qos(&self) -> u8 {
        view::number(self.get(Field::Qos))
    }

    /// No Local: do not send the client its own messages.
    #[must_use]
    pub fn no_local(&self) -> bool {
        view::truth(self.get(Field::NoLocal))
    }

    /// Retain As Published: keep the RETAIN flag.
    #[must_use]
    pub fn retain_as_published(&self) -> bool {
        view::truth(self.get(Field::RetainAsPublished))
    }

    /// Retain Handling: 0 send retained messages, 1 only for a new subscription, 2 never.
    #[must_use]
    pub fn retain_handling(&self) -> u8 {
        view::number(self.get(Field::RetainHandling))
    }

    /// Subscription Identifier, 1 to 268 435 455.
    #[must_use]
    pub fn subscription_identifier(&self) -> Option<u32> {
        view::maybe_number(self.get(Field::SubscriptionIdentifier))
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

impl<E: EventRef> fmt::Debug for AuthorizeSubscribe<'_, E> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields = Hook::AuthorizeSubscribe.spec().field_set();
        view::debug("AuthorizeSubscribe", self.event(), fields, out)
    }
}

/// What a handler of `authorize_subscribe` may answer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct AuthorizeSubscribeAnswer(Answer);

impl AuthorizeSubscribeAnswer {
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

    /// Changes `qos`. QoS of the message or of the subscription: 0, 1 or 2.
    pub fn qos(self, value: u8) -> Self {
        self.with(Field::Qos, Owned::Integer(value.into()))
    }

    /// Changes `retain_handling`. Retain Handling: 0 send retained messages, 1 only for a new subscription, 2 never.
    pub fn retain_handling(self, value: u8) -> Self {
        self.with(Field::RetainHandling, Owned::Integer(value.into()))
    }

    /// The broker may decide like events by this answer without calling; with accept and deny only.
    pub fn keep(self, keep: Keep) -> Self {
        Self(self.0.kept(keep))
    }

    fn with(self, field: Field, value: Owned) -> Self {
        Self(view::changed(self.0, field, value))
    }
}

impl From<AuthorizeSubscribeAnswer> for Answer {
    fn from(answer: AuthorizeSubscribeAnswer) -> Self {
        answer.0
    }
}

impl TypedAnswer for AuthorizeSubscribeAnswer {}

impl Closures {
    /// Answers `authorize_subscribe`. After intercept_subscription, on the final Topic Filter.
    #[must_use]
    pub fn on_authorize_subscribe<R>(
        self,
        closure: impl Fn(AuthorizeSubscribe<'_>) -> R + Send + Sync + 'static,
    ) -> Self
    where
        R: Reply<AuthorizeSubscribeAnswer>,
    {
        self.on(Hook::AuthorizeSubscribe, move |event| {
            let event = AuthorizeSubscribe::new(event);
            closure(event).reply()
        })
    }

    /// Answers `authorize_subscribe` and may await meanwhile. After intercept_subscription, on the final Topic Filter.
    #[must_use]
    pub fn on_async_authorize_subscribe<F>(
        self,
        closure: impl Fn(SharedAuthorizeSubscribe) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output: Reply<AuthorizeSubscribeAnswer>> + Send + 'static,
    {
        let hook = Hook::AuthorizeSubscribe;
        self.on_async::<AuthorizeSubscribeAnswer, _>(hook, move |event| {
            let event = AuthorizeSubscribe::shared(event);
            closure(event)
        })
    }
}

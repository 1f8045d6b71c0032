//! `intercept_unsubscription`, typed.
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

/// Once per Topic Filter of an UNSUBSCRIBE, in the packet's order.
///
/// Filter `intercept_unsubscription`; may await; a failure counts as pass.
#[derive(Clone, Copy)]
pub struct InterceptUnsubscription<'a, E = &'a dyn Event> {
    event: E,
    life: PhantomData<&'a ()>,
}

/// [`InterceptUnsubscription`] for a handler that awaits: it holds its event.
pub type SharedInterceptUnsubscription = InterceptUnsubscription<'static, SharedEvent>;

impl<'a> InterceptUnsubscription<'a> {
    /// The view of an event of this hook; of another hook's event it sees what the two share.
    #[must_use]
    pub const fn new(event: &'a dyn Event) -> Self {
        Self {
            event,
            life: PhantomData,
        }
    }
}

impl SharedInterceptUnsubscription {
    /// The view of an event of this hook; of another hook's event it sees what the two share.
    #[must_use]
    pub const fn shared(event: SharedEvent) -> Self {
        Self {
            event,
            life: PhantomData,
        }
    }
}

impl<E: EventRef> InterceptUnsubscription<'_, E> {
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
        self.event.event().get(field)
    }
}

impl<E: EventRef> fmt::Debug for InterceptUnsubscription<'_, E> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields = Hook::InterceptUnsubscription.spec().field_set();
        view::debug("InterceptUnsubscription", self.event(), fields, out)
    }
}

/// What a handler of `intercept_unsubscription` may answer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct InterceptUnsubscriptionAnswer(Answer);

impl InterceptUnsubscriptionAnswer {
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

    /// Changes `topic_filter`. Topic Filter as the client sent it, `$share/{ShareName}/` included.
    pub fn topic_filter(self, value: impl Into<Box<str>>) -> Self {
        self.with(Field::TopicFilter, Owned::Text(value.into()))
    }

    /// Changes `reason_string`. Reason String.
    pub fn reason_string(self, value: impl Into<Box<str>>) -> Self {
        self.with(Field::ReasonString, Owned::Text(value.into()))
    }

    /// Takes `reason_string` away.
    pub fn without_reason_string(self) -> Self {
        self.with(Field::ReasonString, Owned::Nil)
    }

    /// Changes `response_user_properties`. User Properties of the answering packet.
    pub fn response_user_properties(
        self,
        value: impl IntoIterator<Item = (impl Into<String>, impl Into<String>)>,
    ) -> Self {
        self.with(Field::ResponseUserProperties, view::owned_pairs(value))
    }

    fn with(self, field: Field, value: Owned) -> Self {
        Self(view::changed(self.0, field, value))
    }
}

impl From<InterceptUnsubscriptionAnswer> for Answer {
    fn from(answer: InterceptUnsubscriptionAnswer) -> Self {
        answer.0
    }
}

impl TypedAnswer for InterceptUnsubscriptionAnswer {}

impl Closures {
    /// Answers `intercept_unsubscription`. Once per Topic Filter of an UNSUBSCRIBE, in the packet's order.
    #[must_use]
    pub fn on_intercept_unsubscription<R>(
        self,
        closure: impl Fn(InterceptUnsubscription<'_>) -> R + Send + Sync + 'static,
    ) -> Self
    where
        R: Reply<InterceptUnsubscriptionAnswer>,
    {
        self.on(Hook::InterceptUnsubscription, move |event| {
            let event = InterceptUnsubscription::new(event);
            closure(event).reply()
        })
    }

    /// Answers `intercept_unsubscription` and may await meanwhile. Once per Topic Filter of an UNSUBSCRIBE, in the packet's order.
    #[must_use]
    pub fn on_async_intercept_unsubscription<F>(
        self,
        closure: impl Fn(SharedInterceptUnsubscription) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output: Reply<InterceptUnsubscriptionAnswer>> + Send + 'static,
    {
        let hook = Hook::InterceptUnsubscription;
        self.on_async::<InterceptUnsubscriptionAnswer, _>(hook, move |event| {
            let event = InterceptUnsubscription::shared(event);
            closure(event)
        })
    }
}

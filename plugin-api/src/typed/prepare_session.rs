//! `prepare_session`, typed.
//!
//! Generated from the hook catalogue by `cargo xtask generate`: change the catalogue instead.

use std::fmt;
use std::marker::PhantomData;

use crate::answer::{Answer, Refusal, Verdict};
use crate::catalogue::Hook;
use crate::closures::{Closures, Reply, TypedAnswer};
use crate::event::Event;
use crate::field::Field;
use crate::typed::records::{MessageRecord, SubscriptionRecord};
use crate::value::{Owned, Value};
use crate::view::{self, EventRef, SharedEvent};

/// The connection is allowed; its Session is about to be created or resumed.
///
/// Filter `prepare_session`; may await; a failure counts as pass.
#[derive(Clone, Copy)]
pub struct PrepareSession<'a, E = &'a dyn Event> {
    event: E,
    life: PhantomData<&'a ()>,
}

/// [`PrepareSession`] for a handler that awaits: it holds its event.
pub type SharedPrepareSession = PrepareSession<'static, SharedEvent>;

impl<'a> PrepareSession<'a> {
    /// The view of an event of this hook; of another hook's event it sees what the two share.
    #[must_use]
    pub const fn new(event: &'a dyn Event) -> Self {
        Self {
            event,
            life: PhantomData,
        }
    }
}

impl SharedPrepareSession {
    /// The view of an event of this hook; of another hook's event it sees what the two share.
    #[must_use]
    pub const fn shared(event: SharedEvent) -> Self {
        Self {
            event,
            life: PhantomData,
        }
    }
}

impl<E: EventRef> PrepareSession<'_, E> {
    /// The event as all runtimes see it.
    #[must_use]
    pub fn event(&self) -> &dyn Event {
        self.event.event()
    }

    /// Whether the Session existed before this CONNECT.
    #[must_use]
    pub fn session_present(&self) -> bool {
        view::truth(self.get(Field::SessionPresent))
    }

    /// Seconds that the Session outlives its Network Connection; 0 ends with it, 4 294 967 295 never ends.
    #[must_use]
    pub fn session_expiry_interval(&self) -> u32 {
        view::number(self.get(Field::SessionExpiryInterval))
    }

    /// Seconds between the end of the Network Connection and the Will Message.
    #[must_use]
    pub fn will_delay_interval(&self) -> Option<u32> {
        view::maybe_number(self.get(Field::WillDelayInterval))
    }

    /// Messages that wait in the Session.
    #[must_use]
    pub fn n_queued(&self) -> u64 {
        view::number(self.get(Field::NQueued))
    }

    /// Subscriptions of the Session.
    #[must_use]
    pub fn subscriptions(&self) -> Vec<SubscriptionRecord> {
        view::records(self.get(Field::Subscriptions))
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

impl<E: EventRef> fmt::Debug for PrepareSession<'_, E> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields = Hook::PrepareSession.spec().field_set();
        view::debug("PrepareSession", self.event(), fields, out)
    }
}

/// What a handler of `prepare_session` may answer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct PrepareSessionAnswer(Answer);

impl PrepareSessionAnswer {
    /// No opinion, maybe with changes.
    pub const fn pass() -> Self {
        Self(Answer::PASS)
    }

    /// Refused, with a Reason Code (0: the hook's usual one) and why.
    pub fn deny(reason_code: u8, reason_string: &str) -> Self {
        Self::deny_with(Refusal::new(reason_code, reason_string))
    }

    /// Refused, with all that a refusal can say.
    pub fn deny_with(refusal: Refusal) -> Self {
        Self(Verdict::Deny(Box::new(refusal)).into())
    }

    /// Changes `subscriptions`. Subscriptions of the Session.
    pub fn subscriptions(self, value: impl IntoIterator<Item = SubscriptionRecord>) -> Self {
        self.with(Field::Subscriptions, view::owned_records(value))
    }

    /// Changes `messages`. Messages, oldest first; those of an answer are added to what is there.
    pub fn messages(self, value: impl IntoIterator<Item = MessageRecord>) -> Self {
        self.with(Field::Messages, view::owned_records(value))
    }

    /// Changes `session_expiry_interval`. Seconds that the Session outlives its Network Connection; 0 ends with it, 4 294 967 295 never ends.
    pub fn session_expiry_interval(self, value: u32) -> Self {
        self.with(Field::SessionExpiryInterval, Owned::Integer(value.into()))
    }

    /// Changes `will_delay_interval`. Seconds between the end of the Network Connection and the Will Message.
    pub fn will_delay_interval(self, value: u32) -> Self {
        self.with(Field::WillDelayInterval, Owned::Integer(value.into()))
    }

    /// Takes `will_delay_interval` away.
    pub fn without_will_delay_interval(self) -> Self {
        self.with(Field::WillDelayInterval, Owned::Nil)
    }

    fn with(self, field: Field, value: Owned) -> Self {
        Self(view::changed(self.0, field, value))
    }
}

impl From<PrepareSessionAnswer> for Answer {
    fn from(answer: PrepareSessionAnswer) -> Self {
        answer.0
    }
}

impl TypedAnswer for PrepareSessionAnswer {}

impl Closures {
    /// Answers `prepare_session`. The connection is allowed; its Session is about to be created or resumed.
    #[must_use]
    pub fn on_prepare_session<R>(
        self,
        closure: impl Fn(PrepareSession<'_>) -> R + Send + Sync + 'static,
    ) -> Self
    where
        R: Reply<PrepareSessionAnswer>,
    {
        self.on(Hook::PrepareSession, move |event| {
            let event = PrepareSession::new(event);
            closure(event).reply()
        })
    }

    /// Answers `prepare_session` and may await meanwhile. The connection is allowed; its Session is about to be created or resumed.
    #[must_use]
    pub fn on_async_prepare_session<F>(
        self,
        closure: impl Fn(SharedPrepareSession) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output: Reply<PrepareSessionAnswer>> + Send + 'static,
    {
        let hook = Hook::PrepareSession;
        self.on_async::<PrepareSessionAnswer, _>(hook, move |event| {
            let event = PrepareSession::shared(event);
            closure(event)
        })
    }
}

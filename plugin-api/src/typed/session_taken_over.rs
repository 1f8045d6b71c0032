//! `session_taken_over`, typed.
//!
//! Generated from the hook catalogue by `cargo xtask generate`: change the catalogue instead.

use std::fmt;

use crate::catalogue::Hook;
use crate::closures::{Closures, Reply, Told};
use crate::event::Event;
use crate::field::Field;
use crate::value::Value;
use crate::view;

/// A second connection with the same Client Identifier took the Session.
///
/// Notice `session_taken_over`.
#[derive(Clone, Copy)]
pub struct SessionTakenOver<'a> {
    event: &'a dyn Event,
}

impl<'a> SessionTakenOver<'a> {
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

    /// Remote address of the client, `ip:port`; for `broker_...` hooks the first listener's bound address.
    #[must_use]
    pub fn endpoint(&self) -> Option<&str> {
        self.get(Field::Endpoint).as_text()
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

    /// Seconds that the Session outlives its Network Connection; 0 ends with it, 4 294 967 295 never ends.
    #[must_use]
    pub fn session_expiry_interval(&self) -> u32 {
        view::number(self.get(Field::SessionExpiryInterval))
    }

    /// Messages that wait in the Session.
    #[must_use]
    pub fn n_queued(&self) -> u64 {
        view::number(self.get(Field::NQueued))
    }

    /// Subscriptions that the Session holds.
    #[must_use]
    pub fn n_subscriptions(&self) -> u64 {
        view::number(self.get(Field::NSubscriptions))
    }

    /// Counts the notices about one client that this plugin is told, from 1; a gap means that some were lost to a full queue. Notices about the broker count for themselves.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        view::number(self.get(Field::Sequence))
    }

    /// Milliseconds since 1970-01-01 UTC.
    #[must_use]
    pub fn timestamp(&self) -> u64 {
        view::number(self.get(Field::Timestamp))
    }

    fn get(&self, field: Field) -> Value<'_> {
        self.event.get(field)
    }
}

impl fmt::Debug for SessionTakenOver<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields = Hook::SessionTakenOver.spec().field_set();
        view::debug("SessionTakenOver", self.event(), fields, out)
    }
}

impl Closures {
    /// Answers `session_taken_over`. A second connection with the same Client Identifier took the Session.
    #[must_use]
    pub fn on_session_taken_over<R>(
        self,
        closure: impl Fn(SessionTakenOver<'_>) -> R + Send + Sync + 'static,
    ) -> Self
    where
        R: Reply<Told>,
    {
        self.on(Hook::SessionTakenOver, move |event| {
            let event = SessionTakenOver::new(event);
            closure(event).reply()
        })
    }
}

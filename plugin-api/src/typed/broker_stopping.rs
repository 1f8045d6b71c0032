//! `broker_stopping`, typed.
//!
//! Generated from the hook catalogue by `cargo xtask generate`: change the catalogue instead.

use std::fmt;

use crate::catalogue::Hook;
use crate::closures::{Closures, Reply, Told};
use crate::event::Event;
use crate::field::Field;
use crate::value::Value;
use crate::view;

/// A stop was asked for; clients are being disconnected, and nothing can be published any more.
///
/// Notice `broker_stopping`.
#[derive(Clone, Copy)]
pub struct BrokerStopping<'a> {
    event: &'a dyn Event,
}

impl<'a> BrokerStopping<'a> {
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

impl fmt::Debug for BrokerStopping<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields = Hook::BrokerStopping.spec().field_set();
        view::debug("BrokerStopping", self.event(), fields, out)
    }
}

impl Closures {
    /// Answers `broker_stopping`. A stop was asked for; clients are being disconnected, and nothing can be published any more.
    #[must_use]
    pub fn on_broker_stopping<R>(
        self,
        closure: impl Fn(BrokerStopping<'_>) -> R + Send + Sync + 'static,
    ) -> Self
    where
        R: Reply<Told>,
    {
        self.on(Hook::BrokerStopping, move |event| {
            let event = BrokerStopping::new(event);
            closure(event).reply()
        })
    }
}

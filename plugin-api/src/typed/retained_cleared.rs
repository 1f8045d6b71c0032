//! `retained_cleared`, typed.
//!
//! Generated from the hook catalogue by `cargo xtask generate`: change the catalogue instead.

use std::fmt;

use crate::catalogue::Hook;
use crate::closures::{Closures, Reply, Told};
use crate::event::Event;
use crate::field::Field;
use crate::value::Value;
use crate::view;

/// All retained messages were removed at once.
///
/// Notice `retained_cleared`.
#[derive(Clone, Copy)]
pub struct RetainedCleared<'a> {
    event: &'a dyn Event,
}

impl<'a> RetainedCleared<'a> {
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

    /// How many messages.
    #[must_use]
    pub fn n_messages(&self) -> u64 {
        view::number(self.get(Field::NMessages))
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

impl fmt::Debug for RetainedCleared<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields = Hook::RetainedCleared.spec().field_set();
        view::debug("RetainedCleared", self.event(), fields, out)
    }
}

impl Closures {
    /// Answers `retained_cleared`. All retained messages were removed at once.
    #[must_use]
    pub fn on_retained_cleared<R>(
        self,
        closure: impl Fn(RetainedCleared<'_>) -> R + Send + Sync + 'static,
    ) -> Self
    where
        R: Reply<Told>,
    {
        self.on(Hook::RetainedCleared, move |event| {
            let event = RetainedCleared::new(event);
            closure(event).reply()
        })
    }
}

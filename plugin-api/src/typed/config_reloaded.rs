//! `config_reloaded`, typed.
//!
//! Generated from the hook catalogue by `cargo xtask generate`: change the catalogue instead.

use std::fmt;

use crate::catalogue::Hook;
use crate::closures::{Closures, Reply, Told};
use crate::event::Event;
use crate::field::Field;
use crate::value::Value;
use crate::view;

/// A new set of plugins or a new configuration is live.
///
/// Notice `config_reloaded`.
#[derive(Clone, Copy)]
pub struct ConfigReloaded<'a> {
    event: &'a dyn Event,
}

impl<'a> ConfigReloaded<'a> {
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

    /// Number of the plugin set, one more at every reload.
    #[must_use]
    pub fn generation(&self) -> u64 {
        view::number(self.get(Field::Generation))
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

impl fmt::Debug for ConfigReloaded<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields = Hook::ConfigReloaded.spec().field_set();
        view::debug("ConfigReloaded", self.event(), fields, out)
    }
}

impl Closures {
    /// Answers `config_reloaded`. A new set of plugins or a new configuration is live.
    #[must_use]
    pub fn on_config_reloaded<R>(
        self,
        closure: impl Fn(ConfigReloaded<'_>) -> R + Send + Sync + 'static,
    ) -> Self
    where
        R: Reply<Told>,
    {
        self.on(Hook::ConfigReloaded, move |event| {
            let event = ConfigReloaded::new(event);
            closure(event).reply()
        })
    }
}

//! What happened, as a plugin sees it: fields by name, made only when asked for.

use crate::catalogue::Hook;
use crate::field::Field;
use crate::value::{Owned, Value};

/// One occurrence of a hook. Valid for one call; a runtime that needs it longer copies what it reads.
pub trait Event {
    /// Which hook this is.
    fn hook(&self) -> Hook;

    /// The value of a field; [`Value::Nil`] when absent, or when the hook does not have the field.
    fn get(&self, field: Field) -> Value<'_>;

    /// How many plugins' publishes led here: 0 for what came from outside. [`crate::Host::publish`] wants it back.
    fn depth(&self) -> u8 {
        0
    }
}

/// An event made of owned values: for tests of plugins, for recordings, and for what a runtime must keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRecord {
    hook: Hook,
    depth: u8,
    fields: Vec<(Field, Owned)>,
}

impl EventRecord {
    /// An event without any field set.
    #[must_use]
    pub const fn new(hook: Hook) -> Self {
        Self {
            hook,
            depth: 0,
            fields: Vec::new(),
        }
    }

    /// Sets a field.
    #[must_use]
    pub fn with(mut self, field: Field, value: impl Into<Owned>) -> Self {
        self.set(field, value.into());
        self
    }

    /// Sets a field.
    pub fn set(&mut self, field: Field, value: Owned) {
        self.fields.retain(|(name, _)| *name != field);
        self.fields.push((field, value));
    }

    /// Copies these fields of an event.
    #[must_use]
    pub fn copy_of(event: &dyn Event, fields: crate::FieldSet) -> Self {
        let fields = fields
            .iter()
            .filter_map(|field| match event.get(field).to_owned() {
                Owned::Nil => None,
                value => Some((field, value)),
            })
            .collect();
        Self {
            hook: event.hook(),
            depth: event.depth(),
            fields,
        }
    }
}

impl Event for EventRecord {
    fn hook(&self) -> Hook {
        self.hook
    }

    fn get(&self, field: Field) -> Value<'_> {
        self.fields
            .iter()
            .find(|(name, _)| *name == field)
            .map_or(Value::Nil, |(_, value)| value.as_value())
    }

    fn depth(&self) -> u8 {
        self.depth
    }
}

//! The engine as a whole, asked through its public names by plugins that follow a script.

mod combine;
mod failure;
mod keeping;
mod notice;
mod reload;

use std::sync::Arc;
use std::time::Duration;

use hookmq_plugin_api::{
    Answer, CallFuture, Event, EventRecord, Field, FieldSet, Hook, Listen, Owned, Plugin,
    PluginError, Value,
};

use super::{Registration, Subject};

type Handler = Box<dyn Fn(&dyn Event) -> Result<Answer, PluginError> + Send + Sync>;
type Awaiting = Box<dyn Fn(Arc<dyn Event + Send + Sync>) -> CallFuture + Send + Sync>;

/// A plugin that does what the test says.
pub(super) struct Scripted {
    listens: Vec<Listen>,
    handler: Handler,
    awaiting: Option<Awaiting>,
}

impl Scripted {
    /// Answers these hooks inline; it reads all of their fields.
    pub(super) fn new(
        hooks: &[Hook],
        handler: impl Fn(&dyn Event) -> Result<Answer, PluginError> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Self::reading(hooks, |hook| hook.spec().field_set(), handler)
    }

    /// Answers these hooks inline and reads these fields.
    pub(super) fn reading(
        hooks: &[Hook],
        fields: impl Fn(Hook) -> FieldSet,
        handler: impl Fn(&dyn Event) -> Result<Answer, PluginError> + Send + Sync + 'static,
    ) -> Arc<Self> {
        let listens = hooks.iter().map(|hook| Listen {
            hook: *hook,
            fields: fields(*hook),
            awaits: false,
        });
        Arc::new(Self {
            listens: listens.collect(),
            handler: Box::new(handler),
            awaiting: None,
        })
    }

    /// Answers one hook with a future.
    pub(super) fn awaiting(
        hook: Hook,
        awaiting: impl Fn(Arc<dyn Event + Send + Sync>) -> CallFuture + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            listens: vec![Listen {
                hook,
                fields: hook.spec().field_set(),
                awaits: true,
            }],
            handler: Box::new(|_| panic!("called inline")),
            awaiting: Some(Box::new(awaiting)),
        })
    }
}

impl Plugin for Scripted {
    fn listens(&self) -> &[Listen] {
        &self.listens
    }

    fn call(&self, event: &dyn Event, _: Duration) -> Result<Answer, PluginError> {
        (self.handler)(event)
    }

    fn call_awaiting(
        self: Arc<Self>,
        event: Arc<dyn Event + Send + Sync>,
        _: Duration,
    ) -> CallFuture {
        match &self.awaiting {
            Some(awaiting) => awaiting(event),
            None => {
                let answer = (self.handler)(event.as_ref());
                Box::pin(async { answer })
            }
        }
    }
}

pub(super) fn registered(name: &str, plugin: Arc<Scripted>) -> Registration {
    Registration::new(name, "scripted", plugin)
}

/// A subject that is a record. It never takes `retain = true`: the part of a broker that knows better than the catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sheet(EventRecord);

impl Sheet {
    pub(super) fn new(hook: Hook) -> Self {
        Self(
            EventRecord::new(hook)
                .with(Field::ClientId, "client")
                .with(Field::Topic, "a/b")
                .with(Field::Payload, b"payload".as_slice())
                .with(Field::Qos, 1)
                .with(Field::Retain, false),
        )
    }

    pub(super) fn integer(&self, field: Field) -> Option<i64> {
        self.0.get(field).as_integer()
    }

    pub(super) fn text(&self, field: Field) -> Option<&str> {
        self.0.get(field).as_text()
    }
}

impl Subject for Sheet {
    fn event(&self) -> &dyn Event {
        &self.0
    }

    fn apply(&mut self, changes: &[(Field, Owned)]) -> Result<(), String> {
        if changes.contains(&(Field::Retain, Owned::Bool(true))) {
            return Err("retain is not available".into());
        }
        for (field, value) in changes {
            self.0.set(*field, value.clone());
        }
        Ok(())
    }
}

pub(super) fn integer(event: &dyn Event, field: Field) -> i64 {
    match event.get(field) {
        Value::Integer(number) => number,
        _ => -1,
    }
}

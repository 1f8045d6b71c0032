//! `load_retained`, typed.
//!
//! Generated from the hook catalogue by `cargo xtask generate`: change the catalogue instead.

use std::fmt;
use std::marker::PhantomData;

use crate::answer::Answer;
use crate::catalogue::Hook;
use crate::closures::{Closures, Reply, TypedAnswer};
use crate::event::Event;
use crate::field::Field;
use crate::typed::records::MessageRecord;
use crate::value::{Owned, Value};
use crate::view::{self, EventRef, SharedEvent};

/// At start, before listeners are bound, when what the store has is restored; `n_messages` are retained by then.
///
/// Supply `load_retained`; may await; a failure counts as pass.
#[derive(Clone, Copy)]
pub struct LoadRetained<'a, E = &'a dyn Event> {
    event: E,
    life: PhantomData<&'a ()>,
}

/// [`LoadRetained`] for a handler that awaits: it holds its event.
pub type SharedLoadRetained = LoadRetained<'static, SharedEvent>;

impl<'a> LoadRetained<'a> {
    /// The view of an event of this hook; of another hook's event it sees what the two share.
    #[must_use]
    pub const fn new(event: &'a dyn Event) -> Self {
        Self {
            event,
            life: PhantomData,
        }
    }
}

impl SharedLoadRetained {
    /// The view of an event of this hook; of another hook's event it sees what the two share.
    #[must_use]
    pub const fn shared(event: SharedEvent) -> Self {
        Self {
            event,
            life: PhantomData,
        }
    }
}

impl<E: EventRef> LoadRetained<'_, E> {
    /// The event as all runtimes see it.
    #[must_use]
    pub fn event(&self) -> &dyn Event {
        self.event.event()
    }

    /// How many messages.
    #[must_use]
    pub fn n_messages(&self) -> u64 {
        view::number(self.get(Field::NMessages))
    }

    fn get(&self, field: Field) -> Value<'_> {
        self.event.event().get(field)
    }
}

impl<E: EventRef> fmt::Debug for LoadRetained<'_, E> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields = Hook::LoadRetained.spec().field_set();
        view::debug("LoadRetained", self.event(), fields, out)
    }
}

/// What a handler of `load_retained` may answer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct LoadRetainedAnswer(Answer);

impl LoadRetainedAnswer {
    /// No opinion, maybe with changes.
    pub const fn pass() -> Self {
        Self(Answer::PASS)
    }

    /// Changes `messages`. Messages, oldest first; those of an answer are added to what is there.
    pub fn messages(self, value: impl IntoIterator<Item = MessageRecord>) -> Self {
        self.with(Field::Messages, view::owned_records(value))
    }

    fn with(self, field: Field, value: Owned) -> Self {
        Self(view::changed(self.0, field, value))
    }
}

impl From<LoadRetainedAnswer> for Answer {
    fn from(answer: LoadRetainedAnswer) -> Self {
        answer.0
    }
}

impl TypedAnswer for LoadRetainedAnswer {}

impl Closures {
    /// Answers `load_retained`. At start, before listeners are bound, when what the store has is restored; `n_messages` are retained by then.
    #[must_use]
    pub fn on_load_retained<R>(
        self,
        closure: impl Fn(LoadRetained<'_>) -> R + Send + Sync + 'static,
    ) -> Self
    where
        R: Reply<LoadRetainedAnswer>,
    {
        self.on(Hook::LoadRetained, move |event| {
            let event = LoadRetained::new(event);
            closure(event).reply()
        })
    }

    /// Answers `load_retained` and may await meanwhile. At start, before listeners are bound, when what the store has is restored; `n_messages` are retained by then.
    #[must_use]
    pub fn on_async_load_retained<F>(
        self,
        closure: impl Fn(SharedLoadRetained) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output: Reply<LoadRetainedAnswer>> + Send + 'static,
    {
        let hook = Hook::LoadRetained;
        self.on_async::<LoadRetainedAnswer, _>(hook, move |event| {
            let event = LoadRetained::shared(event);
            closure(event)
        })
    }
}

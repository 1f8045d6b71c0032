//! Closures of an embedding program as a [`Plugin`]: the fourth runtime, with the same contract as the others.
//!
//! The methods `on_<hook>` and `on_async_<hook>` of [`Closures`] stand with their hooks in [`crate::typed`]. Closures are not
//! limited in time or memory as scripts are: whoever links the broker is trusted not to block. A panic is caught all the same.

use std::any::Any;
use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::answer::Answer;
use crate::catalogue::Hook;
use crate::error::{Cause, PluginError};
use crate::event::Event;
use crate::field::{Field, FieldSet};
use crate::plugin::{CallFuture, Listen, Plugin};
use crate::view::SharedEvent;

type Reaction = Result<Answer, PluginError>;
type Inline = Box<dyn Fn(&dyn Event) -> Reaction + Send + Sync>;
type Awaiting = Box<dyn Fn(SharedEvent) -> CallFuture + Send + Sync>;

/// A plugin made of closures, one per hook.
///
/// ```
/// use hookmq_plugin_api::Closures;
/// use hookmq_plugin_api::typed::{InterceptPublish, InterceptPublishAnswer, ValidateConnectionAnswer};
///
/// let plugin = Closures::new("rules")
///     .on_validate_connection(|event| match event.username() {
///         Some("operator") => ValidateConnectionAnswer::accept(),
///         _ => ValidateConnectionAnswer::deny(0x86, "operators only"),
///     })
///     .on_intercept_publish(|event: InterceptPublish<'_>| {
///         InterceptPublishAnswer::pass().topic(format!("site/{}", event.topic()))
///     })
///     .on_client_connected(|event| println!("{event:?}"));
/// # drop(plugin);
/// ```
///
/// A closure listens with all fields of its hook, unless [`Closures::reading`] says otherwise. A second closure for a hook takes the place of the first; two rules for one hook
/// are two plugins.
pub struct Closures {
    name: Box<str>,
    listens: Vec<Listen>,
    /// One per entry of `listens`, in the same order.
    handlers: Vec<Handler>,
}

enum Handler {
    Inline(Inline),
    Awaiting(Awaiting),
}

impl Closures {
    /// A plugin of this name that listens to nothing yet.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            listens: Vec::new(),
            handlers: Vec::new(),
        }
    }

    /// Its name, for logs and metrics.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Says what the closure for this hook reads, where it is not all: an answer that it lets the broker keep (see [`crate::Keep`])
    /// then holds for all events that are the same in these fields. To be called after the closure was given; one that awaits sees
    /// no other fields.
    #[must_use]
    pub fn reading(mut self, hook: Hook, fields: &[Field]) -> Self {
        for listen in self.listens.iter_mut().filter(|listen| listen.hook == hook) {
            listen.fields = FieldSet::of(fields);
        }
        self
    }

    pub(crate) fn on(
        self,
        hook: Hook,
        closure: impl Fn(&dyn Event) -> Reaction + Send + Sync + 'static,
    ) -> Self {
        self.with(hook, Handler::Inline(Box::new(closure)))
    }

    pub(crate) fn on_async<A: TypedAnswer, F>(
        self,
        hook: Hook,
        closure: impl Fn(SharedEvent) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output: Reply<A>> + Send + 'static,
    {
        let awaiting = move |event| -> CallFuture {
            let reply = closure(event);
            Box::pin(async move { reply.await.reply() })
        };
        self.with(hook, Handler::Awaiting(Box::new(awaiting)))
    }

    fn with(mut self, hook: Hook, handler: Handler) -> Self {
        let listen = Listen {
            hook,
            fields: hook.spec().field_set(),
            awaits: matches!(handler, Handler::Awaiting(_)),
        };
        let place = self.listens.iter().position(|known| known.hook == hook);
        if let Some(place) = place {
            self.listens.remove(place);
            self.handlers.remove(place);
        }
        self.listens.push(listen);
        self.handlers.push(handler);
        self
    }

    fn handler(&self, hook: Hook) -> Result<&Handler, PluginError> {
        self.listens
            .iter()
            .zip(&self.handlers)
            .find_map(|(listen, handler)| (listen.hook == hook).then_some(handler))
            .ok_or_else(|| self.unavailable(hook, "is not answered"))
    }

    fn unavailable(&self, hook: Hook, why: &str) -> PluginError {
        PluginError::new(
            Cause::Unavailable,
            format!("{}: {} {why}", self.name, hook.name()),
        )
    }
}

impl Plugin for Closures {
    fn listens(&self) -> &[Listen] {
        &self.listens
    }

    fn call(&self, event: &dyn Event, _budget: Duration) -> Reaction {
        let hook = event.hook();
        match self.handler(hook)? {
            Handler::Inline(closure) => {
                caught(&self.name, hook, || closure(event)).unwrap_or_else(Err)
            }
            Handler::Awaiting(_) => Err(self.unavailable(hook, "awaits, and was called inline")),
        }
    }

    fn call_awaiting(self: Arc<Self>, event: SharedEvent, budget: Duration) -> CallFuture {
        let hook = event.hook();
        let started = match self.handler(hook) {
            Ok(Handler::Awaiting(closure)) => caught(&self.name, hook, || closure(event)),
            Ok(Handler::Inline(_)) => {
                return Box::pin(async move { self.call(event.as_ref(), budget) });
            }
            Err(error) => Err(error),
        };
        Box::pin(async move {
            let future = started?;
            Caught {
                name: &self.name,
                hook,
                future,
            }
            .await
        })
    }
}

/// A future whose panics become errors.
struct Caught<'a> {
    name: &'a str,
    hook: Hook,
    future: CallFuture,
}

impl Future for Caught<'_> {
    type Output = Reaction;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Reaction> {
        let Self { name, hook, future } = &mut *self;
        match caught(name, *hook, || future.as_mut().poll(context)) {
            Ok(poll) => poll,
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}

/// Runs a closure and turns its panic into an error. What it left half done is the embedding program's own state, not ours.
fn caught<T>(name: &str, hook: Hook, run: impl FnOnce() -> T) -> Result<T, PluginError> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|panic| {
        PluginError::new(
            Cause::Panic,
            format!("{name}: {} panicked: {}", hook.name(), words_of(&*panic)),
        )
    })
}

fn words_of(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
}

/// An answer that offers just what the catalogue allows one hook; the generated `...Answer` types.
pub trait TypedAnswer: Into<Answer> {}

/// What a notice can answer: nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told;

impl TypedAnswer for Told {}

impl From<Told> for Answer {
    fn from(_: Told) -> Self {
        Self::PASS
    }
}

/// What a closure may return for a hook whose answer is `A`: the answer, nothing (which passes), or a `Result` of either, whose
/// error counts as [`Cause::Raised`].
pub trait Reply<A: TypedAnswer> {
    /// The answer in the form that the chain takes.
    ///
    /// # Errors
    /// What the closure returned as its error.
    fn reply(self) -> Result<Answer, PluginError>;
}

impl<A: TypedAnswer> Reply<A> for A {
    fn reply(self) -> Reaction {
        Ok(self.into())
    }
}

impl<A: TypedAnswer> Reply<A> for () {
    fn reply(self) -> Reaction {
        Ok(Answer::PASS)
    }
}

impl<A: TypedAnswer, E: Display> Reply<A> for Result<A, E> {
    fn reply(self) -> Reaction {
        self.map(A::into).map_err(raised)
    }
}

impl<A: TypedAnswer, E: Display> Reply<A> for Result<(), E> {
    fn reply(self) -> Reaction {
        self.map(|()| Answer::PASS).map_err(raised)
    }
}

fn raised(error: impl Display) -> PluginError {
    PluginError::new(Cause::Raised, error.to_string())
}

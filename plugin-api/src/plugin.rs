//! What a runtime implements to answer hooks.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crate::answer::Answer;
use crate::catalogue::Hook;
use crate::error::PluginError;
use crate::event::Event;
use crate::field::FieldSet;

/// One hook that a plugin answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// The hook.
    pub hook: Hook,
    /// The fields that the handler reads, known at load.
    pub fields: FieldSet,
    /// Whether the call may await; only where [`crate::HookSpec::awaits`] allows it.
    pub awaits: bool,
}

/// A future of one call. It owns all it needs, so that the client's own task can await it.
pub type CallFuture = Pin<Box<dyn Future<Output = Result<Answer, PluginError>> + Send>>;

/// One loaded plugin of any runtime. Shared by all workers; what is not thread safe inside is kept per thread by the runtime.
pub trait Plugin: Send + Sync + 'static {
    /// The hooks it answers, fixed at load.
    fn listens(&self) -> &[Listen];

    /// Answers an event inline, within `budget`.
    ///
    /// # Errors
    /// Any failure, time and memory limits included. A runtime never panics and never takes much longer than `budget`.
    fn call(&self, event: &dyn Event, budget: Duration) -> Result<Answer, PluginError>;

    /// Answers an event and may await meanwhile. Called instead of [`Plugin::call`] for what [`Listen::awaits`].
    fn call_awaiting(
        self: Arc<Self>,
        event: Arc<dyn Event + Send + Sync>,
        budget: Duration,
    ) -> CallFuture {
        Box::pin(async move { self.call(event.as_ref(), budget) })
    }
}

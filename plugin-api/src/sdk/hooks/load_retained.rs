//! `load_retained` in a plugin.
//!
//! Generated from the hook catalogue by `cargo xtask generate`: change the catalogue instead.

use crate::answer::Answer;
use crate::catalogue::Hook;
use crate::closures::Reply;
use crate::error::PluginError;
use crate::event::Event;
use crate::typed::{LoadRetained as View, LoadRetainedAnswer as Answered};

/// Answers `load_retained`. At start, before listeners are bound, when what the store has is restored; `n_messages` are retained by then.
pub trait OnLoadRetained<R: Reply<Answered> = Answered> {
    /// At start, before listeners are bound, when what the store has is restored; `n_messages` are retained by then.
    fn load_retained(&self, event: View<'_>) -> R;
}

/// The hook.
pub const HOOK: Hook = Hook::LoadRetained;

/// Calls the handler.
///
/// # Errors
/// Its own.
pub fn call<P, R>(plugin: &P, event: &dyn Event) -> Result<Answer, PluginError>
where
    P: OnLoadRetained<R>,
    R: Reply<Answered>,
{
    plugin.load_retained(View::new(event)).reply()
}

/// The fields of the hook, as `export!` names them.
#[expect(non_upper_case_globals, reason = "they have the names of their fields")]
pub mod fields {
    use crate::field::Field;

    /// How many messages.
    pub const n_messages: Field = Field::NMessages;
}

//! `retained_cleared` in a plugin.
//!
//! Generated from the hook catalogue by `cargo xtask generate`: change the catalogue instead.

use crate::answer::Answer;
use crate::catalogue::Hook;
use crate::closures::{Reply, Told as Answered};
use crate::error::PluginError;
use crate::event::Event;
use crate::typed::RetainedCleared as View;

/// Answers `retained_cleared`. All retained messages were removed at once.
pub trait OnRetainedCleared<R: Reply<Answered> = ()> {
    /// All retained messages were removed at once.
    fn retained_cleared(&self, event: View<'_>) -> R;
}

/// The hook.
pub const HOOK: Hook = Hook::RetainedCleared;

/// Calls the handler.
///
/// # Errors
/// Its own.
pub fn call<P, R>(plugin: &P, event: &dyn Event) -> Result<Answer, PluginError>
where
    P: OnRetainedCleared<R>,
    R: Reply<Answered>,
{
    plugin.retained_cleared(View::new(event)).reply()
}

/// The fields of the hook, as `export!` names them.
#[expect(non_upper_case_globals, reason = "they have the names of their fields")]
pub mod fields {
    use crate::field::Field;

    /// How many messages.
    pub const n_messages: Field = Field::NMessages;

    /// Counts the notices about one client that this plugin is told, from 1; a gap means that some were lost to a full queue. Notices about the broker count for themselves.
    pub const sequence: Field = Field::Sequence;

    /// Milliseconds since 1970-01-01 UTC.
    pub const timestamp: Field = Field::Timestamp;
}

//! `config_reloaded` in a plugin.
//!
//! Generated from the hook catalogue by `cargo xtask generate`: change the catalogue instead.

use crate::answer::Answer;
use crate::catalogue::Hook;
use crate::closures::{Reply, Told as Answered};
use crate::error::PluginError;
use crate::event::Event;
use crate::typed::ConfigReloaded as View;

/// Answers `config_reloaded`. A new set of plugins or a new configuration is live.
pub trait OnConfigReloaded<R: Reply<Answered> = ()> {
    /// A new set of plugins or a new configuration is live.
    fn config_reloaded(&self, event: View<'_>) -> R;
}

/// The hook.
pub const HOOK: Hook = Hook::ConfigReloaded;

/// Calls the handler.
///
/// # Errors
/// Its own.
pub fn call<P, R>(plugin: &P, event: &dyn Event) -> Result<Answer, PluginError>
where
    P: OnConfigReloaded<R>,
    R: Reply<Answered>,
{
    plugin.config_reloaded(View::new(event)).reply()
}

/// The fields of the hook, as `export!` names them.
#[expect(non_upper_case_globals, reason = "they have the names of their fields")]
pub mod fields {
    use crate::field::Field;

    /// Number of the plugin set, one more at every reload.
    pub const generation: Field = Field::Generation;

    /// Counts the notices about one client that this plugin is told, from 1; a gap means that some were lost to a full queue. Notices about the broker count for themselves.
    pub const sequence: Field = Field::Sequence;

    /// Milliseconds since 1970-01-01 UTC.
    pub const timestamp: Field = Field::Timestamp;
}

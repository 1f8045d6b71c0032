//! `session_offline` in a plugin.
//!
//! Generated from the hook catalogue by `cargo xtask generate`: change the catalogue instead.

use crate::answer::Answer;
use crate::catalogue::Hook;
use crate::closures::{Reply, Told as Answered};
use crate::error::PluginError;
use crate::event::Event;
use crate::typed::SessionOffline as View;

/// Answers `session_offline`. The Network Connection is gone and the Session stays.
pub trait OnSessionOffline<R: Reply<Answered> = ()> {
    /// The Network Connection is gone and the Session stays.
    fn session_offline(&self, event: View<'_>) -> R;
}

/// The hook.
pub const HOOK: Hook = Hook::SessionOffline;

/// Calls the handler.
///
/// # Errors
/// Its own.
pub fn call<P, R>(plugin: &P, event: &dyn Event) -> Result<Answer, PluginError>
where
    P: OnSessionOffline<R>,
    R: Reply<Answered>,
{
    plugin.session_offline(View::new(event)).reply()
}

/// The fields of the hook, as `export!` names them.
#[expect(non_upper_case_globals, reason = "they have the names of their fields")]
pub mod fields {
    use crate::field::Field;

    /// Client Identifier of the client that this is about; absent for what no client caused.
    pub const client_id: Field = Field::ClientId;

    /// Username that the client sent in CONNECT.
    pub const username: Field = Field::Username;

    /// Seconds that the Session outlives its Network Connection; 0 ends with it, 4 294 967 295 never ends.
    pub const session_expiry_interval: Field = Field::SessionExpiryInterval;

    /// Messages that wait in the Session.
    pub const n_queued: Field = Field::NQueued;

    /// Subscriptions that the Session holds.
    pub const n_subscriptions: Field = Field::NSubscriptions;

    /// Counts the notices about one client that this plugin is told, from 1; a gap means that some were lost to a full queue. Notices about the broker count for themselves.
    pub const sequence: Field = Field::Sequence;

    /// Milliseconds since 1970-01-01 UTC.
    pub const timestamp: Field = Field::Timestamp;
}

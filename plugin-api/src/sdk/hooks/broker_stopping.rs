//! `broker_stopping` in a plugin.
//!
//! Generated from the hook catalogue by `cargo xtask generate`: change the catalogue instead.

use crate::answer::Answer;
use crate::catalogue::Hook;
use crate::closures::{Reply, Told as Answered};
use crate::error::PluginError;
use crate::event::Event;
use crate::typed::BrokerStopping as View;

/// Answers `broker_stopping`. A stop was asked for; clients are being disconnected, and nothing can be published any more.
pub trait OnBrokerStopping<R: Reply<Answered> = ()> {
    /// A stop was asked for; clients are being disconnected, and nothing can be published any more.
    fn broker_stopping(&self, event: View<'_>) -> R;
}

/// The hook.
pub const HOOK: Hook = Hook::BrokerStopping;

/// Calls the handler.
///
/// # Errors
/// Its own.
pub fn call<P, R>(plugin: &P, event: &dyn Event) -> Result<Answer, PluginError>
where
    P: OnBrokerStopping<R>,
    R: Reply<Answered>,
{
    plugin.broker_stopping(View::new(event)).reply()
}

/// The fields of the hook, as `export!` names them.
#[expect(non_upper_case_globals, reason = "they have the names of their fields")]
pub mod fields {
    use crate::field::Field;

    /// Remote address of the client, `ip:port`; for `broker_...` hooks the first listener's bound address.
    pub const endpoint: Field = Field::Endpoint;

    /// Counts the notices about one client that this plugin is told, from 1; a gap means that some were lost to a full queue. Notices about the broker count for themselves.
    pub const sequence: Field = Field::Sequence;

    /// Milliseconds since 1970-01-01 UTC.
    pub const timestamp: Field = Field::Timestamp;
}

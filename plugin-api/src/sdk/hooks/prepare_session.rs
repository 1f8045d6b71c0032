//! `prepare_session` in a plugin.
//!
//! Generated from the hook catalogue by `cargo xtask generate`: change the catalogue instead.

use crate::answer::Answer;
use crate::catalogue::Hook;
use crate::closures::Reply;
use crate::error::PluginError;
use crate::event::Event;
use crate::typed::{PrepareSession as View, PrepareSessionAnswer as Answered};

/// Answers `prepare_session`. The connection is allowed; its Session is about to be created or resumed.
pub trait OnPrepareSession<R: Reply<Answered> = Answered> {
    /// The connection is allowed; its Session is about to be created or resumed.
    fn prepare_session(&self, event: View<'_>) -> R;
}

/// The hook.
pub const HOOK: Hook = Hook::PrepareSession;

/// Calls the handler.
///
/// # Errors
/// Its own.
pub fn call<P, R>(plugin: &P, event: &dyn Event) -> Result<Answer, PluginError>
where
    P: OnPrepareSession<R>,
    R: Reply<Answered>,
{
    plugin.prepare_session(View::new(event)).reply()
}

/// The fields of the hook, as `export!` names them.
#[expect(non_upper_case_globals, reason = "they have the names of their fields")]
pub mod fields {
    use crate::field::Field;

    /// Whether the Session existed before this CONNECT.
    pub const session_present: Field = Field::SessionPresent;

    /// Seconds that the Session outlives its Network Connection; 0 ends with it, 4 294 967 295 never ends.
    pub const session_expiry_interval: Field = Field::SessionExpiryInterval;

    /// Seconds between the end of the Network Connection and the Will Message.
    pub const will_delay_interval: Field = Field::WillDelayInterval;

    /// Messages that wait in the Session.
    pub const n_queued: Field = Field::NQueued;

    /// Subscriptions of the Session.
    pub const subscriptions: Field = Field::Subscriptions;

    /// Client Identifier of the client that this is about; absent for what no client caused.
    pub const client_id: Field = Field::ClientId;

    /// Username that the client sent in CONNECT.
    pub const username: Field = Field::Username;

    /// Remote address of the client, `ip:port`; for `broker_...` hooks the first listener's bound address.
    pub const endpoint: Field = Field::Endpoint;

    /// Name of the listener that accepted the connection.
    pub const listener: Field = Field::Listener;

    /// 4 for MQTT 3.1.1, 5 for MQTT 5.0.
    pub const protocol_version: Field = Field::ProtocolVersion;
}

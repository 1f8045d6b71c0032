//! `client_connected` in a plugin.
//!
//! Generated from the hook catalogue by `cargo xtask generate`: change the catalogue instead.

use crate::answer::Answer;
use crate::catalogue::Hook;
use crate::closures::{Reply, Told as Answered};
use crate::error::PluginError;
use crate::event::Event;
use crate::typed::ClientConnected as View;

/// Answers `client_connected`. CONNACK was sent.
pub trait OnClientConnected<R: Reply<Answered> = ()> {
    /// CONNACK was sent.
    fn client_connected(&self, event: View<'_>) -> R;
}

/// The hook.
pub const HOOK: Hook = Hook::ClientConnected;

/// Calls the handler.
///
/// # Errors
/// Its own.
pub fn call<P, R>(plugin: &P, event: &dyn Event) -> Result<Answer, PluginError>
where
    P: OnClientConnected<R>,
    R: Reply<Answered>,
{
    plugin.client_connected(View::new(event)).reply()
}

/// The fields of the hook, as `export!` names them.
#[expect(non_upper_case_globals, reason = "they have the names of their fields")]
pub mod fields {
    use crate::field::Field;

    /// Whether the Session existed before this CONNECT.
    pub const session_present: Field = Field::SessionPresent;

    /// Clean Start (3.1.1: Clean Session).
    pub const clean_start: Field = Field::CleanStart;

    /// Keep Alive in seconds, 0 to 65 535; 0 is off. Where it may be changed: sent as Server Keep Alive.
    pub const keep_alive: Field = Field::KeepAlive;

    /// Seconds that the Session outlives its Network Connection; 0 ends with it, 4 294 967 295 never ends.
    pub const session_expiry_interval: Field = Field::SessionExpiryInterval;

    /// User Properties of the packet or message, in order; names may repeat.
    pub const user_properties: Field = Field::UserProperties;

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

    /// Counts the notices about one client that this plugin is told, from 1; a gap means that some were lost to a full queue. Notices about the broker count for themselves.
    pub const sequence: Field = Field::Sequence;

    /// Milliseconds since 1970-01-01 UTC.
    pub const timestamp: Field = Field::Timestamp;
}

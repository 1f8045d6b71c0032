//! `authorize_publish` in a plugin.
//!
//! Generated from the hook catalogue by `cargo xtask generate`: change the catalogue instead.

use crate::answer::Answer;
use crate::catalogue::Hook;
use crate::closures::Reply;
use crate::error::PluginError;
use crate::event::Event;
use crate::typed::{AuthorizePublish as View, AuthorizePublishAnswer as Answered};

/// Answers `authorize_publish`. After intercept_publish, on the final message; wills too.
pub trait OnAuthorizePublish<R: Reply<Answered> = Answered> {
    /// After intercept_publish, on the final message; wills too.
    fn authorize_publish(&self, event: View<'_>) -> R;
}

/// The hook.
pub const HOOK: Hook = Hook::AuthorizePublish;

/// Calls the handler.
///
/// # Errors
/// Its own.
pub fn call<P, R>(plugin: &P, event: &dyn Event) -> Result<Answer, PluginError>
where
    P: OnAuthorizePublish<R>,
    R: Reply<Answered>,
{
    plugin.authorize_publish(View::new(event)).reply()
}

/// The fields of the hook, as `export!` names them.
#[expect(non_upper_case_globals, reason = "they have the names of their fields")]
pub mod fields {
    use crate::field::Field;

    /// Topic Name.
    pub const topic: Field = Field::Topic;

    /// Length of the payload in bytes.
    pub const payload_size: Field = Field::PayloadSize;

    /// QoS of the message or of the subscription: 0, 1 or 2.
    pub const qos: Field = Field::Qos;

    /// RETAIN flag.
    pub const retain: Field = Field::Retain;

    /// Where the message comes from: `client`, `will`, `plugin`, `broker` or, on its way to a new subscriber, `retained`.
    pub const source: Field = Field::Source;

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

//! `intercept_unsubscription` in a plugin.
//!
//! Generated from the hook catalogue by `cargo xtask generate`: change the catalogue instead.

use crate::answer::Answer;
use crate::catalogue::Hook;
use crate::closures::Reply;
use crate::error::PluginError;
use crate::event::Event;
use crate::typed::{InterceptUnsubscription as View, InterceptUnsubscriptionAnswer as Answered};

/// Answers `intercept_unsubscription`. Once per Topic Filter of an UNSUBSCRIBE, in the packet's order.
pub trait OnInterceptUnsubscription<R: Reply<Answered> = Answered> {
    /// Once per Topic Filter of an UNSUBSCRIBE, in the packet's order.
    fn intercept_unsubscription(&self, event: View<'_>) -> R;
}

/// The hook.
pub const HOOK: Hook = Hook::InterceptUnsubscription;

/// Calls the handler.
///
/// # Errors
/// Its own.
pub fn call<P, R>(plugin: &P, event: &dyn Event) -> Result<Answer, PluginError>
where
    P: OnInterceptUnsubscription<R>,
    R: Reply<Answered>,
{
    plugin.intercept_unsubscription(View::new(event)).reply()
}

/// The fields of the hook, as `export!` names them.
#[expect(non_upper_case_globals, reason = "they have the names of their fields")]
pub mod fields {
    use crate::field::Field;

    /// Topic Filter as the client sent it, `$share/{ShareName}/` included.
    pub const topic_filter: Field = Field::TopicFilter;

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
}

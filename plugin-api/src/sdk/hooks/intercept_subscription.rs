//! `intercept_subscription` in a plugin.
//!
//! Generated from the hook catalogue by `cargo xtask generate`: change the catalogue instead.

use crate::answer::Answer;
use crate::catalogue::Hook;
use crate::closures::Reply;
use crate::error::PluginError;
use crate::event::Event;
use crate::typed::{InterceptSubscription as View, InterceptSubscriptionAnswer as Answered};

/// Answers `intercept_subscription`. Once per Topic Filter of a SUBSCRIBE, in the packet's order, Shared Subscriptions too.
pub trait OnInterceptSubscription<R: Reply<Answered> = Answered> {
    /// Once per Topic Filter of a SUBSCRIBE, in the packet's order, Shared Subscriptions too.
    fn intercept_subscription(&self, event: View<'_>) -> R;
}

/// The hook.
pub const HOOK: Hook = Hook::InterceptSubscription;

/// Calls the handler.
///
/// # Errors
/// Its own.
pub fn call<P, R>(plugin: &P, event: &dyn Event) -> Result<Answer, PluginError>
where
    P: OnInterceptSubscription<R>,
    R: Reply<Answered>,
{
    plugin.intercept_subscription(View::new(event)).reply()
}

/// The fields of the hook, as `export!` names them.
#[expect(non_upper_case_globals, reason = "they have the names of their fields")]
pub mod fields {
    use crate::field::Field;

    /// User Properties of the packet or message, in order; names may repeat.
    pub const user_properties: Field = Field::UserProperties;

    /// Topic Filter as the client sent it, `$share/{ShareName}/` included.
    pub const topic_filter: Field = Field::TopicFilter;

    /// Share Name of a Shared Subscription.
    pub const share_name: Field = Field::ShareName;

    /// QoS of the message or of the subscription: 0, 1 or 2.
    pub const qos: Field = Field::Qos;

    /// No Local: do not send the client its own messages.
    pub const no_local: Field = Field::NoLocal;

    /// Retain As Published: keep the RETAIN flag.
    pub const retain_as_published: Field = Field::RetainAsPublished;

    /// Retain Handling: 0 send retained messages, 1 only for a new subscription, 2 never.
    pub const retain_handling: Field = Field::RetainHandling;

    /// Subscription Identifier, 1 to 268 435 455.
    pub const subscription_identifier: Field = Field::SubscriptionIdentifier;

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

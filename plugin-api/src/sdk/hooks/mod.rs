//! A module per hook, with the trait of its handler and its fields.
//!
//! Generated from the hook catalogue by `cargo xtask generate`: change the catalogue instead.

pub mod authorize_publish;
pub mod authorize_subscribe;
pub mod broker_started;
pub mod broker_stopped;
pub mod broker_stopping;
pub mod client_connected;
pub mod client_disconnected;
pub mod client_subscribed;
pub mod client_unsubscribed;
pub mod config_reloaded;
pub mod intercept_delivery;
pub mod intercept_enqueue;
pub mod intercept_inbound_packet;
pub mod intercept_outbound_packet;
pub mod intercept_publish;
pub mod intercept_subscription;
pub mod intercept_unsubscription;
pub mod intercept_will;
pub mod load_retained;
pub mod message_acknowledged;
pub mod message_dropped;
pub mod message_enqueued;
pub mod message_expired;
pub mod message_not_consumed;
pub mod message_overwritten;
pub mod prepare_session;
pub mod retained_changed;
pub mod retained_cleared;
pub mod session_created;
pub mod session_deleted;
pub mod session_expired;
pub mod session_offline;
pub mod session_resumed;
pub mod session_taken_over;
pub mod validate_connection;

/// The traits of all hooks.
pub mod on {
    pub use super::authorize_publish::OnAuthorizePublish;
    pub use super::authorize_subscribe::OnAuthorizeSubscribe;
    pub use super::broker_started::OnBrokerStarted;
    pub use super::broker_stopped::OnBrokerStopped;
    pub use super::broker_stopping::OnBrokerStopping;
    pub use super::client_connected::OnClientConnected;
    pub use super::client_disconnected::OnClientDisconnected;
    pub use super::client_subscribed::OnClientSubscribed;
    pub use super::client_unsubscribed::OnClientUnsubscribed;
    pub use super::config_reloaded::OnConfigReloaded;
    pub use super::intercept_delivery::OnInterceptDelivery;
    pub use super::intercept_enqueue::OnInterceptEnqueue;
    pub use super::intercept_inbound_packet::OnInterceptInboundPacket;
    pub use super::intercept_outbound_packet::OnInterceptOutboundPacket;
    pub use super::intercept_publish::OnInterceptPublish;
    pub use super::intercept_subscription::OnInterceptSubscription;
    pub use super::intercept_unsubscription::OnInterceptUnsubscription;
    pub use super::intercept_will::OnInterceptWill;
    pub use super::load_retained::OnLoadRetained;
    pub use super::message_acknowledged::OnMessageAcknowledged;
    pub use super::message_dropped::OnMessageDropped;
    pub use super::message_enqueued::OnMessageEnqueued;
    pub use super::message_expired::OnMessageExpired;
    pub use super::message_not_consumed::OnMessageNotConsumed;
    pub use super::message_overwritten::OnMessageOverwritten;
    pub use super::prepare_session::OnPrepareSession;
    pub use super::retained_changed::OnRetainedChanged;
    pub use super::retained_cleared::OnRetainedCleared;
    pub use super::session_created::OnSessionCreated;
    pub use super::session_deleted::OnSessionDeleted;
    pub use super::session_expired::OnSessionExpired;
    pub use super::session_offline::OnSessionOffline;
    pub use super::session_resumed::OnSessionResumed;
    pub use super::session_taken_over::OnSessionTakenOver;
    pub use super::validate_connection::OnValidateConnection;
}

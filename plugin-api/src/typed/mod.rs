//! Every hook as Rust types: a view with an accessor per field of the hook, and an answer with just the verdicts and changes that
//! the hook allows. What the catalogue forbids does not compile:
//!
//! ```
//! use hookmq_plugin_api::typed::{AuthorizePublishAnswer, InterceptPublishAnswer};
//!
//! let _ = InterceptPublishAnswer::consume();
//! let _ = AuthorizePublishAnswer::accept().retain(false);
//! ```
//!
//! ```compile_fail
//! // A gate has no `consume`.
//! let _ = hookmq_plugin_api::typed::AuthorizePublishAnswer::consume();
//! ```
//!
//! ```compile_fail
//! // Rights are judged on the final topic, so it cannot change any more.
//! let _ = hookmq_plugin_api::typed::AuthorizePublishAnswer::accept().topic("elsewhere");
//! ```
//!
//! The `on_<hook>` methods of [`Closures`](crate::Closures) stand in the modules of their hooks.
//!
//! Generated from the hook catalogue by `cargo xtask generate`: change the catalogue instead.

mod authorize_publish;
mod authorize_subscribe;
mod broker_started;
mod broker_stopped;
mod broker_stopping;
mod client_connected;
mod client_disconnected;
mod client_subscribed;
mod client_unsubscribed;
mod config_reloaded;
mod intercept_delivery;
mod intercept_enqueue;
mod intercept_inbound_packet;
mod intercept_outbound_packet;
mod intercept_publish;
mod intercept_subscription;
mod intercept_unsubscription;
mod intercept_will;
mod load_retained;
mod message_acknowledged;
mod message_dropped;
mod message_enqueued;
mod message_expired;
mod message_not_consumed;
mod message_overwritten;
mod prepare_session;
mod records;
mod retained_changed;
mod retained_cleared;
mod session_created;
mod session_deleted;
mod session_expired;
mod session_offline;
mod session_resumed;
mod session_taken_over;
mod validate_connection;

pub use authorize_publish::{AuthorizePublish, AuthorizePublishAnswer, SharedAuthorizePublish};
pub use authorize_subscribe::{
    AuthorizeSubscribe, AuthorizeSubscribeAnswer, SharedAuthorizeSubscribe,
};
pub use broker_started::BrokerStarted;
pub use broker_stopped::BrokerStopped;
pub use broker_stopping::BrokerStopping;
pub use client_connected::ClientConnected;
pub use client_disconnected::ClientDisconnected;
pub use client_subscribed::ClientSubscribed;
pub use client_unsubscribed::ClientUnsubscribed;
pub use config_reloaded::ConfigReloaded;
pub use intercept_delivery::{InterceptDelivery, InterceptDeliveryAnswer};
pub use intercept_enqueue::{InterceptEnqueue, InterceptEnqueueAnswer};
pub use intercept_inbound_packet::{InterceptInboundPacket, InterceptInboundPacketAnswer};
pub use intercept_outbound_packet::{InterceptOutboundPacket, InterceptOutboundPacketAnswer};
pub use intercept_publish::{InterceptPublish, InterceptPublishAnswer, SharedInterceptPublish};
pub use intercept_subscription::{
    InterceptSubscription, InterceptSubscriptionAnswer, SharedInterceptSubscription,
};
pub use intercept_unsubscription::{
    InterceptUnsubscription, InterceptUnsubscriptionAnswer, SharedInterceptUnsubscription,
};
pub use intercept_will::{InterceptWill, InterceptWillAnswer, SharedInterceptWill};
pub use load_retained::{LoadRetained, LoadRetainedAnswer, SharedLoadRetained};
pub use message_acknowledged::MessageAcknowledged;
pub use message_dropped::MessageDropped;
pub use message_enqueued::MessageEnqueued;
pub use message_expired::MessageExpired;
pub use message_not_consumed::MessageNotConsumed;
pub use message_overwritten::MessageOverwritten;
pub use prepare_session::{PrepareSession, PrepareSessionAnswer, SharedPrepareSession};
pub use records::{MessageRecord, SubscriptionRecord};
pub use retained_changed::RetainedChanged;
pub use retained_cleared::RetainedCleared;
pub use session_created::SessionCreated;
pub use session_deleted::SessionDeleted;
pub use session_expired::SessionExpired;
pub use session_offline::SessionOffline;
pub use session_resumed::SessionResumed;
pub use session_taken_over::SessionTakenOver;
pub use validate_connection::{
    SharedValidateConnection, ValidateConnection, ValidateConnectionAnswer,
};

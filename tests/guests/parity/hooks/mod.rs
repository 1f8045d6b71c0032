//! The policy's handlers, one module per hook.
//!
//! Generated from the hook catalogue by `cargo xtask generate`: change the catalogue instead.

pub(crate) mod authorize_publish;
pub(crate) mod authorize_subscribe;
pub(crate) mod broker_started;
pub(crate) mod broker_stopped;
pub(crate) mod broker_stopping;
pub(crate) mod client_connected;
pub(crate) mod client_disconnected;
pub(crate) mod client_subscribed;
pub(crate) mod client_unsubscribed;
pub(crate) mod config_reloaded;
pub(crate) mod intercept_delivery;
pub(crate) mod intercept_enqueue;
pub(crate) mod intercept_inbound_packet;
pub(crate) mod intercept_outbound_packet;
pub(crate) mod intercept_publish;
pub(crate) mod intercept_subscription;
pub(crate) mod intercept_unsubscription;
pub(crate) mod intercept_will;
pub(crate) mod load_retained;
pub(crate) mod message_acknowledged;
pub(crate) mod message_dropped;
pub(crate) mod message_enqueued;
pub(crate) mod message_expired;
pub(crate) mod message_not_consumed;
pub(crate) mod message_overwritten;
pub(crate) mod prepare_session;
pub(crate) mod retained_changed;
pub(crate) mod retained_cleared;
pub(crate) mod session_created;
pub(crate) mod session_deleted;
pub(crate) mod session_expired;
pub(crate) mod session_offline;
pub(crate) mod session_resumed;
pub(crate) mod session_taken_over;
pub(crate) mod validate_connection;

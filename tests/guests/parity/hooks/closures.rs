//! The policy as closures.
//!
//! Generated from the hook catalogue by `cargo xtask generate`: change the catalogue instead.

use std::sync::Arc;

use hookmq_plugin_api::Closures;

use crate::policy::{Edge, hooks};

macro_rules! answered {
    ($edge:ident: $($hook:ident $on:ident)*) => {{
        let closures = Closures::new("policy");
        $(
            let own = Arc::clone($edge);
            let closures = closures.$on(move |event| hooks::$hook::handle(&*own, &event));
        )*
        closures
    }};
}

/// All hooks, answered over this edge.
pub(crate) fn closures<E>(edge: &Arc<E>) -> Closures
where
    E: Edge + Send + Sync + 'static,
{
    answered! { edge:
        authorize_publish on_authorize_publish
        authorize_subscribe on_authorize_subscribe
        broker_started on_broker_started
        broker_stopped on_broker_stopped
        broker_stopping on_broker_stopping
        client_connected on_client_connected
        client_disconnected on_client_disconnected
        client_subscribed on_client_subscribed
        client_unsubscribed on_client_unsubscribed
        config_reloaded on_config_reloaded
        intercept_delivery on_intercept_delivery
        intercept_enqueue on_intercept_enqueue
        intercept_inbound_packet on_intercept_inbound_packet
        intercept_outbound_packet on_intercept_outbound_packet
        intercept_publish on_intercept_publish
        intercept_subscription on_intercept_subscription
        intercept_unsubscription on_intercept_unsubscription
        intercept_will on_intercept_will
        load_retained on_load_retained
        message_acknowledged on_message_acknowledged
        message_dropped on_message_dropped
        message_enqueued on_message_enqueued
        message_expired on_message_expired
        message_not_consumed on_message_not_consumed
        message_overwritten on_message_overwritten
        prepare_session on_prepare_session
        retained_changed on_retained_changed
        retained_cleared on_retained_cleared
        session_created on_session_created
        session_deleted on_session_deleted
        session_expired on_session_expired
        session_offline on_session_offline
        session_resumed on_session_resumed
        session_taken_over on_session_taken_over
        validate_connection on_validate_connection
    }
}

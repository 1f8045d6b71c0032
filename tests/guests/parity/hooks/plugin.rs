//! The policy as a plugin. One in three fields of a decision is not declared, so that it has to be fetched.
//!
//! Generated from the hook catalogue by `cargo xtask generate`: change the catalogue instead.

use hookmq_plugin_api::sdk::*;

use crate::Parity;
use crate::policy::{Raised, hooks};

macro_rules! answered {
    ($($trait:ident $hook:ident $view:ident $answer:ty;)*) => {
        $(impl $trait<Result<$answer, Raised>> for Parity {
            fn $hook(&self, event: $view<'_>) -> Result<$answer, Raised> {
                hooks::$hook::handle(self, &event)
            }
        })*
    };
}

answered! {
    OnAuthorizePublish authorize_publish AuthorizePublish AuthorizePublishAnswer;
    OnAuthorizeSubscribe authorize_subscribe AuthorizeSubscribe AuthorizeSubscribeAnswer;
    OnBrokerStarted broker_started BrokerStarted ();
    OnBrokerStopped broker_stopped BrokerStopped ();
    OnBrokerStopping broker_stopping BrokerStopping ();
    OnClientConnected client_connected ClientConnected ();
    OnClientDisconnected client_disconnected ClientDisconnected ();
    OnClientSubscribed client_subscribed ClientSubscribed ();
    OnClientUnsubscribed client_unsubscribed ClientUnsubscribed ();
    OnConfigReloaded config_reloaded ConfigReloaded ();
    OnInterceptDelivery intercept_delivery InterceptDelivery InterceptDeliveryAnswer;
    OnInterceptEnqueue intercept_enqueue InterceptEnqueue InterceptEnqueueAnswer;
    OnInterceptInboundPacket intercept_inbound_packet InterceptInboundPacket InterceptInboundPacketAnswer;
    OnInterceptOutboundPacket intercept_outbound_packet InterceptOutboundPacket InterceptOutboundPacketAnswer;
    OnInterceptPublish intercept_publish InterceptPublish InterceptPublishAnswer;
    OnInterceptSubscription intercept_subscription InterceptSubscription InterceptSubscriptionAnswer;
    OnInterceptUnsubscription intercept_unsubscription InterceptUnsubscription InterceptUnsubscriptionAnswer;
    OnInterceptWill intercept_will InterceptWill InterceptWillAnswer;
    OnLoadRetained load_retained LoadRetained LoadRetainedAnswer;
    OnMessageAcknowledged message_acknowledged MessageAcknowledged ();
    OnMessageDropped message_dropped MessageDropped ();
    OnMessageEnqueued message_enqueued MessageEnqueued ();
    OnMessageExpired message_expired MessageExpired ();
    OnMessageNotConsumed message_not_consumed MessageNotConsumed ();
    OnMessageOverwritten message_overwritten MessageOverwritten ();
    OnPrepareSession prepare_session PrepareSession PrepareSessionAnswer;
    OnRetainedChanged retained_changed RetainedChanged ();
    OnRetainedCleared retained_cleared RetainedCleared ();
    OnSessionCreated session_created SessionCreated ();
    OnSessionDeleted session_deleted SessionDeleted ();
    OnSessionExpired session_expired SessionExpired ();
    OnSessionOffline session_offline SessionOffline ();
    OnSessionResumed session_resumed SessionResumed ();
    OnSessionTakenOver session_taken_over SessionTakenOver ();
    OnValidateConnection validate_connection ValidateConnection ValidateConnectionAnswer;
}

hookmq_plugin_api::export!(Parity:
    authorize_publish(topic, payload_size, retain, source, username, endpoint, protocol_version),
    authorize_subscribe(topic_filter, share_name, no_local, retain_as_published, subscription_identifier, client_id, endpoint, listener),
    broker_started(endpoint, sequence, timestamp),
    broker_stopped(endpoint, sequence, timestamp),
    broker_stopping(endpoint, sequence, timestamp),
    client_connected(session_present, clean_start, keep_alive, session_expiry_interval, user_properties, client_id, username, endpoint, listener, protocol_version, sequence, timestamp),
    client_disconnected(reason_code, reason_string, disconnect_type, session_expiry_interval, user_properties, client_id, username, endpoint, listener, protocol_version, sequence, timestamp),
    client_subscribed(topic_filter, share_name, qos, no_local, retain_as_published, retain_handling, subscription_identifier, client_id, username, endpoint, listener, protocol_version, sequence, timestamp),
    client_unsubscribed(topic_filter, reason_code, reason_string, plugin, client_id, username, endpoint, listener, protocol_version, sequence, timestamp),
    config_reloaded(generation, sequence, timestamp),
    intercept_delivery(sender_client_id, receiver_client_id, source, topic, payload_size, qos, payload_format, message_expiry_interval, response_topic, correlation_data),
    intercept_enqueue(sender_client_id, receiver_client_id, source, topic, payload_size, qos, payload_format, message_expiry_interval, response_topic, correlation_data),
    intercept_inbound_packet(packet_type, packet_identifier, payload, payload_size, retain, dup, user_properties, client_id, endpoint, listener),
    intercept_outbound_packet(packet_type, packet_identifier, payload, payload_size, retain, dup, user_properties, client_id, endpoint, listener),
    intercept_publish(source, dup, username, endpoint, protocol_version, topic, payload_size, qos, payload_format, message_expiry_interval, response_topic, correlation_data),
    intercept_subscription(user_properties, topic_filter, qos, no_local, retain_handling, subscription_identifier, username, endpoint, protocol_version),
    intercept_unsubscription(topic_filter, user_properties, username, endpoint, protocol_version),
    intercept_will(will_delay_interval, client_id, endpoint, listener, topic, payload, qos, retain, message_expiry_interval, content_type, correlation_data, user_properties),
    load_retained(n_messages),
    message_acknowledged(client_id, username, sender_client_id, packet_type, reason_code, completed, topic, payload, payload_size, qos, retain, payload_format, message_expiry_interval, content_type, response_topic, correlation_data, user_properties, sequence, timestamp),
    message_dropped(reason, plugin, sender_client_id, receiver_client_id, receiver_username, source, topic, payload, payload_size, qos, retain, payload_format, message_expiry_interval, content_type, response_topic, correlation_data, user_properties, sequence, timestamp),
    message_enqueued(dropped, reason, sender_client_id, receiver_client_id, receiver_username, source, topic, payload, payload_size, qos, retain, payload_format, message_expiry_interval, content_type, response_topic, correlation_data, user_properties, sequence, timestamp),
    message_expired(sender_client_id, receiver_client_id, receiver_username, source, topic, payload, payload_size, qos, retain, payload_format, message_expiry_interval, content_type, response_topic, correlation_data, user_properties, sequence, timestamp),
    message_not_consumed(sender_client_id, source, all_receivers_filtered, topic, payload, payload_size, qos, retain, payload_format, message_expiry_interval, content_type, response_topic, correlation_data, user_properties, sequence, timestamp),
    message_overwritten(sender_client_id, receiver_client_id, receiver_username, source, topic, payload, payload_size, qos, retain, payload_format, message_expiry_interval, content_type, response_topic, correlation_data, user_properties, sequence, timestamp),
    prepare_session(session_present, session_expiry_interval, n_queued, subscriptions, username, endpoint, protocol_version),
    retained_changed(change, sender_client_id, topic, payload, payload_size, qos, retain, payload_format, message_expiry_interval, content_type, response_topic, correlation_data, user_properties, sequence, timestamp),
    retained_cleared(n_messages, sequence, timestamp),
    session_created(client_id, username, session_expiry_interval, n_queued, n_subscriptions, sequence, timestamp),
    session_deleted(reason, client_id, username, session_expiry_interval, n_queued, n_subscriptions, sequence, timestamp),
    session_expired(client_id, username, session_expiry_interval, n_queued, n_subscriptions, sequence, timestamp),
    session_offline(client_id, username, session_expiry_interval, n_queued, n_subscriptions, sequence, timestamp),
    session_resumed(client_id, username, session_expiry_interval, n_queued, n_subscriptions, sequence, timestamp),
    session_taken_over(endpoint, client_id, username, session_expiry_interval, n_queued, n_subscriptions, sequence, timestamp),
    validate_connection(password, secure, keep_alive, session_expiry_interval, maximum_packet_size, topic_alias_maximum, request_problem_information, authentication_method, user_properties, will_topic, will_qos, will_retain, client_id, username, listener, protocol_version),
);

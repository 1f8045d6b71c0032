//! The typed views of every notice hook.
//!
//! Generated from the hook catalogue by `cargo xtask generate`: change the catalogue instead.

use hookmq_plugin_api::typed::*;
use hookmq_plugin_api::{Closures, Field, Hook};

use crate::sample::*;

#[test]
fn broker_started() {
    let plugin = Closures::new("test").on_broker_started(|view| {
        sees_broker_started(&view);
        told()
    });
    check_told(Hook::BrokerStarted, plugin);
}

fn sees_broker_started(view: &BrokerStarted<'_>) {
    assert_eq!(view.endpoint(), Some(text(Field::Endpoint)));
    assert_eq!(view.sequence(), number(Field::Sequence));
    assert_eq!(view.timestamp(), number(Field::Timestamp));
}

#[test]
fn broker_stopping() {
    let plugin = Closures::new("test").on_broker_stopping(|view| {
        sees_broker_stopping(&view);
        told()
    });
    check_told(Hook::BrokerStopping, plugin);
}

fn sees_broker_stopping(view: &BrokerStopping<'_>) {
    assert_eq!(view.endpoint(), Some(text(Field::Endpoint)));
    assert_eq!(view.sequence(), number(Field::Sequence));
    assert_eq!(view.timestamp(), number(Field::Timestamp));
}

#[test]
fn broker_stopped() {
    let plugin = Closures::new("test").on_broker_stopped(|view| {
        sees_broker_stopped(&view);
        told()
    });
    check_told(Hook::BrokerStopped, plugin);
}

fn sees_broker_stopped(view: &BrokerStopped<'_>) {
    assert_eq!(view.endpoint(), Some(text(Field::Endpoint)));
    assert_eq!(view.sequence(), number(Field::Sequence));
    assert_eq!(view.timestamp(), number(Field::Timestamp));
}

#[test]
fn config_reloaded() {
    let plugin = Closures::new("test").on_config_reloaded(|view| {
        sees_config_reloaded(&view);
        told()
    });
    check_told(Hook::ConfigReloaded, plugin);
}

fn sees_config_reloaded(view: &ConfigReloaded<'_>) {
    assert_eq!(view.generation(), number(Field::Generation));
    assert_eq!(view.sequence(), number(Field::Sequence));
    assert_eq!(view.timestamp(), number(Field::Timestamp));
}

#[test]
fn client_connected() {
    let plugin = Closures::new("test").on_client_connected(|view| {
        sees_client_connected(&view);
        told()
    });
    check_told(Hook::ClientConnected, plugin);
}

fn sees_client_connected(view: &ClientConnected<'_>) {
    assert!(view.session_present());
    assert!(view.clean_start());
    assert_eq!(view.keep_alive(), number(Field::KeepAlive));
    assert_eq!(
        view.session_expiry_interval(),
        number(Field::SessionExpiryInterval)
    );
    assert_eq!(
        view.user_properties().to_vec(),
        pairs(Field::UserProperties)
    );
    assert_eq!(view.client_id(), Some(text(Field::ClientId)));
    assert_eq!(view.username(), Some(text(Field::Username)));
    assert_eq!(view.endpoint(), Some(text(Field::Endpoint)));
    assert_eq!(view.listener(), Some(text(Field::Listener)));
    assert_eq!(
        view.protocol_version(),
        Some(number(Field::ProtocolVersion))
    );
    assert_eq!(view.sequence(), number(Field::Sequence));
    assert_eq!(view.timestamp(), number(Field::Timestamp));
}

#[test]
fn client_disconnected() {
    let plugin = Closures::new("test").on_client_disconnected(|view| {
        sees_client_disconnected(&view);
        told()
    });
    check_told(Hook::ClientDisconnected, plugin);
}

fn sees_client_disconnected(view: &ClientDisconnected<'_>) {
    assert_eq!(view.reason_code(), number(Field::ReasonCode));
    assert_eq!(view.reason_string(), Some(text(Field::ReasonString)));
    assert_eq!(view.disconnect_type(), text(Field::DisconnectType));
    assert_eq!(
        view.session_expiry_interval(),
        number(Field::SessionExpiryInterval)
    );
    assert_eq!(
        view.user_properties().to_vec(),
        pairs(Field::UserProperties)
    );
    assert_eq!(view.client_id(), Some(text(Field::ClientId)));
    assert_eq!(view.username(), Some(text(Field::Username)));
    assert_eq!(view.endpoint(), Some(text(Field::Endpoint)));
    assert_eq!(view.listener(), Some(text(Field::Listener)));
    assert_eq!(
        view.protocol_version(),
        Some(number(Field::ProtocolVersion))
    );
    assert_eq!(view.sequence(), number(Field::Sequence));
    assert_eq!(view.timestamp(), number(Field::Timestamp));
}

#[test]
fn session_created() {
    let plugin = Closures::new("test").on_session_created(|view| {
        sees_session_created(&view);
        told()
    });
    check_told(Hook::SessionCreated, plugin);
}

fn sees_session_created(view: &SessionCreated<'_>) {
    assert_eq!(view.client_id(), Some(text(Field::ClientId)));
    assert_eq!(view.username(), Some(text(Field::Username)));
    assert_eq!(
        view.session_expiry_interval(),
        number(Field::SessionExpiryInterval)
    );
    assert_eq!(view.n_queued(), number(Field::NQueued));
    assert_eq!(view.n_subscriptions(), number(Field::NSubscriptions));
    assert_eq!(view.sequence(), number(Field::Sequence));
    assert_eq!(view.timestamp(), number(Field::Timestamp));
}

#[test]
fn session_resumed() {
    let plugin = Closures::new("test").on_session_resumed(|view| {
        sees_session_resumed(&view);
        told()
    });
    check_told(Hook::SessionResumed, plugin);
}

fn sees_session_resumed(view: &SessionResumed<'_>) {
    assert_eq!(view.client_id(), Some(text(Field::ClientId)));
    assert_eq!(view.username(), Some(text(Field::Username)));
    assert_eq!(
        view.session_expiry_interval(),
        number(Field::SessionExpiryInterval)
    );
    assert_eq!(view.n_queued(), number(Field::NQueued));
    assert_eq!(view.n_subscriptions(), number(Field::NSubscriptions));
    assert_eq!(view.sequence(), number(Field::Sequence));
    assert_eq!(view.timestamp(), number(Field::Timestamp));
}

#[test]
fn session_taken_over() {
    let plugin = Closures::new("test").on_session_taken_over(|view| {
        sees_session_taken_over(&view);
        told()
    });
    check_told(Hook::SessionTakenOver, plugin);
}

fn sees_session_taken_over(view: &SessionTakenOver<'_>) {
    assert_eq!(view.endpoint(), Some(text(Field::Endpoint)));
    assert_eq!(view.client_id(), Some(text(Field::ClientId)));
    assert_eq!(view.username(), Some(text(Field::Username)));
    assert_eq!(
        view.session_expiry_interval(),
        number(Field::SessionExpiryInterval)
    );
    assert_eq!(view.n_queued(), number(Field::NQueued));
    assert_eq!(view.n_subscriptions(), number(Field::NSubscriptions));
    assert_eq!(view.sequence(), number(Field::Sequence));
    assert_eq!(view.timestamp(), number(Field::Timestamp));
}

#[test]
fn session_offline() {
    let plugin = Closures::new("test").on_session_offline(|view| {
        sees_session_offline(&view);
        told()
    });
    check_told(Hook::SessionOffline, plugin);
}

fn sees_session_offline(view: &SessionOffline<'_>) {
    assert_eq!(view.client_id(), Some(text(Field::ClientId)));
    assert_eq!(view.username(), Some(text(Field::Username)));
    assert_eq!(
        view.session_expiry_interval(),
        number(Field::SessionExpiryInterval)
    );
    assert_eq!(view.n_queued(), number(Field::NQueued));
    assert_eq!(view.n_subscriptions(), number(Field::NSubscriptions));
    assert_eq!(view.sequence(), number(Field::Sequence));
    assert_eq!(view.timestamp(), number(Field::Timestamp));
}

#[test]
fn session_expired() {
    let plugin = Closures::new("test").on_session_expired(|view| {
        sees_session_expired(&view);
        told()
    });
    check_told(Hook::SessionExpired, plugin);
}

fn sees_session_expired(view: &SessionExpired<'_>) {
    assert_eq!(view.client_id(), Some(text(Field::ClientId)));
    assert_eq!(view.username(), Some(text(Field::Username)));
    assert_eq!(
        view.session_expiry_interval(),
        number(Field::SessionExpiryInterval)
    );
    assert_eq!(view.n_queued(), number(Field::NQueued));
    assert_eq!(view.n_subscriptions(), number(Field::NSubscriptions));
    assert_eq!(view.sequence(), number(Field::Sequence));
    assert_eq!(view.timestamp(), number(Field::Timestamp));
}

#[test]
fn session_deleted() {
    let plugin = Closures::new("test").on_session_deleted(|view| {
        sees_session_deleted(&view);
        told()
    });
    check_told(Hook::SessionDeleted, plugin);
}

fn sees_session_deleted(view: &SessionDeleted<'_>) {
    assert_eq!(view.reason(), Some(text(Field::Reason)));
    assert_eq!(view.client_id(), Some(text(Field::ClientId)));
    assert_eq!(view.username(), Some(text(Field::Username)));
    assert_eq!(
        view.session_expiry_interval(),
        number(Field::SessionExpiryInterval)
    );
    assert_eq!(view.n_queued(), number(Field::NQueued));
    assert_eq!(view.n_subscriptions(), number(Field::NSubscriptions));
    assert_eq!(view.sequence(), number(Field::Sequence));
    assert_eq!(view.timestamp(), number(Field::Timestamp));
}

#[test]
fn client_subscribed() {
    let plugin = Closures::new("test").on_client_subscribed(|view| {
        sees_client_subscribed(&view);
        told()
    });
    check_told(Hook::ClientSubscribed, plugin);
}

fn sees_client_subscribed(view: &ClientSubscribed<'_>) {
    assert_eq!(view.topic_filter(), text(Field::TopicFilter));
    assert_eq!(view.share_name(), Some(text(Field::ShareName)));
    assert_eq!(view.qos(), number(Field::Qos));
    assert!(view.no_local());
    assert!(view.retain_as_published());
    assert_eq!(view.retain_handling(), number(Field::RetainHandling));
    assert_eq!(
        view.subscription_identifier(),
        Some(number(Field::SubscriptionIdentifier))
    );
    assert_eq!(view.client_id(), Some(text(Field::ClientId)));
    assert_eq!(view.username(), Some(text(Field::Username)));
    assert_eq!(view.endpoint(), Some(text(Field::Endpoint)));
    assert_eq!(view.listener(), Some(text(Field::Listener)));
    assert_eq!(
        view.protocol_version(),
        Some(number(Field::ProtocolVersion))
    );
    assert_eq!(view.sequence(), number(Field::Sequence));
    assert_eq!(view.timestamp(), number(Field::Timestamp));
}

#[test]
fn client_unsubscribed() {
    let plugin = Closures::new("test").on_client_unsubscribed(|view| {
        sees_client_unsubscribed(&view);
        told()
    });
    check_told(Hook::ClientUnsubscribed, plugin);
}

fn sees_client_unsubscribed(view: &ClientUnsubscribed<'_>) {
    assert_eq!(view.topic_filter(), text(Field::TopicFilter));
    assert_eq!(view.reason_code(), number(Field::ReasonCode));
    assert_eq!(view.reason_string(), Some(text(Field::ReasonString)));
    assert_eq!(view.plugin(), Some(text(Field::Plugin)));
    assert_eq!(view.client_id(), Some(text(Field::ClientId)));
    assert_eq!(view.username(), Some(text(Field::Username)));
    assert_eq!(view.endpoint(), Some(text(Field::Endpoint)));
    assert_eq!(view.listener(), Some(text(Field::Listener)));
    assert_eq!(
        view.protocol_version(),
        Some(number(Field::ProtocolVersion))
    );
    assert_eq!(view.sequence(), number(Field::Sequence));
    assert_eq!(view.timestamp(), number(Field::Timestamp));
}

#[test]
fn message_enqueued() {
    let plugin = Closures::new("test").on_message_enqueued(|view| {
        sees_message_enqueued(&view);
        told()
    });
    check_told(Hook::MessageEnqueued, plugin);
}

fn sees_message_enqueued(view: &MessageEnqueued<'_>) {
    assert!(view.dropped());
    assert_eq!(view.reason(), Some(text(Field::Reason)));
    assert_eq!(view.sender_client_id(), Some(text(Field::SenderClientId)));
    assert_eq!(view.receiver_client_id(), text(Field::ReceiverClientId));
    assert_eq!(
        view.receiver_username(),
        Some(text(Field::ReceiverUsername))
    );
    assert_eq!(view.source(), text(Field::Source));
    assert_eq!(view.topic(), text(Field::Topic));
    assert_eq!(view.payload(), bytes(Field::Payload));
    assert_eq!(view.payload_size(), number(Field::PayloadSize));
    assert_eq!(view.qos(), number(Field::Qos));
    assert!(view.retain());
    assert_eq!(view.payload_format(), Some(number(Field::PayloadFormat)));
    assert_eq!(
        view.message_expiry_interval(),
        Some(number(Field::MessageExpiryInterval))
    );
    assert_eq!(view.content_type(), Some(text(Field::ContentType)));
    assert_eq!(view.response_topic(), Some(text(Field::ResponseTopic)));
    assert_eq!(view.correlation_data(), Some(bytes(Field::CorrelationData)));
    assert_eq!(
        view.user_properties().to_vec(),
        pairs(Field::UserProperties)
    );
    assert_eq!(view.sequence(), number(Field::Sequence));
    assert_eq!(view.timestamp(), number(Field::Timestamp));
}

#[test]
fn message_overwritten() {
    let plugin = Closures::new("test").on_message_overwritten(|view| {
        sees_message_overwritten(&view);
        told()
    });
    check_told(Hook::MessageOverwritten, plugin);
}

fn sees_message_overwritten(view: &MessageOverwritten<'_>) {
    assert_eq!(view.sender_client_id(), Some(text(Field::SenderClientId)));
    assert_eq!(view.receiver_client_id(), text(Field::ReceiverClientId));
    assert_eq!(
        view.receiver_username(),
        Some(text(Field::ReceiverUsername))
    );
    assert_eq!(view.source(), text(Field::Source));
    assert_eq!(view.topic(), text(Field::Topic));
    assert_eq!(view.payload(), bytes(Field::Payload));
    assert_eq!(view.payload_size(), number(Field::PayloadSize));
    assert_eq!(view.qos(), number(Field::Qos));
    assert!(view.retain());
    assert_eq!(view.payload_format(), Some(number(Field::PayloadFormat)));
    assert_eq!(
        view.message_expiry_interval(),
        Some(number(Field::MessageExpiryInterval))
    );
    assert_eq!(view.content_type(), Some(text(Field::ContentType)));
    assert_eq!(view.response_topic(), Some(text(Field::ResponseTopic)));
    assert_eq!(view.correlation_data(), Some(bytes(Field::CorrelationData)));
    assert_eq!(
        view.user_properties().to_vec(),
        pairs(Field::UserProperties)
    );
    assert_eq!(view.sequence(), number(Field::Sequence));
    assert_eq!(view.timestamp(), number(Field::Timestamp));
}

#[test]
fn message_not_consumed() {
    let plugin = Closures::new("test").on_message_not_consumed(|view| {
        sees_message_not_consumed(&view);
        told()
    });
    check_told(Hook::MessageNotConsumed, plugin);
}

fn sees_message_not_consumed(view: &MessageNotConsumed<'_>) {
    assert_eq!(view.sender_client_id(), Some(text(Field::SenderClientId)));
    assert_eq!(view.source(), text(Field::Source));
    assert!(view.all_receivers_filtered());
    assert_eq!(view.topic(), text(Field::Topic));
    assert_eq!(view.payload(), bytes(Field::Payload));
    assert_eq!(view.payload_size(), number(Field::PayloadSize));
    assert_eq!(view.qos(), number(Field::Qos));
    assert!(view.retain());
    assert_eq!(view.payload_format(), Some(number(Field::PayloadFormat)));
    assert_eq!(
        view.message_expiry_interval(),
        Some(number(Field::MessageExpiryInterval))
    );
    assert_eq!(view.content_type(), Some(text(Field::ContentType)));
    assert_eq!(view.response_topic(), Some(text(Field::ResponseTopic)));
    assert_eq!(view.correlation_data(), Some(bytes(Field::CorrelationData)));
    assert_eq!(
        view.user_properties().to_vec(),
        pairs(Field::UserProperties)
    );
    assert_eq!(view.sequence(), number(Field::Sequence));
    assert_eq!(view.timestamp(), number(Field::Timestamp));
}

#[test]
fn message_dropped() {
    let plugin = Closures::new("test").on_message_dropped(|view| {
        sees_message_dropped(&view);
        told()
    });
    check_told(Hook::MessageDropped, plugin);
}

fn sees_message_dropped(view: &MessageDropped<'_>) {
    assert_eq!(view.reason(), Some(text(Field::Reason)));
    assert_eq!(view.plugin(), Some(text(Field::Plugin)));
    assert_eq!(view.sender_client_id(), Some(text(Field::SenderClientId)));
    assert_eq!(view.receiver_client_id(), text(Field::ReceiverClientId));
    assert_eq!(
        view.receiver_username(),
        Some(text(Field::ReceiverUsername))
    );
    assert_eq!(view.source(), text(Field::Source));
    assert_eq!(view.topic(), text(Field::Topic));
    assert_eq!(view.payload(), bytes(Field::Payload));
    assert_eq!(view.payload_size(), number(Field::PayloadSize));
    assert_eq!(view.qos(), number(Field::Qos));
    assert!(view.retain());
    assert_eq!(view.payload_format(), Some(number(Field::PayloadFormat)));
    assert_eq!(
        view.message_expiry_interval(),
        Some(number(Field::MessageExpiryInterval))
    );
    assert_eq!(view.content_type(), Some(text(Field::ContentType)));
    assert_eq!(view.response_topic(), Some(text(Field::ResponseTopic)));
    assert_eq!(view.correlation_data(), Some(bytes(Field::CorrelationData)));
    assert_eq!(
        view.user_properties().to_vec(),
        pairs(Field::UserProperties)
    );
    assert_eq!(view.sequence(), number(Field::Sequence));
    assert_eq!(view.timestamp(), number(Field::Timestamp));
}

#[test]
fn message_expired() {
    let plugin = Closures::new("test").on_message_expired(|view| {
        sees_message_expired(&view);
        told()
    });
    check_told(Hook::MessageExpired, plugin);
}

fn sees_message_expired(view: &MessageExpired<'_>) {
    assert_eq!(view.sender_client_id(), Some(text(Field::SenderClientId)));
    assert_eq!(view.receiver_client_id(), text(Field::ReceiverClientId));
    assert_eq!(
        view.receiver_username(),
        Some(text(Field::ReceiverUsername))
    );
    assert_eq!(view.source(), text(Field::Source));
    assert_eq!(view.topic(), text(Field::Topic));
    assert_eq!(view.payload(), bytes(Field::Payload));
    assert_eq!(view.payload_size(), number(Field::PayloadSize));
    assert_eq!(view.qos(), number(Field::Qos));
    assert!(view.retain());
    assert_eq!(view.payload_format(), Some(number(Field::PayloadFormat)));
    assert_eq!(
        view.message_expiry_interval(),
        Some(number(Field::MessageExpiryInterval))
    );
    assert_eq!(view.content_type(), Some(text(Field::ContentType)));
    assert_eq!(view.response_topic(), Some(text(Field::ResponseTopic)));
    assert_eq!(view.correlation_data(), Some(bytes(Field::CorrelationData)));
    assert_eq!(
        view.user_properties().to_vec(),
        pairs(Field::UserProperties)
    );
    assert_eq!(view.sequence(), number(Field::Sequence));
    assert_eq!(view.timestamp(), number(Field::Timestamp));
}

#[test]
fn message_acknowledged() {
    let plugin = Closures::new("test").on_message_acknowledged(|view| {
        sees_message_acknowledged(&view);
        told()
    });
    check_told(Hook::MessageAcknowledged, plugin);
}

fn sees_message_acknowledged(view: &MessageAcknowledged<'_>) {
    assert_eq!(view.client_id(), Some(text(Field::ClientId)));
    assert_eq!(view.username(), Some(text(Field::Username)));
    assert_eq!(view.sender_client_id(), Some(text(Field::SenderClientId)));
    assert_eq!(view.packet_type(), text(Field::PacketType));
    assert_eq!(view.reason_code(), number(Field::ReasonCode));
    assert!(view.completed());
    assert_eq!(view.topic(), text(Field::Topic));
    assert_eq!(view.payload(), bytes(Field::Payload));
    assert_eq!(view.payload_size(), number(Field::PayloadSize));
    assert_eq!(view.qos(), number(Field::Qos));
    assert!(view.retain());
    assert_eq!(view.payload_format(), Some(number(Field::PayloadFormat)));
    assert_eq!(
        view.message_expiry_interval(),
        Some(number(Field::MessageExpiryInterval))
    );
    assert_eq!(view.content_type(), Some(text(Field::ContentType)));
    assert_eq!(view.response_topic(), Some(text(Field::ResponseTopic)));
    assert_eq!(view.correlation_data(), Some(bytes(Field::CorrelationData)));
    assert_eq!(
        view.user_properties().to_vec(),
        pairs(Field::UserProperties)
    );
    assert_eq!(view.sequence(), number(Field::Sequence));
    assert_eq!(view.timestamp(), number(Field::Timestamp));
}

#[test]
fn retained_changed() {
    let plugin = Closures::new("test").on_retained_changed(|view| {
        sees_retained_changed(&view);
        told()
    });
    check_told(Hook::RetainedChanged, plugin);
}

fn sees_retained_changed(view: &RetainedChanged<'_>) {
    assert_eq!(view.change(), text(Field::Change));
    assert_eq!(view.sender_client_id(), Some(text(Field::SenderClientId)));
    assert_eq!(view.topic(), text(Field::Topic));
    assert_eq!(view.payload(), bytes(Field::Payload));
    assert_eq!(view.payload_size(), number(Field::PayloadSize));
    assert_eq!(view.qos(), number(Field::Qos));
    assert!(view.retain());
    assert_eq!(view.payload_format(), Some(number(Field::PayloadFormat)));
    assert_eq!(
        view.message_expiry_interval(),
        Some(number(Field::MessageExpiryInterval))
    );
    assert_eq!(view.content_type(), Some(text(Field::ContentType)));
    assert_eq!(view.response_topic(), Some(text(Field::ResponseTopic)));
    assert_eq!(view.correlation_data(), Some(bytes(Field::CorrelationData)));
    assert_eq!(
        view.user_properties().to_vec(),
        pairs(Field::UserProperties)
    );
    assert_eq!(view.sequence(), number(Field::Sequence));
    assert_eq!(view.timestamp(), number(Field::Timestamp));
}

#[test]
fn retained_cleared() {
    let plugin = Closures::new("test").on_retained_cleared(|view| {
        sees_retained_cleared(&view);
        told()
    });
    check_told(Hook::RetainedCleared, plugin);
}

fn sees_retained_cleared(view: &RetainedCleared<'_>) {
    assert_eq!(view.n_messages(), number(Field::NMessages));
    assert_eq!(view.sequence(), number(Field::Sequence));
    assert_eq!(view.timestamp(), number(Field::Timestamp));
}

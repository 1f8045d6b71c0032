//! The typed views of every filter hook.
//!
//! Generated from the hook catalogue by `cargo xtask generate`: change the catalogue instead.

use hookmq_plugin_api::typed::*;
use hookmq_plugin_api::view::EventRef;
use hookmq_plugin_api::{Closures, Field, Hook};

use crate::sample::*;

#[test]
fn prepare_session() {
    let plugin = Closures::new("test").on_prepare_session(|view| {
        sees_prepare_session(&view);
        answers_prepare_session()
    });
    check(Hook::PrepareSession, plugin);
    let plugin = Closures::new("test").on_async_prepare_session(|view| async move {
        sees_prepare_session(&view);
        answers_prepare_session()
    });
    check(Hook::PrepareSession, plugin);
}

fn sees_prepare_session<E: EventRef>(view: &PrepareSession<'_, E>) {
    assert!(view.session_present());
    assert_eq!(
        view.session_expiry_interval(),
        number(Field::SessionExpiryInterval)
    );
    assert_eq!(
        view.will_delay_interval(),
        Some(number(Field::WillDelayInterval))
    );
    assert_eq!(view.n_queued(), number(Field::NQueued));
    assert_eq!(view.subscriptions(), entries(Field::Subscriptions));
    assert_eq!(view.client_id(), Some(text(Field::ClientId)));
    assert_eq!(view.username(), Some(text(Field::Username)));
    assert_eq!(view.endpoint(), Some(text(Field::Endpoint)));
    assert_eq!(view.listener(), Some(text(Field::Listener)));
    assert_eq!(
        view.protocol_version(),
        Some(number(Field::ProtocolVersion))
    );
}

fn answers_prepare_session() -> PrepareSessionAnswer {
    let answer = PrepareSessionAnswer::pass();
    let answer = answer.subscriptions(entries(Field::Subscriptions));
    let answer = answer.messages(entries(Field::Messages));
    let answer = answer.session_expiry_interval(number(Field::SessionExpiryInterval));
    answer.will_delay_interval(number(Field::WillDelayInterval))
}

#[test]
fn intercept_subscription() {
    let plugin = Closures::new("test").on_intercept_subscription(|view| {
        sees_intercept_subscription(&view);
        answers_intercept_subscription()
    });
    check(Hook::InterceptSubscription, plugin);
    let plugin = Closures::new("test").on_async_intercept_subscription(|view| async move {
        sees_intercept_subscription(&view);
        answers_intercept_subscription()
    });
    check(Hook::InterceptSubscription, plugin);
}

fn sees_intercept_subscription<E: EventRef>(view: &InterceptSubscription<'_, E>) {
    assert_eq!(
        view.user_properties().to_vec(),
        pairs(Field::UserProperties)
    );
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
}

fn answers_intercept_subscription() -> InterceptSubscriptionAnswer {
    let answer = InterceptSubscriptionAnswer::pass();
    let answer = answer.topic_filter(text(Field::TopicFilter));
    let answer = answer.qos(number(Field::Qos));
    let answer = answer.no_local(true);
    let answer = answer.retain_as_published(true);
    let answer = answer.retain_handling(number(Field::RetainHandling));
    let answer = answer.subscription_identifier(number(Field::SubscriptionIdentifier));
    let answer = answer.reason_string(text(Field::ReasonString));
    answer.response_user_properties(pairs(Field::ResponseUserProperties))
}

#[test]
fn intercept_unsubscription() {
    let plugin = Closures::new("test").on_intercept_unsubscription(|view| {
        sees_intercept_unsubscription(&view);
        answers_intercept_unsubscription()
    });
    check(Hook::InterceptUnsubscription, plugin);
    let plugin = Closures::new("test").on_async_intercept_unsubscription(|view| async move {
        sees_intercept_unsubscription(&view);
        answers_intercept_unsubscription()
    });
    check(Hook::InterceptUnsubscription, plugin);
}

fn sees_intercept_unsubscription<E: EventRef>(view: &InterceptUnsubscription<'_, E>) {
    assert_eq!(view.topic_filter(), text(Field::TopicFilter));
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
}

fn answers_intercept_unsubscription() -> InterceptUnsubscriptionAnswer {
    let answer = InterceptUnsubscriptionAnswer::pass();
    let answer = answer.topic_filter(text(Field::TopicFilter));
    let answer = answer.reason_string(text(Field::ReasonString));
    answer.response_user_properties(pairs(Field::ResponseUserProperties))
}

#[test]
fn intercept_inbound_packet() {
    let plugin = Closures::new("test").on_intercept_inbound_packet(|view| {
        sees_intercept_inbound_packet(&view);
        answers_intercept_inbound_packet()
    });
    check(Hook::InterceptInboundPacket, plugin);
}

fn sees_intercept_inbound_packet(view: &InterceptInboundPacket<'_>) {
    assert_eq!(view.packet_type(), text(Field::PacketType));
    assert_eq!(
        view.packet_identifier(),
        Some(number(Field::PacketIdentifier))
    );
    assert_eq!(view.topic(), text(Field::Topic));
    assert_eq!(view.payload(), bytes(Field::Payload));
    assert_eq!(view.payload_size(), number(Field::PayloadSize));
    assert_eq!(view.qos(), number(Field::Qos));
    assert!(view.retain());
    assert!(view.dup());
    assert_eq!(view.reason_code(), number(Field::ReasonCode));
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
}

fn answers_intercept_inbound_packet() -> InterceptInboundPacketAnswer {
    let answer = InterceptInboundPacketAnswer::pass();
    let answer = answer.topic(text(Field::Topic));
    let answer = answer.payload(bytes(Field::Payload));
    let answer = answer.retain(true);
    answer.user_properties(pairs(Field::UserProperties))
}

#[test]
fn intercept_outbound_packet() {
    let plugin = Closures::new("test").on_intercept_outbound_packet(|view| {
        sees_intercept_outbound_packet(&view);
        answers_intercept_outbound_packet()
    });
    check(Hook::InterceptOutboundPacket, plugin);
}

fn sees_intercept_outbound_packet(view: &InterceptOutboundPacket<'_>) {
    assert_eq!(view.packet_type(), text(Field::PacketType));
    assert_eq!(
        view.packet_identifier(),
        Some(number(Field::PacketIdentifier))
    );
    assert_eq!(view.topic(), text(Field::Topic));
    assert_eq!(view.payload(), bytes(Field::Payload));
    assert_eq!(view.payload_size(), number(Field::PayloadSize));
    assert_eq!(view.qos(), number(Field::Qos));
    assert!(view.retain());
    assert!(view.dup());
    assert_eq!(view.reason_code(), number(Field::ReasonCode));
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
}

fn answers_intercept_outbound_packet() -> InterceptOutboundPacketAnswer {
    let answer = InterceptOutboundPacketAnswer::pass();
    let answer = answer.topic(text(Field::Topic));
    let answer = answer.payload(bytes(Field::Payload));
    let answer = answer.retain(true);
    answer.user_properties(pairs(Field::UserProperties))
}

#[test]
fn intercept_publish() {
    let plugin = Closures::new("test").on_intercept_publish(|view| {
        sees_intercept_publish(&view);
        answers_intercept_publish()
    });
    check(Hook::InterceptPublish, plugin);
    let plugin = Closures::new("test").on_async_intercept_publish(|view| async move {
        sees_intercept_publish(&view);
        answers_intercept_publish()
    });
    check(Hook::InterceptPublish, plugin);
}

fn sees_intercept_publish<E: EventRef>(view: &InterceptPublish<'_, E>) {
    assert_eq!(view.source(), text(Field::Source));
    assert!(view.dup());
    assert_eq!(view.client_id(), Some(text(Field::ClientId)));
    assert_eq!(view.username(), Some(text(Field::Username)));
    assert_eq!(view.endpoint(), Some(text(Field::Endpoint)));
    assert_eq!(view.listener(), Some(text(Field::Listener)));
    assert_eq!(
        view.protocol_version(),
        Some(number(Field::ProtocolVersion))
    );
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
}

fn answers_intercept_publish() -> InterceptPublishAnswer {
    let answer = InterceptPublishAnswer::pass();
    let answer = answer.topic(text(Field::Topic));
    let answer = answer.payload(bytes(Field::Payload));
    let answer = answer.qos(number(Field::Qos));
    let answer = answer.retain(true);
    let answer = answer.payload_format(number(Field::PayloadFormat));
    let answer = answer.message_expiry_interval(number(Field::MessageExpiryInterval));
    let answer = answer.content_type(text(Field::ContentType));
    let answer = answer.response_topic(text(Field::ResponseTopic));
    let answer = answer.correlation_data(bytes(Field::CorrelationData));
    let answer = answer.user_properties(pairs(Field::UserProperties));
    let answer = answer.reason_code(number(Field::ReasonCode));
    let answer = answer.reason_string(text(Field::ReasonString));
    answer.response_user_properties(pairs(Field::ResponseUserProperties))
}

#[test]
fn intercept_enqueue() {
    let plugin = Closures::new("test").on_intercept_enqueue(|view| {
        sees_intercept_enqueue(&view);
        answers_intercept_enqueue()
    });
    check(Hook::InterceptEnqueue, plugin);
}

fn sees_intercept_enqueue(view: &InterceptEnqueue<'_>) {
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
}

fn answers_intercept_enqueue() -> InterceptEnqueueAnswer {
    let answer = InterceptEnqueueAnswer::pass();
    let answer = answer.topic(text(Field::Topic));
    let answer = answer.payload(bytes(Field::Payload));
    let answer = answer.qos(number(Field::Qos));
    let answer = answer.payload_format(number(Field::PayloadFormat));
    let answer = answer.message_expiry_interval(number(Field::MessageExpiryInterval));
    let answer = answer.content_type(text(Field::ContentType));
    let answer = answer.response_topic(text(Field::ResponseTopic));
    let answer = answer.correlation_data(bytes(Field::CorrelationData));
    answer.user_properties(pairs(Field::UserProperties))
}

#[test]
fn intercept_delivery() {
    let plugin = Closures::new("test").on_intercept_delivery(|view| {
        sees_intercept_delivery(&view);
        answers_intercept_delivery()
    });
    check(Hook::InterceptDelivery, plugin);
}

fn sees_intercept_delivery(view: &InterceptDelivery<'_>) {
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
}

fn answers_intercept_delivery() -> InterceptDeliveryAnswer {
    let answer = InterceptDeliveryAnswer::pass();
    let answer = answer.topic(text(Field::Topic));
    let answer = answer.payload(bytes(Field::Payload));
    let answer = answer.payload_format(number(Field::PayloadFormat));
    let answer = answer.message_expiry_interval(number(Field::MessageExpiryInterval));
    let answer = answer.content_type(text(Field::ContentType));
    let answer = answer.response_topic(text(Field::ResponseTopic));
    let answer = answer.correlation_data(bytes(Field::CorrelationData));
    answer.user_properties(pairs(Field::UserProperties))
}

#[test]
fn intercept_will() {
    let plugin = Closures::new("test").on_intercept_will(|view| {
        sees_intercept_will(&view);
        answers_intercept_will()
    });
    check(Hook::InterceptWill, plugin);
    let plugin = Closures::new("test").on_async_intercept_will(|view| async move {
        sees_intercept_will(&view);
        answers_intercept_will()
    });
    check(Hook::InterceptWill, plugin);
}

fn sees_intercept_will<E: EventRef>(view: &InterceptWill<'_, E>) {
    assert_eq!(
        view.will_delay_interval(),
        Some(number(Field::WillDelayInterval))
    );
    assert_eq!(view.client_id(), Some(text(Field::ClientId)));
    assert_eq!(view.username(), Some(text(Field::Username)));
    assert_eq!(view.endpoint(), Some(text(Field::Endpoint)));
    assert_eq!(view.listener(), Some(text(Field::Listener)));
    assert_eq!(
        view.protocol_version(),
        Some(number(Field::ProtocolVersion))
    );
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
}

fn answers_intercept_will() -> InterceptWillAnswer {
    let answer = InterceptWillAnswer::pass();
    let answer = answer.topic(text(Field::Topic));
    let answer = answer.payload(bytes(Field::Payload));
    let answer = answer.qos(number(Field::Qos));
    let answer = answer.retain(true);
    let answer = answer.payload_format(number(Field::PayloadFormat));
    let answer = answer.message_expiry_interval(number(Field::MessageExpiryInterval));
    let answer = answer.content_type(text(Field::ContentType));
    let answer = answer.response_topic(text(Field::ResponseTopic));
    let answer = answer.correlation_data(bytes(Field::CorrelationData));
    answer.user_properties(pairs(Field::UserProperties))
}

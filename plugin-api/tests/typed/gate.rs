//! The typed views of every gate hook.
//!
//! Generated from the hook catalogue by `cargo xtask generate`: change the catalogue instead.

use hookmq_plugin_api::typed::*;
use hookmq_plugin_api::view::EventRef;
use hookmq_plugin_api::{Closures, Field, Hook};

use crate::sample::*;

#[test]
fn validate_connection() {
    let plugin = Closures::new("test").on_validate_connection(|view| {
        sees_validate_connection(&view);
        answers_validate_connection()
    });
    check(Hook::ValidateConnection, plugin);
    let plugin = Closures::new("test").on_async_validate_connection(|view| async move {
        sees_validate_connection(&view);
        answers_validate_connection()
    });
    check(Hook::ValidateConnection, plugin);
}

fn sees_validate_connection<E: EventRef>(view: &ValidateConnection<'_, E>) {
    assert_eq!(view.password(), Some(bytes(Field::Password)));
    assert!(view.secure());
    assert!(view.clean_start());
    assert_eq!(view.keep_alive(), number(Field::KeepAlive));
    assert_eq!(
        view.session_expiry_interval(),
        number(Field::SessionExpiryInterval)
    );
    assert_eq!(view.receive_maximum(), number(Field::ReceiveMaximum));
    assert_eq!(
        view.maximum_packet_size(),
        Some(number(Field::MaximumPacketSize))
    );
    assert_eq!(view.topic_alias_maximum(), number(Field::TopicAliasMaximum));
    assert!(view.request_response_information());
    assert!(view.request_problem_information());
    assert_eq!(
        view.authentication_method(),
        Some(text(Field::AuthenticationMethod))
    );
    assert_eq!(
        view.authentication_data(),
        Some(bytes(Field::AuthenticationData))
    );
    assert_eq!(
        view.user_properties().to_vec(),
        pairs(Field::UserProperties)
    );
    assert_eq!(view.will_topic(), Some(text(Field::WillTopic)));
    assert_eq!(view.will_payload(), Some(bytes(Field::WillPayload)));
    assert_eq!(view.will_qos(), Some(number(Field::WillQos)));
    assert_eq!(view.will_retain(), Some(true));
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
}

fn answers_validate_connection() -> ValidateConnectionAnswer {
    let answer = ValidateConnectionAnswer::pass();
    let answer = answer.client_id(text(Field::ClientId));
    let answer = answer.username(text(Field::Username));
    let answer = answer.keep_alive(number(Field::KeepAlive));
    let answer = answer.session_expiry_interval(number(Field::SessionExpiryInterval));
    let answer = answer.receive_maximum(number(Field::ReceiveMaximum));
    let answer = answer.maximum_packet_size(number(Field::MaximumPacketSize));
    let answer = answer.topic_alias_maximum(number(Field::TopicAliasMaximum));
    let answer = answer.maximum_qos(number(Field::MaximumQos));
    let answer = answer.response_information(text(Field::ResponseInformation));
    let answer = answer.response_user_properties(pairs(Field::ResponseUserProperties));
    let answer = answer.reason_string(text(Field::ReasonString));
    answer.authentication_data(bytes(Field::AuthenticationData))
}

#[test]
fn authorize_subscribe() {
    let plugin = Closures::new("test").on_authorize_subscribe(|view| {
        sees_authorize_subscribe(&view);
        answers_authorize_subscribe()
    });
    check(Hook::AuthorizeSubscribe, plugin);
    let plugin = Closures::new("test").on_async_authorize_subscribe(|view| async move {
        sees_authorize_subscribe(&view);
        answers_authorize_subscribe()
    });
    check(Hook::AuthorizeSubscribe, plugin);
}

fn sees_authorize_subscribe<E: EventRef>(view: &AuthorizeSubscribe<'_, E>) {
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

fn answers_authorize_subscribe() -> AuthorizeSubscribeAnswer {
    let answer = AuthorizeSubscribeAnswer::pass();
    let answer = answer.qos(number(Field::Qos));
    answer.retain_handling(number(Field::RetainHandling))
}

#[test]
fn authorize_publish() {
    let plugin = Closures::new("test").on_authorize_publish(|view| {
        sees_authorize_publish(&view);
        answers_authorize_publish()
    });
    check(Hook::AuthorizePublish, plugin);
    let plugin = Closures::new("test").on_async_authorize_publish(|view| async move {
        sees_authorize_publish(&view);
        answers_authorize_publish()
    });
    check(Hook::AuthorizePublish, plugin);
}

fn sees_authorize_publish<E: EventRef>(view: &AuthorizePublish<'_, E>) {
    assert_eq!(view.topic(), text(Field::Topic));
    assert_eq!(view.payload_size(), number(Field::PayloadSize));
    assert_eq!(view.qos(), number(Field::Qos));
    assert!(view.retain());
    assert_eq!(view.source(), text(Field::Source));
    assert_eq!(view.client_id(), Some(text(Field::ClientId)));
    assert_eq!(view.username(), Some(text(Field::Username)));
    assert_eq!(view.endpoint(), Some(text(Field::Endpoint)));
    assert_eq!(view.listener(), Some(text(Field::Listener)));
    assert_eq!(
        view.protocol_version(),
        Some(number(Field::ProtocolVersion))
    );
}

fn answers_authorize_publish() -> AuthorizePublishAnswer {
    let answer = AuthorizePublishAnswer::pass();
    let answer = answer.qos(number(Field::Qos));
    answer.retain(true)
}

//! Will Messages: `intercept_will`, and the way of every message behind it.

use std::time::Duration;

use hookmq_broker::hook::Registration;
use hookmq_mqtt::packet::{Connect, Disconnect, Will};
use hookmq_mqtt::property::PayloadFormat;
use hookmq_mqtt::{Packet, QoS, ReasonCode};
use hookmq_plugin_api::typed::{
    AuthorizePublishAnswer, InterceptPublishAnswer, InterceptWillAnswer,
};
use hookmq_plugin_api::{Closures, Hook};

use crate::support::*;

fn full() -> Will {
    Will {
        qos: QoS::AtLeastOnce,
        retain: true,
        payload_format: Some(PayloadFormat::Utf8),
        message_expiry_interval: Some(60),
        content_type: Some("c".to_owned()),
        response_topic: Some("re".to_owned()),
        correlation_data: Some("7".into()),
        user_properties: pairs(&[("k", "v")]),
        ..will("last", "bye")
    }
}

fn with_will(will: Will) -> Connect {
    Connect {
        username: Some("ann".to_owned()),
        will: Some(Box::new(will)),
        ..Connect::new(V5, "a")
    }
}

#[tokio::test(start_paused = true)]
async fn every_field_of_a_will_is_shown_and_it_takes_the_way_of_every_message() {
    let recorder = Recorder::of([
        Hook::InterceptWill,
        Hook::InterceptPublish,
        Hook::AuthorizePublish,
        Hook::InterceptEnqueue,
    ]);
    let server = Server::with([recorder.registered()]).await;
    let mut watcher = server.subscriber(V5, "w", "last", QoS::AtLeastOnce).await;
    server.client_with(with_will(full())).await.vanishes().await;
    watcher
        .gets(
            "PUBLISH topic='last' qos=1 packet_identifier=1 payload='bye' payload_format=1 message_expiry_interval=60 response_topic='re' \
             correlation_data='7' content_type='c' user_properties=['k'='v']",
        )
        .await;
    let client =
        "client_id='a' username='ann' endpoint='192.0.2.7:50000' listener='lan' protocol_version=5";
    let rest = "payload_format=1 message_expiry_interval=60 content_type='c' response_topic='re' correlation_data='7' user_properties=[k=v]";
    let message = |retain: bool| {
        format!("topic='last' payload='bye' payload_size=3 qos=1 retain={retain} {rest}")
    };
    recorder
        .saw(&[
            &format!("intercept_will will_delay_interval=0 {client} {}", message(true)),
            &format!("intercept_publish source='will' dup=false {client} {}", message(true)),
            &format!("authorize_publish topic='last' payload_size=3 qos=1 retain=true source='will' {client}"),
            &format!("intercept_enqueue sender_client_id='a' receiver_client_id='w' source='will' {}", message(false)),
        ])
        .await;
    assert_eq!(server.stats().retained, 1);
}

#[tokio::test(start_paused = true)]
async fn a_will_can_be_dropped_and_that_is_told() {
    let told = Recorder::of([Hook::MessageDropped]);
    let drop = plugin(Closures::new("rules").on_intercept_will(|_| InterceptWillAnswer::drop()));
    let server = Server::with([drop, told.registered()]).await;
    let mut watcher = server.subscriber(V5, "w", "#", QoS::AtLeastOnce).await;
    server
        .client_with(with_will(will("last", "bye")))
        .await
        .vanishes()
        .await;
    watcher.gets_nothing().await;
    let lines = told.wait(1).await;
    let dropped = "message_dropped reason='plugin' plugin='rules' sender_client_id='a' source='will' topic='last' payload='bye' payload_size=3 \
                   qos=0 retain=false user_properties=[] sequence=";
    assert!(lines[0].starts_with(dropped), "{lines:?}");
}

#[tokio::test(start_paused = true)]
async fn every_change_of_a_will_reaches_its_receivers() {
    let change = plugin(Closures::new("rules").on_intercept_will(|_| {
        InterceptWillAnswer::pass()
            .topic("tenant/last")
            .payload("gone")
            .qos(2)
            .retain(false)
            .payload_format(0)
            .message_expiry_interval(9)
            .content_type("d")
            .response_topic("answers")
            .correlation_data("42")
            .user_properties([("added", "yes")])
    }));
    let server = Server::with([change]).await;
    let mut watcher = server.subscriber(V5, "w", "#", QoS::ExactlyOnce).await;
    server.client_with(with_will(full())).await.vanishes().await;
    watcher
        .gets(
            "PUBLISH topic='tenant/last' qos=2 packet_identifier=1 payload='gone' payload_format=0 message_expiry_interval=9 \
             response_topic='answers' correlation_data='42' content_type='d' user_properties=['added'='yes']",
        )
        .await;
    assert_eq!(server.stats().retained, 0);
}

#[tokio::test(start_paused = true)]
async fn a_wrong_change_of_a_will_changes_nothing() {
    let change = plugin(
        Closures::new("rules")
            .on_intercept_will(|_| InterceptWillAnswer::pass().payload("half").topic("a/#")),
    );
    let server = Server::with([change]).await;
    let mut watcher = server.subscriber(V5, "w", "#", QoS::ExactlyOnce).await;
    server
        .client_with(with_will(will("last", "bye")))
        .await
        .vanishes()
        .await;
    watcher
        .gets("PUBLISH topic='last' qos=0 payload='bye'")
        .await;
    assert_eq!(server.n_errors("rules", Hook::InterceptWill), 1);
}

#[tokio::test(start_paused = true)]
async fn a_will_may_be_refused_like_any_message() {
    let refuse = |closures: Closures| plugin(closures);
    let rows: [Registration; 3] = [
        refuse(
            Closures::new("rules").on_intercept_publish(|event| match event.source() {
                "will" => InterceptPublishAnswer::deny(0x87, ""),
                _ => InterceptPublishAnswer::pass(),
            }),
        ),
        refuse(
            Closures::new("rules").on_authorize_publish(|event| match event.source() {
                "will" => AuthorizePublishAnswer::deny(0x87, ""),
                _ => AuthorizePublishAnswer::accept(),
            }),
        ),
        refuse(
            Closures::new("rules")
                .on_intercept_publish(|_| InterceptPublishAnswer::disconnect(0x87, "")),
        ),
    ];
    for rules in rows {
        let server = Server::with([rules]).await;
        let mut watcher = server.subscriber(V5, "w", "#", QoS::AtLeastOnce).await;
        server
            .client_with(with_will(will("last", "bye")))
            .await
            .vanishes()
            .await;
        watcher.gets_nothing().await;
        assert_eq!(server.stats().sessions, 1, "only the watcher's");
    }
}

// [MQTT-3.14.4-3], [MQTT-3.1.2-8]
#[tokio::test(start_paused = true)]
async fn a_goodbye_takes_the_will_away_unless_it_asks_for_it() {
    let recorder = Recorder::of([Hook::InterceptWill]);
    let server = Server::with([recorder.registered()]).await;
    server
        .client_with(with_will(will("last", "bye")))
        .await
        .leaves()
        .await;
    assert!(recorder.lines().is_empty());
    let mut client = server.client_with(with_will(will("last", "bye"))).await;
    client
        .send(Packet::Disconnect(Disconnect::new(
            ReasonCode::DisconnectWithWillMessage,
        )))
        .await;
    client.ends().await;
    assert_eq!(recorder.lines().len(), 1);
}

// [MQTT-3.1.3-9]
#[tokio::test(start_paused = true)]
async fn a_delayed_will_is_asked_about_when_it_is_due_and_not_if_the_client_is_back() {
    let recorder = Recorder::of([Hook::InterceptWill]);
    let server = Server::with([recorder.registered()]).await;
    let connect = || Connect {
        session_expiry_interval: Some(600),
        clean_start: false,
        ..with_will(Will {
            delay_interval: 10,
            ..will("last", "bye")
        })
    };
    server.client_with(connect()).await.vanishes().await;
    pass(Duration::from_secs(9)).await;
    let client = server.client_with(connect()).await;
    pass(Duration::from_secs(30)).await;
    assert!(recorder.lines().is_empty(), "it came back in time");
    client.vanishes().await;
    pass(Duration::from_secs(9)).await;
    assert!(recorder.lines().is_empty());
    pass(Duration::from_secs(2)).await;
    assert!(
        recorder.lines()[0].starts_with("intercept_will will_delay_interval=10 "),
        "{:?}",
        recorder.lines()
    );
}

#[tokio::test(start_paused = true)]
async fn a_session_that_ends_sends_its_delayed_will_at_once() {
    let recorder = Recorder::of([Hook::InterceptWill]);
    let server = Server::with([recorder.registered()]).await;
    let connect = Connect {
        session_expiry_interval: Some(5),
        ..with_will(Will {
            delay_interval: 100,
            ..will("last", "bye")
        })
    };
    server.client_with(connect).await.vanishes().await;
    pass(Duration::from_secs(6)).await;
    assert_eq!(recorder.lines().len(), 1);
    assert_eq!(server.stats().sessions, 0);
}

#[tokio::test(start_paused = true)]
async fn a_takeover_sends_the_will_of_the_connection_that_ends() {
    let server = Server::with([]).await;
    let mut watcher = server.subscriber(V5, "w", "#", QoS::AtLeastOnce).await;
    let first = server.client_with(with_will(will("last", "bye"))).await;
    let second = server.client("a").await;
    watcher
        .gets("PUBLISH topic='last' qos=0 payload='bye'")
        .await;
    watcher.gets_nothing().await;
    drop((first, second));
}

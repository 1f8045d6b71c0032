//! One receiver's copy: `intercept_enqueue`, `intercept_delivery`, and the notices about what became of it.

use std::num::{NonZeroU16, NonZeroU32};
use std::time::Duration;

use hookmq_broker::hook::Registration;
use hookmq_broker::settings::{QueueFull, SessionSettings};
use hookmq_broker::{BrokerSettings, DropReason};
use hookmq_mqtt::packet::{Ack, Connect, Publish, PublishProperties};
use hookmq_mqtt::property::PayloadFormat;
use hookmq_mqtt::{Packet, PacketIdentifier, QoS, ReasonCode};
use hookmq_plugin_api::typed::{InterceptDeliveryAnswer, InterceptEnqueueAnswer};
use hookmq_plugin_api::{Closures, Hook, OnError};

use crate::support::*;

fn enqueueing(answer: InterceptEnqueueAnswer) -> Registration {
    plugin(Closures::new("rules").on_intercept_enqueue(
        move |event| match event.receiver_client_id() {
            "plain" => InterceptEnqueueAnswer::pass(),
            _ => answer.clone(),
        },
    ))
}

fn delivering(answer: InterceptDeliveryAnswer) -> Registration {
    plugin(Closures::new("rules").on_intercept_delivery(move |event| {
        match event.receiver_client_id() {
            "plain" => InterceptDeliveryAnswer::pass(),
            _ => answer.clone(),
        }
    }))
}

/// A client that keeps its Session when it goes.
fn staying(version: hookmq_mqtt::ProtocolVersion, client_id: &str) -> Connect {
    Connect {
        clean_start: false,
        session_expiry_interval: (version == V5).then_some(3600),
        ..Connect::new(version, client_id)
    }
}

fn n_dropped(server: &Server, reason: DropReason) -> u64 {
    server
        .stats()
        .dropped
        .into_iter()
        .find(|(known, _)| *known == reason)
        .map_or(0, |(_, n)| n)
}

#[tokio::test(start_paused = true)]
async fn every_field_of_a_copy_is_shown_on_its_whole_way() {
    let asked = Recorder::of([Hook::InterceptEnqueue, Hook::InterceptDelivery]);
    let told = Recorder::of([Hook::MessageEnqueued, Hook::MessageAcknowledged]);
    let notices = Registration {
        name: "notices".into(),
        ..told.registered()
    };
    let server = Server::with([asked.registered(), notices]).await;
    let mut receiver = server
        .client_with(Connect {
            username: Some("bob".to_owned()),
            ..Connect::new(V5, "r")
        })
        .await;
    receiver.subscribe("#", QoS::AtLeastOnce).await;
    let mut sender = server.client("s").await;
    let user_properties = pairs(&[("k", "1")]);
    let properties = PublishProperties {
        payload_format: Some(PayloadFormat::Bytes),
        message_expiry_interval: Some(60),
        response_topic: Some("re"),
        correlation_data: Some(b"7"),
        content_type: Some("c"),
        user_properties: user_properties.as_ref(),
        ..PublishProperties::default()
    };
    sender
        .publish(Publish {
            properties,
            ..qos1("a", "x")
        })
        .await;
    receiver
        .gets(
            "PUBLISH topic='a' qos=1 packet_identifier=1 payload='x' payload_format=0 message_expiry_interval=60 response_topic='re' \
             correlation_data='7' content_type='c' user_properties=['k'='1']",
        )
        .await;
    receiver.puback(1).await;
    let message = "topic='a' payload='x' payload_size=1 qos=1 retain=false payload_format=0 message_expiry_interval=60 content_type='c' \
                   response_topic='re' correlation_data='7' user_properties=[k=1]";
    let route =
        "sender_client_id='s' receiver_client_id='r' receiver_username='bob' source='client'";
    asked
        .saw(&[
            &format!("intercept_enqueue {route} {message}"),
            &format!("intercept_delivery {route} {message}"),
        ])
        .await;
    told.saw(&[
        &format!("message_enqueued dropped=false {route} {message} sequence=1"),
        &format!(
            "message_acknowledged client_id='r' username='bob' sender_client_id='s' packet_type='puback' reason_code=0 completed=true \
             {message} sequence=2"
        ),
    ])
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_dropped_copy_is_missed_by_that_receiver_alone() {
    for (answer, version) in [
        (InterceptEnqueueAnswer::drop(), V5),
        (InterceptEnqueueAnswer::drop(), V3),
    ] {
        let told = Recorder::of([Hook::MessageDropped, Hook::MessageNotConsumed]);
        let server = Server::with([enqueueing(answer), told.registered()]).await;
        let mut filtered = server
            .subscriber(version, "filtered", "#", QoS::AtLeastOnce)
            .await;
        let mut plain = server
            .subscriber(version, "plain", "#", QoS::AtLeastOnce)
            .await;
        let mut sender = server.client("s").await;
        sender.publish(qos1("a", "x")).await;
        sender
            .gets("PUBACK packet_identifier=1 reason=success")
            .await;
        plain
            .gets("PUBLISH topic='a' qos=1 packet_identifier=1 payload='x'")
            .await;
        filtered.gets_nothing().await;
        told.saw(&["message_dropped reason='plugin' plugin='rules' sender_client_id='s' receiver_client_id='filtered' source='client' \
                    topic='a' payload='x' payload_size=1 qos=1 retain=false user_properties=[] sequence=1"])
            .await;
        assert_eq!(n_dropped(&server, DropReason::Plugin), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_filtered_for_everyone_says_so() {
    let told = Recorder::of([Hook::MessageNotConsumed]);
    let server = Server::with([
        enqueueing(InterceptEnqueueAnswer::drop()),
        told.registered(),
    ])
    .await;
    let _one = server.subscriber(V5, "one", "a", QoS::AtMostOnce).await;
    let _two = server.subscriber(V5, "two", "a", QoS::AtMostOnce).await;
    let mut sender = server.client("s").await;
    sender.publish(qos1("a", "x")).await;
    // There are subscribers, only they did not get it.
    sender
        .gets("PUBACK packet_identifier=1 reason=success")
        .await;
    sender.publish(qos1("b", "x")).await;
    sender
        .gets("PUBACK packet_identifier=2 reason=no_matching_subscribers")
        .await;
    let message = |topic: &str| {
        format!("topic='{topic}' payload='x' payload_size=1 qos=1 retain=false user_properties=[]")
    };
    told.saw(&[
        &format!("message_not_consumed sender_client_id='s' source='client' all_receivers_filtered=true {} sequence=1", message("a")),
        &format!("message_not_consumed sender_client_id='s' source='client' all_receivers_filtered=false {} sequence=2", message("b")),
    ])
    .await;
    assert_eq!(server.stats().not_consumed, 2);
}

#[tokio::test(start_paused = true)]
async fn a_disconnect_verdict_at_enqueue_ends_the_publisher() {
    let answer = InterceptEnqueueAnswer::disconnect_with(refusal(0));
    let server = Server::with([enqueueing(answer)]).await;
    let mut filtered = server
        .subscriber(V5, "filtered", "#", QoS::AtLeastOnce)
        .await;
    let mut sender = server.client("s").await;
    sender.publish(qos1("a", "x")).await;
    sender
        .gets("DISCONNECT reason=not_authorized server_reference='other:1883' reason_string='not today' user_properties=['why'='rule 7']")
        .await;
    sender.ends().await;
    filtered.gets_nothing().await;
}

#[tokio::test(start_paused = true)]
async fn every_change_at_enqueue_reaches_that_receiver_alone() {
    let answer = InterceptEnqueueAnswer::pass()
        .topic("for/you")
        .payload("other")
        .qos(0)
        .payload_format(1)
        .message_expiry_interval(9)
        .content_type("text/csv")
        .response_topic("answers")
        .correlation_data("42")
        .user_properties([("added", "yes")]);
    let server = Server::with([enqueueing(answer)]).await;
    let mut changed = server
        .subscriber(V5, "changed", "#", QoS::AtLeastOnce)
        .await;
    let mut old = server.subscriber(V3, "old", "#", QoS::AtLeastOnce).await;
    let mut plain = server.subscriber(V5, "plain", "#", QoS::AtLeastOnce).await;
    let mut sender = server.client("s").await;
    sender.publish(qos1("a", "x")).await;
    changed
        .gets(
            "PUBLISH topic='for/you' qos=0 payload='other' payload_format=1 message_expiry_interval=9 response_topic='answers' \
             correlation_data='42' content_type='text/csv' user_properties=['added'='yes']",
        )
        .await;
    old.gets("PUBLISH topic='for/you' qos=0 payload='other'")
        .await;
    plain
        .gets("PUBLISH topic='a' qos=1 packet_identifier=1 payload='x'")
        .await;
}

// [MQTT-3.8.4-8]
#[tokio::test(start_paused = true)]
async fn a_plugin_cannot_raise_the_qos_above_what_was_granted() {
    let server = Server::with([enqueueing(InterceptEnqueueAnswer::pass().qos(2))]).await;
    let mut receiver = server.subscriber(V5, "r", "#", QoS::AtLeastOnce).await;
    let mut sender = server.client("s").await;
    sender.publish(qos1("a", "x")).await;
    receiver
        .gets("PUBLISH topic='a' qos=1 packet_identifier=1 payload='x'")
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_wrong_change_at_enqueue_changes_nothing() {
    for answer in [
        InterceptEnqueueAnswer::pass().payload("half").topic("a/#"),
        InterceptEnqueueAnswer::pass().payload("half").qos(3),
        InterceptEnqueueAnswer::pass()
            .payload("half")
            .response_topic("+"),
    ] {
        let words = format!("{answer:?}");
        let server = Server::with([enqueueing(answer.clone())]).await;
        let mut receiver = server.subscriber(V5, "r", "#", QoS::AtMostOnce).await;
        let mut sender = server.client("s").await;
        sender.publish(message("a", "x")).await;
        assert_eq!(
            receiver.line().await,
            "PUBLISH topic='a' qos=0 payload='x'",
            "{words}"
        );
        assert_eq!(
            server.n_errors("rules", Hook::InterceptEnqueue),
            1,
            "{words}"
        );

        let strict = Registration {
            on_error: Some(OnError::Deny),
            ..enqueueing(answer)
        };
        let server = Server::with([strict]).await;
        let mut receiver = server.subscriber(V5, "r", "#", QoS::AtMostOnce).await;
        let mut sender = server.client("s").await;
        sender.publish(message("a", "x")).await;
        receiver.gets_nothing().await;
        assert_eq!(n_dropped(&server, DropReason::Plugin), 1, "{words}");
    }
}

#[tokio::test(start_paused = true)]
async fn every_change_at_delivery_reaches_that_receiver_alone() {
    let answer = InterceptDeliveryAnswer::pass()
        .topic("for/you")
        .payload("other")
        .payload_format(1)
        .message_expiry_interval(9)
        .content_type("text/csv")
        .response_topic("answers")
        .correlation_data("42")
        .user_properties([("added", "yes")]);
    let server = Server::with([delivering(answer)]).await;
    let mut changed = server
        .subscriber(V5, "changed", "#", QoS::ExactlyOnce)
        .await;
    let mut plain = server.subscriber(V5, "plain", "#", QoS::AtMostOnce).await;
    let mut sender = server.client("s").await;
    sender.publish(qos2("a", "x")).await;
    sender.publish(message("a", "y")).await;
    let rest = "payload='other' payload_format=1 message_expiry_interval=9 response_topic='answers' correlation_data='42' \
                content_type='text/csv' user_properties=['added'='yes']";
    changed
        .gets(&format!(
            "PUBLISH topic='for/you' qos=2 packet_identifier=1 {rest}"
        ))
        .await;
    changed
        .gets(&format!("PUBLISH topic='for/you' qos=0 {rest}"))
        .await;
    plain.gets("PUBLISH topic='a' qos=0 payload='x'").await;
    plain.gets("PUBLISH topic='a' qos=0 payload='y'").await;
}

#[tokio::test(start_paused = true)]
async fn a_copy_dropped_at_delivery_takes_no_identifier_and_no_window() {
    let told = Recorder::of([Hook::MessageDropped]);
    let picky = plugin(Closures::new("rules").on_intercept_delivery(
        |event| match event.payload() {
            b"bad" => InterceptDeliveryAnswer::drop(),
            _ => InterceptDeliveryAnswer::pass(),
        },
    ));
    let server = Server::with([picky, told.registered()]).await;
    let connect = Connect {
        receive_maximum: NonZeroU16::new(1),
        ..Connect::new(V5, "r")
    };
    let mut receiver = server.client_with(connect).await;
    receiver.subscribe("#", QoS::AtLeastOnce).await;
    let mut sender = server.client("s").await;
    for payload in ["bad", "1", "bad", "2"] {
        sender.publish(qos1("a", payload)).await;
    }
    receiver
        .gets("PUBLISH topic='a' qos=1 packet_identifier=1 payload='1'")
        .await;
    receiver.gets_nothing().await;
    receiver.puback(1).await;
    receiver
        .gets("PUBLISH topic='a' qos=1 packet_identifier=2 payload='2'")
        .await;
    let lines = told.wait(2).await;
    let first = "message_dropped reason='plugin' plugin='rules' sender_client_id='s' receiver_client_id='r' source='client' topic='a' \
                 payload='bad' payload_size=3 qos=1 retain=false user_properties=[] sequence=1";
    assert_eq!(lines[0], first);
}

#[tokio::test(start_paused = true)]
async fn delivery_is_asked_when_a_message_leaves_its_queue_and_not_before() {
    let recorder = Recorder::of([Hook::InterceptDelivery]);
    let server = Server::with([recorder.registered()]).await;
    let mut receiver = server.client_with(staying(V5, "r")).await;
    receiver.subscribe("#", QoS::AtLeastOnce).await;
    receiver.vanishes().await;
    let mut sender = server.client("s").await;
    let properties = PublishProperties {
        message_expiry_interval: Some(100),
        ..PublishProperties::default()
    };
    sender
        .publish(Publish {
            properties,
            ..qos1("a", "x")
        })
        .await;
    sender
        .gets("PUBACK packet_identifier=1 reason=success")
        .await;
    settle().await;
    assert!(recorder.lines().is_empty());
    pass(Duration::from_secs(40)).await;
    let mut receiver = server.client_with(staying(V5, "r")).await;
    receiver
        .gets("PUBLISH topic='a' qos=1 packet_identifier=1 payload='x' message_expiry_interval=60")
        .await;
    assert!(
        recorder.lines()[0].contains("message_expiry_interval=60"),
        "{:?}",
        recorder.lines()
    );
}

#[tokio::test(start_paused = true)]
async fn a_wrong_change_at_delivery_changes_nothing() {
    let server = Server::with([delivering(
        InterceptDeliveryAnswer::pass().payload("half").topic("a/#"),
    )])
    .await;
    let mut receiver = server.subscriber(V5, "r", "#", QoS::AtMostOnce).await;
    let mut sender = server.client("s").await;
    sender.publish(message("a", "x")).await;
    receiver.gets("PUBLISH topic='a' qos=0 payload='x'").await;
    assert_eq!(server.n_errors("rules", Hook::InterceptDelivery), 1);
}

#[tokio::test(start_paused = true)]
async fn order_holds_while_delivery_is_asked() {
    let server = Server::with([delivering(InterceptDeliveryAnswer::pass())]).await;
    let mut receiver = server.subscriber(V5, "r", "#", QoS::ExactlyOnce).await;
    let mut sender = server.client("s").await;
    let mut n_identified = 0;
    for n in 0..50 {
        let text = n.to_string();
        let publish = if n % 2 == 0 {
            message("a", &text)
        } else {
            qos1("a", &text)
        };
        sender.publish(publish).await;
    }
    for n in 0..50 {
        if n % 2 == 0 {
            receiver
                .gets(&format!("PUBLISH topic='a' qos=0 payload='{n}'"))
                .await;
        } else {
            n_identified += 1;
            receiver
                .gets(&format!(
                    "PUBLISH topic='a' qos=1 packet_identifier={n_identified} payload='{n}'"
                ))
                .await;
        }
    }
}

async fn with_session(session: SessionSettings, told: &std::sync::Arc<Recorder>) -> Server {
    Server::start(
        BrokerSettings {
            session,
            ..lenient()
        },
        [told.registered()],
    )
    .await
}

/// Queues these for a client that is away.
async fn queued(server: &Server, messages: &[Publish<'_>]) -> Client {
    let mut receiver = server.client_with(staying(V5, "r")).await;
    receiver.subscribe("#", QoS::AtLeastOnce).await;
    receiver.vanishes().await;
    let mut sender = server.client("s").await;
    for publish in messages {
        sender.publish(*publish).await;
        if publish.qos != QoS::AtMostOnce {
            assert!(sender.line().await.starts_with("PUBACK"));
        }
    }
    settle().await;
    sender
}

const FROM_S_TO_R: &str = "sender_client_id='s' receiver_client_id='r' source='client'";

fn of(payload: &str, qos: u8) -> String {
    format!(
        "{FROM_S_TO_R} topic='a' payload='{payload}' payload_size={} qos={qos} retain=false user_properties=[]",
        payload.len()
    )
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_loses_the_oldest_and_says_so() {
    let told = Recorder::of([
        Hook::MessageEnqueued,
        Hook::MessageOverwritten,
        Hook::MessageDropped,
    ]);
    let session = SessionSettings {
        maximum_queued_messages: 1,
        queue_full: QueueFull::DropOldest,
        ..SessionSettings::default()
    };
    let server = with_session(session, &told).await;
    queued(&server, &[qos1("a", "1"), qos1("a", "2")]).await;
    told.saw(&[
        &format!("message_enqueued dropped=false {} sequence=1", of("1", 1)),
        &format!("message_enqueued dropped=false {} sequence=2", of("2", 1)),
        &format!("message_overwritten {} sequence=3", of("1", 1)),
        &format!(
            "message_dropped reason='queue_full' {} sequence=4",
            of("1", 1)
        ),
    ])
    .await;
    assert_eq!(n_dropped(&server, DropReason::QueueFull), 1);
    let mut receiver = server.client_with(staying(V5, "r")).await;
    receiver
        .gets("PUBLISH topic='a' qos=1 packet_identifier=1 payload='2'")
        .await;
    receiver.gets_nothing().await;
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_loses_the_newest_where_it_is_set_so() {
    let told = Recorder::of([
        Hook::MessageEnqueued,
        Hook::MessageOverwritten,
        Hook::MessageDropped,
    ]);
    let session = SessionSettings {
        maximum_queued_messages: 1,
        queue_full: QueueFull::DropNewest,
        ..SessionSettings::default()
    };
    let server = with_session(session, &told).await;
    queued(&server, &[qos1("a", "1"), qos1("a", "2")]).await;
    told.saw(&[
        &format!("message_enqueued dropped=false {} sequence=1", of("1", 1)),
        &format!(
            "message_enqueued dropped=true reason='queue_full' {} sequence=2",
            of("2", 1)
        ),
        &format!(
            "message_dropped reason='queue_full' {} sequence=3",
            of("2", 1)
        ),
    ])
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_ends_the_connection_where_it_is_set_so() {
    let told = Recorder::of([
        Hook::MessageOverwritten,
        Hook::MessageDropped,
        Hook::ClientDisconnected,
    ]);
    let session = SessionSettings {
        maximum_inflight: 1,
        maximum_queued_messages: 1,
        queue_full: QueueFull::Disconnect,
        ..SessionSettings::default()
    };
    let server = with_session(session, &told).await;
    let mut receiver = server.client_with(staying(V5, "r")).await;
    receiver.subscribe("a", QoS::AtLeastOnce).await;
    let mut sender = server.client("s").await;
    for payload in ["1", "2", "3"] {
        sender.publish(qos1("a", payload)).await;
        assert!(sender.line().await.starts_with("PUBACK"));
    }
    receiver
        .gets("PUBLISH topic='a' qos=1 packet_identifier=1 payload='1'")
        .await;
    receiver
        .gets("DISCONNECT reason=quota_exceeded reason_string='its queue is full'")
        .await;
    receiver.ends().await;
    // While it is away nothing can be ended, and the new one goes.
    sender.publish(qos1("a", "4")).await;
    assert!(sender.line().await.starts_with("PUBACK"));
    let lines = told.wait(3).await;
    let dropped = |payload| format!("message_dropped reason='queue_full' {}", of(payload, 1));
    assert!(lines[0].starts_with(&dropped("3")), "{lines:?}");
    assert!(
        lines[1].contains("reason_code=151") && lines[1].contains("disconnect_type='Kicked'"),
        "{lines:?}"
    );
    assert!(lines[2].starts_with(&dropped("4")), "{lines:?}");
    assert_eq!(n_dropped(&server, DropReason::QueueFull), 2);
    let mut receiver = server.client_with(staying(V5, "r")).await;
    for payload in ["1", "2"] {
        let line = receiver.line().await;
        assert!(line.contains(&format!("payload='{payload}'")), "{line}");
        let identifier = if payload == "1" { 1 } else { 2 };
        receiver.puback(identifier).await;
    }
    receiver.gets_nothing().await;
}

#[tokio::test(start_paused = true)]
async fn the_whole_brokers_limit_leaves_room_for_who_holds_little() {
    let settings = BrokerSettings {
        maximum_queued_bytes: 100_000,
        ..lenient()
    };
    let told = Recorder::of([Hook::MessageOverwritten]);
    let server = Server::start(settings, [told.registered()]).await;
    for (client_id, filter) in [("greedy", "much/#"), ("modest", "little/#")] {
        let mut client = server.client_with(staying(V5, client_id)).await;
        client.subscribe(filter, QoS::AtLeastOnce).await;
        client.leaves().await;
    }
    let mut sender = server.client("s").await;
    let payload = "x".repeat(1_000);
    for (topic, n) in [("much/a", 200), ("little/a", 10), ("much/a", 20)] {
        for _ in 0..n {
            sender.publish(qos1(topic, &payload)).await;
            assert!(sender.line().await.starts_with("PUBACK"));
        }
        let queued = server.stats().queued_bytes;
        assert!(queued <= 100_000, "{queued}");
        assert_eq!(queued > 40_000, server.stats().load > 0.4);
    }
    // What nobody had to give up is all there; what was given up was the oldest, and told.
    let mut modest = server.client_with(staying(V5, "modest")).await;
    for n in 1..=10 {
        assert!(modest.line().await.contains("little/a"));
        modest.puback(n).await;
    }
    modest.gets_nothing().await;
    assert!(n_dropped(&server, DropReason::QueueFull) > 150);
    told.wait(150).await;
    modest.leaves().await;
    let clean = Connect::new(V5, "greedy");
    server.client_with(clean).await.leaves().await;
    let clean = Connect::new(V5, "modest");
    server.client_with(clean).await.leaves().await;
    assert_eq!(server.stats().queued_bytes, 0);
}

#[tokio::test(start_paused = true)]
async fn qos_0_for_a_client_that_is_away_is_lost_and_says_so() {
    let told = Recorder::of([Hook::MessageDropped, Hook::MessageNotConsumed]);
    let server = with_session(SessionSettings::default(), &told).await;
    queued(&server, &[message("a", "x")]).await;
    let lines = told.wait(2).await;
    assert_eq!(
        lines[0],
        format!(
            "message_dropped reason='offline_qos0' {} sequence=1",
            of("x", 0)
        )
    );
    assert!(
        lines[1].starts_with(
            "message_not_consumed sender_client_id='s' source='client' all_receivers_filtered=false"
        ),
        "{lines:?}"
    );
    assert_eq!(n_dropped(&server, DropReason::OfflineQos0), 1);

    // Where it is set so, it waits.
    let server = with_session(
        SessionSettings {
            queue_qos0_offline: true,
            ..SessionSettings::default()
        },
        &told,
    )
    .await;
    queued(&server, &[message("a", "x")]).await;
    let mut receiver = server.client_with(staying(V5, "r")).await;
    receiver.gets("PUBLISH topic='a' qos=0 payload='x'").await;
}

// [MQTT-3.3.2-5]
#[tokio::test(start_paused = true)]
async fn a_message_that_expires_while_it_waits_is_lost_and_says_so() {
    let told = Recorder::of([Hook::MessageDropped, Hook::MessageExpired]);
    let server = with_session(SessionSettings::default(), &told).await;
    let properties = PublishProperties {
        message_expiry_interval: Some(10),
        ..PublishProperties::default()
    };
    queued(
        &server,
        &[
            Publish {
                properties,
                ..qos1("a", "x")
            },
            qos1("a", "y"),
        ],
    )
    .await;
    pass(Duration::from_secs(11)).await;
    let mut receiver = server.client_with(staying(V5, "r")).await;
    receiver
        .gets("PUBLISH topic='a' qos=1 packet_identifier=1 payload='y'")
        .await;
    let message = format!(
        "{FROM_S_TO_R} topic='a' payload='x' payload_size=1 qos=1 retain=false message_expiry_interval=0 user_properties=[]"
    );
    told.saw(&[
        &format!("message_expired {message} sequence=1"),
        &format!("message_dropped reason='expired' {message} sequence=2"),
    ])
    .await;
    assert_eq!(n_dropped(&server, DropReason::Expired), 1);
}

// [MQTT-3.1.2-25]
#[tokio::test(start_paused = true)]
async fn a_message_too_large_for_its_receiver_is_lost_and_says_so() {
    let told = Recorder::of([Hook::MessageEnqueued, Hook::MessageDropped]);
    let server = with_session(SessionSettings::default(), &told).await;
    let connect = Connect {
        maximum_packet_size: NonZeroU32::new(30),
        ..Connect::new(V5, "r")
    };
    let mut receiver = server.client_with(connect).await;
    receiver.subscribe("#", QoS::AtLeastOnce).await;
    let mut sender = server.client("s").await;
    let large = "x".repeat(40);
    sender.publish(qos1("a", &large)).await;
    sender.publish(qos1("a", "small")).await;
    receiver
        .gets("PUBLISH topic='a' qos=1 packet_identifier=1 payload='small'")
        .await;
    told.saw(&[
        &format!(
            "message_enqueued dropped=true reason='too_large' {} sequence=1",
            of(&large, 1)
        ),
        &format!(
            "message_dropped reason='too_large' {} sequence=2",
            of(&large, 1)
        ),
        &format!(
            "message_enqueued dropped=false {} sequence=3",
            of("small", 1)
        ),
    ])
    .await;
    assert_eq!(n_dropped(&server, DropReason::TooLarge), 1);
}

#[tokio::test(start_paused = true)]
async fn messages_of_a_session_that_ends_are_lost_and_say_so() {
    let told = Recorder::of([Hook::MessageDropped]);
    let server = with_session(SessionSettings::default(), &told).await;
    queued(&server, &[qos1("a", "1"), qos1("a", "2")]).await;
    server
        .client_with(Connect::new(V5, "r"))
        .await
        .leaves()
        .await;
    told.saw(&[
        &format!(
            "message_dropped reason='session_ended' {} sequence=1",
            of("1", 1)
        ),
        &format!(
            "message_dropped reason='session_ended' {} sequence=2",
            of("2", 1)
        ),
    ])
    .await;
    assert_eq!(n_dropped(&server, DropReason::SessionEnded), 2);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_qos_2_delivery_is_told_once_and_a_refusal_says_that_it_failed() {
    let told = Recorder::of([Hook::MessageAcknowledged]);
    let server = with_session(SessionSettings::default(), &told).await;
    let mut receiver = server.subscriber(V5, "r", "#", QoS::ExactlyOnce).await;
    let mut sender = server.client("s").await;
    sender.publish(qos2("a", "1")).await;
    sender.publish(qos2("a", "2")).await;
    receiver
        .gets("PUBLISH topic='a' qos=2 packet_identifier=1 payload='1'")
        .await;
    receiver
        .gets("PUBLISH topic='a' qos=2 packet_identifier=2 payload='2'")
        .await;
    receiver.send(Packet::PubRec(ack(1))).await;
    receiver
        .gets("PUBREL packet_identifier=1 reason=success")
        .await;
    receiver.send(Packet::PubComp(ack(1))).await;
    // Once more; nobody waits for it.
    receiver.send(Packet::PubComp(ack(1))).await;
    let two = PacketIdentifier::new(2).expect("not zero");
    receiver
        .send(Packet::PubRec(Ack::new(two, ReasonCode::QuotaExceeded)))
        .await;
    let shown = |payload: &str| {
        format!(
            "topic='a' payload='{payload}' payload_size=1 qos=2 retain=false user_properties=[]"
        )
    };
    told.saw(&[
        &format!(
            "message_acknowledged client_id='r' sender_client_id='s' packet_type='pubcomp' reason_code=0 completed=true {} sequence=1",
            shown("1")
        ),
        &format!(
            "message_acknowledged client_id='r' sender_client_id='s' packet_type='pubrec' reason_code=151 completed=false {} sequence=2",
            shown("2")
        ),
    ])
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_shared_subscription_is_asked_about_the_member_that_was_chosen() {
    let recorder = Recorder::of([Hook::InterceptEnqueue]);
    let server = Server::with([recorder.registered()]).await;
    let mut one = server
        .subscriber(V5, "one", "$share/g/a", QoS::AtMostOnce)
        .await;
    let mut two = server
        .subscriber(V5, "two", "$share/g/a", QoS::AtMostOnce)
        .await;
    let mut sender = server.client("s").await;
    for _ in 0..4 {
        sender.publish(message("a", "x")).await;
    }
    settle().await;
    let lines = recorder.lines();
    let asked = |name: &str| {
        lines
            .iter()
            .filter(|line| line.contains(&format!("receiver_client_id='{name}'")))
            .count()
    };
    assert_eq!(asked("one") + asked("two"), 4);
    for (client, name) in [(&mut one, "one"), (&mut two, "two")] {
        for _ in 0..asked(name) {
            client.gets("PUBLISH topic='a' qos=0 payload='x'").await;
        }
        client.gets_nothing().await;
    }
}

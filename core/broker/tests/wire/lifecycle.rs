//! The broker's own life: start, stop, and a swap of plugins while traffic flows.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hookmq_broker::hook::Registration;
use hookmq_broker::settings::ListenerSettings;
use hookmq_broker::{BrokerSettings, Message, PublishError, Source};
use hookmq_mqtt::packet::Connect;
use hookmq_mqtt::{Packet, QoS, TopicName};
use hookmq_plugin_api::typed::{InterceptEnqueueAnswer, InterceptPublishAnswer};
use hookmq_plugin_api::{Closures, Hook};

use crate::support::*;

fn own(topic: &str) -> Message {
    Message {
        topic: TopicName::parse(topic).expect("a Topic Name"),
        payload: "x".into(),
        qos: QoS::AtLeastOnce,
        retain: false,
        properties: None,
        expires_at: None,
        sender: None,
        source: Source::Broker,
    }
}

#[tokio::test]
async fn start_reload_and_stop_are_told_in_order_with_the_bound_address() {
    let told = Recorder::of([
        Hook::BrokerStarted,
        Hook::ConfigReloaded,
        Hook::BrokerStopping,
        Hook::BrokerStopped,
    ]);
    let address = "127.0.0.1:0".parse().expect("an address");
    let settings = BrokerSettings {
        listeners: vec![ListenerSettings::new("loop", address)],
        ..lenient()
    };
    let server = Server::start(settings, [told.registered()]).await;
    let bound = server.handle.local_addrs()[0];
    server.handle.swap(vec![told.registered()]);
    server.handle.stop().await;
    told.saw(&[
        &format!("broker_started endpoint='{bound}' sequence=1"),
        "config_reloaded generation=2 sequence=2",
        &format!("broker_stopping endpoint='{bound}' sequence=3"),
        &format!("broker_stopped endpoint='{bound}' sequence=4"),
    ])
    .await;
    server.handle.stop().await;
    assert_eq!(told.lines().len(), 4, "a second stop does nothing");
}

// [MQTT-3.14.0-1]
#[tokio::test(start_paused = true)]
async fn a_stop_tells_everybody_writes_out_what_waits_and_ends() {
    let told = Recorder::of([
        Hook::BrokerStopping,
        Hook::ClientDisconnected,
        Hook::BrokerStopped,
    ]);
    let server = Server::with([told.registered()]).await;
    let mut five = server.subscriber(V5, "five", "t", QoS::AtMostOnce).await;
    let three = server
        .subscriber(V3, "three", "none", QoS::AtMostOnce)
        .await;
    let mut sender = server.client("sender").await;
    for n in 0..100 {
        sender.publish(message("t", &n.to_string())).await;
    }
    sender.send(Packet::PingReq).await;
    sender.gets("PINGRESP").await;
    // Nobody has read yet; the queued output goes out before the last word.
    server.handle.stop().await;
    for n in 0..100 {
        five.gets(&format!("PUBLISH topic='t' qos=0 payload='{n}'"))
            .await;
    }
    five.gets("DISCONNECT reason=server_shutting_down").await;
    five.ends().await;
    three.ends().await;
    sender.gets("DISCONNECT reason=server_shutting_down").await;
    sender.ends().await;
    let lines = told.wait(5).await;
    assert!(
        lines[0].starts_with("broker_stopping") && lines[4].starts_with("broker_stopped"),
        "{lines:#?}"
    );
    assert!(
        lines[1..4]
            .iter()
            .all(|line| line.contains("reason_code=139 disconnect_type='Kicked'")),
        "{lines:#?}"
    );
    assert_eq!((server.stats().connected, server.stats().sessions), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn after_a_stop_nobody_comes_in_and_nothing_is_taken() {
    let server = Server::with([]).await;
    let early = server.dial(V5);
    settle().await;
    server.handle.stop().await;
    early.ends().await;
    let mut late = server.dial(V5);
    // It is closed, or told why; in no case let in.
    let mut bytes = bytes::BytesMut::new();
    let connect = Packet::Connect(Box::new(Connect::new(V5, "late")));
    hookmq_mqtt::codec::encode(&connect, V5, &mut bytes).expect("a packet that can be said");
    let _ = tokio::io::AsyncWriteExt::write_all(&mut late.stream, &bytes).await;
    let line = late.line().await;
    assert!(
        line == "end" || line.starts_with("CONNACK reason="),
        "{line}"
    );
    assert_eq!(server.stats().connected, 0);
    assert!(matches!(
        server.handle.publish(own("t")).await,
        Err(PublishError::Stopping)
    ));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_nothing_cannot_hold_up_a_stop() {
    let server = Server::with([]).await;
    let mut stuck = server.dial_from(V5, ENDPOINT, true, 64);
    stuck
        .send(Packet::Connect(Box::new(Connect::new(V5, "stuck"))))
        .await;
    assert!(stuck.line().await.starts_with("CONNACK"));
    stuck.ask("#", QoS::AtMostOnce).await;
    settle().await;
    let mut sender = server.client("sender").await;
    for _ in 0..10 {
        sender.publish(message("t", &"x".repeat(100))).await;
    }
    settle().await;
    let begun = tokio::time::Instant::now();
    server.handle.stop().await;
    assert!(
        begun.elapsed() <= Duration::from_secs(6),
        "{:?}",
        begun.elapsed()
    );
    stuck.served.await.expect("no panic");
    assert_eq!(server.stats().connected, 0);
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_a_connection_whose_connect_still_waits_for_a_plugin() {
    let slow = plugin(
        Closures::new("slow").on_async_validate_connection(|_| async {
            tokio::time::sleep(Duration::from_secs(2)).await;
            hookmq_plugin_api::typed::ValidateConnectionAnswer::accept()
        }),
    );
    let server = Server::with([slow]).await;
    let mut client = server.dial(V5);
    client
        .send(Packet::Connect(Box::new(Connect::new(V5, "a"))))
        .await;
    settle().await;
    server.handle.stop().await;
    loop {
        let line = client.line().await;
        if line == "end" {
            break;
        }
        assert!(
            line.starts_with("CONNACK") || line == "DISCONNECT reason=server_shutting_down",
            "{line}"
        );
    }
    client.served.await.expect("no panic");
    assert_eq!((server.stats().connected, server.stats().sessions), (0, 0));
}

/// A generation that signs what it sees twice: when a message comes, and when it goes to a receiver.
fn generation(sign: &'static str) -> Registration {
    plugin(
        Closures::new(sign)
            .on_async_intercept_publish(move |event| async move {
                let before = String::from_utf8_lossy(event.payload()).into_owned();
                tokio::time::sleep(Duration::from_millis(3)).await;
                InterceptPublishAnswer::pass().payload(format!("{before}{sign}"))
            })
            .on_intercept_enqueue(move |event| {
                let before = String::from_utf8_lossy(event.payload()).into_owned();
                InterceptEnqueueAnswer::pass().payload(format!("{before}{sign}"))
            }),
    )
}

#[tokio::test(start_paused = true)]
async fn every_message_sees_exactly_one_generation_of_plugins() {
    let server = Server::with([generation("a")]).await;
    let mut receiver = server
        .subscriber(V5, "receiver", "#", QoS::AtLeastOnce)
        .await;
    let mut sender = server.client("sender").await;
    for _ in 0..60 {
        sender.publish(qos1("t", "_")).await;
    }
    let handle = server.handle.clone();
    let swaps = tokio::spawn(async move {
        for sign in ["b", "c", "d", "e"] {
            tokio::time::sleep(Duration::from_millis(40)).await;
            handle.swap(vec![generation(sign)]);
        }
    });
    let mut seen = std::collections::BTreeSet::new();
    for n in 1..=60 {
        let line = receiver.line().await;
        receiver.puback(n).await;
        let payload = line
            .split("payload='")
            .nth(1)
            .and_then(|rest| rest.strip_suffix('\''))
            .expect("a payload")
            .to_owned();
        assert!(
            ["_aa", "_bb", "_cc", "_dd", "_ee"].contains(&payload.as_str()),
            "{payload}"
        );
        seen.insert(payload);
    }
    swaps.await.expect("no panic");
    assert!(seen.len() >= 3, "{seen:?}");
    for n in 1..=60 {
        sender
            .gets(&format!("PUBACK packet_identifier={n} reason=success"))
            .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_swap_lets_connections_be_and_old_plugins_go() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counting = {
        let calls = Arc::clone(&calls);
        Arc::new(Closures::new("counting").on_intercept_publish(move |_| {
            calls.fetch_add(1, Ordering::Relaxed);
            InterceptPublishAnswer::pass()
        }))
    };
    let weak = Arc::downgrade(&counting);
    let server = Server::with([Registration::new("counting", "embedded", counting)]).await;
    let mut client = server.subscriber(V5, "a", "t", QoS::AtMostOnce).await;
    client.publish(message("t", "1")).await;
    client.gets("PUBLISH topic='t' qos=0 payload='1'").await;
    assert_eq!(server.handle.swap(Vec::new()), 2);
    client.publish(message("t", "2")).await;
    client.gets("PUBLISH topic='t' qos=0 payload='2'").await;
    assert_eq!(calls.load(Ordering::Relaxed), 1);
    assert!(weak.upgrade().is_none(), "the old generation is gone");
}

#[tokio::test(start_paused = true)]
async fn a_swap_that_brings_or_takes_intercept_delivery_loses_nothing() {
    let server = Server::with([]).await;
    let mut receiver = server
        .subscriber(V5, "receiver", "#", QoS::AtMostOnce)
        .await;
    let mut sender = server.client("sender").await;
    let asking =
        || {
            plugin(Closures::new("asking").on_intercept_delivery(|_| {
                hookmq_plugin_api::typed::InterceptDeliveryAnswer::pass()
            }))
        };
    for n in 0..40 {
        if n % 10 == 5 {
            server.handle.swap(if n % 20 == 5 {
                vec![asking()]
            } else {
                Vec::new()
            });
        }
        sender.publish(message("t", &n.to_string())).await;
        if n % 3 == 0 {
            settle().await;
        }
    }
    for n in 0..40 {
        receiver
            .gets(&format!("PUBLISH topic='t' qos=0 payload='{n}'"))
            .await;
    }
}

//! Retained messages: `load_retained`, `retained_changed`, `retained_cleared`, and their way to a new subscription.

use hookmq_broker::BrokerSettings;
use hookmq_broker::settings::RetainedLimits;
use hookmq_mqtt::packet::Publish;
use hookmq_mqtt::{QoS, packet::Connect};
use hookmq_plugin_api::typed::{
    InterceptEnqueueAnswer, InterceptPublishAnswer, LoadRetainedAnswer, MessageRecord,
};
use hookmq_plugin_api::{Closures, Hook};

use crate::support::*;

#[tokio::test(start_paused = true)]
async fn set_replaced_and_removed_are_told() {
    let told = Recorder::of([Hook::RetainedChanged]);
    let server = Server::with([told.registered()]).await;
    let mut client = server.client("a").await;
    for payload in ["1", "2", "", ""] {
        client
            .publish(Publish {
                retain: true,
                ..qos1("t", payload)
            })
            .await;
        assert!(client.line().await.starts_with("PUBACK"));
    }
    let line = |change: &str, payload: &str, n: u8| {
        format!(
            "retained_changed change='{change}' sender_client_id='a' topic='t' payload='{payload}' payload_size={} qos=1 retain=true \
             user_properties=[] sequence={n}",
            payload.len()
        )
    };
    told.saw(&[
        &line("set", "1", 1),
        &line("replaced", "2", 2),
        &line("removed", "", 3),
    ])
    .await;
    settle().await;
    assert_eq!((told.lines().len(), server.stats().retained), (3, 0));
}

#[tokio::test(start_paused = true)]
async fn clearing_all_is_told_once() {
    let told = Recorder::of([Hook::RetainedCleared, Hook::RetainedChanged]);
    let server = Server::with([told.registered()]).await;
    let mut client = server.client("a").await;
    client.publish(retained("t/1", "x")).await;
    client.publish(retained("t/2", "x")).await;
    told.wait(2).await;
    told.clear();
    assert_eq!(server.handle.clear_retained(), 2);
    told.saw(&["retained_cleared n_messages=2 sequence=1"])
        .await;
    assert_eq!(server.stats().retained, 0);
}

#[tokio::test(start_paused = true)]
async fn a_retained_message_on_its_way_to_a_subscription_is_asked_about_as_such() {
    let recorder = Recorder::of([Hook::InterceptEnqueue]);
    let server = Server::with([recorder.registered()]).await;
    let mut sender = server.client("s").await;
    sender
        .publish(Publish {
            retain: true,
            ..qos1("t", "x")
        })
        .await;
    let mut receiver = server
        .client_with(Connect {
            username: Some("bob".to_owned()),
            ..Connect::new(V5, "r")
        })
        .await;
    receiver.subscribe("#", QoS::AtLeastOnce).await;
    receiver
        .gets("PUBLISH topic='t' qos=1 retain packet_identifier=1 payload='x'")
        .await;
    recorder
        .saw(&["intercept_enqueue sender_client_id='s' receiver_client_id='r' receiver_username='bob' source='retained' topic='t' payload='x' \
                payload_size=1 qos=1 retain=true user_properties=[]"])
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_subscriber_that_got_retained_messages_goes_on_getting_new_ones() {
    let server = Server::with([]).await;
    let mut sender = server.client("s").await;
    sender.publish(retained("t", "kept")).await;
    let mut receiver = server.client("r").await;
    receiver.subscribe("#", QoS::AtLeastOnce).await;
    receiver
        .gets("PUBLISH topic='t' qos=0 retain payload='kept'")
        .await;
    for payload in ["1", "2"] {
        sender.publish(message("t", payload)).await;
        receiver
            .gets(&format!("PUBLISH topic='t' qos=0 payload='{payload}'"))
            .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_plugin_can_filter_and_change_retained_messages_per_receiver() {
    let rules = plugin(Closures::new("rules").on_intercept_enqueue(|event| {
        match (event.source(), event.topic()) {
            ("retained", "secret") => InterceptEnqueueAnswer::drop(),
            ("retained", _) => InterceptEnqueueAnswer::pass().payload("masked"),
            _ => InterceptEnqueueAnswer::pass(),
        }
    }));
    let server = Server::with([rules]).await;
    let mut sender = server.client("s").await;
    sender.publish(retained("secret", "x")).await;
    sender.publish(retained("open", "x")).await;
    let mut receiver = server.client("r").await;
    receiver.subscribe("#", QoS::AtLeastOnce).await;
    receiver
        .gets("PUBLISH topic='open' qos=0 retain payload='masked'")
        .await;
    receiver.gets_nothing().await;
}

#[tokio::test(start_paused = true)]
async fn what_load_retained_supplies_is_there_before_the_first_client() {
    let first = plugin(Closures::new("first").on_load_retained(|event| {
        assert_eq!(event.n_messages(), 0);
        LoadRetainedAnswer::pass().messages([
            MessageRecord {
                topic: "a".to_owned(),
                payload: b"1".to_vec(),
                qos: 1,
                payload_format: Some(1),
                message_expiry_interval: Some(60),
                content_type: Some("c".to_owned()),
                response_topic: Some("re".to_owned()),
                correlation_data: Some(b"7".to_vec()),
                user_properties: vec![("k".to_owned(), "v".to_owned())],
                sender_client_id: Some("long-gone".to_owned()),
                ..MessageRecord::default()
            },
            MessageRecord {
                topic: "b".to_owned(),
                payload: b"2".to_vec(),
                ..MessageRecord::default()
            },
        ])
    }));
    let second = plugin(
        Closures::new("second").on_async_load_retained(|event| async move {
            assert_eq!(event.n_messages(), 2);
            LoadRetainedAnswer::pass().messages([MessageRecord {
                topic: "c".to_owned(),
                payload: b"3".to_vec(),
                ..MessageRecord::default()
            }])
        }),
    );
    let recorder = Recorder::of([Hook::InterceptEnqueue]);
    let server = Server::with([first, second, recorder.registered()]).await;
    assert_eq!(server.stats().retained, 3);
    let mut receiver = server.client("r").await;
    receiver.subscribe("a", QoS::AtLeastOnce).await;
    receiver
        .gets(
            "PUBLISH topic='a' qos=1 retain packet_identifier=1 payload='1' payload_format=1 message_expiry_interval=60 response_topic='re' \
             correlation_data='7' content_type='c' user_properties=['k'='v']",
        )
        .await;
    assert!(
        recorder.lines()[0].contains("sender_client_id='long-gone'"),
        "{:?}",
        recorder.lines()
    );
}

#[tokio::test(start_paused = true)]
async fn a_supplier_that_fails_brings_nothing_and_the_others_do() {
    let records = |topics: &[&str]| -> Vec<MessageRecord> {
        let record = |topic: &&str| MessageRecord {
            topic: (*topic).to_owned(),
            payload: b"x".to_vec(),
            ..MessageRecord::default()
        };
        topics.iter().map(record).collect()
    };
    let (wrong, right) = (records(&["good", "not/#"]), records(&["right"]));
    let wrong = plugin(
        Closures::new("wrong")
            .on_load_retained(move |_| LoadRetainedAnswer::pass().messages(wrong.clone())),
    );
    let empty = plugin(Closures::new("empty").on_load_retained(|_| {
        LoadRetainedAnswer::pass().messages([MessageRecord {
            topic: "e".to_owned(),
            ..MessageRecord::default()
        }])
    }));
    let panics = plugin(
        Closures::new("panics").on_load_retained(|_| -> LoadRetainedAnswer { panic!("no disk") }),
    );
    let right = plugin(
        Closures::new("right")
            .on_load_retained(move |_| LoadRetainedAnswer::pass().messages(right.clone())),
    );
    let server = Server::with([wrong, empty, panics, right]).await;
    assert_eq!(server.stats().retained, 1);
    for name in ["wrong", "empty", "panics"] {
        assert_eq!(server.n_errors(name, Hook::LoadRetained), 1, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_that_no_longer_fits_is_refused_and_told_to_its_publisher() {
    let settings = BrokerSettings {
        retained: RetainedLimits {
            n_messages: 1,
            n_bytes: 1 << 20,
        },
        ..lenient()
    };
    let server = Server::start(settings, []).await;
    let mut client = server.client("a").await;
    client
        .publish(Publish {
            retain: true,
            ..qos1("one", "x")
        })
        .await;
    client
        .gets("PUBACK packet_identifier=1 reason=no_matching_subscribers")
        .await;
    client
        .publish(Publish {
            retain: true,
            ..qos1("two", "x")
        })
        .await;
    client
        .gets("PUBACK packet_identifier=2 reason=quota_exceeded")
        .await;
    client
        .publish(Publish {
            retain: true,
            ..qos1("one", "y")
        })
        .await;
    client
        .gets("PUBACK packet_identifier=3 reason=no_matching_subscribers")
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_plugin_that_makes_a_payload_empty_clears_the_retained_message() {
    let told = Recorder::of([Hook::RetainedChanged]);
    let rules = plugin(Closures::new("rules").on_intercept_publish(
        |event| match event.payload() {
            b"forget" => InterceptPublishAnswer::pass().payload(""),
            _ => InterceptPublishAnswer::pass(),
        },
    ));
    let server = Server::with([rules, told.registered()]).await;
    let mut client = server.client("a").await;
    client.publish(retained("t", "x")).await;
    client.publish(retained("t", "forget")).await;
    let lines = told.wait(2).await;
    assert!(
        lines[1].starts_with("retained_changed change='removed'"),
        "{lines:?}"
    );
    assert_eq!(server.stats().retained, 0);
}

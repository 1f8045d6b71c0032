//! The plain client against a broker in the process, in both versions.

mod support;

use std::num::NonZeroU16;

use hookmq_broker::BrokerSettings;
use hookmq_client::{Client, ClientError, ConnectOptions, Event, Lost, Message};
use hookmq_mqtt::{
    PayloadFormat, ProtocolVersion, QoS, ReasonCode, RetainHandling, SubscribeEntry,
    SubscriptionIdentifier, SubscriptionOptions, TopicName, Will,
};
use support::{broker, broker_with, options, soon};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

const QOS: [QoS; 3] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];

fn named(mut options: ConnectOptions, version: ProtocolVersion, client_id: &str) -> ConnectOptions {
    options.connect.version = version;
    options.connect.client_id = client_id.to_owned();
    options
}

macro_rules! version_tests {
    ($($name:ident)+) => {
        mod v311 {
            $(#[tokio::test]
            async fn $name() { super::$name(hookmq_mqtt::ProtocolVersion::V311).await; })+
        }
        mod v5 {
            $(#[tokio::test]
            async fn $name() { super::$name(hookmq_mqtt::ProtocolVersion::V5).await; })+
        }
    };
}

version_tests! {
    messages_arrive_once_and_in_order_in_every_qos
    a_will_is_published_only_after_a_bad_end
    a_session_goes_on_where_it_was_left
    the_connection_is_kept_alive
    what_is_unanswered_fails_when_the_server_goes
}

async fn messages_arrive_once_and_in_order_in_every_qos(version: ProtocolVersion) {
    let broker = broker().await;
    let (subscriber, mut events) = Client::connect(named(options(&broker), version, "s"))
        .await
        .expect("allowed");
    // Fewer places than messages: the queue makes the reader of the socket wait, and nothing is lost.
    let mut few = named(options(&broker), version, "p");
    few.queue = 3;
    let (publisher, _unread) = Client::connect(few).await.expect("allowed");
    for qos in QOS {
        let topic = format!("q/{qos}");
        assert_eq!(
            subscriber
                .subscribe_to(&topic, QoS::ExactlyOnce)
                .await
                .expect("granted"),
            QoS::ExactlyOnce
        );
        let mut receipts = Vec::new();
        for n in 0..200 {
            let message = Message::new(topic.as_str(), n.to_string()).qos(qos);
            receipts.push(publisher.send(message).await.expect("connected"));
        }
        for n in 0..200 {
            let message = soon("message", events.next_message())
                .await
                .expect("connected");
            assert_eq!(
                (&*message.text(), message.qos, message.topic.as_str()),
                (&*n.to_string(), qos, &*topic)
            );
        }
        for receipt in receipts {
            assert_eq!(
                soon("receipt", receipt).await.expect("accepted").reason,
                ReasonCode::Success
            );
        }
        subscriber
            .unsubscribe(vec![topic.clone()])
            .await
            .expect("connected");
    }
}

async fn a_will_is_published_only_after_a_bad_end(version: ProtocolVersion) {
    let broker = broker().await;
    let (subscriber, mut events) = Client::connect(options(&broker)).await.expect("allowed");
    subscriber
        .subscribe_to("will/#", QoS::AtLeastOnce)
        .await
        .expect("granted");
    let with_will = |client_id: &str| {
        let mut options = named(options(&broker), version, client_id);
        let topic = TopicName::parse(&format!("will/{client_id}")).expect("a topic");
        options.connect.will = Some(Box::new(Will::new(topic, "gone".into())));
        options
    };
    let (polite, _polite_events) = Client::connect(with_will("polite")).await.expect("allowed");
    polite.disconnect().await.expect("in time");
    assert!(!polite.is_connected());
    let (_kicked, _kicked_events) = Client::connect(with_will("kicked")).await.expect("allowed");
    assert!(broker.disconnect("kicked", ReasonCode::AdministrativeAction, None));
    let will = soon("will", events.next_message())
        .await
        .expect("connected");
    assert_eq!(
        will.topic, "will/kicked",
        "and no will of the one that left with DISCONNECT"
    );
}

async fn a_session_goes_on_where_it_was_left(version: ProtocolVersion) {
    let broker = broker().await;
    let mut lasting = named(options(&broker), version, "s");
    lasting.connect.clean_start = false;
    lasting.connect.session_expiry_interval = version.is_v5().then_some(60);
    let (subscriber, _events) = Client::connect(lasting.clone()).await.expect("allowed");
    assert!(!subscriber.connack().session_present);
    subscriber
        .subscribe_to("kept", QoS::AtLeastOnce)
        .await
        .expect("granted");
    subscriber.disconnect().await.expect("in time");

    let (publisher, _unread) = Client::connect(options(&broker)).await.expect("allowed");
    publisher
        .publish(Message::new("kept", "while away").qos(QoS::AtLeastOnce))
        .await
        .expect("accepted");
    let (subscriber, mut events) = Client::connect(lasting).await.expect("allowed");
    assert!(subscriber.connack().session_present);
    assert_eq!(
        soon("message", events.next_message())
            .await
            .expect("connected")
            .text(),
        "while away"
    );
}

/// [MQTT-3.1.2-20]
async fn the_connection_is_kept_alive(version: ProtocolVersion) {
    let (server, port) = scripted(version).await;
    let mut short = named(ConnectOptions::new("127.0.0.1", port), version, "s");
    short.connect.keep_alive = 1;
    short.answer_timeout = std::time::Duration::from_millis(200);
    let (client, mut events) = Client::connect(short).await.expect("allowed");
    let mut socket = soon("CONNECT", server).await.expect("no panic");
    let mut ping = [0; 2];
    soon("PINGREQ", socket.read_exact(&mut ping))
        .await
        .expect("connected");
    assert_eq!(ping, [0xc0, 0]);
    socket.write_all(&[0xd0, 0]).await.expect("connected");
    soon("PINGREQ", socket.read_exact(&mut ping))
        .await
        .expect("connected");
    assert_eq!(ping, [0xc0, 0]);
    assert!(client.is_connected(), "the first PINGREQ was answered");
    // The second is not.
    let ended = soon("the end", events.next()).await;
    assert!(
        matches!(ended, Some(Event::Lost(Lost::Silent))),
        "{ended:?}"
    );
}

async fn what_is_unanswered_fails_when_the_server_goes(version: ProtocolVersion) {
    let (server, port) = scripted(version).await;
    let options = named(ConnectOptions::new("127.0.0.1", port), version, "p");
    let (client, mut events) = Client::connect(options).await.expect("allowed");
    let message = Message::new("a", "b").qos(QoS::AtLeastOnce);
    let receipt = client.send(message).await.expect("connected");
    let mut socket = soon("CONNECT", server).await.expect("no panic");
    soon("PUBLISH", socket.read_u8()).await.expect("connected");
    drop(socket);
    let published = soon("answer", receipt).await;
    assert!(
        matches!(published, Err(ClientError::Lost(_))),
        "{published:?}"
    );
    assert!(matches!(
        soon("event", events.next()).await,
        Some(Event::Lost(_))
    ));
    assert!(events.next().await.is_none());
    assert!(client.publish(Message::new("a", "b")).await.is_err());
}

/// A server that answers CONNECT and nothing else by itself.
async fn scripted(version: ProtocolVersion) -> (JoinHandle<TcpStream>, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let server = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.expect("a client");
        // Shorter than 128 bytes, so that its length is one byte.
        let mut header = [0; 2];
        socket.read_exact(&mut header).await.expect("CONNECT");
        let mut rest = vec![0; header[1].into()];
        socket.read_exact(&mut rest).await.expect("the rest");
        let connack: &[u8] = if version.is_v5() {
            &[0x20, 3, 0, 0, 0]
        } else {
            &[0x20, 2, 0, 0]
        };
        socket.write_all(connack).await.expect("connected");
        socket
    });
    (server, port)
}

#[tokio::test]
async fn the_server_tells_why_it_ends_the_connection() {
    let broker = broker().await;
    let (_client, mut events) = Client::connect(named(options(&broker), ProtocolVersion::V5, "s"))
        .await
        .expect("allowed");
    assert!(broker.disconnect("s", ReasonCode::AdministrativeAction, Some("maintenance")));
    match soon("event", events.next()).await {
        Some(Event::Lost(Lost::Disconnected(refusal))) => {
            assert_eq!(
                refusal.to_string(),
                "administrative_action (0x98): maintenance"
            );
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn every_property_comes_through() {
    let broker = broker().await;
    let mut with_aliases = options(&broker);
    with_aliases.connect.topic_alias_maximum = 10;
    let (client, mut events) = Client::connect(with_aliases).await.expect("allowed");
    assert!(!client.client_id().is_empty(), "assigned by the server");
    let entry = SubscribeEntry {
        topic_filter: "a/+".to_owned(),
        options: QoS::AtLeastOnce.into(),
    };
    client
        .subscribe(vec![entry], SubscriptionIdentifier::new(7))
        .await
        .expect("granted");
    let mut message = Message::new("a/b", "payload")
        .qos(QoS::AtLeastOnce)
        .user_property("k", "v")
        .expect("short");
    message.properties.payload_format = Some(PayloadFormat::Utf8);
    message.properties.message_expiry_interval = Some(60);
    message.properties.response_topic = Some("answers".to_owned());
    message.properties.correlation_data = Some("42".into());
    message.properties.content_type = Some("text/plain".to_owned());
    // The second may come with an alias instead of its topic.
    for _ in 0..2 {
        client.publish(message.clone()).await.expect("accepted");
        let mut received = soon("message", events.next_message())
            .await
            .expect("connected");
        assert_eq!(
            received.properties.subscription_identifiers,
            [SubscriptionIdentifier::new(7).expect("valid")]
        );
        received.properties.subscription_identifiers.clear();
        assert_eq!(received, message);
    }
}

#[tokio::test]
async fn subscription_options_are_sent() {
    let broker = broker().await;
    let (client, mut events) = Client::connect(options(&broker)).await.expect("allowed");
    client
        .publish(
            Message::new("r/1", "kept")
                .qos(QoS::AtLeastOnce)
                .retain(true),
        )
        .await
        .expect("accepted");
    let never = SubscriptionOptions {
        retain_handling: RetainHandling::DoNotSend,
        no_local: true,
        ..QoS::AtLeastOnce.into()
    };
    let as_published = SubscriptionOptions {
        retain_as_published: true,
        retain_handling: RetainHandling::DoNotSend,
        ..QoS::AtLeastOnce.into()
    };
    let entries = [("r/1", never), ("r/2", as_published)].map(|(filter, options)| SubscribeEntry {
        topic_filter: filter.to_owned(),
        options,
    });
    let suback = client
        .subscribe(entries.to_vec(), None)
        .await
        .expect("granted");
    assert_eq!(
        suback.reasons,
        [ReasonCode::GrantedQoS1, ReasonCode::GrantedQoS1]
    );
    for topic in ["r/1", "r/2"] {
        client
            .publish(
                Message::new(topic, "new")
                    .qos(QoS::AtLeastOnce)
                    .retain(true),
            )
            .await
            .expect("accepted");
    }
    let first = soon("message", events.next_message())
        .await
        .expect("connected");
    assert_eq!((first.topic.as_str(), first.retain), ("r/2", true));
}

#[tokio::test]
async fn the_limits_of_the_server_are_kept_here() {
    let mut settings = BrokerSettings::default();
    settings.session.maximum_packet_size = 100;
    settings.session.maximum_qos = QoS::AtLeastOnce;
    settings.session.retain_available = false;
    settings.session.receive_maximum = 1;
    let broker = broker_with(settings).await;
    let (client, _events) = Client::connect(options(&broker)).await.expect("allowed");
    let too_large = client.publish(Message::new("a", vec![0; 200])).await;
    assert!(
        matches!(too_large, Err(ClientError::TooLarge { maximum: 100, .. })),
        "{too_large:?}"
    );
    let qos = client
        .publish(Message::new("a", "b").qos(QoS::ExactlyOnce))
        .await;
    assert!(
        matches!(qos, Err(ClientError::QoS(QoS::AtLeastOnce))),
        "{qos:?}"
    );
    let retain = client.publish(Message::new("a", "b").retain(true)).await;
    assert!(matches!(retain, Err(ClientError::Retain)), "{retain:?}");
    // One at a time, or the server would end the connection with 0x93.
    let mut receipts = Vec::new();
    for _ in 0..50 {
        receipts.push(
            client
                .send(Message::new("a", "b").qos(QoS::AtLeastOnce))
                .await
                .expect("connected"),
        );
    }
    for receipt in receipts {
        soon("receipt", receipt).await.expect("accepted");
    }
}

#[tokio::test]
async fn nonsense_is_refused_before_it_is_sent() {
    let broker = broker().await;
    let (client, _events) = Client::connect(options(&broker)).await.expect("allowed");
    for topic in ["", "a/+", "#"] {
        let published = client.publish(Message::new(topic, "b")).await;
        assert!(
            matches!(published, Err(ClientError::Topic { .. })),
            "{topic:?}"
        );
    }
    for filter in ["", "a/#/b", "a+"] {
        let subscribed = client.subscribe_to(filter, QoS::AtMostOnce).await;
        assert!(
            matches!(subscribed, Err(ClientError::Topic { .. })),
            "{filter:?}"
        );
    }
    assert!(client.subscribe(Vec::new(), None).await.is_err());
    client
        .publish(Message::new("a", "b").qos(QoS::AtLeastOnce))
        .await
        .expect("still connected");
}

#[tokio::test]
async fn a_refused_login_says_why() {
    let mut options = options(&broker_without_anonymous().await);
    options.connect.receive_maximum = NonZeroU16::new(10);
    let refused = Client::connect(options).await.map(|_| ());
    match refused {
        Err(ClientError::Refused(refusal)) => assert!(refusal.reason.is_error(), "{refusal}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn nobody_there_is_said_with_the_address() {
    let gone = broker().await;
    let options = options(&gone);
    gone.stop().await;
    let error = Client::connect(options.clone())
        .await
        .map(|_| ())
        .expect_err("nobody listens");
    assert!(
        error
            .to_string()
            .starts_with(&format!("cannot connect to 127.0.0.1:{}", options.port)),
        "{error}"
    );
}

async fn broker_without_anonymous() -> hookmq_broker::Handle {
    let bind = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    let mut listener = hookmq_broker::ListenerSettings::new("test", bind);
    listener.allow_anonymous = false;
    let settings = BrokerSettings {
        listeners: vec![listener],
        ..BrokerSettings::default()
    };
    hookmq_broker::Broker::new(settings)
        .start()
        .await
        .expect("a free port")
}

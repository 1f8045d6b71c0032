//! The client helper, row by row: what each call does and the exact line that it logs.

mod support;

use hookmq_broker::BrokerSettings;
use hookmq_client::{Client, ClientHelper, Message};
use hookmq_mqtt::{QoS, ReasonCode};
use support::{Logs, broker, broker_on, options, port, soon};

const LOST: &str = "WARN 已断开到MQTT服务端的连接.尝试重新连接";
const RECONNECTED: &str = "INFO 连接MQTT服务端成功!";
const CONNECTED: &str = "INFO 连接到MQTT服务端成功.h";

fn local(port: u16) -> i32 {
    i32::from(port)
}

#[tokio::test]
async fn start_refuses_an_empty_address_and_ports_that_do_not_exist() {
    let logs = Logs::capture();
    let helper = ClientHelper::new("h");
    for (ip, port) in [
        ("", 1883),
        ("  ", 1883),
        ("127.0.0.1", 0),
        ("127.0.0.1", -1),
        ("127.0.0.1", 65_536),
    ] {
        helper.start(ip, port).await;
        assert_eq!(helper.server(), None, "{ip}:{port}");
    }
    assert_eq!(logs.count("WARN MQTT服务端的IP或端口无效"), 5);
    assert!(helper.is_disconnected());
}

#[tokio::test]
async fn start_connects_in_the_background_and_says_so() {
    let mut logs = Logs::capture();
    let broker = broker().await;
    let helper = ClientHelper::new("h");
    helper.start("127.0.0.1", local(port(&broker))).await;
    soon("connected", helper.connected()).await;
    assert!(helper.is_connected() && !helper.is_disconnected());
    logs.wait_for(CONNECTED, 1).await;
    assert_eq!(
        helper.server(),
        Some(("127.0.0.1".to_owned(), port(&broker)))
    );
    // A first connection is not a reconnection.
    assert_eq!(logs.all(), [CONNECTED]);
}

#[tokio::test]
async fn start_again_disconnects_the_client_that_there_is() {
    let mut logs = Logs::capture();
    let (first, second) = (broker().await, broker().await);
    let helper = ClientHelper::new("h");
    helper.start("127.0.0.1", local(port(&first))).await;
    logs.wait_for(CONNECTED, 1).await;
    helper.start("127.0.0.1", local(port(&second))).await;
    logs.wait_for(CONNECTED, 2).await;
    soon("the first broker is left", async {
        while first.disconnect("h", ReasonCode::AdministrativeAction, None) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(helper.is_connected());
    assert_eq!(logs.count(LOST), 0, "leaving is not a loss");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_logged_once_and_tried_until_it_is() {
    let mut logs = Logs::capture();
    let gone = broker().await;
    let port = port(&gone);
    gone.stop().await;
    let helper = ClientHelper::new("h");
    helper.start("127.0.0.1", local(port)).await;
    soon("the failure is logged", async {
        while !logs
            .all()
            .iter()
            .any(|line| line.starts_with("WARN 连接MQTT服务端失败:cannot connect"))
        {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let back = broker_on(BrokerSettings::default(), port).await;
    logs.wait_for(CONNECTED, 1).await;
    assert_eq!(
        logs.all()
            .iter()
            .filter(|line| line.contains("失败"))
            .count(),
        1,
        "{:?}",
        logs.all()
    );
    back.stop().await;
}

#[tokio::test]
async fn disconnect_stays_disconnected() {
    let mut logs = Logs::capture();
    let broker = broker().await;
    let helper = ClientHelper::new("h");
    helper.disconnect().await;
    assert_eq!(logs.last(), "WARN MQTT客户端未启动");

    helper.start("127.0.0.1", local(port(&broker))).await;
    logs.wait_for(CONNECTED, 1).await;
    helper.disconnect().await;
    assert_eq!(logs.last(), "INFO 关闭MQTT客户端成功!");
    assert!(helper.is_disconnected());
    assert_eq!(logs.count(LOST), 0);

    helper.publish("a", "b").await;
    assert_eq!(logs.last(), "WARN MQTT客户端未启动", "disposed of");
}

#[tokio::test]
async fn connect_and_reconnect_use_the_last_options() {
    let mut logs = Logs::capture();
    let broker = broker().await;
    let helper = ClientHelper::new("h");
    helper.connect().await;
    assert_eq!(
        logs.last(),
        "WARN MQTT客户端未启动",
        "there are no options yet"
    );

    helper.start("127.0.0.1", local(port(&broker))).await;
    logs.wait_for(CONNECTED, 1).await;
    helper.disconnect().await;
    helper.connect().await;
    logs.wait_for(RECONNECTED, 1).await;
    helper.reconnect().await;
    logs.wait_for(RECONNECTED, 2).await;
    assert_eq!(logs.count(CONNECTED), 3);
    assert!(helper.is_connected());
}

#[tokio::test]
async fn after_a_loss_it_comes_back_and_subscribes_to_every_topic_of_the_cache() {
    let mut logs = Logs::capture();
    let broker = broker().await;
    let helper = ClientHelper::new("h");
    helper.start("127.0.0.1", local(port(&broker))).await;
    logs.wait_for(CONNECTED, 1).await;
    helper.subscribe_all(&["kept/+", "marked", "dropped"]).await;
    helper.unsubscribe("marked", false).await;
    helper.unsubscribe("dropped", true).await;

    for round in 1..=3 {
        assert!(broker.disconnect("h", ReasonCode::AdministrativeAction, Some("go")));
        logs.wait_for(LOST, round).await;
        logs.wait_for(CONNECTED, round + 1).await;
        logs.wait_for(RECONNECTED, round).await;
    }
    assert!(helper.is_subscribed("kept/+") && helper.is_subscribed("marked"));
    assert!(!helper.is_subscribed("dropped"));

    // The session was clean, so only a new subscription can bring these.
    let (other, _events) = Client::connect(options(&broker)).await.expect("allowed");
    for topic in ["dropped", "kept/1", "marked"] {
        other
            .publish(Message::new(topic, topic).qos(QoS::AtLeastOnce))
            .await
            .expect("allowed");
    }
    logs.wait_for("INFO 接收消息:marked\nQoS=1\n客户端=h\n主题:marked", 1)
        .await;
    assert_eq!(
        logs.count("INFO 接收消息:kept/1\nQoS=1\n客户端=h\n主题:kept/1"),
        1
    );
    assert!(
        !logs
            .all()
            .iter()
            .any(|line| line.contains("接收消息:dropped"))
    );
}

#[tokio::test]
async fn a_message_is_logged_in_four_lines_and_handed_on() {
    let mut logs = Logs::capture();
    let broker = broker().await;
    let (sender, mut heard) = tokio::sync::mpsc::channel(1);
    let helper = ClientHelper::with_listener("h", move |message| {
        sender
            .try_send(message.clone())
            .expect("one message is sent");
    });
    helper.start("127.0.0.1", local(port(&broker))).await;
    logs.wait_for(CONNECTED, 1).await;
    helper.subscribe("room/温度").await;
    let (other, _events) = Client::connect(options(&broker)).await.expect("allowed");
    other
        .publish(Message::new("room/温度", "21.5 度"))
        .await
        .expect("allowed");
    logs.wait_for("INFO 接收消息:21.5 度\nQoS=0\n客户端=h\n主题:room/温度", 1)
        .await;
    let message = soon("heard", heard.recv()).await.expect("handed on");
    assert_eq!(
        (message.topic.as_str(), &*message.text()),
        ("room/温度", "21.5 度")
    );
}

#[tokio::test]
async fn subscribing_twice_is_refused_and_offline_topics_wait_for_the_connection() {
    let mut logs = Logs::capture();
    let broker = broker().await;
    let helper = ClientHelper::new("h");
    helper.subscribe("early").await;
    assert!(
        !helper.is_subscribed("early"),
        "known, but nobody is connected"
    );
    assert!(!helper.is_subscribed("unknown"));
    helper.subscribe("a/#/b").await;
    assert!(
        logs.last().starts_with("WARN 主题【a/#/b】无效:"),
        "{}",
        logs.last()
    );
    helper.subscribe_all(&[]).await;

    helper.start("127.0.0.1", local(port(&broker))).await;
    logs.wait_for(CONNECTED, 1).await;
    assert!(helper.is_subscribed("early"));
    helper.subscribe("late").await;
    assert!(helper.is_subscribed("late"));
    helper.subscribe("late").await;
    assert_eq!(logs.last(), "WARN 主题【late】已订阅");
}

#[tokio::test]
async fn unsubscribe_forgets_or_marks_and_refuses_what_it_does_not_know() {
    let mut logs = Logs::capture();
    let broker = broker().await;
    let helper = ClientHelper::new("h");
    helper.unsubscribe("a", true).await;
    assert_eq!(logs.last(), "WARN 主题【a】未订阅");

    helper.start("127.0.0.1", local(port(&broker))).await;
    logs.wait_for(CONNECTED, 1).await;
    helper.subscribe_all(&["a", "b"]).await;
    helper.unsubscribe_all(&["a", "b"], false).await;
    assert!(!helper.is_subscribed("a") && !helper.is_subscribed("b"));
    // Marked only, so that it is still known, and may be subscribed again.
    helper.unsubscribe("a", true).await;
    helper.unsubscribe("a", true).await;
    assert_eq!(logs.last(), "WARN 主题【a】未订阅");
    helper.subscribe("b").await;
    assert!(helper.is_subscribed("b"));

    // The server has dropped it, too: only b comes back.
    for topic in ["a", "b"] {
        helper.publish(topic, topic).await;
    }
    logs.wait_for("INFO 接收消息:b\nQoS=1\n客户端=h\n主题:b", 1)
        .await;
    assert!(!logs.all().iter().any(|line| line.contains("接收消息:a")));
}

#[tokio::test]
async fn publish_logs_topic_message_and_outcome_and_refuses_blank_messages() {
    let mut logs = Logs::capture();
    let broker = broker().await;
    let helper = ClientHelper::new("h");
    helper.publish("a", "before").await;
    assert_eq!(logs.last(), "WARN MQTT客户端未启动");

    helper.start("127.0.0.1", local(port(&broker))).await;
    logs.wait_for(CONNECTED, 1).await;
    for blank in ["", " \t\n"] {
        helper.publish("a", blank).await;
        assert_eq!(logs.last(), "WARN 发布的消息为空");
    }
    helper.publish("a", "nobody").await;
    assert_eq!(
        logs.last(),
        "INFO 发布消息-主题:a,消息:nobody,结果: no_matching_subscribers"
    );
    helper.subscribe("a").await;
    helper.publish("a", "你好").await;
    logs.wait_for("INFO 发布消息-主题:a,消息:你好,结果: success", 1)
        .await;
    helper.publish("a/#", "wildcard").await;
    assert!(
        logs.last().starts_with("WARN 发布消息失败-主题:a/#:"),
        "{}",
        logs.last()
    );
}

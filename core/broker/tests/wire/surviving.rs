//! What survives the broker, and what waits for it. Time is real here: the store has its own thread.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use hookmq_broker::settings::StorageSettings;
use hookmq_broker::store::{Durability, StoredSession, WallClock};
use hookmq_broker::{Broker, BrokerSettings, DropReason};
use hookmq_mqtt::packet::{Ack, Connect, Publish};
use hookmq_mqtt::{Packet, PacketIdentifier, QoS, ReasonCode, TopicFilter};
use hookmq_plugin_api::Closures;
use hookmq_plugin_api::typed::{
    LoadRetainedAnswer, MessageRecord, PrepareSessionAnswer, SubscriptionRecord,
};
use parking_lot::Mutex;

use crate::shelf::{Image, Shelf};
use crate::support::{
    Client, Recorder, Server, V3, V5, ack, eventually, lenient, message, plugin, qos1, qos2,
    retained, staying, will,
};

fn settings() -> BrokerSettings {
    let mut settings = lenient();
    settings.storage.retry_after = Duration::from_millis(1);
    settings
}

async fn start(shelf: &Arc<Shelf>) -> Server {
    start_with(settings(), shelf).await
}

async fn start_with(settings: BrokerSettings, shelf: &Arc<Shelf>) -> Server {
    let broker = Broker::new(settings).store(shelf.store());
    let handle = broker.start().await.expect("nothing to bind");
    Server { handle }
}

/// CONNACK of a client whose Session stays, and the client.
async fn resumes(server: &Server, connect: Connect) -> (Client, bool) {
    let mut client = server.dial(connect.version);
    client.send(Packet::Connect(Box::new(connect))).await;
    let line = client.line().await;
    assert!(line.contains("reason=success"), "{line}");
    (client, line.contains("session_present"))
}

async fn away(server: &Server, client_id: &str, filter: &str, qos: QoS) {
    let (mut client, _) = resumes(server, staying(V5, client_id)).await;
    client.subscribe(filter, qos).await;
    client.leaves().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_acknowledgement_waits_for_the_store_and_nothing_else_does() {
    let shelf = Shelf::of(Image::default());
    let server = start(&shelf).await;
    away(&server, "r", "a", QoS::AtLeastOnce).await;
    let mut live = server.subscriber(V5, "live", "#", QoS::AtMostOnce).await;
    let mut sender = server.client("s").await;
    shelf.allow(Some(0));
    sender.publish(qos1("a", "1")).await;
    sender.publish(qos1("b", "nobody keeps it")).await;
    sender.publish(message("c", "2")).await;
    sender.send(Packet::PingReq).await;
    sender.gets("PINGRESP").await;
    for payload in ["1", "nobody keeps it", "2"] {
        let line = live.line().await;
        assert!(line.contains(payload), "{line}");
    }
    sender.gets_nothing().await;
    shelf.allow(None);
    // In the order of the messages, though the second was kept by nobody.
    sender
        .gets("PUBACK packet_identifier=1 reason=success")
        .await;
    sender
        .gets("PUBACK packet_identifier=2 reason=success")
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connack_and_suback_of_a_session_that_stays_wait_for_the_store() {
    let shelf = Shelf::of(Image::default());
    let server = start(&shelf).await;
    shelf.allow(Some(0));
    let mut client = server.dial(V5);
    client
        .send(Packet::Connect(Box::new(staying(V5, "r"))))
        .await;
    client.send(Packet::PingReq).await;
    client.gets_nothing().await;
    shelf.allow(None);
    assert!(client.line().await.starts_with("CONNACK"));
    client.gets("PINGRESP").await;
    shelf.allow(Some(0));
    client.ask("a", QoS::AtLeastOnce).await;
    client.gets_nothing().await;
    assert!(shelf.image().subscriptions.is_empty());
    shelf.allow(None);
    assert!(client.line().await.starts_with("SUBACK"));
    assert_eq!(shelf.image().subscriptions.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_is_there_after_a_kill() {
    for version in [V3, V5] {
        let shelf = Shelf::of(Image::default());
        let server = start(&shelf).await;
        let (mut receiver, present) = resumes(&server, staying(version, "r")).await;
        assert!(!present);
        receiver.subscribe("a/+", QoS::ExactlyOnce).await;
        receiver.leaves().await;
        let mut sender = server.client("s").await;
        for n in 1..=3 {
            sender.publish(qos1("a/b", &n.to_string())).await;
            assert!(sender.line().await.starts_with("PUBACK"));
        }
        sender.publish(retained("kept", "word")).await;
        sender.publish(qos1("none", "")).await;
        assert!(sender.line().await.starts_with("PUBACK"));
        eventually("the retained message is stored", || {
            shelf.image().retained.len() == 1
        })
        .await;

        let server = start(&Shelf::of(shelf.image())).await;
        let (mut receiver, present) = resumes(&server, staying(version, "r")).await;
        assert!(present);
        for n in 1..=3 {
            let line = receiver.line().await;
            assert!(
                line.contains(&format!("payload='{n}'")) || line.contains(&format!("'{n}'")),
                "{line}"
            );
            receiver.puback(n).await;
        }
        // The subscription is in force.
        let mut sender = server.client("s").await;
        sender.publish(message("a/c", "live")).await;
        assert!(receiver.line().await.contains("live"));
        let mut late = server.client("late").await;
        late.subscribe("kept", QoS::AtMostOnce).await;
        assert!(late.line().await.contains("word"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn qos_0_and_sessions_that_end_with_their_connection_never_touch_the_store() {
    let shelf = Shelf::of(Image::default());
    let server = start(&shelf).await;
    let mut receiver = server.subscriber(V5, "r", "#", QoS::ExactlyOnce).await;
    let mut sender = server.client("s").await;
    for publish in [message("a", "0"), qos1("a", "1"), qos2("a", "2")] {
        sender.publish(publish).await;
        let _ = receiver.line().await;
    }
    sender
        .gets("PUBACK packet_identifier=1 reason=success")
        .await;
    sender
        .gets("PUBREC packet_identifier=2 reason=success")
        .await;
    away(&server, "stays", "b", QoS::AtLeastOnce).await;
    eventually("it is told that the client is away", || {
        let image = shelf.image();
        image
            .sessions
            .values()
            .all(|session| session.away_since.is_some())
    })
    .await;
    let n_batches = shelf.n_batches();
    sender.publish(message("b", "0")).await;
    sender.send(Packet::PingReq).await;
    sender.gets("PINGRESP").await;
    assert_eq!(shelf.n_batches(), n_batches);
    assert!(shelf.image().queued.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn topics_and_listeners_have_levels_of_their_own() {
    let shelf = Shelf::of(Image::default());
    let mut settings = settings();
    let rule = |filter: &str, durability| (TopicFilter::parse(filter).unwrap(), durability);
    settings.storage = StorageSettings {
        topics: vec![
            rule("light/#", Durability::None),
            rule("dear/#", Durability::Disk),
        ],
        ..settings.storage
    };
    let server = start_with(settings, &shelf).await;
    away(&server, "r", "#", QoS::AtLeastOnce).await;
    let mut sender = server.client("s").await;
    sender.publish(qos1("light/1", "x")).await;
    assert!(sender.line().await.starts_with("PUBACK"));
    assert!(shelf.image().queued.is_empty());
    sender.publish(qos1("other", "x")).await;
    assert!(sender.line().await.starts_with("PUBACK"));
    assert_eq!(shelf.image().queued.len(), 1);
    assert_eq!(shelf.highest(), Durability::Os);
    sender.publish(qos1("dear/1", "x")).await;
    assert!(sender.line().await.starts_with("PUBACK"));
    assert_eq!(shelf.highest(), Durability::Disk);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_fails_withholds_acknowledgements_and_mends_itself() {
    let shelf = Shelf::of(Image::default());
    let server = start(&shelf).await;
    away(&server, "r", "a", QoS::AtLeastOnce).await;
    let mut sender = server.client("s").await;
    shelf.set_failing(true);
    sender.publish(qos1("a", "1")).await;
    eventually("it is tried again", || shelf.n_reopened() > 3).await;
    assert!(server.stats().store_is_failing);
    assert!(server.stats().unstored_bytes > 0);
    sender.send(Packet::PingReq).await;
    sender.gets("PINGRESP").await;
    sender.gets_nothing().await;
    shelf.set_failing(false);
    sender
        .gets("PUBACK packet_identifier=1 reason=success")
        .await;
    eventually("the alarm ends", || !server.stats().store_is_failing).await;
    assert_eq!(shelf.image().queued.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_stands_still_stops_publishers_before_memory_is_full() {
    let shelf = Shelf::of(Image::default());
    let mut settings = settings();
    settings.storage.maximum_waiting_bytes = 1 << 20;
    let server = start_with(settings, &shelf).await;
    away(&server, "r", "a", QoS::AtLeastOnce).await;
    shelf.allow(Some(0));
    let payload = "x".repeat(10_000);
    let mut sender = server.client_v3("s").await;
    let mut n_sent = 0_u16;
    // What the broker takes is what it must keep: far less than was offered.
    while let Ok(()) = tokio::time::timeout(
        Duration::from_millis(200),
        sender.publish(qos1("a", &payload)),
    )
    .await
    {
        n_sent += 1;
        assert!(n_sent < 2_000, "the broker takes everything");
    }
    assert!(server.stats().unstored_bytes < 4 << 20);
    // Who asks nothing of the store is served.
    let mut live = server.subscriber(V5, "live", "c", QoS::AtMostOnce).await;
    let mut other = server.client("other").await;
    other.publish(message("c", "goes on")).await;
    assert!(live.line().await.contains("goes on"));
    shelf.allow(None);
    assert!(sender.line().await.starts_with("PUBACK"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_left_of_a_session_that_ended() {
    let shelf = Shelf::of(Image::default());
    let server = start(&shelf).await;
    let mut connect = staying(V5, "r");
    connect.will = Some(Box::new(will("w", "gone")));
    let (mut receiver, _) = resumes(&server, connect).await;
    receiver.subscribe("a", QoS::ExactlyOnce).await;
    let mut sender = resumes(&server, staying(V5, "s")).await.0;
    sender.publish(qos2("a", "1")).await;
    assert!(sender.line().await.starts_with("PUBREC"));
    assert!(receiver.line().await.starts_with("PUBLISH"));
    receiver.send(Packet::PubRec(ack(1))).await;
    assert!(receiver.line().await.starts_with("PUBREL"));
    let image = shelf.image();
    assert_eq!(
        (image.queued.len(), image.sent.len(), image.received.len()),
        (1, 1, 1)
    );
    for (client, client_id) in [(receiver, "r"), (sender, "s")] {
        client.leaves().await;
        server
            .client_with(Connect::new(V5, client_id))
            .await
            .leaves()
            .await;
    }
    eventually("nothing is left", || shelf.image().is_empty()).await;
}

#[derive(Debug)]
struct Clock(Mutex<SystemTime>);

impl WallClock for Clock {
    fn now(&self) -> SystemTime {
        *self.0.lock()
    }
}

impl Clock {
    fn jump(&self, ahead: Duration) {
        *self.0.lock() += ahead;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn expiry_and_will_delay_go_on_while_the_broker_does_not_run() {
    let clock = Arc::new(Clock(Mutex::new(
        SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 30),
    )));
    let start = async |image: Image, told: &Arc<Recorder>| {
        let broker = Broker::with_clock(settings(), clock.clone()).store(Shelf::of(image).store());
        let broker = broker.plugin(told.registered());
        Server {
            handle: broker.start().await.expect("nothing to bind"),
        }
    };
    let shelf = Shelf::of(Image::default());
    let broker = Broker::with_clock(settings(), clock.clone()).store(shelf.store());
    let server = Server {
        handle: broker.start().await.expect("nothing to bind"),
    };
    away(&server, "watcher", "w", QoS::AtLeastOnce).await;
    let mut connect = staying(V5, "r");
    let mut last = will("w", "gone");
    last.delay_interval = 1800;
    last.qos = QoS::AtLeastOnce;
    connect.will = Some(Box::new(last));
    let (receiver, _) = resumes(&server, connect).await;
    receiver.vanishes().await;
    eventually("it is told", || {
        let image = shelf.image();
        image
            .sessions
            .values()
            .any(|session| session.will.is_some() && session.away_since.is_some())
    })
    .await;
    let image = shelf.image();

    let hooks = [
        hookmq_plugin_api::Hook::SessionExpired,
        hookmq_plugin_api::Hook::SessionDeleted,
    ];
    let told = Recorder::of(hooks);
    // Time goes on while nobody runs: first too little, then enough for the will, then for the Session.
    clock.jump(Duration::from_secs(1700));
    let server = start(image.clone(), &told).await;
    let (mut watcher, present) = resumes(&server, staying(V5, "watcher")).await;
    assert!(present);
    watcher.gets_nothing().await;
    clock.jump(Duration::from_secs(200));
    let server = start(image.clone(), &told).await;
    let (mut watcher, _) = resumes(&server, staying(V5, "watcher")).await;
    assert!(watcher.line().await.contains("gone"));
    assert!(
        resumes(&server, staying(V5, "r")).await.1,
        "the Session is there yet"
    );
    clock.jump(Duration::from_secs(3600));
    let _server = start(image, &told).await;
    eventually("both Sessions expired", || told.lines().len() >= 4).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_put_right_while_the_broker_runs_ends_no_session_at_the_next_start() {
    let clock = Arc::new(Clock(Mutex::new(SystemTime::UNIX_EPOCH)));
    let shelf = Shelf::of(Image::default());
    let broker = Broker::with_clock(settings(), clock.clone()).store(shelf.store());
    let server = Server {
        handle: broker.start().await.expect("nothing to bind"),
    };
    away(&server, "r", "a", QoS::AtLeastOnce).await;
    let years = Duration::from_secs(50 * 365 * 86_400);
    clock.jump(years);
    eventually("it is told anew", || {
        let image = shelf.image();
        let since = |session: &StoredSession| session.away_since;
        image.sessions.values().filter_map(since).all(|since| {
            since
                .duration_since(SystemTime::UNIX_EPOCH)
                .is_ok_and(|since| since + Duration::from_secs(60) >= years)
        })
    })
    .await;
    let broker =
        Broker::with_clock(settings(), clock.clone()).store(Shelf::of(shelf.image()).store());
    let server = Server {
        handle: broker.start().await.expect("nothing to bind"),
    };
    assert!(resumes(&server, staying(V5, "r")).await.1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plugins_see_what_was_stored_and_what_they_seed_is_stored_too() {
    let seeding = || {
        plugin(
            Closures::new("seeding")
                .on_load_retained(|event| {
                    let n = event.n_messages();
                    LoadRetainedAnswer::pass().messages([MessageRecord {
                        topic: format!("seeded/{n}"),
                        payload: b"x".to_vec(),
                        ..MessageRecord::default()
                    }])
                })
                .on_prepare_session(|event| {
                    let seed = SubscriptionRecord {
                        topic_filter: format!("present/{}", event.session_present()),
                        qos: 1,
                        ..SubscriptionRecord::default()
                    };
                    PrepareSessionAnswer::pass()
                        .subscriptions([seed])
                        .messages([MessageRecord {
                            topic: "welcome".to_owned(),
                            payload: b"x".to_vec(),
                            qos: 1,
                            ..MessageRecord::default()
                        }])
                }),
        )
    };
    let start = async |shelf: &Arc<Shelf>| {
        let broker = Broker::new(settings())
            .store(shelf.store())
            .plugin(seeding());
        Server {
            handle: broker.start().await.expect("nothing to bind"),
        }
    };
    let shelf = Shelf::of(Image::default());
    let server = start(&shelf).await;
    let (client, _) = resumes(&server, staying(V5, "r")).await;
    client.vanishes().await;
    eventually("it is stored", || shelf.image().retained.len() == 1).await;
    let image = shelf.image();
    let filters = |image: &Image| -> Vec<String> {
        let keys = image.subscriptions.keys();
        keys.map(|(_, filter)| filter.as_str().to_owned()).collect()
    };
    assert_eq!(
        (filters(&image), image.queued.len()),
        (vec!["present/false".to_owned()], 1)
    );

    let shelf = Shelf::of(image);
    let server = start(&shelf).await;
    let (mut client, present) = resumes(&server, staying(V5, "r")).await;
    assert!(present);
    for _ in 0..2 {
        assert!(client.line().await.contains("welcome"));
    }
    eventually("it is stored", || shelf.image().retained.len() == 2).await;
    let image = shelf.image();
    assert_eq!(
        image.retained.keys().collect::<Vec<_>>(),
        ["seeded/0", "seeded/1"]
    );
    assert_eq!(
        (filters(&image), image.queued.len()),
        (vec!["present/true".to_owned()], 2)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_will_that_was_due_when_the_broker_ended_is_sent_by_the_next() {
    let shelf = Shelf::of(Image::default());
    let server = start(&shelf).await;
    away(&server, "watcher", "w", QoS::AtLeastOnce).await;
    let mut connect = staying(V5, "r");
    let mut last = will("w", "gone");
    last.qos = QoS::AtLeastOnce;
    connect.will = Some(Box::new(last));
    let _connected = resumes(&server, connect).await;
    let shelf = Shelf::of(shelf.image());
    let server = start(&shelf).await;
    let (mut watcher, _) = resumes(&server, staying(V5, "watcher")).await;
    assert!(watcher.line().await.contains("gone"));
    eventually("it is told", || {
        shelf
            .image()
            .sessions
            .values()
            .all(|session| session.will.is_none())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expired_message_is_told_and_not_sent_after_a_restart() {
    let shelf = Shelf::of(Image::default());
    let server = start(&shelf).await;
    away(&server, "r", "a", QoS::AtLeastOnce).await;
    let mut sender = server.client("s").await;
    let mut short = qos1("a", "short");
    short.properties.message_expiry_interval = Some(1);
    for publish in [short, qos1("a", "long")] {
        sender.publish(publish).await;
        assert!(sender.line().await.starts_with("PUBACK"));
    }
    let image = shelf.image();
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let server = start(&Shelf::of(image)).await;
    let (mut receiver, _) = resumes(&server, staying(V5, "r")).await;
    assert!(receiver.line().await.contains("long"));
    let dropped = server.stats().dropped;
    assert!(dropped.contains(&(DropReason::Expired, 1)), "{dropped:?}");
}

/// A QoS 2 exchange from a publisher over the broker to a receiver, seen from the two clients, which lose nothing.
struct Exchange {
    /// What the publisher says next: PUBLISH, or PUBREL once PUBREC came.
    is_released: bool,
    is_complete: bool,
    /// The message may have been sent before.
    dup: bool,
    /// Identifiers that the receiver has and that were not released.
    received: Vec<PacketIdentifier>,
    delivered: usize,
}

impl Exchange {
    fn publish(dup: bool) -> Publish<'static> {
        Publish {
            dup,
            packet_identifier: PacketIdentifier::new(7),
            ..qos2("a", "once")
        }
    }

    /// Both clients connect and go on, until nothing more happens.
    async fn run(&mut self, server: &Server, is_first: bool) {
        let mut publisher = resumes(server, staying(V5, "p")).await.0;
        let mut receiver = resumes(server, staying(V5, "r")).await.0;
        if is_first {
            receiver.subscribe("a", QoS::ExactlyOnce).await;
        }
        if self.is_released && !self.is_complete {
            publisher.send(Packet::PubRel(ack(7))).await;
        } else if !self.is_complete {
            publisher.publish(Self::publish(self.dup)).await;
            self.dup = true;
        }
        let patience = Duration::from_millis(30);
        loop {
            let line = publisher.next(patience).await;
            if line.starts_with("PUBREC") {
                self.is_released = true;
                publisher.send(Packet::PubRel(ack(7))).await;
            } else if line.starts_with("PUBCOMP") {
                self.is_complete = true;
            }
            let told = receiver.next(patience).await;
            let identifier = told
                .split_once("packet_identifier=")
                .and_then(|(_, rest)| rest.split(' ').next()?.parse().ok())
                .and_then(PacketIdentifier::new);
            if let Some(identifier) = identifier {
                if told.starts_with("PUBLISH") {
                    if !self.received.contains(&identifier) {
                        self.received.push(identifier);
                        self.delivered += 1;
                    }
                    receiver
                        .send(Packet::PubRec(Ack::new(identifier, ReasonCode::Success)))
                        .await;
                } else {
                    self.received.retain(|known| *known != identifier);
                    receiver
                        .send(Packet::PubComp(Ack::new(identifier, ReasonCode::Success)))
                        .await;
                }
            }
            if line == "nothing" && told == "nothing" {
                return;
            }
        }
    }
}

// [MQTT-4.3.3-2], [MQTT-4.4.0-1]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_qos_2_message_arrives_once_whichever_batch_is_the_last() {
    // Batches before the exchange: two Sessions and a subscription.
    let (mut n_cut_short, mut n_reused) = (0, 0);
    for allowed in 3..16 {
        let shelf = Shelf::of(Image::default());
        shelf.allow(Some(allowed));
        let server = start(&shelf).await;
        let mut exchange = Exchange {
            is_released: false,
            is_complete: false,
            dup: false,
            received: Vec::new(),
            delivered: 0,
        };
        exchange.run(&server, true).await;
        n_cut_short += usize::from(!exchange.is_complete || exchange.delivered == 0);
        let mut expected = 1;
        if exchange.is_complete {
            // The identifier is free: the next message has it, and must not pass for the one before.
            (exchange.is_released, exchange.is_complete, exchange.dup) = (false, false, false);
            expected = 2;
            n_reused += 1;
        }
        // Killed here: the store has no more than that, the clients know what they know.
        let server = start(&Shelf::of(shelf.image())).await;
        exchange.run(&server, false).await;
        assert!(exchange.is_complete, "after {allowed} batches");
        assert_eq!(exchange.delivered, expected, "after {allowed} batches");
        assert!(exchange.received.is_empty(), "after {allowed} batches");
    }
    assert!(n_cut_short > 1, "the exchange was cut {n_cut_short} times");
    assert!(
        n_reused > 1,
        "an identifier was used again {n_reused} times"
    );
}

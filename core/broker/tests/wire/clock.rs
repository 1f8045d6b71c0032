//! The wall clock jumps while the broker runs, and while it does not: no interval becomes longer or shorter.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use hookmq_broker::store::WallClock;
use hookmq_broker::{Broker, DropReason};
use hookmq_mqtt::packet::{Connect, Publish, PublishProperties};
use hookmq_mqtt::{Packet, QoS};
use parking_lot::Mutex;

use crate::shelf::{Image, Shelf};
use crate::support::*;

const HOUR: Duration = Duration::from_secs(3600);

#[derive(Debug)]
struct Clock(Mutex<SystemTime>);

impl Clock {
    fn new() -> Arc<Self> {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 30);
        Arc::new(Self(Mutex::new(now)))
    }

    fn jump(&self, jump: Jump) {
        let mut now = self.0.lock();
        match jump {
            Jump::Ahead => *now += HOUR,
            Jump::Back => *now -= HOUR,
        }
    }
}

impl WallClock for Clock {
    fn now(&self) -> SystemTime {
        *self.0.lock()
    }
}

#[derive(Debug, Clone, Copy)]
enum Jump {
    Ahead,
    Back,
}

async fn start(clock: &Arc<Clock>, shelf: Option<&Arc<Shelf>>) -> Server {
    let mut broker = Broker::with_clock(lenient(), clock.clone());
    if let Some(shelf) = shelf {
        broker = broker.store(shelf.store());
    }
    let handle = broker.start().await.expect("nothing to bind");
    Server { handle }
}

/// A client with a will, which goes out after so many seconds, and a Session that ends after so many.
fn with_will(client_id: &str, delay: u32, expiry: u32) -> Connect {
    let mut last = will("last", client_id);
    last.delay_interval = delay;
    Connect {
        clean_start: false,
        session_expiry_interval: Some(expiry),
        will: Some(Box::new(last)),
        ..Connect::new(V5, client_id)
    }
}

fn expiring<'a>(topic: &'a str, seconds: u32) -> Publish<'a> {
    let properties = PublishProperties {
        message_expiry_interval: Some(seconds),
        ..PublishProperties::default()
    };
    Publish {
        properties,
        ..qos1(topic, "x")
    }
}

#[tokio::test(start_paused = true)]
async fn no_interval_of_a_running_broker_follows_the_wall_clock() {
    for jump in [Jump::Ahead, Jump::Back] {
        let clock = Clock::new();
        let server = start(&clock, None).await;
        let mut watcher = server.subscriber(V5, "w", "last", QoS::AtMostOnce).await;
        let mut receiver = server.client_with(with_will("r", 600, 1200)).await;
        receiver.subscribe("a/#", QoS::AtLeastOnce).await;
        receiver.vanishes().await;
        let mut sender = server
            .client_with(Connect {
                keep_alive: 300,
                ..Connect::new(V5, "s")
            })
            .await;
        for (topic, seconds) in [("a/short", 500), ("a/long", 1000)] {
            sender.publish(expiring(topic, seconds)).await;
            assert!(sender.line().await.starts_with("PUBACK"));
        }
        let mut kept = expiring("kept", 500);
        kept.retain = true;
        sender.publish(kept).await;
        assert!(sender.line().await.starts_with("PUBACK"));
        clock.jump(jump);

        // Just before each is due, and just after it.
        pass(Duration::from_secs(449)).await;
        assert_eq!(sender.next(Duration::from_millis(1)).await, "nothing");
        sender.send(Packet::PingReq).await;
        sender.gets("PINGRESP").await;
        let mut late = server.client("late").await;
        late.subscribe("kept", QoS::AtMostOnce).await;
        assert!(late.line().await.contains("message_expiry_interval=51"));
        pass(Duration::from_secs(60)).await;
        late.subscribe("kept", QoS::AtMostOnce).await;
        late.gets_nothing().await;
        pass(Duration::from_secs(85)).await;
        watcher.gets_nothing().await;
        pass(Duration::from_secs(10)).await;
        assert!(watcher.line().await.contains("payload='r'"), "{jump:?}");
        // 604 seconds: the Session is there, with the one message that is not over.
        let mut receiver = server.client_with(with_will("r", 600, 1200)).await;
        let line = receiver.line().await;
        assert!(
            line.contains("topic='a/long'") && line.contains("message_expiry_interval=396"),
            "{jump:?}: {line}"
        );
        receiver.gets_nothing().await;
        let expired = (DropReason::Expired, 1);
        assert!(server.stats().dropped.contains(&expired));
        receiver.vanishes().await;
        clock.jump(jump);
        pass(Duration::from_secs(1199)).await;
        let has_session = || server.stats().sessions;
        let n_sessions = has_session();
        pass(Duration::from_secs(2)).await;
        assert_eq!(has_session(), n_sessions - 1, "{jump:?}");
    }
}

// [MQTT-3.1.2-22]
#[tokio::test(start_paused = true)]
async fn keep_alive_does_not_follow_the_wall_clock() {
    for jump in [Jump::Ahead, Jump::Back] {
        let clock = Clock::new();
        let server = start(&clock, None).await;
        let connect = Connect {
            keep_alive: 100,
            ..Connect::new(V5, "c")
        };
        let mut client = server.client_with(connect).await;
        clock.jump(jump);
        pass(Duration::from_secs(149)).await;
        client.gets_nothing().await;
        pass(Duration::from_secs(2)).await;
        client.gets("DISCONNECT reason=keep_alive_timeout").await;
        client.ends().await;
    }
}

/// Time is real here: the store has its own thread.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_was_put_back_makes_no_interval_longer_over_a_restart() {
    let clock = Clock::new();
    let shelf = Shelf::of(Image::default());
    let server = start(&clock, Some(&shelf)).await;
    server
        .client_with(with_will("r", 1, 2))
        .await
        .vanishes()
        .await;
    eventually("it is told", || {
        let image = shelf.image();
        image
            .sessions
            .values()
            .any(|session| session.away_since.is_some())
    })
    .await;
    let image = shelf.image();
    clock.jump(Jump::Back);
    let shelf = Shelf::of(image);
    let begun = std::time::Instant::now();
    let server = start(&clock, Some(&shelf)).await;
    let mut watcher = server.subscriber(V5, "w", "last", QoS::AtMostOnce).await;
    assert!(watcher.line().await.contains("payload='r'"));
    eventually("the Session is gone", || shelf.image().sessions.is_empty()).await;
    let took = begun.elapsed();
    // The whole interval at most, far less than the hour besides; generous for a busy machine.
    assert!(took < Duration::from_secs(60), "{took:?}");
}

/// The same clock puts nothing off, and brings nothing forward, in a broker with a store.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_with_a_store_does_not_follow_the_wall_clock_either() {
    for jump in [Jump::Ahead, Jump::Back] {
        let clock = Clock::new();
        let shelf = Shelf::of(Image::default());
        let server = start(&clock, Some(&shelf)).await;
        for (client_id, expiry) in [("short", 1), ("long", 1800)] {
            let connect = with_will(client_id, expiry, expiry);
            server.client_with(connect).await.vanishes().await;
        }
        clock.jump(jump);
        eventually("one is gone", || shelf.image().sessions.len() == 1).await;
        // What another writes meanwhile carries the new time.
        server
            .client_with(with_will("other", 1800, 1800))
            .await
            .vanishes()
            .await;
        eventually("another is there", || shelf.image().sessions.len() == 2).await;
        assert_eq!(server.stats().sessions, 2, "{jump:?}");
    }
}

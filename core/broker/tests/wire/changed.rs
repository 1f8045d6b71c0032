//! What the store has from a run under other settings: nothing that was acknowledged goes unasked.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use hookmq_broker::store::{Durability, WallClock};
use hookmq_broker::{Broker, BrokerSettings, Message};
use hookmq_mqtt::{QoS, TopicFilter};

use crate::shelf::{Image, Shelf};
use crate::support::*;

/// A store with these retained messages, made by a broker.
async fn with_retained(topics: &[&str]) -> Image {
    let shelf = Shelf::of(Image::default());
    let server = start(lenient(), &shelf).await;
    let mut sender = server.client("s").await;
    for topic in topics {
        sender.publish(retained(topic, "kept")).await;
    }
    eventually("they are stored", || {
        shelf.image().retained.len() == topics.len()
    })
    .await;
    shelf.image()
}

async fn start(settings: BrokerSettings, shelf: &Arc<Shelf>) -> Server {
    let broker = Broker::new(settings).store(shelf.store());
    let handle = broker.start().await.expect("nothing to bind");
    Server { handle }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retained_message_that_does_not_fit_stays_until_it_is_cleared() {
    let shelf = Shelf::of(with_retained(&["a", "b", "c"]).await);
    let mut settings = lenient();
    settings.retained.n_messages = 1;
    let server = start(settings.clone(), &shelf).await;
    let mut sender = server.client("s").await;
    for (n, topic) in ["a", "b"].into_iter().enumerate() {
        sender
            .publish(hookmq_mqtt::packet::Publish {
                retain: true,
                ..qos1(topic, "")
            })
            .await;
        sender
            .gets(&format!(
                "PUBACK packet_identifier={} reason=no_matching_subscribers",
                n + 1
            ))
            .await;
    }
    assert_eq!(shelf.image().retained.keys().collect::<Vec<_>>(), ["c"]);
    // What did not fit, and was not cleared, comes when it fits.
    let shelf = Shelf::of(shelf.image());
    let server = start(settings, &shelf).await;
    let mut reader = server.subscriber(V5, "r", "#", QoS::AtMostOnce).await;
    let line = reader.line().await;
    assert!(line.contains("topic='c'"), "{line}");
    // All of them, those too that are left.
    let shelf = Shelf::of(with_retained(&["a", "b"]).await);
    let mut settings = lenient();
    settings.retained.n_messages = 1;
    let server = start(settings, &shelf).await;
    server.handle.clear_retained();
    eventually("nothing is left", || shelf.image().retained.is_empty()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retained_message_that_has_expired_takes_no_room() {
    let mut image = with_retained(&["a", "b"]).await;
    let expired = image.retained.get_mut("a").expect("it was retained");
    *expired = Arc::new(Message {
        expires_at: Some(Instant::now()),
        ..Message::clone(expired)
    });
    let shelf = Shelf::of(image);
    let mut settings = lenient();
    settings.retained.n_messages = 1;
    let server = start(settings, &shelf).await;
    let mut reader = server.subscriber(V5, "r", "#", QoS::AtMostOnce).await;
    let line = reader.line().await;
    assert!(line.contains("topic='b'"), "{line}");
    eventually("it is gone", || shelf.image().retained.len() == 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rule_of_none_takes_nothing_that_was_stored_before() {
    let shelf = Shelf::of(with_retained(&["a"]).await);
    let mut settings = lenient();
    let filter = TopicFilter::parse("a").expect("a Topic Filter");
    settings.storage.topics = vec![(filter, Durability::None)];
    let server = start(settings, &shelf).await;
    let mut reader = server.subscriber(V5, "r", "#", QoS::AtMostOnce).await;
    assert!(reader.line().await.contains("topic='a'"));
    assert_eq!(shelf.image().retained.len(), 1);
    // What comes in its place is not stored, nor is what it replaces any longer.
    let mut sender = server.client("s").await;
    sender.publish(retained("a", "new")).await;
    eventually("it is gone", || shelf.image().retained.is_empty()).await;
}

#[derive(Debug)]
struct Later(Duration);

impl WallClock for Later {
    fn now(&self) -> SystemTime {
        SystemTime::now() + self.0
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lower_limit_of_session_expiry_holds_for_sessions_of_an_earlier_run() {
    let shelf = Shelf::of(Image::default());
    let server = start(lenient(), &shelf).await;
    let mut client = server.client_with(staying(V5, "r")).await;
    client.subscribe("a", QoS::AtLeastOnce).await;
    client.leaves().await;
    eventually("it is stored", || {
        let image = shelf.image();
        image
            .sessions
            .values()
            .any(|session| session.away_since.is_some())
    })
    .await;
    for (maximum, is_there) in [(3600, true), (10, false)] {
        let mut settings = lenient();
        settings.session.maximum_session_expiry_interval = maximum;
        let clock = Arc::new(Later(Duration::from_secs(60)));
        let shelf = Shelf::of(shelf.image());
        let broker = Broker::with_clock(settings, clock).store(shelf.store());
        let handle = broker.start().await.expect("nothing to bind");
        if is_there {
            assert_eq!(shelf.image().sessions.len(), 1);
            assert_eq!(handle.stats().sessions, 1);
        } else {
            eventually("it ends", || shelf.image().sessions.is_empty()).await;
        }
    }
}

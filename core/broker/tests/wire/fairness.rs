//! A connection that costs much, through slow plugins or much to look for, lets the others have their turn.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use hookmq_broker::hook::Registration;
use hookmq_broker::{BrokerSettings, ListenerSettings};
use hookmq_mqtt::packet::{Connect, Subscribe, SubscribeEntry, SubscriptionOptions};
use hookmq_mqtt::property::UserProperties;
use hookmq_mqtt::{Packet, PacketIdentifier, QoS, RetainHandling, codec};
use hookmq_plugin_api::{Answer, Event, Field, Hook, Listen, Plugin, PluginError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::*;

/// Works for two milliseconds whenever it is asked about the topic `slow`, and counts.
struct Slow {
    listens: [Listen; 1],
    n_asked: AtomicUsize,
}

impl Slow {
    fn at(hook: Hook) -> Arc<Self> {
        Arc::new(Self {
            listens: [Listen {
                hook,
                fields: hook.spec().field_set(),
                awaits: false,
            }],
            n_asked: AtomicUsize::new(0),
        })
    }

    fn registered(self: &Arc<Self>) -> Registration {
        Registration::new("slow", "embedded", Arc::clone(self) as Arc<dyn Plugin>)
    }

    fn n_asked(&self) -> usize {
        self.n_asked.load(Ordering::Relaxed)
    }
}

impl Plugin for Slow {
    fn listens(&self) -> &[Listen] {
        &self.listens
    }

    fn call(&self, event: &dyn Event, _budget: Duration) -> Result<Answer, PluginError> {
        if event.get(Field::Topic).as_text() == Some("slow") {
            self.n_asked.fetch_add(1, Ordering::Relaxed);
            let begun = Instant::now();
            while begun.elapsed() < Duration::from_millis(2) {
                std::hint::spin_loop();
            }
        }
        Ok(Answer::PASS)
    }
}

const N_MESSAGES: usize = 100;

fn burst() -> BytesMut {
    let mut bytes = BytesMut::new();
    for _ in 0..N_MESSAGES {
        codec::encode(&Packet::Publish(message("slow", "x")), V5, &mut bytes)
            .expect("a packet that can be said");
    }
    bytes
}

#[tokio::test(start_paused = true)]
async fn a_slow_hook_holds_up_those_whose_messages_it_is_asked_about() {
    for hook in [
        Hook::InterceptInboundPacket,
        Hook::InterceptPublish,
        Hook::AuthorizePublish,
        Hook::InterceptEnqueue,
        Hook::InterceptDelivery,
        Hook::InterceptOutboundPacket,
    ] {
        let slow = Slow::at(hook);
        let server = Server::with([slow.registered()]).await;
        let mut subscriber = server
            .subscriber(V5, "subscriber", "slow", QoS::AtMostOnce)
            .await;
        let mut publisher = server.client("publisher").await;
        let mut other = server.client("other").await;
        publisher.send_bytes(&burst()).await;
        while slow.n_asked() == 0 {
            tokio::task::yield_now().await;
        }
        other.send(Packet::PingReq).await;
        other.gets("PINGRESP").await;
        let n_asked = slow.n_asked();
        assert!(n_asked <= 20, "{}: {n_asked}", hook.spec().name);
        for _ in 0..N_MESSAGES {
            subscriber
                .gets("PUBLISH topic='slow' qos=0 payload='x'")
                .await;
        }
        subscriber.gets_nothing().await;
        assert_eq!(slow.n_asked(), N_MESSAGES, "{}", hook.spec().name);
    }
}

#[tokio::test]
async fn a_stop_does_not_wait_for_a_slow_hook_to_see_all_that_waits() {
    for hook in [Hook::InterceptDelivery, Hook::InterceptOutboundPacket] {
        let slow = Slow::at(hook);
        let server = Server::with([slow.registered()]).await;
        let _subscriber = server
            .subscriber(V5, "subscriber", "slow", QoS::AtMostOnce)
            .await;
        let mut publisher = server.client("publisher").await;
        // Twenty seconds of work, two milliseconds each.
        for _ in 0..100 {
            publisher.send_bytes(&burst()).await;
        }
        publisher.send(Packet::PingReq).await;
        publisher.gets("PINGRESP").await;
        let begun = Instant::now();
        server.handle.stop().await;
        assert!(
            begun.elapsed() < Duration::from_secs(8),
            "{}",
            hook.spec().name
        );
        assert!(slow.n_asked() < 100 * N_MESSAGES, "nothing was left to cut");
    }
}

fn subscribe(filters: impl Iterator<Item = String>, retain_handling: RetainHandling) -> Subscribe {
    let options = SubscriptionOptions {
        retain_handling,
        ..SubscriptionOptions::from(QoS::AtMostOnce)
    };
    Subscribe {
        packet_identifier: ack(1).packet_identifier,
        subscription_identifier: None,
        user_properties: UserProperties::new(),
        subscriptions: filters
            .map(|topic_filter| SubscribeEntry {
                topic_filter,
                options,
            })
            .collect(),
    }
}

#[tokio::test(start_paused = true)]
async fn retained_messages_that_take_long_to_find_hold_up_nobody() {
    let slow = Slow::at(Hook::InterceptEnqueue);
    let server = Server::with([slow.registered()]).await;
    let mut publisher = server.client("publisher").await;
    for at in 0..2_000 {
        publisher.publish(retained(&format!("a/{at}/b"), "x")).await;
    }
    publisher.publish(retained("slow", "found")).await;
    publisher.send(Packet::PingReq).await;
    publisher.gets("PINGRESP").await;
    let mut searcher = server.client("searcher").await;
    let filters = (0..500).map(|at| format!("+/+/{at}"));
    let filters = filters.chain(["slow".to_owned()]);
    searcher
        .send(Packet::Subscribe(subscribe(
            filters,
            RetainHandling::SendAlways,
        )))
        .await;
    assert!(searcher.line().await.starts_with("SUBACK"));
    for _ in 0..3 {
        publisher.send(Packet::PingReq).await;
        publisher.gets("PINGRESP").await;
    }
    assert_eq!(
        slow.n_asked(),
        0,
        "all was looked for before anybody else's turn"
    );
    searcher
        .gets("PUBLISH topic='slow' qos=0 retain payload='found'")
        .await;
}

#[tokio::test(start_paused = true)]
async fn retained_messages_that_wait_to_be_looked_for_are_limited() {
    let mut settings = lenient();
    settings.session.maximum_subscriptions = 3;
    let server = Server::start(settings, []).await;
    let mut client = server.client("c").await;
    client.publish(retained("t", "x")).await;
    let again = |n| (0..n).map(|_| "t".to_owned());
    client
        .send(Packet::Subscribe(subscribe(
            again(5),
            RetainHandling::SendAlways,
        )))
        .await;
    client
        .gets("SUBACK packet_identifier=1 reasons=[success, success, success, quota_exceeded, quota_exceeded]")
        .await;
    for _ in 0..3 {
        client
            .gets("PUBLISH topic='t' qos=0 retain payload='x'")
            .await;
    }
    // Nothing waits where nothing is wanted.
    client
        .send(Packet::Subscribe(subscribe(
            again(5),
            RetainHandling::DoNotSend,
        )))
        .await;
    let line = client.line().await;
    assert!(!line.contains("quota_exceeded"), "{line}");
    client.gets_nothing().await;
}

/// One thread for everything: what is counted is how much is done for the one before the other's socket is looked at.
#[tokio::test]
async fn whoever_reads_very_many_retained_messages_keeps_nobodys_socket_unread() {
    const N_RETAINED: usize = 60_000;
    let listener = ListenerSettings::new("loop", "127.0.0.1:0".parse().expect("an address"));
    let settings = BrokerSettings {
        listeners: vec![listener],
        ..lenient()
    };
    let server = Server::start(settings, []).await;
    let mut sender = server.client("s").await;
    for n in 0..N_RETAINED {
        sender.publish(retained(&format!("kept/{n}"), "x")).await;
    }
    sender.send(Packet::PingReq).await;
    sender.gets("PINGRESP").await;
    let address = server.handle.local_addrs()[0];
    let mut greedy = TcpStream::connect(address).await.expect("it listens");
    let mut other = TcpStream::connect(address).await.expect("it listens");
    for (stream, client_id) in [(&mut greedy, "greedy"), (&mut other, "other")] {
        let connect = Packet::Connect(Box::new(Connect::new(V5, client_id)));
        let mut bytes = BytesMut::new();
        codec::encode(&connect, V5, &mut bytes).expect("it can be said");
        stream.write_all(&bytes).await.expect("it is open");
        let mut head = [0; 2];
        stream.read_exact(&mut head).await.expect("CONNACK");
        let mut rest = vec![0; head[1].into()];
        stream.read_exact(&mut rest).await.expect("CONNACK");
    }
    let subscribe = Packet::Subscribe(Subscribe {
        packet_identifier: PacketIdentifier::FIRST,
        subscription_identifier: None,
        user_properties: UserProperties::new(),
        subscriptions: vec![SubscribeEntry {
            topic_filter: "#".to_owned(),
            options: QoS::AtMostOnce.into(),
        }],
    });
    let mut bytes = BytesMut::new();
    codec::encode(&subscribe, V5, &mut bytes).expect("it can be said");
    // It never reads, so that only its socket's room ends it.
    greedy.write_all(&bytes).await.expect("it is open");
    let (mut n_pings, mut most) = (0, 0);
    let mut last = server.stats().sent;
    loop {
        other.write_all(&[0xC0, 0]).await.expect("it is open");
        other.read_exact(&mut [0; 2]).await.expect("PINGRESP");
        let sent = server.stats().sent;
        if sent == last && sent > 0 {
            break;
        }
        most = most.max(sent - last);
        (n_pings, last) = (n_pings + 1, sent);
    }
    assert!(last > 20_000, "{last} is too little to see anything");
    assert!(most < 8_000, "{most} at once, {n_pings} pings");
}

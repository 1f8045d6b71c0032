//! Limits of the whole broker and of listeners: who gives way, who is let in all the same, and what the load says.

use std::time::Duration;

use hookmq_broker::settings::{QueueFull, RetainedLimits, SessionSettings};
use hookmq_broker::{BrokerSettings, DropReason, ListenerSettings};
use hookmq_mqtt::packet::Connect;
use hookmq_mqtt::{Packet, QoS, codec};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::support::*;

/// A broker with one listener on loopback.
async fn listening(settings: BrokerSettings, listener: ListenerSettings) -> Server {
    let listeners = vec![listener];
    Server::start(
        BrokerSettings {
            listeners,
            ..settings
        },
        [],
    )
    .await
}

fn on_loopback() -> ListenerSettings {
    ListenerSettings::new("loop", "127.0.0.1:0".parse().expect("an address"))
}

async fn open(server: &Server) -> TcpStream {
    let address = server.handle.local_addrs()[0];
    TcpStream::connect(address).await.expect("it listens")
}

/// Connects, and reads the first byte of the answer.
async fn connects(stream: &mut TcpStream, client_id: &str) {
    let mut bytes = bytes::BytesMut::new();
    let connect = Packet::Connect(Box::new(Connect::new(V5, client_id)));
    codec::encode(&connect, V5, &mut bytes).expect("it can be said");
    stream.write_all(&bytes).await.expect("it is open");
    let mut first = [0];
    stream.read_exact(&mut first).await.expect("CONNACK");
    assert_eq!(first[0], 0x20);
}

#[tokio::test]
async fn silent_sockets_push_out_each_other_and_nobody_who_speaks() {
    let listener = ListenerSettings {
        maximum_handshakes: 3,
        ..on_loopback()
    };
    let server = listening(lenient(), listener).await;
    let mut inside = open(&server).await;
    connects(&mut inside, "inside").await;
    let mut silent = Vec::new();
    for n in 0..10 {
        let mut stream = open(&server).await;
        // One byte of a CONNECT is not a CONNECT.
        stream.write_all(&[0x10]).await.expect("it is open");
        silent.push(stream);
        // Anybody is let in at any time.
        connects(&mut open(&server).await, &format!("newcomer{n}")).await;
    }
    eventually("seven gave way", || server.stats().evicted_handshakes >= 7).await;
    let mut byte = [0];
    let oldest = silent.first_mut().expect("ten");
    assert!(
        matches!(oldest.read(&mut byte).await, Ok(0) | Err(_)),
        "the oldest is closed"
    );
    // The youngest still may finish what it began.
    let mut rest = bytes::BytesMut::new();
    let connect = Packet::Connect(Box::new(Connect::new(V5, "late")));
    codec::encode(&connect, V5, &mut rest).expect("it can be said");
    let youngest = silent.last_mut().expect("ten");
    youngest.write_all(&rest[1..]).await.expect("it is open");
    youngest.read_exact(&mut byte).await.expect("CONNACK");
    assert_eq!(byte[0], 0x20);
    inside.write_all(&[0xC0, 0]).await.expect("it is open");
    server.handle.stop().await;
}

#[tokio::test]
async fn where_there_is_no_room_silent_sockets_make_some() {
    let settings = BrokerSettings {
        maximum_connections: 2,
        ..lenient()
    };
    let server = listening(settings, on_loopback()).await;
    let silent = (open(&server).await, open(&server).await);
    eventually("both are taken", || {
        let used = server.stats().used;
        let handshakes = |used: &&hookmq_broker::Used| used.limit == "listener.maximum_handshakes";
        used.iter()
            .find(handshakes)
            .is_some_and(|used| used.part > 1.5e-4)
    })
    .await;
    connects(&mut open(&server).await, "legitimate").await;
    assert_eq!(server.stats().evicted_handshakes, 1);
    drop(silent);
    server.handle.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_says_one_byte_a_second_is_closed_when_its_time_is_over() {
    let settings = BrokerSettings {
        session: SessionSettings {
            connect_timeout: Duration::from_secs(5),
            ..SessionSettings::default()
        },
        ..lenient()
    };
    let server = Server::start(settings, []).await;
    let mut bytes = bytes::BytesMut::new();
    let connect = Packet::Connect(Box::new(Connect::new(V5, "slow")));
    codec::encode(&connect, V5, &mut bytes).expect("it can be said");
    let mut client = server.dial(V5);
    let begun = Instant::now();
    let mut n_said = 0;
    for byte in &bytes {
        if client.stream.write_all(&[*byte]).await.is_err() {
            break;
        }
        n_said += 1;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert!(n_said <= 6 && n_said < bytes.len(), "{n_said}");
    client.ends().await;
    assert!(begun.elapsed() < Duration::from_secs(8));
    assert_eq!(server.stats().sessions, 0);
}

#[tokio::test]
async fn a_listener_takes_so_many_connections_a_second() {
    let listener = ListenerSettings {
        maximum_connect_rate: Some(20),
        ..on_loopback()
    };
    let server = listening(lenient(), listener).await;
    let begun = std::time::Instant::now();
    for n in 0..30 {
        connects(&mut open(&server).await, &format!("c{n}")).await;
    }
    let took = begun.elapsed();
    // Twenty at once, ten more at twenty a second.
    assert!(took >= Duration::from_millis(450), "{took:?}");
    server.handle.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_load_is_that_of_the_nearest_limit() {
    let settings = BrokerSettings {
        session: SessionSettings {
            maximum_sessions: 10,
            ..SessionSettings::default()
        },
        retained: RetainedLimits {
            n_messages: 4,
            n_bytes: 1 << 20,
        },
        ..lenient()
    };
    let server = Server::start(settings, []).await;
    assert!(server.stats().load < 0.001);
    let mut client = server.client("a").await;
    let stats = server.stats();
    assert_eq!(
        (stats.nearest_limit, stats.load),
        ("session.maximum_sessions", 0.1)
    );
    for topic in ["1", "2", "3"] {
        client.publish(retained(topic, "x")).await;
    }
    client.send(Packet::PingReq).await;
    client.gets("PINGRESP").await;
    let stats = server.stats();
    assert_eq!(
        (stats.nearest_limit, stats.load),
        ("retained.maximum_messages", 0.75)
    );
    let mut text = String::new();
    stats.render(&mut text);
    for line in [
        "# TYPE hookmq_load gauge",
        "hookmq_load 0.75",
        "hookmq_limit_used{limit=\"session.maximum_sessions\"} 0.1",
        "hookmq_limit_used{limit=\"limits.maximum_queued_bytes\"} 0",
        "hookmq_evicted_handshakes_total 0",
        "hookmq_messages_dropped_total{reason=\"queue_full\"} 0",
    ] {
        assert!(text.lines().any(|known| known == line), "{line}\n{text}");
    }
}

/// Fills the whole broker's limit by messages for clients that are away, as far as they are taken.
async fn filled(queue_full: QueueFull) -> (Server, Client) {
    let settings = BrokerSettings {
        session: SessionSettings {
            queue_full,
            ..SessionSettings::default()
        },
        maximum_queued_bytes: 200_000,
        ..lenient()
    };
    let server = Server::start(settings, []).await;
    let mut sender = server.client("s").await;
    for n in 0..40 {
        let client_id = format!("away{n}");
        let mut client = server.client_with(staying(V5, &client_id)).await;
        client.subscribe(&client_id, QoS::AtLeastOnce).await;
        client.leaves().await;
    }
    let payload = "x".repeat(100);
    for _ in 0..30 {
        for n in 0..40 {
            sender.publish(qos1(&format!("away{n}"), &payload)).await;
            assert!(sender.line().await.starts_with("PUBACK"));
        }
    }
    (server, sender)
}

#[tokio::test(start_paused = true)]
async fn near_the_limit_publishers_rest_and_all_others_are_served() {
    let (server, mut sender) = filled(QueueFull::DropNewest).await;
    let queued = server.stats().queued_bytes;
    assert!((190_000..=200_000).contains(&queued), "{queued}");
    let mut reader = server.subscriber(V5, "reader", "t", QoS::AtMostOnce).await;
    let begun = Instant::now();
    for _ in 0..10 {
        sender.publish(qos1("t", "x")).await;
        assert!(reader.line().await.starts_with("PUBLISH"));
        assert!(sender.line().await.starts_with("PUBACK"));
    }
    let took = begun.elapsed();
    assert!(
        took >= Duration::from_millis(180) && took < Duration::from_secs(1),
        "{took:?}"
    );
    // Neither pings nor messages that nobody keeps wait.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let begun = Instant::now();
    for _ in 0..100 {
        sender.publish(message("t", "x")).await;
        sender.send(Packet::PingReq).await;
        assert!(sender.line().await.starts_with("PINGRESP"));
        assert!(reader.line().await.starts_with("PUBLISH"));
    }
    assert_eq!(begun.elapsed(), Duration::ZERO);
    // With room again nobody rests.
    for n in 0..40 {
        let clean = Connect::new(V5, &format!("away{n}"));
        server.client_with(clean).await.leaves().await;
    }
    assert_eq!(server.stats().queued_bytes, 0);
    let begun = Instant::now();
    for _ in 0..100 {
        sender.publish(qos1("t", "x")).await;
        assert!(sender.line().await.starts_with("PUBACK"));
        assert!(reader.line().await.starts_with("PUBLISH"));
    }
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn where_the_oldest_go_nobody_rests() {
    let begun = Instant::now();
    let (server, _sender) = filled(QueueFull::DropOldest).await;
    assert_eq!(begun.elapsed(), Duration::ZERO);
    let stats = server.stats();
    assert!(stats.queued_bytes <= 200_000, "{}", stats.queued_bytes);
    let lost = |(reason, n): &(DropReason, u64)| *reason == DropReason::QueueFull && *n > 0;
    assert!(stats.dropped.iter().any(lost));
}

#[tokio::test]
async fn wills_count_and_one_without_room_is_refused() {
    let settings = BrokerSettings {
        maximum_queued_bytes: 100_000,
        ..lenient()
    };
    let server = Server::start(settings, []).await;
    let with_will = async |client_id: &str, len: usize| {
        let mut client = server.dial(V5);
        let connect = Connect {
            will: Some(Box::new(will("last", &"x".repeat(len)))),
            ..staying(V5, client_id)
        };
        client.send(Packet::Connect(Box::new(connect))).await;
        let line = client.line().await;
        (client, line)
    };
    let (_, line) = with_will("greedy", 60_000).await;
    assert!(line.contains("quota_exceeded"), "{line}");
    let mut clients = Vec::new();
    for client_id in ["a", "b", "c"] {
        let (client, line) = with_will(client_id, 30_000).await;
        assert!(line.contains("reason=success"), "{line}");
        clients.push(client);
    }
    let (_, line) = with_will("d", 30_000).await;
    assert!(line.contains("quota_exceeded"), "{line}");
    // One that goes in peace takes its will along.
    clients.remove(0).leaves().await;
    let (_, line) = with_will("d", 30_000).await;
    assert!(line.contains("reason=success"), "{line}");
}

#[tokio::test]
async fn large_connects_that_nobody_has_judged_have_a_limit_together() {
    let settings = BrokerSettings {
        maximum_handshake_bytes: 32 << 10,
        ..lenient()
    };
    let server = listening(settings, on_loopback()).await;
    // CONNECT of 200 000 bytes, which does not end.
    let mut begun = vec![0x10, 0xC0, 0x9A, 0x0C];
    begun.resize(64 << 10, 0);
    let mut stream = open(&server).await;
    stream.write_all(&begun).await.expect("it is open");
    let ended = stream.read(&mut [0]).await;
    assert!(!matches!(ended, Ok(n) if n > 0), "{ended:?}");
    let of_handshakes =
        |used: &&hookmq_broker::Used| used.limit == "limits.maximum_handshake_bytes";
    eventually("it was given back", || {
        let all = server.stats().used;
        all.iter()
            .find(of_handshakes)
            .is_some_and(|used| used.part == 0.0)
    })
    .await;
    connects(&mut open(&server).await, "usual").await;
}

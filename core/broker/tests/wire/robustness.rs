//! Clients that are slow, greedy, garbled or many.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::BytesMut;
use hookmq_broker::settings::{ListenerSettings, QueueFull, SessionSettings};
use hookmq_broker::{BrokerSettings, DropReason};
use hookmq_mqtt::packet::{Connect, Publish};
use hookmq_mqtt::{Packet, QoS, codec};
use hookmq_plugin_api::{Grant, Grants};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::*;

fn encoded(packet: &Packet<'_>, version: hookmq_mqtt::ProtocolVersion) -> BytesMut {
    let mut bytes = BytesMut::new();
    codec::encode(packet, version, &mut bytes).expect("a packet that can be said");
    bytes
}

fn connect(client_id: &str) -> BytesMut {
    encoded(&Packet::Connect(Box::new(Connect::new(V5, client_id))), V5)
}

async fn of_session(session: SessionSettings) -> Server {
    Server::start(
        BrokerSettings {
            session,
            ..lenient()
        },
        [],
    )
    .await
}

#[tokio::test(start_paused = true)]
async fn half_a_connect_is_closed_after_the_connect_timeout_however_slowly_it_drips() {
    let server = Server::with([]).await;
    let whole = connect("slow");
    let mut client = server.dial(V5);
    let begun = tokio::time::Instant::now();
    for byte in &whole[..whole.len() - 1] {
        if client.stream.write_all(&[*byte]).await.is_err() {
            break;
        }
        pass(Duration::from_secs(1)).await;
    }
    client.ends().await;
    assert!(
        begun.elapsed() < Duration::from_secs(40),
        "{:?}",
        begun.elapsed()
    );
    let silent = server.dial(V5);
    let begun = tokio::time::Instant::now();
    silent.ends().await;
    assert!(
        (10..=12).contains(&begun.elapsed().as_secs()),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn a_connect_in_single_bytes_is_as_good_as_any() {
    let server = Server::with([]).await;
    let mut client = server.dial(V5);
    for byte in connect("dripping") {
        client.send_bytes(&[byte]).await;
        settle().await;
    }
    assert!(client.line().await.starts_with("CONNACK reason=success"));
}

// [MQTT-3.1.0-1]
#[tokio::test(start_paused = true)]
async fn a_first_packet_that_is_no_connect_closes_the_connection() {
    let server = Server::with([]).await;
    let packets = [
        encoded(&Packet::PingReq, V5),
        encoded(&Packet::Publish(message("t", "x")), V5),
        encoded(&Packet::Disconnect(Default::default()), V5),
        // Only its header; the broker need not wait for a megabyte.
        BytesMut::from(&[0x30, 0xFF, 0xFF, 0x3F][..]),
        BytesMut::from(&b"GET / HTTP/1.1\r\n\r\n"[..]),
        BytesMut::from(&[0x00; 64][..]),
        BytesMut::from(&[0xFF; 64][..]),
    ];
    for bytes in packets {
        let mut client = server.dial(V5);
        client.send_bytes(&bytes).await;
        client.ends().await;
    }
    assert_eq!((server.stats().sessions, server.stats().connected), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn garbage_ends_one_connection_in_every_state_and_leaves_nothing() {
    let server = Server::with([]).await;
    let mut watcher = server.client("watcher").await;
    let garbage: [&[u8]; 6] = [
        &[0x00, 0x00],
        &[0xF0, 0xFF, 0xFF, 0xFF, 0xFF],
        &[0x30, 0x03, 0x00, 0x05, b'a'],
        &[0x62, 0x02, 0x00, 0x00],
        &[0x82, 0x02, 0x00, 0x01],
        &[
            0x10, 0x0D, 0x00, 0x04, b'M', b'Q', b'T', b'T', 0x05, 0x02, 0x00, 0x00, 0x00, 0x00,
            0x00,
        ],
    ];
    for version in [V3, V5] {
        for bytes in garbage {
            for state in 0..4 {
                let mut client = server.client_with(Connect::new(version, "garbled")).await;
                if state > 0 {
                    client.subscribe("t", QoS::ExactlyOnce).await;
                }
                if state > 1 {
                    client.publish(qos2("t", "x")).await;
                    assert!(client.line().await.starts_with("PUBREC"));
                    assert!(client.line().await.starts_with("PUBLISH"));
                }
                if state > 2 {
                    // Half of a packet first.
                    client.send_bytes(&[0x30]).await;
                    settle().await;
                }
                client.send_bytes(bytes).await;
                let mut line = client.next(Duration::from_millis(1)).await;
                if version == V5 && line.starts_with("DISCONNECT") {
                    line = client.line().await;
                }
                if line == "nothing" {
                    // It still looks like the beginning of a packet.
                    client.vanishes().await;
                } else {
                    assert_eq!(line, "end", "{version} {bytes:02x?} in state {state}");
                }
            }
        }
    }
    settle().await;
    pass(Duration::from_secs(2)).await;
    assert_eq!(
        (
            server.stats().sessions,
            server.stats().connected,
            server.stats().subscriptions
        ),
        (1, 1, 0)
    );
    watcher.send(Packet::PingReq).await;
    watcher.gets("PINGRESP").await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_never_reads_stops_nobody_and_holds_only_what_the_limits_say() {
    let limits = SessionSettings {
        outbox_bytes: 8 << 10,
        maximum_queued_messages: 50,
        maximum_queued_bytes: 64 << 10,
        maximum_inflight: 20,
        queue_full: QueueFull::DropOldest,
        ..SessionSettings::default()
    };
    let server = of_session(limits).await;
    let host = server.handle.host("look", Grants::NONE.with(Grant::Query));
    let mut stuck = server.dial_from(V5, ENDPOINT, true, 1 << 10);
    stuck
        .send(Packet::Connect(Box::new(Connect {
            session_expiry_interval: Some(60),
            ..Connect::new(V5, "stuck")
        })))
        .await;
    assert!(stuck.line().await.starts_with("CONNACK"));
    stuck.subscribe("#", QoS::AtLeastOnce).await;
    let mut reader = server.subscriber(V5, "reader", "#", QoS::AtMostOnce).await;
    let mut sender = server.client("sender").await;
    let payload = "x".repeat(500);
    for n in 0..2_000_u32 {
        let publish = if n % 2 == 0 {
            message("t", &payload)
        } else {
            qos1("t", &payload)
        };
        sender.publish(publish).await;
        if n % 2 == 1 {
            assert!(sender.line().await.starts_with("PUBACK"));
        }
        assert!(reader.line().await.starts_with("PUBLISH"));
    }
    let view = host
        .session("stuck")
        .expect("granted")
        .expect("it is there");
    assert!(view.n_queued <= 50 && view.n_inflight <= 20, "{view:?}");
    let dropped: u64 = server
        .stats()
        .dropped
        .iter()
        .filter(|(reason, _)| *reason == DropReason::QueueFull)
        .map(|(_, n)| *n)
        .sum();
    // What it may hold: the queue, the outbox, what is being written, and the pipe.
    assert!(dropped >= 2_000 - 50 - 4 * (8 << 10) / 500, "{dropped}");
    // Packets of its own are not listened to without bound either.
    let begun = tokio::time::Instant::now();
    drop(stuck.stream);
    stuck.served.await.expect("no panic");
    assert!(begun.elapsed() < Duration::from_secs(2));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_asks_and_never_reads_is_not_listened_to_any_more() {
    // PINGREQ; PUBREC and PUBREL of identifiers that nobody gave out.
    for question in [&[0xC0, 0x00][..], &[0x50, 2, 0, 9], &[0x62, 2, 0, 9]] {
        let server = of_session(SessionSettings {
            outbox_bytes: 4 << 10,
            ..SessionSettings::default()
        })
        .await;
        let mut greedy = server.dial_from(V5, ENDPOINT, true, 1 << 10);
        greedy
            .send(Packet::Connect(Box::new(Connect::new(V5, "greedy"))))
            .await;
        settle().await;
        let questions = question.repeat(512);
        let mut n_written = 0_usize;
        loop {
            let write = greedy.stream.write(&questions);
            match tokio::time::timeout(Duration::from_millis(1), write).await {
                Ok(written) => n_written += written.expect("it is not closed"),
                Err(_) => break,
            }
            assert!(
                n_written < 1 << 20,
                "{question:?}: the answers would pile up"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn topics_of_65_535_bytes_are_refused_or_carried_as_the_limits_say() {
    let longest = "x".repeat(65_535);
    let server = Server::with([]).await;
    let mut client = server.client("a").await;
    client.ask(&longest, QoS::AtMostOnce).await;
    client
        .gets("SUBACK packet_identifier=1 reasons=[topic_filter_invalid]")
        .await;
    client.publish(message(&longest, "x")).await;
    assert!(
        client
            .line()
            .await
            .starts_with("DISCONNECT reason=topic_name_invalid")
    );
    client.ends().await;
    let will = Connect {
        will: Some(Box::new(will(&longest, "x"))),
        ..Connect::new(V5, "a")
    };
    assert_eq!(
        server.refused(will).await,
        "CONNACK reason=topic_name_invalid"
    );

    let server = of_session(SessionSettings {
        maximum_topic_bytes: 65_535,
        maximum_topic_levels: 65_536,
        ..SessionSettings::default()
    })
    .await;
    let deepest = "/".repeat(65_535);
    for topic in [&longest, &deepest] {
        let mut client = server.client("a").await;
        client.subscribe(topic, QoS::AtMostOnce).await;
        client
            .publish(Publish {
                retain: true,
                ..message(topic, "x")
            })
            .await;
        let line = client.line().await;
        assert!(
            line.len() > 65_535 && line.ends_with("payload='x'"),
            "{line:.100}"
        );
        let mut all = server.client("all").await;
        all.ask("#", QoS::AtMostOnce).await;
        assert!(all.line().await.starts_with("SUBACK"));
        assert!(all.line().await.ends_with("retain payload='x'"));
        client
            .publish(Publish {
                retain: true,
                ..message(topic, "")
            })
            .await;
        for client in [&mut client, &mut all] {
            let line = client.line().await;
            assert!(line.ends_with(" payload=''"), "{line:.200}");
            let line = client.next(Duration::from_millis(1)).await;
            assert!(line == "nothing", "{line:.200}");
        }
        client.leaves().await;
        all.leaves().await;
    }
    assert_eq!(
        (
            server.stats().sessions,
            server.stats().subscriptions,
            server.stats().retained
        ),
        (0, 0, 0)
    );
}

#[tokio::test(start_paused = true)]
async fn limits_of_names_and_packets_hold() {
    let server = of_session(SessionSettings {
        maximum_packet_size: 2_000,
        ..SessionSettings::default()
    })
    .await;
    assert_eq!(
        server.refused(Connect::new(V5, &"x".repeat(1_025))).await,
        "CONNACK reason=client_identifier_not_valid"
    );
    assert_eq!(
        server.refused(Connect::new(V3, &"x".repeat(1_025))).await,
        "CONNACK reason=client_identifier_not_valid"
    );
    let mut client = server.client("a").await;
    client.publish(message("t", &"x".repeat(3_000))).await;
    assert!(
        client
            .line()
            .await
            .starts_with("DISCONNECT reason=packet_too_large")
    );
    client.ends().await;
}

#[tokio::test]
async fn connections_over_the_limit_wait_until_there_is_room() {
    let address = "127.0.0.1:0".parse().expect("an address");
    let listeners = vec![ListenerSettings::new("loop", address)];
    let server = Server::start(
        BrokerSettings {
            listeners,
            maximum_connections: 2,
            ..lenient()
        },
        [],
    )
    .await;
    let address = server.handle.local_addrs()[0];
    let mut streams = Vec::new();
    for n in 0..3 {
        let mut stream = TcpStream::connect(address).await.expect("it listens");
        stream
            .write_all(&connect(&format!("c{n}")))
            .await
            .expect("the kernel takes it");
        streams.push(stream);
    }
    let mut third = streams.pop().expect("three");
    until(|| server.stats().connected == 2)
        .await
        .expect("two come in");
    let mut byte = [0];
    let early = tokio::time::timeout(Duration::from_millis(20), third.read(&mut byte)).await;
    assert!(early.is_err(), "it is answered before there is room");
    drop(streams.pop());
    third.read_exact(&mut byte).await.expect("CONNACK");
    assert_eq!(byte[0], 0x20);
    server.handle.stop().await;
    assert_eq!(server.stats().connected, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_clients_that_share_three_names_leave_nothing_behind() {
    const CLIENTS: usize = 20;
    const ROUNDS: usize = 30;
    let server = Arc::new(Server::with([]).await);
    let n_in = Arc::new(AtomicUsize::new(0));
    let mut tasks = Vec::new();
    for n in 0..CLIENTS {
        let (server, n_in) = (Arc::clone(&server), Arc::clone(&n_in));
        tasks.push(tokio::spawn(async move {
            let random = fastrand_of(n as u64 + 1);
            for round in 0..ROUNDS {
                let choice = random(round as u64);
                let version = if choice & 1 == 0 { V5 } else { V3 };
                let mut client = server.dial(version);
                let clean_start = choice & 2 == 0;
                let connect = Connect {
                    clean_start,
                    session_expiry_interval: (version == V5 && !clean_start).then_some(600),
                    will: (choice & 4 == 0).then(|| Box::new(will("churn", "bye"))),
                    ..Connect::new(version, &format!("shared{}", choice % 3))
                };
                let bytes = encoded(&Packet::Connect(Box::new(connect)), version);
                if client.stream.write_all(&bytes).await.is_err() {
                    continue;
                }
                if !client
                    .next(Duration::from_secs(20))
                    .await
                    .starts_with("CONNACK")
                {
                    continue;
                }
                n_in.fetch_add(1, Ordering::Relaxed);
                let mut rest = BytesMut::new();
                for packet in [Packet::Publish(message("churn", "x")), Packet::PingReq] {
                    rest.extend_from_slice(&encoded(&packet, version));
                }
                if choice & 8 == 0 {
                    rest.extend_from_slice(&encoded(
                        &Packet::Disconnect(Default::default()),
                        version,
                    ));
                }
                // It may have been taken over meanwhile.
                let _ = client.stream.write_all(&rest).await;
                if choice & 16 == 0 {
                    let mut ignored = [0; 64];
                    let _ = client.stream.read(&mut ignored).await;
                }
                drop(client.stream);
                client.served.await.expect("no panic");
            }
        }));
    }
    for task in tasks {
        tokio::time::timeout(Duration::from_secs(60), task)
            .await
            .expect("nobody is stuck")
            .expect("no panic");
    }
    assert!(n_in.load(Ordering::Relaxed) >= CLIENTS, "most come in");
    assert_eq!(server.stats().connected, 0);
    assert!(server.stats().sessions <= 3);
    for n in 0..3 {
        server.client(&format!("shared{n}")).await.leaves().await;
    }
    assert_eq!(
        (
            server.stats().sessions,
            server.stats().connected,
            server.stats().subscriptions
        ),
        (0, 0, 0)
    );
}

/// Numbers that look random and are the same on every run.
fn fastrand_of(seed: u64) -> impl Fn(u64) -> u64 {
    move |n| {
        let mut x =
            seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ n.wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x ^= x >> 31;
        x = x.wrapping_mul(0x94D0_49BB_1331_11EB);
        x ^ (x >> 29)
    }
}
#[tokio::test(start_paused = true)]
async fn a_connection_whose_task_is_dropped_leaves_its_session_usable() {
    let server = Server::with([]).await;
    let mut watcher = server.subscriber(V5, "w", "last", QoS::AtMostOnce).await;
    let staying = || Connect {
        clean_start: false,
        session_expiry_interval: Some(60),
        will: Some(Box::new(will("last", "bye"))),
        ..Connect::new(V5, "a")
    };
    let client = server.client_with(staying()).await;
    client.served.abort();
    settle().await;
    assert_eq!(server.stats().connected, 1, "only the watcher");
    watcher
        .gets("PUBLISH topic='last' qos=0 payload='bye'")
        .await;
    let again = server.client_with(staying()).await;
    again.leaves().await;
}

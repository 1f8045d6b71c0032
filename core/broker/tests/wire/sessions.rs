//! The life of Sessions and connections, as notices tell it, and takeover.

use std::time::Duration;

use hookmq_broker::settings::SessionSettings;
use hookmq_broker::{BrokerSettings, Message, Source};
use hookmq_mqtt::packet::{Connect, Disconnect};
use hookmq_mqtt::{Packet, QoS, ReasonCode, TopicName};
use hookmq_plugin_api::Hook;

use crate::support::*;

const LIFE: [Hook; 8] = [
    Hook::ClientConnected,
    Hook::ClientDisconnected,
    Hook::SessionCreated,
    Hook::SessionResumed,
    Hook::SessionTakenOver,
    Hook::SessionOffline,
    Hook::SessionExpired,
    Hook::SessionDeleted,
];

const WHO: &str = "client_id='a' endpoint='192.0.2.7:50000' listener='lan' protocol_version=5";

fn staying() -> Connect {
    Connect {
        clean_start: false,
        session_expiry_interval: Some(60),
        ..Connect::new(V5, "a")
    }
}

fn connected(session_present: bool, clean_start: bool, expiry: u32, sequence: u32) -> String {
    format!(
        "client_connected session_present={session_present} clean_start={clean_start} keep_alive=0 session_expiry_interval={expiry} \
         user_properties=[] {WHO} sequence={sequence}"
    )
}

fn disconnected(reason: u8, kind: &str, expiry: u32, sequence: u32) -> String {
    format!(
        "client_disconnected reason_code={reason} disconnect_type='{kind}' session_expiry_interval={expiry} user_properties=[] {WHO} \
         sequence={sequence}"
    )
}

fn session(hook: &str, expiry: u32, n_queued: u32, n_subscriptions: u32, sequence: u32) -> String {
    format!(
        "session_{hook} client_id='a' session_expiry_interval={expiry} n_queued={n_queued} n_subscriptions={n_subscriptions} \
         sequence={sequence}"
    )
}

async fn saw(recorder: &Recorder, expected: &[String]) {
    let expected: Vec<_> = expected.iter().map(String::as_str).collect();
    recorder.saw(&expected).await;
}

#[tokio::test(start_paused = true)]
async fn a_session_is_told_from_its_beginning_to_its_expiry() {
    let told = Recorder::of(LIFE);
    let server = Server::with([told.registered()]).await;
    let mut client = server.client_with(staying()).await;
    client.subscribe("t", QoS::AtLeastOnce).await;
    client.vanishes().await;
    let mut sender = server.client("s").await;
    sender.publish(qos1("t", "x")).await;
    sender
        .gets("PUBACK packet_identifier=1 reason=success")
        .await;
    sender.leaves().await;
    let mut client = server.client_with(staying()).await;
    client
        .gets("PUBLISH topic='t' qos=1 packet_identifier=1 payload='x'")
        .await;
    client.puback(1).await;
    client.leaves().await;
    pass(Duration::from_secs(61)).await;
    let lines = told.wait(14).await;
    let of_a: Vec<_> = lines
        .into_iter()
        .filter(|line| line.contains("client_id='a'"))
        .collect();
    assert_eq!(
        of_a,
        [
            session("created", 60, 0, 0, 1),
            connected(false, false, 60, 2),
            disconnected(128, "NotClean", 60, 3),
            session("offline", 60, 0, 1, 4),
            session("resumed", 60, 1, 1, 5),
            connected(true, false, 60, 6),
            disconnected(0, "Clean", 60, 7),
            session("offline", 60, 0, 1, 8),
            session("expired", 60, 0, 1, 9),
            session("deleted reason='expired'", 60, 0, 1, 10),
        ]
    );
    assert_eq!(
        (server.stats().sessions, server.stats().subscriptions),
        (0, 0)
    );
}

#[tokio::test(start_paused = true)]
async fn a_session_that_ends_with_its_connection_is_deleted_at_once() {
    let told = Recorder::of(LIFE);
    let server = Server::with([told.registered()]).await;
    server.client("a").await.leaves().await;
    saw(
        &told,
        &[
            session("created", 0, 0, 0, 1),
            connected(false, true, 0, 2),
            disconnected(0, "Clean", 0, 3),
            session("deleted reason='disconnected'", 0, 0, 0, 4),
        ],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_takeover_is_told_by_both_sides() {
    let told = Recorder::of(LIFE);
    let server = Server::with([told.registered()]).await;
    let mut first = server.client_with(staying()).await;
    let mut second = server.dial_from(V5, "192.0.2.8:1", true, 4096);
    second.send(Packet::Connect(Box::new(staying()))).await;
    assert!(
        second
            .line()
            .await
            .starts_with("CONNACK session_present reason=success")
    );
    first.gets("DISCONNECT reason=session_taken_over").await;
    first.ends().await;
    saw(
        &told,
        &[
            session("created", 60, 0, 0, 1),
            connected(false, false, 60, 2),
            disconnected(142, "Takeover", 60, 3),
            session("offline", 60, 0, 0, 4),
            "session_taken_over endpoint='192.0.2.8:1' client_id='a' session_expiry_interval=60 n_queued=0 n_subscriptions=0 sequence=5".to_owned(),
            session("resumed", 60, 0, 0, 6),
            connected(true, false, 60, 7).replace("192.0.2.7:50000", "192.0.2.8:1"),
        ],
    )
    .await;
    assert_eq!((server.stats().sessions, server.stats().connected), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_3_1_1_client_that_is_taken_over_is_closed_without_a_word() {
    let server = Server::with([]).await;
    let first = server.client_v3("a").await;
    let _second = server.client_v3("a").await;
    first.ends().await;
}

// [MQTT-4.4.0-1]
#[tokio::test(start_paused = true)]
async fn what_was_not_acknowledged_is_sent_again_to_the_connection_that_took_over() {
    let server = Server::with([]).await;
    let mut first = server.client_with(staying()).await;
    first.subscribe("t", QoS::ExactlyOnce).await;
    let mut sender = server.client("s").await;
    sender.publish(qos1("t", "1")).await;
    sender.publish(qos2("t", "2")).await;
    first
        .gets("PUBLISH topic='t' qos=1 packet_identifier=1 payload='1'")
        .await;
    first
        .gets("PUBLISH topic='t' qos=2 packet_identifier=2 payload='2'")
        .await;
    first.send(Packet::PubRec(ack(2))).await;
    first
        .gets("PUBREL packet_identifier=2 reason=success")
        .await;
    let mut second = server.client_with(staying()).await;
    second
        .gets("PUBLISH topic='t' qos=1 dup packet_identifier=1 payload='1'")
        .await;
    second
        .gets("PUBREL packet_identifier=2 reason=success")
        .await;
    second.gets_nothing().await;
    drop(first);
}

// [MQTT-3.1.2-4]
#[tokio::test(start_paused = true)]
async fn a_clean_start_deletes_what_was_there() {
    let told = Recorder::of(LIFE);
    let server = Server::with([told.registered()]).await;
    let mut client = server.client_with(staying()).await;
    client.subscribe("t", QoS::AtLeastOnce).await;
    client.leaves().await;
    let waits = Message {
        topic: TopicName::parse("t").expect("a Topic Name"),
        payload: "waits".into(),
        qos: QoS::AtLeastOnce,
        retain: false,
        properties: None,
        expires_at: None,
        sender: None,
        source: Source::Broker,
    };
    server.handle.publish(waits).await.expect("it is taken");
    told.wait(4).await;
    told.clear();
    let _client = server
        .client_with(Connect {
            clean_start: true,
            ..staying()
        })
        .await;
    saw(
        &told,
        &[
            session("deleted reason='clean_start'", 60, 1, 1, 5),
            session("created", 60, 0, 0, 1),
            connected(false, true, 60, 2),
        ],
    )
    .await;
    assert_eq!(server.stats().subscriptions, 0);
}

#[tokio::test(start_paused = true)]
async fn the_session_of_a_clean_client_ends_when_it_is_taken_over() {
    let told = Recorder::of([Hook::SessionDeleted, Hook::SessionTakenOver]);
    let server = Server::with([told.registered()]).await;
    let _first = server.client("a").await;
    let _second = server.client("a").await;
    saw(
        &told,
        &[
            session("deleted reason='taken_over'", 0, 0, 0, 1),
            "session_taken_over endpoint='192.0.2.7:50000' client_id='a' session_expiry_interval=0 n_queued=0 n_subscriptions=0 sequence=2".to_owned(),
        ],
    )
    .await;
    assert_eq!(server.stats().sessions, 1);
}

#[tokio::test(start_paused = true)]
async fn every_end_of_a_connection_has_its_word() {
    let told = Recorder::of([Hook::ClientDisconnected]);
    let server = Server::with([told.registered()]).await;

    let mut client = server.client("a").await;
    let words = Disconnect {
        reason_string: Some("tired".to_owned()),
        user_properties: pairs(&[("k", "v")]),
        ..Disconnect::new(ReasonCode::DisconnectWithWillMessage)
    };
    client.send(Packet::Disconnect(words)).await;
    client.ends().await;

    let mut client = server
        .client_with(Connect {
            keep_alive: 10,
            ..Connect::new(V5, "a")
        })
        .await;
    client.gets("DISCONNECT reason=keep_alive_timeout").await;
    client.ends().await;

    let mut client = server.client("a").await;
    assert!(
        server
            .handle
            .disconnect("a", ReasonCode::ServerMoved, Some("elsewhere"))
    );
    client
        .gets("DISCONNECT reason=server_moved reason_string='elsewhere'")
        .await;
    client.ends().await;

    let mut client = server.client("a").await;
    client.send_bytes(&[0xFF, 0]).await;
    assert!(
        client
            .line()
            .await
            .starts_with("DISCONNECT reason=malformed_packet")
    );
    client.ends().await;

    let lines = told.wait(4).await;
    let starts = [
        "client_disconnected reason_code=4 reason_string='tired' disconnect_type='Clean' session_expiry_interval=0 user_properties=[k=v]",
        "client_disconnected reason_code=141 disconnect_type='NotClean'",
        "client_disconnected reason_code=157 reason_string='elsewhere' disconnect_type='Kicked'",
        "client_disconnected reason_code=129 reason_string='",
    ];
    for (line, start) in lines.iter().zip(starts) {
        assert!(line.starts_with(start), "{line}\n{start}");
    }
    assert!(
        !server.handle.disconnect("a", ReasonCode::ServerMoved, None),
        "it is gone"
    );
}

// [MQTT-3.14.2-2]
#[tokio::test(start_paused = true)]
async fn a_goodbye_may_change_when_the_session_expires() {
    let server = Server::with([]).await;
    let mut client = server.client_with(staying()).await;
    client
        .send(Packet::Disconnect(Disconnect {
            session_expiry_interval: Some(5),
            ..Disconnect::default()
        }))
        .await;
    client.ends().await;
    assert_eq!(server.stats().sessions, 1);
    pass(Duration::from_secs(6)).await;
    assert_eq!(server.stats().sessions, 0);

    let mut client = server.client("a").await;
    client
        .send(Packet::Disconnect(Disconnect {
            session_expiry_interval: Some(5),
            ..Disconnect::default()
        }))
        .await;
    assert!(
        client
            .line()
            .await
            .starts_with("DISCONNECT reason=protocol_error")
    );
}

#[tokio::test(start_paused = true)]
async fn a_session_too_many_is_refused_and_one_that_is_there_is_not() {
    let session = SessionSettings {
        maximum_sessions: 1,
        ..SessionSettings::default()
    };
    let server = Server::start(
        BrokerSettings {
            session,
            ..lenient()
        },
        [],
    )
    .await;
    server.client_with(staying()).await.leaves().await;
    assert_eq!(
        server.refused(Connect::new(V5, "b")).await,
        "CONNACK reason=quota_exceeded"
    );
    let client = server.client_with(staying()).await;
    client.leaves().await;
    let client = server.client_with(Connect::new(V5, "a")).await;
    client.leaves().await;
    let _room_again = server.client("b").await;
}

#[tokio::test(start_paused = true)]
async fn notices_of_many_clients_keep_their_own_order_without_gaps() {
    let told = Recorder::of([
        Hook::ClientConnected,
        Hook::MessageEnqueued,
        Hook::ClientDisconnected,
        Hook::MessageNotConsumed,
    ]);
    let server = Server::with([told.registered()]).await;
    let names: Vec<_> = (0..5).map(|n| format!("c{n}")).collect();
    let mut clients = Vec::new();
    for name in &names {
        let mut client = server.client(name).await;
        client.subscribe("all", QoS::AtMostOnce).await;
        clients.push(client);
    }
    for round in 0..20 {
        let at = round % clients.len();
        clients[at].publish(message("all", "x")).await;
        clients[at].publish(message("none", "x")).await;
    }
    settle().await;
    for client in clients {
        client.vanishes().await;
    }
    // Connected, 20 copies each, 4 for nobody of each, disconnected.
    let lines = told.wait(5 * (1 + 20 + 4 + 1)).await;
    for name in &names {
        let of_it = |line: &&String| {
            let about = if line.starts_with("message_enqueued") {
                "receiver_client_id"
            } else if line.starts_with("message") {
                "sender_client_id"
            } else {
                "client_id"
            };
            line.contains(&format!(" {about}='{name}'"))
        };
        let numbers: Vec<u64> = lines
            .iter()
            .filter(of_it)
            .map(|line| {
                line.rsplit("sequence=")
                    .next()
                    .and_then(|n| n.parse().ok())
                    .expect("a number")
            })
            .collect();
        assert_eq!(numbers, (1..=26).collect::<Vec<_>>(), "{name}");
    }
}

//! `validate_connection` and `prepare_session`: who comes in, on which terms.

use std::num::{NonZeroU16, NonZeroU32};
use std::time::Duration;

use hookmq_broker::BrokerSettings;
use hookmq_broker::settings::SessionSettings;
use hookmq_mqtt::packet::{Connect, Will};
use hookmq_mqtt::{Packet, QoS};
use hookmq_plugin_api::typed::{
    MessageRecord, PrepareSessionAnswer, SubscriptionRecord, ValidateConnectionAnswer,
};
use hookmq_plugin_api::{Closures, Hook};

use crate::support::*;

const WELCOME: &str = "CONNACK reason=success receive_maximum=1000 maximum_packet_size=2097152 topic_alias_maximum=64";

/// A CONNECT that says everything there is to say.
fn full() -> Connect {
    let will = Will {
        qos: QoS::AtLeastOnce,
        retain: true,
        delay_interval: 7,
        ..will("last/words", "bye")
    };
    Connect {
        clean_start: false,
        keep_alive: 60,
        username: Some("ann".to_owned()),
        password: Some("secret".into()),
        will: Some(Box::new(will)),
        session_expiry_interval: Some(100),
        receive_maximum: NonZeroU16::new(10),
        maximum_packet_size: NonZeroU32::new(5000),
        topic_alias_maximum: 3,
        request_response_information: true,
        request_problem_information: true,
        user_properties: pairs(&[("site", "1"), ("site", "2")]),
        ..Connect::new(V5, "dev")
    }
}

async fn connack(server: &Server, connect: Connect) -> (Client, String) {
    let mut client = server.dial(connect.version);
    client.send(Packet::Connect(Box::new(connect))).await;
    let line = client.line().await;
    (client, line)
}

#[tokio::test(start_paused = true)]
async fn every_field_of_a_connect_is_shown() {
    let recorder = Recorder::of([Hook::ValidateConnection, Hook::PrepareSession]);
    let server = Server::with([recorder.registered()]).await;
    let _client = server.client_with(full()).await;
    recorder
        .saw(&[
            "validate_connection password='secret' secure=false clean_start=false keep_alive=60 session_expiry_interval=100 receive_maximum=10 \
             maximum_packet_size=5000 topic_alias_maximum=3 request_response_information=true request_problem_information=true \
             user_properties=[site=1, site=2] will_topic='last/words' will_payload='bye' will_qos=1 will_retain=true will_delay_interval=7 \
             client_id='dev' username='ann' endpoint='192.0.2.7:50000' listener='lan' protocol_version=5",
            "prepare_session session_present=false session_expiry_interval=100 will_delay_interval=7 n_queued=0 subscriptions=[] \
             client_id='dev' username='ann' endpoint='192.0.2.7:50000' listener='lan' protocol_version=5",
        ])
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_bare_connect_of_3_1_1_shows_the_meaning_of_its_clean_session() {
    let recorder = Recorder::of([Hook::ValidateConnection]);
    let server = Server::with([recorder.registered()]).await;
    let _clean = server.client_v3("clean").await;
    let _kept = server
        .client_with(Connect {
            clean_start: false,
            ..Connect::new(V3, "kept")
        })
        .await;
    let of = |client: &str, clean: bool, expiry: u32| {
        format!(
            "validate_connection secure=false clean_start={clean} keep_alive=0 session_expiry_interval={expiry} receive_maximum=65535 \
             topic_alias_maximum=0 request_response_information=false request_problem_information=true user_properties=[] \
             client_id='{client}' endpoint='192.0.2.7:50000' listener='lan' protocol_version=4"
        )
    };
    recorder
        .saw(&[&of("clean", true, 0), &of("kept", false, u32::MAX)])
        .await;
}

#[tokio::test(start_paused = true)]
async fn accept_lets_in_and_a_pass_of_all_means_deny_as_shipped() {
    let choosy = || {
        plugin(
            Closures::new("choosy").on_validate_connection(|event| match event.username() {
                Some("ann") => ValidateConnectionAnswer::accept(),
                _ => ValidateConnectionAnswer::pass(),
            }),
        )
    };
    let shipped = Server::start(BrokerSettings::default(), [choosy()]).await;
    let ann = Connect {
        username: Some("ann".to_owned()),
        ..Connect::new(V5, "a")
    };
    let (_client, line) = connack(&shipped, ann).await;
    assert_eq!(line, WELCOME);
    let line = shipped.refused(Connect::new(V5, "b")).await;
    assert!(
        line.starts_with("CONNACK reason=not_authorized reason_string='every plugin passed"),
        "{line}"
    );
    assert_eq!(
        shipped.refused(Connect::new(V3, "b")).await,
        "CONNACK reason=not_authorized"
    );
    assert_eq!(
        (
            shipped.stats().connected,
            shipped.stats().sessions,
            shipped.stats().refused
        ),
        (1, 1, 2)
    );

    let lenient = Server::with([choosy()]).await;
    assert_eq!(connack(&lenient, Connect::new(V5, "b")).await.1, WELCOME);
}

#[tokio::test(start_paused = true)]
async fn without_a_plugin_the_listener_decides() {
    let server = Server::with([]).await;
    let mut client = server.dial_from(V5, ENDPOINT, false, 4096);
    client
        .send(Packet::Connect(Box::new(Connect::new(V5, "a"))))
        .await;
    client.gets("CONNACK reason=not_authorized").await;
    client.ends().await;
    assert_eq!(server.stats().connected, 0);
}

#[tokio::test(start_paused = true)]
async fn a_deny_is_told_in_connack_in_the_words_of_each_version() {
    let denying =
        |code: u8| {
            plugin(Closures::new("door").on_validate_connection(move |_| {
                ValidateConnectionAnswer::deny_with(refusal(code))
            }))
        };
    for (code, five, three) in [
        (0, "not_authorized", "not_authorized"),
        (
            0x86,
            "bad_user_name_or_password",
            "bad_user_name_or_password",
        ),
        (0x88, "server_unavailable", "server_unavailable"),
        (0x8A, "banned", "not_authorized"),
        (0x9F, "connection_rate_exceeded", "server_unavailable"),
        // No CONNACK may carry it.
        (0x8E, "not_authorized", "not_authorized"),
    ] {
        let server = Server::with([denying(code)]).await;
        let line = server.refused(Connect::new(V5, "a")).await;
        assert_eq!(
            line,
            format!(
                "CONNACK reason={five} server_reference='other:1883' reason_string='not today' user_properties=['why'='rule 7']"
            )
        );
        let line = server.refused(Connect::new(V3, "a")).await;
        assert_eq!(line, format!("CONNACK reason={three}"), "0x{code:02x}");
        assert_eq!(server.stats().sessions, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn reasons_are_kept_from_clients_where_the_operator_wants_it() {
    let denying =
        plugin(Closures::new("door").on_validate_connection(|_| {
            ValidateConnectionAnswer::disconnect(0x8A, "banned for life")
        }));
    let server = Server::start(
        BrokerSettings {
            tell_reasons: false,
            ..lenient()
        },
        [denying],
    )
    .await;
    assert_eq!(
        server.refused(Connect::new(V5, "a")).await,
        "CONNACK reason=banned"
    );
}

#[tokio::test(start_paused = true)]
async fn a_deny_of_any_plugin_wins_over_an_accept() {
    let first = plugin(
        Closures::new("first").on_validate_connection(|_| ValidateConnectionAnswer::accept()),
    );
    let second = plugin(
        Closures::new("second")
            .on_validate_connection(|_| ValidateConnectionAnswer::deny(0x8A, "")),
    );
    let server = Server::with([first, second]).await;
    assert_eq!(
        server.refused(Connect::new(V5, "a")).await,
        "CONNACK reason=banned"
    );
}

#[tokio::test(start_paused = true)]
async fn every_term_that_a_plugin_changes_is_in_force() {
    let terms = plugin(Closures::new("terms").on_validate_connection(|_| {
        ValidateConnectionAnswer::accept()
            .client_id("renamed")
            .username("mapped")
            .keep_alive(30)
            .session_expiry_interval(50)
            .receive_maximum(1)
            .maximum_packet_size(100)
            .topic_alias_maximum(0)
            .maximum_qos(1)
            .response_information("answers/1")
            .reason_string("welcome")
            .response_user_properties([("tier", "gold")])
    }));
    let recorder = Recorder::of([Hook::ClientConnected]);
    let server = Server::with([terms, recorder.registered()]).await;
    let (mut client, line) = connack(&server, full()).await;
    assert_eq!(
        line,
        "CONNACK reason=success session_expiry_interval=50 receive_maximum=1000 maximum_qos=1 maximum_packet_size=2097152 \
         assigned_client_identifier='renamed' topic_alias_maximum=64 server_keep_alive=30 response_information='answers/1' \
         reason_string='welcome' user_properties=['tier'='gold']"
    );
    recorder
        .saw(&["client_connected session_present=false clean_start=false keep_alive=30 session_expiry_interval=50 \
                user_properties=[site=1, site=2] client_id='renamed' username='mapped' endpoint='192.0.2.7:50000' listener='lan' \
                protocol_version=5 sequence=1"])
        .await;

    // Receive Maximum 1, no alias, and nothing larger than 100 bytes.
    client.subscribe("#", QoS::AtLeastOnce).await;
    client.publish(qos1("long/topic", "1")).await;
    client.publish(qos1("long/topic", "2")).await;
    client
        .publish(message("long/topic", &"x".repeat(100)))
        .await;
    client
        .gets("PUBACK packet_identifier=2 reason=success")
        .await;
    client
        .gets("PUBACK packet_identifier=3 reason=success")
        .await;
    client
        .gets("PUBLISH topic='long/topic' qos=1 packet_identifier=1 payload='1'")
        .await;
    client.gets_nothing().await;
    client.puback(1).await;
    client
        .gets("PUBLISH topic='long/topic' qos=1 packet_identifier=2 payload='2'")
        .await;
    client.gets_nothing().await;
}

#[tokio::test(start_paused = true)]
async fn a_client_over_its_changed_maximum_qos_is_disconnected() {
    let terms = plugin(
        Closures::new("terms")
            .on_validate_connection(|_| ValidateConnectionAnswer::pass().maximum_qos(1)),
    );
    let server = Server::with([terms]).await;
    let mut client = server.client("a").await;
    client.publish(qos2("t", "x")).await;
    client
        .gets(
            "DISCONNECT reason=qos_not_supported reason_string='qos_not_supported [MQTT-3.2.2-11]'",
        )
        .await;
    client.ends().await;
}

#[tokio::test(start_paused = true)]
async fn a_client_over_its_changed_keep_alive_is_disconnected() {
    let terms = plugin(
        Closures::new("terms")
            .on_validate_connection(|_| ValidateConnectionAnswer::pass().keep_alive(10)),
    );
    let server = Server::with([terms]).await;
    let mut client = server.client("a").await;
    assert_eq!(client.next(Duration::from_millis(14_999)).await, "nothing");
    assert_eq!(
        client.next(Duration::from_millis(2)).await,
        "DISCONNECT reason=keep_alive_timeout"
    );
    client.ends().await;
}

#[tokio::test(start_paused = true)]
async fn terms_beyond_what_the_client_takes_are_refused_whole() {
    for answer in [
        ValidateConnectionAnswer::accept()
            .username("half")
            .receive_maximum(11),
        ValidateConnectionAnswer::accept()
            .username("half")
            .receive_maximum(0),
        ValidateConnectionAnswer::accept()
            .username("half")
            .maximum_packet_size(5001),
        ValidateConnectionAnswer::accept()
            .username("half")
            .maximum_packet_size(0),
        ValidateConnectionAnswer::accept()
            .username("half")
            .maximum_qos(3),
        ValidateConnectionAnswer::accept()
            .username("half")
            .client_id("x".repeat(1025)),
        ValidateConnectionAnswer::accept()
            .username("half")
            .client_id(""),
        ValidateConnectionAnswer::accept()
            .username("half")
            .client_id("nul\0"),
        ValidateConnectionAnswer::accept()
            .username("half")
            .without_client_id(),
        ValidateConnectionAnswer::accept()
            .username("half")
            .reason_string("x".repeat(65_536)),
    ] {
        let words = format!("{answer:?}");
        let wrong = answer.clone();
        let broken = plugin(Closures::new("broken").on_validate_connection(move |_| wrong.clone()));
        // As an error it denies, as shipped.
        let server = Server::with([broken]).await;
        assert_eq!(
            server.refused(full()).await,
            "CONNACK reason=implementation_specific_error",
            "{words}"
        );
        assert_eq!(
            server.n_errors("broken", Hook::ValidateConnection),
            1,
            "{words}"
        );

        // Where the operator lets errors pass, nothing of it is applied.
        let broken =
            plugin(Closures::new("broken").on_validate_connection(move |_| answer.clone()));
        let broken = hookmq_broker::hook::Registration {
            on_error: Some(hookmq_plugin_api::OnError::Pass),
            ..broken
        };
        let recorder = Recorder::of([Hook::PrepareSession]);
        let server = Server::with([broken, recorder.registered()]).await;
        let _client = server.client_with(full()).await;
        assert!(
            recorder.lines()[0].contains("client_id='dev' username='ann'"),
            "{words}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_plugin_may_take_a_limit_or_a_name_away() {
    let terms = plugin(Closures::new("terms").on_validate_connection(|_| {
        ValidateConnectionAnswer::pass()
            .without_username()
            .without_maximum_packet_size()
            .without_response_information()
            .without_reason_string()
    }));
    let recorder = Recorder::of([Hook::PrepareSession]);
    let server = Server::with([terms, recorder.registered()]).await;
    let _client = server.client_with(full()).await;
    assert!(
        !recorder.lines()[0].contains("username"),
        "{:?}",
        recorder.lines()
    );
}

#[tokio::test(start_paused = true)]
async fn the_next_plugin_sees_what_the_one_before_changed() {
    let terms = plugin(Closures::new("terms").on_validate_connection(|_| {
        ValidateConnectionAnswer::pass()
            .client_id("renamed")
            .keep_alive(5)
    }));
    let recorder = Recorder::of([Hook::ValidateConnection]);
    let server = Server::with([terms, recorder.registered()]).await;
    let _client = server.client("a").await;
    let lines = recorder.lines();
    assert!(
        lines[0].contains("client_id='renamed'") && lines[0].contains("keep_alive=5"),
        "{lines:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_renamed_client_takes_over_the_session_of_its_new_name() {
    let rename = plugin(Closures::new("terms").on_validate_connection(|event| {
        let name = event.username().unwrap_or("nobody").to_owned();
        ValidateConnectionAnswer::accept().client_id(name)
    }));
    let server = Server::with([rename]).await;
    let as_ann = |client_id: &str| Connect {
        username: Some("ann".to_owned()),
        ..Connect::new(V5, client_id)
    };
    let mut first = server.client_with(as_ann("a")).await;
    let _second = server.client_with(as_ann("b")).await;
    first.gets("DISCONNECT reason=session_taken_over").await;
    first.ends().await;
    assert_eq!((server.stats().sessions, server.stats().connected), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_client_without_a_name_is_judged_by_the_one_it_is_given() {
    let recorder = Recorder::of([Hook::ValidateConnection]);
    let server = Server::with([recorder.registered()]).await;
    let (_client, line) = connack(&server, Connect::new(V5, "")).await;
    let name = line
        .split("assigned_client_identifier='")
        .nth(1)
        .and_then(|rest| rest.split('\'').next())
        .expect("a name")
        .to_owned();
    assert!(
        recorder.lines()[0].contains(&format!("client_id='{name}'")),
        "{line} {:?}",
        recorder.lines()
    );
}

#[tokio::test(start_paused = true)]
async fn a_new_session_can_begin_with_subscriptions_and_messages() {
    let prepare = plugin(Closures::new("prepare").on_prepare_session(|_| {
        PrepareSessionAnswer::pass()
            .subscriptions([SubscriptionRecord {
                topic_filter: "orders/#".to_owned(),
                qos: 1,
                retain_as_published: true,
                subscription_identifier: Some(9),
                ..SubscriptionRecord::default()
            }])
            .messages([
                MessageRecord {
                    topic: "greeting".to_owned(),
                    payload: b"hello".to_vec(),
                    qos: 1,
                    ..MessageRecord::default()
                },
                MessageRecord {
                    topic: "full".to_owned(),
                    payload: b"x".to_vec(),
                    qos: 2,
                    payload_format: Some(1),
                    message_expiry_interval: Some(30),
                    content_type: Some("text/plain".to_owned()),
                    response_topic: Some("re".to_owned()),
                    correlation_data: Some(b"7".to_vec()),
                    user_properties: vec![("k".to_owned(), "v".to_owned())],
                    ..MessageRecord::default()
                },
            ])
            .session_expiry_interval(40)
    }));
    let server = Server::with([prepare]).await;
    let (mut client, line) = connack(&server, Connect::new(V5, "a")).await;
    assert_eq!(
        line,
        WELCOME.replace("success", "success session_expiry_interval=40")
    );
    client
        .gets("PUBLISH topic='greeting' qos=1 packet_identifier=1 payload='hello'")
        .await;
    client
        .gets(
            "PUBLISH topic='full' qos=2 packet_identifier=2 payload='x' payload_format=1 message_expiry_interval=30 response_topic='re' \
             correlation_data='7' content_type='text/plain' user_properties=['k'='v']",
        )
        .await;
    client.publish(retained("orders/1", "new")).await;
    client
        .gets("PUBLISH topic='orders/1' qos=0 retain payload='new' subscription_identifiers=[9]")
        .await;
    assert_eq!(server.stats().subscriptions, 1);
}

#[tokio::test(start_paused = true)]
async fn a_resumed_session_is_shown_and_its_subscriptions_can_be_replaced() {
    let recorder = Recorder::of([Hook::PrepareSession]);
    let replace = plugin(Closures::new("replace").on_prepare_session(|event| {
        let answer = PrepareSessionAnswer::pass();
        if event.session_present() {
            answer.subscriptions([SubscriptionRecord {
                topic_filter: "new".to_owned(),
                ..SubscriptionRecord::default()
            }])
        } else {
            answer
        }
    }));
    let server = Server::with([recorder.registered(), replace]).await;
    let stays = || Connect {
        clean_start: false,
        session_expiry_interval: Some(600),
        ..Connect::new(V5, "a")
    };
    let mut client = server.client_with(stays()).await;
    client.subscribe("old", QoS::AtLeastOnce).await;
    client.vanishes().await;
    let mut sender = server.client("s").await;
    sender.publish(qos1("old", "1")).await;
    sender
        .gets("PUBACK packet_identifier=1 reason=success")
        .await;
    recorder.clear();
    let (mut client, line) = connack(&server, stays()).await;
    assert!(line.starts_with("CONNACK session_present"), "{line}");
    recorder
        .saw(&["prepare_session session_present=true session_expiry_interval=600 n_queued=1 \
                subscriptions=[(topic_filter='old' qos=1 no_local=false retain_as_published=false retain_handling=0)] \
                client_id='a' endpoint='192.0.2.7:50000' listener='lan' protocol_version=5"])
        .await;
    client
        .gets("PUBLISH topic='old' qos=1 packet_identifier=1 payload='1'")
        .await;
    sender.publish(qos1("old", "2")).await;
    sender
        .gets("PUBACK packet_identifier=2 reason=no_matching_subscribers")
        .await;
    sender.publish(message("new", "3")).await;
    client.gets("PUBLISH topic='new' qos=0 payload='3'").await;
}

#[tokio::test(start_paused = true)]
async fn a_deny_of_prepare_session_refuses_the_connection() {
    let deny = plugin(
        Closures::new("full")
            .on_prepare_session(|_| PrepareSessionAnswer::deny_with(refusal(0x97))),
    );
    let server = Server::with([deny]).await;
    let line = server.refused(Connect::new(V5, "a")).await;
    assert_eq!(
        line,
        "CONNACK reason=quota_exceeded server_reference='other:1883' reason_string='not today' user_properties=['why'='rule 7']"
    );
    assert_eq!(
        server.refused(Connect::new(V3, "a")).await,
        "CONNACK reason=server_unavailable"
    );
    assert_eq!((server.stats().sessions, server.stats().connected), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_wrong_record_of_prepare_session_changes_nothing() {
    for answer in [
        PrepareSessionAnswer::pass()
            .session_expiry_interval(9)
            .subscriptions([SubscriptionRecord {
                topic_filter: "a/#/b".to_owned(),
                ..Default::default()
            }]),
        PrepareSessionAnswer::pass()
            .session_expiry_interval(9)
            .subscriptions([SubscriptionRecord {
                topic_filter: "a".to_owned(),
                qos: 3,
                ..Default::default()
            }]),
        PrepareSessionAnswer::pass()
            .session_expiry_interval(9)
            .messages([MessageRecord {
                topic: "a/#".to_owned(),
                ..Default::default()
            }]),
        PrepareSessionAnswer::pass()
            .session_expiry_interval(9)
            .subscriptions([SubscriptionRecord {
                topic_filter: "$share/g/a".to_owned(),
                no_local: true,
                ..Default::default()
            }]),
    ] {
        let words = format!("{answer:?}");
        let broken = plugin(Closures::new("broken").on_prepare_session(move |_| answer.clone()));
        let server = Server::with([broken]).await;
        let (_client, line) = connack(&server, Connect::new(V5, "a")).await;
        assert_eq!(line, WELCOME, "{words}");
        assert_eq!(
            server.n_errors("broken", Hook::PrepareSession),
            1,
            "{words}"
        );
        assert_eq!(server.stats().subscriptions, 0, "{words}");
    }
}

#[tokio::test(start_paused = true)]
async fn prepare_session_can_move_the_wills_delay() {
    let prepare = plugin(Closures::new("prepare").on_prepare_session(|event| {
        let answer = PrepareSessionAnswer::pass();
        if event.will_delay_interval().is_some() {
            answer.will_delay_interval(20).session_expiry_interval(60)
        } else {
            answer
        }
    }));
    let server = Server::with([prepare]).await;
    let mut watcher = server.subscriber(V5, "w", "last/#", QoS::AtMostOnce).await;
    let connect = Connect {
        will: Some(Box::new(will("last/words", "bye"))),
        ..Connect::new(V5, "a")
    };
    server.client_with(connect).await.vanishes().await;
    assert_eq!(watcher.next(Duration::from_secs(19)).await, "nothing");
    assert_eq!(
        watcher.next(Duration::from_secs(2)).await,
        "PUBLISH topic='last/words' qos=0 payload='bye'"
    );
}

#[tokio::test(start_paused = true)]
async fn prepare_session_can_take_the_wills_delay_away() {
    let prepare = plugin(
        Closures::new("prepare")
            .on_prepare_session(|_| PrepareSessionAnswer::pass().without_will_delay_interval()),
    );
    let server = Server::with([prepare]).await;
    let mut watcher = server.subscriber(V5, "w", "last/#", QoS::AtMostOnce).await;
    server.client_with(full()).await.vanishes().await;
    assert_eq!(
        watcher.next(Duration::from_millis(1)).await,
        "PUBLISH topic='last/words' qos=0 payload='bye'"
    );
}

#[tokio::test(start_paused = true)]
async fn no_plugin_keeps_a_session_longer_than_the_operator_allows() {
    let longer = plugin(
        Closures::new("longer")
            .on_validate_connection(|_| {
                ValidateConnectionAnswer::accept().session_expiry_interval(500)
            })
            .on_prepare_session(|_| PrepareSessionAnswer::pass().session_expiry_interval(900)),
    );
    let session = SessionSettings {
        maximum_session_expiry_interval: 60,
        ..SessionSettings::default()
    };
    let settings = BrokerSettings {
        session,
        ..lenient()
    };
    let server = Server::start(settings, [longer]).await;
    let (client, line) = connack(&server, Connect::new(V5, "a")).await;
    assert_eq!(
        line,
        WELCOME.replace("success", "success session_expiry_interval=60")
    );
    client.vanishes().await;
    assert_eq!(server.stats().sessions, 1);
    pass(Duration::from_secs(61)).await;
    assert_eq!(server.stats().sessions, 0);
}

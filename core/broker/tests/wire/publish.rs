//! `intercept_publish` and `authorize_publish`: what may be published, and as what.

use std::num::NonZeroU16;
use std::sync::Arc;

use hookmq_broker::hook::Registration;
use hookmq_broker::{BrokerSettings, Message, PublishError, Source};
use hookmq_mqtt::packet::{Connect, Publish, PublishProperties};
use hookmq_mqtt::property::PayloadFormat;
use hookmq_mqtt::{Packet, PacketIdentifier, QoS, ReasonCode, TopicName};
use hookmq_plugin_api::typed::{AuthorizePublishAnswer, InterceptPublishAnswer};
use hookmq_plugin_api::{Closures, Hook, OnError};

use crate::support::*;

/// What a sender is answered and what a receiver gets, for one PUBLISH.
async fn outcome(
    server: &Server,
    version: hookmq_mqtt::ProtocolVersion,
    publish: Publish<'_>,
) -> (String, String) {
    let mut receiver = server
        .subscriber(V5, "receiver", "#", QoS::AtMostOnce)
        .await;
    let mut sender = server.client_with(Connect::new(version, "sender")).await;
    sender.publish(publish).await;
    let answer = sender.next(std::time::Duration::from_millis(1)).await;
    let got = receiver.next(std::time::Duration::from_millis(1)).await;
    (answer, got)
}

fn intercepting(answer: InterceptPublishAnswer) -> Registration {
    plugin(Closures::new("rules").on_intercept_publish(move |_| answer.clone()))
}

fn authorizing(answer: AuthorizePublishAnswer) -> Registration {
    plugin(Closures::new("rules").on_authorize_publish(move |_| answer.clone()))
}

#[tokio::test(start_paused = true)]
async fn every_field_of_a_publish_is_shown() {
    let recorder = Recorder::of([Hook::InterceptPublish, Hook::AuthorizePublish]);
    let server = Server::with([recorder.registered()]).await;
    let connect = Connect {
        username: Some("ann".to_owned()),
        ..Connect::new(V5, "a")
    };
    let mut client = server.client_with(connect).await;
    let user_properties = pairs(&[("k", "1"), ("k", "2")]);
    let properties = PublishProperties {
        payload_format: Some(PayloadFormat::Utf8),
        message_expiry_interval: Some(60),
        response_topic: Some("re"),
        correlation_data: Some(b"7"),
        content_type: Some("text/plain"),
        user_properties: user_properties.as_ref(),
        ..PublishProperties::default()
    };
    client
        .publish(Publish {
            properties,
            retain: true,
            dup: true,
            ..qos1("a/b", "hello")
        })
        .await;
    client
        .gets("PUBACK packet_identifier=1 reason=no_matching_subscribers")
        .await;
    let client_fields =
        "client_id='a' username='ann' endpoint='192.0.2.7:50000' listener='lan' protocol_version=5";
    recorder
        .saw(&[
            &format!(
                "intercept_publish source='client' dup=true {client_fields} topic='a/b' payload='hello' payload_size=5 qos=1 retain=true \
                 payload_format=1 message_expiry_interval=60 content_type='text/plain' response_topic='re' correlation_data='7' \
                 user_properties=[k=1, k=2]"
            ),
            &format!("authorize_publish topic='a/b' payload_size=5 qos=1 retain=true source='client' {client_fields}"),
        ])
        .await;

    recorder.clear();
    let mut client = server.client_v3("old").await;
    client.publish(message("t", "")).await;
    recorder
        .saw(&[
            "intercept_publish source='client' dup=false client_id='old' endpoint='192.0.2.7:50000' listener='lan' protocol_version=4 topic='t' \
             payload='' payload_size=0 qos=0 retain=false user_properties=[]",
            "authorize_publish topic='t' payload_size=0 qos=0 retain=false source='client' client_id='old' endpoint='192.0.2.7:50000' \
             listener='lan' protocol_version=4",
        ])
        .await;
}

#[tokio::test(start_paused = true)]
async fn every_verdict_of_intercept_publish_has_its_effect() {
    let routed = "PUBLISH topic='t' qos=0 payload='x'";
    let told = "reason_string='not today' user_properties=['why'='rule 7']";
    let away = "DISCONNECT reason=not_authorized server_reference='other:1883' reason_string='not today' user_properties=['why'='rule 7']";
    let deny = || InterceptPublishAnswer::deny_with(refusal(0));
    let quota = || InterceptPublishAnswer::deny_with(refusal(0x97));
    let rows: Vec<(
        InterceptPublishAnswer,
        hookmq_mqtt::ProtocolVersion,
        Publish<'_>,
        String,
        &str,
    )> = vec![
        (
            InterceptPublishAnswer::pass(),
            V5,
            qos1("t", "x"),
            "PUBACK packet_identifier=1 reason=success".into(),
            routed,
        ),
        (
            InterceptPublishAnswer::accept(),
            V5,
            qos1("t", "x"),
            "PUBACK packet_identifier=1 reason=success".into(),
            routed,
        ),
        (
            InterceptPublishAnswer::drop(),
            V5,
            message("t", "x"),
            "nothing".into(),
            "nothing",
        ),
        (
            InterceptPublishAnswer::drop(),
            V5,
            qos1("t", "x"),
            "PUBACK packet_identifier=1 reason=success".into(),
            "nothing",
        ),
        (
            InterceptPublishAnswer::drop(),
            V5,
            qos2("t", "x"),
            "PUBREC packet_identifier=1 reason=success".into(),
            "nothing",
        ),
        (
            InterceptPublishAnswer::drop(),
            V3,
            qos2("t", "x"),
            "PUBREC packet_identifier=1 reason=success".into(),
            "nothing",
        ),
        (
            InterceptPublishAnswer::consume(),
            V5,
            qos1("t", "x"),
            "PUBACK packet_identifier=1 reason=success".into(),
            "nothing",
        ),
        (
            InterceptPublishAnswer::consume(),
            V3,
            qos1("t", "x"),
            "PUBACK packet_identifier=1 reason=success".into(),
            "nothing",
        ),
        (deny(), V5, message("t", "x"), "nothing".into(), "nothing"),
        (
            deny(),
            V5,
            qos1("t", "x"),
            format!("PUBACK packet_identifier=1 reason=not_authorized {told}"),
            "nothing",
        ),
        (
            quota(),
            V5,
            qos1("t", "x"),
            format!("PUBACK packet_identifier=1 reason=quota_exceeded {told}"),
            "nothing",
        ),
        (
            quota(),
            V5,
            qos2("t", "x"),
            format!("PUBREC packet_identifier=1 reason=quota_exceeded {told}"),
            "nothing",
        ),
        // 3.1.1 cannot refuse: acknowledged, not routed.
        (
            quota(),
            V3,
            qos1("t", "x"),
            "PUBACK packet_identifier=1 reason=success".into(),
            "nothing",
        ),
        (
            quota(),
            V3,
            qos2("t", "x"),
            "PUBREC packet_identifier=1 reason=success".into(),
            "nothing",
        ),
        (
            InterceptPublishAnswer::disconnect_with(refusal(0)),
            V5,
            qos1("t", "x"),
            away.into(),
            "nothing",
        ),
        (
            InterceptPublishAnswer::disconnect_with(refusal(0x9D)),
            V5,
            message("t", "x"),
            away.replace("not_authorized", "server_moved"),
            "nothing",
        ),
        (
            InterceptPublishAnswer::disconnect_with(refusal(0)),
            V3,
            qos1("t", "x"),
            "end".into(),
            "nothing",
        ),
    ];
    for (answer, version, publish, expected, received) in rows {
        let words = format!("{answer:?} {version} {:?}", publish.qos);
        let server = Server::with([intercepting(answer)]).await;
        let (answered, got) = outcome(&server, version, publish).await;
        assert_eq!(
            (answered.as_str(), got.as_str()),
            (expected.as_str(), received),
            "{words}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn every_verdict_of_authorize_publish_has_its_effect() {
    let routed = "PUBLISH topic='t' qos=0 payload='x'";
    let deny = || AuthorizePublishAnswer::deny_with(refusal(0));
    let told = "reason_string='not today' user_properties=['why'='rule 7']";
    let rows = [
        (
            AuthorizePublishAnswer::accept(),
            V5,
            "PUBACK packet_identifier=1 reason=success".to_owned(),
            routed,
        ),
        (
            AuthorizePublishAnswer::drop(),
            V5,
            "PUBACK packet_identifier=1 reason=success".to_owned(),
            "nothing",
        ),
        (
            deny(),
            V5,
            format!("PUBACK packet_identifier=1 reason=not_authorized {told}"),
            "nothing",
        ),
        (
            deny(),
            V3,
            "PUBACK packet_identifier=1 reason=success".to_owned(),
            "nothing",
        ),
        (
            AuthorizePublishAnswer::disconnect_with(refusal(0)),
            V5,
            format!("DISCONNECT reason=not_authorized server_reference='other:1883' {told}"),
            "nothing",
        ),
        (
            AuthorizePublishAnswer::disconnect_with(refusal(0)),
            V3,
            "end".to_owned(),
            "nothing",
        ),
    ];
    for (answer, version, expected, received) in rows {
        let words = format!("{answer:?} {version}");
        // As shipped a gate that all pass denies, so accept is needed.
        let server = Server::start(BrokerSettings::default(), [authorizing(answer)]).await;
        let (answered, got) = outcome(&server, version, qos1("t", "x")).await;
        assert_eq!(
            (answered.as_str(), got.as_str()),
            (expected.as_str(), received),
            "{words}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_pass_of_all_is_a_deny_as_shipped_and_an_accept_where_the_operator_says_so() {
    let passing = || authorizing(AuthorizePublishAnswer::pass());
    let shipped = Server::start(BrokerSettings::default(), [passing()]).await;
    let (answer, got) = outcome(&shipped, V5, qos1("t", "x")).await;
    assert!(
        answer.starts_with(
            "PUBACK packet_identifier=1 reason=not_authorized reason_string='every plugin passed"
        ),
        "{answer}"
    );
    assert_eq!(got, "nothing");
    let lenient = Server::with([passing()]).await;
    assert_eq!(
        outcome(&lenient, V5, qos1("t", "x")).await.1,
        "PUBLISH topic='t' qos=0 payload='x'"
    );
}

#[tokio::test(start_paused = true)]
async fn a_refused_qos_2_message_frees_its_identifier() {
    let picky = plugin(Closures::new("rules").on_intercept_publish(
        |event| match event.payload() {
            b"bad" => InterceptPublishAnswer::deny(0x97, ""),
            _ => InterceptPublishAnswer::pass(),
        },
    ));
    let server = Server::with([picky]).await;
    let mut receiver = server
        .subscriber(V5, "receiver", "#", QoS::AtMostOnce)
        .await;
    let mut sender = server.client("sender").await;
    let five = PacketIdentifier::new(5);
    sender
        .publish(Publish {
            packet_identifier: five,
            ..qos2("t", "bad")
        })
        .await;
    sender
        .gets("PUBREC packet_identifier=5 reason=quota_exceeded")
        .await;
    sender
        .publish(Publish {
            packet_identifier: five,
            ..qos2("t", "good")
        })
        .await;
    sender
        .gets("PUBREC packet_identifier=5 reason=success")
        .await;
    receiver
        .gets("PUBLISH topic='t' qos=0 payload='good'")
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_repeated_qos_2_message_is_shown_once() {
    let recorder = Recorder::of([Hook::InterceptPublish]);
    let server = Server::with([recorder.registered()]).await;
    let mut receiver = server
        .subscriber(V5, "receiver", "#", QoS::AtMostOnce)
        .await;
    let mut sender = server.client("sender").await;
    let five = PacketIdentifier::new(5);
    for dup in [false, true, true] {
        sender
            .publish(Publish {
                packet_identifier: five,
                dup,
                ..qos2("t", "x")
            })
            .await;
        sender
            .gets("PUBREC packet_identifier=5 reason=success")
            .await;
    }
    receiver.gets("PUBLISH topic='t' qos=0 payload='x'").await;
    receiver.gets_nothing().await;
    assert_eq!(recorder.lines().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn every_change_of_intercept_publish_reaches_receivers_and_publisher() {
    let answer = InterceptPublishAnswer::pass()
        .topic("new/topic")
        .payload("other")
        .qos(2)
        .retain(true)
        .payload_format(1)
        .message_expiry_interval(9)
        .content_type("text/csv")
        .response_topic("answers")
        .correlation_data("42")
        .user_properties([("added", "yes")])
        .reason_code(0x10)
        .reason_string("rewritten")
        .response_user_properties([("by", "rules")]);
    let server = Server::with([intercepting(answer)]).await;
    let mut receiver = server
        .subscriber(V5, "receiver", "new/#", QoS::ExactlyOnce)
        .await;
    let mut sender = server.client("sender").await;
    sender.publish(qos1("t", "x")).await;
    sender
        .gets("PUBACK packet_identifier=1 reason=no_matching_subscribers reason_string='rewritten' user_properties=['by'='rules']")
        .await;
    let rest = "payload='other' payload_format=1 message_expiry_interval=9 response_topic='answers' correlation_data='42' \
                content_type='text/csv' user_properties=['added'='yes']";
    receiver
        .gets(&format!(
            "PUBLISH topic='new/topic' qos=2 packet_identifier=1 {rest}"
        ))
        .await;
    // It was retained as changed.
    let mut late = server.client("late").await;
    late.subscribe("#", QoS::AtMostOnce).await;
    late.gets(&format!("PUBLISH topic='new/topic' qos=0 retain {rest}"))
        .await;
}

#[tokio::test(start_paused = true)]
async fn properties_can_be_taken_away() {
    let answer = InterceptPublishAnswer::pass()
        .without_payload_format()
        .without_message_expiry_interval()
        .without_content_type()
        .without_response_topic()
        .without_correlation_data()
        .user_properties(Vec::<(String, String)>::new());
    let server = Server::with([intercepting(answer)]).await;
    let user_properties = pairs(&[("k", "1")]);
    let properties = PublishProperties {
        payload_format: Some(PayloadFormat::Utf8),
        message_expiry_interval: Some(60),
        response_topic: Some("re"),
        correlation_data: Some(b"7"),
        content_type: Some("text/plain"),
        user_properties: user_properties.as_ref(),
        ..PublishProperties::default()
    };
    let (_, got) = outcome(
        &server,
        V5,
        Publish {
            properties,
            ..message("t", "x")
        },
    )
    .await;
    assert_eq!(got, "PUBLISH topic='t' qos=0 payload='x'");
}

#[tokio::test(start_paused = true)]
async fn the_words_of_an_acknowledgement_travel_with_drop_and_consume_too() {
    for answer in [
        InterceptPublishAnswer::drop(),
        InterceptPublishAnswer::consume(),
    ] {
        let words = format!("{answer:?}");
        let answer = answer
            .reason_string("taken care of")
            .response_user_properties([("ticket", "9")]);
        let server = Server::with([intercepting(answer)]).await;
        let (answered, got) = outcome(&server, V5, qos1("t", "x")).await;
        let expected = "PUBACK packet_identifier=1 reason=success reason_string='taken care of' user_properties=['ticket'='9']";
        assert_eq!(
            (answered.as_str(), got.as_str()),
            (expected, "nothing"),
            "{words}"
        );
    }
}

// [MQTT-3.1.2-29]
#[tokio::test(start_paused = true)]
async fn a_client_that_wants_no_problem_information_gets_none_with_an_acknowledgement() {
    let server = Server::with([intercepting(InterceptPublishAnswer::deny_with(refusal(
        0x97,
    )))])
    .await;
    let mut sender = server
        .client_with(Connect {
            request_problem_information: false,
            ..Connect::new(V5, "a")
        })
        .await;
    sender.publish(qos1("t", "x")).await;
    sender
        .gets("PUBACK packet_identifier=1 reason=quota_exceeded")
        .await;
}

#[tokio::test(start_paused = true)]
async fn an_acknowledgement_too_large_for_its_client_goes_without_words() {
    let server = Server::with([intercepting(InterceptPublishAnswer::deny(
        0x97,
        &"x".repeat(200),
    ))])
    .await;
    let mut sender = server
        .client_with(Connect {
            maximum_packet_size: std::num::NonZeroU32::new(100),
            ..Connect::new(V5, "a")
        })
        .await;
    sender.publish(qos1("t", "x")).await;
    sender
        .gets("PUBACK packet_identifier=1 reason=quota_exceeded")
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_wrong_change_is_refused_whole_and_counts_as_an_error() {
    let started = || InterceptPublishAnswer::pass().payload("half");
    for answer in [
        started().topic("a/#"),
        started().topic(""),
        started().topic("nul\0"),
        started().topic("x".repeat(65_536)),
        started().topic("l/".repeat(200)),
        started().qos(3),
        started().payload_format(2),
        started().response_topic("a/+"),
        started().reason_code(0x8D),
        started().reason_string("nul\0"),
        started().correlation_data(vec![0; 65_536]),
        started().user_properties([("k".repeat(65_536), "v")]),
        InterceptPublishAnswer::pass()
            .content_type("half")
            .payload(vec![b'x'; (2 << 20) + 1]),
    ] {
        let words = format!("{answer:.80?}");
        let server = Server::with([intercepting(answer.clone())]).await;
        let (answered, got) = outcome(&server, V5, qos1("t", "x")).await;
        let expected = "PUBACK packet_identifier=1 reason=implementation_specific_error";
        assert_eq!(
            (answered.as_str(), got.as_str()),
            (expected, "nothing"),
            "{words}"
        );
        assert_eq!(
            server.n_errors("rules", Hook::InterceptPublish),
            1,
            "{words}"
        );

        let lenient = Registration {
            on_error: Some(OnError::Pass),
            ..intercepting(answer)
        };
        let server = Server::with([lenient]).await;
        let (answered, got) = outcome(&server, V5, qos1("t", "x")).await;
        let expected = (
            "PUBACK packet_identifier=1 reason=success",
            "PUBLISH topic='t' qos=0 payload='x'",
        );
        assert_eq!((answered.as_str(), got.as_str()), expected, "{words}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_closure_that_fails_or_panics_denies_and_the_broker_goes_on() {
    let failing = plugin(Closures::new("rules").on_intercept_publish(
        |event| match event.payload() {
            b"panic" => panic!("a bug in a rule"),
            b"error" => Err("cannot say"),
            _ => Ok(InterceptPublishAnswer::pass()),
        },
    ));
    let server = Server::with([failing]).await;
    let mut client = server.client("a").await;
    for (at, payload) in ["panic", "error"].into_iter().enumerate() {
        client.publish(qos1("t", payload)).await;
        client
            .gets(&format!(
                "PUBACK packet_identifier={} reason=implementation_specific_error",
                at + 1
            ))
            .await;
    }
    client.publish(qos1("t", "fine")).await;
    client
        .gets("PUBACK packet_identifier=3 reason=no_matching_subscribers")
        .await;
    assert_eq!(server.n_errors("rules", Hook::InterceptPublish), 2);
}

#[tokio::test(start_paused = true)]
async fn a_rewritten_topic_is_authorized_and_routed_as_rewritten() {
    let rewrite = plugin(Closures::new("rewrite").on_intercept_publish(|event| {
        InterceptPublishAnswer::pass().topic(format!("tenant/{}", event.topic()))
    }));
    let authorize =
        plugin(
            Closures::new("authorize").on_authorize_publish(|event| match event.topic() {
                "tenant/open" => AuthorizePublishAnswer::accept(),
                _ => AuthorizePublishAnswer::deny(0x87, ""),
            }),
        );
    let recorder = Recorder::of([Hook::AuthorizePublish]);
    let server = Server::start(
        BrokerSettings::default(),
        [authorize, rewrite, recorder.registered()],
    )
    .await;
    let mut receiver = server
        .subscriber(V5, "receiver", "#", QoS::AtMostOnce)
        .await;
    let mut sender = server.client("sender").await;
    sender.publish(qos1("secret", "x")).await;
    sender
        .gets("PUBACK packet_identifier=1 reason=not_authorized")
        .await;
    sender.publish(qos1("open", "x")).await;
    sender
        .gets("PUBACK packet_identifier=2 reason=success")
        .await;
    receiver
        .gets("PUBLISH topic='tenant/open' qos=0 payload='x'")
        .await;
    receiver.gets_nothing().await;
    assert!(
        recorder.lines()[0].contains("topic='tenant/open'"),
        "{:?}",
        recorder.lines()
    );
}

#[tokio::test(start_paused = true)]
async fn authorize_publish_can_lower_qos_and_take_retain_away() {
    let server = Server::with([authorizing(
        AuthorizePublishAnswer::accept().qos(0).retain(false),
    )])
    .await;
    let mut receiver = server
        .subscriber(V5, "receiver", "#", QoS::ExactlyOnce)
        .await;
    let mut sender = server.client("sender").await;
    sender
        .publish(Publish {
            retain: true,
            ..qos1("t", "x")
        })
        .await;
    sender
        .gets("PUBACK packet_identifier=1 reason=success")
        .await;
    receiver.gets("PUBLISH topic='t' qos=0 payload='x'").await;
    assert_eq!(server.stats().retained, 0);
}

#[tokio::test(start_paused = true)]
async fn plugins_are_asked_in_their_order_and_each_sees_the_changes_before() {
    let append = |name: &'static str, priority: i32| Registration {
        priority,
        ..plugin(Closures::new(name).on_intercept_publish(move |event| {
            let before = String::from_utf8_lossy(event.payload()).into_owned();
            InterceptPublishAnswer::pass().payload(format!("{before}{name}"))
        }))
    };
    let server = Server::with([
        append("b", 0),
        append("c", 0),
        append("a", 9),
        append("d", -1),
    ])
    .await;
    let (_, got) = outcome(&server, V5, message("t", "_")).await;
    assert_eq!(got, "PUBLISH topic='t' qos=0 payload='_abcd'");
}

#[tokio::test(start_paused = true)]
async fn the_first_refusal_ends_the_chain() {
    let recorder = Recorder::of([Hook::InterceptPublish]);
    let server = Server::with([
        intercepting(InterceptPublishAnswer::drop()),
        recorder.registered(),
    ])
    .await;
    outcome(&server, V5, message("t", "x")).await;
    assert!(recorder.lines().is_empty());
}

// An alias is resolved before any hook, so that no policy judges an empty topic.
#[tokio::test(start_paused = true)]
async fn a_topic_alias_is_shown_as_its_topic() {
    let recorder = Recorder::of([Hook::AuthorizePublish]);
    let rewrite = plugin(Closures::new("rewrite").on_intercept_publish(|event| {
        InterceptPublishAnswer::pass().topic(format!("x/{}", event.topic()))
    }));
    let server = Server::with([rewrite, recorder.registered()]).await;
    let mut receiver = server
        .subscriber(V5, "receiver", "#", QoS::AtMostOnce)
        .await;
    let mut sender = server.client("sender").await;
    let aliased = PublishProperties {
        topic_alias: NonZeroU16::new(3),
        ..PublishProperties::default()
    };
    sender
        .publish(Publish {
            properties: aliased,
            ..message("a/b", "1")
        })
        .await;
    sender
        .publish(Publish {
            properties: aliased,
            ..message("", "2")
        })
        .await;
    receiver
        .gets("PUBLISH topic='x/a/b' qos=0 payload='1'")
        .await;
    receiver
        .gets("PUBLISH topic='x/a/b' qos=0 payload='2'")
        .await;
    assert!(
        recorder
            .lines()
            .iter()
            .all(|line| line.contains("topic='x/a/b'")),
        "{:?}",
        recorder.lines()
    );
}

#[tokio::test(start_paused = true)]
async fn a_message_of_the_embedding_program_takes_the_same_way() {
    let recorder = Recorder::of([Hook::InterceptPublish, Hook::AuthorizePublish]);
    let picky = plugin(Closures::new("rules").on_intercept_publish(
        |event| match event.payload() {
            b"bad" => InterceptPublishAnswer::deny(0x97, ""),
            _ => InterceptPublishAnswer::pass(),
        },
    ));
    // As shipped, and no plugin accepts: what the program publishes is trusted.
    let server = Server::start(BrokerSettings::default(), [recorder.registered(), picky]).await;
    let mut receiver = server
        .subscriber(V5, "receiver", "#", QoS::AtMostOnce)
        .await;
    let own = |payload: &'static str| Message {
        topic: TopicName::parse("own").expect("a Topic Name"),
        payload: payload.into(),
        qos: QoS::AtLeastOnce,
        retain: false,
        properties: None,
        expires_at: None,
        sender: None,
        source: Source::Broker,
    };
    server
        .handle
        .publish(own("good"))
        .await
        .expect("nobody refuses it");
    receiver
        .gets("PUBLISH topic='own' qos=0 payload='good'")
        .await;
    recorder
        .saw(&[
            "intercept_publish source='broker' dup=false topic='own' payload='good' payload_size=4 qos=1 retain=false user_properties=[]",
            "authorize_publish topic='own' payload_size=4 qos=1 retain=false source='broker'",
        ])
        .await;
    let refused = server.handle.publish(own("bad")).await;
    assert!(
        matches!(
            refused,
            Err(PublishError::Refused {
                reason: ReasonCode::QuotaExceeded
            })
        ),
        "{refused:?}"
    );
    receiver.gets_nothing().await;
}

#[tokio::test(start_paused = true)]
async fn a_plugin_is_asked_only_about_what_its_filter_admits() {
    let mut deny = intercepting(InterceptPublishAnswer::drop());
    deny.filter.topics = vec!["secret/#".into()];
    let server = Server::with([deny]).await;
    let mut receiver = server
        .subscriber(V5, "receiver", "#", QoS::AtMostOnce)
        .await;
    let mut sender = server.client("sender").await;
    sender.publish(message("secret/a", "1")).await;
    sender.publish(message("open", "2")).await;
    receiver
        .gets("PUBLISH topic='open' qos=0 payload='2'")
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_disconnect_verdict_ends_only_that_client_and_says_so() {
    let recorder = Recorder::of([Hook::ClientDisconnected]);
    let server = Server::with([
        intercepting(InterceptPublishAnswer::disconnect(0x98, "go")),
        recorder.registered(),
    ])
    .await;
    let mut other = server.client("other").await;
    let mut sender = server.client("sender").await;
    sender.publish(message("t", "x")).await;
    sender
        .gets("DISCONNECT reason=administrative_action reason_string='go'")
        .await;
    sender.ends().await;
    recorder
        .saw(&["client_disconnected reason_code=152 reason_string='go' disconnect_type='Rejected' session_expiry_interval=0 \
                user_properties=[] client_id='sender' endpoint='192.0.2.7:50000' listener='lan' protocol_version=5 sequence=1"])
        .await;
    other.send(Packet::PingReq).await;
    other.gets("PINGRESP").await;
}

#[tokio::test(start_paused = true)]
async fn packets_behind_a_refused_one_are_handled_in_order() {
    let picky = plugin(Closures::new("rules").on_intercept_publish(
        |event| match event.payload() {
            b"2" => InterceptPublishAnswer::deny(0x97, ""),
            _ => InterceptPublishAnswer::pass(),
        },
    ));
    let server = Server::with([picky]).await;
    let mut receiver = server
        .subscriber(V5, "receiver", "#", QoS::AtMostOnce)
        .await;
    let mut sender = server.client("sender").await;
    for payload in ["1", "2", "3"] {
        sender.publish(qos1("t", payload)).await;
    }
    sender
        .gets("PUBACK packet_identifier=1 reason=success")
        .await;
    sender
        .gets("PUBACK packet_identifier=2 reason=quota_exceeded")
        .await;
    sender
        .gets("PUBACK packet_identifier=3 reason=success")
        .await;
    receiver.gets("PUBLISH topic='t' qos=0 payload='1'").await;
    receiver.gets("PUBLISH topic='t' qos=0 payload='3'").await;
}

#[tokio::test(start_paused = true)]
async fn one_closure_may_serve_two_registrations() {
    let closures: Arc<Closures> = Arc::new(Closures::new("twice").on_intercept_publish(|event| {
        let before = String::from_utf8_lossy(event.payload()).into_owned();
        InterceptPublishAnswer::pass().payload(format!("{before}+"))
    }));
    let server = Server::with([
        Registration::new("one", "embedded", Arc::clone(&closures) as _),
        Registration::new("two", "embedded", closures as _),
    ])
    .await;
    let (_, got) = outcome(&server, V5, message("t", "_")).await;
    assert_eq!(got, "PUBLISH topic='t' qos=0 payload='_++'");
}

//! `intercept_subscription`, `authorize_subscribe`, `client_subscribed`, and their counterparts at UNSUBSCRIBE.

use hookmq_broker::BrokerSettings;
use hookmq_broker::hook::Registration;
use hookmq_mqtt::packet::{
    RetainHandling, Subscribe, SubscribeEntry, SubscriptionOptions, Unsubscribe,
};
use hookmq_mqtt::{Packet, QoS, SubscriptionIdentifier};
use hookmq_plugin_api::typed::{
    AuthorizeSubscribeAnswer, InterceptSubscriptionAnswer, InterceptUnsubscriptionAnswer,
};
use hookmq_plugin_api::{Closures, Hook, OnError};

use crate::support::*;

const TOLD: &str = "reason_string='not today' user_properties=['why'='rule 7']";
const AWAY: &str = "DISCONNECT reason=not_authorized server_reference='other:1883' reason_string='not today' user_properties=['why'='rule 7']";

fn intercepting(answer: InterceptSubscriptionAnswer) -> Registration {
    plugin(Closures::new("rules").on_intercept_subscription(move |_| answer.clone()))
}

fn authorizing(answer: AuthorizeSubscribeAnswer) -> Registration {
    plugin(Closures::new("rules").on_authorize_subscribe(move |_| answer.clone()))
}

fn entry(topic_filter: &str, options: impl Into<SubscriptionOptions>) -> SubscribeEntry {
    SubscribeEntry {
        topic_filter: topic_filter.to_owned(),
        options: options.into(),
    }
}

async fn subscribe(
    client: &mut Client,
    subscriptions: Vec<SubscribeEntry>,
    identifier: Option<u32>,
) -> String {
    let packet_identifier = client.identifier();
    let subscribe = Subscribe {
        packet_identifier,
        subscription_identifier: identifier.and_then(SubscriptionIdentifier::new),
        user_properties: if client.version == V5 {
            pairs(&[("k", "v")])
        } else {
            pairs(&[])
        },
        subscriptions,
    };
    client.send(Packet::Subscribe(subscribe)).await;
    client.line().await
}

#[tokio::test(start_paused = true)]
async fn every_field_of_each_filter_is_shown_in_the_packets_order() {
    let recorder = Recorder::of([Hook::InterceptSubscription, Hook::AuthorizeSubscribe]);
    let notices = Recorder::of([Hook::ClientSubscribed]);
    let told = Registration {
        name: "notices".into(),
        ..notices.registered()
    };
    let server = Server::with([recorder.registered(), told]).await;
    let mut client = server.client("a").await;
    let all = SubscriptionOptions {
        qos: QoS::ExactlyOnce,
        no_local: true,
        retain_as_published: true,
        retain_handling: RetainHandling::DoNotSend,
    };
    let line = subscribe(
        &mut client,
        vec![entry("a/+", all), entry("$share/g/b", QoS::AtLeastOnce)],
        Some(12),
    )
    .await;
    assert_eq!(
        line,
        "SUBACK packet_identifier=1 reasons=[granted_qos_2, granted_qos_1]"
    );
    let who = "client_id='a' endpoint='192.0.2.7:50000' listener='lan' protocol_version=5";
    let first = "topic_filter='a/+' qos=2 no_local=true retain_as_published=true retain_handling=2 subscription_identifier=12";
    let second = "topic_filter='$share/g/b' share_name='g' qos=1 no_local=false retain_as_published=false retain_handling=0 subscription_identifier=12";
    recorder
        .saw(&[
            &format!("intercept_subscription user_properties=[k=v] {first} {who}"),
            &format!("authorize_subscribe {first} {who}"),
            &format!("intercept_subscription user_properties=[k=v] {second} {who}"),
            &format!("authorize_subscribe {second} {who}"),
        ])
        .await;
    notices
        .saw(&[
            &format!("client_subscribed {first} {who} sequence=1"),
            &format!("client_subscribed {second} {who} sequence=2"),
        ])
        .await;

    recorder.clear();
    let mut old = server.client_v3("old").await;
    subscribe(&mut old, vec![entry("t", QoS::AtMostOnce)], None).await;
    let shown = "topic_filter='t' qos=0 no_local=false retain_as_published=false retain_handling=0 client_id='old' \
                 endpoint='192.0.2.7:50000' listener='lan' protocol_version=4";
    recorder
        .saw(&[
            &format!("intercept_subscription user_properties=[] {shown}"),
            &format!("authorize_subscribe {shown}"),
        ])
        .await;
}

#[tokio::test(start_paused = true)]
async fn every_verdict_on_a_subscription_has_its_effect() {
    type Answer = InterceptSubscriptionAnswer;
    let rows = [
        (
            Answer::pass(),
            V5,
            "SUBACK packet_identifier=1 reasons=[granted_qos_1]".to_owned(),
            1,
        ),
        (
            Answer::accept(),
            V5,
            "SUBACK packet_identifier=1 reasons=[granted_qos_1]".to_owned(),
            1,
        ),
        (
            Answer::drop(),
            V5,
            "SUBACK packet_identifier=1 reasons=[granted_qos_1]".to_owned(),
            0,
        ),
        (
            Answer::drop(),
            V3,
            "SUBACK packet_identifier=1 reasons=[granted_qos_1]".to_owned(),
            0,
        ),
        (
            Answer::deny_with(refusal(0)),
            V5,
            format!("SUBACK packet_identifier=1 reasons=[not_authorized] {TOLD}"),
            0,
        ),
        (
            Answer::deny_with(refusal(0x97)),
            V5,
            format!("SUBACK packet_identifier=1 reasons=[quota_exceeded] {TOLD}"),
            0,
        ),
        (
            Answer::deny_with(refusal(0x97)),
            V3,
            "SUBACK packet_identifier=1 reasons=[unspecified_error]".to_owned(),
            0,
        ),
        (Answer::disconnect_with(refusal(0)), V5, AWAY.to_owned(), 0),
        (Answer::disconnect_with(refusal(0)), V3, "end".to_owned(), 0),
    ];
    for (answer, version, expected, n_subscriptions) in rows {
        let words = format!("{answer:?} {version}");
        let server = Server::with([intercepting(answer)]).await;
        let mut client = server
            .client_with(hookmq_mqtt::packet::Connect::new(version, "a"))
            .await;
        client.ask("t", QoS::AtLeastOnce).await;
        assert_eq!(client.line().await, expected, "{words}");
        assert_eq!(server.stats().subscriptions, n_subscriptions, "{words}");
    }
}

#[tokio::test(start_paused = true)]
async fn every_verdict_of_authorize_subscribe_has_its_effect() {
    type Answer = AuthorizeSubscribeAnswer;
    let rows = [
        (
            Answer::accept(),
            V5,
            "SUBACK packet_identifier=1 reasons=[granted_qos_1]".to_owned(),
            1,
        ),
        (
            Answer::deny_with(refusal(0)),
            V5,
            format!("SUBACK packet_identifier=1 reasons=[not_authorized] {TOLD}"),
            0,
        ),
        (
            Answer::deny_with(refusal(0)),
            V3,
            "SUBACK packet_identifier=1 reasons=[unspecified_error]".to_owned(),
            0,
        ),
        (Answer::disconnect_with(refusal(0)), V5, AWAY.to_owned(), 0),
        (Answer::disconnect_with(refusal(0)), V3, "end".to_owned(), 0),
    ];
    for (answer, version, expected, n_subscriptions) in rows {
        let words = format!("{answer:?} {version}");
        let server = Server::start(BrokerSettings::default(), [authorizing(answer)]).await;
        let mut client = server
            .client_with(hookmq_mqtt::packet::Connect::new(version, "a"))
            .await;
        client.ask("t", QoS::AtLeastOnce).await;
        assert_eq!(client.line().await, expected, "{words}");
        assert_eq!(server.stats().subscriptions, n_subscriptions, "{words}");
    }
    let shipped = Server::start(BrokerSettings::default(), [authorizing(Answer::pass())]).await;
    let mut client = shipped.client("a").await;
    client.ask("t", QoS::AtLeastOnce).await;
    let line = client.line().await;
    assert!(
        line.starts_with(
            "SUBACK packet_identifier=1 reasons=[not_authorized] reason_string='every plugin passed"
        ),
        "{line}"
    );
}

#[tokio::test(start_paused = true)]
async fn one_refused_filter_leaves_the_others_alone() {
    let picky =
        plugin(
            Closures::new("rules").on_authorize_subscribe(|event| match event.topic_filter() {
                "secret" => AuthorizeSubscribeAnswer::deny(0x87, ""),
                _ => AuthorizeSubscribeAnswer::accept(),
            }),
        );
    let server = Server::with([picky]).await;
    let mut client = server.client("a").await;
    let line = subscribe(
        &mut client,
        vec![
            entry("a", QoS::AtMostOnce),
            entry("secret", QoS::AtMostOnce),
            entry("b", QoS::ExactlyOnce),
        ],
        None,
    )
    .await;
    assert_eq!(
        line,
        "SUBACK packet_identifier=1 reasons=[success, not_authorized, granted_qos_2]"
    );
    assert_eq!(server.stats().subscriptions, 2);
}

#[tokio::test(start_paused = true)]
async fn every_change_of_a_subscription_is_in_force() {
    let answer = InterceptSubscriptionAnswer::pass()
        .topic_filter("tenant/#")
        .qos(1)
        .no_local(true)
        .retain_as_published(true)
        .retain_handling(2)
        .subscription_identifier(77)
        .reason_string("moved")
        .response_user_properties([("by", "rules")]);
    let once = plugin(
        Closures::new("rules").on_intercept_subscription(move |event| {
            if event.client_id() == Some("a") {
                answer.clone()
            } else {
                InterceptSubscriptionAnswer::pass()
            }
        }),
    );
    let recorder = Recorder::of([Hook::ClientSubscribed, Hook::AuthorizeSubscribe]);
    let server = Server::with([once, recorder.registered()]).await;
    let mut sender = server.client("sender").await;
    sender.publish(retained("tenant/old", "kept")).await;
    let mut client = server.client("a").await;
    client.ask("anything", QoS::ExactlyOnce).await;
    client.gets("SUBACK packet_identifier=1 reasons=[granted_qos_1] reason_string='moved' user_properties=['by'='rules']").await;
    // Retain Handling 2, No Local.
    client.publish(message("tenant/own", "mine")).await;
    client.gets_nothing().await;
    sender
        .publish(hookmq_mqtt::Publish {
            retain: true,
            ..qos2("tenant/new", "x")
        })
        .await;
    client.gets("PUBLISH topic='tenant/new' qos=1 retain packet_identifier=1 payload='x' subscription_identifiers=[77]").await;
    let shown = "topic_filter='tenant/#' qos=1 no_local=true retain_as_published=true retain_handling=2 subscription_identifier=77 \
                 client_id='a' endpoint='192.0.2.7:50000' listener='lan' protocol_version=5";
    recorder
        .saw(&[
            &format!("authorize_subscribe {shown}"),
            &format!("client_subscribed {shown} sequence=1"),
        ])
        .await;
}

#[tokio::test(start_paused = true)]
async fn authorize_subscribe_can_lower_qos_and_hold_retained_messages_back() {
    let server = Server::with([authorizing(
        AuthorizeSubscribeAnswer::accept().qos(0).retain_handling(2),
    )])
    .await;
    let mut sender = server.client("sender").await;
    sender.publish(retained("t", "kept")).await;
    let mut client = server.client("a").await;
    client.ask("t", QoS::ExactlyOnce).await;
    client
        .gets("SUBACK packet_identifier=1 reasons=[success]")
        .await;
    client.gets_nothing().await;
    sender.publish(qos2("t", "x")).await;
    client.gets("PUBLISH topic='t' qos=0 payload='x'").await;
}

#[tokio::test(start_paused = true)]
async fn the_words_of_suback_travel_with_a_drop_too() {
    let answer = InterceptSubscriptionAnswer::drop()
        .reason_string("later")
        .response_user_properties([("k", "v")]);
    let server = Server::with([intercepting(answer)]).await;
    let mut client = server.client("a").await;
    client.ask("t", QoS::AtLeastOnce).await;
    client.gets("SUBACK packet_identifier=1 reasons=[granted_qos_1] reason_string='later' user_properties=['k'='v']").await;
}

#[tokio::test(start_paused = true)]
async fn a_wrong_change_of_a_subscription_is_refused_whole() {
    let started = || InterceptSubscriptionAnswer::pass().retain_as_published(true);
    for answer in [
        started().topic_filter("a/#/b"),
        started().topic_filter(""),
        started().topic_filter("$share//a"),
        started().topic_filter("l/".repeat(200)),
        started().topic_filter("$share/g/a").no_local(true),
        started().qos(3),
        started().retain_handling(3),
        started().subscription_identifier(0),
        started().subscription_identifier(268_435_456),
        started().reason_string("nul\0"),
    ] {
        let words = format!("{answer:.80?}");
        let server = Server::with([intercepting(answer.clone())]).await;
        let mut client = server.client("a").await;
        client.ask("t", QoS::AtLeastOnce).await;
        assert_eq!(
            client.line().await,
            "SUBACK packet_identifier=1 reasons=[implementation_specific_error]",
            "{words}"
        );
        assert_eq!(
            server.n_errors("rules", Hook::InterceptSubscription),
            1,
            "{words}"
        );

        let lenient = Registration {
            on_error: Some(OnError::Pass),
            ..intercepting(answer)
        };
        let recorder = Recorder::of([Hook::AuthorizeSubscribe]);
        let server = Server::with([lenient, recorder.registered()]).await;
        let mut client = server.client("a").await;
        client.subscribe("t", QoS::AtLeastOnce).await;
        assert!(
            recorder.lines()[0]
                .contains("topic_filter='t' qos=1 no_local=false retain_as_published=false"),
            "{words}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_filter_that_is_none_is_refused_before_any_plugin() {
    let recorder = Recorder::of([Hook::InterceptSubscription]);
    let server = Server::with([recorder.registered()]).await;
    let mut client = server.client("a").await;
    client.ask("a/#/b", QoS::AtMostOnce).await;
    client
        .gets("SUBACK packet_identifier=1 reasons=[topic_filter_invalid]")
        .await;
    assert!(recorder.lines().is_empty());
}

async fn unsubscribe(client: &mut Client, filters: &[&str]) -> String {
    let packet_identifier = client.identifier();
    let topic_filters = filters.iter().map(|filter| (*filter).to_owned()).collect();
    let user_properties = if client.version == V5 {
        pairs(&[("k", "v")])
    } else {
        pairs(&[])
    };
    client
        .send(Packet::Unsubscribe(Unsubscribe {
            packet_identifier,
            topic_filters,
            user_properties,
        }))
        .await;
    client.line().await
}

#[tokio::test(start_paused = true)]
async fn every_field_of_an_unsubscribe_is_shown_and_only_a_real_removal_is_told() {
    let recorder = Recorder::of([Hook::InterceptUnsubscription]);
    let notices = Recorder::of([Hook::ClientUnsubscribed]);
    let told = Registration {
        name: "notices".into(),
        ..notices.registered()
    };
    let server = Server::with([recorder.registered(), told]).await;
    let mut client = server.subscriber(V5, "a", "x", QoS::AtMostOnce).await;
    let line = unsubscribe(&mut client, &["never", "x"]).await;
    assert_eq!(
        line,
        "UNSUBACK packet_identifier=2 reasons=[no_subscription_existed, success]"
    );
    let who = "client_id='a' endpoint='192.0.2.7:50000' listener='lan' protocol_version=5";
    recorder
        .saw(&[
            &format!("intercept_unsubscription topic_filter='never' user_properties=[k=v] {who}"),
            &format!("intercept_unsubscription topic_filter='x' user_properties=[k=v] {who}"),
        ])
        .await;
    notices
        .saw(&[&format!(
            "client_unsubscribed topic_filter='x' reason_code=0 {who} sequence=1"
        )])
        .await;
    assert_eq!(server.stats().subscriptions, 0);
}

#[tokio::test(start_paused = true)]
async fn every_verdict_on_an_unsubscription_has_its_effect() {
    type Answer = InterceptUnsubscriptionAnswer;
    let rows = [
        (
            Answer::pass(),
            V5,
            "UNSUBACK packet_identifier=2 reasons=[success]".to_owned(),
            0,
        ),
        (
            Answer::accept(),
            V5,
            "UNSUBACK packet_identifier=2 reasons=[success]".to_owned(),
            0,
        ),
        (
            Answer::drop(),
            V5,
            "UNSUBACK packet_identifier=2 reasons=[success]".to_owned(),
            1,
        ),
        (
            Answer::deny_with(refusal(0)),
            V5,
            format!("UNSUBACK packet_identifier=2 reasons=[not_authorized] {TOLD}"),
            1,
        ),
        // SUBACK may say quota_exceeded, UNSUBACK may not.
        (
            Answer::deny_with(refusal(0x97)),
            V5,
            format!("UNSUBACK packet_identifier=2 reasons=[not_authorized] {TOLD}"),
            1,
        ),
        // 3.1.1 has no refusing UNSUBACK; the subscription stays.
        (
            Answer::deny_with(refusal(0)),
            V3,
            "UNSUBACK packet_identifier=2".to_owned(),
            1,
        ),
        // The Session and its subscription end with the connection.
        (Answer::disconnect_with(refusal(0)), V5, AWAY.to_owned(), 0),
        (Answer::disconnect_with(refusal(0)), V3, "end".to_owned(), 0),
    ];
    for (answer, version, expected, n_subscriptions) in rows {
        let words = format!("{answer:?} {version}");
        let rules =
            plugin(Closures::new("rules").on_intercept_unsubscription(move |_| answer.clone()));
        let server = Server::with([rules]).await;
        let mut client = server.subscriber(version, "a", "x", QoS::AtMostOnce).await;
        client.unsubscribe("x").await;
        assert_eq!(client.line().await, expected, "{words}");
        settle().await;
        assert_eq!(server.stats().subscriptions, n_subscriptions, "{words}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_rewritten_filter_is_the_one_that_is_removed() {
    let answer = InterceptUnsubscriptionAnswer::pass()
        .topic_filter("tenant/x")
        .reason_string("moved")
        .response_user_properties([("k", "v")]);
    let rules = plugin(Closures::new("rules").on_intercept_unsubscription(move |_| answer.clone()));
    let server = Server::with([rules]).await;
    let mut client = server
        .subscriber(V5, "a", "tenant/x", QoS::AtMostOnce)
        .await;
    client.unsubscribe("x").await;
    client.gets("UNSUBACK packet_identifier=2 reasons=[success] reason_string='moved' user_properties=['k'='v']").await;
    assert_eq!(server.stats().subscriptions, 0);
}

#[tokio::test(start_paused = true)]
async fn a_failure_at_unsubscribe_passes_as_the_catalogue_says() {
    let rules = plugin(Closures::new("rules").on_intercept_unsubscription(|_| {
        InterceptUnsubscriptionAnswer::pass().topic_filter("a/#/b")
    }));
    let server = Server::with([rules]).await;
    let mut client = server.subscriber(V5, "a", "x", QoS::AtMostOnce).await;
    client.unsubscribe("x").await;
    client
        .gets("UNSUBACK packet_identifier=2 reasons=[success]")
        .await;
    assert_eq!(server.n_errors("rules", Hook::InterceptUnsubscription), 1);
}

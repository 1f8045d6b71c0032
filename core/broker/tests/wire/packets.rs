//! `intercept_inbound_packet` and `intercept_outbound_packet`: every packet, before it counts and before it is written.

use std::num::{NonZeroU16, NonZeroU32};

use hookmq_broker::hook::Registration;
use hookmq_mqtt::packet::{Connect, Disconnect, Publish, PublishProperties};
use hookmq_mqtt::{Packet, QoS};
use hookmq_plugin_api::typed::{InterceptInboundPacketAnswer, InterceptOutboundPacketAnswer};
use hookmq_plugin_api::{Closures, Hook};

use crate::support::*;

fn inbound(
    answer: impl Fn(&str) -> InterceptInboundPacketAnswer + Send + Sync + 'static,
) -> Registration {
    plugin(
        Closures::new("rules")
            .on_intercept_inbound_packet(move |event| answer(event.packet_type())),
    )
}

fn outbound(
    answer: impl Fn(&str, &[u8]) -> InterceptOutboundPacketAnswer + Send + Sync + 'static,
) -> Registration {
    plugin(
        Closures::new("rules").on_intercept_outbound_packet(move |event| {
            answer(event.packet_type(), event.payload())
        }),
    )
}

fn aliased<'a>(alias: u16, publish: Publish<'a>) -> Publish<'a> {
    Publish {
        properties: PublishProperties {
            topic_alias: NonZeroU16::new(alias),
            ..publish.properties
        },
        ..publish
    }
}

#[tokio::test(start_paused = true)]
async fn every_packet_of_a_conversation_is_shown_on_its_way() {
    let recorder = Recorder::of([Hook::InterceptInboundPacket, Hook::InterceptOutboundPacket]);
    let server = Server::with([recorder.registered()]).await;
    let connect = Connect {
        username: Some("ann".to_owned()),
        user_properties: pairs(&[("k", "v")]),
        ..Connect::new(V5, "a")
    };
    let mut client = server.client_with(connect).await;
    client.subscribe("t", QoS::ExactlyOnce).await;
    client
        .publish(Publish {
            retain: true,
            dup: true,
            ..qos2("t", "x")
        })
        .await;
    client
        .gets("PUBREC packet_identifier=2 reason=success")
        .await;
    client
        .gets("PUBLISH topic='t' qos=2 packet_identifier=1 payload='x'")
        .await;
    client.send(Packet::PubRel(ack(2))).await;
    client
        .gets("PUBCOMP packet_identifier=2 reason=success")
        .await;
    client.send(Packet::PubRec(ack(1))).await;
    client
        .gets("PUBREL packet_identifier=1 reason=success")
        .await;
    client.send(Packet::PubComp(ack(1))).await;
    client.unsubscribe("t").await;
    client
        .gets("UNSUBACK packet_identifier=3 reasons=[success]")
        .await;
    client.send(Packet::PingReq).await;
    client.gets("PINGRESP").await;
    client
        .send(Packet::Disconnect(Disconnect {
            user_properties: pairs(&[("bye", "1")]),
            ..Disconnect::default()
        }))
        .await;
    client.ends().await;
    let who =
        "client_id='a' username='ann' endpoint='192.0.2.7:50000' listener='lan' protocol_version=5";
    let line = |way: &str, rest: &str| format!("intercept_{way}_packet packet_type={rest} {who}");
    let expected = [
        line("inbound", "'connect' user_properties=[k=v]"),
        line("outbound", "'connack' reason_code=0 user_properties=[]"),
        line(
            "inbound",
            "'subscribe' packet_identifier=1 user_properties=[]",
        ),
        line(
            "outbound",
            "'suback' packet_identifier=1 user_properties=[]",
        ),
        line(
            "inbound",
            "'publish' packet_identifier=2 topic='t' payload='x' payload_size=1 qos=2 retain=true dup=true user_properties=[]",
        ),
        line(
            "outbound",
            "'pubrec' packet_identifier=2 reason_code=0 user_properties=[]",
        ),
        line(
            "outbound",
            "'publish' packet_identifier=1 topic='t' payload='x' payload_size=1 qos=2 retain=false dup=false user_properties=[]",
        ),
        line(
            "inbound",
            "'pubrel' packet_identifier=2 reason_code=0 user_properties=[]",
        ),
        line(
            "outbound",
            "'pubcomp' packet_identifier=2 reason_code=0 user_properties=[]",
        ),
        line(
            "inbound",
            "'pubrec' packet_identifier=1 reason_code=0 user_properties=[]",
        ),
        line(
            "outbound",
            "'pubrel' packet_identifier=1 reason_code=0 user_properties=[]",
        ),
        line(
            "inbound",
            "'pubcomp' packet_identifier=1 reason_code=0 user_properties=[]",
        ),
        line(
            "inbound",
            "'unsubscribe' packet_identifier=3 user_properties=[]",
        ),
        line(
            "outbound",
            "'unsuback' packet_identifier=3 user_properties=[]",
        ),
        line("inbound", "'pingreq' user_properties=[]"),
        line("outbound", "'pingresp' user_properties=[]"),
        line(
            "inbound",
            "'disconnect' reason_code=0 user_properties=[bye=1]",
        ),
    ];
    recorder.saw(&expected.each_ref().map(String::as_str)).await;
}

#[tokio::test(start_paused = true)]
async fn a_refusing_connack_is_shown_too() {
    let recorder = Recorder::of([Hook::InterceptOutboundPacket]);
    let deny = plugin(Closures::new("door").on_validate_connection(|_| {
        hookmq_plugin_api::typed::ValidateConnectionAnswer::deny(0x8A, "")
    }));
    let server = Server::with([deny, recorder.registered()]).await;
    server.refused(Connect::new(V5, "a")).await;
    recorder
        .saw(&["intercept_outbound_packet packet_type='connack' reason_code=138 user_properties=[] client_id='a' \
                endpoint='192.0.2.7:50000' listener='lan' protocol_version=5"])
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_dropped_packet_never_came() {
    let server = Server::with([inbound(|packet_type| match packet_type {
        "publish" | "pingreq" => InterceptInboundPacketAnswer::drop(),
        _ => InterceptInboundPacketAnswer::pass(),
    })])
    .await;
    let mut receiver = server.subscriber(V5, "r", "#", QoS::AtMostOnce).await;
    let mut client = server.client("a").await;
    client.publish(qos1("t", "x")).await;
    client.send(Packet::PingReq).await;
    client.gets_nothing().await;
    receiver.gets_nothing().await;
    assert_eq!(server.stats().received, 0);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_connect_ends_the_connection_without_a_word() {
    let server = Server::with([inbound(|_| InterceptInboundPacketAnswer::drop())]).await;
    let mut client = server.dial(V5);
    client
        .send(Packet::Connect(Box::new(Connect::new(V5, "a"))))
        .await;
    client.ends().await;
    assert_eq!(server.stats().sessions, 0);
}

#[tokio::test(start_paused = true)]
async fn a_disconnect_verdict_ends_the_client() {
    let refuse = |version| async move {
        let server = Server::with([inbound(|packet_type| match packet_type {
            "pingreq" => InterceptInboundPacketAnswer::disconnect_with(refusal(0x98)),
            _ => InterceptInboundPacketAnswer::pass(),
        })])
        .await;
        let mut client = server.client_with(Connect::new(version, "a")).await;
        client.send(Packet::PingReq).await;
        client.line().await
    };
    assert_eq!(
        refuse(V5).await,
        "DISCONNECT reason=administrative_action server_reference='other:1883' reason_string='not today' user_properties=['why'='rule 7']"
    );
    assert_eq!(refuse(V3).await, "end");
}

#[tokio::test(start_paused = true)]
async fn every_change_of_an_inbound_publish_counts() {
    let recorder = Recorder::of([Hook::InterceptPublish]);
    let server = Server::with([
        inbound(|packet_type| match packet_type {
            "publish" => InterceptInboundPacketAnswer::pass()
                .topic("new")
                .payload("other")
                .retain(true)
                .user_properties([("k", "v")]),
            _ => InterceptInboundPacketAnswer::pass(),
        }),
        recorder.registered(),
    ])
    .await;
    let mut receiver = server.subscriber(V5, "r", "#", QoS::AtLeastOnce).await;
    let mut client = server.client("a").await;
    client.publish(qos1("t", "x")).await;
    client
        .gets("PUBACK packet_identifier=1 reason=success")
        .await;
    receiver.gets("PUBLISH topic='new' qos=1 packet_identifier=1 payload='other' user_properties=['k'='v']").await;
    assert!(
        recorder.lines()[0]
            .contains("topic='new' payload='other' payload_size=5 qos=1 retain=true"),
        "{:?}",
        recorder.lines()
    );
    assert_eq!(server.stats().retained, 1);
}

#[tokio::test(start_paused = true)]
async fn every_change_of_an_outbound_publish_is_written() {
    let server = Server::with([outbound(|packet_type, _| match packet_type {
        "publish" => InterceptOutboundPacketAnswer::pass()
            .topic("new")
            .payload("other")
            .retain(true)
            .user_properties([("k", "v")]),
        _ => InterceptOutboundPacketAnswer::pass(),
    })])
    .await;
    let mut five = server.subscriber(V5, "five", "#", QoS::AtLeastOnce).await;
    let mut three = server.subscriber(V3, "three", "#", QoS::AtLeastOnce).await;
    let mut client = server.client("a").await;
    client.publish(qos1("t", "x")).await;
    five.gets("PUBLISH topic='new' qos=1 retain packet_identifier=1 payload='other' user_properties=['k'='v']").await;
    three
        .gets("PUBLISH topic='new' qos=1 retain packet_identifier=1 payload='other'")
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_dropped_outbound_packet_is_not_written_and_those_behind_it_are() {
    let server = Server::with([outbound(|packet_type, payload| {
        match (packet_type, payload) {
            ("publish", b"bad") | ("pingresp", _) => InterceptOutboundPacketAnswer::drop(),
            _ => InterceptOutboundPacketAnswer::pass(),
        }
    })])
    .await;
    let mut receiver = server.subscriber(V5, "r", "#", QoS::AtMostOnce).await;
    let mut client = server.client("a").await;
    for payload in ["bad", "1", "bad", "bad", "2"] {
        client.publish(message("t", payload)).await;
    }
    receiver.gets("PUBLISH topic='t' qos=0 payload='1'").await;
    receiver.gets("PUBLISH topic='t' qos=0 payload='2'").await;
    receiver.send(Packet::PingReq).await;
    receiver.gets_nothing().await;
}

#[tokio::test(start_paused = true)]
async fn only_a_publish_can_be_changed_and_only_rightly() {
    for change in [
        |packet_type: &str| match packet_type {
            "subscribe" => InterceptInboundPacketAnswer::pass().topic("x"),
            _ => InterceptInboundPacketAnswer::pass(),
        },
        |packet_type: &str| match packet_type {
            "publish" => InterceptInboundPacketAnswer::pass()
                .payload("half")
                .topic("a/#"),
            _ => InterceptInboundPacketAnswer::pass(),
        },
    ] {
        let server = Server::with([inbound(change)]).await;
        let mut receiver = server.subscriber(V5, "r", "#", QoS::AtMostOnce).await;
        let mut client = server.client("a").await;
        client.publish(message("t", "x")).await;
        receiver.gets("PUBLISH topic='t' qos=0 payload='x'").await;
        assert_eq!(server.n_errors("rules", Hook::InterceptInboundPacket), 1);
    }
}

// [MQTT-3.1.2-24]
#[tokio::test(start_paused = true)]
async fn a_packet_that_a_plugin_made_too_large_for_the_client_goes_as_it_was() {
    let server = Server::with([outbound(|packet_type, _| match packet_type {
        "publish" => InterceptOutboundPacketAnswer::pass().payload("x".repeat(100)),
        _ => InterceptOutboundPacketAnswer::pass(),
    })])
    .await;
    let connect = Connect {
        maximum_packet_size: NonZeroU32::new(60),
        ..Connect::new(V5, "r")
    };
    let mut receiver = server.client_with(connect).await;
    receiver.subscribe("#", QoS::AtMostOnce).await;
    let mut client = server.client("a").await;
    client.publish(message("t", "x")).await;
    receiver.gets("PUBLISH topic='t' qos=0 payload='x'").await;
}

#[tokio::test(start_paused = true)]
async fn an_inbound_alias_is_shown_as_its_topic_and_set_even_by_a_packet_that_is_dropped() {
    let recorder = Recorder::of([Hook::InterceptInboundPacket]);
    let rules = plugin(Closures::new("rules").on_intercept_inbound_packet(|event| {
        match (event.packet_type(), event.payload()) {
            ("publish", b"drop") => InterceptInboundPacketAnswer::drop(),
            ("publish", b"move") => InterceptInboundPacketAnswer::pass().topic("moved"),
            _ => InterceptInboundPacketAnswer::pass(),
        }
    }));
    let server = Server::with([recorder.registered(), rules]).await;
    let mut receiver = server.subscriber(V5, "r", "#", QoS::AtMostOnce).await;
    let mut client = server.client("a").await;
    recorder.clear();
    client.publish(aliased(1, message("first", "drop"))).await;
    client.publish(aliased(2, message("second", "move"))).await;
    client.publish(aliased(1, message("", "1"))).await;
    client.publish(aliased(2, message("", "2"))).await;
    receiver
        .gets("PUBLISH topic='moved' qos=0 payload='move'")
        .await;
    receiver
        .gets("PUBLISH topic='first' qos=0 payload='1'")
        .await;
    receiver
        .gets("PUBLISH topic='second' qos=0 payload='2'")
        .await;
    let topics: Vec<_> = recorder
        .lines()
        .iter()
        .map(|line| {
            line.split("topic='")
                .nth(1)
                .unwrap_or_default()
                .split('\'')
                .next()
                .unwrap_or_default()
                .to_owned()
        })
        .collect();
    assert_eq!(topics, ["first", "second", "first", "second"]);
}

#[tokio::test(start_paused = true)]
async fn an_outbound_alias_is_shown_as_its_topic_and_learned_before_it_is_used_alone() {
    let recorder = Recorder::of([Hook::InterceptOutboundPacket]);
    let server = Server::with([
        recorder.registered(),
        outbound(|packet_type, payload| match (packet_type, payload) {
            ("publish", b"drop") => InterceptOutboundPacketAnswer::drop(),
            ("publish", b"change") => InterceptOutboundPacketAnswer::pass().payload("changed"),
            _ => InterceptOutboundPacketAnswer::pass(),
        }),
    ])
    .await;
    let connect = Connect {
        topic_alias_maximum: 5,
        ..Connect::new(V5, "r")
    };
    let mut receiver = server.client_with(connect).await;
    receiver.subscribe("#", QoS::AtMostOnce).await;
    recorder.clear();
    let mut client = server.client("a").await;
    for payload in ["drop", "change", "1", "2", "change", "3"] {
        client.publish(message("long/topic", payload)).await;
    }
    receiver
        .gets("PUBLISH topic='long/topic' qos=0 payload='changed'")
        .await;
    receiver
        .gets("PUBLISH topic='long/topic' qos=0 payload='1' topic_alias=1")
        .await;
    receiver
        .gets("PUBLISH topic='' qos=0 payload='2' topic_alias=1")
        .await;
    receiver
        .gets("PUBLISH topic='long/topic' qos=0 payload='changed'")
        .await;
    receiver
        .gets("PUBLISH topic='' qos=0 payload='3' topic_alias=1")
        .await;
    let lines: Vec<_> = recorder
        .lines()
        .into_iter()
        .filter(|line| line.contains("client_id='r'"))
        .collect();
    assert!(
        lines.len() == 6 && lines.iter().all(|line| line.contains("topic='long/topic'")),
        "{lines:#?}"
    );

    // A plugin that goes leaves the aliases that it kept from the client to be told.
    client.publish(message("other/topic", "drop")).await;
    receiver.gets_nothing().await;
    server.handle.swap(Vec::new());
    client.publish(message("other/topic", "4")).await;
    receiver
        .gets("PUBLISH topic='other/topic' qos=0 payload='4' topic_alias=2")
        .await;
    client.publish(message("other/topic", "5")).await;
    receiver
        .gets("PUBLISH topic='' qos=0 payload='5' topic_alias=2")
        .await;
}

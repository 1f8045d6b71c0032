//! The way of a message, from the publisher's packet to the receiver's acknowledgement.

use std::num::NonZeroU32;

use hookmq_mqtt::packet::{Ack, AckProperties, Connect, Publish, SubscriptionOptions};
use hookmq_mqtt::{Packet, QoS, ReasonCode};

use super::Stage;
use super::packets::*;
use crate::sample::{ANN, BOB, SIFTED, TOPIC};

pub(super) async fn play(stage: &mut Stage) {
    let exactly_once = SubscriptionOptions {
        retain_as_published: true,
        ..SubscriptionOptions::from(QoS::ExactlyOnce)
    };
    stage.enters(BOB, staying(BOB, 100)).await;
    stage
        .says(
            BOB,
            subscribe(
                1,
                Some(3),
                &[
                    ("aim/#", exactly_once),
                    ("moved/#", exactly_once),
                    (SIFTED, exactly_once),
                ],
            ),
        )
        .await;
    let small = Connect {
        maximum_packet_size: NonZeroU32::new(40),
        ..named("small")
    };
    stage.enters("small", small).await;
    stage
        .says("small", subscribe(1, None, &[("aim/#", exactly_once)]))
        .await;
    stage.enters("old", Connect::new(V3, "old")).await;
    stage
        .says("old", subscribe(1, None, &[("#", exactly_once)]))
        .await;

    let properties = pairs(&[("k", "1"), ("k", "2")]);
    stage.enters(ANN, named(ANN)).await;
    for (number, qos) in [
        (0, QoS::AtMostOnce),
        (1, QoS::AtLeastOnce),
        (2, QoS::ExactlyOnce),
    ] {
        let publish = rich(TOPIC, b"payload", qos, &properties);
        let packet = match qos {
            QoS::AtMostOnce => Packet::Publish(publish),
            _ => numbered(number, publish),
        };
        stage.says(ANN, packet).await;
    }
    stage.says(ANN, Packet::PubRel(ack(2))).await;
    // As after a reconnect that the broker knows nothing of.
    let again = Publish {
        dup: true,
        ..rich(TOPIC, b"again", QoS::AtLeastOnce, &properties)
    };
    stage.says(ANN, numbered(3, again)).await;

    // bob acknowledges in all ways.
    let refused = Ack {
        properties: Some(Box::new(AckProperties {
            reason_string: Some("full".to_owned()),
            user_properties: pairs(&[("a", "1")]),
        })),
        ..Ack::new(identifier(2), ReasonCode::QuotaExceeded)
    };
    stage.says(BOB, Packet::PubAck(ack(1))).await;
    stage.says(BOB, Packet::PubRec(refused)).await;

    // Nobody has it: nobody subscribed, and nobody may.
    for (number, topic) in [(4, "nobody"), (5, SIFTED)] {
        let publish = rich(topic, b"x", QoS::AtLeastOnce, &properties);
        stage.says("old", Packet::PingReq).await;
        stage.says(ANN, numbered(number, publish)).await;
    }
    // Replaced and removed.
    for payload in [&b"other"[..], b""] {
        let publish = Publish {
            retain: true,
            ..message(TOPIC, payload, QoS::AtMostOnce)
        };
        stage.says(ANN, Packet::Publish(publish)).await;
    }
    stage
        .says(
            "old",
            Packet::Publish(message(TOPIC, b"old", QoS::AtMostOnce)),
        )
        .await;

    // What is not acknowledged comes again, and is kept for whoever subscribes late.
    stage.loses(BOB).await;
    stage.enters(BOB, staying(BOB, 100)).await;
    let kept = rich(TOPIC, b"kept", QoS::AtLeastOnce, &properties);
    stage.says(ANN, numbered(6, kept)).await;
    stage.enters("late", named("late")).await;
    stage
        .says("late", subscribe(1, None, &[("+/topic", exactly_once)]))
        .await;
    stage
        .says(ANN, Packet::Disconnect(Default::default()))
        .await;
}

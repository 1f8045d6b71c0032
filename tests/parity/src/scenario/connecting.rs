//! CONNECT to the end of the Session: a rich client, one that comes back, one that is taken over, and bare ones.

use std::num::{NonZeroU16, NonZeroU32};

use hookmq_mqtt::packet::{Connect, Disconnect, Publish, SubscriptionOptions};
use hookmq_mqtt::{Packet, QoS, ReasonCode};

use super::Stage;
use super::packets::*;
use crate::sample::{ANN, BOB};

/// A CONNECT that says everything there is to say.
fn full() -> Connect {
    Connect {
        keep_alive: 600,
        password: Some(vec![0, b's', 255].into()),
        will: Some(Box::new(will("will/ann", 7))),
        receive_maximum: NonZeroU16::new(2),
        maximum_packet_size: NonZeroU32::new(5_000),
        topic_alias_maximum: 3,
        request_response_information: true,
        user_properties: pairs(&[("site", "1"), ("site", "2")]),
        ..staying(ANN, 100)
    }
}

pub(super) async fn play(stage: &mut Stage) {
    let at_least_once = SubscriptionOptions::from(QoS::AtLeastOnce);
    stage.enters(BOB, named(BOB)).await;
    stage
        .says(BOB, subscribe(1, None, &[("will/#", at_least_once)]))
        .await;
    stage.enters("gift", staying("gift", 50)).await;
    stage.enters("old", Connect::new(V3, "old")).await;

    stage.enters(ANN, full()).await;
    stage
        .says(ANN, subscribe(1, Some(5), &[("to/ann/#", at_least_once)]))
        .await;
    // Unacknowledged ones, a large one, and one topic again and again, for each of the limits that CONNECT sets.
    let large = [b'x'; 100];
    for (number, payload) in [(2, &large[..]), (3, b"1"), (4, b"2"), (5, b"3")] {
        let publish = message("to/ann/topic", payload, QoS::AtLeastOnce);
        stage.says(BOB, numbered(number, publish)).await;
    }
    for topic in [
        "to/ann/first",
        "to/ann/other",
        "to/ann/first",
        "to/ann/other",
        "extra/all",
        "extra/plain",
    ] {
        stage
            .says(BOB, Packet::Publish(message(topic, b"x", QoS::AtMostOnce)))
            .await;
    }
    stage
        .says(
            ANN,
            numbered(2, message("will/ann", b"from ann", QoS::AtLeastOnce)),
        )
        .await;
    stage
        .says(
            ANN,
            numbered(3, message("will/ann", b"twice", QoS::ExactlyOnce)),
        )
        .await;

    // A goodbye with words; its Session stays, and messages wait for it.
    let goodbye = Disconnect {
        reason: ReasonCode::DisconnectWithWillMessage,
        reason_string: Some("so long".to_owned()),
        user_properties: pairs(&[("why", "1"), ("why", "2")]),
        ..Disconnect::default()
    };
    stage.says(ANN, Packet::Disconnect(goodbye)).await;
    stage.waits(4).await;
    stage
        .says(
            BOB,
            numbered(6, message("to/ann/topic", b"waits", QoS::AtLeastOnce)),
        )
        .await;
    stage.enters(ANN, full()).await;
    // A second connection takes the Session.
    stage.enters(ANN, full()).await;
    stage.loses(ANN).await;
    stage
        .says(
            BOB,
            numbered(7, message("to/ann/topic", b"too late", QoS::AtLeastOnce)),
        )
        .await;
    stage.waits(5).await;
    stage.waits(5).await;
    stage.waits(30).await;
    stage.waits(70).await;

    // A Session that a clean start ends, with what waits in it.
    stage.loses("gift").await;
    let gift = message("gifts/two", b"2", QoS::AtLeastOnce);
    stage.says(BOB, numbered(8, gift)).await;
    stage.enters("gift", named("gift")).await;

    // Bare ones, from both versions, that leave nothing behind.
    stage.enters("bare", Connect::new(V5, ANN)).await;
    stage
        .says(
            "bare",
            Packet::Publish(Publish {
                retain: true,
                ..message("bare", b"", QoS::AtMostOnce)
            }),
        )
        .await;
    stage
        .says("bare", Packet::Disconnect(Disconnect::default()))
        .await;
    stage.enters("older", Connect::new(V3, ANN)).await;
    stage.loses("older").await;
}

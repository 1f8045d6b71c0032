//! Messages that wait for a client that is away, and are lost.

use hookmq_mqtt::packet::SubscriptionOptions;
use hookmq_mqtt::{Packet, QoS};

use super::Stage;
use super::packets::*;
use crate::sample::{ANN, BOB, SIFTED, TOPIC};

pub(super) async fn play(stage: &mut Stage) {
    let options = SubscriptionOptions {
        retain_as_published: true,
        ..SubscriptionOptions::from(QoS::ExactlyOnce)
    };
    stage.enters(BOB, staying(BOB, 100)).await;
    stage.says(BOB, subscribe(1, None, &[("#", options)])).await;
    stage.loses(BOB).await;
    let properties = pairs(&[("k", "1"), ("k", "2")]);
    stage.enters(ANN, named(ANN)).await;
    for (number, payload) in [(1, b"1"), (2, b"2"), (3, b"3"), (4, b"4")] {
        let publish = rich(TOPIC, payload, QoS::AtLeastOnce, &properties);
        stage.says(ANN, numbered(number, publish)).await;
    }
    let sifted = rich(SIFTED, b"x", QoS::AtLeastOnce, &properties);
    stage.says(ANN, numbered(5, sifted)).await;
    let away = rich(TOPIC, b"away", QoS::AtMostOnce, &properties);
    stage.says(ANN, Packet::Publish(away)).await;
    let bare = message(TOPIC, b"bare", QoS::AtLeastOnce);
    stage.says(ANN, numbered(6, bare)).await;
    // Longer than a message of these lives.
    stage.waits(61).await;
    stage.enters(BOB, staying(BOB, 100)).await;
    stage.says(BOB, Packet::PubAck(ack(1))).await;
    stage.loses(BOB).await;
    let rich = rich(TOPIC, b"last", QoS::ExactlyOnce, &properties);
    stage.says(ANN, numbered(7, rich)).await;
    // The Session ends with what waits in it.
    stage.enters(BOB, named(BOB)).await;
}

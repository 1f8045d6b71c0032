//! SUBSCRIBE and UNSUBSCRIBE, with every option, shared, and lost.

use hookmq_mqtt::packet::{Connect, Publish, RetainHandling, SubscriptionOptions};
use hookmq_mqtt::{Packet, QoS};
use hookmq_plugin_api::{Grant, Grants};

use super::Stage;
use super::helpers::TAG;
use super::packets::*;
use crate::sample::{ANN, FILTER};

pub(super) async fn play(stage: &mut Stage) {
    let plain = SubscriptionOptions::from(QoS::AtMostOnce);
    let options = SubscriptionOptions {
        qos: QoS::AtLeastOnce,
        no_local: true,
        retain_as_published: true,
        retain_handling: RetainHandling::DoNotSend,
    };
    stage.enters("sender", named("sender")).await;
    for topic in ["aim/kept", "moved/kept"] {
        let kept = Publish {
            retain: true,
            ..message(topic, b"kept", QoS::AtMostOnce)
        };
        stage.says("sender", Packet::Publish(kept)).await;
    }

    stage.enters(ANN, named(ANN)).await;
    let entries = [
        (FILTER, options),
        ("$share/group/shared/+", plain_qos1()),
        ("lost/+", plain),
    ];
    stage.says(ANN, subscribe(1, Some(12), &entries)).await;
    publish(stage, 10).await;
    // Again, as a client does that is not sure.
    stage
        .says(ANN, subscribe(2, None, &[(FILTER, options)]))
        .await;
    publish(stage, 20).await;
    // From ann herself: No Local decides.
    stage
        .says(
            ANN,
            Packet::Publish(message("aim/own", b"own", QoS::AtMostOnce)),
        )
        .await;

    stage
        .handle
        .host("parity", Grants::NONE.with(Grant::Cache))
        .reauthorize(TAG)
        .expect("granted");
    stage.waits(1).await;

    stage
        .says(
            ANN,
            unsubscribe(3, &[FILTER, "never/was", "$share/group/shared/+"], true),
        )
        .await;
    publish(stage, 30).await;
    stage.says(ANN, unsubscribe(4, &[FILTER], false)).await;

    stage.enters("old", Connect::new(V3, "old")).await;
    stage
        .says("old", subscribe(1, None, &[(FILTER, plain)]))
        .await;
    stage.says("old", unsubscribe(2, &[FILTER], false)).await;
    publish(stage, 40).await;
}

fn plain_qos1() -> SubscriptionOptions {
    SubscriptionOptions::from(QoS::AtLeastOnce)
}

/// What tells the subscriptions apart: kept and not, QoS 1, below each of the filters.
async fn publish(stage: &mut Stage, first: u16) {
    for (at, topic) in (0..).zip(["aim/topic", "moved/topic", "shared/topic", "lost/topic"]) {
        let retained = Publish {
            retain: true,
            ..message(topic, b"x", QoS::AtLeastOnce)
        };
        stage.says("sender", numbered(first + at, retained)).await;
    }
}

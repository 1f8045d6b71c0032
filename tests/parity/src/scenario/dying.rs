//! Will Messages: of clients that are lost, and of one that says goodbye in anger.

use hookmq_mqtt::packet::{Connect, Disconnect, SubscriptionOptions, Will};
use hookmq_mqtt::{Packet, QoS, ReasonCode, TopicName};

use super::Stage;
use super::packets::*;
use crate::sample::{ANN, BOB, WILL};

pub(super) async fn play(stage: &mut Stage) {
    let options = SubscriptionOptions {
        retain_as_published: true,
        ..SubscriptionOptions::from(QoS::ExactlyOnce)
    };
    stage.enters(BOB, named(BOB)).await;
    stage.says(BOB, subscribe(1, None, &[("#", options)])).await;
    let rich = Connect {
        will: Some(Box::new(will(WILL, 5))),
        ..staying(ANN, 100)
    };
    stage.enters(ANN, rich.clone()).await;
    stage.loses(ANN).await;
    stage.waits(6).await;
    let bare = Will::new(
        TopicName::parse(WILL).expect("a Topic Name"),
        "x".to_owned().into(),
    );
    for version in [V3, V5] {
        let connect = Connect {
            will: Some(Box::new(bare.clone())),
            ..Connect::new(version, "bare")
        };
        stage.enters("bare", connect).await;
        stage.loses("bare").await;
    }
    stage.enters(ANN, rich).await;
    let angry = Disconnect {
        reason: ReasonCode::DisconnectWithWillMessage,
        session_expiry_interval: Some(0),
        ..Disconnect::default()
    };
    stage.says(ANN, Packet::Disconnect(angry)).await;
    // What a late subscriber finds.
    stage.enters("late", named("late")).await;
    stage
        .says("late", subscribe(1, None, &[("#", options)]))
        .await;
}

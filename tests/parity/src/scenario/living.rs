//! The broker's own life: it starts with retained messages, is reloaded, forgets, and stops.

use hookmq_broker::ListenerSettings;
use hookmq_mqtt::packet::SubscriptionOptions;
use hookmq_mqtt::{Packet, QoS};

use super::Stage;
use super::packets::*;

/// On a free port of this machine.
pub(super) fn listener() -> ListenerSettings {
    let bind = "127.0.0.1:0".parse().expect("an address");
    ListenerSettings::new("lan", bind)
}

pub(super) async fn play(stage: &mut Stage) {
    stage.enters("bob", named("bob")).await;
    let all = SubscriptionOptions::from(QoS::AtLeastOnce);
    stage.says("bob", subscribe(1, None, &[("#", all)])).await;
    let properties = pairs(&[("k", "1")]);
    for (number, topic) in [(2, "kept/one"), (3, "kept/two")] {
        let publish = rich(topic, b"kept", QoS::AtLeastOnce, &properties);
        stage.says("bob", numbered(number, publish)).await;
    }
    stage.reload();
    stage.settle().await;
    stage.handle.clear_retained();
    stage.settle().await;
    stage.says("bob", Packet::PingReq).await;
}

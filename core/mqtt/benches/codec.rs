//! Nanoseconds per PUBLISH: `cargo bench --package hookmq-mqtt`. The best of several rounds, on one thread.

#![expect(clippy::print_stdout, reason = "the figures are the output")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use hookmq_mqtt::{
    Packet, PacketIdentifier, ProtocolVersion, Publish, PublishProperties, QoS, UserProperties,
    codec,
};

const ROUNDS: usize = 15;
const PER_ROUND: u32 = 200_000;

fn main() {
    let payload = [b'x'; 64];
    let mut user_properties = UserProperties::new();
    user_properties.push("region", "eu-central").expect("short");
    let plain = Publish {
        dup: false,
        qos: QoS::AtMostOnce,
        retain: false,
        topic: "devices/4711/temperature",
        packet_identifier: None,
        payload: &payload,
        properties: PublishProperties::default(),
    };
    let acknowledged = Publish {
        qos: QoS::AtLeastOnce,
        packet_identifier: PacketIdentifier::new(7),
        ..plain
    };
    let described = Publish {
        properties: PublishProperties {
            message_expiry_interval: Some(60),
            content_type: Some("text/plain"),
            user_properties: user_properties.as_ref(),
            ..PublishProperties::default()
        },
        ..plain
    };
    println!(
        "{:<40}{:>8}{:>8}{:>14}{:>8}",
        "64 B payload, topic of 24 B", "bytes", "decode", "frame+decode", "encode"
    );
    measure("3.1.1 QoS 0", &plain, ProtocolVersion::V311);
    measure("5.0 QoS 0", &plain, ProtocolVersion::V5);
    measure("5.0 QoS 1", &acknowledged, ProtocolVersion::V5);
    measure("5.0 QoS 0, 3 properties", &described, ProtocolVersion::V5);
}

fn measure(name: &str, publish: &Publish<'_>, version: ProtocolVersion) {
    let mut bytes = BytesMut::new();
    codec::encode_publish(publish, version, &mut bytes).expect("a valid packet");
    let bytes = bytes.freeze();

    let decode = best(|| {
        let Ok(Packet::Publish(publish)) = codec::decode(black_box(&bytes), version) else {
            return;
        };
        black_box((publish.topic.len(), publish.payload.len()));
    });
    let frame_and_decode = best(|| {
        let input: &[u8] = black_box(&bytes);
        let Ok(codec::Frame::Complete(n_bytes)) = codec::frame(input, 1 << 20) else {
            return;
        };
        let Some(whole) = input.get(..n_bytes) else {
            return;
        };
        let Ok(Packet::Publish(publish)) = codec::decode(whole, version) else {
            return;
        };
        black_box((publish.topic.len(), publish.payload.len()));
    });
    let mut out = BytesMut::with_capacity(1 << 16);
    let encode = best(|| {
        if out.len() > 60_000 {
            out.clear();
        }
        let written = codec::encode_publish(black_box(publish), version, &mut out);
        black_box(written.is_ok());
    });
    println!(
        "{name:<40}{:>8}{decode:>8.1}{frame_and_decode:>14.1}{encode:>8.1}",
        bytes.len()
    );
}

/// Nanoseconds per call in the fastest round.
fn best(mut work: impl FnMut()) -> f64 {
    let mut fastest = Duration::MAX;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        for _ in 0..PER_ROUND {
            work();
        }
        fastest = fastest.min(start.elapsed());
    }
    fastest.as_secs_f64() * 1e9 / f64::from(PER_ROUND)
}

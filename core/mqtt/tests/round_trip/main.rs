//! Whatever packet there is, in either version: decode(encode(p)) == p, and its length is known beforehand.

mod packets;

use bytes::BytesMut;
use hookmq_mqtt::{Frame, Packet, ProtocolVersion, codec};
use proptest::prelude::*;

fn check(packet: &Packet<'_>, version: ProtocolVersion) -> Result<(), TestCaseError> {
    // What is written goes behind what is there.
    let mut out = BytesMut::from(&b"before"[..]);
    codec::encode(packet, version, &mut out)
        .map_err(|error| TestCaseError::fail(format!("{packet}: {error}")))?;
    let bytes = out.split_off(6);
    prop_assert_eq!(&out[..], b"before");
    prop_assert_eq!(codec::packet_len(packet, version), Ok(bytes.len()));
    prop_assert_eq!(
        codec::frame(&bytes, u32::MAX),
        Ok(Frame::Complete(bytes.len()))
    );
    let decoded = codec::decode(&bytes, version);
    prop_assert_eq!(decoded.as_ref(), Ok(packet), "{:02x?}", &bytes[..]);
    Ok(())
}

macro_rules! round_trips {
    ($($name:ident, $version:expr, $strategy:expr;)+) => {
        proptest! {
            #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
            $(#[test]
            fn $name(packet in $strategy) {
                packet.with(|packet| check(packet, $version))?;
            })+
        }
    };
}

round_trips! {
    connect_3_1_1, ProtocolVersion::V311, packets::connect(ProtocolVersion::V311);
    connect_5_0, ProtocolVersion::V5, packets::connect(ProtocolVersion::V5);
    connack_3_1_1, ProtocolVersion::V311, packets::connack(ProtocolVersion::V311);
    connack_5_0, ProtocolVersion::V5, packets::connack(ProtocolVersion::V5);
    publish_3_1_1, ProtocolVersion::V311, packets::publish(ProtocolVersion::V311);
    publish_5_0, ProtocolVersion::V5, packets::publish(ProtocolVersion::V5);
    acknowledgements_3_1_1, ProtocolVersion::V311, packets::acknowledgement(ProtocolVersion::V311);
    acknowledgements_5_0, ProtocolVersion::V5, packets::acknowledgement(ProtocolVersion::V5);
    subscribe_3_1_1, ProtocolVersion::V311, packets::subscribe(ProtocolVersion::V311);
    subscribe_5_0, ProtocolVersion::V5, packets::subscribe(ProtocolVersion::V5);
    suback_3_1_1, ProtocolVersion::V311, packets::suback(ProtocolVersion::V311);
    suback_5_0, ProtocolVersion::V5, packets::suback(ProtocolVersion::V5);
    unsubscribe_3_1_1, ProtocolVersion::V311, packets::unsubscribe(ProtocolVersion::V311);
    unsubscribe_5_0, ProtocolVersion::V5, packets::unsubscribe(ProtocolVersion::V5);
    unsuback_3_1_1, ProtocolVersion::V311, packets::unsuback(ProtocolVersion::V311);
    unsuback_5_0, ProtocolVersion::V5, packets::unsuback(ProtocolVersion::V5);
    disconnect_3_1_1, ProtocolVersion::V311, packets::disconnect(ProtocolVersion::V311);
    disconnect_5_0, ProtocolVersion::V5, packets::disconnect(ProtocolVersion::V5);
    auth_5_0, ProtocolVersion::V5, packets::auth();
}

#[test]
fn pings_have_no_body() {
    for version in [ProtocolVersion::V311, ProtocolVersion::V5] {
        for packet in [Packet::PingReq, Packet::PingResp] {
            check(&packet, version).expect("a valid packet");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Bytes from nowhere are refused or mean something that can be said again.
    #[test]
    fn any_bytes_are_a_packet_or_an_error(
        first in any::<u8>(),
        body in proptest::collection::vec(any::<u8>(), 0..100),
        version in packets::version(),
    ) {
        let len = u8::try_from(body.len()).expect("below 128");
        let bytes = [&[first, len], &body[..]].concat();
        if let Ok(packet) = codec::decode(&bytes, version) {
            check(&packet, version)?;
        }
    }
}

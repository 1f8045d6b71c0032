//! The rows of `tests/golden/packets.toml`, decoded and encoded again; then cut and lied about at every place.

mod mutation;
mod rows;

use std::collections::BTreeSet;

use bytes::BytesMut;
use hookmq_mqtt::{DecodeErrorKind, Frame, Packet, PacketType, ProtocolVersion, codec};
use rows::{Row, rows};

const NO_LIMIT: u32 = u32::MAX;

#[test]
fn every_row_decodes_to_what_it_says() {
    let failures: Vec<String> = rows().iter().filter_map(|row| check(row).err()).collect();
    assert!(
        failures.is_empty(),
        "{} rows differ:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

fn check(row: &Row) -> Result<(), String> {
    let decoded = codec::decode(&row.bytes, row.version);
    let packet = match (&row.expected, decoded) {
        (Err(expected), Err(error)) => {
            let (reason, offset) = (error.reason_code().name(), error.offset);
            if (reason, offset) != (expected.reason.as_str(), expected.offset) {
                return Err(format!(
                    "{}: expected {} at byte {}, was {reason}: {error}",
                    row.name, expected.reason, expected.offset
                ));
            }
            return Ok(());
        }
        (Ok(expected), Ok(packet)) if *expected == packet.to_string() => packet,
        (expected, decoded) => {
            let decoded = decoded.map(|packet| packet.to_string());
            return Err(format!(
                "{}: expected {expected:?}\n    was {decoded:?}",
                row.name
            ));
        }
    };
    if codec::frame(&row.bytes, NO_LIMIT) != Ok(Frame::Complete(row.bytes.len())) {
        return Err(format!("{}: the frame is not whole", row.name));
    }
    let mut again = BytesMut::new();
    codec::encode(&packet, row.version, &mut again)
        .map_err(|error| format!("{}: {error}", row.name))?;
    if (again == row.bytes) != row.reencode {
        return Err(format!("{}: encoded to {:02x?}", row.name, &again[..]));
    }
    if codec::packet_len(&packet, row.version) != Ok(again.len()) {
        return Err(format!("{}: packet_len is not what was encoded", row.name));
    }
    match codec::decode(&again, row.version) {
        Ok(same) if same == packet => Ok(()),
        other => Err(format!("{}: encoded and decoded it is {other:?}", row.name)),
    }
}

#[test]
fn the_table_covers_every_packet_in_every_version() {
    let mut decoded = BTreeSet::new();
    let mut refused = BTreeSet::new();
    for row in rows() {
        let packet_type = row
            .bytes
            .first()
            .and_then(|first| PacketType::from_first_byte(*first));
        let seen = if row.expected.is_ok() {
            &mut decoded
        } else {
            &mut refused
        };
        seen.insert((packet_type, row.version));
    }
    for number in 1..=15 {
        let packet_type = PacketType::from_first_byte(number << 4);
        for version in [ProtocolVersion::V311, ProtocolVersion::V5] {
            let exists = packet_type != Some(PacketType::Auth) || version == ProtocolVersion::V5;
            assert_eq!(
                decoded.contains(&(packet_type, version)),
                exists,
                "{packet_type:?} {version}"
            );
            assert!(
                refused.contains(&(packet_type, version)),
                "{packet_type:?} {version}"
            );
        }
    }
}

#[test]
fn names_are_unique_and_clauses_look_like_clauses() {
    let mut names = BTreeSet::new();
    for row in rows() {
        for clause in &row.clauses {
            let number = clause
                .strip_prefix("v3 ")
                .unwrap_or(clause)
                .strip_prefix("MQTT-");
            let levels = number.map(|number| {
                number
                    .split(['.', '-'])
                    .filter(|level| level.parse::<u8>().is_ok())
            });
            assert_eq!(
                levels.map(Iterator::count),
                Some(4),
                "{}: {clause}",
                row.name
            );
        }
        assert!(
            names.insert(row.name.clone()),
            "{} is there twice",
            row.name
        );
    }
}

/// Every start of every row, under its own and under lying remaining lengths, is refused or not yet whole; where a lie
/// makes another whole packet of it, that packet obeys the same rules.
#[test]
fn no_start_and_no_lie_makes_the_decoder_panic() {
    for row in rows() {
        for cut in 0..row.bytes.len() {
            let start = &row.bytes[..cut];
            if let Ok(Frame::Complete(n_bytes)) = codec::frame(start, NO_LIMIT) {
                assert!(
                    row.expected.is_err() && n_bytes <= cut,
                    "{}: whole after {cut} bytes",
                    row.name
                );
            }
            assert!(
                row.expected.is_err() || codec::decode(start, row.version).is_err(),
                "{}: cut at {cut}",
                row.name
            );
        }
        let Some((&first, rest)) = row.bytes.split_first() else {
            continue;
        };
        for body_start in 1..=rest.len().min(4) {
            let body = &rest[body_start..];
            for lie in lies(body.len()) {
                let lying = [&[first], &lie[..], body].concat();
                read_anything(&lying, row.version);
            }
            // The truth about a body cut short: the lengths within it lie.
            for cut in 0..body.len().min(127) {
                let lying = [
                    &[first, u8::try_from(cut).expect("below 127")],
                    &body[..cut],
                ]
                .concat();
                read_anything(&lying, row.version);
            }
        }
    }
}

fn lies(len: usize) -> Vec<Vec<u8>> {
    let low = u8::try_from(len & 0x7f).expect("seven bits");
    vec![
        vec![0],
        vec![low.saturating_sub(1)],
        vec![(low + 1) & 0x7f],
        vec![0x7f],
        vec![low | 0x80, 0x00],
        vec![0xff, 0x7f],
        vec![0xff, 0xff, 0xff, 0x7f],
        vec![0xff, 0xff, 0xff, 0xff],
        vec![0x80, 0x80, 0x80, 0x01],
    ]
}

fn read_anything(bytes: &[u8], version: ProtocolVersion) {
    match codec::frame(bytes, NO_LIMIT) {
        Ok(Frame::Complete(n_bytes)) => {
            let whole = &bytes[..n_bytes];
            if let Ok(packet) = codec::decode(whole, version) {
                let mut again = BytesMut::new();
                codec::encode(&packet, version, &mut again)
                    .expect("what was decoded can be encoded");
                assert_eq!(codec::decode(&again, version), Ok(packet));
            }
        }
        Ok(Frame::Incomplete(n_bytes)) => assert!(n_bytes > bytes.len()),
        Err(error) => assert!(error.offset < bytes.len().max(1)),
    }
    if let Err(error) = codec::decode(bytes, version) {
        assert!(error.offset <= bytes.len(), "{error}");
        assert!(!error.to_string().is_empty());
    }
}

#[test]
fn a_packet_too_large_is_refused_from_its_header_alone() {
    let header = [0x30, 0xff, 0x7f];
    let error = codec::frame(&header, 16_000).expect_err("16386 bytes");
    assert_eq!(
        error.kind,
        DecodeErrorKind::PacketTooLarge {
            n_bytes: 16_386,
            maximum: 16_000
        }
    );
    assert_eq!(error.reason_code().name(), "packet_too_large");
    assert_eq!(codec::frame(&header, 16_386), Ok(Frame::Incomplete(16_386)));
    assert_eq!(
        codec::frame(&header, 16_385).map_err(|error| error.offset),
        Err(1)
    );
    assert_eq!(codec::frame(&[0xc0, 0x00], 2), Ok(Frame::Complete(2)));
    assert!(codec::frame(&[0xc0, 0x00], 1).is_err());
}

#[test]
fn a_frame_grows_byte_by_byte() {
    let packet = [0x30, 0x85, 0x01];
    assert_eq!(codec::frame(&[], NO_LIMIT), Ok(Frame::Incomplete(2)));
    assert_eq!(
        codec::frame(&packet[..1], NO_LIMIT),
        Ok(Frame::Incomplete(2))
    );
    assert_eq!(
        codec::frame(&packet[..2], NO_LIMIT),
        Ok(Frame::Incomplete(3))
    );
    assert_eq!(
        codec::frame(&packet, NO_LIMIT),
        Ok(Frame::Incomplete(3 + 133))
    );
    // A second packet behind the first is left alone.
    assert_eq!(
        codec::frame(&[0xc0, 0x00, 0xd0, 0x00], NO_LIMIT),
        Ok(Frame::Complete(2))
    );
}

/// What a Server answers to a CONNECT of another protocol depends on what the peer can read.
#[test]
fn an_unsupported_protocol_says_which_answer_the_peer_reads() {
    for (bytes, expected) in [
        (
            &b"\x10\x0e\x00\x06MQIsdp\x03\x02\x00\x00\x00\x00"[..],
            Some(true),
        ),
        (b"\x10\x0c\x00\x04MQTT\x03\x02\x00\x00\x00\x00", Some(true)),
        (b"\x10\x0c\x00\x04MQTT\x84\x02\x00\x00\x00\x00", Some(true)),
        (b"\x10\x0c\x00\x04MQTT\x06\x02\x00\x00\x00\x00", Some(false)),
        (b"\x10\x0c\x00\x04HTTP\x05\x02\x00\x00\x00\x00", None),
    ] {
        let error = codec::decode(bytes, ProtocolVersion::V5).expect_err("not spoken");
        assert_eq!(
            (error.reason_code().name(), error.v3_like()),
            ("unsupported_protocol_version", expected)
        );
    }
}

#[test]
fn an_error_names_packet_byte_fault_and_clause() {
    let error = codec::decode(b"\x32\x05\x00\x01a\x00\x00", ProtocolVersion::V311)
        .expect_err("identifier zero");
    assert_eq!(
        error.to_string(),
        "PUBLISH, byte 5: the packet identifier is zero [v3 MQTT-2.3.1-1]"
    );
    let error = codec::decode(&[0x00, 0x00], ProtocolVersion::V5).expect_err("reserved");
    assert_eq!(
        error.to_string(),
        "packet of unknown type, byte 0: the packet type is reserved [section 2.1.2]"
    );
    assert!(size_of_val(&error) <= 64);
}

#[test]
fn a_payload_is_borrowed_from_the_frame() {
    let bytes = b"\x30\x05\x00\x01a\x00x";
    let Ok(Packet::Publish(publish)) = codec::decode(bytes, ProtocolVersion::V5) else {
        panic!("a valid packet")
    };
    assert!(bytes.as_ptr_range().contains(&publish.payload.as_ptr()));
    assert!(bytes.as_ptr_range().contains(&publish.topic.as_ptr()));
}

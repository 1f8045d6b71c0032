//! PUBLISH is read, and written into a buffer with room, without allocating.

#![allow(unsafe_code, reason = "counting allocations needs an allocator")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;

use bytes::BytesMut;
use hookmq_mqtt::{
    Packet, PacketIdentifier, ProtocolVersion, Publish, PublishProperties, QoS,
    SubscriptionIdentifier, UserProperties, codec,
};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator unchanged; counting neither allocates nor touches the memory.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How often this thread allocates in `work`.
fn allocations<T>(work: impl FnOnce() -> T) -> usize {
    let before = ALLOCATIONS.get();
    black_box(work());
    ALLOCATIONS.get() - before
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| Box::new(black_box(1))), 1);
}

#[test]
fn publish_is_read_and_written_without_allocating() {
    let mut user_properties = UserProperties::new();
    user_properties.push("name", "value").expect("short");
    let identifiers = [
        SubscriptionIdentifier::new(1).expect("valid"),
        SubscriptionIdentifier::new(300).expect("valid"),
    ];
    let plain = Publish {
        dup: false,
        qos: QoS::AtMostOnce,
        retain: false,
        topic: "devices/4711/temperature",
        packet_identifier: None,
        payload: &[b'x'; 64],
        properties: PublishProperties::default(),
    };
    let full = Publish {
        qos: QoS::ExactlyOnce,
        packet_identifier: PacketIdentifier::new(9),
        properties: PublishProperties {
            message_expiry_interval: Some(60),
            response_topic: Some("answers"),
            correlation_data: Some(b"1"),
            content_type: Some("text/plain"),
            user_properties: user_properties.as_ref(),
            subscription_identifiers: identifiers[..].into(),
            ..PublishProperties::default()
        },
        ..plain
    };
    for (publish, version) in [
        (plain, ProtocolVersion::V311),
        (plain, ProtocolVersion::V5),
        (full, ProtocolVersion::V5),
    ] {
        let mut bytes = BytesMut::with_capacity(1024);
        let written = allocations(|| codec::encode_publish(&publish, version, &mut bytes).is_ok());
        assert_eq!(written, 0, "encoding, {version}");

        let read = allocations(|| {
            let decoded = codec::decode(&bytes, version);
            assert!(matches!(decoded, Ok(Packet::Publish(same)) if same == publish));
            assert_eq!(
                publish.properties.user_properties.iter().count(),
                publish.properties.user_properties.len()
            );
        });
        assert_eq!(read, 0, "decoding, {version}");

        bytes[0] |= 0b0110;
        assert_eq!(
            allocations(|| codec::decode(&bytes, version).is_err()),
            0,
            "refusing, {version}"
        );
    }
}

#[test]
fn empty_user_properties_do_not_allocate() {
    let made = allocations(|| {
        let properties = UserProperties::new();
        properties.as_ref().to_owned().is_empty()
    });
    assert_eq!(made, 0);
}

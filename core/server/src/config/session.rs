//! `[session]`: every bound on what one client can make grow.

use std::time::Duration;

use hookmq_broker::settings::{QueueFull, SessionSettings};
use hookmq_mqtt::QoS;

use super::form::{Choice, Flag, Seconds, Size, Span, Whole};
use super::reader::Section;

/// The largest packet that MQTT can express: a fixed header of 5 bytes and 268 435 455 more.
const LARGEST_PACKET: u64 = 268_435_460;
/// Texts in MQTT are no longer than this.
const LONGEST_TEXT: u64 = 65_535;
const NEVER: u32 = u32::MAX;

pub(super) fn read(section: &mut Section<'_>) -> SessionSettings {
    let default = SessionSettings::default();
    let any = Whole(0..=usize::MAX);
    let some = Whole(1..=usize::MAX);
    let bytes = Size(0..=u64::MAX);
    let window = Whole(1..=u16::MAX);
    let aliases = Whole(0..=u16::MAX);
    let text = Size(1..=LONGEST_TEXT);
    let queue_full = Choice(&[
        ("drop_oldest", QueueFull::DropOldest),
        ("drop_newest", QueueFull::DropNewest),
        ("disconnect", QueueFull::Disconnect),
    ]);
    let expiry = Seconds {
        range: 0..=NEVER - 1,
        word: "never",
        means: NEVER,
    };
    // Zero is no Keep Alive at all, so it is free to stand for no maximum.
    let keep_alive = Seconds {
        range: 1..=u16::MAX,
        word: "any",
        means: 0,
    };
    SessionSettings {
        maximum_sessions: section.get("maximum_sessions", &some, default.maximum_sessions),
        maximum_session_expiry_interval: section.get(
            "maximum_session_expiry_interval",
            &expiry,
            default.maximum_session_expiry_interval,
        ),
        maximum_inflight: section.get("maximum_inflight", &window, default.maximum_inflight),
        maximum_queued_messages: section.get(
            "maximum_queued_messages",
            &any,
            default.maximum_queued_messages,
        ),
        maximum_queued_bytes: size(
            section,
            "maximum_queued_bytes",
            &bytes,
            default.maximum_queued_bytes,
        ),
        queue_full: section.get("queue_full", &queue_full, default.queue_full),
        queue_qos0_offline: section.get("queue_qos0_offline", &Flag, default.queue_qos0_offline),
        outbox_bytes: size(
            section,
            "outbox_bytes",
            &Size(1024..=u64::MAX),
            default.outbox_bytes,
        ),
        receive_maximum: section.get("receive_maximum", &window, default.receive_maximum),
        maximum_packet_size: u32::try_from(section.get(
            "maximum_packet_size",
            &Size(64..=LARGEST_PACKET),
            default.maximum_packet_size.into(),
        ))
        .unwrap_or(default.maximum_packet_size),
        topic_alias_maximum: section.get(
            "topic_alias_maximum",
            &aliases,
            default.topic_alias_maximum,
        ),
        outbound_topic_alias_maximum: section.get(
            "outbound_topic_alias_maximum",
            &aliases,
            default.outbound_topic_alias_maximum,
        ),
        maximum_keep_alive: Some(section.get(
            "maximum_keep_alive",
            &keep_alive,
            default.maximum_keep_alive.unwrap_or(0),
        ))
        .filter(|seconds| *seconds > 0),
        maximum_client_id_bytes: size(
            section,
            "maximum_client_id_bytes",
            &text,
            default.maximum_client_id_bytes,
        ),
        maximum_topic_bytes: size(
            section,
            "maximum_topic_bytes",
            &text,
            default.maximum_topic_bytes,
        ),
        maximum_topic_levels: section.get(
            "maximum_topic_levels",
            &some,
            default.maximum_topic_levels,
        ),
        maximum_subscriptions: section.get(
            "maximum_subscriptions",
            &any,
            default.maximum_subscriptions,
        ),
        connect_timeout: section.get(
            "connect_timeout",
            &Span(Duration::from_millis(10)..=Duration::from_secs(86_400)),
            default.connect_timeout,
        ),
        maximum_qos: QoS::try_from(section.get(
            "maximum_qos",
            &Whole(0..=2),
            default.maximum_qos as u8,
        ))
        .unwrap_or(default.maximum_qos),
        retain_available: section.get("retain_available", &Flag, default.retain_available),
    }
}

/// A number of bytes in memory.
pub(super) fn size(
    section: &mut Section<'_>,
    key: &'static str,
    form: &Size,
    default: usize,
) -> usize {
    usize::try_from(section.get(key, form, default as u64)).unwrap_or(usize::MAX)
}

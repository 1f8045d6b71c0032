//! What an operator may set about sessions. Every bound on what a client can make grow is here.

use std::time::Duration;

/// What happens to a message for a full queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueueFull {
    /// The oldest one goes (`message_overwritten`).
    DropOldest,
    /// The new one goes (`message_dropped`, queue_full).
    DropNewest,
    /// The new one goes, and the client, if it is there, is disconnected with 0x97 Quota exceeded. Its Session stays.
    Disconnect,
}

/// Settings of sessions and their connections.
#[derive(Debug, Clone)]
pub struct SessionSettings {
    /// Sessions held at once, connected or not. More: CONNACK 0x97 Quota exceeded.
    pub maximum_sessions: usize,
    /// Longest Session Expiry Interval granted, in seconds; 4 294 967 295 never expires. Also what Clean Session 0 of 3.1.1 gets.
    pub maximum_session_expiry_interval: u32,
    /// QoS 1 and 2 messages sent to one client and not yet acknowledged, below the client's own Receive Maximum.
    pub maximum_inflight: u16,
    /// Messages that wait for one client.
    pub maximum_queued_messages: usize,
    /// Bytes of messages that wait for one client, and as many again of those sent to it and not yet acknowledged.
    pub maximum_queued_bytes: usize,
    /// What happens to a message for a full queue.
    pub queue_full: QueueFull,
    /// Whether QoS 0 messages wait for a client that is away.
    pub queue_qos0_offline: bool,
    /// Encoded bytes that wait for one socket; what comes beyond is queued.
    pub outbox_bytes: usize,
    /// Receive Maximum that the broker announces: QoS 1 and 2 messages of one client not yet released.
    pub receive_maximum: u16,
    /// Largest packet taken from a client, in bytes. Larger: DISCONNECT 0x95.
    pub maximum_packet_size: u32,
    /// Topic Aliases that one client may set.
    pub topic_alias_maximum: u16,
    /// Topic Aliases that the broker sets for one client that allows it.
    pub outbound_topic_alias_maximum: u16,
    /// Longest Keep Alive granted, in seconds; a longer one or none is answered with Server Keep Alive. `None` grants any.
    pub maximum_keep_alive: Option<u16>,
    /// Longest Client Identifier, in bytes. Longer: 0x85.
    pub maximum_client_id_bytes: usize,
    /// Longest Topic Name or Topic Filter, in bytes. Longer: 0x90 or 0x8F.
    pub maximum_topic_bytes: usize,
    /// Most levels of a Topic Name or Topic Filter. More: 0x90 or 0x8F.
    pub maximum_topic_levels: usize,
    /// Subscriptions of one Session, and of its connection those whose retained messages are still to be looked for. More: SUBACK
    /// 0x97.
    pub maximum_subscriptions: usize,
    /// Time from the accepted socket to a whole CONNECT.
    pub connect_timeout: Duration,
    /// Highest QoS that clients may publish with.
    pub maximum_qos: hookmq_mqtt::QoS,
    /// Whether messages may be retained.
    pub retain_available: bool,
}

impl Default for SessionSettings {
    fn default() -> Self {
        Self {
            maximum_sessions: 1_000_000,
            maximum_session_expiry_interval: u32::MAX,
            maximum_inflight: 1_000,
            maximum_queued_messages: 10_000,
            maximum_queued_bytes: 64 << 20,
            queue_full: QueueFull::DropOldest,
            queue_qos0_offline: false,
            outbox_bytes: 1 << 20,
            receive_maximum: 1_000,
            maximum_packet_size: 2 << 20,
            topic_alias_maximum: 64,
            outbound_topic_alias_maximum: 64,
            maximum_keep_alive: None,
            maximum_client_id_bytes: 1_024,
            maximum_topic_bytes: 4_096,
            maximum_topic_levels: 128,
            maximum_subscriptions: 10_000,
            connect_timeout: Duration::from_secs(10),
            maximum_qos: hookmq_mqtt::QoS::ExactlyOnce,
            retain_available: true,
        }
    }
}

impl SessionSettings {
    /// Whether a Topic Name or Topic Filter is within the limits.
    pub(crate) fn check_topic(&self, text: &str) -> Result<(), String> {
        if text.len() > self.maximum_topic_bytes {
            return Err(format!(
                "topic: {} bytes are over maximum_topic_bytes = {}",
                text.len(),
                self.maximum_topic_bytes
            ));
        }
        // Levels are separators and one; a text no longer than the limit cannot have more of them.
        if text.len() >= self.maximum_topic_levels {
            let levels = text.bytes().filter(|byte| *byte == b'/').count() + 1;
            if levels > self.maximum_topic_levels {
                return Err(format!(
                    "topic: {levels} levels are over maximum_topic_levels = {}",
                    self.maximum_topic_levels
                ));
            }
        }
        Ok(())
    }
}

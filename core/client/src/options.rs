//! Whom to connect to, and as whom.

use std::time::Duration;

use hookmq_mqtt::{Connect, ProtocolVersion};

/// What a connection needs to know. Every field of CONNECT is in `connect`.
#[derive(Debug, Clone)]
pub struct ConnectOptions {
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// The CONNECT packet: version, client identifier, credentials, will, keep alive and the properties of 5.0.
    pub connect: Connect,
    /// How long the TCP connection and CONNACK may take together; also how long a PINGRESP may take and how long a
    /// disconnect may wait for what is still unsent.
    pub answer_timeout: Duration,
    /// Events that wait for [`crate::Events::next`], and requests that wait for the socket; at least 1. When the
    /// events are full nothing more is read, so that a slow reader slows the server instead of growing.
    pub queue: usize,
    /// Bytes that wait for the socket before requests have to wait.
    pub outbox_bytes: usize,
}

impl ConnectOptions {
    /// MQTT 5.0 with Clean Start, a Client Identifier chosen by the server, Keep Alive of 60 seconds.
    #[must_use]
    pub fn new(host: &str, port: u16) -> Self {
        let mut connect = Connect::new(ProtocolVersion::V5, "");
        connect.keep_alive = 60;
        Self {
            host: host.to_owned(),
            port,
            connect,
            answer_timeout: Duration::from_secs(10),
            queue: 1_000,
            outbox_bytes: 1 << 20,
        }
    }

    /// The largest packet taken from the server, in bytes: what CONNECT promises, else what MQTT can say.
    pub(crate) fn maximum_packet_size(&self) -> u32 {
        match self.connect.maximum_packet_size {
            Some(maximum) if self.connect.version.is_v5() => maximum.get(),
            _ => u32::MAX,
        }
    }
}

//! What can go wrong, and whose word it is.

use std::fmt;
use std::io;
use std::sync::Arc;

use hookmq_mqtt::{
    Ack, ConnAck, DecodeError, Disconnect, EncodeError, QoS, ReasonCode, TopicError,
};

/// What the server said no with. Prints as `not_authorized (0x87): the reason string`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Reason Code; of 3.1.1 the nearest one.
    pub reason: ReasonCode,
    /// Reason String, if the server gives one.
    pub reason_string: Option<String>,
    /// Another server to use, if the server names one.
    pub server_reference: Option<String>,
}

/// Why a Network Connection ended.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Lost {
    /// This side disconnected.
    #[error("the connection was closed by this client")]
    Left,
    /// The server sent DISCONNECT.
    #[error("disconnected by the server: {0}")]
    Disconnected(Refusal),
    /// The server closed the socket without a word.
    #[error("the server closed the connection")]
    Closed,
    /// The socket failed.
    #[error("the connection failed: {0}")]
    Io(Arc<io::Error>),
    /// No PINGRESP came in time.
    #[error("the server does not answer")]
    Silent,
    /// The server sent what cannot be read.
    #[error("the server sent a bad packet: {0}")]
    Malformed(DecodeError),
    /// The server sent what may not be sent.
    #[error("the server broke the protocol: {0}")]
    Protocol(&'static str),
}

/// Why a request failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ClientError {
    /// The TCP connection was not made.
    #[error("cannot connect to {host}:{port}: {error}")]
    Unreachable {
        /// Where.
        host: String,
        /// Where.
        port: u16,
        /// What the system says.
        error: Arc<io::Error>,
    },
    /// The server did not answer in time.
    #[error("no answer from the server in time")]
    Timeout,
    /// The server refused: CONNACK, PUBACK, PUBREC or PUBCOMP with an error.
    #[error("refused: {0}")]
    Refused(Refusal),
    /// The connection ended first.
    #[error(transparent)]
    Lost(#[from] Lost),
    /// The packet cannot be written.
    #[error("cannot be sent: {0}")]
    Encode(#[from] EncodeError),
    /// The topic is not a Topic Name or Topic Filter.
    #[error("{topic:?}: {error}")]
    Topic {
        /// The text.
        topic: String,
        /// What is wrong with it.
        error: TopicError,
    },
    /// The packet is larger than the server takes.
    #[error("the packet has {n_bytes} bytes, the server takes {maximum}")]
    TooLarge {
        /// Size of the packet.
        n_bytes: usize,
        /// Maximum Packet Size of the server.
        maximum: u32,
    },
    /// The server said in CONNACK that it does not take this QoS.
    #[error("the server takes QoS {0} at most")]
    QoS(QoS),
    /// The server said in CONNACK that it keeps no messages.
    #[error("the server does not retain messages")]
    Retain,
}

impl Refusal {
    pub(crate) const fn new(reason: ReasonCode, reason_string: Option<String>) -> Self {
        Self {
            reason,
            reason_string,
            server_reference: None,
        }
    }
}

impl From<Ack> for Refusal {
    fn from(ack: Ack) -> Self {
        Self::new(
            ack.reason,
            ack.properties
                .and_then(|properties| properties.reason_string),
        )
    }
}

impl From<Disconnect> for Refusal {
    fn from(disconnect: Disconnect) -> Self {
        Self {
            reason: disconnect.reason,
            reason_string: disconnect.reason_string,
            server_reference: disconnect.server_reference,
        }
    }
}

impl From<ConnAck> for Refusal {
    fn from(connack: ConnAck) -> Self {
        let (reason_string, server_reference) = connack
            .properties
            .map(|it| (it.reason_string, it.server_reference))
            .unwrap_or_default();
        Self {
            reason: connack.reason,
            reason_string,
            server_reference,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.reason)?;
        if let Some(reason_string) = &self.reason_string {
            write!(f, ": {reason_string}")?;
        }
        if let Some(server_reference) = &self.server_reference {
            write!(f, " (use {server_reference})")?;
        }
        Ok(())
    }
}

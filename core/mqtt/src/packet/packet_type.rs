//! The types of control packets and their fixed header flags.

use std::fmt;

/// Type of a control packet (table 2-1), by its number in the high bits of the first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum PacketType {
    /// Client to Server.
    Connect = 1,
    /// Server to Client.
    ConnAck = 2,
    /// Both ways.
    Publish = 3,
    /// Both ways.
    PubAck = 4,
    /// Both ways.
    PubRec = 5,
    /// Both ways.
    PubRel = 6,
    /// Both ways.
    PubComp = 7,
    /// Client to Server.
    Subscribe = 8,
    /// Server to Client.
    SubAck = 9,
    /// Client to Server.
    Unsubscribe = 10,
    /// Server to Client.
    UnsubAck = 11,
    /// Client to Server.
    PingReq = 12,
    /// Server to Client.
    PingResp = 13,
    /// Client to Server, in 5.0 both ways.
    Disconnect = 14,
    /// Both ways, 5.0 only.
    Auth = 15,
}

impl PacketType {
    /// The type that the first byte of a packet names; `None` for the reserved type 0.
    #[inline]
    #[must_use]
    pub const fn from_first_byte(byte: u8) -> Option<Self> {
        Some(match byte >> 4 {
            1 => Self::Connect,
            2 => Self::ConnAck,
            3 => Self::Publish,
            4 => Self::PubAck,
            5 => Self::PubRec,
            6 => Self::PubRel,
            7 => Self::PubComp,
            8 => Self::Subscribe,
            9 => Self::SubAck,
            10 => Self::Unsubscribe,
            11 => Self::UnsubAck,
            12 => Self::PingReq,
            13 => Self::PingResp,
            14 => Self::Disconnect,
            15 => Self::Auth,
            _ => return None,
        })
    }

    /// The flags that the first byte must have (table 2-2) [MQTT-2.1.3-1]; `None` for PUBLISH, where they mean something.
    #[must_use]
    pub const fn flags(self) -> Option<u8> {
        match self {
            Self::Publish => None,
            Self::PubRel | Self::Subscribe | Self::Unsubscribe => Some(0b0010),
            _ => Some(0),
        }
    }

    /// The standard's name: `PUBLISH`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connect => "CONNECT",
            Self::ConnAck => "CONNACK",
            Self::Publish => "PUBLISH",
            Self::PubAck => "PUBACK",
            Self::PubRec => "PUBREC",
            Self::PubRel => "PUBREL",
            Self::PubComp => "PUBCOMP",
            Self::Subscribe => "SUBSCRIBE",
            Self::SubAck => "SUBACK",
            Self::Unsubscribe => "UNSUBSCRIBE",
            Self::UnsubAck => "UNSUBACK",
            Self::PingReq => "PINGREQ",
            Self::PingResp => "PINGRESP",
            Self::Disconnect => "DISCONNECT",
            Self::Auth => "AUTH",
        }
    }
}

impl fmt::Display for PacketType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

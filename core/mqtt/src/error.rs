//! What can be wrong with bytes that came, and with packets that shall go.

use std::fmt;

use crate::packet::PacketType;
use crate::property::PropertyId;
use crate::reason::ReasonCode;
use crate::topic::TopicError;

/// Bytes that are no packet: in which packet, where, what, and by which clause.
///
/// Always the peer's fault, and always the end of its Network Connection [MQTT-4.13.1-1]. Small and without text of
/// the peer, so that a flood of bad packets costs little.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub struct DecodeError {
    /// The packet, if its first byte names one.
    pub packet_type: Option<PacketType>,
    /// Bytes from the start of the packet to what is wrong.
    pub offset: usize,
    /// What is wrong.
    pub kind: DecodeErrorKind,
    /// The clause or section that it breaks: `MQTT-3.3.1-4`, `v3 MQTT-3.3.1-4`, `section 3.3.2.3.4`.
    pub clause: &'static str,
}

/// What is wrong with the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeErrorKind {
    /// A field is announced longer than the packet.
    #[error("the packet ends within a field")]
    Truncated,
    /// The packet goes on after its last field.
    #[error("bytes follow the last field")]
    TrailingBytes,
    /// The frame is shorter or longer than its Remaining Length says.
    #[error("the frame is not as long as its remaining length says")]
    FrameLength,
    /// A Variable Byte Integer with five bytes, or longer than needed.
    #[error("the variable byte integer is malformed")]
    VariableByteInteger,
    /// Larger than the receiver's Maximum Packet Size.
    #[error("the packet of {n_bytes} bytes is larger than the maximum packet size {maximum}")]
    PacketTooLarge {
        /// The whole packet.
        n_bytes: usize,
        /// The limit.
        maximum: u32,
    },
    /// Packet type 0, or AUTH in 3.1.1.
    #[error("the packet type is reserved")]
    ReservedPacketType,
    /// The low bits of the first byte are not those of the packet type.
    #[error("the flags of the fixed header are 0x{0:X}, which the packet type forbids")]
    FixedHeaderFlags(u8),
    /// Both QoS bits are set.
    #[error("QoS 3 does not exist")]
    QoS3,
    /// DUP is set and QoS is 0.
    #[error("DUP is set in a QoS 0 message")]
    DupWithQoS0,
    /// The protocol name is not `MQTT`.
    #[error("the protocol name is not MQTT")]
    ProtocolName {
        /// True for `MQIsdp`, which MQTT 3.1 used.
        v3_like: bool,
    },
    /// The protocol level is neither 4 nor 5.
    #[error("the protocol level {0} is not spoken, only 4 and 5")]
    ProtocolLevel(u8),
    /// The reserved bit of the Connect Flags is set.
    #[error("the reserved connect flag is set")]
    ReservedConnectFlag,
    /// Will QoS or Will Retain without Will Flag, or Will QoS 3.
    #[error("the will flags contradict each other")]
    WillFlags,
    /// A Password without a User Name, in 3.1.1.
    #[error("there is a password but no user name")]
    PasswordWithoutUserName,
    /// Reserved bits of the acknowledge flags, or Session Present with a refusal.
    #[error("the acknowledge flags 0x{0:02X} are not allowed")]
    AcknowledgeFlags(u8),
    /// The Packet Identifier is zero.
    #[error("the packet identifier is zero")]
    PacketIdentifierZero,
    /// A text is not well formed UTF-8.
    #[error("the string is not well formed UTF-8")]
    IllFormedUtf8,
    /// A text has the character U+0000.
    #[error("the string has the character U+0000")]
    NullCharacter,
    /// The Topic Name, or Response Topic, is not well formed.
    #[error("the topic name is invalid: {0}")]
    TopicName(TopicError),
    /// The Topic Name is empty and no Topic Alias stands for it.
    #[error("the topic name is empty and there is no topic alias")]
    TopicNameMissing,
    /// The Topic Alias is zero.
    #[error("the topic alias is zero")]
    TopicAliasZero,
    /// No property has this identifier.
    #[error("there is no property 0x{0:02X}")]
    UnknownProperty(u8),
    /// The property does not belong in this packet.
    #[error("the property {0} does not belong here")]
    PropertyNotAllowed(PropertyId),
    /// The property is there twice.
    #[error("the property {0} is there twice")]
    DuplicateProperty(PropertyId),
    /// The value of the property is out of its range.
    #[error("the value of the property {0} is out of range")]
    PropertyValue(PropertyId),
    /// Authentication Data without Authentication Method, or AUTH without a method.
    #[error("the authentication method is missing")]
    AuthenticationMethodMissing,
    /// A reason or return code that does not exist.
    #[error("there is no reason code 0x{0:02X}")]
    UnknownReasonCode(u8),
    /// A Reason Code that this packet may not carry.
    #[error("the reason code {0} does not belong in this packet")]
    ReasonCodeNotAllowed(ReasonCode),
    /// SUBSCRIBE or UNSUBSCRIBE without a Topic Filter, SUBACK or UNSUBACK without a code.
    #[error("the list is empty")]
    EmptyList,
    /// Reserved bits of the Subscription Options are set.
    #[error("the reserved bits of the subscription options 0x{0:02X} are set")]
    SubscriptionOptions(u8),
    /// Retain Handling 3.
    #[error("retain handling 3 does not exist")]
    RetainHandling,
    /// No Local on a Shared Subscription.
    #[error("no local is set on a shared subscription")]
    NoLocalShared,
}

impl DecodeError {
    /// What DISCONNECT, or CONNACK before the connection stands, says to a peer that speaks 5.0.
    #[must_use]
    pub const fn reason_code(&self) -> ReasonCode {
        use DecodeErrorKind as Kind;
        match self.kind {
            Kind::Truncated
            | Kind::TrailingBytes
            | Kind::FrameLength
            | Kind::VariableByteInteger
            | Kind::ReservedPacketType
            | Kind::FixedHeaderFlags(_)
            | Kind::QoS3
            | Kind::DupWithQoS0
            | Kind::ReservedConnectFlag
            | Kind::WillFlags
            | Kind::PasswordWithoutUserName
            | Kind::AcknowledgeFlags(_)
            | Kind::IllFormedUtf8
            | Kind::NullCharacter
            | Kind::UnknownProperty(_)
            | Kind::PropertyNotAllowed(_)
            | Kind::UnknownReasonCode(_)
            | Kind::SubscriptionOptions(_) => ReasonCode::MalformedPacket,
            Kind::PacketIdentifierZero
            | Kind::TopicNameMissing
            | Kind::DuplicateProperty(_)
            | Kind::PropertyValue(_)
            | Kind::AuthenticationMethodMissing
            | Kind::ReasonCodeNotAllowed(_)
            | Kind::EmptyList
            | Kind::RetainHandling
            | Kind::NoLocalShared => ReasonCode::ProtocolError,
            Kind::PacketTooLarge { .. } => ReasonCode::PacketTooLarge,
            Kind::ProtocolName { .. } | Kind::ProtocolLevel(_) => {
                ReasonCode::UnsupportedProtocolVersion
            }
            Kind::TopicName(_) => ReasonCode::TopicNameInvalid,
            Kind::TopicAliasZero => ReasonCode::TopicAliasInvalid,
        }
    }

    /// For an unsupported protocol: whether the peer reads a CONNACK of 3.1.1 rather than one of 5.0.
    ///
    /// `Some(true)` for MQTT 3.1 and for levels below 5, also with the high bit that bridges set; `Some(false)` for later
    /// ones; `None` if the protocol name says
    /// that the peer does not speak MQTT at all, which calls for closing without an answer, and for other errors.
    #[must_use]
    pub const fn v3_like(&self) -> Option<bool> {
        match self.kind {
            DecodeErrorKind::ProtocolName { v3_like: true } => Some(true),
            DecodeErrorKind::ProtocolLevel(level) => Some(level & 0x7f < 5),
            _ => None,
        }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.packet_type {
            Some(packet_type) => write!(f, "{packet_type}")?,
            None => f.write_str("packet of unknown type")?,
        }
        write!(f, ", byte {}: {} [{}]", self.offset, self.kind, self.clause)
    }
}

/// A packet that cannot be written. Always our own fault, or that of a plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// The Remaining Length would be greater than 268 435 455.
    #[error("the remaining length would be {n_bytes}, more than 268435455")]
    PacketTooLong {
        /// What the Remaining Length would be.
        n_bytes: usize,
    },
    /// A string or binary field is longer than 65 535 bytes.
    #[error("the {field} has {n_bytes} bytes, more than 65535")]
    FieldTooLong {
        /// Which field.
        field: &'static str,
        /// Its length.
        n_bytes: usize,
    },
    /// A string has the character U+0000 [MQTT-1.5.4-2].
    #[error("the {field} has the character U+0000")]
    NullCharacter {
        /// Which field.
        field: &'static str,
    },
    /// The packet or the combination of fields does not exist in this version.
    #[error("{what} cannot be said in this version of MQTT")]
    NotInThisVersion {
        /// What was to be said.
        what: &'static str,
    },
    /// QoS 1 or 2 without a Packet Identifier, or QoS 0 with one [MQTT-2.2.1-2].
    #[error("the packet identifier does not fit the QoS")]
    PacketIdentifier,
    /// DUP with QoS 0 [MQTT-3.3.1-2].
    #[error("DUP is set in a QoS 0 message")]
    DupWithQoS0,
    /// Neither a Topic Name nor, in 5.0, a Topic Alias.
    #[error("there is neither a topic name nor a topic alias")]
    TopicNameMissing,
    /// A Reason Code that the packet may not carry.
    #[error("{packet_type} cannot say {reason}")]
    ReasonCode {
        /// What was to be said.
        reason: ReasonCode,
        /// Where.
        packet_type: PacketType,
    },
    /// SUBSCRIBE or UNSUBSCRIBE without a Topic Filter, SUBACK or UNSUBACK without a code.
    #[error("the list is empty")]
    EmptyList,
    /// No Local on a Shared Subscription [MQTT-3.8.3-4].
    #[error("no local is set on a shared subscription")]
    NoLocalShared,
    /// Authentication Data without a method, or AUTH without one.
    #[error("the authentication method is missing")]
    AuthenticationMethodMissing,
}

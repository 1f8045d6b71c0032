//! The properties of MQTT 5.0: their identifiers, how each is written, and how to walk over a section of them.

mod user;

use std::fmt;

use crate::varint::{self, Varint};

pub use user::{UserProperties, UserPropertiesIter, UserPropertiesRef};

macro_rules! property_ids {
    ($($(#[$doc:meta])* $variant:ident = $value:literal, $name:literal;)+) => {
        /// Identifier of a property (table 2-4 of MQTT 5.0).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum PropertyId {
            $($(#[$doc])* $variant = $value,)+
        }

        impl PropertyId {
            /// The property with this identifier, if there is one.
            #[must_use]
            pub const fn from_u8(value: u8) -> Option<Self> {
                match value {
                    $($value => Some(Self::$variant),)+
                    _ => None,
                }
            }

            /// The standard's name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

property_ids! {
    /// Byte; PUBLISH, Will.
    PayloadFormatIndicator = 0x01, "Payload Format Indicator";
    /// Four Byte Integer, seconds; PUBLISH, Will.
    MessageExpiryInterval = 0x02, "Message Expiry Interval";
    /// UTF-8 String; PUBLISH, Will.
    ContentType = 0x03, "Content Type";
    /// UTF-8 String; PUBLISH, Will.
    ResponseTopic = 0x08, "Response Topic";
    /// Binary Data; PUBLISH, Will.
    CorrelationData = 0x09, "Correlation Data";
    /// Variable Byte Integer; PUBLISH (several), SUBSCRIBE.
    SubscriptionIdentifier = 0x0B, "Subscription Identifier";
    /// Four Byte Integer, seconds; CONNECT, CONNACK, DISCONNECT.
    SessionExpiryInterval = 0x11, "Session Expiry Interval";
    /// UTF-8 String; CONNACK.
    AssignedClientIdentifier = 0x12, "Assigned Client Identifier";
    /// Two Byte Integer, seconds; CONNACK.
    ServerKeepAlive = 0x13, "Server Keep Alive";
    /// UTF-8 String; CONNECT, CONNACK, AUTH.
    AuthenticationMethod = 0x15, "Authentication Method";
    /// Binary Data; CONNECT, CONNACK, AUTH.
    AuthenticationData = 0x16, "Authentication Data";
    /// Byte; CONNECT.
    RequestProblemInformation = 0x17, "Request Problem Information";
    /// Four Byte Integer, seconds; Will.
    WillDelayInterval = 0x18, "Will Delay Interval";
    /// Byte; CONNECT.
    RequestResponseInformation = 0x19, "Request Response Information";
    /// UTF-8 String; CONNACK.
    ResponseInformation = 0x1A, "Response Information";
    /// UTF-8 String; CONNACK, DISCONNECT.
    ServerReference = 0x1C, "Server Reference";
    /// UTF-8 String; every answer.
    ReasonString = 0x1F, "Reason String";
    /// Two Byte Integer, not zero; CONNECT, CONNACK.
    ReceiveMaximum = 0x21, "Receive Maximum";
    /// Two Byte Integer; CONNECT, CONNACK.
    TopicAliasMaximum = 0x22, "Topic Alias Maximum";
    /// Two Byte Integer, not zero; PUBLISH.
    TopicAlias = 0x23, "Topic Alias";
    /// Byte, 0 or 1; CONNACK.
    MaximumQoS = 0x24, "Maximum QoS";
    /// Byte; CONNACK.
    RetainAvailable = 0x25, "Retain Available";
    /// UTF-8 String Pair; every packet with properties, any number of times.
    UserProperty = 0x26, "User Property";
    /// Four Byte Integer, bytes, not zero; CONNECT, CONNACK.
    MaximumPacketSize = 0x27, "Maximum Packet Size";
    /// Byte; CONNACK.
    WildcardSubscriptionAvailable = 0x28, "Wildcard Subscription Available";
    /// Byte; CONNACK.
    SubscriptionIdentifierAvailable = 0x29, "Subscription Identifier Available";
    /// Byte; CONNACK.
    SharedSubscriptionAvailable = 0x2A, "Shared Subscription Available";
}

impl fmt::Display for PropertyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Payload Format Indicator: what the sender says about the payload. Nothing is said when it is absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum PayloadFormat {
    /// Unspecified bytes.
    Bytes = 0,
    /// UTF-8 text.
    Utf8 = 1,
}

/// Walks a slice of properties that was checked before; ends at the first byte that makes no sense.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct RawProperties<'a> {
    pub(crate) rest: &'a [u8],
}

/// One property as it lies on the wire.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RawProperty<'a> {
    pub(crate) id: PropertyId,
    /// The bytes after the identifier.
    pub(crate) value: &'a [u8],
    /// Identifier and value.
    pub(crate) whole: &'a [u8],
}

impl<'a> Iterator for RawProperties<'a> {
    type Item = RawProperty<'a>;

    fn next(&mut self) -> Option<RawProperty<'a>> {
        let (&id, after) = self.rest.split_first()?;
        let id = PropertyId::from_u8(id)?;
        let value_len = match id.wire_type() {
            WireType::Byte => 1,
            WireType::TwoByteInteger => 2,
            WireType::FourByteInteger => 4,
            WireType::VariableByteInteger => match varint::read(after) {
                Varint::Value(_, n_bytes) => n_bytes,
                Varint::Incomplete | Varint::Malformed => return None,
            },
            WireType::Prefixed => prefixed_len(after)?,
            WireType::Pair => {
                let name_len = prefixed_len(after)?;
                name_len + prefixed_len(after.get(name_len..)?)?
            }
        };
        let (whole, rest) = self.rest.split_at_checked(1 + value_len)?;
        self.rest = rest;
        Some(RawProperty {
            id,
            value: whole.get(1..)?,
            whole,
        })
    }
}

/// How the value of a property is written (section 1.5 of MQTT 5.0).
enum WireType {
    Byte,
    TwoByteInteger,
    FourByteInteger,
    VariableByteInteger,
    /// UTF-8 String or Binary Data.
    Prefixed,
    /// UTF-8 String Pair.
    Pair,
}

impl PropertyId {
    const fn wire_type(self) -> WireType {
        match self {
            Self::PayloadFormatIndicator
            | Self::RequestProblemInformation
            | Self::RequestResponseInformation
            | Self::MaximumQoS
            | Self::RetainAvailable
            | Self::WildcardSubscriptionAvailable
            | Self::SubscriptionIdentifierAvailable
            | Self::SharedSubscriptionAvailable => WireType::Byte,
            Self::ServerKeepAlive
            | Self::ReceiveMaximum
            | Self::TopicAliasMaximum
            | Self::TopicAlias => WireType::TwoByteInteger,
            Self::MessageExpiryInterval
            | Self::SessionExpiryInterval
            | Self::WillDelayInterval
            | Self::MaximumPacketSize => WireType::FourByteInteger,
            Self::SubscriptionIdentifier => WireType::VariableByteInteger,
            Self::ContentType
            | Self::ResponseTopic
            | Self::CorrelationData
            | Self::AssignedClientIdentifier
            | Self::AuthenticationMethod
            | Self::AuthenticationData
            | Self::ResponseInformation
            | Self::ServerReference
            | Self::ReasonString => WireType::Prefixed,
            Self::UserProperty => WireType::Pair,
        }
    }
}

/// Bytes of the two byte length and what it announces.
fn prefixed_len(bytes: &[u8]) -> Option<usize> {
    let (prefix, _) = bytes.split_first_chunk::<2>()?;
    Some(2 + usize::from(u16::from_be_bytes(*prefix)))
}

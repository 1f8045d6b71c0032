//! SUBACK and UNSUBACK: one Reason Code for each Topic Filter asked about.

use crate::ids::PacketIdentifier;
use crate::property::UserProperties;
use crate::reason::ReasonCode;

/// SUBACK.
#[derive(Debug, Clone, PartialEq)]
pub struct SubAck {
    /// That of the SUBSCRIBE.
    pub packet_identifier: PacketIdentifier,
    /// One for each Topic Filter, in their order [MQTT-3.9.3-1]. Every error becomes 0x80 in 3.1.1.
    pub reasons: Vec<ReasonCode>,
    /// Reason String, for people. 5.0 only.
    pub reason_string: Option<String>,
    /// User Properties. 5.0 only.
    pub user_properties: UserProperties,
}

/// UNSUBACK.
#[derive(Debug, Clone, PartialEq)]
pub struct UnsubAck {
    /// That of the UNSUBSCRIBE.
    pub packet_identifier: PacketIdentifier,
    /// One for each Topic Filter, in their order [MQTT-3.11.3-1]. 3.1.1 does not send them.
    pub reasons: Vec<ReasonCode>,
    /// Reason String, for people. 5.0 only.
    pub reason_string: Option<String>,
    /// User Properties. 5.0 only.
    pub user_properties: UserProperties,
}

impl SubAck {
    /// An answer without properties.
    #[must_use]
    pub const fn new(packet_identifier: PacketIdentifier, reasons: Vec<ReasonCode>) -> Self {
        Self {
            packet_identifier,
            reasons,
            reason_string: None,
            user_properties: UserProperties::new(),
        }
    }
}

impl UnsubAck {
    /// An answer without properties.
    #[must_use]
    pub const fn new(packet_identifier: PacketIdentifier, reasons: Vec<ReasonCode>) -> Self {
        Self {
            packet_identifier,
            reasons,
            reason_string: None,
            user_properties: UserProperties::new(),
        }
    }
}

//! PUBACK, PUBREC, PUBREL and PUBCOMP: one shape for the four answers around QoS 1 and 2.

use crate::ids::PacketIdentifier;
use crate::property::UserProperties;
use crate::reason::ReasonCode;

/// PUBACK, PUBREC, PUBREL or PUBCOMP; [`crate::Packet`] says which.
#[derive(Debug, Clone, PartialEq)]
pub struct Ack {
    /// That of the PUBLISH [MQTT-2.2.1-5].
    pub packet_identifier: PacketIdentifier,
    /// The outcome; 3.1.1 knows success only and does not send it.
    pub reason: ReasonCode,
    /// `None` if there are none. 5.0 only.
    pub properties: Option<Box<AckProperties>>,
}

/// The properties of the four answers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AckProperties {
    /// Reason String, for people.
    pub reason_string: Option<String>,
    /// User Properties.
    pub user_properties: UserProperties,
}

impl Ack {
    /// An answer without properties.
    #[must_use]
    pub const fn new(packet_identifier: PacketIdentifier, reason: ReasonCode) -> Self {
        Self {
            packet_identifier,
            reason,
            properties: None,
        }
    }
}

//! UNSUBSCRIBE: what a Client no longer wants to hear.

use crate::ids::PacketIdentifier;
use crate::property::UserProperties;

/// UNSUBSCRIBE.
#[derive(Debug, Clone, PartialEq)]
pub struct Unsubscribe {
    /// That of the UNSUBACK to come.
    pub packet_identifier: PacketIdentifier,
    /// At least one [MQTT-3.10.3-2]; UTF-8 without U+0000, compared with subscriptions character by character.
    pub topic_filters: Vec<String>,
    /// User Properties. 5.0 only.
    pub user_properties: UserProperties,
}

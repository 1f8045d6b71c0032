//! SUBSCRIBE: what a Client wants to hear.

use crate::ids::{PacketIdentifier, SubscriptionIdentifier};
use crate::property::UserProperties;
use crate::qos::QoS;

/// SUBSCRIBE.
#[derive(Debug, Clone, PartialEq)]
pub struct Subscribe {
    /// That of the SUBACK to come.
    pub packet_identifier: PacketIdentifier,
    /// Number that comes back with every message of these subscriptions. 5.0 only.
    pub subscription_identifier: Option<SubscriptionIdentifier>,
    /// User Properties. 5.0 only.
    pub user_properties: UserProperties,
    /// At least one [MQTT-3.8.3-2]; SUBACK answers in this order [MQTT-3.9.3-1].
    pub subscriptions: Vec<SubscribeEntry>,
}

/// A Topic Filter and how it is to be served.
#[derive(Debug, Clone, PartialEq)]
pub struct SubscribeEntry {
    /// UTF-8 without U+0000; whether it is a Topic Filter is judged later, so that SUBACK can refuse it alone.
    pub topic_filter: String,
    /// How it is to be served.
    pub options: SubscriptionOptions,
}

/// Subscription Options. 3.1.1 has the QoS only.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct SubscriptionOptions {
    /// The greatest QoS of delivery.
    pub qos: QoS,
    /// Do not send the Client its own messages back; never on a Shared Subscription [MQTT-3.8.3-4].
    pub no_local: bool,
    /// Keep the RETAIN flag as it was published.
    pub retain_as_published: bool,
    /// When Retained Messages are sent.
    pub retain_handling: RetainHandling,
}

/// When Retained Messages are sent for a subscription.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum RetainHandling {
    /// At every SUBSCRIBE, as in 3.1.1.
    #[default]
    SendAlways = 0,
    /// Only if the subscription did not exist.
    SendIfNew = 1,
    /// Never.
    DoNotSend = 2,
}

impl RetainHandling {
    /// The handling with this number, if it is 0, 1 or 2.
    #[must_use]
    pub const fn from_u8(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::SendAlways),
            1 => Some(Self::SendIfNew),
            2 => Some(Self::DoNotSend),
            _ => None,
        }
    }
}

impl SubscriptionOptions {
    /// The options byte (section 3.8.3.1 of MQTT 5.0).
    #[must_use]
    pub const fn to_byte(self) -> u8 {
        self.qos as u8
            | (self.no_local as u8) << 2
            | (self.retain_as_published as u8) << 3
            | (self.retain_handling as u8) << 4
    }
}

impl From<QoS> for SubscriptionOptions {
    fn from(qos: QoS) -> Self {
        Self {
            qos,
            ..Self::default()
        }
    }
}

//! How one receiver gets a message: what its subscriptions make of it.

use hookmq_mqtt::{QoS, SubscriptionIdentifier};
use smallvec::SmallVec;

/// Subscription Identifiers of all subscriptions that matched [MQTT-3.3.4-3]; most receivers have none or one.
pub type Identifiers = SmallVec<[SubscriptionIdentifier; 2]>;

/// QoS, RETAIN and identifiers of one receiver's copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The lower of the published QoS and the subscription's [MQTT-3.8.4-8].
    pub qos: QoS,
    /// RETAIN of the copy [MQTT-3.3.1-8, MQTT-3.3.1-12, MQTT-3.3.1-13].
    pub retain: bool,
    /// Identifiers to send with it.
    pub identifiers: Identifiers,
}

impl Delivery {
    /// A copy with this QoS and nothing else.
    pub(crate) fn plain(qos: QoS) -> Self {
        Self {
            qos,
            retain: false,
            identifiers: Identifiers::new(),
        }
    }
}

//! The clauses that a bad packet breaks, by their numbers in both standards.

use crate::property::PropertyId;
use crate::version::ProtocolVersion;

/// One rule as MQTT 5.0 and 3.1.1 number it. Where no numbered statement says it, the section does.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clause {
    v5: &'static str,
    v3: &'static str,
}

impl Clause {
    /// The number in the standard of this version.
    pub(crate) const fn of(self, version: ProtocolVersion) -> &'static str {
        match version {
            ProtocolVersion::V311 => self.v3,
            ProtocolVersion::V5 => self.v5,
        }
    }

    const fn both(v5: &'static str, v3: &'static str) -> Self {
        Self { v5, v3 }
    }

    /// A rule that 3.1.1 does not have.
    const fn v5_only(v5: &'static str) -> Self {
        Self { v5, v3: v5 }
    }
}

// Any packet.
pub(crate) const MALFORMED: Clause = Clause::both("MQTT-4.13.1-1", "v3 MQTT-4.8.0-1");
pub(crate) const UTF8: Clause = Clause::both("MQTT-1.5.4-1", "v3 MQTT-1.5.3-1");
pub(crate) const UTF8_NULL: Clause = Clause::both("MQTT-1.5.4-2", "v3 MQTT-1.5.3-2");
pub(crate) const VARINT: Clause = Clause::both("MQTT-1.5.5-1", "v3 section 2.2.3");
pub(crate) const PACKET_TYPE: Clause = Clause::both("section 2.1.2", "v3 section 2.2.1");
pub(crate) const FLAGS: Clause = Clause::both("MQTT-2.1.3-1", "v3 MQTT-2.2.2-2");
pub(crate) const PACKET_IDENTIFIER: Clause = Clause::both("section 2.2.1", "v3 MQTT-2.3.1-1");
pub(crate) const PACKET_TOO_LARGE: Clause = Clause::v5_only("section 3.1.2.11.4");
pub(crate) const PROPERTY: Clause = Clause::v5_only("section 2.2.2.2");

// CONNECT.
pub(crate) const PROTOCOL_NAME: Clause = Clause::both("MQTT-3.1.2-1", "v3 MQTT-3.1.2-1");
pub(crate) const PROTOCOL_LEVEL: Clause = Clause::both("MQTT-3.1.2-2", "v3 MQTT-3.1.2-2");
pub(crate) const CONNECT_RESERVED: Clause = Clause::both("MQTT-3.1.2-3", "v3 MQTT-3.1.2-3");
pub(crate) const NO_WILL_QOS: Clause = Clause::both("MQTT-3.1.2-11", "v3 MQTT-3.1.2-13");
pub(crate) const WILL_QOS: Clause = Clause::both("MQTT-3.1.2-12", "v3 MQTT-3.1.2-14");
pub(crate) const NO_WILL_RETAIN: Clause = Clause::both("MQTT-3.1.2-13", "v3 MQTT-3.1.2-15");
pub(crate) const PASSWORD: Clause = Clause::both("section 3.1.2.9", "v3 MQTT-3.1.2-22");
pub(crate) const AUTHENTICATION_DATA: Clause = Clause::v5_only("section 3.1.2.11.10");

// CONNACK.
pub(crate) const ACKNOWLEDGE_FLAGS: Clause = Clause::both("MQTT-3.2.2-1", "v3 section 3.2.2.1");
pub(crate) const SESSION_PRESENT: Clause = Clause::both("MQTT-3.2.2-6", "v3 MQTT-3.2.2-4");
pub(crate) const CONNACK_REASON: Clause = Clause::both("MQTT-3.2.2-8", "v3 section 3.2.2.3");

// PUBLISH.
pub(crate) const DUP: Clause = Clause::both("MQTT-3.3.1-2", "v3 MQTT-3.3.1-2");
pub(crate) const QOS: Clause = Clause::both("MQTT-3.3.1-4", "v3 MQTT-3.3.1-4");
pub(crate) const TOPIC_NAME_WILDCARD: Clause = Clause::both("MQTT-3.3.2-2", "v3 MQTT-3.3.2-2");
pub(crate) const TOPIC_NAME_EMPTY: Clause = Clause::both("MQTT-4.7.3-1", "v3 MQTT-4.7.3-1");
pub(crate) const TOPIC_NAME_MISSING: Clause = Clause::v5_only("section 3.3.2.1");
pub(crate) const TOPIC_ALIAS: Clause = Clause::v5_only("MQTT-3.3.2-8");
pub(crate) const RESPONSE_TOPIC: Clause = Clause::v5_only("MQTT-3.3.2-14");

// The others.
pub(crate) const PUBACK_REASON: Clause = Clause::v5_only("MQTT-3.4.2-1");
pub(crate) const PUBREC_REASON: Clause = Clause::v5_only("MQTT-3.5.2-1");
pub(crate) const PUBREL_REASON: Clause = Clause::v5_only("MQTT-3.6.2-1");
pub(crate) const PUBCOMP_REASON: Clause = Clause::v5_only("MQTT-3.7.2-1");
pub(crate) const SUBSCRIBE_EMPTY: Clause = Clause::both("MQTT-3.8.3-2", "v3 MQTT-3.8.3-3");
pub(crate) const NO_LOCAL_SHARED: Clause = Clause::v5_only("MQTT-3.8.3-4");
pub(crate) const SUBSCRIPTION_OPTIONS: Clause = Clause::both("MQTT-3.8.3-5", "v3 MQTT-3.8.3-4");
pub(crate) const SUBSCRIPTION_QOS: Clause = Clause::both("section 3.8.3.1", "v3 MQTT-3.8.3-4");
pub(crate) const SUBACK_REASON: Clause = Clause::both("MQTT-3.9.3-2", "v3 MQTT-3.9.3-2");
pub(crate) const UNSUBSCRIBE_EMPTY: Clause = Clause::both("MQTT-3.10.3-2", "v3 MQTT-3.10.3-2");
pub(crate) const UNSUBACK_REASON: Clause = Clause::both("MQTT-3.11.3-2", "v3 section 3.11.3");
pub(crate) const DISCONNECT_REASON: Clause = Clause::v5_only("MQTT-3.14.2-1");
pub(crate) const AUTH_REASON: Clause = Clause::v5_only("MQTT-3.15.2-1");
pub(crate) const AUTH_METHOD: Clause = Clause::v5_only("section 3.15.2.2.2");

/// The section that gives the range of a property and forbids it twice.
pub(crate) const fn property(id: PropertyId) -> Clause {
    Clause::v5_only(match id {
        PropertyId::PayloadFormatIndicator => "section 3.3.2.3.2",
        PropertyId::MessageExpiryInterval => "section 3.3.2.3.3",
        PropertyId::TopicAlias => "section 3.3.2.3.4",
        PropertyId::ResponseTopic => "section 3.3.2.3.5",
        PropertyId::CorrelationData => "section 3.3.2.3.6",
        PropertyId::SubscriptionIdentifier => "section 3.8.2.1.2",
        PropertyId::ContentType => "section 3.3.2.3.9",
        PropertyId::WillDelayInterval => "section 3.1.3.2.2",
        PropertyId::SessionExpiryInterval => "section 3.1.2.11.2",
        PropertyId::ReceiveMaximum => "section 3.1.2.11.3",
        PropertyId::MaximumPacketSize => "section 3.1.2.11.4",
        PropertyId::TopicAliasMaximum => "section 3.1.2.11.5",
        PropertyId::RequestResponseInformation => "section 3.1.2.11.6",
        PropertyId::RequestProblemInformation => "section 3.1.2.11.7",
        PropertyId::UserProperty => "section 2.2.2.2",
        PropertyId::AuthenticationMethod => "section 3.1.2.11.9",
        PropertyId::AuthenticationData => "section 3.1.2.11.10",
        PropertyId::MaximumQoS => "section 3.2.2.3.4",
        PropertyId::RetainAvailable => "section 3.2.2.3.5",
        PropertyId::AssignedClientIdentifier => "section 3.2.2.3.7",
        PropertyId::ReasonString => "section 3.2.2.3.9",
        PropertyId::WildcardSubscriptionAvailable => "section 3.2.2.3.11",
        PropertyId::SubscriptionIdentifierAvailable => "section 3.2.2.3.12",
        PropertyId::SharedSubscriptionAvailable => "section 3.2.2.3.13",
        PropertyId::ServerKeepAlive => "section 3.2.2.3.14",
        PropertyId::ResponseInformation => "section 3.2.2.3.15",
        PropertyId::ServerReference => "section 3.2.2.3.16",
    })
}

//! `field` of `types.wit`: every field of the catalogue by its WIT name.

use hookmq_plugin_api::Field;
use wasmtime::component::{ComponentType, Lift};

macro_rules! names {
    ($($field:ident $name:tt,)*) => {
        /// A field, as components name it.
        #[expect(dead_code, reason = "the derived code makes them from their numbers")]
        #[derive(Clone, Copy, ComponentType, Lift)]
        #[component(enum)]
        #[repr(u8)]
        pub(super) enum FieldName {
            $(#[component(name = $name)] $field,)*
        }

        impl From<FieldName> for Field {
            fn from(name: FieldName) -> Self {
                match name {
                    $(FieldName::$field => Self::$field,)*
                }
            }
        }

        #[cfg(test)]
        const NAMES: &[&str] = &[$($name),*];
    };
}

names! {
    ClientId "client-id",
    Username "username",
    Password "password",
    Endpoint "endpoint",
    Listener "listener",
    ProtocolVersion "protocol-version",
    Secure "secure",
    CleanStart "clean-start",
    KeepAlive "keep-alive",
    SessionExpiryInterval "session-expiry-interval",
    SessionPresent "session-present",
    ReceiveMaximum "receive-maximum",
    MaximumPacketSize "maximum-packet-size",
    TopicAliasMaximum "topic-alias-maximum",
    MaximumQos "maximum-qos",
    RequestResponseInformation "request-response-information",
    RequestProblemInformation "request-problem-information",
    ResponseInformation "response-information",
    AuthenticationMethod "authentication-method",
    AuthenticationData "authentication-data",
    UserProperties "user-properties",
    ResponseUserProperties "response-user-properties",
    WillTopic "will-topic",
    WillPayload "will-payload",
    WillQos "will-qos",
    WillRetain "will-retain",
    WillDelayInterval "will-delay-interval",
    Topic "topic",
    Payload "payload",
    PayloadSize "payload-size",
    Qos "qos",
    Retain "retain",
    Dup "dup",
    PayloadFormat "payload-format",
    MessageExpiryInterval "message-expiry-interval",
    ContentType "content-type",
    ResponseTopic "response-topic",
    CorrelationData "correlation-data",
    Source "source",
    SenderClientId "sender-client-id",
    ReceiverClientId "receiver-client-id",
    ReceiverUsername "receiver-username",
    TopicFilter "topic-filter",
    ShareName "share-name",
    NoLocal "no-local",
    RetainAsPublished "retain-as-published",
    RetainHandling "retain-handling",
    SubscriptionIdentifier "subscription-identifier",
    ReasonCode "reason-code",
    ReasonString "reason-string",
    Reason "reason",
    DisconnectType "disconnect-type",
    Dropped "dropped",
    Completed "completed",
    AllReceiversFiltered "all-receivers-filtered",
    PacketType "packet-type",
    PacketIdentifier "packet-identifier",
    Change "change",
    NMessages "n-messages",
    NQueued "n-queued",
    NSubscriptions "n-subscriptions",
    Plugin "plugin",
    Generation "generation",
    Sequence "sequence",
    Timestamp "timestamp",
    Subscriptions "subscriptions",
    Messages "messages",
}

/// The field of an accessor's name, as in `client-id`.
pub(super) fn by_name(kebab: &str) -> Option<Field> {
    Field::from_name(&kebab.replace('-', "_"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hookmq_plugin_api::field::FIELDS;

    #[test]
    fn every_field_has_its_name_at_its_place() {
        let expected: Vec<_> = FIELDS
            .iter()
            .map(|spec| spec.name.replace('_', "-"))
            .collect();
        assert_eq!(NAMES, expected);
        for spec in FIELDS {
            assert_eq!(by_name(&spec.name.replace('_', "-")), Some(spec.field));
        }
        assert_eq!(by_name("no-such"), None);
    }
}

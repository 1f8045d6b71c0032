//! `change` of `types.wit`: one case per field that some hook can change.

use hookmq_plugin_api::{Field, Owned, Record};
use wasmtime::component::{ComponentType, Lift};

use super::fields::FieldName;
use super::records::{Message, Subscription};

/// One User Property.
pub(super) type Pair = (String, String);

macro_rules! changes {
    ($($field:ident $name:tt $kind:ty,)*) => {
        /// A new value of a field.
        #[derive(ComponentType, Lift)]
        #[component(variant)]
        pub(super) enum Change {
            $(#[component(name = $name)] $field($kind),)*
            #[component(name = "removed")]
            Removed(FieldName),
        }

        impl From<Change> for (Field, Owned) {
            fn from(change: Change) -> Self {
                match change {
                    $(Change::$field(value) => (Field::$field, value.into_owned()),)*
                    Change::Removed(field) => (field.into(), Owned::Nil),
                }
            }
        }

        #[cfg(test)]
        const NAMES: &[&str] = &[$($name),*];
    };
}

changes! {
    ClientId "client-id" String,
    Username "username" String,
    KeepAlive "keep-alive" u16,
    SessionExpiryInterval "session-expiry-interval" u32,
    ReceiveMaximum "receive-maximum" u16,
    MaximumPacketSize "maximum-packet-size" u32,
    TopicAliasMaximum "topic-alias-maximum" u16,
    MaximumQos "maximum-qos" u8,
    ResponseInformation "response-information" String,
    AuthenticationData "authentication-data" Vec<u8>,
    UserProperties "user-properties" Vec<Pair>,
    ResponseUserProperties "response-user-properties" Vec<Pair>,
    WillDelayInterval "will-delay-interval" u32,
    Topic "topic" String,
    Payload "payload" Vec<u8>,
    Qos "qos" u8,
    Retain "retain" bool,
    PayloadFormat "payload-format" u8,
    MessageExpiryInterval "message-expiry-interval" u32,
    ContentType "content-type" String,
    ResponseTopic "response-topic" String,
    CorrelationData "correlation-data" Vec<u8>,
    TopicFilter "topic-filter" String,
    NoLocal "no-local" bool,
    RetainAsPublished "retain-as-published" bool,
    RetainHandling "retain-handling" u8,
    SubscriptionIdentifier "subscription-identifier" u32,
    ReasonCode "reason-code" u8,
    ReasonString "reason-string" String,
    Subscriptions "subscriptions" Vec<Subscription>,
    Messages "messages" Vec<Message>,
}

/// What a case holds, as a value of the contract.
trait IntoOwned {
    fn into_owned(self) -> Owned;
}

macro_rules! integers {
    ($($kind:ty)*) => {
        $(impl IntoOwned for $kind {
            fn into_owned(self) -> Owned {
                Owned::Integer(self.into())
            }
        })*
    };
}

integers! { u8 u16 u32 }

impl IntoOwned for bool {
    fn into_owned(self) -> Owned {
        Owned::Bool(self)
    }
}

impl IntoOwned for String {
    fn into_owned(self) -> Owned {
        Owned::Text(self.into())
    }
}

impl IntoOwned for Vec<u8> {
    fn into_owned(self) -> Owned {
        Owned::Bytes(self.into())
    }
}

impl IntoOwned for Vec<Pair> {
    fn into_owned(self) -> Owned {
        Owned::Pairs(self)
    }
}

impl IntoOwned for Vec<Subscription> {
    fn into_owned(self) -> Owned {
        Owned::Records(self.into_iter().map(Record::from).collect())
    }
}

impl IntoOwned for Vec<Message> {
    fn into_owned(self) -> Owned {
        Owned::Records(self.into_iter().map(Record::from).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hookmq_plugin_api::catalogue::HOOKS;
    use hookmq_plugin_api::field::FIELDS;

    #[test]
    fn every_field_that_some_hook_changes_has_its_case() {
        let expected: Vec<_> = FIELDS
            .iter()
            .filter(|spec| HOOKS.iter().any(|hook| hook.may_change(spec.field)))
            .map(|spec| spec.name.replace('_', "-"))
            .collect();
        assert_eq!(NAMES, expected);
    }
}

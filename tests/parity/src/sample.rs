//! Which events a trial is about, and what it sets fields to: values that no scenario has by itself.

use hookmq_plugin_api::{Field, Hook, Owned, Record};

/// The client whose actions are interfered with.
pub(crate) const ANN: &str = "ann";

/// The client that watches.
pub(crate) const BOB: &str = "bob";

/// The topic of the message that is interfered with.
pub(crate) const TOPIC: &str = "aim/topic";

/// The filter of the subscription that is interfered with.
pub(crate) const FILTER: &str = "aim/+";

/// A topic that a helper lets nobody have.
pub(crate) const SIFTED: &str = "sifted";

/// The topic of the will that is interfered with.
pub(crate) const WILL: &str = "aim/will";

/// A field that has just this text.
pub(crate) struct Aim {
    pub(crate) field: Field,
    pub(crate) text: &'static str,
}

/// What an event must have for the trial to be about it; all of it.
pub(crate) fn aims(hook: Hook) -> Vec<Aim> {
    let spec = hook.spec();
    let aim = |field, text| Aim { field, text };
    let mut aims = Vec::new();
    match hook {
        Hook::InterceptWill => aims.push(aim(Field::Topic, WILL)),
        Hook::MessageNotConsumed => aims.push(aim(Field::Topic, SIFTED)),
        Hook::InterceptEnqueue | Hook::InterceptDelivery => {
            aims.push(aim(Field::Topic, TOPIC));
            aims.push(aim(Field::ReceiverClientId, BOB));
        }
        Hook::InterceptOutboundPacket => {
            aims.push(aim(Field::Topic, TOPIC));
            aims.push(aim(Field::ClientId, BOB));
        }
        _ if spec.fields.contains(&Field::TopicFilter) => {
            aims.push(aim(Field::TopicFilter, FILTER));
        }
        _ if spec.fields.contains(&Field::Topic) => aims.push(aim(Field::Topic, TOPIC)),
        _ if spec.fields.contains(&Field::ClientId) => aims.push(aim(Field::ClientId, ANN)),
        _ => {}
    }
    aims
}

/// What a trial sets the field to.
pub(crate) fn value(hook: Hook, field: Field) -> Owned {
    let pairs = |list: &[(&str, &str)]| {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Owned::Pairs(list.iter().map(owned).collect())
    };
    match field {
        Field::ClientId => "renamed".into(),
        Field::Username => "somebody".into(),
        Field::KeepAlive => 7.into(),
        Field::SessionExpiryInterval => 33.into(),
        Field::MaximumPacketSize => 90.into(),
        Field::ReceiveMaximum
        | Field::TopicAliasMaximum
        | Field::MaximumQos
        | Field::RetainHandling => 1.into(),
        Field::PayloadFormat => 0.into(),
        Field::ResponseInformation => "answers/ann".into(),
        Field::AuthenticationData => Owned::Bytes([1, 0, 255].into()),
        Field::ReasonString => "in other words".into(),
        Field::ReasonCode => 16.into(),
        Field::WillDelayInterval => 3.into(),
        Field::Topic if hook == Hook::InterceptWill => "moved/will".into(),
        Field::Topic => "moved/topic".into(),
        Field::TopicFilter => "moved/+".into(),
        Field::Payload => Owned::Bytes([0, 9, 10, 39, 255].into()),
        Field::Qos if hook == Hook::InterceptWill => 2.into(),
        Field::Qos => 0.into(),
        Field::Retain | Field::NoLocal | Field::RetainAsPublished => Owned::Bool(false),
        Field::MessageExpiryInterval => 9.into(),
        Field::ContentType => "text/csv; charset=ünï".into(),
        Field::ResponseTopic => "other/answers".into(),
        Field::CorrelationData => Owned::Bytes([0, 128, 255].into()),
        Field::SubscriptionIdentifier => 268_435_455.into(),
        Field::UserProperties | Field::ResponseUserProperties => {
            pairs(&[("set", "one"), ("by", "the policy"), ("set", "two")])
        }
        Field::Subscriptions => Owned::Records(vec![
            vec![
                (Field::TopicFilter, "extra/all".into()),
                (Field::Qos, 1.into()),
                (Field::NoLocal, true.into()),
                (Field::RetainAsPublished, true.into()),
                (Field::RetainHandling, 2.into()),
                (Field::SubscriptionIdentifier, 77.into()),
            ],
            plain_subscription(),
        ]),
        Field::Messages => Owned::Records(vec![
            vec![
                (Field::Topic, "given/rich".into()),
                (Field::Payload, Owned::Bytes([1, 0, 254].into())),
                (Field::Qos, 1.into()),
                (Field::Retain, true.into()),
                (Field::PayloadFormat, 1.into()),
                (Field::MessageExpiryInterval, 600.into()),
                (Field::ContentType, "text/plain".into()),
                (Field::ResponseTopic, "given/answers".into()),
                (Field::CorrelationData, Owned::Bytes([7, 0].into())),
                (Field::UserProperties, pairs(&[("k", "1"), ("k", "2")])),
                (Field::SenderClientId, "long-gone".into()),
            ],
            vec![
                (Field::Topic, "given/bare".into()),
                (Field::Payload, Owned::Bytes([2].into())),
            ],
        ]),
        other => unreachable!("no hook changes {}", other.name()),
    }
}

fn plain_subscription() -> Record {
    vec![
        (Field::TopicFilter, "extra/plain".into()),
        (Field::Qos, 0.into()),
    ]
}

/// What no scenario can make visible, and why.
pub(crate) fn is_beyond_reach(field: Field) -> bool {
    match field {
        // There are no encrypted listeners.
        Field::Secure => true,
        // Enhanced authentication is refused before any hook, and CONNACK carries its data with a method only.
        Field::AuthenticationMethod | Field::AuthenticationData => true,
        _ => false,
    }
}

/// What can be absent, but not be taken away here.
pub(crate) fn must_stay(hook: Hook, field: Field) -> bool {
    // A client has a name.
    hook == Hook::ValidateConnection && field == Field::ClientId
}

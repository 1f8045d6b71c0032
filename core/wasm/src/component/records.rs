//! `subscription`, `message` and `value` of `types.wit`: records of the contract as components see them.

use hookmq_plugin_api::{Field, Owned, Record, Value};
use wasmtime::component::{ComponentType, Lift, Lower};

use super::changes::Pair;

/// One entry of `subscriptions`.
#[derive(ComponentType, Lift, Lower)]
#[component(record)]
pub(super) struct Subscription {
    #[component(name = "topic-filter")]
    topic_filter: String,
    qos: u8,
    #[component(name = "no-local")]
    no_local: bool,
    #[component(name = "retain-as-published")]
    retain_as_published: bool,
    #[component(name = "retain-handling")]
    retain_handling: u8,
    #[component(name = "subscription-identifier")]
    subscription_identifier: Option<u32>,
}

/// One entry of `messages`.
#[derive(ComponentType, Lift, Lower)]
#[component(record)]
pub(super) struct Message {
    topic: String,
    payload: Vec<u8>,
    qos: u8,
    retain: bool,
    #[component(name = "payload-format")]
    payload_format: Option<u8>,
    #[component(name = "message-expiry-interval")]
    message_expiry_interval: Option<u32>,
    #[component(name = "content-type")]
    content_type: Option<String>,
    #[component(name = "response-topic")]
    response_topic: Option<String>,
    #[component(name = "correlation-data")]
    correlation_data: Option<Vec<u8>>,
    #[component(name = "user-properties")]
    user_properties: Vec<Pair>,
    #[component(name = "sender-client-id")]
    sender_client_id: Option<String>,
}

/// `value`: any field.
#[derive(ComponentType, Lower)]
#[component(variant)]
pub(super) enum AnyValue {
    #[component(name = "nil")]
    Nil,
    #[component(name = "boolean")]
    Boolean(bool),
    #[component(name = "integer")]
    Integer(i64),
    #[component(name = "text")]
    Text(String),
    #[component(name = "bytes")]
    Bytes(Vec<u8>),
    #[component(name = "pairs")]
    Pairs(Vec<Pair>),
    #[component(name = "subscriptions")]
    Subscriptions(Vec<Subscription>),
    #[component(name = "messages")]
    Messages(Vec<Message>),
}

impl AnyValue {
    pub(super) fn of(field: Field, value: Value<'_>) -> Self {
        match value {
            Value::Nil => Self::Nil,
            Value::Bool(truth) => Self::Boolean(truth),
            Value::Integer(number) => Self::Integer(number),
            Value::Text(text) => Self::Text(text.to_owned()),
            Value::Bytes(bytes) => Self::Bytes(bytes.to_owned()),
            Value::Pairs(_) => Self::Pairs(pairs(value)),
            Value::Records(records) if field == Field::Messages => {
                Self::Messages(records.iter().map(Message::from).collect())
            }
            Value::Records(records) => {
                Self::Subscriptions(records.iter().map(Subscription::from).collect())
            }
        }
    }
}

/// A copy of User Properties.
pub(super) fn pairs(value: Value<'_>) -> Vec<Pair> {
    match value.to_owned() {
        Owned::Pairs(pairs) => pairs,
        _ => Vec::new(),
    }
}

/// One part of a record.
fn part(record: &Record, field: Field) -> Value<'_> {
    record
        .iter()
        .find(|(name, _)| *name == field)
        .map_or(Value::Nil, |(_, value)| value.as_value())
}

fn text(record: &Record, field: Field) -> Option<String> {
    part(record, field).as_text().map(str::to_owned)
}

fn bytes(record: &Record, field: Field) -> Option<Vec<u8>> {
    part(record, field).as_bytes().map(<[u8]>::to_vec)
}

fn truth(record: &Record, field: Field) -> bool {
    part(record, field).as_bool().unwrap_or_default()
}

fn number<T: TryFrom<i64>>(record: &Record, field: Field) -> Option<T> {
    part(record, field)
        .as_integer()
        .and_then(|number| T::try_from(number).ok())
}

impl From<&Record> for Subscription {
    fn from(record: &Record) -> Self {
        Self {
            topic_filter: text(record, Field::TopicFilter).unwrap_or_default(),
            qos: number(record, Field::Qos).unwrap_or_default(),
            no_local: truth(record, Field::NoLocal),
            retain_as_published: truth(record, Field::RetainAsPublished),
            retain_handling: number(record, Field::RetainHandling).unwrap_or_default(),
            subscription_identifier: number(record, Field::SubscriptionIdentifier),
        }
    }
}

impl From<Subscription> for Record {
    fn from(entry: Subscription) -> Self {
        let mut record = vec![
            (Field::TopicFilter, entry.topic_filter.into()),
            (Field::Qos, Owned::Integer(entry.qos.into())),
            (Field::NoLocal, entry.no_local.into()),
            (Field::RetainAsPublished, entry.retain_as_published.into()),
            (
                Field::RetainHandling,
                Owned::Integer(entry.retain_handling.into()),
            ),
        ];
        if let Some(identifier) = entry.subscription_identifier {
            let identifier = Owned::Integer(identifier.into());
            record.push((Field::SubscriptionIdentifier, identifier));
        }
        record
    }
}

impl From<&Record> for Message {
    fn from(record: &Record) -> Self {
        Self {
            topic: text(record, Field::Topic).unwrap_or_default(),
            payload: bytes(record, Field::Payload).unwrap_or_default(),
            qos: number(record, Field::Qos).unwrap_or_default(),
            retain: truth(record, Field::Retain),
            payload_format: number(record, Field::PayloadFormat),
            message_expiry_interval: number(record, Field::MessageExpiryInterval),
            content_type: text(record, Field::ContentType),
            response_topic: text(record, Field::ResponseTopic),
            correlation_data: bytes(record, Field::CorrelationData),
            user_properties: pairs(part(record, Field::UserProperties)),
            sender_client_id: text(record, Field::SenderClientId),
        }
    }
}

impl From<Message> for Record {
    fn from(entry: Message) -> Self {
        let mut record = vec![
            (Field::Topic, entry.topic.into()),
            (Field::Payload, Owned::Bytes(entry.payload.into())),
            (Field::Qos, Owned::Integer(entry.qos.into())),
            (Field::Retain, entry.retain.into()),
        ];
        let optional = [
            (
                Field::PayloadFormat,
                entry
                    .payload_format
                    .map(|number| Owned::Integer(number.into())),
            ),
            (
                Field::MessageExpiryInterval,
                entry
                    .message_expiry_interval
                    .map(|number| Owned::Integer(number.into())),
            ),
            (Field::ContentType, entry.content_type.map(Owned::from)),
            (Field::ResponseTopic, entry.response_topic.map(Owned::from)),
            (
                Field::CorrelationData,
                entry
                    .correlation_data
                    .map(|bytes| Owned::Bytes(bytes.into())),
            ),
            (
                Field::UserProperties,
                (!entry.user_properties.is_empty()).then_some(Owned::Pairs(entry.user_properties)),
            ),
            (
                Field::SenderClientId,
                entry.sender_client_id.map(Owned::from),
            ),
        ];
        let present = optional
            .into_iter()
            .filter_map(|(field, value)| Some((field, value?)));
        record.extend(present);
        record
    }
}

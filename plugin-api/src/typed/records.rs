//! One entry of each field that holds records.
//!
//! Generated from the hook catalogue by `cargo xtask generate`: change the catalogue instead.

use crate::field::Field;
use crate::value::{Owned, Record};
use crate::view::{self, part};

/// One entry of `subscriptions`: subscriptions of the Session.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SubscriptionRecord {
    /// Topic Filter as the client sent it, `$share/{ShareName}/` included.
    pub topic_filter: String,
    /// QoS of the message or of the subscription: 0, 1 or 2.
    pub qos: u8,
    /// No Local: do not send the client its own messages.
    pub no_local: bool,
    /// Retain As Published: keep the RETAIN flag.
    pub retain_as_published: bool,
    /// Retain Handling: 0 send retained messages, 1 only for a new subscription, 2 never.
    pub retain_handling: u8,
    /// Subscription Identifier, 1 to 268 435 455.
    pub subscription_identifier: Option<u32>,
}

impl From<&Record> for SubscriptionRecord {
    fn from(record: &Record) -> Self {
        let get = |field| part(record, field);
        Self {
            topic_filter: view::text(get(Field::TopicFilter)).to_owned(),
            qos: view::number(get(Field::Qos)),
            no_local: view::truth(get(Field::NoLocal)),
            retain_as_published: view::truth(get(Field::RetainAsPublished)),
            retain_handling: view::number(get(Field::RetainHandling)),
            subscription_identifier: view::maybe_number(get(Field::SubscriptionIdentifier)),
        }
    }
}

impl From<SubscriptionRecord> for Record {
    fn from(entry: SubscriptionRecord) -> Self {
        view::record([
            (Field::TopicFilter, Owned::Text(entry.topic_filter.into())),
            (Field::Qos, Owned::Integer(entry.qos.into())),
            (Field::NoLocal, Owned::Bool(entry.no_local)),
            (
                Field::RetainAsPublished,
                Owned::Bool(entry.retain_as_published),
            ),
            (
                Field::RetainHandling,
                Owned::Integer(entry.retain_handling.into()),
            ),
            (
                Field::SubscriptionIdentifier,
                view::owned(entry.subscription_identifier.map(i64::from)),
            ),
        ])
    }
}

/// One entry of `messages`: messages, oldest first; those of an answer are added to what is there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MessageRecord {
    /// Topic Name.
    pub topic: String,
    /// Payload of the message, any bytes.
    pub payload: Vec<u8>,
    /// QoS of the message or of the subscription: 0, 1 or 2.
    pub qos: u8,
    /// RETAIN flag.
    pub retain: bool,
    /// Payload Format Indicator: 0 bytes, 1 UTF-8 text.
    pub payload_format: Option<u8>,
    /// Seconds that the message still lives.
    pub message_expiry_interval: Option<u32>,
    /// Content Type, MIME or the application's own.
    pub content_type: Option<String>,
    /// Topic Name for a response.
    pub response_topic: Option<String>,
    /// Handed back with the response.
    pub correlation_data: Option<Vec<u8>>,
    /// User Properties of the packet or message, in order; names may repeat.
    pub user_properties: Vec<(String, String)>,
    /// Client Identifier of the publisher; absent for what no client published.
    pub sender_client_id: Option<String>,
}

impl From<&Record> for MessageRecord {
    fn from(record: &Record) -> Self {
        let get = |field| part(record, field);
        Self {
            topic: view::text(get(Field::Topic)).to_owned(),
            payload: view::bytes(get(Field::Payload)).to_vec(),
            qos: view::number(get(Field::Qos)),
            retain: view::truth(get(Field::Retain)),
            payload_format: view::maybe_number(get(Field::PayloadFormat)),
            message_expiry_interval: view::maybe_number(get(Field::MessageExpiryInterval)),
            content_type: get(Field::ContentType).as_text().map(str::to_owned),
            response_topic: get(Field::ResponseTopic).as_text().map(str::to_owned),
            correlation_data: get(Field::CorrelationData).as_bytes().map(<[u8]>::to_vec),
            user_properties: view::pairs(get(Field::UserProperties)).to_vec(),
            sender_client_id: get(Field::SenderClientId).as_text().map(str::to_owned),
        }
    }
}

impl From<MessageRecord> for Record {
    fn from(entry: MessageRecord) -> Self {
        view::record([
            (Field::Topic, Owned::Text(entry.topic.into())),
            (Field::Payload, Owned::Bytes(entry.payload.into())),
            (Field::Qos, Owned::Integer(entry.qos.into())),
            (Field::Retain, Owned::Bool(entry.retain)),
            (
                Field::PayloadFormat,
                view::owned(entry.payload_format.map(i64::from)),
            ),
            (
                Field::MessageExpiryInterval,
                view::owned(entry.message_expiry_interval.map(i64::from)),
            ),
            (Field::ContentType, view::owned(entry.content_type)),
            (Field::ResponseTopic, view::owned(entry.response_topic)),
            (
                Field::CorrelationData,
                view::owned(entry.correlation_data.as_deref()),
            ),
            (Field::UserProperties, Owned::Pairs(entry.user_properties)),
            (Field::SenderClientId, view::owned(entry.sender_client_id)),
        ])
    }
}

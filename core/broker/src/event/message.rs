//! An Application Message as hooks see it, on its way in, to one receiver, or after the fact.

use std::sync::Arc;

use bytes::Bytes;
use hookmq_mqtt::packet::AckProperties;
use hookmq_mqtt::property::PayloadFormat;
use hookmq_mqtt::{ClientId, PacketType, Publish, QoS, ReasonCode, TopicName};
use hookmq_plugin_api::{Event, Field, Hook, Owned, Pairs, Value};

use super::{OwnedPairs, UserPairs, change};
use crate::client::ClientInfo;
use crate::hook::Subject;
use crate::message::Source;
use crate::session::settings::SessionSettings;

/// What plugins have changed of a message so far. Absent fields are as published.
#[derive(Debug, Clone, Default)]
struct Changed {
    topic: Option<TopicName>,
    payload: Option<Bytes>,
    qos: Option<QoS>,
    retain: Option<bool>,
    payload_format: Option<Option<PayloadFormat>>,
    message_expiry_interval: Option<Option<u32>>,
    content_type: Option<Option<String>>,
    response_topic: Option<Option<String>>,
    correlation_data: Option<Option<Bytes>>,
    user_properties: Option<OwnedPairs>,
    answer: PublishAnswer,
}

/// What plugins want the publisher to be told.
#[derive(Debug, Clone, Default)]
pub(crate) struct PublishAnswer {
    /// Reason Code of PUBACK or PUBREC; the broker's own if absent.
    pub(crate) reason: Option<ReasonCode>,
    /// Rare, so that most messages carry one word of it along their way.
    pub(crate) properties: Option<Box<AckProperties>>,
}

impl PublishAnswer {
    fn properties(&mut self) -> &mut AckProperties {
        self.properties.get_or_insert_default()
    }
}

/// From whom, and how, a message comes.
#[derive(Clone, Copy)]
pub(crate) struct Origin<'a> {
    /// The publishing client, connected or gone (a Will Message).
    pub(crate) client: Option<&'a Arc<ClientInfo>>,
    pub(crate) source: Source,
}

impl<'a> Origin<'a> {
    pub(crate) fn client_id(&self) -> Option<&'a ClientId> {
        self.client.map(|client| &client.client_id)
    }
}

/// The message fields of a PUBLISH.
fn message_field<'a>(
    publish: &Publish<'a>,
    pairs: &'a (dyn Pairs + 'a),
    field: Field,
) -> Value<'a> {
    let properties = &publish.properties;
    match field {
        Field::Topic => Value::Text(publish.topic),
        Field::Payload => Value::Bytes(publish.payload),
        Field::PayloadSize => Value::Integer(publish.payload.len() as i64),
        Field::Qos => Value::Integer(publish.qos as i64),
        Field::Retain => Value::Bool(publish.retain),
        Field::Dup => Value::Bool(publish.dup),
        Field::PayloadFormat => {
            Value::integer(properties.payload_format.map(|format| format as u8))
        }
        Field::MessageExpiryInterval => Value::integer(properties.message_expiry_interval),
        Field::ContentType => Value::text(properties.content_type),
        Field::ResponseTopic => Value::text(properties.response_topic),
        Field::CorrelationData => properties.correlation_data.map_or(Value::Nil, Value::Bytes),
        Field::UserProperties => Value::Pairs(pairs),
        _ => Value::Nil,
    }
}

/// A message that plugins may change: on its way in (`intercept_publish`, `authorize_publish`, `intercept_will`) or to one receiver
/// (`intercept_enqueue`, `intercept_delivery`).
pub(crate) struct MessageDraft<'a> {
    /// The hook that is asked now.
    pub(crate) hook: Hook,
    origin: Origin<'a>,
    /// Where the publisher's client is not at hand.
    sender: Option<&'a ClientId>,
    receiver: Option<Receiver<'a>>,
    will_delay_interval: u32,
    published: &'a Publish<'a>,
    settings: &'a SessionSettings,
    changed: Option<Box<Changed>>,
}

/// Who is to get a message.
#[derive(Clone, Copy)]
pub(crate) struct Receiver<'a> {
    pub(crate) client_id: &'a ClientId,
    pub(crate) username: Option<&'a str>,
}

impl<'a> MessageDraft<'a> {
    pub(crate) fn new(
        hook: Hook,
        origin: Origin<'a>,
        published: &'a Publish<'a>,
        settings: &'a SessionSettings,
    ) -> Self {
        Self {
            hook,
            origin,
            sender: None,
            receiver: None,
            will_delay_interval: 0,
            published,
            settings,
            changed: None,
        }
    }

    /// The publisher, where its client is not at hand.
    pub(crate) fn sent_by(mut self, sender: Option<&'a ClientId>) -> Self {
        self.sender = sender;
        self
    }

    /// One receiver's copy.
    pub(crate) fn for_receiver(mut self, receiver: Receiver<'a>) -> Self {
        self.receiver = Some(receiver);
        self
    }

    /// A will that waited this many seconds.
    pub(crate) fn with_will_delay(mut self, seconds: u32) -> Self {
        self.will_delay_interval = seconds;
        self
    }

    /// Whether a plugin changed anything.
    pub(crate) fn is_changed(&self) -> bool {
        self.changed.is_some()
    }

    /// The message as it came.
    pub(crate) const fn as_published(&self) -> &'a Publish<'a> {
        self.published
    }

    /// The message in its present form.
    pub(crate) fn publish(&self) -> Publish<'_> {
        let mut publish = *self.published;
        let Some(changed) = &self.changed else {
            return publish;
        };
        if let Some(topic) = &changed.topic {
            publish.topic = topic;
        }
        if let Some(payload) = &changed.payload {
            publish.payload = payload;
        }
        publish.qos = changed.qos.unwrap_or(publish.qos);
        publish.retain = changed.retain.unwrap_or(publish.retain);
        let properties = &mut publish.properties;
        properties.payload_format = changed.payload_format.unwrap_or(properties.payload_format);
        properties.message_expiry_interval = changed
            .message_expiry_interval
            .unwrap_or(properties.message_expiry_interval);
        if let Some(content_type) = &changed.content_type {
            properties.content_type = content_type.as_deref();
        }
        if let Some(response_topic) = &changed.response_topic {
            properties.response_topic = response_topic.as_deref();
        }
        if let Some(correlation_data) = &changed.correlation_data {
            properties.correlation_data = correlation_data.as_deref();
        }
        if let Some(user_properties) = &changed.user_properties {
            properties.user_properties = user_properties.0.as_ref();
        }
        publish
    }

    /// What plugins want the publisher to be told.
    pub(crate) fn take_answer(&mut self) -> PublishAnswer {
        self.changed
            .as_mut()
            .map(|changed| std::mem::take(&mut changed.answer))
            .unwrap_or_default()
    }
}

impl Event for MessageDraft<'_> {
    fn hook(&self) -> Hook {
        self.hook
    }

    #[inline]
    fn get(&self, field: Field) -> Value<'_> {
        // What nearly every plugin reads of nearly every message.
        if self.changed.is_none() {
            match field {
                Field::Topic => return Value::Text(self.published.topic),
                Field::Payload => return Value::Bytes(self.published.payload),
                _ => {}
            }
        }
        self.get_any(field)
    }

    fn depth(&self) -> u8 {
        self.origin.source.depth()
    }
}

impl MessageDraft<'_> {
    #[inline(never)]
    fn get_any(&self, field: Field) -> Value<'_> {
        match field {
            Field::Source => Value::Text(self.origin.source.name()),
            Field::SenderClientId => {
                let sender = self.sender.or_else(|| self.origin.client_id());
                Value::text(sender.map(|client_id| &**client_id))
            }
            Field::ReceiverClientId => {
                Value::text(self.receiver.map(|receiver| &**receiver.client_id))
            }
            Field::ReceiverUsername => {
                Value::text(self.receiver.and_then(|receiver| receiver.username))
            }
            Field::WillDelayInterval => Value::Integer(self.will_delay_interval.into()),
            Field::ClientId
            | Field::Username
            | Field::Endpoint
            | Field::Listener
            | Field::ProtocolVersion => self
                .origin
                .client
                .map_or(Value::Nil, |client| client.get(field)),
            _ if self.changed.is_none() => message_field(self.published, self, field),
            _ => message_field(&self.publish(), self, field),
        }
    }
}

/// The User Properties.
impl Pairs for MessageDraft<'_> {
    fn for_each(&self, each: &mut dyn FnMut(&str, &str)) {
        for (name, value) in self.publish().properties.user_properties.iter() {
            each(name, value);
        }
    }
}

impl Subject for MessageDraft<'_> {
    fn event(&self) -> &dyn Event {
        self
    }

    fn apply(&mut self, changes: &[(Field, Owned)]) -> Result<(), String> {
        if changes.is_empty() {
            return Ok(());
        }
        let mut changed = self.changed.as_deref().cloned().unwrap_or_default();
        for (field, value) in changes {
            let field = *field;
            match field {
                Field::Topic => {
                    let topic =
                        change!(field, value, text).ok_or("topic: a message must have one")?;
                    self.settings.check_topic(&topic)?;
                    changed.topic =
                        Some(TopicName::parse(&topic).map_err(|error| format!("topic: {error}"))?);
                }
                Field::Payload => {
                    let payload = change!(field, value, bytes).unwrap_or_default();
                    if payload.len() > self.settings.maximum_packet_size as usize {
                        return Err(format!(
                            "payload: {} bytes are over maximum_packet_size",
                            payload.len()
                        ));
                    }
                    changed.payload = Some(payload);
                }
                Field::Qos => changed.qos = Some(change!(field, value, qos)),
                Field::Retain => changed.retain = Some(change!(field, value, bool)),
                Field::PayloadFormat => {
                    changed.payload_format = Some(match value {
                        Owned::Nil => None,
                        value => match change!(field, value, integer u8) {
                            0 => Some(PayloadFormat::Bytes),
                            1 => Some(PayloadFormat::Utf8),
                            other => {
                                return Err(format!("payload_format: {other} is neither 0 nor 1"));
                            }
                        },
                    });
                }
                Field::MessageExpiryInterval => {
                    changed.message_expiry_interval = Some(match value {
                        Owned::Nil => None,
                        value => Some(change!(field, value, integer u32)),
                    });
                }
                Field::ContentType => changed.content_type = Some(text(field, value)?),
                Field::ResponseTopic => {
                    let topic = text(field, value)?;
                    if let Some(topic) = &topic {
                        TopicName::check(topic)
                            .map_err(|error| format!("response_topic: {error}"))?;
                    }
                    changed.response_topic = Some(topic);
                }
                Field::CorrelationData => {
                    let data = change!(field, value, bytes);
                    if data
                        .as_ref()
                        .is_some_and(|data| data.len() > usize::from(u16::MAX))
                    {
                        return Err("correlation_data: over 65 535 bytes".to_owned());
                    }
                    changed.correlation_data = Some(data);
                }
                Field::UserProperties => {
                    changed.user_properties = Some(OwnedPairs(change!(field, value, pairs)))
                }
                Field::ReasonCode => {
                    changed.answer.reason = Some(puback_reason(change!(field, value, integer u8))?)
                }
                Field::ReasonString => {
                    changed.answer.properties().reason_string = text(field, value)?
                }
                Field::ResponseUserProperties => {
                    changed.answer.properties().user_properties = change!(field, value, pairs)
                }
                other => return Err(format!("{}: may not be changed here", other.name())),
            }
        }
        self.changed = Some(Box::new(changed));
        Ok(())
    }
}

/// A text that a packet can carry.
fn text(field: Field, value: &Owned) -> Result<Option<String>, String> {
    let text = change!(field, value, text);
    match &text {
        Some(text) if text.len() > usize::from(u16::MAX) => {
            Err(format!("{}: over 65 535 bytes", field.name()))
        }
        Some(text) if text.contains('\0') => Err(format!("{}: has U+0000", field.name())),
        _ => Ok(text),
    }
}

/// A Reason Code that PUBACK and PUBREC may carry.
fn puback_reason(number: u8) -> Result<ReasonCode, String> {
    ReasonCode::from_u8(number)
        .filter(|reason| reason.allowed_in(PacketType::PubAck))
        .ok_or_else(|| format!("reason_code: 0x{number:02x} is none of PUBACK"))
}

/// A kept or passing message after the fact, for notices.
pub(crate) struct MessageNotice<'a> {
    pub(crate) hook: Hook,
    pub(crate) publish: Publish<'a>,
    pub(crate) source: Source,
    pub(crate) sender: Option<&'a ClientId>,
    pub(crate) receiver: Option<Receiver<'a>>,
    pairs: UserPairs<'a>,
    more: &'a [(Field, Value<'a>)],
}

impl<'a> MessageNotice<'a> {
    /// `more` are the fields that only this hook has.
    pub(crate) fn new(
        hook: Hook,
        publish: Publish<'a>,
        source: Source,
        sender: Option<&'a ClientId>,
        receiver: Option<Receiver<'a>>,
        more: &'a [(Field, Value<'a>)],
    ) -> Self {
        Self {
            hook,
            pairs: UserPairs(publish.properties.user_properties),
            publish,
            source,
            sender,
            receiver,
            more,
        }
    }
}

impl Event for MessageNotice<'_> {
    fn hook(&self) -> Hook {
        self.hook
    }

    fn get(&self, field: Field) -> Value<'_> {
        if let Some((_, value)) = self.more.iter().find(|(name, _)| *name == field) {
            return *value;
        }
        match field {
            Field::Source => Value::Text(self.source.name()),
            Field::SenderClientId => Value::text(self.sender.map(|client_id| &**client_id)),
            Field::ReceiverClientId => {
                Value::text(self.receiver.map(|receiver| &**receiver.client_id))
            }
            Field::ReceiverUsername => {
                Value::text(self.receiver.and_then(|receiver| receiver.username))
            }
            _ => message_field(&self.publish, &self.pairs, field),
        }
    }

    fn depth(&self) -> u8 {
        self.source.depth()
    }
}

//! CONNECT as hooks see it: `validate_connection` and `prepare_session`.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hookmq_mqtt::packet::Connect;
use hookmq_mqtt::property::{PayloadFormat, UserProperties};
use hookmq_mqtt::{ClientId, QoS, TopicFilter, TopicName};
use hookmq_plugin_api::{Event, Field, Hook, Owned, Record, Value};

use super::{OwnedPairs, UserPairs, change};
use crate::client::{ClientInfo, protocol_number};
use crate::hook::Subject;
use crate::message::{Message, MessageProperties, Source};
use crate::session::settings::SessionSettings;

/// The terms of a connection that plugins may change before CONNACK.
#[derive(Debug, Clone)]
pub(crate) struct Terms {
    pub(crate) client_id: String,
    pub(crate) username: Option<String>,
    pub(crate) keep_alive: u16,
    pub(crate) session_expiry_interval: u32,
    pub(crate) receive_maximum: u16,
    pub(crate) maximum_packet_size: Option<u32>,
    pub(crate) topic_alias_maximum: u16,
    pub(crate) maximum_qos: QoS,
    pub(crate) response_information: Option<String>,
    pub(crate) response_user_properties: UserProperties,
    pub(crate) reason_string: Option<String>,
    pub(crate) authentication_data: Option<Bytes>,
}

/// `validate_connection`.
pub(crate) struct ConnectDraft<'a> {
    pub(crate) connect: &'a Connect,
    pub(crate) endpoint: &'a str,
    pub(crate) listener: &'a str,
    pub(crate) settings: &'a SessionSettings,
    pub(crate) terms: Terms,
    pub(crate) pairs: UserPairs<'a>,
}

impl Event for ConnectDraft<'_> {
    fn hook(&self) -> Hook {
        Hook::ValidateConnection
    }

    fn get(&self, field: Field) -> Value<'_> {
        let (connect, terms) = (self.connect, &self.terms);
        let will = connect.will.as_deref();
        match field {
            Field::ClientId => Value::Text(&terms.client_id),
            Field::Username => Value::text(terms.username.as_deref()),
            Field::Password => connect.password.as_deref().map_or(Value::Nil, Value::Bytes),
            Field::Endpoint => Value::Text(self.endpoint),
            Field::Listener => Value::Text(self.listener),
            Field::ProtocolVersion => Value::Integer(protocol_number(connect.version)),
            Field::Secure => Value::Bool(false),
            Field::CleanStart => Value::Bool(connect.clean_start),
            Field::KeepAlive => Value::Integer(terms.keep_alive.into()),
            Field::SessionExpiryInterval => Value::Integer(terms.session_expiry_interval.into()),
            Field::ReceiveMaximum => Value::Integer(terms.receive_maximum.into()),
            Field::MaximumPacketSize => Value::integer(terms.maximum_packet_size),
            Field::TopicAliasMaximum => Value::Integer(terms.topic_alias_maximum.into()),
            Field::RequestResponseInformation => Value::Bool(connect.request_response_information),
            Field::RequestProblemInformation => Value::Bool(connect.request_problem_information),
            Field::AuthenticationMethod => Value::text(connect.authentication_method.as_deref()),
            Field::AuthenticationData => connect
                .authentication_data
                .as_deref()
                .map_or(Value::Nil, Value::Bytes),
            Field::UserProperties => Value::Pairs(&self.pairs),
            Field::WillTopic => Value::text(will.map(|will| &*will.topic)),
            Field::WillPayload => will.map_or(Value::Nil, |will| Value::Bytes(&will.payload)),
            Field::WillQos => Value::integer(will.map(|will| will.qos as u8)),
            Field::WillRetain => will.map_or(Value::Nil, |will| Value::Bool(will.retain)),
            Field::WillDelayInterval => Value::integer(will.map(|will| will.delay_interval)),
            _ => Value::Nil,
        }
    }
}

impl Subject for ConnectDraft<'_> {
    fn event(&self) -> &dyn Event {
        self
    }

    fn apply(&mut self, changes: &[(Field, Owned)]) -> Result<(), String> {
        let mut terms = self.terms.clone();
        for (field, value) in changes {
            let field = *field;
            match field {
                Field::ClientId => {
                    let client_id = change!(field, value, text)
                        .filter(|client_id| !client_id.is_empty())
                        .ok_or("client_id: a client must have one")?;
                    if client_id.len() > self.settings.maximum_client_id_bytes {
                        return Err(format!(
                            "client_id: {} bytes are over maximum_client_id_bytes",
                            client_id.len()
                        ));
                    }
                    terms.client_id = client_id;
                }
                Field::Username => terms.username = change!(field, value, text),
                Field::KeepAlive => terms.keep_alive = change!(field, value, integer u16),
                Field::SessionExpiryInterval => {
                    terms.session_expiry_interval = change!(field, value, integer u32)
                }
                Field::ReceiveMaximum => {
                    let maximum = change!(field, value, integer u16);
                    if maximum == 0 || maximum > self.terms.receive_maximum {
                        return Err(format!(
                            "receive_maximum: {maximum} is not 1 to {}, what the client takes",
                            self.terms.receive_maximum
                        ));
                    }
                    terms.receive_maximum = maximum;
                }
                // Without a limit of the plugins', the client's own holds.
                Field::MaximumPacketSize if *value == Owned::Nil => {
                    terms.maximum_packet_size = self.connect.maximum_packet_size.map(u32::from);
                }
                Field::MaximumPacketSize => {
                    let maximum = change!(field, value, integer u32);
                    if maximum == 0
                        || self
                            .terms
                            .maximum_packet_size
                            .is_some_and(|own| maximum > own)
                    {
                        return Err(format!(
                            "maximum_packet_size: {maximum} is 0 or over what the client takes"
                        ));
                    }
                    terms.maximum_packet_size = Some(maximum);
                }
                Field::TopicAliasMaximum => {
                    terms.topic_alias_maximum =
                        change!(field, value, integer u16).min(self.terms.topic_alias_maximum);
                }
                Field::MaximumQos => terms.maximum_qos = change!(field, value, qos),
                Field::ResponseInformation => {
                    terms.response_information = change!(field, value, text)
                }
                Field::ReasonString => terms.reason_string = change!(field, value, text),
                Field::AuthenticationData => {
                    terms.authentication_data = change!(field, value, bytes)
                }
                Field::ResponseUserProperties => {
                    terms.response_user_properties = change!(field, value, pairs)
                }
                other => return Err(format!("{}: may not be changed here", other.name())),
            }
        }
        self.terms = terms;
        Ok(())
    }
}

/// `prepare_session`: what a Session begins with.
pub(crate) struct SessionDraft<'a> {
    pub(crate) client: &'a Arc<ClientInfo>,
    pub(crate) settings: &'a SessionSettings,
    pub(crate) session_present: bool,
    pub(crate) n_queued: usize,
    pub(crate) session_expiry_interval: u32,
    pub(crate) will_delay_interval: Option<u32>,
    /// What the Session holds; as changed by plugins.
    pub(crate) subscriptions: Vec<Record>,
    /// Whether a plugin changed them.
    pub(crate) subscriptions_changed: bool,
    /// Messages that a plugin wants delivered first.
    pub(crate) messages: Vec<Message>,
}

impl Event for SessionDraft<'_> {
    fn hook(&self) -> Hook {
        Hook::PrepareSession
    }

    fn get(&self, field: Field) -> Value<'_> {
        match field {
            Field::SessionPresent => Value::Bool(self.session_present),
            Field::SessionExpiryInterval => Value::Integer(self.session_expiry_interval.into()),
            Field::WillDelayInterval => Value::integer(self.will_delay_interval),
            Field::NQueued => Value::Integer(self.n_queued as i64),
            Field::Subscriptions => Value::Records(&self.subscriptions),
            field => self.client.get(field),
        }
    }
}

impl Subject for SessionDraft<'_> {
    fn event(&self) -> &dyn Event {
        self
    }

    fn apply(&mut self, changes: &[(Field, Owned)]) -> Result<(), String> {
        let (mut expiry, mut delay) = (self.session_expiry_interval, self.will_delay_interval);
        let (mut subscriptions, mut messages) = (None, Vec::new());
        for (field, value) in changes {
            let field = *field;
            match (field, value) {
                (Field::SessionExpiryInterval, value) => {
                    expiry = change!(field, value, integer u32)
                }
                // As in CONNECT, an absent one is no delay.
                (Field::WillDelayInterval, Owned::Nil) => delay = delay.map(|_| 0),
                (Field::WillDelayInterval, value) => {
                    delay = Some(change!(field, value, integer u32))
                }
                (Field::Subscriptions, Owned::Records(records)) => {
                    for record in records {
                        check_subscription(record, self.settings)?;
                    }
                    subscriptions = Some(records.clone());
                }
                (Field::Messages, Owned::Records(records)) => {
                    for record in records {
                        messages.push(message(record, self.settings)?);
                    }
                }
                (other, _) => return Err(format!("{}: may not be changed here", other.name())),
            }
        }
        // The operator's limit holds for plugins too, as it does in `validate_connection`.
        let expiry = expiry.min(self.settings.maximum_session_expiry_interval);
        (self.session_expiry_interval, self.will_delay_interval) = (expiry, delay);
        if let Some(records) = subscriptions {
            self.subscriptions = records;
            self.subscriptions_changed = true;
        }
        self.messages.append(&mut messages);
        Ok(())
    }
}

fn check_subscription(record: &Record, settings: &SessionSettings) -> Result<(), String> {
    let filter = record
        .iter()
        .find_map(|(field, value)| match (field, value) {
            (Field::TopicFilter, Owned::Text(filter)) => Some(filter),
            _ => None,
        });
    let filter = filter.ok_or("subscriptions: a record has no topic_filter")?;
    settings.check_topic(filter)?;
    let parsed = TopicFilter::parse(filter)
        .map_err(|error| format!("subscriptions: topic_filter \"{filter}\": {error}"))?;
    if parsed.is_shared() && record.contains(&(Field::NoLocal, Owned::Bool(true))) {
        return Err(format!(
            "subscriptions: no_local of \"{filter}\": not for a Shared Subscription [MQTT-3.8.3-4]"
        ));
    }
    Ok(())
}

/// A message from a record that a plugin supplied; its Message Expiry Interval counts from now.
pub(crate) fn message(record: &Record, settings: &SessionSettings) -> Result<Message, String> {
    let mut topic = None;
    let mut message = Message {
        topic: TopicName::parse("-").map_err(|error| error.to_string())?,
        payload: Bytes::new(),
        qos: QoS::AtMostOnce,
        retain: false,
        properties: None,
        expires_at: None,
        sender: None,
        source: Source::Plugin { depth: 1 },
    };
    let mut properties = MessageProperties::default();
    for (field, value) in record {
        let field = *field;
        match field {
            Field::Topic => {
                let name = change!(field, value, text).ok_or("messages: a record has no topic")?;
                settings.check_topic(&name)?;
                topic = Some(
                    TopicName::parse(&name)
                        .map_err(|error| format!("messages: topic \"{name}\": {error}"))?,
                );
            }
            Field::Payload => message.payload = change!(field, value, bytes).unwrap_or_default(),
            Field::Qos => message.qos = change!(field, value, qos),
            Field::Retain => message.retain = change!(field, value, bool),
            Field::PayloadFormat => {
                properties.payload_format = match change!(field, value, integer u8) {
                    0 => Some(PayloadFormat::Bytes),
                    1 => Some(PayloadFormat::Utf8),
                    other => {
                        return Err(format!(
                            "messages: payload_format {other} is neither 0 nor 1"
                        ));
                    }
                };
            }
            Field::MessageExpiryInterval => {
                let seconds = change!(field, value, integer u32);
                message.expires_at = crate::now().checked_add(Duration::from_secs(seconds.into()));
            }
            Field::ContentType => properties.content_type = change!(field, value, text),
            Field::ResponseTopic => properties.response_topic = change!(field, value, text),
            Field::CorrelationData => properties.correlation_data = change!(field, value, bytes),
            Field::UserProperties => properties.user_properties = change!(field, value, pairs),
            Field::SenderClientId => {
                message.sender = change!(field, value, text).map(ClientId::from)
            }
            other => {
                return Err(format!(
                    "messages: {} is no field of a record",
                    other.name()
                ));
            }
        }
    }
    message.topic = topic.ok_or("messages: a record has no topic")?;
    message.properties = Some(Box::new(properties));
    Ok(message)
}

/// The User Properties of a CONNECT, for notices that outlive it.
pub(crate) fn owned_pairs(connect: &Connect) -> OwnedPairs {
    OwnedPairs(connect.user_properties.clone())
}

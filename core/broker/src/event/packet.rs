//! A control packet as `intercept_inbound_packet` and `intercept_outbound_packet` see it.

use bytes::Bytes;
use hookmq_mqtt::property::UserPropertiesRef;
use hookmq_mqtt::{Packet, PacketType, ReasonCode, TopicName};
use hookmq_plugin_api::{Event, Field, Hook, Owned, Value};

use super::{OwnedPairs, UserPairs, change};
use crate::client::ClientInfo;
use crate::hook::Subject;
use crate::session::settings::SessionSettings;

/// A packet that plugins may drop, and, if it is a PUBLISH, change.
pub(crate) struct PacketDraft<'a> {
    hook: Hook,
    client: Option<&'a ClientInfo>,
    packet: &'a Packet<'a>,
    settings: &'a SessionSettings,
    pairs: UserPairs<'a>,
    topic: Option<TopicName>,
    payload: Option<Bytes>,
    retain: Option<bool>,
    user_properties: Option<OwnedPairs>,
}

impl<'a> PacketDraft<'a> {
    pub(crate) fn new(
        hook: Hook,
        client: Option<&'a ClientInfo>,
        packet: &'a Packet<'a>,
        settings: &'a SessionSettings,
    ) -> Self {
        let pairs = UserPairs(user_properties(packet));
        Self {
            hook,
            client,
            packet,
            settings,
            pairs,
            topic: None,
            payload: None,
            retain: None,
            user_properties: None,
        }
    }

    /// The packet in its present form.
    pub(crate) fn packet(&self) -> Packet<'_> {
        let Packet::Publish(publish) = self.packet else {
            return self.packet.clone();
        };
        let mut publish = *publish;
        if let Some(topic) = &self.topic {
            publish.topic = topic;
        }
        if let Some(payload) = &self.payload {
            publish.payload = payload;
        }
        publish.retain = self.retain.unwrap_or(publish.retain);
        if let Some(user_properties) = &self.user_properties {
            publish.properties.user_properties = user_properties.0.as_ref();
        }
        Packet::Publish(publish)
    }

    /// Whether a plugin changed anything.
    pub(crate) const fn is_changed(&self) -> bool {
        self.topic.is_some()
            || self.payload.is_some()
            || self.retain.is_some()
            || self.user_properties.is_some()
    }
}

impl Event for PacketDraft<'_> {
    fn hook(&self) -> Hook {
        self.hook
    }

    fn get(&self, field: Field) -> Value<'_> {
        match (field, self.packet) {
            (Field::PacketType, packet) => Value::Text(word(packet.packet_type())),
            (Field::ReasonCode, packet) => {
                Value::integer(reason(packet).map(|reason| reason as u8))
            }
            (Field::PacketIdentifier, packet) => Value::integer(identifier(packet)),
            (Field::UserProperties, _) => match &self.user_properties {
                Some(changed) => Value::Pairs(changed),
                None => Value::Pairs(&self.pairs),
            },
            (Field::Topic, Packet::Publish(publish)) => {
                Value::Text(self.topic.as_deref().unwrap_or(publish.topic))
            }
            (Field::Payload, Packet::Publish(publish)) => {
                Value::Bytes(self.payload.as_deref().unwrap_or(publish.payload))
            }
            (Field::PayloadSize, Packet::Publish(publish)) => {
                Value::Integer(self.payload.as_deref().unwrap_or(publish.payload).len() as i64)
            }
            (Field::Qos, Packet::Publish(publish)) => Value::Integer(publish.qos as i64),
            (Field::Retain, Packet::Publish(publish)) => {
                Value::Bool(self.retain.unwrap_or(publish.retain))
            }
            (Field::Dup, Packet::Publish(publish)) => Value::Bool(publish.dup),
            (Field::ClientId, Packet::Connect(connect)) => Value::Text(&connect.client_id),
            (Field::Username, Packet::Connect(connect)) => Value::text(connect.username.as_deref()),
            (field, _) => self.client.map_or(Value::Nil, |client| client.get(field)),
        }
    }
}

impl Subject for PacketDraft<'_> {
    fn event(&self) -> &dyn Event {
        self
    }

    fn apply(&mut self, changes: &[(Field, Owned)]) -> Result<(), String> {
        let (mut topic, mut payload) = (self.topic.clone(), self.payload.clone());
        let (mut retain, mut user_properties) = (self.retain, self.user_properties.clone());
        for (field, value) in changes {
            let field = *field;
            if !matches!(self.packet, Packet::Publish(_)) {
                return Err(format!(
                    "{}: only a PUBLISH can be changed, this is {}",
                    field.name(),
                    self.packet.packet_type().name()
                ));
            }
            match field {
                Field::Topic => {
                    let name =
                        change!(field, value, text).ok_or("topic: a PUBLISH must have one")?;
                    self.settings.check_topic(&name)?;
                    topic =
                        Some(TopicName::parse(&name).map_err(|error| format!("topic: {error}"))?);
                }
                Field::Payload => {
                    let bytes = change!(field, value, bytes).unwrap_or_default();
                    if bytes.len() > self.settings.maximum_packet_size as usize {
                        return Err(format!(
                            "payload: {} bytes are over maximum_packet_size",
                            bytes.len()
                        ));
                    }
                    payload = Some(bytes);
                }
                Field::Retain => retain = Some(change!(field, value, bool)),
                Field::UserProperties => {
                    user_properties = Some(OwnedPairs(change!(field, value, pairs)))
                }
                other => return Err(format!("{}: may not be changed here", other.name())),
            }
        }
        (self.topic, self.payload, self.retain, self.user_properties) =
            (topic, payload, retain, user_properties);
        Ok(())
    }
}

fn user_properties<'a>(packet: &'a Packet<'a>) -> UserPropertiesRef<'a> {
    match packet {
        Packet::Connect(connect) => connect.user_properties.as_ref(),
        Packet::ConnAck(connack) => connack
            .properties
            .as_ref()
            .map(|own| own.user_properties.as_ref())
            .unwrap_or_default(),
        Packet::Publish(publish) => publish.properties.user_properties,
        Packet::PubAck(ack) | Packet::PubRec(ack) | Packet::PubRel(ack) | Packet::PubComp(ack) => {
            ack.properties
                .as_ref()
                .map(|own| own.user_properties.as_ref())
                .unwrap_or_default()
        }
        Packet::Subscribe(subscribe) => subscribe.user_properties.as_ref(),
        Packet::SubAck(suback) => suback.user_properties.as_ref(),
        Packet::Unsubscribe(unsubscribe) => unsubscribe.user_properties.as_ref(),
        Packet::UnsubAck(unsuback) => unsuback.user_properties.as_ref(),
        Packet::Disconnect(disconnect) => disconnect.user_properties.as_ref(),
        Packet::Auth(auth) => auth.user_properties.as_ref(),
        Packet::PingReq | Packet::PingResp => UserPropertiesRef::default(),
    }
}

/// The packet's name as the catalogue writes it.
const fn word(packet_type: PacketType) -> &'static str {
    match packet_type {
        PacketType::Connect => "connect",
        PacketType::ConnAck => "connack",
        PacketType::Publish => "publish",
        PacketType::PubAck => "puback",
        PacketType::PubRec => "pubrec",
        PacketType::PubRel => "pubrel",
        PacketType::PubComp => "pubcomp",
        PacketType::Subscribe => "subscribe",
        PacketType::SubAck => "suback",
        PacketType::Unsubscribe => "unsubscribe",
        PacketType::UnsubAck => "unsuback",
        PacketType::PingReq => "pingreq",
        PacketType::PingResp => "pingresp",
        PacketType::Disconnect => "disconnect",
        PacketType::Auth => "auth",
    }
}

const fn reason(packet: &Packet<'_>) -> Option<ReasonCode> {
    match packet {
        Packet::ConnAck(connack) => Some(connack.reason),
        Packet::PubAck(ack) | Packet::PubRec(ack) | Packet::PubRel(ack) | Packet::PubComp(ack) => {
            Some(ack.reason)
        }
        Packet::Disconnect(disconnect) => Some(disconnect.reason),
        Packet::Auth(auth) => Some(auth.reason),
        _ => None,
    }
}

fn identifier(packet: &Packet<'_>) -> Option<u16> {
    match packet {
        Packet::Publish(publish) => publish
            .packet_identifier
            .map(hookmq_mqtt::PacketIdentifier::get),
        Packet::PubAck(ack) | Packet::PubRec(ack) | Packet::PubRel(ack) | Packet::PubComp(ack) => {
            Some(ack.packet_identifier.get())
        }
        Packet::Subscribe(subscribe) => Some(subscribe.packet_identifier.get()),
        Packet::SubAck(suback) => Some(suback.packet_identifier.get()),
        Packet::Unsubscribe(unsubscribe) => Some(unsubscribe.packet_identifier.get()),
        Packet::UnsubAck(unsuback) => Some(unsuback.packet_identifier.get()),
        _ => None,
    }
}

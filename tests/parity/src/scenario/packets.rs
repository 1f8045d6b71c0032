//! What the clients of all stories say.

use hookmq_mqtt::packet::{
    Ack, Connect, Publish, PublishProperties, Subscribe, SubscribeEntry, SubscriptionOptions,
    Unsubscribe, Will,
};
use hookmq_mqtt::property::{PayloadFormat, UserProperties};
use hookmq_mqtt::{
    Packet, PacketIdentifier, ProtocolVersion, QoS, ReasonCode, SubscriptionIdentifier, TopicName,
};

pub(super) const V3: ProtocolVersion = ProtocolVersion::V311;
pub(super) const V5: ProtocolVersion = ProtocolVersion::V5;

pub(super) fn identifier(number: u16) -> PacketIdentifier {
    PacketIdentifier::new(number).expect("not zero")
}

pub(super) fn pairs(list: &[(&str, &str)]) -> UserProperties {
    let mut properties = UserProperties::new();
    for (name, value) in list {
        properties.push(name, value).expect("short texts");
    }
    properties
}

/// A client of MQTT 5 with a username.
pub(super) fn named(client_id: &str) -> Connect {
    Connect {
        username: Some(format!("user-of-{client_id}")),
        ..Connect::new(V5, client_id)
    }
}

/// A client that keeps its Session for so long.
pub(super) fn staying(client_id: &str, seconds: u32) -> Connect {
    Connect {
        clean_start: false,
        session_expiry_interval: Some(seconds),
        ..named(client_id)
    }
}

/// A will with all properties.
pub(super) fn will(topic: &str, delay: u32) -> Will {
    Will {
        qos: QoS::AtLeastOnce,
        retain: true,
        delay_interval: delay,
        payload_format: Some(PayloadFormat::Utf8),
        message_expiry_interval: Some(60),
        content_type: Some("text/plain".to_owned()),
        response_topic: Some("answers/will".to_owned()),
        correlation_data: Some(vec![0, 200, 7].into()),
        user_properties: pairs(&[("last", "1"), ("last", "2")]),
        ..Will::new(
            TopicName::parse(topic).expect("a Topic Name"),
            "bye".to_owned().into(),
        )
    }
}

pub(super) fn message<'a>(topic: &'a str, payload: &'a [u8], qos: QoS) -> Publish<'a> {
    Publish {
        dup: false,
        qos,
        retain: false,
        topic,
        packet_identifier: None,
        payload,
        properties: PublishProperties::default(),
    }
}

/// A message with all properties, retained.
pub(super) fn rich<'a>(
    topic: &'a str,
    payload: &'a [u8],
    qos: QoS,
    user_properties: &'a UserProperties,
) -> Publish<'a> {
    Publish {
        retain: true,
        properties: PublishProperties {
            payload_format: Some(PayloadFormat::Utf8),
            message_expiry_interval: Some(60),
            response_topic: Some("answers"),
            correlation_data: Some(&[0, 200, 7]),
            content_type: Some("text/plain"),
            user_properties: user_properties.as_ref(),
            ..PublishProperties::default()
        },
        ..message(topic, payload, qos)
    }
}

/// With a Packet Identifier, as QoS 1 and 2 want it.
pub(super) fn numbered(number: u16, publish: Publish<'_>) -> Packet<'_> {
    Packet::Publish(Publish {
        packet_identifier: Some(identifier(number)),
        ..publish
    })
}

pub(super) fn ack(number: u16) -> Ack {
    Ack::new(identifier(number), ReasonCode::Success)
}

pub(super) fn subscribe(
    number: u16,
    subscription_identifier: Option<u32>,
    entries: &[(&str, SubscriptionOptions)],
) -> Packet<'static> {
    Packet::Subscribe(Subscribe {
        packet_identifier: identifier(number),
        subscription_identifier: subscription_identifier.and_then(SubscriptionIdentifier::new),
        user_properties: if subscription_identifier.is_some() {
            pairs(&[("asked", "1"), ("asked", "2")])
        } else {
            UserProperties::new()
        },
        subscriptions: entries
            .iter()
            .map(|(filter, options)| SubscribeEntry {
                topic_filter: (*filter).to_owned(),
                options: *options,
            })
            .collect(),
    })
}

pub(super) fn unsubscribe(number: u16, filters: &[&str], says: bool) -> Packet<'static> {
    Packet::Unsubscribe(Unsubscribe {
        packet_identifier: identifier(number),
        topic_filters: filters.iter().map(|filter| (*filter).to_owned()).collect(),
        user_properties: if says {
            pairs(&[("left", "1"), ("left", "2")])
        } else {
            UserProperties::new()
        },
    })
}

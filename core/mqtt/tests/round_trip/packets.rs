//! Strategies for every packet, valid in the version asked for.

use std::num::{NonZeroU16, NonZeroU32};

use bytes::Bytes;
use hookmq_mqtt::{
    Ack, AckProperties, Auth, ConnAck, ConnAckProperties, Connect, Disconnect, Packet,
    PacketIdentifier, PacketType, PayloadFormat, ProtocolVersion, Publish, PublishProperties, QoS,
    ReasonCode, RetainHandling, SubAck, Subscribe, SubscribeEntry, SubscriptionIdentifier,
    SubscriptionOptions, TopicName, UnsubAck, Unsubscribe, UserProperties, Will,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

/// A packet that owns what PUBLISH borrows.
#[derive(Debug, Clone)]
pub(crate) enum Owned {
    Other(Packet<'static>),
    Publish(Box<OwnedPublish>),
}

#[derive(Debug, Clone)]
pub(crate) struct OwnedPublish {
    qos: QoS,
    dup: bool,
    retain: bool,
    topic: String,
    packet_identifier: PacketIdentifier,
    payload: Vec<u8>,
    payload_format: Option<PayloadFormat>,
    message_expiry_interval: Option<u32>,
    topic_alias: Option<NonZeroU16>,
    response_topic: Option<String>,
    correlation_data: Option<Vec<u8>>,
    content_type: Option<String>,
    user_properties: UserProperties,
    subscription_identifiers: Vec<SubscriptionIdentifier>,
}

impl Owned {
    /// Hands the packet to `use_it`.
    pub(crate) fn with<T>(&self, use_it: impl FnOnce(&Packet<'_>) -> T) -> T {
        match self {
            Self::Other(packet) => use_it(packet),
            Self::Publish(publish) => use_it(&Packet::Publish(Publish {
                dup: publish.dup,
                qos: publish.qos,
                retain: publish.retain,
                topic: &publish.topic,
                packet_identifier: (publish.qos != QoS::AtMostOnce)
                    .then_some(publish.packet_identifier),
                payload: &publish.payload,
                properties: PublishProperties {
                    payload_format: publish.payload_format,
                    message_expiry_interval: publish.message_expiry_interval,
                    topic_alias: publish.topic_alias,
                    response_topic: publish.response_topic.as_deref(),
                    correlation_data: publish.correlation_data.as_deref(),
                    content_type: publish.content_type.as_deref(),
                    user_properties: publish.user_properties.as_ref(),
                    subscription_identifiers: publish.subscription_identifiers[..].into(),
                },
            })),
        }
    }
}

pub(crate) fn version() -> impl Strategy<Value = ProtocolVersion> {
    prop_oneof![Just(ProtocolVersion::V311), Just(ProtocolVersion::V5)]
}

fn text() -> impl Strategy<Value = String> {
    "[^\\x00]{0,12}"
}

fn topic_name() -> impl Strategy<Value = String> {
    prop_oneof!["[^\\x00+#]{1,40}", "[a-z0-9]{1,8}(/[a-z0-9]{0,8}){0,5}"]
}

fn data() -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..20).prop_map(Bytes::from)
}

fn qos() -> impl Strategy<Value = QoS> {
    (0..=2u8).prop_map(|number| QoS::from_u8(number).expect("0 to 2"))
}

fn packet_identifier() -> impl Strategy<Value = PacketIdentifier> {
    (1..=u16::MAX).prop_map(|number| PacketIdentifier::new(number).expect("not zero"))
}

fn subscription_identifier() -> impl Strategy<Value = SubscriptionIdentifier> {
    prop_oneof![1..300u32, 1..=SubscriptionIdentifier::MAX]
        .prop_map(|number| SubscriptionIdentifier::new(number).expect("in range"))
}

fn user_properties() -> impl Strategy<Value = UserProperties> {
    vec((text(), text()), 0..4).prop_map(|pairs| {
        let mut properties = UserProperties::new();
        for (name, value) in pairs {
            properties
                .push(&name, &value)
                .expect("short and without U+0000");
        }
        properties
    })
}

fn payload_format() -> impl Strategy<Value = PayloadFormat> {
    prop_oneof![Just(PayloadFormat::Bytes), Just(PayloadFormat::Utf8)]
}

/// A Reason Code that the packet may carry.
fn reason(packet_type: PacketType) -> impl Strategy<Value = ReasonCode> {
    let codes: Vec<ReasonCode> = ReasonCode::ALL
        .iter()
        .copied()
        .filter(|reason| reason.allowed_in(packet_type))
        .collect();
    proptest::sample::select(codes)
}

fn explanation() -> impl Strategy<Value = (Option<String>, UserProperties)> {
    (option::of(text()), user_properties())
}

fn will() -> impl Strategy<Value = Will> {
    let message = (topic_name(), data(), qos(), any::<bool>());
    let intervals = (
        any::<u32>(),
        option::of(payload_format()),
        option::of(any::<u32>()),
    );
    let rest = (
        option::of(text()),
        option::of(topic_name()),
        option::of(data()),
        user_properties(),
    );
    (message, intervals, rest).prop_map(
        |(
            (topic, payload, qos, retain),
            (delay_interval, payload_format, message_expiry_interval),
            (content_type, response_topic, correlation_data, user_properties),
        )| Will {
            topic: TopicName::parse(&topic).expect("a topic name"),
            payload,
            qos,
            retain,
            delay_interval,
            payload_format,
            message_expiry_interval,
            content_type,
            response_topic,
            correlation_data,
            user_properties,
        },
    )
}

pub(crate) fn connect(version: ProtocolVersion) -> impl Strategy<Value = Owned> {
    let fixed = (
        any::<bool>(),
        any::<u16>(),
        text(),
        option::of(text()),
        option::of(data()),
        option::of(will()),
    );
    let limits = (
        option::of(any::<u32>()),
        any::<Option<NonZeroU16>>(),
        any::<Option<NonZeroU32>>(),
        any::<u16>(),
    );
    let rest = (
        any::<bool>(),
        any::<bool>(),
        user_properties(),
        option::of((text(), option::of(data()))),
    );
    (fixed, limits, rest).prop_map(move |(fixed, limits, rest)| {
        let (clean_start, keep_alive, client_id, username, password, mut will) = fixed;
        let mut connect = Connect {
            clean_start,
            keep_alive,
            username,
            password,
            ..Connect::new(version, &client_id)
        };
        if version == ProtocolVersion::V311 {
            connect.password = connect.password.filter(|_| connect.username.is_some());
            will = will.map(|will| Will {
                qos: will.qos,
                retain: will.retain,
                ..Will::new(will.topic, will.payload)
            });
        } else {
            let (
                session_expiry_interval,
                receive_maximum,
                maximum_packet_size,
                topic_alias_maximum,
            ) = limits;
            let (
                request_response_information,
                request_problem_information,
                user_properties,
                authentication,
            ) = rest;
            let (method, data) = authentication.unzip();
            connect = Connect {
                session_expiry_interval,
                receive_maximum,
                maximum_packet_size,
                topic_alias_maximum,
                request_response_information,
                request_problem_information,
                user_properties,
                authentication_method: method,
                authentication_data: data.flatten(),
                ..connect
            };
        }
        connect.will = will.map(Box::new);
        Owned::Other(Packet::Connect(Box::new(connect)))
    })
}

fn connack_properties() -> impl Strategy<Value = ConnAckProperties> {
    let limits = (
        option::of(any::<u32>()),
        any::<Option<NonZeroU16>>(),
        any::<Option<NonZeroU32>>(),
        any::<u16>(),
    );
    let offers = (qos(), any::<[bool; 4]>(), option::of(any::<u16>()));
    let texts = (
        option::of(text()),
        option::of(text()),
        option::of(text()),
        explanation(),
    );
    let authentication = option::of((text(), option::of(data())));
    (limits, offers, texts, authentication).prop_map(|(limits, offers, texts, authentication)| {
        let (session_expiry_interval, receive_maximum, maximum_packet_size, topic_alias_maximum) =
            limits;
        let (maximum_qos, [retain, wildcard, identifiers, shared], server_keep_alive) = offers;
        let (assigned_client_identifier, response_information, server_reference, explanation) =
            texts;
        let (authentication_method, authentication_data) = authentication.unzip();
        ConnAckProperties {
            session_expiry_interval,
            receive_maximum,
            maximum_qos,
            retain_available: retain,
            maximum_packet_size,
            assigned_client_identifier,
            topic_alias_maximum,
            reason_string: explanation.0,
            user_properties: explanation.1,
            wildcard_subscription_available: wildcard,
            subscription_identifiers_available: identifiers,
            shared_subscription_available: shared,
            server_keep_alive,
            response_information,
            server_reference,
            authentication_method,
            authentication_data: authentication_data.flatten(),
        }
    })
}

pub(crate) fn connack(version: ProtocolVersion) -> impl Strategy<Value = Owned> {
    (
        any::<bool>(),
        reason(PacketType::ConnAck),
        option::of(connack_properties()),
    )
        .prop_map(move |(session_present, reason, properties)| {
            let session_present = session_present && !reason.is_error();
            Owned::Other(Packet::ConnAck(match version {
                // Only what has a return code of its own comes back.
                ProtocolVersion::V311 => {
                    let code = reason.v311_connect_return_code();
                    let reason = ReasonCode::from_v311_connect_return_code(code).expect("defined");
                    ConnAck::new(session_present, reason)
                }
                ProtocolVersion::V5 => {
                    // None is the only way to say that all is at its default.
                    let properties =
                        properties.filter(|properties| *properties != ConnAckProperties::default());
                    ConnAck {
                        session_present,
                        reason,
                        properties: properties.map(Box::new),
                    }
                }
            }))
        })
}

pub(crate) fn publish(version: ProtocolVersion) -> impl Strategy<Value = Owned> {
    let fixed = (
        qos(),
        any::<bool>(),
        any::<bool>(),
        topic_name(),
        packet_identifier(),
    );
    let payload = prop_oneof![9 => vec(any::<u8>(), 0..200), 1 => vec(any::<u8>(), 16_300..16_500)];
    let intervals = (
        option::of(payload_format()),
        option::of(any::<u32>()),
        any::<Option<NonZeroU16>>(),
        any::<bool>(),
    );
    let fields = (
        option::of(topic_name()),
        option::of(vec(any::<u8>(), 0..20)),
        option::of(text()),
    );
    let rest = (user_properties(), vec(subscription_identifier(), 0..4));
    (fixed, payload, intervals, fields, rest).prop_map(
        move |(fixed, payload, intervals, fields, rest)| {
            let (qos, dup, retain, topic, packet_identifier) = fixed;
            let mut publish = OwnedPublish {
                qos,
                dup: dup && qos != QoS::AtMostOnce,
                retain,
                topic,
                packet_identifier,
                payload,
                payload_format: None,
                message_expiry_interval: None,
                topic_alias: None,
                response_topic: None,
                correlation_data: None,
                content_type: None,
                user_properties: UserProperties::new(),
                subscription_identifiers: Vec::new(),
            };
            if version == ProtocolVersion::V5 {
                let by_alias_only;
                (
                    publish.payload_format,
                    publish.message_expiry_interval,
                    publish.topic_alias,
                    by_alias_only,
                ) = intervals;
                (
                    publish.response_topic,
                    publish.correlation_data,
                    publish.content_type,
                ) = fields;
                (publish.user_properties, publish.subscription_identifiers) = rest;
                if by_alias_only && publish.topic_alias.is_some() {
                    publish.topic.clear();
                }
            }
            Owned::Publish(Box::new(publish))
        },
    )
}

pub(crate) fn acknowledgement(version: ProtocolVersion) -> impl Strategy<Value = Owned> {
    let packet_type = prop_oneof![
        Just(PacketType::PubAck),
        Just(PacketType::PubRec),
        Just(PacketType::PubRel),
        Just(PacketType::PubComp)
    ];
    packet_type.prop_flat_map(move |packet_type| {
        (packet_identifier(), reason(packet_type), explanation()).prop_map(
            move |(packet_identifier, reason, explained)| {
                let mut ack = Ack::new(packet_identifier, ReasonCode::Success);
                if version == ProtocolVersion::V5 {
                    let properties = AckProperties {
                        reason_string: explained.0,
                        user_properties: explained.1,
                    };
                    let properties =
                        (properties != AckProperties::default()).then(|| Box::new(properties));
                    ack = Ack {
                        packet_identifier,
                        reason,
                        properties,
                    };
                }
                Owned::Other(match packet_type {
                    PacketType::PubAck => Packet::PubAck(ack),
                    PacketType::PubRec => Packet::PubRec(ack),
                    PacketType::PubRel => Packet::PubRel(ack),
                    _ => Packet::PubComp(ack),
                })
            },
        )
    })
}

fn entry(version: ProtocolVersion) -> impl Strategy<Value = SubscribeEntry> {
    (text(), qos(), any::<bool>(), any::<bool>(), 0..=2u8).prop_map(
        move |(topic_filter, qos, local, retain, handling)| {
            let options = match version {
                ProtocolVersion::V311 => qos.into(),
                ProtocolVersion::V5 => SubscriptionOptions {
                    qos,
                    no_local: local && !topic_filter.starts_with("$share/"),
                    retain_as_published: retain,
                    retain_handling: RetainHandling::from_u8(handling).expect("0 to 2"),
                },
            };
            SubscribeEntry {
                topic_filter,
                options,
            }
        },
    )
}

pub(crate) fn subscribe(version: ProtocolVersion) -> impl Strategy<Value = Owned> {
    (
        packet_identifier(),
        option::of(subscription_identifier()),
        user_properties(),
        vec(entry(version), 1..6),
    )
        .prop_map(
            move |(packet_identifier, subscription_identifier, user_properties, subscriptions)| {
                let v5 = version == ProtocolVersion::V5;
                Owned::Other(Packet::Subscribe(Subscribe {
                    packet_identifier,
                    subscription_identifier: subscription_identifier.filter(|_| v5),
                    user_properties: if v5 {
                        user_properties
                    } else {
                        UserProperties::new()
                    },
                    subscriptions,
                }))
            },
        )
}

pub(crate) fn suback(version: ProtocolVersion) -> impl Strategy<Value = Owned> {
    (
        packet_identifier(),
        vec(reason(PacketType::SubAck), 1..6),
        explanation(),
    )
        .prop_map(
            move |(packet_identifier, mut reasons, (reason_string, user_properties))| {
                Owned::Other(Packet::SubAck(if version == ProtocolVersion::V5 {
                    SubAck {
                        packet_identifier,
                        reasons,
                        reason_string,
                        user_properties,
                    }
                } else {
                    for reason in reasons.iter_mut().filter(|reason| reason.is_error()) {
                        *reason = ReasonCode::UnspecifiedError;
                    }
                    SubAck::new(packet_identifier, reasons)
                }))
            },
        )
}

pub(crate) fn unsubscribe(version: ProtocolVersion) -> impl Strategy<Value = Owned> {
    (packet_identifier(), vec(text(), 1..6), user_properties()).prop_map(
        move |(packet_identifier, topic_filters, user_properties)| {
            let v5 = version == ProtocolVersion::V5;
            let user_properties = if v5 {
                user_properties
            } else {
                UserProperties::new()
            };
            Owned::Other(Packet::Unsubscribe(Unsubscribe {
                packet_identifier,
                topic_filters,
                user_properties,
            }))
        },
    )
}

pub(crate) fn unsuback(version: ProtocolVersion) -> impl Strategy<Value = Owned> {
    (
        packet_identifier(),
        vec(reason(PacketType::UnsubAck), 1..6),
        explanation(),
    )
        .prop_map(
            move |(packet_identifier, reasons, (reason_string, user_properties))| {
                Owned::Other(Packet::UnsubAck(if version == ProtocolVersion::V5 {
                    UnsubAck {
                        packet_identifier,
                        reasons,
                        reason_string,
                        user_properties,
                    }
                } else {
                    UnsubAck::new(packet_identifier, Vec::new())
                }))
            },
        )
}

pub(crate) fn disconnect(version: ProtocolVersion) -> impl Strategy<Value = Owned> {
    (
        reason(PacketType::Disconnect),
        option::of(any::<u32>()),
        explanation(),
        option::of(text()),
    )
        .prop_map(
            move |(
                reason,
                session_expiry_interval,
                (reason_string, user_properties),
                server_reference,
            )| {
                Owned::Other(Packet::Disconnect(if version == ProtocolVersion::V5 {
                    Disconnect {
                        reason,
                        session_expiry_interval,
                        reason_string,
                        user_properties,
                        server_reference,
                    }
                } else {
                    Disconnect::default()
                }))
            },
        )
}

pub(crate) fn auth() -> impl Strategy<Value = Owned> {
    let full = (
        reason(PacketType::Auth),
        text(),
        option::of(data()),
        explanation(),
    )
        .prop_map(
            |(reason, method, authentication_data, (reason_string, user_properties))| Auth {
                reason,
                authentication_method: Some(method),
                authentication_data,
                reason_string,
                user_properties,
            },
        );
    prop_oneof![1 => Just(Auth::default()), 9 => full]
        .prop_map(|auth| Owned::Other(Packet::Auth(auth)))
}

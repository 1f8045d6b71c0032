//! What cannot be said is refused before a byte is written, and what only 5.0 can say is left out in 3.1.1.

use bytes::{Bytes, BytesMut};
use hookmq_mqtt::{
    Ack, AckProperties, Auth, ConnAck, ConnAckProperties, Connect, Disconnect, EncodeError, Packet,
    PacketIdentifier, PacketType, ProtocolVersion, Publish, PublishProperties, QoS, ReasonCode,
    SubAck, Subscribe, SubscribeEntry, SubscriptionIdentifier, SubscriptionOptions, TopicName,
    UnsubAck, Unsubscribe, UserProperties, Will, codec,
};

use ProtocolVersion::{V5, V311};

const ID: PacketIdentifier = PacketIdentifier::FIRST;

fn plain() -> Publish<'static> {
    Publish {
        dup: false,
        qos: QoS::AtMostOnce,
        retain: false,
        topic: "a",
        packet_identifier: None,
        payload: b"",
        properties: PublishProperties::default(),
    }
}

fn user_properties() -> UserProperties {
    let mut properties = UserProperties::new();
    properties.push("k", "v").expect("short");
    properties
}

#[track_caller]
fn refused(packet: &Packet<'_>, version: ProtocolVersion, expected: EncodeError) {
    let mut out = BytesMut::from(&b"before"[..]);
    assert_eq!(codec::encode(packet, version, &mut out), Err(expected));
    assert_eq!(&out[..], b"before");
    assert_eq!(codec::packet_len(packet, version), Err(expected));
}

#[track_caller]
fn written(packet: &Packet<'_>, version: ProtocolVersion, expected: &[u8]) {
    let mut out = BytesMut::new();
    codec::encode(packet, version, &mut out).expect("a valid packet");
    assert_eq!(&out[..], expected, "{packet}");
    assert_eq!(codec::packet_len(packet, version), Ok(expected.len()));
}

/// [MQTT-2.2.1-2], [MQTT-3.3.1-2], [v3 MQTT-2.3.1-1], [v3 MQTT-2.3.1-5], [v3 MQTT-3.3.1-2]
#[test]
fn a_publish_that_contradicts_itself_is_refused() {
    for version in [V311, V5] {
        let numbered = Publish {
            packet_identifier: Some(ID),
            ..plain()
        };
        refused(
            &Packet::Publish(numbered),
            version,
            EncodeError::PacketIdentifier,
        );
        for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
            refused(
                &Packet::Publish(Publish { qos, ..plain() }),
                version,
                EncodeError::PacketIdentifier,
            );
        }
        refused(
            &Packet::Publish(Publish {
                dup: true,
                ..plain()
            }),
            version,
            EncodeError::DupWithQoS0,
        );
        refused(
            &Packet::Publish(Publish {
                topic: "",
                ..plain()
            }),
            version,
            EncodeError::TopicNameMissing,
        );
    }
    let alias = PublishProperties {
        topic_alias: std::num::NonZeroU16::new(3),
        ..PublishProperties::default()
    };
    let by_alias = Packet::Publish(Publish {
        topic: "",
        properties: alias,
        ..plain()
    });
    refused(&by_alias, V311, EncodeError::TopicNameMissing);
    written(&by_alias, V5, &[0x30, 6, 0, 0, 3, 0x23, 0, 3]);
}

#[test]
fn fields_and_packets_too_long_for_the_wire_are_refused() {
    let long = "x".repeat(65_536);
    let field = |field| EncodeError::FieldTooLong {
        field,
        n_bytes: 65_536,
    };
    refused(
        &Packet::Publish(Publish {
            topic: &long,
            ..plain()
        }),
        V311,
        field("topic name"),
    );
    for (properties, name) in [
        (
            PublishProperties {
                response_topic: Some(&long),
                ..Default::default()
            },
            "Response Topic",
        ),
        (
            PublishProperties {
                content_type: Some(&long),
                ..Default::default()
            },
            "Content Type",
        ),
        (
            PublishProperties {
                correlation_data: Some(long.as_bytes()),
                ..Default::default()
            },
            "Correlation Data",
        ),
    ] {
        let packet = Packet::Publish(Publish {
            properties,
            ..plain()
        });
        refused(&packet, V5, field(name));
        written(&packet, V311, &[0x30, 3, 0, 1, b'a']);
    }
    let connect = |change: fn(&mut Connect, String)| {
        let mut connect = Connect::new(V5, "");
        change(&mut connect, "x".repeat(65_536));
        Packet::Connect(Box::new(connect))
    };
    refused(
        &connect(|connect, long| connect.client_id = long),
        V5,
        field("client identifier"),
    );
    refused(
        &connect(|connect, long| connect.username = Some(long)),
        V5,
        field("user name"),
    );
    refused(
        &connect(|connect, long| connect.password = Some(long.into())),
        V5,
        field("password"),
    );
    let will = connect(|connect, long| {
        connect.will = Some(Box::new(Will::new(
            TopicName::parse("w").expect("valid"),
            Bytes::from(long),
        )));
    });
    refused(&will, V5, field("will payload"));

    // Never touched, so this costs no memory.
    let payload = vec![0; 268_435_456];
    let huge = Publish {
        payload: &payload,
        ..plain()
    };
    refused(
        &Packet::Publish(huge),
        V311,
        EncodeError::PacketTooLong {
            n_bytes: 268_435_459,
        },
    );
    assert_eq!(codec::publish_len(&huge, V311), 268_435_464);
}

/// [MQTT-1.5.4-2], [v3 MQTT-1.5.3-2]
#[test]
fn a_null_character_is_never_written() {
    let why = "because\0".to_owned();
    let null = |field| EncodeError::NullCharacter { field };
    let disconnect = Disconnect {
        reason_string: Some(why.clone()),
        ..Disconnect::default()
    };
    refused(&Packet::Disconnect(disconnect), V5, null("Reason String"));
    let properties = AckProperties {
        reason_string: Some(why.clone()),
        ..AckProperties::default()
    };
    let ack = Ack {
        properties: Some(Box::new(properties)),
        ..Ack::new(ID, ReasonCode::Success)
    };
    refused(&Packet::PubAck(ack), V5, null("Reason String"));
    let properties = PublishProperties {
        content_type: Some(&why),
        ..PublishProperties::default()
    };
    refused(
        &Packet::Publish(Publish {
            properties,
            ..plain()
        }),
        V5,
        null("Content Type"),
    );
    refused(
        &Packet::Connect(Box::new(Connect::new(V311, "a\0"))),
        V311,
        null("client identifier"),
    );
}

/// [MQTT-3.2.2-8], [MQTT-3.4.2-1], [MQTT-3.5.2-1], [MQTT-3.6.2-1], [MQTT-3.7.2-1], [MQTT-3.9.3-2], [MQTT-3.11.3-2],
/// [MQTT-3.14.2-1], [MQTT-3.15.2-1]
#[test]
fn a_packet_carries_its_own_reason_codes_only() {
    for reason in ReasonCode::ALL.iter().copied() {
        let method = Some("m".to_owned());
        for packet in [
            Packet::ConnAck(ConnAck::new(false, reason)),
            Packet::PubAck(Ack::new(ID, reason)),
            Packet::PubRec(Ack::new(ID, reason)),
            Packet::PubRel(Ack::new(ID, reason)),
            Packet::PubComp(Ack::new(ID, reason)),
            Packet::SubAck(SubAck::new(ID, vec![reason])),
            Packet::UnsubAck(UnsubAck::new(ID, vec![reason])),
            Packet::Disconnect(Disconnect::new(reason)),
            Packet::Auth(Auth {
                reason,
                authentication_method: method,
                ..Auth::default()
            }),
        ] {
            let packet_type = packet.packet_type();
            if !reason.allowed_in(packet_type) {
                refused(
                    &packet,
                    V5,
                    EncodeError::ReasonCode {
                        reason,
                        packet_type,
                    },
                );
                continue;
            }
            let mut out = BytesMut::new();
            codec::encode(&packet, V5, &mut out).expect("allowed");
            assert_eq!(codec::decode(&out, V5), Ok(packet));
        }
    }
    let never = [
        PacketType::Connect,
        PacketType::Publish,
        PacketType::Subscribe,
        PacketType::PingReq,
    ];
    assert!(ReasonCode::ALL.iter().all(|reason| {
        never
            .iter()
            .all(|packet_type| !reason.allowed_in(*packet_type))
    }));
}

/// [MQTT-3.8.3-2], [MQTT-3.8.3-4], [MQTT-3.10.3-2]
#[test]
fn lists_are_not_empty_and_shared_subscriptions_not_local() {
    let subscribe = |subscriptions| {
        Packet::Subscribe(Subscribe {
            packet_identifier: ID,
            subscription_identifier: None,
            user_properties: UserProperties::new(),
            subscriptions,
        })
    };
    let unsubscribe = Unsubscribe {
        packet_identifier: ID,
        topic_filters: Vec::new(),
        user_properties: UserProperties::new(),
    };
    for version in [V311, V5] {
        refused(&subscribe(Vec::new()), version, EncodeError::EmptyList);
        refused(
            &Packet::Unsubscribe(unsubscribe.clone()),
            version,
            EncodeError::EmptyList,
        );
        refused(
            &Packet::SubAck(SubAck::new(ID, Vec::new())),
            version,
            EncodeError::EmptyList,
        );
    }
    refused(
        &Packet::UnsubAck(UnsubAck::new(ID, Vec::new())),
        V5,
        EncodeError::EmptyList,
    );

    let options = SubscriptionOptions {
        no_local: true,
        ..SubscriptionOptions::default()
    };
    let shared = SubscribeEntry {
        topic_filter: "$share/g/a".to_owned(),
        options,
    };
    refused(&subscribe(vec![shared]), V5, EncodeError::NoLocalShared);
}

/// [v3 MQTT-3.1.2-22]
#[test]
fn what_a_version_does_not_have_is_refused_or_left_out() {
    refused(
        &Packet::Auth(Auth::default()),
        V311,
        EncodeError::NotInThisVersion { what: "AUTH" },
    );
    refused(
        &Packet::Auth(Auth {
            reason: ReasonCode::ReAuthenticate,
            ..Auth::default()
        }),
        V5,
        EncodeError::AuthenticationMethodMissing,
    );
    let mut connect = Connect::new(V311, "a");
    connect.password = Some(Bytes::from_static(b"p"));
    let what = "a password without a user name";
    refused(
        &Packet::Connect(Box::new(connect.clone())),
        V311,
        EncodeError::NotInThisVersion { what },
    );
    // A CONNECT is written in its own version, whatever is asked for.
    refused(
        &Packet::Connect(Box::new(connect)),
        V5,
        EncodeError::NotInThisVersion { what },
    );

    let identifiers = [SubscriptionIdentifier::new(1).expect("valid")];
    let pairs = user_properties();
    let properties = PublishProperties {
        message_expiry_interval: Some(1),
        user_properties: pairs.as_ref(),
        subscription_identifiers: identifiers[..].into(),
        ..PublishProperties::default()
    };
    written(
        &Packet::Publish(Publish {
            properties,
            ..plain()
        }),
        V311,
        &[0x30, 3, 0, 1, b'a'],
    );
    let properties = ConnAckProperties {
        topic_alias_maximum: 1,
        user_properties: pairs.clone(),
        ..Default::default()
    };
    let connack = ConnAck {
        properties: Some(Box::new(properties)),
        ..ConnAck::new(true, ReasonCode::Success)
    };
    written(&Packet::ConnAck(connack), V311, &[0x20, 2, 1, 0]);
    written(
        &Packet::PubRec(Ack::new(ID, ReasonCode::NotAuthorized)),
        V311,
        &[0x50, 2, 0, 1],
    );
    let reasons = vec![ReasonCode::GrantedQoS2, ReasonCode::NotAuthorized];
    written(
        &Packet::SubAck(SubAck::new(ID, reasons)),
        V311,
        &[0x90, 4, 0, 1, 2, 0x80],
    );
    written(
        &Packet::UnsubAck(UnsubAck::new(ID, vec![ReasonCode::NotAuthorized])),
        V311,
        &[0xb0, 2, 0, 1],
    );
    written(
        &Packet::Disconnect(Disconnect::new(ReasonCode::ServerBusy)),
        V311,
        &[0xe0, 0],
    );
}

/// [MQTT-3.2.2-6], [v3 MQTT-3.2.2-4]
#[test]
fn a_refused_connection_has_no_session() {
    let refusal = Packet::ConnAck(ConnAck::new(true, ReasonCode::Banned));
    written(&refusal, V5, &[0x20, 3, 0, 0x8a, 0]);
    written(&refusal, V311, &[0x20, 2, 0, 5]);
}

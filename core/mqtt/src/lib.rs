//! The words and bytes of MQTT 3.1.1 and 5.0. No clock, socket, lock or task.
//!
//! The nouns of the standard are types that cannot hold a bad value ([`TopicName`], [`PacketIdentifier`], [`QoS`]),
//! each control packet is one type for both versions ([`packet`]), and [`codec`] turns bytes into packets and back.
//! Serves steps 2 and 11 of the path of a PUBLISH: what arrives is judged here once, what leaves is made here once.
//!
//! ```
//! use bytes::BytesMut;
//! use hookmq_mqtt::{Packet, ProtocolVersion, Publish, PublishProperties, QoS, codec};
//!
//! let publish = Publish {
//!     dup: false,
//!     qos: QoS::AtMostOnce,
//!     retain: false,
//!     topic: "room/1/temperature",
//!     packet_identifier: None,
//!     payload: b"21.5",
//!     properties: PublishProperties::default(),
//! };
//! let mut bytes = BytesMut::new();
//! codec::encode_publish(&publish, ProtocolVersion::V5, &mut bytes)?;
//!
//! let whole = match codec::frame(&bytes, 1024)? {
//!     codec::Frame::Complete(n_bytes) => n_bytes,
//!     codec::Frame::Incomplete(_) => unreachable!("the packet was written whole"),
//! };
//! assert_eq!(codec::decode(&bytes[..whole], ProtocolVersion::V5)?, Packet::Publish(publish));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::cast_possible_truncation)
)]

mod clause;
pub mod codec;
pub mod error;
pub mod ids;
pub mod packet;
pub mod property;
pub mod qos;
pub mod reason;
pub mod topic;
pub mod varint;
pub mod version;

pub use codec::{Frame, decode, encode, encode_publish, frame, packet_len, publish_len};
pub use error::{DecodeError, DecodeErrorKind, EncodeError};
pub use ids::{ClientId, PacketIdentifier, ShareName, SubscriptionIdentifier};
pub use packet::{
    Ack, AckProperties, Auth, ConnAck, ConnAckProperties, Connect, Disconnect, Packet, PacketType,
    Publish, PublishProperties, RetainHandling, SubAck, Subscribe, SubscribeEntry,
    SubscriptionIdentifiers, SubscriptionOptions, UnsubAck, Unsubscribe, Will,
};
pub use property::{PayloadFormat, PropertyId, UserProperties, UserPropertiesRef};
pub use qos::QoS;
pub use reason::ReasonCode;
pub use topic::{TopicError, TopicFilter, TopicName};
pub use version::ProtocolVersion;

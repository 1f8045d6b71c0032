//! The words and bytes of MQTT 3.1.1 and 5.0. No clock, socket, lock or task.
//!
//! The nouns of the standard are types that cannot hold a bad value ([`TopicName`], [`PacketIdentifier`], [`QoS`]),
//! each control packet is one type for both versions ([`packet`]), and [`codec`] turns bytes into packets and back.
//! Serves steps 2 and 11 of the path of a PUBLISH: what arrives is judged here once, what leaves is made here once.
//!

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::cast_possible_truncation))]

pub mod error;
pub mod ids;
pub mod packet;
pub mod property;
pub mod qos;
pub mod reason;
pub mod topic;
pub mod varint;
pub mod version;

pub use error::{DecodeError, DecodeErrorKind, EncodeError};
pub use ids::{ClientId, PacketIdentifier, ShareName, SubscriptionIdentifier};
pub use packet::{
    Ack, AckProperties, Auth, ConnAck, ConnAckProperties, Connect, Disconnect, Packet, PacketType, Publish,
    PublishProperties, RetainHandling, SubAck, Subscribe, SubscribeEntry, SubscriptionIdentifiers, SubscriptionOptions,
    UnsubAck, Unsubscribe, Will,
};
pub use property::{PayloadFormat, PropertyId, UserProperties, UserPropertiesRef};
pub use qos::QoS;
pub use reason::ReasonCode;
pub use topic::{TopicError, TopicFilter, TopicName};
pub use version::ProtocolVersion;

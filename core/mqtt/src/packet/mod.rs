//! The fifteen control packets, one file and one type each, for both versions.
//!
//! What only MQTT 5.0 has is empty or at its default when 3.1.1 is spoken. Strings and buffers are owned, except in
//! [`Publish`], which borrows from the received bytes because every message passes through it.

mod ack;
mod auth;
mod connack;
mod connect;
mod disconnect;
mod display;
mod packet_type;
mod publish;
mod suback;
mod subscribe;
mod unsubscribe;

pub use ack::{Ack, AckProperties};
pub use auth::Auth;
pub use connack::{ConnAck, ConnAckProperties};
pub use connect::{Connect, Will};
pub use disconnect::Disconnect;
pub use packet_type::PacketType;
pub use publish::{
    Publish, PublishProperties, SubscriptionIdentifiers, SubscriptionIdentifiersIter,
};
pub use suback::{SubAck, UnsubAck};
pub use subscribe::{RetainHandling, Subscribe, SubscribeEntry, SubscriptionOptions};
pub use unsubscribe::Unsubscribe;

/// Any control packet.
#[derive(Debug, Clone, PartialEq)]
pub enum Packet<'a> {
    /// The first packet of a Client.
    Connect(Box<Connect>),
    /// The Server's answer to CONNECT.
    ConnAck(ConnAck),
    /// An Application Message.
    Publish(Publish<'a>),
    /// The answer to QoS 1.
    PubAck(Ack),
    /// The first answer to QoS 2.
    PubRec(Ack),
    /// The sender's answer to PUBREC.
    PubRel(Ack),
    /// The last packet of QoS 2.
    PubComp(Ack),
    /// A Client asks for subscriptions.
    Subscribe(Subscribe),
    /// The Server's answer to SUBSCRIBE.
    SubAck(SubAck),
    /// A Client gives up subscriptions.
    Unsubscribe(Unsubscribe),
    /// The Server's answer to UNSUBSCRIBE.
    UnsubAck(UnsubAck),
    /// A Client says that it is alive.
    PingReq,
    /// The Server's answer to PINGREQ.
    PingResp,
    /// The last packet, and why.
    Disconnect(Disconnect),
    /// A step of extended authentication, 5.0 only.
    Auth(Auth),
}

impl Packet<'_> {
    /// Which of the fifteen it is.
    #[must_use]
    pub const fn packet_type(&self) -> PacketType {
        match self {
            Self::Connect(_) => PacketType::Connect,
            Self::ConnAck(_) => PacketType::ConnAck,
            Self::Publish(_) => PacketType::Publish,
            Self::PubAck(_) => PacketType::PubAck,
            Self::PubRec(_) => PacketType::PubRec,
            Self::PubRel(_) => PacketType::PubRel,
            Self::PubComp(_) => PacketType::PubComp,
            Self::Subscribe(_) => PacketType::Subscribe,
            Self::SubAck(_) => PacketType::SubAck,
            Self::Unsubscribe(_) => PacketType::Unsubscribe,
            Self::UnsubAck(_) => PacketType::UnsubAck,
            Self::PingReq => PacketType::PingReq,
            Self::PingResp => PacketType::PingResp,
            Self::Disconnect(_) => PacketType::Disconnect,
            Self::Auth(_) => PacketType::Auth,
        }
    }
}

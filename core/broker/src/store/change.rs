//! What a store is told, and what it gives back.

use std::sync::Arc;
use std::time::SystemTime;

use hookmq_mqtt::packet::Will;
use hookmq_mqtt::{
    ClientId, PacketIdentifier, ProtocolVersion, ReasonCode, SubscriptionIdentifier,
    SubscriptionOptions, TopicFilter, TopicName,
};

use crate::delivery::Delivery;
use crate::message::Message;

/// Names a Session in the store; never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionNumber(pub u64);

/// Names a queued message; never used twice. A later place is a later message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place(u64);

impl Place {
    /// The place of this number. `is_shared` says that other queues get the very same message, which is then best kept once.
    #[must_use]
    pub const fn new(number: u64, is_shared: bool) -> Self {
        Self(number << 1 | is_shared as u64)
    }

    /// The place as one number, in the same order.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// What [`Place::get`] gave.
    #[must_use]
    pub const fn from_u64(place: u64) -> Self {
        Self(place)
    }

    /// Whether other queues may hold the same message.
    #[must_use]
    pub const fn is_shared(self) -> bool {
        self.0 & 1 == 1
    }

    /// The number that it was made from.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0 >> 1
    }
}

/// What a receiver was sent, as far as the store is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// PUBLISH with this identifier.
    Publish(PacketIdentifier),
    /// PUBREL with this identifier: PUBREC has come.
    PubRel(PacketIdentifier),
}

/// A Session without its subscriptions and messages.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredSession {
    /// Its name in the store.
    pub number: SessionNumber,
    /// Client Identifier.
    pub client_id: ClientId,
    /// User Name of the last connection.
    pub username: Option<String>,
    /// Where the last connection came from.
    pub endpoint: String,
    /// Listener of the last connection.
    pub listener: String,
    /// Protocol of the last connection.
    pub version: ProtocolVersion,
    /// Keep Alive of the last connection, in seconds.
    pub keep_alive: u16,
    /// Session Expiry Interval, in seconds; `u32::MAX` never expires.
    pub session_expiry_interval: u32,
    /// The Will Message that was not sent yet.
    pub will: Option<Arc<Will>>,
    /// Since when the client is away; `None` while it is connected.
    pub away_since: Option<SystemTime>,
}

/// A subscription of a Session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSubscription {
    /// What is in force.
    pub options: SubscriptionOptions,
    /// Its Subscription Identifier.
    pub identifier: Option<SubscriptionIdentifier>,
    /// Tags that `authorize_subscribe` allowed it with.
    pub tags: Vec<Box<str>>,
    /// What `authorize_subscribe` was asked; of no interest without tags.
    pub asked: (SubscriptionOptions, Option<SubscriptionIdentifier>),
}

/// One thing that changed. Of two changes of the same thing the later one counts.
#[derive(Debug, Clone)]
pub enum Change {
    /// A Session began or is otherwise now.
    Session(Box<StoredSession>),
    /// A Session ended; its subscriptions, messages and identifiers were taken back one by one before.
    SessionEnded(SessionNumber),
    /// A subscription was made or replaced.
    Subscribed(SessionNumber, TopicFilter, Box<StoredSubscription>),
    /// A subscription was given up.
    Unsubscribed(SessionNumber, TopicFilter),
    /// A QoS 1 or 2 message joined the queue.
    Queued(SessionNumber, Place, Arc<Message>, Delivery),
    /// A queued message was sent.
    Sent(SessionNumber, Place, Sent),
    /// A queued message needs no keeping any more; `true` if a [`Change::Sent`] was told. The message is the very same as in
    /// [`Change::Queued`].
    Done(SessionNumber, Place, Arc<Message>, bool),
    /// A QoS 2 PUBLISH of this identifier was taken, and is answered with this reason.
    Received(SessionNumber, PacketIdentifier, ReasonCode),
    /// PUBREL has come for it.
    Released(SessionNumber, PacketIdentifier),
    /// The Retained Message of its topic.
    Retained(Arc<Message>),
    /// The topic has none any more.
    RetainedCleared(TopicName),
}

impl Change {
    /// About how many bytes of memory it holds.
    #[must_use]
    pub(crate) fn size(&self) -> usize {
        let more = match self {
            Self::Session(session) => {
                size_of::<StoredSession>()
                    + session
                        .will
                        .as_ref()
                        .map_or(0, |will| will.payload.len() + will.topic.len())
            }
            Self::Subscribed(_, filter, _) | Self::Unsubscribed(_, filter) => filter.as_str().len(),
            Self::Queued(_, _, message, _) | Self::Retained(message) => message.size(),
            _ => 0,
        };
        size_of::<Self>() + more
    }
}

/// What a store gives back at the start: everything but queued messages.
#[derive(Debug, Default)]
pub struct Restored {
    /// All Sessions.
    pub sessions: Vec<RestoredSession>,
    /// All Retained Messages.
    pub retained: Vec<Message>,
    /// Above every [`SessionNumber`] and every [`Place::number`] that was ever used.
    pub first_number: u64,
    /// What could not be read and is left out, or how, each by name. Told in the log.
    pub damaged: Vec<String>,
}

/// One Session as it was.
#[derive(Debug)]
pub struct RestoredSession {
    /// The Session.
    pub session: StoredSession,
    /// Its subscriptions.
    pub subscriptions: Vec<(TopicFilter, StoredSubscription)>,
    /// Identifiers of QoS 2 messages that wait for PUBREL, with what was answered.
    pub received: Vec<(PacketIdentifier, ReasonCode)>,
}

/// The queue of one Session as it was.
#[derive(Debug)]
pub struct RestoredQueue {
    /// Whose.
    pub session: SessionNumber,
    /// In the order of places.
    pub messages: Vec<RestoredMessage>,
    /// What could not be read and is left out, or how, each by name. Told in the log.
    pub damaged: Vec<String>,
}

/// One queued message as it was.
#[derive(Debug)]
pub struct RestoredMessage {
    /// Its place.
    pub place: Place,
    /// The message; one and the same for all queues that share it.
    pub message: Arc<Message>,
    /// How the receiver gets it.
    pub delivery: Delivery,
    /// What was sent of it, if the store was told.
    pub sent: Option<Sent>,
}

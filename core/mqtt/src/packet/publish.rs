//! PUBLISH: an Application Message on its way. Borrowed, so that reading one allocates nothing.

use std::fmt;
use std::num::NonZeroU16;

use crate::ids::{PacketIdentifier, SubscriptionIdentifier};
use crate::property::{PayloadFormat, PropertyId, RawProperties, UserPropertiesRef};
use crate::qos::QoS;
use crate::varint::{self, Varint};

/// PUBLISH, borrowed from the received bytes or from the message to be sent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Publish<'a> {
    /// This may be a repetition; false with QoS 0 [MQTT-3.3.1-2].
    pub dup: bool,
    /// How it is delivered.
    pub qos: QoS,
    /// To a Server: keep it. To a Client: it was kept.
    pub retain: bool,
    /// Topic Name; empty only together with a Topic Alias.
    pub topic: &'a str,
    /// There if and only if QoS is 1 or 2 [MQTT-2.2.1-2].
    pub packet_identifier: Option<PacketIdentifier>,
    /// Any bytes, also none.
    pub payload: &'a [u8],
    /// 5.0 only.
    pub properties: PublishProperties<'a>,
}

/// The properties of PUBLISH.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct PublishProperties<'a> {
    /// What the payload is.
    pub payload_format: Option<PayloadFormat>,
    /// Remaining lifetime in seconds; `None` is for ever.
    pub message_expiry_interval: Option<u32>,
    /// The number that stands for the topic on this connection.
    pub topic_alias: Option<NonZeroU16>,
    /// Where an answer is expected; a well formed Topic Name.
    pub response_topic: Option<&'a str>,
    /// What the answer shall carry.
    pub correlation_data: Option<&'a [u8]>,
    /// What the payload is, in the application's words.
    pub content_type: Option<&'a str>,
    /// User Properties.
    pub user_properties: UserPropertiesRef<'a>,
    /// The identifiers of the subscriptions that caused this copy; from Server to Client only [MQTT-3.3.4-6].
    pub subscription_identifiers: SubscriptionIdentifiers<'a>,
}

/// The Subscription Identifiers of a PUBLISH: a list to be sent, or what was received.
#[derive(Clone, Copy, Default)]
pub struct SubscriptionIdentifiers<'a>(Source<'a>);

#[derive(Clone, Copy)]
enum Source<'a> {
    List(&'a [SubscriptionIdentifier]),
    /// Whole, valid properties, at least one of them a Subscription Identifier.
    Raw(&'a [u8]),
}

impl Default for Source<'_> {
    fn default() -> Self {
        Self::List(&[])
    }
}

impl<'a> SubscriptionIdentifiers<'a> {
    /// Whole properties that were checked before; others than Subscription Identifiers are skipped.
    pub(crate) const fn from_checked(raw: &'a [u8]) -> Self {
        Self(Source::Raw(raw))
    }

    /// The identifiers in their order.
    #[must_use]
    pub fn iter(self) -> SubscriptionIdentifiersIter<'a> {
        SubscriptionIdentifiersIter(match self.0 {
            Source::List(list) => Iter::List(list.iter()),
            Source::Raw(raw) => Iter::Raw(RawProperties { rest: raw }),
        })
    }

    /// True if there is none. Constant time.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        match self.0 {
            Source::List(list) => list.is_empty(),
            Source::Raw(_) => false,
        }
    }
}

impl<'a> From<&'a [SubscriptionIdentifier]> for SubscriptionIdentifiers<'a> {
    fn from(list: &'a [SubscriptionIdentifier]) -> Self {
        Self(Source::List(list))
    }
}

impl<'a> IntoIterator for SubscriptionIdentifiers<'a> {
    type Item = SubscriptionIdentifier;
    type IntoIter = SubscriptionIdentifiersIter<'a>;

    fn into_iter(self) -> SubscriptionIdentifiersIter<'a> {
        self.iter()
    }
}

impl PartialEq for SubscriptionIdentifiers<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl fmt::Debug for SubscriptionIdentifiers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// Iterator over Subscription Identifiers.
#[derive(Clone)]
pub struct SubscriptionIdentifiersIter<'a>(Iter<'a>);

#[derive(Clone)]
enum Iter<'a> {
    List(std::slice::Iter<'a, SubscriptionIdentifier>),
    Raw(RawProperties<'a>),
}

impl Iterator for SubscriptionIdentifiersIter<'_> {
    type Item = SubscriptionIdentifier;

    fn next(&mut self) -> Option<SubscriptionIdentifier> {
        match &mut self.0 {
            Iter::List(list) => list.next().copied(),
            Iter::Raw(raw) => {
                let property =
                    raw.find(|property| property.id == PropertyId::SubscriptionIdentifier)?;
                match varint::read(property.value) {
                    Varint::Value(number, _) => SubscriptionIdentifier::new(number),
                    Varint::Incomplete | Varint::Malformed => None,
                }
            }
        }
    }
}

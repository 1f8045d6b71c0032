//! Topic Aliases of one Network Connection, one table for each direction; neither outlives the connection [MQTT-3.3.2-7].

use std::num::NonZeroU16;

use ahash::RandomState;
use hashbrown::HashMap;
use hookmq_mqtt::{ReasonCode, TopicName};

use super::ProtocolError;

/// Aliases that the client has set. At most `maximum` entries.
#[derive(Debug, Default)]
pub(super) struct InboundAliases {
    topics: Vec<Option<TopicName>>,
    maximum: u16,
}

impl InboundAliases {
    pub(super) fn new(maximum: u16) -> Self {
        Self {
            topics: Vec::new(),
            maximum,
        }
    }

    /// Resolves an alias to its Topic Name; with a Topic Name given, sets it.
    pub(super) fn resolve(
        &mut self,
        alias: NonZeroU16,
        topic: &str,
    ) -> Result<TopicName, ProtocolError> {
        if alias.get() > self.maximum {
            return Err(ProtocolError::new(
                ReasonCode::TopicAliasInvalid,
                "MQTT-3.3.2-9",
            ));
        }
        let place = usize::from(alias.get()) - 1;
        if topic.is_empty() {
            let known = self.topics.get(place).and_then(Option::as_ref);
            return known.cloned().ok_or(ProtocolError::new(
                ReasonCode::ProtocolError,
                "MQTT-3.3.2-7",
            ));
        }
        let name = TopicName::parse(topic)
            .map_err(|_| ProtocolError::new(ReasonCode::TopicNameInvalid, "MQTT-3.3.2-2"))?;
        if self.topics.len() <= place {
            self.topics.resize(place + 1, None);
        }
        if let Some(entry) = self.topics.get_mut(place) {
            *entry = Some(name.clone());
        }
        Ok(name)
    }
}

/// Aliases that the broker has set for the client: the first topics that are sent get one, until none is left [MQTT-3.1.2-26].
#[derive(Debug, Default)]
pub(super) struct OutboundAliases {
    by_topic: HashMap<Box<str>, NonZeroU16, RandomState>,
    maximum: u16,
}

/// How a topic is sent.
pub(super) enum Sent {
    /// The name, without alias.
    Name,
    /// The name, with the alias that it gets from now on.
    First(NonZeroU16),
    /// The alias alone.
    Alias(NonZeroU16),
}

impl OutboundAliases {
    /// At most as many as the client allows, and as the broker likes to remember.
    pub(super) fn new(allowed: u16, maximum: u16) -> Self {
        Self {
            by_topic: HashMap::default(),
            maximum: allowed.min(maximum),
        }
    }

    /// The topic behind an alias. Looks at each of the few there are.
    pub(super) fn topic_of(&self, alias: NonZeroU16) -> Option<&str> {
        self.by_topic
            .iter()
            .find_map(|(topic, known)| (*known == alias).then_some(&**topic))
    }

    /// How to send this topic now.
    pub(super) fn send(&mut self, topic: &str) -> Sent {
        if self.maximum == 0 {
            return Sent::Name;
        }
        if let Some(alias) = self.by_topic.get(topic) {
            return Sent::Alias(*alias);
        }
        let next = u16::try_from(self.by_topic.len() + 1)
            .ok()
            .and_then(NonZeroU16::new);
        match next.filter(|next| next.get() <= self.maximum) {
            // A name no longer than the alias property saves nothing.
            Some(next) if topic.len() > 3 => {
                self.by_topic.insert(topic.into(), next);
                Sent::First(next)
            }
            _ => Sent::Name,
        }
    }
}

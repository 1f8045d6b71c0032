//! Who gets the messages of one topic: what the router matched, merged per Session. Step 8 of the path of a PUBLISH.

use std::sync::Arc;

use hookmq_mqtt::{QoS, ReasonCode, SubscriptionIdentifier, TopicName};

use super::sessions::Subscription;
use crate::delivery::Identifiers;
use crate::router::{Group, Matches};
use crate::session::SessionRef;
use crate::store::Durability;

/// Who matches one topic, merged per Session: what a connection remembers.
#[derive(Debug)]
pub(crate) struct Route {
    pub(super) topic: TopicName,
    pub(super) targets: Box<[Target]>,
    pub(super) shared: Box<[Arc<Group<SessionRef, Subscription>>]>,
    /// What an acknowledgement promises for this topic, if a rule says so.
    pub(super) durability: Option<Durability>,
}

/// A [`Route`], remembered or just made.
pub(super) enum Found<'a> {
    Known(&'a [Route]),
    New(Arc<[Route]>),
    Nothing,
}

impl Found<'_> {
    pub(super) fn route(&self) -> Option<&Route> {
        match self {
            Self::Known(route) => route.first(),
            Self::New(route) => route.first(),
            Self::Nothing => None,
        }
    }
}

/// One receiving Session with what all its matching subscriptions make of a message.
pub(crate) struct Target {
    pub(super) session: SessionRef,
    pub(super) qos: QoS,
    /// All its matching subscriptions say No Local.
    pub(super) no_local: bool,
    pub(super) retain_as_published: bool,
    pub(super) identifiers: Identifiers,
}

impl std::fmt::Debug for Target {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            out,
            "Target({}, {:?})",
            self.session.0.client_id(),
            self.qos
        )
    }
}

impl Route {
    pub(super) fn new(
        topic: &str,
        matches: &Matches<SessionRef, Subscription>,
        durability: Option<Durability>,
    ) -> Result<Self, ReasonCode> {
        let mut targets: Vec<Target> = Vec::with_capacity(matches.plain.len());
        let mut sorted: Vec<_> = matches.plain.iter().collect();
        // Overlapping subscriptions of one Session stand together, so that merging looks only at the last.
        sorted.sort_by_key(|(session, _)| Arc::as_ptr(&session.0).addr());
        for (session, subscription) in sorted {
            match targets.last_mut().filter(|last| last.session == *session) {
                Some(target) => target.merge(subscription),
                None => targets.push(Target::new(session, subscription)),
            }
        }
        Ok(Self {
            topic: topic_name(topic)?,
            targets: targets.into(),
            shared: matches.shared.clone().into(),
            durability,
        })
    }

    pub(super) fn only(
        session: &SessionRef,
        topic: &str,
        durability: Option<Durability>,
    ) -> Result<Self, ReasonCode> {
        let target = Target {
            session: session.clone(),
            qos: QoS::ExactlyOnce,
            no_local: false,
            retain_as_published: false,
            identifiers: Identifiers::new(),
        };
        Ok(Self {
            topic: topic_name(topic)?,
            targets: Box::new([target]),
            shared: Box::new([]),
            durability,
        })
    }
}

fn topic_name(topic: &str) -> Result<TopicName, ReasonCode> {
    TopicName::parse(topic).map_err(|_| ReasonCode::TopicNameInvalid)
}

impl Target {
    fn new(session: &SessionRef, subscription: &Subscription) -> Self {
        let options = &subscription.options;
        Self {
            session: session.clone(),
            qos: options.qos,
            no_local: options.no_local,
            retain_as_published: options.retain_as_published,
            identifiers: subscription.identifier.into_iter().collect(),
        }
    }

    /// One copy for all matching subscriptions: the highest QoS [MQTT-3.3.4-2] and every identifier [MQTT-3.3.4-4].
    fn merge(&mut self, subscription: &Subscription) {
        let options = &subscription.options;
        self.qos = self.qos.max(options.qos);
        self.no_local &= options.no_local;
        self.retain_as_published |= options.retain_as_published;
        let new = subscription
            .identifier
            .filter(|identifier: &SubscriptionIdentifier| !self.identifiers.contains(identifier));
        self.identifiers.extend(new);
    }
}

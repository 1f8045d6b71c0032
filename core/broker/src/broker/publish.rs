//! The one function that knows the order in which a message passes the broker; read it first.
//!
//! decode and session (steps 1 to 3) lie before it, the acknowledgement (steps 10 and 11) behind it. Clients' messages, wills,
//! plugins' and the embedding program's all take this way; [`crate::message::Source`] says which.

mod offering;
mod retaining;

use std::sync::Arc;
use std::time::Instant;

use hookmq_mqtt::packet::AckProperties;
use hookmq_mqtt::{ClientId, PacketType, Publish, QoS, ReasonCode};
use hookmq_plugin_api::Hook;

use super::route::{Found, Route};
use super::sessions::Subscription;
use super::{Inner, Turn, reason_of};
use crate::delivery::{Delivery, Identifiers};
use crate::event::message::{MessageDraft, Origin, PublishAnswer};
use crate::hook::{Chain, Decision, Explained, Scope};
use crate::offer::Offer;
use crate::router::{MatchCache, Matches};
use crate::session::SessionRef;
use crate::session::sending::DropReason;
use crate::store::group::Promise;

/// What the publisher is told.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) reason: ReasonCode,
    /// What a plugin adds to the acknowledgement; boxed, as hardly any message has it.
    pub(crate) properties: Option<Box<AckProperties>>,
    /// A plugin wants the publisher's connection to end.
    pub(crate) disconnect: Option<Box<Explained>>,
    /// What the acknowledgement must wait for.
    pub(crate) promise: Promise,
}

impl Outcome {
    /// Acknowledged and not routed, in the plugins' words.
    fn taken(answer: PublishAnswer) -> Self {
        Self {
            reason: answer.reason.unwrap_or(ReasonCode::Success),
            properties: answer.properties,
            disconnect: None,
            promise: Promise::Nothing,
        }
    }

    /// Routed, or refused by a limit on the way.
    fn routed(routed: Result<Routed, ReasonCode>, answer: PublishAnswer) -> Self {
        match routed {
            Err(reason) => Self::of(reason),
            Ok(routed) => {
                let nobody = if routed.n_matched == 0 {
                    ReasonCode::NoMatchingSubscribers
                } else {
                    ReasonCode::Success
                };
                Self {
                    reason: answer.reason.unwrap_or(nobody),
                    properties: answer.properties,
                    disconnect: routed.disconnect,
                    promise: routed.promise,
                }
            }
        }
    }

    const fn of(reason: ReasonCode) -> Self {
        Self {
            reason,
            properties: None,
            disconnect: None,
            promise: Promise::Nothing,
        }
    }
}

/// Who is asked and told on the way from the router to the receivers. A type, so that a message without listeners takes a way in which
/// there is nothing to test.
pub(crate) trait Ears: Copy {
    /// The chain, if it has a listener at this hook.
    fn hearing(&self, hook: Hook) -> Option<&Chain>;
}

impl Ears for &Chain {
    #[inline]
    fn hearing(&self, hook: Hook) -> Option<&Chain> {
        self.listens(hook).then_some(*self)
    }
}

/// Nobody listens there, as was seen before.
#[derive(Clone, Copy)]
pub(crate) struct Nobody;

impl Ears for Nobody {
    #[inline]
    fn hearing(&self, _: Hook) -> Option<&Chain> {
        None
    }
}

/// What became of a message on its way to receivers.
#[derive(Default)]
struct Routed {
    n_matched: usize,
    n_filtered: usize,
    n_taken: usize,
    disconnect: Option<Box<Explained>>,
    promise: Promise,
}

impl Inner {
    /// Steps 5 to 9 for one message. `only` sends it to that Session instead of to whom subscribed.
    pub(crate) async fn publish(
        &self,
        chain: &Chain,
        turn: &mut Turn,
        origin: Origin<'_>,
        publish: &Publish<'_>,
        only: Option<&SessionRef>,
        now: Instant,
    ) -> Outcome {
        let settings = &self.session_settings;
        let mut draft = MessageDraft::new(Hook::InterceptPublish, origin, publish, settings);
        // 5: plugins may change the message.
        if chain.listens(Hook::InterceptPublish) {
            let scope = scope(origin, publish);
            let decision = chain
                .filter_awaiting(Hook::InterceptPublish, &scope, &mut draft)
                .await;
            if let Some(outcome) = self.refused(decision, origin, &mut draft) {
                return outcome;
            }
        }
        // 6: judged on the final form, so that a rewrite cannot slip past.
        if chain.listens(Hook::AuthorizePublish) {
            let judged = Judged::begin(&mut draft);
            let scope = judged.scope(origin, publish);
            let decision = chain
                .gate_awaiting(Hook::AuthorizePublish, &scope, &mut draft)
                .await;
            let decision = self.with_default(decision, Hook::AuthorizePublish, origin.source);
            if let Some(outcome) = self.refused(decision, origin, &mut draft) {
                return outcome;
            }
        }
        self.deliver(chain, turn, origin, &mut draft, only, now)
    }

    /// Steps 5 and 6 where no plugin awaits. `None` for a message that goes on as it came, as nearly all do; else what became of it.
    pub(crate) fn ask(
        &self,
        chain: &Chain,
        turn: &mut Turn,
        origin: Origin<'_>,
        publish: &Publish<'_>,
        now: Instant,
    ) -> Option<Outcome> {
        let settings = &self.session_settings;
        let mut draft = MessageDraft::new(Hook::InterceptPublish, origin, publish, settings);
        if chain.listens(Hook::InterceptPublish) {
            let scope = || scope(origin, publish);
            let decision = chain.filter_within(Hook::InterceptPublish, scope, &mut draft);
            if let Some(outcome) = self.refused(decision, origin, &mut draft) {
                return Some(outcome);
            }
        }
        if chain.listens(Hook::AuthorizePublish) {
            let judged = Judged::begin(&mut draft);
            let scope = judged.scope(origin, publish);
            let decision = chain.gate(Hook::AuthorizePublish, &scope, &mut draft);
            let decision = self.with_default(decision, Hook::AuthorizePublish, origin.source);
            if let Some(outcome) = self.refused(decision, origin, &mut draft) {
                return Some(outcome);
            }
        }
        draft
            .is_changed()
            .then(|| self.deliver_changed(chain, turn, origin, &mut draft, None, now))
    }

    /// Steps 7 to 9 for a message that plugins let through, and what the publisher is told.
    #[inline]
    fn deliver(
        &self,
        chain: &Chain,
        turn: &mut Turn,
        origin: Origin<'_>,
        draft: &mut MessageDraft<'_>,
        only: Option<&SessionRef>,
        now: Instant,
    ) -> Outcome {
        if !draft.is_changed() {
            let routed = self.route(chain, turn, origin, draft.as_published(), only, now);
            return Outcome::routed(routed, PublishAnswer::default());
        }
        self.deliver_changed(chain, turn, origin, draft, only, now)
    }

    #[inline(never)]
    fn deliver_changed(
        &self,
        chain: &Chain,
        turn: &mut Turn,
        origin: Origin<'_>,
        draft: &mut MessageDraft<'_>,
        only: Option<&SessionRef>,
        now: Instant,
    ) -> Outcome {
        let answer = draft.take_answer();
        let routed = self.route(chain, turn, origin, &draft.publish(), only, now);
        Outcome::routed(routed, answer)
    }

    /// Steps 7 to 9 for a message that no plugin is asked about before.
    #[inline]
    pub(crate) fn publish_unasked(
        &self,
        ears: impl Ears,
        turn: &mut Turn,
        origin: Origin<'_>,
        publish: &Publish<'_>,
        now: Instant,
    ) -> Outcome {
        let routed = self.route(ears, turn, origin, publish, None, now);
        Outcome::routed(routed, PublishAnswer::default())
    }

    /// What a verdict that ends the chain means; `None` lets the message go on.
    #[inline]
    fn refused(
        &self,
        decision: Decision,
        origin: Origin<'_>,
        draft: &mut MessageDraft<'_>,
    ) -> Option<Outcome> {
        match decision {
            Decision::Pass | Decision::Accept => None,
            ended => self.ended(ended, origin, draft),
        }
    }

    #[inline(never)]
    fn ended(
        &self,
        decision: Decision,
        origin: Origin<'_>,
        draft: &mut MessageDraft<'_>,
    ) -> Option<Outcome> {
        let explained = match decision {
            Decision::Pass | Decision::Accept => return None,
            Decision::Consume(explained) => {
                tracing::debug!(%explained, "consumed");
                return Some(Outcome::taken(draft.take_answer()));
            }
            Decision::Drop(explained) => {
                tracing::debug!(%explained, "dropped");
                let publish = draft.publish();
                self.notify_dropped(
                    &publish,
                    origin.source,
                    origin.client_id(),
                    None,
                    DropReason::Plugin,
                    Some(&explained),
                );
                return Some(Outcome::taken(draft.take_answer()));
            }
            Decision::Deny(explained) => {
                self.explain(&explained, origin, draft.publish().topic);
                explained
            }
            Decision::Disconnect(explained) => {
                self.explain(&explained, origin, draft.publish().topic);
                return Some(Outcome {
                    disconnect: Some(explained),
                    ..Outcome::of(ReasonCode::NotAuthorized)
                });
            }
        };
        let reason = reason_of(&explained, PacketType::PubAck);
        let properties = AckProperties {
            reason_string: self.told(&explained).map(str::to_owned),
            user_properties: crate::event::user_properties(&explained.refusal.user_properties)
                .unwrap_or_default(),
        };
        Some(Outcome {
            properties: Some(Box::new(properties)),
            ..Outcome::of(reason)
        })
    }

    /// Steps 7 to 9: retained, match, one offer per receiver. Never waits.
    fn route(
        &self,
        ears: impl Ears,
        turn: &mut Turn,
        origin: Origin<'_>,
        publish: &Publish<'_>,
        only: Option<&SessionRef>,
        now: Instant,
    ) -> Result<Routed, ReasonCode> {
        // 8: match; remembered per topic until a subscription changes.
        let Turn {
            routes,
            matches,
            touched,
            session,
            durability,
            ..
        } = turn;
        let found = match only {
            Some(session) => {
                let rule = self.rule_for(publish.topic);
                Found::New(Arc::from([Route::only(session, publish.topic, rule)?]))
            }
            None => self.route_of(routes, matches, publish.topic)?,
        };
        let Some(route) = found.route() else {
            return Ok(Routed::default());
        };
        let mut offer = Offer::new(
            publish,
            &route.topic,
            origin.client_id(),
            origin.source,
            now,
        );
        if let Some(journal) = self.journal.get() {
            let n_receivers = route.targets.len() + route.shared.len();
            offer.set_durability(route.durability.unwrap_or(*durability), n_receivers > 1);
            let survives = |session: &SessionRef| session.0.ledger().is_some();
            if publish.qos == QoS::ExactlyOnce && session.as_ref().is_some_and(survives) {
                offer.set_grouped(journal);
            }
        }
        // 7: keep or clear the Retained Message.
        if publish.retain && only.is_none() {
            self.retain(&offer)?;
        }
        let mut routed = Routed::default();
        // 9: offer to each.
        for target in &route.targets {
            // [MQTT-3.8.3-3]
            if target.no_local && session.as_ref() == Some(&target.session) {
                continue;
            }
            let delivery = Delivery {
                qos: publish.qos.min(target.qos),
                retain: publish.retain && target.retain_as_published,
                // Hardly any subscription has one, and to copy none costs as much as to copy some.
                identifiers: if target.identifiers.is_empty() {
                    Identifiers::new()
                } else {
                    target.identifiers.clone()
                },
            };
            self.offer(
                ears,
                touched,
                &target.session,
                &offer,
                delivery,
                &mut routed,
            );
        }
        for group in &route.shared {
            self.offer_to_group(ears, touched, group, &offer, &mut routed);
        }
        if routed.n_taken == 0 {
            self.notify_not_consumed(
                &offer,
                routed.n_matched > 0 && routed.n_filtered == routed.n_matched,
            );
        }
        routed.promise = offer.promise();
        Ok(routed)
    }

    fn route_of<'a>(
        &self,
        routes: &'a mut MatchCache<Route>,
        matches: &mut Matches<SessionRef, Subscription>,
        topic: &str,
    ) -> Result<Found<'a>, ReasonCode> {
        let generation = self.router.generation();
        if routes.seek(generation, topic) {
            return Ok(routes
                .found()
                .map_or(Found::Nothing, |found| Found::Known(found)));
        }
        let generation = self.router.matches(topic, matches);
        let rule = self.rule_for(topic);
        let route: Arc<[Route]> = Arc::from([Route::new(topic, matches, rule)?]);
        matches.clear();
        routes.insert(generation, topic, Arc::clone(&route));
        Ok(Found::New(route))
    }
}

/// A message in its final form, as `authorize_publish` is asked about it.
struct Judged {
    /// What plugins made of it, if they changed anything; the draft is theirs while they are asked.
    changed: Option<(Box<str>, QoS, usize)>,
}

impl Judged {
    fn begin(draft: &mut MessageDraft<'_>) -> Self {
        draft.hook = Hook::AuthorizePublish;
        let changed = draft.is_changed().then(|| {
            let publish = draft.publish();
            (publish.topic.into(), publish.qos, publish.payload.len())
        });
        Self { changed }
    }

    fn scope<'a>(&'a self, origin: Origin<'a>, publish: &Publish<'a>) -> Scope<'a> {
        match &self.changed {
            None => scope(origin, publish),
            Some((topic, qos, size)) => Scope {
                topic: Some(topic),
                qos: Some(*qos as u8),
                size: Some(*size),
                ..scope(origin, publish)
            },
        }
    }
}

/// What broker-side filters judge a message by.
fn scope<'a>(origin: Origin<'a>, publish: &Publish<'a>) -> Scope<'a> {
    Scope {
        client_id: origin.client_id().map_or("", ClientId::as_str),
        listener: origin.client.map_or("", |client| &client.listener),
        topic: Some(publish.topic),
        qos: Some(publish.qos as u8),
        size: Some(publish.payload.len()),
    }
}

//! The one function that knows the order in which a message passes the broker; read it first.
//!
//! decode and session (steps 1 to 3) lie before it, the acknowledgement (steps 10 and 11) behind it. Clients' messages, wills,
//! plugins' and the embedding program's all take this way; [`Source`] says which.

use std::sync::Arc;
use std::time::Instant;

use hookmq_mqtt::property::UserProperties;
use hookmq_mqtt::{
    ClientId, PacketType, Publish, QoS, ReasonCode, SubscriptionIdentifier, TopicName,
};
use hookmq_plugin_api::{Field, Hook, Value};

use super::sessions::Subscription;
use super::{Inner, Touched, Turn, reason_of};
use crate::event::message::{MessageDraft, MessageNotice, Origin, PublishAnswer, Receiver};
use crate::hook::{Chain, Decision, Explained, Scope};
use crate::message::{Message, Offer, Source};
use crate::router::{Group, MatchCache, Matches, Readiness};
use crate::session::SessionRef;
use crate::session::delivery::{Delivery, Identifiers};
use crate::session::pending::Waiting;
use crate::session::sending::{DropReason, Lost, Offered};

/// What the publisher is told.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) reason: ReasonCode,
    pub(crate) reason_string: Option<String>,
    pub(crate) user_properties: UserProperties,
    /// A plugin wants the publisher's connection to end.
    pub(crate) disconnect: Option<Explained>,
}

impl Outcome {
    /// Acknowledged and not routed, in the plugins' words.
    fn taken(answer: PublishAnswer) -> Self {
        Self {
            reason: answer.reason.unwrap_or(ReasonCode::Success),
            reason_string: answer.reason_string,
            user_properties: answer.user_properties,
            disconnect: None,
        }
    }

    fn of(reason: ReasonCode) -> Self {
        Self {
            reason,
            reason_string: None,
            user_properties: UserProperties::new(),
            disconnect: None,
        }
    }
}

/// Who matches one topic, merged per Session: what a connection remembers.
#[derive(Debug)]
pub(crate) struct Route {
    topic: TopicName,
    targets: Box<[Target]>,
    shared: Box<[Arc<Group<SessionRef, Subscription>>]>,
}

/// A [`Route`], remembered or just made.
enum Found<'a> {
    Known(&'a [Route]),
    New(Arc<[Route]>),
    Nothing,
}

impl Found<'_> {
    fn route(&self) -> Option<&Route> {
        match self {
            Self::Known(route) => route.first(),
            Self::New(route) => route.first(),
            Self::Nothing => None,
        }
    }
}

/// One receiving Session with what all its matching subscriptions make of a message.
pub(crate) struct Target {
    session: SessionRef,
    qos: QoS,
    /// All its matching subscriptions say No Local.
    no_local: bool,
    retain_as_published: bool,
    identifiers: Identifiers,
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

/// What became of a message on its way to receivers.
#[derive(Default)]
struct Routed {
    n_matched: usize,
    n_filtered: usize,
    n_taken: usize,
    disconnect: Option<Explained>,
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
        if !chain.listens(Hook::InterceptPublish) && !chain.listens(Hook::AuthorizePublish) {
            return self.deliver(
                chain,
                turn,
                origin,
                publish,
                only,
                now,
                PublishAnswer::default(),
            );
        }
        let mut draft = MessageDraft::new(
            Hook::InterceptPublish,
            origin,
            *publish,
            &self.session_settings,
        );
        // 5: plugins may change the message.
        if chain.listens(Hook::InterceptPublish) {
            let scope = scope(origin, publish);
            let decision = if chain.awaits(Hook::InterceptPublish) {
                chain
                    .filter_awaiting(Hook::InterceptPublish, &scope, &mut draft)
                    .await
            } else {
                chain.filter(Hook::InterceptPublish, &scope, &mut draft)
            };
            if let Some(outcome) = self.refused(decision, origin, &mut draft) {
                return outcome;
            }
        }
        // 6: judged on the final form, so that a rewrite cannot slip past.
        if chain.listens(Hook::AuthorizePublish) {
            draft.hook = Hook::AuthorizePublish;
            let (topic, qos, size) = {
                let publish = draft.publish();
                (publish.topic.to_owned(), publish.qos, publish.payload.len())
            };
            let scope = Scope {
                topic: Some(&topic),
                qos: Some(qos as u8),
                size: Some(size),
                ..scope(origin, publish)
            };
            let decision = if chain.awaits(Hook::AuthorizePublish) {
                chain
                    .gate_awaiting(Hook::AuthorizePublish, &scope, &mut draft)
                    .await
            } else {
                chain.gate(Hook::AuthorizePublish, &scope, &mut draft)
            };
            let decision = self.with_default(decision, Hook::AuthorizePublish, origin.source);
            if let Some(outcome) = self.refused(decision, origin, &mut draft) {
                return outcome;
            }
        }
        let answer = draft.take_answer();
        self.deliver(chain, turn, origin, &draft.publish(), only, now, answer)
    }

    /// Steps 7 to 9, and what the publisher is told of them.
    #[expect(
        clippy::too_many_arguments,
        reason = "the whole message and the whole answer"
    )]
    fn deliver(
        &self,
        chain: &Chain,
        turn: &mut Turn,
        origin: Origin<'_>,
        publish: &Publish<'_>,
        only: Option<&SessionRef>,
        now: Instant,
        answer: PublishAnswer,
    ) -> Outcome {
        let routed = match self.route(chain, turn, origin, publish, only, now) {
            Ok(routed) => routed,
            Err(reason) => return Outcome::of(reason),
        };
        let nobody = if routed.n_matched == 0 {
            ReasonCode::NoMatchingSubscribers
        } else {
            ReasonCode::Success
        };
        Outcome {
            reason: answer.reason.unwrap_or(nobody),
            reason_string: answer.reason_string,
            user_properties: answer.user_properties,
            disconnect: routed.disconnect,
        }
    }

    /// What a verdict that ends the chain means; `None` lets the message go on.
    fn refused(
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
                self.explain(&explained, origin);
                explained
            }
            Decision::Disconnect(explained) => {
                self.explain(&explained, origin);
                return Some(Outcome {
                    disconnect: Some(explained),
                    ..Outcome::of(ReasonCode::NotAuthorized)
                });
            }
        };
        let reason = reason_of(&explained, PacketType::PubAck);
        let told = self.told(&explained);
        Some(Outcome {
            reason,
            reason_string: told.map(str::to_owned),
            user_properties: crate::event::user_properties(&explained.refusal.user_properties)
                .unwrap_or_default(),
            disconnect: None,
        })
    }

    /// Steps 7 to 9: retained, match, one offer per receiver. Never waits.
    fn route(
        &self,
        chain: &Chain,
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
            ..
        } = turn;
        let found = match only {
            Some(session) => Found::New(Arc::from([Route::only(session, publish.topic)?])),
            None => self.route_of(routes, matches, publish.topic)?,
        };
        let Some(route) = found.route() else {
            return Ok(Routed::default());
        };
        let offer = Offer::new(
            *publish,
            &route.topic,
            origin.client_id(),
            origin.source,
            now,
        );
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
                identifiers: target.identifiers.clone(),
            };
            self.offer(
                chain,
                touched,
                &target.session,
                &offer,
                delivery,
                &mut routed,
            );
        }
        for group in &route.shared {
            self.offer_to_group(chain, touched, group, &offer, &mut routed);
        }
        if routed.n_taken == 0 {
            self.notify_not_consumed(
                &offer,
                routed.n_matched > 0 && routed.n_filtered == routed.n_matched,
            );
        }
        Ok(routed)
    }

    fn route_of<'a>(
        &self,
        routes: &'a mut MatchCache<Route>,
        matches: &mut Matches<SessionRef, Subscription>,
        topic: &str,
    ) -> Result<Found<'a>, ReasonCode> {
        let generation = self.router.generation();
        // Asked twice because a hit borrows the cache for the caller.
        if routes.get(generation, topic).is_some() {
            return Ok(routes
                .get(generation, topic)
                .map_or(Found::Nothing, |found| Found::Known(found)));
        }
        let generation = self.router.matches(topic, matches);
        let route: Arc<[Route]> = Arc::from([Route::new(topic, matches)?]);
        matches.clear();
        routes.insert(generation, topic, Arc::clone(&route));
        Ok(Found::New(route))
    }

    fn offer_to_group(
        &self,
        chain: &Chain,
        touched: &mut Touched,
        group: &Group<SessionRef, Subscription>,
        offer: &Offer<'_>,
        routed: &mut Routed,
    ) {
        let publisher = offer.sender().map_or(0, |client_id| self.hash(client_id));
        let chosen = group.choose(self.shared_strategy, publisher, |session, subscription| {
            if session.0.is_connected() {
                Readiness::Now
            } else if offer.publish.qos.min(subscription.options.qos) == QoS::AtMostOnce
                && !self.session_settings.queue_qos0_offline
            {
                Readiness::Never
            } else {
                Readiness::Later
            }
        });
        let Some((session, subscription)) = chosen else {
            return;
        };
        let delivery = Delivery {
            qos: offer.publish.qos.min(subscription.options.qos),
            retain: offer.publish.retain && subscription.options.retain_as_published,
            identifiers: subscription.identifier.into_iter().collect(),
        };
        self.offer(chain, touched, &session, offer, delivery, routed);
    }

    /// Step 9 for one receiver: `intercept_enqueue`, then into its outbox or queue.
    fn offer(
        &self,
        chain: &Chain,
        touched: &mut Touched,
        to: &SessionRef,
        offer: &Offer<'_>,
        delivery: Delivery,
        routed: &mut Routed,
    ) {
        routed.n_matched += 1;
        if chain.listens(Hook::InterceptEnqueue) {
            let client = to.0.client();
            let receiver = Receiver {
                client_id: to.0.client_id(),
                username: client
                    .as_ref()
                    .and_then(|client| client.username.as_deref()),
            };
            let origin = Origin {
                client: None,
                source: offer.source(),
            };
            let mut copy = offer.publish;
            (copy.qos, copy.retain) = (delivery.qos, delivery.retain);
            let mut draft =
                MessageDraft::new(Hook::InterceptEnqueue, origin, copy, &self.session_settings)
                    .sent_by(offer.sender())
                    .for_receiver(receiver);
            let scope = Scope {
                client_id: to.0.client_id(),
                listener: client.as_ref().map_or("", |client| &client.listener),
                topic: Some(copy.topic),
                qos: Some(copy.qos as u8),
                size: Some(copy.payload.len()),
            };
            match chain.filter(Hook::InterceptEnqueue, &scope, &mut draft) {
                Decision::Pass | Decision::Accept | Decision::Consume(_) => {}
                Decision::Drop(explained) | Decision::Deny(explained) => {
                    routed.n_filtered += 1;
                    self.notify_dropped(
                        &copy,
                        offer.source(),
                        offer.sender(),
                        Some(to),
                        DropReason::Plugin,
                        Some(&explained),
                    );
                    return;
                }
                Decision::Disconnect(explained) => {
                    routed.n_filtered += 1;
                    self.notify_dropped(
                        &copy,
                        offer.source(),
                        offer.sender(),
                        Some(to),
                        DropReason::Plugin,
                        Some(&explained),
                    );
                    routed.disconnect = Some(explained);
                    return;
                }
            }
            if draft.is_changed() {
                let publish = draft.publish();
                let delivery = Delivery {
                    qos: publish.qos.min(delivery.qos),
                    ..delivery
                };
                let Ok(topic) = TopicName::parse(publish.topic) else {
                    return;
                };
                let own = Offer::new(publish, &topic, offer.sender(), offer.source(), offer.now);
                self.enqueue(touched, to, &own, delivery, routed);
                return;
            }
        }
        self.enqueue(touched, to, offer, delivery, routed);
    }

    /// Hands one receiver's copy to its Session and tells what became of it.
    fn enqueue(
        &self,
        touched: &mut Touched,
        to: &SessionRef,
        offer: &Offer<'_>,
        delivery: Delivery,
        routed: &mut Routed,
    ) {
        let offered = to.0.sending().offer(offer, delivery);
        let dropped = match &offered {
            Offered::Sent => {
                routed.n_taken += 1;
                touched.touch(to);
                None
            }
            Offered::Queued => {
                routed.n_taken += 1;
                // A message that waits for the connection's task (a hold, a full outbox) needs it to look.
                touched.touch(to);
                None
            }
            Offered::Overwrote(_) => {
                routed.n_taken += 1;
                None
            }
            Offered::Dropped(reason) => Some(*reason),
        };
        if self.hooks.listens(Hook::MessageEnqueued) {
            let reason = dropped
                .map(|reason| Value::Text(reason.name()))
                .unwrap_or(Value::Nil);
            let more = [
                (Field::Dropped, Value::Bool(dropped.is_some())),
                (Field::Reason, reason),
            ];
            self.notify_message(
                Hook::MessageEnqueued,
                &offer.publish,
                offer.source(),
                offer.sender(),
                Some(to),
                &more,
            );
        }
        if let Some(reason) = dropped {
            self.notify_dropped(
                &offer.publish,
                offer.source(),
                offer.sender(),
                Some(to),
                reason,
                None,
            );
        }
        if let Offered::Overwrote(oldest) = offered {
            for waiting in oldest {
                self.notify_overwritten(to, &waiting, offer.now);
            }
        }
    }

    /// Step 7 [MQTT-3.3.1-5, MQTT-3.3.1-6].
    fn retain(&self, offer: &Offer<'_>) -> Result<(), ReasonCode> {
        let topic = offer.publish.topic;
        let change = if offer.publish.payload.is_empty() {
            match self.retained.clear(topic) {
                Some(_) => "removed",
                None => return Ok(()),
            }
        } else {
            let message = Arc::clone(offer.message());
            let size = message.size();
            match self.retained.set(topic, message, size) {
                Ok(Some(_)) => "replaced",
                Ok(None) => "set",
                Err(full) => {
                    tracing::warn!(topic, %full, "a message was not retained");
                    return Err(ReasonCode::QuotaExceeded);
                }
            }
        };
        if self.hooks.listens(Hook::RetainedChanged) {
            let more = [(Field::Change, Value::Text(change))];
            self.notify_message(
                Hook::RetainedChanged,
                &offer.publish,
                offer.source(),
                offer.sender(),
                None,
                &more,
            );
        }
        Ok(())
    }

    /// Hands a retained message to a new subscription [MQTT-3.3.1-8].
    pub(crate) fn offer_retained(
        &self,
        chain: &Chain,
        turn: &mut Turn,
        to: &SessionRef,
        message: &Arc<Message>,
        subscription: Subscription,
        now: Instant,
    ) {
        let mut offer = Offer::of(message, now);
        offer.set_source(Source::Retained);
        let delivery = Delivery {
            qos: message.qos.min(subscription.options.qos),
            retain: true,
            identifiers: subscription.identifier.into_iter().collect(),
        };
        self.offer(
            chain,
            &mut turn.touched,
            to,
            &offer,
            delivery,
            &mut Routed::default(),
        );
    }

    pub(crate) fn notify_lost(&self, to: &SessionRef, lost: &Lost, now: Instant) {
        let message = &lost.waiting.message;
        let publish = message.as_publish(now);
        if lost.reason == DropReason::Expired {
            self.notify_message(
                Hook::MessageExpired,
                &publish,
                message.source,
                message.sender.as_ref(),
                Some(to),
                &[],
            );
        }
        self.notify_dropped(
            &publish,
            message.source,
            message.sender.as_ref(),
            Some(to),
            lost.reason,
            None,
        );
    }

    fn notify_overwritten(&self, to: &SessionRef, waiting: &Waiting, now: Instant) {
        let message = &waiting.message;
        let publish = message.as_publish(now);
        self.notify_message(
            Hook::MessageOverwritten,
            &publish,
            message.source,
            message.sender.as_ref(),
            Some(to),
            &[],
        );
        self.notify_dropped(
            &publish,
            message.source,
            message.sender.as_ref(),
            Some(to),
            DropReason::QueueFull,
            None,
        );
    }

    fn notify_not_consumed(&self, offer: &Offer<'_>, all_receivers_filtered: bool) {
        self.stats.not_consumed();
        if self.hooks.listens(Hook::MessageNotConsumed) {
            let more = [(
                Field::AllReceiversFiltered,
                Value::Bool(all_receivers_filtered),
            )];
            self.notify_message(
                Hook::MessageNotConsumed,
                &offer.publish,
                offer.source(),
                offer.sender(),
                None,
                &more,
            );
        }
    }

    /// A message, or one receiver's copy, is lost: counted by reason, and told.
    pub(crate) fn notify_dropped(
        &self,
        publish: &Publish<'_>,
        source: Source,
        sender: Option<&ClientId>,
        to: Option<&SessionRef>,
        reason: DropReason,
        by: Option<&Explained>,
    ) {
        self.stats.dropped(reason);
        if self.hooks.listens(Hook::MessageDropped) {
            let more = [
                (Field::Reason, Value::Text(reason.name())),
                (
                    Field::Plugin,
                    Value::text(by.map(|explained| &*explained.plugin)),
                ),
            ];
            self.notify_message(Hook::MessageDropped, publish, source, sender, to, &more);
        }
    }

    /// A notice about a message, in the order of its receiver, else of its sender.
    pub(crate) fn notify_message(
        &self,
        hook: Hook,
        publish: &Publish<'_>,
        source: Source,
        sender: Option<&ClientId>,
        to: Option<&SessionRef>,
        more: &[(Field, Value<'_>)],
    ) {
        let client = to.and_then(|to| to.0.client());
        let receiver = to.map(|to| Receiver {
            client_id: to.0.client_id(),
            username: client
                .as_ref()
                .and_then(|client| client.username.as_deref()),
        });
        let notice = MessageNotice::new(hook, *publish, source, sender, receiver, more);
        let about = receiver.map(|receiver| receiver.client_id).or(sender);
        let scope = Scope {
            client_id: about.map_or("", ClientId::as_str),
            listener: client.as_ref().map_or("", |client| &client.listener),
            topic: Some(publish.topic),
            qos: Some(publish.qos as u8),
            size: Some(publish.payload.len()),
        };
        let of_sender = || sender.and_then(|sender| self.sessions.get(sender));
        match to {
            Some(to) => self.hooks.notify(hook, &scope, &notice, Some(&to.0.order)),
            None => match of_sender() {
                Some(entry) => {
                    self.hooks
                        .notify(hook, &scope, &notice, Some(&entry.session.0.order))
                }
                None => self.hooks.notify(hook, &scope, &notice, None),
            },
        }
    }
}

impl Route {
    fn new(topic: &str, matches: &Matches<SessionRef, Subscription>) -> Result<Self, ReasonCode> {
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
        })
    }

    fn only(session: &SessionRef, topic: &str) -> Result<Self, ReasonCode> {
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

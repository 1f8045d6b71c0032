//! Step 9 of the path of a PUBLISH: one receiver after the other, `intercept_enqueue`, then into its outbox or queue.

use hookmq_mqtt::{QoS, ReasonCode, TopicName};
use hookmq_plugin_api::{Field, Hook, Value};

use super::{Ears, Routed};
use crate::broker::sessions::Subscription;
use crate::broker::{Inner, Touched};
use crate::delivery::Delivery;
use crate::event::message::{MessageDraft, Origin, Receiver};
use crate::hook::{Chain, Decision, Scope};
use crate::offer::Offer;
use crate::router::{Group, Readiness};
use crate::session::SessionRef;
use crate::session::sending::{DropReason, Offered};

impl Inner {
    pub(super) fn offer_to_group(
        &self,
        ears: impl Ears,
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
        self.offer(ears, touched, &session, offer, delivery, routed);
    }

    /// Step 9 for one receiver: `intercept_enqueue`, then into its outbox or queue.
    #[inline]
    pub(super) fn offer(
        &self,
        ears: impl Ears,
        touched: &mut Touched,
        to: &SessionRef,
        offer: &Offer<'_>,
        delivery: Delivery,
        routed: &mut Routed,
    ) {
        routed.n_matched += 1;
        match ears.hearing(Hook::InterceptEnqueue) {
            Some(chain) => self.offer_asked(chain, touched, to, offer, delivery, routed),
            None => self.enqueue(ears, touched, to, offer, delivery, routed),
        }
    }

    /// The same with plugins to be asked; apart, so that a message without them does not pay for the room that it needs.
    #[inline(never)]
    fn offer_asked(
        &self,
        chain: &Chain,
        touched: &mut Touched,
        to: &SessionRef,
        offer: &Offer<'_>,
        delivery: Delivery,
        routed: &mut Routed,
    ) {
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
        let mut copy = *offer.publish;
        (copy.qos, copy.retain) = (delivery.qos, delivery.retain);
        let mut draft = MessageDraft::new(
            Hook::InterceptEnqueue,
            origin,
            &copy,
            &self.session_settings,
        )
        .sent_by(offer.sender())
        .for_receiver(receiver);
        let scope = Scope {
            client_id: to.0.client_id(),
            listener: client.as_ref().map_or("", |client| &client.listener),
            topic: Some(copy.topic),
            qos: Some(copy.qos as u8),
            size: Some(copy.payload.len()),
        };
        let decision = chain.filter(Hook::InterceptEnqueue, &scope, &mut draft);
        let disconnects = matches!(decision, Decision::Disconnect(_));
        match decision {
            Decision::Pass | Decision::Accept | Decision::Consume(_) => {}
            Decision::Drop(explained)
            | Decision::Deny(explained)
            | Decision::Disconnect(explained) => {
                routed.n_filtered += 1;
                self.notify_dropped(
                    &copy,
                    offer.source(),
                    offer.sender(),
                    Some(to),
                    DropReason::Plugin,
                    Some(&explained),
                );
                if disconnects {
                    routed.disconnect = Some(explained);
                }
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
            let own = Offer::instead(offer, &publish, &topic);
            self.enqueue(chain, touched, to, &own, delivery, routed);
            return;
        }
        self.enqueue(chain, touched, to, offer, delivery, routed);
    }

    /// Hands one receiver's copy to its Session and tells what became of it.
    #[inline(never)]
    fn enqueue(
        &self,
        ears: impl Ears,
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
            Offered::Overflowed => {
                self.disconnect_overflowed(to);
                Some(DropReason::QueueFull)
            }
        };
        if ears.hearing(Hook::MessageEnqueued).is_some() {
            self.notify_enqueued(to, offer, dropped);
        }
        if let Some(reason) = dropped {
            self.notify_dropped(
                offer.publish,
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

    /// The queue of a client that is there is full, and the operator wants it to go then.
    #[cold]
    fn disconnect_overflowed(&self, to: &SessionRef) {
        let client_id = to.0.client_id();
        let why = "its queue is full";
        if self.disconnect_client(client_id, ReasonCode::QuotaExceeded, Some(why)) {
            tracing::debug!(%client_id, why, "disconnected");
        }
    }

    #[inline(never)]
    fn notify_enqueued(&self, to: &SessionRef, offer: &Offer<'_>, dropped: Option<DropReason>) {
        let reason = dropped
            .map(|reason| Value::Text(reason.name()))
            .unwrap_or(Value::Nil);
        let more = [
            (Field::Dropped, Value::Bool(dropped.is_some())),
            (Field::Reason, reason),
        ];
        self.notify_message(
            Hook::MessageEnqueued,
            offer.publish,
            offer.source(),
            offer.sender(),
            Some(to),
            &more,
        );
    }
}

//! Step 7 of the path of a PUBLISH: the Retained Message of a topic, and how a new subscription gets it.

use std::sync::Arc;
use std::time::Instant;

use hookmq_mqtt::ReasonCode;
use hookmq_plugin_api::{Field, Hook, Value};

use super::Routed;
use crate::broker::sessions::Subscription;
use crate::broker::{Inner, Turn};
use crate::delivery::Delivery;
use crate::hook::Chain;
use crate::message::{Message, Source};
use crate::offer::Offer;
use crate::session::SessionRef;

impl Inner {
    /// Step 7 [MQTT-3.3.1-5, MQTT-3.3.1-6].
    pub(super) fn retain(&self, offer: &Offer<'_>) -> Result<(), ReasonCode> {
        let topic = offer.publish.topic;
        let change = if offer.publish.payload.is_empty() {
            let cleared = self.retained.clear_if(topic, |_| {
                offer.wait_for(self.tell_cleared(&offer.message().topic, offer.durability()));
                true
            });
            match cleared {
                Some(_) => "removed",
                None => {
                    offer.wait_for(self.tell_left_cleared(topic, offer.durability()));
                    return Ok(());
                }
            }
        } else {
            let message = Arc::clone(offer.message());
            let size = message.size();
            let told = Arc::clone(&message);
            let tell = || offer.wait_for(self.tell_retained(told, offer.durability()));
            match self.retained.set_and(topic, message, size, tell) {
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
                offer.publish,
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
        let publish = message.as_publish(now);
        let mut offer = Offer::of(message, &publish, now);
        offer.set_source(Source::Retained);
        offer.set_durability(self.durability_of(&message.topic), false);
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
}

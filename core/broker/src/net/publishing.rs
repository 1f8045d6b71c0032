//! What a PUBLISH of a connected client does on this side of the broker: step 3, its limits and the Session's view of it, and step 10, its
//! acknowledgement. What lies between is `broker/publish.rs`.

use std::sync::Arc;
use std::time::Instant;

use hookmq_mqtt::packet::{Ack, Publish};
use hookmq_mqtt::{Packet, ProtocolVersion, QoS, ReasonCode};
use hookmq_plugin_api::Hook;

use super::begun::{Begun, Unsettled};
use super::end::End;
use super::packets::{Flow, Protocol, Way};
use crate::broker::publish::{Nobody, Outcome};
use crate::broker::sessions::DisconnectType;
use crate::event::message::Origin;
use crate::hook::Chain;
use crate::message::Source;
use crate::session::ProtocolError;
use crate::session::receiving::{Inbound, Receipt, Receiving};

impl Protocol {
    /// Steps 3 to 10 of a PUBLISH whose [`Way`] is not the long one.
    #[inline]
    pub(super) fn handle_short(
        &mut self,
        chain: &Chain,
        way: Way,
        publish: &Publish<'_>,
        now: Instant,
    ) -> Result<(), Box<End>> {
        self.admit(publish)?;
        if Receiving::concerns(publish) {
            return self.handle_session_publish(chain, publish, now);
        }
        let (inner, turn) = (&self.inner, &mut self.turn);
        let origin = Origin {
            client: Some(&self.client),
            source: Source::Client,
        };
        if way == Way::Asked
            && let Some(outcome) = inner.ask(chain, turn, origin, publish, now)
        {
            return match &outcome.disconnect {
                Some(explained) => Err(End::rejected(inner, explained)),
                None => Ok(()),
            };
        }
        inner.publish_unasked(Nobody, turn, origin, publish, now);
        Ok(())
    }

    /// A PUBLISH that plugins are asked about, unless they await.
    #[inline(never)]
    pub(super) fn handle_publish(
        &mut self,
        chain: &Chain,
        publish: &Publish<'_>,
        frame: &[u8],
        now: Instant,
    ) -> Result<Flow, Box<End>> {
        if chain.awaits(Hook::InterceptPublish) || chain.awaits(Hook::AuthorizePublish) {
            return Ok(Flow::Await(frame.into()));
        }
        self.admit(publish)?;
        if Receiving::concerns(publish) {
            self.handle_session_publish(chain, publish, now)?;
        } else {
            let outcome = self.publish_now(chain, publish, now);
            if let Some(explained) = &outcome.disconnect {
                return Err(End::rejected(&self.inner, explained));
            }
        }
        Ok(Flow::Next)
    }

    /// Steps 3 to 10 of a PUBLISH that the Session must know of: QoS 1 or 2, or a Topic Alias.
    #[inline(never)]
    pub(super) fn handle_session_publish(
        &mut self,
        chain: &Chain,
        publish: &Publish<'_>,
        now: Instant,
    ) -> Result<(), Box<End>> {
        let Some(begun) = self.begin_publish(publish)? else {
            return Ok(());
        };
        let mut publish = *publish;
        begun.resolve(&mut publish);
        let outcome = self.publish_now(chain, &publish, now);
        self.end_publish(begun, outcome)
    }

    /// A PUBLISH that plugins may await: the same steps, waiting in the middle.
    pub(super) async fn handle_publish_awaiting(
        &mut self,
        chain: &Chain,
        mut publish: Publish<'_>,
        now: Instant,
    ) -> Result<(), Box<End>> {
        self.admit(&publish)?;
        let Some(begun) = self.begin_publish(&publish)? else {
            return Ok(());
        };
        begun.resolve(&mut publish);
        let origin = Origin {
            client: Some(&self.client),
            source: Source::Client,
        };
        let outcome = self
            .inner
            .publish(chain, &mut self.turn, origin, &publish, None, now)
            .await;
        self.end_publish(begun, outcome)
    }

    /// Step 3: the limits.
    #[inline]
    fn admit(&mut self, publish: &Publish<'_>) -> Result<(), Box<End>> {
        self.n_received += 1;
        if publish.qos > self.maximum_qos {
            return Err(ProtocolError {
                reason: ReasonCode::QoSNotSupported,
                clause: "MQTT-3.2.2-11",
            }
            .into());
        }
        if !publish.properties.subscription_identifiers.is_empty() {
            return Err(ProtocolError {
                reason: ReasonCode::ProtocolError,
                clause: "MQTT-3.3.4-6",
            }
            .into());
        }
        let settings = &self.inner.session_settings;
        if publish.retain && !settings.retain_available {
            return Err(ProtocolError {
                reason: ReasonCode::RetainNotSupported,
                clause: "MQTT-3.2.2-14",
            }
            .into());
        }
        if let Err(why) = settings.check_topic(publish.topic) {
            return Err(End::by_broker(
                ReasonCode::TopicNameInvalid,
                DisconnectType::NotClean,
                Some(why),
            ));
        }
        Ok(())
    }

    /// Step 3: Topic Alias and duplicates. `None` for a duplicate, which is answered.
    fn begin_publish(&mut self, publish: &Publish<'_>) -> Result<Option<Begun>, Box<End>> {
        if !Receiving::concerns(publish) {
            return Ok(Some(Begun::default()));
        }
        let session = Arc::clone(&self.entry.session.0);
        let inbound = session.receiving().handle_publish(publish)?;
        match inbound {
            Inbound::New(receipt, topic) => Ok(Some(Begun {
                topic,
                unsettled: Unsettled(Some((session, receipt))),
            })),
            Inbound::Again(identifier, reason, ticket) => {
                self.reply_after(ticket, Packet::PubRec(Ack::new(identifier, reason)));
                Ok(None)
            }
        }
    }

    /// Steps 4 to 9 where nothing awaits.
    fn publish_now(&mut self, chain: &Chain, publish: &Publish<'_>, now: Instant) -> Outcome {
        let origin = Origin {
            client: Some(&self.client),
            source: Source::Client,
        };
        let (inner, turn) = (&self.inner, &mut self.turn);
        inner
            .ask(chain, turn, origin, publish, now)
            .unwrap_or_else(|| inner.publish_unasked(chain, turn, origin, publish, now))
    }

    /// Step 10: the acknowledgement.
    fn end_publish(&mut self, mut begun: Begun, outcome: Outcome) -> Result<(), Box<End>> {
        let receipt = begun.unsettled.0.take().map(|(_, receipt)| receipt);
        if let Some(explained) = &outcome.disconnect {
            return Err(End::rejected(&self.inner, explained));
        }
        if let Some(receipt) = receipt {
            self.settle(&receipt, outcome);
        }
        Ok(())
    }

    /// The one answer to a PUBLISH: the broker owns the message now, or refuses it [MQTT-4.3.2-4, MQTT-4.3.3-8].
    fn settle(&mut self, receipt: &Receipt, outcome: Outcome) {
        let Some((qos, identifier)) = receipt.answer() else {
            return;
        };
        // 3.1.1 has no refusing acknowledgement: the message is acknowledged and not routed.
        let reason = if self.client.version == ProtocolVersion::V311 {
            ReasonCode::Success
        } else {
            outcome.reason
        };
        let session = &self.entry.session.0;
        let ticket = session.receiving().settle(receipt, reason, outcome.promise);
        let mut ack = Ack::new(identifier, reason);
        ack.properties = outcome.properties.filter(|properties| {
            properties.reason_string.is_some() || !properties.user_properties.is_empty()
        });
        let answer = if qos == QoS::ExactlyOnce {
            Packet::PubRec(ack)
        } else {
            Packet::PubAck(ack)
        };
        self.reply_after(ticket, answer);
    }
}

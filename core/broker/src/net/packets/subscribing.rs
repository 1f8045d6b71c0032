//! SUBSCRIBE and UNSUBSCRIBE of a connected client, and the Retained Messages that follow.

use std::time::Instant;

use hookmq_mqtt::packet::{SubAck, Subscribe, UnsubAck, Unsubscribe};
use hookmq_mqtt::property::UserProperties;
use hookmq_mqtt::{Packet, ReasonCode, RetainHandling};

use super::Protocol;
use crate::hook::Chain;
use crate::net::end::End;
use crate::net::pace::Pace;
use crate::session::ProtocolError;
use crate::store::journal::Ticket;

impl Protocol {
    pub(super) async fn handle_subscribe(
        &mut self,
        chain: &Chain,
        subscribe: Subscribe,
    ) -> Result<(), Box<End>> {
        let mut answer = SubAck::new(
            subscribe.packet_identifier,
            Vec::with_capacity(subscribe.subscriptions.len()),
        );
        let mut replays = Vec::new();
        let mut ticket = Ticket::NONE;
        let mut pace = Pace::default();
        for asked in &subscribe.subscriptions {
            // [MQTT-3.8.3-4]
            if asked.options.no_local && asked.topic_filter.starts_with("$share/") {
                return Err(ProtocolError {
                    reason: ReasonCode::ProtocolError,
                    clause: "MQTT-3.8.3-4",
                }
                .into());
            }
            // Retained messages that wait to be looked for are something that a client can make grow.
            if asked.options.retain_handling != RetainHandling::DoNotSend
                && self.replays.len() + replays.len()
                    >= self.inner.session_settings.maximum_subscriptions
            {
                answer.reasons.push(ReasonCode::QuotaExceeded);
                continue;
            }
            let identifier = subscribe.subscription_identifier;
            let properties = subscribe.user_properties.as_ref();
            let outcome = self
                .inner
                .subscribe(
                    chain,
                    &self.entry,
                    &self.client,
                    asked,
                    identifier,
                    properties,
                )
                .await;
            if let Some(explained) = &outcome.disconnect {
                return Err(End::rejected(&self.inner, explained));
            }
            answer.reasons.push(outcome.reason);
            answer.reason_string = answer.reason_string.or(outcome.reason_string);
            append(&mut answer.user_properties, &outcome.user_properties);
            replays.extend(outcome.replay);
            ticket = ticket.max(outcome.ticket);
            pace.step_or_rest().await;
        }
        self.reply_after(ticket, Packet::SubAck(answer));
        self.replays.extend(replays);
        Ok(())
    }

    pub(super) async fn handle_unsubscribe(
        &mut self,
        chain: &Chain,
        unsubscribe: Unsubscribe,
    ) -> Result<(), Box<End>> {
        let mut answer = UnsubAck::new(
            unsubscribe.packet_identifier,
            Vec::with_capacity(unsubscribe.topic_filters.len()),
        );
        let mut ticket = Ticket::NONE;
        let mut pace = Pace::default();
        for filter in &unsubscribe.topic_filters {
            pace.step_or_rest().await;
            let properties = unsubscribe.user_properties.as_ref();
            let outcome = self
                .inner
                .unsubscribe(chain, &self.entry, &self.client, filter, properties)
                .await;
            if let Some(explained) = &outcome.disconnect {
                return Err(End::rejected(&self.inner, explained));
            }
            answer.reasons.push(outcome.reason);
            answer.reason_string = answer.reason_string.or(outcome.reason_string);
            append(&mut answer.user_properties, &outcome.user_properties);
            ticket = ticket.max(outcome.ticket);
        }
        self.reply_after(ticket, Packet::UnsubAck(answer));
        Ok(())
    }

    /// Hands the next page of retained messages over, as long as nothing else waits; true if there may be more.
    pub(crate) fn replay(&mut self, chain: &Chain, now: Instant) -> bool {
        let Some(replay) = self.replays.front_mut() else {
            return false;
        };
        // It may have been given up, or taken away, since.
        let state = self.entry.state.lock();
        let is_held = state.subscriptions.contains_key(&replay.filter);
        drop(state);
        if !is_held {
            self.replays.pop_front();
            return !self.replays.is_empty();
        }
        let mut found = Vec::new();
        let budget = crate::router::Budget {
            n_messages: 256,
            n_visits: 4096,
        };
        let progress = self
            .inner
            .retained
            .collect_matching(&mut replay.cursor, budget, &mut found);
        let subscription = replay.subscription;
        if progress == crate::router::Progress::Done {
            self.replays.pop_front();
        }
        for message in &found {
            if message.is_expired(now) {
                // It goes for good, unless another has come meanwhile.
                self.inner.retained.clear_if(&message.topic, |present| {
                    self.inner.is_to_go(present, message)
                });
                continue;
            }
            self.inner.offer_retained(
                chain,
                &mut self.turn,
                &self.entry.session,
                message,
                subscription,
                now,
            );
        }
        !self.replays.is_empty()
    }
}

fn append(all: &mut UserProperties, more: &UserProperties) {
    for (name, value) in more.iter() {
        // Both came out of a UserProperties, so they fit.
        let _ = all.push(name, value);
    }
}

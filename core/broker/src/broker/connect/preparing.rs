//! `prepare_session`: what plugins make of a Session before it is created or resumed.

use std::sync::Arc;

use hookmq_mqtt::packet::{ConnAck, Connect};
use hookmq_mqtt::{QoS, RetainHandling, SubscriptionIdentifier, SubscriptionOptions, TopicFilter};
use hookmq_plugin_api::{Field, Hook, Owned, Record};

use crate::broker::Inner;
use crate::broker::sessions::{Entry, Subscription, Tagged};
use crate::client::ClientInfo;
use crate::delivery::Delivery;
use crate::event::connection::{SessionDraft, Terms};
use crate::event::message::Origin;
use crate::hook::{Chain, Decision, Scope};
use crate::message::Source;
use crate::offer::Offer;

impl Inner {
    pub(super) fn session_draft<'a>(
        &'a self,
        connect: &Connect,
        client: &'a Arc<ClientInfo>,
        terms: &Terms,
        existing: Option<&Arc<Entry>>,
    ) -> SessionDraft<'a> {
        let existing = existing.filter(|_| !connect.clean_start);
        let mut draft = SessionDraft {
            client,
            settings: &self.session_settings,
            session_present: existing.is_some(),
            n_queued: existing.map_or(0, |entry| entry.session.0.sending().n_queued()),
            session_expiry_interval: terms
                .session_expiry_interval
                .min(self.session_settings.maximum_session_expiry_interval),
            will_delay_interval: connect.will.as_ref().map(|will| will.delay_interval),
            subscriptions: Vec::new(),
            subscriptions_changed: false,
            messages: Vec::new(),
        };
        if let Some(entry) = existing {
            draft.subscriptions = entry
                .state
                .lock()
                .subscriptions
                .iter()
                .map(|(filter, subscription)| record(filter, subscription))
                .collect();
        }
        draft
    }

    /// `prepare_session`.
    pub(super) async fn prepare(
        &self,
        chain: &Chain,
        client: &Arc<ClientInfo>,
        draft: &mut SessionDraft<'_>,
    ) -> Result<(), ConnAck> {
        if !chain.listens(Hook::PrepareSession) {
            return Ok(());
        }
        let scope = Scope {
            client_id: &client.client_id,
            listener: &client.listener,
            ..Scope::BROKER
        };
        let decision = if chain.awaits(Hook::PrepareSession) {
            chain
                .filter_awaiting(Hook::PrepareSession, &scope, draft)
                .await
        } else {
            chain.filter(Hook::PrepareSession, &scope, draft)
        };
        match decision {
            Decision::Deny(explained) | Decision::Disconnect(explained) => {
                self.explain(
                    &explained,
                    Origin {
                        client: Some(client),
                        source: Source::Client,
                    },
                    "",
                );
                Err(self.refused_connack(client.version, &explained))
            }
            Decision::Pass | Decision::Accept | Decision::Drop(_) | Decision::Consume(_) => Ok(()),
        }
    }

    /// What `prepare_session` wants the Session to begin with.
    pub(super) fn seed(&self, entry: &Arc<Entry>, draft: &SessionDraft<'_>) {
        if draft.subscriptions_changed {
            let mut state = entry.state.lock();
            let before: Vec<_> = state.subscriptions.keys().cloned().collect();
            let mut tagged = std::mem::take(&mut state.tagged);
            for filter in before {
                state.unsubscribe(&filter);
                self.router
                    .unsubscribe(filter.share_name(), filter.filter(), &entry.session);
            }
            for (filter, subscription) in draft.subscriptions.iter().filter_map(subscription) {
                self.router.subscribe(
                    filter.share_name(),
                    filter.filter(),
                    &entry.session,
                    subscription,
                );
                // What is still held is still asked about again.
                let tagged = tagged.remove(&filter).map(|tagged| Tagged {
                    tags: tagged.tags.clone(),
                    asked: tagged.asked,
                });
                state.subscribe(&filter, subscription, tagged);
            }
        }
        let now = crate::now();
        for message in &draft.messages {
            let publish = message.as_publish(now);
            let mut offer = Offer::new(
                &publish,
                &message.topic,
                message.sender.as_ref(),
                message.source,
                now,
            );
            offer.set_durability(self.durability_of(&message.topic), false);
            // Not connected yet, so it waits or is dropped by the queue's rule.
            entry
                .session
                .0
                .sending()
                .offer(&offer, Delivery::plain(message.qos));
        }
    }
}

fn record(filter: &TopicFilter, subscription: &Subscription) -> Record {
    let options = &subscription.options;
    let mut record: Record = vec![
        (Field::TopicFilter, filter.as_str().into()),
        (Field::Qos, (options.qos as i64).into()),
        (Field::NoLocal, options.no_local.into()),
        (Field::RetainAsPublished, options.retain_as_published.into()),
        (
            Field::RetainHandling,
            (options.retain_handling as i64).into(),
        ),
    ];
    record.extend(subscription.identifier.map(|identifier| {
        (
            Field::SubscriptionIdentifier,
            i64::from(identifier.get()).into(),
        )
    }));
    record
}

/// A record that a plugin supplied; its filter was checked when the change was taken.
fn subscription(record: &Record) -> Option<(TopicFilter, Subscription)> {
    let mut filter = None;
    let mut options = SubscriptionOptions::default();
    let mut identifier = None;
    for (field, value) in record {
        match (field, value) {
            (Field::TopicFilter, Owned::Text(text)) => filter = TopicFilter::parse(text).ok(),
            (Field::Qos, Owned::Integer(number)) => {
                options.qos = QoS::try_from(u8::try_from(*number).ok()?).ok()?
            }
            (Field::NoLocal, Owned::Bool(truth)) => options.no_local = *truth,
            (Field::RetainAsPublished, Owned::Bool(truth)) => options.retain_as_published = *truth,
            (Field::RetainHandling, Owned::Integer(number)) => {
                options.retain_handling = RetainHandling::from_u8(u8::try_from(*number).ok()?)?;
            }
            (Field::SubscriptionIdentifier, Owned::Integer(number)) => {
                identifier = SubscriptionIdentifier::new(u32::try_from(*number).ok()?);
            }
            _ => return None,
        }
    }
    Some((
        filter?,
        Subscription {
            options,
            identifier,
        },
    ))
}

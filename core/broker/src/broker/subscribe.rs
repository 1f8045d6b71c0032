//! SUBSCRIBE and UNSUBSCRIBE: one answer per Topic Filter, in the packet's order [MQTT-3.8.4-6, MQTT-3.11.3-1].

use std::sync::Arc;

use hookmq_mqtt::property::{UserProperties, UserPropertiesRef};
use hookmq_mqtt::{
    PacketType, QoS, ReasonCode, RetainHandling, SubscribeEntry, SubscriptionIdentifier,
    TopicFilter,
};
use hookmq_plugin_api::Hook;

use super::sessions::{Entry, Subscription, Tagged};
use super::{Inner, reason_of};
use crate::client::ClientInfo;
use crate::event::UserPairs;
use crate::event::message::Origin;
use crate::event::subscription::SubscriptionDraft;
use crate::hook::{Chain, Decision, Explained, Scope};
use crate::message::Source;
use crate::router::Cursor;
use crate::store::journal::Ticket;

/// The answer to one Topic Filter.
pub(crate) struct FilterOutcome {
    pub(crate) reason: ReasonCode,
    pub(crate) reason_string: Option<String>,
    pub(crate) user_properties: UserProperties,
    /// Retained messages to send after SUBACK.
    pub(crate) replay: Option<Replay>,
    pub(crate) disconnect: Option<Box<Explained>>,
    /// What the answer must wait for.
    pub(crate) ticket: Ticket,
}

/// Retained messages on their way to a new subscription, a page at a time as the client takes them.
pub(crate) struct Replay {
    pub(crate) cursor: Cursor,
    /// Whoever gives it up meanwhile gets no more of them.
    pub(crate) filter: TopicFilter,
    pub(crate) subscription: Subscription,
}

impl FilterOutcome {
    fn of(reason: ReasonCode) -> Self {
        Self {
            reason,
            reason_string: None,
            user_properties: UserProperties::new(),
            replay: None,
            disconnect: None,
            ticket: Ticket::NONE,
        }
    }
}

impl Inner {
    /// One Topic Filter of a SUBSCRIBE.
    pub(crate) async fn subscribe(
        &self,
        chain: &Chain,
        entry: &Arc<Entry>,
        client: &Arc<ClientInfo>,
        asked: &SubscribeEntry,
        identifier: Option<SubscriptionIdentifier>,
        user_properties: UserPropertiesRef<'_>,
    ) -> FilterOutcome {
        let Some(filter) = self.parse_filter(&asked.topic_filter) else {
            return FilterOutcome::of(ReasonCode::TopicFilterInvalid);
        };
        let settings = &self.session_settings;
        let mut draft = SubscriptionDraft {
            pairs: UserPairs(user_properties),
            options: asked.options,
            identifier,
            ..SubscriptionDraft::new(Hook::InterceptSubscription, client, settings, filter)
        };
        let hook = Hook::InterceptSubscription;
        if let Some(outcome) = self.ask_subscription(chain, hook, &mut draft).await {
            return outcome;
        }
        let asked = Subscription {
            options: draft.options,
            identifier: draft.identifier,
        };
        let moment = self.hooks.reauthorized().now();
        let hook = Hook::AuthorizeSubscribe;
        if let Some(outcome) = self.ask_subscription(chain, hook, &mut draft).await {
            return outcome;
        }
        let SubscriptionDraft {
            filter,
            options,
            identifier,
            reason_string,
            user_properties,
            tags,
            ..
        } = draft;
        let subscription = Subscription {
            options,
            identifier,
        };
        let tagged = Tagged::of(&tags, asked);
        let (is_new, ticket) = {
            let mut state = entry.state.lock();
            if state.is_deleted {
                return FilterOutcome::of(ReasonCode::UnspecifiedError);
            }
            let is_known = state.subscriptions.contains_key(&filter);
            if !is_known && state.subscriptions.len() >= self.session_settings.maximum_subscriptions
            {
                return FilterOutcome::of(ReasonCode::QuotaExceeded);
            }
            let ticket = state.subscribe(&filter, subscription, tagged);
            // Under the state's lock, so that a Session that is deleted meanwhile takes the subscription with it.
            self.router.subscribe(
                filter.share_name(),
                filter.filter(),
                &entry.session,
                subscription,
            );
            (!is_known, ticket)
        };
        // Whoever looked for what to ask again may have looked before it was there.
        if self.hooks.reauthorized().changed_since(&tags, moment) {
            for tag in &tags {
                self.reauthorizations.add(tag);
            }
        }
        self.notify_subscription(
            Hook::ClientSubscribed,
            entry,
            client,
            &filter,
            Some(subscription),
            None,
        );
        let wants_retained = match options.retain_handling {
            // [MQTT-3.3.1-9] to [MQTT-3.3.1-11]; [MQTT-3.8.4-4]
            RetainHandling::SendAlways => true,
            RetainHandling::SendIfNew => is_new,
            RetainHandling::DoNotSend => false,
        };
        // A Shared Subscription gets no retained messages (section 4.8.2 of MQTT 5.0).
        let replay =
            (wants_retained && !filter.is_shared() && !self.retained.is_empty()).then(|| Replay {
                cursor: Cursor::new(filter.filter()),
                filter,
                subscription,
            });
        FilterOutcome {
            reason: granted(options.qos),
            reason_string,
            user_properties,
            replay,
            disconnect: None,
            ticket,
        }
    }

    /// One Topic Filter of an UNSUBSCRIBE.
    pub(crate) async fn unsubscribe(
        &self,
        chain: &Chain,
        entry: &Arc<Entry>,
        client: &Arc<ClientInfo>,
        topic_filter: &str,
        user_properties: UserPropertiesRef<'_>,
    ) -> FilterOutcome {
        let Some(filter) = self.parse_filter(topic_filter) else {
            return FilterOutcome::of(ReasonCode::TopicFilterInvalid);
        };
        let settings = &self.session_settings;
        let mut draft = SubscriptionDraft {
            pairs: UserPairs(user_properties),
            ..SubscriptionDraft::new(Hook::InterceptUnsubscription, client, settings, filter)
        };
        if let Some(outcome) = self
            .ask_subscription(chain, Hook::InterceptUnsubscription, &mut draft)
            .await
        {
            return outcome;
        }
        let SubscriptionDraft {
            filter,
            reason_string,
            user_properties,
            ..
        } = draft;
        let removed = {
            let mut state = entry.state.lock();
            let removed = state.unsubscribe(&filter);
            if removed.is_some() {
                self.router
                    .unsubscribe(filter.share_name(), filter.filter(), &entry.session);
            }
            removed
        };
        let (reason, ticket) = match removed {
            Some((removed, ticket)) => {
                let hook = Hook::ClientUnsubscribed;
                self.notify_subscription(hook, entry, client, &filter, Some(removed), None);
                (ReasonCode::Success, ticket)
            }
            None => (ReasonCode::NoSubscriptionExisted, Ticket::NONE),
        };
        FilterOutcome {
            reason_string,
            user_properties,
            ticket,
            ..FilterOutcome::of(reason)
        }
    }

    fn parse_filter(&self, text: &str) -> Option<TopicFilter> {
        let filter = TopicFilter::parse(text).ok()?;
        self.session_settings.check_topic(text).ok()?;
        Some(filter)
    }

    /// What the plugins say about a filter at one hook.
    pub(super) async fn decide_subscription(
        &self,
        chain: &Chain,
        hook: Hook,
        draft: &mut SubscriptionDraft<'_>,
    ) -> Decision {
        if !chain.listens(hook) {
            return Decision::Pass;
        }
        draft.hook = hook;
        let filter = draft.filter.as_str().to_owned();
        let client = Arc::clone(draft.client);
        let scope = Scope {
            client_id: &client.client_id,
            listener: &client.listener,
            topic: Some(&filter),
            qos: Some(draft.options.qos as u8),
            size: None,
        };
        let is_gate = hook == Hook::AuthorizeSubscribe;
        let decision = match (is_gate, chain.awaits(hook)) {
            (true, true) => chain.gate_awaiting(hook, &scope, draft).await,
            (true, false) => chain.gate(hook, &scope, draft),
            (false, true) => chain.filter_awaiting(hook, &scope, draft).await,
            (false, false) => chain.filter(hook, &scope, draft),
        };
        if is_gate {
            self.with_default(decision, hook, Source::Client)
        } else {
            decision
        }
    }

    /// Asks one hook; an outcome ends the filter.
    async fn ask_subscription(
        &self,
        chain: &Chain,
        hook: Hook,
        draft: &mut SubscriptionDraft<'_>,
    ) -> Option<FilterOutcome> {
        let decision = self.decide_subscription(chain, hook, draft).await;
        let client = Arc::clone(draft.client);
        let origin = Origin {
            client: Some(&client),
            source: Source::Client,
        };
        let explained = match decision {
            Decision::Pass | Decision::Accept => return None,
            // The client is told success, and nothing happens.
            Decision::Drop(_) | Decision::Consume(_) => {
                let reason = if hook == Hook::InterceptUnsubscription {
                    ReasonCode::Success
                } else {
                    granted(draft.options.qos)
                };
                return Some(FilterOutcome {
                    reason_string: draft.reason_string.take(),
                    user_properties: std::mem::take(&mut draft.user_properties),
                    ..FilterOutcome::of(reason)
                });
            }
            Decision::Deny(explained) => explained,
            Decision::Disconnect(explained) => {
                self.explain(&explained, origin, draft.filter.as_str());
                return Some(FilterOutcome {
                    disconnect: Some(explained),
                    ..FilterOutcome::of(ReasonCode::NotAuthorized)
                });
            }
        };
        let answer = match hook {
            Hook::InterceptUnsubscription => PacketType::UnsubAck,
            _ => PacketType::SubAck,
        };
        self.explain(&explained, origin, draft.filter.as_str());
        Some(FilterOutcome {
            reason: reason_of(&explained, answer),
            reason_string: self.told(&explained).map(str::to_owned),
            user_properties: crate::event::user_properties(&explained.refusal.user_properties)
                .unwrap_or_default(),
            replay: None,
            disconnect: None,
            ticket: Ticket::NONE,
        })
    }

    /// `client_subscribed` and `client_unsubscribed`; `refused` says why the broker removed it, if the client did not.
    pub(crate) fn notify_subscription(
        &self,
        hook: Hook,
        entry: &Entry,
        client: &Arc<ClientInfo>,
        filter: &TopicFilter,
        subscription: Option<Subscription>,
        refused: Option<&Explained>,
    ) {
        if !self.hooks.listens(hook) {
            return;
        }
        let draft = SubscriptionDraft {
            options: subscription
                .map(|subscription| subscription.options)
                .unwrap_or_default(),
            identifier: subscription.and_then(|subscription| subscription.identifier),
            refused,
            ..SubscriptionDraft::new(hook, client, &self.session_settings, filter.clone())
        };
        let scope = Scope {
            client_id: &client.client_id,
            listener: &client.listener,
            topic: Some(filter.as_str()),
            qos: Some(draft.options.qos as u8),
            size: None,
        };
        self.hooks
            .notify(hook, &scope, &draft, Some(&entry.session.0.order));
    }
}

/// Granted QoS as a Reason Code.
pub(crate) const fn granted(qos: QoS) -> ReasonCode {
    match qos {
        QoS::AtMostOnce => ReasonCode::Success,
        QoS::AtLeastOnce => ReasonCode::GrantedQoS1,
        QoS::ExactlyOnce => ReasonCode::GrantedQoS2,
    }
}

//! Asks again about subscriptions that were allowed with a tag, when what stands behind the tag has changed.
//!
//! One task does it, off the packet path, and lets the others have their turn. What a plugin refuses now is removed; what it allows
//! with other options gets those. Whatever the client did meanwhile wins: a subscription that was made, changed or given up since it
//! was looked at is left alone, for then the plugins have been asked anew or there is nothing to ask about.

use std::collections::BTreeSet;
use std::sync::Arc;

use hookmq_mqtt::{PacketType, TopicFilter};
use hookmq_plugin_api::Hook;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::sessions::{DisconnectType, Entry, Kick, Subscription, Tagged};
use super::{Inner, reason_of};
use crate::client::ClientInfo;
use crate::event::subscription::SubscriptionDraft;
use crate::hook::{Decision, Explained};
use crate::log_limit::Line;
use crate::net::pace::Pace;

/// Tags that wait at most; with more, every tagged subscription is asked about.
const MAXIMUM_TAGS: usize = 1024;

/// Sessions that awaiting plugins are asked about at the same time.
const AT_ONCE: usize = 32;

/// A subscription to ask about, as it was when it was looked at.
type Asked = (TopicFilter, Arc<Tagged>);

/// The tags that wait. However many come while the task is at work, it goes through the Sessions once more for all of them.
#[derive(Default)]
pub(super) struct Reauthorizations {
    wanted: Mutex<Wanted>,
    added: Notify,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Wanted {
    Tags(BTreeSet<Box<str>>),
    All,
}

impl Default for Wanted {
    fn default() -> Self {
        Self::Tags(BTreeSet::new())
    }
}

impl Wanted {
    fn has(&self, tagged: &Tagged) -> bool {
        match self {
            Self::Tags(tags) => tagged.tags.iter().any(|tag| tags.contains(tag)),
            Self::All => true,
        }
    }
}

impl Reauthorizations {
    pub(super) fn add(&self, tag: &str) {
        let mut wanted = self.wanted.lock();
        if let Wanted::Tags(tags) = &mut *wanted {
            if tags.len() < MAXIMUM_TAGS {
                tags.insert(tag.into());
            } else if !tags.contains(tag) {
                *wanted = Wanted::All;
            }
        }
        drop(wanted);
        self.added.notify_one();
    }

    async fn next(&self) -> Wanted {
        self.added.notified().await;
        std::mem::take(&mut *self.wanted.lock())
    }
}

impl Inner {
    /// Forgets the answers with this tag, and has the task below ask again. Returns how many answers there were.
    pub(super) fn reauthorize(&self, tag: &str) -> usize {
        let n_forgotten = self.hooks.reauthorize(tag);
        self.reauthorizations.add(tag);
        n_forgotten
    }

    /// Asks again until the broker is gone.
    pub(crate) async fn run_reauthorizations(self: Arc<Self>) {
        loop {
            let wanted = self.reauthorizations.next().await;
            let may_await = self.hooks.chain().awaits(Hook::AuthorizeSubscribe);
            let mut pace = Pace::default();
            let mut asking = JoinSet::new();
            for entry in self.sessions.all() {
                pace.step_or_rest().await;
                let Some((client, found)) = what_to_ask(&entry, &wanted) else {
                    continue;
                };
                if !may_await {
                    self.ask_again(&entry, &client, found, &mut pace).await;
                    continue;
                }
                while asking.len() >= AT_ONCE {
                    // One that panicked has ended too, and has been told of.
                    let _ = asking.join_next().await;
                }
                let inner = Arc::clone(&self);
                asking.spawn(async move {
                    let mut pace = Pace::default();
                    inner.ask_again(&entry, &client, found, &mut pace).await;
                });
            }
            while asking.join_next().await.is_some() {}
        }
    }

    async fn ask_again(
        &self,
        entry: &Entry,
        client: &Arc<ClientInfo>,
        found: Vec<Asked>,
        pace: &mut Pace,
    ) {
        for (filter, tagged) in found {
            self.reauthorize_subscription(entry, client, filter, &tagged)
                .await;
            pace.step_or_rest().await;
        }
    }

    async fn reauthorize_subscription(
        &self,
        entry: &Entry,
        client: &Arc<ClientInfo>,
        filter: TopicFilter,
        tagged: &Arc<Tagged>,
    ) {
        let hook = Hook::AuthorizeSubscribe;
        let mut draft = SubscriptionDraft {
            options: tagged.asked.options,
            identifier: tagged.asked.identifier,
            ..SubscriptionDraft::new(hook, client, &self.session_settings, filter)
        };
        // Each with the present plugins: a reload may come in between.
        let chain = self.hooks.chain();
        match self.decide_subscription(&chain, hook, &mut draft).await {
            // No more than these two let it go on; the others are not among this hook's answers.
            Decision::Pass | Decision::Accept => self.renew(entry, draft, tagged),
            Decision::Deny(why) | Decision::Drop(why) | Decision::Consume(why) => {
                self.remove_refused(entry, client, &draft.filter, tagged, &why);
            }
            Decision::Disconnect(why) => {
                if self.remove_refused(entry, client, &draft.filter, tagged, &why) {
                    self.disconnect_refused(entry, &why);
                }
            }
        }
    }

    /// It is still allowed, perhaps with other options and tags.
    fn renew(&self, entry: &Entry, draft: SubscriptionDraft<'_>, tagged: &Arc<Tagged>) {
        let subscription = Subscription {
            options: draft.options,
            identifier: draft.identifier,
        };
        let filter = &draft.filter;
        let before = {
            let mut state = entry.state.lock();
            if !state.holds(filter, tagged) {
                return;
            }
            let before = state.subscriptions.get(filter).copied();
            state.subscribe(filter, subscription, Tagged::of(&draft.tags, tagged.asked));
            if before != Some(subscription) {
                self.router.subscribe(
                    filter.share_name(),
                    filter.filter(),
                    &entry.session,
                    subscription,
                );
            }
            before
        };
        if before != Some(subscription) {
            let client_id = entry.session.0.client_id().as_str();
            let qos = subscription.options.qos as u8;
            tracing::info!(
                client_id,
                topic_filter = filter.as_str(),
                qos,
                "a subscription was allowed anew with other options"
            );
        }
    }

    /// It has lost its right; false if the client was faster.
    fn remove_refused(
        &self,
        entry: &Entry,
        client: &Arc<ClientInfo>,
        filter: &TopicFilter,
        tagged: &Arc<Tagged>,
        why: &Explained,
    ) -> bool {
        let removed = {
            let mut state = entry.state.lock();
            if !state.holds(filter, tagged) {
                return false;
            }
            let removed = state.unsubscribe(filter).map(|(removed, _)| removed);
            self.router
                .unsubscribe(filter.share_name(), filter.filter(), &entry.session);
            removed
        };
        self.stats.refused();
        if let Line::Write { held } = self.refusals.line(self.hooks.now_ms()) {
            if held > 0 {
                tracing::info!("{held} refusals were not logged");
            }
            let username = client.username.as_deref().unwrap_or_default();
            tracing::info!(
                client_id = client.client_id.as_str(),
                username,
                topic_filter = filter.as_str(),
                "a subscription lost its right and was removed: {why}"
            );
        }
        let hook = Hook::ClientUnsubscribed;
        self.notify_subscription(hook, entry, client, filter, removed, Some(why));
        true
    }

    /// The plugin wants more than that the subscription ends.
    fn disconnect_refused(&self, entry: &Entry, why: &Explained) {
        let control = entry.state.lock().control.clone();
        if let Some(control) = control {
            control.kick(Kick {
                reason: reason_of(why, PacketType::Disconnect),
                reason_string: self.told(why).map(str::to_owned),
                server_reference: why.refusal.server_reference.as_deref().map(str::to_owned),
                kind: DisconnectType::Rejected,
            });
        }
    }
}

/// The subscriptions of one Session that were allowed with one of these tags, and whose they are.
fn what_to_ask(entry: &Entry, wanted: &Wanted) -> Option<(Arc<ClientInfo>, Vec<Asked>)> {
    let state = entry.state.lock();
    let client = state.client.as_ref()?;
    let found: Vec<_> = state
        .tagged
        .iter()
        .filter(|(_, tagged)| wanted.has(tagged))
        .map(|(filter, tagged)| (filter.clone(), Arc::clone(tagged)))
        .collect();
    (!found.is_empty()).then(|| (Arc::clone(client), found))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tagged(tags: &[&str]) -> Tagged {
        Tagged {
            tags: tags.iter().map(|tag| (*tag).into()).collect(),
            asked: Subscription {
                options: Default::default(),
                identifier: None,
            },
        }
    }

    #[tokio::test]
    async fn tags_wait_together_and_too_many_mean_all() {
        let waiting = Reauthorizations::default();
        waiting.add("a");
        waiting.add("b");
        waiting.add("a");
        let wanted = waiting.next().await;
        assert!(wanted.has(&tagged(&["x", "a"])) && wanted.has(&tagged(&["b"])));
        assert!(!wanted.has(&tagged(&["c"])) && !wanted.has(&tagged(&[])));
        for number in 0..=MAXIMUM_TAGS {
            waiting.add(&number.to_string());
        }
        assert_eq!(waiting.next().await, Wanted::All);
        waiting.add("a");
        assert!(!waiting.next().await.has(&tagged(&["b"])));
    }
}

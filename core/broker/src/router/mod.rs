//! Who gets a message: subscriptions by Topic Filter, Shared Subscriptions, and Retained Messages by Topic Name.
//!
//! [`Router`] answers step 8 of the path of a PUBLISH, [`Retained`] step 7 and the replay at SUBSCRIBE, [`MatchCache`]
//! spares a connection that repeats its topics the question. What a subscriber is, and what is known of its
//! subscription, is the caller's: this module never sees a session, a packet or a socket, and never calls out except
//! where an argument says so. Locks are held for one filter, one topic or one page, and never while results are used.

mod cache;
mod dense;
mod retained;
mod shared;
mod slots;
#[cfg(test)]
mod tests;
mod trie;

use std::{
    hash::Hash,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use ahash::RandomState;
use parking_lot::RwLock;

pub use self::{
    cache::{CacheLimits, MatchCache},
    retained::{Budget, Cursor, Progress, Retained, RetainedFull, RetainedLimits},
    shared::{Group, Readiness, Strategy},
};
use self::{
    dense::DenseMap,
    trie::{Payload, Trie},
};

/// All subscriptions of the broker: subscriber `K` with what it asked for, `V`, by filter and Share Name.
///
/// Filters, topics and Share Names are validated by the caller, who also bounds how many there are. The depth of a
/// filter is a cost too, some 60 bytes of memory for each level that no other filter has. `K` should be cheap to
/// clone: a number or an `Arc`.
#[derive(Debug)]
pub struct Router<K, V> {
    table: RwLock<Table<K, V>>,
    /// Changes with every change of `table`, under its lock.
    generation: AtomicU64,
}

/// How much a [`Router`] holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RouterCounts {
    /// Subscriptions, members of Shared Subscriptions included.
    pub n_subscriptions: usize,
    /// Shared Subscriptions: pairs of Share Name and filter.
    pub n_shared_groups: usize,
    /// Different Topic Filters.
    pub n_filters: usize,
    /// Nodes of the filter tree; its root is always there.
    pub n_nodes: usize,
}

/// One subscription as [`Router::for_each_subscription`] shows it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SubscriptionEntry<K, V> {
    /// Share Name of a Shared Subscription.
    pub share_name: Option<Arc<str>>,
    /// Topic Filter without `$share/` and Share Name.
    pub filter: Arc<str>,
    /// The subscriber.
    pub key: K,
    /// What it asked for.
    pub value: V,
}

/// Who matches one topic. Reused from one publish to the next, so that matching does not allocate.
#[derive(Debug)]
pub struct Matches<K, V> {
    /// Subscribers, each once per matching filter of its own: overlapping subscriptions show up one by one.
    pub plain: Vec<(K, V)>,
    /// Shared Subscriptions, of each of which one member gets the message.
    pub shared: Vec<Arc<Group<K, V>>>,
}

#[derive(Debug)]
struct Table<K, V> {
    trie: Trie<Subscribers<K, V>>,
    hasher: RandomState,
    n_subscriptions: usize,
    n_shared_groups: usize,
}

/// Who subscribed to one filter.
#[derive(Debug)]
struct Subscribers<K, V> {
    plain: DenseMap<K, V>,
    /// By Share Name. Behind a pointer, as few filters are shared.
    shared: Option<Box<Groups<K, V>>>,
}

type Groups<K, V> = DenseMap<Arc<str>, Arc<Group<K, V>>>;
type GroupEntry<K, V> = (Arc<str>, Arc<Group<K, V>>);

/// What a change took out, to be dropped when the lock is gone: dropping a key may run code of the caller.
type Removed<K, V> = (Option<(K, V)>, Option<Arc<Group<K, V>>>);

/// Places of the filter tree looked at under one hold of the lock.
const PAGE: usize = 256;

impl<K: Clone + Eq + Hash, V: Clone> Router<K, V> {
    /// A router without subscriptions.
    pub fn new() -> Self {
        let trie = Trie::new();
        let hasher = trie.hasher();
        let table = Table {
            trie,
            hasher,
            n_subscriptions: 0,
            n_shared_groups: 0,
        };
        Self {
            table: RwLock::new(table),
            generation: AtomicU64::new(1),
        }
    }

    /// Adds a subscription, or replaces the one with the same key, filter and Share Name and returns what it
    /// asked for [MQTT-3.8.4-3].
    ///
    /// `filter` comes without `$share/` and Share Name; the same filter with and without a Share Name, or with
    /// another one, is another subscription.
    pub fn subscribe(
        &self,
        share_name: Option<&str>,
        filter: &str,
        key: &K,
        value: V,
    ) -> Option<V> {
        let mut table = self.table.write();
        let Table {
            trie,
            hasher,
            n_subscriptions,
            n_shared_groups,
        } = &mut *table;
        let old = trie.edit(filter, |subscribers| {
            let Some(share_name) = share_name else {
                return subscribers.plain.insert(hasher, key, value);
            };
            let groups = subscribers.shared.get_or_insert_default();
            if let Some(group) = groups.get(hasher, share_name) {
                return group.insert(hasher, key, value);
            }
            let share_name: Arc<str> = share_name.into();
            let group = Group::new(share_name.clone());
            group.insert(hasher, key, value);
            groups.insert(hasher, &share_name, Arc::new(group));
            *n_shared_groups += 1;
            None
        });
        *n_subscriptions += usize::from(old.is_none());
        self.bump_generation();
        old
    }

    /// Ends a subscription [MQTT-3.10.4-1] and returns what it asked for; `None` if there was none. No message matched
    /// from now on reaches the subscriber by it [MQTT-3.10.4-2].
    pub fn unsubscribe(&self, share_name: Option<&str>, filter: &str, key: &K) -> Option<V> {
        let mut table = self.table.write();
        let Table {
            trie,
            hasher,
            n_subscriptions,
            n_shared_groups,
        } = &mut *table;
        let (removed, group) = trie.edit_existing(filter, |subscribers| -> Removed<K, V> {
            let Some(share_name) = share_name else {
                return (subscribers.plain.remove(hasher, key), None);
            };
            let Some(groups) = &mut subscribers.shared else {
                return (None, None);
            };
            let Some(group) = groups.get(hasher, share_name) else {
                return (None, None);
            };
            let (removed, is_empty) = group.remove(hasher, key);
            if !is_empty {
                return (removed, None);
            }
            let group = groups.remove(hasher, share_name).map(|(_, group)| group);
            if groups.is_empty() {
                subscribers.shared = None;
            }
            (removed, group)
        })?;
        *n_shared_groups -= usize::from(group.is_some());
        if removed.is_some() {
            *n_subscriptions -= 1;
            self.bump_generation();
        }
        drop(table);
        removed.map(|(_, value)| value)
    }

    /// Fills `matches` with who matches `topic`; returns the generation that the answer belongs to.
    ///
    /// Takes time in proportion to the matches, not to the subscriptions held.
    pub fn matches(&self, topic: &str, matches: &mut Matches<K, V>) -> u64 {
        matches.clear();
        let table = self.table.read();
        table.trie.for_each_match(topic, |subscribers| {
            match subscribers.plain.as_slice() {
                [one] => matches.plain.push(one.clone()),
                many => matches.plain.extend_from_slice(many),
            }
            let groups = subscribers.groups().iter().map(|(_, group)| group.clone());
            matches.shared.extend(groups);
        });
        self.generation()
    }

    /// Changes with every change of the subscriptions: an answer of [`Self::matches`] holds while this is the same.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// How much is held.
    pub fn counts(&self) -> RouterCounts {
        let table = self.table.read();
        RouterCounts {
            n_subscriptions: table.n_subscriptions,
            n_shared_groups: table.n_shared_groups,
            n_filters: table.trie.n_filters(),
            n_nodes: table.trie.n_nodes(),
        }
    }

    /// Shows all subscriptions, in no order and without a lock, for queries of operators and plugins.
    ///
    /// A subscription that is there from beginning to end is shown once. If the subscriptions change meanwhile, those
    /// that change may or may not be shown, and a mass departure may hide others.
    pub fn for_each_subscription(&self, mut show: impl FnMut(&SubscriptionEntry<K, V>)) {
        let mut page = Vec::new();
        let mut from = Some(0);
        while let Some(place) = from {
            from = self
                .table
                .read()
                .trie
                .visit(place, PAGE, |filter, subscribers| {
                    let filter: Arc<str> = filter.into();
                    for (key, value) in subscribers.plain.as_slice() {
                        let (key, value) = (key.clone(), value.clone());
                        page.push(SubscriptionEntry {
                            share_name: None,
                            filter: filter.clone(),
                            key,
                            value,
                        });
                    }
                    for (share_name, group) in subscribers.groups() {
                        for (key, value) in group.members() {
                            let share_name = Some(share_name.clone());
                            page.push(SubscriptionEntry {
                                share_name,
                                filter: filter.clone(),
                                key,
                                value,
                            });
                        }
                    }
                });
            page.iter().for_each(&mut show);
            page.clear();
        }
    }

    /// To be called under the write lock, so that no reader can pair the new table with the old number.
    fn bump_generation(&self) {
        self.generation.fetch_add(1, Ordering::Release);
    }
}

impl<K: Clone + Eq + Hash, V: Clone> Default for Router<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K, V> Matches<K, V> {
    /// Room up to this many entries is kept for the next publish; more than that would outlive a rare wide fan-out.
    const KEPT_CAPACITY: usize = 1024;

    /// No matches.
    pub const fn new() -> Self {
        Self {
            plain: Vec::new(),
            shared: Vec::new(),
        }
    }

    /// Whether nobody matches.
    pub fn is_empty(&self) -> bool {
        self.plain.is_empty() && self.shared.is_empty()
    }

    /// Forgets the matches, which also lets go of the subscribers.
    pub fn clear(&mut self) {
        self.plain.clear();
        self.shared.clear();
        self.plain.shrink_to(Self::KEPT_CAPACITY);
        self.shared.shrink_to(Self::KEPT_CAPACITY);
    }
}

impl<K, V> Default for Matches<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K, V> Subscribers<K, V> {
    fn groups(&self) -> &[GroupEntry<K, V>] {
        self.shared.as_ref().map_or(&[], |groups| groups.as_slice())
    }
}

impl<K, V> Default for Subscribers<K, V> {
    fn default() -> Self {
        Self {
            plain: DenseMap::default(),
            shared: None,
        }
    }
}

impl<K, V> Payload for Subscribers<K, V> {
    fn is_empty(&self) -> bool {
        self.plain.is_empty() && self.shared.is_none()
    }
}

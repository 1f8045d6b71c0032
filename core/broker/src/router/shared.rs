//! Shared Subscriptions: one group per Share Name and Topic Filter, one member per message.
//!
//! A group stands among the subscribers of its filter, so it is found in the same pass as they are. Who of its
//! members gets a message is decided when the message is there, because only then the caller knows who is connected.

use std::{
    hash::Hash,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use ahash::RandomState;
use parking_lot::RwLock;

use super::dense::DenseMap;

/// The members of one Shared Subscription.
#[derive(Debug)]
pub struct Group<K, V> {
    share_name: Arc<str>,
    members: RwLock<DenseMap<K, V>>,
    /// Counts choices; for `Strategy::Sticky` the position of the member that stays.
    turn: AtomicU64,
}

/// Who is chosen from a group, as far as the members' readiness leaves a choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Strategy {
    /// Each member in turn.
    #[default]
    RoundRobin,
    /// Any member, with equal chances.
    Random,
    /// The same member as last time, until it is no longer ready.
    Sticky,
    /// The same member for the same publisher, until the group changes.
    HashPublisher,
}

/// What a member of a group can do with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readiness {
    /// It is connected and takes the message at once.
    Now,
    /// Its session takes the message and keeps it.
    Later,
    /// It cannot have the message.
    Never,
}

impl<K: Clone + Eq + Hash, V: Clone> Group<K, V> {
    pub(super) fn new(share_name: Arc<str>) -> Self {
        Self {
            share_name,
            members: RwLock::default(),
            turn: AtomicU64::new(0),
        }
    }

    /// The Share Name, without `$share/` and without the filter.
    pub fn share_name(&self) -> &str {
        &self.share_name
    }

    /// How many members there are.
    pub fn n_members(&self) -> usize {
        self.members.read().as_slice().len()
    }

    /// The one member that gets a message: the first by `strategy` that is ready now, or else later.
    ///
    /// `publisher` is a hash of the publishing client's identity, used by [`Strategy::HashPublisher`] alone.
    /// `readiness` is asked once per member until one says [`Readiness::Now`]. It runs under the group's lock: it
    /// should read a flag or two and must not call the router. `None` if no member can have the message, also when
    /// the group has lost its last member since it was matched.
    pub fn choose(
        &self,
        strategy: Strategy,
        publisher: u64,
        mut readiness: impl FnMut(&K, &V) -> Readiness,
    ) -> Option<(K, V)> {
        let members = self.members.read();
        let members = members.as_slice();
        let n_members = members.len() as u64;
        if n_members == 0 {
            return None;
        }
        let first = match strategy {
            Strategy::RoundRobin => self.turn.fetch_add(1, Ordering::Relaxed) % n_members,
            Strategy::Random => shuffle(self.turn.fetch_add(1, Ordering::Relaxed)) % n_members,
            Strategy::Sticky => self.turn.load(Ordering::Relaxed) % n_members,
            Strategy::HashPublisher => shuffle(publisher) % n_members,
        };
        let (before, from) = members.split_at(first as usize);
        let mut chosen = None;
        for (steps, member) in from.iter().chain(before).enumerate() {
            match readiness(&member.0, &member.1) {
                Readiness::Now => {
                    chosen = Some((steps, member));
                    break;
                }
                Readiness::Later => chosen = chosen.or(Some((steps, member))),
                Readiness::Never => {}
            }
        }
        let (steps, member) = chosen?;
        if steps > 0 {
            // Skipped members give up their turn, or else the next one in line would serve theirs as well.
            match strategy {
                Strategy::RoundRobin => {
                    self.turn.fetch_add(steps as u64, Ordering::Relaxed);
                }
                Strategy::Sticky => self.turn.store(first + steps as u64, Ordering::Relaxed),
                Strategy::Random | Strategy::HashPublisher => {}
            }
        }
        Some(member.clone())
    }

    /// Copies of all members, in no order.
    pub fn members(&self) -> Vec<(K, V)> {
        self.members.read().as_slice().to_vec()
    }

    pub(super) fn insert(&self, hasher: &RandomState, key: &K, value: V) -> Option<V> {
        self.members.write().insert(hasher, key, value)
    }

    /// Takes the member out; says whether the group is empty now.
    pub(super) fn remove(&self, hasher: &RandomState, key: &K) -> (Option<(K, V)>, bool) {
        let mut members = self.members.write();
        let removed = members.remove(hasher, key);
        (removed, members.is_empty())
    }
}

/// Spreads numbers that follow one another over all 64 bits (the finisher of SplitMix64).
fn shuffle(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn group(n_members: u32) -> Group<u32, ()> {
        let group = Group::new("name".into());
        let hasher = RandomState::new();
        for key in 0..n_members {
            group.insert(&hasher, &key, ());
        }
        group
    }

    fn count(
        group: &Group<u32, ()>,
        strategy: Strategy,
        n_messages: u64,
        readiness: impl Fn(u32) -> Readiness,
    ) -> BTreeMap<Option<u32>, u64> {
        let mut counts = BTreeMap::new();
        for publisher in 0..n_messages {
            let chosen = group.choose(strategy, publisher, |key, ()| readiness(*key));
            *counts.entry(chosen.map(|(key, ())| key)).or_default() += 1;
        }
        counts
    }

    #[test]
    fn round_robin_serves_each_member_alike() {
        let counts = count(&group(7), Strategy::RoundRobin, 700, |_| Readiness::Now);
        assert_eq!(counts, (0..7).map(|key| (Some(key), 100)).collect());
    }

    /// The member behind one that is away must not serve both their turns.
    #[test]
    fn round_robin_stays_fair_among_those_that_are_ready() {
        // Unevenly spread, with two neighbours.
        let ready = |key| match key {
            0 | 1 | 5 => Readiness::Now,
            _ => Readiness::Later,
        };
        let counts = count(&group(12), Strategy::RoundRobin, 300, ready);
        assert_eq!(counts, [0, 1, 5].map(|key| (Some(key), 100)).into());
    }

    #[test]
    fn those_that_keep_messages_serve_only_when_nobody_is_ready() {
        let later = |key| {
            if key < 2 {
                Readiness::Later
            } else {
                Readiness::Never
            }
        };
        let counts = count(&group(3), Strategy::RoundRobin, 90, later);
        assert_eq!(
            counts.keys().copied().collect::<Vec<_>>(),
            [Some(0), Some(1)]
        );
        assert_eq!(
            count(&group(3), Strategy::RoundRobin, 5, |_| Readiness::Never),
            [(None, 5)].into()
        );
        assert_eq!(
            count(&group(0), Strategy::RoundRobin, 5, |_| Readiness::Now),
            [(None, 5)].into()
        );
    }

    #[test]
    fn random_serves_each_member_about_alike() {
        let counts = count(&group(10), Strategy::Random, 10_000, |_| Readiness::Now);
        assert_eq!(counts.len(), 10);
        assert!(
            counts.values().all(|n| (800..1200).contains(n)),
            "{counts:?}"
        );
    }

    #[test]
    fn sticky_stays_until_the_member_is_not_ready() {
        let group = group(5);
        assert_eq!(
            count(&group, Strategy::Sticky, 10, |_| Readiness::Now),
            [(Some(0), 10)].into()
        );
        let ready = |key| {
            if key == 0 {
                Readiness::Later
            } else {
                Readiness::Now
            }
        };
        assert_eq!(
            count(&group, Strategy::Sticky, 10, ready),
            [(Some(1), 10)].into()
        );
        assert_eq!(
            count(&group, Strategy::Sticky, 10, |_| Readiness::Now),
            [(Some(1), 10)].into()
        );
    }

    #[test]
    fn a_publisher_keeps_its_member_and_publishers_are_spread() {
        let group = group(8);
        let choose =
            |publisher| group.choose(Strategy::HashPublisher, publisher, |_, ()| Readiness::Now);
        assert!((0..100).all(|publisher| choose(publisher) == choose(publisher)));
        let counts = count(&group, Strategy::HashPublisher, 8000, |_| Readiness::Now);
        assert!(
            counts.len() == 8 && counts.values().all(|n| (800..1200).contains(n)),
            "{counts:?}"
        );
    }
}

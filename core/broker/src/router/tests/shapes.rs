//! The router under hostile shapes, mass departure, and changes made meanwhile.

use std::{
    collections::BTreeMap,
    hash::Hasher,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use super::{super::*, matching};

#[test]
fn topics_of_the_greatest_length_are_matched_without_recursion() {
    let slashes = "/".repeat(65_535);
    let plus = format!("+{}", "/+".repeat(32_767));
    let deep = format!("{}x", "a/".repeat(32_767));
    let router = Router::new();
    for (key, filter) in [slashes.as_str(), &plus, &deep, "#", "/#", "+/+"]
        .into_iter()
        .enumerate()
    {
        router.subscribe(None, filter, &(key as u32), ());
    }
    assert_eq!(matching(&router, &slashes), [0, 3, 4]);
    assert_eq!(matching(&router, &deep), [1, 2, 3]);
    let mut filters = Vec::new();
    router.for_each_subscription(|entry| filters.push(entry.filter.len()));
    filters.sort_unstable();
    assert_eq!(filters, [1, 2, 3, 65_535, 65_535, 65_535]);
    for (key, filter) in [slashes.as_str(), &plus, &deep, "#", "/#", "+/+"]
        .into_iter()
        .enumerate()
    {
        assert!(router.unsubscribe(None, filter, &(key as u32)).is_some());
    }
    assert_eq!(router.counts().n_nodes, 1);
}

/// Every filter made of `+` and `a`, fourteen levels deep: each level doubles what is reached.
#[test]
fn a_filter_for_every_choice_of_wildcards_is_matched_once_each() {
    let router = Router::new();
    for choice in 0..1u32 << 14 {
        let levels: Vec<&str> = (0..14)
            .map(|level| if choice >> level & 1 == 0 { "a" } else { "+" })
            .collect();
        router.subscribe(None, &levels.join("/"), &choice, ());
    }
    let topic = ["a"; 14].join("/");
    assert_eq!(matching(&router, &topic), (0..1 << 14).collect::<Vec<_>>());
    assert_eq!(
        matching(&router, &format!("b{}", &topic[1..])).len(),
        1 << 13
    );
}

#[test]
fn memory_follows_the_subscriptions_down_and_the_rest_still_matches() {
    let router = Router::new();
    let filter = |n: u32| {
        format!(
            "site/{}/{}device/{n}",
            n % 100,
            if n.is_multiple_of(3) { "+/" } else { "" }
        )
    };
    for n in 0..50_000 {
        router.subscribe(None, &filter(n), &n, ());
        router.subscribe(Some("share"), &format!("{}/#", filter(n)), &n, ());
    }
    for n in (0..50_000).filter(|n| n % 100 != 7) {
        assert!(router.unsubscribe(None, &filter(n), &n).is_some());
        assert!(
            router
                .unsubscribe(Some("share"), &format!("{}/#", filter(n)), &n)
                .is_some()
        );
    }
    // Compacted on the way, so places are few; and every number in the tree was changed with them.
    assert!(router.table.read().trie.n_places() < 4096);
    assert_eq!(router.counts().n_subscriptions, 1000);
    for n in (0..50_000).filter(|n| n % 100 == 7) {
        let mut matches = Matches::new();
        router.matches(&filter(n).replace('+', "any"), &mut matches);
        assert_eq!(matches.plain, [(n, ())]);
        assert_eq!(matches.shared.len(), 1);
    }
    let mut n_shown = 0;
    router.for_each_subscription(|entry| {
        n_shown += 1;
        let base = filter(entry.key);
        let expected = if entry.share_name.is_some() {
            format!("{base}/#")
        } else {
            base
        };
        assert_eq!(*entry.filter, *expected);
    });
    assert_eq!(n_shown, 1000);
}

#[test]
fn a_hundred_thousand_subscribers_of_one_filter_come_and_go() {
    let router = Router::new();
    for key in 0..100_000u32 {
        router.subscribe(None, "all", &key, ());
        router.subscribe(Some("s"), "all", &key, ());
    }
    let mut matches = Matches::new();
    router.matches("all", &mut matches);
    assert_eq!(
        (matches.plain.len(), matches.shared[0].n_members()),
        (100_000, 100_000)
    );
    matches.clear();
    assert!(matches.plain.capacity() <= 1024);
    for key in 0..100_000u32 {
        assert!(router.unsubscribe(None, "all", &key).is_some());
        assert!(router.unsubscribe(Some("s"), "all", &key).is_some());
    }
    assert_eq!(router.counts().n_nodes, 1);
}

#[test]
fn a_group_matched_before_it_ended_chooses_nobody() {
    let router = Router::new();
    router.subscribe(Some("s"), "jobs/+", &1, "first");
    let mut before = Matches::new();
    let generation = router.matches("jobs/a", &mut before);
    router.subscribe(Some("s"), "jobs/+", &2, "second");
    assert_ne!(router.generation(), generation);
    let choose = |matches: &Matches<u8, &'static str>| {
        matches.shared[0].choose(Strategy::RoundRobin, 0, |_, _| Readiness::Now)
    };
    assert!(router.unsubscribe(Some("s"), "jobs/+", &1).is_some());
    assert_eq!(choose(&before), Some((2, "second")));
    assert!(router.unsubscribe(Some("s"), "jobs/+", &2).is_some());
    assert_eq!(choose(&before), None);
    // The group of the same name that comes later is another one.
    router.subscribe(Some("s"), "jobs/+", &3, "third");
    assert_eq!(choose(&before), None);
    let mut after = Matches::new();
    router.matches("jobs/a", &mut after);
    assert_eq!(choose(&after), Some((3, "third")));
}

/// A key whose end ends a subscription too, as the last `Arc` of a session may do.
#[test]
fn the_end_of_a_key_may_use_the_router() {
    #[derive(Clone, PartialEq, Eq, Hash)]
    struct Key(Arc<Inner>);
    #[derive(Clone)]
    struct Inner(u8, Weak<Router<Key, ()>>, Arc<AtomicUsize>);
    impl PartialEq for Inner {
        fn eq(&self, other: &Self) -> bool {
            self.0 == other.0
        }
    }
    impl Eq for Inner {}
    impl Hash for Inner {
        fn hash<H: Hasher>(&self, state: &mut H) {
            self.0.hash(state);
        }
    }
    impl Drop for Inner {
        fn drop(&mut self) {
            if let Some(router) = self.1.upgrade() {
                router.unsubscribe(
                    None,
                    "other",
                    &Key(Arc::new(Self(9, Weak::new(), self.2.clone()))),
                );
                self.2.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    let router = Arc::new(Router::new());
    let n_ended = Arc::new(AtomicUsize::new(0));
    let key = |id| {
        Key(Arc::new(Inner(
            id,
            Arc::downgrade(&router),
            n_ended.clone(),
        )))
    };
    router.subscribe(None, "filter", &key(1), ());
    let probe = Key(Arc::new(Inner(1, Weak::new(), n_ended.clone())));
    router.unsubscribe(None, "filter", &probe);
    assert_eq!(n_ended.load(Ordering::Relaxed), 1);
    router.subscribe(Some("s"), "filter", &key(1), ());
    router.unsubscribe(Some("s"), "filter", &probe);
    assert_eq!(n_ended.load(Ordering::Relaxed), 2);
}

#[test]
fn answers_of_one_generation_are_whole_while_others_subscribe() {
    // Two filters change together but for the moment between the calls, so at most one may be missing.
    let router = Router::new();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0..20_000u32 {
                router.subscribe(None, "a/+", &1, round);
                router.subscribe(None, "a/#", &2, round);
                router.unsubscribe(None, "a/+", &1);
                router.unsubscribe(None, "a/#", &2);
            }
            done.store(true, Ordering::Release);
        });
        let mut matches = Matches::new();
        let mut by_generation: BTreeMap<u64, Vec<(u32, u32)>> = BTreeMap::new();
        while !done.load(Ordering::Acquire) {
            let generation = router.matches("a/b", &mut matches);
            matches.plain.sort_unstable();
            let known = by_generation
                .entry(generation)
                .or_insert_with(|| matches.plain.clone());
            assert_eq!(*known, matches.plain);
        }
    });
    assert_eq!(router.counts().n_nodes, 1);
}

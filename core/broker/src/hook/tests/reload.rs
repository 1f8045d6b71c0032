//! Swapping chains: whole, in order, while calls run; what stays and what goes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use hookmq_plugin_api::{
    Answer, Cause, EventRecord, Field, FieldSet, Hook, Owned, PluginError, VerdictKind,
};
use parking_lot::Mutex;

use super::{Scripted, Sheet, integer, registered};
use crate::hook::{
    BreakerState, Decision, Filter, HookSettings, Hooks, Listed, NoticeOrder, Registration, Scope,
};

const WAIT: Duration = Duration::from_secs(60);

fn passing(hooks: &[Hook]) -> Arc<Scripted> {
    Scripted::new(hooks, |_| Ok(Answer::PASS))
}

#[test]
fn a_call_sees_one_generation_whole() {
    // The first plugin of a generation leaves a mark, the second wants just this mark.
    let generation = |mark: i64| {
        let marks = Scripted::new(&[Hook::InterceptPublish], move |_| {
            Ok(Answer::pass_with(vec![(
                Field::MessageExpiryInterval,
                Owned::Integer(mark),
            )]))
        });
        let wants = Scripted::new(&[Hook::InterceptPublish], move |event| {
            if integer(event, Field::MessageExpiryInterval) == mark {
                Ok(Answer::PASS)
            } else {
                Err(PluginError::new(
                    Cause::Raised,
                    "the mark of another generation",
                ))
            }
        });
        vec![
            registered("wants", wants),
            Registration {
                priority: 1,
                ..registered("marks", marks)
            },
        ]
    };
    let hooks = Hooks::new(HookSettings::default());
    hooks.swap(generation(0));
    let done = AtomicBool::new(false);
    std::thread::scope(|threads| {
        let callers: Vec<_> = (0..3)
            .map(|_| {
                threads.spawn(|| {
                    let mut cache = hooks.cache();
                    let (mut calls, mut last) = (0_u64, 0);
                    while !done.load(Relaxed) {
                        let chain = cache.load();
                        assert!(chain.generation() >= last, "never back");
                        last = chain.generation();
                        let mut sheet = Sheet::new(Hook::InterceptPublish);
                        let decision =
                            chain.filter(Hook::InterceptPublish, &Scope::BROKER, &mut sheet);
                        assert_eq!(decision, Decision::Pass);
                        calls += 1;
                    }
                    calls
                })
            })
            .collect();
        for mark in 1..300 {
            assert_eq!(hooks.swap(generation(mark)), mark as u64 + 1);
        }
        done.store(true, Relaxed);
        let calls: u64 = callers
            .into_iter()
            .map(|caller| caller.join().expect("no panic inside"))
            .sum();
        let counted: Vec<_> = hooks
            .metrics()
            .iter()
            .map(|seen| seen.verdict(VerdictKind::Pass))
            .collect();
        assert_eq!(counted, [calls, calls], "counters go on under the name");
    });
}

#[test]
fn the_order_is_priority_then_registration() {
    let hooks = Hooks::new(HookSettings::default());
    let plugin = |name, priority| Registration {
        priority,
        ..registered(name, passing(&[Hook::AuthorizePublish]))
    };
    hooks.swap(vec![
        plugin("c", 0),
        plugin("d", 0),
        plugin("a", 10),
        plugin("e", -1),
        plugin("b", 10),
    ]);
    let chain = hooks.chain();
    let listed = chain.list();
    let [(Hook::AuthorizePublish, listed)] = listed.as_slice() else {
        panic!("one hook: {listed:?}")
    };
    let order: Vec<_> = listed
        .iter()
        .map(|line| (&*line.plugin, line.priority))
        .collect();
    assert_eq!(order, [("a", 10), ("b", 10), ("c", 0), ("d", 0), ("e", -1)]);
}

#[test]
fn the_list_shows_the_resolved_chain() {
    let hooks = Hooks::new(HookSettings::default());
    let awaiting = Scripted::awaiting(Hook::ValidateConnection, |_| {
        Box::pin(async { Ok(Answer::PASS) })
    });
    hooks.swap(vec![
        Registration {
            filter: Filter {
                listeners: vec!["public".into()],
                ..Filter::default()
            },
            ..registered("auth", awaiting)
        },
        registered("log", passing(&[Hook::ClientConnected])),
    ]);
    let chain = hooks.chain();
    let line = |plugin: &str, filter: &str, awaits| Listed {
        plugin: plugin.into(),
        kind: "scripted",
        priority: 0,
        filter: filter.into(),
        awaits,
        on_error: if awaits {
            hookmq_plugin_api::OnError::Deny
        } else {
            hookmq_plugin_api::OnError::Pass
        },
    };
    assert_eq!(
        chain.list(),
        [
            (
                Hook::ValidateConnection,
                vec![line("auth", "listeners=public", true)]
            ),
            (Hook::ClientConnected, vec![line("log", "", false)]),
        ]
    );
    assert!(chain.awaits(Hook::ValidateConnection) && !chain.awaits(Hook::ClientConnected));
    assert_eq!(
        chain.fields(Hook::ClientConnected),
        Hook::ClientConnected.spec().field_set()
    );
    assert_eq!(chain.fields(Hook::AuthorizePublish), FieldSet::EMPTY);
}

#[test]
fn an_empty_chain_listens_to_nothing_and_passes() {
    let hooks = Hooks::new(HookSettings::default());
    let chain = hooks.chain();
    for spec in hookmq_plugin_api::catalogue::HOOKS {
        assert!(!chain.listens(spec.hook) && !hooks.listens(spec.hook));
    }
    let mut sheet = Sheet::new(Hook::AuthorizePublish);
    assert_eq!(
        chain.gate(Hook::AuthorizePublish, &Scope::BROKER, &mut sheet),
        Decision::Pass
    );
    assert_eq!(chain.generation(), 0);
}

#[test]
fn a_removed_plugin_is_freed_once_nobody_looks_at_it() {
    let hooks = Hooks::new(HookSettings::default());
    let plugin = passing(&[Hook::AuthorizePublish]);
    let alive = Arc::downgrade(&plugin);
    hooks.swap(vec![registered("p", plugin)]);
    let mut cache = hooks.cache();
    assert!(cache.load().listens(Hook::AuthorizePublish));
    hooks.swap(Vec::new());
    assert!(alive.upgrade().is_some(), "the cache still looks at it");
    assert!(!cache.load().listens(Hook::AuthorizePublish));
    assert!(alive.upgrade().is_none());
}

#[test]
fn a_plugin_that_stays_keeps_its_breaker_and_a_new_one_begins_anew() {
    let hooks = Hooks::new(HookSettings::default());
    let bad = || {
        Scripted::new(&[Hook::AuthorizePublish], |_| {
            Err(PluginError::new(Cause::Timeout, "by the test"))
        })
    };
    let stays = bad();
    hooks.swap(vec![registered("p", Arc::clone(&stays))]);
    for _ in 0..10 {
        hooks.chain().gate(
            Hook::AuthorizePublish,
            &Scope::BROKER,
            &mut Sheet::new(Hook::AuthorizePublish),
        );
    }
    let state = || {
        (
            hooks.metrics()[0].breaker,
            hooks.metrics()[0].error(Cause::Timeout),
        )
    };
    assert_eq!(state(), (BreakerState::Open, 10));
    hooks.swap(vec![
        registered("other", passing(&[Hook::AuthorizePublish])),
        Registration {
            priority: 5,
            ..registered("p", stays)
        },
    ]);
    assert_eq!(state(), (BreakerState::Open, 10));
    hooks.swap(vec![registered("p", bad())]);
    assert_eq!(state(), (BreakerState::Closed, 10));
}

#[tokio::test]
async fn notices_of_a_plugin_that_stays_go_on_and_of_one_that_goes_are_still_told() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let (entered, enters) = sync_channel(100);
    let (lets_go, go) = sync_channel::<()>(100);
    let go = Arc::new(Mutex::new(go));
    let writer = |name: &'static str| {
        let (told, entered, go) = (Arc::clone(&told), entered.clone(), Arc::clone(&go));
        Scripted::new(&[Hook::ClientConnected], move |event| {
            entered.send(()).ok();
            go.lock().recv().ok();
            told.lock().push((name, integer(event, Field::Sequence)));
            Ok(Answer::PASS)
        })
    };
    let hooks = Hooks::new(HookSettings::default());
    let order = NoticeOrder::default();
    let connect = || {
        let event = EventRecord::new(Hook::ClientConnected);
        hooks.notify(
            Hook::ClientConnected,
            &Scope {
                client_id: "a",
                ..Scope::BROKER
            },
            &event,
            Some(&order),
        );
    };
    let heard = || {
        let mut heard = std::mem::take(&mut *told.lock());
        heard.sort_unstable();
        heard
    };

    let old = writer("old");
    hooks.swap(vec![registered("p", Arc::clone(&old))]);
    connect();
    enters.recv_timeout(WAIT).expect("the first is being told");
    connect();
    hooks.swap(vec![registered("p", Arc::clone(&old))]);
    connect();
    hooks.swap(vec![registered("p", writer("new"))]);
    connect();
    for _ in 0..4 {
        lets_go.send(()).expect("they live");
    }
    assert!(hooks.drain(WAIT).await);
    assert_eq!(heard(), [("new", 1), ("old", 1), ("old", 2), ("old", 3)]);

    // A caller that still had the old chain when the queue was already closed and its thread gone.
    hooks.swap(vec![registered("p", Arc::clone(&old))]);
    let chain = hooks.chain();
    hooks.swap(Vec::new());
    let event = EventRecord::new(Hook::ClientConnected);
    crate::hook::notices::tell(
        || &chain,
        Hook::ClientConnected,
        &Scope::BROKER,
        &event,
        &order,
    );
    lets_go.send(()).expect("it lives");
    assert!(hooks.drain(WAIT).await);
    assert_eq!(heard(), [("old", 1)]);
}

#[test]
fn threads_of_notices_end_with_the_engine() {
    let hooks = Hooks::new(HookSettings::default());
    let (alive, ended) = sync_channel::<()>(0);
    let (entered, enters) = sync_channel(1);
    let plugin = Scripted::new(&[Hook::ClientConnected], move |_| {
        let _ = &alive;
        entered.send(()).ok();
        Ok(Answer::PASS)
    });
    hooks.swap(vec![registered("p", plugin)]);
    hooks.notify(
        Hook::ClientConnected,
        &Scope::BROKER,
        &EventRecord::new(Hook::ClientConnected),
        None,
    );
    enters.recv_timeout(WAIT).expect("the thread runs");
    drop(hooks);
    // The plugin lives as long as its thread, and the sender as long as the plugin.
    assert_eq!(
        ended.recv_timeout(WAIT),
        Err(std::sync::mpsc::RecvTimeoutError::Disconnected)
    );
}

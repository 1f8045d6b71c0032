//! What failures become: the error policy over all hooks, panics, timeouts, breakers, slow calls.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use hookmq_plugin_api::{
    Answer, Cause, Hook, Kind, OnError, PluginError, Verdict, VerdictKind, catalogue::HOOKS,
};

use super::{Scripted, Sheet, registered};
use crate::hook::{
    BreakerSettings, BreakerState, Decision, HookSettings, Hooks, Registration, Scope,
};

fn raised() -> PluginError {
    PluginError::new(Cause::Raised, "rule.lua:3: attempt to index nil")
}

fn timeout() -> PluginError {
    PluginError::new(Cause::Timeout, "over 50 ms")
}

fn ask(hooks: &Hooks, hook: Hook) -> Decision {
    ask_about(hooks, hook, "")
}

/// An event of this client's, or of nobody in particular.
fn ask_about(hooks: &Hooks, hook: Hook, client_id: &str) -> Decision {
    let scope = Scope {
        client_id,
        ..Scope::BROKER
    };
    let mut sheet = Sheet::new(hook);
    match hook.spec().kind {
        Kind::Gate => hooks.chain().gate(hook, &scope, &mut sheet),
        _ => hooks.chain().filter(hook, &scope, &mut sheet),
    }
}

/// What a failure counts as, over every hook that decides, every kind of failure, every setting.
#[test]
fn a_failure_counts_as_the_policy_says() {
    type Failure = fn() -> Result<Answer, PluginError>;
    let failures: [(Cause, Failure); 4] = [
        (Cause::Raised, || Err(raised())),
        (Cause::Timeout, || Err(timeout())),
        (Cause::Panic, || {
            std::panic::resume_unwind(Box::new("words"))
        }),
        (Cause::Answer, || {
            Ok(Verdict::deny(0x01, "no failure").into())
        }),
    ];
    let deciding = HOOKS
        .iter()
        .filter(|spec| matches!(spec.kind, Kind::Gate | Kind::Filter));
    for spec in deciding {
        for on_error in [None, Some(OnError::Pass), Some(OnError::Deny)] {
            for (cause, failure) in failures {
                let hooks = Hooks::new(HookSettings::default());
                hooks.swap(vec![Registration {
                    on_error,
                    ..registered("bad", Scripted::new(&[spec.hook], move |_| failure()))
                }]);
                let decision = ask(&hooks, spec.hook);
                let what = format!("{} {on_error:?} {cause:?}", spec.name);
                let denies = on_error.unwrap_or(match spec.hook {
                    Hook::ValidateConnection
                    | Hook::AuthorizePublish
                    | Hook::AuthorizeSubscribe
                    | Hook::InterceptPublish
                    | Hook::InterceptSubscription => OnError::Deny,
                    _ => OnError::Pass,
                }) == OnError::Deny;
                match (denies, spec.may_answer(VerdictKind::Deny)) {
                    (false, _) => assert_eq!(decision, Decision::Pass, "{what}"),
                    (true, true) => assert_eq!(decision.kind(), VerdictKind::Deny, "{what}"),
                    (true, false) => assert_eq!(decision.kind(), VerdictKind::Drop, "{what}"),
                }
                if let Some(why) = decision.explained() {
                    assert_eq!(why.refusal.reason_code, 0x83, "{what}");
                    assert_eq!(
                        why.refusal.reason_string, None,
                        "a client learns nothing of it: {what}"
                    );
                    assert_eq!(
                        why.error.as_ref().map(|error| error.cause),
                        Some(cause),
                        "{what}"
                    );
                }
                assert_eq!(hooks.metrics()[0].error(cause), 1, "{what}");
                assert_eq!(hooks.metrics()[0].calls(), 1, "{what}");
            }
        }
    }
}

#[test]
fn a_panic_keeps_its_words() {
    let hooks = Hooks::new(HookSettings::default());
    hooks.swap(vec![registered(
        "bad",
        Scripted::new(&[Hook::AuthorizePublish], |_| {
            std::panic::resume_unwind(Box::new(format!("at {}", 7)))
        }),
    )]);
    let decision = ask(&hooks, Hook::AuthorizePublish);
    let why = decision.explained().expect("it is denied");
    assert_eq!(
        why.to_string(),
        "plugin bad, authorize_publish: failed, panic: at 7 (0x83)"
    );
}

#[tokio::test(start_paused = true)]
async fn an_awaiting_call_is_given_up_in_time() {
    let hooks = Hooks::new(HookSettings::default());
    let slow = Scripted::awaiting(Hook::ValidateConnection, |_| {
        Box::pin(async {
            tokio::time::sleep(Duration::from_millis(1999)).await;
            Ok(Verdict::Accept.into())
        })
    });
    let stuck = Scripted::awaiting(Hook::ValidateConnection, |_| Box::pin(pending()));
    for (plugin, expected) in [(slow, VerdictKind::Accept), (stuck, VerdictKind::Deny)] {
        hooks.swap(vec![Registration {
            awaiting_timeout: Duration::from_secs(2),
            ..registered("http", plugin)
        }]);
        let began = tokio::time::Instant::now();
        let decision = hooks
            .chain()
            .gate_awaiting(
                Hook::ValidateConnection,
                &Scope::BROKER,
                &mut Sheet::new(Hook::ValidateConnection),
            )
            .await;
        assert_eq!(decision.kind(), expected);
        assert!(began.elapsed() <= Duration::from_millis(2001));
        if let Some(why) = decision.explained() {
            assert_eq!(
                why.to_string(),
                "plugin http, validate_connection: failed, timeout: no answer within 2000 ms (0x83)"
            );
        }
    }
    assert_eq!(hooks.metrics()[0].error(Cause::Timeout), 1);
}

#[tokio::test]
async fn a_future_that_panics_is_an_error() {
    let hooks = Hooks::new(HookSettings::default());
    let at_once = Scripted::awaiting(Hook::ValidateConnection, |_| {
        std::panic::resume_unwind(Box::new("at once"))
    });
    let later = Scripted::awaiting(Hook::ValidateConnection, |_| {
        Box::pin(async {
            tokio::task::yield_now().await;
            std::panic::resume_unwind(Box::new("later"))
        })
    });
    hooks.swap(vec![
        Registration {
            on_error: Some(OnError::Pass),
            ..registered("at_once", at_once)
        },
        registered("later", later),
    ]);
    let decision = hooks
        .chain()
        .gate_awaiting(
            Hook::ValidateConnection,
            &Scope::BROKER,
            &mut Sheet::new(Hook::ValidateConnection),
        )
        .await;
    let why = decision.explained().expect("the second denies");
    assert_eq!(
        why.to_string(),
        "plugin later, validate_connection: failed, panic: later (0x83)"
    );
}

/// Tokio's clock, held and advanced by hand, is the breaker's.
#[tokio::test(start_paused = true)]
async fn an_open_breaker_spares_the_plugin_and_keeps_the_policy() {
    let calls = Arc::new(AtomicUsize::new(0));
    let well = Arc::new(AtomicBool::new(false));
    let (counted, is_well) = (Arc::clone(&calls), Arc::clone(&well));
    let plugin = Scripted::new(
        &[Hook::AuthorizePublish, Hook::InterceptEnqueue],
        move |_| {
            counted.fetch_add(1, Relaxed);
            if is_well.load(Relaxed) {
                Ok(Verdict::Pass.into())
            } else {
                Err(timeout())
            }
        },
    );
    let hooks = Hooks::new(HookSettings {
        breaker: BreakerSettings {
            failures: 3,
            open_for: Duration::from_secs(5),
        },
        ..HookSettings::default()
    });
    hooks.swap(vec![registered("late", plugin)]);
    let state = || {
        hooks
            .metrics()
            .iter()
            .map(|seen| seen.breaker)
            .collect::<Vec<_>>()
    };

    for _ in 0..3 {
        assert_eq!(
            ask(&hooks, Hook::AuthorizePublish).kind(),
            VerdictKind::Deny
        );
    }
    assert_eq!(
        state(),
        [BreakerState::Open, BreakerState::Closed],
        "each hook has its own"
    );
    let decision = ask(&hooks, Hook::AuthorizePublish);
    let why = decision.explained().expect("a security hook denies");
    assert_eq!(
        why.to_string(),
        "plugin late, authorize_publish: failed, unavailable: the breaker is open after repeated failures (0x83)"
    );
    assert_eq!(calls.load(Relaxed), 3, "it was not called");

    for _ in 0..5 {
        assert_eq!(ask(&hooks, Hook::InterceptEnqueue), Decision::Pass);
    }
    assert_eq!(calls.load(Relaxed), 6);

    tokio::time::advance(Duration::from_secs(5)).await;
    well.store(true, Relaxed);
    assert_eq!(ask(&hooks, Hook::AuthorizePublish), Decision::Pass);
    assert_eq!(state(), [BreakerState::Closed, BreakerState::Open]);
    let seen = &hooks.metrics()[0];
    assert_eq!(
        (
            seen.breaker_opened,
            seen.short_circuited,
            seen.error(Cause::Timeout)
        ),
        (1, 1, 3)
    );
}

/// One client's messages make the script loop, again and again between the others' messages.
#[tokio::test(start_paused = true)]
async fn a_client_that_costs_too_much_is_not_asked_about_and_the_others_are() {
    for (cause, isolates) in [
        (Cause::Timeout, true),
        (Cause::Memory, true),
        (Cause::Raised, false),
        (Cause::Answer, false),
        (Cause::Panic, false),
    ] {
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&calls);
        let loops = Arc::new(AtomicBool::new(false));
        let does = Arc::clone(&loops);
        let plugin = Scripted::new(
            &[Hook::AuthorizePublish, Hook::InterceptEnqueue],
            move |_| {
                counted.fetch_add(1, Relaxed);
                if does.load(Relaxed) {
                    Err(PluginError::new(cause, "over 50 ms"))
                } else {
                    Ok(Answer::PASS)
                }
            },
        );
        let hooks = Hooks::new(HookSettings::default());
        hooks.swap(vec![registered("shared", plugin)]);
        let asked = |client_id, provokes| {
            loops.store(provokes, Relaxed);
            let before = calls.load(Relaxed);
            let decision = ask_about(&hooks, Hook::AuthorizePublish, client_id);
            (decision.kind(), calls.load(Relaxed) - before)
        };
        // What others send in between makes nobody forget.
        for _ in 0..3 {
            assert_eq!(asked("bad", true), (VerdictKind::Deny, 1));
            for other in ["ann", "bob"] {
                assert_eq!(asked(other, false), (VerdictKind::Pass, 1));
            }
        }
        if !isolates {
            assert_eq!(asked("bad", false), (VerdictKind::Pass, 1), "{cause:?}");
            continue;
        }
        for _ in 0..20 {
            assert_eq!(asked("bad", true), (VerdictKind::Deny, 0), "{cause:?}");
        }
        assert_eq!(asked("ann", false), (VerdictKind::Pass, 1));
        assert_eq!(asked("", false), (VerdictKind::Pass, 1));
        let seen = &hooks.metrics()[0];
        assert_eq!(
            (seen.error(cause), seen.short_circuited, seen.breaker),
            (3, 20, BreakerState::Closed)
        );
        let decision = ask_about(&hooks, Hook::AuthorizePublish, "bad");
        assert_eq!(
            decision.explained().expect("denied").to_string(),
            "plugin shared, authorize_publish: failed, unavailable: not asked: for what this client sent it ran out of time or memory too often (0x83)"
        );
        assert_eq!(
            ask_about(&hooks, Hook::InterceptEnqueue, "bad"),
            Decision::Pass
        );
        assert_eq!(
            hooks.metrics()[1].calls(),
            1,
            "another hook has nothing against it"
        );

        // One more try per span; well again, it is asked about as before.
        tokio::time::advance(Duration::from_secs(5)).await;
        assert_eq!(asked("bad", true), (VerdictKind::Deny, 1));
        assert_eq!(asked("bad", false), (VerdictKind::Deny, 0));
        tokio::time::advance(Duration::from_secs(5)).await;
        for _ in 0..10 {
            assert_eq!(asked("bad", false), (VerdictKind::Pass, 1));
        }
    }
}

/// Alone it would have opened the breaker for those who come after it.
#[test]
fn a_client_alone_does_not_open_the_breaker() {
    let hooks = Hooks::new(HookSettings::default());
    hooks.swap(vec![registered(
        "late",
        Scripted::new(&[Hook::AuthorizePublish], |_| Err(timeout())),
    )]);
    for _ in 0..100 {
        ask_about(&hooks, Hook::AuthorizePublish, "bad");
    }
    assert_eq!(hooks.metrics()[0].breaker, BreakerState::Closed);
    // Broken for everybody, it opens as ever.
    for client_id in ["a", "b", "c", "d", "e", "f", "g"] {
        ask_about(&hooks, Hook::AuthorizePublish, client_id);
    }
    assert_eq!(hooks.metrics()[0].breaker, BreakerState::Open);
}

#[test]
fn what_one_message_provokes_does_not_open_the_breaker_for_all() {
    let hooks = Hooks::new(HookSettings::default());
    hooks.swap(vec![registered(
        "odd",
        Scripted::new(&[Hook::AuthorizePublish], |_| Err(raised())),
    )]);
    for _ in 0..100 {
        ask(&hooks, Hook::AuthorizePublish);
    }
    let seen = &hooks.metrics()[0];
    assert_eq!(
        (seen.breaker, seen.error(Cause::Raised)),
        (BreakerState::Closed, 100)
    );
}

#[test]
fn a_call_over_its_budget_is_counted_and_its_answer_stands() {
    let hooks = Hooks::new(HookSettings::default());
    hooks.swap(vec![Registration {
        budget: Duration::ZERO,
        ..registered(
            "slow",
            Scripted::new(&[Hook::ValidateConnection], |_| Ok(Verdict::Accept.into())),
        )
    }]);
    assert_eq!(ask(&hooks, Hook::ValidateConnection), Decision::Accept);
    let seen = &hooks.metrics()[0];
    assert_eq!((seen.slow, seen.timed(), seen.calls()), (1, 1, 1));
}

#[test]
fn awaiting_calls_can_be_awaited_on_any_worker() {
    fn is_send<T: Send>(_: &T) {}
    let hooks = Hooks::new(HookSettings::default());
    let chain = hooks.chain();
    let mut sheet = Sheet::new(Hook::InterceptPublish);
    is_send(&chain.filter_awaiting(Hook::InterceptPublish, &Scope::BROKER, &mut sheet));
    is_send(&chain.gate_awaiting(Hook::AuthorizePublish, &Scope::BROKER, &mut sheet));
    is_send(&chain.supply(Hook::LoadRetained, &mut sheet));
    is_send(&hooks.drain(Duration::ZERO));
}

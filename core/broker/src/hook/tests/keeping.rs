//! Answers that are kept: what decides without a call, what is asked again, and how it combines.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use hookmq_plugin_api::{
    Answer, Cause, Field, FieldSet, Hook, Keep, OnError, Owned, PluginError, Verdict, VerdictKind,
};
use parking_lot::Mutex;

use super::{Scripted, Sheet, registered};
use crate::hook::{
    BreakerSettings, BreakerState, Decision, Filter, HookSettings, Hooks, KeptTally, Registration,
    Scope, Subject, render_metrics,
};

const HOOK: Hook = Hook::AuthorizePublish;

fn keep(seconds: u64) -> Keep {
    Keep::lasting(Duration::from_secs(seconds))
}

fn accept() -> Answer {
    Answer::from(Verdict::Accept).kept(keep(60).tagged("tag"))
}

fn deny() -> Answer {
    Answer::from(Verdict::deny(0x87, "not yours")).kept(keep(60).tagged("tag"))
}

/// A plugin that reads Topic and QoS, answers so, and counts its calls.
fn counting(
    answer: impl Fn() -> Answer + Send + Sync + 'static,
) -> (Arc<Scripted>, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let plugin = Scripted::reading(
        &[HOOK],
        |_| FieldSet::of(&[Field::Topic, Field::Qos]),
        move |_| {
            counted.fetch_add(1, SeqCst);
            Ok(answer())
        },
    );
    (plugin, calls)
}

fn hooks_of(plugins: Vec<Registration>) -> Hooks {
    let hooks = Hooks::new(HookSettings::default());
    hooks.swap(plugins);
    hooks
}

fn ask(hooks: &Hooks, sheet: &mut Sheet) -> Decision {
    hooks.chain().gate(HOOK, &Scope::BROKER, sheet)
}

fn ask_new(hooks: &Hooks) -> Decision {
    ask(hooks, &mut Sheet::new(HOOK))
}

fn tally(hooks: &Hooks) -> KeptTally {
    hooks.metrics()[0].kept.expect("this hook keeps")
}

#[test]
fn a_kept_answer_decides_without_a_call_for_the_same_event_only() {
    let (plugin, calls) = counting(accept);
    let hooks = hooks_of(vec![registered("auth", plugin)]);
    for _ in 0..5 {
        assert_eq!(ask_new(&hooks), Decision::Accept);
    }
    assert_eq!(calls.load(SeqCst), 1);
    let mut other = Sheet::new(HOOK);
    other
        .apply(&[(Field::Qos, Owned::Integer(2))])
        .expect("it fits");
    assert_eq!(ask(&hooks, &mut other), Decision::Accept);
    assert_eq!(calls.load(SeqCst), 2);
    let mut unread = Sheet::new(HOOK);
    unread
        .apply(&[(Field::ClientId, "somebody else".into())])
        .expect("it fits");
    assert_eq!(ask(&hooks, &mut unread), Decision::Accept);
    assert_eq!(calls.load(SeqCst), 2, "the plugin does not read who it is");
    let seen = tally(&hooks);
    assert_eq!((seen.hits, seen.misses, seen.entries), (5, 1, 2));
    let metrics = hooks.metrics();
    assert_eq!(metrics[0].calls(), 2);
    let mut page = String::new();
    render_metrics(&metrics, &mut page);
    assert!(page.contains("hookmq_hook_kept_hits_total{plugin=\"auth\",runtime=\"scripted\",hook=\"authorize_publish\"} 5"));
}

#[test]
fn what_a_plugin_reads_without_saying_so_is_part_of_the_key() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let plugin = Scripted::reading(
        &[HOOK],
        |_| FieldSet::of(&[Field::Topic]),
        move |event| {
            counted.fetch_add(1, SeqCst);
            Ok(match event.get(Field::ClientId).as_text() {
                Some("client") => accept(),
                _ => deny(),
            })
        },
    );
    let hooks = hooks_of(vec![registered("sly", plugin)]);
    for _ in 0..3 {
        assert_eq!(ask_new(&hooks), Decision::Accept);
        let mut other = Sheet::new(HOOK);
        other
            .apply(&[(Field::ClientId, "mallory".into())])
            .expect("it fits");
        assert_eq!(ask(&hooks, &mut other).kind(), VerdictKind::Deny);
    }
    assert_eq!(calls.load(SeqCst), 2);
}

#[test]
fn a_deny_is_kept_with_all_its_words() {
    let (plugin, calls) = counting(deny);
    let hooks = hooks_of(vec![registered("auth", plugin)]);
    let first = ask_new(&hooks);
    assert_eq!(first.kind(), VerdictKind::Deny);
    assert_eq!(ask_new(&hooks), first);
    assert_eq!(calls.load(SeqCst), 1);
}

#[test]
fn changes_are_made_again_and_later_plugins_see_them() {
    let (lowering, calls) = counting(|| Answer {
        changes: vec![(Field::Qos, Owned::Integer(0))],
        ..accept()
    });
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let watching = Scripted::new(&[HOOK], move |event| {
        log.lock().push(event.get(Field::Qos).as_integer());
        Ok(Answer::PASS)
    });
    let hooks = hooks_of(vec![
        registered("lowering", lowering),
        registered("watching", watching),
    ]);
    for _ in 0..3 {
        let mut sheet = Sheet::new(HOOK);
        assert_eq!(ask(&hooks, &mut sheet), Decision::Accept);
        assert_eq!(sheet.integer(Field::Qos), Some(0));
    }
    assert_eq!(calls.load(SeqCst), 1);
    assert_eq!(*seen.lock(), [Some(0), Some(0), Some(0)]);
}

#[test]
fn the_key_is_the_event_as_the_plugin_sees_it_after_those_before() {
    let turn = Arc::new(AtomicUsize::new(0));
    let changing = Scripted::new(&[HOOK], {
        let turn = Arc::clone(&turn);
        move |_| {
            Ok(Answer::pass_with(vec![(
                Field::Qos,
                Owned::Integer((turn.load(SeqCst) % 2) as i64),
            )]))
        }
    });
    let (keeping, calls) = counting(accept);
    let hooks = hooks_of(vec![
        registered("changing", changing),
        registered("keeping", keeping),
    ]);
    for _ in 0..4 {
        assert_eq!(ask_new(&hooks), Decision::Accept);
        turn.fetch_add(1, SeqCst);
    }
    assert_eq!(calls.load(SeqCst), 2, "once for each QoS that it was shown");
}

#[test]
fn another_plugins_deny_still_wins_and_its_filter_is_asked_first() {
    let (accepting, calls) = counting(accept);
    let denies = Arc::new(AtomicUsize::new(0));
    let denying = Scripted::new(&[HOOK], {
        let denies = Arc::clone(&denies);
        move |_| {
            denies.fetch_add(1, SeqCst);
            Ok(Verdict::deny(0x97, "over quota").into())
        }
    });
    let filter = Filter {
        topics: vec!["elsewhere/#".into()],
        ..Filter::default()
    };
    let (elsewhere, strange) = counting(deny);
    let hooks = hooks_of(vec![
        registered("accepting", accepting),
        Registration {
            filter,
            ..registered("elsewhere", elsewhere)
        },
        registered("denying", denying),
    ]);
    let scope = Scope {
        topic: Some("a/b"),
        ..Scope::BROKER
    };
    for n in 1..4 {
        let decision = hooks.chain().gate(HOOK, &scope, &mut Sheet::new(HOOK));
        let why = decision.explained().expect("a refusal");
        assert_eq!((&*why.plugin, why.refusal.reason_code), ("denying", 0x97));
        assert_eq!(
            (
                calls.load(SeqCst),
                denies.load(SeqCst),
                strange.load(SeqCst)
            ),
            (1, n, 0)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn it_holds_for_its_time() {
    let (plugin, calls) = counting(accept);
    let hooks = hooks_of(vec![registered("auth", plugin)]);
    let _ = ask_new(&hooks);
    tokio::time::advance(Duration::from_millis(59_999)).await;
    let _ = ask_new(&hooks);
    assert_eq!(calls.load(SeqCst), 1);
    tokio::time::advance(Duration::from_millis(1)).await;
    let _ = ask_new(&hooks);
    assert_eq!(calls.load(SeqCst), 2);
    let _ = ask_new(&hooks);
    assert_eq!(calls.load(SeqCst), 2);
    tokio::time::advance(Duration::from_secs(3600)).await;
    hooks.sweep_kept();
    assert_eq!(tally(&hooks).entries, 0);
}

#[test]
fn a_tag_takes_it_back_in_every_generation_that_is_still_asked() {
    let (plugin, calls) = counting(accept);
    let hooks = hooks_of(vec![registered("auth", Arc::clone(&plugin))]);
    let _ = ask_new(&hooks);
    let (other, other_calls) = counting(deny);
    let old = hooks.chain();
    hooks.swap(vec![registered("auth", other)]);
    let _ = ask_new(&hooks);
    let ask_old = || old.gate(HOOK, &Scope::BROKER, &mut Sheet::new(HOOK));
    assert_eq!(ask_old(), Decision::Accept);
    assert_eq!(calls.load(SeqCst), 1);
    assert_eq!(hooks.invalidate("another tag"), 0);
    assert_eq!(hooks.invalidate("tag"), 2);
    assert_eq!(ask_old(), Decision::Accept);
    assert_eq!(calls.load(SeqCst), 2);
    assert_eq!(ask_new(&hooks).kind(), VerdictKind::Deny);
    assert_eq!(other_calls.load(SeqCst), 2);
}

#[test]
fn a_reload_of_the_plugin_begins_with_nothing_and_that_of_another_changes_nothing() {
    let (plugin, calls) = counting(accept);
    let hooks = hooks_of(vec![registered("auth", Arc::clone(&plugin))]);
    let _ = ask_new(&hooks);
    let _ = ask_new(&hooks);
    let passing = Scripted::new(&[HOOK], |_| Ok(Answer::PASS));
    hooks.swap(vec![registered("auth", plugin), registered("new", passing)]);
    assert_eq!(ask_new(&hooks), Decision::Accept);
    assert_eq!(calls.load(SeqCst), 1);
    let (reloaded, reloaded_calls) = counting(deny);
    hooks.swap(vec![registered("auth", reloaded)]);
    assert_eq!(tally(&hooks).entries, 0);
    assert_eq!(ask_new(&hooks).kind(), VerdictKind::Deny);
    assert_eq!((calls.load(SeqCst), reloaded_calls.load(SeqCst)), (1, 1));
    assert_eq!(tally(&hooks).hits, 2, "counters go on under the name");
}

#[test]
fn an_invalidation_in_the_middle_of_a_call_wins() {
    let hooks = Arc::new(Hooks::new(HookSettings::default()));
    let calls = Arc::new(AtomicUsize::new(0));
    let plugin = Scripted::new(&[HOOK], {
        let (hooks, calls) = (Arc::downgrade(&hooks), Arc::clone(&calls));
        move |_| {
            // What it decides from changes while it decides, the first time.
            if calls.fetch_add(1, SeqCst) == 0 {
                hooks.upgrade().expect("it is asked").invalidate("tag");
            }
            Ok(accept())
        }
    });
    hooks.swap(vec![registered("auth", plugin)]);
    for expected in [1, 2, 2] {
        assert_eq!(ask_new(&hooks), Decision::Accept);
        assert_eq!(calls.load(SeqCst), expected);
    }
}

#[test]
fn a_wrong_answer_is_not_kept() {
    for wrong in [
        Answer::PASS.kept(keep(60)),
        Answer::from(Verdict::disconnect(0x87, "")).kept(keep(60)),
        Answer::from(Verdict::Accept).kept(keep(60).tagged("")),
        Answer {
            changes: vec![(Field::Topic, "x".into())],
            ..accept()
        },
        // The subject knows better than the catalogue.
        Answer {
            changes: vec![(Field::Retain, Owned::Bool(true))],
            ..accept()
        },
    ] {
        let (plugin, calls) = counting(move || wrong.clone());
        let hooks = hooks_of(vec![Registration {
            on_error: Some(OnError::Pass),
            ..registered("wrong", plugin)
        }]);
        for n in 1..4 {
            assert_eq!(ask_new(&hooks), Decision::Pass);
            assert_eq!(calls.load(SeqCst), n);
        }
        assert_eq!(hooks.metrics()[0].error(Cause::Answer), 3);
        assert_eq!(tally(&hooks).entries, 0);
    }
}

#[test]
fn other_hooks_keep_nothing() {
    let plugin = Scripted::new(&[Hook::InterceptPublish], |_| Ok(accept()));
    let hooks = hooks_of(vec![registered("filter", plugin)]);
    let mut sheet = Sheet::new(Hook::InterceptPublish);
    let decision = hooks
        .chain()
        .filter(Hook::InterceptPublish, &Scope::BROKER, &mut sheet);
    assert_eq!(decision.kind(), VerdictKind::Deny);
    let metrics = hooks.metrics();
    assert_eq!(metrics[0].error(Cause::Answer), 1);
    assert_eq!(metrics[0].kept, None);
}

#[test]
fn what_is_kept_holds_while_the_breaker_is_open() {
    let failing = Arc::new(AtomicUsize::new(0));
    let plugin = Scripted::new(&[HOOK], {
        let failing = Arc::clone(&failing);
        move |_| {
            if failing.load(SeqCst) == 0 {
                Ok(accept())
            } else {
                Err(PluginError::new(Cause::Timeout, "as the test wants"))
            }
        }
    });
    let hooks = hooks_of(vec![registered("auth", plugin)]);
    let _ = ask_new(&hooks);
    failing.store(1, SeqCst);
    let mut other = Sheet::new(HOOK);
    other
        .apply(&[(Field::Topic, "other".into())])
        .expect("it fits");
    for _ in 0..BreakerSettings::default().failures {
        assert_eq!(ask(&hooks, &mut other).kind(), VerdictKind::Deny);
    }
    assert_eq!(hooks.metrics()[0].breaker, BreakerState::Open);
    assert_eq!(ask_new(&hooks), Decision::Accept);
}

#[tokio::test]
async fn an_awaiting_plugins_answer_is_kept_too() {
    let calls = Arc::new(AtomicUsize::new(0));
    let plugin = Scripted::awaiting(HOOK, {
        let calls = Arc::clone(&calls);
        move |_| {
            calls.fetch_add(1, SeqCst);
            Box::pin(async {
                tokio::task::yield_now().await;
                Ok(deny())
            })
        }
    });
    let hooks = hooks_of(vec![registered("slow", plugin)]);
    for _ in 0..3 {
        let mut sheet = Sheet::new(HOOK);
        let decision = hooks
            .chain()
            .gate_awaiting(HOOK, &Scope::BROKER, &mut sheet)
            .await;
        assert_eq!(decision.kind(), VerdictKind::Deny);
    }
    assert_eq!(calls.load(SeqCst), 1);
}

/// A subject that notes with which tags it was allowed.
struct Tagged(Sheet, Vec<Box<str>>);

impl Subject for Tagged {
    fn event(&self) -> &dyn hookmq_plugin_api::Event {
        self.0.event()
    }

    fn apply(&mut self, changes: &[(Field, Owned)]) -> Result<(), String> {
        self.0.apply(changes)
    }

    fn allowed_with(&mut self, tags: &[Box<str>]) {
        self.1.extend_from_slice(tags);
    }
}

#[test]
fn tags_are_told_of_every_accept_fresh_or_kept_and_without_a_time_to_live() {
    let (plugin, calls) = counting(accept);
    let (unkept, unkept_calls) =
        counting(|| Answer::from(Verdict::Accept).kept(keep(0).tagged("only asked again")));
    let hooks = hooks_of(vec![
        registered("kept", plugin),
        registered("unkept", unkept),
    ]);
    for n in 1..4 {
        let mut subject = Tagged(Sheet::new(HOOK), Vec::new());
        let decision = hooks.chain().gate(HOOK, &Scope::BROKER, &mut subject);
        assert_eq!(decision, Decision::Accept);
        assert_eq!(subject.1, ["tag".into(), "only asked again".into()]);
        assert_eq!((calls.load(SeqCst), unkept_calls.load(SeqCst)), (1, n));
    }
}

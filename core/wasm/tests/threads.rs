//! Calls from several threads, reloads, and plugins that go while they are called.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use common::component::Component;
use common::{BUDGET, Guest, load, load_with, publish, settings};
use hookmq_plugin_api::{
    Answer, Cause, Event, EventRecord, Field, Hook, Plugin, Value, VerdictKind,
};
use hookmq_wasm::{WasmPlugin, WasmSettings};

/// Counts its calls in its own memory, and passes at the first only.
fn counting() -> String {
    Guest::new(Hook::InterceptPublish, &[])
        .functions("(global $n (mut i32) (i32.const -1))")
        .call(
            "(global.set $n (i32.add (global.get $n) (i32.const 1)))
            (if (global.get $n) (then (return (i32.const 1))))
            i32.const 0",
        )
        .wat()
}

#[test]
fn every_thread_has_an_instance_of_its_own() {
    let loaded = load(&counting());
    let start = Barrier::new(4);
    let n_first = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                start.wait();
                for _ in 0..1_000 {
                    let answer = loaded.call(&publish()).unwrap();
                    if answer.verdict.kind() == VerdictKind::Pass {
                        n_first.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    assert_eq!(n_first.into_inner(), 4);
}

#[test]
fn a_runaway_on_one_thread_does_not_hold_up_another() {
    let payload = common::guest::value(0);
    let loaded = load(
        &Guest::new(Hook::InterceptPublish, &[Field::Payload])
            .call(&format!(
                "(if (i32.eq (i32.load8_u (i32.load offset=8 {payload})) (i32.const 120)) (then (loop $l (br $l))))
                i32.const 0"
            ))
            .wat(),
    );
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let event = publish().with(Field::Payload, &b"x"[..]);
            let (cause, _) = loaded.failure(&event, Duration::from_millis(100));
            assert_eq!(cause, Cause::Timeout);
            is_over.store(true, Ordering::SeqCst);
        });
        let mut n_served = 0;
        while !is_over.load(Ordering::SeqCst) {
            assert_eq!(loaded.call(&publish()), Ok(Answer::PASS));
            n_served += 1;
        }
        assert!(n_served > 100, "{n_served}");
    });
}

#[test]
fn a_plugin_can_go_while_it_is_called() {
    let wats = [counting(), Component::new("intercept_publish").wat()];
    for wat in wats {
        let loaded = load(&wat);
        let plugin = Arc::clone(&loaded.plugin);
        let gone = Arc::downgrade(&plugin);
        let calls = Arc::new(Barrier::new(3));
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let plugin = Arc::clone(&plugin);
                let calls = Arc::clone(&calls);
                thread::spawn(move || {
                    assert!(plugin.call(&publish(), BUDGET).is_ok());
                    calls.wait();
                    for _ in 0..500 {
                        assert!(plugin.call(&publish(), BUDGET).is_ok());
                    }
                })
            })
            .collect();
        calls.wait();
        drop(plugin);
        drop(loaded);
        for thread in threads {
            thread.join().unwrap();
        }
        assert!(gone.upgrade().is_none());
    }
}

#[test]
fn reloads_leave_no_instances_behind() {
    let maps = || {
        let text = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
        text.lines().count()
    };
    let reload = |count: usize| {
        for _ in 0..count {
            let loaded = load(&counting());
            assert_eq!(loaded.call(&publish()), Ok(Answer::PASS));
        }
    };
    reload(20);
    let before = maps();
    reload(200);
    let after = maps();
    assert!(after < before + 50, "{before} {after}");
}

/// An event whose field is made by a call of the same plugin.
struct Nested<'a> {
    plugin: &'a WasmPlugin,
    inner: EventRecord,
}

impl Event for Nested<'_> {
    fn hook(&self) -> Hook {
        Hook::InterceptPublish
    }

    fn get(&self, field: Field) -> Value<'_> {
        let inner = self.plugin.call(&self.inner, BUDGET).unwrap();
        assert_eq!(inner.verdict.kind(), VerdictKind::Accept);
        self.inner.get(field)
    }
}

#[test]
fn a_call_within_a_call_gets_another_instance_and_its_own_event() {
    let guest = Guest::new(Hook::InterceptPublish, &[])
        .listen(Hook::AuthorizePublish, &[])
        .import("hookmq", "get", "(param i32 i32 i32) (result i32)")
        .call(&format!(
            "(drop (call $get (i32.const {}) (i32.const 4096) (i32.const 64)))
            (i32.eq (i32.load8_u (i32.load offset=8 (i32.const 4096))) (i32.const 100))",
            Field::Topic as u32
        ));
    let loaded = load(&guest.wat());
    let inner = EventRecord::new(Hook::AuthorizePublish).with(Field::Topic, "devices");
    assert_eq!(
        loaded.call(&inner).unwrap().verdict.kind(),
        VerdictKind::Accept
    );
    let event = Nested {
        plugin: &loaded.plugin,
        inner,
    };
    assert_eq!(
        loaded.call(&event).unwrap().verdict.kind(),
        VerdictKind::Accept
    );
}

#[test]
fn a_cached_plugin_answers_as_a_compiled_one() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    let with_cache = || WasmSettings {
        cache_folder: Some(cache.clone()),
        ..settings()
    };
    let entries = || {
        let mut entries: Vec<_> = std::fs::read_dir(&cache)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        entries.sort();
        entries
    };
    let wats = [counting(), Component::new("intercept_publish").wat()];
    for (at, wat) in wats.iter().enumerate() {
        for _ in 0..2 {
            let loaded = load_with(wat, with_cache()).unwrap();
            assert_eq!(loaded.call(&publish()), Ok(Answer::PASS));
            assert_eq!(loaded.host.logged(), [""; 0]);
            assert_eq!(entries().len(), at + 1);
        }
    }
    for path in entries() {
        let whole = std::fs::read(&path).unwrap();
        let mut bytes = whole.clone();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x10;
        std::fs::write(&path, bytes).unwrap();
        let n_warned: usize = wats
            .iter()
            .map(|wat| {
                let loaded = load_with(wat, with_cache()).unwrap();
                assert_eq!(loaded.call(&publish()), Ok(Answer::PASS));
                loaded.host.logged().len()
            })
            .sum();
        assert_eq!(n_warned, 1, "the damaged one is named");
        assert_eq!(std::fs::read(&path).unwrap().len(), whole.len());
    }
    let blocked = folder.path().join("file");
    std::fs::write(&blocked, b"").unwrap();
    let settings = WasmSettings {
        cache_folder: Some(blocked),
        ..settings()
    };
    let loaded = load_with(&wats[0], settings).unwrap();
    assert!(loaded.host.logged()[0].contains("it is not used"));
}

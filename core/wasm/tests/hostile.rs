//! Modules that misbehave on purpose: each is stopped or refused with its reason, and the next call is served.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::time::{Duration, Instant};

use common::{BUDGET, Guest, Loaded, load, publish, refusal, settings};
use hookmq_plugin_api::{Answer, Cause, Field, Hook, Owned, Plugin};
use hookmq_wasm::WasmSettings;

const SHORT: Duration = Duration::from_millis(20);

/// Misbehaves on its first byte of payload being `x`, and passes otherwise.
fn on_demand(guest: Guest, body: &str) -> Loaded {
    let payload = common::guest::value(0);
    load(
        &guest
            .call(&format!(
                "(if (i32.eq (i32.load8_u (i32.load offset=8 {payload})) (i32.const 120)) (then {body}))
                i32.const 0"
            ))
            .wat(),
    )
}

fn guest() -> Guest {
    Guest::new(Hook::InterceptPublish, &[Field::Payload])
}

/// The failure that `x` brings; a good event is served before and after.
fn failure(loaded: &Loaded, budget: Duration) -> (Cause, String) {
    let mut bad = publish();
    bad.set(Field::Payload, Owned::from(&b"x"[..]));
    assert_eq!(loaded.call(&publish()), Ok(Answer::PASS));
    let failure = loaded.failure(&bad, budget);
    assert_eq!(loaded.call(&publish()), Ok(Answer::PASS));
    failure
}

#[test]
fn endless_loops_are_cut_in_time() {
    let tables = "(table 1 funcref) (elem (i32.const 0) $again) (type $none (func))
        (func $again (call_indirect (type $none) (i32.const 0)))
        (func $twice (param i32) (result i32)
            (if (i32.eqz (local.get 0)) (then (return (i32.const 1))))
            (i32.add (call $twice (i32.sub (local.get 0) (i32.const 1))) (call $twice (i32.sub (local.get 0) (i32.const 1)))))
        (func $ping (return_call $pong)) (func $pong (return_call $ping))";
    for body in [
        "(loop $l (br $l))",
        "(loop $l (drop (memory.grow (i32.const 0))) (br $l))",
        "(loop $l (memory.fill (i32.const 8192) (i32.const 0) (i32.const 100000)) (br $l))",
        "(drop (call $twice (i32.const 60)))",
        "(call $ping)",
    ] {
        let loaded = on_demand(guest().functions(tables), body);
        let started = Instant::now();
        let (cause, message) = failure(&loaded, SHORT);
        assert_eq!(cause, Cause::Timeout, "{message}");
        assert!(
            message.starts_with(
                "x.wasm: intercept_publish: it took longer than 20ms and was stopped, in"
            ),
            "{message}"
        );
        assert!(started.elapsed() < Duration::from_secs(10), "{body}");
    }
}

#[test]
fn recursion_without_end_is_cut() {
    let functions =
        "(func $deep (param i32) (result i32) (i32.add (local.get 0) (call $deep (local.get 0))))";
    let loaded = on_demand(
        guest().functions(functions),
        "(drop (call $deep (i32.const 1)))",
    );
    let (cause, message) = failure(&loaded, BUDGET);
    assert_eq!(cause, Cause::Raised);
    assert!(
        message.contains("the stack is used up, in deep, called by deep, called by deep"),
        "{message}"
    );
}

#[test]
fn memory_and_tables_have_an_end() {
    let tables = "(table $t 1 funcref) (table $u 1 externref)";
    for (body, expected) in [
        (
            "(loop $l (drop (memory.grow (i32.const 1))) (br $l))",
            "bytes of memory and may have 4194304",
        ),
        (
            "(drop (memory.grow (i32.const 60000)))",
            "bytes of memory and may have 4194304",
        ),
        (
            "(loop $l (drop (table.grow $t (ref.null func) (i32.const 9999))) (br $l))",
            "table entries, and a plugin may have 100000",
        ),
        (
            "(drop (table.grow $t (ref.null func) (i32.const -2)))",
            "table entries, and a plugin may have 100000",
        ),
    ] {
        let loaded = on_demand(
            guest().functions(tables.split(" (table $u").next().unwrap()),
            body,
        );
        let (cause, message) = failure(&loaded, BUDGET);
        assert_eq!(cause, Cause::Memory, "{message}");
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn a_module_that_begins_too_large_is_refused() {
    for (memory, functions) in [
        ("(memory (export \"memory\") 65)", ""),
        ("(memory (export \"memory\") 65536)", ""),
        ("(memory (export \"memory\") 40) (memory 40)", ""),
        ("(memory (export \"memory\") 4)", "(table 100001 funcref)"),
        (
            "(memory (export \"memory\") 4)",
            "(table 60000 funcref) (table 60000 funcref)",
        ),
        (
            "(memory (export \"memory\") 4)",
            "(table 4294967295 funcref)",
        ),
    ] {
        let wat = guest().memory(memory).functions(functions).wat();
        let why = refusal(&wat, settings());
        assert!(
            why.contains("and may have") || why.contains("and a plugin may have"),
            "{why}"
        );
    }
}

#[test]
fn start_functions_that_do_not_end_are_refused() {
    let quick = || WasmSettings {
        load_budget: SHORT,
        ..settings()
    };
    for (functions, expected) in [
        (
            "(func $s (loop $l (br $l))) (start $s)",
            "x.wasm: start: it took longer than 20ms",
        ),
        (
            "(func (export \"_initialize\") (loop $l (br $l)))",
            "x.wasm: start: it took longer than 20ms",
        ),
        (
            "(func $s unreachable) (start $s)",
            "x.wasm: start: it gave up",
        ),
        (
            "(func $s (loop $l (drop (memory.grow (i32.const 9))) (br $l))) (start $s)",
            "x.wasm: start: it wants",
        ),
        (
            "(func (export \"hookmq_create\") (param i32 i32) (result i32) (loop $l (br $l)) i32.const 0)",
            "x.wasm: create: it took longer than 20ms",
        ),
        (
            "(func (export \"hookmq_create\") (param i32 i32) (result i32) i32.const 3)",
            "x.wasm: create: it returned 3",
        ),
    ] {
        let why = refusal(&guest().functions(functions).wat(), quick());
        assert!(why.contains(expected), "{why}");
    }
}

#[test]
fn an_inbox_that_lies_is_found_out() {
    for (inbox, cause, expected) in [
        ("i32.const 0", Cause::Memory, "has no room"),
        (
            "i32.const -8",
            Cause::Answer,
            "do not lie within its memory of 262144 bytes",
        ),
        (
            "i32.const 262144",
            Cause::Answer,
            "do not lie within its memory",
        ),
        (
            "i32.const 262080",
            Cause::Answer,
            "do not lie within its memory",
        ),
        ("i32.const 4097", Cause::Answer, "not aligned to 8"),
        ("unreachable", Cause::Raised, "it gave up"),
        (
            "(loop $l (br $l)) i32.const 8",
            Cause::Timeout,
            "it took longer",
        ),
        (
            "(loop $l (drop (memory.grow (i32.const 1))) (br $l)) i32.const 8",
            Cause::Memory,
            "bytes of memory",
        ),
    ] {
        let loaded = load(&guest().inbox(inbox).wat());
        for _ in 0..2 {
            let (found, message) = loaded.failure(&publish(), SHORT);
            assert_eq!(found, cause, "{message}");
            assert!(message.contains(expected), "{message}");
        }
    }
    // It may lie over the module's own tables: that hurts the module alone.
    let loaded = load(&guest().inbox("i32.const 8").wat());
    for _ in 0..10 {
        assert_eq!(loaded.call(&publish()), Ok(Answer::PASS));
    }
    let event = publish().with(Field::Payload, &vec![0_u8; 5 << 20][..]);
    let (cause, message) = load(&guest().wat()).failure(&event, BUDGET);
    assert_eq!(cause, Cause::Answer, "{message}");
}

#[test]
fn a_host_that_panics_costs_the_instance_alone() {
    let guest = Guest::new(Hook::InterceptPublish, &[])
        .import("hookmq", "log", "(param i32 i32 i32 i32 i32)")
        .call("(call $log (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)) i32.const 0");
    let loaded = load(&guest.wat());
    loaded.host.state.lock().panics = true;
    let (cause, message) = loaded.failure(&publish(), BUDGET);
    assert_eq!(cause, Cause::Panic, "{message}");
    loaded.host.state.lock().panics = false;
    assert_eq!(loaded.call(&publish()), Ok(Answer::PASS));
    assert_eq!(loaded.host.logged().len(), 1);
}

#[test]
fn ten_thousand_traps_leave_nothing_behind() {
    let loaded = on_demand(guest(), "unreachable");
    let mut bad = publish();
    bad.set(Field::Payload, Owned::from(&b"x"[..]));
    let traps = |count: usize| {
        for _ in 0..count {
            assert!(loaded.plugin.call(&bad, BUDGET).is_err());
        }
    };
    traps(1_000);
    let before = (resident(), maps());
    traps(10_000);
    let after = (resident(), maps());
    assert!(after.0 < before.0 + (8 << 20), "{before:?} {after:?}");
    assert!(after.1 < before.1 + 50, "{before:?} {after:?}");
    assert_eq!(loaded.call(&publish()), Ok(Answer::PASS));
}

/// Bytes that the process holds; 0 where the system does not tell.
fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: Option<usize> = text.split(' ').nth(1).and_then(|pages| pages.parse().ok());
    pages.unwrap_or_default() * 4_096
}

/// Mappings of the process.
fn maps() -> usize {
    let text = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    text.lines().count()
}

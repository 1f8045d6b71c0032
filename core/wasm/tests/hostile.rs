//! Modules that misbehave on purpose: each is stopped or refused with its reason, and the next call is served.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::time::{Duration, Instant};

use common::guest::DATA;
use common::{BUDGET, Guest, Loaded, load, load_with, publish, refusal, settings};
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

/// Addresses and lengths that no memory of four pages has.
const WILD: [(i64, i64); 9] = [
    (-1, 1),
    (-1, -1),
    (0, -1),
    (262_143, 2),
    (262_144, 1),
    (4, 262_144),
    (i32::MAX as i64, 16),
    (i32::MIN as i64, 16),
    (-16, 32),
];

#[test]
fn pointers_into_nowhere_end_the_call() {
    let imports = |guest: Guest| {
        guest
            .import("hookmq", "get", "(param i32 i32 i32) (result i32)")
            .import(
                "hookmq",
                "payload_slice",
                "(param i32 i32 i32) (result i32)",
            )
            .import("hookmq", "answer_refuse", "(param i32)")
            .import("hookmq", "answer_change", "(param i32 i32)")
            .import("hookmq", "answer_keep", "(param i64 i32 i32)")
            .import("hookmq", "answer_fail", "(param i32 i32)")
            .import("hookmq", "log", "(param i32 i32 i32 i32 i32)")
            .import("hookmq", "error", "(param i32 i32) (result i32)")
            .import("hookmq:publish", "publish", "(param i32) (result i32)")
            .import(
                "hookmq:publish",
                "publish_to",
                "(param i32 i32 i32) (result i32)",
            )
            .import(
                "hookmq:disconnect",
                "disconnect",
                "(param i32 i32 i32 i32 i32) (result i32)",
            )
            .import(
                "hookmq:query",
                "client",
                "(param i32 i32 i32 i32) (result i32)",
            )
            .import(
                "hookmq:query",
                "session",
                "(param i32 i32 i32 i32) (result i32)",
            )
            .import(
                "hookmq:query",
                "retained",
                "(param i32 i32 i32 i32 i32) (result i32)",
            )
            .import(
                "hookmq:kv",
                "kv_get",
                "(param i32 i32 i32 i32) (result i32)",
            )
            .import(
                "hookmq:kv",
                "kv_set",
                "(param i32 i32 i32 i32 i64 i32 i32 i32) (result i32)",
            )
            .import("hookmq:kv", "kv_delete", "(param i32 i32) (result i32)")
            .import(
                "hookmq:kv",
                "kv_add",
                "(param i32 i32 i64 i64 i32) (result i32)",
            )
            .import("hookmq:cache", "invalidate", "(param i32 i32) (result i64)")
            .import(
                "hookmq:cache",
                "reauthorize",
                "(param i32 i32) (result i64)",
            )
            .import("hookmq:random", "fill", "(param i32 i32)")
            // A value at 2048 and a message at 2064 whose addresses the body fills in, "ann" at 4000.
            .words(DATA + 16, &[64])
            .data(4_000, "ann")
    };
    let topic = Field::Topic as u32;
    let mut n_calls = 0;
    for (at, len) in WILD {
        let (p, l) = (format!("(i32.const {at})"), format!("(i32.const {len})"));
        let pair = format!(
            "(i64.or (i64.extend_i32_u {p}) (i64.shl (i64.extend_i32_u {l}) (i64.const 32)))"
        );
        let ann = "(i32.const 4000) (i32.const 3)";
        let mut bodies = vec![
            format!("(drop (call $payload_slice (i32.const 0) {p} {l}))"),
            format!("(call $answer_fail {p} {l})"),
            format!("(call $answer_keep (i64.const 1) {p} {l})"),
            format!("(call $log (i32.const 1) {p} {l} {ann})"),
            format!("(call $log (i32.const 1) {ann} {p} {l})"),
            format!("(drop (call $error {p} {l}))"),
            format!("(drop (call $publish_to {p} {l} (i32.const 2064)))"),
            format!("(drop (call $disconnect {p} {l} (i32.const 0) {ann}))"),
            format!("(drop (call $disconnect {ann} (i32.const 0) {p} {l}))"),
            format!("(drop (call $client {p} {l} (i32.const 4096) (i32.const 64)))"),
            format!("(drop (call $session {p} {l} (i32.const 4096) (i32.const 64)))"),
            format!(
                "(drop (call $retained {p} {l} (i32.const 9) (i32.const 4096) (i32.const 64)))"
            ),
            format!("(drop (call $kv_get {p} {l} (i32.const 4096) (i32.const 64)))"),
            format!("(drop (call $kv_set {p} {l} {ann} (i64.const 0) (i32.const 0) {ann}))"),
            format!("(drop (call $kv_set {ann} {p} {l} (i64.const 0) (i32.const 0) {ann}))"),
            format!("(drop (call $kv_set {ann} {ann} (i64.const 0) (i32.const 2) {p} {l}))"),
            format!("(drop (call $kv_delete {p} {l}))"),
            format!("(drop (call $kv_add {p} {l} (i64.const 1) (i64.const 0) (i32.const 4096)))"),
            format!("(drop (call $invalidate {p} {l}))"),
            format!("(drop (call $reauthorize {p} {l}))"),
            format!("(call $fill {p} {l})"),
            // Bytes, pairs and records of a value; text of a message.
            format!(
                "(i32.store (i32.const 2048) (i32.const 3)) (i64.store (i32.const 2056) {pair}) (call $answer_change (i32.const {topic}) (i32.const 2048))"
            ),
            format!(
                "(i32.store (i32.const 2048) (i32.const 4)) (i64.store (i32.const 2056) {pair}) (call $answer_change (i32.const {}) (i32.const 2048))",
                Field::Payload as u32
            ),
            format!(
                "(i32.store (i32.const 2048) (i32.const 5)) (i64.store (i32.const 2056) {pair}) (call $answer_change (i32.const {}) (i32.const 2048))",
                Field::UserProperties as u32
            ),
            format!(
                "(i32.store (i32.const 2048) (i32.const 6)) (i64.store (i32.const 2056) {pair}) (call $answer_change (i32.const {topic}) (i32.const 2048))"
            ),
            format!("(i64.store (i32.const 2080) {pair}) (drop (call $publish (i32.const 2064)))"),
            format!("(i64.store (i32.const 2088) {pair}) (drop (call $publish (i32.const 2064)))"),
            format!("(i64.store (i32.const 2120) {pair}) (drop (call $publish (i32.const 2064)))"),
        ];
        if at % 8 == 0 {
            bodies.extend([
                format!("(drop (call $client {ann} {p} {l}))"),
                format!("(drop (call $session {ann} {p} {l}))"),
                format!("(drop (call $retained {ann} (i32.const 9) {p} {l}))"),
            ]);
        }
        if at != 0 && at != 4 {
            bodies.extend([
                format!("(drop (call $get (i32.const {topic}) {p} (i32.const 64)))"),
                format!("(call $answer_refuse {p})"),
                format!("(call $answer_change (i32.const {topic}) {p})"),
                format!("(drop (call $publish {p}))"),
                format!("(drop (call $kv_add {ann} (i64.const 1) (i64.const 0) {p}))"),
            ]);
        }
        for body in bodies {
            let loaded = load(&imports(guest()).call(&format!("{body} i32.const 0")).wat());
            let (cause, message) = loaded.failure(&publish(), BUDGET);
            assert_eq!(cause, Cause::Answer, "{body}\n{message}");
            assert!(message.contains(", in call"), "{message}");
            let state = loaded.host.state.lock();
            assert!(state.published.is_empty() && state.kv.is_empty() && state.tags.is_empty());
            n_calls += 1;
        }
    }
    assert!(n_calls > 250, "{n_calls}");
}

#[test]
fn values_that_are_none_are_refused() {
    let change = |field: u32, words: [u32; 4]| {
        let loaded = load(
            &Guest::new(Hook::InterceptPublish, &[])
                .import("hookmq", "answer_change", "(param i32 i32)")
                .words(DATA, &words)
                .data(4_000, "\\ff\\feab")
                .call(&format!(
                    "(call $answer_change (i32.const {field}) (i32.const {DATA})) i32.const 0"
                ))
                .wat(),
        );
        let (cause, message) = loaded.failure(&publish(), BUDGET);
        assert_eq!(cause, Cause::Answer);
        message
    };
    let (topic, qos, pairs) = (
        Field::Topic as u32,
        Field::Qos as u32,
        Field::UserProperties as u32,
    );
    for (field, words, expected) in [
        (topic, [7, 0, 0, 0], "7 is no tag"),
        (topic, [u32::MAX, 0, 0, 0], "is no tag"),
        (topic, [3, 0, 4_000, 4], "not UTF-8, from byte 0 of 4"),
        (topic, [2, 0, 1, 0], "topic must be text, got integer"),
        (qos, [3, 0, 4_002, 2], "qos must be integer, got text"),
        (qos, [0, 0, 0, 0], "qos must be integer, got nothing"),
        (pairs, [5, 0, 4_096, 20_000], "at most 10000 are taken"),
        (9_999, [0, 0, 0, 0], "there is no field 9999"),
        (u32::MAX, [0, 0, 0, 0], "there is no field"),
    ] {
        let message = change(field, words);
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn little_memory_cannot_be_named_so_often_that_it_is_much() {
    // Ten thousand pairs, each naming the same 100 KB.
    let guest = Guest::new(Hook::InterceptPublish, &[])
        .import("hookmq", "answer_change", "(param i32 i32)")
        .memory("(memory (export \"memory\") 8)")
        .words(DATA, &[5, 0, 65_536, 10_000])
        .call(&format!(
            "(local $at i32)
            (local.set $at (i32.const 65536))
            (loop $l
                (i32.store offset=0 (local.get $at) (i32.const 300000))
                (i32.store offset=4 (local.get $at) (i32.const 100000))
                (local.set $at (i32.add (local.get $at) (i32.const 8)))
                (br_if $l (i32.lt_u (local.get $at) (i32.const 225536))))
            (call $answer_change (i32.const {}) (i32.const {DATA})) i32.const 0",
            Field::UserProperties as u32
        ));
    let (cause, message) = load(&guest.wat()).failure(&publish(), BUDGET);
    assert_eq!(cause, Cause::Answer);
    assert!(
        message.contains("it names more bytes than its memory has"),
        "{message}"
    );
}

#[test]
fn what_a_module_says_of_itself_is_not_believed() {
    let plain = || Guest::new(Hook::InterceptPublish, &[Field::Topic]);
    let publish = Hook::InterceptPublish as u32;
    for (guest, expected) in [
        (
            plain().version(2),
            "version 2 of the plugin ABI, and this broker has 1",
        ),
        (plain().raw_listen(99, 0, vec![]), "there is no hook 99"),
        (
            plain().raw_listen(publish, 0, vec![]),
            "intercept_publish stands there twice",
        ),
        (plain().raw_listen(0, 2, vec![]), "flags 0x2"),
        (
            plain().raw_listen(0, 1, vec![]),
            "broker_started cannot wait",
        ),
        (
            plain().raw_listen(0, 0, vec![Field::Topic as u32]),
            "broker_started has no field topic; it has endpoint",
        ),
        (plain().raw_listen(0, 0, vec![200]), "there is no field 200"),
        (plain().raw_listen(0, 0, vec![0; 50]), "it declares 50"),
        (
            plain().words(16, &[39]),
            "its size is 39, and version 1 has 40",
        ),
        (
            plain().words(16 + 24, &[262_142]),
            "do not lie within its memory",
        ),
        (
            plain().words(16 + 24, &[u32::MAX]),
            "do not lie within its memory",
        ),
        (plain().words(16 + 28, &[0]), "it listens to no hook"),
        (plain().words(16 + 28, &[u32::MAX]), "there are 35 hooks"),
        (plain().words(64, &[23]), "its size is 23"),
        (
            plain().words(64 + 16, &[u32::MAX]),
            "do not lie within its memory",
        ),
    ] {
        let why = refusal(&guest.wat(), settings());
        assert!(why.contains(expected), "{why}");
    }
    let wat = plain()
        .wat()
        .replace("(result i32) i32.const 16)", "(result i32) i32.const -4)");
    let why = refusal(&wat, settings());
    assert!(why.contains("do not lie within its memory"), "{why}");
    // A listen that has grown in a newer version is walked over by its own size.
    assert!(load_with(&plain().words(64, &[24]).wat(), settings()).is_ok());
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

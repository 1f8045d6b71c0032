//! Modules that lie: wild addresses and lengths in every host call, values that are none, tables that do not lie where they are said to.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::guest::DATA;
use common::{BUDGET, Guest, load, load_with, publish, refusal, settings};
use hookmq_plugin_api::{Cause, Field, Hook};

fn guest() -> Guest {
    Guest::new(Hook::InterceptPublish, &[Field::Payload])
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
            // Of a list that is too long it is told when the answer is complete.
            let is_long = message.contains("at most 10000 are taken");
            assert!(is_long || message.contains(", in call"), "{message}");
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

//! The component form: what a component may do beside answering, what it may not, and what stops it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::component::Component;
use common::{BUDGET, load, load_with, publish, refusal, settings};
use hookmq_plugin_api::{Answer, Cause, Field, Grants, LogLevel, Owned};
use hookmq_wasm::WasmSettings;

fn plugin() -> Component {
    Component::new("intercept_publish")
        .data(2_048, "ann")
        .data(2_052, "key")
        .data(2_056, "12")
        .data(2_060, "a/#")
}

/// Traps unless all hold.
fn checks(conditions: &[&str]) -> String {
    conditions
        .iter()
        .map(|condition| format!("(if (i32.eqz {condition}) (then unreachable))"))
        .collect()
}

/// The first byte at an address is this.
fn byte(at: u32, expected: u32) -> String {
    format!("(i32.eq (i32.load8_u (i32.const {at})) (i32.const {expected}))")
}

/// Types of `kv` that must have names.
const CONDITION: &str =
    "(type $condition' (variant (case \"always\") (case \"absent\") (case \"equals\" (list u8))))
    (export \"condition\" (type $condition (eq $condition')))";

#[test]
fn the_key_value_map_is_read_and_written() {
    let key = "(i32.const 2052) (i32.const 3)";
    let component = plugin()
        .types_of("kv", CONDITION)
        .import("kv", "get", "(param \"key\" string) (result (result (option (list u8)) (error $host-error)))", "(param i32 i32 i32)")
        .import(
            "kv",
            "set",
            "(param \"key\" string) (param \"value\" (list u8)) (param \"expires-in-ms\" (option u64)) (param \"condition\" $condition) (result (result bool (error $host-error)))",
            "(param i32 i32 i32 i32 i32 i64 i32 i32 i32 i32)",
        )
        .import("kv", "delete", "(param \"key\" string) (result (result bool (error $host-error)))", "(param i32 i32 i32)")
        .import(
            "kv",
            "add",
            "(param \"key\" string) (param \"amount\" s64) (param \"expires-in-ms\" (option u64)) (result (result s64 (error $host-error)))",
            "(param i32 i32 i64 i32 i64 i32)",
        )
        .call(&format!(
            "(call $get {key} (i32.const 3000)) {}
            (call $set {key} (i32.const 2056) (i32.const 2) (i32.const 0) (i64.const 0) (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 3000)) {}
            (call $get {key} (i32.const 3000)) {}
            (call $add {key} (i64.const -2) (i32.const 1) (i64.const 1000) (i32.const 3000)) {}
            (call $set {key} (i32.const 2048) (i32.const 3) (i32.const 0) (i64.const 0) (i32.const 2) (i32.const 2056) (i32.const 2) (i32.const 3000)) {}
            (call $set {key} (i32.const 2048) (i32.const 3) (i32.const 0) (i64.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 3000)) {}
            (call $add {key} (i64.const 1) (i32.const 0) (i64.const 0) (i32.const 3000)) {}
            (call $delete {key} (i32.const 3000)) {}
            i32.const 4096",
            checks(&[&byte(3_000, 0), &byte(3_004, 0)]),
            checks(&[&byte(3_000, 0), &byte(3_004, 1)]),
            checks(&[&byte(3_004, 1), "(i32.eq (i32.load (i32.const 3012)) (i32.const 2))"]),
            checks(&[&byte(3_000, 0), "(i64.eq (i64.load (i32.const 3008)) (i64.const 10))"]),
            checks(&[&byte(3_000, 0), &byte(3_004, 0)]),
            checks(&[&byte(3_004, 1)]),
            // The value is no number: an error of the kind argument.
            checks(&[&byte(3_000, 1), &byte(3_008, 2), "(i32.eq (i32.load (i32.const 3016)) (i32.const 14))"]),
            checks(&[&byte(3_000, 0), &byte(3_004, 1)]),
        ));
    let loaded = load(&component.wat());
    assert_eq!(loaded.call(&publish()), Ok(Answer::PASS));
    assert!(loaded.host.state.lock().kv.is_empty());
}

/// `outgoing`, for `publish`.
const OUTGOING: &str = "(type $outgoing' (record (field \"topic\" string) (field \"payload\" (list u8)) (field \"qos\" u8)
    (field \"retain\" bool) (field \"message-expiry-interval\" (option u32)) (field \"content-type\" (option string))
    (field \"response-topic\" (option string)) (field \"correlation-data\" (option (list u8)))
    (field \"user-properties\" (list (tuple string string)))))
    (export \"outgoing\" (type $outgoing (eq $outgoing')))";

#[test]
fn messages_lines_and_disconnects_go_out() {
    // An outgoing message is more than sixteen flat values, so it is handed over by address.
    let component = plugin()
        .types_of("publish", OUTGOING)
        .import("publish", "publish", "(param \"message\" $outgoing) (result (result (error $host-error)))", "(param i32 i32)")
        .import(
            "disconnect",
            "disconnect",
            "(param \"client-id\" string) (param \"reason-code\" u8) (param \"reason-string\" (option string)) (result (result bool (error $host-error)))",
            "(param i32 i32 i32 i32 i32 i32 i32)",
        )
        .import("log", "warn", "(param \"message\" string)", "(param i32 i32)")
        .data(7_000, "\\00\\08\\00\\00\\03\\00\\00\\00\\08\\08\\00\\00\\02\\00\\00\\00\\01\\01\\00\\00\\01\\00\\00\\00\\3c")
        .call(&format!(
            "(call $publish (i32.const 7000) (i32.const 3000)) {}
            (call $disconnect (i32.const 2048) (i32.const 3) (i32.const 0x98) (i32.const 1) (i32.const 2052) (i32.const 3) (i32.const 3000)) {}
            (call $warn (i32.const 2052) (i32.const 3))
            i32.const 4096",
            checks(&[&byte(3_000, 0)]),
            checks(&[&byte(3_000, 0), &byte(3_004, 1)]),
        ));
    let loaded = load(&component.wat());
    assert_eq!(loaded.call(&publish()), Ok(Answer::PASS));
    let state = loaded.host.state.lock();
    let (_, message, depth) = &state.published[0];
    assert_eq!(
        (message.topic.as_str(), &message.payload[..], *depth),
        ("ann", &b"12"[..], 0)
    );
    assert_eq!(
        (message.qos, message.retain, message.message_expiry_interval),
        (1, true, Some(60))
    );
    assert_eq!(
        state.disconnected,
        [("ann".to_owned(), 0x98, Some("key".to_owned()))]
    );
    assert_eq!(state.log, [(LogLevel::Warn, "x.wasm".into(), "key".into())]);
}

#[test]
fn clock_random_and_cache_are_there() {
    let component = plugin()
        .import("clock", "now-ms", "(result u64)", "(result i64)")
        .import("clock", "monotonic-ns", "(result u64)", "(result i64)")
        .import("random", "number", "(result u64)", "(result i64)")
        .import(
            "random",
            "bytes",
            "(param \"len\" u32) (result (list u8))",
            "(param i32 i32)",
        )
        .import(
            "cache",
            "invalidate",
            "(param \"tag\" string) (result (result u64 (error $host-error)))",
            "(param i32 i32 i32)",
        )
        .import(
            "cache",
            "reauthorize",
            "(param \"tag\" string) (result (result u64 (error $host-error)))",
            "(param i32 i32 i32)",
        )
        .call(&format!(
            "(local $then i64) (local.set $then (call $monotonic-ns))
            (call $bytes (i32.const 9) (i32.const 3000))
            (call $invalidate (i32.const 2048) (i32.const 3) (i32.const 3008))
            (call $reauthorize (i32.const 2048) (i32.const 0) (i32.const 3024))
            {} i32.const 4096",
            checks(&[
                "(i64.gt_u (call $now-ms) (i64.const 1735689600000))",
                "(i64.ge_u (call $monotonic-ns) (local.get $then))",
                "(i64.ne (call $number) (call $number))",
                "(i32.eq (i32.load (i32.const 3004)) (i32.const 9))",
                "(i64.eq (i64.load (i32.const 3016)) (i64.const 1))",
                &byte(3_024, 1),
            ])
        ));
    assert_eq!(load(&component.wat()).call(&publish()), Ok(Answer::PASS));
}

#[test]
fn what_is_not_granted_or_not_there_is_refused_by_name() {
    let bare = || WasmSettings {
        grants: Grants::NONE,
        ..settings()
    };
    for (interface, name) in [("clock", "now-ms"), ("random", "number")] {
        let component = plugin().import(interface, name, "(result u64)", "(result i64)");
        let why = refusal(&component.wat(), bare());
        let expected = format!(
            "it imports {interface}: add grants = [\"{interface}\"] to the plugin's section"
        );
        assert_eq!(why, expected);
    }
    let number = ("(result u64)", "(result i64)");
    for (from, name, expected) in [
        (
            "hookmq:plugin/files@1.0.0",
            "open",
            "it imports files of hookmq:plugin, which this broker does not have",
        ),
        (
            "hookmq:plugin/event@2.0.0",
            "depth",
            "built for version 2.0.0 of hookmq:plugin, and this broker has 1.0.0",
        ),
        (
            "hookmq:plugin/event@1.0.0",
            "colour",
            "the interface event has no function colour",
        ),
        (
            "hookmq:plugin/event@1.0.0",
            "depth",
            "does not fit the contract",
        ),
        (
            "acme:tools/thing@1.0.0",
            "run",
            "it imports acme:tools/thing@1.0.0, which is not there; a plugin can import event, log and types",
        ),
    ] {
        let component = plugin().import_from(from, name, number.0, number.1);
        let why = refusal(&component.wat(), settings());
        assert!(why.contains(expected), "{why}");
    }
    for (from, to, expected) in [
        (
            "(export \"hookmq:plugin/intercept-publish@1.0.0\" (instance $hook))",
            "",
            "it exports no hook; export one in its world",
        ),
        (
            "\"hookmq:plugin/intercept-publish@1.0.0\"",
            "\"hookmq:plugin/intercept-nothing@1.0.0\"",
            "there is no such hook",
        ),
        (
            "\"hookmq:plugin/intercept-publish@1.0.0\"",
            "\"hookmq:plugin/intercept-publish@2.1.0\"",
            "version 2.1.0",
        ),
        (
            "\"hookmq:plugin/intercept-publish@1.0.0\"",
            "\"hookmq:plugin/intercept-will@1.0.0\"",
            "has no function intercept-will",
        ),
        (
            "(param \"topic\" string)",
            "(param \"topic\" (list u8))",
            "its type is not the contract's",
        ),
    ] {
        let wat = plugin().wat();
        assert!(wat.contains(from));
        let why = refusal(&wat.replace(from, to), settings());
        assert!(why.contains(expected), "{why}");
    }
}

#[test]
fn wasi_is_there_as_far_as_it_does_no_harm() {
    let component = plugin()
        .import_from(
            "wasi:cli/environment@0.2.3",
            "get-environment",
            "(result (list (tuple string string)))",
            "(param i32)",
        )
        .import_from(
            "wasi:clocks/monotonic-clock@0.2.3",
            "now",
            "(result u64)",
            "(result i64)",
        )
        .import_from(
            "wasi:random/random@0.2.0",
            "get-random-u64",
            "(result u64)",
            "(result i64)",
        )
        .import_from(
            "wasi:random/insecure-seed@0.2.0",
            "insecure-seed",
            "(result (tuple u64 u64))",
            "(param i32)",
        )
        .import_from(
            "wasi:filesystem/other@0.2.0",
            "open",
            "(result u64)",
            "(result i64)",
        )
        .call(&format!(
            "(call $get-environment (i32.const 3000)) (call $insecure-seed (i32.const 3008))
            {} (drop (call $now))
            (if (i32.eq (local.get $len) (i32.const 1)) (then (drop (call $open))))
            i32.const 4096",
            checks(&[
                "(i32.eqz (i32.load (i32.const 3004)))",
                "(i64.ne (call $get-random-u64) (call $get-random-u64))",
                "(i64.ne (i64.load (i32.const 3008)) (i64.load (i32.const 3016)))",
            ])
        ));
    let loaded = load(&component.wat());
    assert_eq!(loaded.call(&publish()), Ok(Answer::PASS));
    let event = publish().with(Field::Topic, "x");
    let (cause, message) = loaded.failure(&event, BUDGET);
    assert_eq!(cause, Cause::Raised);
    assert!(
        message.contains(
            "it calls wasi:filesystem/other@0.2.0#open, which is not there: a plugin has no files"
        ),
        "{message}"
    );
    let bare = WasmSettings {
        grants: Grants::NONE,
        ..settings()
    };
    let loaded = load_with(&component.wat(), bare).unwrap();
    let (_, message) = loaded.failure(&publish(), BUDGET);
    assert!(
        message.contains("add grants = [\"random\"] to the plugin's section"),
        "{message}"
    );
}

#[test]
fn what_is_written_to_the_outputs_goes_to_the_log() {
    let write = "[method]output-stream.blocking-write-and-flush";
    let component = plugin()
        .types_from(
            "wasi:io/error@0.2.6",
            "(export \"error\" (type (sub resource)))",
            "(alias export $types' \"error\" (type $error))",
        )
        .types_from(
            "wasi:io/streams@0.2.6",
            "(export \"error\" (type $error' (eq $error)))
            (export \"output-stream\" (type $output' (sub resource)))
            (type $stream-error' (variant (case \"last-operation-failed\" (own $error')) (case \"closed\")))
            (export \"stream-error\" (type $stream-error (eq $stream-error')))",
            "(alias export $types' \"output-stream\" (type $output))",
        )
        .types_from(
            "wasi:cli/stderr@0.2.6",
            "(export \"output-stream\" (type $own (eq $output)))",
            "",
        )
        .import_from(
            "wasi:io/streams@0.2.6",
            write,
            "(param \"self\" (borrow $output')) (param \"contents\" (list u8)) (result (result (error $stream-error)))",
            "(param i32 i32 i32 i32)",
        )
        .import_from("wasi:cli/stderr@0.2.6", "get-stderr", "(result (own $own))", "(result i32)")
        .data(2_200, "panicked\\0aat x.rs:7")
        .call(&format!(
            "(local $stream i32) (local.set $stream (call $get-stderr))
            (call ${write} (local.get $stream) (i32.const 2200) (i32.const 5) (i32.const 3000))
            (call ${write} (local.get $stream) (i32.const 2205) (i32.const 13) (i32.const 3000))
            i32.const 4096"
        ));
    let component = component.wat().replace(&format!("${write}"), "$write");
    let loaded = load(&component);
    assert_eq!(loaded.call(&publish()), Ok(Answer::PASS));
    let state = loaded.host.state.lock();
    assert_eq!(
        state.log,
        [(LogLevel::Warn, "x.wasm".into(), "panicked".into())]
    );
}

#[test]
fn the_config_is_handed_over_and_can_be_refused() {
    // Refuses any config of two bytes.
    let setup = r#"
        (core module $Setup
            (import "libc" "memory" (memory 4))
            (data (i32.const 2200) "no {}")
            (func (export "create") (param i32 i32) (result i32)
                (i32.store8 (i32.const 2100) (i32.eq (local.get 1) (i32.const 2)))
                (i32.store (i32.const 2104) (i32.const 2200))
                (i32.store (i32.const 2108) (i32.const 5))
                i32.const 2100))
        (core instance $setup-core (instantiate $Setup (with "libc" (instance $libc))))
        (alias core export $setup-core "create" (core func $create-core))
        (func $create (param "config" string) (result (result (error string)))
            (canon lift (core func $create-core) (memory $memory) (realloc $realloc)))
        (instance $setup (export "create" (func $create)))
        (export "hookmq:plugin/setup@1.0.0" (instance $setup)))"#;
    let wat = plugin().wat();
    let wat = format!("{}{setup}", wat.trim_end().strip_suffix(')').unwrap());
    let why = refusal(&wat, settings());
    // Layout of result<_, string>: the case, then the text.
    assert_eq!(why, "x.wasm: create: no {}");
    let settings = WasmSettings {
        config: "{\"a\":1}".into(),
        ..settings()
    };
    let loaded = load_with(&wat, settings).unwrap();
    assert_eq!(loaded.call(&publish()), Ok(Answer::PASS));
    let changed = publish().with(Field::Payload, Owned::from(&b"z"[..]));
    assert_eq!(loaded.call(&changed), Ok(Answer::PASS));
}

//! The core form: what a module may do beside answering, and what it may not.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::guest::DATA;
use common::{BUDGET, Guest, load, load_with, publish, refusal, settings};
use hookmq_plugin_api::abi::imports::{IMPORTS, Number};
use hookmq_plugin_api::{Answer, EventRecord, Grant, Grants, Hook, LogLevel, VerdictKind};
use hookmq_wasm::WasmSettings;

fn signature(params: &[(&str, Number)], result: Option<Number>) -> String {
    let word = |number: &Number| match number {
        Number::I32 => "i32",
        Number::I64 => "i64",
    };
    let params: Vec<_> = params.iter().map(|(_, number)| word(number)).collect();
    let result = result.map(|number| format!("(result {})", word(&number)));
    format!(
        "(param {}) {}",
        params.join(" "),
        result.unwrap_or_default()
    )
}

#[test]
fn every_import_of_the_contract_is_there_if_granted_and_refused_if_not() {
    for import in IMPORTS {
        let kind = signature(import.params, import.result);
        let guest =
            Guest::new(Hook::InterceptPublish, &[]).import(import.module, import.name, &kind);
        let with = |grants: Grants| {
            let settings = WasmSettings {
                grants,
                ..settings()
            };
            load_with(&guest.wat(), settings).map(|_| ())
        };
        let Some(grant) = import.grant else {
            assert_eq!(with(Grants::NONE), Ok(()), "{}", import.name);
            continue;
        };
        let needed = Grant::from_name(grant).unwrap();
        assert_eq!(with(Grants::NONE.with(needed)), Ok(()), "{}", import.name);
        let others = Grant::ALL.into_iter().filter(|other| *other != needed);
        let name = import.name;
        assert_eq!(
            with(others.collect()),
            Err(format!(
                "it imports {name}: add grants = [\"{grant}\"] to the plugin's section"
            ))
        );
    }
}

#[test]
fn what_is_not_there_is_refused_by_name() {
    let plain = || Guest::new(Hook::InterceptPublish, &[]);
    for (guest, expected) in [
        (
            plain().import("hookmq", "open", "(param i32)"),
            "it imports open of hookmq, which is not there; a plugin can import hookmq, and what is granted of hookmq:publish,",
        ),
        (
            plain().import("hookmq:kv", "get", "(param i32)"),
            "it imports get of hookmq:kv, which is not there",
        ),
        (
            plain().import("hookmq", "get", "(param i32)"),
            "it imports hookmq.get as (type (func (param i32))), and it is (i32 i32 i32) -> (i32)",
        ),
        (
            plain().import("wasi_snapshot_preview1", "fd_write", "(param i32)"),
            "has no WASI; build it for wasm32-unknown-unknown, or as a component (wasm32-wasip2)",
        ),
        (
            plain().import("hookmq:plugin/event@1.0.0", "topic", "(param i32)"),
            "`wasm-tools component new`",
        ),
        (
            plain().import("env", "printf", "(param i32)"),
            "it imports printf of env",
        ),
    ] {
        let why = refusal(&guest.wat(), settings());
        assert!(why.contains(expected), "{why}");
    }
    for (wat, expected) in [
        ("(module)", "it exports no memory; build it as a plugin"),
        (
            "(module (memory (export \"memory\") 1))",
            "it exports no function hookmq_plugin_v1, so it is no plugin",
        ),
        ("(module (func (export \"memory\")))", "no 32-bit memory"),
        (
            "(module (memory (export \"memory\") 1) (func (export \"hookmq_plugin_v1\")))",
            "its export hookmq_plugin_v1 is (type (func)), and must be () -> (i32)",
        ),
        (
            "(module (memory (export \"memory\") 1) (global (export \"hookmq_plugin_v1\") i32 (i32.const 0)))",
            "its export hookmq_plugin_v1 is no function",
        ),
        (
            "(module (import \"env\" \"memory\" (memory 1)))",
            "it imports memory of env",
        ),
        (
            "(module (import \"hookmq\" \"get\" (memory 1)))",
            "it imports hookmq.get, which is a function",
        ),
    ] {
        let why = refusal(wat, settings());
        assert!(why.contains(expected), "{why}");
    }
}

#[test]
fn files_that_are_no_modules_are_refused_with_advice() {
    let refused = |bytes: &[u8]| common::load_bytes(bytes, settings()).err().unwrap();
    assert!(refused(b"(module)").contains("wasm-tools parse"));
    assert!(refused(b"\x7fELF").contains(".so"));
    assert!(refused(b"\0asm\x01\0\0\0\x63").contains("does not compile"));
    let path = std::path::Path::new("/no/such/file.wasm");
    let host = std::sync::Arc::new(common::FakeHost::default());
    let error = hookmq_wasm::WasmPlugin::load(path, settings(), host).unwrap_err();
    assert_eq!(error.file, "/no/such/file.wasm");
    assert!(error.message.contains("No such file"), "{error}");
}

/// A guest with host imports; "ann", "key", "value" and the like lie at known places.
fn guest() -> Guest {
    Guest::new(Hook::InterceptPublish, &[])
        .data(4_000, "ann")
        .data(4_008, "key")
        .data(4_016, "12")
        .data(4_024, "a/#")
        .data(4_032, "x.rs:7")
}

/// Fails with 50 + `at` if `condition` does not hold.
fn check(at: usize, condition: &str) -> String {
    format!(
        "(if (i32.eqz {condition}) (then (return (i32.const {}))))",
        50 + at
    )
}

fn checks<'a>(conditions: impl IntoIterator<Item = &'a str>) -> String {
    conditions
        .into_iter()
        .enumerate()
        .map(|(at, condition)| check(at, condition))
        .collect()
}

#[test]
fn lines_go_to_the_log() {
    let guest = guest()
        .import("hookmq", "log", "(param i32 i32 i32 i32 i32)")
        .call(
            "(call $log (i32.const 2) (i32.const 4032) (i32.const 6) (i32.const 4000) (i32.const 3))
            (call $log (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 65536) (i32.const 100000))
            i32.const 0",
        );
    let loaded = load(&guest.wat());
    assert_eq!(loaded.call(&publish()), Ok(Answer::PASS));
    let state = loaded.host.state.lock();
    assert_eq!(
        state.log[0],
        (LogLevel::Warn, "x.rs:7".into(), "ann".into())
    );
    let (level, place, text) = &state.log[1];
    assert_eq!((*level, place.as_str()), (LogLevel::Debug, "x.wasm"));
    assert!(
        text.len() < 9_000 && text.ends_with("... (100000 bytes)"),
        "{}",
        text.len()
    );
}

#[test]
fn the_key_value_map_is_read_and_written() {
    let guest = guest()
        .import("hookmq", "error", "(param i32 i32) (result i32)")
        .import("hookmq:kv", "kv_get", "(param i32 i32 i32 i32) (result i32)")
        .import("hookmq:kv", "kv_set", "(param i32 i32 i32 i32 i64 i32 i32 i32) (result i32)")
        .import("hookmq:kv", "kv_delete", "(param i32 i32) (result i32)")
        .import("hookmq:kv", "kv_add", "(param i32 i32 i64 i64 i32) (result i32)")
        .call(&format!(
            "{} i32.const 0",
            checks([
                "(i32.eq (call $kv_get (i32.const 4008) (i32.const 3) (i32.const 4096) (i32.const 9)) (i32.const -6))",
                "(i32.eq (call $error (i32.const 4096) (i32.const 100)) (i32.const 20))",
                "(call $kv_set (i32.const 4008) (i32.const 3) (i32.const 4016) (i32.const 2) (i64.const 5) (i32.const 1) (i32.const 0) (i32.const 0))",
                "(i32.eqz (call $kv_set (i32.const 4008) (i32.const 3) (i32.const 4000) (i32.const 3) (i64.const 0) (i32.const 2) (i32.const 4000) (i32.const 3)))",
                "(i32.eq (call $kv_set (i32.const 4008) (i32.const 3) (i32.const 4000) (i32.const 3) (i64.const 0) (i32.const 9) (i32.const 0) (i32.const 0)) (i32.const -3))",
                // Too little room: the length alone.
                "(i32.eq (call $kv_get (i32.const 4008) (i32.const 3) (i32.const 4160) (i32.const 1)) (i32.const 2))",
                "(i32.eqz (i32.load (i32.const 4160)))",
                "(i32.eq (call $kv_get (i32.const 4008) (i32.const 3) (i32.const 4160) (i32.const 2)) (i32.const 2))",
                "(i32.eq (i32.load (i32.const 4160)) (i32.const 0x3231))",
                "(i32.eqz (call $kv_add (i32.const 4008) (i32.const 3) (i64.const -2) (i64.const 0) (i32.const 4168)))",
                "(i64.eq (i64.load (i32.const 4168)) (i64.const 10))",
                "(i32.eq (call $kv_add (i32.const 4000) (i32.const 3) (i64.const 4) (i64.const 0) (i32.const 4168)) (i32.const 0))",
                "(call $kv_delete (i32.const 4008) (i32.const 3))",
                "(i32.eqz (call $kv_delete (i32.const 4008) (i32.const 3)))",
            ])
        ));
    let loaded = load(&guest.wat());
    assert_eq!(loaded.call(&publish()), Ok(Answer::PASS));
    let kv = &loaded.host.state.lock().kv;
    assert_eq!(kv.get("ann").map(Vec::as_slice), Some(&b"4"[..]));
}

#[test]
fn messages_go_out_with_the_depth_of_their_event() {
    let guest = guest()
        .import("hookmq:publish", "publish", "(param i32) (result i32)")
        .import("hookmq:publish", "publish_to", "(param i32 i32 i32) (result i32)")
        .import("hookmq:disconnect", "disconnect", "(param i32 i32 i32 i32 i32) (result i32)")
        // Size, QoS, retain and expiry, seconds; topic "ann", payload "12", no content type, response topic "key", no correlation
        // data; the property ("ann", "12").
        .words(DATA, &[64, 1, 3, 60, 4_000, 3, 4_016, 2, 0, 0, 4_008, 3, 0, 0, 4_040, 1])
        .words(4_040, &[4_000, 3, 4_016, 2])
        // Without a topic.
        .words(DATA + 64, &[64, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
        .call(&format!(
            "{} i32.const 0",
            checks([
                "(i32.eqz (call $publish (i32.const 2048)))",
                "(i32.eq (call $publish (i32.const 2112)) (i32.const -3))",
                "(call $publish_to (i32.const 4000) (i32.const 3) (i32.const 2048))",
                "(i32.eqz (call $publish_to (i32.const 4008) (i32.const 3) (i32.const 2048)))",
                "(call $disconnect (i32.const 4000) (i32.const 3) (i32.const 0x98) (i32.const 4008) (i32.const 3))",
                "(i32.eqz (call $disconnect (i32.const 4008) (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 0)))",
                "(i32.eq (call $disconnect (i32.const 4000) (i32.const 3) (i32.const 256) (i32.const 0) (i32.const 0)) (i32.const -3))",
            ])
        ));
    let loaded = load(&guest.wat());
    assert_eq!(loaded.call(&Deep(publish())), Ok(Answer::PASS));
    let state = loaded.host.state.lock();
    assert_eq!(state.published.len(), 2);
    let (to, message, depth) = &state.published[0];
    assert_eq!((to, *depth), (&None, 2));
    assert_eq!(
        (message.topic.as_str(), &message.payload[..]),
        ("ann", &b"12"[..])
    );
    assert_eq!((message.qos, message.retain), (1, true));
    assert_eq!(message.message_expiry_interval, Some(60));
    assert_eq!(message.content_type, None);
    assert_eq!(message.response_topic.as_deref(), Some("key"));
    assert_eq!(message.correlation_data, None);
    assert_eq!(
        message.user_properties,
        [("ann".to_owned(), "12".to_owned())]
    );
    assert_eq!(state.published[1].0.as_deref(), Some("ann"));
    let expected = ("ann".to_owned(), 0x98, Some("key".to_owned()));
    assert_eq!(state.disconnected, [expected]);
}

/// An event that two plugins' publishes led to.
struct Deep(EventRecord);

impl hookmq_plugin_api::Event for Deep {
    fn hook(&self) -> Hook {
        self.0.hook()
    }

    fn get(&self, field: hookmq_plugin_api::Field) -> hookmq_plugin_api::Value<'_> {
        self.0.get(field)
    }

    fn depth(&self) -> u8 {
        2
    }
}

#[test]
fn queries_write_structs() {
    let text = |at: u32, expected: &str| {
        let first = u32::from(expected.as_bytes()[0]);
        format!(
            "(i32.and (i32.eq (i32.load (i32.const {})) (i32.const {})) (i32.eq (i32.load8_u (i32.load (i32.const {at}))) (i32.const {first})))",
            at + 4,
            expected.len()
        )
    };
    let conditions = [
        // A client at 8192.
        "(i32.eq (call $client (i32.const 4000) (i32.const 3) (i32.const 8192) (i32.const 200)) (i32.const 74))".to_owned(),
        "(i32.eq (i32.load (i32.const 8192)) (i32.const 56))".to_owned(),
        "(i32.eq (i32.load (i32.const 8196)) (i32.const 5))".to_owned(),
        "(i32.eq (i32.load (i32.const 8200)) (i32.const 60))".to_owned(),
        "(i64.eq (i64.load (i32.const 8208)) (i64.const 1735689600000))".to_owned(),
        text(8_216, "ann"),
        "(i64.eqz (i64.load (i32.const 8224)))".to_owned(),
        text(8_232, "127.0.0.1:1"),
        text(8_240, "main"),
        "(i32.eq (call $client (i32.const 4008) (i32.const 3) (i32.const 8192) (i32.const 200)) (i32.const -6))".to_owned(),
        // A session at 9216; too little room first.
        "(i32.eq (call $session (i32.const 4000) (i32.const 3) (i32.const 0) (i32.const 0)) (i32.const 97))".to_owned(),
        "(i32.eq (call $session (i32.const 4000) (i32.const 3) (i32.const 9216) (i32.const 200)) (i32.const 97))".to_owned(),
        "(i32.eq (i32.load (i32.const 9220)) (i32.const 1))".to_owned(),
        "(i32.eq (i32.load (i32.const 9224)) (i32.const 7))".to_owned(),
        "(i64.eq (i64.load (i32.const 9232)) (i64.const 2))".to_owned(),
        "(i64.eq (i64.load (i32.const 9240)) (i64.const 1))".to_owned(),
        text(9_248, "ann"),
        "(i32.eq (i32.load (i32.const 9260)) (i32.const 2))".to_owned(),
        "(i32.eq (i32.load offset=4 (i32.load (i32.const 9256))) (i32.const 3))".to_owned(),
        "(i32.eq (i32.load offset=24 (i32.load (i32.const 9256))) (i32.const 2))".to_owned(),
        // Retained messages at 10240.
        "(i32.eq (call $retained (i32.const 4024) (i32.const 3) (i32.const 1) (i32.const 10240) (i32.const 200)) (i32.const 38))".to_owned(),
        "(i32.eq (i32.load (i32.const 10244)) (i32.const 1))".to_owned(),
        "(i32.eq (i32.load offset=16 (i32.load (i32.const 10240))) (i32.const 1))".to_owned(),
        "(i32.eq (call $retained (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 10240) (i32.const 200)) (i32.const -3))".to_owned(),
    ];
    let guest = guest()
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
        .call(&format!(
            "{} i32.const 0",
            checks(conditions.iter().map(String::as_str))
        ));
    assert_eq!(load(&guest.wat()).call(&publish()), Ok(Answer::PASS));
}

#[test]
fn tags_clock_and_random_bytes() {
    let guest = guest()
        .import("hookmq:cache", "invalidate", "(param i32 i32) (result i64)")
        .import("hookmq:cache", "reauthorize", "(param i32 i32) (result i64)")
        .import("hookmq:clock", "now_ms", "(result i64)")
        .import("hookmq:clock", "monotonic_ns", "(result i64)")
        .import("hookmq:random", "fill", "(param i32 i32)")
        .call(&format!(
            "(local $then i64) (local.set $then (call $monotonic_ns)) (call $fill (i32.const 4096) (i32.const 16)) {} i32.const 1",
            checks([
                "(i64.eq (call $invalidate (i32.const 4000) (i32.const 3)) (i64.const 1))",
                "(i64.eq (call $reauthorize (i32.const 4000) (i32.const 3)) (i64.const 2))",
                "(i64.eq (call $reauthorize (i32.const 4000) (i32.const 0)) (i64.const -3))",
                "(i64.gt_u (call $now_ms) (i64.const 1735689600000))",
                "(i64.ge_u (call $monotonic_ns) (local.get $then))",
                "(i64.ne (i64.load (i32.const 4096)) (i64.load (i32.const 4104)))",
            ])
        ));
    let loaded = load(&guest.wat());
    let answer = loaded.call(&publish()).unwrap();
    assert_eq!(answer.verdict.kind(), VerdictKind::Accept);
    assert_eq!(loaded.host.state.lock().tags, ["ann", "ann"]);
    let guest = self::guest()
        .import("hookmq:random", "fill", "(param i32 i32)")
        .call("(call $fill (i32.const 4096) (i32.const 65537)) i32.const 0");
    let (_, message) = load(&guest.wat()).failure(&publish(), BUDGET);
    assert!(message.contains("at most 65536 are given"), "{message}");
}

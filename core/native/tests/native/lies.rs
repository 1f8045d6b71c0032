//! Libraries that do not keep to the contract: refused at load, or their answer is not used; the broker is none the worse for it.

use std::sync::Arc;

use hookmq_native::NativePlugin;
use hookmq_plugin_api::{Answer, Cause, EventRecord, Field, Hook, Owned, Refusal, Verdict};

use crate::host::FakeHost;
use crate::{ask, build, load, publish, settings};

fn refused(lie: u32) -> String {
    let built = build::fixture("lies.c", &[&format!("LIE={lie}")]);
    let loaded = NativePlugin::load(built.path(), settings(), Arc::new(FakeHost::default()));
    let error = loaded
        .err()
        .unwrap_or_else(|| panic!("lie {lie} was believed"));
    assert_eq!(error.file, built.path().display().to_string());
    error.message
}

#[test]
fn a_library_is_refused_with_what_is_wrong() {
    for (lie, expected) in [
        (
            1,
            "it exports no hookmq_plugin_v1, so it is no HookMQ plugin; in C, HOOKMQ_PLUGIN(...) of hookmq.h defines it",
        ),
        (
            2,
            "what hookmq_plugin_v1 returns is 12 bytes long by its own size, and must have at least 56",
        ),
        (
            3,
            "what hookmq_plugin_v1 returns is 40 bytes long by its own size, and must have at least 56",
        ),
        (
            4,
            "it is built for version 2 of the plugin ABI, and this broker has version 1: build it with the broker's own header or SDK",
        ),
        (5, "the plugin's name has 5 bytes at a null pointer"),
        (6, "the plugin's name is not UTF-8: byte 1 begins [ff, 62]"),
        (7, "the list of its listens is a null pointer"),
        (
            8,
            "it listens to no hook; name its handlers in HOOKMQ_PLUGIN(...)",
        ),
        (9, "it listens to 1000000 hooks, and there are 35"),
        (
            10,
            "listen 0 is 8 bytes long by its own size, and must have at least 32",
        ),
        (
            11,
            "its first listen is 35 bytes long by its own size, which cannot be",
        ),
        (
            12,
            "listen 0: there is no hook with the number 4711; this broker has 0 to 34, so it may be too old for the plugin",
        ),
        (
            13,
            "listen 0: intercept_publish has a null pointer as its handler",
        ),
        (14, "listen 1 has the size 40, and the first one 32"),
        (
            15,
            "listen 1: intercept_publish has a handler already; one per hook",
        ),
        (
            20,
            "listen 0: intercept_publish has no field n_queued; it has source, dup, client_id",
        ),
        (
            21,
            "listen 0: intercept_publish: field 4711, which this broker does not know",
        ),
        (22, "listen 0: intercept_publish declares topic twice"),
        (
            23,
            "listen 0: intercept_publish: its list of fields has 1000000 items, at most 32 fit",
        ),
        (
            24,
            "listen 0: intercept_publish: its list of fields is a null pointer",
        ),
        (
            25,
            "listen 0: intercept_publish: its list of fields is not aligned",
        ),
        (
            30,
            "listen 0: intercept_publish has the flags 0x10; this broker knows 0x1 (may block) alone",
        ),
        (
            31,
            "listen 0: intercept_enqueue cannot wait, so its handler may not block: leave that flag away",
        ),
        (40, "config.file: missing"),
        (41, "create failed, without a word why"),
        (42, "create returned 7; 0 is well, -1 is not"),
        (43, "create panicked: unwrapped nothing"),
        (60, "what hookmq_plugin_v1 returns is a null pointer"),
        (61, "what hookmq_plugin_v1 returns is not aligned"),
    ] {
        let message = refused(lie);
        assert!(message.starts_with(expected), "lie {lie}: {message}");
    }
}

#[test]
fn a_plugin_struct_of_an_older_header_is_taken_without_what_it_lacks() {
    let built = build::fixture("lies.c", &["LIE=50"]);
    let host = Arc::new(FakeHost::default());
    let plugin = NativePlugin::load(built.path(), settings(), host).expect("loads");
    assert_eq!(ask(&plugin, &publish("x")), Ok(Answer::PASS));
}

#[test]
fn files_that_are_no_libraries_are_refused_by_their_own_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let good = build::fixture("lies.c", &[]);
    let library = std::fs::read(good.path()).expect("its file");
    let half = &library[..library.len() / 2];
    for (name, content, expected) in [
        ("empty.so", &b""[..], "the file is empty"),
        // In the system's words, which differ; not those of the function that failed.
        ("text.so", b"local M = {}", ""),
        ("half.so", half, "the file is cut off: it has "),
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, content).expect("written");
        let error = NativePlugin::load(&path, settings(), Arc::new(FakeHost::default()))
            .expect_err("no library");
        assert!(error.message.starts_with(expected), "{error}");
        let text = error.to_string();
        assert_eq!(text.matches(".so").count(), 1, "{text}");
        assert!(!text.contains("dlopen failed"), "{text}");
    }
    let missing = folder.path().join("missing.so");
    assert!(NativePlugin::load(&missing, settings(), Arc::new(FakeHost::default())).is_err());
}

#[test]
fn an_answer_that_is_not_right_in_all_is_not_used() {
    let plugin = load("lies.c");
    for (topic, expected) in [
        (
            "verdict 6",
            "it returned 6, which is no verdict: -2 to 5 are",
        ),
        (
            "verdict -3",
            "it returned -3, which is no verdict: -2 to 5 are",
        ),
        (
            "verdict 1000000",
            "it returned 1000000, which is no verdict: -2 to 5 are",
        ),
        ("null refusal", "its refusal is a null pointer"),
        (
            "short refusal",
            "its refusal is 16 bytes long by its own size, and must have at least 56",
        ),
        ("reason code", "reason_code must be 0 to 255, got 256"),
        ("properties nowhere", "user_properties is a null pointer"),
        (
            "property nowhere",
            "user_properties has 1 bytes at a null pointer",
        ),
        ("null value", "a change's value is a null pointer"),
        ("unaligned value", "a change's value is not aligned"),
        (
            "unknown tag",
            "topic has the tag 7, which is none: 0 to 6 are",
        ),
        ("tag nil", "topic must be text, got nothing"),
        ("tag integer", "topic must be text, got integer"),
        ("tag pairs", "topic must be text, got pairs"),
        ("not UTF-8", "topic is not UTF-8: byte 1 begins [c3, 28]"),
        ("nowhere", "topic has 5 bytes at a null pointer"),
        (
            "endless",
            "topic has 4611686018427387904 bytes, at most 268435455 fit",
        ),
        ("bool 2", "retain must be 0 or 1, got 2"),
        (
            "unknown field",
            "it cannot change field 4711, which this broker does not know; it can change topic, payload",
        ),
        (
            "forbidden field",
            "it cannot change field client_id; it can change topic, payload",
        ),
        ("first wrong, then right", "topic must be text, got integer"),
        (
            "pairs endless",
            "user_properties has 1152921504606846976 items, at most 10000 fit",
        ),
        ("null place", "the place for a field is a null pointer"),
        ("tags nowhere", "its tags is a null pointer"),
    ] {
        let (cause, words) = ask(&plugin, &publish(topic)).expect_err(topic);
        assert_eq!(cause, Cause::Answer, "{topic}");
        let expected = format!("fixture: intercept_publish: {expected}");
        assert!(words.starts_with(&expected), "{topic}: {words}");
    }
}

#[test]
fn a_failure_is_told_whatever_its_words_are() {
    let plugin = load("lies.c");
    for (topic, expected) in [
        ("message not UTF-8", "a\u{FFFD}("),
        (
            "message nowhere",
            "its message has 5 bytes at a null pointer",
        ),
    ] {
        let (cause, words) = ask(&plugin, &publish(topic)).expect_err(topic);
        assert_eq!(cause, Cause::Raised, "{topic}");
        assert_eq!(words, format!("fixture: intercept_publish: {expected}"));
    }
}

#[test]
fn a_refusal_stands_whatever_text_comes_with_it() {
    let plugin = load("words.c");
    let asked = |hook, topic: &str, username: &str| {
        let event = EventRecord::new(hook)
            .with(Field::Topic, topic)
            .with(Field::Username, username);
        ask(&plugin, &event)
    };
    let pair = |name: &str| (name.to_owned(), name.replace('a', "b"));
    let no = || Refusal::new(0x87, "no");
    let lossy = ("a\u{FFFD}(".to_owned(), "a\u{FFFD}(".to_owned());
    for (topic, expected) in [
        ("reason", Refusal::new(0x87, "a\u{FFFD}(")),
        ("server", no()),
        (
            "pairs",
            Refusal {
                user_properties: vec![pair("a"), lossy],
                ..no()
            },
        ),
        ("endless pairs", no()),
        ("change", no()),
    ] {
        let refusal = || Box::new(expected.clone());
        for (username, verdict) in [
            ("d", Verdict::Deny(refusal())),
            ("D", Verdict::Disconnect(refusal())),
            ("x", Verdict::Drop(Some(refusal()))),
            ("c", Verdict::Consume),
        ] {
            let answer = asked(Hook::InterceptPublish, topic, username).expect(topic);
            assert_eq!(answer.verdict, verdict, "{topic}");
            let fits = topic == "change";
            let changes = [(Field::ReasonCode, Owned::Integer(0x10))];
            assert_eq!(answer.changes, &changes[usize::from(!fits)..], "{topic}");
        }
    }
    let (cause, words) = asked(Hook::InterceptPublish, "change", "accept").unwrap_err();
    assert_eq!(cause, Cause::Answer);
    assert!(words.contains("content_type is not UTF-8"), "{words}");
    for (topic, expected) in [
        ("broken", "a tag is not UTF-8: byte 1 begins [c3, 28]"),
        ("endless", "its tags has 10001 items, at most 16 fit"),
    ] {
        let denied = asked(Hook::AuthorizePublish, topic, "d");
        assert_eq!(denied, Ok(Verdict::Deny(Box::default()).into()), "not kept");
        let (cause, words) = asked(Hook::AuthorizePublish, topic, "accept").unwrap_err();
        assert_eq!(cause, Cause::Answer);
        assert!(words.contains(expected), "{words}");
    }
}

#[test]
fn structs_of_another_age_are_read_as_far_as_both_know_them() {
    let plugin = load("lies.c");
    for topic in ["older refusal", "newer refusal"] {
        let answer = ask(&plugin, &publish(topic)).expect(topic);
        assert_eq!(
            answer.verdict,
            Verdict::Deny(Box::new(Refusal::new(0x87, "no")))
        );
    }
}

#[test]
fn null_handles_do_nothing() {
    let plugin = load("lies.c");
    assert_eq!(
        ask(&plugin, &publish("null answer")),
        Ok(Verdict::Accept.into())
    );
    // And the plugin answers as before.
    let event = publish("other").with(Field::Payload, &b"x"[..]);
    assert_eq!(ask(&plugin, &event), Ok(Answer::PASS));
}

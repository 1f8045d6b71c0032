//! The core form: events in, answers out, of every type.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::time::Duration;

use common::guest::{DATA, value};
use common::{BUDGET, Guest, Loaded, load, load_with, publish, settings};
use hookmq_plugin_api::{
    Answer, Cause, EventRecord, Field, Hook, Keep, Owned, Plugin, Refusal, Verdict, VerdictKind,
};
use hookmq_wasm::WasmSettings;

/// Denies what is not below `devices/`.
fn prefix() -> Guest {
    let topic = value(1);
    Guest::new(Hook::InterceptPublish, &[Field::ClientId, Field::Topic])
        .data(DATA, "devices/")
        .call(&format!(
            "(local $text i32)
            (local.set $text (i32.load offset=8 {topic}))
            (if (i32.lt_u (i32.load offset=12 {topic}) (i32.const 8)) (then (return (i32.const 2))))
            (if (i64.ne (i64.load (local.get $text)) (i64.load (i32.const {DATA}))) (then (return (i32.const 2))))
            i32.const 0"
        ))
}

#[test]
fn a_prefix_check_passes_and_denies() {
    let loaded = load(&prefix().wat());
    assert_eq!(loaded.call(&publish()), Ok(Answer::PASS));
    let mut event = publish();
    event.set(Field::Topic, "elsewhere/ann".into());
    let answer = loaded.call(&event).unwrap();
    assert_eq!(answer.verdict.kind(), VerdictKind::Deny);
    event.set(Field::Topic, "dev".into());
    let answer = loaded.call(&event).unwrap();
    assert_eq!(answer.verdict.kind(), VerdictKind::Deny);
    let listen = &loaded.plugin.listens()[0];
    assert_eq!(listen.hook, Hook::InterceptPublish);
    assert!(listen.fields.has(Field::ClientId) && listen.fields.has(Field::Topic));
    assert!(!listen.fields.has(Field::Payload) && !listen.awaits);
    assert!(loaded.plugin.is_current());
    let path = &loaded.plugin.files()[0];
    std::fs::write(path, b"other").unwrap();
    assert!(!loaded.plugin.is_current());
}

/// Events of every field type, for guests that hand back what they were given.
fn everything() -> EventRecord {
    let record = vec![
        (Field::TopicFilter, Owned::from("a/#")),
        (Field::Qos, Owned::Integer(1)),
        (Field::NoLocal, Owned::Bool(true)),
    ];
    EventRecord::new(Hook::PrepareSession)
        .with(Field::SessionExpiryInterval, 77)
        .with(Field::WillDelayInterval, 5)
        .with(
            Field::Subscriptions,
            Owned::Records(vec![record, Vec::new()]),
        )
}

/// A guest that answers each declared value as a change of its own field: `answer_change(field, value)`.
fn echo(hook: Hook, fields: &[Field]) -> Loaded {
    let changes: String = fields
        .iter()
        .enumerate()
        .map(|(index, field)| {
            format!(
                "(call $answer_change (i32.const {}) {})",
                *field as u32,
                value(index)
            )
        })
        .collect();
    let guest = Guest::new(hook, fields)
        .import("hookmq", "answer_change", "(param i32 i32)")
        .call(&format!("{changes} i32.const 0"));
    load(&guest.wat())
}

#[test]
fn values_of_every_type_come_back_as_they_went() {
    let fields = [
        Field::Topic,
        Field::Payload,
        Field::Qos,
        Field::Retain,
        Field::ContentType,
        Field::UserProperties,
    ];
    let event = publish();
    let answer = echo(Hook::InterceptPublish, &fields).call(&event).unwrap();
    let expected: Vec<_> = fields
        .into_iter()
        .map(|field| {
            (
                field,
                hookmq_plugin_api::Event::get(&event, field).to_owned(),
            )
        })
        .collect();
    assert_eq!(answer, Answer::pass_with(expected));

    let fields = [Field::Subscriptions, Field::SessionExpiryInterval];
    let event = everything();
    let answer = echo(Hook::PrepareSession, &fields).call(&event).unwrap();
    let subscriptions = hookmq_plugin_api::Event::get(&event, Field::Subscriptions).to_owned();
    assert_eq!(
        answer.changes,
        [
            (Field::Subscriptions, subscriptions),
            (Field::SessionExpiryInterval, Owned::Integer(77)),
        ]
    );
}

#[test]
fn a_large_event_gets_a_large_inbox() {
    let loaded = echo(Hook::InterceptPublish, &[Field::Payload]);
    for size in [0, 10, 4_000, 4_100, 70_000, 3] {
        let payload: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
        let mut event = publish();
        event.set(Field::Payload, Owned::from(&payload[..]));
        let answer = loaded.call(&event).unwrap();
        assert_eq!(
            answer.changes,
            [(Field::Payload, Owned::from(&payload[..]))]
        );
    }
}

#[test]
fn a_field_that_was_not_declared_can_be_asked_for() {
    // The topic, asked for with too little room first; the answer is the length, then the topic as content_type.
    let guest = Guest::new(Hook::InterceptPublish, &[])
        .import("hookmq", "get", "(param i32 i32 i32) (result i32)")
        .import("hookmq", "answer_change", "(param i32 i32)")
        .call(&format!(
            "(local $needed i32)
            (local.set $needed (call $get (i32.const {topic}) (i32.const 0) (i32.const 0)))
            (if (i32.ne (local.get $needed) (i32.const 29)) (then (return (i32.const 9))))
            (drop (call $get (i32.const {topic}) (i32.const 4096) (local.get $needed)))
            (call $answer_change (i32.const {content_type}) (i32.const 4096))
            (drop (call $get (i32.const {username}) (i32.const 4096) (i32.const 16)))
            (i32.load (i32.const 4096))",
            topic = Field::Topic as u32,
            content_type = Field::ContentType as u32,
            username = Field::Username as u32,
        ));
    let answer = load(&guest.wat()).call(&publish()).unwrap();
    let topic = (Field::ContentType, Owned::from("devices/ann/t"));
    assert_eq!(answer, Answer::pass_with(vec![topic]));
}

#[test]
fn parts_of_the_payload_can_be_looked_at() {
    let guest = Guest::new(Hook::InterceptPublish, &[])
        .import("hookmq", "payload_slice", "(param i32 i32 i32) (result i32)")
        .import("hookmq", "payload_is_json", "(result i32)")
        .call(
            "(if (i32.ne (call $payload_slice (i32.const 2) (i32.const 4096) (i32.const 4)) (i32.const 4)) (then (return (i32.const 90))))
            (if (i32.ne (i32.load (i32.const 4096)) (i32.const 0x66656463)) (then (return (i32.const 91))))
            (if (i32.ne (call $payload_slice (i32.const 7) (i32.const 4096) (i32.const 100)) (i32.const 1)) (then (return (i32.const 92))))
            (if (i32.ne (call $payload_slice (i32.const -1) (i32.const 4096) (i32.const 100)) (i32.const 0)) (then (return (i32.const 93))))
            (call $payload_is_json)",
        );
    let loaded = load(&guest.wat());
    let verdict = |payload: &[u8]| {
        let mut event = publish();
        event.set(Field::Payload, Owned::from(payload));
        loaded.call(&event).unwrap().verdict.kind()
    };
    assert_eq!(verdict(b"abcdefgh"), VerdictKind::Pass);
    assert_eq!(verdict(br#"["cdef"]"#), VerdictKind::Accept);
}

/// A guest that returns this outcome after this body.
fn answering(hook: Hook, outcome: i32, body: &str) -> Loaded {
    let guest = Guest::new(hook, &[])
        .import("hookmq", "answer_refuse", "(param i32)")
        .import("hookmq", "answer_change", "(param i32 i32)")
        .import("hookmq", "answer_keep", "(param i64 i32 i32)")
        .import("hookmq", "answer_fail", "(param i32 i32)")
        // A refusal: 0x97 "full", server "b:1", ("k", "v").
        .words(DATA, &[32, 0x97, 4_000, 4, 4_004, 3, 4_016, 1])
        .data(4_000, "full")
        .data(4_004, "b:1")
        .data(4_008, "kv")
        .words(4_016, &[4_008, 1, 4_009, 1])
        // A tag: "user:ann".
        .words(4_048, &[4_056, 8])
        .data(4_056, "user:ann")
        .call(&format!("{body} i32.const {outcome}"));
    load(&guest.wat())
}

#[test]
fn every_verdict_arrives_with_its_refusal() {
    let refusal = Box::new(Refusal {
        reason_code: 0x97,
        reason_string: Some("full".into()),
        user_properties: vec![("k".into(), "v".into())],
        server_reference: Some("b:1".into()),
        place: None,
    });
    let refuse = "(call $answer_refuse (i32.const 2048))";
    for (outcome, body, expected) in [
        (0, "", Verdict::Pass),
        (1, "", Verdict::Accept),
        (2, refuse, Verdict::Deny(refusal.clone())),
        (2, "", Verdict::Deny(Box::default())),
        (3, refuse, Verdict::Drop(Some(refusal.clone()))),
        (3, "", Verdict::Drop(None)),
        (4, "", Verdict::Consume),
        (5, refuse, Verdict::Disconnect(refusal)),
    ] {
        let loaded = answering(Hook::InterceptPublish, outcome, body);
        assert_eq!(
            loaded.call(&publish()),
            Ok(Answer::from(expected)),
            "{outcome}"
        );
        // Nothing of one call shows in the next.
        assert!(loaded.call(&publish()).is_ok());
    }
}

#[test]
fn a_refusal_stands_whatever_text_comes_with_it() {
    let text = "a\u{FFFD}(";
    // "a", two bytes that are no UTF-8, and "(" again and again: as a reason, a server, a property and a tag.
    let guest = |hook, outcome: i32, body: &str| {
        let guest = Guest::new(hook, &[])
            .import("hookmq", "answer_refuse", "(param i32)")
            .import("hookmq", "answer_change", "(param i32 i32)")
            .import("hookmq", "answer_keep", "(param i64 i32 i32)")
            .data(4_000, "a\\c3(")
            .words(DATA, &[32, 0x97, 4_000, 3, 4_000, 3, 4_016, 1])
            .words(DATA + 32, &[32, 0x97, 0, 0, 0, 0, 65_536, 10_001])
            .words(4_016, &[4_000, 3, 4_000, 3])
            // A change of a text, and one of pairs.
            .words(4_032, &[3, 0, 4_000, 3])
            .words(4_048, &[5, 0, 65_536, 10_001])
            .words(4_064, &[4_000, 3])
            .call(&format!("{body} i32.const {outcome}"));
        load(&guest.wat())
    };
    let refusal = Box::new(Refusal {
        reason_code: 0x97,
        reason_string: Some(text.into()),
        user_properties: vec![(text.into(), text.into())],
        ..Refusal::default()
    });
    let refuse = "(call $answer_refuse (i32.const 2048))";
    let change = format!(
        "(call $answer_change (i32.const {}) (i32.const 4032)) (call $answer_change (i32.const {}) (i32.const 4048))",
        Field::ContentType as u32,
        Field::UserProperties as u32
    );
    for (outcome, body, expected) in [
        (2, refuse, Verdict::Deny(refusal.clone())),
        (3, refuse, Verdict::Drop(Some(refusal.clone()))),
        (5, refuse, Verdict::Disconnect(refusal)),
        (2, &*change, Verdict::Deny(Box::default())),
        (4, &*change, Verdict::Consume),
    ] {
        let loaded = guest(Hook::InterceptPublish, outcome, body);
        for _ in 0..2 {
            assert_eq!(loaded.call(&publish()), Ok(expected.clone().into()));
        }
    }
    let many = "(call $answer_refuse (i32.const 2080))";
    let answer = guest(Hook::InterceptPublish, 2, many).call(&publish());
    let Ok(Verdict::Deny(refusal)) = answer.map(|answer| answer.verdict) else {
        panic!("it is no deny");
    };
    assert_eq!(refusal.user_properties.len(), 10_000);
    for outcome in [0, 1] {
        let (cause, message) =
            guest(Hook::InterceptPublish, outcome, &change).failure(&publish(), BUDGET);
        assert_eq!(cause, Cause::Answer);
        assert!(
            message.contains("content_type: the text is not UTF-8"),
            "{message}"
        );
    }
    for (n_tags, expected) in [
        (1, "answer_keep: the text is not UTF-8"),
        (10_001, "10001 items"),
    ] {
        let keep =
            format!("(call $answer_keep (i64.const 9) (i32.const 4064) (i32.const {n_tags}))");
        let event = EventRecord::new(Hook::AuthorizePublish);
        let denied = guest(Hook::AuthorizePublish, 2, &keep).call(&event);
        assert_eq!(denied, Ok(Verdict::Deny(Box::default()).into()), "not kept");
        let (cause, message) = guest(Hook::AuthorizePublish, 1, &keep).failure(&event, BUDGET);
        assert_eq!(cause, Cause::Answer);
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn a_gate_s_answer_can_be_kept() {
    let keep = "(call $answer_keep (i64.const 5000) (i32.const 4048) (i32.const 1))";
    let event = EventRecord::new(Hook::AuthorizePublish);
    let answer = answering(Hook::AuthorizePublish, 1, keep).call(&event);
    let kept = Keep::lasting(Duration::from_secs(5)).tagged("user:ann");
    assert_eq!(answer, Ok(Answer::from(Verdict::Accept).kept(kept)));
    for (hook, outcome) in [(Hook::AuthorizePublish, 0), (Hook::InterceptPublish, 1)] {
        let loaded = answering(hook, outcome, keep);
        let (cause, message) = loaded.failure(&EventRecord::new(hook), BUDGET);
        assert_eq!(cause, Cause::Answer);
        assert!(message.contains("cannot be kept"), "{message}");
    }
}

#[test]
fn failures_are_told_apart() {
    let hook = Hook::InterceptPublish;
    let fail = "(call $answer_fail (i32.const 4000) (i32.const 4))";
    let change = |field: Field| {
        format!(
            "(call $answer_change (i32.const {}) (i32.const 5000))",
            field as u32
        )
    };
    for (outcome, body, cause, expected) in [
        (-1, fail, Cause::Raised, "x.wasm: intercept_publish: full"),
        (
            -1,
            "",
            Cause::Raised,
            "x.wasm: intercept_publish: it failed without a word why",
        ),
        (-2, fail, Cause::Panic, "x.wasm: intercept_publish: full"),
        (0, "unreachable", Cause::Raised, "it gave up"),
        (
            0,
            "(call $answer_fail (i32.const 4000) (i32.const 4)) unreachable",
            Cause::Panic,
            "x.wasm: intercept_publish: full, in call",
        ),
        (6, "", Cause::Answer, "it returned 6, which is no outcome"),
        (i32::MIN, "", Cause::Answer, "which is no outcome"),
        (
            0,
            &change(Field::ClientId),
            Cause::Answer,
            "it cannot change client_id; it can change topic, payload,",
        ),
        (
            0,
            &change(Field::Topic),
            Cause::Answer,
            "topic must be text, got nothing",
        ),
        (
            0,
            "(drop (i32.div_u (i32.const 1) (i32.const 0)))",
            Cause::Raised,
            "integer divide by zero",
        ),
        (
            0,
            "(drop (i32.load (i32.const -4)))",
            Cause::Raised,
            "out of bounds memory access",
        ),
    ] {
        let loaded = answering(hook, outcome, body);
        let (found, message) = loaded.failure(&publish(), BUDGET);
        assert_eq!(found, cause, "{message}");
        assert!(message.contains(expected), "{message}");
        // The next call finds an instance as good as new.
        assert_eq!(loaded.failure(&publish(), BUDGET), (cause, message));
    }
}

#[test]
fn a_hook_takes_its_own_verdicts_and_no_others() {
    for (hook, outcome, expected) in [
        (
            Hook::ValidateConnection,
            4,
            "it cannot answer consume; it can answer pass, accept, deny, disconnect",
        ),
        (
            Hook::InterceptDelivery,
            1,
            "it cannot answer accept; it can answer pass, drop",
        ),
        (
            Hook::ClientConnected,
            1,
            "it tells what has happened already",
        ),
    ] {
        let (cause, message) =
            answering(hook, outcome, "").failure(&EventRecord::new(hook), BUDGET);
        assert_eq!(cause, Cause::Answer);
        assert!(message.contains(expected), "{message}");
    }
    let removed = format!(
        "(call $answer_change (i32.const {}) (i32.const 5000))",
        Field::ContentType as u32
    );
    let answer = answering(Hook::InterceptPublish, 0, &removed).call(&publish());
    let change = (Field::ContentType, Owned::Nil);
    assert_eq!(answer, Ok(Answer::pass_with(vec![change])));
}

#[test]
fn every_hook_of_the_catalogue_is_called() {
    let hooks = hookmq_plugin_api::catalogue::HOOKS;
    let mut guest = Guest::new(hooks[0].hook, hooks[0].fields);
    for spec in &hooks[1..] {
        guest = guest.listen(spec.hook, spec.fields);
    }
    // Which hook and which listen came: 7 if they are the same row.
    let guest = guest.call(
        "(if (i32.ne (i32.load offset=4 (local.get $event)) (local.get $listen)) (then (return (i32.const 6))))
        i32.const 7",
    );
    let loaded = load(&guest.wat());
    for spec in hooks {
        let (_, message) = loaded.failure(&EventRecord::new(spec.hook), BUDGET);
        assert!(message.contains("returned 7"), "{}: {message}", spec.name);
    }
}

#[test]
fn the_config_is_handed_over_and_can_be_refused() {
    // Refuses a config that does not begin with {"a":1
    let guest = Guest::new(Hook::InterceptPublish, &[])
        .import("hookmq", "answer_fail", "(param i32 i32)")
        .data(DATA, "{\\\"a\\\":1}.no a")
        .functions(
            "(func (export \"hookmq_create\") (param $at i32) (param $len i32) (result i32)
                (if (i64.eq (i64.load (local.get $at)) (i64.load (i32.const 2048))) (then (return (i32.const 0))))
                (call $answer_fail (i32.const 2056) (i32.const 4))
                i32.const -1)",
        );
    let with = |config: &str| {
        let settings = WasmSettings {
            config: config.into(),
            ..settings()
        };
        load_with(&guest.wat(), settings)
    };
    assert!(with("{\"a\":1}.").is_ok());
    assert_eq!(with("{}      ").err().unwrap(), "x.wasm: create: no a");
}

#[test]
fn start_functions_run_before_all_else() {
    let guest = Guest::new(Hook::InterceptPublish, &[])
        .functions(
            "(global $n (mut i32) (i32.const 0))
            (func $start (global.set $n (i32.add (global.get $n) (i32.const 1))))
            (start $start)
            (func (export \"_initialize\") (global.set $n (i32.mul (global.get $n) (i32.const 3))))",
        )
        .call("global.get $n");
    let answer = load(&guest.wat()).call(&publish()).unwrap();
    assert_eq!(answer.verdict.kind(), VerdictKind::Drop);
}

#[test]
fn another_hook_s_event_passes() {
    let loaded = load(&prefix().call("i32.const 2").wat());
    let event = EventRecord::new(Hook::InterceptWill);
    assert_eq!(loaded.call(&event), Ok(Answer::PASS));
}

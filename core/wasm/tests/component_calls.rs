//! The component form: events in, answers out.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::time::Duration;

use common::component::Component;
use common::{BUDGET, load, publish};
use hookmq_plugin_api::catalogue::HOOKS;
use hookmq_plugin_api::field::FIELDS;
use hookmq_plugin_api::{
    Answer, Cause, Event as _, EventRecord, Field, Hook, Keep, Kind, Owned, Plugin, Refusal, Type,
    Verdict, VerdictKind,
};

/// Where the answers of these tests lie: one of zeros at 4096 is a pass, one with a 2 at 5000 a deny.
fn prefix() -> Component {
    Component::new("intercept_publish")
        .data(2048, "devices/")
        .data(5000, "\\02")
        .call(
            "(if (i32.lt_u (local.get $len) (i32.const 8)) (then (return (i32.const 5000))))
            (if (i64.ne (i64.load (local.get $topic)) (i64.load (i32.const 2048))) (then (return (i32.const 5000))))
            i32.const 4096",
        )
}

#[test]
fn a_prefix_check_passes_and_denies() {
    let loaded = load(&prefix().wat());
    assert_eq!(loaded.call(&publish()), Ok(Answer::PASS));
    let mut event = publish();
    event.set(Field::Topic, "elsewhere/ann".into());
    let answer = loaded.call(&event).unwrap();
    assert_eq!(answer, Answer::from(Verdict::Deny(Box::default())));
    let listen = &loaded.plugin.listens()[0];
    assert!(listen.fields.has(Field::Topic) && !listen.fields.has(Field::ClientId));
    let will = EventRecord::new(Hook::InterceptWill);
    assert_eq!(loaded.call(&will), Ok(Answer::PASS));
}

/// 32-bit words as they stand in a WAT string.
fn words(words: &[u32]) -> String {
    words
        .iter()
        .flat_map(|word| word.to_le_bytes())
        .map(|byte| format!("\\{byte:02x}"))
        .collect()
}

/// The words of an answer: a verdict of 14, then its changes and what it keeps.
fn answer(verdict: [u32; 14], changes: [u32; 2], keep: [u32; 6]) -> String {
    words(&[&verdict[..], &changes, &keep].concat())
}

/// The answer at 4096, with texts behind it.
fn answering(hook: &str, bytes: &str) -> Component {
    Component::new(hook)
        .data(4096, bytes)
        .data(6000, "full")
        .data(6004, "b:1")
        .data(6008, "kv")
        .data(6010, "x.js:3")
        // A list of one pair, and a list of one text.
        .data(6016, &words(&[6008, 1, 6009, 1]))
        .data(6032, &words(&[6000, 4]))
}

#[test]
fn every_verdict_arrives_with_its_refusal() {
    let refusal = Box::new(Refusal {
        reason_code: 0x97,
        reason_string: Some("full".into()),
        user_properties: vec![("k".into(), "v".into())],
        server_reference: Some("b:1".into()),
        place: Some("x.js:3".into()),
    });
    // A refusal of 12 words.
    let told = [0x97, 1, 6000, 4, 1, 6004, 3, 6016, 1, 1, 6010, 6];
    let with = |case: u32| {
        let mut verdict = [0; 14];
        verdict[0] = case;
        verdict[1..13].copy_from_slice(&told);
        verdict
    };
    let mut dropped = [0; 14];
    dropped[..2].copy_from_slice(&[3, 1]);
    dropped[2..].copy_from_slice(&told);
    let bare = |case: u32| {
        let mut verdict = [0; 14];
        verdict[0] = case;
        verdict
    };
    for (words, expected) in [
        (bare(0), Verdict::Pass),
        (bare(1), Verdict::Accept),
        (with(2), Verdict::Deny(refusal.clone())),
        (bare(2), Verdict::Deny(Box::default())),
        (dropped, Verdict::Drop(Some(refusal.clone()))),
        (bare(3), Verdict::Drop(None)),
        (bare(4), Verdict::Consume),
        (with(5), Verdict::Disconnect(refusal)),
    ] {
        let loaded = load(&answering("intercept_publish", &answer(words, [0; 2], [0; 6])).wat());
        for _ in 0..3 {
            assert_eq!(loaded.call(&publish()), Ok(Answer::from(expected.clone())));
        }
    }
    let loaded = load(&answering("intercept_publish", &answer(bare(6), [0; 2], [0; 6])).wat());
    let (cause, message) = loaded.failure(&publish(), BUDGET);
    assert_eq!(cause, Cause::Answer, "{message}");
}

/// The number of a field's case in `change`.
fn case(field: Field) -> u32 {
    let changeable = FIELDS
        .iter()
        .filter(|spec| HOOKS.iter().any(|hook| hook.may_change(spec.field)));
    changeable
        .map(|spec| spec.field)
        .position(|other| other == field)
        .unwrap() as u32
}

#[test]
fn changes_of_every_type_arrive() {
    let removed = FIELDS
        .iter()
        .filter(|spec| HOOKS.iter().any(|hook| hook.may_change(spec.field)))
        .count() as u32;
    // Text, bytes, u8, u32, bool, pairs, and content_type taken away.
    let changes = [
        [case(Field::Topic), 6000, 4],
        [case(Field::Payload), 6004, 3],
        [case(Field::Qos), 2, 0],
        [case(Field::MessageExpiryInterval), 70_000, 0],
        [case(Field::Retain), 1, 0],
        [case(Field::UserProperties), 6016, 1],
        [removed, Field::ContentType as u32, 0],
        [case(Field::Qos), 1, 0],
    ];
    let bytes = answer([0; 14], [7000, changes.len() as u32], [0; 6]);
    let component = answering("intercept_publish", &bytes).data(7000, &words(&changes.concat()));
    let expected = vec![
        (Field::Topic, Owned::from("full")),
        (Field::Payload, Owned::from(&b"b:1"[..])),
        (Field::MessageExpiryInterval, Owned::Integer(70_000)),
        (Field::Retain, Owned::Bool(true)),
        (
            Field::UserProperties,
            Owned::Pairs(vec![("k".into(), "v".into())]),
        ),
        (Field::ContentType, Owned::Nil),
        (Field::Qos, Owned::Integer(1)),
    ];
    let loaded = load(&component.wat());
    assert_eq!(loaded.call(&publish()), Ok(Answer::pass_with(expected)));

    // A subscription: filter, QoS 1 and no_local, retain_as_published, retain_handling, identifier 9.
    let subscription = [6000, 4, 0x0100_0101, 1, 9];
    let bytes = answer([0; 14], [7000, 1], [0; 6]);
    let component = answering("prepare_session", &bytes)
        .plain()
        .data(7000, &words(&[case(Field::Subscriptions), 7100, 1]))
        .data(7100, &words(&subscription));
    let answer = load(&component.wat())
        .call(&EventRecord::new(Hook::PrepareSession))
        .unwrap();
    let record = vec![
        (Field::TopicFilter, "full".into()),
        (Field::Qos, Owned::Integer(1)),
        (Field::NoLocal, Owned::Bool(true)),
        (Field::RetainAsPublished, Owned::Bool(false)),
        (Field::RetainHandling, Owned::Integer(1)),
        (Field::SubscriptionIdentifier, Owned::Integer(9)),
    ];
    let expected = (Field::Subscriptions, Owned::Records(vec![record]));
    assert_eq!(answer.changes, [expected]);
}

#[test]
fn answers_that_the_hook_does_not_take_are_refused() {
    let change = |field: Field| words(&[case(field), 6000, 4]);
    for (hook, verdict, changes, keep, expected) in [
        (
            "intercept_publish",
            0,
            Some(change(Field::ClientId)),
            0,
            "it cannot change client_id",
        ),
        (
            "authorize_publish",
            0,
            Some(change(Field::Topic)),
            0,
            "it cannot change topic; it can change qos, retain",
        ),
        (
            "intercept_delivery",
            1,
            None,
            0,
            "it cannot answer accept; it can answer pass, drop",
        ),
        ("intercept_publish", 1, None, 1, "cannot be kept"),
        ("authorize_publish", 0, None, 1, "cannot be kept"),
    ] {
        let mut bytes = [0; 14];
        bytes[0] = verdict;
        let n_changes = u32::from(changes.is_some());
        let bytes = answer(bytes, [7000, n_changes], [keep, 0, 5, 0, 0, 0]);
        let component = answering(hook, &bytes).data(7000, &changes.unwrap_or_default());
        let loaded = load(&component.wat());
        let event = EventRecord::new(Hook::from_name(hook).unwrap());
        let (cause, message) = loaded.failure(&event, BUDGET);
        assert_eq!(cause, Cause::Answer, "{message}");
        assert!(message.contains(expected), "{message}");
    }
    let mut accept = [0; 14];
    accept[0] = 1;
    let bytes = answer(accept, [0; 2], [1, 0, 5_000, 0, 6032, 1]);
    let loaded = load(&answering("authorize_publish", &bytes).wat());
    let kept = Keep::lasting(Duration::from_secs(5)).tagged("full");
    assert_eq!(
        loaded.call(&EventRecord::new(Hook::AuthorizePublish)),
        Ok(Answer::from(Verdict::Accept).kept(kept))
    );
}

/// The component type of a WIT type that needs no names.
fn wat_type(wit: &str) -> Option<String> {
    if let Some(inner) = wit.strip_prefix("option<") {
        let inner = wat_type(inner.strip_suffix('>')?)?;
        return Some(format!("(option {inner})"));
    }
    Some(match wit {
        "list<pair>" => "(list (tuple string string))".into(),
        "list<u8>" => "(list u8)".into(),
        "list<subscription>" => "(list $subscription)".into(),
        "list<message>" => "(list $message)".into(),
        "string" | "bool" | "u8" | "u16" | "u32" | "u64" => wit.into(),
        _ => return None,
    })
}

/// The core signature of a function that returns this.
fn core_of(wit: &str) -> &'static str {
    match wit {
        "u64" => "(result i64)",
        "bool" | "u8" | "u16" | "u32" => "(result i32)",
        _ => "(param i32)",
    }
}

/// Name and result of every accessor of `event.wit`.
fn accessors() -> Vec<(String, String)> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../plugin-api/wit/event.wit"
    );
    let wit = std::fs::read_to_string(path).unwrap();
    wit.lines()
        .filter_map(|line| {
            let (name, result) = line.trim().split_once(": func() -> ")?;
            let result = result.strip_suffix(';')?;
            Some((name.to_owned(), result.to_owned()))
        })
        .filter(|(name, _)| name != "depth" && name != "payload-json-valid")
        .collect()
}

#[test]
fn every_accessor_of_the_contract_is_there_and_declares_its_field() {
    let accessors = accessors();
    let readable = FIELDS
        .iter()
        .filter(|spec| HOOKS.iter().any(|hook| hook.fields.contains(&spec.field)));
    assert_eq!(accessors.len(), readable.count());
    for (name, result) in &accessors {
        let field = Field::from_name(&name.replace('-', "_")).unwrap();
        let hook = HOOKS
            .iter()
            .find(|hook| hook.fields.contains(&field))
            .unwrap();
        let kind = format!("(result {})", wat_type(result).unwrap());
        let core = core_of(result);
        let call = match core {
            "(param i32)" => format!("(call ${name} (i32.const 3000))"),
            _ => format!("(drop (call ${name}))"),
        };
        let mut component = Component::new(hook.name).import("event", name, &kind, core);
        if hook.kind == Kind::Notice {
            component = component.notice().call(&call);
        } else {
            component = component.call(&format!("{call} i32.const 4096"));
        }
        if !hook.fields.contains(&Field::Topic) && !hook.fields.contains(&Field::TopicFilter) {
            component = component.plain();
        }
        let loaded = load(&component.wat());
        let listen = &loaded.plugin.listens()[0];
        assert!(listen.fields.has(field), "{name}");
        // Absent, and with a value of its type.
        assert_eq!(loaded.call(&EventRecord::new(hook.hook)), Ok(Answer::PASS));
        let value = match field.spec().kind {
            Type::Bool => Owned::Bool(true),
            Type::Integer => Owned::Integer(7),
            Type::Text => "text".into(),
            Type::Bytes => Owned::from(&b"bytes"[..]),
            Type::Pairs => Owned::Pairs(vec![("a".into(), "b".into())]),
            Type::Records => Owned::Records(vec![vec![(Field::Topic, "t".into())]]),
        };
        let event = EventRecord::new(hook.hook).with(field, value);
        assert_eq!(loaded.call(&event), Ok(Answer::PASS), "{name}");
    }
}

/// Traps unless all hold.
fn checks(conditions: &[&str]) -> String {
    conditions
        .iter()
        .map(|condition| format!("(if (i32.eqz {condition}) (then unreachable))"))
        .collect()
}

#[test]
fn fields_are_read_as_they_are() {
    let text = |at: u32, len: u32, first: char| {
        format!(
            "(i32.and (i32.eq (i32.load (i32.const {})) (i32.const {len})) (i32.eq (i32.load8_u (i32.load (i32.const {at}))) (i32.const {})))",
            at + 4,
            u32::from(first)
        )
    };
    let checks = checks(&[
        "(call $retain)",
        "(i32.eq (call $qos) (i32.const 1))",
        "(i32.eq (call $depth) (i32.const 0))",
        "(i32.eqz (call $payload-json-valid))",
        "(i32.eq (i32.load8_u (i32.const 3000)) (i32.const 1))",
        &text(3_004, 3, 'a'),
        "(i32.eqz (i32.load8_u (i32.const 3016)))",
        &text(3_032, 2, 'o'),
        &text(3_040, 1, 'n'),
        "(i32.eq (i32.load8_u (i32.const 3048)) (i32.const 1))",
        &text(3_052, 1, '1'),
        "(i32.eqz (i32.load8_u (i32.const 3064)))",
        // Three pairs.
        "(i32.eq (i32.load (i32.const 3084)) (i32.const 3))",
        // get: text(topic), pairs, integer(qos).
        "(i32.eq (i32.load8_u (i32.const 3104)) (i32.const 3))",
        &text(3_112, 13, 'd'),
        "(i32.eq (i32.load8_u (i32.const 3120)) (i32.const 5))",
        "(i32.eq (i32.load (i32.const 3132)) (i32.const 3))",
        "(i32.eq (i32.load8_u (i32.const 3136)) (i32.const 2))",
        "(i64.eq (i64.load (i32.const 3144)) (i64.const 1))",
    ]);
    let get = |field: Field, at: u32| {
        format!("(call $get (i32.const {}) (i32.const {at}))", field as u32)
    };
    let component = Component::new("intercept_publish")
        .import(
            "event",
            "client-id",
            "(result (option string))",
            "(param i32)",
        )
        .import(
            "event",
            "username",
            "(result (option string))",
            "(param i32)",
        )
        .import("event", "payload", "(result (list u8))", "(param i32)")
        .import(
            "event",
            "payload-slice",
            "(param \"offset\" u64) (param \"len\" u64) (result (list u8))",
            "(param i64 i64 i32)",
        )
        .import(
            "event",
            "user-property",
            "(param \"name\" string) (result (option string))",
            "(param i32 i32 i32)",
        )
        .import(
            "event",
            "user-properties",
            "(result (list (tuple string string)))",
            "(param i32)",
        )
        .import("event", "retain", "(result bool)", "(result i32)")
        .import("event", "qos", "(result u8)", "(result i32)")
        .import("event", "depth", "(result u8)", "(result i32)")
        .import(
            "event",
            "payload-json-valid",
            "(result bool)",
            "(result i32)",
        )
        .import(
            "event",
            "get",
            "(param \"field\" $field) (result $value)",
            "(param i32 i32)",
        )
        .data(2_100, "ax")
        .call(&format!(
            "(call $client-id (i32.const 3000))
            (call $username (i32.const 3016))
            (call $payload (i32.const 3032))
            (call $payload-slice (i64.const 1) (i64.const -1) (i32.const 3040))
            (call $user-property (i32.const 2100) (i32.const 1) (i32.const 3048))
            (call $user-property (i32.const 2101) (i32.const 1) (i32.const 3064))
            (call $user-properties (i32.const 3080))
            {} {} {}
            {checks} i32.const 4096",
            get(Field::Topic, 3_104),
            get(Field::UserProperties, 3_120),
            get(Field::Qos, 3_136),
        ));
    let loaded = load(&component.wat());
    for _ in 0..3 {
        assert_eq!(loaded.call(&publish()), Ok(Answer::PASS));
    }
    let listen = &loaded.plugin.listens()[0];
    assert_eq!(listen.fields, Hook::InterceptPublish.spec().field_set());
    let json = publish().with(Field::Payload, &b"{}"[..]);
    assert!(publish().get(Field::Payload).as_bytes() != json.get(Field::Payload).as_bytes());
    let (cause, _) = loaded.failure(&json, BUDGET);
    assert_eq!(cause, Cause::Raised);
}

#[test]
fn every_hook_of_the_catalogue_is_called() {
    for spec in HOOKS {
        let has_text = [Field::Topic, Field::TopicFilter]
            .iter()
            .any(|field| spec.fields.contains(field));
        let mut component = Component::new(spec.name)
            .import(
                "event",
                "fail",
                "(param \"message\" string)",
                "(param i32 i32)",
            )
            .data(2_100, "called");
        let call = "(call $fail (i32.const 2100) (i32.const 6))";
        if spec.kind == Kind::Notice {
            component = component.notice().call(call);
        } else {
            component = component.call(&format!("{call} i32.const 4096"));
        }
        if !has_text {
            component = component.plain();
        }
        let loaded = load(&component.wat());
        let (cause, message) = loaded.failure(&EventRecord::new(spec.hook), BUDGET);
        assert_eq!(cause, Cause::Raised);
        assert_eq!(message, format!("x.wasm: {}: called", spec.name));
        assert_eq!(loaded.plugin.listens()[0].hook, spec.hook);
    }
}

#[test]
fn a_topic_filter_is_what_subscribing_hooks_are_handed() {
    let component = Component::new("authorize_subscribe")
        .data(5000, "\\01")
        .call("(select (i32.const 5000) (i32.const 4096) (i32.eq (local.get $len) (i32.const 3)))");
    let loaded = load(&component.wat());
    let event = EventRecord::new(Hook::AuthorizeSubscribe).with(Field::TopicFilter, "a/#");
    let answer = loaded.call(&event).unwrap();
    assert_eq!(answer.verdict.kind(), VerdictKind::Accept);
}

//! Every hook, every field, every verdict: a library that is written from the catalogue gives back what it got.

use std::fmt::Write as _;
use std::sync::Arc;

use hookmq_native::NativePlugin;
use hookmq_plugin_api::catalogue::HOOKS;
use hookmq_plugin_api::{
    Cause, Event, EventRecord, Field, FieldSpec, Owned, Plugin, Type, VerdictKind,
};

use crate::host::FakeHost;
use crate::{Deep, ask, build, settings};

/// Declares every field of every hook, changes those that it may to what they are, and answers with the event's depth as its verdict.
fn echo() -> Arc<NativePlugin> {
    let mut text = String::from("#include \"hookmq.h\"\n");
    for spec in HOOKS {
        let numbers = |fields: &[Field]| -> String {
            fields
                .iter()
                .map(|field| format!("hookmq_field_{},", field.name()))
                .collect()
        };
        let (name, fields, changes) = (spec.name, numbers(spec.fields), numbers(spec.changes));
        let _ = writeln!(
            text,
            "static const uint32_t fields_{name}[] = {{{fields}}};\nstatic const uint32_t changes_{name}[] = {{{changes} 999}};"
        );
    }
    text.push_str("static const uint32_t *const fields[] = {");
    for spec in HOOKS {
        let _ = write!(text, "fields_{},", spec.name);
    }
    text.push_str("};\nstatic const uint32_t *const changes[] = {");
    for spec in HOOKS {
        let _ = write!(text, "changes_{},", spec.name);
    }
    text.push_str(
        "};\n
static int32_t any(void *instance, const hookmq_event *event, hookmq_answer *answer)
{
    uint32_t at, to;
    (void)instance;
    for (at = 0; at < event->count; at++) {
        hookmq_value lazy = hookmq_get(event, fields[event->hook][at]);
        if (lazy.tag != event->fields[at].tag)
            return hookmq_fail(answer, \"a field differs from itself\");
        for (to = 0; changes[event->hook][to] != 999; to++)
            if (changes[event->hook][to] == fields[event->hook][at])
                hookmq_change(answer, changes[event->hook][to], event->fields[at]);
    }
    return (int32_t)event->depth;
}
static const hookmq_listen listens[] = {\n",
    );
    for spec in HOOKS {
        let (name, count) = (spec.name, spec.fields.len());
        let _ = writeln!(
            text,
            "{{sizeof(hookmq_listen), hookmq_hook_{name}, 0, {count}, fields_{name}, any}},"
        );
    }
    let _ = writeln!(
        text,
        "}};\nstatic const hookmq_plugin plugin = {{sizeof(hookmq_plugin), HOOKMQ_ABI_VERSION, {{\"echo\", 4}}, {{\"1\", 1}}, listens, {}, NULL, NULL}};
HOOKMQ_EXPORT(hookmq_plugin_v1) const hookmq_plugin *hookmq_plugin_v1(void);
const hookmq_plugin *hookmq_plugin_v1(void) {{ return &plugin; }}
const hookmq_host *hookmq_host_;",
        HOOKS.len()
    );
    let built = build::text(&text);
    NativePlugin::load(built.path(), settings(), Arc::new(FakeHost::default())).expect("loads")
}

/// A value that no other field has.
fn sample(spec: &FieldSpec) -> Owned {
    let number = spec.field as i64;
    match spec.kind {
        Type::Bool => Owned::Bool(number % 2 == 0),
        Type::Integer => Owned::Integer(number),
        Type::Text => format!("{} \u{1F980}", spec.name).into(),
        Type::Bytes => Owned::Bytes([0, 255, spec.field as u8].into()),
        Type::Pairs => Owned::Pairs(vec![
            ("a".to_owned(), spec.name.to_owned()),
            ("a".to_owned(), String::new()),
            (String::new(), "\u{1F980}".to_owned()),
        ]),
        Type::Records => {
            let record = spec
                .record
                .iter()
                .map(|part| (*part, sample(part.spec())))
                .collect();
            Owned::Records(vec![record, Vec::new()])
        }
    }
}

#[test]
fn every_field_of_every_hook_comes_and_goes_whole() {
    let plugin = echo();
    assert_eq!(plugin.listens().len(), HOOKS.len());
    for spec in HOOKS {
        let mut full = EventRecord::new(spec.hook);
        for field in spec.fields {
            full.set(*field, sample(field.spec()));
        }
        let answer = ask(&plugin, &full).unwrap_or_else(|why| panic!("{}: {why:?}", spec.name));
        let expected: Vec<_> = spec
            .fields
            .iter()
            .filter(|field| spec.may_change(**field))
            .map(|field| (*field, sample(field.spec())))
            .collect();
        assert_eq!(answer.changes, expected, "{}", spec.name);
    }
}

#[test]
fn what_is_absent_stays_absent_and_only_an_optional_field_can_be_removed() {
    let plugin = echo();
    for spec in HOOKS {
        let required = spec
            .fields
            .iter()
            .find(|field| spec.may_change(**field) && !field.spec().optional);
        let result = ask(&plugin, &EventRecord::new(spec.hook));
        match required {
            None => {
                let answer = result.expect("fine");
                assert!(answer.changes.iter().all(|(_, value)| *value == Owned::Nil));
            }
            Some(field) => {
                let (cause, words) = result.expect_err("a field that cannot be absent");
                assert_eq!(cause, Cause::Answer);
                let expected = format!(
                    "fixture: {}: {} must be {}, got nothing",
                    spec.name,
                    field.name(),
                    field.spec().kind.name()
                );
                assert_eq!(words, expected);
            }
        }
    }
}

#[test]
fn every_hook_takes_just_the_verdicts_of_the_catalogue() {
    let plugin = echo();
    for spec in HOOKS {
        for (number, verdict) in (0..).zip(VerdictKind::ALL) {
            let mut event = EventRecord::new(spec.hook);
            for field in spec.fields {
                event.set(*field, sample(field.spec()));
            }
            let result = ask(&plugin, &Deep(event, number));
            let is_allowed = spec.may_answer(verdict) || verdict == VerdictKind::Pass;
            match result {
                Ok(answer) => {
                    assert!(is_allowed, "{} {}", spec.name, verdict.name());
                    assert_eq!(answer.verdict.kind(), verdict);
                }
                Err((cause, words)) => {
                    assert!(!is_allowed, "{words}");
                    assert_eq!(cause, Cause::Answer);
                    assert!(
                        words.contains(spec.name) && words.contains(verdict.name()),
                        "{words}"
                    );
                }
            }
        }
        let event = Deep(EventRecord::new(spec.hook), 6);
        assert!(ask(&plugin, &event).is_err(), "{}", spec.name);
    }
}

#[test]
fn an_event_of_another_hook_is_passed() {
    let plugin = crate::load("calls.c");
    let event = EventRecord::new(hookmq_plugin_api::Hook::RetainedCleared);
    assert_eq!(event.hook().name(), "retained_cleared");
    assert_eq!(ask(&plugin, &event), Ok(hookmq_plugin_api::Answer::PASS));
}

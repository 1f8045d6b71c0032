//! The WASM module: what passes, what is refused with which words, and that nothing is reached from a schema.
#![allow(clippy::unwrap_used, reason = "what fails here is a test that fails")]

use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use hookmq_guests::Recorder;
use hookmq_plugin_api::{Answer, EventRecord, Field, Grant, Grants, Hook, Owned, Plugin, Verdict};
use hookmq_wasm::{WasmPlugin, WasmSettings};
use serde_json::{Value, json};

const BUDGET: Duration = Duration::from_secs(10);

fn load(config: &Value, grants: Grants) -> Result<Arc<WasmPlugin>, String> {
    let settings = WasmSettings {
        config: config.to_string(),
        grants,
        load_budget: BUDGET,
        ..WasmSettings::new("json-schema")
    };
    let path = hookmq_guests::module("json-schema");
    WasmPlugin::load(&path, settings, Arc::new(Recorder::default()))
        .map_err(|error| error.to_string())
}

fn config() -> Value {
    json!({
        "schemas": {
            "reading": r#"{
                "type": "object",
                "required": ["value"],
                "properties": {
                    "value": {"type": "number", "maximum": 100},
                    "unit": {"enum": ["C", "F"]},
                    "at": {"type": "string", "format": "date-time"},
                    "id": {"type": "string", "pattern": "^[a-z]+-[0-9]+$"}
                },
                "additionalProperties": false
            }"#,
            "readings": {"type": "object", "properties": {"readings": {
                "type": "array", "items": {"$ref": "reading"}, "uniqueItems": true,
            }}},
            "tree": {"type": "object", "properties": {"child": {"$ref": "#"}}, "required": ["name"]},
            "anything": true,
        },
        "rules": [
            {"topics": ["sensors/+/reading", "lab/#"], "schema": "reading"},
            {"topics": ["sensors/+/readings"], "schema": "readings"},
            {"topics": ["trees/#"], "schema": "tree", "max_bytes": 1000},
            {"topics": ["sensors/#"], "schema": "anything"},
        ],
    })
}

/// One instance for all tests: it is compiled once.
static PLUGIN: LazyLock<Arc<WasmPlugin>> =
    LazyLock::new(|| load(&config(), Grants::NONE.with(Grant::Random)).unwrap());

fn publish(topic: &str, payload: &[u8]) -> EventRecord {
    EventRecord::new(Hook::InterceptPublish)
        .with(Field::Source, "client")
        .with(Field::ClientId, "ann")
        .with(Field::Topic, topic)
        .with(Field::Payload, payload)
        .with(Field::PayloadSize, Owned::Integer(payload.len() as i64))
        .with(Field::Retain, Owned::Bool(false))
}

fn ask(event: &EventRecord) -> Answer {
    PLUGIN.call(event, BUDGET).unwrap()
}

/// The Reason Code and the words.
fn refusal(topic: &str, payload: impl AsRef<[u8]>) -> (u8, String) {
    match ask(&publish(topic, payload.as_ref())).verdict {
        Verdict::Deny(refusal) => (refusal.reason_code, refusal.reason_string.unwrap().into()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_fits_passes() {
    for (topic, payload) in [
        ("sensors/a/reading", r#"{"value": 21.5}"#),
        ("sensors/a/reading", r#" {"unit":"C","value":-3} "#),
        (
            "lab",
            r#"{"value": 1, "at": "2026-01-02T03:04:05Z", "id": "pump-7"}"#,
        ),
        (
            "sensors/a/readings",
            r#"{"readings": [{"value": 1}, {"value": 2}]}"#,
        ),
        (
            "trees/a",
            r#"{"name": 1, "child": {"name": 2, "child": {"name": 3}}}"#,
        ),
        // Any JSON, by the last rule.
        ("sensors/a", "[null]"),
        // No rule.
        ("elsewhere", "no JSON"),
        ("sensor/a/reading", ""),
        ("$SYS/reading", "x"),
    ] {
        assert_eq!(
            ask(&publish(topic, payload.as_bytes())),
            Answer::PASS,
            "{topic} {payload}"
        );
    }
}

#[test]
fn what_does_not_fit_is_told_with_its_pointer() {
    for (topic, payload, expected) in [
        (
            "lab/x",
            r#"[]"#,
            "the whole: want object, but got array (schema reading)",
        ),
        (
            "lab/x",
            r#"{}"#,
            "the whole: missing properties 'value' (schema reading)",
        ),
        (
            "lab/x",
            r#"{"value": "21"}"#,
            "/value: want number, but got string (schema reading)",
        ),
        (
            "lab/x",
            r#"{"value": 101}"#,
            "/value: must be <=100, but got 101 (schema reading)",
        ),
        (
            "lab/x",
            r#"{"value": 1, "x": 2}"#,
            "the whole: additionalProperties 'x' not allowed (schema reading)",
        ),
        (
            "lab/x",
            r#"{"value": 1, "unit": "K"}"#,
            "/unit: value must be one of 'C', 'F' (schema reading)",
        ),
        (
            "sensors/a/readings",
            r#"{"readings": [{"value": 1}, {"value": null}]}"#,
            "/readings/1/value: want number, but got null (schema readings)",
        ),
        (
            "sensors/a/readings",
            r#"{"readings": [{"value": 1}, {"value": 1.0}]}"#,
            "/readings: items at 0 and 1 are equal (schema readings)",
        ),
        (
            "trees/a",
            r#"{"name": 1, "child": {"name": 2, "child": {}}}"#,
            "/child/child: missing properties 'name' (schema tree)",
        ),
    ] {
        assert_eq!(
            refusal(topic, payload),
            (0x99, expected.to_owned()),
            "{payload}"
        );
    }
    for (payload, expected) in [
        (r#"{"value": 1, "at": "today"}"#, "/at: "),
        (
            r#"{"value": 1, "id": "Pump"}"#,
            "/id: 'Pump' does not match pattern",
        ),
    ] {
        let (reason_code, words) = refusal("lab/x", payload);
        assert_eq!(reason_code, 0x99);
        assert!(words.starts_with(expected), "{words}");
    }
}

#[test]
fn what_is_no_json_is_told_with_its_place() {
    for (payload, expected) in [
        (
            &b""[..],
            "no JSON: EOF while parsing a value at line 1 column 0",
        ),
        (
            b"21",
            "the whole: want object, but got number (schema reading)",
        ),
        (
            b"{\"value\": 1",
            "no JSON: EOF while parsing an object at line 1 column 11",
        ),
        (
            b"{\"value\": 1} x",
            "no JSON: trailing characters at line 1 column 14",
        ),
        (
            b"{\"value\": NaN}",
            "no JSON: expected value at line 1 column 11",
        ),
        (b"\xff", "no JSON: expected value at line 1 column 1"),
    ] {
        assert_eq!(
            refusal("lab/x", payload),
            (0x99, expected.to_owned()),
            "{payload:?}"
        );
    }
    let (_, words) = refusal("lab/x", b"{\"value\": \"\xff\"}");
    assert!(words.starts_with("no JSON: "), "{words}");
    let (_, words) = refusal("lab/x", "[".repeat(60_000));
    assert!(
        words.starts_with("no JSON: recursion limit exceeded"),
        "{words}"
    );
}

#[test]
fn long_payloads_are_not_looked_at() {
    let long = format!("{{\"value\": 1{}", " ".repeat(65_526));
    assert_eq!(
        refusal("lab/x", &long),
        (0x97, "65537 bytes; 65536 are allowed".to_owned())
    );
    assert_eq!(
        refusal("trees/a", " ".repeat(1_001)),
        (0x97, "1001 bytes; 1000 are allowed".to_owned())
    );
    // What is quoted of a value is cut.
    let (_, words) = refusal(
        "lab/x",
        format!(r#"{{"value": 1, "id": "{}"}}"#, "Ä".repeat(20_000)),
    );
    assert!(words.len() < 1_000, "{}", words.len());
}

#[test]
fn only_clients_and_wills_are_judged() {
    for (source, judged) in [
        ("client", true),
        ("will", true),
        ("plugin", false),
        ("broker", false),
        ("retained", false),
    ] {
        let event = publish("lab/x", b"x").with(Field::Source, source);
        assert_eq!(ask(&event) != Answer::PASS, judged, "{source}");
    }
    let removes = publish("lab/x", b"").with(Field::Retain, Owned::Bool(true));
    assert_eq!(ask(&removes), Answer::PASS);
    let retained = publish("lab/x", b"x").with(Field::Retain, Owned::Bool(true));
    assert_ne!(ask(&retained), Answer::PASS);
}

#[test]
fn wrong_configurations_are_told_at_load() {
    let with = |schema: Value| json!({"schemas": {"a": schema}, "rules": []});
    for (config, expected) in [
        (json!({}), "missing field `schemas`"),
        (
            json!({"schemas": {}, "rules": [], "max": 1}),
            "unknown field `max`",
        ),
        (
            json!({"schemas": {}, "rules": [{"topics": ["a"], "schema": "b"}]}),
            "rules: there is no schema \"b\"",
        ),
        (
            json!({"schemas": {"b": true}, "rules": [{"topics": ["a#"], "schema": "b"}]}),
            "rules: \"a#\" is no topic filter",
        ),
        (
            json!({"schemas": {"../x": true}, "rules": []}),
            "schemas: \"../x\" is no name",
        ),
        (with(json!("{")), "schemas.a: EOF while parsing"),
        (with(json!({"type": "nubmer"})), "schemas.a: "),
        (with(json!({"pattern": "("})), "schemas.a: "),
        (
            with(json!({"$ref": "b"})),
            "there is no schema \"b\" in the configuration",
        ),
        (
            with(json!({"$ref": "file:///etc/passwd"})),
            "there is no schema \"file:///etc/passwd\" in the configuration",
        ),
        (
            with(json!({"$ref": "https://example.com/schema.json"})),
            "there is no schema \"https://example.com/schema.json\" in the configuration",
        ),
    ] {
        let why = load(&config, Grants::NONE.with(Grant::Random)).err();
        let why = why.unwrap_or_else(|| panic!("{config} is taken"));
        assert!(why.contains(expected), "{expected}: {why}");
    }
}

#[test]
fn random_numbers_must_be_granted() {
    let why = load(&config(), Grants::NONE).expect_err("refused");
    assert!(why.contains("add grants = [\"random\"]"), "{why}");
}

/// Prints what a call costs; the limits are far above it.
#[test]
fn a_call_is_cheap() {
    let payload = br#"{"value": 21.5, "unit": "C", "at": "2026-01-02T03:04:05Z", "id": "pump-7"}"#;
    let long = format!(
        "{{\"readings\": [{}]}}",
        (0..400)
            .map(|at| format!("{{\"value\": {}, \"id\": \"pump-{at}\"}}", at % 100))
            .collect::<Vec<_>>()
            .join(",")
    );
    for (what, event) in [
        ("no rule", publish("elsewhere", payload)),
        ("a reading, 76 B", publish("lab/x", payload)),
        (
            "400 readings, 14 KiB",
            publish("sensors/a/readings", long.as_bytes()),
        ),
    ] {
        assert_eq!(ask(&event), Answer::PASS, "{what}");
        let mut best = Duration::MAX;
        for _ in 0..200 {
            let started = Instant::now();
            std::hint::black_box(ask(&event));
            best = best.min(started.elapsed());
        }
        println!("{what}: {:.2} us", best.as_secs_f64() * 1e6);
        assert!(best < Duration::from_millis(100), "{what}: {best:?}");
    }
}

//! The config as JSON, read with the header's helpers.

use std::sync::Arc;

use hookmq_native::{NativePlugin, NativeSettings};

use crate::build;
use crate::host::FakeHost;

const CONFIG: &str = r#"{
    "text" : "plain", "number": 42,"negative":-5, "big": 1234567890123456789012,
    "yes": true, "no":false , "object": { "inner": "deep", "other": [1, {"inner": 2}] }, "list": ["inner", "}"],
    "unicode": "\u00e9\u20ac\ud83e\udd80 é", "escapes": "\"\\\/\b\n\t}", "nul": "a\u0000b", "lone": "\ud83e",
    "inner": 1.5
}"#;

#[test]
fn values_are_read_by_their_keys() {
    let built = build::fixture("config.c", &[]);
    let host = Arc::new(FakeHost::default());
    let settings = NativeSettings {
        config: CONFIG.to_owned(),
        ..NativeSettings::new("config")
    };
    NativePlugin::load(built.path(), settings, Arc::clone(&host) as _).expect("loads");
    assert_eq!(
        host.words(),
        [
            "text: \"plain\" | 5 plain | -7 | 0 1",
            "number: 42 | -1  | 42 | 0 1",
            "negative: -5 | -1  | -5 | 0 1",
            "big: 1234567890123456789012 | -1  | -7 | 0 1",
            "yes: true | -1  | -7 | 1 1",
            "no: false | -1  | -7 | 0 0",
            "object: { \"inner\": \"deep\", \"other\": [1, {\"inner\": 2}] } | -1  | -7 | 0 1",
            "list: [\"inner\", \"}\"] | -1  | -7 | 0 1",
            "unicode: \"\\u00e9\\u20ac\\ud83e\\udd80 é\" | 12 é€\u{1F980} é | -7 | 0 1",
            "escapes: \"\\\"\\\\\\/\\b\\n\\t}\" | 7 \"\\/\u{8}\n\t} | -7 | 0 1",
            "nul: \"a\\u0000b\" | -1  | -7 | 0 1",
            "lone: \"\\ud83e\" | -1  | -7 | 0 1",
            "missing:  | -1  | -7 | 0 1",
            "inner: 1.5 | -1  | -7 | 0 1",
            "inner: \"deep\" | 4 deep | -7 | 0 1",
        ]
    );
}

#[test]
fn a_config_that_is_no_object_has_nothing() {
    let built = build::fixture("config.c", &[]);
    for config in ["", "null", "[]", "{", "{\"text\"", "{\"text\":", "\"text\""] {
        let host = Arc::new(FakeHost::default());
        let settings = NativeSettings {
            config: config.to_owned(),
            ..NativeSettings::new("config")
        };
        NativePlugin::load(built.path(), settings, Arc::clone(&host) as _).expect("loads");
        let words = host.words();
        assert_eq!(words[0], "text:  | -1  | -7 | 0 1", "{config}");
    }
}

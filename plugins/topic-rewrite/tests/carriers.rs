//! The same rules as a dynamic library, a core module and a component.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hookmq_guests::Recorder;
use hookmq_native::{NativePlugin, NativeSettings};
use hookmq_plugin_api::{Answer, EventRecord, Field, Hook, Plugin};
use hookmq_wasm::{WasmPlugin, WasmSettings};

const CONFIG: &str = r##"{"rules": [
    {"match": "v1/+/#", "to": "site/{1}/{2}"},
    {"match": "site/+/#", "to": "v1/{1}/{2}", "on": ["deliver"]}
]}"##;

type Loaded = Result<Form, String>;

/// One form of the plugin, and where its lines go.
struct Form {
    plugin: Arc<dyn Plugin>,
    host: Arc<Recorder>,
}

fn native(path: PathBuf, config: &str) -> Loaded {
    let settings = NativeSettings {
        config: config.to_owned(),
        ..NativeSettings::new("topic-rewrite")
    };
    let host = Arc::new(Recorder::default());
    NativePlugin::load(&path, settings, Arc::clone(&host) as _)
        .map(|plugin| Form { plugin, host })
        .map_err(|error| error.to_string())
}

fn wasm(path: PathBuf, config: &str) -> Loaded {
    let settings = WasmSettings {
        config: config.to_owned(),
        ..WasmSettings::new("topic-rewrite")
    };
    let host = Arc::new(Recorder::default());
    WasmPlugin::load(&path, settings, Arc::clone(&host) as _)
        .map(|plugin| Form { plugin, host })
        .map_err(|error| error.to_string())
}

fn every(config: &str) -> [Loaded; 3] {
    [
        native(hookmq_guests::native("topic-rewrite"), config),
        wasm(hookmq_guests::module("topic-rewrite"), config),
        wasm(hookmq_guests::component("topic-rewrite"), config),
    ]
}

#[test]
fn topics_and_filters_are_rewritten_in_every_form() {
    for form in every(CONFIG) {
        let form = form.unwrap();
        for (hook, field, given, expected) in [
            (
                Hook::InterceptPublish,
                Field::Topic,
                "v1/a/b/c",
                Some("site/a/b/c"),
            ),
            (Hook::InterceptPublish, Field::Topic, "other", None),
            (
                Hook::InterceptSubscription,
                Field::TopicFilter,
                "v1/+/#",
                Some("site/+/#"),
            ),
            (Hook::InterceptSubscription, Field::TopicFilter, "#", None),
            (
                Hook::InterceptUnsubscription,
                Field::TopicFilter,
                "$share/g/v1/+/#",
                Some("$share/g/site/+/#"),
            ),
            (
                Hook::InterceptDelivery,
                Field::Topic,
                "site/a/b",
                Some("v1/a/b"),
            ),
        ] {
            let event = EventRecord::new(hook).with(field, given);
            let changes = expected.map(|text| (field, text.into()));
            assert_eq!(
                form.plugin.call(&event, Duration::from_secs(10)),
                Ok(Answer::pass_with(changes.into_iter().collect())),
                "{given}"
            );
        }
        assert_eq!(form.host.take(), []);
    }
}

#[test]
fn a_wrong_rule_is_refused_at_load() {
    for form in every(r#"{"rules": [{"match": "a/+", "to": "b/{2}"}]}"#) {
        let why = form.map(drop).expect_err("the rule is wrong");
        assert!(
            why.contains("rules[0]: to: {2} stands for a wildcard"),
            "{why}"
        );
    }
}

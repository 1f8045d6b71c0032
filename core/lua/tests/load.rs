//! What a script may be, and what it is told when it is not.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::time::Duration;

use common::{call, event, load, load_error, load_with, settings, try_load};
use hookmq_lua::testing::FakeHost;
use hookmq_plugin_api::{Cause, Field, Hook, OnError, Plugin};
use serde_json::json;

/// The script is refused, at this line, with these words.
fn refused(source: &str, line: usize, words: &str) {
    let error = load_error(source);
    let shown = error.to_string();
    assert!(shown.contains(words), "{source}\n{shown}");
    assert_eq!(error.line, line, "{source}\n{shown}");
    assert_eq!(error.file, "test.lua");
    if line > 0 {
        assert_eq!(
            error.source_line.as_deref(),
            source.lines().nth(line - 1).map(str::trim_end),
            "{shown}"
        );
    }
}

#[test]
fn names_of_hooks() {
    refused(
        "local M = {}\nfunction M.intercept_publsh(topic) end\nreturn M",
        2,
        "there is no hook \"intercept_publsh\"; did you mean \"intercept_publish\"?",
    );
    refused(
        "local M = {}\nfunction M.helper() end\nreturn M",
        2,
        "make helpers local",
    );
    refused("local M = {}\nreturn M", 0, "has no handlers");
    refused("\nreturn { priority = 5 }", 0, "has no handlers");
}

#[test]
fn names_of_parameters() {
    refused(
        "local M = {}\nfunction M.intercept_publish(\n  qos,\n  tpoic\n)\nend\nreturn M",
        4,
        "intercept_publish has no field \"tpoic\"; did you mean \"topic\"?",
    );
    refused(
        "local M = {}\nfunction M.intercept_publish(zzz) end\nreturn M",
        2,
        "parameters are named after fields: source, dup, client_id",
    );
    refused(
        "local M = {}\nfunction M:intercept_publish() end\nreturn M",
        2,
        "with a dot",
    );
    refused(
        "return { intercept_publish = function(...) end }",
        1,
        "cannot take ...",
    );
    refused(
        "return { intercept_enqueue = function(client) end }",
        1,
        "no field \"client\"",
    );
    refused(
        "return { client_connected = function(payload_buffer) end }",
        1,
        "no field \"payload_buffer\"",
    );
}

#[test]
fn handlers_whose_parameters_cannot_be_read() {
    refused(
        "return { intercept_publish = print }",
        0,
        "on a line of its own",
    );
    refused(
        "local function f(topic) end local function g(qos) end\nreturn { intercept_publish = g }",
        1,
        "on a line of its own",
    );
}

#[test]
fn syntax_and_run_time_errors_of_the_body() {
    refused("local M = {}\nlocal x = = 1\nreturn M", 2, "");
    refused(
        "local M = {}\nlocal x = nil .. 'a'\nreturn M",
        2,
        "attempt to concatenate nil",
    );
    refused("local M = {}\nerror('not today')\nreturn M", 2, "not today");
    refused(
        "local M = {}\nbroker.kv.get(5)\nreturn M",
        2,
        "broker.kv.get: key must be a string, got the number 5",
    );
    refused("return 5", 1, "return M");
    refused(
        "local M = {}",
        1,
        "this one returned nil; end it with: return M",
    );
}

#[test]
fn metadata_is_read() {
    let script = load(
        "return {
            priority = -5, timeout = '50ms', on_error = 'pass', version = '1.2', description = 'x',
            filter = { topics = { 'a/#', 'b' }, clients = 'c', listeners = { 'l' }, qos = { 1, 2 }, min_size = 1, max_size = 100 },
            intercept_publish = function() end,
        }",
    );
    let metadata = script.plugin.metadata();
    assert_eq!(metadata.priority, Some(-5));
    assert_eq!(metadata.timeout, Some(Duration::from_millis(50)));
    assert_eq!(metadata.on_error, Some(OnError::Pass));
    assert_eq!(metadata.version.as_deref(), Some("1.2"));
    assert_eq!(metadata.filter.topics, ["a/#", "b"]);
    assert_eq!(metadata.filter.clients, ["c"]);
    assert_eq!(metadata.filter.qos, [1, 2]);
    assert_eq!(metadata.filter.max_size, Some(100));
}

#[test]
fn metadata_is_checked() {
    for (entry, words) in [
        (
            "prioritty = 5",
            "M.prioritty means nothing; did you mean \"priority\"?",
        ),
        (
            "priority = '5'",
            "priority must be a whole number, got the string \"5\"",
        ),
        (
            "timeout = 50",
            "timeout must be a time with a unit, as in \"50ms\", got the number 50",
        ),
        ("timeout = '50 lightyears'", "timeout must be a time"),
        ("timeout = '0ms'", "timeout must be a time"),
        (
            "on_error = 'ignore'",
            "on_error must be \"deny\" or \"pass\"",
        ),
        (
            "filter = { topic = 'a' }",
            "filter has no \"topic\"; did you mean \"topics\"?",
        ),
        ("filter = { topics = { 'a/#/b' } }", "not a topic filter"),
        ("filter = { qos = 3 }", "filter.qos must be 0, 1 or 2"),
        (
            "awaits = { 'intercept_publsh' }",
            "did you mean \"intercept_publish\"?",
        ),
        (
            "awaits = { 'intercept_enqueue' }",
            "intercept_enqueue cannot wait",
        ),
        ("config = 5", "config must be a table"),
        ("description = 5", "description must be a string"),
    ] {
        refused(
            &format!("local M = {{ \n{entry} }}\nfunction M.intercept_publish() end\nreturn M"),
            2,
            words,
        );
    }
}

#[test]
fn waiting_is_for_hooks_that_can() {
    let script = load(
        "return { awaits = 'intercept_publish', intercept_publish = function() end, authorize_publish = function() end,
            validate_connection = function() end, client_connected = function() end }",
    );
    let awaits = |hook| {
        script
            .plugin
            .listens()
            .iter()
            .find(|listen| listen.hook == hook)
            .unwrap()
            .awaits
    };
    assert!(awaits(Hook::InterceptPublish));
    assert!(awaits(Hook::ValidateConnection));
    assert!(!awaits(Hook::AuthorizePublish));
    assert!(!awaits(Hook::ClientConnected));
}

#[test]
fn config_has_defaults_and_the_operators_values() {
    let source = "local M = { config = { max = 10, names = { 'a' }, deep = { x = 1 } } }
        function M.intercept_publish(config)
            assert(config == M.config)
            return broker.drop(`{config.max} {config.names[1]} {config.deep.x}`)
        end
        function M.intercept_delivery(config) config.max = 5 end
        return M";
    let reason = |config| {
        let mut settings = settings();
        settings.config = config;
        let script = load_with(source, settings);
        let answer = call(&script, &event(Hook::InterceptPublish)).unwrap();
        let error = call(&script, &event(Hook::InterceptDelivery)).unwrap_err();
        assert!(error.message.contains("read-only"), "{error}");
        common::refusal(&answer).reason_string.clone().unwrap()
    };
    assert_eq!(&*reason(json!(null)), "10 a 1");
    assert_eq!(&*reason(json!({"max": 20, "deep": {"x": 2}})), "20 a 2");
}

#[test]
fn config_is_checked_at_load() {
    for (source, config, words) in [
        (
            "local M = { config = { max_bytes = 10 } }",
            json!({"max_byts": 1}),
            "config.max_byts: the script has no such key; did you mean \"max_bytes\"?",
        ),
        (
            "local M = { config = { max_bytes = 10 } }",
            json!({"max_bytes": "x"}),
            "config.max_bytes must be a number, got a string",
        ),
        (
            "local M = { config = { url = broker.required('string') } }",
            json!({}),
            "config.url is required: a string",
        ),
        (
            "local M = { config = { url = broker.required('sting') } }",
            json!({}),
            "did you mean \"string\"",
        ),
        ("local M = {}", json!({"x": 1}), "takes no config"),
    ] {
        let mut settings = settings();
        settings.config = config;
        let source = format!("{source}\nfunction M.intercept_publish() end\nreturn M");
        let Err(error) = try_load(&[("test.lua", &source)], settings, FakeHost::default()) else {
            panic!("it was loaded: {source}");
        };
        assert!(error.to_string().contains(words), "{error}");
    }
}

fn files(files: &[(&str, &str)]) -> Result<common::Script, String> {
    try_load(files, settings(), FakeHost::default()).map_err(|error| error.to_string())
}

#[test]
fn files_are_required_from_the_folder() {
    let script = files(&[
        ("test.lua", "local rules = require('lib/rules') assert(rules == require('./lib/rules.lua'))\nreturn { intercept_publish = rules.check }"),
        ("lib/rules.lua", "local words = require('lib/words')\nlocal R = {}\nfunction R.check(topic)\n  return broker.drop(words.no .. topic)\nend\nreturn R"),
        ("lib/words.lua", "return { no = 'no: ' }"),
    ])
    .unwrap();
    let answer = call(
        &script,
        &event(Hook::InterceptPublish).with(Field::Topic, "t"),
    )
    .unwrap();
    let refusal = common::refusal(&answer);
    assert_eq!(refusal.reason_string.as_deref(), Some("no: t"));
    assert_eq!(refusal.place.as_deref(), Some("lib/rules.lua:4"));
    let mut names: Vec<_> = script
        .plugin
        .files()
        .iter()
        .map(|path| path.file_name().unwrap().to_owned())
        .collect();
    names.sort();
    assert_eq!(names, ["rules.lua", "test.lua", "words.lua"]);
}

#[test]
fn a_later_vm_runs_the_text_that_was_loaded() {
    let script = files(&[
        ("test.lua", "local n = require('n') return { intercept_publish = function() return broker.drop(n) end }"),
        ("n.lua", "return 'old'"),
    ])
    .unwrap();
    std::fs::write(script.folder.path().join("n.lua"), "return 'new'").unwrap();
    let answer = call(&script, &event(Hook::InterceptPublish)).unwrap();
    assert_eq!(
        common::refusal(&answer).reason_string.as_deref(),
        Some("old")
    );
}

#[test]
fn require_stays_in_the_folder_and_out_of_circles() {
    for (source, words) in [
        ("require('../x')", "leaves the script's folder"),
        ("require('/etc/passwd')", "the path is absolute"),
        ("require('missing')", "missing.lua"),
        ("require(5)", "require takes a string, got the number 5"),
        ("require('')", "not a path"),
        ("require('a')", "requires itself"),
        ("require('broken')", "broken.lua:2: boom"),
    ] {
        let error = files(&[
            (
                "test.lua",
                &format!("\n{source}\nreturn {{ intercept_publish = function() end }}"),
            ),
            ("a.lua", "return require('b')"),
            ("b.lua", "return require('a')"),
            ("broken.lua", "\nerror('boom')"),
        ])
        .err()
        .unwrap();
        assert!(
            error.contains(words) && error.starts_with("test.lua:2:"),
            "{source}: {error}"
        );
    }
    let script = files(&[
        (
            "test.lua",
            "return { intercept_publish = function() require('late') end }",
        ),
        ("late.lua", "return 1"),
    ])
    .unwrap();
    let error = call(&script, &event(Hook::InterceptPublish)).unwrap_err();
    assert_eq!(error.cause, Cause::Raised);
    assert!(
        error.message.contains("at the top of the script"),
        "{error}"
    );
}

#[cfg(unix)]
#[test]
fn a_link_does_not_lead_out() {
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("x.lua"), "return 1").unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(outside.path(), folder.path().join("out")).unwrap();
    let path = folder.path().join("test.lua");
    std::fs::write(
        &path,
        "require('out/x') return { intercept_publish = function() end }",
    )
    .unwrap();
    let host = std::sync::Arc::new(FakeHost::default());
    let error = hookmq_lua::LuaPlugin::load(&path, settings(), host).unwrap_err();
    assert!(
        error.to_string().contains("a symbolic link leaves"),
        "{error}"
    );
}

#[test]
fn a_missing_file_says_so() {
    let host = std::sync::Arc::new(FakeHost::default());
    let error =
        hookmq_lua::LuaPlugin::load("nowhere/x.lua".as_ref(), settings(), host).unwrap_err();
    assert!(error.to_string().starts_with("nowhere/x.lua: "), "{error}");
}

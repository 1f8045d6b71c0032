//! The `broker` table: what each function does, and what it says when it is used wrongly.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{call, event, load, refusal, settings, try_load};
use hookmq_lua::testing::FakeHost;
use hookmq_plugin_api::{
    Cause, ClientView, Event, EventRecord, Field, FieldSet, Grants, Hook, LogLevel, Plugin,
    RetainedView, SessionView, Value,
};

/// Runs code in a handler and gives what it returned as text.
fn run_on(script: &common::Script) -> String {
    let answer =
        call(script, &event(Hook::InterceptPublish)).unwrap_or_else(|error| panic!("{error}"));
    refusal(&answer)
        .reason_string
        .as_deref()
        .unwrap()
        .to_owned()
}

fn script(code: &str) -> common::Script {
    load(&format!(
        "local function run()\n{code}\nend\nreturn {{ intercept_publish = function() return broker.drop(tostring((run()))) end }}"
    ))
}

fn run(code: &str) -> String {
    run_on(&script(code))
}

fn fails(code: &str, words: &str) {
    let error = call(&script(code), &event(Hook::InterceptPublish)).unwrap_err();
    assert!(error.message.contains(words), "{code}: {error}");
    assert!(error.message.starts_with("test.lua:2:"), "{code}: {error}");
}

#[test]
fn what_goes_into_the_log_has_an_end() {
    let script = script(
        "local long = string.rep('ä', 100000)\nprint(long)\nbroker.log.warn(long, { [long] = long })\nerror(long)",
    );
    let error = call(&script, &event(Hook::InterceptPublish)).unwrap_err();
    let ends = |text: &str| {
        assert!(text.len() < 9_000, "{} bytes", text.len());
        assert!(text.ends_with("ä... (200000 bytes)"), "{text}");
    };
    let log = script.host.take_log();
    ends(&log[0].message);
    ends(&log[1].message);
    let (name, value) = &log[1].fields[0];
    ends(name);
    ends(value);
    assert!(error.message.len() < 9_000, "{} bytes", error.message.len());
    assert!(error.message.starts_with("test.lua:5: ää"), "{error}");
}

#[test]
fn log_lines_have_their_place() {
    let script = script("broker.log.warn('odd', { topic = 'a', n = 5 })\nprint('x', nil, true)");
    run_on(&script);
    let log = script.host.take_log();
    assert_eq!(log[0].level, LogLevel::Warn);
    assert_eq!(log[0].place, "test.lua:2");
    assert_eq!(log[0].message, "odd");
    assert_eq!(
        log[0].fields,
        [
            ("n".to_owned(), "5".to_owned()),
            ("topic".to_owned(), "a".to_owned())
        ]
    );
    assert_eq!(log[1].level, LogLevel::Info);
    assert_eq!(log[1].place, "test.lua:3");
    assert_eq!(log[1].message, "x\tnil\ttrue");
    fails(
        "broker.log.info('x', 5)",
        "broker.log.info: fields must be a table, got the number 5",
    );
}

#[test]
fn kv_stores_expires_and_compares() {
    assert_eq!(run("return broker.kv.get('x')"), "nil");
    assert_eq!(
        run("broker.kv.set('x', 'a\\0b') return #broker.kv.get('x')"),
        "3"
    );
    assert_eq!(
        run("broker.kv.set('n', 5) return broker.kv.add('n', 2) .. broker.kv.get('n')"),
        "77"
    );
    assert_eq!(run("return broker.kv.add('n') + broker.kv.add('n')"), "3");
    assert_eq!(
        run("broker.kv.set('x', 'a') return broker.kv.set('x', 'b', { only_if_absent = true })"),
        "false"
    );
    assert_eq!(
        run("broker.kv.set('x', 'a') return broker.kv.set('x', 'b', { only_if = 'a' })"),
        "true"
    );
    assert_eq!(
        run("broker.kv.set('x', 'a') return broker.kv.set('x', 'b', { only_if = 'c' })"),
        "false"
    );
    assert_eq!(
        run(
            "broker.kv.set('x', 'a') return tostring(broker.kv.delete('x')) .. tostring(broker.kv.delete('x'))"
        ),
        "truefalse"
    );
    let script = script(
        "broker.kv.set('x', 'a', { expires_in = 10, only_if_absent = true }) return broker.kv.add('n', 1, { expires_in = 5 })",
    );
    run_on(&script);
    script.host.advance(6.0);
    assert_eq!(run_on(&script), "1");
    fails(
        "return broker.kv.set('x')",
        "broker.kv.set: value must be a string or a buffer, got nil",
    );
    fails(
        "return broker.kv.set('x', 'y', { expire_in = 5 })",
        "did you mean \"expires_in\"",
    );
    fails(
        "return broker.kv.set('x', 'y', { expires_in = -1 })",
        "not negative",
    );
    fails(
        "return broker.kv.add('x', 1.5)",
        "amount must be a whole number",
    );
    fails(
        "broker.kv.set('x', 'y') return broker.kv.add('x')",
        "is no whole number",
    );
}

#[test]
fn json_goes_both_ways() {
    for (code, expected) in [
        ("broker.json.encode({ a = 1 })", "{\"a\":1}"),
        (
            "broker.json.encode({ 1, 2.5, 'x', true })",
            "[1,2.5,\"x\",true]",
        ),
        ("broker.json.encode({})", "{}"),
        ("broker.json.encode(broker.json.array())", "[]"),
        (
            "broker.json.encode(broker.json.decode('{\"a\":[],\"b\":null,\"c\":{}}').a)",
            "[]",
        ),
        (
            "broker.json.decode('{\"b\":null}').b == broker.json.null",
            "true",
        ),
        (
            "broker.json.decode('[1,[2,{\"x\":\"\\\\u00e9\"}]]')[2][2].x",
            "é",
        ),
        ("broker.json.encode('a\"b\\n')", "\"a\\\"b\\n\""),
        (
            "broker.json.encode(1e300)",
            "1000000000000000052504760255204420248704468581108159154915854115111802457988908195786371375080447854045104",
        ),
        ("broker.json.encode(-0.5)", "-0.5"),
        ("broker.json.encode(2^53)", "9007199254740992"),
        ("broker.json.valid('{\"a\":1}')", "true"),
        ("broker.json.valid('{\"a\":1} x')", "false"),
        ("broker.json.valid('\"\\255\"')", "false"),
        ("broker.json.valid(buffer.fromstring('[1]xxx'), 3)", "true"),
    ] {
        let found = run(&format!("return {code}"));
        assert!(
            found == expected || (code.contains("1e300") && found.starts_with('1')),
            "{code}: {found}"
        );
    }
    fails(
        "return broker.json.decode('{')",
        "not JSON: EOF while parsing",
    );
    fails(
        "return broker.json.encode(print)",
        "JSON has no form for a function",
    );
    fails(
        "return broker.json.encode(0/0)",
        "no form for the number NaN",
    );
    fails("return broker.json.encode({ 1, x = 2 })", "not both");
    fails("return broker.json.encode('\\255')", "not UTF-8");
    fails(
        "local t = {} t.t = t return broker.json.encode(t)",
        "contains itself",
    );
}

#[test]
fn base64_and_hashes() {
    assert_eq!(run("return broker.base64.encode('hi?')"), "aGk/");
    assert_eq!(run("return broker.base64.decode('aGk/')"), "hi?");
    assert_eq!(run("return broker.base64.decode('!')"), "nil");
    assert_eq!(
        run("return broker.hash.sha256('abc')"),
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    );
    assert_eq!(
        run("return broker.hash.hmac_sha256('key', 'The quick brown fox jumps over the lazy dog')"),
        "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8"
    );
    assert_eq!(
        run(
            "return tostring(broker.hash.equal('a', 'a')) .. tostring(broker.hash.equal('a', 'b'))"
        ),
        "truefalse"
    );
}

#[test]
fn what_waits_is_refused_inline() {
    fails(
        "return broker.password.verify('x', 'y')",
        "intercept_publish cannot wait here; hooks that can: validate_connection",
    );
    fails(
        "return broker.sleep(1)",
        "if listed in M.awaits: intercept_publish",
    );
}

#[test]
fn publishing_hands_over_a_whole_message() {
    let script = script(
        "broker.publish { topic = 'a/b', payload = 'x', qos = 1, retain = true, message_expiry_interval = 60, content_type = 't',
            response_topic = 'r', correlation_data = 'c', user_properties = { k = 'v' } }
        return broker.publish_to('nobody', { topic = 'x' })",
    );
    assert_eq!(run_on(&script), "false");
    let published = script.host.take_published();
    assert_eq!(published.len(), 1);
    let message = &published[0].message;
    assert_eq!(
        (
            message.topic.as_str(),
            message.payload.as_slice(),
            message.qos,
            message.retain
        ),
        ("a/b", &b"x"[..], 1, true)
    );
    assert_eq!(message.message_expiry_interval, Some(60));
    assert_eq!(message.user_properties, [("k".to_owned(), "v".to_owned())]);
    fails(
        "broker.publish { topc = 'a' }",
        "there is no \"topc\"; did you mean \"topic\"?",
    );
    fails(
        "broker.publish { payload = 'a' }",
        "broker.publish: topic must be a string, got nil",
    );
    fails("broker.publish { topic = 'a/#' }", "cannot contain + or #");
    fails(
        "broker.publish { topic = 'a', qos = 3 }",
        "qos: must be 0, 1 or 2",
    );
    fails(
        "broker.publish()",
        "broker.publish: message must be a table, got nil",
    );
}

/// An event that a plugin's publish caused.
struct Caused(EventRecord);

impl Event for Caused {
    fn hook(&self) -> Hook {
        self.0.hook()
    }

    fn get(&self, field: Field) -> Value<'_> {
        self.0.get(field)
    }

    fn depth(&self) -> u8 {
        3
    }
}

#[test]
fn publishes_know_how_deep_they_are() {
    let script = script("broker.publish { topic = 'a' }");
    let event = Caused(EventRecord::copy_of(
        &event(Hook::InterceptPublish),
        FieldSet::EMPTY,
    ));
    script.plugin.call(&event, common::BUDGET).unwrap();
    assert_eq!(script.host.take_published()[0].depth, 3);
}

#[test]
fn queries_and_disconnects() {
    let script = script(
        "local c, s = broker.client('c1'), broker.session('c1')
        assert(broker.client('c2') == nil and broker.session('c2') == nil)
        assert(c.username == nil and c.connected_at == 1.5 and c.listener == 'l' and s.subscriptions[1].topic_filter == 'a/#')
        local r = broker.retained('a/+')
        assert(#r == 2 and r[1].payload == 'x' and #broker.retained('#', 1) == 1)
        assert(broker.disconnect_client('c1', 'administrative_action', 'bye') and not broker.disconnect_client('c2'))
        return s.n_queued",
    );
    script.host.add_client(ClientView {
        client_id: "c1".into(),
        username: None,
        endpoint: "127.0.0.1:5".into(),
        listener: "l".into(),
        protocol_version: 5,
        keep_alive: 10,
        connected_at_ms: 1_500,
    });
    script.host.add_session(SessionView {
        client_id: "c1".into(),
        connected: true,
        session_expiry_interval: 0,
        n_queued: 7,
        n_inflight: 0,
        subscriptions: vec![("a/#".into(), 1)],
    });
    for topic in ["a/1", "a/2", "b"] {
        script.host.add_retained(RetainedView {
            topic: topic.into(),
            payload: b"x".to_vec(),
            qos: 0,
        });
    }
    assert_eq!(run_on(&script), "7");
    assert_eq!(
        script.host.take_disconnected(),
        [("c1".to_owned(), 0x98, Some("bye".to_owned()))]
    );
}

#[test]
fn topics_and_time() {
    assert_eq!(run("return broker.topic.matches('a/+', 'a/b')"), "true");
    assert_eq!(
        run("return table.concat(broker.topic.levels('a//b'), '|')"),
        "a||b"
    );
    fails(
        "return broker.topic.matches('a/#/b', 'a')",
        "not a topic filter",
    );
    fails(
        "return broker.topic.matches('secret/#', '#')",
        "this is a filter, no topic; compare filters with broker.topic.overlaps",
    );
    assert_eq!(run("return broker.topic.overlaps('secret/#', '#')"), "true");
    assert_eq!(run("return broker.topic.covers('secret/#', '#')"), "false");
    fails(
        "return broker.topic.covers('a', 'a/#/b')",
        "not a topic filter",
    );
    assert_eq!(run("return broker.name"), "test");
    assert_eq!(
        run("return broker.time() > 1700000000 and broker.time() % 1 ~= 0"),
        "true"
    );
}

#[test]
fn what_is_not_granted_is_an_error_that_says_what_to_add() {
    for (code, grant) in [
        ("broker.kv.get('x')", "kv"),
        ("broker.publish { topic = 'x' }", "publish"),
        ("broker.publish_to('c', { topic = 'x' })", "publish"),
        ("broker.disconnect_client('c')", "disconnect"),
        ("broker.client('c')", "query"),
        ("broker.session('c')", "query"),
        ("broker.retained('#')", "query"),
    ] {
        let source = format!("return {{ intercept_publish = function() {code} end }}");
        let host = FakeHost::with_grants(Grants::NONE);
        let script = try_load(&[("test.lua", &source)], settings(), host).unwrap();
        let error = call(&script, &event(Hook::InterceptPublish)).unwrap_err();
        assert_eq!(error.cause, Cause::Grant, "{code}: {error}");
        assert!(
            error
                .message
                .contains(&format!("add grants = [\"{grant}\"]")),
            "{error}"
        );
        assert!(error.message.starts_with("test.lua:1:"), "{error}");
    }
}

#[test]
fn the_surface_is_all_there() {
    for function in hookmq_plugin_api::surface::FUNCTIONS {
        assert_eq!(
            run(&format!("return type(broker.{})", function.name)),
            "function",
            "{}",
            function.name
        );
    }
    for constant in hookmq_plugin_api::surface::CONSTANTS {
        assert_eq!(
            run(&format!("return broker.{} ~= nil", constant.name)),
            "true",
            "{}",
            constant.name
        );
    }
}

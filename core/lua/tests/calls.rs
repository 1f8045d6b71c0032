//! What handlers are given and what they may answer.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{call, event, load, load_error, refusal};
use hookmq_plugin_api::{
    Answer, Cause, Event, EventRecord, Field, Hook, Owned, Plugin, Refusal, Verdict, VerdictKind,
};

fn publish() -> EventRecord {
    event(Hook::InterceptPublish)
        .with(Field::Topic, "devices/ann/t")
        .with(Field::Payload, &b"on"[..])
        .with(Field::PayloadSize, 2)
        .with(Field::Qos, 1)
        .with(Field::ClientId, "c1")
        .with(
            Field::UserProperties,
            Owned::Pairs(vec![
                ("a".into(), "1".into()),
                ("b".into(), "2".into()),
                ("a".into(), "3".into()),
            ]),
        )
}

fn answer(source: &str) -> Answer {
    let script = load(source);
    call(&script, &publish()).unwrap()
}

fn failure(source: &str) -> (Cause, String) {
    let script = load(source);
    let error = call(&script, &publish()).unwrap_err();
    (error.cause, error.message.into())
}

#[test]
fn parameters_are_the_fields_of_their_names() {
    let script = load(
        "local M = {}
        function M.intercept_publish(qos, topic, username, payload, retain)
            assert(qos == 1 and topic == 'devices/ann/t' and username == nil and payload == 'on' and retain == nil)
        end
        return M",
    );
    assert_eq!(call(&script, &publish()), Ok(Answer::PASS));
    let listen = &script.plugin.listens()[0];
    assert_eq!(listen.hook, Hook::InterceptPublish);
    assert!(listen.fields.has(Field::Username));
    assert!(!listen.fields.has(Field::ClientId));
    assert!(!listen.awaits);
}

#[test]
fn every_way_to_write_a_handler_works() {
    for source in [
        "local M = {} function M.intercept_publish(topic) return broker.drop(topic) end return M",
        "local M = {} M.intercept_publish = function(topic: string): any return broker.drop(topic) end return M",
        "return { intercept_publish = function(topic) return broker.drop(topic) end }",
        "local function check(topic) return broker.drop(topic) end return { intercept_publish = check }",
        "local broker = require('broker') return { ['intercept_publish'] = function(topic) return broker.drop(topic) end }",
    ] {
        let answer = answer(source);
        assert_eq!(
            refusal(&answer).reason_string.as_deref(),
            Some("devices/ann/t"),
            "{source}"
        );
    }
}

#[test]
fn many_parameters_arrive_in_order() {
    let script = load(
        "return { intercept_publish = function(topic, payload, payload_size, qos, retain, dup, client_id, source, username)
            assert(topic == 'devices/ann/t' and payload_size == 2 and qos == 1 and client_id == 'c1' and username == nil)
        end }",
    );
    assert_eq!(call(&script, &publish()), Ok(Answer::PASS));
}

#[test]
fn msg_shows_everything_and_only_during_its_call() {
    let script = load(
        "local kept
        local M = {}
        function M.intercept_publish(msg)
            assert(msg.topic == 'devices/ann/t' and msg.username == nil)
            kept = msg
        end
        function M.intercept_enqueue(topic)
            return kept.topic
        end
        return M",
    );
    assert_eq!(call(&script, &publish()), Ok(Answer::PASS));
    let error = call(&script, &event(Hook::InterceptEnqueue)).unwrap_err();
    assert!(
        error.message.contains("valid only during its call"),
        "{error}"
    );
}

#[test]
fn the_source_shows_which_fields_msg_is_asked_for() {
    let script = load(
        "return { intercept_publish = function(msg) return broker.drop(msg.topic .. tostring(msg.username)) end }",
    );
    let fields = script.plugin.listens()[0].fields;
    assert!(fields.has(Field::Topic) && fields.has(Field::Username) && !fields.has(Field::Payload));
    assert_eq!(
        refusal(&call(&script, &publish()).unwrap())
            .reason_string
            .as_deref(),
        Some("devices/ann/tnil")
    );
}

#[test]
fn msg_handed_on_may_be_asked_for_anything() {
    let script = load(
        "local function look(m, name) return m[name] end
        return { intercept_publish = function(msg, client)
            assert(look(msg, 'payload') == 'on' and client.client_id == 'c1')
        end }",
    );
    assert_eq!(call(&script, &publish()), Ok(Answer::PASS));
    assert!(script.plugin.listens()[0].fields.has(Field::Payload));
}

#[test]
fn an_unknown_field_of_msg_is_named() {
    let (cause, message) =
        failure("return { intercept_publish = function(msg) return msg.tpoic end }");
    assert_eq!(cause, Cause::Raised);
    assert!(
        message.contains("test.lua:1") && message.contains("did you mean \"topic\""),
        "{message}"
    );
    let (_, message) = failure("return { intercept_publish = function(msg) msg.topic = 'x' end }");
    assert!(message.contains("broker.pass { topic = ... }"), "{message}");
}

#[test]
fn user_properties_read_both_ways_and_go_back() {
    let answer = answer(
        "return { intercept_publish = function(user_properties)
            assert(user_properties.a == '1' and user_properties[3][2] == '3' and #user_properties == 3)
            user_properties.b = 'two'
            user_properties.c = 'new'
            return broker.pass { user_properties = user_properties }
        end }",
    );
    let pairs = |list: &[(&str, &str)]| {
        Owned::Pairs(
            list.iter()
                .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
                .collect(),
        )
    };
    assert_eq!(
        answer.changes,
        [(
            Field::UserProperties,
            pairs(&[("a", "1"), ("a", "3"), ("b", "two"), ("c", "new")])
        )]
    );
}

#[test]
fn payload_buffer_is_reused_and_clean() {
    let script = load(
        "return { intercept_publish = function(payload_buffer, payload_size)
            assert(buffer.len(payload_buffer) == 64)
            assert(buffer.readstring(payload_buffer, payload_size, 64 - payload_size) == ('\\0'):rep(64 - payload_size))
            if payload_size == 2 then return broker.pass { payload = buffer.readstring(payload_buffer, 0, 2) .. '!' } end
        end }",
    );
    let long = publish()
        .with(Field::Payload, &[b'x'; 60][..])
        .with(Field::PayloadSize, 60);
    assert_eq!(call(&script, &long), Ok(Answer::PASS));
    let answer = call(&script, &publish()).unwrap();
    assert_eq!(answer.changes, [(Field::Payload, Owned::from(&b"on!"[..]))]);
}

#[test]
fn each_verdict_says_what_it_says() {
    let verdict = |code: &str| {
        answer(&format!(
            "return {{ intercept_publish = function() return {code} end }}"
        ))
        .verdict
    };
    assert_eq!(verdict("nil"), Verdict::Pass);
    assert_eq!(verdict("broker.pass()"), Verdict::Pass);
    assert_eq!(verdict("broker.accept()"), Verdict::Accept);
    assert_eq!(verdict("broker.consume()"), Verdict::Consume);
    assert_eq!(verdict("broker.drop()").kind(), VerdictKind::Drop);
    let Verdict::Deny(refusal) = verdict(
        "broker.deny('not_authorized', 'no', { user_properties = { k = 'v' }, server_reference = 's' })",
    ) else {
        panic!("not a deny");
    };
    assert_eq!(refusal.reason_code, 0x87);
    assert_eq!(refusal.reason_string.as_deref(), Some("no"));
    assert_eq!(refusal.user_properties, [("k".to_owned(), "v".to_owned())]);
    assert_eq!(refusal.server_reference.as_deref(), Some("s"));
    assert_eq!(refusal.place.as_deref(), Some("test.lua:1"));
    let Verdict::Disconnect(refusal) = verdict("broker.disconnect(0x97)") else {
        panic!("not a disconnect");
    };
    assert_eq!(refusal.reason_code, 0x97);
}

#[test]
fn what_is_acknowledged_without_going_on_can_change_the_acknowledgement() {
    let answer = |code: &str| {
        answer(&format!(
            "return {{ intercept_publish = function() return {code} end }}"
        ))
    };
    let expected = [(Field::ReasonCode, Owned::Integer(0x10))];
    let dropped = answer("broker.drop('why', { reason_code = 0x10 })");
    assert_eq!(dropped.verdict.kind(), VerdictKind::Drop);
    assert_eq!(dropped.changes, expected);
    let consumed = answer("broker.consume { reason_code = 0x10 }");
    assert_eq!(consumed.verdict, Verdict::Consume);
    assert_eq!(consumed.changes, expected);
}

#[test]
fn no_client_talks_a_script_out_of_its_refusal() {
    let script = load(
        "return { authorize_publish = function(username)
            return broker.deny('not_authorized', username .. ' may not: \\xFF\\0', { ttl = 60, tags = { 'user:' .. username } })
        end }",
    );
    let event =
        EventRecord::new(Hook::AuthorizePublish).with(Field::Username, "u".repeat(65_535).as_str());
    let answer = call(&script, &event).unwrap();
    let Verdict::Deny(refusal) = &answer.verdict else {
        panic!("{answer:?}");
    };
    let reason = refusal.reason_string.as_deref().unwrap();
    assert_eq!(reason.len(), 65_535, "no more than a packet could carry");
    let script = load(
        "return { authorize_publish = function() return broker.deny(0x87, 'no: \\xFF', { server_reference = string.rep('s', 65536) }) end }",
    );
    let answer = call(&script, &EventRecord::new(Hook::AuthorizePublish)).unwrap();
    let expected = Refusal {
        place: Some("test.lua:1".into()),
        ..Refusal::new(0x87, "no: \u{FFFD}")
    };
    assert_eq!(answer.verdict, Verdict::Deny(Box::new(expected)));
}

#[test]
fn a_refusal_stands_whatever_text_comes_with_it() {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    for made in ["deny", "disconnect"] {
        let answer = answer(&format!(
            "return {{ intercept_publish = function()
                return broker.{made}(0x87, 'no', {{
                    server_reference = 'a\\xFF',
                    user_properties = {{ {{ 'l\\xFF', 'm\\xFF' }}, {{ 'absent', nil }}, {{ 'long', string.rep('x', 65536) }},
                        ['n\\xFF'] = 'o\\xFF', longer = string.rep('x', 65536) }},
                }})
            end }}"
        ));
        let refusal = refusal(&answer);
        assert_eq!(refusal.server_reference, None);
        assert_eq!(
            refusal.user_properties,
            [
                pair("l\u{FFFD}", "m\u{FFFD}"),
                pair("n\u{FFFD}", "o\u{FFFD}")
            ]
        );
    }
    for pairs in [
        "table.insert(pairs, { 'k', tostring(i) })",
        "pairs['k' .. i] = 'v'",
    ] {
        let answer = answer(&format!(
            "return {{ intercept_publish = function()
                local pairs = {{}}
                for i = 1, 10001 do {pairs} end
                return broker.deny(0x87, 'no', {{ user_properties = pairs }})
            end }}"
        ));
        assert_eq!(refusal(&answer).user_properties.len(), 10_000);
    }
    for tags in ["'\\xFF'", "{ 'user:ann', 'user:\\xFF' }"] {
        let script = load(&format!(
            "return {{ authorize_publish = function() return broker.deny(0x87, 'no', {{ ttl = 60, tags = {tags} }}) end }}"
        ));
        let answer = call(&script, &EventRecord::new(Hook::AuthorizePublish)).unwrap();
        assert_eq!(answer.verdict.kind(), VerdictKind::Deny);
        assert_eq!(answer.keep, None, "nobody could take it back");
    }
    for (made, kind) in [
        ("drop('\\xFF', ", VerdictKind::Drop),
        ("consume(", VerdictKind::Consume),
    ] {
        let answer = answer(&format!(
            "return {{ intercept_publish = function()
                return broker.{made}{{ reason_string = 'a\\xFF', response_user_properties = {{ k = '\\xFF' }} }})
            end }}"
        ));
        assert_eq!(answer.verdict.kind(), kind);
        assert!(
            answer
                .changes
                .contains(&(Field::ReasonString, "a\u{FFFD}".into()))
        );
        let pairs = Owned::Pairs(vec![pair("k", "\u{FFFD}")]);
        assert!(
            answer
                .changes
                .contains(&(Field::ResponseUserProperties, pairs))
        );
    }
}

#[test]
fn what_lets_a_message_go_on_must_be_text() {
    for made in ["pass", "accept"] {
        for (change, words) in [
            (
                "reason_string = '\\xFF'",
                "reason_string: the text is not UTF-8",
            ),
            (
                "user_properties = { k = '\\xFF' }",
                "user_properties must be",
            ),
        ] {
            let script = load(&format!(
                "return {{ intercept_publish = function() return broker.{made} {{ {change} }} end }}"
            ));
            let error = call(&script, &publish()).unwrap_err();
            assert!(error.message.contains(words), "{}", error.message);
        }
    }
}

#[test]
fn a_verdict_can_be_made_once_and_returned_often() {
    let script = load(
        "local NO = broker.deny(0x87, 'never')
        return { intercept_publish = function() return NO end }",
    );
    for _ in 0..2 {
        assert_eq!(
            call(&script, &publish()).unwrap().verdict.kind(),
            VerdictKind::Deny
        );
    }
}

#[test]
fn changes_are_checked_where_they_are_made() {
    for (code, expected) in [
        (
            "broker.pass { tpoic = 'x' }",
            "no field \"tpoic\"; did you mean \"topic\"",
        ),
        (
            "broker.pass { client_id = 'x' }",
            "intercept_publish cannot change client_id",
        ),
        ("broker.pass { qos = 3 }", "qos: 3 is not within 0 to 2"),
        (
            "broker.pass { qos = 1.5 }",
            "qos must be a whole number, got the number 1.5",
        ),
        (
            "broker.pass { topic = 'a/+' }",
            "topic: a topic cannot contain + or #",
        ),
        (
            "broker.pass { topic = broker.none }",
            "topic must be a string, got broker.none",
        ),
        (
            "broker.pass { retain = 'yes' }",
            "retain must be a boolean, got the string \"yes\"",
        ),
        ("broker.pass('x')", "broker.pass takes a table of changes"),
        (
            "broker.deny('not_autorized')",
            "did you mean \"not_authorized\"",
        ),
        (
            "broker.deny(300)",
            "reason_code must be a number from 0 to 255",
        ),
        (
            "broker.deny(0x87, 5)",
            "broker.deny: reason_string must be a string, got the number 5",
        ),
        (
            "broker.deny(0x87, 'x', { user_propertys = {} })",
            "did you mean \"user_properties\"",
        ),
    ] {
        let (cause, message) = failure(&format!(
            "\nreturn {{ intercept_publish = function()\nreturn {code} end }}"
        ));
        assert_eq!(cause, Cause::Raised, "{code}: {message}");
        assert!(message.contains(expected), "{code}: {message}");
        assert!(message.starts_with("test.lua:3:"), "{code}: {message}");
    }
}

#[test]
fn changes_travel_with_pass_and_accept() {
    let answer = answer(
        "return { intercept_publish = function(topic)
            return broker.accept { topic = 'x/' .. topic, qos = 0, content_type = broker.none, message_expiry_interval = 60,
                payload = buffer.fromstring('b') }
        end }",
    );
    assert_eq!(answer.verdict, Verdict::Accept);
    let mut changes = answer.changes;
    changes.sort_by_key(|change| change.0);
    assert_eq!(
        changes,
        [
            (Field::Topic, Owned::from("x/devices/ann/t")),
            (Field::Payload, Owned::from(&b"b"[..])),
            (Field::Qos, Owned::Integer(0)),
            (Field::MessageExpiryInterval, Owned::Integer(60)),
            (Field::ContentType, Owned::Nil),
        ]
    );
}

#[test]
fn records_are_lists_of_tables() {
    let script = load(
        "return { load_retained = function(n_messages)
            return broker.pass { messages = { { topic = 'a', payload = 'b', retain = true }, { topic = 'c' } } }
        end }",
    );
    let answer = call(&script, &event(Hook::LoadRetained)).unwrap();
    let Some((Field::Messages, Owned::Records(records))) = answer.changes.first() else {
        panic!("{answer:?}");
    };
    assert_eq!(records.len(), 2);
    assert!(records[0].contains(&(Field::Topic, Owned::from("a"))));
}

#[test]
fn anything_but_a_verdict_is_an_error() {
    for (code, expected) in [
        ("true", "returned the boolean true"),
        ("'deny'", "returned the string \"deny\""),
        ("{ topic = 'x' }", "returned a table"),
        ("1", "returned the number 1"),
    ] {
        let (cause, message) = failure(&format!(
            "\nreturn {{ intercept_publish = function() return {code} end }}"
        ));
        assert_eq!(cause, Cause::Answer);
        assert!(message.contains(expected), "{message}");
        assert!(
            message.starts_with("test.lua:2: intercept_publish"),
            "{message}"
        );
    }
}

#[test]
fn a_hook_answers_only_what_it_can() {
    let script = load(
        "local M = {}
        function M.client_connected() return broker.deny() end
        function M.intercept_delivery() return broker.consume() end
        return M",
    );
    let error = call(&script, &event(Hook::ClientConnected)).unwrap_err();
    assert_eq!(error.cause, Cause::Answer);
    assert!(error.message.contains("has happened already"), "{error}");
    let error = call(&script, &event(Hook::InterceptDelivery)).unwrap_err();
    assert!(
        error.message.contains("it can answer pass, drop"),
        "{error}"
    );
}

#[test]
fn errors_name_file_and_line() {
    let (cause, message) = failure(
        "local M = {}\nfunction M.intercept_publish(username)\n  return username .. 'x'\nend\nreturn M",
    );
    assert_eq!(cause, Cause::Raised);
    assert!(
        message.starts_with("test.lua:3: attempt to concatenate nil"),
        "{message}"
    );
    assert!(!message.contains("traceback"), "{message}");
}

#[test]
fn whatever_is_raised_is_reported() {
    for (code, words) in [
        ("error({ code = 5 })", "test.lua:1: "),
        ("error()", "test.lua:1: "),
        ("error(nil)", "test.lua:1: "),
        ("error('plain', 0)", "test.lua:1: plain"),
        ("error(broker.deny())", "test.lua:1: "),
        (
            "local t = nil; t.x = 1",
            "test.lua:1: attempt to index nil with 'x'",
        ),
    ] {
        let (cause, message) = failure(&format!(
            "return {{ intercept_publish = function() {code} end }}"
        ));
        assert_eq!(cause, Cause::Raised);
        assert!(message.contains(words), "{code}: {message}");
        assert!(!message.contains("panic"), "{code}: {message}");
    }
}

#[test]
fn a_thread_forgets_the_vms_of_plugins_that_are_gone() {
    let first = load("return { intercept_publish = function() end }");
    call(&first, &publish()).unwrap();
    let host = first.host.clone();
    drop(first);
    assert!(
        std::sync::Arc::strong_count(&host) > 1,
        "its VM is still there"
    );
    let second = load("return { intercept_publish = function() end }");
    call(&second, &publish()).unwrap();
    assert_eq!(std::sync::Arc::strong_count(&host), 1);
}

#[test]
fn errors_of_host_functions_are_strings_that_pcall_gives() {
    let answer = answer(
        "return { intercept_publish = function()
            local ok, why = pcall(function() return broker.json.decode('{') end)
            return broker.drop(type(why) .. ' ' .. why)
        end }",
    );
    let reason = refusal(&answer).reason_string.clone().unwrap();
    assert!(
        reason.starts_with("string test.lua:2: broker.json.decode"),
        "{reason}"
    );
}

#[test]
fn globals_are_read_only_after_load() {
    let (_, message) =
        failure("count = 0 return { intercept_publish = function() count = count + 1 end }");
    assert!(message.contains("broker.kv"), "{message}");
    let (_, message) = failure("return { intercept_publish = function() string.rep = nil end }");
    assert!(message.contains("readonly"), "{message}");
}

#[test]
fn state_of_a_vm_lives_in_locals() {
    let script = load(
        "local n = 0
        return { intercept_publish = function() n += 1 return broker.drop(tostring(n)) end }",
    );
    for expected in ["1", "2"] {
        let answer = call(&script, &publish()).unwrap();
        assert_eq!(refusal(&answer).reason_string.as_deref(), Some(expected));
    }
}

#[test]
fn what_is_dangerous_is_gone() {
    let source = "local M = {}
        for _, name in { 'io', 'loadstring', 'load', 'dofile', 'loadfile', 'getfenv', 'setfenv', 'newproxy', 'package', 'gcinfo' } do
            assert(_G[name] == nil, name)
        end
        assert(os.execute == nil and os.getenv == nil and os.exit == nil and os.remove == nil)
        assert(debug.getregistry == nil and debug.sethook == nil and debug.info ~= nil)
        assert(not pcall(collectgarbage, 'stop') and collectgarbage('count') > 0)
        assert(os.time() > 0 and os.clock() >= 0 and #os.date() > 0)
        assert(not pcall(function() string.x = 1 end) and not pcall(function() broker.kv.get = 1 end))
        assert(not pcall(function() getmetatable('').__index = nil end))
        function M.intercept_publish() end
        return M";
    load(source);
}

#[test]
fn a_hook_that_the_script_lacks_passes() {
    let script = load("return { client_connected = function() end }");
    assert_eq!(call(&script, &publish()), Ok(Answer::PASS));
    assert_eq!(publish().hook(), Hook::InterceptPublish);
    let _ = load_error("return 1");
}

#[test]
fn threads_have_vms_of_their_own() {
    let script = load(
        "local n = 0
        return { intercept_publish = function() n += 1 return broker.drop(tostring(n)) end }",
    );
    let count = || {
        refusal(&call(&script, &publish()).unwrap())
            .reason_string
            .clone()
            .unwrap()
    };
    assert_eq!(&*count(), "1");
    let other = std::thread::scope(|scope| scope.spawn(count).join().unwrap());
    assert_eq!(&*other, "1");
    assert_eq!(&*count(), "2");
}

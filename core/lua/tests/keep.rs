//! Verdicts that the broker may keep: what a script says, what the broker gets, and what is refused.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::time::Duration;

use common::{call, event, load, refusal, settings, try_load};
use hookmq_lua::testing::FakeHost;
use hookmq_plugin_api::{
    Answer, Cause, Field, FieldSet, Grants, Hook, Keep, Owned, Plugin, Verdict, VerdictKind,
};

fn answer_at(hook: Hook, code: &str) -> Answer {
    let script = load(&format!(
        "return {{ {} = function() return {code} end }}",
        hook.name()
    ));
    call(&script, &event(hook)).unwrap_or_else(|error| panic!("{code}: {error}"))
}

fn answer(code: &str) -> Answer {
    answer_at(Hook::AuthorizePublish, code)
}

fn keep(milliseconds: u64, tags: &[&str]) -> Option<Box<Keep>> {
    Some(Box::new(Keep {
        ttl: Duration::from_millis(milliseconds),
        tags: tags.iter().map(|tag| (*tag).into()).collect(),
    }))
}

#[test]
fn accept_takes_ttl_and_tags_beside_changes() {
    for hook in [Hook::AuthorizePublish, Hook::AuthorizeSubscribe] {
        let answer = answer_at(
            hook,
            "broker.accept { ttl = 60, tags = { 'user:ann', 'all' }, qos = 0 }",
        );
        assert_eq!(answer.verdict, Verdict::Accept);
        assert_eq!(answer.changes, [(Field::Qos, Owned::Integer(0))]);
        assert_eq!(answer.keep, keep(60_000, &["user:ann", "all"]));
    }
    for (code, expected) in [
        ("broker.accept()", None),
        ("broker.accept {}", None),
        ("broker.accept { ttl = 0.25 }", keep(250, &[])),
        (
            "broker.accept { tags = 'one', ttl = 1 }",
            keep(1_000, &["one"]),
        ),
        ("broker.accept { tags = { 'one' } }", keep(0, &["one"])),
        ("broker.accept { ttl = 0 }", keep(0, &[])),
        ("broker.accept { ttl = 5, tags = {} }", keep(5_000, &[])),
    ] {
        assert_eq!(answer(code).keep, expected, "{code}");
    }
}

#[test]
fn deny_takes_them_in_its_options() {
    let kept = answer(
        "broker.deny('quota_exceeded', 'enough', { ttl = 5, tags = 'user:ann', server_reference = 's' })",
    );
    assert_eq!(kept.keep, keep(5_000, &["user:ann"]));
    let why = refusal(&kept);
    assert_eq!(
        (why.reason_code, why.reason_string.as_deref()),
        (0x97, Some("enough"))
    );
    assert_eq!(why.server_reference.as_deref(), Some("s"));
    let plain = answer("broker.deny('quota_exceeded', 'enough', { server_reference = 's' })");
    assert_eq!(plain.keep, None);
}

#[test]
fn a_verdict_made_at_load_is_kept_where_it_may_be() {
    let script = load(
        "local YES = broker.accept { ttl = 60 }
        local M = {}
        function M.authorize_publish() return YES end
        function M.validate_connection() return YES end
        return M",
    );
    for _ in 0..2 {
        let answer = call(&script, &event(Hook::AuthorizePublish)).unwrap();
        assert_eq!(answer.keep, keep(60_000, &[]));
    }
    let error = call(&script, &event(Hook::ValidateConnection)).unwrap_err();
    assert_eq!(error.cause, Cause::Answer);
    assert_eq!(
        &*error.message,
        "test.lua:4: a verdict of validate_connection cannot be kept; ttl and tags go with accept and deny of authorize_subscribe and authorize_publish"
    );
}

#[test]
fn the_fields_of_the_key_are_the_parameters_and_what_msg_and_client_are_asked_for() {
    let script = load(
        "local M = {}
        function M.authorize_publish(topic, client_id, config) return broker.accept { ttl = 1 } end
        function M.authorize_subscribe(msg, client)
            if msg.topic_filter == client.username then return broker.accept { ttl = 1 } end
        end
        return M",
    );
    let fields = |hook| {
        let mut listens = script.plugin.listens().iter();
        listens.find(|listen| listen.hook == hook).unwrap().fields
    };
    assert_eq!(
        fields(Hook::AuthorizePublish),
        FieldSet::of(&[Field::Topic, Field::ClientId])
    );
    assert_eq!(
        fields(Hook::AuthorizeSubscribe),
        FieldSet::of(&[Field::TopicFilter, Field::Username])
    );
}

#[test]
fn what_is_wrong_is_an_error_that_says_so() {
    for (code, words) in [
        (
            "broker.pass { ttl = 60 }",
            "broker.pass: no opinion cannot be kept; ttl and tags go with broker.accept and broker.deny",
        ),
        (
            "broker.disconnect(0x87, 'x', { ttl = 60 })",
            "broker.disconnect: disconnect cannot be kept; ttl and tags go with broker.accept and broker.deny",
        ),
        (
            "broker.accept { ttl = -1 }",
            "broker.accept: ttl must be a number of seconds, not negative, got the number -1",
        ),
        (
            "broker.accept { ttl = 60, tags = { 'a', '\\xFF' } }",
            "broker.accept: tags: the text is not UTF-8",
        ),
        (
            "broker.accept { ttl = '60' }",
            "broker.accept: ttl must be a number of seconds",
        ),
        (
            "broker.deny(0x87, 'x', { ttl = 0 / 0 })",
            "broker.deny: ttl must be a number of seconds",
        ),
        (
            "broker.accept { tags = 5 }",
            "broker.accept: tags: a tag or a list of tags, as in { \"user:ann\" }, got the number 5",
        ),
        (
            "broker.accept { tags = { 5 } }",
            "broker.accept: tags must be a string, got the number 5",
        ),
        (
            "broker.accept { tags = { '' } }",
            "broker.accept: tags: a tag is empty",
        ),
        (
            "broker.accept { tags = string.rep('x', 257) }",
            "broker.accept: tags: a tag has 257 bytes, at most 256 fit",
        ),
        (
            "broker.accept { tags = table.create(17, 'x') }",
            "broker.accept: tags: 17 tags, at most 16 fit",
        ),
        ("broker.accept { tll = 60 }", "there is no field \"tll\""),
    ] {
        let script = load(&format!(
            "return {{ authorize_publish = function()\nreturn {code} end }}"
        ));
        let error = call(&script, &event(Hook::AuthorizePublish)).unwrap_err();
        assert!(error.message.contains(words), "{code}: {error}");
        assert!(error.message.starts_with("test.lua:2:"), "{code}: {error}");
    }
    let script =
        load("return { intercept_publish = function()\nreturn broker.accept { ttl = 60 } end }");
    let error = call(&script, &event(Hook::InterceptPublish)).unwrap_err();
    let words = "broker.accept: a verdict of intercept_publish cannot be kept";
    assert!(error.message.contains(words), "{error}");
}

#[test]
fn tags_count_against_the_memory_of_the_script() {
    let script = load(
        "local kept = {}
        return { authorize_publish = function()
            for n = 1, 1000000 do
                kept[n] = broker.accept { tags = table.create(16, string.rep('x', 250)) }
            end
        end }",
    );
    let error = call(&script, &event(Hook::AuthorizePublish)).unwrap_err();
    assert_eq!(error.cause, Cause::Memory, "{error}");
}

#[test]
fn tags_are_taken_back_through_the_host() {
    let script = load(
        "return { client_disconnected = function(client_id)
            local n = broker.cache.invalidate('user:' .. client_id)
            assert(n == 0 and broker.reauthorize('all') == 0)
        end }",
    );
    let left = event(Hook::ClientDisconnected).with(Field::ClientId, "ann");
    assert_eq!(
        call(&script, &left).unwrap().verdict.kind(),
        VerdictKind::Pass
    );
    assert_eq!(script.host.take_invalidated(), ["user:ann"]);
    assert_eq!(script.host.take_reauthorized(), ["all"]);
    for (code, words) in [
        (
            "broker.cache.invalidate()",
            "broker.cache.invalidate: tag must be a string, got nil",
        ),
        ("broker.reauthorize('')", "tag: a tag is empty"),
    ] {
        let script = load(&format!(
            "return {{ broker_started = function()\n{code} end }}"
        ));
        let error = call(&script, &event(Hook::BrokerStarted)).unwrap_err();
        assert!(error.message.contains(words), "{code}: {error}");
    }
}

#[test]
fn taking_back_must_be_granted() {
    for code in ["broker.cache.invalidate('x')", "broker.reauthorize('x')"] {
        let source = format!("return {{ broker_started = function() {code} end }}");
        let host = FakeHost::with_grants(Grants::NONE);
        let script = try_load(&[("test.lua", &source)], settings(), host)
            .unwrap_or_else(|error| panic!("{error}"));
        let error = call(&script, &event(Hook::BrokerStarted)).unwrap_err();
        assert_eq!(error.cause, Cause::Grant, "{error}");
        assert!(error.message.contains("grants = [\"cache\"]"), "{error}");
    }
}

//! Handlers that wait: many at once, each bounded, none in another's way.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{Script, event, load, load_with, refusal, settings};
use hookmq_plugin_api::{
    Answer, Cause, EventRecord, Field, Hook, Plugin, PluginError, VerdictKind,
};

const SLICE: Duration = Duration::from_millis(50);

fn connect(client_id: &str) -> Arc<EventRecord> {
    Arc::new(event(Hook::ValidateConnection).with(Field::ClientId, client_id))
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap()
}

fn call(script: &Script, client_id: &str) -> Result<Answer, PluginError> {
    runtime().block_on(
        script
            .plugin
            .clone()
            .call_awaiting(connect(client_id), SLICE),
    )
}

#[test]
fn a_thousand_wait_at_once_in_one_vm() {
    let script = load(
        "local n = 0
        return { validate_connection = function(client_id, msg)
            n += 1
            broker.sleep(0.2)
            assert(msg.client_id == client_id)
            return broker.deny('not_authorized', client_id .. '/' .. n)
        end }",
    );
    let started = Instant::now();
    let answers = runtime().block_on(async {
        let calls: Vec<_> = (0..1_000)
            .map(|at| {
                script
                    .plugin
                    .clone()
                    .call_awaiting(connect(&format!("c{at}")), Duration::from_secs(1))
            })
            .collect();
        let mut answers = Vec::new();
        for call in calls {
            answers.push(call.await.unwrap());
        }
        answers
    });
    assert!(
        started.elapsed() < Duration::from_secs(20),
        "{:?}",
        started.elapsed()
    );
    for (at, answer) in answers.iter().enumerate() {
        let reason = refusal(answer).reason_string.as_deref().unwrap();
        assert!(reason.starts_with(&format!("c{at}/")), "{reason}");
    }
    // All had begun before the first one went on.
    assert_eq!(
        refusal(&answers[0]).reason_string.as_deref(),
        Some("c0/1000")
    );
}

#[test]
fn passwords_are_verified() {
    let script = load(
        "return { validate_connection = function(client_id)
            if client_id == 'none' then return broker.deny(0, tostring(broker.password.verify(nil, 'x'))) end
            if client_id == 'bad' then return broker.password.verify('x', 'plain') end
            if broker.password.verify(client_id, '$2b$04$EGdrhbKUv8Oc9vGiXX0HQOxSg445d458Muh7DAHskb6QbtCvdxcie') then return broker.accept() end
            return broker.deny('bad_user_name_or_password')
        end }",
    );
    assert_eq!(
        call(&script, "correctbatteryhorsestapler")
            .unwrap()
            .verdict
            .kind(),
        VerdictKind::Accept
    );
    assert_eq!(refusal(&call(&script, "wrong").unwrap()).reason_code, 0x86);
    assert_eq!(
        refusal(&call(&script, "none").unwrap())
            .reason_string
            .as_deref(),
        Some("false")
    );
    let error = call(&script, "bad").unwrap_err();
    assert!(
        error
            .message
            .starts_with("test.lua:3: broker.password.verify: hash: unknown kind"),
        "{error}"
    );
}

#[test]
fn a_spinning_handler_is_cut_and_the_waiting_ones_go_on() {
    let script = load(
        "local n = 0
        return { validate_connection = function(client_id)
            n += 1
            if client_id == 'spin' then while true do pcall(function() while true do end end) end end
            broker.sleep(0.3)
            return broker.deny(0, client_id .. n)
        end }",
    );
    runtime().block_on(async {
        let waiting = script.plugin.clone().call_awaiting(connect("w"), SLICE);
        let spinning = script.plugin.clone().call_awaiting(connect("spin"), SLICE);
        let error = spinning.await.unwrap_err();
        assert_eq!(error.cause, Cause::Timeout);
        assert!(error.message.contains("test.lua:4"), "{error}");
        // The old VM still answers what waits in it; new calls get a fresh one.
        let fresh = script.plugin.clone().call_awaiting(connect("f"), SLICE);
        assert_eq!(
            refusal(&waiting.await.unwrap()).reason_string.as_deref(),
            Some("w2")
        );
        assert_eq!(
            refusal(&fresh.await.unwrap()).reason_string.as_deref(),
            Some("f1")
        );
    });
}

#[test]
fn spinning_after_a_wait_is_cut_too() {
    let script =
        load("return { validate_connection = function() broker.sleep(0) while true do end end }");
    assert_eq!(call(&script, "x").unwrap_err().cause, Cause::Timeout);
}

#[test]
fn waiting_has_a_limit_of_its_own() {
    let mut settings = settings();
    settings.awaiting_timeout = Duration::from_millis(100);
    let script = load_with(
        "return { validate_connection = function() broker.sleep(3600) end }",
        settings,
    );
    let error = call(&script, "x").unwrap_err();
    assert_eq!(error.cause, Cause::Timeout);
    assert!(error.message.contains("waiting included"), "{error}");
}

#[test]
fn a_full_lane_refuses_at_once() {
    let mut settings = settings();
    settings.max_awaiting = 2;
    let script = load_with(
        "return { validate_connection = function() broker.sleep(0.3) end }",
        settings,
    );
    runtime().block_on(async {
        let first = script.plugin.clone().call_awaiting(connect("1"), SLICE);
        let second = script.plugin.clone().call_awaiting(connect("2"), SLICE);
        let third = script.plugin.clone().call_awaiting(connect("3"), SLICE);
        assert_eq!(third.await.unwrap_err().cause, Cause::Unavailable);
        assert_eq!(first.await, Ok(Answer::PASS));
        assert_eq!(second.await, Ok(Answer::PASS));
        let again = script.plugin.clone().call_awaiting(connect("4"), SLICE);
        assert_eq!(again.await, Ok(Answer::PASS));
    });
}

#[test]
fn a_handler_that_need_not_wait_answers_too() {
    let script = load(
        "return { validate_connection = function(client_id, config) return broker.deny(0, client_id) end }",
    );
    assert_eq!(
        refusal(&call(&script, "x").unwrap())
            .reason_string
            .as_deref(),
        Some("x")
    );
    assert!(script.plugin.listens()[0].awaits);
    let error = load("return { validate_connection = function() return true end }");
    assert_eq!(call(&error, "x").unwrap_err().cause, Cause::Answer);
    let error = load("return { validate_connection = function() error('x') end }");
    assert_eq!(
        call(&error, "x").unwrap_err().message.as_ref(),
        "test.lua:1: x"
    );
}

#[test]
fn waiting_works_under_pcall_and_in_helpers() {
    let script = load(
        "local function nap() broker.sleep(0.01) return 'ok' end
        return { validate_connection = function()
            local ok, result = pcall(nap)
            return broker.deny(0, tostring(ok) .. result)
        end }",
    );
    assert_eq!(
        refusal(&call(&script, "x").unwrap())
            .reason_string
            .as_deref(),
        Some("trueok")
    );
}

#[test]
fn waiting_in_a_coroutine_of_the_scripts_own_is_refused() {
    let script = load(
        "return { validate_connection = function()
            coroutine.wrap(function() broker.sleep(0.01) end)()
        end }",
    );
    let error = call(&script, "x").unwrap_err();
    assert!(
        error
            .message
            .contains("test.lua:2: broker.sleep: cannot wait inside a coroutine"),
        "{error}"
    );
}

#[test]
fn a_dropped_call_does_not_keep_its_place() {
    let mut settings = settings();
    settings.max_awaiting = 1;
    let script = load_with(
        "return { validate_connection = function(client_id) if client_id == 'long' then broker.sleep(3600) end end }",
        settings,
    );
    let runtime = runtime();
    let call = script.plugin.clone().call_awaiting(connect("long"), SLICE);
    runtime.block_on(async {
        assert!(
            tokio::time::timeout(Duration::from_millis(50), call)
                .await
                .is_err()
        );
    });
    let deadline = Instant::now() + Duration::from_secs(4);
    while runtime
        .block_on(script.plugin.clone().call_awaiting(connect("x"), SLICE))
        .is_err()
    {
        assert!(Instant::now() < deadline, "the place was never given back");
    }
}

/// Takes all memory, in pieces of every size, and then ends or waits at the bottom of many calls: what the coroutine has grown to has to be
/// given back with nothing left to do it in.
fn is_given_back(depth: usize, end: &str, cause: Cause) {
    let code = format!(
        "local keep = {{}}
        local function fill()
            for _, n in {{ 40, 45, 50, 36, 60, 64, 20, 10, 4, 1 }} do
                local last = nil
                while pcall(function() local t = table.create(n, 0); t[1] = last; last = t end) do end
                keep[n] = last
            end
        end
        local function deep(n, at_the_bottom)
            if n == 0 then at_the_bottom() return 0 end
            return 1 + deep(n - 1, at_the_bottom)
        end
        return {{ validate_connection = function(client_id)
            for n in keep do keep[n] = 0 end
            broker.sleep(0.001)
            deep({depth}, function() fill() {end} end)
        end }}"
    );
    let mut settings = settings();
    settings.memory_limit = 1 << 20;
    settings.awaiting_timeout = Duration::from_millis(300);
    let script = load_with(&code, settings);
    for _ in 0..3 {
        let error = call(&script, "a").unwrap_err();
        assert!(
            error.cause == Cause::Memory || error.cause == cause,
            "{error}"
        );
    }
}

#[test]
fn a_coroutine_that_fails_without_memory_is_given_back() {
    is_given_back(500, "error('x')", Cause::Raised);
}

#[test]
fn a_coroutine_that_waits_without_memory_is_given_back() {
    is_given_back(100, "keep[40] = nil broker.sleep(100)", Cause::Timeout);
}

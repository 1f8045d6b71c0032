//! Tests of scripts that are scripts.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::fs;
use std::time::Duration;

use hookmq_lua::testing::{TestOptions, TestReport, run_tests, test_files};

const SCRIPT: &str = r#"
local M = { config = { prefix = "devices/" }, version = "1.0", priority = 7 }
local n = 0
function M.authorize_publish(topic, username, payload_size, config)
    n += 1
    if n > 1 then error("a test leans on another") end
    if topic:sub(1, #config.prefix) ~= config.prefix then
        return broker.deny("not_authorized", "not below " .. config.prefix, { user_properties = { who = username or "nobody" } })
    end
    broker.log.warn("seen", { size = payload_size })
end
function M.intercept_publish(topic)
    if topic == "spin" then while true do end end
    broker.kv.set("last", topic, { expires_in = 10 })
    broker.publish { topic = "copy/" .. topic, payload = "x" }
    return broker.pass { topic = "new", content_type = broker.none }
end
function M.validate_connection(client_id)
    broker.sleep(0.001)
    if broker.client(client_id) then broker.disconnect_client(client_id, 0x8E) end
    return broker.accept()
end
function M.authorize_subscribe(client_id)
    return broker.accept { ttl = 1.5, tags = "client:" .. client_id }
end
function M.client_disconnected(client_id)
    broker.cache.invalidate("client:" .. client_id)
    broker.reauthorize("all")
end
return M
"#;

fn run(script: &str, tests: &str) -> TestReport {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("x.lua"), script).unwrap();
    let path = folder.path().join("x_test.lua");
    fs::write(&path, tests).unwrap();
    let expected = std::slice::from_ref(&path);
    assert_eq!(test_files(folder.path()).unwrap(), expected);
    let beside = test_files(&folder.path().join("x.lua"));
    assert_eq!(beside.unwrap(), expected);
    let mut options = TestOptions::new("x");
    options.budget = Duration::from_millis(500);
    run_tests(&path, &options)
}

#[test]
fn everything_that_t_has_works() {
    let report = run(
        SCRIPT,
        r#"
test("a stranger is refused", function(t)
    local v = t.call("authorize_publish", { topic = "x", client = { username = "bob" }, client_id = "c" })
    t.eq(v.kind, "deny")
    t.eq(v.reason_code, 0x87)
    t.eq(v.reason_string, "not below devices/")
    t.eq(v.user_properties.who, "bob")
    t.ok(v.place:find("^x.lua:%d+$"))
    t.eq(v.changes, {})
end)
test("a device passes", function(t)
    t.eq(t.call("authorize_publish", { topic = "devices/1", payload_size = 3 }).kind, "pass")
    t.eq(t.log()[1].message, "seen")
    t.eq(t.log()[1].level, "warn")
    t.eq(t.log()[1].fields, { size = "3" })
end)
test("another config", function(t)
    t.config { prefix = "x/" }
    t.eq(t.call("authorize_publish", { topic = "x/1" }).kind, "pass")
    t.raises(function() t.config { prefx = "x/" } end, "did you mean \"prefix\"")
end)
test("effects", function(t)
    local v = t.call("intercept_publish", { topic = "a" })
    t.eq(v.changes, { topic = "new", content_type = broker.none })
    t.eq(#t.published(), 1)
    t.eq(t.published()[1].topic, "copy/a")
    t.eq(broker.kv.get("last"), "a")
    t.advance(11)
    t.eq(broker.kv.get("last"), nil)
end)
test("waiting and clients", function(t)
    t.add_client { client_id = "old" }
    t.eq(t.call("validate_connection", { client_id = "old" }).kind, "accept")
    t.eq(t.disconnected(), { { client_id = "old", reason_code = 0x8E } })
end)
test("what is kept and taken back", function(t)
    local v = t.call("authorize_subscribe", { client_id = "c" })
    t.eq(v.ttl, 1.5)
    t.eq(v.tags, { "client:c" })
    t.eq(t.invalidated(), {})
    t.call("client_disconnected", { client_id = "c" })
    t.eq(t.invalidated(), { "client:c" })
    t.eq(t.reauthorized(), { "all" })
    t.eq(t.call("authorize_publish", { topic = "devices/1" }).ttl, nil)
end)
test("what it says of itself", function(t)
    t.eq(t.plugin.version, "1.0")
    t.eq(t.plugin.priority, 7)
    t.eq(#t.plugin.hooks, 5)
end)
test("errors", function(t)
    t.raises(function() t.call("intercept_publish", { topic = "spin" }) end, "timeout: x.lua:13")
    t.raises(function() t.call("intercept_publsh") end, "did you mean \"intercept_publish\"")
    t.raises(function() t.call("intercept_publish", { tpoic = 1 }) end, "did you mean \"topic\"")
    t.raises(function() t.call("client_connected") end, "does not answer client_connected")
    t.raises(function() t.raises(function() end) end, "there was none")
    t.raises(function() t.eq({ a = { 1, 2 } }, { a = { 1 } }) end, "got { a = { 1, 2 } }, expected { a = { 1 } }")
    t.raises(function() t.nothing() end, "t has no \"nothing\"")
end)
"#,
    );
    assert!(report.is_ok(), "{report}");
    assert_eq!(report.tests.len(), 8);
}

#[test]
fn a_failure_says_where_and_what() {
    let report = run(
        SCRIPT,
        "test('one', function(t)\n  t.eq(t.call('authorize_publish', { topic = 'x' }).kind, 'pass')\nend)\ntest('two', function() end)",
    );
    assert_eq!(report.failed(), 1);
    assert!(!report.is_ok());
    assert_eq!(
        report.tests[0].failure.as_deref(),
        Some("x_test.lua:2: got \"deny\", expected \"pass\"")
    );
    let shown = report.to_string();
    assert!(
        shown.contains("FAILED  one") && shown.contains("ok      two"),
        "{shown}"
    );
}

#[test]
fn broken_files_are_errors_of_the_report() {
    for (script, tests, words) in [
        (SCRIPT, "", "no tests"),
        (SCRIPT, "local x = = 1", "x_test.lua:1:"),
        (SCRIPT, "while true do end", "ran longer than"),
    ] {
        let report = run(script, tests);
        assert!(!report.is_ok());
        assert!(report.error.as_deref().unwrap().contains(words), "{report}");
    }
    let report = run(
        "return 5",
        "test('x', function(t) t.call('intercept_publish') end)",
    );
    assert!(
        report
            .to_string()
            .contains("x.lua:1: a script returns the table"),
        "{report}"
    );
    let missing = run_tests("nowhere/y_test.lua".as_ref(), &TestOptions::new("y"));
    assert!(missing.error.unwrap().contains("no such file"));
}

//! Nothing that a script does takes the broker's time or memory: every hole is cut, and the next call is answered.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::time::{Duration, Instant};

use common::{Script, event, load_with, settings, try_load};
use hookmq_lua::testing::FakeHost;
use hookmq_plugin_api::{Answer, Cause, Field, Hook, Plugin};

/// What a call may take.
const BUDGET: Duration = Duration::from_millis(20);
/// When the test gives up; far above the budget, so that noise does not matter, and far below what each hole takes uncut.
const MOST: Duration = Duration::from_secs(2);

fn script(code: &str) -> Script {
    let source = format!(
        "local big = string.rep('a', 4000000)
        return {{ intercept_publish = function(topic)
            if topic ~= 'evil' then return end
            {code}
        end }}"
    );
    let mut settings = settings();
    settings.memory_limit = 64 * 1024 * 1024;
    load_with(&source, settings)
}

/// Calls it with the evil topic, and checks that a harmless call is answered afterwards.
fn outcome(code: &str, budget: Duration) -> Result<Answer, hookmq_plugin_api::PluginError> {
    let script = script(code);
    let harmless = event(Hook::InterceptPublish).with(Field::Topic, "good");
    assert_eq!(script.plugin.call(&harmless, MOST), Ok(Answer::PASS));
    let evil = event(Hook::InterceptPublish).with(Field::Topic, "evil");
    let started = Instant::now();
    let outcome = script.plugin.call(&evil, budget);
    assert!(
        started.elapsed() < MOST,
        "{code}: took {:?}",
        started.elapsed()
    );
    assert_eq!(
        script.plugin.call(&harmless, MOST),
        Ok(Answer::PASS),
        "{code}"
    );
    outcome
}

fn is_cut(code: &str) {
    let error = outcome(code, BUDGET).expect_err(code);
    assert_eq!(error.cause, Cause::Timeout, "{code}: {error}");
    assert!(error.message.contains("test.lua:"), "{code}: {error}");
}

/// It may end in any way, but soon.
fn ends(code: &str) {
    let _any = outcome(code, BUDGET);
}

fn is_refused(code: &str, words: &str) {
    let error = outcome(code, MOST).expect_err(code);
    assert!(error.message.contains(words), "{code}: {error}");
}

#[test]
fn loops() {
    is_cut("while true do end");
    is_cut("for i = 1, 1e18 do end");
    is_cut("repeat until false");
    ends("local function f() return f() end f()");
    is_cut("for _ in function() return 1 end do end");
}

#[test]
fn a_loop_under_pcall() {
    is_cut("while true do pcall(function() while true do end end) end");
    is_cut("pcall(function() while true do end end)");
    is_cut(
        "while true do xpcall(function() while true do end end, function() while true do end end) end",
    );
    is_cut("xpcall(error, function() while true do end end)");
    is_cut("local ok = pcall(function() while true do end end) return broker.accept()");
}

#[test]
fn error_objects_that_loop() {
    is_cut("error(setmetatable({}, { __tostring = function() while true do end end }))");
    is_cut("tostring(setmetatable({}, { __tostring = function() while true do end end }))");
    is_cut("print(setmetatable({}, { __tostring = function() while true do end end }))");
}

#[test]
fn coroutines() {
    is_cut("coroutine.wrap(function() while true do end end)()");
    is_cut("while true do coroutine.wrap(function() while true do end end)() end");
    is_cut(
        "local function nest(n) if n > 100 then while true do end end coroutine.wrap(nest)(n + 1) end nest(1)",
    );
    is_cut(
        "local co = coroutine.create(function() while true do pcall(coroutine.yield) end end) while true do coroutine.resume(co) end",
    );
    is_cut(
        "while true do local co = coroutine.create(function() coroutine.yield() end) coroutine.resume(co) coroutine.close(co) end",
    );
    is_cut("for _ in coroutine.wrap(function() while true do coroutine.yield(1) end end) do end");
}

#[test]
fn metamethods() {
    for name in [
        "__index",
        "__newindex",
        "__add",
        "__concat",
        "__len",
        "__iter",
        "__call",
        "__unm",
        "__lt",
        "__eq",
    ] {
        let using = match name {
            "__index" => "return t.x",
            "__newindex" => "t.x = 1",
            "__add" => "return t + 1",
            "__concat" => "return t .. 'x'",
            "__len" => "return #t",
            "__iter" => "for _ in t do end",
            "__call" => "return t()",
            "__unm" => "return -t",
            "__lt" => "return t < setmetatable({}, getmetatable(t))",
            _ => "return t == setmetatable({}, getmetatable(t))",
        };
        is_cut(&format!(
            "local t = setmetatable({{}}, {{ {name} = function() while true do end end }}) {using}"
        ));
    }
}

#[test]
fn deep_recursion() {
    ends("local function f() return 1 + f() end f()");
    ends("local function f() return pcall(f) end f()");
    ends("local t = setmetatable({}, {}) getmetatable(t).__index = t return t.x");
    ends(
        "local t = setmetatable({}, { __index = function(t, k) return t[k .. 'x'] end }) return t.x",
    );
    ends("return string.gsub('x', 'x', function() return string.gsub('x', 'x', error) end)");
}

#[test]
fn patterns_with_backtracking() {
    is_cut(
        "string.find(string.rep('a', 100000), string.rep('a?', 30) .. string.rep('a', 30) .. 'b')",
    );
    is_cut("return (string.rep('a', 100000)):match('.-.-.-.-b')");
    is_cut("return (string.rep('a', 100000)):gsub('(a*)*b.-c', '')");
    is_cut("for _ in (string.rep('a', 100000)):gmatch('.-.-.-b') do end");
    is_cut("return (string.rep('(', 1000000)):find('%b()')");
}

#[test]
fn searches_of_large_texts() {
    is_refused(
        "return string.find(big, string.rep('a', 2000000) .. 'b', 1, true)",
        "is too much",
    );
    is_refused(
        "return string.find(big, string.rep('a', 2000000) .. 'b')",
        "is too much",
    );
    is_refused(
        "return string.find(big, '[' .. string.rep('b', 100000) .. ']*')",
        "is too much",
    );
    is_refused(
        "return string.gsub(big, string.rep('a', 2000000), '')",
        "is too much",
    );
    is_refused(
        "return string.split(big, string.rep('a', 2000000) .. 'b')",
        "is too much",
    );
    is_refused("return big:match(string.rep('[^b]', 20000))", "is too much");
    ends("return string.find(big, 'aaab', 1, true)");
    is_refused("return string.split(big, '')", "is too much");
    ends("return string.gsub(big, 'a', 'bbbb')");
    ends("return string.gsub(big, '', 'b')");
}

#[test]
fn sorts() {
    is_cut(
        "local t = table.create(1000000, 0) for i = 1, 1000000 do t[i] = i * 7919 % 1000003 end while true do table.sort(t) end",
    );
    is_cut(
        "local t = {} for i = 1, 1000 do t[i] = -i end table.sort(t, function(a, b) while true do end end)",
    );
    is_cut(
        "local t = {} for i = 1, 50 do t[i] = -i end table.sort(t, function(a, b) while true do end end)",
    );
    ends("local t = table.create(1000000, 1) table.sort(t, rawequal)");
    ends(
        "local x, y = big .. 'x', big .. 'y' local t = {} for i = 1, 100000 do t[i] = i % 2 == 0 and x or y end table.sort(t)",
    );
    ends("table.sort(table.create(200, 1), function() return true end)");
}

#[test]
fn tables_of_huge_ranges() {
    is_refused("table.move({}, 1, 1e9, 1)", "elements are more than");
    is_refused("table.move({}, -1e9, 1e9, 1)", "elements are more than");
    ends("table.move({1, 2}, 1, 1000000, 2)");
    ends("return table.concat({}, '', 1, 1e9)");
    ends("return table.concat(table.create(1000000, big))");
    ends("return table.unpack({}, 1, 1e8)");
    ends("return #{ unpack({}, 1, 1e6) }");
    ends("return table.create(1e9)");
    ends("local t = table.create(1000000, 1) while true do table.insert(t, 1, 1) end");
    ends("local t = table.create(1000000, 1) while true do table.remove(t, 1) end");
    ends("local t = table.create(1000000, 1) while true do table.find(t, 2) end");
    ends("local t = table.create(1000000, 1) while true do table.clone(t) end");
    ends("return table.pack(string.byte(big, 1, -1))");
    ends("return select('#', string.byte(big, 1, 900000))");
}

#[test]
fn strings_of_huge_sizes() {
    ends("return string.rep('x', 1e9)");
    ends("return string.rep('x', 1e15)");
    ends("local s = 'x' while true do s = s .. s end");
    is_cut("while true do local s = big:reverse():upper():lower() end");
    is_cut("while true do string.rep('x', 1000000) end");
    ends("return string.format('%99999s', 'x')");
    ends("return string.format(string.rep('%99s', 100000), 'x')");
    ends("return string.format('%s%s%s%s%s%s%s%s', big, big, big, big, big, big, big, big)");
    ends("return string.pack('z' .. string.rep('s', 100000), 'x')");
    ends("return string.packsize('!' .. string.rep('i16', 100000))");
    ends("return tonumber(big, 36)");
    ends("return utf8.len(big), utf8.offset(big, -1)");
    is_cut("while true do utf8.len(big) end");
    ends("return utf8.char(table.unpack(table.create(7000, 65)))");
    ends("for _ in utf8.codes(big) do end");
    ends("return utf8.codepoint(big, 1, -1)");
    ends("return string.unpack(string.rep('B', 100000), big)");
    ends("return table.maxn(table.create(1000000, 1))");
    ends("table.foreach(table.create(100000, 1), print)");
    ends("return os.date(string.rep('%c', 100000))");
}

#[test]
fn buffers() {
    ends("return buffer.create(1e9)");
    is_cut("local b = buffer.create(10000000) while true do buffer.fill(b, 0, 1) end");
    is_cut("local b = buffer.create(10000000) while true do buffer.copy(b, 0, b) end");
    is_cut("local b = buffer.create(10000000) while true do buffer.tostring(b) end");
    is_cut("local b = buffer.create(10000000) while true do buffer.readstring(b, 0, 10000000) end");
}

#[test]
fn host_functions() {
    is_cut("while true do broker.kv.add('n', 1) end");
    is_cut("while true do broker.log.info('x') end");
    is_cut("while true do pcall(broker.json.decode, '{') end");
    is_cut("while true do broker.hash.sha256(big) end");
    is_cut(
        "local t = {} for i = 1, 100000 do t[i] = i end while true do broker.json.encode(t) end",
    );
    ends("local t = {} t.t = t return broker.json.encode(t)");
    ends("return broker.json.decode(string.rep('[', 1000000))");
    ends("return broker.json.decode('[' .. string.rep('1,', 1000000) .. '1]')");
    ends("return broker.json.valid(string.rep('[', 4000000))");
    ends("return broker.topic.matches(string.rep('+/', 30000), big)");
    is_refused(
        "return broker.topic.levels(string.rep('/', 1000000))",
        "more than 65535",
    );
    is_refused(
        "local t = {} for i = 1, 20000 do t[i] = { 'a', 'b' } end return broker.pass { user_properties = t }",
        "more than 10000",
    );
    // By list and by key at once; each key is looked for in the list.
    ends(
        "local t = {} for i = 1, 10000 do t[i] = { 'n' .. i, 'v' } t['n' .. i] = 'v' end while true do broker.pass { user_properties = t } end",
    );
    ends(
        "return broker.pass { user_properties = setmetatable({}, { __iter = function() while true do end end }) }",
    );
}

#[test]
fn memory_is_bounded_and_the_vm_is_replaced() {
    for code in [
        "local t = {} while true do t[#t + 1] = string.rep('x', 100000) .. #t end",
        "return string.rep('x', 200000000)",
        "return buffer.create(200000000)",
        "return table.create(60000000)",
        "coroutine.wrap(function() return string.rep('x', 200000000) end)()",
        // Verdicts hold their changes outside the VM; they count all the same.
        "local t = {} for i = 1, 1000 do t[i] = broker.pass { payload = big } end",
    ] {
        let error = script_call_with_time(code);
        assert_eq!(error.cause, Cause::Memory, "{code}: {error}");
        assert!(error.message.contains("64 MiB of memory"), "{error}");
    }
}

fn script_call_with_time(code: &str) -> hookmq_plugin_api::PluginError {
    let script = script(&format!("stayed = nil {code}").replace("stayed = nil ", ""));
    let evil = event(Hook::InterceptPublish).with(Field::Topic, "evil");
    let error = script
        .plugin
        .call(&evil, Duration::from_secs(30))
        .unwrap_err();
    let harmless = event(Hook::InterceptPublish).with(Field::Topic, "good");
    assert_eq!(script.plugin.call(&harmless, MOST), Ok(Answer::PASS));
    error
}

#[test]
fn a_vm_is_fresh_after_a_timeout_and_not_after_an_error() {
    let source = "local n = 0
        return { intercept_publish = function(topic)
            n += 1
            if topic == 'spin' then while true do end end
            if topic == 'fail' then error('x') end
            return broker.drop(tostring(n))
        end }";
    let script = load_with(source, settings());
    let call = |topic: &str| {
        let event = event(Hook::InterceptPublish).with(Field::Topic, topic);
        script.plugin.call(&event, BUDGET)
    };
    let count = || {
        common::refusal(&call("x").unwrap())
            .reason_string
            .clone()
            .unwrap()
    };
    assert_eq!(&*count(), "1");
    assert_eq!(call("fail").unwrap_err().cause, Cause::Raised);
    assert_eq!(&*count(), "3");
    assert_eq!(call("spin").unwrap_err().cause, Cause::Timeout);
    assert_eq!(&*count(), "1");
}

#[test]
fn a_body_that_spins_is_a_load_error() {
    let mut settings = settings();
    settings.body_budget = BUDGET;
    for files in [
        vec![("test.lua", "local x = 1\nwhile true do end")],
        vec![
            ("test.lua", "require('lib')"),
            ("lib.lua", "local x = 1\nwhile true do end"),
        ],
        vec![
            (
                "test.lua",
                "pcall(require, 'lib') return { intercept_publish = function() end }",
            ),
            ("lib.lua", "\nwhile true do end"),
        ],
    ] {
        let started = Instant::now();
        let Err(error) = try_load(&files, settings.clone(), FakeHost::default()) else {
            panic!("it was loaded");
        };
        assert!(started.elapsed() < MOST);
        assert!(
            error.to_string().contains("ran longer than its 20ms"),
            "{error}"
        );
        assert_eq!(error.line, 2, "{error}");
    }
}

#[test]
fn a_body_that_eats_memory_is_a_load_error() {
    let mut settings = settings();
    settings.memory_limit = 1024 * 1024;
    let source = [("test.lua", "local t = {} for i = 1, 1e9 do t[i] = i end")];
    let Err(error) = try_load(&source, settings, FakeHost::default()) else {
        panic!("it was loaded");
    };
    assert!(error.to_string().contains("not enough memory"), "{error}");
}

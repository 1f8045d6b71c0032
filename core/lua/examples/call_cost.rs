//! What a call of a script costs, in nanoseconds: `cargo run --release -p hookmq-lua --example call_cost`.
//!
//! Prints the least of many rounds, which is what noise of the machine cannot lower.

#![allow(clippy::print_stdout, reason = "its output is its purpose")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use hookmq_lua::testing::FakeHost;
use hookmq_lua::{LuaPlugin, LuaSettings};
use hookmq_plugin_api::{EventRecord, Field, Hook, Plugin};

const ROUNDS: usize = 1_000;
const CALLS: u32 = 1_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let cases: &[(&str, &str, usize)] = &[
        ("an empty handler", "function M.intercept_publish() end", 64),
        (
            "prefix check",
            "function M.intercept_publish(topic) if topic:sub(1, 8) ~= 'devices/' then return broker.deny('not_authorized') end end",
            64,
        ),
        (
            "prefix check, 64 KiB of payload unread",
            "function M.intercept_publish(topic) if topic:sub(1, 8) ~= 'devices/' then return broker.deny('not_authorized') end end",
            65_536,
        ),
        (
            "prefix check and client table",
            "local known = { c1 = true }\nfunction M.intercept_publish(topic, client_id) if topic:sub(1, 8) ~= 'devices/' or not known[client_id] then return broker.deny('not_authorized') end end",
            64,
        ),
        (
            "prefix check, broker.pass()",
            "function M.intercept_publish(topic) if topic:sub(1, 8) == 'devices/' then return broker.pass() end end",
            64,
        ),
        (
            "prefix check by pattern",
            "function M.intercept_publish(topic) if not topic:find('^devices/') then return broker.deny('not_authorized') end end",
            64,
        ),
        (
            "prefix check by msg",
            "function M.intercept_publish(msg) if msg.topic:sub(1, 8) ~= 'devices/' then return broker.deny('not_authorized') end end",
            64,
        ),
        (
            "deny",
            "function M.intercept_publish(topic) return broker.deny('not_authorized', 'no') end",
            64,
        ),
        (
            "rewrite the topic",
            "function M.intercept_publish(topic) return broker.pass { topic = 'x/' .. topic } end",
            64,
        ),
        (
            "payload, 64 B",
            "function M.intercept_publish(payload) local _ = #payload end",
            64,
        ),
        (
            "payload, 64 KiB",
            "function M.intercept_publish(payload) local _ = #payload end",
            65_536,
        ),
        (
            "payload_buffer, 64 B",
            "function M.intercept_publish(payload_buffer) local _ = buffer.len(payload_buffer) end",
            64,
        ),
        (
            "payload_buffer, 64 KiB",
            "function M.intercept_publish(payload_buffer) local _ = buffer.len(payload_buffer) end",
            65_536,
        ),
        (
            "kv.add",
            "function M.intercept_publish(client_id) broker.kv.add(client_id) end",
            64,
        ),
    ];
    for (name, handler, size) in cases {
        let path = folder.path().join("bench.lua");
        std::fs::write(&path, format!("local M = {{}}\n{handler}\nreturn M"))?;
        let plugin = LuaPlugin::load(
            &path,
            LuaSettings::new("bench"),
            Arc::new(FakeHost::default()),
        )?;
        let event = EventRecord::new(Hook::InterceptPublish)
            .with(Field::Topic, "devices/d42/temperature")
            .with(Field::ClientId, "c1")
            .with(Field::Payload, &vec![b'x'; *size][..]);
        let budget = Duration::from_secs(1);
        let calls = if *size > 10_000 { CALLS / 50 } else { CALLS };
        let mut least = Duration::MAX;
        for _ in 0..ROUNDS {
            let started = Instant::now();
            for _ in 0..calls {
                plugin.call(&event, budget)?;
            }
            least = least.min(started.elapsed() / calls);
        }
        println!("{name:<32} {:>8} ns", least.as_nanos());
    }
    Ok(())
}

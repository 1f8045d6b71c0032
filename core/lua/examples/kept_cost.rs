//! What `authorize_publish` by a script costs per message, asked every time and decided by a kept verdict, in nanoseconds:
//! `cargo run --release -p hookmq-lua --example kept_cost`.
//!
//! The broker's whole chain around it: filter, breaker, checks, counters. Prints the least of many rounds, which is what noise of the
//! machine cannot lower.

#![allow(clippy::print_stdout, reason = "its output is its purpose")]

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use hookmq_broker::hook::{Chain, Decision, HookSettings, Hooks, Registration, Scope, Subject};
use hookmq_lua::testing::FakeHost;
use hookmq_lua::{LuaPlugin, LuaSettings};
use hookmq_plugin_api::{Event, EventRecord, Field, Hook, Owned};

const ROUNDS: usize = 300;
const CALLS: usize = 1_000;

type Failure = Box<dyn std::error::Error>;

struct Message(EventRecord);

impl Subject for Message {
    fn event(&self) -> &dyn Event {
        &self.0
    }

    fn apply(&mut self, _: &[(Field, Owned)]) -> Result<(), String> {
        Err("nothing is changed here".to_owned())
    }
}

fn messages(n: usize) -> Vec<Message> {
    let one = |number| {
        let record = EventRecord::new(Hook::AuthorizePublish)
            .with(Field::ClientId, format!("pump-{number}"))
            .with(Field::Username, "pump")
            .with(Field::Topic, format!("devices/pump/{number}/temperature"))
            .with(Field::Source, "client")
            .with(Field::Qos, 0)
            .with(Field::Retain, false)
            .with(Field::PayloadSize, 64);
        Message(record)
    };
    (0..n).map(one).collect()
}

fn load(folder: &Path, source: &str, config: serde_json::Value) -> Result<Hooks, Failure> {
    let path = folder.join("policy.lua");
    fs::write(&path, source)?;
    let mut settings = LuaSettings::new("policy");
    settings.config = config;
    let plugin = LuaPlugin::load(&path, settings, Arc::new(FakeHost::default()))?;
    let hooks = Hooks::new(HookSettings::default());
    hooks.swap(vec![Registration::new("policy", "lua", plugin)]);
    Ok(hooks)
}

/// Nanoseconds per message.
fn measure(chain: &Chain, messages: &mut [Message]) -> Result<f64, Failure> {
    let mut least = f64::INFINITY;
    let (mut at, n) = (0, messages.len());
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        for _ in 0..CALLS {
            let message = messages.get_mut(at).ok_or("no message")?;
            at = (at + 1) % n;
            let scope = Scope {
                client_id: "pump",
                topic: Some("devices/pump/0/temperature"),
                qos: Some(0),
                size: Some(64),
                ..Scope::BROKER
            };
            let decision = chain.gate(Hook::AuthorizePublish, &scope, message);
            if decision != Decision::Accept {
                return Err(format!("not accepted: {decision:?}").into());
            }
        }
        least = least.min(begun.elapsed().as_secs_f64() * 1e9 / CALLS as f64);
    }
    Ok(least)
}

fn main() -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let prefix = "local M = {}\nfunction M.authorize_publish(topic, client_id)\n\
        if topic:sub(1, 8) ~= 'devices/' then return broker.deny('not_authorized') end\n\
        return broker.accept(HOLDS)\nend\nreturn M\n";
    let auth = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/auth.lua");
    let auth = fs::read_to_string(auth)?;
    let rights = serde_json::json!({ "users": { "pump": {
        "publish": ["status/%u", "alarms/%u", "devices/%u/#"], "deny": ["devices/%u/serial"]
    } } });
    let (asked, kept) = ("local HOLDS = {}", "local HOLDS = { ttl = 3600 }");
    println!(
        "| authorize_publish | asked | kept, 1 key | kept, 50 000 keys |\n|---|---:|---:|---:|"
    );
    for (name, source, config) in [
        (
            "prefix check",
            format!("{kept}\n{prefix}"),
            serde_json::json!({}),
        ),
        (
            "`scripts/auth.lua`, three patterns and a denied one",
            auth,
            rights,
        ),
    ] {
        let without = source.replace(kept, asked);
        if without == source {
            return Err("the script does not keep what it decides".into());
        }
        let hooks = load(folder.path(), &without, config.clone())?;
        let plain = measure(&hooks.chain(), &mut messages(1))?;
        let hooks = load(folder.path(), &source, config)?;
        let one = measure(&hooks.chain(), &mut messages(1))?;
        let many = measure(&hooks.chain(), &mut messages(50_000))?;
        println!("| {name} | {plain:.0} | {one:.0} | {many:.0} |");
    }
    Ok(())
}

//! `hookmq plugin list`: who is asked at each hook, in order.

use std::fmt::Write;
use std::process::ExitCode;

use clap::Subcommand;
use hookmq_broker::hook::Hooks;
use hookmq_plugin_api::{Kind, OnError};

use super::{ConfigArguments, check};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List who is asked at each hook, in order
    List(ConfigArguments),
}

pub(super) fn run(command: Command) -> ExitCode {
    match command {
        Command::List(arguments) => list(arguments),
    }
}

fn list(arguments: ConfigArguments) -> ExitCode {
    let (_, config, generation) = match check::load(arguments) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    // The engine itself says the order, so that this cannot differ from what runs.
    let hooks = Hooks::new(config.broker.hooks);
    hooks.swap(generation.registrations());
    let mut out = String::new();
    for (hook, plugins) in hooks.chain().list() {
        let spec = hook.spec();
        let kind = match spec.kind {
            Kind::Gate => "gate",
            Kind::Filter => "filter",
            Kind::Notice => "notice",
            Kind::Supply => "supply",
        };
        // Writing to a text cannot fail.
        let _ = writeln!(out, "{} ({kind})", spec.name);
        for (at, plugin) in plugins.iter().enumerate() {
            let on_error = match plugin.on_error {
                OnError::Deny => "deny",
                OnError::Pass => "pass",
            };
            let filter = if plugin.filter.is_empty() { "everything" } else { &plugin.filter };
            let awaits = if plugin.awaits { ", may wait" } else { "" };
            let failure = if spec.kind == Kind::Notice { String::new() } else { format!(", a failure counts as {on_error}") };
            let _ = writeln!(out, "  {}. {}  priority {}, about {filter}{failure}{awaits}", at + 1, plugin.plugin, plugin.priority);
        }
    }
    if out.is_empty() {
        out.push_str("no plugin answers any hook\n");
    }
    super::print(&out)
}

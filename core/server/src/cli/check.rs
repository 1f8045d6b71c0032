//! `hookmq check`: all that `run` does before it binds an address.

use std::fmt::Write;
use std::process::ExitCode;

use hookmq_broker::Broker;

use super::ConfigArguments;
use crate::config::{Config, Listener, Sources};
use crate::generation::{Generation, who_may_connect};

pub(super) fn run(arguments: ConfigArguments) -> ExitCode {
    match load(arguments) {
        Ok((sources, config, generation)) => super::print(&listing(&sources, &config, &generation)),
        Err(code) => code,
    }
}

/// The config and its scripts, loaded for a broker that never starts.
pub(super) fn load(arguments: ConfigArguments) -> Result<(Sources, Config, Generation), ExitCode> {
    let (sources, config) = arguments.load()?;
    let broker = Broker::new(config.broker.clone());
    let host = |name: &str, grants| broker.host(name, grants);
    let generation =
        Generation::load(&config, &Generation::default(), &host).map_err(super::refuse)?;
    Ok((sources, config, generation))
}

fn listing(sources: &Sources, config: &Config, generation: &Generation) -> String {
    let file = sources
        .file
        .as_ref()
        .map_or("the config".to_owned(), |file| file.display().to_string());
    let mut out = format!("{file} is good\n\nlisteners\n");
    for Listener { settings, .. } in &config.listeners {
        let who = who_may_connect(settings, &generation.0);
        // Writing to a text cannot fail.
        let _ = writeln!(out, "  {}  {}  {who}", settings.name, settings.bind);
    }
    if generation.0.is_empty() {
        out.push_str("\nno plugins\n");
        return out;
    }
    out.push_str("\nplugins\n");
    for plugin in &generation.0 {
        let hooks: Vec<_> = plugin
            .program
            .listens()
            .iter()
            .map(|listen| listen.hook.spec().name)
            .collect();
        let _ = writeln!(
            out,
            "  {}  {}  {}",
            plugin.settings.name,
            plugin.settings.path.display(),
            hooks.join(", ")
        );
    }
    out
}

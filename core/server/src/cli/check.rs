//! `hookmq check`: all that `run` does before it binds an address.

use std::fmt::Write;
use std::path::Path;
use std::process::ExitCode;

use hookmq_broker::Broker;

use super::ConfigArguments;
use crate::config::{Config, Listener, PluginSettings, Sources};
use crate::generation::{Generation, Loaded, who_may_connect};

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
    match &config.storage {
        Some(storage) => {
            let (path, level) = (storage.path.display(), config.broker.storage.durability);
            let _ = writeln!(out, "\nstorage\n  {path}  {}", level.name());
        }
        None => out.push_str("\nno storage: nothing outlives the broker\n"),
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
        for warning in missing_grants(plugin) {
            let _ = writeln!(out, "    warning: {warning}");
        }
    }
    out
}

/// Calls in its source that would fail: a script learns only by making them.
fn missing_grants(plugin: &Loaded) -> impl Iterator<Item = String> {
    let PluginSettings {
        path, load, place, ..
    } = &plugin.settings;
    let folder = path.parent().unwrap_or(Path::new(""));
    let needs = plugin.program.needs().into_iter();
    needs
        .filter(|need| !load.grants.contains(&need.grant))
        .map(move |need| {
            format!(
                "{}:{}: {} is not granted: add grants = [\"{}\"] to the plugin's section, {place}",
                folder.join(&need.file).display(),
                need.line,
                need.name,
                need.grant.name()
            )
        })
}

//! `hookmq plugin list`: who is asked at each hook, in order. `hookmq plugin test`: scripts' own tests. The others are below.

mod new;
mod validate;

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use hookmq_broker::hook::Hooks;
use hookmq_lua::testing::{run_tests, test_files};
use hookmq_plugin_api::{Hook, Kind};

use super::{ConfigArguments, EXIT_FAILED, check};
use crate::config::PluginSettings;
use crate::generation::Generation;
use crate::runtime::Runtime;
use crate::self_test;
use crate::validate::probe;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List who is asked at each hook, in order
    List(ConfigArguments),
    /// Begin a plugin: a folder with source, test, and how to build and run it
    New(new::NewArguments),
    /// Try a plugin in a process of its own: every hook that it answers, with input that nobody hopes for
    Validate(validate::ValidateArguments),
    /// Make the calls of `validate`
    #[command(hide = true)]
    Probe,
    /// Run the tests beside scripts, auth_test.lua beside auth.lua, on the VM and limits of production
    Test {
        /// Test files, scripts, or folders of them; without any, those of the config's plugins,
        /// and without a config those of this folder
        #[arg(value_name = "FILE OR FOLDER")]
        paths: Vec<PathBuf>,
        /// The config whose limits hold for the scripts that it names
        #[arg(short, long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
}

pub(super) fn run(command: Command) -> ExitCode {
    match command {
        Command::List(arguments) => list(arguments),
        Command::New(arguments) => new::run(&arguments),
        Command::Validate(arguments) => validate::run(arguments),
        Command::Probe => probe::main(),
        Command::Test { paths, config } => test(paths, config),
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
        // Writing to a text cannot fail.
        let _ = writeln!(out, "{} ({})", spec.name, spec.kind.name());
        for (at, plugin) in plugins.iter().enumerate() {
            let reads = reads(&generation, &plugin.plugin, hook);
            let filter = if plugin.filter.is_empty() {
                "everything"
            } else {
                &plugin.filter
            };
            let awaits = if plugin.awaits { ", may wait" } else { "" };
            let failure = if spec.kind == Kind::Notice {
                String::new()
            } else {
                format!(", a failure counts as {}", plugin.on_error.name())
            };
            let _ = writeln!(
                out,
                "  {}. {} ({})  priority {}, about {filter}, reads {reads}{failure}{awaits}",
                at + 1,
                plugin.plugin,
                plugin.kind,
                plugin.priority
            );
        }
    }
    if out.is_empty() {
        out.push_str("no plugin answers any hook\n");
    }
    super::print(&out)
}

/// The fields that a plugin declared for a hook.
fn reads(generation: &Generation, plugin: &str, hook: Hook) -> String {
    let loaded = generation
        .0
        .iter()
        .find(|loaded| loaded.settings.name == plugin);
    let fields = loaded.and_then(|loaded| {
        let mut listens = loaded.program.listens().iter();
        Some(listens.find(|listen| listen.hook == hook)?.fields)
    });
    let fields = fields.unwrap_or_default();
    if fields.is_empty() {
        "nothing".to_owned()
    } else if fields == hook.spec().field_set() {
        "every field".to_owned()
    } else {
        let names: Vec<_> = fields.iter().map(|field| field.name()).collect();
        names.join(" ")
    }
}

fn test(mut paths: Vec<PathBuf>, config: Option<PathBuf>) -> ExitCode {
    let mut plugins = Vec::new();
    if config.is_some() {
        match (ConfigArguments {
            config,
            plugin: Vec::new(),
        })
        .load()
        {
            Ok((_, config)) => plugins = config.plugins,
            Err(code) => return code,
        }
        if paths.is_empty() {
            paths.extend(plugins.iter().map(|plugin| plugin.path.clone()));
        }
    } else if paths.is_empty() {
        paths.push(PathBuf::from("."));
    }
    let (mut n_passed, mut n_failed) = (0, 0);
    for path in &paths {
        if matches!(Runtime::of(path), Some(Runtime::Wasm | Runtime::Native)) {
            eprintln!(
                "{}: no script, so its tests are run by what it is built with; hookmq plugin validate tries it",
                path.display()
            );
            continue;
        }
        let files = match find_tests(path) {
            Ok(files) => files,
            Err(why) => {
                eprintln!("{}: {why}", path.display());
                n_failed += 1;
                continue;
            }
        };
        if files.is_empty() {
            eprintln!(
                "{}: no tests; those of auth.lua are in auth_test.lua beside it",
                path.display()
            );
        }
        for file in files {
            let report = run_tests(
                &file,
                &self_test::options(plugin_of(&file, &plugins), &script_name(&file)),
            );
            n_failed += report.failed() + usize::from(report.error.is_some());
            n_passed += report.tests.len() - report.failed();
            // Shown as they end, because a folder of them takes a while.
            super::print(&report.to_string());
        }
    }
    super::print(&format!("{n_passed} passed, {n_failed} failed\n"));
    if n_failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(EXIT_FAILED)
    }
}

/// The test files of a path that was asked for. A script without tests has none, which is no failure; a path that is not there is one.
fn find_tests(path: &Path) -> Result<Vec<PathBuf>, String> {
    if !path.exists() {
        return Err("there is no such file or folder".to_owned());
    }
    test_files(path).map_err(|error| error.to_string())
}

/// `auth` for `scripts/auth_test.lua`.
fn script_name(file: &Path) -> String {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    stem.strip_suffix("_test").unwrap_or(&stem).to_owned()
}

/// The section of the script that a file tests.
fn plugin_of<'a>(file: &Path, plugins: &'a [PluginSettings]) -> Option<&'a PluginSettings> {
    let script = file.with_file_name(format!("{}.lua", script_name(file)));
    let script = script.canonicalize().ok()?;
    plugins
        .iter()
        .find(|plugin| plugin.path.canonicalize().is_ok_and(|path| path == script))
}

//! `hookmq plugin validate`: tries a plugin in a process of its own before it is let in.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use hookmq_plugin_api::Grant;
use serde_json::Value as Json;

use crate::cli::{ConfigArguments, EXIT_FAILED, EXIT_USAGE, print};
use crate::config::{CompileCache, LoadSettings, PluginSettings, duration, value_of};
use crate::runtime::Runtime;
use crate::validate::quoted::Whole;
use crate::validate::{self, Trial, Untried};

#[derive(Debug, Args)]
pub(in crate::cli) struct ValidateArguments {
    /// The plugin: a script, a .wasm file or a native library
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The config whose section for this file says limits, grants and the plugin's own keys
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A key of the plugin's own section, its value as in TOML or else a text; may be given several times
    #[arg(short, long, value_name = "KEY=VALUE", value_parser = key_and_value)]
    set: Vec<(String, Json)>,
    /// What the plugin may do besides answering, instead of what the config grants
    #[arg(short, long, value_name = "GRANT", value_delimiter = ',', value_parser = grant)]
    grant: Vec<Grant>,
    /// Time of one call, as in 50ms, instead of the config's, the plugin's own or the default
    #[arg(short, long, value_name = "TIME", value_parser = time)]
    timeout: Option<Duration>,
}

pub(super) fn run(arguments: ValidateArguments) -> ExitCode {
    let trial = match trial(arguments) {
        Ok(trial) => trial,
        Err(code) => return code,
    };
    match validate::run(&trial) {
        Ok(report) => {
            let printed = print(&report.to_string());
            if report.is_good() {
                printed
            } else {
                ExitCode::from(EXIT_FAILED)
            }
        }
        Err(Untried::Refused(why)) => {
            let why = Whole(&why);
            eprintln!("{why}\nit was not loaded, so nothing was tried");
            ExitCode::from(EXIT_USAGE)
        }
        Err(Untried::Failed(error)) => {
            eprintln!("there is no process to try it in: {error}");
            ExitCode::from(EXIT_FAILED)
        }
    }
}

fn trial(arguments: ValidateArguments) -> Result<Trial, ExitCode> {
    let refuse = |why: String| {
        eprintln!("{}: {why}", arguments.file.display());
        ExitCode::from(EXIT_USAGE)
    };
    let Some(runtime) = Runtime::of(&arguments.file) else {
        let endings = Runtime::ENDINGS;
        return Err(refuse(format!("expected a file that ends with {endings}")));
    };
    if !arguments.file.is_file() {
        return Err(refuse("there is no such file".to_owned()));
    }
    let (section, compile_cache) = match arguments.config {
        None => (None, CompileCache::Auto),
        Some(config) => {
            let arguments_of_config = ConfigArguments {
                config: Some(config.clone()),
                plugin: Vec::new(),
            };
            let (_, loaded) = arguments_of_config.load()?;
            let section = section_of(&arguments.file, loaded.plugins);
            if section.is_none() {
                return Err(refuse(format!(
                    "{} has no plugin of this file",
                    config.display()
                )));
            }
            (section, loaded.compile_cache)
        }
    };
    let timeout = arguments
        .timeout
        .or(section.as_ref().and_then(|section| section.timeout));
    let (name, mut load) = match section {
        Some(section) => (section.name, section.load),
        None => {
            let stem = arguments.file.file_stem().unwrap_or_default();
            (
                stem.to_string_lossy().into_owned(),
                LoadSettings::new(runtime),
            )
        }
    };
    if !arguments.grant.is_empty() {
        load.grants = arguments.grant;
    }
    for (key, value) in arguments.set {
        set(&mut load.config, &key, value);
    }
    Ok(Trial {
        path: arguments.file,
        name,
        load,
        compile_cache: compile_cache.folder(),
        timeout,
    })
}

/// The section that names this file, whatever it calls it.
fn section_of(file: &Path, plugins: Vec<PluginSettings>) -> Option<PluginSettings> {
    let file = file.canonicalize().ok()?;
    plugins
        .into_iter()
        .find(|plugin| plugin.path.canonicalize().is_ok_and(|path| path == file))
}

/// Sets `a.b.c`, making the tables on the way.
fn set(config: &mut Json, key: &str, value: Json) {
    let mut place = config;
    for part in key.split('.') {
        if !place.is_object() {
            *place = Json::Object(serde_json::Map::new());
        }
        place = &mut place[part];
    }
    *place = value;
}

fn key_and_value(text: &str) -> Result<(String, Json), String> {
    let (key, value) = text
        .split_once('=')
        .ok_or("expected KEY=VALUE, as in limit=5")?;
    let key = key.trim();
    if key.split('.').any(str::is_empty) {
        return Err("the key is empty".to_owned());
    }
    Ok((key.to_owned(), value_of(value.trim())))
}

fn grant(text: &str) -> Result<Grant, String> {
    Grant::from_name(text).ok_or_else(|| {
        let names = Grant::ALL.map(Grant::name);
        format!("there are {}", names.join(", "))
    })
}

fn time(text: &str) -> Result<Duration, String> {
    duration(text).ok_or_else(|| "expected a time with a unit, as in 50ms".to_owned())
}

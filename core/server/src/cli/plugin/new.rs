//! `hookmq plugin new`: a small folder to begin with. The templates are real files that the tests build and run.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use crate::cli::{EXIT_FAILED, EXIT_USAGE, print};

/// What a template calls the plugin, as a name, as part of an identifier, and as a type.
const NAME: &str = "my-plugin";
const IDENTIFIER: &str = "my_plugin";
const TYPE: &str = "MyPlugin";
/// Where a template wants the path of the SDK.
const API: &str = "@PLUGIN_API@";
/// Where the SDK lay when this program was built.
const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../plugin-api");

#[derive(Debug, Args)]
pub(in crate::cli) struct NewArguments {
    /// What the plugin and its folder are called: letters, digits, - and _
    #[arg(value_name = "NAME", value_parser = name)]
    name: String,
    /// What it is written in
    #[arg(short, long, value_name = "LANGUAGE")]
    lang: Language,
    /// The folder plugin-api of HookMQ's source, which a plugin in Rust is built against; without it, the one that this
    /// program was built from
    #[arg(long, value_name = "FOLDER")]
    api: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Language {
    /// A script: saved is live, nothing to build
    Lua,
    /// WASM, or a dynamic library
    Rust,
    /// A dynamic library, or WASM
    C,
    /// A WASM component
    #[value(alias = "js")]
    Javascript,
}

/// One file of a template: its path in the new folder, and its text.
type File = (&'static str, &'static str);

macro_rules! files {
    ($folder:literal: $($path:literal)*) => {
        &[$(($path, include_str!(concat!("../../../templates/", $folder, "/", $path)))),*]
    };
}

macro_rules! contract {
    ($file:literal) => {
        (
            concat!("wit/deps/hookmq-plugin/", $file),
            include_str!(concat!("../../../../../plugin-api/wit/", $file)),
        )
    };
}

const LUA: &[File] = files!("lua": "my_plugin.lua" "my_plugin_test.lua" "broker.toml" "README.md");
const RUST: &[File] = files!(
    "rust": "Cargo.toml" ".cargo/config.toml" "src/lib.rs" "broker.toml" "README.md"
);
const C: &[File] =
    files!("c": "my_plugin.c" "my_plugin_test.c" "Makefile" "broker.toml" "README.md");
const JAVASCRIPT: &[File] = files!(
    "javascript": "my_plugin.js" "my_plugin.test.js" "hookmq.mock.js" "package.json" "wit/world.wit" "broker.toml" "README.md"
);
/// The contract as compilers of components read it.
const CONTRACT: &[File] = &[
    contract!("event.wit"),
    contract!("hooks.wit"),
    contract!("host.wit"),
    contract!("types.wit"),
    contract!("worlds.wit"),
];
const HEADER: File = (
    "hookmq.h",
    include_str!("../../../../../plugin-api/c/hookmq.h"),
);

pub(super) fn run(arguments: &NewArguments) -> ExitCode {
    let folder = PathBuf::from(&arguments.name);
    if folder.exists() {
        eprintln!("{} is there already", folder.display());
        return ExitCode::from(EXIT_USAGE);
    }
    let files = match arguments.lang {
        Language::Lua => LUA.to_vec(),
        Language::Rust => RUST.to_vec(),
        Language::C => [C, &[HEADER]].concat(),
        Language::Javascript => [JAVASCRIPT, CONTRACT].concat(),
    };
    let api = match api(arguments) {
        Ok(api) => api,
        Err(why) => {
            eprintln!("{why}");
            return ExitCode::from(EXIT_USAGE);
        }
    };
    if let Err(error) = write(&folder, &arguments.name, &api, &files) {
        eprintln!("{}: {error}", folder.display());
        return ExitCode::from(EXIT_FAILED);
    }
    let name = &arguments.name;
    let list: Vec<_> = files
        .iter()
        .map(|(path, _)| format!("  {name}/{}", path.replace(IDENTIFIER, &identifier(name))))
        .collect();
    print(&format!(
        "{}\n\n{name}/README.md has the commands to test, build and run it\n",
        list.join("\n")
    ))
}

/// The SDK's folder as a plugin's manifest names it. Only Rust needs one.
fn api(arguments: &NewArguments) -> Result<String, String> {
    if arguments.lang != Language::Rust {
        return Ok(String::new());
    }
    let folder = arguments
        .api
        .clone()
        .unwrap_or_else(|| PathBuf::from(SOURCE));
    let found = folder
        .canonicalize()
        .ok()
        .filter(|folder| folder.join("Cargo.toml").is_file());
    found
        .and_then(|folder| folder.into_os_string().into_string().ok())
        .ok_or_else(|| {
            format!(
                "{}: this is not the SDK; say where it is with --api, the folder plugin-api of HookMQ's source",
                folder.display()
            )
        })
}

fn write(folder: &Path, name: &str, api: &str, files: &[File]) -> io::Result<()> {
    for (path, text) in files {
        let file = folder.join(path.replace(IDENTIFIER, &identifier(name)));
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder)?;
        }
        let is_ours = *path == HEADER.0 || CONTRACT.iter().any(|(known, _)| known == path);
        let text = if is_ours {
            (*text).to_owned()
        } else {
            text.replace(NAME, name)
                .replace(IDENTIFIER, &identifier(name))
                .replace(TYPE, &type_name(name))
                .replace(API, &api.replace('\\', "/"))
        };
        fs::write(file, text)?;
    }
    Ok(())
}

/// As part of an identifier in any language.
fn identifier(name: &str) -> String {
    name.replace('-', "_")
}

/// As a type: each word with a capital.
fn type_name(name: &str) -> String {
    let words = name.split(['-', '_']).filter(|word| !word.is_empty());
    words
        .map(|word| {
            let (first, rest) = word.split_at(1);
            first.to_uppercase() + rest
        })
        .collect()
}

fn name(text: &str) -> Result<String, String> {
    let begins_well = text.starts_with(|letter: char| letter.is_ascii_lowercase());
    let is_plain = text.chars().all(|letter| {
        letter.is_ascii_lowercase() || letter.is_ascii_digit() || "-_".contains(letter)
    });
    if begins_well && is_plain {
        Ok(text.to_owned())
    } else {
        Err("a name has small letters, digits, - and _, and begins with a letter".to_owned())
    }
}

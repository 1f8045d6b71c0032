//! `hookmq plugin new`: a small folder to begin with. The templates are real files that the tests build and run.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use crate::cli::{EXIT_FAILED, EXIT_USAGE, print};

/// What a template calls the plugin, as a name and as part of an identifier.
const NAME: &str = "my-plugin";
const IDENTIFIER: &str = "my_plugin";

#[derive(Debug, Args)]
pub(in crate::cli) struct NewArguments {
    /// What the plugin and its folder are called: letters, digits, - and _
    #[arg(value_name = "NAME", value_parser = name)]
    name: String,
    /// What it is written in
    #[arg(short, long, value_name = "LANGUAGE")]
    lang: Language,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Language {
    /// A script: saved is live, nothing to build
    Lua,
    /// A dynamic library, or a WASM module
    C,
}

/// One file of a template: its path in the new folder, and its text.
type File = (&'static str, &'static str);

macro_rules! files {
    ($folder:literal: $($path:literal)*) => {
        &[$(($path, include_str!(concat!("../../../templates/", $folder, "/", $path)))),*]
    };
}

const LUA: &[File] = files!("lua": "my_plugin.lua" "my_plugin_test.lua" "broker.toml" "README.md");
const C: &[File] =
    files!("c": "my_plugin.c" "my_plugin_test.c" "Makefile" "broker.toml" "README.md");
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
        Language::C => [C, &[HEADER]].concat(),
    };
    if let Err(error) = write(&folder, &arguments.name, &files) {
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

fn write(folder: &Path, name: &str, files: &[File]) -> io::Result<()> {
    for (path, text) in files {
        let path = folder.join(path.replace(IDENTIFIER, &identifier(name)));
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let text = if path.ends_with(HEADER.0) {
            (*text).to_owned()
        } else {
            text.replace(NAME, name)
                .replace(IDENTIFIER, &identifier(name))
        };
        fs::write(path, text)?;
    }
    Ok(())
}

/// As part of an identifier in any language.
fn identifier(name: &str) -> String {
    name.replace('-', "_")
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

//! Plugins that are built: the Rust one in its three carriers, each in two generations, and those in C.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use super::lab::{Lab, sources};
use crate::process::{self, root, target_dir};
use crate::{Outcome, setup};

/// What the fixtures sign with; the last letter is the generation.
const MARK: &str = "stamped by generation ";
/// The longest that a compiler may take.
const COMPILE: Duration = Duration::from_secs(120);

/// A runtime that a message can pass through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Runtime {
    Lua,
    Module,
    Component,
    Native,
}

impl Runtime {
    pub(super) const ALL: [Self; 4] = [Self::Lua, Self::Module, Self::Component, Self::Native];

    /// The word in the table, and the plugin's name.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Lua => "lua",
            Self::Module => "module",
            Self::Component => "component",
            Self::Native => "native",
        }
    }

    /// The plugin's file in a lab.
    pub(super) fn file(self) -> String {
        let ending = match self {
            Self::Lua => "lua",
            Self::Module | Self::Component => "wasm",
            Self::Native => std::env::consts::DLL_EXTENSION,
        };
        format!("{}.{ending}", self.word())
    }

    /// What there is to put into the plugin's section: Lua's says who it is by itself.
    pub(super) fn config(self) -> String {
        match self {
            Self::Lua => String::new(),
            _ => format!("config = {{ name = \"{}\" }}", self.word()),
        }
    }

    fn source(self) -> PathBuf {
        let guests = target_dir().join("guests");
        match self {
            Self::Lua => sources().join("lua/stamp.lua"),
            Self::Module => guests.join("module/hostile.wasm"),
            Self::Component => guests.join("component/hostile.wasm"),
            Self::Native => guests.join("native").join(format!(
                "{}hostile{}",
                std::env::consts::DLL_PREFIX,
                std::env::consts::DLL_SUFFIX
            )),
        }
    }

    /// The plugin's file, of generation `a` or `b`.
    ///
    /// # Errors
    /// When it is not built.
    pub(super) fn bytes(self, generation: char) -> Outcome<Vec<u8>> {
        let path = self.source();
        let mut bytes = fs::read(&path).map_err(|error| {
            format!(
                "{}: {error}; `cargo xtask guests` builds it",
                path.display()
            )
        })?;
        let old = format!("{MARK}a");
        let places: Vec<usize> = bytes
            .windows(old.len())
            .enumerate()
            .filter_map(|(at, window)| (window == old.as_bytes()).then_some(at + MARK.len()))
            .collect();
        if places.is_empty() {
            return Err(format!("{} has no \"{old}\"", path.display()).into());
        }
        for at in places {
            if let Some(letter) = bytes.get_mut(at) {
                *letter = generation as u8;
            }
        }
        Ok(bytes)
    }
}

/// Compiles one of the fixtures in C into the lab, as `output`.
///
/// # Errors
/// When there is no compiler or it refuses.
pub(super) fn compile(lab: &Lab, source: &str, output: &str, flags: &[&str]) -> Outcome {
    setup::need("cc", &["gcc", "libc6-dev"])?;
    let mut command = Command::new("cc");
    command
        .current_dir(root())
        .args([
            "-std=gnu11",
            "-O1",
            "-shared",
            "-fPIC",
            "-fvisibility=hidden",
        ])
        .arg("-Iplugin-api/c")
        .args(flags)
        .arg("-o")
        .arg(lab.folder().join(output))
        .arg(source);
    process::capture(&mut command, COMPILE)?;
    Ok(())
}

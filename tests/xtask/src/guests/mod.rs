//! `cargo xtask guests`: plugins as files, for tests and for shipping. Each source is built for every carrier that it has.
//!
//! `tests/guests` holds one plugin per file (Rust, C, JavaScript), `plugins` a crate or a folder each. What comes out lies under
//! `target/guests`: `native`, `module` and `component`; `hookmq-guests` tells tests the paths. What is there and not older than its
//! sources is left alone.

mod c;
mod javascript;
mod rust;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::Outcome;
use crate::process::{root, target_dir};

/// The longest that one step of a build may take.
const STEP: Duration = Duration::from_secs(600);

/// What `cargo xtask guests` takes.
#[derive(clap::Args, Default)]
#[group(skip)]
pub(crate) struct Arguments {
    /// Build Rust for WASM with Debian's packages, even if rustup has the target.
    #[arg(long)]
    debian: bool,
}

/// Builds all plugins.
///
/// # Errors
/// When a tool is missing and cannot be installed (the message says which), or a plugin does not build.
pub(crate) fn run(arguments: &Arguments) -> Outcome {
    c::build()?;
    javascript::build()?;
    let toolchain = rust::Toolchain::choose(arguments.debian)?;
    rust::build(&toolchain)?;
    println!("the plugins are in {}", folder().display());
    Ok(())
}

/// For the test command.
///
/// # Errors
/// As [`run`].
pub(crate) fn prepare_for_tests() -> Outcome {
    run(&Arguments::default())
}

/// Where all of it goes.
fn folder() -> PathBuf {
    target_dir().join("guests")
}

/// Where the plugins of one carrier go.
fn carrier(name: &str) -> Outcome<PathBuf> {
    let folder = folder().join(name);
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// Writes a file unless it is there with the same content, so that what is up to date keeps its time.
fn write(path: &Path, bytes: &[u8]) -> Outcome {
    if fs::read(path).is_ok_and(|there| there == bytes) {
        return Ok(());
    }
    let new = path.with_extension("new");
    fs::write(&new, bytes)?;
    place(&new, path)
}

/// Puts what is complete where it belongs; a test that has the old file open keeps it.
fn place(new: &Path, path: &Path) -> Outcome {
    fs::rename(new, path)?;
    println!(
        "built {}",
        path.strip_prefix(root()).unwrap_or(path).display()
    );
    Ok(())
}

/// Whether `made` is there and none of its sources is newer.
fn is_fresh(made: &Path, sources: &[PathBuf]) -> Outcome<bool> {
    let Ok(made) = fs::metadata(made).and_then(|there| there.modified()) else {
        return Ok(false);
    };
    let newest = sources.iter().try_fold(
        SystemTime::UNIX_EPOCH,
        |newest, source| -> Outcome<SystemTime> {
            let time = fs::metadata(source)
                .and_then(|there| there.modified())
                .map_err(|error| format!("{}: {error}", source.display()))?;
            Ok(newest.max(time))
        },
    )?;
    Ok(newest <= made)
}

/// Files of a folder with this ending, in order.
fn files(folder: &Path, ending: &str) -> Outcome<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|known| known == ending) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// A path's name without folder and ending.
fn stem(path: &Path) -> String {
    path.file_stem()
        .map(|stem| stem.to_string_lossy().into_owned())
        .unwrap_or_default()
}

//! `cargo xtask fuzz SECONDS`: every fuzz target of `tests/fuzz`, one after the other. A crash fails the command.

use std::time::Duration;

use crate::process::{self, root};
use crate::{Failure, Outcome};

/// The folder of the fuzz targets, a workspace of its own.
const FOLDER: &str = "tests/fuzz";

/// What `cargo xtask fuzz` takes.
#[derive(clap::Args)]
#[group(skip)]
pub(crate) struct Arguments {
    /// How long each target runs.
    seconds: u32,
    /// Only these targets.
    targets: Vec<String>,
}

/// Runs the targets.
///
/// # Errors
/// When cargo-fuzz or a nightly compiler is missing, or a target finds something; all targets are run all the same.
pub(crate) fn run(arguments: &Arguments) -> Outcome {
    need_tools()?;
    let listed = process::capture(
        nightly().args(["list", "--fuzz-dir", FOLDER]),
        Duration::from_secs(60),
    )?;
    let targets: Vec<&str> = listed
        .lines()
        .map(str::trim)
        .filter(|name| {
            !name.is_empty()
                && (arguments.targets.is_empty()
                    || arguments.targets.iter().any(|wanted| wanted == name))
        })
        .collect();
    if targets.is_empty() {
        return Err(format!(
            "no such target; there are: {}",
            listed.split_whitespace().collect::<Vec<_>>().join(", ")
        )
        .into());
    }
    let limit = format!("-max_total_time={}", arguments.seconds);
    let mut failed = Vec::new();
    for target in &targets {
        println!("== {target}");
        if let Err(failure) =
            process::run(nightly().args(["run", "--fuzz-dir", FOLDER, target, "--", &limit]))
        {
            println!("{failure}");
            failed.push(*target);
        }
    }
    println!("{} targets ran, {} failed", targets.len(), failed.len());
    if failed.is_empty() {
        Ok(())
    } else {
        Err(format!(
            "failed: {}; inputs are in {FOLDER}/artifacts",
            failed.join(", ")
        )
        .into())
    }
}

fn need_tools() -> Outcome {
    if !root().join(FOLDER).join("Cargo.toml").is_file() {
        return Err(format!("there are no fuzz targets in {FOLDER}").into());
    }
    if process::find("cargo-fuzz").is_none() {
        return Err("cargo-fuzz is missing: cargo install --locked cargo-fuzz".into());
    }
    process::capture(nightly_cargo().arg("--version"), Duration::from_secs(60))
        .map(drop)
        .map_err(|why| -> Failure {
            format!("a nightly toolchain is missing: rustup toolchain install nightly ({why})")
                .into()
        })
}

fn nightly() -> std::process::Command {
    let mut command = nightly_cargo();
    command.arg("fuzz");
    command
}

/// The nightly cargo by way of rustup: `CARGO` names the stable one that started this program.
fn nightly_cargo() -> std::process::Command {
    let mut command = std::process::Command::new("rustup");
    command
        .current_dir(root())
        .env_remove("RUSTUP_TOOLCHAIN")
        .env_remove("CARGO")
        .args(["run", "nightly", "cargo"]);
    command
}

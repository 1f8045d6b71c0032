//! `cargo xtask test`: the README's test command. Every test of the workspace, its set-up included.

use std::process::Command;

use crate::process::{self, cargo, root};
use crate::{Outcome, crash, foreign, guests, hostile, setup};

/// What `cargo xtask test` takes.
#[derive(clap::Args, Default)]
pub(crate) struct Arguments {
    /// Only tests whose name contains this; doc tests and the scripts' own tests are left out then.
    filter: Option<String>,
}

/// Runs unit, black-box and documentation tests, then the tests of the scripts that ship.
///
/// # Errors
/// When a tool is missing or any test fails; every kind of test is run all the same.
pub(crate) fn run(arguments: &Arguments) -> Outcome {
    setup::need_cxx()?;
    let filter = arguments.filter.as_deref();
    if filter.is_some() {
        guests::prepare_for_tests()?;
        return code_tests(filter);
    }
    let mut failed = Vec::new();
    // The runner's closing lines come last, where a reader looks for them.
    for (kind, step) in [
        (
            "the clients that tests drive",
            foreign::prepare_for_tests as fn() -> Outcome,
        ),
        ("the plugins that tests load", guests::prepare_for_tests),
        ("documentation tests", documentation_tests),
        ("the scripts' own tests", script_tests),
        ("plugins that misbehave", hostile::run_quick),
        ("what survives", crash::run_quick),
        ("tests", || code_tests(None)),
    ] {
        if let Err(failure) = step() {
            println!("{failure}");
            failed.push(kind);
        }
    }
    if failed.is_empty() {
        Ok(())
    } else {
        Err(format!("failed: {}", failed.join(", ")).into())
    }
}

fn code_tests(filter: Option<&str>) -> Outcome {
    let mut tests = cargo();
    if process::find("cargo-nextest").is_some() {
        tests.args(["nextest", "run", "--workspace", "--no-fail-fast"]);
    } else {
        println!("cargo-nextest is not installed; using cargo test");
        tests.args(["test", "--workspace", "--all-targets", "--no-fail-fast"]);
    }
    process::run(tests.args(filter))
}

fn documentation_tests() -> Outcome {
    process::run(cargo().args(["test", "--workspace", "--doc"]))
}

/// The `*_test.lua` files beside the scripts that ship, on the broker's own virtual machine and limits.
fn script_tests() -> Outcome {
    if !root().join("core/server").is_dir() {
        return Ok(());
    }
    let broker = process::build_broker()?;
    process::run(
        Command::new(broker)
            .current_dir(root())
            .args(["plugin", "test", "scripts"]),
    )
}

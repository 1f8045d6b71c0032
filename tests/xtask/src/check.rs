//! `cargo xtask check`: everything that must hold before a change lands. All steps run, so one run shows all that is wrong.

use crate::process::{self, cargo};
use crate::{Outcome, test};

/// A name for the report, and what is done.
type Step = (&'static str, fn() -> Outcome);

/// Format, lints, documentation, licences and tests.
///
/// # Errors
/// When any step fails; the message names them.
pub(crate) fn run() -> Outcome {
    let steps: [Step; 5] = [
        ("fmt", format),
        ("clippy", lints),
        ("doc", documentation),
        ("deny", licences),
        ("test", || test::run(&test::Arguments::default())),
    ];
    let mut failed = Vec::new();
    for (name, step) in steps {
        println!("== {name}");
        if let Err(failure) = step() {
            println!("{failure}");
            failed.push(name);
        }
    }
    if failed.is_empty() {
        println!("== all well");
        Ok(())
    } else {
        Err(format!("failed: {}", failed.join(", ")).into())
    }
}

fn format() -> Outcome {
    process::run(cargo().args(["fmt", "--all", "--check"]))
}

fn lints() -> Outcome {
    process::run(cargo().args([
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "--deny",
        "warnings",
    ]))
}

fn documentation() -> Outcome {
    process::run(cargo().env("RUSTDOCFLAGS", "--deny warnings").args([
        "doc",
        "--workspace",
        "--no-deps",
        "--document-private-items",
    ]))
}

fn licences() -> Outcome {
    if process::find("cargo-deny").is_none() {
        println!(
            "cargo-deny is not installed (cargo install --locked cargo-deny): licences, sources and duplicates not checked"
        );
        return Ok(());
    }
    process::run(cargo().args(["deny", "check", "licenses", "bans", "sources"]))
}

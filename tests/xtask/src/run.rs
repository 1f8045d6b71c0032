//! `cargo xtask run`: the README's run command. Builds the broker as it is meant to run, then becomes it.

use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::process::{self, cargo, target_dir};
use crate::{Outcome, setup};

/// What `cargo xtask run` takes.
#[derive(clap::Args)]
#[group(skip)]
pub(crate) struct Arguments {
    /// Handed to `hookmq run`, as in `--config hookmq.toml`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// Builds the binary and runs it in the folder from which this was called.
///
/// # Errors
/// When a compiler is missing or the build fails. If all goes well, this does not return: signals reach the broker itself.
pub(crate) fn run(arguments: &Arguments) -> Outcome {
    setup::need_cxx()?;
    process::run(cargo().args(["build", "--release", "--package", "hookmq"]))?;
    let binary = target_dir().join("release/hookmq");
    let failure = Command::new(&binary)
        .arg("run")
        .args(&arguments.arguments)
        .exec();
    Err(format!("{}: {failure}", binary.display()).into())
}

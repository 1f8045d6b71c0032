//! `cargo xtask parity`: the table that shows that a policy behaves the same in every runtime, and what is wrong where it does not.
//!
//! `tests/parity` holds what is tried; its cases come from the hook catalogue.

use std::process::Command;

use crate::process::{self, cargo, root, target_dir};
use crate::{Outcome, guests};

/// What `cargo xtask parity` takes.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only hooks whose names contain this.
    filter: Option<String>,
    /// Take the plugins as they were built before.
    #[arg(long)]
    built: bool,
}

/// Builds the policy for every runtime and compares them.
///
/// # Errors
/// When something cannot be built or loaded, or a single case is not as it should be.
pub(crate) fn run(arguments: &Arguments) -> Outcome {
    if !arguments.built {
        guests::prepare_for_tests()?;
    }
    // With the whole workspace's features, so that what tests have built is used.
    process::run(cargo().args(["build", "--quiet", "--workspace", "--bin", "hookmq-parity"]))?;
    let mut table = Command::new(target_dir().join("debug/hookmq-parity"));
    process::run(table.current_dir(root()).args(&arguments.filter))
}

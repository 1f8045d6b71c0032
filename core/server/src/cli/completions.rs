//! `hookmq completions SHELL`.

use std::process::ExitCode;

use clap::CommandFactory;
use clap_complete::Shell;

pub(super) fn run(shell: Shell) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(
        shell,
        &mut super::Arguments::command(),
        "hookmq",
        &mut script,
    );
    super::print(&String::from_utf8_lossy(&script))
}

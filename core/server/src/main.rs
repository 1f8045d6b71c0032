//! The `hookmq` binary: the broker, and the commands around it.
//!
//! ```text
//! cli         one file per command; exit codes          config       TOML and environment -> checked settings
//! generation  the loaded scripts of one config          reload       saved files and SIGHUP -> one swap
//! watch       sees that files were saved                logging      stderr, for people or for machines
//! ```

mod cli;
mod config;
mod generation;
mod logging;
mod reload;
mod self_test;
mod watch;

fn main() -> std::process::ExitCode {
    cli::main()
}

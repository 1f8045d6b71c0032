//! The `hookmq` binary: the broker, and the commands around it.
//!
//! ```text
//! cli         one file per command; exit codes          config       TOML and environment -> checked settings
//! generation  the loaded plugins of one config          reload       saved files and SIGHUP -> one swap
//! runtime     a file -> a plugin, by its ending         self_test    a script's own tests
//! validate    a plugin tried in a process of its own, on hostile input
//! watch       sees that files were saved                logging      stderr, for people or for machines
//! ```

mod cli;
mod config;
mod generation;
mod logging;
mod reload;
mod runtime;
mod self_test;
mod validate;
mod watch;

/// Messages are made by one thread and freed by another, all the time; the system's allocator takes a fifth more for it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    cli::main()
}

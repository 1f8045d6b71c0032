//! The commands: what they are called, what they take, which exit code says what.

mod bench;
mod check;
mod client;
mod completions;
mod config;
mod line;
mod plugin;
mod publish;
mod run;
mod subscribe;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::{Config, PREFIX, Sources};

/// The config or a plugin of it is bad (`EX_USAGE`).
const EXIT_USAGE: u8 = 64;
/// Something failed while running.
const EXIT_FAILED: u8 = 1;

/// An MQTT broker that people program instead of configure.
#[derive(Debug, Parser)]
#[command(name = "hookmq", version, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(flatten)]
    run: ConfigArguments,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the broker; the same as no command at all
    Run(ConfigArguments),
    /// Check the config and load its plugins, but bind nothing
    Check(ConfigArguments),
    /// Print every key with the value in force and who set it
    Config(ConfigArguments),
    /// Begin, list, test or try plugins
    #[command(subcommand)]
    Plugin(plugin::Command),
    /// Publish messages and say what the broker thinks of them
    #[command(name = "pub")]
    Publish(Box<publish::PublishArguments>),
    /// Subscribe and print what comes
    #[command(name = "sub")]
    Subscribe(Box<subscribe::SubscribeArguments>),
    /// Put load on any broker and say what it cost
    Bench(Box<bench::BenchArgs>),
    /// Print a completion script for a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

/// Where the config comes from.
#[derive(Debug, Args)]
struct ConfigArguments {
    /// The config; without one the broker listens on 127.0.0.1:1883 for anybody on this machine.
    /// No file is looked for by itself. Variables named HOOKMQ__SECTION__KEY override it
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A plugin to run beside those of the config; may be given several times
    #[arg(short, long, value_name = "FILE")]
    plugin: Vec<PathBuf>,
}

impl ConfigArguments {
    fn sources(self) -> Sources {
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
            .filter(|(name, _)| name.starts_with(PREFIX))
            .map(|(name, value)| (name, value.to_string_lossy().into_owned()))
            .collect();
        Sources {
            file: self.config,
            plugins: self.plugin,
            environment,
        }
    }

    /// The checked config, or the exit code after its errors were printed.
    fn load(self) -> Result<(Sources, Config), ExitCode> {
        let sources = self.sources();
        match Config::load(&sources) {
            Ok(config) => Ok((sources, config)),
            Err(errors) => Err(refuse(errors.0)),
        }
    }
}

/// Does what the arguments say.
pub(crate) fn main() -> ExitCode {
    let Arguments { run, command } = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are no errors; nothing can be done about a terminal that is gone.
            let _ = error.print();
            return if error.use_stderr() {
                ExitCode::from(EXIT_USAGE)
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    match command.unwrap_or(Command::Run(run)) {
        Command::Run(arguments) => run::run(arguments),
        Command::Check(arguments) => check::run(arguments),
        Command::Config(arguments) => config::run(arguments),
        Command::Plugin(command) => plugin::run(command),
        Command::Publish(arguments) => publish::run(*arguments),
        Command::Subscribe(arguments) => subscribe::run(*arguments),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Completions { shell } => completions::run(shell),
    }
}

/// Prints what is wrong with a config.
fn refuse(errors: impl IntoIterator<Item = impl std::fmt::Display>) -> ExitCode {
    let errors: Vec<_> = errors.into_iter().map(|error| error.to_string()).collect();
    let n_errors = errors.len();
    let plural = if n_errors == 1 { "" } else { "s" };
    eprintln!(
        "{}\n{n_errors} error{plural}, nothing was started",
        errors.join("\n")
    );
    ExitCode::from(EXIT_USAGE)
}

/// Prints a command's result. A reader that went away, as `head` does, is no failure.
fn print(text: &str) -> ExitCode {
    use std::io::Write;
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            eprintln!("cannot write: {error}");
            ExitCode::from(EXIT_FAILED)
        }
        _ => ExitCode::SUCCESS,
    }
}

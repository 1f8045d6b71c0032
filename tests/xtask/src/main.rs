//! The project's chores, as `cargo xtask COMMAND`: one file per command.
//!
//! Nothing here is linked into the broker. A command does its own set-up, says on standard output what it does, bounds
//! every wait, ends only processes that it started, and exits non-zero when anything failed.
#![allow(
    clippy::print_stdout,
    reason = "a command line tool talks on standard output"
)]

mod broker;
mod check;
mod clauses;
mod crash;
mod flaws;
mod foreign;
mod fuzz;
mod generate;
mod guests;
mod hostile;
mod overload;
mod paho;
mod parity;
mod process;
mod run;
mod setup;
mod soak;
mod test;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// What went wrong, in words for the person at the terminal.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The result of a step that can fail.
type Outcome<T = ()> = Result<T, Failure>;

/// The project's chores.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Everything that must hold before a change lands: format, lints, docs, licences, tests.
    Check,
    /// The broker itself, built for speed; what follows is handed to `hookmq run`.
    Run(run::Arguments),
    /// The whole test suite, with its set-up.
    Test(test::Arguments),
    /// Which clause of the standards is shown by which test.
    Clauses(clauses::Arguments),
    /// Clients written elsewhere against the broker: mosquitto, paho-mqtt, MQTT.js, rumqttc.
    Foreign(foreign::Arguments),
    /// The Eclipse Paho interoperability tests, from a checkout.
    Paho(paho::Arguments),
    /// The fuzz targets, each for some seconds.
    Fuzz(fuzz::Arguments),
    /// Plugins as files, for every carrier: what tests load, and what ships.
    Guests(guests::Arguments),
    /// Plugins that misbehave on purpose, against a broker that runs.
    Hostile(hostile::Arguments),
    /// A broker that is killed again and again under load, and what it has lost then.
    Crash(crash::kill::Arguments),
    /// The same, and the power goes: the disk has lost what was not synced.
    Powercut(crash::power::Arguments),
    /// Damaged files of a store, and what the broker makes of them.
    Bitflip(crash::flip::Arguments),
    /// A disk that is full, fails or is read-only while the broker runs.
    Faults(crash::fault::Arguments),
    /// A broker under everything at once for minutes: what it loses, and whether it grows.
    Soak(soak::Arguments),
    /// More than the broker can take, from four sides, and what its other clients see of it.
    Overload(overload::Arguments),
    /// The same policy in every runtime, compared hook by hook.
    Parity(parity::Arguments),
    /// What follows from the hook catalogue: typed views, type files for editors, the hook reference.
    Generate,
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Check => check::run(),
        Command::Run(arguments) => run::run(&arguments),
        Command::Test(arguments) => test::run(&arguments),
        Command::Clauses(arguments) => clauses::run(&arguments),
        Command::Foreign(arguments) => foreign::run(&arguments),
        Command::Paho(arguments) => paho::run(&arguments),
        Command::Fuzz(arguments) => fuzz::run(&arguments),
        Command::Guests(arguments) => guests::run(&arguments),
        Command::Hostile(arguments) => hostile::run(&arguments),
        Command::Crash(arguments) => crash::kill::run(&arguments),
        Command::Powercut(arguments) => crash::power::run(&arguments),
        Command::Bitflip(arguments) => crash::flip::run(&arguments),
        Command::Faults(arguments) => crash::fault::run(&arguments),
        Command::Soak(arguments) => soak::run(&arguments),
        Command::Overload(arguments) => overload::run(&arguments),
        Command::Parity(arguments) => parity::run(&arguments),
        Command::Generate => generate::run(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("xtask: {failure}");
            ExitCode::FAILURE
        }
    }
}

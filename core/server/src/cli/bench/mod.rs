//! `hookmq bench`: load on any broker, and what it costs that broker.
//!
//! The generator is one thread with its own tight way to speak MQTT (`wire`), so that one core drives millions of
//! messages a second; `load`, `latency` and `connections` are the scenarios, `compare` runs several brokers in turns.

mod args;
mod compare;
mod connections;
mod flow;
mod latency;
mod load;
mod peers;
mod process;
mod report;
mod wire;

use std::io::{self, Write};
use std::net::{SocketAddr, ToSocketAddrs};
use std::process::{ExitCode, ExitStatus};
use std::time::{Duration, Instant};

pub(crate) use args::{BenchArgs, Scenario};
use compare::Comparison;
use process::Process;
use report::Outcome;
use wire::{Dialect, STAMP_BYTES};

use super::{EXIT_FAILED, EXIT_USAGE};

/// How long a started broker may take to accept a connection.
const START_WITHIN: Duration = Duration::from_secs(15);

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
enum BenchError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("{0}:{1} has no address")]
    Address(String, u16),
    #[error("nobody accepts connections on {address}: {error}")]
    Unreachable {
        address: SocketAddr,
        error: io::Error,
    },
    #[error("cannot start {command:?}: {error}")]
    Spawn { command: String, error: io::Error },
    #[error("the started command has ended: {0}")]
    Ended(ExitStatus),
    #[error("{what} refused (0x{code:02x})")]
    Refused { what: &'static str, code: u8 },
    #[error("expected {0} and got something else")]
    Unexpected(&'static str),
    #[error(transparent)]
    Encode(#[from] hookmq_mqtt::EncodeError),
    #[error("a window has 65535 messages at most")]
    Window,
    #[error("{wanted} connections need more than the {limit} open files allowed; raise it with: ulimit -n {}", wanted + 1_000)]
    OpenFiles { limit: usize, wanted: usize },
}

/// Measures and prints; see [`BenchArgs`] for the exit codes.
pub(crate) fn run(args: &BenchArgs) -> ExitCode {
    if let Err(complaint) = check(args) {
        eprintln!("hookmq bench: {complaint}");
        return ExitCode::from(EXIT_USAGE);
    }
    // A plain thread, because the generator has a runtime of its own.
    let measured = std::thread::scope(|scope| scope.spawn(|| measure(args)).join());
    match measured {
        Ok(Ok(true)) => ExitCode::SUCCESS,
        Ok(Ok(false)) => ExitCode::from(EXIT_FAILED),
        Ok(Err(error)) => {
            eprintln!("hookmq bench: {error}");
            ExitCode::from(EXIT_FAILED)
        }
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

fn check(args: &BenchArgs) -> Result<(), String> {
    if args.payload < STAMP_BYTES {
        return Err(format!(
            "--payload {}: {STAMP_BYTES} bytes at least, for sequence number and time",
            args.payload
        ));
    }
    let positive = [
        ("--publishers", args.publishers.unwrap_or(1)),
        ("--subscribers", args.subscribers.unwrap_or(1)),
        ("--window", args.window.unwrap_or(1)),
        ("--connections", args.connections),
        ("--filters", args.filters),
        ("--rounds", args.rounds),
    ];
    if let Some((name, _)) = positive.iter().find(|(_, value)| *value == 0) {
        return Err(format!("{name} 0: one at least"));
    }
    if args
        .window
        .is_some_and(|window| window > usize::from(u16::MAX))
    {
        return Err("--window: 65535 at most".to_owned());
    }
    let finite = |seconds: f64| seconds.is_finite() && (0.0..=86_400.0).contains(&seconds);
    if args.persistent && !args.protocol.is_v5() {
        return Err(
            "--persistent: a session that begins anew and stays needs --protocol 5".to_owned(),
        );
    }
    if args.rate == 0 || args.seconds <= 0.0 || !finite(args.seconds) || !finite(args.warmup) {
        return Err(
            "--rate and --seconds: more than zero; --warmup: zero or more; a day at most"
                .to_owned(),
        );
    }
    Ok(())
}

/// True if everything was clean.
fn measure(args: &BenchArgs) -> Result<bool, BenchError> {
    if let Some(core) = args.pin_self {
        process::pin_self(core)?;
    }
    let mut clean = true;
    for scenario in &args.scenarios {
        if args.peer.is_empty() {
            let outcome = run_one(args, *scenario)?;
            clean &= outcome.counts.is_clean();
            print(args, &outcome.text(), &outcome.json())?;
        } else {
            let comparison = compare_all(args, *scenario);
            clean &= comparison.is_clean();
            print(args, &comparison.text(), &comparison.json())?;
        }
    }
    Ok(clean)
}

/// One scenario against one broker, started for it if there is a command.
fn run_one(args: &BenchArgs, scenario: Scenario) -> Result<Outcome, BenchError> {
    let address = (args.host.as_str(), args.port)
        .to_socket_addrs()?
        .next()
        .ok_or_else(|| BenchError::Address(args.host.clone(), args.port))?;
    let mut process = match &args.spawn {
        Some(command) => {
            // An old broker on that port would be measured instead.
            if std::net::TcpStream::connect(address).is_ok() {
                return Err(io::Error::new(
                    io::ErrorKind::AddrInUse,
                    format!("{address} is in use already"),
                )
                .into());
            }
            Process::spawn(command, args.pin_broker)?
        }
        None => Process::running(args.pid),
    };
    let dialect = Dialect {
        address,
        version: args.protocol,
        qos: args.qos,
        persistent: args.persistent,
    };
    connections::local(async {
        wait_until_it_accepts(address, &mut process).await?;
        match scenario {
            Scenario::Latency => latency::run(args, dialect, &mut process).await,
            Scenario::Connect => connections::run(args, dialect, &mut process).await,
            _ => load::run(args, scenario, dialect, &mut process).await,
        }
    })?
}

/// Every peer once per round, in turns.
fn compare_all(args: &BenchArgs, scenario: Scenario) -> Comparison {
    let mut rounds: Vec<_> = args
        .peer
        .iter()
        .map(|peer| (peer.name.clone(), Vec::new()))
        .collect();
    for round in 0..args.rounds {
        for (peer, (name, outcomes)) in args.peer.iter().zip(&mut rounds) {
            eprintln!(
                "{} round {}/{}: {name}",
                args.title(scenario),
                round + 1,
                args.rounds
            );
            outcomes
                .push(run_one(&args.for_peer(peer), scenario).map_err(|error| error.to_string()));
        }
    }
    Comparison {
        title: args.title(scenario),
        rounds,
    }
}

async fn wait_until_it_accepts(
    address: SocketAddr,
    process: &mut Process,
) -> Result<(), BenchError> {
    let began = Instant::now();
    loop {
        process.check()?;
        match tokio::net::TcpStream::connect(address).await {
            Ok(_) => return Ok(()),
            Err(error) if began.elapsed() > START_WITHIN || !process.is_started() => {
                return Err(BenchError::Unreachable { address, error });
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

fn print(args: &BenchArgs, text: &str, json: &serde_json::Value) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if args.json {
        writeln!(out, "{json}")
    } else {
        write!(out, "{text}")
    }
}

//! `cargo xtask foreign`: clients that nobody here wrote, against the broker.
//!
//! One driver per client in `tests/foreign` goes through the scenarios of `scenarios.txt` and says one line per check;
//! this module prepares the clients, runs the drivers, and judges: a scenario that a driver did not mention has failed.

mod clients;
mod report;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::broker::{self, Broker, Settings};
use crate::process::{Running, root};
use crate::{Outcome, paho};
use clients::Client;
use report::{Check, Report, Scenario, Verdict};

/// The longest that one driver may take over all its scenarios.
const DRIVER: Duration = Duration::from_secs(300);

/// What `cargo xtask foreign` takes.
#[derive(clap::Args)]
#[group(skip)]
pub(crate) struct Arguments {
    #[command(flatten)]
    broker: broker::Arguments,
    /// Only this client (can be repeated).
    #[arg(long, value_enum)]
    client: Vec<Client>,
    /// Only this scenario.
    #[arg(long)]
    scenario: Option<String>,
    /// A checkout of eclipse/paho.mqtt.testing: its tests run as well, against a broker of their own.
    #[arg(long, value_name = "PATH")]
    paho: Option<PathBuf>,
}

/// Installs the clients that the workspace's own tests drive.
///
/// # Errors
/// When one cannot be had; the message says what to install by hand.
pub(crate) fn prepare_for_tests() -> Outcome {
    Client::Mosquitto.prepare()?;
    Client::Paho.prepare()
}

/// Runs every client through every scenario, in 3.1.1 and in 5.0.
///
/// # Errors
/// When a client cannot be had, the broker does not start or stop cleanly, or any check fails.
pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let clients = run_clients(arguments);
    let Some(checkout) = &arguments.paho else {
        return clients;
    };
    let suite = paho::run(&paho::Arguments::of(checkout, &arguments.broker));
    clients.and(suite)
}

fn run_clients(arguments: &Arguments) -> Outcome {
    let scenarios = Scenario::read_all(arguments.scenario.as_deref())?;
    let clients: Vec<Client> = Client::ALL
        .into_iter()
        .filter(|client| arguments.client.is_empty() || arguments.client.contains(client))
        .collect();
    for client in &clients {
        client.prepare()?;
    }
    let settings = Settings {
        hookmq: String::new(),
        mosquitto: "max_queued_messages 0\n",
    };
    let broker = Broker::start(&arguments.broker, "foreign", &settings)?;
    println!("{} listens on {}", broker.name, broker.address);

    let per_client: usize = scenarios
        .iter()
        .map(|scenario| scenario.versions.len())
        .sum();
    let bar = progress(per_client * clients.len());
    let mut report = Report::default();
    for client in clients {
        drive(
            client,
            &broker,
            &scenarios,
            arguments.scenario.as_deref(),
            &mut report,
            &bar,
        );
    }
    bar.finish_and_clear();

    let stopped = broker.stop();
    println!("\n{}", report.table(&scenarios));
    if let Err(failure) = &stopped {
        println!("FAIL  the broker: {failure}");
    }
    println!("{}", report.closing_line(stopped.is_err()));
    if report.failed() == 0 && stopped.is_ok() {
        Ok(())
    } else {
        Err("foreign clients: not all checks passed".into())
    }
}

/// Runs one driver to its end and enters what it said, and what it kept silent about.
fn drive(
    client: Client,
    broker: &Broker,
    scenarios: &[Scenario],
    only: Option<&str>,
    report: &mut Report,
    bar: &ProgressBar,
) {
    bar.suspend(|| println!("== {}", client.name()));
    let mut command = client.driver();
    command.current_dir(root());
    command.args([
        "--host",
        &broker.address.ip().to_string(),
        "--port",
        &broker.address.port().to_string(),
    ]);
    if let Some(only) = only {
        command.args(["--scenario", only]);
    }
    let deadline = Instant::now() + DRIVER;
    let mut noise = Vec::new();
    let ended = Running::start(&mut command).and_then(|running| {
        while let Some(line) = running.line(deadline)? {
            let Some(check) = Check::parse(client, &line) else {
                noise.push(line);
                continue;
            };
            bar.suspend(|| println!("{check}"));
            bar.inc(1);
            report.enter(check);
        }
        running.finish(deadline)
    });
    let end = match ended {
        Ok(status) if status.success() => "the driver said nothing of it".to_owned(),
        Ok(status) => format!("the driver ended early ({status})"),
        Err(failure) => failure.to_string(),
    };
    let mut silent = 0;
    for scenario in scenarios {
        for version in &scenario.versions {
            if report.verdict(client, &scenario.name, version).is_none() {
                silent += 1;
                let check = Check::failed(client, &scenario.name, version, &end);
                bar.suspend(|| println!("{check}"));
                bar.inc(1);
                report.enter(check);
            }
        }
    }
    if silent > 0 || report.any(client, Verdict::Fail) {
        bar.suspend(|| {
            for line in noise.iter().skip(noise.len().saturating_sub(40)) {
                println!("      {line}");
            }
        });
    }
}

fn progress(checks: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} checks, {elapsed}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    // Drawn on standard error, and only when that is a terminal.
    ProgressBar::new(checks as u64).with_style(style)
}

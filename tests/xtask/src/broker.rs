//! The broker that a suite runs against: our binary, Debian's mosquitto for comparison, or one that runs already.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use clap::ValueEnum;

use crate::process::{self, Running, target_dir};
use crate::{Outcome, setup};

/// The longest that a broker may take to listen, or to stop.
const PATIENCE: Duration = Duration::from_secs(15);

/// Which broker is judged.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Ours, built first.
    Hookmq,
    /// Debian's, to tell a fault of the broker from one of the suite.
    Mosquitto,
}

/// How a suite is told its broker.
#[derive(Clone, clap::Args)]
#[group(skip)]
pub(crate) struct Arguments {
    /// Start this broker on a free loopback port.
    #[arg(long, value_enum, default_value = "hookmq")]
    broker: Kind,
    /// Use a broker that listens here already.
    #[arg(long, value_name = "IP:PORT", conflicts_with = "broker")]
    target: Option<SocketAddr>,
}

/// A configuration for each broker that can be started.
pub(crate) struct Settings {
    /// Follows the listener in our TOML.
    pub hookmq: String,
    /// Follows the listener in mosquitto's file.
    pub mosquitto: &'static str,
}

/// A broker that listens. Dropped, it is killed if it was started here.
pub(crate) struct Broker {
    /// Where it listens.
    pub address: SocketAddr,
    /// What it is, for the report.
    pub name: String,
    started: Option<Started>,
}

struct Started {
    running: Running,
    log: PathBuf,
}

impl Broker {
    /// Builds and starts what the arguments ask for; returns when it listens.
    ///
    /// # Errors
    /// When it cannot be built or started, or does not listen in time; the message has its last words.
    pub(crate) fn start(arguments: &Arguments, suite: &str, settings: &Settings) -> Outcome<Self> {
        if let Some(address) = arguments.target {
            TcpStream::connect_timeout(&address, PATIENCE)
                .map_err(|error| format!("nothing listens on {address}: {error}"))?;
            return Ok(Self {
                address,
                name: format!("the broker on {address}"),
                started: None,
            });
        }
        let folder = target_dir().join("suites").join(suite);
        fs::create_dir_all(&folder)?;
        let address = free_address()?;
        let (mut command, name) = match arguments.broker {
            Kind::Hookmq => (hookmq(&folder, address, &settings.hookmq)?, "hookmq"),
            Kind::Mosquitto => (
                mosquitto(&folder, address, settings.mosquitto)?,
                "mosquitto",
            ),
        };
        let log = folder.join("broker.log");
        let running = Running::start_logging(command.current_dir(&folder), &log)?;
        let broker = Self {
            address,
            name: name.to_owned(),
            started: Some(Started { running, log }),
        };
        broker.wait_until_it_listens()?;
        Ok(broker)
    }

    /// Stops a broker that was started here, as an operator would.
    ///
    /// # Errors
    /// When it was over already, does not stop, does not exit with 0, or had a panic; the message has its last words.
    pub(crate) fn stop(self) -> Outcome {
        let Some(Started { running, log }) = &self.started else {
            return Ok(());
        };
        if let Some(status) = running.ended_within(Duration::ZERO) {
            return Err(format!(
                "{} ended by itself ({status}):\n{}",
                self.name,
                last_words(log)
            )
            .into());
        }
        running.terminate();
        let status = running.finish(Instant::now() + PATIENCE)?;
        let panic = String::from_utf8_lossy(&fs::read(log)?)
            .lines()
            .find(|line| line.contains("panicked at"))
            .map(str::to_owned);
        if let Some(panic) = panic {
            Err(format!("{} had a panic: {panic}", self.name).into())
        } else if status.success() {
            Ok(())
        } else {
            Err(format!(
                "{} did not stop cleanly ({status}):\n{}",
                self.name,
                last_words(log)
            )
            .into())
        }
    }

    fn wait_until_it_listens(&self) -> Outcome {
        let deadline = Instant::now() + PATIENCE;
        let Some(Started { running, log }) = &self.started else {
            return Ok(());
        };
        while TcpStream::connect(self.address).is_err() {
            if running.ended_within(Duration::from_millis(20)).is_some()
                || Instant::now() > deadline
            {
                return Err(format!(
                    "{} does not listen on {}:\n{}",
                    self.name,
                    self.address,
                    last_words(log)
                )
                .into());
            }
        }
        Ok(())
    }
}

fn last_words(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines
        .get(lines.len().saturating_sub(15)..)
        .unwrap_or_default()
        .join("\n")
}

fn free_address() -> Outcome<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

fn hookmq(folder: &Path, address: SocketAddr, settings: &str) -> Outcome<Command> {
    setup::need_cxx()?;
    let binary = process::build_broker()?;
    let file = folder.join("broker.toml");
    fs::write(
        &file,
        format!("[[listener]]\nbind = \"{address}\"\n\n{settings}"),
    )?;
    let mut command = Command::new(binary);
    command.args(["run", "--config"]).arg(file);
    Ok(command)
}

fn mosquitto(folder: &Path, address: SocketAddr, settings: &str) -> Outcome<Command> {
    let program = process::find("mosquitto")
        .or_else(|| Some(PathBuf::from("/usr/sbin/mosquitto")).filter(|file| file.is_file()))
        .ok_or("mosquitto is missing (on Debian: apt-get install mosquitto)")?;
    let file = folder.join("mosquitto.conf");
    fs::write(
        &file,
        format!(
            "listener {} {}\nallow_anonymous true\n{settings}",
            address.port(),
            address.ip()
        ),
    )?;
    let mut command = Command::new(program);
    command.arg("-c").arg(file);
    Ok(command)
}

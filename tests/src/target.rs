//! The broker that a conversation is held with: one started for it alone, or one at an address.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::play::Clock;

/// How long another broker may take to listen.
const START: Duration = Duration::from_secs(10);

/// Names the broker in the environment: `127.0.0.1:1883` for one that runs, or a command with `{port}` in it that is
/// started anew for each conversation, such as `mosquitto -p {port}`. Without it, our own broker inside the test.
pub const VARIABLE: &str = "HOOKMQ_TEST_TARGET";

/// The broker of one conversation.
#[derive(Debug)]
pub struct Target {
    address: SocketAddr,
    child: Option<Child>,
}

impl Target {
    /// What the environment names; empty for our own broker.
    #[must_use]
    pub fn named() -> String {
        std::env::var(VARIABLE).unwrap_or_default()
    }

    /// Whether `advance` moves a virtual clock, so that waiting costs nothing.
    #[must_use]
    pub const fn has_virtual_time(target: &str) -> bool {
        target.is_empty()
    }

    /// Starts or finds the broker.
    ///
    /// # Errors
    /// A sentence about what could not be started.
    pub async fn start(target: &str, _settings: &BTreeMap<String, toml::Value>, clock: &Clock) -> Result<Self, String> {
        if let Ok(address) = target.parse() {
            return Ok(Self { address, child: None });
        }
        let free = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|error| error.to_string())?;
        let address = free.local_addr().map_err(|error| error.to_string())?;
        drop(free);
        let command = target.replace("{port}", &address.port().to_string());
        let mut words = command.split_whitespace();
        let mut child = Command::new(words.next().unwrap_or_default())
            .args(words)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("{command}: {error}"))?;
        let begin = Instant::now();
        while tokio::net::TcpStream::connect(address).await.is_err() {
            if begin.elapsed() > START {
                let _ = child.kill();
                return Err(format!("{command} does not listen"));
            }
            clock.pass(Duration::from_millis(1)).await;
        }
        Ok(Self { address, child: Some(child) })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether it is our own broker, which says more than a broker must.
    #[must_use]
    pub const fn is_ours(&self) -> bool {
        false
    }

    /// Lets time pass.
    pub async fn advance(&self, time: Duration, clock: &Clock) {
        clock.pass(time).await;
    }

    /// Ends a broker that was started for the conversation.
    pub async fn stop(mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

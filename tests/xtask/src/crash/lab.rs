//! A real broker with a store in a folder of its own: started, killed, stopped, and what its log complains of.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use serde_json::Value as Json;

use crate::process::{Running, target_dir};
use crate::{Outcome, process, setup};

/// The longest that anything may take which goes well at once.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);
/// Logs that are kept: of the last so many starts.
const LOGS: usize = 8;

/// What is put between the broker and its disk: variables for its environment.
pub(super) type Between = Vec<(String, String)>;

/// See the module.
pub(super) struct Lab {
    folder: PathBuf,
    address: SocketAddr,
    binary: PathBuf,
    n_starts: usize,
}

/// A broker that was started. Dropped, it is killed.
pub(super) struct Broker {
    running: Running,
    pub(super) address: SocketAddr,
    /// When its process began.
    pub(super) began: Instant,
    log: PathBuf,
}

/// How the broker is built for these commands.
pub(super) fn build() -> Outcome<PathBuf> {
    setup::need_cxx()?;
    process::build_broker()
}

impl Lab {
    /// An empty folder with a config: a listener, and these further sections.
    ///
    /// # Errors
    /// When there is no folder or no free port.
    pub(super) fn new(name: &str, binary: &Path, sections: &str) -> Outcome<Self> {
        let folder = target_dir().join("suites/crash").join(name);
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        let address = free_address()?;
        fs::write(
            folder.join("broker.toml"),
            format!(
                "[[listener]]\nbind = \"{address}\"\n\n[reload]\nwatch = \"off\"\n\n{sections}"
            ),
        )?;
        Ok(Self {
            folder,
            address,
            binary: binary.to_owned(),
            n_starts: 0,
        })
    }

    /// Its folder.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The store's folder.
    pub(super) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Starts the broker; does not wait for anything.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub(super) fn start(&mut self, between: &Between) -> Outcome<Broker> {
        let log = self
            .folder
            .join(format!("broker-{}.log", self.n_starts % LOGS));
        self.n_starts += 1;
        let mut command = Command::new(&self.binary);
        command
            .current_dir(&self.folder)
            .args(["run", "--config", "broker.toml"])
            .envs(between.iter().map(|(name, value)| (name, value)));
        let began = Instant::now();
        let running = Running::start_logging(&mut command, &log)?;
        Ok(Broker {
            running,
            address: self.address,
            began,
            log,
        })
    }
}

impl Broker {
    /// How it ended, if it did.
    pub(super) fn ended(&self) -> Option<ExitStatus> {
        self.running.ended_within(Duration::ZERO)
    }

    /// Waits until it listens; false if it does not by the limit.
    ///
    /// # Errors
    /// When it ends first; the message has its last words.
    pub(super) fn listens(&self, limit: Duration) -> Outcome<bool> {
        let until = Instant::now() + limit;
        while TcpStream::connect(self.address).is_err() {
            if let Some(status) = self.ended_within(Duration::from_millis(2)) {
                return Err(format!("the broker ended ({status}): {}", self.words()).into());
            }
            if Instant::now() > until {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// SIGKILL, at once; does not wait for the end.
    pub(super) fn kill(&self) {
        self.running.kill();
    }

    /// Waits for the end, however it came.
    ///
    /// # Errors
    /// When it does not end.
    pub(super) fn wait(&self) -> Outcome<ExitStatus> {
        self.running.finish(Instant::now() + PATIENCE)
    }

    /// The same with a limit; nothing if it goes on.
    pub(super) fn ended_within(&self, limit: Duration) -> Option<ExitStatus> {
        self.running.ended_within(limit)
    }

    /// Stops it, as an operator would.
    ///
    /// # Errors
    /// When it was over already, does not stop, or not with 0.
    pub(super) fn stop(&self) -> Outcome {
        if let Some(status) = self.ended() {
            return Err(format!("the broker ended by itself ({status}): {}", self.words()).into());
        }
        self.running.terminate();
        let status = self.wait()?;
        if status.success() {
            Ok(())
        } else {
            Err(format!("the broker did not stop well ({status}): {}", self.words()).into())
        }
    }

    /// The log so far, line by line; a panic's text is a line as well.
    pub(super) fn lines(&self) -> Vec<Line> {
        let text = fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&text).lines().map(line).collect()
    }

    /// The end of the log.
    pub(super) fn words(&self) -> String {
        let lines = self.lines();
        let tail = lines.get(lines.len().saturating_sub(6)..);
        let tail: Vec<&str> = tail
            .unwrap_or_default()
            .iter()
            .map(|line| line.words.as_str())
            .collect();
        tail.join(" / ")
    }
}

/// One line of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// Of the log's words for it: `ERROR`, `WARN`, ...; `PANIC` for a panic's text, empty for other plain text.
    pub(super) level: String,
    /// What it says, with its fields.
    pub(super) words: String,
}

fn line(text: &str) -> Line {
    let Ok(Json::Object(fields)) = serde_json::from_str::<Json>(text) else {
        let is_panic = text.contains("panicked at") || text.contains("overflowed its stack");
        return Line {
            level: if is_panic { "PANIC" } else { "" }.to_owned(),
            words: text.to_owned(),
        };
    };
    let text = |key: &str| fields.get(key).and_then(Json::as_str).unwrap_or_default();
    let mut words = text("message").to_owned();
    for (key, value) in &fields {
        if !matches!(key.as_str(), "message" | "level" | "timestamp" | "target") {
            words.push_str(&format!(" {key}={value}"));
        }
    }
    Line {
        level: text("level").to_uppercase(),
        words,
    }
}

/// A port that no outgoing connection is given: one that tries again and again while nobody listens could meet itself there.
pub(super) fn free_address() -> Outcome<SocketAddr> {
    for _ in 0..1000 {
        let address = SocketAddr::from(([127, 0, 0, 1], fastrand::u16(15_000..30_000)));
        if TcpListener::bind(address).is_ok() {
            return Ok(address);
        }
    }
    Err("no free port below 30000".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_log_is_its_level_and_its_words() {
        let json = r#"{"timestamp":"t","level":"ERROR","message":"store: x is damaged","target":"b","n":3}"#;
        assert_eq!(
            line(json),
            Line {
                level: "ERROR".into(),
                words: "store: x is damaged n=3".into()
            }
        );
        assert_eq!(line("thread 'a' panicked at b").level, "PANIC");
        assert_eq!(line("hello").level, "");
    }
}

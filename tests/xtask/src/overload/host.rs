//! The broker under load, in a folder of its own.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::process::{Running, target_dir};

/// The longest that a start or a stop may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// See the module. Dropped, the broker is killed.
pub(super) struct Host {
    folder: PathBuf,
    listener: String,
    pub(super) address: SocketAddr,
    running: Running,
}

impl Host {
    /// Starts the broker and returns when it listens. `listener` are further keys of its listener, `sections` further sections.
    ///
    /// # Errors
    /// When it does not; the message has its last words.
    pub(super) fn start(binary: &Path, listener: &str, sections: &str) -> Outcome<Self> {
        Self::start_with(binary, listener, sections, None)
    }

    /// The same with so many file descriptors.
    ///
    /// # Errors
    /// As [`Host::start`].
    pub(super) fn start_with(
        binary: &Path,
        listener: &str,
        sections: &str,
        n_descriptors: Option<u32>,
    ) -> Outcome<Self> {
        let folder = target_dir().join("suites/overload");
        fs::create_dir_all(&folder)?;
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let log = folder.join("broker.log");
        let mut command = match n_descriptors {
            None => Command::new(binary),
            Some(n) => {
                let mut shell = Command::new("sh");
                shell
                    .args(["-c", &format!("ulimit -n {n} && exec \"$0\" \"$@\"")])
                    .arg(binary);
                shell
            }
        };
        command
            .current_dir(&folder)
            .args(["run", "--config", "broker.toml"]);
        let listener = format!("[[listener]]\nbind = \"{address}\"\n{listener}\n");
        write_config(&folder, &listener, sections)?;
        let host = Self {
            running: Running::start_logging(&mut command, &log)?,
            folder,
            listener,
            address,
        };
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(address).is_err() {
            let moment = Duration::from_millis(20);
            if host.running.ended_within(moment).is_some() || Instant::now() > deadline {
                return Err(format!("the broker does not listen: {}", host.log()).into());
            }
        }
        Ok(host)
    }

    /// Writes other sections, and tells the broker.
    ///
    /// # Errors
    /// When they cannot be written.
    pub(super) fn reload(&self, sections: &str) -> Outcome {
        write_config(&self.folder, &self.listener, sections)?;
        self.running.hang_up();
        Ok(())
    }

    /// What it has said so far.
    pub(super) fn log(&self) -> String {
        fs::read_to_string(self.folder.join("broker.log")).unwrap_or_default()
    }

    /// Waits until it has said something.
    ///
    /// # Errors
    /// When it does not.
    pub(super) async fn says(&self, words: &str) -> Outcome {
        let deadline = Instant::now() + PATIENCE;
        while !self.log().contains(words) {
            if Instant::now() > deadline {
                return Err(format!("the broker does not say \"{words}\": {}", self.log()).into());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// Bytes of memory that it has at present.
    pub(super) fn rss(&self) -> u64 {
        let file = format!("/proc/{}/status", self.running.pid());
        let status = fs::read_to_string(file).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let word = line.and_then(|rest| rest.split_whitespace().next());
        word.and_then(|word| word.parse::<u64>().ok())
            .unwrap_or_default()
            * 1024
    }

    /// Stops it.
    ///
    /// # Errors
    /// When it was over already, or does not stop well.
    pub(super) fn stop(self) -> Outcome {
        if self.running.ended_within(Duration::ZERO).is_some() {
            return Err(format!("the broker ended by itself: {}", self.log()).into());
        }
        self.running.terminate();
        let status = self.running.finish(Instant::now() + PATIENCE)?;
        if status.success() {
            Ok(())
        } else {
            Err(format!("the broker did not stop well ({status}): {}", self.log()).into())
        }
    }
}

fn write_config(folder: &Path, listener: &str, sections: &str) -> Outcome {
    let text = format!("{listener}\n[reload]\nwatch = \"off\"\n\n{sections}\n");
    fs::write(folder.join("broker.toml"), text)?;
    Ok(())
}

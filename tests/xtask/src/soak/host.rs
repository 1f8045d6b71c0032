//! The broker under test, with its store, its script and what it takes of the machine.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::process::{Running, target_dir};

/// The longest that a start or a stop may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// See the module. Dropped, the broker is killed.
pub(super) struct Host {
    folder: PathBuf,
    pub(super) address: SocketAddr,
    running: Running,
}

/// What it takes of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sample {
    /// Since the beginning.
    pub(super) at: Duration,
    /// Bytes resident (VmRSS).
    pub(super) rss: u64,
    /// Bytes of all files of the store, as the disk counts them.
    pub(super) folder: u64,
    pub(super) fds: u64,
    pub(super) threads: u64,
}

impl Host {
    /// Starts the broker on an empty store and returns when it listens.
    ///
    /// # Errors
    /// When it does not; the message has its last words.
    pub(super) fn start(binary: &Path, durability: &str) -> Outcome<Self> {
        let folder = target_dir().join("suites/soak");
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        write_script(&folder, 0)?;
        // No queue drops anything: what is missing was lost.
        let config = format!(
            r#"[[listener]]
bind = "{address}"

[log]
level = "warn"

[storage]
path = "data"
durability = "{durability}"

[session]
maximum_queued_messages = 1000000
maximum_queued_bytes = "1GiB"

[[plugin]]
name = "stamp"
path = "stamp.lua"
topics = ["soak/#"]
timeout = "5s"
"#
        );
        fs::write(folder.join("broker.toml"), config)?;
        let log = folder.join("broker.log");
        let mut command = Command::new(binary);
        command
            .current_dir(&folder)
            .args(["run", "--config", "broker.toml"]);
        let host = Self {
            running: Running::start_logging(&mut command, &log)?,
            folder,
            address,
        };
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(address).is_err() {
            let moment = Duration::from_millis(20);
            if host.running.ended_within(moment).is_some() || Instant::now() > deadline {
                return Err(format!("the broker does not listen: {}", host.words()).into());
            }
        }
        Ok(host)
    }

    /// Saves the script in another generation, as an editor does; the broker sees that by itself.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn save_script(&self, generation: u64) -> Outcome {
        write_script(&self.folder, generation)
    }

    /// How it ended, if it did.
    pub(super) fn ended(&self) -> Option<ExitStatus> {
        self.running.ended_within(Duration::ZERO)
    }

    /// What it takes of the machine now. What cannot be read is 0.
    pub(super) fn sample(&self, at: Duration) -> Sample {
        let process = PathBuf::from(format!("/proc/{}", self.running.pid()));
        let status = fs::read_to_string(process.join("status")).unwrap_or_default();
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let word = line.and_then(|rest| rest.split_whitespace().next());
            word.and_then(|word| word.parse::<u64>().ok())
                .unwrap_or_default()
        };
        Sample {
            at,
            rss: field("VmRSS:") * 1024,
            folder: folder_bytes(&self.folder.join("data")),
            fds: fs::read_dir(process.join("fd")).map_or(0, |entries| entries.count() as u64),
            threads: field("Threads:"),
        }
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
        let status = self.running.finish(Instant::now() + PATIENCE)?;
        if status.success() {
            Ok(())
        } else {
            Err(format!("the broker did not stop well ({status}): {}", self.words()).into())
        }
    }

    /// Lines of the log that a broker in good order does not write.
    pub(super) fn complaints(&self) -> Vec<String> {
        let text = fs::read(self.folder.join("broker.log")).unwrap_or_default();
        String::from_utf8_lossy(&text)
            .lines()
            .filter(|line| {
                line.contains(r#""level":"ERROR""#)
                    || line.contains("panicked at")
                    || line.contains("reload refused")
            })
            .map(str::to_owned)
            .collect()
    }

    /// The end of the log.
    pub(super) fn words(&self) -> String {
        let text = fs::read(self.folder.join("broker.log")).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        let tail = lines.get(lines.len().saturating_sub(6)..);
        tail.unwrap_or_default().join(" / ")
    }

    /// Where everything is.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }
}

/// Growth of a figure per minute: least squares over the samples from `from` on. 0 with fewer than two of them.
pub(super) fn slope(samples: &[Sample], from: Duration, figure: impl Fn(&Sample) -> u64) -> f64 {
    let points: Vec<(f64, f64)> = samples
        .iter()
        .filter(|sample| sample.at >= from)
        .map(|sample| (sample.at.as_secs_f64() / 60.0, figure(sample) as f64))
        .collect();
    let n = points.len().max(1) as f64;
    let mean_x = points.iter().map(|(x, _)| x).sum::<f64>() / n;
    let mean_y = points.iter().map(|(_, y)| y).sum::<f64>() / n;
    let spread: f64 = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
    let common: f64 = points
        .iter()
        .map(|(x, y)| (x - mean_x) * (y - mean_y))
        .sum();
    if spread > 0.0 { common / spread } else { 0.0 }
}

fn write_script(folder: &Path, generation: u64) -> Outcome {
    let new = folder.join("stamp.lua.new");
    let text = format!(
        r#"-- Stamps every message with the script's generation.
local M = {{}}

function M.intercept_publish(topic, payload, user_properties)
  table.insert(user_properties, {{ "generation", "{generation}" }})
  return broker.pass {{ user_properties = user_properties }}
end

return M
"#
    );
    fs::write(&new, text)?;
    Ok(fs::rename(new, folder.join("stamp.lua"))?)
}

/// What is removed meanwhile is not counted.
fn folder_bytes(folder: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;

    let mut sum = 0;
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.metadata() {
            Ok(meta) if meta.is_dir() => sum += folder_bytes(&entry.path()),
            // A file may have more length than the disk gives it.
            Ok(meta) => sum += meta.blocks() * 512,
            Err(_) => {}
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slope_is_that_of_the_line_after_the_warm_up() {
        let sample = |seconds: u64, rss: u64| Sample {
            at: Duration::from_secs(seconds),
            rss,
            ..Sample::default()
        };
        let mut samples: Vec<Sample> = (0..10)
            .map(|n| sample(60 * n, 1_000 + 5 * n + n % 2))
            .collect();
        samples.insert(0, sample(0, 900_000));
        let from = Duration::from_secs(60);
        let found = slope(&samples, from, |sample| sample.rss);
        assert!((found - 5.0).abs() < 0.2, "{found}");
        let none = slope(&samples, Duration::from_secs(540), |sample| sample.rss);
        assert!(none.abs() < f64::EPSILON, "{none}");
    }
}

//! A real broker in a folder of its own: its config and plugins, its log, its memory, its end.

use std::fs::{self, File};
use std::io::Read;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value as Json;

use super::peer::{PATIENCE, Peer};
use crate::process::{self, Running, cargo, root, target_dir};
use crate::{Outcome, setup};

/// Between two looks at something that is waited for.
const LOOK: Duration = Duration::from_millis(2);
/// Set for every broker and shown to no plugin.
pub(super) const SECRET: &str = "hookmq-hostile-secret-5f1c";

/// A folder with a config and plugins, and what runs there.
pub(super) struct Lab {
    folder: PathBuf,
    address: SocketAddr,
    plugins: String,
    more: String,
}

/// A broker that runs. Dropped, it is killed.
pub(super) struct Broker<'a> {
    lab: &'a Lab,
    running: Running,
    log: Log,
    /// Bytes resident when it had begun.
    rss: u64,
}

/// The log file, read on and on.
struct Log {
    file: File,
    rest: String,
    /// Every line so far.
    lines: Vec<Json>,
    panic: Option<String>,
}

/// How the broker was built: told once, before any is started.
static PROFILE: OnceLock<&'static str> = OnceLock::new();

/// Says how the broker was, or is to be, built: as for tests, or as it is meant to run.
pub(super) fn choose(is_release: bool) {
    // Only the first word counts, and there is one.
    let _ = PROFILE.set(if is_release { "release" } else { "debug" });
}

/// Builds the broker.
///
/// # Errors
/// When it does not build.
pub(super) fn build() -> Outcome {
    setup::need_cxx()?;
    if profile() == "debug" {
        return process::build_broker().map(drop);
    }
    process::run(cargo().args(["build", "--workspace", "--bin", "hookmq", "--release"]))
}

fn profile() -> &'static str {
    PROFILE.get_or_init(|| "debug")
}

fn binary() -> PathBuf {
    target_dir().join(profile()).join("hookmq")
}

/// Where the fixtures' sources are.
pub(super) fn sources() -> PathBuf {
    root().join("tests/hostile")
}

impl Lab {
    /// An empty one.
    ///
    /// # Errors
    /// When there is no folder or no free port.
    pub(super) fn new(name: &str) -> Outcome<Self> {
        let folder = target_dir().join("suites/hostile").join(name);
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        Ok(Self {
            folder,
            address: TcpListener::bind("127.0.0.1:0")?.local_addr()?,
            plugins: String::new(),
            more: String::new(),
        })
    }

    /// Another config for the same folder and port, without plugins.
    pub(super) fn beside(lab: &Self) -> Self {
        Self {
            folder: lab.folder.clone(),
            address: lab.address,
            plugins: String::new(),
            more: lab.more.clone(),
        }
    }

    /// Its folder.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Puts a file there, whole at once.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn put(&self, name: &str, bytes: &[u8]) -> Outcome {
        let path = self.folder.join(name);
        let new = self.folder.join(format!("{name}.new"));
        fs::write(&new, bytes)?;
        Ok(fs::rename(new, path)?)
    }

    /// One more plugin: its name, its file, and the rest of its section.
    pub(super) fn plugin(&mut self, name: &str, file: &str, section: &str) {
        self.plugins.push_str(&format!(
            "[[plugin]]\nname = \"{name}\"\npath = \"{file}\"\n{section}\n"
        ));
    }

    /// More of the config.
    pub(super) fn section(&mut self, text: &str) {
        self.more.push_str(text);
        self.more.push('\n');
    }

    /// Writes the config.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn configure(&self) -> Outcome {
        let text = format!(
            "[[listener]]\nbind = \"{}\"\n\n[reload]\nwatch = \"off\"\n\n[wasm]\ncache = \"compiled\"\n\n{}\n{}",
            self.address, self.more, self.plugins
        );
        self.put("broker.toml", text.as_bytes())
    }

    /// Runs a command of the binary; its exit code and all that it said.
    ///
    /// # Errors
    /// When it cannot be started or does not end.
    pub(super) fn command(&self, arguments: &[&str]) -> Outcome<(Option<i32>, String)> {
        let mut command = Command::new(binary());
        command
            .current_dir(&self.folder)
            .args(arguments)
            .env("HOSTILE_SECRET", SECRET);
        let running = Running::start(&mut command)?;
        let deadline = Instant::now() + PATIENCE * 4;
        let mut text = String::new();
        while let Some(line) = running.line(deadline)? {
            text.push_str(&line);
            text.push('\n');
        }
        Ok((running.finish(deadline)?.code(), text))
    }

    /// Starts the broker; returns when it listens.
    ///
    /// # Errors
    /// When it does not; the message has its last words.
    pub(super) fn start(&self) -> Outcome<Broker<'_>> {
        self.configure()?;
        let log = self.folder.join("broker.log");
        let mut command = Command::new(binary());
        command
            .current_dir(&self.folder)
            .args(["run", "--config", "broker.toml"])
            .env("HOSTILE_SECRET", SECRET);
        let running = Running::start_logging(&mut command, &log)?;
        let mut broker = Broker {
            lab: self,
            running,
            log: Log {
                file: File::open(&log)?,
                rest: String::new(),
                lines: Vec::new(),
                panic: None,
            },
            rss: 0,
        };
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(self.address).is_err() {
            if broker.running.ended_within(LOOK * 5).is_some() || Instant::now() > deadline {
                let text = fs::read_to_string(&log)?;
                return Err(format!("the broker does not listen:\n{text}").into());
            }
        }
        broker.rss = broker.rss_now();
        Ok(broker)
    }
}

impl Broker<'_> {
    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.lab.address
    }

    /// A client.
    ///
    /// # Errors
    /// When it is not let in.
    pub(super) fn client(&self, client_id: &str) -> Outcome<Peer> {
        Peer::connect(self.lab.address, client_id)
    }

    /// Whether it runs and lets a client in.
    pub(super) fn is_alive(&self) -> bool {
        self.running.ended_within(Duration::ZERO).is_none() && self.client("alive").is_ok()
    }

    /// Bytes resident now.
    pub(super) fn rss_now(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.running.pid()));
        let status = status.unwrap_or_default();
        let kib = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
        kib.unwrap_or_default() * 1024
    }

    /// Bytes resident when it had begun, and now.
    pub(super) fn rss(&self) -> (u64, u64) {
        (self.rss, self.rss_now())
    }

    /// How many lines the log has.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) fn mark(&mut self) -> Outcome<usize> {
        self.log.read()?;
        Ok(self.log.lines.len())
    }

    /// The first line from `mark` on that is so, waited for.
    ///
    /// # Errors
    /// When none comes.
    pub(super) fn wait_for(
        &mut self,
        mark: usize,
        what: &str,
        is_so: impl Fn(&Json) -> bool,
    ) -> Outcome<Json> {
        let deadline = Instant::now() + PATIENCE;
        let mut at = mark;
        loop {
            let lines = self.log.lines.get(at..).unwrap_or_default();
            if let Some(line) = lines.iter().find(|line| is_so(line)) {
                return Ok(line.clone());
            }
            at = self.log.lines.len().max(mark);
            if Instant::now() > deadline {
                return Err(format!("the log never says {what}").into());
            }
            if !self.log.read()? {
                thread::park_timeout(LOOK);
            }
        }
    }

    /// The lines from `mark` on that are so, as far as they are written.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub(super) fn lines(
        &mut self,
        mark: usize,
        is_so: impl Fn(&Json) -> bool,
    ) -> Outcome<Vec<Json>> {
        self.log.read()?;
        let lines = self.log.lines.get(mark..).unwrap_or_default();
        Ok(lines.iter().filter(|line| is_so(line)).cloned().collect())
    }

    /// Has it read its config again; the line that says what came of it.
    ///
    /// # Errors
    /// When it says nothing.
    pub(super) fn reload(&mut self) -> Outcome<String> {
        let mark = self.mark()?;
        self.running.hang_up();
        let line = self.wait_for(mark, "what came of a reload", |line| {
            let words = message(line);
            words.starts_with("reloaded: ") || words.starts_with("reload refused")
        })?;
        Ok(message(&line).to_owned())
    }

    /// Stops it, as an operator would.
    ///
    /// # Errors
    /// When it was over already, does not stop or not well, or had a panic.
    pub(super) fn stop(mut self) -> Outcome {
        if let Some(status) = self.running.ended_within(Duration::ZERO) {
            return Err(format!("the broker ended by itself ({status})").into());
        }
        self.running.terminate();
        let status = self.running.finish(Instant::now() + PATIENCE)?;
        self.log.read()?;
        match self.log.panic {
            Some(panic) => Err(format!("the broker had a panic: {panic}").into()),
            None if status.success() => Ok(()),
            None => Err(format!("the broker did not stop well ({status})").into()),
        }
    }
}

impl Log {
    /// Reads what is new; whether there was any.
    fn read(&mut self) -> Outcome<bool> {
        let mut bytes = Vec::new();
        if self.file.read_to_end(&mut bytes)? == 0 {
            return Ok(false);
        }
        self.rest.push_str(&String::from_utf8_lossy(&bytes));
        while let Some((line, rest)) = self.rest.split_once('\n') {
            match serde_json::from_str(line) {
                Ok(line) => self.lines.push(line),
                // The default hook of a panic writes plain text. Of a plugin's own it is expected.
                Err(_) if line.contains("panicked at") && !line.contains("hostile") => {
                    self.panic = Some(line.to_owned());
                }
                Err(_) => {}
            }
            self.rest = rest.to_owned();
        }
        Ok(true)
    }
}

/// A line's words.
pub(super) fn message(line: &Json) -> &str {
    line.get("message")
        .and_then(Json::as_str)
        .unwrap_or_default()
}

/// One of a line's other texts.
pub(super) fn text<'a>(line: &'a Json, key: &str) -> &'a str {
    line.get(key).and_then(Json::as_str).unwrap_or_default()
}

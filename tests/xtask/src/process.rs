//! Child processes: each runs in a process group of its own, has a deadline, and is ended with all that it started.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::Outcome;

/// Lines kept between the child and whoever reads them; a child that writes more waits.
const LINES: usize = 1024;

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

/// Builds the broker as tests run it, and says where it is. With the whole workspace's features, as the tests themselves are built:
/// built alone, its dependencies have fewer, and the WASM compiler would be compiled twice.
///
/// # Errors
/// When it does not build.
pub(crate) fn build_broker() -> Outcome<PathBuf> {
    run(cargo().args(["build", "--workspace", "--bin", "hookmq"]))?;
    Ok(target_dir().join("debug/hookmq"))
}

/// Where things that are built, installed or logged go; never committed.
pub(crate) fn target_dir() -> PathBuf {
    // A relative one is relative to the root, where `cargo()` runs.
    root().join(std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()))
}

/// The cargo that started this program, in the workspace's root.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// The path of a program, if the `PATH` has it.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

/// A command as a person would type it.
pub(crate) fn words(command: &Command) -> String {
    let mut text = command.get_program().to_string_lossy().into_owned();
    if let Some(name) = Path::new(command.get_program())
        .file_name()
        .and_then(OsStr::to_str)
    {
        text = name.to_owned();
    }
    for argument in command.get_args() {
        let _ = write!(text, " {}", argument.to_string_lossy());
    }
    text
}

/// Runs a command on this terminal and waits for it, as long as it takes.
///
/// # Errors
/// When it cannot be started or does not succeed.
pub(crate) fn run(command: &mut Command) -> Outcome {
    let shown = words(command);
    println!("$ {shown}");
    let status = command
        .stdin(Stdio::null())
        .status()
        .map_err(|error| format!("{shown}: {error}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("`{shown}` failed ({status})").into())
    }
}

/// Runs a command in silence and returns what it wrote, both streams; for short steps.
///
/// # Errors
/// When it cannot be started, fails, or is not done by the limit; the message has its last lines.
pub(crate) fn capture(command: &mut Command, limit: Duration) -> Outcome<String> {
    let shown = words(command);
    let running = Running::start(command)?;
    let deadline = Instant::now() + limit;
    let mut text = String::new();
    while let Some(line) = running.line(deadline)? {
        text.push_str(&line);
        text.push('\n');
    }
    let status = running.finish(deadline)?;
    if status.success() {
        return Ok(text);
    }
    let lines: Vec<&str> = text.lines().collect();
    let tail = lines
        .get(lines.len().saturating_sub(15)..)
        .unwrap_or_default()
        .join("\n");
    Err(format!("`{shown}` failed ({status}):\n{tail}").into())
}

/// A child with its output read line by line. Dropped, it is killed with its whole process group.
pub(crate) struct Running {
    shown: String,
    group: u32,
    lines: Receiver<String>,
    ended: Receiver<ExitStatus>,
    over: std::cell::Cell<Option<ExitStatus>>,
}

impl Running {
    /// Starts the command with both output streams piped here.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub(crate) fn start(command: &mut Command) -> Outcome<Self> {
        Self::spawn(command.stdout(Stdio::piped()).stderr(Stdio::piped()))
    }

    /// Starts the command with both output streams written to a file, for one that may write much while nobody reads.
    ///
    /// # Errors
    /// When the file cannot be made or the program cannot be started.
    pub(crate) fn start_logging(command: &mut Command, log: &Path) -> Outcome<Self> {
        let file = File::create(log).map_err(|error| format!("{}: {error}", log.display()))?;
        Self::spawn(command.stdout(file.try_clone()?).stderr(file))
    }

    fn spawn(command: &mut Command) -> Outcome<Self> {
        let shown = words(command);
        let mut child = command
            .stdin(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(|error| format!("{shown}: {error}"))?;
        let group = child.id();
        let (write, lines) = sync_channel(LINES);
        if let Some(stdout) = child.stdout.take() {
            forward(stdout, write.clone());
        }
        if let Some(stderr) = child.stderr.take() {
            forward(stderr, write);
        }
        let (tell, ended) = sync_channel(1);
        thread::spawn(move || {
            let _ = tell.send(wait(child));
        });
        Ok(Self {
            shown,
            group,
            lines,
            ended,
            over: std::cell::Cell::new(None),
        })
    }

    /// The next line, or nothing when the child has closed its output.
    ///
    /// # Errors
    /// When the deadline passes first.
    pub(crate) fn line(&self, deadline: Instant) -> Outcome<Option<String>> {
        match self
            .lines
            .recv_timeout(deadline.saturating_duration_since(Instant::now()))
        {
            Ok(line) => Ok(Some(line)),
            Err(RecvTimeoutError::Disconnected) => Ok(None),
            Err(RecvTimeoutError::Timeout) => {
                Err(format!("`{}`: no end by its deadline, killed", self.shown).into())
            }
        }
    }

    /// Waits a moment for the end; nothing if the child goes on.
    pub(crate) fn ended_within(&self, limit: Duration) -> Option<ExitStatus> {
        if self.over.get().is_none() {
            self.over.set(self.ended.recv_timeout(limit).ok());
        }
        self.over.get()
    }

    /// Waits for the end.
    ///
    /// # Errors
    /// When the deadline passes first.
    pub(crate) fn finish(&self, deadline: Instant) -> Outcome<ExitStatus> {
        self.ended_within(deadline.saturating_duration_since(Instant::now()))
            .ok_or_else(|| format!("`{}`: no end by its deadline, killed", self.shown).into())
    }

    /// Asks the child to stop, as an operator would (SIGTERM).
    pub(crate) fn terminate(&self) {
        signal("-TERM", &self.group.to_string());
    }

    /// Kills the child with all that it started, without a moment's notice (SIGKILL).
    pub(crate) fn kill(&self) {
        // No other program is asked to do it: until that has started, whoever is to be caught in the act is done.
        let group = i32::try_from(self.group).ok().and_then(Pid::from_raw);
        if let Some(group) = group {
            // One that is over already is as good.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }

    /// Tells the child to read its configuration again (SIGHUP).
    pub(crate) fn hang_up(&self) {
        signal("-HUP", &self.group.to_string());
    }

    /// Number of the process.
    pub(crate) const fn pid(&self) -> u32 {
        self.group
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The child may be over while something that it started still runs, so the group is signalled either way;
        // a group that is empty makes kill fail, which is as good.
        signal("-KILL", &format!("-{}", self.group));
    }
}

fn signal(which: &str, whom: &str) {
    let _ = Command::new("kill")
        .args([which, "--", whom])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
}

fn wait(mut child: Child) -> ExitStatus {
    child.wait().unwrap_or_else(|_| ExitStatus::from_raw(-1))
}

fn forward(stream: impl Read + Send + 'static, lines: SyncSender<String>) {
    thread::spawn(move || {
        let mut reader = BufReader::new(stream);
        let mut line = Vec::new();
        while matches!(reader.read_until(b'\n', &mut line), Ok(n) if n > 0) {
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            line.clear();
            // The reader may have gone; reading on keeps the child from blocking on a full pipe.
            let _ = lines.send(text);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_failure_is_told_with_its_last_words() {
        let failure = capture(
            &mut shell("echo one; echo two >&2; exit 7"),
            Duration::from_secs(10),
        )
        .unwrap_err();
        let text = failure.to_string();
        assert!(
            text.contains("one") && text.contains("two") && text.contains("exit status: 7"),
            "{text}"
        );
    }

    #[test]
    fn what_is_late_is_killed_with_all_that_it_started() {
        // The grandchild keeps the pipe open, so the output ends only when it is gone as well.
        let running = Running::start(&mut shell("sleep 600 & echo $!; wait")).expect("sh runs");
        let deadline = Instant::now() + Duration::from_secs(10);
        let grandchild = running.line(deadline).expect("in time").expect("a line");
        assert!(
            running.line(Instant::now()).is_err(),
            "no second line by a deadline that has passed"
        );
        let ended = running.ended.try_recv();
        assert!(ended.is_err(), "over too early: {ended:?}");

        let Running { lines, .. } = &running;
        signal("-KILL", &format!("-{}", running.group));
        assert_eq!(
            lines.recv_timeout(Duration::from_secs(10)),
            Err(RecvTimeoutError::Disconnected)
        );
        assert!(
            running
                .finish(deadline)
                .is_ok_and(|status| !status.success())
        );
        assert!(!grandchild.is_empty());
    }

    #[test]
    fn a_log_takes_more_than_a_pipe_holds() {
        let log = std::env::temp_dir().join(format!("xtask-log-{}", std::process::id()));
        let mut command =
            shell("i=0; while [ $i -lt 20000 ]; do echo 0123456789; i=$((i+1)); done");
        let running = Running::start_logging(&mut command, &log).expect("sh runs");
        let status = running
            .finish(Instant::now() + Duration::from_secs(30))
            .expect("in time");
        assert!(status.success());
        assert_eq!(
            std::fs::metadata(&log).expect("the log is there").len(),
            220_000
        );
        std::fs::remove_file(log).expect("the log is ours");
    }
}

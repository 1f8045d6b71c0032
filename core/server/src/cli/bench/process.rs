//! The broker's process: started, pinned, ended; its CPU time and memory read from `/proc`.

use std::fs;
use std::process::{Child, Command, Stdio};

use super::BenchError;

/// Kernel ticks per second in `/proc/PID/stat`; fixed in Linux's interface to programs.
const TICKS_PER_SECOND: f64 = 100.0;

/// The process of the broker, if it is known.
#[derive(Debug, Default)]
pub(super) struct Process {
    pid: Option<u32>,
    child: Option<Child>,
}

impl Process {
    /// A process that runs already; CPU time and memory are unknown without its number.
    pub(super) fn running(pid: Option<u32>) -> Self {
        Self { pid, child: None }
    }

    /// Starts a broker with a shell command that the shell is replaced by, so that the number is the broker's.
    pub(super) fn spawn(command: &str, core: Option<u32>) -> Result<Self, BenchError> {
        let script = format!("exec {command}");
        let mut process = match core {
            Some(core) => {
                let mut process = Command::new("taskset");
                process.args(["-c", &core.to_string(), "sh", "-c", &script]);
                process
            }
            None => {
                let mut process = Command::new("sh");
                process.args(["-c", &script]);
                process
            }
        };
        let child = process
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| BenchError::Spawn {
                command: command.to_owned(),
                error,
            })?;
        Ok(Self {
            pid: Some(child.id()),
            child: Some(child),
        })
    }

    /// True if it was started here and so may still be on its way up.
    pub(super) fn is_started(&self) -> bool {
        self.child.is_some()
    }

    /// An error if a started broker has ended.
    pub(super) fn check(&mut self) -> Result<(), BenchError> {
        match self.child.as_mut().map(Child::try_wait) {
            Some(Ok(Some(status))) => Err(BenchError::Ended(status)),
            _ => Ok(()),
        }
    }

    /// User and system seconds of all threads so far; `None` if the process is unknown.
    pub(super) fn cpu_seconds(&self) -> Option<f64> {
        let pid = self.pid?;
        scheduled_seconds(pid).or_else(|| {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            parse_cpu_ticks(&stat).map(|ticks| ticks / TICKS_PER_SECOND)
        })
    }

    /// Resident memory in bytes; `None` if the process is unknown.
    pub(super) fn rss_bytes(&self) -> Option<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid?)).ok()?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))?;
        let kib: f64 = line.split_whitespace().next()?.parse().ok()?;
        Some(kib * 1024.0)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // A benchmark's broker keeps nothing, so it need not be asked to end.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Pins every thread of this process.
pub(super) fn pin_self(core: u32) -> Result<(), BenchError> {
    let pid = std::process::id().to_string();
    let spawn_error = |error| BenchError::Spawn {
        command: "taskset".to_owned(),
        error,
    };
    let status = Command::new("taskset")
        .args(["-acp", &core.to_string(), &pid])
        .stdout(Stdio::null())
        .status()
        .map_err(spawn_error)?;
    if status.success() {
        Ok(())
    } else {
        Err(BenchError::Ended(status))
    }
}

/// The same time to the nanosecond, where the kernel keeps it: the first field of each living thread's `schedstat`.
fn scheduled_seconds(pid: u32) -> Option<f64> {
    let mut nanoseconds = 0.0;
    for thread in fs::read_dir(format!("/proc/{pid}/task")).ok()? {
        let stat = fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
        nanoseconds += stat.split_whitespace().next()?.parse::<f64>().ok()?;
    }
    (nanoseconds > 0.0).then_some(nanoseconds / 1e9)
}

/// Fields 14 and 15 of `/proc/PID/stat`; the name before them may have spaces and parentheses.
fn parse_cpu_ticks(stat: &str) -> Option<f64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_user_and_system() {
        let stat = "12 (a ) b) S 1 12 12 0 -1 4194560 1 2 3 4 150 50 7 8 20 0 1 0 100 0 0";
        assert_eq!(parse_cpu_ticks(stat), Some(200.0));
        assert_eq!(parse_cpu_ticks("12 (short) S"), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_has_memory_and_a_started_one_ends() {
        let this = Process::running(Some(std::process::id()));
        assert!(this.rss_bytes().expect("there") > 100_000.0);
        assert!(this.cpu_seconds().is_some());
        assert_eq!(Process::running(None).rss_bytes(), None);

        let mut started = Process::spawn("sleep 60", None).expect("sh is there");
        started.check().expect("still running");
        let pid = started.pid.expect("known");
        drop(started);
        assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
    }
}

//! One child: started, listened to, and ended, however it ends.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{self, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use super::wire::{Job, Line};

/// The hidden command of this program that makes the calls.
pub(crate) const COMMAND: [&str; 2] = ["plugin", "probe"];

/// What is kept of the child's standard error.
const LAST_WORDS: usize = 2 << 10;
/// Longest line of the child.
const LONGEST_LINE: u64 = 4 << 20;
/// How long the standard error may stay open after the process is gone.
const CLOSING: Duration = Duration::from_millis(500);

/// A process that tries a plugin.
pub(super) struct Child {
    process: process::Child,
    lines: BufReader<UnixStream>,
    last_words: Arc<Mutex<VecDeque<u8>>>,
    /// Says when the standard error is closed.
    closed: Receiver<()>,
    has_hung: bool,
    has_done: bool,
}

/// How it ended.
#[derive(Debug)]
pub(super) struct End {
    status: Option<ExitStatus>,
    /// Killed after so long.
    hung: Option<Duration>,
    has_done: bool,
    last_words: String,
}

impl Child {
    /// Starts one.
    pub(super) fn start(job: &Job) -> std::io::Result<Self> {
        let (mut ours, theirs) = UnixStream::pair()?;
        let mut process = Command::new(std::env::current_exe()?)
            .args(COMMAND)
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()?;
        let last_words = Arc::new(Mutex::new(VecDeque::new()));
        let (close, closed) = sync_channel(1);
        if let Some(stderr) = process.stderr.take() {
            let kept = Arc::clone(&last_words);
            thread::Builder::new().spawn(move || {
                keep_last(stderr, &kept);
                let _ = close.send(());
            })?;
        }
        let child = Self {
            process,
            lines: BufReader::new(ours.try_clone()?),
            last_words,
            closed,
            has_hung: false,
            has_done: false,
        };
        // A child that is gone already is heard of at the first line.
        let _ = ours
            .write_all(&serde_json::to_vec(job)?)
            .and_then(|()| ours.shutdown(Shutdown::Write));
        Ok(child)
    }

    /// The next line; `None` when there will be none, or none came in time.
    pub(super) fn next(&mut self, within: Duration) -> Option<Line> {
        let within = within.max(Duration::from_millis(1));
        self.lines.get_ref().set_read_timeout(Some(within)).ok()?;
        let mut text = Vec::new();
        let read = (&mut self.lines)
            .take(LONGEST_LINE)
            .read_until(b'\n', &mut text);
        match read {
            Ok(_) if text.ends_with(b"\n") => {
                let line = serde_json::from_slice(&text).ok()?;
                self.has_done |= matches!(line, Line::Done);
                Some(line)
            }
            Ok(_) => None,
            Err(error) => {
                use std::io::ErrorKind::{TimedOut, WouldBlock};
                self.has_hung = matches!(error.kind(), TimedOut | WouldBlock);
                None
            }
        }
    }

    /// Ends it, if it has not ended, and says how it went. `within` is the time that it had.
    pub(super) fn end(mut self, within: Duration) -> End {
        if self.has_hung {
            self.kill();
        }
        // Whatever it leaves behind goes with it. Not waited for yet, so that nobody else can have its number.
        if let Some(pid) = self.pid() {
            let _ = waitid(
                WaitId::Pid(pid),
                WaitIdOptions::EXITED | WaitIdOptions::NOWAIT,
            );
        }
        self.kill();
        let status = self.process.wait().ok();
        let _ = self.closed.recv_timeout(CLOSING);
        let kept: Vec<u8> = self.last_words.lock().iter().copied().collect();
        End {
            status,
            hung: self.has_hung.then_some(within),
            has_done: self.has_done,
            last_words: String::from_utf8_lossy(&kept).trim().to_owned(),
        }
    }

    fn kill(&self) {
        if let Some(group) = self.pid() {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }

    fn pid(&self) -> Option<Pid> {
        Pid::from_raw(i32::try_from(self.process.id()).ok()?)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Not reached by `end` after an error of our own.
        if self.process.try_wait().is_ok_and(|status| status.is_none()) {
            self.kill();
            let _ = self.process.wait();
        }
    }
}

impl End {
    /// What was wrong with it, if anything.
    pub(super) fn words(&self) -> Option<String> {
        Some(match (self.hung, self.status) {
            (Some(time), _) => format!("did not return within {:.0} s", time.as_secs_f64()),
            (None, Some(status)) if status.success() && self.has_done => return None,
            (None, Some(status)) => match (status.signal(), status.code()) {
                (Some(signal), _) => {
                    format!("killed by signal {signal}{}", name_of(signal))
                }
                (None, Some(code)) => format!("ended the process with exit code {code}"),
                (None, None) => "ended the process".to_owned(),
            },
            (None, None) => "ended in an unknown way".to_owned(),
        })
    }

    /// What it wrote to its standard error before that.
    pub(super) fn last_words(&self) -> &str {
        &self.last_words
    }
}

fn name_of(signal: i32) -> &'static str {
    match signal {
        4 => " (illegal instruction)",
        5 => " (trap)",
        6 => " (abort)",
        7 => " (bus error)",
        8 => " (arithmetic error)",
        9 => " (kill)",
        11 => " (segmentation fault)",
        13 => " (broken pipe)",
        15 => " (termination)",
        24 => " (too much processor time)",
        _ => "",
    }
}

fn keep_last(mut from: impl Read, kept: &Mutex<VecDeque<u8>>) {
    let mut chunk = [0; 1024];
    while let Ok(n) = from.read(&mut chunk) {
        if n == 0 {
            return;
        }
        let mut kept = kept.lock();
        kept.extend(chunk.iter().take(n));
        let too_many = kept.len().saturating_sub(LAST_WORDS);
        kept.drain(..too_many);
    }
}

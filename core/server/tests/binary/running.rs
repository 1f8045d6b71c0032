//! A broker that runs, its log, and the few bytes of MQTT that these tests need.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::folder::Folder;

/// How long anything may take before a test gives up; nothing takes this long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Running {
    child: Child,
    /// Until nobody reads the log any more.
    lines: Option<Receiver<String>>,
    pub(crate) seen: Vec<String>,
    pub(crate) address: SocketAddr,
}

impl Running {
    /// Runs `broker.toml`; returns when it listens.
    pub(crate) fn start(folder: &Folder) -> Self {
        Self::start_with(folder, &["--config", "broker.toml"], &[])
    }

    /// Runs with these arguments and variables; returns when it listens.
    pub(crate) fn start_with(
        folder: &Folder,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> Self {
        let mut command = folder.command(arguments);
        command
            .envs(variables.iter().copied())
            .stderr(Stdio::piped())
            .stdout(Stdio::null());
        let mut child = command.spawn().expect("the binary runs");
        let stderr = child.stderr.take().expect("a pipe");
        let (sender, lines) = sync_channel(100_000);
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let mut running = Self {
            child,
            lines: Some(lines),
            seen: Vec::new(),
            address: ([127, 0, 0, 1], 0).into(),
        };
        let line = running.wait_for("listens on ");
        let (_, rest) = line.split_once("listens on ").expect("what was waited for");
        let (address, _) = rest.split_once(',').expect("a comma behind the address");
        running.address = address.parse().expect("an address");
        running
    }

    /// The next line of the log that has this in it.
    pub(crate) fn wait_for(&mut self, part: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self
                .lines
                .as_ref()
                .expect("the log is read")
                .recv_timeout(left)
            {
                Ok(line) => {
                    self.seen.push(line.clone());
                    if line.contains(part) {
                        return line;
                    }
                }
                Err(_) => panic!("no line with {part:?} in:\n{}", self.seen.join("\n")),
            }
        }
    }

    /// Closes the log's pipe at its next line.
    pub(crate) fn stop_reading(&mut self) {
        self.lines = None;
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: &str) {
        let status = std::process::Command::new("kill")
            .args(["-s", signal, &self.child.id().to_string()])
            .status()
            .expect("kill runs");
        assert!(status.success());
    }

    /// Number of the process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for its end; the rest of the log is in `seen` then.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        // The pipe closes when the process ends.
        loop {
            match self
                .lines
                .as_ref()
                .expect("the log is read")
                .recv_timeout(deadline.saturating_duration_since(Instant::now()))
            {
                Ok(line) => self.seen.push(line),
                Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => break,
                Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {
                    panic!("it runs on:\n{}", self.seen.join("\n"))
                }
            }
        }
        self.child.wait().expect("a child can be waited for")
    }

    /// Connects as this client with 3.1.1; the return code of the CONNACK.
    pub(crate) fn connect(&self, client_id: &str) -> u8 {
        let mut stream = self.open();
        stream
            .write_all(&connect(4, client_id))
            .expect("CONNECT is sent");
        let mut answer = [0; 4];
        stream.read_exact(&mut answer).expect("CONNACK");
        answer[3]
    }

    /// Connects as this client with 5.0, and stays.
    pub(crate) fn stay(&self, client_id: &str) -> TcpStream {
        let mut stream = self.open();
        stream
            .write_all(&connect(5, client_id))
            .expect("CONNECT is sent");
        let mut head = [0; 2];
        stream.read_exact(&mut head).expect("CONNACK");
        assert_eq!(head[0], 0x20);
        let mut rest = vec![0; usize::from(head[1])];
        stream.read_exact(&mut rest).expect("the rest of CONNACK");
        assert_eq!(rest[1], 0, "refused");
        stream
    }

    fn open(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("it listens");
        stream
            .set_read_timeout(Some(PATIENCE))
            .expect("a timeout can be set");
        stream
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A CONNECT with a clean start and no keep alive.
fn connect(level: u8, client_id: &str) -> Vec<u8> {
    let mut body = vec![0, 4, b'M', b'Q', b'T', b'T', level, 2, 0, 0];
    if level == 5 {
        body.push(0);
    }
    let id = client_id.as_bytes();
    body.extend([0, u8::try_from(id.len()).expect("a short name")]);
    body.extend(id);
    let mut packet = vec![0x10, u8::try_from(body.len()).expect("a short packet")];
    packet.extend(body);
    packet
}

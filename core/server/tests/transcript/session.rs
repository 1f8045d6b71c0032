//! A scripted session of foreign clients with a broker that runs the classic server helper, step by step, each compared with the
//! golden transcript `tests/golden/transcript.txt`.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

/// The longest that any one step may take.
const LIMIT: Duration = Duration::from_secs(30);

/// The transcript, line by line: `== ` begins a step, `#` a comment.
const GOLDEN: &str = include_str!("../../../../tests/golden/transcript.txt");

/// What a line of the broker's output is.
pub(crate) enum Line {
    /// The broker listens there.
    Address(SocketAddr),
    /// The helper wrote this.
    Helper(String),
    /// Anything else.
    Other,
}

/// Goes through the whole session with this broker, whose log is on standard error or standard output, and ends it with this signal.
pub(crate) fn run(broker: &mut Command, signal: &str, read: fn(&str) -> Line) {
    let tools = Tools::find();
    let mut run = Run::start(broker, read);
    run.compare("the broker starts");
    let address = run.address();
    let port = address.port().to_string();

    let mosquitto = |program: &str, arguments: &[&str]| {
        let mut command = Command::new(program);
        command
            .args(["-h", "127.0.0.1", "-p", &port])
            .args(arguments);
        command
    };
    let listener = Process::start(&mut mosquitto(
        "mosquitto_sub",
        &[
            "-i",
            "listener",
            "-u",
            "user",
            "-P",
            "",
            "-q",
            "1",
            "-t",
            "devices/#",
        ],
    ));
    run.compare("mosquitto_sub comes and subscribes");

    let message = ["-q", "1", "-t", "devices/pump", "-m", "开"];
    let publish = |login: &[&str]| {
        let mut command = mosquitto("mosquitto_pub", login);
        Process::start(command.args(message)).end()
    };
    assert!(publish(&["-i", "sender", "-u", "user", "-P", ""]).success());
    assert_eq!(listener.line(), "开");
    run.compare("mosquitto_pub comes, publishes and goes");

    assert!(!publish(&["-i", "stranger", "-u", "user", "-P", "x"]).success());
    run.compare("mosquitto_pub is refused for its password");
    assert!(!publish(&["-i", "stranger", "-u", "user"]).success());
    run.compare("mosquitto_pub is refused without a password");

    let mut paho = Process::start(tools.paho().arg(&port));
    paho.command("connect paho");
    run.compare("paho comes");
    paho.command("subscribe paho alarms/+");
    run.compare("paho subscribes");
    paho.command("publish paho alarms/fire 1 21");
    run.compare("paho hears itself");
    // "caf\xe9" is Latin-1, and no UTF-8.
    paho.command("publish paho devices/pump 2 636166e9");
    run.compare("paho publishes what is no UTF-8");
    paho.command("unsubscribe paho alarms/+");
    run.compare("paho unsubscribes");
    paho.command("publish paho alarms/fire 1 21");
    run.compare("paho publishes and nobody hears");
    paho.command("connect paho");
    run.compare("paho comes a second time with the same client id");
    paho.command("vanish paho");
    run.compare("paho vanishes");

    run.signal(signal);
    run.compare("the broker stops while mosquitto_sub is there");
    run.finish();
}

/// Clients that nobody here wrote.
struct Tools {
    python: PathBuf,
}

impl Tools {
    /// # Panics
    /// When one is missing, with what to do about it.
    fn find() -> Self {
        for program in ["mosquitto_sub", "mosquitto_pub"] {
            let found = Command::new(program).arg("--version").output();
            assert!(
                found.is_ok(),
                "{program} is needed and missing: `cargo xtask test` installs it, and so does `apt-get install mosquitto-clients`"
            );
        }
        // Where `cargo xtask test` and `cargo xtask foreign` install it; else the machine's own.
        let installed =
            Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("foreign/venv/bin/python");
        let python = if installed.is_file() {
            installed
        } else {
            PathBuf::from("python3")
        };
        let found = Command::new(&python)
            .args(["-c", "import paho.mqtt.client"])
            .output();
        assert!(
            found.is_ok_and(|output| output.status.success()),
            "paho-mqtt is needed and {} has none: `cargo xtask test` installs it, and so does `pip install paho-mqtt`",
            python.display()
        );
        Self { python }
    }

    fn paho(&self) -> Command {
        let mut command = Command::new(&self.python);
        command.env("PYTHONDONTWRITEBYTECODE", "1").arg(
            Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("../../core/server/tests/transcript/paho_client.py"),
        );
        command
    }
}

/// The broker, and how far the transcript was compared.
struct Run {
    process: Process,
    read: fn(&str) -> Line,
    address: Option<SocketAddr>,
    steps: std::vec::IntoIter<(&'static str, Vec<String>)>,
}

impl Run {
    fn start(broker: &mut Command, read: fn(&str) -> Line) -> Self {
        Self {
            process: Process::start(broker),
            read,
            address: None,
            steps: golden().into_iter(),
        }
    }

    /// Waits for as many lines as the step has and compares. What different clients and hooks cause at the same time may come in
    /// any order; what comes too much is found in the next step.
    fn compare(&mut self, step: &str) {
        let (name, mut expected) = self
            .steps
            .next()
            .unwrap_or_else(|| panic!("the transcript ends before \"{step}\""));
        assert_eq!(name, step, "the transcript's next step");
        let mut lines = Vec::new();
        while lines.len() < expected.len() {
            let line = self
                .process
                .next_line(&|| format!("{step}: so far {lines:#?}"));
            match (self.read)(&line) {
                Line::Helper(text) => lines.push(normalized(&text)),
                Line::Address(address) => self.address = Some(address),
                Line::Other => {}
            }
        }
        expected.sort_unstable();
        lines.sort_unstable();
        assert_eq!(lines, expected, "{step}");
    }

    fn address(&mut self) -> SocketAddr {
        loop {
            if let Some(address) = self.address {
                return address;
            }
            let line = self
                .process
                .next_line(&|| "the broker's address".to_owned());
            match (self.read)(&line) {
                Line::Address(address) => self.address = Some(address),
                Line::Helper(text) => panic!("too early: {text}"),
                Line::Other => {}
            }
        }
    }

    fn signal(&self, signal: &str) {
        let id = self.process.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-s", signal, &id])
                .status()
                .expect("kill runs")
                .success()
        );
    }

    /// The end: nothing is left to say, and the exit code is 0.
    fn finish(mut self) {
        assert!(self.steps.next().is_none(), "the transcript goes on");
        while let Ok(line) = self.process.lines.recv_timeout(LIMIT) {
            if let Line::Helper(text) = (self.read)(&line) {
                panic!("too much: {text}");
            }
        }
        assert!(self.process.end().success());
    }
}

/// Ports differ from run to run.
fn normalized(text: &str) -> String {
    const BEFORE: &str = "Endpoint:【";
    let Some((start, rest)) = text.split_once(BEFORE) else {
        return text.to_owned();
    };
    let Some((endpoint, rest)) = rest.split_once('】') else {
        return text.to_owned();
    };
    let address: SocketAddr = endpoint
        .parse()
        .unwrap_or_else(|_| panic!("{endpoint} is no address: {text}"));
    assert!(address.ip().is_loopback() && address.port() != 0, "{text}");
    format!("{start}{BEFORE}{{endpoint}}】{rest}")
}

fn golden() -> Vec<(&'static str, Vec<String>)> {
    let mut steps: Vec<(&str, Vec<String>)> = Vec::new();
    for line in GOLDEN
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        match (line.strip_prefix("== "), steps.last_mut()) {
            (Some(name), _) => steps.push((name, Vec::new())),
            (None, Some((_, lines))) => lines.push(line.to_owned()),
            (None, None) => panic!("a line before the first step: {line}"),
        }
    }
    steps
}

/// A child whose output is read line by line. Dropped, it is killed.
struct Process {
    child: Child,
    lines: Receiver<String>,
}

impl Process {
    fn start(command: &mut Command) -> Self {
        let command = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let (send, lines) = sync_channel(1024);
        let outputs: [Box<dyn std::io::Read + Send>; 2] = [
            Box::new(child.stdout.take().expect("piped")),
            Box::new(child.stderr.take().expect("piped")),
        ];
        for output in outputs {
            let send = send.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    if send.send(line).is_err() {
                        return;
                    }
                }
            });
        }
        Self { child, lines }
    }

    fn next_line(&self, what: &dyn Fn() -> String) -> String {
        self.lines
            .recv_timeout(LIMIT)
            .unwrap_or_else(|error| panic!("no line came ({error}): {}", what()))
    }

    fn line(&self) -> String {
        self.next_line(&|| "a client's output".to_owned())
    }

    /// Has the client do something, and waits until that is done.
    fn command(&mut self, command: &str) {
        let input = self.child.stdin.as_mut().expect("piped");
        writeln!(input, "{command}").expect("the client reads");
        let mut said = Vec::new();
        while said.last().is_none_or(|line| line != "done") {
            said.push(self.next_line(&|| format!("{command}: {said:#?}")));
        }
    }

    fn end(&mut self) -> ExitStatus {
        let deadline = Instant::now() + LIMIT;
        // Its output ends when it does, so there is nothing to poll for.
        while let Ok(line) = self
            .lines
            .recv_timeout(deadline.saturating_duration_since(Instant::now()))
        {
            eprintln!("{line}");
        }
        assert!(
            Instant::now() < deadline,
            "no end in sight: {:?}",
            self.child
        );
        self.child.wait().expect("it is our child")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

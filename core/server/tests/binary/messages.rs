//! `hookmq pub`, `hookmq sub` and `hookmq bench` against the binary's own broker.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Stdio};

use crate::folder::{Ended, Folder};
use crate::running::Running;

/// Refuses a topic, a filter and a client, each with a reason.
const RULES: &str = r#"
local M = {}
function M.validate_connection(client_id)
  if client_id == "mallory" then return broker.deny("banned", "not you") end
  return broker.accept()
end
function M.authorize_publish(topic)
  if topic == "devices/ann" then return broker.deny("not_authorized", "devices/ann belongs to another user") end
  return broker.accept()
end
function M.authorize_subscribe(topic_filter)
  if topic_filter == "secret/#" then return broker.deny("not_authorized", "nobody reads secrets") end
  return broker.accept()
end
return M
"#;

/// A running broker and the folder that commands are run in.
struct Scene {
    folder: Folder,
    broker: Running,
    port: String,
}

impl Scene {
    fn new() -> Self {
        let folder = Folder::with_config("[[plugin]]\npath = \"rules.lua\"\n");
        folder.write("rules.lua", RULES);
        let broker = Running::start(&folder);
        let port = broker.address.port().to_string();
        Self {
            folder,
            broker,
            port,
        }
    }

    /// Runs `hookmq COMMAND --port PORT ARGUMENTS` to its end.
    fn run(&self, command: &str, arguments: &[&str]) -> Ended {
        self.folder
            .run(&[&[command, "--port", &self.port], arguments].concat())
    }

    /// Starts `hookmq sub` and returns when it is subscribed, which a retained message of its last filter tells. Nothing
    /// but messages wakes it, and it gives up in time.
    fn subscribe(&self, arguments: &[&str]) -> Subscriber {
        self.run("pub", &["-t", "begin", "-m", "begin", "-r", "-q", "1"]);
        let arguments = [
            &["sub", "--port", &self.port, "--keep-alive", "0", "-W", "20"],
            arguments,
            &["-t", "begin"],
        ]
        .concat();
        let mut command = self.folder.command(&arguments);
        let mut child = command
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let lines = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut subscriber = Subscriber { child, lines };
        assert!(subscriber.line().contains("begin"));
        subscriber
    }
}

struct Subscriber {
    child: Child,
    lines: BufReader<std::process::ChildStdout>,
}

impl Subscriber {
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("text");
        line.trim_end_matches('\n').to_owned()
    }

    fn code(mut self) -> Option<i32> {
        self.child.wait().expect("a child can be waited for").code()
    }
}

#[test]
fn what_is_published_is_printed() {
    let scene = Scene::new();
    let format = ["--count", "4", "--format", "%t|%p|%q|%r|%l|%U"];
    let mut subscriber = scene.subscribe(&[&["-t", "a/+", "-q", "2"], &format[..]].concat());
    let sent = scene.run(
        "pub",
        &[
            "-t", "a/b", "-m", "hello", "-q", "2", "-D", "k=v", "-D", "k=w",
        ],
    );
    assert_eq!((sent.code, sent.err.as_str()), (0, ""));
    assert_eq!(subscriber.line(), "a/b|hello|2|0|5|k=v k=w");
    scene
        .run(
            "pub",
            &[
                "-t",
                "a/c",
                "-m",
                "old",
                "--protocol",
                "3.1.1",
                "--repeat",
                "2",
            ],
        )
        .good();
    assert_eq!(subscriber.line(), "a/c|old|0|0|3|");
    assert_eq!(subscriber.line(), "a/c|old|0|0|3|");
    assert_eq!(subscriber.code(), Some(0));
}

#[test]
fn lines_of_standard_input_become_messages() {
    let scene = Scene::new();
    let mut subscriber = scene.subscribe(&["-t", "lines", "-q", "1", "-v", "-C", "4"]);
    let mut command = scene.folder.command(&[
        "pub",
        "--port",
        &scene.port,
        "-t",
        "lines",
        "--stdin-lines",
        "-q",
        "1",
    ]);
    let mut child = command
        .stdin(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin
        .write_all("one\r\n\nthree".as_bytes())
        .expect("it reads");
    drop(stdin);
    assert!(child.wait().expect("it ends").success());
    for line in ["lines one", "lines ", "lines three"] {
        assert_eq!(subscriber.line(), line);
    }
    assert_eq!(subscriber.code(), Some(0));
}

#[test]
fn json_has_every_property() {
    let scene = Scene::new();
    let mut subscriber = scene.subscribe(&[
        "-t",
        "j",
        "--json",
        "-C",
        "2",
        "--subscription-identifier",
        "9",
    ]);
    scene
        .run(
            "pub",
            &[
                "-t",
                "j",
                "-m",
                "{}",
                "--content-type",
                "application/json",
                "--response-topic",
                "r",
                "--correlation-data",
                "c",
                "--expiry",
                "60",
                "--text",
            ],
        )
        .good();
    let line: serde_json::Value = serde_json::from_str(&subscriber.line()).expect("JSON");
    let expected = serde_json::json!({
        "topic": "j", "payload": "{}", "qos": 0, "retain": false, "dup": false,
        "properties": {
            "content_type": "application/json", "response_topic": "r", "correlation_data": "c",
            "message_expiry_interval": 60, "payload_format": "utf8", "subscription_identifiers": [9],
        },
    });
    assert_eq!(line, expected);
}

#[test]
fn a_refusal_is_said_with_name_code_and_reason() {
    let scene = Scene::new();
    let refused = |command: &str, arguments: &[&str], text: &str| {
        let ended = scene.run(command, arguments);
        assert_eq!((ended.code, ended.err.trim_end()), (1, text), "{ended:?}");
    };
    let reason = "refused: not_authorized (0x87): devices/ann belongs to another user";
    refused("pub", &["-t", "devices/ann", "-m", "x", "-q", "1"], reason);
    refused("pub", &["-t", "devices/ann", "-m", "x", "-q", "2"], reason);
    let repeated = format!("{reason}\n3 messages failed");
    refused(
        "pub",
        &["-t", "devices/ann", "-m", "x", "-q", "1", "--repeat", "3"],
        &repeated,
    );
    let reason = "secret/# refused: not_authorized (0x87): nobody reads secrets";
    refused("sub", &["-t", "secret/#"], reason);
    let reason = "connection refused: banned (0x8A): not you";
    refused("pub", &["-t", "a", "-m", "x", "--id", "mallory"], reason);
    refused("sub", &["-t", "a", "--id", "mallory"], reason);
}

#[test]
fn the_log_says_who_was_refused_what() {
    let mut scene = Scene::new();
    let who = ["--id", "c1", "-u", "bob", "-P", "x"];
    scene.run(
        "pub",
        &[&["-t", "devices/ann", "-m", "x"], &who[..]].concat(),
    );
    let line = scene.broker.wait_for("refused: plugin rules");
    for part in [
        "authorize_publish, rules.lua:8",
        "bob",
        "c1",
        "\"devices/ann\"",
    ] {
        assert!(line.contains(part), "{part} in {line}");
    }
    scene.run("sub", &[&["-t", "secret/#"], &who[..]].concat());
    let line = scene.broker.wait_for("refused: plugin rules");
    for part in [
        "authorize_subscribe, rules.lua:12",
        "bob",
        "c1",
        "\"secret/#\"",
    ] {
        assert!(line.contains(part), "{part} in {line}");
    }
}

#[test]
fn nobody_there_is_one_and_nonsense_is_sixty_four() {
    let folder = Folder::new();
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = free.local_addr().expect("bound").port().to_string();
    drop(free);
    for (arguments, code, text) in [
        (
            &["pub", "-t", "a", "-m", "x", "-p", &port][..],
            1,
            "cannot connect to 127.0.0.1:",
        ),
        (
            &["sub", "-t", "a", "-p", &port],
            1,
            "cannot connect to 127.0.0.1:",
        ),
        (&["bench", "-p", &port], 1, "nobody accepts connections"),
        (&["pub", "-t", "a/#", "-m", "x"], 64, "--topic \"a/#\":"),
        (&["pub", "-t", "a"], 64, "--message"),
        (
            &["pub", "-t", "a", "-m", "x", "-q", "3"],
            64,
            "QoS is 0, 1 or 2",
        ),
        (
            &["pub", "-t", "a", "-f", "no such file"],
            64,
            "no such file",
        ),
        (
            &["pub", "-t", "a", "-n", "--protocol", "3.1.1", "-D", "a=b"],
            64,
            "3.1.1 has no properties",
        ),
        (&["sub", "-t", "a#"], 64, "--topic \"a#\":"),
        (&["sub", "-t", "a", "--format", "%z"], 64, "%z is unknown"),
        (
            &["sub", "-t", "a", "--protocol", "3.1.1", "--no-local"],
            64,
            "3.1.1 has no such options",
        ),
        (&["bench", "--payload", "3"], 64, "16 bytes at least"),
        (&["bench", "p3p"], 64, "p2p"),
    ] {
        let ended = folder.run(arguments);
        assert_eq!(ended.code, code, "{arguments:?}: {ended:?}");
        assert!(ended.err.contains(text), "{arguments:?}: {ended:?}");
    }
}

#[test]
fn a_session_is_kept_for_no_clean() {
    let scene = Scene::new();
    let session = [
        "-t",
        "kept",
        "-q",
        "1",
        "--id",
        "s",
        "--no-clean",
        "--session-expiry",
        "60",
    ];
    scene
        .run("sub", &[&session[..], &["--timeout", "0.1"]].concat())
        .good();
    scene
        .run("pub", &["-t", "kept", "-m", "while away", "-q", "1"])
        .good();
    let came = scene.run("sub", &[&session[..], &["-C", "1"]].concat());
    assert_eq!(came.good(), "while away\n");
    let none = scene.run("sub", &["-t", "silence", "-C", "1", "-W", "0.1"]);
    assert_eq!(none.code, 1, "{none:?}");
}

#[test]
fn every_bench_scenario_gets_every_message_in_order() {
    let scene = Scene::new();
    let pid = scene.broker.pid().to_string();
    for qos in ["0", "1", "2"] {
        for protocol in ["3.1.1", "5"] {
            let arguments = [
                "p2p",
                "fan-in",
                "fan-out",
                "many",
                "latency",
                "subscriptions",
                "--qos",
                qos,
                "--protocol",
                protocol,
                "--seconds",
                "0.1",
                "--warmup",
                "0",
                "--publishers",
                "3",
                "--subscribers",
                "4",
                "--window",
                "10",
                "--filters",
                "100",
                "--rate",
                "1000",
                "--json",
                "--pid",
                &pid,
            ];
            let out = scene.run("bench", &arguments).good();
            let outcomes: Vec<serde_json::Value> = out
                .lines()
                .map(|line| serde_json::from_str(line).expect("JSON"))
                .collect();
            assert_eq!(outcomes.len(), 6, "{out}");
            for outcome in outcomes {
                assert_eq!(outcome["lost"], 0, "{outcome}");
                assert!(outcome["received"].as_u64() > Some(50), "{outcome}");
                assert_eq!(outcome["received"], outcome["expected"], "{outcome}");
            }
        }
    }
    let out = scene
        .run(
            "bench",
            &["connect", "--connections", "50", "--seconds", "0.1"],
        )
        .good();
    assert!(out.contains("conn/s"), "{out}");
}

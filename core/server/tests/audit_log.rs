//! `plugins/audit-log` in a broker that runs: clients come, are refused, publish and go, and the file says so.
#![allow(dead_code, reason = "helpers of the binary's other tests")]

#[path = "binary/folder.rs"]
mod folder;
#[path = "binary/running.rs"]
mod running;

use std::process::Command;
use std::time::Instant;

use serde_json::Value;

use crate::folder::{Folder, root};
use crate::running::{PATIENCE, Running};

const CONFIG: &str = r#"
[[plugin]]
path = "login.lua"

[[plugin]]
name = "audit"
path = "audit_log.so"
priority = -1000
[plugin.config]
file = "audit.jsonl"
flush_ms = 10
"#;

const LOGIN: &str = r#"
local M = {}
function M.validate_connection(client_id)
    if client_id:sub(1, 3) == "bad" then
        return broker.deny("not_authorized", "not you")
    end
    return broker.accept()
end
return M
"#;

/// The lines so far, each as `event client_id more`.
fn lines(folder: &Folder) -> Vec<String> {
    let text = std::fs::read_to_string(folder.path().join("audit.jsonl")).unwrap_or_default();
    let lines = text.lines().filter_map(|line| {
        let line: Value = serde_json::from_str(line).ok()?;
        let text = |key: &str| match &line[key] {
            Value::String(text) => text.clone(),
            Value::Null => String::new(),
            other => other.to_string(),
        };
        let more = ["packet", "reason_code", "topic", "size", "how"].map(text);
        let words = format!("{} {} {}", text("event"), text("client_id"), more.join(" "));
        Some(words.split_whitespace().collect::<Vec<_>>().join(" "))
    });
    lines.collect()
}

fn wait_for(folder: &Folder, line: &str) {
    let deadline = Instant::now() + PATIENCE;
    while !lines(folder).iter().any(|seen| seen == line) {
        assert!(
            Instant::now() < deadline,
            "no {line:?} in {:#?}",
            lines(folder)
        );
        std::thread::yield_now();
    }
}

#[test]
fn a_day_in_the_life_of_a_broker() {
    let folder = Folder::with_config(CONFIG);
    folder.write("login.lua", LOGIN);
    let built = Command::new("cc")
        .args([
            "-std=c11",
            "-O2",
            "-shared",
            "-fPIC",
            "-fvisibility=hidden",
            "-pthread",
            "-I",
        ])
        .arg(root().join("plugin-api/c"))
        .arg("-o")
        .arg(folder.path().join("audit_log.so"))
        .arg(root().join("plugins/audit-log/audit_log.c"))
        .status();
    let Ok(built) = built else {
        eprintln!("not tried: there is no cc");
        return;
    };
    assert!(built.success());
    let mut running = Running::start(&folder);
    assert_ne!(running.connect("bad"), 0);
    // MQTT 3.1.1 says 5; the log has the same code for all versions.
    wait_for(&folder, "refused bad connack 135");
    assert_eq!(running.connect("brief"), 0);
    wait_for(&folder, "disconnected brief 128 NotClean");
    let port = running.address.port().to_string();
    let publish = [
        "pub", "-p", &port, "-i", "meter", "-q", "1", "-t", "a/\"b\"", "-m", "hello",
    ];
    folder.run(&publish).good();
    wait_for(&folder, "published meter a/\"b\" 5");
    wait_for(&folder, "disconnected meter 0 Clean");
    running.signal("TERM");
    assert!(running.ended().success());
    // The stop has waited for the last line.
    let lines = lines(&folder);
    assert_eq!(
        lines.first().map(String::as_str),
        Some("started"),
        "{lines:#?}"
    );
    assert_eq!(
        lines.last().map(String::as_str),
        Some("stopping"),
        "{lines:#?}"
    );
    assert!(
        !lines.iter().any(|line| line == "connected bad"),
        "{lines:#?}"
    );
}

//! The golden transcript: `scripts/helper.lua`, and `plugins/helper` in each of its forms, on the real broker say what the classic server
//! helper said, word for word.
#![allow(clippy::unwrap_used, reason = "what fails here is a test that fails")]

#[path = "transcript/session.rs"]
mod session;

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use session::Line;

#[test]
fn helper_lua_writes_the_golden_transcript() {
    check(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/helper.lua"));
}

#[test]
fn the_dynamic_library_of_plugins_helper_writes_it_too() {
    check(&hookmq_guests::native("helper"));
}

#[cfg(feature = "wasm")]
#[test]
fn the_wasm_module_of_plugins_helper_writes_it_too() {
    check(&hookmq_guests::module("helper"));
}

#[cfg(feature = "wasm")]
#[test]
fn the_wasm_component_of_plugins_helper_writes_it_too() {
    check(&hookmq_guests::component("helper"));
}

/// The whole session with this plugin alone.
fn check(plugin: &Path) {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("broker.toml");
    let plugin = std::path::absolute(plugin).unwrap();
    let text = format!(
        "[log]\nformat = \"json\"\n[[listener]]\nbind = \"127.0.0.1:0\"\n[[plugin]]\nname = \"helper\"\npath = {}\n",
        toml::Value::from(plugin.to_str().unwrap())
    );
    std::fs::write(&config, text).unwrap();
    session::run(
        Command::new(env!("CARGO_BIN_EXE_hookmq"))
            .arg("--config")
            .arg(config),
        "TERM",
        read,
    );
}

fn read(line: &str) -> Line {
    let line: Value =
        serde_json::from_str(line).unwrap_or_else(|error| panic!("not JSON ({error}): {line}"));
    let message = line["message"].as_str().unwrap_or_default();
    if line["target"] == "plugin" {
        assert_eq!(
            (&line["plugin"], &line["level"]),
            (&"helper".into(), &"INFO".into()),
            "{line}"
        );
        return Line::Helper(message.to_owned());
    }
    let address = message
        .split_once("listens on ")
        .and_then(|(_, rest)| rest.split_once(','));
    match address.map(|(address, _)| address.parse()) {
        Some(Ok(address)) => Line::Address(address),
        _ => Line::Other,
    }
}

//! Saved files and SIGHUP: live within a second, whole or not at all.

use std::time::{Duration, Instant};

use crate::folder::{Folder, LISTENER};
use crate::running::{PATIENCE, Running};

/// Not authorized, in a CONNACK of 3.1.1.
const REFUSED: u8 = 5;
const PLUGIN: &str = "[[plugin]]\npath = \"login.lua\"\n";

fn login(verdict: &str) -> String {
    format!(
        "local M = {{}}\nfunction M.validate_connection(client_id)\n  return {verdict}\nend\nreturn M\n"
    )
}

const ACCEPT: &str = "broker.accept()";
const DENY: &str = "broker.deny(\"not_authorized\")";

/// Connects until the answer is this one; how long that took.
fn until(running: &Running, code: u8) -> Duration {
    let started = Instant::now();
    while running.connect("a") != code {
        assert!(
            started.elapsed() < PATIENCE,
            "the answer stays other than {code}"
        );
    }
    started.elapsed()
}

#[test]
fn a_saved_script_is_live_within_a_second() {
    let folder = Folder::with_config(PLUGIN);
    folder.write("login.lua", &login(ACCEPT));
    let running = Running::start(&folder);
    assert_eq!(running.connect("a"), 0);
    let mut times = Vec::new();
    for _ in 0..2 {
        folder.write("login.lua", &login(DENY));
        times.push(until(&running, REFUSED));
        folder.overwrite("login.lua", &login(ACCEPT));
        times.push(until(&running, 0));
    }
    // The quickest one, because a machine under load may hold up any one of them.
    let quickest = times.iter().min().expect("four of them");
    assert!(*quickest < Duration::from_secs(1), "{times:?}");
}

#[test]
fn polling_sees_it_too() {
    let folder = Folder::with_config(&format!("{PLUGIN}[reload]\nwatch = \"poll\"\n"));
    folder.write("login.lua", &login(ACCEPT));
    let running = Running::start(&folder);
    folder.write("login.lua", &login(DENY));
    until(&running, REFUSED);
}

#[test]
fn a_required_file_counts_as_the_script() {
    let folder = Folder::with_config(PLUGIN);
    folder.write(
        "lib/rule.lua",
        &format!("return function() return {ACCEPT} end\n"),
    );
    folder.write("login.lua", "local rule = require(\"lib/rule\")\nlocal M = {}\nfunction M.validate_connection()\n  return rule()\nend\nreturn M\n");
    let running = Running::start(&folder);
    assert_eq!(running.connect("a"), 0);
    folder.write(
        "lib/rule.lua",
        &format!("return function() return {DENY} end\n"),
    );
    until(&running, REFUSED);
}

#[test]
fn a_broken_script_leaves_the_old_one_serving_and_its_line_is_shown() {
    let folder = Folder::with_config(PLUGIN);
    folder.write("login.lua", &login(DENY));
    let mut running = Running::start(&folder);
    folder.write(
        "login.lua",
        "local M = {}\nfunction M.validate_connection(clientid)\nend\nreturn M\n",
    );
    let line = running.wait_for("reload refused");
    let line: serde_json::Value = serde_json::from_str(&line).expect("a line of JSON");
    assert_eq!(line["level"], "ERROR");
    let message = line["message"].as_str().expect("a message");
    assert!(message.contains("login.lua:2: "), "{message}");
    assert!(
        message.contains("2 | function M.validate_connection(clientid)"),
        "{message}"
    );
    assert_eq!(running.connect("a"), REFUSED);
    folder.write("login.lua", &login(ACCEPT));
    until(&running, 0);
}

#[test]
fn to_undo_a_mistake_ends_the_matter() {
    let folder = Folder::with_config(PLUGIN);
    folder.write("login.lua", &login(DENY));
    let mut running = Running::start(&folder);
    folder.write("login.lua", "local M = {\n");
    running.wait_for("reload refused");
    folder.write("login.lua", &login(DENY));
    let line = running.wait_for("the mistake is gone");
    let line: serde_json::Value = serde_json::from_str(&line).expect("a line of JSON");
    assert_eq!(line["level"], "INFO");
    assert_eq!(running.connect("a"), REFUSED);
}

#[test]
fn an_emptied_config_ends_no_plugin() {
    let folder = Folder::with_config(PLUGIN);
    folder.write("login.lua", &login(DENY));
    let mut running = Running::start(&folder);
    assert_eq!(running.connect("a"), REFUSED);
    folder.overwrite("broker.toml", "\n");
    let line = running.wait_for("reload refused");
    assert!(
        line.contains("broker.toml: is empty; to end every plugin, write a comment into it"),
        "{line}"
    );
    assert_eq!(running.connect("a"), REFUSED);
    folder.overwrite("broker.toml", &format!("{LISTENER}\n# No plugins.\n"));
    until(&running, 0);
}

#[test]
fn a_script_whose_tests_fail_is_not_taken_live() {
    let folder = Folder::with_config(PLUGIN);
    folder.write("login.lua", &login(DENY));
    folder.write("login_test.lua", "test(\"denies\", function(t)\n  t.eq(t.call(\"validate_connection\", {}).kind, \"deny\")\nend)\n");
    let mut running = Running::start(&folder);
    folder.write("login.lua", &login(ACCEPT));
    assert!(
        running
            .wait_for("reload refused")
            .contains("login_test.lua:2")
    );
    assert_eq!(running.connect("a"), REFUSED);
    folder.write("login_test.lua", "test(\"accepts\", function(t)\n  t.eq(t.call(\"validate_connection\", {}).kind, \"accept\")\nend)\n");
    until(&running, 0);
}

#[test]
fn a_saved_config_adds_and_removes_plugins_and_names_what_waits_for_a_restart() {
    let folder = Folder::with_config("");
    folder.write("login.lua", &login(DENY));
    let mut running = Running::start(&folder);
    assert_eq!(running.connect("a"), 0);
    folder.write(
        "broker.toml",
        &format!("{LISTENER}\n{PLUGIN}\n[session]\nmaximum_inflight = 7\n"),
    );
    let line = running.wait_for("only after a restart");
    assert!(
        line.contains("session.maximum_inflight = 7 (now 1000)"),
        "{line}"
    );
    assert_eq!(running.connect("a"), REFUSED);
    folder.write("broker.toml", &format!("{LISTENER}\n[sesion]\n"));
    assert!(
        running
            .wait_for("reload refused")
            .contains("broker.toml:4:2: sesion: unknown section")
    );
    assert_eq!(running.connect("a"), REFUSED);
    folder.write("broker.toml", LISTENER);
    until(&running, 0);
}

#[test]
fn hangup_reloads_where_nobody_watches_and_scripts_are_told() {
    let folder = Folder::with_config(&format!("{PLUGIN}[reload]\nwatch = \"off\"\n"));
    folder.write("login.lua", &login(ACCEPT));
    let mut running = Running::start(&folder);
    folder.write(
        "login.lua",
        &login(DENY).replace(
            "return M",
            "function M.config_reloaded()\n  print(\"told\")\nend\nreturn M",
        ),
    );
    running.signal("HUP");
    running.wait_for("reloaded: generation 2; new or changed: login");
    running.wait_for("told");
    assert_eq!(running.connect("a"), REFUSED);
}

#[test]
fn what_has_not_changed_keeps_its_state() {
    let counter = "local M, n = {}, 0\nfunction M.client_connected(client_id)\n  n += 1\n  print(client_id .. \" is number \" .. n)\nend\nreturn M\n";
    let folder = Folder::with_config(&format!("{PLUGIN}[[plugin]]\npath = \"counter.lua\"\n"));
    folder.write("login.lua", &login(ACCEPT));
    folder.write("counter.lua", counter);
    let mut running = Running::start_with(
        &folder,
        &["-c", "broker.toml"],
        &[("HOOKMQ__RUNTIME__WORKERS", "1")],
    );
    running.connect("one");
    running.wait_for("one is number 1");
    folder.write("login.lua", &login("broker.accept(  )"));
    let line = running.wait_for("reloaded: ");
    assert!(
        line.contains("new or changed: login; as before: counter"),
        "{line}"
    );
    running.connect("two");
    running.wait_for("two is number 2");
}

#[test]
fn the_log_level_changes_live() {
    let folder = Folder::with_config("");
    let mut running = Running::start(&folder);
    folder.write(
        "broker.toml",
        &format!("{LISTENER}\n[log]\nlevel = \"debug\"\n"),
    );
    running.wait_for("log level is now debug");
}

#[test]
fn a_mistake_that_ends_with_another_level_is_not_told_as_undone() {
    let folder = Folder::with_config("");
    let mut running = Running::start(&folder);
    folder.write("broker.toml", &format!("{LISTENER}\n[log]\nlevel = 5\n"));
    running.wait_for("reload refused");
    folder.write(
        "broker.toml",
        &format!("{LISTENER}\n[log]\nlevel = \"debug\"\n"),
    );
    running.wait_for("log level is now debug");
    let line = running.wait_for("the mistake is gone");
    assert!(!line.contains("again"), "{line}");
}

#[cfg(unix)]
#[test]
fn a_link_that_is_swapped_counts_as_saved() {
    use std::os::unix::fs::symlink;
    let folder = Folder::with_config("[[plugin]]\npath = \"data/login.lua\"\n");
    folder.write("v1/login.lua", &login(ACCEPT));
    folder.write("v2/login.lua", &login(DENY));
    symlink("v1", folder.path().join("data")).expect("a link can be made");
    let running = Running::start(&folder);
    assert_eq!(running.connect("a"), 0);
    symlink("v2", folder.path().join("data.new")).expect("a link can be made");
    std::fs::rename(folder.path().join("data.new"), folder.path().join("data"))
        .expect("a link can be renamed");
    until(&running, REFUSED);
}

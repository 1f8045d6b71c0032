//! `hookmq check`: says what would run, and binds nothing.

use std::net::TcpListener;

use crate::folder::Folder;

const LOGIN: &str =
    "local M = {}\nfunction M.validate_connection()\n  return broker.accept()\nend\nreturn M\n";

#[test]
fn it_lists_what_would_run_and_binds_nothing() {
    // The address is taken, so a bind would fail.
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address");
    let folder = Folder::new();
    folder.write(
        "broker.toml",
        &format!("[[listener]]\nname = \"inner\"\nbind = \"{address}\"\n[[plugin]]\npath = \"scripts/login.lua\"\n"),
    );
    folder.write("scripts/login.lua", LOGIN);
    let out = folder.run(&["check", "-c", "broker.toml"]).good();
    assert!(out.starts_with("broker.toml is good\n"), "{out}");
    assert!(
        out.contains(&format!("inner  {address}  login judges who may connect")),
        "{out}"
    );
    assert!(
        out.contains("login  scripts/login.lua  validate_connection"),
        "{out}"
    );
}

#[test]
fn a_grant_that_a_script_will_need_is_missed() {
    let folder = Folder::new();
    folder.write(
        "scripts/lib/count.lua",
        "return function(name)\n  return broker.kv.add(name)\nend\n",
    );
    folder.write(
        "scripts/login.lua",
        "local count = require(\"lib/count\")\nlocal M = {}\nfunction M.validate_connection(client_id)\n  count(client_id)\n  broker.publish { topic = \"seen\" }\n  return broker.accept()\nend\nreturn M\n",
    );
    let check = |grants: &str| {
        let config = format!("[[plugin]]\npath = \"scripts/login.lua\"\n{grants}");
        folder.write("broker.toml", &config);
        folder.run(&["check", "-c", "broker.toml"]).good()
    };
    let out = check("");
    assert!(
        out.contains("validate_connection\n    warning: scripts/login.lua:5: broker.publish is not granted: add grants = [\"publish\"] to the plugin's section, broker.toml:2\n    warning: scripts/lib/count.lua:2: broker.kv.add is not granted: add grants = [\"kv\"]"),
        "{out}"
    );
    let out = check("grants = [\"kv\"]\n");
    assert!(
        out.contains("warning: scripts/login.lua:5") && !out.contains("broker.kv"),
        "{out}"
    );
    let out = check("grants = [\"kv\", \"publish\"]\n");
    assert!(!out.contains("warning"), "{out}");
}

#[test]
fn paths_start_at_the_folder_of_the_config() {
    let folder = Folder::new();
    folder.write(
        "etc/broker.toml",
        "[[plugin]]\npath = \"scripts/login.lua\"\n",
    );
    folder.write("etc/scripts/login.lua", LOGIN);
    folder.run(&["check", "-c", "etc/broker.toml"]).good();
}

#[test]
fn a_listener_for_others_needs_a_login_plugin_that_it_asks_or_an_explicit_true() {
    let public = "[[listener]]\nname = \"outer\"\nbind = \"0.0.0.0:0\"\n";
    let inner = "[[listener]]\nname = \"inner\"\nbind = \"127.0.0.1:0\"\n";
    let plugin = "[[plugin]]\npath = \"login.lua\"\n";
    for (config, code) in [
        (public.to_owned(), 64),
        (format!("{public}allow_anonymous = false\n"), 64),
        (format!("{public}allow_anonymous = true\n"), 0),
        (format!("{public}{plugin}"), 0),
        (
            format!("{public}{inner}{plugin}listeners = [\"outer\"]\n"),
            0,
        ),
        (
            format!("{public}{inner}{plugin}listeners = [\"inner\"]\n"),
            64,
        ),
        (format!("{inner}allow_anonymous = false\n"), 0),
    ] {
        let folder = Folder::new();
        folder.write("broker.toml", &config);
        folder.write("login.lua", LOGIN);
        let ended = folder.run(&["check", "-c", "broker.toml"]);
        assert_eq!(ended.code, code, "{config}\n{ended:?}");
    }
}

#[test]
fn completions_know_the_commands() {
    let out = Folder::new().run(&["completions", "bash"]).good();
    assert!(out.contains("plugin") && out.contains("--config"), "{out}");
}

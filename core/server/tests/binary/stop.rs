//! Starting without a config, and ending: exit codes, the DISCONNECT, the second signal.

use std::io::Read;
use std::net::TcpListener;

use crate::folder::{Folder, LISTENER};
use crate::running::Running;

/// A script that never lets a notice end within any test's patience.
const FREE: &[(&str, &str)] = &[("HOOKMQ__LISTENER__0__BIND", "127.0.0.1:0")];

#[test]
fn without_a_config_it_serves_this_machine_and_says_what_to_try() {
    let folder = Folder::new();
    let variables = [FREE[0], ("HOOKMQ__LOG__FORMAT", "pretty")];
    let mut running = Running::start_with(&folder, &[], &variables);
    assert!(
        running
            .seen
            .iter()
            .any(|line| line.contains("anybody may connect"))
    );
    running.wait_for(" sub --port ");
    running.wait_for(" pub --port ");
    running.wait_for(" --plugin hello.lua");
    running.wait_for("return M");
    assert_eq!(running.connect("somebody"), 0);
    running.signal("TERM");
    assert_eq!(running.ended().code(), Some(0));
}

#[test]
fn both_signals_stop_cleanly_and_clients_are_told() {
    for signal in ["TERM", "INT"] {
        let folder = Folder::with_config("");
        let mut running = Running::start(&folder);
        let mut client = running.stay("a");
        running.signal(signal);
        let mut last_words = Vec::new();
        client
            .read_to_end(&mut last_words)
            .expect("the connection is closed in order");
        // DISCONNECT with Reason Code 0x8B Server shutting down.
        assert_eq!(last_words.first(), Some(&0xe0), "{last_words:?}");
        assert_eq!(last_words.get(2), Some(&0x8b), "{last_words:?}");
        assert_eq!(running.ended().code(), Some(0), "{signal}");
        assert!(
            running.seen.iter().any(|line| line.contains("\"stopped\"")),
            "{:?}",
            running.seen
        );
    }
}

#[test]
fn a_second_signal_ends_it_at_once() {
    // A client that reads nothing holds the stop up, as its outbox cannot be written.
    let folder = Folder::with_config(
        "[limits]\nstop_within = \"1h\"\n[[plugin]]\npath = \"slow.lua\"\ntimeout = \"60s\"\n",
    );
    folder.write("slow.lua", "local M = {}\nfunction M.broker_stopping()\n  print('here')\n  while true do end\nend\nreturn M\n");
    let mut running = Running::start(&folder);
    running.signal("TERM");
    running.wait_for("here");
    running.signal("TERM");
    assert_eq!(running.ended().code(), Some(1));
}

#[test]
fn an_address_that_is_taken_is_named_with_its_listener() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address");
    let folder = Folder::new();
    folder.write(
        "broker.toml",
        &format!("{LISTENER}[[listener]]\nname = \"inner\"\nbind = \"{address}\"\n"),
    );
    let ended = folder.run(&["run", "--config", "broker.toml"]);
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(
        ended
            .err
            .contains(&format!("listener inner: cannot listen on {address}")),
        "{ended:?}"
    );
}

#[test]
fn a_bad_config_starts_nothing() {
    let folder = Folder::with_config("[session]\nmaximum_sesions = 1\n");
    for arguments in [&["run", "-c", "broker.toml"][..], &["-c", "broker.toml"]] {
        let ended = folder.run(arguments);
        assert_eq!(ended.code, 64);
        assert!(
            ended.err.contains("did you mean \"maximum_sessions\"?"),
            "{ended:?}"
        );
    }
}

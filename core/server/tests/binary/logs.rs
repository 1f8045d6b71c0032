//! The log: scripts' lines, forms, levels.

use std::net::TcpStream;

use crate::folder::Folder;
use crate::running::Running;

const TALKER: &str = "local M = {}\nfunction M.client_connected(client_id)\n  print(\"客户端已连接.ClientId:【\" .. client_id .. \"】\")\n  \
    broker.log.debug(\"quiet\")\nend\nreturn M\n";

#[test]
fn scripts_lines_are_messages_of_the_target_plugin() {
    let folder = Folder::with_config("[[plugin]]\npath = \"talker.lua\"\n");
    folder.write("talker.lua", TALKER);
    let mut running = Running::start(&folder);
    running.connect("甲");
    let line = running.wait_for("ClientId");
    let line: serde_json::Value = serde_json::from_str(&line).expect("a line of JSON");
    assert_eq!(line["message"], "客户端已连接.ClientId:【甲】");
    assert_eq!(line["target"], "plugin");
    assert_eq!(line["level"], "INFO");
    assert_eq!(line["plugin"], "talker");
    assert_eq!(line["place"], "talker.lua:3");
}

#[test]
fn the_pretty_form_has_them_verbatim_too() {
    let folder = Folder::with_config("[[plugin]]\npath = \"talker.lua\"\n");
    folder.write("talker.lua", TALKER);
    let variables = [
        ("HOOKMQ__LOG__FORMAT", "pretty"),
        ("HOOKMQ__LOG__LEVEL", "warn,plugin=debug"),
    ];
    let mut running = Running::start_with(&folder, &["-c", "broker.toml"], &[variables[0]]);
    running.connect("甲");
    assert!(
        running
            .wait_for("ClientId")
            .ends_with(" INFO  [talker] 客户端已连接.ClientId:【甲】 (talker.lua:3)")
    );
}

#[test]
fn the_level_can_be_set_by_target() {
    let folder = Folder::with_config("[[plugin]]\npath = \"talker.lua\"\n");
    folder.write("talker.lua", TALKER);
    let variables = [("HOOKMQ__LOG__LEVEL", "info,plugin=debug")];
    let mut running = Running::start_with(&folder, &["-c", "broker.toml"], &variables);
    running.connect("a");
    running.wait_for("quiet");
}

#[test]
fn a_reader_of_the_log_that_goes_away_takes_nothing_with_it() {
    let folder = Folder::with_config("[[plugin]]\npath = \"talker.lua\"\n");
    folder.write(
        "talker.lua",
        &TALKER.replace("client_connected", "validate_connection"),
    );
    let mut running = Running::start(&folder);
    running.stop_reading();
    for _ in 0..20 {
        running.connect("a");
    }
    let _client = TcpStream::connect(running.address).expect("it still listens");
}

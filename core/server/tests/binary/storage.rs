//! `[storage]` from the outside: what is there after a `kill -9`, by listener, and folders that cannot be had.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use crate::folder::Folder;
use crate::running::{PATIENCE, Running};

const TWO_LISTENERS: &str = r#"
[[listener]]
name = "kept"
bind = "127.0.0.1:0"

[[listener]]
name = "light"
bind = "127.0.0.1:0"
durability = "none"

[storage]
path = "data"
"#;

/// Starts the broker; gives where its second listener is, too.
fn start(folder: &Folder) -> (Running, SocketAddr) {
    let mut broker = Running::start(folder);
    let line = broker.wait_for("listener light");
    let (_, rest) = line.split_once("listens on ").expect("where it listens");
    let (address, _) = rest.split_once(',').expect("a comma behind the address");
    (broker, address.parse().expect("an address"))
}

/// Connects with 3.1.1 and Clean Session 0; whether the Session was there.
fn resumes(address: SocketAddr, client_id: &str) -> bool {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let length = u8::try_from(12 + client_id.len()).expect("short");
    let id_length = u8::try_from(client_id.len()).expect("short");
    let head = [
        0x10, length, 0, 4, b'M', b'Q', b'T', b'T', 4, 0, 0, 60, 0, id_length,
    ];
    stream
        .write_all(&[&head, client_id.as_bytes()].concat())
        .expect("CONNECT is sent");
    let mut answer = [0; 4];
    stream.read_exact(&mut answer).expect("CONNACK");
    assert_eq!((answer[0], answer[3]), (0x20, 0));
    answer[2] == 1
}

#[test]
fn a_session_survives_kill_9_unless_its_listener_says_otherwise() {
    let folder = Folder::new();
    folder.write("broker.toml", TWO_LISTENERS);
    let (mut broker, light) = start(&folder);
    assert!(!resumes(broker.address, "a") && !resumes(light, "b"));
    assert!(resumes(broker.address, "a") && resumes(light, "b"));
    broker.signal("KILL");
    broker.ended();
    let (broker, light) = start(&folder);
    assert!(resumes(broker.address, "a"));
    assert!(!resumes(light, "b"));
}

#[test]
fn a_folder_that_cannot_be_had_is_named() {
    let folder = Folder::new();
    folder.write("broker.toml", TWO_LISTENERS);
    let (_broker, _) = start(&folder);
    let second = folder.run(&["run", "--config", "broker.toml"]);
    assert_eq!(second.code, 1);
    let said = second.err;
    assert!(said.contains("data") && said.contains("open"), "{said}");

    folder.write("other.toml", &TWO_LISTENERS.replace("\"data\"", "\"file\""));
    folder.write("file", "not a folder");
    let refused = folder.run(&["run", "--config", "other.toml"]);
    assert_eq!(refused.code, 1);
    assert!(refused.err.contains("file"), "{}", refused.err);
}

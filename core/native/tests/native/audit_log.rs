//! `plugins/audit-log`: what its lines say, and what becomes of them when the disk is slow, full or rotated away.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use hookmq_native::{LoadError, NativePlugin, NativeSettings};
use hookmq_plugin_api::{Answer, Event, EventRecord, Field, Hook, Owned, Plugin};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::host::FakeHost;
use crate::{ask, build};

/// 2026-11-23T08:30:00.123Z
const NOW: i64 = 1_795_422_600_123;

struct Audit {
    folder: TempDir,
    library: PathBuf,
    host: Arc<FakeHost>,
}

impl Audit {
    fn new(defines: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let library = folder.path().join("audit_log.so");
        let source =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins/audit-log/audit_log.c");
        build::compile_library(&source, &library, defines);
        Self {
            folder,
            library,
            host: Arc::default(),
        }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("audit.jsonl")
    }

    fn load(&self, more: &str) -> Arc<NativePlugin> {
        let config = format!("{{\"file\": {:?}{more}}}", self.file());
        self.try_load(config).expect("loads")
    }

    fn try_load(&self, config: String) -> Result<Arc<NativePlugin>, LoadError> {
        let settings = NativeSettings {
            config,
            ..NativeSettings::new("audit")
        };
        NativePlugin::load(&self.library, settings, Arc::clone(&self.host) as _)
    }

    fn lines(&self) -> Vec<Value> {
        lines_of(&self.file())
    }
}

fn lines_of(file: &Path) -> Vec<Value> {
    let text = fs::read_to_string(file).expect("the log");
    assert!(text.is_empty() || text.ends_with('\n'));
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|why| panic!("{line}: {why}")))
        .collect()
}

fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < deadline, "not so within a minute: {what}");
        thread::yield_now();
    }
}

fn tell(plugin: &NativePlugin, event: &dyn Event) {
    assert_eq!(ask(plugin, event), Ok(Answer::PASS));
}

fn client(hook: Hook) -> EventRecord {
    EventRecord::new(hook)
        .with(Field::Timestamp, NOW)
        .with(Field::ClientId, "meter-7")
        .with(Field::Username, "ann")
        .with(Field::Endpoint, "10.0.0.7:5000")
}

fn published(topic: &str) -> EventRecord {
    client(Hook::InterceptPublish)
        .with(Field::Source, "client")
        .with(Field::Topic, topic)
        .with(Field::PayloadSize, 12)
        .with(Field::Qos, 1)
        .with(Field::Retain, false)
}

#[test]
fn each_event_is_a_line() {
    let audit = Audit::new(&[]);
    let plugin = audit.load("");
    let endpoint = EventRecord::new(Hook::BrokerStarted)
        .with(Field::Timestamp, 0)
        .with(Field::Endpoint, "127.0.0.1:1883");
    tell(&plugin, &endpoint);
    tell(
        &plugin,
        &client(Hook::ClientConnected)
            .with(Field::Listener, "tcp")
            .with(Field::ProtocolVersion, 5)
            .with(Field::CleanStart, true)
            .with(Field::SessionPresent, false),
    );
    tell(
        &plugin,
        &client(Hook::ClientSubscribed)
            .with(Field::TopicFilter, "a/#")
            .with(Field::Qos, 2),
    );
    tell(
        &plugin,
        &client(Hook::ClientUnsubscribed).with(Field::TopicFilter, "a/#"),
    );
    tell(
        &plugin,
        &EventRecord::new(Hook::MessageDropped)
            .with(Field::Timestamp, NOW)
            .with(Field::Reason, "plugin")
            .with(Field::Plugin, "acl")
            .with(Field::Topic, "a")
            .with(Field::PayloadSize, 0)
            .with(Field::SenderClientId, "meter-7")
            .with(Field::ReceiverClientId, ""),
    );
    tell(
        &plugin,
        &client(Hook::ClientDisconnected)
            .with(Field::DisconnectType, "NotClean")
            .with(Field::ReasonCode, 0x8D)
            .with(Field::ReasonString, "keep alive"),
    );
    let stopping = EventRecord::new(Hook::BrokerStopping).with(Field::Timestamp, NOW);
    tell(&plugin, &stopping);
    drop(plugin);
    let time = "2026-11-23T08:30:00.123Z";
    assert_eq!(
        audit.lines(),
        [
            json!({"time": "1970-01-01T00:00:00.000Z", "event": "started", "endpoint": "127.0.0.1:1883"}),
            json!({"time": time, "event": "connected", "client_id": "meter-7", "username": "ann", "endpoint": "10.0.0.7:5000",
                "listener": "tcp", "protocol_version": 5, "clean_start": true, "session_present": false}),
            json!({"time": time, "event": "subscribed", "client_id": "meter-7", "username": "ann", "topic_filter": "a/#", "qos": 2}),
            json!({"time": time, "event": "unsubscribed", "client_id": "meter-7", "username": "ann", "topic_filter": "a/#"}),
            json!({"time": time, "event": "dropped", "client_id": "meter-7", "topic": "a", "size": 0, "reason": "plugin",
                "plugin": "acl"}),
            json!({"time": time, "event": "disconnected", "client_id": "meter-7", "username": "ann", "endpoint": "10.0.0.7:5000",
                "how": "NotClean", "reason_code": 0x8D, "reason_string": "keep alive"}),
            json!({"time": time, "event": "stopping"}),
        ]
    );
}

#[test]
fn messages_and_refusals_are_logged_with_the_time_of_now() {
    let audit = Audit::new(&[]);
    let plugin = audit.load("");
    tell(&plugin, &published("a/b"));
    let will = published("gone")
        .with(Field::Source, "will")
        .with(Field::Retain, true);
    tell(&plugin, &will);
    let packet = |kind: &str, code| {
        client(Hook::InterceptOutboundPacket)
            .with(Field::PacketType, kind)
            .with(Field::ReasonCode, code)
    };
    tell(&plugin, &packet("connack", 0));
    tell(&plugin, &packet("puback", 0x10));
    tell(&plugin, &packet("connack", 0x87));
    // That one is told by client_disconnected.
    tell(&plugin, &packet("disconnect", 0x8B));
    let publish = client(Hook::InterceptOutboundPacket).with(Field::PacketType, "publish");
    tell(&plugin, &publish);
    drop(plugin);
    let mut lines = audit.lines();
    for line in &mut lines {
        let time = line.as_object_mut().and_then(|line| line.remove("time"));
        let time = time.expect("a time").to_string();
        assert!(time.starts_with("\"20") && time.ends_with("Z\""), "{time}");
    }
    assert_eq!(
        lines,
        [
            json!({"event": "published", "client_id": "meter-7", "username": "ann", "topic": "a/b", "size": 12, "qos": 1}),
            json!({"event": "published", "client_id": "meter-7", "username": "ann", "source": "will", "topic": "gone", "size": 12,
                "qos": 1, "retain": true}),
            json!({"event": "refused", "packet": "connack", "reason_code": 0x87, "client_id": "meter-7", "username": "ann",
                "endpoint": "10.0.0.7:5000"}),
        ]
    );
}

#[test]
fn without_refusals_no_packet_is_asked_about() {
    let hooks = |defines: &[&str]| {
        let plugin = Audit::new(defines).load("");
        let listens = plugin.listens().iter();
        listens.map(|listen| listen.hook).collect::<Vec<_>>()
    };
    let packets = Hook::InterceptOutboundPacket;
    assert!(hooks(&[]).contains(&packets));
    assert!(!hooks(&["AUDIT_WITHOUT_REFUSALS"]).contains(&packets));
    // A gate that a log listens to would ask for an accept from somebody.
    assert!(!hooks(&[]).contains(&Hook::ValidateConnection));
}

#[test]
fn no_text_can_forge_a_line() {
    let audit = Audit::new(&[]);
    let plugin = audit.load("");
    let long = "\"\n\u{1F980}".repeat(9_000);
    let every: String = (0..=0x7F_u8).map(char::from).collect();
    let texts = [
        "a\"}\n{\"event\":\"forged\"",
        "\\\"\r\t\u{8}\u{c}\u{0}\u{1f}\u{7f}\u{85}\u{2028}",
        "é€\u{1F980}\u{10FFFF}",
        "",
        &every,
        &long,
    ];
    for text in texts {
        tell(&plugin, &published(text));
    }
    // What the broker never lets through, but who knows.
    let broken = published("x").with(
        Field::ClientId,
        Owned::Bytes((*b"a\xC3(\xFF\xED\xA0\x80\xF4\x90z\xE2\x82").into()),
    );
    tell(&plugin, &broken);
    drop(plugin);
    let lines = audit.lines();
    assert_eq!(lines.len(), texts.len() + 1);
    for (line, text) in lines.iter().zip(texts) {
        assert_eq!(line["topic"], text);
    }
    let repaired = lines[texts.len()]["client_id"].as_str().expect("text");
    assert_eq!(repaired.replace('\u{FFFD}', "?"), "a?(??????z??");
}

#[test]
fn lines_of_many_threads_are_whole_and_none_is_missing() {
    let audit = Audit::new(&[]);
    let plugin = audit.load(", \"buffer_kib\": 16384, \"flush_ms\": 1");
    thread::scope(|scope| {
        for thread in 0..4 {
            let plugin = &plugin;
            scope.spawn(move || {
                for number in 0..5_000 {
                    tell(plugin, &published(&format!("{thread}/{number}")));
                }
            });
        }
    });
    drop(plugin);
    let mut topics: Vec<_> = audit
        .lines()
        .iter()
        .map(|line| line["topic"].as_str().expect("a topic").to_owned())
        .collect();
    // Of one thread, in order.
    let of_two: Vec<_> = topics
        .iter()
        .filter(|topic| topic.starts_with("2/"))
        .collect();
    assert!(
        of_two
            .iter()
            .zip(0..)
            .all(|(topic, number)| **topic == format!("2/{number}"))
    );
    topics.sort_unstable();
    topics.dedup();
    assert_eq!(topics.len(), 20_000);
}

#[test]
fn a_full_disk_stops_no_handler_and_what_is_lost_is_counted() {
    let audit = Audit::new(&[]);
    let full = Path::new("/dev/full");
    if !full.exists() {
        return;
    }
    symlink(full, audit.file()).expect("a link");
    let plugin = audit.load(", \"buffer_kib\": 4, \"flush_ms\": 1");
    tell(&plugin, &published("first"));
    wait_for("the writer has failed", || {
        !audit.host.log.lock().is_empty()
    });
    for number in 0..1_000 {
        tell(&plugin, &published(&format!("{number}")));
    }
    let log = audit.host.words();
    assert_eq!(log.len(), 1, "{log:?}");
    assert!(
        log[0].contains("cannot be written, its lines wait: No space left"),
        "{log:?}"
    );
    let beside = audit.folder.path().join("real.jsonl");
    fs::write(&beside, "").expect("a file");
    fs::rename(&beside, audit.file()).expect("in place of the link");
    wait_for("the writer has recovered", || {
        audit
            .host
            .words()
            .iter()
            .any(|line| line.contains("is written again"))
    });
    drop(plugin);
    let lines = audit.lines();
    assert_eq!(lines[0]["topic"], "first");
    let lost: u64 = lines.iter().filter_map(|line| line["lines"].as_u64()).sum();
    let written = lines
        .iter()
        .filter(|line| line["event"] == "published")
        .count() as u64;
    assert!(lost > 900, "{lost}");
    assert_eq!(written + lost, 1_001);
}

#[test]
fn a_rotated_file_is_left_and_a_new_one_begun() {
    let audit = Audit::new(&[]);
    let plugin = audit.load(", \"flush_ms\": 1, \"sync\": true");
    tell(&plugin, &published("before"));
    wait_for("the first line", || !audit.lines().is_empty());
    let old = audit.folder.path().join("audit.jsonl.1");
    fs::rename(audit.file(), &old).expect("rotated");
    tell(&plugin, &published("after"));
    drop(plugin);
    assert_eq!(lines_of(&old)[0]["topic"], "before");
    let lines = audit.lines();
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0]["topic"], "after");
}

#[test]
fn a_line_that_a_crash_cut_off_spoils_no_other() {
    let audit = Audit::new(&[]);
    fs::write(audit.file(), "{\"time\":\"20").expect("written");
    let plugin = audit.load("");
    tell(&plugin, &published("whole"));
    drop(plugin);
    let text = fs::read_to_string(audit.file()).expect("the log");
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("{\"time\":\"20"));
    let whole: Value = serde_json::from_str(lines.next().expect("a line")).expect("JSON");
    assert_eq!(whole["topic"], "whole");
    assert_eq!(lines.next(), None);
}

#[test]
fn a_wrong_config_is_refused_by_its_key() {
    let audit = Audit::new(&[]);
    let file = audit.file();
    let folder = audit.folder.path().join("missing/audit.jsonl");
    for (config, expected) in [
        ("{}".to_owned(), "config.file: missing; name the file"),
        (
            "{\"file\": 7}".to_owned(),
            "config.file: must be the path of a file",
        ),
        (
            "{\"file\": \"\"}".to_owned(),
            "config.file: must be the path of a file",
        ),
        (format!("{{\"file\": {folder:?}}}"), "config.file: "),
        (
            format!("{{\"file\": {file:?}, \"flush_ms\": 0}}"),
            "config.flush_ms: must be 1 to 60000 milliseconds",
        ),
        (
            format!("{{\"file\": {file:?}, \"buffer_kib\": -1}}"),
            "config.buffer_kib: must be 1 to 1048576",
        ),
    ] {
        let error = audit.try_load(config).expect_err("a wrong config");
        assert!(error.message.starts_with(expected), "{error}");
    }
}

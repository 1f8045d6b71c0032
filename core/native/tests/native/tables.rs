//! Host functions: what arrives at the broker, what comes back, and that nothing is there without a grant.

use std::sync::Arc;

use hookmq_native::{NativePlugin, NativeSettings};
use hookmq_plugin_api::{Answer, LogLevel};

use crate::host::FakeHost;
use crate::{Deep, ask, build, load_with, publish};

/// What the library logged about its calls.
fn told(topic: &str, depth: u8) -> (Arc<FakeHost>, Vec<String>) {
    let host = Arc::new(FakeHost::default());
    let plugin = load_with("tables.c", &[], &host);
    let event = Deep(publish(topic), depth);
    assert_eq!(ask(&plugin, &event), Ok(Answer::PASS));
    let words = host.words();
    (host, words)
}

#[test]
fn messages_are_published_with_all_they_have_and_as_deep_as_they_are() {
    let (host, words) = told("publish", 2);
    assert_eq!(
        words,
        [
            "publish 0",
            "publish_to 1",
            "publish_to 0",
            "publish -3: qos: must be 0, 1 or 2, got 3",
            "publish -3: flags: 0x80 has some that this broker does not know",
            "publish -3: topic: a topic cannot be empty",
            "publish -3: topic is not UTF-8: byte 0 begins [ff]",
            "publish -3: the message is a null pointer",
        ]
    );
    let published = std::mem::take(&mut *host.published.lock());
    let [(None, plain, 2), (Some(to), full, 2)] = published.as_slice() else {
        panic!("{published:?}");
    };
    assert_eq!(
        (&*plain.topic, &*plain.payload),
        ("out/topic", &b"payload"[..])
    );
    assert_eq!((plain.qos, plain.retain), (0, false));
    assert_eq!(plain.message_expiry_interval, None);
    assert_eq!(
        (&plain.content_type, &plain.correlation_data),
        (&None, &None)
    );
    assert_eq!((&**to, full.qos, full.retain), ("known", 1, true));
    assert_eq!(full.message_expiry_interval, Some(60));
    assert_eq!(full.content_type.as_deref(), Some("text/plain"));
    assert_eq!(full.response_topic.as_deref(), Some("back"));
    assert_eq!(full.correlation_data.as_deref(), Some(&b"\0\x01"[..]));
    assert_eq!(full.user_properties, [("a".to_owned(), "b".to_owned())]);
}

#[test]
fn a_handler_cannot_hide_how_deep_it_is() {
    // One of the publishes passes no event.
    let (host, words) = told("publish", 3);
    assert_eq!(words[..2], ["publish 0", "publish_to 1"]);
    assert!(
        host.published
            .lock()
            .iter()
            .all(|(_, _, depth)| *depth == 3)
    );
    let (_, words) = told("publish", 200);
    assert!(words[0].starts_with("publish -4: "), "{words:?}");
}

#[test]
fn the_map_is_read_and_written() {
    let (_, words) = told("map", 0);
    assert_eq!(
        words,
        [
            "get -6: there is no key \"key\"",
            "set 1",
            "get 5",
            "untouched 0",
            "get 5",
            "read 0",
            "set if absent 0",
            "set if equal 1",
            "set if 9 -3: condition: must be 0, 1 or 2, got 9",
            "add -3: key: no number",
            "add 0",
            "add 0",
            "sum 98",
            "add -3: sum is a null pointer",
            "delete 1",
            "delete 0",
        ]
    );
}

#[test]
fn clients_sessions_and_retained_messages_are_written_into_a_buffer() {
    let (_, words) = told("ask", 0);
    assert_eq!(
        words,
        [
            "client -6: there is no client \"unknown\"",
            "client in too little 0",
            "client askew -3: buffer: must be aligned to 8 bytes",
            "client 0",
            "known ann 127.0.0.1:1 tcp 5 60 1700000000123",
            "session -6: there is no session \"unknown\"",
            "known 1 4294967295 7 2 2 a/#:1 $share/g/b:2",
            "3 a/3 3 0 3",
            "retained 16",
        ]
    );
}

#[test]
fn the_rest_of_the_tables() {
    let host = Arc::new(FakeHost::default());
    let plugin = load_with("tables.c", &[], &host);
    assert_eq!(ask(&plugin, &publish("others")), Ok(Answer::PASS));
    let lines = std::mem::take(&mut *host.log.lock());
    let words: Vec<_> = lines.iter().map(|(_, _, words)| words.as_str()).collect();
    assert_eq!(
        words,
        [
            "disconnect 1",
            "disconnect 0",
            "invalidate 3",
            "reauthorize 4",
            "extension -1: this broker has no table \"hookmq.unheard.9\"",
            "a\u{FFFD}",
            "loud",
        ]
    );
    assert_eq!((lines[5].0, &*lines[5].1), (LogLevel::Warn, "there:1"));
    assert_eq!((lines[6].0, &*lines[6].1), (LogLevel::Error, "there:2"));
    assert!(lines[0].1.contains("tables.c:"), "{}", lines[0].1);
    let gone = std::mem::take(&mut *host.disconnected.lock());
    assert_eq!(
        gone,
        [
            ("known".to_owned(), 0x98, Some("go".to_owned())),
            ("unknown".to_owned(), 0, None)
        ]
    );
    assert_eq!(*host.tags.lock(), ["invalidate tag", "reauthorize tag"]);
}

#[test]
fn without_a_grant_there_is_only_the_log() {
    let built = build::fixture("tables.c", &[]);
    let host = Arc::new(FakeHost::default());
    let settings = NativeSettings::new("fixture");
    let plugin = NativePlugin::load(built.path(), settings, Arc::clone(&host) as _).expect("loads");
    for topic in ["publish", "map", "others"] {
        assert_eq!(ask(&plugin, &publish(topic)), Ok(Answer::PASS));
        let words = host.words();
        let first = &words[0];
        assert!(first.contains(" -1: not granted: add grants = "), "{first}");
    }
    assert!(host.published.lock().is_empty() && host.disconnected.lock().is_empty());
}

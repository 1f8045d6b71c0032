//! What a handler sees, and what becomes of its answer.

use std::sync::Arc;
use std::time::Duration;

use hookmq_plugin_api::{
    Answer, Cause, EventRecord, Field, Hook, Keep, Owned, Plugin, Refusal, Verdict,
};

use crate::host::FakeHost;
use crate::{ask, load, load_with, publish};

fn failure(topic: &str) -> (Cause, String) {
    ask(&load("calls.c"), &publish(topic)).expect_err("it fails")
}

#[test]
fn a_library_says_what_it_is_and_what_it_listens_to() {
    let plugin = load("calls.c");
    assert_eq!(plugin.name(), "fixture");
    assert_eq!(plugin.description(), ("calls", "1.2.3"));
    let listens = plugin.listens();
    let hooks: Vec<_> = listens.iter().map(|listen| listen.hook).collect();
    assert_eq!(
        hooks,
        [
            Hook::InterceptPublish,
            Hook::AuthorizePublish,
            Hook::ClientConnected
        ]
    );
    assert_eq!(
        listens[2].fields.iter().collect::<Vec<_>>(),
        [Field::ClientId]
    );
    assert!(listens.iter().all(|listen| !listen.awaits));
}

#[test]
fn declared_fields_come_as_parameters() {
    let host = Arc::new(FakeHost::default());
    let plugin = load_with("calls.c", &[], &host);
    let full = publish("see")
        .with(Field::ClientId, "me")
        .with(Field::Username, "")
        .with(Field::ProtocolVersion, 5)
        .with(Field::Qos, 2)
        .with(Field::Retain, true)
        .with(Field::Payload, &b"hello"[..]);
    assert_eq!(ask(&plugin, &full), Ok(Answer::PASS));
    assert_eq!(ask(&plugin, &publish("see")), Ok(Answer::PASS));
    // An empty user name is one; an absent number is -1.
    assert_eq!(host.words(), ["me|0|5|2|1|0|hello", "|1|-1|-1|0|0|"]);
}

#[test]
fn other_fields_are_had_when_asked_for() {
    let host = Arc::new(FakeHost::default());
    let plugin = load_with("calls.c", &[], &host);
    let event = publish("lazy")
        .with(Field::ContentType, "text/plain")
        .with(Field::PayloadSize, 7)
        .with(Field::Payload, &b"[1,2,3]"[..])
        .with(
            Field::UserProperties,
            Owned::Pairs(vec![
                ("one".to_owned(), "1".to_owned()),
                ("two".to_owned(), "zwei".to_owned()),
                ("two".to_owned(), "deux".to_owned()),
            ]),
        );
    assert_eq!(ask(&plugin, &event), Ok(Answer::PASS));
    assert_eq!(
        host.words(),
        ["text/plain 1 7 -1 3 zwei 3:,2, json 1 unknown 0"]
    );
    let event = publish("lazy").with(Field::Payload, &b"[1,2,3"[..]);
    assert_eq!(ask(&plugin, &event), Ok(Answer::PASS));
    assert_eq!(host.words(), [" 1 -1 -1 0  3:,2, json 0 unknown 0"]);
}

#[test]
fn verdicts_arrive_with_their_reasons() {
    let plugin = load("calls.c");
    let answer = |topic| ask(&plugin, &publish(topic)).expect("an answer").verdict;
    let refusal = |verdict: Verdict| match verdict {
        Verdict::Deny(refusal) | Verdict::Drop(Some(refusal)) | Verdict::Disconnect(refusal) => {
            *refusal
        }
        other => panic!("{other:?} has no refusal"),
    };
    assert_eq!(answer("accept"), Verdict::Accept);
    assert_eq!(answer("consume"), Verdict::Consume);
    assert_eq!(answer("silent drop"), Verdict::Drop(None));
    assert_eq!(answer("bare deny"), Verdict::Deny(Box::default()));
    let denied = refusal(answer("deny"));
    let place = denied.place.as_deref().expect("a place");
    assert!(place.contains("calls.c:"), "{place}");
    assert_eq!(denied.reason_code, 0x87);
    assert_eq!(denied.reason_string.as_deref(), Some("not for you"));
    let dropped = refusal(answer("drop"));
    assert_eq!(dropped.reason_code, 0);
    assert_eq!(dropped.reason_string.as_deref(), Some("away"));
    let full = Refusal {
        reason_code: 0x9C,
        reason_string: Some("over there".into()),
        user_properties: vec![
            ("a".to_owned(), "1".to_owned()),
            ("a".to_owned(), "2".to_owned()),
        ],
        server_reference: Some("other:1883".into()),
        place: None,
    };
    assert_eq!(answer("disconnect"), Verdict::Disconnect(Box::new(full)));
}

#[test]
fn the_last_change_of_a_field_counts() {
    let event = publish("change").with(Field::Payload, &b"\0\xff"[..]);
    let answer = ask(&load("calls.c"), &event).expect("an answer");
    assert_eq!(
        answer.changes,
        [
            (Field::Topic, "found".into()),
            (Field::Payload, Owned::Bytes([0, 255].into())),
            (Field::Qos, Owned::Integer(2)),
            (Field::Retain, Owned::Bool(true)),
            (Field::ContentType, Owned::Nil),
        ]
    );
}

#[test]
fn an_answer_can_be_kept_where_the_catalogue_says_so() {
    let plugin = load("calls.c");
    let event = |topic: &str| EventRecord::new(Hook::AuthorizePublish).with(Field::Topic, topic);
    let answer = ask(&plugin, &event("a")).expect("an answer");
    let keep = Keep::lasting(Duration::from_millis(1500))
        .tagged("user:ann")
        .tagged("zone");
    assert_eq!(answer, Answer::from(Verdict::Accept).kept(keep));
    for (topic, expected) in [
        ("pass", "its answer pass cannot be kept"),
        ("bad tag", "its tags has 20 items, at most 16 fit"),
    ] {
        let (cause, words) = ask(&plugin, &event(topic)).expect_err("refused");
        assert_eq!(cause, Cause::Answer);
        assert_eq!(words, format!("fixture: authorize_publish: {expected}"));
    }
}

#[test]
fn a_failure_is_told_with_the_librarys_words() {
    assert_eq!(
        failure("fail"),
        (
            Cause::Raised,
            "fixture: intercept_publish: the disk is full".to_owned()
        )
    );
    assert_eq!(
        failure("fail in silence"),
        (
            Cause::Raised,
            "fixture: intercept_publish: it failed, without a word why".to_owned()
        )
    );
    assert_eq!(
        failure("panic"),
        (
            Cause::Panic,
            "fixture: intercept_publish: index out of bounds".to_owned()
        )
    );
}

#[test]
fn a_notice_has_the_declared_fields_alone_and_the_log_says_so_once() {
    let host = Arc::new(FakeHost::default());
    let plugin = load_with("calls.c", &[], &host);
    let event = EventRecord::new(Hook::ClientConnected).with(Field::ClientId, "me");
    for _ in 0..3 {
        assert_eq!(ask(&plugin, &event), Ok(Answer::PASS));
    }
    assert_eq!(
        host.words(),
        [
            "client_connected asks for username, which it does not declare; \
             notices and handlers that may block have the declared fields alone"
        ]
    );
}

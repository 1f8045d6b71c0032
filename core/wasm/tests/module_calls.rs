//! The core form: events in, answers out.

mod common;

use common::guest::value;
use common::{Guest, load, publish};
use hookmq_plugin_api::{Answer, Field, Hook, Plugin, VerdictKind};

/// Denies what is not below `devices/`.
fn prefix() -> Guest {
    let topic = value(1);
    Guest::new(Hook::InterceptPublish, &[Field::ClientId, Field::Topic])
        .data(2048, "devices/")
        .call(&format!(
            "(local $text i32)
            (local.set $text (i32.load offset=8 {topic}))
            (if (i32.lt_u (i32.load offset=12 {topic}) (i32.const 8)) (then (return (i32.const 2))))
            (if (i64.ne (i64.load (local.get $text)) (i64.load (i32.const 2048))) (then (return (i32.const 2))))
            i32.const 0"
        ))
}

#[test]
fn a_prefix_check_passes_and_denies() {
    let loaded = load(&prefix().wat());
    assert_eq!(loaded.call(&publish()), Ok(Answer::PASS));
    let mut event = publish();
    event.set(Field::Topic, "elsewhere/ann".into());
    let answer = loaded.call(&event).unwrap();
    assert_eq!(answer.verdict.kind(), VerdictKind::Deny);
    event.set(Field::Topic, "dev".into());
    let answer = loaded.call(&event).unwrap();
    assert_eq!(answer.verdict.kind(), VerdictKind::Deny);
    let listen = &loaded.plugin.listens()[0];
    assert_eq!(listen.hook, Hook::InterceptPublish);
    assert!(listen.fields.has(Field::ClientId) && listen.fields.has(Field::Topic));
    assert!(!listen.fields.has(Field::Payload) && !listen.awaits);
}

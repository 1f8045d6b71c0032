//! The component form: events in, answers out.

mod common;

use common::component::Component;
use common::{load, publish};
use hookmq_plugin_api::{Answer, Field, Plugin, VerdictKind};

/// Where the answers of these tests lie: an answer of zeros at 4096 is a pass.
fn prefix() -> Component {
    Component::new("intercept_publish")
        .data(2048, "devices/")
        .data(5000, "\\02")
        .call(
            "(if (i32.lt_u (local.get $len) (i32.const 8)) (then (return (i32.const 5000))))
            (if (i64.ne (i64.load (local.get $topic)) (i64.load (i32.const 2048))) (then (return (i32.const 5000))))
            i32.const 4096",
        )
}

#[test]
fn a_prefix_check_passes_and_denies() {
    let loaded = load(&prefix().wat());
    assert_eq!(loaded.call(&publish()), Ok(Answer::PASS));
    let mut event = publish();
    event.set(Field::Topic, "elsewhere/ann".into());
    let answer = loaded.call(&event).unwrap();
    assert_eq!(answer.verdict.kind(), VerdictKind::Deny);
    let listen = &loaded.plugin.listens()[0];
    assert!(listen.fields.has(Field::Topic) && !listen.fields.has(Field::ClientId));
}

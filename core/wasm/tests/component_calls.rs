//! The component form: events in, answers out, what it may do, and what stops it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::time::Duration;

use common::component::Component;
use common::{BUDGET, Loaded, load, load_with, publish, refusal, settings};
use hookmq_plugin_api::{
    Answer, Cause, EventRecord, Field, Grants, Hook, Keep, LogLevel, Owned, Plugin, Refusal,
    Verdict, VerdictKind,
};
use hookmq_wasm::WasmSettings;

/// Where the answers of these tests lie: one of zeros at 4096 is a pass, one with a 2 at 5000 a deny.
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
    assert_eq!(answer, Answer::from(Verdict::Deny(Box::default())));
    let listen = &loaded.plugin.listens()[0];
    assert!(listen.fields.has(Field::Topic) && !listen.fields.has(Field::ClientId));
    assert_eq!(
        loaded.call(&EventRecord::new(Hook::InterceptWill)),
        Ok(Answer::PASS)
    );
}

//! A handler that fails or panics fails its call, with its words, and nothing else.

use hookmq_plugin_api::{Answer, Cause, EventRecord, Field, Hook};

use crate::{every, publish};

#[test]
fn an_error_carries_the_plugins_words() {
    for loaded in every("witness", "{}") {
        let error = loaded.call(&publish("error")).expect_err("it fails");
        assert_eq!(error.cause, Cause::Raised, "{:?}", loaded.carrier);
        assert!(error.message.contains("the handler failed"), "{error:?}");
    }
}

#[test]
fn a_panic_is_told_and_the_next_call_is_answered() {
    for loaded in every("witness", "{}") {
        for _ in 0..3 {
            let error = loaded.call(&publish("panic")).expect_err("it panics");
            assert_eq!(error.cause, Cause::Panic, "{:?}: {error:?}", loaded.carrier);
            assert!(error.message.contains("the handler panicked"), "{error:?}");
            assert!(error.message.contains("witness.rs:"), "{error:?}");
            assert_eq!(loaded.call(&publish("pass")), Ok(Answer::PASS));
        }
    }
}

#[test]
fn a_failed_notice_is_told() {
    let event = EventRecord::new(Hook::ClientDisconnected).with(Field::ReasonCode, 0x8b);
    for loaded in every("witness", "{}") {
        let error = loaded.call(&event).expect_err("it fails");
        assert!(
            error.message.contains("139 is no reason"),
            "{:?}: {error:?}",
            loaded.carrier
        );
    }
}

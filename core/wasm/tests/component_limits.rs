//! Components that misbehave: each is stopped with its reason, and the next call finds a fresh instance.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::time::Duration;

use common::component::Component;
use common::{BUDGET, Loaded, load, publish};
use hookmq_plugin_api::{Answer, Cause, Field, Plugin};

const SHORT: Duration = Duration::from_millis(20);

fn plugin() -> Component {
    Component::new("intercept_publish").data(2_048, "ann")
}

/// Misbehaves on the topic `x`, and passes otherwise.
fn on_demand(component: Component, body: &str) -> Loaded {
    let component = component.call(&format!(
        "(if (i32.eq (local.get $len) (i32.const 1)) (then {body})) i32.const 4096"
    ));
    load(&component.wat())
}

fn failure(loaded: &Loaded, budget: Duration) -> (Cause, String) {
    let bad = publish().with(Field::Topic, "x");
    assert_eq!(loaded.call(&publish()), Ok(Answer::PASS));
    let failure = loaded.failure(&bad, budget);
    assert_eq!(
        loaded.call(&publish()),
        Ok(Answer::PASS),
        "a fresh instance"
    );
    failure
}

#[test]
fn a_component_that_misbehaves_is_stopped_and_replaced() {
    let functions =
        "(func $deep (param i32) (result i32) (i32.add (local.get 0) (call $deep (local.get 0))))";
    for (body, budget, cause, expected) in [
        (
            "(loop $l (br $l))",
            SHORT,
            Cause::Timeout,
            "it took longer than 20ms and was stopped, in",
        ),
        ("unreachable", BUDGET, Cause::Raised, "it gave up"),
        (
            "(drop (call $deep (i32.const 1)))",
            BUDGET,
            Cause::Raised,
            "the stack is used up, in deep",
        ),
        (
            "(loop $l (drop (memory.grow (i32.const 1))) (br $l))",
            BUDGET,
            Cause::Memory,
            "bytes of memory and may have 4194304",
        ),
        (
            "(return (i32.const -1))",
            BUDGET,
            Cause::Answer,
            "return pointer not aligned",
        ),
        (
            "(return (i32.const -8))",
            BUDGET,
            Cause::Answer,
            "out of bounds",
        ),
        (
            "(return (i32.const 262136))",
            BUDGET,
            Cause::Answer,
            "out of bounds",
        ),
        (
            "(call $fail (i32.const 2048) (i32.const 3)) unreachable",
            BUDGET,
            Cause::Panic,
            "intercept_publish: ann, in call",
        ),
        (
            "(call $fail (i32.const 2048) (i32.const 3))",
            BUDGET,
            Cause::Raised,
            "intercept_publish: ann",
        ),
        (
            "(call $fail (i32.const -1) (i32.const 3))",
            BUDGET,
            Cause::Answer,
            "out of bounds",
        ),
        (
            "(call $fail (i32.const 0) (i32.const -1))",
            BUDGET,
            Cause::Answer,
            "out of bounds",
        ),
        (
            "(call $fail (i32.const 5100) (i32.const 2))",
            BUDGET,
            Cause::Answer,
            "utf-8",
        ),
    ] {
        let component = plugin()
            .import(
                "event",
                "fail",
                "(param \"message\" string)",
                "(param i32 i32)",
            )
            .data(5_100, "\\ff\\fe")
            .functions(functions);
        let loaded = on_demand(component, body);
        let (found, message) = failure(&loaded, budget);
        assert_eq!(found, cause, "{message}");
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn answers_made_of_wild_numbers_are_refused() {
    // At 5000 an answer whose list of changes lies nowhere, and at 5200 one with far too many that all name one long text.
    for (at, expected) in [(5_000, "out of bounds"), (5_200, "too much data")] {
        let component = plugin()
            .data(5_056, "\\00\\00\\00\\7f\\10\\00\\00\\00")
            .data(5_256, "\\00\\00\\01\\00\\10\\27\\00\\00")
            .functions(
                "(func $fill (local $at i32)
                    (local.set $at (i32.const 65536))
                    (loop $l
                        (i32.store8 (local.get $at) (i32.const 14))
                        (i32.store offset=4 (local.get $at) (i32.const 65536))
                        (i32.store offset=8 (local.get $at) (i32.const 100000))
                        (local.set $at (i32.add (local.get $at) (i32.const 12)))
                        (br_if $l (i32.lt_u (local.get $at) (i32.const 185536)))))",
            );
        let loaded = on_demand(
            component,
            &format!("(call $fill) (return (i32.const {at}))"),
        );
        let (cause, message) = failure(&loaded, BUDGET);
        assert_eq!(cause, Cause::Answer, "{message}");
        assert!(message.to_lowercase().contains(expected), "{message}");
    }
}

#[test]
fn thousands_of_traps_leave_nothing_behind() {
    let loaded = on_demand(plugin(), "unreachable");
    let bad = publish().with(Field::Topic, "x");
    let maps = || {
        let text = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
        text.lines().count()
    };
    let traps = |count: usize| {
        for _ in 0..count {
            assert!(loaded.plugin.call(&bad, BUDGET).is_err());
        }
    };
    traps(100);
    let before = maps();
    traps(3_000);
    assert!(maps() < before + 50);
    assert_eq!(loaded.call(&publish()), Ok(Answer::PASS));
}

//! What a call of a plugin costs, everything included: `cargo bench -p hookmq-wasm`; of files too, `cargo bench -p hookmq-wasm -- FILE.wasm`.
//!
//! The least of many short rounds: other work on the machine makes a round longer, never shorter. `-- --calls=N FILE.wasm` makes N calls of
//! each file and no more, for tools that count instructions.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints, and ends if its guests do not work"
)]

#[path = "../tests/common/mod.rs"]
mod common;

use std::hint::black_box;
use std::time::{Duration, Instant};

use common::component::Component;
use common::guest::value;
use common::{Guest, Loaded, load, load_bytes, settings};
use hookmq_plugin_api::{Event, Field, Hook, Plugin, Value};

const ROUNDS: usize = 201;
const BUDGET: Duration = Duration::from_secs(5);

/// An event that borrows, as the broker's do.
struct Publish<'a> {
    topic: &'a str,
    payload: &'a [u8],
}

impl Event for Publish<'_> {
    fn hook(&self) -> Hook {
        Hook::InterceptPublish
    }

    fn get(&self, field: Field) -> Value<'_> {
        match field {
            Field::ClientId => Value::Text("sensor-17"),
            Field::Topic => Value::Text(self.topic),
            Field::Payload => Value::Bytes(self.payload),
            Field::PayloadSize => Value::integer(u32::try_from(self.payload.len()).ok()),
            _ => Value::Nil,
        }
    }
}

fn prefix_check(fields: &[Field]) -> Guest {
    let topic = value(0);
    Guest::new(Hook::InterceptPublish, fields)
        .data(2048, "devices/")
        .call(&format!(
            "(if (i32.lt_u (i32.load offset=12 {topic}) (i32.const 8)) (then (return (i32.const 2))))
            (if (i64.ne (i64.load (i32.load offset=8 {topic})) (i64.load (i32.const 2048))) (then (return (i32.const 2))))
            i32.const 0"
        ))
}

fn component_check() -> Component {
    Component::new("intercept_publish")
        .data(2048, "devices/")
        .data(5000, "\\02")
}

const CHECK: &str = "(if (i32.lt_u (local.get $len) (i32.const 8)) (then (return (i32.const 5000))))
    (if (i64.ne (i64.load (local.get $topic)) (i64.load (i32.const 2048))) (then (return (i32.const 5000))))";

fn main() {
    if let Some(calls) = std::env::args()
        .find_map(|argument| Some(argument.strip_prefix("--calls=")?.parse().unwrap()))
    {
        for (_, loaded) in files() {
            measure(&loaded, &[b'x'; 64], calls);
        }
        return;
    }
    let nop = Guest::new(Hook::InterceptPublish, &[]);
    let core = prefix_check(&[Field::Topic]);
    let two = prefix_check(&[Field::Topic, Field::ClientId]);
    let with_payload = prefix_check(&[Field::Topic, Field::Payload]);
    let first_byte = prefix_check(&[Field::Topic])
        .import(
            "hookmq",
            "payload_slice",
            "(param i32 i32 i32) (result i32)",
        )
        .call(
            "(drop (call $payload_slice (i32.const 0) (i32.const 3000) (i32.const 1))) i32.const 0",
        );
    let component = component_check().call(&format!("{CHECK} i32.const 4096"));
    let component_byte = component_check()
        .import(
            "event",
            "payload-slice",
            "(param \"offset\" u64) (param \"len\" u64) (result (list u8))",
            "(param i64 i64 i32)",
        )
        .call(&format!(
            "{CHECK} (call $payload-slice (i64.const 0) (i64.const 1) (i32.const 3000)) i32.const 4096"
        ));
    let component_payload = component_check()
        .import("event", "payload", "(result (list u8))", "(param i32)")
        .call(&format!(
            "{CHECK} (call $payload (i32.const 3000)) i32.const 4096"
        ));
    let component_client = component_check()
        .import(
            "event",
            "client-id",
            "(result (option string))",
            "(param i32)",
        )
        .call(&format!(
            "{CHECK} (call $client-id (i32.const 3000)) i32.const 4096"
        ));
    // Every call ends with a trap, so every call makes an instance.
    let core_trap = Guest::new(Hook::InterceptPublish, &[]).call("unreachable");
    let component_trap = component_check().call("unreachable");
    let cases = [
        ("core, nothing declared, pass", nop.wat()),
        ("core, prefix check", core.wat()),
        ("core, prefix check, client_id too", two.wat()),
        ("core, payload declared", with_payload.wat()),
        ("core, payload_slice of 1 byte", first_byte.wat()),
        ("component, prefix check", component.wat()),
        ("component, client-id too", component_client.wat()),
        ("component, payload", component_payload.wat()),
        ("component, payload-slice of 1 byte", component_byte.wat()),
        ("core, trap, a fresh instance", core_trap.wat()),
        ("component, trap, a fresh instance", component_trap.wat()),
    ];
    let named = cases
        .iter()
        .map(|(name, wat)| ((*name).to_owned(), load(wat)));
    let loaded: Vec<_> = named.chain(files()).collect();
    println!("{:<40}{:>10}{:>10}   ns per call", "", "64 B", "64 KiB");
    let mut least = vec![[f64::MAX; 2]; loaded.len()];
    for _ in 0..ROUNDS {
        for ((_, loaded), least) in loaded.iter().zip(&mut least) {
            for (size, least) in [64, 65_536].into_iter().zip(least) {
                *least = least.min(measure(loaded, &vec![b'x'; size], 300));
            }
        }
    }
    for ((name, _), [small, large]) in loaded.iter().zip(least) {
        println!("{name:<40}{small:>10.0}{large:>10.0}");
    }
}

/// The files of the command line.
fn files() -> impl Iterator<Item = (String, Loaded)> {
    let files = std::env::args().filter(|argument| argument.ends_with(".wasm"));
    files.map(|file| {
        let bytes = std::fs::read(&file).unwrap();
        (file, load_bytes(&bytes, settings()).unwrap())
    })
}

fn measure(loaded: &Loaded, payload: &[u8], calls: u32) -> f64 {
    let event = Publish {
        topic: "devices/sensor-17/temperature",
        payload,
    };
    let plugin = &loaded.plugin;
    let started = Instant::now();
    for _ in 0..calls {
        let _answer = black_box(plugin.call(black_box(&event), BUDGET));
    }
    started.elapsed().as_nanos() as f64 / f64::from(calls)
}

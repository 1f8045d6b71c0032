//! What a call of a native handler costs: the handler alone, through the host, with an answer, with a field that was not declared.
//!
//! `cargo bench -p hookmq-native` prints nanoseconds per call, the least of many rounds, as other work on the machine only adds.
#![allow(
    unsafe_code,
    clippy::print_stdout,
    reason = "calls a handler without the host, and prints its figures"
)]

use std::hint::black_box;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hookmq_native::{NativePlugin, NativeSettings};
use hookmq_plugin_api::abi;
use hookmq_plugin_api::{
    ClientView, Event, Field, Hook, Host, HostError, KvCondition, LogLevel, OutgoingMessage,
    Plugin, RetainedView, SessionView, Value,
};

const CALLS: u32 = 20_000;
const ROUNDS: u32 = 200;

struct Message {
    hook: Hook,
    topic: &'static str,
    payload: Vec<u8>,
}

impl Event for Message {
    fn hook(&self) -> Hook {
        self.hook
    }

    fn get(&self, field: Field) -> Value<'_> {
        match field {
            Field::Topic => Value::Text(self.topic),
            Field::ClientId | Field::SenderClientId | Field::ReceiverClientId => {
                Value::Text("client-42")
            }
            Field::Payload => Value::Bytes(&self.payload),
            Field::Qos => Value::Integer(0),
            Field::Retain => Value::Bool(false),
            _ => Value::Nil,
        }
    }
}

/// Nanoseconds of one call.
fn measure(mut call: impl FnMut()) -> f64 {
    let mut least = Duration::MAX;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        for _ in 0..CALLS {
            call();
        }
        least = least.min(start.elapsed());
    }
    least.as_secs_f64() * 1e9 / f64::from(CALLS)
}

fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let library = folder.path().join("prefix.so");
    let done = Command::new("cc")
        .args(["-O2", "-shared", "-fPIC", "-fvisibility=hidden", "-I"])
        .arg(here.join("../../plugin-api/c"))
        .arg("-o")
        .arg(&library)
        .arg(here.join("benches/prefix.c"))
        .status()
        .expect("a C compiler");
    assert!(done.success(), "the plugin compiles");
    let plugin = NativePlugin::load(&library, NativeSettings::new("prefix"), Arc::new(NoHost))
        .expect("loads");

    let message = |hook, topic, size| Message {
        hook,
        topic,
        payload: vec![b'x'; size],
    };
    let good = message(Hook::InterceptPublish, "devices/42/temperature", 64);
    let bad = message(Hook::InterceptPublish, "elsewhere", 64);
    let lazy = message(Hook::AuthorizePublish, "devices/42/temperature", 64);
    let small = message(Hook::InterceptEnqueue, "devices/42/temperature", 64);
    let large = message(Hook::InterceptEnqueue, "devices/42/temperature", 65_536);
    let change = message(Hook::InterceptDelivery, "devices/42/temperature", 64);
    let nobody = message(Hook::MessageDropped, "devices/42/temperature", 64);

    println!("{:<52}{:>8.1} ns", "the handler alone", alone(&library));
    let through = |event: &Message| {
        let event: &dyn Event = black_box(event);
        measure(|| {
            let _answer = black_box(plugin.call(event, Duration::from_millis(50)));
        })
    };
    for (what, event) in [
        ("a hook without a handler", &nobody),
        ("prefix check, 2 fields, pass", &good),
        ("6 fields, 64 B, pass", &small),
        ("6 fields, 64 KiB, pass", &large),
        ("1 field and one that was not declared, pass", &lazy),
        ("prefix check, deny with a reason", &bad),
        ("a changed topic", &change),
    ] {
        println!("{what:<52}{:>8.1} ns", through(event));
    }
}

/// The prefix check on an event that is ready, without the host.
fn alone(library: &Path) -> f64 {
    let text = |text: &'static str| abi::Value {
        tag: abi::tag::TEXT,
        reserved: 0,
        body: abi::Body {
            bytes: abi::Bytes {
                data: text.as_ptr(),
                len: text.len(),
            },
        },
    };
    let fields = [text("devices/42/temperature"), text("client-42")];
    let event = abi::Event {
        size: u32::try_from(size_of::<abi::Event>()).expect("small"),
        hook: Hook::InterceptPublish as u32,
        depth: 0,
        count: 2,
        fields: fields.as_ptr(),
        context: std::ptr::null(),
        calls: std::ptr::null(),
    };
    // SAFETY: the plugin was built above; its start-up code does nothing.
    let library = unsafe { libloading::Library::new(library) }.expect("loads");
    // SAFETY: that is the symbol's type.
    let entry = unsafe { library.get::<unsafe extern "C" fn() -> *const abi::Plugin>(abi::ENTRY) };
    // SAFETY: the first listen is that of the prefix check.
    let handler = unsafe { (*(*entry.expect("exported")()).listens).call }.expect("a handler");
    measure(|| {
        // SAFETY: a topic that is right needs neither an instance nor an answer.
        black_box(unsafe {
            handler(
                std::ptr::null_mut(),
                black_box(&raw const event),
                std::ptr::null_mut(),
            )
        });
    })
}

/// A host that offers nothing.
struct NoHost;

const NOTHING: HostError = HostError::Stopping;

impl Host for NoHost {
    fn log(&self, _: LogLevel, _: &str, _: &str, _: &[(String, String)]) {}

    fn publish(&self, _: OutgoingMessage, _: u8) -> Result<(), HostError> {
        Err(NOTHING)
    }

    fn publish_to(&self, _: &str, _: OutgoingMessage, _: u8) -> Result<bool, HostError> {
        Err(NOTHING)
    }

    fn disconnect(&self, _: &str, _: u8, _: Option<&str>) -> Result<bool, HostError> {
        Err(NOTHING)
    }

    fn client(&self, _: &str) -> Result<Option<ClientView>, HostError> {
        Err(NOTHING)
    }

    fn session(&self, _: &str) -> Result<Option<SessionView>, HostError> {
        Err(NOTHING)
    }

    fn retained(&self, _: &str, _: usize) -> Result<Vec<RetainedView>, HostError> {
        Err(NOTHING)
    }

    fn kv_get(&self, _: &str) -> Result<Option<Vec<u8>>, HostError> {
        Err(NOTHING)
    }

    fn kv_set(
        &self,
        _: &str,
        _: &[u8],
        _: Option<Duration>,
        _: KvCondition,
    ) -> Result<bool, HostError> {
        Err(NOTHING)
    }

    fn kv_delete(&self, _: &str) -> Result<bool, HostError> {
        Err(NOTHING)
    }

    fn kv_add(&self, _: &str, _: i64, _: Option<Duration>) -> Result<i64, HostError> {
        Err(NOTHING)
    }

    fn invalidate(&self, _: &str) -> Result<usize, HostError> {
        Err(NOTHING)
    }

    fn reauthorize(&self, _: &str) -> Result<usize, HostError> {
        Err(NOTHING)
    }
}

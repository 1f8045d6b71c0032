//! One plugin source, three carriers: whatever the SDK offers behaves the same as a dynamic library, a core module and a component.
//!
//! The plugins are built by `cargo xtask guests`, which the test command runs first.

mod answers;
mod calls;
mod events;
mod failures;
mod host;
mod javascript;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hookmq_native::{NativePlugin, NativeSettings};
use hookmq_plugin_api::{
    Answer, Event, EventRecord, Field, Grant, Grants, Hook, Plugin, PluginError,
};
use hookmq_wasm::{WasmPlugin, WasmSettings};

use host::FakeHost;

/// Far more than any call here takes, even on a busy machine.
const BUDGET: Duration = Duration::from_secs(5);

/// What a plugin can be built as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Carrier {
    Native,
    Module,
    Component,
}

const CARRIERS: [Carrier; 3] = [Carrier::Native, Carrier::Module, Carrier::Component];

/// A plugin of one carrier, and the broker that it sees.
struct Loaded {
    carrier: Carrier,
    plugin: Arc<dyn Plugin>,
    host: Arc<FakeHost>,
}

impl Loaded {
    fn call(&self, event: &dyn Event) -> Result<Answer, PluginError> {
        self.plugin.call(event, BUDGET)
    }

    /// The payload that the answer changes, as text.
    fn payload(&self, event: &dyn Event) -> String {
        let answer = self.call(event).unwrap_or_else(|error| {
            panic!("{:?}: {error:?}", self.carrier);
        });
        let payload = answer
            .changes
            .iter()
            .find(|(field, _)| *field == Field::Payload);
        let payload = payload.and_then(|(_, value)| value.as_value().as_bytes());
        String::from_utf8_lossy(payload.expect("the payload is changed")).into_owned()
    }
}

/// All grants.
fn everything() -> Grants {
    Grant::ALL.into_iter().collect()
}

/// A plugin of `tests/guests`, in every carrier, with everything granted.
fn every(name: &str, config: &str) -> Vec<Loaded> {
    let load = |carrier| load(name, carrier, config, everything());
    CARRIERS
        .into_iter()
        .map(|carrier| load(carrier).unwrap_or_else(|why| panic!("{carrier:?}: {why}")))
        .collect()
}

fn load(name: &str, carrier: Carrier, config: &str, grants: Grants) -> Result<Loaded, String> {
    let path = match carrier {
        Carrier::Native => hookmq_guests::native(name),
        Carrier::Module => hookmq_guests::module(name),
        Carrier::Component => hookmq_guests::component(name),
    };
    let host = Arc::new(FakeHost::default());
    let plugin: Arc<dyn Plugin> = if carrier == Carrier::Native {
        let settings = NativeSettings {
            config: config.to_owned(),
            grants,
            ..NativeSettings::new("tested")
        };
        NativePlugin::load(&path, settings, Arc::clone(&host) as _)
            .map_err(|error| error.to_string())?
    } else {
        let settings = WasmSettings {
            config: config.to_owned(),
            grants,
            // Compiling takes seconds in a debug build, so it is done once for all tests.
            cache_folder: Some(Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled")),
            ..WasmSettings::new("tested")
        };
        WasmPlugin::load(&path, settings, Arc::clone(&host) as _)
            .map_err(|error| error.to_string())?
    };
    Ok(Loaded {
        carrier,
        plugin,
        host,
    })
}

/// A message to a topic.
fn publish(topic: &str) -> EventRecord {
    EventRecord::new(Hook::InterceptPublish).with(Field::Topic, topic)
}

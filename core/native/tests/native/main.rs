//! Libraries in C, built by the machine's compiler when the tests run: good ones, lying ones, and one beside its successor.

#[cfg(unix)]
mod audit_log;
mod awaiting;
mod build;
mod calls;
mod config;
mod header;
mod host;
mod lies;
mod reload;
mod tables;
mod values;

use std::sync::Arc;
use std::time::Duration;

use hookmq_native::{NativePlugin, NativeSettings};
use hookmq_plugin_api::{Answer, Cause, Event, EventRecord, Field, Grant, Hook, Plugin, Value};

use crate::host::FakeHost;

const BUDGET: Duration = Duration::from_millis(50);

/// Settings with everything granted.
fn settings() -> NativeSettings {
    NativeSettings {
        grants: Grant::ALL.into_iter().collect(),
        ..NativeSettings::new("fixture")
    }
}

/// A fixture, loaded.
fn load(source: &str) -> Arc<NativePlugin> {
    load_with(source, &[], &Arc::new(FakeHost::default()))
}

fn load_with(source: &str, defines: &[&str], host: &Arc<FakeHost>) -> Arc<NativePlugin> {
    let built = build::fixture(source, defines);
    NativePlugin::load(built.path(), settings(), Arc::clone(host) as _).expect("loads")
}

/// An `intercept_publish` with this topic.
fn publish(topic: &str) -> EventRecord {
    EventRecord::new(Hook::InterceptPublish).with(Field::Topic, topic)
}

fn ask(plugin: &NativePlugin, event: &dyn Event) -> Result<Answer, (Cause, String)> {
    plugin
        .call(event, BUDGET)
        .map_err(|error| (error.cause, error.message.into()))
}

/// An event of this depth.
struct Deep(EventRecord, u8);

impl Event for Deep {
    fn hook(&self) -> Hook {
        self.0.hook()
    }

    fn get(&self, field: Field) -> Value<'_> {
        self.0.get(field)
    }

    fn depth(&self) -> u8 {
        self.1
    }
}

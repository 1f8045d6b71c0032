//! What the tests share: a broker that is not there, and guests as text.

#![allow(
    dead_code,
    unused_imports,
    clippy::unwrap_used,
    reason = "every test file takes what it needs; what fails here is a test that fails"
)]

pub(crate) mod component;
pub(crate) mod guest;
pub(crate) mod host;

use std::sync::Arc;
use std::time::Duration;

use hookmq_plugin_api::{
    Answer, Cause, Event, EventRecord, Field, Grant, Hook, Owned, Plugin, PluginError,
};
use hookmq_wasm::{WasmPlugin, WasmSettings};

pub(crate) use guest::Guest;
pub(crate) use host::FakeHost;

/// A budget that no call of a test needs.
pub(crate) const BUDGET: Duration = Duration::from_secs(20);

/// A loaded guest, with its host and the folder of its file.
pub(crate) struct Loaded {
    pub(crate) plugin: Arc<WasmPlugin>,
    pub(crate) host: Arc<FakeHost>,
    pub(crate) folder: tempfile::TempDir,
}

impl Loaded {
    pub(crate) fn call(&self, event: &dyn Event) -> Result<Answer, PluginError> {
        self.plugin.call(event, BUDGET)
    }

    /// Cause and message of a call that fails.
    pub(crate) fn failure(&self, event: &dyn Event, budget: Duration) -> (Cause, String) {
        let error = self.plugin.call(event, budget).unwrap_err();
        (error.cause, error.message.into())
    }
}

/// Everything granted.
pub(crate) fn settings() -> WasmSettings {
    WasmSettings {
        grants: Grant::ALL.into_iter().collect(),
        memory_limit: 4 << 20,
        ..WasmSettings::new("test")
    }
}

pub(crate) fn load_with(wat: &str, settings: WasmSettings) -> Result<Loaded, String> {
    let bytes = wat::parse_str(wat).unwrap_or_else(|error| panic!("{error}\n{wat}"));
    load_bytes(&bytes, settings)
}

pub(crate) fn load_bytes(bytes: &[u8], settings: WasmSettings) -> Result<Loaded, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.wasm");
    std::fs::write(&path, bytes).unwrap();
    let host = Arc::new(FakeHost::default());
    let plugin =
        WasmPlugin::load(&path, settings, Arc::clone(&host) as _).map_err(|error| error.message)?;
    Ok(Loaded {
        plugin,
        host,
        folder,
    })
}

pub(crate) fn load(wat: &str) -> Loaded {
    load_with(wat, settings()).unwrap_or_else(|error| panic!("{error}\n{wat}"))
}

/// Why a guest is refused.
pub(crate) fn refusal(wat: &str, settings: WasmSettings) -> String {
    match load_with(wat, settings) {
        Ok(_) => panic!("loaded:\n{wat}"),
        Err(error) => error,
    }
}

/// A message from ann.
pub(crate) fn publish() -> EventRecord {
    EventRecord::new(Hook::InterceptPublish)
        .with(Field::ClientId, "ann")
        .with(Field::Topic, "devices/ann/t")
        .with(Field::Payload, &b"on"[..])
        .with(Field::PayloadSize, 2)
        .with(Field::Qos, 1)
        .with(Field::Retain, true)
        .with(
            Field::UserProperties,
            Owned::Pairs(vec![
                ("a".into(), "1".into()),
                ("b".into(), String::new()),
                ("a".into(), "3".into()),
            ]),
        )
}

//! A script in a folder of its own, loaded with a host that records.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(dead_code, reason = "each test file uses its own part")]

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use hookmq_lua::testing::FakeHost;
use hookmq_lua::{LoadError, LuaPlugin, LuaSettings};
use hookmq_plugin_api::{Answer, EventRecord, Hook, Plugin, PluginError, Refusal, Verdict};

/// Generous, so that no noise of the machine can matter.
pub(crate) const BUDGET: Duration = Duration::from_secs(2);

pub(crate) struct Script {
    pub(crate) plugin: Arc<LuaPlugin>,
    pub(crate) host: Arc<FakeHost>,
    pub(crate) folder: tempfile::TempDir,
}

pub(crate) fn settings() -> LuaSettings {
    LuaSettings::new("test")
}

pub(crate) fn try_load(
    files: &[(&str, &str)],
    settings: LuaSettings,
    host: FakeHost,
) -> Result<Script, LoadError> {
    let folder = tempfile::tempdir().unwrap();
    for (name, source) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, source).unwrap();
    }
    let host = Arc::new(host);
    let plugin = LuaPlugin::load(&folder.path().join(files[0].0), settings, host.clone())?;
    Ok(Script {
        plugin,
        host,
        folder,
    })
}

pub(crate) fn load_with(source: &str, settings: LuaSettings) -> Script {
    try_load(&[("test.lua", source)], settings, FakeHost::default())
        .unwrap_or_else(|error| panic!("{error}"))
}

pub(crate) fn load(source: &str) -> Script {
    load_with(source, settings())
}

pub(crate) fn load_error(source: &str) -> LoadError {
    match try_load(&[("test.lua", source)], settings(), FakeHost::default()) {
        Ok(_) => panic!("it was loaded: {source}"),
        Err(error) => error,
    }
}

pub(crate) fn event(hook: Hook) -> EventRecord {
    EventRecord::new(hook)
}

pub(crate) fn call(script: &Script, event: &EventRecord) -> Result<Answer, PluginError> {
    script.plugin.call(event, BUDGET)
}

pub(crate) fn refusal(answer: &Answer) -> &Refusal {
    match &answer.verdict {
        Verdict::Deny(refusal) | Verdict::Disconnect(refusal) | Verdict::Drop(Some(refusal)) => {
            refusal
        }
        other => panic!("no refusal: {other:?}"),
    }
}

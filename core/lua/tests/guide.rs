//! The guide is right: its scripts load, its tests pass.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;
use std::sync::Arc;

use hookmq_lua::testing::{FakeHost, TestOptions, run_tests, test_files};
use hookmq_lua::{LuaPlugin, LuaSettings};
use hookmq_plugin_api::surface::{CONSTANTS, FUNCTIONS, METADATA};

fn guide() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guide-lua.md");
    fs::read_to_string(path).unwrap()
}

/// The guide's Lua files: each block begins with a comment that names it.
fn files(guide: &str) -> Vec<(String, String)> {
    guide
        .split("```lua\n")
        .skip(1)
        .map(|block| {
            let source = block.split("```").next().unwrap();
            let name = source.lines().next().unwrap().strip_prefix("-- ").unwrap();
            (name.to_owned(), source.to_owned())
        })
        .collect()
}

#[test]
fn its_scripts_load_and_its_tests_pass() {
    let folder = tempfile::tempdir().unwrap();
    let files = files(&guide());
    assert!(files.len() >= 9, "{}", files.len());
    for (name, source) in &files {
        fs::write(folder.path().join(name), source).unwrap();
    }
    for (name, _) in files
        .iter()
        .filter(|(name, _)| !name.ends_with("_test.lua"))
    {
        let path = folder.path().join(name);
        let host = Arc::new(FakeHost::default());
        if let Err(error) = LuaPlugin::load(&path, LuaSettings::new(name.as_str()), host) {
            panic!("{error}");
        }
    }
    let tests = test_files(folder.path()).unwrap();
    assert_eq!(tests.len(), 5);
    for file in tests {
        let mut options = TestOptions::new("guide");
        options.budget = std::time::Duration::from_secs(2);
        let report = run_tests(&file, &options);
        assert!(report.is_ok(), "{report}");
    }
}

#[test]
fn it_tells_of_everything_there_is() {
    let guide = guide();
    for name in FUNCTIONS.iter().map(|function| function.name) {
        let last = name.rsplit('.').next().unwrap();
        assert!(guide.contains(last), "nothing about broker.{name}");
    }
    for constant in CONSTANTS.iter().chain(METADATA) {
        assert!(
            guide.contains(constant.name),
            "nothing about {}",
            constant.name
        );
    }
}

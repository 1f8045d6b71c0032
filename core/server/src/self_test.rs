//! A script's own tests: `auth_test.lua` beside `auth.lua`, run on the VM and limits of production.
//!
//! They see the script's own config, not the operator's: they are about the script, and say themselves what they want to have set.

use std::path::{Path, PathBuf};
use std::time::Duration;

use hookmq_broker::hook::DEFAULT_BUDGET;
use hookmq_lua::testing::{TestOptions, TestReport, run_tests, test_files};

use crate::config::PluginSettings;
use crate::runtime::Runtime;

/// Time of one test on the way of a reload, where an operator waits for it.
const RELOAD_BUDGET: Duration = Duration::from_secs(5);

/// The test file of a script, if there is one. Plugins of other runtimes are tested by what they are built with.
pub(crate) fn file_of(plugin: &Path) -> Option<PathBuf> {
    match Runtime::of(plugin)? {
        Runtime::Lua => test_files(plugin).ok()?.pop(),
        Runtime::Wasm | Runtime::Native => None,
    }
}

/// Runs the tests of a plugin's script; `None` if it has none.
pub(crate) fn run(plugin: &PluginSettings) -> Option<TestReport> {
    let file = file_of(&plugin.path)?;
    Some(run_tests(
        &file,
        &TestOptions {
            test_budget: RELOAD_BUDGET,
            ..options(Some(plugin), &plugin.name)
        },
    ))
}

/// With the limits of the plugin's section, or the shipped ones for a script that has none.
pub(crate) fn options(plugin: Option<&PluginSettings>, name: &str) -> TestOptions {
    let mut options = TestOptions {
        budget: DEFAULT_BUDGET,
        ..TestOptions::new(name)
    };
    if let Some(plugin) = plugin {
        options.budget = plugin.timeout.unwrap_or(DEFAULT_BUDGET);
        options.settings.memory_limit = plugin.load.memory;
        options.settings.awaiting_timeout = plugin.load.awaiting_timeout;
        options.settings.max_awaiting = plugin.load.maximum_awaiting;
    }
    options
}

/// The tests that failed, with what the runner says of them.
pub(crate) fn failures(report: &TestReport) -> String {
    let failed = report
        .tests
        .iter()
        .filter_map(|test| Some(format!("{}: {}", test.name, test.failure.as_ref()?)));
    failed
        .chain(report.error.clone())
        .collect::<Vec<_>>()
        .join("\n")
}

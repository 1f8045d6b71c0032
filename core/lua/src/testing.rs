//! Tests of scripts, written as scripts: `auth_test.lua` beside `auth.lua`, run on the very VM and limits of production.
//!
//! Each test gets a fresh script, a fresh [`FakeHost`] and a VM of its own, so that no test can lean on another.

mod host;
mod session;

pub use host::{FakeHost, LogLine, Published};

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use hookmq_plugin_api::{Grant, Grants};
use mlua::Function;
use mlua::chunk::ChunkMode;

use crate::context::{Context, Mode};
use crate::error::first_lines;
use crate::guard::Guard;
use crate::sandbox::{Blueprint, sandbox};
use crate::settings::LuaSettings;
use crate::sources::Sources;

/// How the name of a file with tests ends.
const SUFFIX: &str = "_test.lua";

/// What scripts are tested with.
#[derive(Debug, Clone)]
pub struct TestOptions {
    /// Limits and config of the script.
    pub settings: LuaSettings,
    /// Budget of one call, unless the script declares a timeout. Default 50 ms.
    pub budget: Duration,
    /// What the script is granted. Default everything.
    pub grants: Grants,
    /// Time of one test. Default 30 s.
    pub test_budget: Duration,
}

impl TestOptions {
    /// The defaults, for a plugin of this name.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            settings: LuaSettings::new(name),
            budget: Duration::from_millis(50),
            grants: Grant::ALL.into_iter().collect(),
            test_budget: Duration::from_secs(30),
        }
    }
}

/// How the tests of one file went. `Display` is a line per test.
#[derive(Debug, Clone)]
pub struct TestReport {
    /// The file with the tests.
    pub file: PathBuf,
    /// One entry per test, in the order of the file.
    pub tests: Vec<TestOutcome>,
    /// Why there are no tests: the file is missing, broken or empty.
    pub error: Option<String>,
}

/// How one test went.
#[derive(Debug, Clone)]
pub struct TestOutcome {
    /// What the test is called.
    pub name: String,
    /// What failed, with file and line.
    pub failure: Option<String>,
    /// How long it took.
    pub time: Duration,
}

impl TestReport {
    /// Whether there are tests and all went well.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.error.is_none() && self.failed() == 0
    }

    /// How many tests failed.
    #[must_use]
    pub fn failed(&self) -> usize {
        self.tests
            .iter()
            .filter(|test| test.failure.is_some())
            .count()
    }
}

impl fmt::Display for TestReport {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "{}", self.file.display())?;
        for test in &self.tests {
            match &test.failure {
                None => writeln!(out, "  ok      {}", test.name)?,
                Some(why) => writeln!(
                    out,
                    "  FAILED  {}\n          {}",
                    test.name,
                    why.replace('\n', "\n          ")
                )?,
            }
        }
        if let Some(error) = &self.error {
            writeln!(out, "  FAILED  {error}")?;
        }
        Ok(())
    }
}

/// The test files of a path: of a folder all in it, of a script the one beside it, of a test file itself.
///
/// # Errors
/// The folder cannot be read.
pub fn test_files(path: &Path) -> io::Result<Vec<PathBuf>> {
    if path.is_dir() {
        let mut files = Vec::new();
        for entry in fs::read_dir(path)? {
            let path = entry?.path();
            if is_test(&path) {
                files.push(path);
            }
        }
        files.sort();
        return Ok(files);
    }
    if is_test(path) {
        return Ok(vec![path.to_owned()]);
    }
    let beside = path.with_file_name(format!(
        "{}{SUFFIX}",
        path.file_stem().unwrap_or_default().to_string_lossy()
    ));
    Ok(if beside.is_file() {
        vec![beside]
    } else {
        Vec::new()
    })
}

fn is_test(path: &Path) -> bool {
    path.file_name()
        .is_some_and(|name| name.to_string_lossy().ends_with(SUFFIX))
}

/// Runs the tests of one file against the script of the same name.
///
/// Runs on a thread of its own, so that it can be called from anywhere, a runtime's thread included.
#[must_use]
pub fn run_tests(file: &Path, options: &TestOptions) -> TestReport {
    let report = thread::scope(|scope| scope.spawn(|| run(file, options)).join());
    report.unwrap_or_else(|_| TestReport {
        file: file.to_owned(),
        tests: Vec::new(),
        error: Some("the test runner panicked".into()),
    })
}

fn run(file: &Path, options: &TestOptions) -> TestReport {
    let mut report = TestReport {
        file: file.to_owned(),
        tests: Vec::new(),
        error: None,
    };
    let names = match open(file, options) {
        Ok(opened) => opened
            .tests
            .into_iter()
            .map(|(name, _)| name)
            .collect::<Vec<_>>(),
        Err(error) => {
            report.error = Some(error);
            return report;
        }
    };
    if names.is_empty() {
        report.error = Some("no tests; add one, as in: test(\"name\", function(t) end)".into());
    }
    for (at, name) in names.into_iter().enumerate() {
        let started = Instant::now();
        let failure = run_one(file, options, at).err();
        report.tests.push(TestOutcome {
            name,
            failure,
            time: started.elapsed(),
        });
    }
    report
}

/// A test file that was run, which means that its tests are known.
struct Opened {
    tests: Vec<(String, Function)>,
    t: mlua::Table,
    context: Rc<Context>,
    guard: Rc<Guard>,
    lua: mlua::Lua,
}

fn open(file: &Path, options: &TestOptions) -> Result<Opened, String> {
    let script = script_of(file)?;
    let host = Arc::new(FakeHost::with_grants(options.grants));
    let clock = Arc::clone(&host);
    let mut settings = options.settings.clone();
    settings.clock = Arc::new(move || clock.seconds());
    let blueprint = Arc::new(Blueprint {
        settings: settings.clone(),
        host: Arc::clone(&host) as Arc<dyn hookmq_plugin_api::Host>,
        sources: Sources::open(file)?,
    });
    let text = |error: mlua::Error| first_lines(&error.to_string());
    let (lua, context, guard) = sandbox(&blueprint, Mode::Inline).map_err(text)?;
    let session = session::Session::new(script, settings, options.budget, host);
    let (t, tests) = session.install(&lua).map_err(text)?;
    let main = blueprint.sources.main();
    let source = blueprint.sources.get(main).ok_or("the file is gone")?;
    let armed = guard.arm(options.settings.body_budget);
    let chunk = lua
        .load(source.text.as_str())
        .set_name(format!("@{main}"))
        .set_mode(ChunkMode::Text);
    let result = context.memory.within(&lua, || chunk.exec());
    context.memory.lift(&lua);
    if guard.disarm(&armed) {
        return Err(format!(
            "{main}: ran longer than {:?}",
            options.settings.body_budget
        ));
    }
    result.map_err(text)?;
    Ok(Opened {
        tests: tests.take(),
        t,
        context,
        guard,
        lua,
    })
}

fn run_one(file: &Path, options: &TestOptions, at: usize) -> Result<(), String> {
    let mut opened = open(file, options)?;
    if at >= opened.tests.len() {
        return Err("the file declares other tests each time it is run".into());
    }
    let (_, test) = opened.tests.swap_remove(at);
    let armed = opened.guard.arm(options.test_budget);
    let memory = &opened.context.memory;
    let result = memory.within(&opened.lua, || test.call::<()>(&opened.t));
    memory.lift(&opened.lua);
    if opened.guard.disarm(&armed) {
        return Err(format!(
            "{}: ran longer than {:?}",
            opened.guard.take_place().unwrap_or_default(),
            options.test_budget
        ));
    }
    result.map_err(|error| first_lines(&error.to_string()))
}

/// `auth.lua` for `auth_test.lua`.
fn script_of(file: &Path) -> Result<PathBuf, String> {
    let name = file
        .file_name()
        .map(|name| name.to_string_lossy())
        .unwrap_or_default();
    let base = name.strip_suffix(SUFFIX).ok_or_else(|| {
        format!(
            "{}: the name of a file with tests ends in {SUFFIX}",
            file.display()
        )
    })?;
    let script = file.with_file_name(format!("{base}.lua"));
    if script.is_file() {
        Ok(script)
    } else {
        Err(format!(
            "{}: no such file; it is what {name} tests",
            script.display()
        ))
    }
}

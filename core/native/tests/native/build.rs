//! Building fixtures with the machine's C compiler.

use std::ffi::OsStr;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};

use tempfile::TempDir;

/// What every fixture is built with: no warning passes.
pub(crate) const WARNINGS: [&str; 4] = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"];

/// A library, in a folder of its own that goes with it.
pub(crate) struct Built {
    folder: TempDir,
    path: PathBuf,
}

impl Built {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// The folder of `hookmq.h`.
pub(crate) fn include() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugin-api/c")
}

/// The path of a fixture's source.
pub(crate) fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/native/fixtures")
        .join(name)
}

/// Builds a fixture, with macros as in `LIE=3`.
pub(crate) fn fixture(name: &str, defines: &[&str]) -> Built {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("fixture.so");
    compile_library(&source(name), &path, defines);
    Built { folder, path }
}

/// Builds a library of a source that a test has written.
pub(crate) fn text(text: &str) -> Built {
    let folder = tempfile::tempdir().expect("a folder");
    let source = folder.path().join("fixture.c");
    std::fs::write(&source, text).expect("written");
    let path = folder.path().join("fixture.so");
    compile_library(&source, &path, &[]);
    Built { folder, path }
}

/// Builds a library at this path; or takes what an earlier test has built of the same source.
pub(crate) fn compile_library(source: &Path, path: &Path, defines: &[&str]) {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let flags = [
        "-std=c11",
        "-O1",
        "-shared",
        "-fPIC",
        "-fvisibility=hidden",
        "-pthread",
    ];
    let mut arguments: Vec<String> = flags.map(str::to_owned).into();
    arguments.extend(defines.iter().map(|define| format!("-D{define}")));
    let mut hasher = DefaultHasher::new();
    for file in [source.to_owned(), include().join("hookmq.h")] {
        std::fs::read(file).expect("a source").hash(&mut hasher);
    }
    (source.file_name(), &arguments).hash(&mut hasher);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let known = folder.join(format!("{:016x}.so", hasher.finish()));
    if !known.exists() {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let new = folder.join(format!("{}-{number}.so", std::process::id()));
        run("cc", &arguments, source, &new).expect("the fixture compiles");
        std::fs::rename(&new, &known).expect("renamed");
    }
    let beside = path.with_extension("new");
    std::fs::copy(&known, &beside).expect("copied");
    std::fs::rename(&beside, path).expect("renamed");
}

/// Runs a compiler.
pub(crate) fn run<A: AsRef<OsStr>>(
    compiler: &str,
    arguments: &[A],
    source: &Path,
    output: &Path,
) -> Result<(), String> {
    let done = Command::new(compiler)
        .args(WARNINGS)
        .args(arguments)
        .arg("-I")
        .arg(include())
        .arg("-o")
        .arg(output)
        .arg(source)
        .output()
        .map_err(|error| format!("{compiler}, which these tests need: {error}"))?;
    if done.status.success() {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&done.stderr).into_owned())
    }
}

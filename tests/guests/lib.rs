//! Where `cargo xtask guests` puts what it builds, and the broker that tests of plugins pretend. The guests themselves are the other
//! files of this folder, one plugin each.

mod recorder;

use std::path::{Path, PathBuf};

pub use recorder::Recorder;

/// A plugin as a dynamic library.
#[must_use]
pub fn native(name: &str) -> PathBuf {
    let name = name.replace('-', "_");
    let (prefix, suffix) = (std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    built("native", &format!("{prefix}{name}{suffix}"))
}

/// A plugin as a WASM core module.
#[must_use]
pub fn module(name: &str) -> PathBuf {
    built("module", &format!("{}.wasm", name.replace('-', "_")))
}

/// A plugin as a WASM component.
#[must_use]
pub fn component(name: &str) -> PathBuf {
    built("component", &format!("{}.wasm", name.replace('-', "_")))
}

/// # Panics
/// When it is not there: a test that needs it cannot go on.
fn built(carrier: &str, file: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    let path = root.join(target).join("guests").join(carrier).join(file);
    assert!(
        path.is_file(),
        "{} is not there: run `cargo xtask guests`",
        path.display()
    );
    path
}

//! A script's own tests, run before it is taken live: `auth_test.lua` beside `auth.lua`.

use std::path::{Path, PathBuf};

/// Where a script's tests would be.
pub(crate) fn file_beside(script: &Path) -> PathBuf {
    let stem = script.file_stem().unwrap_or_default().to_string_lossy();
    let ending = script.extension().unwrap_or_default().to_string_lossy();
    script.with_file_name(format!("{stem}_test.{ending}"))
}

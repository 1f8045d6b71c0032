//! x
pub(super) fn definitions() -> String { String::new() }

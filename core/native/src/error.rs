//! Why a library could not be loaded, in words that say what to do about it.

use std::path::Path;

/// A library that was refused at load.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {message}")]
pub struct LoadError {
    /// The file, as it was given.
    pub file: String,
    /// What is wrong, and what to do instead.
    pub message: String,
}

impl LoadError {
    pub(crate) fn new(path: &Path, message: impl Into<String>) -> Self {
        Self {
            file: path.display().to_string(),
            message: message.into(),
        }
    }
}

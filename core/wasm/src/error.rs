//! Failures inside the crate, and how they look from outside: [`LoadError`] at load, [`PluginError`] at a call.

use std::path::Path;
use std::{fmt, io};

use hookmq_plugin_api::{Cause, PluginError};

/// A plugin that was refused at load, in words that say what to do about it.
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

    pub(crate) fn io(path: &Path, error: &io::Error) -> Self {
        Self::new(path, error.to_string())
    }
}

/// Why a host function, the decoding of an answer or a limit ended a call. It travels through the guest's frames as a trap.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    pub(crate) cause: Cause,
    pub(crate) message: String,
}

impl Fault {
    /// The guest handed over something that is not what the contract says.
    pub(crate) fn answer(message: impl Into<String>) -> Self {
        Self {
            cause: Cause::Answer,
            message: message.into(),
        }
    }

    pub(crate) fn memory(message: impl Into<String>) -> Self {
        Self {
            cause: Cause::Memory,
            message: message.into(),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}

/// A call that failed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) error: PluginError,
    /// Whether the instance may be in any state, so that it must not be called again.
    pub(crate) is_broken: bool,
}

/// Longest text of a plugin that goes into the log, in bytes.
pub(crate) const MAX_TEXT: usize = 8 << 10;

/// A plugin's bytes as a text that a log line has room for.
pub(crate) fn shortened(bytes: &[u8]) -> String {
    let Some(start) = bytes.get(..MAX_TEXT) else {
        return String::from_utf8_lossy(bytes).into_owned();
    };
    let mut text = String::from_utf8_lossy(start).into_owned();
    text.push_str(&format!("... ({} bytes)", bytes.len()));
    text
}

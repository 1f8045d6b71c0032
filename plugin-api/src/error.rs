//! How a call can fail, and whose fault that is.

use std::fmt;

/// A call that gave no usable answer. The chain applies the plugin's error policy and counts it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginError {
    /// What kind of failure.
    pub cause: Cause,
    /// What happened, with file, line and the value that was wrong where the runtime knows them.
    pub message: Box<str>,
}

/// The kinds of failure; the word is a metric label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// Over its time budget.
    Timeout,
    /// Over its memory limit.
    Memory,
    /// The handler raised an error or trapped.
    Raised,
    /// The plugin panicked and the edge caught it.
    Panic,
    /// The answer has the wrong type, an unknown verdict, a field that may not change, or a value out of range.
    Answer,
    /// The plugin asked for what it was not granted.
    Grant,
    /// The runtime could not make the call (its lane is full, it is shutting down).
    Unavailable,
}

impl Cause {
    /// All causes, in order.
    pub const ALL: [Self; 7] = [
        Self::Timeout,
        Self::Memory,
        Self::Raised,
        Self::Panic,
        Self::Answer,
        Self::Grant,
        Self::Unavailable,
    ];

    /// The metric label.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Memory => "memory",
            Self::Raised => "raised",
            Self::Panic => "panic",
            Self::Answer => "answer",
            Self::Grant => "grant",
            Self::Unavailable => "unavailable",
        }
    }
}

impl PluginError {
    /// An error of this cause.
    #[must_use]
    pub fn new(cause: Cause, message: impl Into<Box<str>>) -> Self {
        Self {
            cause,
            message: message.into(),
        }
    }
}

impl fmt::Display for PluginError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.cause.name(), self.message)
    }
}

impl std::error::Error for PluginError {}

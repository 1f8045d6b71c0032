//! What a refused call of the broker says.

use std::fmt;

/// The kinds of refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Why {
    /// The plugin's section does not grant it.
    NotGranted,
    /// A limit was hit.
    Limit,
    /// An argument is wrong.
    Argument,
    /// The plugin publishes from what its own publish caused, too deep.
    Depth,
    /// The broker is stopping.
    Stopping,
}

/// The broker refused a call of the plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// What kind of refusal.
    pub why: Why,
    /// What was wrong, with figures.
    pub message: String,
}

impl fmt::Display for Refused {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.message)
    }
}

impl std::error::Error for Refused {}

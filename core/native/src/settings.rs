//! What a library is loaded with.

use std::path::PathBuf;
use std::time::Duration;

use hookmq_plugin_api::Grants;

/// Rights, limits and config of one library.
#[derive(Clone)]
pub struct NativeSettings {
    /// The plugin's name, for logs and errors.
    pub name: String,
    /// The `[plugin.config]` section as JSON text, handed to the library's `create`. Default `{}`.
    pub config: String,
    /// Which tables of host functions it gets beside the log. Default: none.
    pub grants: Grants,
    /// How long the client of a handler that may block waits for it. Default 5 s.
    pub awaiting_timeout: Duration,
    /// Handlers that may block, at work or waiting for a thread, at once; more are refused as unavailable. Default 1 024.
    pub max_awaiting: usize,
    /// Threads for handlers that may block; they start when needed. Default 64.
    pub max_threads: usize,
    /// Where the file is copied to before the copy is loaded, so that the file can be replaced while the library is in use. The folder
    /// is made if it is absent, must allow execution, and should belong to the broker's user alone. Default: the system's folder for
    /// temporary files.
    pub copies: PathBuf,
}

impl NativeSettings {
    /// The defaults, for a plugin of this name.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            config: "{}".to_owned(),
            grants: Grants::NONE,
            awaiting_timeout: Duration::from_secs(5),
            max_awaiting: 1_024,
            max_threads: 64,
            copies: std::env::temp_dir(),
        }
    }
}

impl std::fmt::Debug for NativeSettings {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The config may hold secrets, so it is not shown.
        out.debug_struct("NativeSettings")
            .field("name", &self.name)
            .field("grants", &self.grants)
            .field("awaiting_timeout", &self.awaiting_timeout)
            .field("max_awaiting", &self.max_awaiting)
            .field("max_threads", &self.max_threads)
            .field("copies", &self.copies)
            .finish_non_exhaustive()
    }
}

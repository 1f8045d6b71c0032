//! What a plugin is loaded with.

use std::path::PathBuf;
use std::time::Duration;

use hookmq_plugin_api::Grants;

/// Limits, rights and config of one plugin.
#[derive(Clone)]
pub struct WasmSettings {
    /// The plugin's name, for logs and errors.
    pub name: String,
    /// The `[plugin.config]` section as JSON text, handed to the plugin when an instance of it is made. Default `{}`.
    pub config: String,
    /// What it may import beside the log. Default: nothing.
    pub grants: Grants,
    /// Bytes of linear memory that each instance may hold, all its memories together. There is one instance per thread that calls
    /// the plugin. Default 64 MiB.
    pub memory_limit: usize,
    /// Time that making an instance may take: its start function and its `create`. Default 1 s.
    pub load_budget: Duration,
    /// Time that a call of a handler that may block takes at most, waiting for its turn included. Default 5 s.
    pub awaiting_timeout: Duration,
    /// Calls of handlers that may block that wait for their turn at once; more are refused as unavailable. Default 1 024.
    pub max_awaiting: usize,
    /// Where compiled plugins are kept, so that the next start need not compile them again; `None` keeps nothing. The folder is made
    /// if it is absent, and must belong to the broker's user alone.
    pub cache_folder: Option<PathBuf>,
}

impl WasmSettings {
    /// The defaults, for a plugin of this name.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            config: "{}".to_owned(),
            grants: Grants::NONE,
            memory_limit: 64 * 1024 * 1024,
            load_budget: Duration::from_secs(1),
            awaiting_timeout: Duration::from_secs(5),
            max_awaiting: 1_024,
            cache_folder: None,
        }
    }
}

impl std::fmt::Debug for WasmSettings {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The config may hold secrets, so it is not shown.
        out.debug_struct("WasmSettings")
            .field("name", &self.name)
            .field("grants", &self.grants)
            .field("memory_limit", &self.memory_limit)
            .field("load_budget", &self.load_budget)
            .field("awaiting_timeout", &self.awaiting_timeout)
            .field("max_awaiting", &self.max_awaiting)
            .field("cache_folder", &self.cache_folder)
            .finish_non_exhaustive()
    }
}

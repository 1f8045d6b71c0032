//! What a script is loaded with.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Seconds since the epoch, for `broker.time()`; replaced by tests of scripts.
pub type Clock = Arc<dyn Fn() -> f64 + Send + Sync>;

/// Limits and config of one script.
#[derive(Clone)]
pub struct LuaSettings {
    /// The plugin's name, for logs and `broker.name`.
    pub name: String,
    /// Bytes that each VM of the script may hold. Default 16 MiB.
    pub memory_limit: usize,
    /// Time for the script's body, which runs once per VM. Default 1 s.
    pub body_budget: Duration,
    /// Time that a handler in the lane may take from start to end, waiting included. Default 5 s.
    pub awaiting_timeout: Duration,
    /// Handlers that may wait in the lane at once; more are refused as unavailable. Default 1 024.
    pub max_awaiting: usize,
    /// The operator's `[plugin.config]`, an object or null; checked against what the script declares.
    pub config: serde_json::Value,
    /// What `broker.time()` reads.
    pub clock: Clock,
}

impl LuaSettings {
    /// The defaults, for a plugin of this name.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            memory_limit: 16 * 1024 * 1024,
            body_budget: Duration::from_secs(1),
            awaiting_timeout: Duration::from_secs(5),
            max_awaiting: 1_024,
            config: serde_json::Value::Null,
            clock: Arc::new(wall_clock),
        }
    }
}

impl std::fmt::Debug for LuaSettings {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The config may hold secrets, so it is not shown.
        out.debug_struct("LuaSettings")
            .field("name", &self.name)
            .field("memory_limit", &self.memory_limit)
            .field("body_budget", &self.body_budget)
            .field("awaiting_timeout", &self.awaiting_timeout)
            .field("max_awaiting", &self.max_awaiting)
            .finish_non_exhaustive()
    }
}

fn wall_clock() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |since| since.as_secs_f64())
}

//! How a plugin is entered into the chain: its name, its place in the order, what it is asked about, and what its failures mean.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use hookmq_plugin_api::{OnError, Plugin};

use super::filter::Filter;

/// The time that a synchronous call may take, unless the plugin's section says otherwise.
pub const DEFAULT_BUDGET: Duration = Duration::from_millis(50);

/// The time that an awaiting call may take, unless the plugin's section says otherwise.
pub const DEFAULT_AWAITING_TIMEOUT: Duration = Duration::from_secs(5);

/// One plugin and how it is to be asked.
#[derive(Clone)]
pub struct Registration {
    /// Its name in logs, metrics and lists; unique within a chain, or its metrics are added up.
    pub name: Arc<str>,
    /// The runtime, one word: `lua`, `embedded`.
    pub kind: &'static str,
    /// The plugin. The same `Arc` in the next chain keeps its breakers and its queue of notices.
    pub plugin: Arc<dyn Plugin>,
    /// Higher is asked first; equal ones in the order of registration.
    pub priority: i32,
    /// What it is asked about.
    pub filter: Filter,
    /// What a failure counts as; `None` is what the catalogue says of the hook.
    pub on_error: Option<OnError>,
    /// Time that one synchronous call may take. The runtime keeps it; the chain counts and logs what took longer.
    pub budget: Duration,
    /// Time after which an awaiting call is given up.
    pub awaiting_timeout: Duration,
}

impl Registration {
    /// With the defaults: priority 0, no filter, the catalogue's error policy, 50 ms, 5 s.
    #[must_use]
    pub fn new(name: &str, kind: &'static str, plugin: Arc<dyn Plugin>) -> Self {
        Self {
            name: name.into(),
            kind,
            plugin,
            priority: 0,
            filter: Filter::default(),
            on_error: None,
            budget: DEFAULT_BUDGET,
            awaiting_timeout: DEFAULT_AWAITING_TIMEOUT,
        }
    }
}

impl fmt::Debug for Registration {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Registration")
            .field("name", &self.name)
            .field("kind", &self.kind)
            .field("priority", &self.priority)
            .field("filter", &self.filter)
            .field("on_error", &self.on_error)
            .field("budget", &self.budget)
            .field("awaiting_timeout", &self.awaiting_timeout)
            .finish_non_exhaustive()
    }
}

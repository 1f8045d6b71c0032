//! What the trying process is told and what it tells: one JSON text down, one JSON line per event up.

use std::path::PathBuf;
use std::time::Duration;

use hookmq_plugin_api::Grant;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::config::LoadSettings;

/// What is to be tried. Written whole before the child begins.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Job {
    /// The plugin's file.
    pub(super) path: PathBuf,
    /// Its name.
    pub(super) name: String,
    pub(super) grants: Vec<String>,
    pub(super) memory: usize,
    pub(super) awaiting_timeout: Duration,
    pub(super) maximum_awaiting: usize,
    pub(super) config: Json,
    /// Where compiled code is kept.
    pub(super) compile_cache: Option<PathBuf>,
    /// Time of one call, if the operator says one; else the plugin's own word or the default.
    pub(super) timeout: Option<Duration>,
    /// Where to begin: what came before was done by a child that is gone.
    pub(super) from: Step,
    /// Hooks that are not to be called any more.
    pub(super) skip: Vec<String>,
}

/// A place in the course of things. Later ones are greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Step {
    /// Reading the file and making the first instance.
    Load,
    /// One case of one hook: place in the plugin's list of hooks, place in the list of cases.
    Case(usize, usize),
    /// One hook called by several threads at once.
    Threads(usize),
    /// A second load while the first is there, and the end of the first.
    Reload,
    /// The end of the second.
    End,
}

/// One line of the child.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Line {
    /// This comes next. `words` go after the hook's name, or stand alone.
    Begin {
        step: Step,
        hook: Option<String>,
        words: String,
        /// The broker's limits keep such input away unless they are raised.
        is_beyond: bool,
        /// Longest time that it may take.
        within: Duration,
    },
    /// The plugin was refused in an orderly way.
    Refused(String),
    /// The plugin is loaded.
    Loaded {
        kind: String,
        /// Hooks in the plugin's order, each with how many cases there are.
        hooks: Vec<(String, usize)>,
    },
    /// A call is over.
    Called {
        answer: Answered,
        /// How long it took.
        took: Duration,
    },
    /// All is done.
    Done,
}

/// How a call ended.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Answered {
    /// With this verdict.
    Verdict(String),
    /// It failed, or its answer is none that the catalogue allows.
    Failed(String),
}

impl Job {
    /// What the plugin is loaded with. Grants that this build does not know are none.
    pub(super) fn load_settings(&self) -> LoadSettings {
        LoadSettings {
            awaiting_timeout: self.awaiting_timeout,
            maximum_awaiting: self.maximum_awaiting,
            memory: self.memory,
            grants: self
                .grants
                .iter()
                .filter_map(|name| Grant::from_name(name))
                .collect(),
            config: self.config.clone(),
        }
    }
}

//! What a store holds beside the guest: the plugin's host and limits, and the call that is being made.

use std::sync::Arc;

use hookmq_plugin_api::{Hook, Host};
use wasmtime::Memory;

use crate::draft::Draft;
use crate::engine::Engine;
use crate::limits::Limits;
use crate::settings::WasmSettings;

/// What every instance of one plugin is made with.
pub(crate) struct Blueprint {
    /// The file's name, for errors and logs.
    pub(crate) file: String,
    pub(crate) settings: WasmSettings,
    pub(crate) host: Arc<dyn Host>,
    pub(crate) engine: Arc<Engine>,
}

/// One instance's side of the host.
pub(crate) struct State {
    pub(crate) blueprint: Arc<Blueprint>,
    pub(crate) limits: Limits,
    /// The answer in the making.
    pub(crate) draft: Draft,
    /// The hook whose event is being handled; `None` at load.
    pub(crate) hook: Option<Hook>,
    /// How many plugins' publishes led to the event.
    pub(crate) depth: u8,
    /// The memory of a core module, once it is there.
    pub(crate) memory: Option<Memory>,
    /// The words of the last refused host call.
    pub(crate) refused: String,
    /// What a component's accessors return: shared for the length of one call each, then filled again.
    pub(crate) text: Arc<String>,
    pub(crate) bytes: Arc<Vec<u8>>,
    /// Begun lines of a component's output.
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
}

impl State {
    pub(crate) fn new(blueprint: &Arc<Blueprint>) -> Self {
        Self {
            limits: Limits::new(blueprint.settings.memory_limit),
            blueprint: Arc::clone(blueprint),
            draft: Draft::default(),
            hook: None,
            depth: 0,
            memory: None,
            refused: String::new(),
            text: Arc::default(),
            bytes: Arc::default(),
            stdout: Vec::new(),
            stderr: Vec::new(),
        }
    }
}

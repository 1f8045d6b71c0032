//! The runtimes: the same policy, loaded once for each.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hookmq_lua::{LuaPlugin, LuaSettings};
use hookmq_native::{NativePlugin, NativeSettings};
use hookmq_plugin_api::{Answer, Event, Grant, Grants, Hook, Host, Listen, Plugin, PluginError};
use hookmq_wasm::{WasmPlugin, WasmSettings};

use crate::closures::closures;
use crate::host::Notebook;
use crate::lua;

/// One runtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Runtime {
    /// A Lua script.
    Lua,
    /// A WASM core module.
    Module,
    /// A WASM component.
    Component,
    /// A dynamic library.
    Native,
    /// Closures of an embedding program.
    Closure,
}

impl Runtime {
    /// All of them, in the order of the table.
    pub const ALL: [Self; 5] = [
        Self::Lua,
        Self::Module,
        Self::Component,
        Self::Native,
        Self::Closure,
    ];

    /// The head of its column.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lua => "Lua",
            Self::Module => "WASM",
            Self::Component => "WASM comp.",
            Self::Native => "dylib",
            Self::Closure => "closure",
        }
    }
}

/// The policy in one runtime.
pub struct Column {
    /// Which one.
    pub runtime: Runtime,
    /// Where its lines go.
    pub notebook: Arc<Notebook>,
    plugin: Arc<dyn Plugin>,
}

impl fmt::Debug for Column {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Column")
            .field("runtime", &self.runtime)
            .finish_non_exhaustive()
    }
}

impl Column {
    /// Loads the policy. What cannot be loaded is an error, never a column that is left out.
    ///
    /// # Errors
    /// What the runtime says.
    pub fn load(runtime: Runtime, folder: &Path) -> Result<Self, String> {
        let notebook = Arc::new(Notebook::default());
        let plugin = load(runtime, folder, &notebook)?;
        Ok(Self {
            runtime,
            notebook,
            plugin,
        })
    }

    /// The policy, asked at one hook alone; `last` is heard as well, so that the end of all notices is known.
    #[must_use]
    pub fn at(&self, hook: Hook, last: Hook) -> Arc<dyn Plugin> {
        let mut listens: Vec<Listen> = self
            .plugin
            .listens()
            .iter()
            .filter(|listen| listen.hook == hook)
            .cloned()
            .collect();
        if hook != last {
            listens.push(Listen {
                hook: last,
                fields: last.spec().field_set(),
                awaits: false,
            });
        }
        Arc::new(Only {
            plugin: Arc::clone(&self.plugin),
            hook,
            listens,
        })
    }

    /// The hooks that the policy answers.
    pub fn hooks(&self) -> impl Iterator<Item = Hook> {
        self.plugin.listens().iter().map(|listen| listen.hook)
    }
}

/// A plugin that answers one of its hooks.
struct Only {
    plugin: Arc<dyn Plugin>,
    hook: Hook,
    listens: Vec<Listen>,
}

impl Plugin for Only {
    fn listens(&self) -> &[Listen] {
        &self.listens
    }

    fn call(&self, event: &dyn Event, budget: Duration) -> Result<Answer, PluginError> {
        if event.hook() == self.hook {
            self.plugin.call(event, budget)
        } else {
            Ok(Answer::PASS)
        }
    }
}

fn load(
    runtime: Runtime,
    folder: &Path,
    notebook: &Arc<Notebook>,
) -> Result<Arc<dyn Plugin>, String> {
    let host = Arc::clone(notebook) as Arc<dyn Host>;
    let grants = Grants::NONE.with(Grant::Kv);
    let wasm = |path: PathBuf, host| {
        let settings = WasmSettings {
            grants,
            load_budget: Duration::from_secs(20),
            ..WasmSettings::new("policy")
        };
        WasmPlugin::load(&path, settings, host)
            .map(|plugin| plugin as Arc<dyn Plugin>)
            .map_err(|error| error.to_string())
    };
    match runtime {
        Runtime::Lua => {
            let path = folder.join("policy.lua");
            std::fs::write(&path, lua::script()).map_err(|error| error.to_string())?;
            let settings = LuaSettings {
                body_budget: Duration::from_secs(20),
                ..LuaSettings::new("policy")
            };
            LuaPlugin::load(&path, settings, host)
                .map(|plugin| plugin as Arc<dyn Plugin>)
                .map_err(|error| error.to_string())
        }
        Runtime::Module => wasm(hookmq_guests::module("parity"), host),
        Runtime::Component => wasm(hookmq_guests::component("parity"), host),
        Runtime::Native => {
            let settings = NativeSettings {
                grants,
                copies: folder.to_owned(),
                ..NativeSettings::new("policy")
            };
            NativePlugin::load(&hookmq_guests::native("parity"), settings, host)
                .map(|plugin| plugin as Arc<dyn Plugin>)
                .map_err(|error| error.to_string())
        }
        Runtime::Closure => Ok(Arc::new(closures(notebook))),
    }
}

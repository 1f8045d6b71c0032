//! What a plugin's file is run by: told from the file's ending, loaded, and seen by the rest of the server as one thing.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hookmq_broker::hook::Filter;
use hookmq_lua::{LoadError, LuaPlugin, LuaSettings, Need};
use hookmq_native::{NativePlugin, NativeSettings};
use hookmq_plugin_api::{Host, Listen, OnError, Plugin};
#[cfg(feature = "wasm")]
use hookmq_wasm::{WasmPlugin, WasmSettings};
use serde_json::Value as Json;

use crate::config::LoadSettings;

/// What runs a plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Runtime {
    /// A Luau script.
    Lua,
    /// A WASM component or core module.
    Wasm,
    /// A dynamic library.
    Native,
}

impl Runtime {
    /// Every ending with what it means, for errors.
    pub(crate) const ENDINGS: &str = ".lua or .luau (a script), .wasm (a component or module), .so, .dylib or .dll (a native plugin)";

    /// By the ending of a file's name.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()? {
            "lua" | "luau" => Some(Self::Lua),
            "wasm" => Some(Self::Wasm),
            "so" | "dylib" | "dll" => Some(Self::Native),
            _ => None,
        }
    }

    /// Bytes that each instance may hold unless the operator says otherwise. Languages that bring a runtime of their own into their
    /// module need more than a script does.
    pub(crate) const fn usual_memory(self) -> usize {
        match self {
            Self::Lua | Self::Native => 16 << 20,
            Self::Wasm => 64 << 20,
        }
    }
}

/// What a plugin says of itself; the operator's section wins over it. What it leaves out is `None` or empty.
#[derive(Debug, Default)]
pub(crate) struct Said {
    pub(crate) priority: Option<i64>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) on_error: Option<OnError>,
    pub(crate) filter: Filter,
}

/// A plugin that could not be loaded.
#[derive(Debug)]
pub(crate) struct LoadFailure {
    /// With the file as the operator would open it.
    pub(crate) text: String,
    /// The runtime's words alone. They begin with `config.key` where a key of the plugin's own section is to blame.
    pub(crate) message: String,
}

/// One loaded plugin of any runtime.
#[derive(Debug, Clone)]
pub(crate) enum Program {
    Lua(Arc<LuaPlugin>),
    #[cfg(feature = "wasm")]
    Wasm(Arc<WasmPlugin>),
    Native(Arc<NativePlugin>),
}

impl Program {
    /// Loads a plugin's file. Runs what of it runs at load. Compiled code is kept in `compile_cache`, if there is one.
    ///
    /// # Errors
    /// Whatever is wrong with the file, its config or its grants.
    pub(crate) fn load(
        name: &str,
        path: &Path,
        settings: &LoadSettings,
        compile_cache: Option<&Path>,
        host: Arc<dyn Host>,
    ) -> Result<Self, LoadFailure> {
        match Runtime::of(path) {
            Some(Runtime::Lua) => load_lua(name, path, settings, host),
            Some(Runtime::Wasm) => load_wasm(name, path, settings, compile_cache, host),
            Some(Runtime::Native) => load_native(name, path, settings, host),
            None => Err(LoadFailure::new(
                path,
                format!("expected a file that ends with {}", Runtime::ENDINGS),
            )),
        }
    }

    /// The runtime in one word, for lists and metrics.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Lua(_) => "lua",
            #[cfg(feature = "wasm")]
            Self::Wasm(_) => "wasm",
            Self::Native(_) => "native",
        }
    }

    /// The plugin as the hook engine calls it.
    pub(crate) fn plugin(&self) -> Arc<dyn Plugin> {
        match self {
            Self::Lua(script) => Arc::clone(script) as Arc<dyn Plugin>,
            #[cfg(feature = "wasm")]
            Self::Wasm(module) => Arc::clone(module) as Arc<dyn Plugin>,
            Self::Native(library) => Arc::clone(library) as Arc<dyn Plugin>,
        }
    }

    /// The hooks that it answers, with the fields that it reads.
    pub(crate) fn listens(&self) -> &[Listen] {
        match self {
            Self::Lua(script) => script.listens(),
            #[cfg(feature = "wasm")]
            Self::Wasm(module) => module.listens(),
            Self::Native(library) => library.listens(),
        }
    }

    /// Every file that it was made of.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        match self {
            Self::Lua(script) => script.files(),
            #[cfg(feature = "wasm")]
            Self::Wasm(module) => module.files(),
            Self::Native(library) => library.files(),
        }
    }

    /// Whether its files on disk are still those that were loaded. Reads them.
    pub(crate) fn is_current(&self) -> bool {
        match self {
            Self::Lua(script) => script.is_current(),
            #[cfg(feature = "wasm")]
            Self::Wasm(module) => module.is_current(),
            Self::Native(library) => library.is_current(),
        }
    }

    /// Whether both are one and the same load.
    pub(crate) fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Lua(one), Self::Lua(other)) => Arc::ptr_eq(one, other),
            #[cfg(feature = "wasm")]
            (Self::Wasm(one), Self::Wasm(other)) => Arc::ptr_eq(one, other),
            (Self::Native(one), Self::Native(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }

    /// What it will ask the broker for that needs a grant, as far as that can be seen: in scripts. A module that imports what is not
    /// granted is not loaded, and a library asks when it runs.
    pub(crate) fn needs(&self) -> Vec<Need> {
        match self {
            Self::Lua(script) => script.needs(),
            _ => Vec::new(),
        }
    }

    /// What it says of itself. Only scripts have a place to say it in.
    pub(crate) fn said(&self) -> Said {
        match self {
            Self::Lua(script) => said_by_script(script),
            _ => Said::default(),
        }
    }
}

impl LoadFailure {
    fn new(path: &Path, message: String) -> Self {
        Self {
            text: format!("{}: {message}", path.display()),
            message,
        }
    }
}

fn load_lua(
    name: &str,
    path: &Path,
    settings: &LoadSettings,
    host: Arc<dyn Host>,
) -> Result<Program, LoadFailure> {
    let settings = LuaSettings {
        memory_limit: settings.memory,
        awaiting_timeout: settings.awaiting_timeout,
        max_awaiting: settings.maximum_awaiting,
        config: settings.config.clone(),
        ..LuaSettings::new(name)
    };
    LuaPlugin::load(path, settings, host)
        .map(Program::Lua)
        .map_err(|error| {
            // A script's errors name files from its own folder; the operator opens them from the config's.
            let folder = path.parent().unwrap_or(Path::new(""));
            let file = folder.join(&error.file).display().to_string();
            let message = error.message.clone();
            LoadFailure {
                text: LoadError { file, ..error }.to_string(),
                message,
            }
        })
}

#[cfg(feature = "wasm")]
fn load_wasm(
    name: &str,
    path: &Path,
    settings: &LoadSettings,
    compile_cache: Option<&Path>,
    host: Arc<dyn Host>,
) -> Result<Program, LoadFailure> {
    let settings = WasmSettings {
        config: config_text(&settings.config),
        grants: settings.grants.iter().copied().collect(),
        memory_limit: settings.memory,
        awaiting_timeout: settings.awaiting_timeout,
        max_awaiting: settings.maximum_awaiting,
        cache_folder: compile_cache.map(Path::to_path_buf),
        ..WasmSettings::new(name)
    };
    WasmPlugin::load(path, settings, host)
        .map(Program::Wasm)
        .map_err(|error| LoadFailure::new(path, error.message))
}

#[cfg(not(feature = "wasm"))]
fn load_wasm(
    _: &str,
    path: &Path,
    _: &LoadSettings,
    _: Option<&Path>,
    _: Arc<dyn Host>,
) -> Result<Program, LoadFailure> {
    Err(LoadFailure::new(
        path,
        "this hookmq was built without WASM: build it with --features wasm".to_owned(),
    ))
}

fn load_native(
    name: &str,
    path: &Path,
    settings: &LoadSettings,
    host: Arc<dyn Host>,
) -> Result<Program, LoadFailure> {
    let settings = NativeSettings {
        config: config_text(&settings.config),
        grants: settings.grants.iter().copied().collect(),
        awaiting_timeout: settings.awaiting_timeout,
        max_awaiting: settings.maximum_awaiting,
        ..NativeSettings::new(name)
    };
    NativePlugin::load(path, settings, host)
        .map(Program::Native)
        .map_err(|error| LoadFailure::new(path, error.message))
}

/// The plugin's section as it crosses: an object in any case.
fn config_text(config: &Json) -> String {
    match config {
        Json::Null => "{}".to_owned(),
        config => config.to_string(),
    }
}

fn said_by_script(script: &LuaPlugin) -> Said {
    let said = script.metadata();
    Said {
        priority: said.priority,
        timeout: said.timeout,
        on_error: said.on_error,
        filter: Filter {
            topics: said.filter.topics.clone(),
            clients: said.filter.clients.clone(),
            listeners: said.filter.listeners.clone(),
            qos: Some(said.filter.qos.clone()).filter(|qos| !qos.is_empty()),
            minimum_size: said.filter.min_size,
            maximum_size: said.filter.max_size,
        },
    }
}

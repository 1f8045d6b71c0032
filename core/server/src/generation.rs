//! The plugins of one config, loaded: all of them, or the reasons why not. What has not changed since the last generation stays as
//! it is, with its state, its breakers and its queues.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hookmq_broker::hook::{DEFAULT_BUDGET, Filter, Registration};
use hookmq_lua::{LoadError, LuaPlugin, LuaSettings};
use hookmq_plugin_api::{Grants, Hook, Host, Plugin};

use crate::config::{Config, PluginSettings};

/// One loaded plugin.
#[derive(Debug, Clone)]
pub(crate) struct Loaded {
    pub(crate) settings: PluginSettings,
    pub(crate) script: Arc<LuaPlugin>,
    registration: Registration,
    /// Whether the script is not the one of the generation before.
    pub(crate) is_new: bool,
}

/// All loaded plugins, in the order of the config.
#[derive(Debug, Clone, Default)]
pub(crate) struct Generation(pub(crate) Vec<Loaded>);

/// Why a generation cannot be.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Flaw {
    /// A script cannot be loaded.
    #[error("plugin {plugin}: {error}")]
    Script {
        /// Its name.
        plugin: String,
        /// With the file as the operator would open it.
        error: LoadError,
    },
    /// The operator's section and the script's own words do not go together.
    #[error("{place}: plugin {plugin}: {why}")]
    Registration {
        /// Where the section is.
        place: String,
        /// Its name.
        plugin: String,
        /// What is wrong.
        why: String,
    },
    /// A listener for other machines without anybody who checks who comes.
    #[error(
        "{place}listener {listener} ({bind}) can be reached from other machines, and nobody checks who connects: \
         add a plugin that answers validate_connection, bind it to 127.0.0.1, or say allow_anonymous = true"
    )]
    Unguarded {
        /// Where the section is, with a colon.
        place: String,
        /// Its name.
        listener: String,
        /// Its address.
        bind: std::net::SocketAddr,
    },
}

impl Generation {
    /// Loads what is new or changed, and checks the whole. Runs scripts' bodies, so it takes as long as they do.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub(crate) fn load(
        config: &Config,
        before: &Self,
        host: &dyn Fn(&str, Grants) -> Arc<dyn Host>,
    ) -> Result<Self, Vec<Flaw>> {
        let mut flaws = Vec::new();
        let mut plugins = Vec::new();
        for settings in &config.plugins {
            match load_one(settings, before, host) {
                Ok(loaded) => plugins.push(loaded),
                Err(flaw) => flaws.push(flaw),
            }
        }
        // A login script that failed to load is the one problem then, not its absence too.
        if flaws.is_empty() {
            flaws.extend(unguarded(config, &plugins));
        }
        if flaws.is_empty() { Ok(Self(plugins)) } else { Err(flaws) }
    }

    /// For the chain.
    pub(crate) fn registrations(&self) -> Vec<Registration> {
        self.0.iter().map(|loaded| loaded.registration.clone()).collect()
    }

    /// Every file that it was made of.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        self.0.iter().flat_map(|loaded| loaded.script.files()).collect()
    }

    /// Whether it was made of other settings or files than this one.
    pub(crate) fn differs(&self, other: &Self) -> bool {
        self.0.len() != other.0.len()
            || self.0.iter().zip(&other.0).any(|(one, other)| {
                !Arc::ptr_eq(&one.script, &other.script) || !is_same_section(&one.settings, &other.settings)
            })
    }
}

/// Whether two sections say the same, wherever they stand.
fn is_same_section(one: &PluginSettings, other: &PluginSettings) -> bool {
    let place = other.place.clone();
    *other == PluginSettings { place, ..one.clone() }
}

fn load_one(
    settings: &PluginSettings,
    before: &Generation,
    host: &dyn Fn(&str, Grants) -> Arc<dyn Host>,
) -> Result<Loaded, Flaw> {
    let kept = before.0.iter().find(|loaded| {
        let old = &loaded.settings;
        old.name == settings.name && old.path == settings.path && old.load == settings.load && loaded.script.is_current()
    });
    let script = match kept {
        Some(loaded) => Arc::clone(&loaded.script),
        None => load_script(settings, host)?,
    };
    let registration = register(settings, &script).map_err(|why| Flaw::Registration {
        place: settings.place.clone(),
        plugin: settings.name.clone(),
        why,
    })?;
    Ok(Loaded { settings: settings.clone(), script, registration, is_new: kept.is_none() })
}

fn load_script(settings: &PluginSettings, host: &dyn Fn(&str, Grants) -> Arc<dyn Host>) -> Result<Arc<LuaPlugin>, Flaw> {
    let host = host(&settings.name, settings.load.grants.iter().copied().collect());
    LuaPlugin::load(&settings.path, lua_settings(settings), host).map_err(|error| {
        // A script's errors name files from its own folder; the operator opens them from the config's.
        let folder = settings.path.parent().map(PathBuf::from).unwrap_or_default();
        let file = folder.join(&error.file).display().to_string();
        Flaw::Script { plugin: settings.name.clone(), error: LoadError { file, ..error } }
    })
}

/// What a script is loaded with.
pub(crate) fn lua_settings(settings: &PluginSettings) -> LuaSettings {
    LuaSettings {
        memory_limit: settings.load.memory,
        awaiting_timeout: settings.load.awaiting_timeout,
        max_awaiting: settings.load.maximum_awaiting,
        config: settings.load.config.clone(),
        ..LuaSettings::new(settings.name.clone())
    }
}

/// The operator's words first, then the script's own, then the defaults.
fn register(settings: &PluginSettings, script: &Arc<LuaPlugin>) -> Result<Registration, String> {
    let said = script.metadata();
    let priority = match (settings.priority, said.priority) {
        (Some(priority), _) => priority,
        (None, Some(priority)) => {
            i32::try_from(priority).map_err(|_| format!("M.priority: {priority} is beyond {} and {}", i32::MIN, i32::MAX))?
        }
        (None, None) => 0,
    };
    let list = |ours: &Option<Vec<String>>, theirs: &[String]| ours.clone().unwrap_or_else(|| theirs.to_vec());
    let filter = Filter {
        topics: list(&settings.topics, &said.filter.topics),
        clients: list(&settings.clients, &said.filter.clients),
        listeners: list(&settings.listeners, &said.filter.listeners),
        qos: settings.qos.clone().or_else(|| Some(said.filter.qos.clone())).filter(|qos| !qos.is_empty()),
        minimum_size: settings.minimum_size.or(said.filter.min_size),
        maximum_size: settings.maximum_size.or(said.filter.max_size),
    };
    filter.check().map_err(|error| format!("filter: {error}"))?;
    let plugin: Arc<dyn Plugin> = Arc::clone(script) as Arc<dyn Plugin>;
    Ok(Registration {
        priority,
        filter,
        on_error: settings.on_error.or(said.on_error),
        budget: budget(settings, script),
        awaiting_timeout: settings.load.awaiting_timeout,
        ..Registration::new(&settings.name, "lua", plugin)
    })
}

/// Time that one call may take.
pub(crate) fn budget(settings: &PluginSettings, script: &LuaPlugin) -> Duration {
    settings.timeout.or(script.metadata().timeout).unwrap_or(DEFAULT_BUDGET)
}

/// Listeners that other machines reach and that no login plugin guards.
fn unguarded<'a>(config: &'a Config, plugins: &'a [Loaded]) -> impl Iterator<Item = Flaw> + 'a {
    config.listeners.iter().filter_map(move |listener| {
        let settings = &listener.settings;
        let is_guarded = plugins.iter().any(|plugin| {
            let admits = &plugin.registration.filter.listeners;
            let answers = plugin.script.listens().iter().any(|listen| listen.hook == Hook::ValidateConnection);
            answers && (admits.is_empty() || admits.contains(&settings.name))
        });
        if settings.allow_anonymous || is_guarded {
            return None;
        }
        if !listener.is_public() {
            tracing::warn!(
                "listener {} ({}) lets nobody in: allow_anonymous is false, and no plugin answers validate_connection",
                settings.name,
                settings.bind
            );
            return None;
        }
        Some(Flaw::Unguarded {
            place: listener.place.as_ref().map_or_else(String::new, |place| format!("{place}: ")),
            listener: settings.name.clone(),
            bind: settings.bind,
        })
    })
}

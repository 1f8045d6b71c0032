//! The plugins of one config, loaded: all of them, or the reasons why not. What has not changed since the last generation stays as
//! it is, with its state, its breakers and its queues.

use std::path::PathBuf;
use std::sync::Arc;

use hookmq_broker::ListenerSettings;
use hookmq_broker::hook::{DEFAULT_BUDGET, Filter, Registration};
use hookmq_plugin_api::{Grants, Hook, Host};

use crate::config::{Config, Effective, Origin, PluginSettings};
use crate::runtime::{Program, Said};
use crate::self_test;

/// One loaded plugin.
#[derive(Debug, Clone)]
pub(crate) struct Loaded {
    pub(crate) settings: PluginSettings,
    pub(crate) program: Program,
    registration: Registration,
    /// The plugin's file behind all symbolic links, as it was before it was read.
    resolved: Option<PathBuf>,
    /// Whether the program is not the one of the generation before.
    pub(crate) is_new: bool,
}

/// All loaded plugins, in the order of the config.
#[derive(Debug, Clone, Default)]
pub(crate) struct Generation(pub(crate) Vec<Loaded>);

/// Why a generation cannot be.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Flaw {
    /// A plugin cannot be loaded.
    #[error("plugin {plugin}: {why}{note}")]
    Load {
        /// Its name.
        plugin: String,
        /// With the file as the operator would open it.
        why: String,
        /// Where in the config the mistake is, if it is there.
        note: String,
    },
    /// A script's own tests fail.
    #[error("plugin {plugin}: its tests {file} fail:\n{failures}")]
    Tests {
        /// Its name.
        plugin: String,
        /// The file with the tests.
        file: String,
        /// One line or more per test.
        failures: String,
    },
    /// The operator's section and the plugin's own words do not go together.
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
    /// Loads and tests what is new or changed, and checks the whole. Runs what plugins do at load, so it takes as long as they do.
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
            match load_one(config, settings, before, host) {
                Ok(loaded) => plugins.push(loaded),
                Err(flaw) => flaws.push(flaw),
            }
        }
        if flaws.is_empty() && config.self_test {
            flaws.extend(
                plugins
                    .iter()
                    .filter(|plugin| plugin.is_new)
                    .filter_map(test),
            );
        }
        // A login plugin that failed to load is the one problem then, not its absence too.
        if flaws.is_empty() {
            flaws.extend(unguarded(config, &plugins));
        }
        if flaws.is_empty() {
            Ok(Self(plugins))
        } else {
            Err(flaws)
        }
    }

    /// For the chain.
    pub(crate) fn registrations(&self) -> Vec<Registration> {
        self.0
            .iter()
            .map(|loaded| loaded.registration.clone())
            .collect()
    }

    /// Every file that it was made of.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        self.0
            .iter()
            .flat_map(|loaded| loaded.program.files())
            .collect()
    }

    /// Whether it was made of other settings or files than this one.
    pub(crate) fn differs(&self, other: &Self) -> bool {
        self.0.len() != other.0.len()
            || self.0.iter().zip(&other.0).any(|(one, other)| {
                !one.program.is(&other.program) || !is_same_section(&one.settings, &other.settings)
            })
    }
}

/// Whether two sections say the same, wherever they stand.
fn is_same_section(one: &PluginSettings, other: &PluginSettings) -> bool {
    let (place, section) = (other.place.clone(), other.section.clone());
    *other
        == PluginSettings {
            place,
            section,
            ..one.clone()
        }
}

fn load_one(
    config: &Config,
    settings: &PluginSettings,
    before: &Generation,
    host: &dyn Fn(&str, Grants) -> Arc<dyn Host>,
) -> Result<Loaded, Flaw> {
    let resolved = settings.path.canonicalize().ok();
    let kept = before.0.iter().find(|loaded| {
        let old = &loaded.settings;
        let is_same =
            old.name == settings.name && old.path == settings.path && old.load == settings.load;
        is_same && loaded.resolved == resolved && loaded.program.is_current()
    });
    let program = match kept {
        Some(loaded) => loaded.program.clone(),
        None => load_program(config, settings, host)?,
    };
    let registration = register(settings, &program).map_err(|why| Flaw::Registration {
        place: settings.place.clone(),
        plugin: settings.name.clone(),
        why,
    })?;
    Ok(Loaded {
        settings: settings.clone(),
        program,
        registration,
        resolved,
        is_new: kept.is_none(),
    })
}

fn load_program(
    config: &Config,
    settings: &PluginSettings,
    host: &dyn Fn(&str, Grants) -> Arc<dyn Host>,
) -> Result<Program, Flaw> {
    let host = host(
        &settings.name,
        settings.load.grants.iter().copied().collect(),
    );
    Program::load(
        &settings.name,
        &settings.path,
        &settings.load,
        config.compile_cache.folder().as_deref(),
        host,
    )
    .map_err(|failure| Flaw::Load {
        plugin: settings.name.clone(),
        why: failure.text,
        note: config_note(&config.effective, settings, &failure.message),
    })
}

/// Where the operator set the key that the plugin complains about: its message begins with `config.key`.
fn config_note(effective: &[Effective], settings: &PluginSettings, message: &str) -> String {
    let key: String = message
        .chars()
        .take_while(|letter| letter.is_alphanumeric() || matches!(letter, '_' | '.' | '-'))
        .collect();
    let key = key.trim_end_matches('.');
    if !key.starts_with("config.") {
        return String::new();
    }
    let set = effective
        .iter()
        .find(|known| known.section == settings.section && known.key == key);
    match set.map(|known| &known.origin) {
        Some(Origin::File(place) | Origin::Environment(place)) => {
            format!("\n  {key} is set at {place}")
        }
        _ => String::new(),
    }
}

fn test(plugin: &Loaded) -> Option<Flaw> {
    let report = self_test::run(&plugin.settings).filter(|report| !report.is_ok())?;
    Some(Flaw::Tests {
        plugin: plugin.settings.name.clone(),
        file: report.file.display().to_string(),
        failures: self_test::failures(&report),
    })
}

/// The operator's words first, then the plugin's own, then the defaults.
fn register(settings: &PluginSettings, program: &Program) -> Result<Registration, String> {
    let said = program.said();
    let priority = match (settings.priority, said.priority) {
        (Some(priority), _) => priority,
        (None, Some(priority)) => i32::try_from(priority).map_err(|_| {
            format!(
                "M.priority: {priority} is beyond {} and {}",
                i32::MIN,
                i32::MAX
            )
        })?,
        (None, None) => 0,
    };
    let budget = settings.timeout.or(said.timeout).unwrap_or(DEFAULT_BUDGET);
    let on_error = settings.on_error.or(said.on_error);
    let filter = filter(settings, said);
    filter.check().map_err(|error| format!("filter: {error}"))?;
    Ok(Registration {
        priority,
        filter,
        on_error,
        budget,
        awaiting_timeout: settings.load.awaiting_timeout,
        ..Registration::new(&settings.name, program.kind(), program.plugin())
    })
}

/// What it is asked about: each criterion as the operator wants it, else as the plugin does.
fn filter(settings: &PluginSettings, said: Said) -> Filter {
    let said = said.filter;
    Filter {
        topics: settings.topics.clone().unwrap_or(said.topics),
        clients: settings.clients.clone().unwrap_or(said.clients),
        listeners: settings.listeners.clone().unwrap_or(said.listeners),
        qos: settings
            .qos
            .clone()
            .or(said.qos)
            .filter(|qos| !qos.is_empty()),
        minimum_size: settings.minimum_size.or(said.minimum_size),
        maximum_size: settings.maximum_size.or(said.maximum_size),
    }
}

/// The login plugins that a listener's clients are judged by.
pub(crate) fn guards<'a>(
    plugins: &'a [Loaded],
    listener: &'a str,
) -> impl Iterator<Item = &'a str> {
    plugins.iter().filter_map(move |plugin| {
        let admits = &plugin.registration.filter.listeners;
        let is_asked = admits.is_empty() || admits.iter().any(|name| name == listener);
        let answers = plugin
            .program
            .listens()
            .iter()
            .any(|listen| listen.hook == Hook::ValidateConnection);
        (answers && is_asked).then_some(plugin.settings.name.as_str())
    })
}

/// Who may connect to a listener, in words.
pub(crate) fn who_may_connect(settings: &ListenerSettings, plugins: &[Loaded]) -> String {
    let guards: Vec<_> = guards(plugins, &settings.name).collect();
    match (guards.is_empty(), settings.allow_anonymous) {
        (false, _) => format!("{} judges who may connect", guards.join(", ")),
        (true, true) => "anybody may connect".to_owned(),
        (true, false) => "nobody may connect".to_owned(),
    }
}

/// Listeners that other machines reach and that no login plugin guards.
fn unguarded<'a>(config: &'a Config, plugins: &'a [Loaded]) -> impl Iterator<Item = Flaw> + 'a {
    config.listeners.iter().filter_map(move |listener| {
        let settings = &listener.settings;
        let is_guarded = guards(plugins, &settings.name).next().is_some();
        if settings.allow_anonymous || is_guarded || !listener.is_public() {
            return None;
        }
        Some(Flaw::Unguarded {
            place: listener
                .place
                .as_ref()
                .map_or_else(String::new, |place| format!("{place}: ")),
            listener: settings.name.clone(),
            bind: settings.bind,
        })
    })
}

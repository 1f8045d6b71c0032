//! The config: one TOML file and the environment over it, judged whole before anything is bound, loaded or spawned.
//!
//! Two steps: [`document`] keeps what was written and where, [`reader`] makes checked settings of it by form and default. A default
//! lives in the `impl Default` of the settings that it belongs to; sections mirror modules. Only the server knows this module.

mod document;
mod environment;
mod error;
mod form;
mod hooks;
mod listener;
mod log;
mod plugin;
mod reader;
mod session;
mod storage;
mod units;
mod wasm;

use std::path::{Path, PathBuf};
use std::time::Duration;

use hookmq_broker::BrokerSettings;
use hookmq_broker::settings::{RetainedLimits, SharedStrategy};

use self::document::{Content, Entry, Node, Place, Source};
use self::form::{Choice, Flag, OrWord, Size, Span, Whole};
use self::reader::{Reader, Section};

pub(crate) use self::environment::PREFIX;
pub(crate) use self::error::{ConfigError, ConfigErrors};
pub(crate) use self::listener::Listener;
pub(crate) use self::log::{LogFormat, LogSettings};
pub(crate) use self::plugin::{LoadSettings, PluginSettings, guess as value_of};
pub(crate) use self::reader::{Effective, Origin};
pub(crate) use self::storage::Storage;
pub(crate) use self::units::duration;
pub(crate) use self::wasm::CompileCache;

/// Where the config comes from.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sources {
    /// The file, if one was named. None is looked for: what runs depends on what was asked for, never on the folder.
    pub(crate) file: Option<PathBuf>,
    /// Plugins named on the command line.
    pub(crate) plugins: Vec<PathBuf>,
    /// Variables, of which those count that begin with [`PREFIX`].
    pub(crate) environment: Vec<(String, String)>,
}

/// When plugins and the config are read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Watch {
    /// When the system reports a change; by looking now and then where it reports none.
    Auto,
    /// By looking now and then: for file systems whose changes the system does not report.
    Poll,
    /// Only on SIGHUP.
    Off,
}

/// A whole config, checked.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) listeners: Vec<Listener>,
    /// Everything of the broker's; its listeners are those above.
    pub(crate) broker: BrokerSettings,
    /// Where what survives is kept; `None` is nowhere.
    pub(crate) storage: Option<Storage>,
    pub(crate) plugins: Vec<PluginSettings>,
    pub(crate) log: LogSettings,
    pub(crate) watch: Watch,
    /// Whether a script's own tests must pass before it is taken live.
    pub(crate) self_test: bool,
    /// Where compiled WASM plugins are kept.
    pub(crate) compile_cache: CompileCache,
    /// Worker threads; `None` is one per core.
    pub(crate) workers: Option<usize>,
    /// Every key with the value in force and who set it, in the order of sections.
    pub(crate) effective: Vec<Effective>,
}

impl Config {
    /// Reads and checks everything.
    ///
    /// # Errors
    /// All that is wrong with it, in the order of the file.
    pub(crate) fn load(sources: &Sources) -> Result<Self, ConfigErrors> {
        let source = match &sources.file {
            Some(file) => read_file(file).map_err(|error| ConfigErrors(vec![error]))?,
            None => Source::default(),
        };
        let folder = sources
            .file
            .as_deref()
            .and_then(Path::parent)
            .unwrap_or(Path::new(""));
        let mut root = source.parse().map_err(ConfigErrors)?;
        let mut errors = environment::overlay(&mut root, sources.environment.iter().cloned());
        add_plugins(&mut root, &sources.plugins, folder);

        let reader = Reader::new(&source);
        reader.add(std::mem::take(&mut errors));
        let mut section = reader.root(&root);
        let config = Self::read(&mut section, folder);
        section.end();
        let (effective, errors) = reader.end();
        if errors.is_empty() {
            Ok(Self {
                effective,
                ..config
            })
        } else {
            Err(ConfigErrors(errors))
        }
    }

    fn read(root: &mut Section<'_>, folder: &Path) -> Self {
        let default = BrokerSettings::default();
        let (storage, storage_settings) =
            root.section("storage", |section| storage::read(section, folder));
        let listeners = listener::read_all(root, storage.is_some());
        let session = root.section("session", session::read);
        let retained = root.section("retained", |section| RetainedLimits {
            n_messages: section.get(
                "maximum_messages",
                &Whole(0..=usize::MAX),
                default.retained.n_messages,
            ),
            n_bytes: session::size(
                section,
                "maximum_bytes",
                &Size(0..=u64::MAX),
                default.retained.n_bytes,
            ),
        });
        let strategy = root.section("shared", |section| {
            section.get("strategy", &STRATEGIES, default.shared_strategy)
        });
        let hooks = root.section("hooks", |section| {
            let default = hooks::Hooks {
                accept_by_default: default.accept_by_default,
                tell_reasons: default.tell_reasons,
                engine: default.hooks,
            };
            hooks::read(section, default)
        });
        let broker = root.section("limits", |section| BrokerSettings {
            listeners: listeners
                .iter()
                .map(|listener| listener.settings.clone())
                .collect(),
            session,
            hooks: hooks.engine,
            retained,
            storage: storage_settings,
            shared_strategy: strategy,
            maximum_connections: section.get(
                "maximum_connections",
                &Whole(1..=usize::MAX),
                default.maximum_connections,
            ),
            maximum_queued_bytes: session::size(
                section,
                "maximum_queued_bytes",
                &Size(1 << 20..=u64::MAX),
                default.maximum_queued_bytes,
            ),
            maximum_handshake_bytes: session::size(
                section,
                "maximum_handshake_bytes",
                &Size(1 << 20..=u64::MAX),
                default.maximum_handshake_bytes,
            ),
            maximum_injected: section.get(
                "maximum_injected",
                &Whole(1..=usize::MAX),
                default.maximum_injected,
            ),
            stop_within: section.get("stop_within", &STOPS, default.stop_within),
            tell_reasons: hooks.tell_reasons,
            accept_by_default: hooks.accept_by_default,
        });
        let log = root.section("log", LogSettings::read);
        let (watch, self_test) = root.section("reload", |section| {
            (
                section.get("watch", &WATCHES, Watch::Auto),
                section.get("self_test", &Flag, true),
            )
        });
        let compile_cache = root.section("wasm", |section| CompileCache::read(section, folder));
        let workers = OrWord {
            form: Whole(1..=1_024),
            word: "cores",
        };
        let workers = root.section("runtime", |section| section.get("workers", &workers, None));
        let names: Vec<_> = listeners
            .iter()
            .map(|listener| listener.settings.name.as_str())
            .collect();
        let plugins = plugin::read_all(root, folder, &names);
        Self {
            listeners,
            broker,
            storage,
            plugins,
            log,
            watch,
            self_test,
            compile_cache,
            workers,
            effective: Vec::new(),
        }
    }
}

const STRATEGIES: Choice<SharedStrategy> = Choice(&[
    ("round_robin", SharedStrategy::RoundRobin),
    ("random", SharedStrategy::Random),
    ("sticky", SharedStrategy::Sticky),
    ("hash_publisher", SharedStrategy::HashPublisher),
]);
const WATCHES: Choice<Watch> = Choice(&[
    ("auto", Watch::Auto),
    ("poll", Watch::Poll),
    ("off", Watch::Off),
]);
const STOPS: Span = Span(Duration::ZERO..=Duration::from_secs(3_600));

fn read_file(file: &Path) -> Result<Source, ConfigError> {
    let name = file.display().to_string();
    let refuse = |why: String| ConfigError {
        place: Some(name.clone()),
        ..ConfigError::new(why)
    };
    let bytes = std::fs::read(file).map_err(|error| refuse(format!("cannot be read: {error}")))?;
    let text =
        String::from_utf8(bytes).map_err(|error| refuse(format!("is not UTF-8: {error}")))?;
    Ok(Source { name, text })
}

/// Puts the plugins of the command line behind the file's.
fn add_plugins(root: &mut Node, plugins: &[PathBuf], folder: &Path) {
    let Content::Table(entries) = &mut root.content else {
        return;
    };
    if plugins.is_empty() {
        return;
    }
    let at = entries
        .iter()
        .position(|entry| entry.key == "plugin")
        .unwrap_or_else(|| {
            let value = Node {
                content: Content::List(Vec::new()),
                place: Place::None,
            };
            entries.push(Entry {
                key: "plugin".to_owned(),
                place: Place::None,
                value,
            });
            entries.len() - 1
        });
    if let Some(Content::List(items)) = entries.get_mut(at).map(|entry| &mut entry.value.content) {
        items.extend(plugins.iter().map(|path| {
            // They start at the folder that the command was given in, not at the config's.
            let is_here = folder.as_os_str().is_empty();
            let path = if is_here {
                path.clone()
            } else {
                std::path::absolute(path).unwrap_or_else(|_| path.clone())
            };
            let value = Node {
                content: Content::Text(path.display().to_string()),
                place: Place::None,
            };
            let entry = Entry {
                key: "path".to_owned(),
                place: Place::None,
                value,
            };
            Node {
                content: Content::Table(vec![entry]),
                place: Place::None,
            }
        }));
    }
}

//! Takes a saved config or plugin live: read, check, load, test, then one swap. Whatever fails, the old generation serves on.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hookmq_broker::Handle;
use tokio::signal::unix::Signal;

use crate::config::{Config, Effective, Sources};
use crate::generation::Generation;
use crate::logging::Log;
use crate::runtime::Runtime;
use crate::self_test;
use crate::watch::Files;

/// What runs, and where it comes from.
pub(crate) struct Reload {
    pub(crate) handle: Handle,
    pub(crate) log: Log,
    pub(crate) sources: Arc<Sources>,
    /// What the broker was started with; what of it cannot change live is still in force.
    pub(crate) started: Config,
    /// What is in force.
    pub(crate) effective: Vec<Effective>,
    pub(crate) generation: Generation,
}

/// A reload that went well.
struct Fresh {
    config: Config,
    generation: Generation,
}

/// A reload that did not, in words.
struct Refused {
    why: Vec<String>,
    /// Files that are not of the generation in force, and whose next save may mend it.
    files: Vec<PathBuf>,
}

impl Reload {
    /// Reloads whenever a file is saved or SIGHUP comes, until the task is ended.
    pub(crate) async fn run(mut self, mut hangups: Signal) {
        let mut files = Files::new(self.started.watch);
        files.watch(self.files());
        let mut last_refusal = Vec::new();
        loop {
            let is_asked = tokio::select! {
                () = files.changed() => false,
                _ = hangups.recv() => true,
            };
            match self.load().await {
                Ok(fresh) => {
                    let is_config_new = fresh.config.effective != self.effective;
                    let is_new = self.take(fresh, is_asked);
                    match (last_refusal.is_empty(), is_new, is_config_new) {
                        (true, ..) | (_, true, _) => {}
                        (false, false, true) => tracing::info!("the mistake is gone"),
                        (false, false, false) => {
                            tracing::info!(
                                "the mistake is gone, and the files are again what runs"
                            );
                        }
                    }
                    last_refusal.clear();
                    files.watch(self.files());
                }
                Err(refused) => {
                    files.watch(self.files().into_iter().chain(refused.files));
                    // Said once per mistake, not once per event in the folder.
                    if is_asked || refused.why != last_refusal {
                        let why = refused.why.join("\n");
                        tracing::error!("reload refused, what ran before runs on:\n{why}");
                    }
                    last_refusal = refused.why;
                }
            }
        }
    }

    /// Every file whose change matters.
    fn files(&self) -> Vec<PathBuf> {
        let plugins = self.generation.files();
        let tests = self
            .generation
            .0
            .iter()
            .filter_map(|loaded| self_test::file_of(&loaded.settings.path));
        self.sources
            .file
            .iter()
            .cloned()
            .chain(tests)
            .chain(plugins)
            .collect()
    }

    /// Reads, checks, loads and tests, on a thread that may block.
    async fn load(&self) -> Result<Fresh, Refused> {
        let (sources, before, handle) = (
            Arc::clone(&self.sources),
            self.generation.clone(),
            self.handle.clone(),
        );
        let loaded = tokio::task::spawn_blocking(move || load(&sources, &before, &handle)).await;
        loaded.unwrap_or_else(|panic| {
            Err(Refused {
                why: vec![format!("a plugin could not be loaded: {panic}")],
                files: Vec::new(),
            })
        })
    }

    /// Makes it the one in force; true if it is another than before.
    fn take(&mut self, fresh: Fresh, is_asked: bool) -> bool {
        let Fresh { config, generation } = fresh;
        let is_new = generation.differs(&self.generation) || is_asked;
        let is_level_new = self.level() != Some(config.log.level.as_str());
        if is_new {
            let number = self.handle.swap(generation.registrations());
            let names = |is_new: bool| {
                let names: Vec<_> = generation
                    .0
                    .iter()
                    .filter(|loaded| loaded.is_new == is_new)
                    .map(|loaded| loaded.settings.name.as_str())
                    .collect();
                if names.is_empty() {
                    "none".to_owned()
                } else {
                    names.join(", ")
                }
            };
            tracing::info!(
                "reloaded: generation {number}; new or changed: {}; as before: {}",
                names(true),
                names(false)
            );
        }
        if is_level_new {
            self.log.set_level(&config.log.level);
            tracing::info!("log level is now {}", config.log.level);
        }
        self.warn_of_restart(&config.effective, is_asked);
        self.effective = config.effective;
        self.generation = generation;
        is_new
    }

    fn level(&self) -> Option<&str> {
        let is_level = |key: &&Effective| key.section == "log" && key.key == "level";
        self.effective
            .iter()
            .find(is_level)?
            .value
            .as_deref()?
            .strip_prefix('"')?
            .strip_suffix('"')
    }

    /// Says what was changed and is not in force, whenever that is not what was said before.
    fn warn_of_restart(&self, new: &[Effective], is_asked: bool) {
        let differences = waiting(&self.started.effective, new);
        if differences.is_empty()
            || (!is_asked && differences == waiting(&self.started.effective, &self.effective))
        {
            return;
        }
        tracing::warn!(
            "changed in the config, but in force only after a restart:\n{}",
            differences.join("\n")
        );
    }
}

/// What can change while the broker runs.
fn is_live(key: &Effective) -> bool {
    key.section.starts_with("plugin[")
        || key.section == "wasm"
        || (key.section == "log" && key.key == "level")
        || (key.section == "reload" && key.key == "self_test")
}

/// Keys whose values differ and need a restart: `session.maximum_sessions = 5 (now 1000000)`.
fn waiting(started: &[Effective], new: &[Effective]) -> Vec<String> {
    let same =
        |one: &Effective, other: &Effective| one.section == other.section && one.key == other.key;
    let value = |of: Option<&Effective>| {
        of.and_then(|key| key.value.clone())
            .unwrap_or_else(|| "not there".to_owned())
    };
    let changed = new.iter().filter(|key| !is_live(key)).filter_map(|key| {
        let now = started.iter().find(|old| same(old, key));
        let is_changed = now.is_none_or(|now| now.value != key.value);
        is_changed.then(|| {
            format!(
                "{}.{} = {} (now {})",
                key.section,
                key.key,
                value(Some(key)),
                value(now)
            )
        })
    });
    let gone = started
        .iter()
        .filter(|key| !is_live(key) && !new.iter().any(|other| same(other, key)));
    changed
        .chain(gone.map(|key| {
            format!(
                "{}.{} is gone (now {})",
                key.section,
                key.key,
                value(Some(key))
            )
        }))
        .collect()
}

fn load(sources: &Sources, before: &Generation, handle: &Handle) -> Result<Fresh, Refused> {
    // Some programs empty a file before they write it, and a full disk leaves it at that. Taken at its word, an empty config would
    // end every plugin, those that say who may do what among them.
    if let Some(file) = &sources.file
        && std::fs::read(file).is_ok_and(|bytes| bytes.trim_ascii().is_empty())
    {
        return Err(Refused {
            why: vec![format!(
                "{}: is empty; to end every plugin, write a comment into it",
                file.display()
            )],
            files: Vec::new(),
        });
    }
    let config = Config::load(sources).map_err(|errors| Refused {
        why: errors.0.iter().map(ToString::to_string).collect(),
        files: Vec::new(),
    })?;
    let refuse = |why: Vec<String>| Refused {
        why,
        files: suspects(&config),
    };
    let host = |name: &str, grants| handle.host(name, grants);
    let generation = Generation::load(&config, before, &host)
        .map_err(|flaws| refuse(flaws.iter().map(ToString::to_string).collect()))?;
    Ok(Fresh { config, generation })
}

/// Files of a config that was refused. What its scripts require is not known, but stands in their folders.
fn suspects(config: &Config) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for plugin in &config.plugins {
        files.push(plugin.path.clone());
        if Runtime::of(&plugin.path) == Some(Runtime::Lua) {
            let folder = plugin.path.parent().unwrap_or(Path::new(""));
            files.extend(scripts_below(folder, 2));
        }
    }
    files
}

/// Scripts in a folder and in those inside of it, as deep as scripts usually require.
fn scripts_below(folder: &Path, depth: usize) -> Vec<PathBuf> {
    let here = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    let Ok(entries) = std::fs::read_dir(here) else {
        return Vec::new();
    };
    let mut files = Vec::new();
    for entry in entries.filter_map(Result::ok).take(1_000) {
        let path = entry.path();
        if Runtime::of(&path) == Some(Runtime::Lua) {
            files.push(path);
        } else if depth > 1 && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            files.extend(scripts_below(&path, depth - 1));
        }
    }
    files
}

//! `[[plugin]]`: one plugin, what it is asked about, and what it may do. What the operator leaves out, a script may say itself.

use std::path::{Path, PathBuf};
use std::time::Duration;

use hookmq_broker::hook::Filter;
use hookmq_plugin_api::{Grant, OnError};
use serde_json::Value as Json;

use super::document::{Content, Node};
use super::error::hint;
use super::form::{Choice, ListOf, Size, Span, Text, Whole, quoted};
use super::reader::{Origin, Section};
use crate::runtime::Runtime;

/// One plugin as the operator wants it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PluginSettings {
    /// In logs, metrics and lists.
    pub(crate) name: String,
    /// Where its file is, from the folder of the config.
    pub(crate) path: PathBuf,
    /// What needs a new load when it changes.
    pub(crate) load: LoadSettings,
    pub(crate) priority: Option<i32>,
    pub(crate) topics: Option<Vec<String>>,
    pub(crate) clients: Option<Vec<String>>,
    pub(crate) listeners: Option<Vec<String>>,
    pub(crate) qos: Option<Vec<u8>>,
    pub(crate) minimum_size: Option<usize>,
    pub(crate) maximum_size: Option<usize>,
    pub(crate) on_error: Option<OnError>,
    pub(crate) timeout: Option<Duration>,
    /// Where its section stands: `broker.toml:12`, a variable, or `--plugin`.
    pub(crate) place: String,
    /// Its path in lists of effective keys: `plugin[0]`.
    pub(crate) section: String,
}

/// What a plugin is loaded with, besides its files.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LoadSettings {
    pub(crate) awaiting_timeout: Duration,
    pub(crate) maximum_awaiting: usize,
    pub(crate) memory: usize,
    pub(crate) grants: Vec<Grant>,
    pub(crate) config: Json,
}

impl LoadSettings {
    /// The defaults.
    pub(crate) fn new(runtime: Runtime) -> Self {
        Self {
            awaiting_timeout: Duration::from_secs(5),
            maximum_awaiting: 1_024,
            memory: runtime.usual_memory(),
            grants: Vec::new(),
            config: Json::Null,
        }
    }
}

/// Every grant by its word.
const GRANTS: [(&str, Grant); Grant::ALL.len()] = {
    let mut grants = [("", Grant::Publish); Grant::ALL.len()];
    let mut at = 0;
    while at < grants.len() {
        grants[at] = (Grant::ALL[at].name(), Grant::ALL[at]);
        at += 1;
    }
    grants
};
const ON_ERROR: &[(&str, OnError)] = &[("deny", OnError::Deny), ("pass", OnError::Pass)];
const BUDGETS: std::ops::RangeInclusive<Duration> =
    Duration::from_micros(100)..=Duration::from_secs(60);
const MEMORY: Size = Size(1 << 20..=4 << 30);
const WAITS: std::ops::RangeInclusive<Duration> =
    Duration::from_millis(1)..=Duration::from_secs(3600);

/// All plugins. Paths start at `folder`; `listeners` are the names that exist.
pub(super) fn read_all(
    root: &mut Section<'_>,
    folder: &Path,
    listeners: &[&str],
) -> Vec<PluginSettings> {
    let mut names: Vec<String> = Vec::new();
    let plugins = root.list("plugin", |section| {
        let plugin = read(section, folder);
        if names.contains(&plugin.name) {
            let key = if section.is_set("name") {
                "name"
            } else {
                "path"
            };
            section.refuse_key(
                key,
                format!(
                    "another plugin is called \"{}\"; give this one a name of its own",
                    plugin.name
                ),
            );
        }
        for name in plugin
            .listeners
            .iter()
            .flatten()
            .filter(|name| !listeners.contains(&name.as_str()))
        {
            let hint = hint(name, listeners.iter().copied());
            section.refuse_key(
                "listeners",
                format!("there is no listener \"{name}\"{hint}"),
            );
        }
        names.push(plugin.name.clone());
        plugin
    });
    plugins.unwrap_or_default()
}

fn read(section: &mut Section<'_>, folder: &Path) -> PluginSettings {
    let whole_size = Size(0..=u64::MAX);
    // Read first, as it gives the name; shown second.
    let written = section.peek("path", &Text).unwrap_or_default();
    let stem = Path::new(&written)
        .file_stem()
        .map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    let name = section.get("name", &Text, stem);
    let written = section.required("path", &Text).unwrap_or_default();
    let path = folder.join(&written);
    if !written.is_empty() {
        check_path(section, &path);
    }
    let texts = ListOf(Text);
    let place = match section.origin(&section.place("path")) {
        Origin::File(place) | Origin::Environment(place) => place,
        Origin::Default | Origin::Arguments => "--plugin".to_owned(),
    };
    let runtime = Runtime::of(&path);
    if runtime == Some(Runtime::Native) && section.is_set("memory") {
        let message = "a native plugin has the broker's own memory, which cannot be limited for it";
        section.refuse_key("memory", message.to_owned());
    }
    let default = LoadSettings::new(runtime.unwrap_or(Runtime::Lua));
    let plugin = PluginSettings {
        name,
        path,
        priority: section.optional("priority", &Whole(i32::MIN..=i32::MAX)),
        topics: section.optional("topics", &texts),
        clients: section.optional("clients", &texts),
        listeners: section.optional("listeners", &texts),
        qos: section.optional("qos", &ListOf(Whole(0..=2))),
        minimum_size: section
            .optional("minimum_size", &whole_size)
            .and_then(|size| usize::try_from(size).ok()),
        maximum_size: section
            .optional("maximum_size", &whole_size)
            .and_then(|size| usize::try_from(size).ok()),
        on_error: section.optional("on_error", &Choice(ON_ERROR)),
        timeout: section.optional("timeout", &Span(BUDGETS)),
        load: LoadSettings {
            awaiting_timeout: section.get(
                "awaiting_timeout",
                &Span(WAITS),
                default.awaiting_timeout,
            ),
            maximum_awaiting: section.get(
                "maximum_awaiting",
                &Whole(1..=usize::MAX),
                default.maximum_awaiting,
            ),
            memory: super::session::size(section, "memory", &MEMORY, default.memory),
            grants: section.get("grants", &ListOf(Choice(&GRANTS)), default.grants),
            config: config(section),
        },
        place,
        section: section.path().to_owned(),
    };
    check_filter(section, &plugin);
    plugin
}

fn check_path(section: &Section<'_>, path: &Path) {
    match Runtime::of(path) {
        Some(_) if path.is_file() => {}
        Some(_) => section.refuse_key("path", format!("there is no file {}", path.display())),
        None => section.refuse_key(
            "path",
            format!("expected a file that ends with {}", Runtime::ENDINGS),
        ),
    }
}

/// Each criterion by itself, so that the error names its key.
fn check_filter(section: &Section<'_>, plugin: &PluginSettings) {
    let topics = Filter {
        topics: plugin.topics.clone().unwrap_or_default(),
        ..Filter::default()
    };
    let clients = Filter {
        clients: plugin.clients.clone().unwrap_or_default(),
        ..Filter::default()
    };
    let sizes = Filter {
        minimum_size: plugin.minimum_size,
        maximum_size: plugin.maximum_size,
        ..Filter::default()
    };
    for (key, filter) in [
        ("topics", topics),
        ("clients", clients),
        ("minimum_size", sizes),
    ] {
        if let Err(error) = filter.check() {
            let message = error.to_string();
            let message = message
                .strip_prefix(&format!("{key}: "))
                .unwrap_or(&message);
            section.refuse_key(key, message.to_owned());
        }
    }
}

/// The plugin's own table. Its keys are the plugin's business, so the plugin checks them at load.
fn config(section: &mut Section<'_>) -> Json {
    let Some(node) = section.free("config") else {
        return Json::Null;
    };
    if !matches!(node.content, Content::Table(_)) {
        section.refuse_key(
            "config",
            format!("expected a section, [plugin.config], got {}", node.words()),
        );
        return Json::Null;
    }
    show(section, "config", node);
    json(node)
}

fn show(section: &Section<'_>, key: &str, node: &Node) {
    if let Content::Table(entries) = &node.content {
        for entry in entries {
            show(section, &format!("{key}.{}", entry.key), &entry.value);
        }
        return;
    }
    // What is printed ends up in bug reports.
    let lower = key.to_lowercase();
    let is_secret = ["password", "secret", "token"]
        .iter()
        .any(|word| lower.contains(word))
        || lower.ends_with("key");
    let value = if is_secret {
        quoted("(hidden)")
    } else {
        toml_text(&json(node))
    };
    section.show(key, Some(value), section.origin(&node.place));
}

fn toml_text(value: &Json) -> String {
    toml::Value::try_from(value).map_or_else(|_| value.to_string(), |value| value.to_string())
}

fn json(node: &Node) -> Json {
    match &node.content {
        Content::Text(text) | Content::Date(text) => Json::from(text.as_str()),
        Content::Integer(number) => Json::from(*number),
        Content::Number(number) => number
            .replace('_', "")
            .parse::<f64>()
            .map_or(Json::Null, Json::from),
        Content::Flag(flag) => Json::from(*flag),
        Content::List(items) => items.iter().map(json).collect(),
        Content::Table(entries) => entries
            .iter()
            .map(|entry| (entry.key.clone(), json(&entry.value)))
            .collect(),
        Content::Raw(raw) => guess(raw),
    }
}

/// What a variable's text means where only the plugin knows the type: TOML if it is a value of it, a text otherwise.
pub(crate) fn guess(raw: &str) -> Json {
    let value = toml::from_str::<toml::Table>(&format!("value = {raw}")).ok();
    value
        .and_then(|mut table| table.remove("value"))
        .and_then(|value| serde_json::to_value(value).ok())
        .unwrap_or_else(|| raw.into())
}

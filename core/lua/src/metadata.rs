//! What a script says of itself beside its handlers: priority, timeout, filter and the like. The operator's config wins.

use std::time::Duration;

use hookmq_plugin_api::{Hook, OnError};
use mlua::{Table, Value};

use crate::suggest::hint;
use crate::value::{show, whole_number};

/// Metadata that a script declared; what it left out is `None` or empty.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Metadata {
    /// Higher is asked first.
    pub priority: Option<i64>,
    /// Budget of one call.
    pub timeout: Option<Duration>,
    /// What a failure counts as, instead of the hook's own rule.
    pub on_error: Option<OnError>,
    /// Which events it is asked about.
    pub filter: Filter,
    /// The script's own version.
    pub version: Option<String>,
    /// What it does, in a sentence.
    pub description: Option<String>,
}

/// Which events a script wants; an empty list means all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Topic Filters; hooks without a topic are not concerned.
    pub topics: Vec<String>,
    /// Client Identifiers.
    pub clients: Vec<String>,
    /// Names of listeners.
    pub listeners: Vec<String>,
    /// QoS levels.
    pub qos: Vec<u8>,
    /// Smallest payload in bytes.
    pub min_size: Option<usize>,
    /// Largest payload in bytes.
    pub max_size: Option<usize>,
}

/// The keys of a script's table that are no hooks.
const KEYS: [&str; 8] = [
    "priority",
    "timeout",
    "on_error",
    "filter",
    "config",
    "awaits",
    "version",
    "description",
];

const FILTER_KEYS: [&str; 6] = [
    "topics",
    "clients",
    "listeners",
    "qos",
    "min_size",
    "max_size",
];

/// What [`read`] found.
#[derive(Debug, Default)]
pub(crate) struct Declared {
    pub(crate) metadata: Metadata,
    pub(crate) config: Option<Table>,
    pub(crate) awaits: Vec<Hook>,
}

/// Reads one metadata key.
///
/// # Errors
/// The key is unknown, or its value is not one; in words for the script's author.
pub(crate) fn read(declared: &mut Declared, key: &str, value: &Value) -> Result<(), String> {
    let metadata = &mut declared.metadata;
    match key {
        "priority" => {
            metadata.priority = Some(
                whole_number(value).ok_or_else(|| wrong("priority", "a whole number", value))?,
            );
        }
        "timeout" => metadata.timeout = Some(duration(value)?),
        "on_error" => metadata.on_error = Some(on_error(value)?),
        "filter" => match value {
            Value::Table(table) => metadata.filter = filter(table)?,
            other => return Err(wrong("filter", "a table", other)),
        },
        "config" => match value {
            Value::Table(table) => declared.config = Some(table.clone()),
            other => return Err(wrong("config", "a table of keys and defaults", other)),
        },
        "awaits" => {
            for name in texts("awaits", value)? {
                declared.awaits.push(awaiting_hook(&name)?);
            }
        }
        "version" => metadata.version = Some(text("version", value)?),
        "description" => metadata.description = Some(text("description", value)?),
        _ => {
            let hooks = hookmq_plugin_api::catalogue::HOOKS
                .iter()
                .map(|spec| spec.name);
            return Err(format!(
                "M.{key} means nothing{}; a table has hooks (functions) and {}; keep anything else in a local",
                hint(key, KEYS.into_iter().chain(hooks)),
                KEYS.join(", ")
            ));
        }
    }
    Ok(())
}

/// A function whose name is no hook.
pub(crate) fn unknown_hook(name: &str) -> String {
    let hooks = hookmq_plugin_api::catalogue::HOOKS
        .iter()
        .map(|spec| spec.name);
    format!(
        "there is no hook \"{name}\"{}; functions in the returned table are hooks, make helpers local",
        hint(name, hooks)
    )
}

fn awaiting_hook(name: &str) -> Result<Hook, String> {
    let hook = Hook::from_name(name).ok_or_else(|| {
        let hooks = hookmq_plugin_api::catalogue::HOOKS
            .iter()
            .filter(|spec| spec.awaits)
            .map(|spec| spec.name);
        format!("awaits: there is no hook \"{name}\"{}", hint(name, hooks))
    })?;
    if !hook.spec().awaits {
        return Err(format!("awaits: {name} cannot wait"));
    }
    Ok(hook)
}

fn filter(table: &Table) -> Result<Filter, String> {
    let mut filter = Filter::default();
    for entry in table.pairs::<Value, Value>() {
        let (key, value) = entry.map_err(|error| error.to_string())?;
        let key = match &key {
            Value::String(key) => key.to_string_lossy(),
            other => show(other),
        };
        match key.as_str() {
            "topics" => {
                filter.topics = texts("filter.topics", &value)?;
                for topic in &filter.topics {
                    crate::range::topic_filter(topic)
                        .map_err(|why| format!("filter.topics: {why}"))?;
                }
            }
            "clients" => filter.clients = texts("filter.clients", &value)?,
            "listeners" => filter.listeners = texts("filter.listeners", &value)?,
            "qos" => filter.qos = levels(&value)?,
            "min_size" => filter.min_size = Some(size("filter.min_size", &value)?),
            "max_size" => filter.max_size = Some(size("filter.max_size", &value)?),
            _ => {
                return Err(format!(
                    "filter has no \"{key}\"{}; it has {}",
                    hint(&key, FILTER_KEYS),
                    FILTER_KEYS.join(", ")
                ));
            }
        }
    }
    Ok(filter)
}

fn levels(value: &Value) -> Result<Vec<u8>, String> {
    let one = |value: &Value| {
        whole_number(value)
            .and_then(|qos| u8::try_from(qos).ok())
            .filter(|qos| *qos <= 2)
            .ok_or_else(|| wrong("filter.qos", "0, 1 or 2, or a list of them", value))
    };
    match value {
        Value::Table(list) => list
            .sequence_values::<Value>()
            .map(|value| one(&value.map_err(|error| error.to_string())?))
            .collect(),
        other => Ok(vec![one(other)?]),
    }
}

fn size(what: &str, value: &Value) -> Result<usize, String> {
    whole_number(value)
        .and_then(|size| usize::try_from(size).ok())
        .ok_or_else(|| wrong(what, "a number of bytes", value))
}

fn on_error(value: &Value) -> Result<OnError, String> {
    match text("on_error", value)?.as_str() {
        "deny" => Ok(OnError::Deny),
        "pass" => Ok(OnError::Pass),
        _ => Err(wrong("on_error", "\"deny\" or \"pass\"", value)),
    }
}

/// `"50ms"`, `"2s"`, `"500us"`.
fn duration(value: &Value) -> Result<Duration, String> {
    let expected = || wrong("timeout", "a time with a unit, as in \"50ms\"", value);
    let written = text("timeout", value).map_err(|_| expected())?;
    let digits = written
        .find(|next: char| !next.is_ascii_digit())
        .ok_or_else(expected)?;
    let (number, unit) = written.split_at(digits);
    let number: u64 = number.parse().map_err(|_| expected())?;
    let time = match unit.trim() {
        "us" => Duration::from_micros(number),
        "ms" => Duration::from_millis(number),
        "s" => Duration::from_secs(number),
        _ => return Err(expected()),
    };
    if time.is_zero() {
        return Err(expected());
    }
    Ok(time)
}

fn text(what: &str, value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.to_string_lossy()),
        other => Err(wrong(what, "a string", other)),
    }
}

/// A string or a list of strings.
fn texts(what: &str, value: &Value) -> Result<Vec<String>, String> {
    match value {
        Value::Table(list) => list
            .sequence_values::<Value>()
            .map(|value| text(what, &value.map_err(|error| error.to_string())?))
            .collect(),
        Value::String(_) => Ok(vec![text(what, value)?]),
        other => Err(wrong(what, "a list of strings", other)),
    }
}

fn wrong(what: &str, expected: &str, value: &Value) -> String {
    format!("{what} must be {expected}, got {}", show(value))
}

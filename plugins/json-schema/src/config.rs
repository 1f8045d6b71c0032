//! `[plugin.config]`: schemas by name, and which topics they are for.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// What the section says.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Schemas by name: JSON in a text, or a table that is the schema itself. One names another with `{"$ref": "name"}`.
    pub schemas: BTreeMap<String, Value>,
    /// The first one with a filter that matches the topic counts.
    pub rules: Vec<Rule>,
    /// Bytes of a payload at most, where a rule does not say otherwise.
    #[serde(default = "max_bytes")]
    pub max_bytes: u64,
    /// Whether `format` refuses what does not have it.
    #[serde(default = "formats")]
    pub formats: bool,
}

/// Topics with one schema.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Topic filters.
    pub topics: Vec<String>,
    /// A name of `schemas`.
    pub schema: String,
    /// Bytes of a payload at most.
    pub max_bytes: Option<u64>,
}

const fn max_bytes() -> u64 {
    64 * 1024
}

const fn formats() -> bool {
    true
}

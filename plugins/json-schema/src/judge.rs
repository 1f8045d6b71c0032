//! The rules, compiled once per instance, and what they say about a payload.

use std::error::Error;

use boon::{Compiler, Draft, SchemaIndex, Schemas, UrlLoader, ValidationError};
use hookmq_mqtt::TopicFilter;
use serde_json::Value;

use crate::config::Config;

/// Where the schemas seem to be, so that they find each other by name. There is no such place, and nothing is ever fetched.
const BASE: &str = "https://schemas.invalid/";

/// Characters of what a schema says about a value at most: it may quote the value.
const MAXIMUM_WORDS: usize = 160;

/// All rules.
pub struct Judge {
    schemas: Schemas,
    rules: Vec<Rule>,
}

/// Topics with one schema.
pub struct Rule {
    topics: Vec<String>,
    name: String,
    schema: SchemaIndex,
    max_bytes: u64,
}

impl Judge {
    /// Compiles the schemas.
    ///
    /// # Errors
    /// A schema is wrong, names one that there is not, or a rule does; a text is no topic filter.
    pub fn new(config: &Config) -> Result<Self, JudgeError> {
        let mut compiler = Compiler::new();
        compiler.set_default_draft(Draft::V2020_12);
        compiler.use_loader(Box::new(Nowhere));
        if config.formats {
            compiler.enable_format_assertions();
        }
        for (name, schema) in &config.schemas {
            let wrong = |why: &dyn Error| JudgeError::Schema {
                name: name.clone(),
                why: why.to_string(),
            };
            let schema = match schema {
                Value::String(text) => serde_json::from_str(text).map_err(|why| wrong(&why))?,
                schema => schema.clone(),
            };
            compiler
                .add_resource(&address(name)?, schema)
                .map_err(|why| wrong(&why))?;
        }
        let mut schemas = Schemas::new();
        for name in config.schemas.keys() {
            compile(&mut compiler, name, &mut schemas)?;
        }
        let mut rules = Vec::with_capacity(config.rules.len());
        for rule in &config.rules {
            for topic in &rule.topics {
                let is_filter =
                    TopicFilter::parse(topic).is_ok_and(|filter| filter.share_name().is_none());
                if !is_filter {
                    return Err(JudgeError::Filter(topic.clone()));
                }
            }
            if !config.schemas.contains_key(&rule.schema) {
                return Err(JudgeError::NoSchema(rule.schema.clone()));
            }
            rules.push(Rule {
                topics: rule.topics.clone(),
                schema: compile(&mut compiler, &rule.schema, &mut schemas)?,
                name: rule.schema.clone(),
                max_bytes: rule.max_bytes.unwrap_or(config.max_bytes),
            });
        }
        Ok(Self { schemas, rules })
    }

    /// The rule for a topic.
    #[must_use]
    pub fn rule(&self, topic: &str) -> Option<&Rule> {
        self.rules.iter().find(|rule| {
            rule.topics
                .iter()
                .any(|filter| hookmq_mqtt::topic::matches(filter, topic))
        })
    }

    /// Whether a payload fits.
    ///
    /// # Errors
    /// It is no JSON, or where it does not fit, and why.
    pub fn check(&self, rule: &Rule, payload: &[u8]) -> Result<(), Refused> {
        let value: Value = serde_json::from_slice(payload)?;
        self.schemas
            .validate(&value, rule.schema)
            .map_err(|error| Refused::Schema {
                name: rule.name.clone(),
                what: words(&error),
            })
    }
}

impl Rule {
    /// Whether a payload of this size is looked at.
    ///
    /// # Errors
    /// It is too long.
    pub fn check_size(&self, bytes: u64) -> Result<(), Refused> {
        if bytes <= self.max_bytes {
            Ok(())
        } else {
            Err(Refused::TooLong {
                bytes,
                maximum: self.max_bytes,
            })
        }
    }
}

fn address(name: &str) -> Result<String, JudgeError> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if name.is_empty() || name.starts_with('.') || !name.bytes().all(is_plain) {
        return Err(JudgeError::Name(name.to_owned()));
    }
    Ok(format!("{BASE}{name}"))
}

fn compile(
    compiler: &mut Compiler,
    name: &str,
    schemas: &mut Schemas,
) -> Result<SchemaIndex, JudgeError> {
    compiler
        .compile(&address(name)?, schemas)
        .map_err(|why| JudgeError::Schema {
            name: name.to_owned(),
            // With all that the schema of schemas has to say.
            why: format!("{why:#}"),
        })
}

/// The first thing that is wrong, as deep as it can be told: its JSON Pointer, and what was wanted there.
fn words(error: &ValidationError<'_, '_>) -> String {
    let mut deepest = error;
    while let Some(cause) = deepest.causes.first() {
        deepest = cause;
    }
    let at = deepest.instance_location.to_string();
    let what = deepest.kind.to_string();
    let mut cut: String = what.chars().take(MAXIMUM_WORDS).collect();
    if cut.len() < what.len() {
        cut.push('…');
    }
    let at = if at.is_empty() { "the whole" } else { &at };
    let at: String = at.chars().take(MAXIMUM_WORDS).collect();
    format!("{at}: {cut}")
}

/// Schemas are in the configuration, and nowhere else.
struct Nowhere;

impl UrlLoader for Nowhere {
    fn load(&self, url: &str) -> Result<Value, Box<dyn Error>> {
        let name = url.strip_prefix(BASE).unwrap_or(url);
        Err(format!("there is no schema \"{name}\" in the configuration").into())
    }
}

/// Why the rules are refused.
#[derive(Debug, thiserror::Error)]
pub enum JudgeError {
    /// A schema is none.
    #[error("schemas.{name}: {why}")]
    Schema {
        /// Its name.
        name: String,
        /// What is wrong with it.
        why: String,
    },
    /// A name would be no part of an address.
    #[error("schemas: \"{0}\" is no name: letters, digits, - _ . (not first)")]
    Name(String),
    /// A rule names no schema.
    #[error("rules: there is no schema \"{0}\"")]
    NoSchema(String),
    /// A rule has something else than a topic filter.
    #[error("rules: \"{0}\" is no topic filter")]
    Filter(String),
}

/// Why a payload is refused. The client is told.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// It is longer than is looked at.
    #[error("{bytes} bytes; {maximum} are allowed")]
    TooLong {
        /// Its size.
        bytes: u64,
        /// What may be.
        maximum: u64,
    },
    /// It is no JSON.
    #[error("no JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// It does not fit.
    #[error("{what} (schema {name})")]
    Schema {
        /// The schema's name.
        name: String,
        /// Where, and why.
        what: String,
    },
}

//! `[log]`: how much is logged, and in what form.

use super::document::{Content, Node};
use super::error::hint;
use super::form::{Choice, Form, quoted};
use super::reader::Section;

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// For people on a terminal, JSON otherwise.
    Auto,
    /// For people.
    Pretty,
    /// One JSON object per line.
    Json,
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogSettings {
    /// A level, or levels by target: `info,hookmq_broker::net=debug,plugin=warn`. Can change live.
    pub(crate) level: String,
    /// The form.
    pub(crate) format: LogFormat,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self {
            level: "info".to_owned(),
            format: LogFormat::Auto,
        }
    }
}

impl LogSettings {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        let default = Self::default();
        let formats = Choice(&[
            ("auto", LogFormat::Auto),
            ("pretty", LogFormat::Pretty),
            ("json", LogFormat::Json),
        ]);
        Self {
            level: section.get("level", &Level, default.level),
            format: section.get("format", &formats, default.format),
        }
    }
}

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// A level, and levels by target behind commas.
struct Level;

impl Form for Level {
    type Value = String;

    fn allowed(&self) -> String {
        format!(
            "one of {}, or also by target, as in \"info,plugin=debug\"",
            LEVELS.join(", ")
        )
    }

    fn read(&self, node: &Node) -> Result<String, String> {
        let (Content::Text(text) | Content::Raw(text)) = &node.content else {
            return Err(String::new());
        };
        for part in text.split(',') {
            let level = part
                .rsplit_once('=')
                .map_or(part, |(_, level)| level)
                .trim();
            if !LEVELS.contains(&level) {
                return Err(hint(level, LEVELS));
            }
        }
        Ok(text.clone())
    }

    fn show(&self, value: &String) -> String {
        quoted(value)
    }
}

//! A config as it was written: the TOML file with the place of every value, and the environment laid over it. Nothing is judged here.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::ConfigError;

/// A file's name and text, for places in errors.
#[derive(Debug, Clone, Default)]
pub(super) struct Source {
    /// As the operator wrote it.
    pub(super) name: String,
    pub(super) text: String,
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// Byte offset in the file.
    File(usize),
    /// Name of the environment variable.
    Variable(String),
    /// Nowhere: it is a default, or given on the command line.
    None,
}

/// A value and its place.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) content: Content,
    pub(super) place: Place,
}

/// A value as it was written.
#[derive(Debug, Clone)]
pub(super) enum Content {
    Text(String),
    Integer(i64),
    /// A float or an integer beyond 64 bits, as written.
    Number(String),
    Flag(bool),
    Date(String),
    List(Vec<Node>),
    Table(Vec<Entry>),
    /// From the environment: what it means is up to who reads it.
    Raw(String),
}

/// A key of a table and its value.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) key: String,
    /// Of the key; the value has its own.
    pub(super) place: Place,
    pub(super) value: Node,
}

impl Source {
    /// Line and column, both from 1, of a byte offset.
    pub(super) fn line_and_column(&self, offset: usize) -> (usize, usize) {
        let before = self.text.get(..offset).unwrap_or(&self.text);
        let line = before.matches('\n').count() + 1;
        let column = before
            .rsplit('\n')
            .next()
            .unwrap_or_default()
            .chars()
            .count()
            + 1;
        (line, column)
    }

    /// An error at a place.
    pub(super) fn error(&self, place: &Place, key: &str, message: String) -> ConfigError {
        let error = ConfigError {
            key: key.to_owned(),
            ..ConfigError::new(message)
        };
        match place {
            Place::File(offset) => {
                let (line, column) = self.line_and_column(*offset);
                let text = self
                    .text
                    .lines()
                    .nth(line - 1)
                    .unwrap_or_default()
                    .trim_end();
                ConfigError {
                    place: Some(format!("{}:{line}:{column}", self.name)),
                    source_line: (!text.is_empty()).then(|| (line, text.to_owned())),
                    offset: *offset,
                    ..error
                }
            }
            // After whatever is wrong in the file.
            Place::Variable(name) => ConfigError {
                place: Some(name.clone()),
                offset: usize::MAX,
                ..error
            },
            Place::None => ConfigError {
                offset: usize::MAX,
                ..error
            },
        }
    }

    /// The whole file as a table.
    ///
    /// # Errors
    /// What is no TOML.
    pub(super) fn parse(&self) -> Result<Node, Vec<ConfigError>> {
        let (table, errors) = DeTable::parse_recoverable(&self.text);
        if errors.is_empty() {
            return Ok(Node {
                content: Content::Table(entries(table.get_ref())),
                place: Place::File(0),
            });
        }
        let mut errors: Vec<_> = errors
            .iter()
            .map(|error| {
                let offset = error.span().map_or(0, |span| span.start);
                self.error(
                    &Place::File(offset),
                    "",
                    error.message().replace('\n', ", "),
                )
            })
            .collect();
        errors.sort_by_key(|error: &ConfigError| error.offset);
        Err(errors)
    }
}

impl Node {
    /// The entry of a table with this key.
    pub(super) fn entry(&self, key: &str) -> Option<&Entry> {
        match &self.content {
            Content::Table(entries) => entries.iter().find(|entry| entry.key == key),
            _ => None,
        }
    }

    /// In words for an error, as in `the number 5`.
    pub(super) fn words(&self) -> String {
        match &self.content {
            Content::Text(text) | Content::Raw(text) => format!("\"{text}\""),
            Content::Integer(number) => format!("the number {number}"),
            Content::Number(number) => format!("the number {number}"),
            Content::Flag(flag) => format!("{flag}"),
            Content::Date(date) => format!("the date {date}"),
            Content::List(_) => "a list".to_owned(),
            Content::Table(_) => "a table".to_owned(),
        }
    }
}

fn entries(table: &DeTable<'_>) -> Vec<Entry> {
    let mut entries: Vec<_> = table
        .iter()
        .map(|(key, value)| Entry {
            key: key.get_ref().to_string(),
            place: place(key.span()),
            value: node(value),
        })
        .collect();
    // The parser sorts by name; people think in the order of the file.
    entries.sort_by_key(|entry| match entry.place {
        Place::File(offset) => offset,
        _ => usize::MAX,
    });
    entries
}

fn node(value: &Spanned<DeValue<'_>>) -> Node {
    let content = match value.get_ref() {
        DeValue::String(text) => Content::Text(text.to_string()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or_else(
                |_| Content::Number(number.as_str().to_owned()),
                Content::Integer,
            ),
        DeValue::Float(number) => Content::Number(number.as_str().to_owned()),
        DeValue::Boolean(flag) => Content::Flag(*flag),
        DeValue::Datetime(date) => Content::Date(date.to_string()),
        DeValue::Array(items) => Content::List(items.iter().map(node).collect()),
        DeValue::Table(table) => Content::Table(entries(table)),
    };
    Node {
        content,
        place: place(value.span()),
    }
}

const fn place(span: Range<usize>) -> Place {
    Place::File(span.start)
}

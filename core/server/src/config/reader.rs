//! Reads keys from a document by form and default, and keeps what was found: the effective value and origin of every key, and all errors.

use std::cell::RefCell;

use super::document::{Content, Node, Place, Source};
use super::error::{ConfigError, hint};
use super::form::Form;

/// Where an effective value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Nobody set it.
    Default,
    /// `broker.toml:12`.
    File(String),
    /// Name of the environment variable.
    Environment(String),
    /// The command line.
    Arguments,
}

/// One key with the value that is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Effective {
    /// As the head of the section is written: `[session]`, `[[plugin]]`.
    pub(crate) head: String,
    /// Path of the section, with the place in the list: `plugin[0]`.
    pub(crate) section: String,
    /// The key.
    pub(crate) key: String,
    /// As TOML; `None` if it is not set and has no default.
    pub(crate) value: Option<String>,
    /// Who set it.
    pub(crate) origin: Origin,
}

/// Reads one document.
pub(super) struct Reader<'a> {
    source: &'a Source,
    found: RefCell<Found>,
}

#[derive(Default)]
struct Found {
    errors: Vec<ConfigError>,
    effective: Vec<Effective>,
    /// Every key that any section has, to say where a misplaced one belongs.
    known: Vec<(String, &'static str)>,
    /// Keys that their section does not have; judged when all sections are known.
    unknown: Vec<Unknown>,
}

struct Unknown {
    place: Place,
    head: String,
    path: String,
    key: String,
    known: Vec<&'static str>,
}

/// One table being read. [`Section::end`] says which of its keys nobody knows.
pub(super) struct Section<'a> {
    reader: &'a Reader<'a>,
    head: String,
    path: String,
    node: Option<&'a Node>,
    known: Vec<&'static str>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(source: &'a Source) -> Self {
        Self {
            source,
            found: RefCell::default(),
        }
    }

    /// The file itself.
    pub(super) fn root(&'a self, node: &'a Node) -> Section<'a> {
        Section {
            reader: self,
            head: String::new(),
            path: String::new(),
            node: Some(node),
            known: Vec::new(),
        }
    }

    pub(super) fn refuse(&self, place: &Place, key: &str, message: String) {
        let error = self.source.error(place, key, message);
        self.found.borrow_mut().errors.push(error);
    }

    pub(super) fn add(&self, errors: Vec<ConfigError>) {
        self.found.borrow_mut().errors.extend(errors);
    }

    /// What was in force, and what was wrong, in the order of the file.
    pub(super) fn end(self) -> (Vec<Effective>, Vec<ConfigError>) {
        let Found {
            mut errors,
            effective,
            known,
            unknown,
        } = self.found.into_inner();
        for found in unknown {
            let path = join(&found.path, &found.key);
            errors.push(
                self.source
                    .error(&found.place, &path, found.message(&known)),
            );
        }
        errors.sort_by_key(|error| error.offset);
        (effective, errors)
    }

    fn origin(&self, place: &Place) -> Origin {
        match place {
            Place::File(offset) => Origin::File(format!(
                "{}:{}",
                self.source.name,
                self.source.line_and_column(*offset).0
            )),
            Place::Variable(name) => Origin::Environment(name.clone()),
            Place::None => Origin::Arguments,
        }
    }
}

impl Unknown {
    fn message(&self, everywhere: &[(String, &'static str)]) -> String {
        let what = if self.head.is_empty() {
            "unknown section or key"
        } else {
            "unknown key"
        };
        if let Some((head, _)) = everywhere.iter().find(|(_, key)| *key == self.key) {
            return format!("{what}; it belongs to {head}");
        }
        let meant = hint(&self.key, self.known.iter().copied());
        if !meant.is_empty() {
            return format!("{what}{meant}");
        }
        let here = if self.head.is_empty() {
            "there are"
        } else {
            "this section has"
        };
        format!("{what}; {here} {}", self.known.join(", "))
    }
}

impl<'a> Section<'a> {
    /// The value of a key, or its default. After an error it is the default too, and the load fails at its end.
    pub(super) fn get<F: Form>(
        &mut self,
        key: &'static str,
        form: &F,
        default: F::Value,
    ) -> F::Value {
        match self.read(key, form) {
            Some((value, origin)) => {
                self.show(key, Some(form.show(&value)), origin);
                value
            }
            None => {
                self.show(key, Some(form.show(&default)), Origin::Default);
                default
            }
        }
    }

    /// The value of a key that may be left out.
    pub(super) fn optional<F: Form>(&mut self, key: &'static str, form: &F) -> Option<F::Value> {
        let (value, origin) = self
            .read(key, form)
            .map_or((None, Origin::Default), |(value, origin)| {
                (Some(value), origin)
            });
        self.show(key, value.as_ref().map(|value| form.show(value)), origin);
        value
    }

    /// The value of a key that must be there.
    pub(super) fn required<F: Form>(&mut self, key: &'static str, form: &F) -> Option<F::Value> {
        let value = self.optional(key, form);
        if !self.is_set(key) {
            self.refuse(format!("{key} is missing: expected {}", form.allowed()));
        }
        value
    }

    /// The value of a key, without a word if it is wrong: it will be read again.
    pub(super) fn peek<F: Form>(&self, key: &str, form: &F) -> Option<F::Value> {
        form.read(&self.node?.entry(key)?.value).ok()
    }

    /// A value that no form describes. What it shows is up to the caller, by [`Section::show`].
    pub(super) fn free(&mut self, key: &'static str) -> Option<&'a Node> {
        self.known.push(key);
        Some(&self.node?.entry(key)?.value)
    }

    /// A table inside this one, read by `body`.
    pub(super) fn section<T>(&mut self, key: &'static str, body: impl FnOnce(&mut Self) -> T) -> T {
        self.known.push(key);
        let path = join(&self.path, key);
        let entry = self.node.and_then(|node| node.entry(key));
        let node = entry.map(|entry| &entry.value).filter(|node| {
            let is_table = matches!(node.content, Content::Table(_));
            if !is_table {
                self.reader.refuse(
                    &node.place,
                    &path,
                    format!("expected a section, [{path}], got {}", node.words()),
                );
            }
            is_table
        });
        let mut section = Section {
            reader: self.reader,
            head: format!("[{path}]"),
            path,
            node,
            known: Vec::new(),
        };
        let value = body(&mut section);
        section.end();
        value
    }

    /// Each table of a list of tables, read by `body`; `None` if nobody wrote such a list.
    pub(super) fn list<T>(
        &mut self,
        key: &'static str,
        mut body: impl FnMut(&mut Self) -> T,
    ) -> Option<Vec<T>> {
        self.known.push(key);
        let value = &self.node?.entry(key)?.value;
        let key = join(&self.path, key);
        let Content::List(items) = &value.content else {
            let hint = if matches!(value.content, Content::Table(_)) {
                "; write double brackets"
            } else {
                ""
            };
            let message = format!(
                "expected a list of sections, [[{key}]], got {}{hint}",
                value.words()
            );
            self.reader.refuse(&value.place, &key, message);
            return None;
        };
        let mut values = Vec::new();
        for (at, item) in items.iter().enumerate() {
            let path = format!("{key}[{at}]");
            if !matches!(item.content, Content::Table(_)) {
                let message = format!("expected a section, [[{key}]], got {}", item.words());
                self.reader.refuse(&item.place, &path, message);
                continue;
            }
            let mut section = Section {
                reader: self.reader,
                head: format!("[[{key}]]"),
                path,
                node: Some(item),
                known: Vec::new(),
            };
            values.push(body(&mut section));
            section.end();
        }
        Some(values)
    }

    /// Its path, as in `plugin[0]`.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Says that something is wrong with the whole section.
    pub(super) fn refuse(&self, message: String) {
        let place = self.node.map_or(Place::None, |node| node.place.clone());
        self.reader.refuse(&place, &self.path, message);
    }

    /// Says that something is wrong with one key's value.
    pub(super) fn refuse_key(&self, key: &str, message: String) {
        self.reader
            .refuse(&self.place(key), &join(&self.path, key), message);
    }

    /// Where a key's value stands; if it is not set, where the section does.
    pub(super) fn place(&self, key: &str) -> Place {
        let section = || self.node.map_or(Place::None, |node| node.place.clone());
        self.node
            .and_then(|node| node.entry(key))
            .map_or_else(section, |entry| entry.value.place.clone())
    }

    pub(super) fn is_set(&self, key: &str) -> bool {
        self.node.is_some_and(|node| node.entry(key).is_some())
    }

    /// Keeps the value in force of a key of this section, or of one inside of it (`config.users`).
    pub(super) fn show(&self, key: &str, value: Option<String>, origin: Origin) {
        let effective = Effective {
            head: self.head.clone(),
            section: self.path.clone(),
            key: key.to_owned(),
            value,
            origin,
        };
        self.reader.found.borrow_mut().effective.push(effective);
    }

    /// Keeps a default of a section that nobody wrote.
    pub(super) fn show_default(&self, head: &str, section: &str, key: &str, value: String) {
        let effective = Effective {
            head: head.to_owned(),
            section: section.to_owned(),
            key: key.to_owned(),
            value: Some(value),
            origin: Origin::Default,
        };
        self.reader.found.borrow_mut().effective.push(effective);
    }

    pub(super) fn origin(&self, place: &Place) -> Origin {
        self.reader.origin(place)
    }

    fn read<F: Form>(&mut self, key: &'static str, form: &F) -> Option<(F::Value, Origin)> {
        self.known.push(key);
        let node = &self.node?.entry(key)?.value;
        match form.read(node) {
            Ok(value) => Some((value, self.reader.origin(&node.place))),
            Err(hint) => {
                let message = format!("expected {}, got {}{hint}", form.allowed(), node.words());
                self.reader
                    .refuse(&node.place, &join(&self.path, key), message);
                None
            }
        }
    }

    pub(super) fn end(self) {
        let mut found = self.reader.found.borrow_mut();
        if let Some(Node {
            content: Content::Table(entries),
            ..
        }) = self.node
        {
            for entry in entries
                .iter()
                .filter(|entry| !self.known.contains(&entry.key.as_str()))
            {
                found.unknown.push(Unknown {
                    place: entry.place.clone(),
                    head: self.head.clone(),
                    path: self.path.clone(),
                    key: entry.key.clone(),
                    known: self.known.clone(),
                });
            }
        }
        if !self.head.is_empty() {
            found
                .known
                .extend(self.known.iter().map(|key| (self.head.clone(), *key)));
        }
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

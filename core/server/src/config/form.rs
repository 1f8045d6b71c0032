//! How one value is written: what is allowed, how it is read, how it is shown as TOML.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::document::{Content, Node};
use super::error::hint;
use super::units;

/// One way of writing a value.
pub(super) trait Form {
    /// What it means.
    type Value;

    /// What is allowed, to go after "expected".
    fn allowed(&self) -> String;

    /// Reads it; an error is a hint to be added, or empty.
    fn read(&self, node: &Node) -> Result<Self::Value, String>;

    /// As TOML.
    fn show(&self, value: &Self::Value) -> String;
}

/// Any text but an empty one.
pub(super) struct Text;

impl Form for Text {
    type Value = String;

    fn allowed(&self) -> String {
        "a text".to_owned()
    }

    fn read(&self, node: &Node) -> Result<String, String> {
        text(node)
            .filter(|text| !text.trim().is_empty())
            .map(str::to_owned)
            .ok_or_else(String::new)
    }

    fn show(&self, value: &String) -> String {
        quoted(value)
    }
}

/// `true` or `false`.
pub(super) struct Flag;

impl Form for Flag {
    type Value = bool;

    fn allowed(&self) -> String {
        "true or false".to_owned()
    }

    fn read(&self, node: &Node) -> Result<bool, String> {
        match &node.content {
            Content::Flag(flag) => Ok(*flag),
            Content::Raw(raw) => raw.trim().parse().map_err(|_| String::new()),
            Content::Text(text) if matches!(text.as_str(), "true" | "false") => {
                Err("; write it without quotes".to_owned())
            }
            _ => Err(String::new()),
        }
    }

    fn show(&self, value: &bool) -> String {
        value.to_string()
    }
}

/// A whole number in a range.
pub(super) struct Whole<T>(pub(super) RangeInclusive<T>);

impl<T> Form for Whole<T>
where
    T: Copy + TryFrom<i64> + PartialOrd + std::fmt::Display,
{
    type Value = T;

    fn allowed(&self) -> String {
        // The upper ends of the machine's own types say nothing to a reader.
        let end = self.0.end().to_string();
        if end == usize::MAX.to_string() || end == i64::MAX.to_string() {
            format!("a whole number from {}", self.0.start())
        } else {
            format!("a whole number from {} to {end}", self.0.start())
        }
    }

    fn read(&self, node: &Node) -> Result<T, String> {
        let number = match &node.content {
            Content::Integer(number) => *number,
            Content::Raw(raw) => raw
                .trim()
                .replace('_', "")
                .parse()
                .map_err(|_| String::new())?,
            Content::Text(text) if text.parse::<i64>().is_ok() => {
                return Err("; write it without quotes".to_owned());
            }
            _ => return Err(String::new()),
        };
        T::try_from(number)
            .ok()
            .filter(|number| self.0.contains(number))
            .ok_or_else(String::new)
    }

    fn show(&self, value: &T) -> String {
        value.to_string()
    }
}

/// A number of bytes with a unit.
pub(super) struct Size(pub(super) RangeInclusive<u64>);

impl Form for Size {
    type Value = u64;

    fn allowed(&self) -> String {
        let end = *self.0.end();
        let (start, end) = (units::show_size(*self.0.start()), units::show_size(end));
        // A bound that nobody can go beyond says nothing.
        let range = match (*self.0.start(), *self.0.end()) {
            (0, u64::MAX) => String::new(),
            (_, u64::MAX) => format!(", from {start}"),
            _ => format!(", from {start} to {end}"),
        };
        format!("a size with a unit (B, KiB, MiB, GiB), as in \"16MiB\"{range}")
    }

    fn read(&self, node: &Node) -> Result<u64, String> {
        if let Content::Integer(number) = &node.content {
            let number = u64::try_from(*number).map_err(|_| String::new())?;
            return Err(format!(
                "; for bytes write \"{}\"",
                units::show_size(number)
            ));
        }
        text(node)
            .and_then(units::size)
            .filter(|size| self.0.contains(size))
            .ok_or_else(String::new)
    }

    fn show(&self, value: &u64) -> String {
        quoted(&units::show_size(*value))
    }
}

/// A time with a unit.
pub(super) struct Span(pub(super) RangeInclusive<Duration>);

impl Form for Span {
    type Value = Duration;

    fn allowed(&self) -> String {
        let (start, end) = (
            units::show_duration(*self.0.start()),
            units::show_duration(*self.0.end()),
        );
        format!("a time with a unit (us, ms, s, m, h, d), as in \"50ms\", from {start} to {end}")
    }

    fn read(&self, node: &Node) -> Result<Duration, String> {
        text(node)
            .and_then(units::duration)
            .filter(|time| self.0.contains(time))
            .ok_or_else(String::new)
    }

    fn show(&self, value: &Duration) -> String {
        quoted(&units::show_duration(*value))
    }
}

/// Whole seconds, written as a time, or a word for the one number that means something else.
pub(super) struct Seconds<T> {
    pub(super) range: RangeInclusive<T>,
    pub(super) word: &'static str,
    pub(super) means: T,
}

impl<T> Form for Seconds<T>
where
    T: Copy + TryFrom<u64> + Into<u64> + PartialOrd,
{
    type Value = T;

    fn allowed(&self) -> String {
        let show = |seconds: T| units::show_duration(Duration::from_secs(seconds.into()));
        let (start, end) = (show(*self.range.start()), show(*self.range.end()));
        format!(
            "whole seconds as a time with a unit (s, m, h, d), as in \"60s\", from {start} to {end}, or \"{}\"",
            self.word
        )
    }

    fn read(&self, node: &Node) -> Result<T, String> {
        let text = text(node).ok_or_else(String::new)?;
        if text == self.word {
            return Ok(self.means);
        }
        units::duration(text)
            .filter(|time| time.subsec_nanos() == 0)
            .and_then(|time| T::try_from(time.as_secs()).ok())
            .filter(|seconds| self.range.contains(seconds))
            .ok_or_else(|| hint(text, [self.word]))
    }

    fn show(&self, value: &T) -> String {
        if *value == self.means {
            quoted(self.word)
        } else {
            quoted(&units::show_duration(Duration::from_secs((*value).into())))
        }
    }
}

/// Something, or a word for its absence.
pub(super) struct OrWord<F> {
    pub(super) form: F,
    pub(super) word: &'static str,
}

impl<F: Form> Form for OrWord<F> {
    type Value = Option<F::Value>;

    fn allowed(&self) -> String {
        format!("{}, or \"{}\"", self.form.allowed(), self.word)
    }

    fn read(&self, node: &Node) -> Result<Self::Value, String> {
        if text(node) == Some(self.word) {
            Ok(None)
        } else {
            self.form.read(node).map(Some)
        }
    }

    fn show(&self, value: &Self::Value) -> String {
        value
            .as_ref()
            .map_or_else(|| quoted(self.word), |value| self.form.show(value))
    }
}

/// One of some words.
pub(super) struct Choice<T: 'static>(pub(super) &'static [(&'static str, T)]);

impl<T: Copy + PartialEq> Form for Choice<T> {
    type Value = T;

    fn allowed(&self) -> String {
        let words: Vec<_> = self.0.iter().map(|(word, _)| quoted(word)).collect();
        match words.split_last() {
            Some((last, others)) if !others.is_empty() => {
                format!("{} or {last}", others.join(", "))
            }
            _ => words.concat(),
        }
    }

    fn read(&self, node: &Node) -> Result<T, String> {
        let text = text(node).ok_or_else(String::new)?;
        let known = self.0.iter().find(|(word, _)| *word == text);
        known
            .map(|(_, value)| *value)
            .ok_or_else(|| hint(text, self.0.iter().map(|(word, _)| *word)))
    }

    fn show(&self, value: &T) -> String {
        self.0
            .iter()
            .find(|(_, known)| known == value)
            .map_or_else(String::new, |(word, _)| quoted(word))
    }
}

/// An IP address with a port.
pub(super) struct Address;

impl Form for Address {
    type Value = SocketAddr;

    fn allowed(&self) -> String {
        "an IP address and a port, as in \"127.0.0.1:1883\", \"0.0.0.0:1883\" or \"[::]:1883\""
            .to_owned()
    }

    fn read(&self, node: &Node) -> Result<SocketAddr, String> {
        let text = text(node).ok_or_else(String::new)?;
        text.parse().map_err(|_| {
            let meant = match text.rsplit_once(':') {
                Some(("localhost", port)) => format!("127.0.0.1:{port}"),
                Some(("" | "*", port)) => format!("0.0.0.0:{port}"),
                None if text.parse::<std::net::IpAddr>().is_ok() => format!("{text}:1883"),
                None if text.parse::<u16>().is_ok() => format!("127.0.0.1:{text}"),
                _ => return String::new(),
            };
            meant.parse::<SocketAddr>().map_or_else(
                |_| String::new(),
                |meant| format!("; did you mean \"{meant}\"?"),
            )
        })
    }

    fn show(&self, value: &SocketAddr) -> String {
        quoted(&value.to_string())
    }
}

/// A list; one value alone is a list of one, and in the environment commas separate.
pub(super) struct ListOf<F>(pub(super) F);

impl<F: Form> Form for ListOf<F> {
    type Value = Vec<F::Value>;

    fn allowed(&self) -> String {
        format!("a list, each of it {}", self.0.allowed())
    }

    fn read(&self, node: &Node) -> Result<Self::Value, String> {
        match &node.content {
            Content::List(items) => items
                .iter()
                .map(|item| {
                    self.0
                        .read(item)
                        .map_err(|hint| format!(" ({} is not){hint}", item.words()))
                })
                .collect(),
            Content::Raw(raw) => raw
                .trim_matches(['[', ']'])
                .split(',')
                .map(|item| item.trim().trim_matches('"'))
                .filter(|item| !item.is_empty())
                .map(|item| {
                    self.0.read(&Node {
                        content: Content::Raw(item.to_owned()),
                        place: node.place.clone(),
                    })
                })
                .collect(),
            _ => Err(if self.0.read(node).is_ok() {
                "; write it in brackets".to_owned()
            } else {
                String::new()
            }),
        }
    }

    fn show(&self, value: &Self::Value) -> String {
        let items: Vec<_> = value.iter().map(|item| self.0.show(item)).collect();
        format!("[{}]", items.join(", "))
    }
}

fn text(node: &Node) -> Option<&str> {
    match &node.content {
        Content::Text(text) => Some(text),
        Content::Raw(raw) => Some(raw.trim()),
        _ => None,
    }
}

/// As a TOML string.
pub(super) fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

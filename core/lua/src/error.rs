//! Why a script could not be loaded, in words that say where and what to write instead.

use std::fmt;

/// A script that was refused at load. Its `Display` has file, line, the line itself and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct LoadError {
    /// File as the operator would open it, relative to the script's folder.
    pub file: String,
    /// Line, from 1; 0 when no line is to blame.
    pub line: usize,
    /// The text of that line.
    pub source_line: Option<String>,
    /// What is wrong, and what to write instead.
    pub message: String,
}

impl LoadError {
    pub(crate) fn new(file: impl Into<String>, line: usize, message: impl Into<String>) -> Self {
        Self {
            file: file.into(),
            line,
            source_line: None,
            message: message.into(),
        }
    }

    /// With the text of the line that is to blame.
    pub(crate) fn quoting(mut self, source: Option<&str>) -> Self {
        if let Some(line) = self.line.checked_sub(1) {
            self.source_line = source
                .and_then(|source| source.lines().nth(line))
                .map(|text| text.trim_end().to_owned());
        }
        self
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:", self.file)?;
        if self.line > 0 {
            write!(out, "{}:", self.line)?;
        }
        write!(out, " {}", self.message)?;
        if let Some(text) = &self.source_line {
            write!(out, "\n  {:>4} | {text}", self.line)?;
        }
        Ok(())
    }
}

/// A problem of one argument of one function, for the script to read. The caller's place is put in front of it.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) message: String,
    /// The plugin's section lacks a grant.
    pub(crate) grant: bool,
    /// An error of the engine that shall be raised as it is: out of memory.
    pub(crate) raise: Option<mlua::Error>,
}

impl Fault {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            grant: false,
            raise: None,
        }
    }
}

impl From<hookmq_plugin_api::HostError> for Fault {
    fn from(error: hookmq_plugin_api::HostError) -> Self {
        Self {
            grant: matches!(error, hookmq_plugin_api::HostError::NotGranted(_)),
            message: error.to_string(),
            raise: None,
        }
    }
}

impl From<mlua::Error> for Fault {
    fn from(error: mlua::Error) -> Self {
        let mut fault = Self::new(first_lines(&error.to_string()));
        if matches!(error, mlua::Error::MemoryError(_)) {
            fault.raise = Some(error);
        }
        fault
    }
}

/// Longest text of a script that goes into the log, in bytes.
const MAX_TEXT: usize = 8 << 10;

/// An error's text without the stack that the engine adds.
pub(crate) fn first_lines(text: &str) -> String {
    let text = text.split("\nstack traceback:").next().unwrap_or(text);
    let text = text
        .trim_start_matches("runtime error: ")
        .trim_start_matches("syntax error: ")
        .trim_end();
    shortened(text.to_owned())
}

/// Cut to what a log line has room for: a script's text may be as long as its memory.
pub(crate) fn shortened(mut text: String) -> String {
    if text.len() > MAX_TEXT {
        let len = text.len();
        text.truncate(text.floor_char_boundary(MAX_TEXT));
        text.push_str(&format!("... ({len} bytes)"));
    }
    text
}

/// Splits `file.lua:12: words` into its parts.
pub(crate) fn placed(text: &str) -> Option<(&str, usize, &str)> {
    let (file, rest) = text.split_once(':')?;
    let (line, words) = rest.split_once(':')?;
    Some((file, line.parse().ok()?, words.trim_start()))
}

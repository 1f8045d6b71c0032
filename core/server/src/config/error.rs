//! What is wrong with a config: where, which key, what is allowed. Several at once, in the order of the file.

use std::fmt;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) struct ConfigError {
    /// `broker.toml:12:3`, the name of an environment variable, or nothing.
    pub(crate) place: Option<String>,
    /// Full path of the key, as in `session.maximum_sessions`; empty for the file as a whole.
    pub(crate) key: String,
    /// What is wrong, what is allowed, and what may have been meant.
    pub(crate) message: String,
    /// Number and text of the line.
    pub(crate) source_line: Option<(usize, String)>,
    /// Its place in the order of the file.
    pub(crate) offset: usize,
}

/// Everything that is wrong with a config; never empty.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) struct ConfigErrors(pub(crate) Vec<ConfigError>);

impl ConfigError {
    /// About the config as a whole.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            place: None,
            key: String::new(),
            message: message.into(),
            source_line: None,
            offset: 0,
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(out, "{place}: ")?;
        }
        if !self.key.is_empty() {
            write!(out, "{}: ", self.key)?;
        }
        out.write_str(&self.message)?;
        if let Some((line, text)) = &self.source_line {
            write!(out, "\n  {line:>4} | {text}")?;
        }
        Ok(())
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, error) in self.0.iter().enumerate() {
            if at > 0 {
                out.write_str("\n")?;
            }
            write!(out, "{error}")?;
        }
        Ok(())
    }
}

/// `; did you mean "x"?`, or nothing if no known name is near.
pub(crate) fn hint<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let reach = (word.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|name| {
            (
                strsim::damerau_levenshtein(&word.to_lowercase(), name),
                name,
            )
        })
        .filter(|(distance, _)| *distance <= reach)
        .min()
        .map_or_else(String::new, |(_, name)| {
            format!("; did you mean \"{name}\"?")
        })
}

#[cfg(test)]
mod tests {
    use super::hint;

    #[test]
    fn only_near_names_are_suggested() {
        let known = ["maximum_sessions", "maximum_subscriptions", "bind"];
        assert_eq!(
            hint("maximum_sesions", known),
            "; did you mean \"maximum_sessions\"?"
        );
        assert_eq!(hint("BIND", known), "; did you mean \"bind\"?");
        assert_eq!(hint("port", known), "");
    }
}

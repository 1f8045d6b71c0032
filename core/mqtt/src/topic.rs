//! Topic Names and Topic Filters: what is well formed, and what matches what (section 4.7 of both standards).
//!
//! Both are parsed once and kept behind an `Arc<str>`; text on its way through is judged in place by
//! [`TopicName::check`]. [`matches()`] is the plain definition that faster matchers are tested against.

mod filter;

use std::borrow::Borrow;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

pub use filter::TopicFilter;

/// The longest Topic Name or Topic Filter in bytes [MQTT-4.7.3-3].
pub const MAX_BYTES: usize = 65_535;

/// Why a text is no Topic Name or no Topic Filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TopicError {
    /// [MQTT-4.7.3-1]
    #[error("it is empty, it needs at least one character")]
    Empty,
    /// [MQTT-4.7.3-3]
    #[error("it is longer than 65535 bytes")]
    TooLong,
    /// [MQTT-4.7.3-2]
    #[error("it has the character U+0000")]
    NullCharacter,
    /// [MQTT-3.3.2-2], [MQTT-4.7.0-1]
    #[error("it has a wildcard, '+' or '#', which only filters may have")]
    WildcardInTopicName,
    /// [MQTT-4.7.1-1]
    #[error("'#' is not alone in the last level")]
    MultiLevelWildcardMisplaced,
    /// [MQTT-4.7.1-2]
    #[error("'+' does not have its level alone")]
    SingleLevelWildcardMisplaced,
    /// [MQTT-4.8.2-1], [MQTT-4.8.2-2]
    #[error("the share name in $share/{{name}}/{{filter}} is empty or has '+' or '#'")]
    ShareNameInvalid,
    /// [MQTT-4.8.2-2]
    #[error("no topic filter follows the share name in $share/{{name}}/{{filter}}")]
    ShareFilterMissing,
}

/// A Topic Name: 1 to 65 535 bytes, no wildcards, no U+0000. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicName(Arc<str>);

impl TopicName {
    /// Checks and keeps the text.
    ///
    /// # Errors
    /// As [`Self::check`].
    pub fn parse(text: &str) -> Result<Self, TopicError> {
        Self::check(text)?;
        Ok(Self(text.into()))
    }

    /// Judges borrowed text without keeping it.
    ///
    /// # Errors
    /// [`TopicError::Empty`], [`TopicError::TooLong`], [`TopicError::NullCharacter`], [`TopicError::WildcardInTopicName`].
    pub fn check(text: &str) -> Result<(), TopicError> {
        if text.is_empty() {
            return Err(TopicError::Empty);
        }
        if text.len() > MAX_BYTES {
            return Err(TopicError::TooLong);
        }
        match text.bytes().find(|byte| matches!(byte, 0 | b'+' | b'#')) {
            None => Ok(()),
            Some(0) => Err(TopicError::NullCharacter),
            Some(_) => Err(TopicError::WildcardInTopicName),
        }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The shared text itself, for those who keep it without the type.
    #[must_use]
    pub fn as_arc(&self) -> &Arc<str> {
        &self.0
    }
}

impl Deref for TopicName {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for TopicName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for TopicName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl TryFrom<&str> for TopicName {
    type Error = TopicError;

    fn try_from(text: &str) -> Result<Self, TopicError> {
        Self::parse(text)
    }
}

impl fmt::Display for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

/// Whether `topic` matches `filter`, which is well formed and has no share prefix.
///
/// Level by level and without allocation; `#` also matches the parent level. A filter that begins with a wildcard does
/// not match topics that begin with `$` [MQTT-4.7.2-1].
#[must_use]
pub fn matches(filter: &str, topic: &str) -> bool {
    if topic.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    let mut filter_levels = filter.split('/');
    let mut topic_levels = topic.split('/');
    loop {
        match (filter_levels.next(), topic_levels.next()) {
            (Some("#"), _) | (None, None) => return true,
            (Some("+"), Some(_)) => {}
            (Some(wanted), Some(level)) if wanted == level => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// [MQTT-3.3.2-2], [MQTT-4.7.3-1], [MQTT-4.7.3-2]
    #[test]
    fn topic_names_have_no_wildcards() {
        for (name, expected) in [
            ("", Err(TopicError::Empty)),
            ("a/+", Err(TopicError::WildcardInTopicName)),
            ("a#", Err(TopicError::WildcardInTopicName)),
            ("\0", Err(TopicError::NullCharacter)),
            ("/", Ok(())),
            ("$SYS/x", Ok(())),
            ("房间/一", Ok(())),
        ] {
            assert_eq!(TopicName::check(name), expected, "{name:?}");
            assert_eq!(TopicName::parse(name).is_ok(), expected.is_ok());
        }
    }

    /// The examples of sections 4.7.1 to 4.7.3, [MQTT-4.7.2-1], [MQTT-4.7.3-4].
    #[test]
    fn filters_match_as_the_examples_of_the_standard_say() {
        for (filter, topic, expected) in [
            ("sport/tennis/player1/#", "sport/tennis/player1", true),
            (
                "sport/tennis/player1/#",
                "sport/tennis/player1/ranking",
                true,
            ),
            (
                "sport/tennis/player1/#",
                "sport/tennis/player1/score/wimbledon",
                true,
            ),
            ("sport/#", "sport", true),
            ("sport/#", "sports", false),
            ("#", "a/b", true),
            ("sport/tennis/+", "sport/tennis/player1", true),
            ("sport/tennis/+", "sport/tennis/player1/ranking", false),
            ("sport/+", "sport", false),
            ("sport/+", "sport/", true),
            ("+/+", "/finance", true),
            ("/+", "/finance", true),
            ("+", "/finance", false),
            ("#", "$SYS/monitor", false),
            ("+/monitor/Clients", "$SYS/monitor/Clients", false),
            ("$SYS/#", "$SYS/", true),
            ("$SYS/monitor/+", "$SYS/monitor/Clients", true),
            ("ACCOUNTS", "Accounts", false),
            ("a", "/a", false),
            ("a/", "a", false),
            ("+/a", "$x", false),
            ("a/b", "a/b", true),
            ("a/b", "a/b/c", false),
            ("a/b/c", "a/b", false),
        ] {
            assert_eq!(matches(filter, topic), expected, "{filter} {topic}");
        }
    }
}

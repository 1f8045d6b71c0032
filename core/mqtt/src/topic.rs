//! Topic Names and Topic Filters: what is well formed, and what matches what (section 4.7 of both standards).
//!
//! Both are parsed once and kept behind an `Arc<str>`; text on its way through is judged in place by
//! [`TopicName::check`]. [`matches`] is the plain definition that faster matchers are tested against.

use std::borrow::Borrow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

/// The longest Topic Name or Topic Filter in bytes [MQTT-4.7.3-3].
pub const MAX_BYTES: usize = 65_535;

const SHARE_PREFIX: &str = "$share/";

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

/// A Topic Filter, also of a Shared Subscription: `$share/{share name}/{filter}`. Cheap to clone.
#[derive(Clone)]
pub struct TopicFilter {
    text: Arc<str>,
    /// Where the filter without the share prefix begins; 0 if it is not shared.
    filter_start: usize,
    has_wildcard: bool,
}

impl TopicFilter {
    /// Checks length, characters, wildcards and share prefix, and keeps the text.
    ///
    /// # Errors
    /// Which rule of section 4.7 or 4.8.2 is broken.
    pub fn parse(text: &str) -> Result<Self, TopicError> {
        if text.is_empty() {
            return Err(TopicError::Empty);
        }
        if text.len() > MAX_BYTES {
            return Err(TopicError::TooLong);
        }
        if text.contains('\0') {
            return Err(TopicError::NullCharacter);
        }
        let (filter_start, filter) = match text.strip_prefix(SHARE_PREFIX) {
            None => (0, text),
            Some(shared) => {
                let (share_name, filter) = shared.split_once('/').unwrap_or((shared, ""));
                if share_name.is_empty() || share_name.contains(['+', '#']) {
                    return Err(TopicError::ShareNameInvalid);
                }
                if filter.is_empty() {
                    return Err(TopicError::ShareFilterMissing);
                }
                (text.len() - filter.len(), filter)
            }
        };
        let has_wildcard = check_wildcards(filter)?;
        Ok(Self {
            text: text.into(),
            filter_start,
            has_wildcard,
        })
    }

    /// The whole text as the client wrote it, with the share prefix.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The filter that topics are matched against: without the share prefix.
    #[must_use]
    pub fn filter(&self) -> &str {
        self.text.get(self.filter_start..).unwrap_or_default()
    }

    /// The Share Name, if this is the filter of a Shared Subscription.
    #[must_use]
    pub fn share_name(&self) -> Option<&str> {
        self.text
            .get(SHARE_PREFIX.len()..self.filter_start.checked_sub(1)?)
    }

    /// True if this is the filter of a Shared Subscription.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.filter_start != 0
    }

    /// True if the filter has `+` or `#`.
    #[must_use]
    pub fn has_wildcard(&self) -> bool {
        self.has_wildcard
    }

    /// Whether a message on `topic` concerns this filter; see [`matches`].
    #[must_use]
    pub fn matches(&self, topic: &str) -> bool {
        matches(self.filter(), topic)
    }
}

fn check_wildcards(filter: &str) -> Result<bool, TopicError> {
    let mut has_wildcard = false;
    let mut levels = filter.split('/').peekable();
    while let Some(level) = levels.next() {
        match level {
            "+" => has_wildcard = true,
            "#" if levels.peek().is_none() => has_wildcard = true,
            _ if level.contains('#') => return Err(TopicError::MultiLevelWildcardMisplaced),
            _ if level.contains('+') => return Err(TopicError::SingleLevelWildcardMisplaced),
            _ => {}
        }
    }
    Ok(has_wildcard)
}

impl PartialEq for TopicFilter {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for TopicFilter {}

impl PartialOrd for TopicFilter {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for TopicFilter {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.text.cmp(&other.text)
    }
}

// Only the text counts, so that a map of filters can be searched by text.
impl Hash for TopicFilter {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl Borrow<str> for TopicFilter {
    fn borrow(&self) -> &str {
        &self.text
    }
}

impl AsRef<str> for TopicFilter {
    fn as_ref(&self) -> &str {
        &self.text
    }
}

impl TryFrom<&str> for TopicFilter {
    type Error = TopicError;

    fn try_from(text: &str) -> Result<Self, TopicError> {
        Self::parse(text)
    }
}

impl fmt::Display for TopicFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for TopicFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.text, f)
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

    /// [MQTT-4.7.1-1], [MQTT-4.7.1-2], [MQTT-4.7.3-1], [MQTT-4.7.3-2], [MQTT-4.7.3-3], [MQTT-4.8.2-1], [MQTT-4.8.2-2]
    #[test]
    fn filters_are_well_formed_or_refused() {
        let long = "a".repeat(MAX_BYTES + 1);
        for (filter, expected) in [
            ("", Err(TopicError::Empty)),
            (long.as_str(), Err(TopicError::TooLong)),
            ("a\0", Err(TopicError::NullCharacter)),
            ("#", Ok(true)),
            ("+", Ok(true)),
            ("/", Ok(false)),
            ("a b/ c", Ok(false)),
            ("+/tennis/#", Ok(true)),
            (
                "sport/tennis/#/ranking",
                Err(TopicError::MultiLevelWildcardMisplaced),
            ),
            (
                "sport/tennis#",
                Err(TopicError::MultiLevelWildcardMisplaced),
            ),
            ("##", Err(TopicError::MultiLevelWildcardMisplaced)),
            ("sport+", Err(TopicError::SingleLevelWildcardMisplaced)),
            ("sport/+a/b", Err(TopicError::SingleLevelWildcardMisplaced)),
            ("$SYS/#", Ok(true)),
            ("$share", Ok(false)),
            ("$share/", Err(TopicError::ShareNameInvalid)),
            ("$share//a", Err(TopicError::ShareNameInvalid)),
            ("$share/+/a", Err(TopicError::ShareNameInvalid)),
            ("$share/a#/a", Err(TopicError::ShareNameInvalid)),
            ("$share/name", Err(TopicError::ShareFilterMissing)),
            ("$share/name/", Err(TopicError::ShareFilterMissing)),
            (
                "$share/name/a/#/b",
                Err(TopicError::MultiLevelWildcardMisplaced),
            ),
            ("$share/name/a", Ok(false)),
            ("$share/name//+", Ok(true)),
        ] {
            assert_eq!(
                TopicFilter::parse(filter).map(|filter| filter.has_wildcard()),
                expected,
                "{filter:.40}"
            );
        }
    }

    #[test]
    fn a_shared_filter_knows_its_parts() {
        let shared = TopicFilter::parse("$share/consumers//a/+").expect("well formed");
        assert_eq!(
            (shared.share_name(), shared.filter()),
            (Some("consumers"), "/a/+")
        );
        assert_eq!(shared.as_str(), "$share/consumers//a/+");
        let plain = TopicFilter::parse("a/+").expect("well formed");
        assert_eq!((plain.share_name(), plain.filter()), (None, "a/+"));
    }

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

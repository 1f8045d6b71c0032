//! Topic Filters: wildcards, and the prefix of Shared Subscriptions (sections 4.7.1 and 4.8.2).

use std::borrow::Borrow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::{MAX_BYTES, TopicError, matches};

const SHARE_PREFIX: &str = "$share/";

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

    /// Whether a message on `topic` concerns this filter; see [`matches()`].
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
}

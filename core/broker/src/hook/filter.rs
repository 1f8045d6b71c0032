//! What a plugin is asked about: criteria of its registration that the broker judges before the plugin is entered.
//!
//! Where a hook is about a subscription, `topics` asks whether the two Topic Filters have a topic in common: a plugin that guards
//! `secret/#` is asked about a subscription to `#` too.

use std::fmt;

use hookmq_mqtt::topic::{self, TopicError, TopicFilter};
use hookmq_plugin_api::{Field, Hook};

use super::scope::Scope;

/// Criteria that must all hold; an empty one holds always, and so does one that the hook has no value for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Topic Filters without share prefix, one of which must match the topic. As in a subscription, a leading wildcard does
    /// not match topics that begin with `$` [MQTT-4.7.2-1].
    pub topics: Vec<String>,
    /// Client Identifiers, one of which must equal; `*` at the beginning and at the end stands for any text.
    pub clients: Vec<String>,
    /// Names of listeners, one of which must equal.
    pub listeners: Vec<String>,
    /// QoS 0, 1, 2: which of them.
    pub qos: Option<Vec<u8>>,
    /// Smallest payload in bytes.
    pub minimum_size: Option<usize>,
    /// Largest payload in bytes.
    pub maximum_size: Option<usize>,
}

/// Why a filter can not be meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// Not a Topic Filter.
    #[error("topics: \"{0}\" is no topic filter: {1}")]
    Topic(String, TopicError),
    /// `$share/` has no meaning here.
    #[error("topics: \"{0}\" has a share name; write the filter without it")]
    Shared(String),
    /// Only 0, 1 and 2 exist.
    #[error("qos: {0} is none of 0, 1, 2")]
    Qos(u8),
    /// A `*` inside.
    #[error("clients: \"{0}\" has a * that is not at its beginning or end")]
    Client(String),
    /// Nothing can pass.
    #[error("minimum_size {0} is above maximum_size {1}")]
    Sizes(usize, usize),
}

impl Filter {
    /// Whether it makes sense.
    ///
    /// # Errors
    /// The first criterion that does not.
    pub fn check(&self) -> Result<(), FilterError> {
        for text in &self.topics {
            let parsed = TopicFilter::parse(text)
                .map_err(|error| FilterError::Topic(text.clone(), error))?;
            if parsed.is_shared() {
                return Err(FilterError::Shared(text.clone()));
            }
        }
        if let Some(text) = self
            .clients
            .iter()
            .find(|text| Pattern::parse(text).text.contains('*'))
        {
            return Err(FilterError::Client(text.clone()));
        }
        if let Some(qos) = self.qos.iter().flatten().find(|qos| **qos > 2) {
            return Err(FilterError::Qos(*qos));
        }
        match (self.minimum_size, self.maximum_size) {
            (Some(minimum), Some(maximum)) if minimum > maximum => {
                Err(FilterError::Sizes(minimum, maximum))
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Filter {
    /// In one line as `plugin list` shows it; empty when it asks for everything.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        for (name, values) in [
            ("topics", &self.topics),
            ("clients", &self.clients),
            ("listeners", &self.listeners),
        ] {
            if !values.is_empty() {
                parts.push(format!("{name}={}", values.join(",")));
            }
        }
        if let Some(qos) = &self.qos {
            let qos: Vec<_> = qos.iter().map(u8::to_string).collect();
            parts.push(format!("qos={}", qos.join(",")));
        }
        if let Some(size) = self.minimum_size {
            parts.push(format!("size>={size}"));
        }
        if let Some(size) = self.maximum_size {
            parts.push(format!("size<={size}"));
        }
        out.write_str(&parts.join(" "))
    }
}

/// A [`Filter`] made ready for one hook.
#[derive(Debug)]
pub(super) struct Sieve {
    /// No criterion at all, the usual case: one test.
    open: bool,
    /// The hook is about a Topic Filter, not a topic.
    about_filters: bool,
    topics: Box<[TopicRule]>,
    clients: Box<[Pattern]>,
    listeners: Box<[Box<str>]>,
    /// One bit per QoS.
    qos: u8,
    sizes: std::ops::RangeInclusive<usize>,
}

impl Sieve {
    /// A filter that does not make sense ([`Filter::check`]) lets everything through: asked too often is safer than never.
    pub(super) fn new(filter: &Filter, hook: Hook) -> Self {
        let fields = hook.spec().fields;
        let sound = filter.check().is_ok();
        Self {
            open: !sound || *filter == Filter::default(),
            about_filters: fields.contains(&Field::TopicFilter),
            topics: filter
                .topics
                .iter()
                .map(|text| TopicRule::parse(text))
                .collect(),
            clients: filter
                .clients
                .iter()
                .map(|text| Pattern::parse(text))
                .collect(),
            listeners: filter
                .listeners
                .iter()
                .map(|text| text.as_str().into())
                .collect(),
            qos: filter.qos.as_ref().map_or(u8::MAX, |qos| {
                qos.iter().fold(0, |mask, qos| mask | bit(*qos))
            }),
            sizes: filter.minimum_size.unwrap_or(0)..=filter.maximum_size.unwrap_or(usize::MAX),
        }
    }

    /// Whether it lets everything through.
    #[inline]
    pub(super) const fn is_open(&self) -> bool {
        self.open
    }

    #[inline]
    pub(super) fn admits(&self, scope: &Scope<'_>) -> bool {
        self.open || self.admits_all(scope)
    }

    fn admits_all(&self, scope: &Scope<'_>) -> bool {
        let topic = match scope.topic {
            Some(topic) if !self.topics.is_empty() => self.topics.iter().any(|rule| {
                if self.about_filters {
                    overlap(&rule.text, without_share(topic))
                } else {
                    rule.matches(topic)
                }
            }),
            _ => true,
        };
        topic
            && scope.qos.is_none_or(|qos| self.qos & bit(qos) != 0)
            && scope.size.is_none_or(|size| self.sizes.contains(&size))
            && (self.clients.is_empty()
                || scope.client_id.is_empty()
                || self
                    .clients
                    .iter()
                    .any(|client| client.matches(scope.client_id)))
            && (self.listeners.is_empty()
                || scope.listener.is_empty()
                || self.listeners.iter().any(|name| **name == *scope.listener))
    }
}

fn bit(qos: u8) -> u8 {
    1_u8.checked_shl(u32::from(qos)).unwrap_or(0)
}

/// A Topic Filter with its shape, because most of them need no walk over the levels.
#[derive(Debug)]
struct TopicRule {
    text: Box<str>,
    shape: Shape,
}

#[derive(Debug, Clone, Copy)]
enum Shape {
    /// No wildcard.
    Exact,
    /// `a/b/#`: `a/b` and all below.
    Below,
    /// Everything else.
    Levels,
}

impl TopicRule {
    fn parse(text: &str) -> Self {
        let shape = match text.strip_suffix("/#").unwrap_or(text) {
            start if start.contains(['+', '#']) => Shape::Levels,
            start if start.len() == text.len() => Shape::Exact,
            _ => Shape::Below,
        };
        Self {
            text: text.into(),
            shape,
        }
    }

    /// As [`topic::matches`] says.
    #[inline]
    fn matches(&self, topic: &str) -> bool {
        match self.shape {
            Shape::Exact => topic == &*self.text,
            Shape::Below => {
                let (start, topic) = (self.text.as_bytes(), topic.as_bytes());
                // The `#` is left out; the `/` before it is there, or the topic ends before it.
                let start = &start[..start.len() - 1];
                topic.starts_with(start) || topic == &start[..start.len() - 1]
            }
            Shape::Levels => topic::matches(&self.text, topic),
        }
    }
}

/// The Topic Filter of a Shared Subscription without `$share/{ShareName}/`.
fn without_share(filter: &str) -> &str {
    filter
        .strip_prefix("$share/")
        .and_then(|shared| shared.split_once('/'))
        .map_or(filter, |(_, filter)| filter)
}

/// Whether some topic matches both Topic Filters, by the rules of [`topic::matches`].
fn overlap(left: &str, right: &str) -> bool {
    let wild = |filter: &str| filter.starts_with(['+', '#']);
    if left.starts_with('$') && wild(right) || right.starts_with('$') && wild(left) {
        return false;
    }
    let (mut left, mut right) = (left.split('/'), right.split('/'));
    loop {
        match (left.next(), right.next()) {
            (Some("#"), _) | (_, Some("#")) | (None, None) => return true,
            (Some("+"), Some(_)) | (Some(_), Some("+")) => {}
            (Some(one), Some(other)) if one == other => {}
            _ => return false,
        }
    }
}

/// A text with `*` at its ends.
#[derive(Debug)]
struct Pattern {
    text: Box<str>,
    any_before: bool,
    any_after: bool,
}

impl Pattern {
    fn parse(text: &str) -> Self {
        let (any_before, text) = match text.strip_prefix('*') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (any_after, text) = match text.strip_suffix('*') {
            Some(rest) => (true, rest),
            // A lone star was taken as the one before.
            None => (any_before && text.is_empty(), text),
        };
        Self {
            text: text.into(),
            any_before,
            any_after,
        }
    }

    fn matches(&self, text: &str) -> bool {
        match (self.any_before, self.any_after) {
            (true, true) => text.contains(&*self.text),
            (true, false) => text.ends_with(&*self.text),
            (false, true) => text.starts_with(&*self.text),
            (false, false) => text == &*self.text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn strings(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    fn admits(filter: &Filter, hook: Hook, scope: Scope<'_>) -> bool {
        Sieve::new(filter, hook).admits(&scope)
    }

    #[test]
    fn each_criterion_judges_its_own_value() {
        let publish = Scope {
            client_id: "sensor-7",
            listener: "public",
            topic: Some("devices/7/temperature"),
            qos: Some(1),
            size: Some(100),
        };
        for (filter, expected) in [
            (Filter::default(), true),
            (
                Filter {
                    topics: strings(&["x", "devices/+/temperature"]),
                    ..Filter::default()
                },
                true,
            ),
            (
                Filter {
                    topics: strings(&["devices/+"]),
                    ..Filter::default()
                },
                false,
            ),
            (
                Filter {
                    clients: strings(&["sensor-*"]),
                    ..Filter::default()
                },
                true,
            ),
            (
                Filter {
                    clients: strings(&["*-7"]),
                    ..Filter::default()
                },
                true,
            ),
            (
                Filter {
                    clients: strings(&["*sor*"]),
                    ..Filter::default()
                },
                true,
            ),
            (
                Filter {
                    clients: strings(&["*"]),
                    ..Filter::default()
                },
                true,
            ),
            (
                Filter {
                    clients: strings(&["sensor"]),
                    ..Filter::default()
                },
                false,
            ),
            (
                Filter {
                    clients: strings(&["7-*", "*-6"]),
                    ..Filter::default()
                },
                false,
            ),
            (
                Filter {
                    listeners: strings(&["public", "other"]),
                    ..Filter::default()
                },
                true,
            ),
            (
                Filter {
                    listeners: strings(&["other"]),
                    ..Filter::default()
                },
                false,
            ),
            (
                Filter {
                    qos: Some(vec![1, 2]),
                    ..Filter::default()
                },
                true,
            ),
            (
                Filter {
                    qos: Some(vec![0]),
                    ..Filter::default()
                },
                false,
            ),
            (
                Filter {
                    minimum_size: Some(100),
                    maximum_size: Some(100),
                    ..Filter::default()
                },
                true,
            ),
            (
                Filter {
                    minimum_size: Some(101),
                    ..Filter::default()
                },
                false,
            ),
            (
                Filter {
                    maximum_size: Some(99),
                    ..Filter::default()
                },
                false,
            ),
            (
                Filter {
                    topics: strings(&["devices/#"]),
                    qos: Some(vec![0]),
                    ..Filter::default()
                },
                false,
            ),
        ] {
            assert_eq!(
                admits(&filter, Hook::InterceptPublish, publish),
                expected,
                "{filter}"
            );
        }
    }

    #[test]
    fn a_criterion_without_a_value_is_ignored() {
        let filter = Filter {
            topics: strings(&["a"]),
            clients: strings(&["a"]),
            listeners: strings(&["a"]),
            qos: Some(vec![1]),
            minimum_size: Some(1),
            maximum_size: None,
        };
        assert!(admits(&filter, Hook::BrokerStarted, Scope::BROKER));
        assert!(!admits(
            &filter,
            Hook::ClientConnected,
            Scope {
                client_id: "b",
                ..Scope::BROKER
            }
        ));
    }

    #[test]
    fn a_guard_of_some_topics_is_asked_about_every_subscription_that_reaches_them() {
        let filter = Filter {
            topics: strings(&["secret/#"]),
            ..Filter::default()
        };
        for (topic_filter, expected) in [
            ("#", true),
            ("+/x", true),
            ("secret", true),
            ("secret/a/b", true),
            ("$share/group/#", true),
            ("$share/group/secret/x", true),
            ("public/#", false),
            ("$SYS/#", false),
        ] {
            let scope = Scope {
                topic: Some(topic_filter),
                ..Scope::BROKER
            };
            assert_eq!(
                admits(&filter, Hook::AuthorizeSubscribe, scope),
                expected,
                "{topic_filter}"
            );
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused_and_asks_about_everything() {
        for (filter, expected) in [
            (
                Filter {
                    topics: strings(&["a/#/b"]),
                    ..Filter::default()
                },
                "topics: \"a/#/b\" is no topic filter: '#' is not alone in the last level",
            ),
            (
                Filter {
                    topics: strings(&["$share/g/a"]),
                    ..Filter::default()
                },
                "topics: \"$share/g/a\" has a share name; write the filter without it",
            ),
            (
                Filter {
                    clients: strings(&["a*b"]),
                    ..Filter::default()
                },
                "clients: \"a*b\" has a * that is not at its beginning or end",
            ),
            (
                Filter {
                    qos: Some(vec![3]),
                    ..Filter::default()
                },
                "qos: 3 is none of 0, 1, 2",
            ),
            (
                Filter {
                    minimum_size: Some(2),
                    maximum_size: Some(1),
                    ..Filter::default()
                },
                "minimum_size 2 is above maximum_size 1",
            ),
        ] {
            assert_eq!(
                filter.check().map_err(|error| error.to_string()),
                Err(expected.to_owned())
            );
            let scope = Scope {
                client_id: "z",
                listener: "z",
                topic: Some("z"),
                qos: Some(0),
                size: Some(0),
            };
            assert!(admits(&filter, Hook::InterceptPublish, scope), "{filter}");
        }
    }

    #[test]
    fn it_reads_as_one_line() {
        let filter = Filter {
            topics: strings(&["a/#", "b"]),
            clients: strings(&["x*"]),
            listeners: Vec::new(),
            qos: Some(vec![1, 2]),
            minimum_size: Some(1),
            maximum_size: Some(9),
        };
        assert_eq!(
            filter.to_string(),
            "topics=a/#,b clients=x* qos=1,2 size>=1 size<=9"
        );
        assert_eq!(Filter::default().to_string(), "");
    }

    fn levels(wild: bool) -> impl Strategy<Value = String> {
        let level = if wild {
            vec!["a", "b", "+", "$x", ""]
        } else {
            vec!["a", "b", "$x", ""]
        };
        (
            prop::collection::vec(prop::sample::select(level), 1..4),
            any::<bool>(),
        )
            .prop_map(move |(mut levels, multi)| {
                if wild && multi {
                    levels.push("#");
                }
                levels.join("/")
            })
    }

    proptest! {
        /// A topic that both match proves that they overlap.
        #[test]
        fn filters_with_a_common_topic_overlap(left in levels(true), right in levels(true), topic in levels(false)) {
            if topic::matches(&left, &topic) && topic::matches(&right, &topic) {
                prop_assert!(overlap(&left, &right), "{left} {right} {topic}");
            }
        }

        #[test]
        fn a_shape_is_only_quicker(filter in levels(true), topic in levels(false)) {
            prop_assert_eq!(TopicRule::parse(&filter).matches(&topic), topic::matches(&filter, &topic));
        }

        /// A topic is a filter that matches itself alone.
        #[test]
        fn a_filter_overlaps_a_topic_if_it_matches(filter in levels(true), topic in levels(false)) {
            prop_assert_eq!(overlap(&filter, &topic), topic::matches(&filter, &topic));
        }
    }
}

//! What a token lets its client do: the topic filters of its claim, with the client's names in them.
//!
//! `%c` stands for the client id and `%u` for the user name that the token proves. A name that is missing or empty, has a character that
//! topics give a meaning (`/` `+` `#`) or begins with `$` stands for nobody: a filter with it grants nothing. Topics that begin with `$`
//! are granted only by filters that begin with `$` themselves.

use hookmq_mqtt::TopicFilter;
use serde_json::Value;

/// Filters of one list at most.
pub const MAXIMUM_FILTERS: usize = 256;

/// The two lists.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Rights {
    publish: Vec<Box<str>>,
    subscribe: Vec<Box<str>>,
}

/// Who the client is.
#[derive(Debug, Clone, Copy)]
pub struct Names<'a> {
    /// Its Client Identifier.
    pub client_id: &'a str,
    /// The user name that its token proves.
    pub username: Option<&'a str>,
}

impl Rights {
    /// Reads a claim like `{"publish": ["devices/%c/#"], "subscribe": ["news/#"]}`; no claim grants nothing.
    ///
    /// # Errors
    /// It has another form, or a text in it is no topic filter.
    pub fn of(claim: Option<&Value>, names: Names<'_>) -> Result<Self, RightsError> {
        let lists = match claim {
            None | Some(Value::Null) => return Ok(Self::default()),
            Some(Value::Object(lists)) => lists,
            Some(_) => return Err(RightsError::Form),
        };
        let list = |name| filters(lists.get(name), names);
        Ok(Self {
            publish: list("publish")?,
            subscribe: list("subscribe")?,
        })
    }

    /// Whether a message may go to this topic.
    #[must_use]
    pub fn may_publish(&self, topic: &str) -> bool {
        self.publish
            .iter()
            .any(|pattern| is_system(pattern) == is_system(topic) && matches(pattern, topic))
    }

    /// Whether everything that a subscription would bring is granted. The filter comes as the client sent it.
    #[must_use]
    pub fn may_subscribe(&self, topic_filter: &str) -> bool {
        let filter = match topic_filter.strip_prefix("$share/") {
            None => topic_filter,
            Some(shared) => match shared.split_once('/') {
                Some((_, filter)) => filter,
                None => return false,
            },
        };
        self.subscribe.iter().any(|pattern| covers(pattern, filter))
    }
}

fn filters(list: Option<&Value>, names: Names<'_>) -> Result<Vec<Box<str>>, RightsError> {
    let list = match list {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(list)) if list.len() > MAXIMUM_FILTERS => {
            return Err(RightsError::TooMany);
        }
        Some(Value::Array(list)) => list,
        Some(_) => return Err(RightsError::Form),
    };
    let mut filters = Vec::with_capacity(list.len());
    for filter in list {
        let filter = filter.as_str().ok_or(RightsError::Form)?;
        let wrong = || RightsError::Filter(filter.chars().take(64).collect());
        // Names are put into what is a filter already, so that they cannot make it one.
        let parsed = TopicFilter::parse(filter).map_err(|_| wrong())?;
        if parsed.share_name().is_some() {
            return Err(wrong());
        }
        filters.extend(expanded(filter, names).map(String::into_boxed_str));
    }
    Ok(filters)
}

/// The filter with the names in it; `None` where a name stands for nobody.
fn expanded(filter: &str, names: Names<'_>) -> Option<String> {
    let mut done = String::with_capacity(filter.len());
    let mut rest = filter;
    while let Some((before, after)) = rest.split_once('%') {
        done.push_str(before);
        let name = match after.bytes().next() {
            Some(b'c') => Some(names.client_id),
            Some(b'u') => Some(names.username?),
            _ => None,
        };
        match name {
            Some(name) if is_somebody(name) => {
                done.push_str(name);
                rest = after.get(1..)?;
            }
            Some(_) => return None,
            None => {
                done.push('%');
                rest = after;
            }
        }
    }
    done.push_str(rest);
    Some(done)
}

fn is_somebody(name: &str) -> bool {
    !name.is_empty() && !name.contains(['/', '+', '#', '\0']) && !is_system(name)
}

fn is_system(topic: &str) -> bool {
    topic.starts_with('$')
}

fn matches(filter: &str, topic: &str) -> bool {
    hookmq_mqtt::topic::matches(filter, topic)
}

/// Whether every topic that `filter` matches is matched by `pattern` too.
fn covers(pattern: &str, filter: &str) -> bool {
    // Wildcards at the first level do not match topics that begin with $ [MQTT-4.7.2-1].
    if is_system(pattern) != is_system(filter) {
        return false;
    }
    let (mut wanted, mut given) = (pattern.split('/'), filter.split('/'));
    loop {
        match (wanted.next(), given.next()) {
            // At the end of the filter as well: devices/# matches devices.
            (Some("#"), _) | (None, None) => return true,
            (_, Some("#")) | (None, _) | (_, None) => return false,
            (Some("+"), Some(_)) => {}
            (Some(wanted), Some(given)) if wanted == given => {}
            _ => return false,
        }
    }
}

/// Why a claim is no list of rights.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum RightsError {
    /// It is not of the form.
    #[error("the token's topics are not {{publish: [...], subscribe: [...]}}")]
    Form,
    /// A list is too long.
    #[error("the token has more than {MAXIMUM_FILTERS} topic filters in a list")]
    TooMany,
    /// A text is no topic filter.
    #[error("\"{0}\" in the token's topics is no topic filter")]
    Filter(String),
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const ANN: Names<'_> = Names {
        client_id: "pump-1",
        username: Some("ann"),
    };

    fn rights(claim: &Value, names: Names<'_>) -> Rights {
        Rights::of(Some(claim), names).unwrap()
    }

    #[test]
    fn names_are_put_in() {
        let claim = json!({"publish": ["devices/%c/#", "users/%u/x", "100%/%%c/%x/%"]});
        let rights = rights(&claim, ANN);
        for (topic, expected) in [
            ("devices/pump-1/t", true),
            ("devices/pump-1", true),
            ("devices/pump-2/t", false),
            ("devices/%c/t", false),
            ("users/ann/x", true),
            ("users/ann/x/y", false),
            ("100%/%pump-1/%x/%", true),
        ] {
            assert_eq!(rights.may_publish(topic), expected, "{topic}");
        }
    }

    #[test]
    fn a_name_cannot_widen_a_filter() {
        let claim =
            json!({"publish": ["devices/%c/#", "%c/x"], "subscribe": ["devices/%c", "u/%u"]});
        for client_id in ["+", "#", "a/b", "", "a+", "$SYS"] {
            let names = Names {
                client_id,
                username: None,
            };
            assert_eq!(rights(&claim, names), Rights::default(), "{client_id:?}");
        }
        // What looks like a placeholder in a name is a name.
        let names = Names {
            client_id: "%u",
            username: Some("ann"),
        };
        assert!(rights(&claim, names).may_publish("devices/%u/t"));
        assert!(!rights(&claim, names).may_publish("devices/ann/t"));
    }

    #[test]
    fn a_subscription_must_lie_within() {
        for (pattern, filter, expected) in [
            ("a/b", "a/b", true),
            ("a/b", "a/+", false),
            ("a/b", "a/#", false),
            ("a/+", "a/b", true),
            ("a/+", "a/+", true),
            ("a/+", "a/#", false),
            ("a/+", "a", false),
            ("a/+", "a/b/c", false),
            ("a/#", "a", true),
            ("a/#", "a/#", true),
            ("a/#", "a/+/c", true),
            ("a/#", "#", false),
            ("a/#", "+/b", false),
            ("#", "#", true),
            ("#", "+/x", true),
            ("#", "$SYS/#", false),
            ("+/x", "$SYS/x", false),
            ("$SYS/#", "$SYS/x", true),
            ("$SYS/#", "#", false),
            ("a/#", "$share/g/a/b", true),
            ("a/#", "$share/g/b", false),
            ("a/#", "$share/g/#", false),
            ("a/#", "$share/a", false),
            ("g/#", "$share/g/b", false),
        ] {
            let rights = rights(&json!({"subscribe": [pattern]}), ANN);
            assert_eq!(rights.may_subscribe(filter), expected, "{pattern} {filter}");
            assert!(!rights.may_publish("a/b"));
        }
    }

    #[test]
    fn wildcards_do_not_reach_system_topics() {
        let rights = rights(&json!({"publish": ["#", "+/+", "$app/x"]}), ANN);
        assert!(rights.may_publish("a/b"));
        assert!(!rights.may_publish("$SYS/b"));
        assert!(rights.may_publish("$app/x"));
    }

    #[test]
    fn other_forms_are_refused() {
        for (claim, expected) in [
            (json!("a/#"), RightsError::Form),
            (json!(["a/#"]), RightsError::Form),
            (json!({"publish": "a/#"}), RightsError::Form),
            (json!({"subscribe": [1]}), RightsError::Form),
            (json!({"publish": vec!["a"; 257]}), RightsError::TooMany),
            (json!({"publish": ["a#"]}), RightsError::Filter("a#".into())),
            (
                json!({"subscribe": ["$share/g/a"]}),
                RightsError::Filter("$share/g/a".into()),
            ),
            (json!({"subscribe": [""]}), RightsError::Filter("".into())),
        ] {
            assert_eq!(Rights::of(Some(&claim), ANN), Err(expected), "{claim}");
        }
        for claim in [
            None,
            Some(&Value::Null),
            Some(&json!({})),
            Some(&json!({"publish": null})),
        ] {
            assert_eq!(Rights::of(claim, ANN), Ok(Rights::default()));
        }
    }
}

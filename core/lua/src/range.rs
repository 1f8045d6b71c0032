//! What a field may be changed to: its type is the catalogue's, its range the standard's.

use hookmq_plugin_api::{Field, Owned};

/// Longest text or binary property that MQTT can carry [MQTT-1.5.4-1].
pub(crate) const MAX_TEXT: usize = 65_535;

/// Smallest and largest whole number of a field.
fn limits(field: Field) -> (i64, i64) {
    match field {
        Field::Qos | Field::WillQos | Field::MaximumQos | Field::RetainHandling => (0, 2),
        Field::PayloadFormat => (0, 1),
        Field::KeepAlive | Field::TopicAliasMaximum => (0, 65_535),
        Field::ReceiveMaximum => (1, 65_535),
        Field::MaximumPacketSize => (1, 4_294_967_295),
        Field::SubscriptionIdentifier => (1, 268_435_455),
        Field::SessionExpiryInterval | Field::WillDelayInterval | Field::MessageExpiryInterval => {
            (0, 4_294_967_295)
        }
        Field::ReasonCode => (0, 255),
        _ => (i64::MIN, i64::MAX),
    }
}

/// Why this value cannot be the field's, if so.
pub(crate) fn check(field: Field, value: &Owned) -> Result<(), String> {
    match value {
        Owned::Integer(number) => {
            let (least, most) = limits(field);
            if (least..=most).contains(number) {
                return Ok(());
            }
            Err(format!("{number} is not within {least} to {most}"))
        }
        Owned::Text(text) => check_text(field, text),
        Owned::Bytes(bytes) if field != Field::Payload && field != Field::WillPayload => {
            check_length(bytes.len())
        }
        Owned::Pairs(pairs) => pairs.iter().try_for_each(|(name, value)| {
            check_plain(name)
                .and_then(|()| check_plain(value))
                .map_err(|why| format!("\"{name}\": {why}"))
        }),
        Owned::Nil | Owned::Bool(_) | Owned::Bytes(_) | Owned::Records(_) => Ok(()),
    }
}

fn check_text(field: Field, text: &str) -> Result<(), String> {
    check_plain(text)?;
    match field {
        Field::Topic | Field::ResponseTopic | Field::WillTopic => topic_name(text),
        Field::TopicFilter => topic_filter(text),
        _ => Ok(()),
    }
}

pub(crate) fn check_plain(text: &str) -> Result<(), String> {
    if text.contains('\0') {
        return Err("a text cannot contain U+0000 [MQTT-1.5.4-2]".into());
    }
    check_length(text.len())
}

pub(crate) fn check_length(length: usize) -> Result<(), String> {
    if length > MAX_TEXT {
        return Err(format!("{length} bytes are more than {MAX_TEXT}"));
    }
    Ok(())
}

/// A Topic Name is not empty [MQTT-4.7.3-1] and has no wildcards [MQTT-4.7.0-1].
pub(crate) fn topic_name(topic: &str) -> Result<(), String> {
    if topic.is_empty() {
        return Err("a topic cannot be empty".into());
    }
    if topic.contains(['+', '#']) {
        return Err(format!("a topic cannot contain + or #, got \"{topic}\""));
    }
    Ok(())
}

/// `#` stands last and alone in its level [MQTT-4.7.1-1], `+` alone in its level [MQTT-4.7.1-2].
pub(crate) fn topic_filter(filter: &str) -> Result<(), String> {
    if filter.is_empty() {
        return Err("a topic filter cannot be empty".into());
    }
    check_length(filter.len())?;
    let mut levels = filter.split('/').peekable();
    while let Some(level) = levels.next() {
        let is_misplaced = match level {
            "#" => levels.peek().is_some(),
            "+" => false,
            other => other.contains(['+', '#']),
        };
        if is_misplaced {
            return Err(format!(
                "not a topic filter: \"{filter}\" (+ and # stand alone in their level, # stands last)"
            ));
        }
    }
    Ok(())
}

/// Whether a Topic Filter matches a Topic Name [MQTT-4.7]. A `$share/{ShareName}/` prefix is ignored.
pub(crate) fn matches(filter: &str, topic: &str) -> bool {
    let filter = filter
        .strip_prefix("$share/")
        .and_then(|shared| shared.split_once('/'))
        .map_or(filter, |(_, filter)| filter);
    // Wildcards at the first level do not match topics that begin with $ [MQTT-4.7.2-1].
    if topic.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    let mut levels = topic.split('/');
    for wanted in filter.split('/') {
        if wanted == "#" {
            return true;
        }
        match levels.next() {
            Some(level) if wanted == "+" || wanted == level => {}
            _ => return false,
        }
    }
    levels.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_match_as_the_standard_says() {
        for (filter, topic, expected) in [
            ("a/b", "a/b", true),
            ("a/b", "a/b/c", false),
            ("a/+", "a/b", true),
            ("a/+", "a", false),
            ("a/+", "a/", true),
            ("a/#", "a", true),
            ("a/#", "a/b/c", true),
            ("#", "a/b", true),
            ("#", "$SYS/x", false),
            ("+/x", "$SYS/x", false),
            ("$SYS/#", "$SYS/x", true),
            ("+/+", "/x", true),
            ("$share/g/a/+", "a/b", true),
        ] {
            assert_eq!(matches(filter, topic), expected, "{filter} {topic}");
        }
    }

    #[test]
    fn values_out_of_range_are_refused() {
        assert!(check(Field::Qos, &Owned::Integer(2)).is_ok());
        assert!(check(Field::Qos, &Owned::Integer(3)).is_err());
        assert!(check(Field::Topic, &Owned::from("a/+")).is_err());
        assert!(check(Field::Topic, &Owned::from("")).is_err());
        assert!(check(Field::ContentType, &Owned::from("a\0b")).is_err());
        assert!(check(Field::TopicFilter, &Owned::from("a/#/b")).is_err());
        assert!(check(Field::TopicFilter, &Owned::from("a/b#")).is_err());
        assert!(check(Field::Payload, &Owned::Bytes(vec![0; 70_000].into())).is_ok());
        assert!(
            check(
                Field::CorrelationData,
                &Owned::Bytes(vec![0; 70_000].into())
            )
            .is_err()
        );
    }
}

//! Judges a plugin's answer against the catalogue, as strictly as bytes from the network: nothing of an answer is used unless
//! all of it is right.
//!
//! But for the words of a refusal: they are often made of what a client sent, and no client may talk a plugin out of its refusal by
//! sending something long. [`fit`] makes them as long as they can be.

use std::ops::RangeInclusive;

use hookmq_mqtt::topic::{TopicFilter, TopicName};
use hookmq_plugin_api::{
    Answer, Cause, Field, HookSpec, Kind, Owned, PluginError, Type, Verdict, VerdictKind,
    catalogue::HOOKS,
};

/// The longest UTF-8 Encoded String and Binary Data [MQTT-1.5.4], [MQTT-1.5.6].
const MAX_STRING: usize = 65_535;

/// Whether the answer is one that this hook allows.
///
/// # Errors
/// [`Cause::Answer`] with what is wrong.
#[inline]
pub fn check(spec: &HookSpec, answer: &Answer) -> Result<(), PluginError> {
    // Every hook lets a plugin abstain, and notices allow nothing else.
    if matches!(answer.verdict, Verdict::Pass) && answer.changes.is_empty() && answer.keep.is_none()
    {
        return Ok(());
    }
    check_all(spec, answer).map_err(|message| PluginError::new(Cause::Answer, message))
}

fn check_all(spec: &HookSpec, answer: &Answer) -> Result<(), String> {
    let verdict = answer.verdict.kind();
    if verdict != VerdictKind::Pass && !spec.may_answer(verdict) {
        return Err(match spec.kind {
            Kind::Notice => format!(
                "{} is a notice: it takes no verdict, got {}",
                spec.name,
                verdict.name()
            ),
            _ => format!(
                "{} does not take the verdict {}; allowed: {}",
                spec.name,
                verdict.name(),
                spec.verdicts
                    .iter()
                    .map(|verdict| verdict.name())
                    .collect::<Vec<_>>()
                    .join(", ")
            ),
        });
    }
    match &answer.verdict {
        Verdict::Deny(refusal) | Verdict::Disconnect(refusal) => {
            if (1..0x80).contains(&refusal.reason_code) {
                return Err(format!(
                    "{}: reason code 0x{:02X} is no failure; use 0x80 to 0xFF, or 0 for the usual one",
                    verdict.name(),
                    refusal.reason_code
                ));
            }
        }
        Verdict::Drop(_) | Verdict::Pass | Verdict::Accept | Verdict::Consume => {}
    }
    for (field, value) in &answer.changes {
        if !spec.may_change(*field) {
            return Err(format!("{} may not change {}", spec.name, field.name()));
        }
        check_value(*field, value)?;
    }
    if let Some(keep) = &answer.keep {
        if !spec.may_keep(verdict) {
            return Err(not_to_be_kept(spec, verdict));
        }
        if verdict != VerdictKind::Deny {
            keep.check()?;
        }
    }
    Ok(())
}

fn not_to_be_kept(spec: &HookSpec, verdict: VerdictKind) -> String {
    if spec.keeps {
        format!(
            "{} can keep accept and deny, not {}",
            spec.name,
            verdict.name()
        )
    } else {
        let hooks: Vec<_> = HOOKS
            .iter()
            .filter(|spec| spec.keeps)
            .map(|spec| spec.name)
            .collect();
        format!(
            "an answer of {} cannot be kept, only accept and deny of {}",
            spec.name,
            hooks.join(" and ")
        )
    }
}

/// Leaves out of a refusal what no packet can carry, and the [`hookmq_plugin_api::Keep`] whose tags are no tags: it stands without them.
pub(super) fn fit(answer: &mut Answer) {
    let refusal = match &mut answer.verdict {
        Verdict::Pass | Verdict::Accept => return,
        Verdict::Deny(refusal) => {
            answer.keep.take_if(|keep| keep.check().is_err());
            Some(refusal)
        }
        Verdict::Disconnect(refusal) => Some(refusal),
        Verdict::Drop(refusal) => refusal.as_mut(),
        Verdict::Consume => None,
    };
    // What the acknowledgement says instead.
    answer.changes.retain_mut(|(field, value)| {
        match value {
            Owned::Text(text) if *field == Field::ReasonString => shorten(text),
            Owned::Pairs(pairs) => retain_fitting(pairs),
            _ => {}
        }
        check_value(*field, value).is_ok()
    });
    let Some(refusal) = refusal else { return };
    if let Some(reason) = &mut refusal.reason_string {
        shorten(reason);
    }
    // Half a name of a server is none.
    refusal
        .server_reference
        .take_if(|name| check_text("", name).is_err());
    retain_fitting(&mut refusal.user_properties);
}

/// As much of a reason as fits.
fn shorten(reason: &mut Box<str>) {
    if check_text("", reason).is_err() {
        let mut shorter = reason.replace('\0', "\u{FFFD}");
        shorter.truncate(shorter.floor_char_boundary(MAX_STRING));
        *reason = shorter.into();
    }
}

fn retain_fitting(pairs: &mut Vec<(String, String)>) {
    pairs.retain(|(name, value)| check_text("", name).is_ok() && check_text("", value).is_ok());
}

fn check_value(field: Field, value: &Owned) -> Result<(), String> {
    let spec = field.spec();
    let wrong = |got: &str| {
        Err(format!(
            "{} must be {}{}, got {got}",
            spec.name,
            spec.kind.name(),
            if spec.optional { " or nothing" } else { "" }
        ))
    };
    match (spec.kind, value) {
        (_, Owned::Nil) if spec.optional => Ok(()),
        (_, Owned::Nil) => wrong("nothing"),
        (Type::Bool, Owned::Bool(_)) => Ok(()),
        (Type::Integer, Owned::Integer(number)) => {
            let range = range(field);
            if range.contains(number) {
                Ok(())
            } else {
                Err(format!(
                    "{} must be {} to {}, got {number}",
                    spec.name,
                    range.start(),
                    range.end()
                ))
            }
        }
        (Type::Text, Owned::Text(text)) => {
            check_text(spec.name, text)?;
            match field {
                Field::Topic | Field::ResponseTopic => TopicName::check(text),
                Field::TopicFilter => TopicFilter::parse(text).map(|_| ()),
                _ => Ok(()),
            }
            .map_err(|error| format!("{} \"{}\": {error}", spec.name, start_of(text)))
        }
        (Type::Bytes, Owned::Bytes(bytes)) => check_bytes(field, bytes),
        (Type::Bytes, Owned::Text(text)) => check_bytes(field, text.as_bytes()),
        (Type::Pairs, Owned::Pairs(pairs)) => check_pairs(spec.name, pairs),
        (Type::Records, Owned::Records(records)) => {
            for (at, record) in records.iter().enumerate() {
                for (part, value) in record {
                    if !spec.record.contains(part) {
                        return Err(format!(
                            "{}, entry {}: it has no {}",
                            spec.name,
                            at + 1,
                            part.name()
                        ));
                    }
                    check_value(*part, value)
                        .map_err(|why| format!("{}, entry {}: {why}", spec.name, at + 1))?;
                }
            }
            Ok(())
        }
        (_, other) => wrong(other.type_of().map_or("nothing", Type::name)),
    }
}

fn check_text(name: &str, text: &str) -> Result<(), String> {
    if text.len() > MAX_STRING {
        return Err(format!(
            "{name} has {} bytes, at most {MAX_STRING} fit",
            text.len()
        ));
    }
    // [MQTT-1.5.4-2]
    if text.contains('\0') {
        return Err(format!("{name} has the character U+0000"));
    }
    Ok(())
}

fn check_bytes(field: Field, bytes: &[u8]) -> Result<(), String> {
    // A payload has no length of its own; Maximum Packet Size bounds it.
    if !matches!(field, Field::Payload) && bytes.len() > MAX_STRING {
        return Err(format!(
            "{} has {} bytes, at most {MAX_STRING} fit",
            field.name(),
            bytes.len()
        ));
    }
    Ok(())
}

fn check_pairs(name: &str, pairs: &[(String, String)]) -> Result<(), String> {
    pairs
        .iter()
        .flat_map(|(key, value)| [key, value])
        .try_for_each(|text| check_text(name, text))
}

/// The numbers that a field can hold.
fn range(field: Field) -> RangeInclusive<i64> {
    match field {
        Field::Qos | Field::MaximumQos | Field::WillQos | Field::RetainHandling => 0..=2,
        Field::PayloadFormat => 0..=1,
        Field::KeepAlive | Field::TopicAliasMaximum => 0..=65_535,
        // [MQTT-3.1.2-21]: zero is a Protocol Error.
        Field::ReceiveMaximum => 1..=65_535,
        Field::MaximumPacketSize => 1..=i64::from(u32::MAX),
        Field::SubscriptionIdentifier => 1..=268_435_455,
        Field::SessionExpiryInterval | Field::WillDelayInterval | Field::MessageExpiryInterval => {
            0..=i64::from(u32::MAX)
        }
        Field::ReasonCode => 0..=255,
        _ => i64::MIN..=i64::MAX,
    }
}

fn start_of(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hookmq_plugin_api::{Hook, Keep, Refusal};
    use std::time::Duration;

    fn judge(hook: Hook, answer: &Answer) -> Result<(), String> {
        check(hook.spec(), answer).map_err(|error| {
            assert_eq!(error.cause, Cause::Answer);
            error.message.into()
        })
    }

    fn change(hook: Hook, field: Field, value: impl Into<Owned>) -> Result<(), String> {
        judge(hook, &Answer::pass_with(vec![(field, value.into())]))
    }

    #[test]
    fn every_hook_takes_just_the_verdicts_of_the_catalogue() {
        for spec in HOOKS {
            for verdict in [
                Verdict::Pass,
                Verdict::Accept,
                Verdict::deny(0, ""),
                Verdict::Drop(None),
                Verdict::Consume,
                Verdict::disconnect(0x8B, ""),
            ] {
                let kind = verdict.kind();
                let allowed = spec.may_answer(kind) || kind == VerdictKind::Pass;
                assert_eq!(
                    judge(spec.hook, &verdict.into()).is_ok(),
                    allowed,
                    "{} {}",
                    spec.name,
                    kind.name()
                );
            }
        }
    }

    #[test]
    fn every_hook_lets_just_the_fields_of_the_catalogue_change() {
        for spec in HOOKS {
            for field in hookmq_plugin_api::field::FIELDS {
                let value = match field.kind {
                    Type::Bool => Owned::Bool(true),
                    Type::Integer => Owned::Integer(1),
                    Type::Text => "a".into(),
                    Type::Bytes => Owned::Bytes(Box::default()),
                    Type::Pairs => Owned::Pairs(Vec::new()),
                    Type::Records => Owned::Records(Vec::new()),
                };
                let allowed = spec.may_change(field.field);
                assert_eq!(
                    change(spec.hook, field.field, value).is_ok(),
                    allowed,
                    "{} {}",
                    spec.name,
                    field.name
                );
            }
        }
    }

    #[test]
    fn values_fit_their_fields_or_say_why_not() {
        let publish = Hook::InterceptPublish;
        let long = "x".repeat(MAX_STRING + 1);
        for (hook, field, value, expected) in [
            (publish, Field::Topic, Owned::from("a/b"), Ok(())),
            (
                publish,
                Field::Topic,
                Owned::from("a/#"),
                Err("topic \"a/#\": it has a wildcard, '+' or '#', which only filters may have"),
            ),
            (
                publish,
                Field::Topic,
                Owned::Nil,
                Err("topic must be text, got nothing"),
            ),
            (
                publish,
                Field::Topic,
                Owned::Integer(1),
                Err("topic must be text, got integer"),
            ),
            (publish, Field::ContentType, Owned::Nil, Ok(())),
            (
                publish,
                Field::ContentType,
                Owned::from("a\0"),
                Err("content_type has the character U+0000"),
            ),
            (
                publish,
                Field::ContentType,
                Owned::from(&*long),
                Err("content_type has 65536 bytes, at most 65535 fit"),
            ),
            (publish, Field::Payload, Owned::from("text"), Ok(())),
            (
                publish,
                Field::Payload,
                Owned::from(long.as_bytes()),
                Ok(()),
            ),
            (
                publish,
                Field::Payload,
                Owned::Bool(true),
                Err("payload must be bytes, got boolean"),
            ),
            (
                publish,
                Field::CorrelationData,
                Owned::from(long.as_bytes()),
                Err("correlation_data has 65536 bytes, at most 65535 fit"),
            ),
            (publish, Field::Qos, Owned::Integer(2), Ok(())),
            (
                publish,
                Field::Qos,
                Owned::Integer(3),
                Err("qos must be 0 to 2, got 3"),
            ),
            (
                publish,
                Field::MessageExpiryInterval,
                Owned::Integer(-1),
                Err("message_expiry_interval must be 0 to 4294967295, got -1"),
            ),
            (
                publish,
                Field::MessageExpiryInterval,
                Owned::from("1"),
                Err("message_expiry_interval must be integer or nothing, got text"),
            ),
            (
                publish,
                Field::UserProperties,
                Owned::Pairs(vec![("a".into(), "\0".into())]),
                Err("user_properties has the character U+0000"),
            ),
            (
                Hook::InterceptSubscription,
                Field::TopicFilter,
                Owned::from("$share/g/a/#"),
                Ok(()),
            ),
            (
                Hook::InterceptSubscription,
                Field::TopicFilter,
                Owned::from("a#"),
                Err("topic_filter \"a#\": '#' is not alone in the last level"),
            ),
            (
                Hook::LoadRetained,
                Field::Messages,
                Owned::Records(vec![vec![
                    (Field::Topic, "a".into()),
                    (Field::Qos, Owned::Integer(1)),
                ]]),
                Ok(()),
            ),
            (
                Hook::LoadRetained,
                Field::Messages,
                Owned::Records(vec![Vec::new(), vec![(Field::Qos, Owned::Integer(7))]]),
                Err("messages, entry 2: qos must be 0 to 2, got 7"),
            ),
            (
                Hook::LoadRetained,
                Field::Messages,
                Owned::Records(vec![vec![(Field::Password, "a".into())]]),
                Err("messages, entry 1: it has no password"),
            ),
        ] {
            assert_eq!(change(hook, field, value), expected.map_err(str::to_owned));
        }
    }

    #[test]
    fn a_refusal_has_a_failing_code() {
        let hook = Hook::AuthorizePublish;
        for (code, good) in [
            (0, true),
            (1, false),
            (0x10, false),
            (0x7F, false),
            (0x80, true),
            (0xFF, true),
        ] {
            assert_eq!(
                judge(hook, &Verdict::deny(code, "").into()).is_ok(),
                good,
                "{code:#x}"
            );
            assert_eq!(
                judge(hook, &Verdict::disconnect(code, "").into()).is_ok(),
                good,
                "{code:#x}"
            );
        }
        assert!(
            judge(
                hook,
                &Verdict::Drop(Some(Box::new(Refusal::new(0x10, "")))).into()
            )
            .is_ok()
        );
    }

    #[test]
    fn a_refusal_stands_however_long_its_words_are() {
        let long = "é".repeat(40_000);
        let mut answer = Answer {
            verdict: Verdict::Deny(Box::new(Refusal {
                user_properties: vec![
                    ("a".to_owned(), "b".to_owned()),
                    ("long".to_owned(), long.clone()),
                    ("nul\0".to_owned(), String::new()),
                ],
                server_reference: Some(long.as_str().into()),
                ..Refusal::new(0x87, &format!("\0{long}"))
            })),
            changes: Vec::new(),
            keep: Some(Box::new(Keep::lasting(Duration::MAX).tagged(&long))),
        };
        assert_eq!(judge(Hook::AuthorizePublish, &answer), Ok(()));
        fit(&mut answer);
        assert_eq!(answer.keep, None);
        let Verdict::Deny(refusal) = answer.verdict else {
            panic!("{answer:?}");
        };
        let reason = refusal.reason_string.unwrap();
        assert!(reason.starts_with("\u{FFFD}éé"));
        assert_eq!(reason.len(), MAX_STRING);
        assert_eq!(refusal.server_reference, None);
        assert_eq!(refusal.user_properties, [("a".to_owned(), "b".to_owned())]);

        for verdict in [
            Verdict::Drop(None),
            Verdict::Consume,
            Verdict::Deny(Box::default()),
        ] {
            let mut answer = Answer {
                verdict,
                changes: vec![
                    (Field::ReasonCode, Owned::Integer(256)),
                    (Field::ReasonString, format!("{long}\0").as_str().into()),
                    (
                        Field::ResponseUserProperties,
                        Owned::Pairs(vec![("k".into(), "v".into()), ("nul\0".into(), "".into())]),
                    ),
                ],
                keep: None,
            };
            fit(&mut answer);
            assert_eq!(
                answer.changes,
                [
                    (
                        Field::ReasonString,
                        Owned::from("é".repeat(MAX_STRING / 2).as_str())
                    ),
                    (
                        Field::ResponseUserProperties,
                        Owned::Pairs(vec![("k".into(), "v".into())])
                    ),
                ]
            );
        }
        let mut answer = Answer::pass_with(vec![(Field::Qos, Owned::Integer(3))]);
        fit(&mut answer);
        assert_eq!(answer.changes.len(), 1, "what lets go on is right or wrong");

        let kept = Keep::lasting(Duration::MAX).tagged("a");
        let mut good = Answer::from(Verdict::deny(0x87, "why")).kept(kept);
        let before = good.clone();
        fit(&mut good);
        assert_eq!(good, before);
    }

    #[test]
    fn only_accept_and_deny_of_hooks_that_keep_can_be_kept() {
        let keep = || Keep::lasting(Duration::from_secs(60));
        for spec in HOOKS {
            for verdict in [
                Verdict::Pass,
                Verdict::Accept,
                Verdict::deny(0, ""),
                Verdict::Drop(None),
                Verdict::Consume,
                Verdict::disconnect(0x8B, ""),
            ] {
                let kind = verdict.kind();
                let allowed =
                    matches!(spec.hook, Hook::AuthorizePublish | Hook::AuthorizeSubscribe)
                        && matches!(kind, VerdictKind::Accept | VerdictKind::Deny);
                assert_eq!(
                    judge(spec.hook, &Answer::from(verdict).kept(keep())).is_ok(),
                    allowed,
                    "{} {}",
                    spec.name,
                    kind.name()
                );
            }
        }
        let hook = Hook::AuthorizePublish;
        assert_eq!(
            judge(hook, &Answer::PASS.kept(keep())),
            Err("authorize_publish can keep accept and deny, not pass".into())
        );
        assert_eq!(
            judge(Hook::InterceptPublish, &Answer::from(Verdict::Accept).kept(keep())),
            Err("an answer of intercept_publish cannot be kept, only accept and deny of authorize_subscribe and authorize_publish".into())
        );
        for (tag, good) in [
            ("", false),
            ("user:alice", true),
            (&*"x".repeat(257), false),
        ] {
            let answer = Answer::from(Verdict::Accept).kept(keep().tagged(tag));
            assert_eq!(judge(hook, &answer).is_ok(), good, "{tag}");
        }
    }

    #[test]
    fn a_wrong_change_spoils_the_whole_answer() {
        let answer = Answer {
            verdict: Verdict::Accept,
            changes: vec![
                (Field::Topic, "fine".into()),
                (Field::ClientId, "not here".into()),
            ],
            keep: None,
        };
        assert_eq!(
            judge(Hook::InterceptPublish, &answer),
            Err("intercept_publish may not change client_id".into())
        );
    }
}

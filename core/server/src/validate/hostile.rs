//! Events that no plugin hopes for: every field of a hook in turn absent, empty, at its ends or odd, all others as usual.

use std::ops::RangeInclusive;

use hookmq_plugin_api::catalogue::HookSpec;
use hookmq_plugin_api::{Event, EventRecord, Field, Hook, Owned, Record, Type, Value};

/// The longest UTF-8 Encoded String and Binary Data [MQTT-1.5.4], [MQTT-1.5.6].
const LONGEST: usize = 65_535;
/// The payload that no broker of this kind likes to see.
const LARGEST_PAYLOAD: usize = 16 << 20;
/// What the broker lets through unless its limits are raised: bytes of a payload, a topic, a Client Identifier.
const USUAL_PAYLOAD: usize = (2 << 20) - 1_024;
const USUAL_TOPIC: usize = 4_096;
const USUAL_CLIENT_ID: usize = 1_024;
/// The largest packet of the standard.
const LARGEST_PACKET: i64 = 268_435_455;
const MANY_PAIRS: usize = 130_000;
const MANY_RECORDS: usize = 10_000;

/// Texts that have surprised programs before, with what they are called.
const ODD: [(&str, &str); 6] = [
    (
        "control characters",
        "\u{1}\u{7}\u{8}\t\n\r\u{1b}[31m\u{7f}\u{9f}",
    ),
    (
        "format directives",
        "%s%n%d%x{}{0}${x}%%0A`id`$(id)'\";--\\",
    ),
    (
        "invisible characters",
        "\u{202e}\u{200b}\u{feff}\u{fffe}\u{ffff}\u{10ffff}\u{e000}\u{2028}",
    ),
    (
        "joined characters",
        "\u{301}e\u{301}\u{1f469}\u{200d}\u{1f469}\u{200d}\u{1f467}\u{fe0f}\u{1f1e9}",
    ),
    ("a path", "../../../../etc/passwd"),
    ("empty levels", "//a///b/"),
];

/// Topics besides the usual one: some plugins do their work for them alone.
const TOPICS: [&str; 3] = ["$SYS/broker/uptime", "$internal", "raw/1"];

/// Payloads besides the usual one, for plugins that read JSON or numbers.
const PAYLOADS: [&str; 5] = [
    "21.5",
    "null",
    "[1,\"two\",null]",
    "{\"id\":1,\"name\":\"a\",\"value\":-3.5e2,\"tags\":[],\"at\":{\"x\":true}}",
    "{\"value\":",
];

/// Bytes that are no text, or worse ones.
const NO_TEXT: &[u8] = b"\xff\xfe\x00\xc0\x80\xed\xa0\x80\xf5text\x00\x80";

/// One event to be tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Case {
    hook: Hook,
    twist: Twist,
}

/// What is not as usual.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Twist {
    /// Nothing.
    Usual,
    One(Field, Shape),
    /// All fields at once.
    Every(Shape),
}

/// How a field looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Absent,
    Empty,
    /// So many bytes of one letter, or of so many items.
    Large,
    /// As large as the broker's limits are unless they are raised.
    Limit,
    /// As long as a text can be, of nothing but slashes.
    Slashes,
    /// Nested a million times, for those that parse.
    Nested,
    /// Of [`ODD`].
    Odd(usize),
    NoText,
    /// A word that the list of words does not have.
    Unheard,
    Number(i64),
    Flag(bool),
    /// Each name and value as long as can be.
    LongPairs,
    /// Every pair of the same name.
    SameName,
    /// A record without the parts that may be absent.
    Bare,
    /// Another word than the usual one.
    Word(&'static str),
}

/// Every case of a hook, the usual event first.
pub(super) fn cases(hook: Hook) -> Vec<Case> {
    let spec = hook.spec();
    let mut twists = vec![Twist::Usual];
    for field in spec.fields {
        twists.extend(
            shapes(spec, *field)
                .into_iter()
                .map(|shape| Twist::One(*field, shape)),
        );
    }
    twists.extend([Shape::Absent, Shape::Empty, Shape::Large].map(Twist::Every));
    twists
        .into_iter()
        .map(|twist| Case { hook, twist })
        .collect()
}

impl Case {
    /// Nothing odd about it.
    pub(super) const fn usual(hook: Hook) -> Self {
        Self {
            hook,
            twist: Twist::Usual,
        }
    }

    /// In words, to go after the hook's name.
    pub(super) fn words(&self) -> String {
        match &self.twist {
            Twist::Usual => "as usual".to_owned(),
            Twist::Every(Shape::Absent) => "without anything that may be absent".to_owned(),
            Twist::Every(Shape::Empty) => "with every field empty or zero".to_owned(),
            Twist::Every(_) => "with every field as large as can be".to_owned(),
            Twist::One(field, shape) => words(*field, *shape),
        }
    }

    /// Whether the broker's limits keep such an event away unless they are raised.
    pub(super) fn is_beyond(&self) -> bool {
        match self.twist {
            Twist::Usual | Twist::Every(Shape::Absent) => false,
            Twist::Every(_) => true,
            Twist::One(field, shape) => match shape {
                // So many pairs fit into no packet.
                Shape::Large => limit(field).is_some() || field.spec().kind == Type::Pairs,
                Shape::Slashes => limit(field).is_some(),
                Shape::Empty => {
                    matches!(field, Field::Topic | Field::TopicFilter | Field::WillTopic)
                }
                _ => false,
            },
        }
    }

    /// The event itself. Made when it is needed, as some are large.
    pub(super) fn event(&self) -> EventRecord {
        let spec = self.hook.spec();
        let mut event = EventRecord::new(self.hook);
        for field in spec.fields {
            let shape = match &self.twist {
                Twist::One(twisted, shape) if twisted == field => Some(*shape),
                Twist::Every(shape) => every(spec, *field, *shape),
                Twist::Usual | Twist::One(..) => None,
            };
            let value = shape.map_or_else(|| usual(*field), |shape| value(*field, shape));
            if *field == Field::Payload {
                let size = value.as_value().as_bytes().map_or(0, <[u8]>::len);
                set(&mut event, *field, value);
                set(
                    &mut event,
                    Field::PayloadSize,
                    Owned::Integer(i64::try_from(size).unwrap_or(i64::MAX)),
                );
            } else if *field != Field::PayloadSize || !has(spec, Field::Payload) {
                set(&mut event, *field, value);
            }
        }
        // What a client publishes has its Client Identifier; what a plugin publishes has none.
        if has(spec, Field::Source)
            && has(spec, Field::ClientId)
            && matches!(event.get(Field::ClientId), Value::Nil)
        {
            set(&mut event, Field::Source, "plugin".into());
        }
        event
    }
}

fn set(event: &mut EventRecord, field: Field, value: Owned) {
    if value != Owned::Nil {
        event.set(field, value);
    }
}

fn has(spec: &HookSpec, field: Field) -> bool {
    spec.fields.contains(&field)
}

/// Whether the broker may leave it out. A packet has only what its type has, and what a plugin publishes comes from no client.
fn may_be_absent(spec: &HookSpec, field: Field) -> bool {
    let is_packet = has(spec, Field::PacketType) && has(spec, Field::Dup);
    if is_packet {
        return !matches!(field, Field::PacketType | Field::UserProperties);
    }
    match field {
        Field::ClientId | Field::Endpoint | Field::Listener | Field::ProtocolVersion => {
            has(spec, Field::Source)
        }
        _ => field.spec().optional,
    }
}

/// The broker's own limit, unless it is raised.
const fn limit(field: Field) -> Option<usize> {
    match field {
        Field::Payload => Some(USUAL_PAYLOAD),
        Field::Topic | Field::TopicFilter | Field::WillTopic => Some(USUAL_TOPIC),
        Field::ClientId | Field::SenderClientId | Field::ReceiverClientId => Some(USUAL_CLIENT_ID),
        _ => None,
    }
}

/// What a case about every field makes of this one; `None` leaves it as usual.
fn every(spec: &HookSpec, field: Field, shape: Shape) -> Option<Shape> {
    let kind = field.spec().kind;
    match shape {
        Shape::Absent => may_be_absent(spec, field).then_some(Shape::Absent),
        // These have no other form than their words.
        _ if is_word(field) => None,
        Shape::Empty => Some(match kind {
            Type::Integer => Shape::Number(*range(field).start()),
            Type::Bool => Shape::Flag(false),
            Type::Text | Type::Bytes | Type::Pairs | Type::Records => Shape::Empty,
        }),
        _ => Some(match kind {
            Type::Integer => Shape::Number(*range(field).end()),
            Type::Bool => Shape::Flag(true),
            Type::Text | Type::Bytes | Type::Pairs | Type::Records => Shape::Large,
        }),
    }
}

/// One word of a list.
const fn is_word(field: Field) -> bool {
    matches!(
        field,
        Field::Source | Field::Reason | Field::DisconnectType | Field::PacketType | Field::Change
    )
}

fn shapes(spec: &HookSpec, field: Field) -> Vec<Shape> {
    let mut shapes = Vec::new();
    if may_be_absent(spec, field) {
        shapes.push(Shape::Absent);
    }
    if limit(field).is_some() {
        shapes.push(Shape::Limit);
    }
    match field.spec().kind {
        Type::Bool => shapes.extend([Shape::Flag(false), Shape::Flag(true)]),
        // It says how long the payload is, and is true whatever the payload is.
        Type::Integer if field == Field::PayloadSize && has(spec, Field::Payload) => {}
        Type::Integer => {
            let range = range(field);
            shapes.extend([Shape::Number(*range.start()), Shape::Number(*range.end())]);
        }
        Type::Text if is_word(field) => shapes.extend([Shape::Unheard, Shape::Empty]),
        Type::Text => {
            shapes.extend([Shape::Empty, Shape::Large]);
            shapes.extend((0..ODD.len()).map(Shape::Odd));
            if matches!(field, Field::Topic | Field::TopicFilter) {
                shapes.push(Shape::Slashes);
            }
            if field == Field::Topic {
                shapes.extend(TOPICS.map(Shape::Word));
            }
            if field == Field::TopicFilter {
                shapes.extend(["#", "+/+", "$share/g/#", "$share//", "$SYS/#"].map(Shape::Word));
            }
        }
        Type::Bytes => {
            shapes.extend([Shape::Empty, Shape::NoText, Shape::Large]);
            if field == Field::Payload {
                shapes.push(Shape::Nested);
                shapes.extend(PAYLOADS.map(Shape::Word));
            }
        }
        Type::Pairs => shapes.extend([
            Shape::Empty,
            Shape::Large,
            Shape::LongPairs,
            Shape::SameName,
            Shape::Odd(0),
            Shape::Odd(1),
            Shape::Odd(2),
        ]),
        Type::Records => shapes.extend([Shape::Empty, Shape::Large, Shape::Bare, Shape::LongPairs]),
    }
    shapes
}

fn words(field: Field, shape: Shape) -> String {
    let name = field.name();
    let article = if name.starts_with(['a', 'e', 'i', 'o']) {
        "an"
    } else {
        "a"
    };
    match (shape, field.spec().kind) {
        (Shape::Absent, _) => format!("without {name}"),
        (Shape::Empty, Type::Pairs | Type::Records) => format!("with no {name}"),
        (Shape::Empty, _) => format!("with an empty {name}"),
        (Shape::Large, Type::Pairs) => format!("with {MANY_PAIRS} {name}"),
        (Shape::Large, Type::Records) => format!("with {MANY_RECORDS} {name}"),
        (Shape::Large, _) if field == Field::Payload => {
            format!("with a payload of {} MiB", LARGEST_PAYLOAD >> 20)
        }
        (Shape::Large, _) => format!("with {article} {name} of {LONGEST} bytes"),
        (Shape::Limit, _) => {
            let bytes = limit(field).unwrap_or_default();
            format!("with {article} {name} of {bytes} bytes")
        }
        (Shape::Slashes, _) => format!("with {article} {name} of {LONGEST} slashes"),
        (Shape::Nested, _) => format!("with {article} {name} of a million open brackets"),
        (Shape::Odd(at), _) => {
            let what = ODD.get(at).map_or("odd text", |(words, _)| words);
            format!("with {what} in {name}")
        }
        (Shape::NoText, _) => format!("with {article} {name} that is not UTF-8"),
        (Shape::Unheard, _) => format!("with an unknown word as {name}"),
        (Shape::Number(number), _) => format!("with {name} {number}"),
        (Shape::Flag(flag), _) => format!("with {name} {flag}"),
        (Shape::LongPairs, Type::Pairs) => {
            format!("with {name} whose names and values have {LONGEST} bytes")
        }
        (Shape::LongPairs, _) => format!("with {name} as large as can be"),
        (Shape::SameName, _) => format!("with a thousand {name} of one name"),
        (Shape::Bare, _) => format!("with {name} that have only what they must have"),
        (Shape::Word(word), _) => format!("with the {name} `{word}`"),
    }
}

fn value(field: Field, shape: Shape) -> Owned {
    let kind = field.spec().kind;
    let long = |letter: &str, bytes: usize| Owned::Text(letter.repeat(bytes).into());
    match (shape, kind) {
        (Shape::Absent, _) => Owned::Nil,
        (Shape::Number(number), _) => Owned::Integer(number),
        (Shape::Flag(flag), _) => Owned::Bool(flag),
        (Shape::Empty, Type::Bytes) => Owned::Bytes(Box::default()),
        (Shape::Empty, Type::Pairs) => Owned::Pairs(Vec::new()),
        (Shape::Empty, Type::Records) => Owned::Records(Vec::new()),
        (Shape::Empty, _) => "".into(),
        (Shape::Large, Type::Bytes) => {
            let bytes = if field == Field::Payload {
                LARGEST_PAYLOAD
            } else {
                LONGEST
            };
            Owned::Bytes(vec![b'a'; bytes].into())
        }
        (Shape::Large, Type::Pairs) => Owned::Pairs(
            (0..MANY_PAIRS)
                .map(|at| (format!("name{at}"), "value".to_owned()))
                .collect(),
        ),
        (Shape::Large, Type::Records) => {
            Owned::Records(vec![record(field, |part| usual(*part)); MANY_RECORDS])
        }
        (Shape::Large, _) => long("x", LONGEST),
        (Shape::Limit, Type::Bytes) => {
            Owned::Bytes(vec![b'a'; limit(field).unwrap_or_default()].into())
        }
        (Shape::Limit, _) => long("x", limit(field).unwrap_or_default()),
        (Shape::Slashes, _) => long("/", LONGEST),
        (Shape::Nested, _) => Owned::Bytes(vec![b'['; 1_000_000].into()),
        (Shape::NoText, _) => NO_TEXT.into(),
        (Shape::Unheard, _) => "unheard_of".into(),
        (Shape::Word(word), Type::Bytes) => word.as_bytes().into(),
        (Shape::Word(word), _) => word.into(),
        (Shape::Odd(at), Type::Pairs) => {
            let odd = odd(at);
            Owned::Pairs(vec![
                (odd.to_owned(), odd.to_owned()),
                (String::new(), odd.to_owned()),
                (odd.to_owned(), String::new()),
            ])
        }
        (Shape::Odd(at), _) => odd(at).into(),
        (Shape::LongPairs, Type::Pairs) => {
            let text = "x".repeat(LONGEST);
            Owned::Pairs(vec![(text.clone(), text); 8])
        }
        (Shape::LongPairs, _) => Owned::Records(vec![record(field, |part| {
            every(Hook::PrepareSession.spec(), *part, Shape::Large)
                .map_or_else(|| usual(*part), |shape| value(*part, shape))
        })]),
        (Shape::SameName, _) => Owned::Pairs(vec![("a".to_owned(), "b".to_owned()); 1_000]),
        (Shape::Bare, _) => Owned::Records(vec![record(field, |part| {
            if part.spec().optional {
                Owned::Nil
            } else {
                usual(*part)
            }
        })]),
    }
}

fn odd(at: usize) -> &'static str {
    ODD.get(at).map_or("", |(_, text)| text)
}

fn record(field: Field, value: impl Fn(&Field) -> Owned) -> Record {
    let parts = field.spec().record.iter();
    parts
        .map(|part| (*part, value(part)))
        .filter(|(_, value)| *value != Owned::Nil)
        .collect()
}

/// The numbers that the broker sends.
fn range(field: Field) -> RangeInclusive<i64> {
    match field {
        Field::Qos | Field::MaximumQos | Field::WillQos | Field::RetainHandling => 0..=2,
        Field::PayloadFormat => 0..=1,
        Field::ProtocolVersion => 4..=5,
        Field::KeepAlive | Field::TopicAliasMaximum => 0..=65_535,
        Field::ReceiveMaximum | Field::PacketIdentifier => 1..=65_535,
        Field::SubscriptionIdentifier => 1..=268_435_455,
        Field::PayloadSize => 0..=LARGEST_PACKET,
        Field::MaximumPacketSize => 1..=i64::from(u32::MAX),
        Field::SessionExpiryInterval | Field::WillDelayInterval | Field::MessageExpiryInterval => {
            0..=i64::from(u32::MAX)
        }
        Field::ReasonCode => 0..=255,
        _ => 0..=i64::MAX,
    }
}

/// A value that is nothing special.
fn usual(field: Field) -> Owned {
    let text = match field {
        Field::ClientId | Field::SenderClientId => "sensor-1",
        Field::ReceiverClientId => "dashboard",
        Field::Username | Field::ReceiverUsername => "ann",
        Field::Endpoint => "192.0.2.7:50123",
        Field::Listener => "default",
        Field::Topic | Field::WillTopic => "devices/1/temperature",
        Field::TopicFilter => "devices/+/temperature",
        Field::ResponseTopic => "replies/1",
        Field::ContentType => "application/json",
        Field::Source => "client",
        Field::Reason => "queue_full",
        Field::DisconnectType => "Clean",
        Field::PacketType => "publish",
        Field::Change => "set",
        _ => "text",
    };
    match field.spec().kind {
        Type::Bool => Owned::Bool(false),
        Type::Integer => Owned::Integer(match field {
            Field::ProtocolVersion => 5,
            Field::KeepAlive => 60,
            Field::ReasonCode => 0,
            Field::Timestamp => 1_735_689_600_000,
            _ => 1,
        }),
        Type::Text => text.into(),
        Type::Bytes => match field {
            Field::Password => Owned::from(&b"apple"[..]),
            Field::Payload | Field::WillPayload => Owned::from(&b"{\"celsius\":21.5}"[..]),
            _ => Owned::from(&b"\x01\x02\x03"[..]),
        },
        Type::Pairs => Owned::Pairs(vec![("tenant".to_owned(), "a".to_owned())]),
        Type::Records => Owned::Records(vec![record(field, |part| usual(*part))]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hookmq_plugin_api::catalogue::HOOKS;

    #[test]
    fn every_field_of_every_hook_is_twisted_and_no_case_stands_twice() {
        for spec in HOOKS {
            let cases = cases(spec.hook);
            let mut words: Vec<_> = cases.iter().map(Case::words).collect();
            for field in spec.fields {
                let is_tried = words.iter().any(|words| words.contains(field.name()));
                let is_told_by_the_payload =
                    *field == Field::PayloadSize && has(spec, Field::Payload);
                assert!(
                    is_tried || is_told_by_the_payload,
                    "{}: {}",
                    spec.name,
                    field.name()
                );
            }
            words.sort();
            let n_cases = words.len();
            words.dedup();
            assert_eq!(words.len(), n_cases, "{}", spec.name);
        }
    }

    #[test]
    fn events_have_the_types_of_the_catalogue_and_nothing_that_must_be_there_is_missing() {
        for hook in [
            Hook::ValidateConnection,
            Hook::PrepareSession,
            Hook::InterceptPublish,
            Hook::InterceptInboundPacket,
            Hook::ClientDisconnected,
        ] {
            let spec = hook.spec();
            for case in cases(hook) {
                let event = case.event();
                for field in spec.fields {
                    let value = event.get(*field).to_owned();
                    match value.type_of() {
                        Some(kind) => assert_eq!(kind, field.spec().kind, "{}", field.name()),
                        None => assert!(
                            may_be_absent(spec, *field),
                            "{} {}: {}",
                            spec.name,
                            case.words(),
                            field.name()
                        ),
                    }
                }
            }
        }
    }

    #[test]
    fn the_size_is_the_payload_s_whatever_the_payload_is() {
        for case in cases(Hook::InterceptPublish) {
            let event = case.event();
            let payload = event.get(Field::Payload).as_bytes().expect("a payload");
            assert_eq!(
                event.get(Field::PayloadSize).as_integer(),
                i64::try_from(payload.len()).ok()
            );
        }
    }
}

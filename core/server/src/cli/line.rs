//! How `hookmq sub` prints a message: by a format with `%` sequences, or as a JSON object.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hookmq_client::{Message, MessageProperties};
use hookmq_mqtt::PayloadFormat;
use serde_json::{Map, Value, json};

/// A checked format.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Layout(Vec<Part>);

#[derive(Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Topic,
    Payload,
    QoS,
    Retain,
    PayloadBytes,
    UserProperties,
    Json,
}

impl Layout {
    pub(super) fn json() -> Self {
        Self(vec![Part::Json])
    }

    /// Reads a format such as `%t %p\n`.
    pub(super) fn parse(format: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut text = String::new();
        let mut chars = format.chars();
        while let Some(char) = chars.next() {
            let part = match char {
                '%' => match chars.next() {
                    Some('%') => {
                        text.push('%');
                        continue;
                    }
                    Some('t') => Part::Topic,
                    Some('p') => Part::Payload,
                    Some('q') => Part::QoS,
                    Some('r') => Part::Retain,
                    Some('l') => Part::PayloadBytes,
                    Some('U') => Part::UserProperties,
                    Some(other) => {
                        return Err(format!(
                            "%{other} is unknown; there are %t %p %q %r %l %U %%"
                        ));
                    }
                    None => return Err("a % at the end; %% is a percent sign".to_owned()),
                },
                '\\' => {
                    match chars.next() {
                        Some('n') => text.push('\n'),
                        Some('t') => text.push('\t'),
                        Some('\\') => text.push('\\'),
                        Some(other) => {
                            return Err(format!("\\{other} is unknown; there are \\n \\t \\\\"));
                        }
                        None => return Err("a \\ at the end; \\\\ is a backslash".to_owned()),
                    }
                    continue;
                }
                char => {
                    text.push(char);
                    continue;
                }
            };
            if !text.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut text)));
            }
            parts.push(part);
        }
        if !text.is_empty() {
            parts.push(Part::Text(text));
        }
        Ok(Self(parts))
    }

    /// The message without the end of the line; bytes, because a payload may be any.
    pub(super) fn line(&self, message: &Message) -> Vec<u8> {
        let mut line = Vec::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => line.extend_from_slice(text.as_bytes()),
                Part::Topic => line.extend_from_slice(message.topic.as_bytes()),
                Part::Payload => line.extend_from_slice(&message.payload),
                Part::QoS => line.extend_from_slice(message.qos.to_string().as_bytes()),
                Part::Retain => line.push(if message.retain { b'1' } else { b'0' }),
                Part::PayloadBytes => {
                    line.extend_from_slice(message.payload.len().to_string().as_bytes())
                }
                Part::UserProperties => {
                    let pairs: Vec<_> = message
                        .properties
                        .user_properties
                        .iter()
                        .map(|(name, value)| format!("{name}={value}"))
                        .collect();
                    line.extend_from_slice(pairs.join(" ").as_bytes());
                }
                Part::Json => line.extend_from_slice(object(message).to_string().as_bytes()),
            }
        }
        line
    }
}

/// The message as an object. A payload that is not UTF-8 stands in base64 under `payload_base64`.
fn object(message: &Message) -> Value {
    let mut object = Map::new();
    object.insert("topic".to_owned(), json!(message.topic));
    put_bytes(&mut object, "payload", &message.payload);
    object.insert("qos".to_owned(), json!(u8::from(message.qos)));
    object.insert("retain".to_owned(), json!(message.retain));
    object.insert("dup".to_owned(), json!(message.dup));
    let properties = properties(&message.properties);
    if !properties.is_empty() {
        object.insert("properties".to_owned(), Value::Object(properties));
    }
    Value::Object(object)
}

/// Those that are there.
fn properties(properties: &MessageProperties) -> Map<String, Value> {
    let mut object = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            object.insert(name.to_owned(), value);
        }
    };
    put(
        "payload_format",
        properties.payload_format.map(|it| {
            json!(if it == PayloadFormat::Utf8 {
                "utf8"
            } else {
                "bytes"
            })
        }),
    );
    put(
        "message_expiry_interval",
        properties.message_expiry_interval.map(|it| json!(it)),
    );
    put(
        "content_type",
        properties.content_type.as_ref().map(|it| json!(it)),
    );
    put(
        "response_topic",
        properties.response_topic.as_ref().map(|it| json!(it)),
    );
    let pairs: Vec<_> = properties
        .user_properties
        .iter()
        .map(|pair| json!(pair))
        .collect();
    // Pairs, because names may repeat.
    put(
        "user_properties",
        (!pairs.is_empty()).then_some(Value::Array(pairs)),
    );
    let identifiers: Vec<_> = properties
        .subscription_identifiers
        .iter()
        .map(|it| json!(it.get()))
        .collect();
    put(
        "subscription_identifiers",
        (!identifiers.is_empty()).then_some(Value::Array(identifiers)),
    );
    if let Some(data) = &properties.correlation_data {
        put_bytes(&mut object, "correlation_data", data);
    }
    object
}

fn put_bytes(object: &mut Map<String, Value>, name: &str, bytes: &[u8]) {
    match std::str::from_utf8(bytes) {
        Ok(text) => object.insert(name.to_owned(), json!(text)),
        Err(_) => object.insert(format!("{name}_base64"), json!(STANDARD.encode(bytes))),
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use hookmq_mqtt::QoS;

    fn message() -> Message {
        let message = Message::new("a/b", "pay")
            .qos(QoS::AtLeastOnce)
            .retain(true);
        message
            .user_property("k", "v")
            .and_then(|it| it.user_property("k", "w"))
            .expect("short")
    }

    fn check(format: &str, expected: &str) {
        let layout = Layout::parse(format).expect("valid");
        assert_eq!(
            String::from_utf8(layout.line(&message())).expect("text"),
            expected,
            "{format}"
        );
    }

    #[test]
    fn every_sequence_has_its_meaning() {
        check("%p", "pay");
        check("%t %p", "a/b pay");
        check("%q|%r|%l|%U", "1|1|3|k=v k=w");
        check(r"100%% \t\n\\ %p.", "100% \t\n\\ pay.");
        check("", "");
    }

    #[test]
    fn what_is_unknown_is_said() {
        for (format, complaint) in [
            ("%x", "%x is unknown"),
            ("a%", "a % at the end"),
            (r"\x", "\\x is unknown"),
            ("\\", "a \\ at the end"),
        ] {
            let error = Layout::parse(format).expect_err("unknown");
            assert!(error.starts_with(complaint), "{error}");
        }
    }

    #[test]
    fn json_has_what_is_there() {
        let mut message = message();
        message.properties.correlation_data = Some(vec![0xff].into());
        let line = Layout::json().line(&message);
        let object: Value = serde_json::from_slice(&line).expect("JSON");
        assert_eq!(
            object,
            json!({
                "topic": "a/b", "payload": "pay", "qos": 1, "retain": true, "dup": false,
                "properties": { "user_properties": [["k", "v"], ["k", "w"]], "correlation_data_base64": "/w==" },
            })
        );
        let bytes = Layout::json().line(&Message::new("a", vec![0xff]));
        assert!(
            String::from_utf8(bytes)
                .expect("text")
                .contains(r#""payload_base64":"/w==""#)
        );
    }

    #[test]
    fn bytes_are_printed_as_they_are() {
        let layout = Layout::parse("%p").expect("valid");
        assert_eq!(layout.line(&Message::new("a", vec![0xff, 0])), [0xff, 0]);
    }
}

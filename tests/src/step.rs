//! The lines of a conversation. `golden/README.md` describes them.

use std::time::Duration;

use crate::flow::Version;
use crate::wire::PACKETS;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Its number in the file.
    pub line: usize,
    /// The only version that it counts in, if not both.
    pub only: Option<Version>,
    /// What is done.
    pub action: Action,
}

/// What a line does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// `A> PUBLISH ...`: sends a packet, on a new connection if there is none.
    Send(String, Template),
    /// `A> raw 30 05 ...`: sends these bytes.
    Raw(String, Vec<u8>),
    /// `A< PUBLISH ...`: the next packet is this one.
    Expect(String, Template),
    /// `A< closed`: the broker closes, with nothing sent before.
    Closed(String),
    /// `A< nothing`: nothing was sent until now.
    Nothing(String),
    /// `A! drop`: the connection ends without a word.
    Drop(String),
    /// `A connects ...`: CONNECT and the CONNACK that accepts it.
    Connects(String, Template),
    /// `A subscribes ...`: SUBSCRIBE and its SUBACK, every filter granted.
    Subscribes(String, Template),
    /// `A publishes ...`: PUBLISH and the whole exchange of its QoS.
    Publishes(String, Template),
    /// `A receives ...`, `A|B receives ...`: PUBLISH and the whole exchange of its QoS, at exactly one of them.
    Receives(Vec<String>, Template),
    /// `unordered { ... }`: these expectations, in any order.
    Unordered(Vec<(String, Template, usize)>),
    /// `advance 5s`: time passes.
    Advance(Duration),
    /// `stop`: our own broker begins to stop.
    Stop,
    /// `differ $a $b`: the values caught under these names are not the same.
    Differ(String, String),
}

/// A packet with the fields that matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// The packet's name.
    pub packet: &'static str,
    /// Its fields, in the order in which they stand.
    pub fields: Vec<Field>,
}

/// `key=value` and its kin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// The name; empty for text that stands alone (a topic or a filter).
    pub key: String,
    /// How it is compared.
    pub compare: Compare,
    /// The value as written.
    pub value: Text,
}

/// How a field of an expectation is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compare {
    /// `key=value`, and `key` for `key=1`.
    Equal,
    /// `key!=value`.
    NotEqual,
    /// `key<=value`.
    AtMost,
    /// `key>=value`.
    AtLeast,
    /// `!key`.
    Absent,
}

/// A value as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Text {
    /// A bare word: a number, a name, text without spaces.
    Word(String),
    /// Text between quotation marks, with `\n`, `\\`, `\"`, `\xHH`; behind it `*1000` repeats it.
    Bytes(Vec<u8>),
    /// `$name`: caught by the first expectation that has it, the caught value everywhere else.
    Variable(String),
}

type ParseError = (usize, String);

/// An `unordered` that is not closed yet: its line, its version, and what stands in it so far.
type Group = (usize, Option<Version>, Vec<(String, Template, usize)>);

/// Reads the lines of a conversation; `first` is the number of the first.
///
/// # Errors
/// The number of a line and what is wrong with it.
pub fn parse(text: &str, first: usize) -> Result<Vec<Step>, ParseError> {
    let mut steps = Vec::new();
    let mut group: Option<Group> = None;
    for (index, source) in text.lines().enumerate() {
        let line = first + index;
        let source = source.trim();
        if source.is_empty() || source.starts_with('#') {
            continue;
        }
        let (only, source) = match source {
            _ if source.starts_with("v5 ") => (Some(Version::V5), source[3..].trim_start()),
            _ if source.starts_with("v3 ") => (Some(Version::V311), source[3..].trim_start()),
            _ => (None, source),
        };
        match (source, &mut group) {
            ("unordered {", None) => group = Some((line, only, Vec::new())),
            ("}", Some(_)) => {
                let Some((line, only, members)) = group.take() else {
                    continue;
                };
                steps.push(Step {
                    line,
                    only,
                    action: Action::Unordered(members),
                });
            }
            (_, Some((_, _, members))) => match parse_line(source).map_err(|what| (line, what))? {
                Action::Expect(name, template) if only.is_none() => {
                    members.push((name, template, line))
                }
                _ => {
                    return Err((
                        line,
                        "only expectations of packets stand in unordered { }".to_owned(),
                    ));
                }
            },
            (_, None) => steps.push(Step {
                line,
                only,
                action: parse_line(source).map_err(|what| (line, what))?,
            }),
        }
    }
    match group {
        Some((line, ..)) => Err((line, "unordered { has no }".to_owned())),
        None => Ok(steps),
    }
}

fn parse_line(source: &str) -> Result<Action, String> {
    let (head, rest) = source
        .split_once(char::is_whitespace)
        .unwrap_or((source, ""));
    let rest = rest.trim();
    match head {
        "stop" => return Ok(Action::Stop),
        "advance" => return duration(rest).map(Action::Advance),
        "differ" => {
            let names: Vec<&str> = rest
                .split_whitespace()
                .filter_map(|name| name.strip_prefix('$'))
                .collect();
            let [one, other] = names[..] else {
                return Err("differ takes two names: differ $a $b".to_owned());
            };
            return Ok(Action::Differ(one.to_owned(), other.to_owned()));
        }
        _ => {}
    }
    if let Some(name) = head.strip_suffix('>') {
        let name = connection(name)?;
        return match rest.strip_prefix("raw") {
            Some(bytes) => Ok(Action::Raw(name, raw_bytes(bytes)?)),
            None => Ok(Action::Send(name, template(rest)?)),
        };
    }
    if let Some(name) = head.strip_suffix('<') {
        let name = connection(name)?;
        return match rest {
            "closed" => Ok(Action::Closed(name)),
            "nothing" => Ok(Action::Nothing(name)),
            _ => Ok(Action::Expect(name, template(rest)?)),
        };
    }
    if let Some(name) = head.strip_suffix('!') {
        return if rest == "drop" {
            Ok(Action::Drop(connection(name)?))
        } else {
            Err("only drop follows !".to_owned())
        };
    }
    let (verb, rest) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let short = |packet| {
        Ok::<_, String>(Template {
            packet,
            fields: fields(rest)?,
        })
    };
    match verb {
        "connects" => Ok(Action::Connects(connection(head)?, short("CONNECT")?)),
        "subscribes" => Ok(Action::Subscribes(connection(head)?, short("SUBSCRIBE")?)),
        "publishes" => Ok(Action::Publishes(connection(head)?, short("PUBLISH")?)),
        "receives" => {
            let names = head.split('|').map(connection).collect::<Result<_, _>>()?;
            Ok(Action::Receives(names, short("PUBLISH")?))
        }
        _ => Err(format!("this is no step: {source}")),
    }
}

fn connection(name: &str) -> Result<String, String> {
    let valid = !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
    if valid {
        Ok(name.to_owned())
    } else {
        Err(format!("connections are named A, B, C, not {name:?}"))
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("a time looks like 5s or 200ms, not {text:?}");
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    match unit {
        "ms" => Ok(Duration::from_millis(number)),
        "s" => Ok(Duration::from_secs(number)),
        _ => Err(wrong()),
    }
}

fn template(text: &str) -> Result<Template, String> {
    let (name, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let packet = PACKETS.iter().find(|packet| **packet == name);
    let packet = packet.ok_or_else(|| {
        format!(
            "there is no packet {name:?}; the names are {}",
            PACKETS.join(" ")
        )
    })?;
    Ok(Template {
        packet,
        fields: fields(rest)?,
    })
}

fn fields(text: &str) -> Result<Vec<Field>, String> {
    words(text)?.into_iter().map(|word| field(&word)).collect()
}

/// Splits at white space, except between quotation marks.
fn words(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let (mut quoted, mut escaped) = (false, false);
    for c in text.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if c.is_whitespace() && !quoted => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                continue;
            }
            _ => {}
        }
        word.push(c);
    }
    if quoted {
        return Err("a quotation mark is not closed".to_owned());
    }
    if !word.is_empty() {
        words.push(word);
    }
    Ok(words)
}

fn field(word: &str) -> Result<Field, String> {
    let text = |value: &str| Text::Word(value.to_owned());
    if word.starts_with('"') {
        return Ok(Field {
            key: String::new(),
            compare: Compare::Equal,
            value: value(word)?,
        });
    }
    if let Some(key) = word.strip_prefix('!') {
        return Ok(Field {
            key: key.to_owned(),
            compare: Compare::Absent,
            value: text(""),
        });
    }
    let Some(at) = word.find('=') else {
        return Ok(Field {
            key: word.to_owned(),
            compare: Compare::Equal,
            value: text("1"),
        });
    };
    let (key, rest) = word.split_at(at);
    let (key, compare) = match key.chars().last() {
        Some('!') => (&key[..at - 1], Compare::NotEqual),
        Some('<') => (&key[..at - 1], Compare::AtMost),
        Some('>') => (&key[..at - 1], Compare::AtLeast),
        _ => (key, Compare::Equal),
    };
    if key.is_empty() {
        return Err(format!("a field looks like key=value, not {word:?}"));
    }
    Ok(Field {
        key: key.to_owned(),
        compare,
        value: value(&rest[1..])?,
    })
}

fn value(text: &str) -> Result<Text, String> {
    if let Some(name) = text
        .strip_prefix('$')
        .filter(|name| name.chars().all(|c| c.is_ascii_lowercase() || c == '_'))
    {
        return Ok(Text::Variable(name.to_owned()));
    }
    if !text.starts_with('"') {
        return Ok(Text::Word(text.to_owned()));
    }
    let end = text
        .rfind('"')
        .filter(|end| *end > 0)
        .ok_or("a quotation mark is not closed")?;
    let bytes = unescape(&text[1..end])?;
    match &text[end + 1..] {
        "" => Ok(Text::Bytes(bytes)),
        rest => match rest.strip_prefix('*').and_then(|times| times.parse().ok()) {
            Some(times) => Ok(Text::Bytes(bytes.repeat(times))),
            None => Err(format!("only *NUMBER follows a quotation, not {rest:?}")),
        },
    }
}

fn unescape(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        match chars.next() {
            Some('n') => bytes.push(b'\n'),
            Some('\\') => bytes.push(b'\\'),
            Some('"') => bytes.push(b'"'),
            Some('x') => {
                let digits: String = chars.by_ref().take(2).collect();
                bytes.push(
                    u8::from_str_radix(&digits, 16)
                        .map_err(|_| format!("\\x{digits} is no byte"))?,
                );
            }
            other => return Err(format!("there is no escape \\{}", other.unwrap_or(' '))),
        }
    }
    Ok(bytes)
}

/// Bytes in hexadecimal, and text between quotation marks.
fn raw_bytes(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    for word in words(text)? {
        if word.starts_with('"') {
            let Text::Bytes(text) = value(&word)? else {
                continue;
            };
            bytes.extend(text);
        } else {
            bytes.extend(hex(&word).ok_or_else(|| format!("{word:?} is not hexadecimal"))?);
        }
    }
    Ok(bytes)
}

/// `c0ffee` as bytes.
#[must_use]
pub fn hex(text: &str) -> Option<Vec<u8>> {
    if text.len() % 2 == 1 || !text.is_ascii() {
        return None;
    }
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(line: &str) -> Action {
        parse(line, 1).expect(line).remove(0).action
    }

    #[test]
    fn fields_are_compared_as_written() {
        let Action::Expect(name, template) =
            one(r#"B< PUBLISH "a b" id=$m retain message_expiry<=5 !topic_alias payload="\x00"*3"#)
        else {
            panic!("an expectation")
        };
        assert_eq!((name.as_str(), template.packet), ("B", "PUBLISH"));
        let shown: Vec<_> = template
            .fields
            .iter()
            .map(|f| (f.key.as_str(), f.compare, &f.value))
            .collect();
        assert_eq!(
            shown,
            [
                ("", Compare::Equal, &Text::Bytes(b"a b".to_vec())),
                ("id", Compare::Equal, &Text::Variable("m".to_owned())),
                ("retain", Compare::Equal, &Text::Word("1".to_owned())),
                (
                    "message_expiry",
                    Compare::AtMost,
                    &Text::Word("5".to_owned())
                ),
                ("topic_alias", Compare::Absent, &Text::Word(String::new())),
                ("payload", Compare::Equal, &Text::Bytes(vec![0; 3])),
            ]
        );
    }

    #[test]
    fn raw_lines_mix_bytes_and_text() {
        assert_eq!(
            one(r#"A> raw 30 05 "t/x" ff"#),
            Action::Raw("A".to_owned(), b"\x30\x05t/x\xff".to_vec())
        );
    }

    #[test]
    fn wrong_lines_are_refused_by_number() {
        for line in [
            "A> NOPACKET",
            "a> PINGREQ",
            "advance soon",
            "A< PUBLISH \"t",
            "A! go",
            "differ $a",
            "unordered {",
        ] {
            assert_eq!(parse(line, 7).expect_err(line).0, 7);
        }
    }
}

//! Packets by field name: written without judgement, wrong ones too, and read back into names and values.

use hookmq_mqtt::ReasonCode;

use crate::flow::Version;
use crate::property::{self, Kind, Property};
use crate::step::{Compare, Field, Template, Text, hex};

/// The packets by their type on the wire, 1 to 15.
pub const PACKETS: [&str; 15] = [
    "CONNECT",
    "CONNACK",
    "PUBLISH",
    "PUBACK",
    "PUBREC",
    "PUBREL",
    "PUBCOMP",
    "SUBSCRIBE",
    "SUBACK",
    "UNSUBSCRIBE",
    "UNSUBACK",
    "PINGREQ",
    "PINGRESP",
    "DISCONNECT",
    "AUTH",
];

/// A value that was read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd)]
pub enum Value {
    /// A number, flag or Reason Code.
    Number(u64),
    /// Text or binary data.
    Bytes(Vec<u8>),
    /// The Reason Codes of a SUBACK or UNSUBACK.
    Numbers(Vec<u64>),
}

/// A packet that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// The packet's name.
    pub packet: &'static str,
    /// What it holds; `user_property` and `subscription_identifier` may stand there several times.
    pub fields: Vec<(&'static str, Value)>,
}

/// The bytes of a packet.
///
/// # Errors
/// Only when the template itself makes no sense: a field that the packet does not have, a number that is none.
pub fn write(template: &Template, version: Version) -> Result<Vec<u8>, String> {
    let mut writer = Writer {
        fields: &template.fields,
        used: vec![false; template.fields.len()],
        version,
    };
    let index = PACKETS
        .iter()
        .position(|packet| *packet == template.packet)
        .unwrap_or_default();
    let mut header = u8::try_from(index + 1).unwrap_or_default() << 4;
    let mut body = Vec::new();
    match template.packet {
        "CONNECT" => writer.connect(&mut body)?,
        "CONNACK" => {
            body.extend([
                writer.byte("session_present", 0)?,
                writer.byte("reason", 0)?,
            ]);
            writer.properties("", &mut body)?;
        }
        "PUBLISH" => header |= writer.publish(&mut body)?,
        "PUBACK" | "PUBREC" | "PUBREL" | "PUBCOMP" => {
            header |= if template.packet == "PUBREL" { 2 } else { 0 };
            body.extend(writer.two("id", None)?);
            writer.reason_and_properties(&mut body)?;
        }
        "SUBSCRIBE" | "UNSUBSCRIBE" => {
            header |= 2;
            body.extend(writer.two("id", None)?);
            writer.properties("", &mut body)?;
            writer.entries(template.packet == "SUBSCRIBE", &mut body)?;
        }
        "SUBACK" | "UNSUBACK" => {
            body.extend(writer.two("id", None)?);
            writer.properties("", &mut body)?;
            body.push(writer.byte("reason", 0)?);
        }
        "DISCONNECT" | "AUTH" => writer.reason_and_properties(&mut body)?,
        _ => {}
    }
    header = writer.byte("header", header.into())?;
    if let Some(extra) = writer.take("extra") {
        body.extend(bytes(&extra.value)?);
    }
    writer.all_used(template.packet)?;
    let mut packet = vec![header];
    packet.extend(varint(body.len() as u64));
    packet.extend(body);
    Ok(packet)
}

struct Writer<'a> {
    fields: &'a [Field],
    used: Vec<bool>,
    version: Version,
}

impl<'a> Writer<'a> {
    fn take(&mut self, key: &str) -> Option<&'a Field> {
        let index = self
            .fields
            .iter()
            .enumerate()
            .position(|(at, field)| !self.used[at] && field.key == key)?;
        self.used[index] = true;
        Some(&self.fields[index])
    }

    fn number(&mut self, key: &str) -> Result<Option<u64>, String> {
        self.take(key).map(|field| number(&field.value)).transpose()
    }

    fn byte(&mut self, key: &str, default: u64) -> Result<u8, String> {
        let number = self.number(key)?.unwrap_or(default);
        u8::try_from(number).map_err(|_| format!("{key} is one byte, not {number}"))
    }

    fn two(&mut self, key: &str, default: Option<u64>) -> Result<[u8; 2], String> {
        let number = self
            .number(key)?
            .or(default)
            .ok_or_else(|| format!("{key} is missing"))?;
        u16::try_from(number)
            .map(u16::to_be_bytes)
            .map_err(|_| format!("{key} is two bytes, not {number}"))
    }

    fn text(&mut self, key: &str, default: &str) -> Result<Vec<u8>, String> {
        self.take(key).map_or_else(
            || Ok(default.as_bytes().to_vec()),
            |field| bytes(&field.value),
        )
    }

    fn connect(&mut self, body: &mut Vec<u8>) -> Result<(), String> {
        let has_will = self
            .fields
            .iter()
            .any(|field| field.key.starts_with("will_"));
        let username = self
            .take("username")
            .map(|field| bytes(&field.value))
            .transpose()?;
        let password = self
            .take("password")
            .map(|field| bytes(&field.value))
            .transpose()?;
        let flags = (self.byte("clean_start", 1)? << 1)
            | (u8::from(has_will) << 2)
            | (self.byte("will_qos", 0)? << 3)
            | (self.byte("will_retain", 0)? << 5)
            | (u8::from(password.is_some()) << 6)
            | (u8::from(username.is_some()) << 7);
        let name = self.text("protocol_name", "MQTT")?;
        put_bytes(&name, body);
        body.push(self.byte(
            "protocol_version",
            if self.version == Version::V5 { 5 } else { 4 },
        )?);
        body.push(self.byte("connect_flags", flags.into())?);
        body.extend(self.two("keep_alive", Some(0))?);
        self.properties("", body)?;
        put_bytes(&self.text("client_id", "")?, body);
        if has_will {
            let topic = self.text("will_topic", "will")?;
            let payload = self.text("will_payload", "")?;
            self.properties("will_", body)?;
            put_bytes(&topic, body);
            put_bytes(&payload, body);
        }
        for credential in [username, password].into_iter().flatten() {
            put_bytes(&credential, body);
        }
        Ok(())
    }

    /// Returns the flags of the fixed header.
    fn publish(&mut self, body: &mut Vec<u8>) -> Result<u8, String> {
        let qos = self.byte("qos", 0)?;
        let flags = (self.byte("dup", 0)? << 3) | (qos << 1) | self.byte("retain", 0)?;
        put_bytes(&self.text("", "")?, body);
        match self.number("id")? {
            Some(id) => body.extend(
                u16::try_from(id)
                    .map_err(|_| "id is two bytes")?
                    .to_be_bytes(),
            ),
            None if qos > 0 => return Err("id is missing".to_owned()),
            None => {}
        }
        self.properties("", body)?;
        body.extend(self.text("payload", "")?);
        Ok(flags)
    }

    fn entries(&mut self, with_options: bool, body: &mut Vec<u8>) -> Result<(), String> {
        let mut open: Option<u8> = None;
        for (at, field) in self
            .fields
            .iter()
            .enumerate()
            .filter(|(_, field)| field.compare == Compare::Equal)
        {
            let shift = match field.key.as_str() {
                "" => {
                    body.extend(open.take());
                    put_bytes(&bytes(&field.value)?, body);
                    open = with_options.then_some(0);
                    self.used[at] = true;
                    continue;
                }
                "qos" | "options" => 0,
                "no_local" => 2,
                "retain_as_published" => 3,
                "retain_handling" => 4,
                _ => continue,
            };
            let options = open
                .as_mut()
                .ok_or_else(|| format!("{} stands behind a filter", field.key))?;
            *options |=
                u8::try_from(number(&field.value)? << shift).map_err(|_| "options are one byte")?;
            self.used[at] = true;
        }
        body.extend(open);
        Ok(())
    }

    /// Both may be left out of the packet, the properties sooner (section 3.4.2.1 of MQTT 5.0).
    fn reason_and_properties(&mut self, body: &mut Vec<u8>) -> Result<(), String> {
        let reason = self.number("reason")?;
        let mut properties = Vec::new();
        self.properties("", &mut properties)?;
        if self.version == Version::V5 && (reason.is_some() || properties.len() > 1) {
            body.push(u8::try_from(reason.unwrap_or_default()).map_err(|_| "reason is one byte")?);
            if properties.len() > 1 {
                body.extend(properties);
            }
        }
        Ok(())
    }

    /// Writes the properties whose names begin with `prefix`, repeated ones too; nothing in 3.1.1, which has none.
    fn properties(&mut self, prefix: &str, body: &mut Vec<u8>) -> Result<(), String> {
        let mut written = Vec::new();
        for (at, field) in self.fields.iter().enumerate() {
            let found = match (prefix, field.key.as_str()) {
                ("", "will_delay") => None,
                ("will_", "will_delay") => property::by_name("will_delay"),
                ("", "property") => {
                    self.used[at] = true;
                    written.extend(bytes(&field.value)?);
                    None
                }
                (_, key) => key.strip_prefix(prefix).and_then(property::by_name),
            };
            if let Some(found) = found.filter(|_| !self.used[at]) {
                self.used[at] = true;
                put_property(found, &field.value, &mut written)?;
            }
        }
        if self.version == Version::V5 {
            body.extend(varint(written.len() as u64));
            body.extend(written);
        }
        Ok(())
    }

    fn all_used(&self, packet: &str) -> Result<(), String> {
        match self.fields.iter().zip(&self.used).find(|(_, used)| !**used) {
            Some((field, _)) => Err(format!("{packet} has no field {:?}", field.key)),
            None => Ok(()),
        }
    }
}

fn put_bytes(bytes: &[u8], body: &mut Vec<u8>) {
    body.extend(u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_be_bytes());
    body.extend(bytes);
}

fn put_property(property: Property, value: &Text, body: &mut Vec<u8>) -> Result<(), String> {
    let fits = |number: u64, n_bytes: usize| {
        let bytes = number.to_be_bytes();
        let (head, tail) = bytes.split_at(8 - n_bytes);
        if head.iter().all(|byte| *byte == 0) {
            Ok(tail.to_vec())
        } else {
            Err(format!("{} is too great", property.name))
        }
    };
    body.push(property.id);
    match property.kind {
        Kind::Byte => body.extend(fits(number(value)?, 1)?),
        Kind::Two => body.extend(fits(number(value)?, 2)?),
        Kind::Four => body.extend(fits(number(value)?, 4)?),
        Kind::Variable => body.extend(varint(number(value)?)),
        Kind::Bytes => put_bytes(&bytes(value)?, body),
        Kind::Pair => {
            let pair = bytes(value)?;
            let at = pair
                .iter()
                .position(|byte| *byte == b':')
                .ok_or("a user_property looks like name:value")?;
            put_bytes(&pair[..at], body);
            put_bytes(&pair[at + 1..], body);
        }
    }
    Ok(())
}

fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = u8::try_from(number & 0x7F).unwrap_or_default();
        number >>= 7;
        bytes.push(if number > 0 { low | 0x80 } else { low });
        if number == 0 {
            return bytes;
        }
    }
}

/// A number as written: decimal, `0x` hexadecimal, or the name of a Reason Code.
///
/// # Errors
/// When it is none of these.
pub fn number(value: &Text) -> Result<u64, String> {
    let Text::Word(word) = value else {
        return Err(format!("{value:?} is not a number"));
    };
    if let Some(digits) = word.strip_prefix("0x") {
        return u64::from_str_radix(digits, 16).map_err(|_| format!("{word} is not hexadecimal"));
    }
    let reason = match word.as_str() {
        "granted_qos_0" | "normal_disconnection" => Some(ReasonCode::Success),
        name => ReasonCode::from_name(name),
    };
    reason.map_or_else(
        || {
            word.parse()
                .map_err(|_| format!("{word} is neither a number nor a Reason Code"))
        },
        |reason| Ok(u64::from(u8::from(reason))),
    )
}

/// Text or binary data as written: `0x` hexadecimal or text.
///
/// # Errors
/// When what follows `0x` is not hexadecimal.
pub fn bytes(value: &Text) -> Result<Vec<u8>, String> {
    match value {
        Text::Bytes(bytes) => Ok(bytes.clone()),
        Text::Word(word) => match word.strip_prefix("0x") {
            Some(digits) => hex(digits).ok_or_else(|| format!("{word} is not hexadecimal")),
            None => Ok(word.clone().into_bytes()),
        },
        Text::Variable(name) => Err(format!("${name} was not caught before")),
    }
}

/// Takes one packet from the front of `buffer`, if it is there whole: its length and what it says.
///
/// # Errors
/// A sentence with what no Server may send.
pub fn read(buffer: &[u8], version: Version) -> Result<Option<(usize, Received)>, String> {
    let mut reader = Reader { rest: buffer };
    let (Some(header), Some(length)) = (reader.byte(), reader.varint()) else {
        return if buffer.len() > 5 {
            Err("the Remaining Length does not end".to_owned())
        } else {
            Ok(None)
        };
    };
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    let Some(body) = reader.rest.get(..length) else {
        return Ok(None);
    };
    let total = buffer.len() - reader.rest.len() + length;
    let packet = usize::from(header >> 4)
        .checked_sub(1)
        .and_then(|index| PACKETS.get(index));
    let packet = *packet.ok_or("a packet of the reserved type 0")?;
    let received = read_body(packet, header & 0x0F, body, version)
        .ok_or_else(|| format!("a broken {packet}: {body:02x?}"))?;
    strictly(&buffer[..total], version)?;
    Ok(Some((total, received)))
}

/// The decoder of the broker itself must agree that the packet is well formed.
fn strictly(packet: &[u8], version: Version) -> Result<(), String> {
    let version = match version {
        Version::V311 => hookmq_mqtt::ProtocolVersion::V311,
        Version::V5 => hookmq_mqtt::ProtocolVersion::V5,
    };
    hookmq_mqtt::decode(packet, version)
        .map(drop)
        .map_err(|error| format!("{error}: {packet:02x?}"))
}

fn read_body(packet: &'static str, flags: u8, body: &[u8], version: Version) -> Option<Received> {
    let mut reader = Reader { rest: body };
    let mut fields = Vec::new();
    if packet != "PUBLISH" && flags != if packet == "PUBREL" { 2 } else { 0 } {
        return None;
    }
    match packet {
        "CONNACK" => {
            let acknowledge_flags = reader.byte()?;
            if acknowledge_flags > 1 {
                return None;
            }
            fields.push(("session_present", Value::Number(acknowledge_flags.into())));
            let mut reason = reader.byte()?;
            if version == Version::V311 {
                reason = ReasonCode::from_v311_connect_return_code(reason)?.into();
            }
            fields.push(("reason", Value::Number(reason.into())));
            reader.properties(version, &mut fields)?;
        }
        "PUBLISH" => {
            let qos = (flags >> 1) & 3;
            fields.push(("dup", Value::Number((flags >> 3).into())));
            fields.push(("qos", Value::Number(qos.into())));
            fields.push(("retain", Value::Number((flags & 1).into())));
            fields.push(("topic", Value::Bytes(reader.bytes()?)));
            if qos > 0 {
                fields.push(("id", Value::Number(reader.number(2)?)));
            }
            reader.properties(version, &mut fields)?;
            fields.push((
                "payload",
                Value::Bytes(std::mem::take(&mut reader.rest).to_vec()),
            ));
        }
        "PUBACK" | "PUBREC" | "PUBREL" | "PUBCOMP" => {
            fields.push(("id", Value::Number(reader.number(2)?)));
            reader.reason_and_properties(version, &mut fields)?;
        }
        "SUBACK" | "UNSUBACK" => {
            fields.push(("id", Value::Number(reader.number(2)?)));
            reader.properties(version, &mut fields)?;
            if packet == "SUBACK" || version == Version::V5 {
                let reasons = std::mem::take(&mut reader.rest)
                    .iter()
                    .map(|byte| u64::from(*byte))
                    .collect();
                fields.push(("reasons", Value::Numbers(reasons)));
            }
        }
        "PINGRESP" => {}
        "DISCONNECT" | "AUTH" if version == Version::V5 => {
            reader.reason_and_properties(version, &mut fields)?
        }
        _ => return None,
    }
    reader
        .rest
        .is_empty()
        .then_some(Received { packet, fields })
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl Reader<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn number(&mut self, n_bytes: usize) -> Option<u64> {
        let (number, rest) = self.rest.split_at_checked(n_bytes)?;
        self.rest = rest;
        Some(
            number
                .iter()
                .fold(0, |sum, byte| (sum << 8) | u64::from(*byte)),
        )
    }

    fn varint(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in [0, 7, 14, 21] {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7F) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    fn bytes(&mut self) -> Option<Vec<u8>> {
        let length = usize::try_from(self.number(2)?).ok()?;
        let (bytes, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(bytes.to_vec())
    }

    fn reason_and_properties(
        &mut self,
        version: Version,
        fields: &mut Vec<(&'static str, Value)>,
    ) -> Option<()> {
        if version == Version::V5 {
            let reason = if self.rest.is_empty() {
                0
            } else {
                self.byte()?
            };
            fields.push(("reason", Value::Number(reason.into())));
            if !self.rest.is_empty() {
                self.properties(version, fields)?;
            }
        }
        Some(())
    }

    fn properties(
        &mut self,
        version: Version,
        fields: &mut Vec<(&'static str, Value)>,
    ) -> Option<()> {
        if version == Version::V311 {
            return Some(());
        }
        let length = usize::try_from(self.varint()?).ok()?;
        let (properties, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        let mut reader = Reader { rest: properties };
        while let Some(id) = reader.byte() {
            let property = property::by_id(id)?;
            let value = match property.kind {
                Kind::Byte => Value::Number(reader.number(1)?),
                Kind::Two => Value::Number(reader.number(2)?),
                Kind::Four => Value::Number(reader.number(4)?),
                Kind::Variable => Value::Number(reader.varint()?),
                Kind::Bytes => Value::Bytes(reader.bytes()?),
                Kind::Pair => {
                    let mut pair = reader.bytes()?;
                    pair.push(b':');
                    pair.extend(reader.bytes()?);
                    Value::Bytes(pair)
                }
            };
            fields.push((property.name, value));
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::step::{Action, parse};

    fn written(line: &str, version: Version) -> Vec<u8> {
        let Action::Send(_, template) = parse(line, 1).expect(line).remove(0).action else {
            panic!("{line}")
        };
        write(&template, version).expect(line)
    }

    #[test]
    fn fields_stand_where_the_standard_has_them() {
        assert_eq!(
            written(r#"A> PUBLISH "a/b" qos=1 id=10 payload=hi"#, Version::V311),
            b"\x32\x09\x00\x03a/b\x00\x0ahi"
        );
        assert_eq!(
            written(
                r#"A> PUBLISH "a" retain topic_alias=5 user_property=k:v"#,
                Version::V5
            ),
            b"\x31\x0e\x00\x01a\x0a\x23\x00\x05\x26\x00\x01k\x00\x01v"
        );
        assert_eq!(
            written(
                r#"A> SUBSCRIBE id=1 "a" qos=1 no_local "b" retain_handling=2"#,
                Version::V5
            ),
            b"\x82\x0b\x00\x01\x00\x00\x01a\x05\x00\x01b\x20"
        );
        assert_eq!(
            written("A> CONNECT client_id=c will_topic=w will_qos=1 will_delay=3 username=u", Version::V5),
            b"\x10\x1c\x00\x04MQTT\x05\x8e\x00\x00\x00\x00\x01c\x05\x18\x00\x00\x00\x03\x00\x01w\x00\x00\x00\x01u"
        );
        assert_eq!(
            written("A> DISCONNECT reason=0x04 session_expiry=1", Version::V5),
            b"\xe0\x07\x04\x05\x11\x00\x00\x00\x01"
        );
        assert_eq!(written("A> PUBREL id=1", Version::V5), b"\x62\x02\x00\x01");
    }

    #[test]
    fn a_field_that_the_packet_does_not_have_is_refused() {
        let Action::Send(_, template) = parse("A> PINGREQ qos=1", 1)
            .expect("a step")
            .remove(0)
            .action
        else {
            panic!()
        };
        assert_eq!(
            write(&template, Version::V5),
            Err("PINGREQ has no field \"qos\"".to_owned())
        );
    }
}

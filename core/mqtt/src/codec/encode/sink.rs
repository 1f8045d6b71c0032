//! Where encoded bytes go, and the data types of the standard (section 1.5) as written there.

use bytes::BytesMut;

use crate::error::EncodeError;
use crate::property::{PropertyId, UserProperties};
use crate::varint;
use crate::version::ProtocolVersion;

/// Takes encoded bytes.
pub(super) trait Sink {
    fn put(&mut self, bytes: &[u8]);
}

impl Sink for BytesMut {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// Counts the bytes and keeps none.
#[derive(Debug, Default)]
pub(super) struct Counter {
    pub(super) n_bytes: usize,
}

impl Sink for Counter {
    fn put(&mut self, bytes: &[u8]) {
        self.n_bytes += bytes.len();
    }
}

impl dyn Sink + '_ {
    pub(super) fn u8(&mut self, value: u8) {
        self.put(&[value]);
    }

    pub(super) fn u16(&mut self, value: u16) {
        self.put(&value.to_be_bytes());
    }

    pub(super) fn varint(&mut self, value: usize) -> Result<(), EncodeError> {
        let (bytes, n_bytes) =
            varint::write(value).ok_or(EncodeError::PacketTooLong { n_bytes: value })?;
        self.put(bytes.get(..n_bytes).unwrap_or_default());
        Ok(())
    }

    /// Binary Data.
    pub(super) fn binary(&mut self, field: &'static str, bytes: &[u8]) -> Result<(), EncodeError> {
        self.put(&field_len(field, bytes)?.to_be_bytes());
        self.put(bytes);
        Ok(())
    }

    /// UTF-8 String, which must not have U+0000 [MQTT-1.5.4-2].
    pub(super) fn string(&mut self, field: &'static str, text: &str) -> Result<(), EncodeError> {
        self.binary(field, checked(field, text)?)
    }

    /// The length of a section of properties and the properties; nothing in 3.1.1.
    pub(super) fn properties(
        &mut self,
        version: ProtocolVersion,
        write: impl Fn(&mut dyn Sink) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        if !version.is_v5() {
            return Ok(());
        }
        let mut counter = Counter::default();
        write(&mut counter)?;
        self.varint(counter.n_bytes)?;
        if counter.n_bytes == 0 {
            Ok(())
        } else {
            write(self)
        }
    }

    pub(super) fn byte_property(&mut self, id: PropertyId, value: u8) {
        self.put(&[id as u8, value]);
    }

    pub(super) fn two_byte_property(&mut self, id: PropertyId, value: u16) {
        self.u8(id as u8);
        self.u16(value);
    }

    pub(super) fn four_byte_property(&mut self, id: PropertyId, value: u32) {
        self.u8(id as u8);
        self.put(&value.to_be_bytes());
    }

    pub(super) fn string_property(
        &mut self,
        id: PropertyId,
        text: Option<&str>,
    ) -> Result<(), EncodeError> {
        let Some(text) = text else { return Ok(()) };
        self.u8(id as u8);
        self.string(id.name(), text)
    }

    pub(super) fn binary_property(
        &mut self,
        id: PropertyId,
        bytes: Option<&[u8]>,
    ) -> Result<(), EncodeError> {
        let Some(bytes) = bytes else { return Ok(()) };
        self.u8(id as u8);
        self.binary(id.name(), bytes)
    }

    /// Passed on as they are, in their order [MQTT-3.3.2-18].
    pub(super) fn user_properties(&mut self, properties: &UserProperties) {
        properties.as_ref().encoded_parts(|part| self.put(part));
    }
}

/// The two byte length of a field.
pub(super) fn field_len(field: &'static str, bytes: &[u8]) -> Result<u16, EncodeError> {
    u16::try_from(bytes.len()).map_err(|_| EncodeError::FieldTooLong {
        field,
        n_bytes: bytes.len(),
    })
}

/// The bytes of a text without U+0000.
pub(super) fn checked<'a>(field: &'static str, text: &'a str) -> Result<&'a [u8], EncodeError> {
    if text.as_bytes().contains(&0) {
        return Err(EncodeError::NullCharacter { field });
    }
    Ok(text.as_bytes())
}

//! Reads the data types of the standard (section 1.5) off a packet, and knows at which byte it stands.

use crate::clause::{self, Clause};
use crate::error::{DecodeError, DecodeErrorKind};
use crate::ids::PacketIdentifier;
use crate::packet::PacketType;
use crate::topic::TopicError;
use crate::varint::{self, Varint};
use crate::version::ProtocolVersion;

/// The unread part of a packet, or of one section of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
    /// Offset in the packet of the byte after `rest`, so that reading need not count.
    end: usize,
    pub(super) packet_type: PacketType,
    pub(super) version: ProtocolVersion,
}

impl<'a> Reader<'a> {
    /// Reads `body`, the last bytes of a packet of `packet_len` bytes.
    #[inline]
    pub(super) fn new(
        body: &'a [u8],
        packet_len: usize,
        packet_type: PacketType,
        version: ProtocolVersion,
    ) -> Self {
        Self {
            rest: body,
            end: packet_len,
            packet_type,
            version,
        }
    }

    /// Bytes from the start of the packet to the next unread byte.
    #[inline]
    pub(super) fn offset(&self) -> usize {
        self.end - self.rest.len()
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    #[cold]
    #[inline(never)]
    pub(super) fn fail(&self, kind: DecodeErrorKind, offset: usize, clause: Clause) -> DecodeError {
        DecodeError {
            packet_type: Some(self.packet_type),
            offset,
            kind,
            clause: clause.of(self.version),
        }
    }

    #[cold]
    #[inline(never)]
    fn truncated(&self) -> DecodeError {
        self.fail(DecodeErrorKind::Truncated, self.offset(), clause::MALFORMED)
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let Some((array, rest)) = self.rest.split_first_chunk::<N>() else {
            return Err(self.truncated());
        };
        self.rest = rest;
        Ok(*array)
    }

    #[inline]
    pub(super) fn u8(&mut self) -> Result<u8, DecodeError> {
        self.array().map(|[byte]| byte)
    }

    #[inline]
    pub(super) fn u16(&mut self) -> Result<u16, DecodeError> {
        self.array().map(u16::from_be_bytes)
    }

    #[inline]
    pub(super) fn u32(&mut self) -> Result<u32, DecodeError> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn varint(&mut self) -> Result<u32, DecodeError> {
        match varint::read(self.rest) {
            Varint::Value(value, n_bytes) => {
                self.rest = self.rest.get(n_bytes..).unwrap_or_default();
                Ok(value)
            }
            Varint::Incomplete => Err(self.truncated()),
            Varint::Malformed => Err(self.fail(
                DecodeErrorKind::VariableByteInteger,
                self.offset(),
                clause::VARINT,
            )),
        }
    }

    /// Binary Data: two bytes of length and as many bytes.
    #[inline]
    pub(super) fn binary(&mut self) -> Result<&'a [u8], DecodeError> {
        let Some((len, after)) = self.rest.split_first_chunk::<2>() else {
            return Err(self.truncated());
        };
        let Some((value, rest)) = after.split_at_checked(usize::from(u16::from_be_bytes(*len)))
        else {
            return Err(self.truncated());
        };
        self.rest = rest;
        Ok(value)
    }

    /// UTF-8 String: well formed and without U+0000 [MQTT-1.5.4-1, MQTT-1.5.4-2].
    ///
    /// U+FEFF is kept as it is [MQTT-1.5.4-3].
    pub(super) fn string(&mut self) -> Result<&'a str, DecodeError> {
        let start = self.offset() + 2;
        let bytes = self.binary()?;
        match std::str::from_utf8(bytes) {
            // Faster than looking for its place, which is of interest only if there is one.
            Ok(text) if !bytes.contains(&0) => Ok(text),
            _ => Err(self.bad_string(bytes, start)),
        }
    }

    /// Finds what is wrong with the string `bytes` that begins at `start`.
    #[cold]
    #[inline(never)]
    fn bad_string(&self, bytes: &[u8], start: usize) -> DecodeError {
        match std::str::from_utf8(bytes) {
            Err(error) => self.fail(
                DecodeErrorKind::IllFormedUtf8,
                start + error.valid_up_to(),
                clause::UTF8,
            ),
            Ok(_) => {
                let at = bytes.iter().position(|byte| *byte == 0).unwrap_or_default();
                self.fail(
                    DecodeErrorKind::NullCharacter,
                    start + at,
                    clause::UTF8_NULL,
                )
            }
        }
    }

    /// UTF-8 String that is a Topic Name, or empty; `wildcard` is the clause that forbids wildcards here.
    pub(super) fn topic_name(&mut self, wildcard: Clause) -> Result<&'a str, DecodeError> {
        let start = *self;
        self.good_topic_name()
            .ok_or_else(|| start.bad_topic_name(wildcard))
    }

    /// The Topic Name, or empty string, that comes next; [`Self::bad_topic_name`] tells why there is none.
    #[inline(always)]
    pub(super) fn good_topic_name(&mut self) -> Option<&'a str> {
        let (len, after) = self.rest.split_first_chunk::<2>()?;
        let (bytes, rest) = after.split_at_checked(usize::from(u16::from_be_bytes(*len)))?;
        if has_forbidden(bytes) {
            return None;
        }
        self.rest = rest;
        std::str::from_utf8(bytes).ok()
    }

    /// Finds what is wrong with the Topic Name that comes next.
    #[cold]
    #[inline(never)]
    pub(super) fn bad_topic_name(mut self, wildcard: Clause) -> DecodeError {
        let start = self.offset() + 2;
        match self.string() {
            Err(error) => error,
            Ok(text) => {
                let at = text
                    .bytes()
                    .position(|byte| byte == b'+' || byte == b'#')
                    .unwrap_or_default();
                self.fail(
                    DecodeErrorKind::TopicName(TopicError::WildcardInTopicName),
                    start + at,
                    wildcard,
                )
            }
        }
    }

    pub(super) fn packet_identifier(&mut self) -> Result<PacketIdentifier, DecodeError> {
        let offset = self.offset();
        PacketIdentifier::new(self.u16()?).ok_or_else(|| {
            self.fail(
                DecodeErrorKind::PacketIdentifierZero,
                offset,
                clause::PACKET_IDENTIFIER,
            )
        })
    }

    /// The next `n_bytes` as a reader of their own.
    pub(super) fn section(&mut self, n_bytes: usize) -> Result<Self, DecodeError> {
        let Some((section, rest)) = self.rest.split_at_checked(n_bytes) else {
            return Err(self.truncated());
        };
        self.rest = rest;
        Ok(Self {
            rest: section,
            end: self.offset(),
            ..*self
        })
    }

    /// All that is left: the payload of PUBLISH, or a whole section.
    #[inline]
    pub(super) fn remaining(&self) -> &'a [u8] {
        self.rest
    }

    /// Ends the packet: nothing may be left.
    pub(super) fn finish(&self) -> Result<(), DecodeError> {
        if self.rest.is_empty() {
            return Ok(());
        }
        Err(self.fail(
            DecodeErrorKind::TrailingBytes,
            self.offset(),
            clause::MALFORMED,
        ))
    }

    /// True and nothing read if the next byte is zero, as the length of absent properties is.
    #[inline]
    pub(super) fn skip_zero(&mut self) -> bool {
        match self.rest {
            [0, rest @ ..] => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }
}

/// Whether there is a U+0000, `+` or `#`, eight bytes at a time.
#[inline]
fn has_forbidden(bytes: &[u8]) -> bool {
    let (words, tail) = bytes.as_chunks::<8>();
    let mut found = 0;
    for word in words {
        found |= forbidden_bits(u64::from_le_bytes(*word));
    }
    // The last eight bytes again, rather than a copy of the few that are left: reading back what was just written in pieces stalls.
    let last = bytes.last_chunk::<8>().copied().unwrap_or_else(|| {
        let mut last = [0xff; 8];
        for (to, from) in last.iter_mut().zip(tail) {
            *to = *from;
        }
        last
    });
    (found | forbidden_bits(u64::from_le_bytes(last))) != 0
}

/// Not zero if and only if one of the eight bytes is 0, `+` or `#`.
#[inline]
fn forbidden_bits(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    // The classic test for a zero byte; exact when only "any or none" is asked.
    let zero = |word: u64| word.wrapping_sub(ONES) & !word & HIGH;
    zero(word) | zero(word ^ (ONES * b'+' as u64)) | zero(word ^ (ONES * b'#' as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forbidden_bytes_are_found_at_every_place_and_nothing_else_is() {
        for len in 0..40 {
            for at in 0..len {
                for byte in 0..=255 {
                    let mut bytes = vec![b'a'; len];
                    bytes[at] = byte;
                    assert_eq!(
                        has_forbidden(&bytes),
                        matches!(byte, 0 | b'+' | b'#'),
                        "{byte:02x} at {at} of {len}"
                    );
                }
            }
        }
    }

    #[test]
    fn sections_count_from_the_start_of_the_packet() {
        let body = [1, 2, 3, 4, 5];
        let mut reader = Reader::new(&body, 7, PacketType::PubAck, ProtocolVersion::V5);
        assert_eq!((reader.offset(), reader.u8().ok()), (2, Some(1)));
        let mut section = reader.section(3).expect("three bytes are there");
        assert_eq!(
            (section.offset(), section.u16().ok(), section.offset()),
            (3, Some(0x0203), 5)
        );
        assert_eq!((reader.offset(), reader.remaining()), (6, &[5][..]));
        assert_eq!(
            reader.section(2).map(|_| ()).map_err(|error| error.offset),
            Err(6)
        );
    }
}

//! User Properties in the form they have on the wire.
//!
//! They pass through a broker untouched, so they stay encoded: an owned list is one buffer, a borrowed one is a slice
//! of the packet, and neither allocates while it is empty.

use std::fmt;

use super::{PropertyId, RawProperties};
use crate::error::EncodeError;

/// User Properties, owned, in the order of the sender. Empty means no allocation.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct UserProperties {
    /// Consecutive properties 0x26, as on the wire.
    encoded: Vec<u8>,
}

/// User Properties borrowed from a packet or from [`UserProperties`].
#[derive(Clone, Copy, Default)]
pub struct UserPropertiesRef<'a> {
    /// Whole, valid properties; those that are not 0x26 are skipped.
    raw: &'a [u8],
    /// Bytes of the User Properties among them, identifiers included.
    encoded_len: usize,
}

impl UserProperties {
    /// No properties; does not allocate.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            encoded: Vec::new(),
        }
    }

    /// Adds a pair after the others. Names may repeat [MQTT-3.3.2-18].
    ///
    /// # Errors
    /// If name or value is longer than 65 535 bytes or has U+0000; nothing is added then.
    pub fn push(&mut self, name: &str, value: &str) -> Result<(), EncodeError> {
        let name_len = checked_len(name)?;
        let value_len = checked_len(value)?;
        self.encoded.reserve(5 + name.len() + value.len());
        self.encoded.push(PropertyId::UserProperty as u8);
        self.encoded.extend_from_slice(&name_len.to_be_bytes());
        self.encoded.extend_from_slice(name.as_bytes());
        self.encoded.extend_from_slice(&value_len.to_be_bytes());
        self.encoded.extend_from_slice(value.as_bytes());
        Ok(())
    }

    /// True if there is no pair.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.encoded.is_empty()
    }

    /// How many pairs there are; counts them.
    #[must_use]
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// How many bytes the pairs take in a packet, their identifiers included.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        self.encoded.len()
    }

    /// The pairs in their order.
    #[must_use]
    pub fn iter(&self) -> UserPropertiesIter<'_> {
        self.as_ref().iter()
    }

    /// The same pairs, borrowed.
    #[must_use]
    pub fn as_ref(&self) -> UserPropertiesRef<'_> {
        UserPropertiesRef {
            raw: &self.encoded,
            encoded_len: self.encoded.len(),
        }
    }
}

impl fmt::Debug for UserProperties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.as_ref(), f)
    }
}

impl<'a> IntoIterator for &'a UserProperties {
    type Item = (&'a str, &'a str);
    type IntoIter = UserPropertiesIter<'a>;

    fn into_iter(self) -> UserPropertiesIter<'a> {
        self.iter()
    }
}

impl<'a> UserPropertiesRef<'a> {
    /// Whole properties that were checked before; `encoded_len` bytes of them are User Properties.
    pub(crate) fn from_checked(raw: &'a [u8], encoded_len: usize) -> Self {
        // An empty list does not hold on to the packet.
        if encoded_len == 0 {
            Self::default()
        } else {
            Self { raw, encoded_len }
        }
    }

    /// True if there is no pair. Constant time.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.encoded_len == 0
    }

    /// How many pairs there are; counts them.
    #[must_use]
    pub fn len(self) -> usize {
        self.iter().count()
    }

    /// How many bytes the pairs take in a packet, their identifiers included.
    #[must_use]
    pub fn encoded_len(self) -> usize {
        self.encoded_len
    }

    /// The pairs in their order.
    #[must_use]
    pub fn iter(self) -> UserPropertiesIter<'a> {
        UserPropertiesIter {
            properties: RawProperties { rest: self.raw },
        }
    }

    /// An own copy, free of the packet.
    #[must_use]
    pub fn to_owned(self) -> UserProperties {
        let mut encoded = Vec::with_capacity(self.encoded_len);
        self.encoded_parts(|part| encoded.extend_from_slice(part));
        UserProperties { encoded }
    }

    /// Hands over the encoded pairs, in one piece where nothing else lies between them.
    pub(crate) fn encoded_parts(self, mut put: impl FnMut(&'a [u8])) {
        if self.encoded_len == self.raw.len() {
            put(self.raw);
            return;
        }
        for property in (RawProperties { rest: self.raw }) {
            if property.id == PropertyId::UserProperty {
                put(property.whole);
            }
        }
    }
}

impl PartialEq for UserPropertiesRef<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.encoded_len == other.encoded_len && self.iter().eq(other.iter())
    }
}

impl Eq for UserPropertiesRef<'_> {}

impl fmt::Debug for UserPropertiesRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<'a> IntoIterator for UserPropertiesRef<'a> {
    type Item = (&'a str, &'a str);
    type IntoIter = UserPropertiesIter<'a>;

    fn into_iter(self) -> UserPropertiesIter<'a> {
        self.iter()
    }
}

/// Iterator over the pairs of User Properties.
#[derive(Clone)]
pub struct UserPropertiesIter<'a> {
    properties: RawProperties<'a>,
}

impl<'a> Iterator for UserPropertiesIter<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<(&'a str, &'a str)> {
        let pair = self
            .properties
            .find(|property| property.id == PropertyId::UserProperty)?
            .value;
        let (name, rest) = split_prefixed(pair)?;
        let (value, _) = split_prefixed(rest)?;
        // Both were checked when the packet was decoded or the pair was pushed.
        Some((
            std::str::from_utf8(name).ok()?,
            std::str::from_utf8(value).ok()?,
        ))
    }
}

fn split_prefixed(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (prefix, rest) = bytes.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*prefix)))
}

fn checked_len(text: &str) -> Result<u16, EncodeError> {
    if text.contains('\0') {
        return Err(EncodeError::NullCharacter {
            field: "user property",
        });
    }
    u16::try_from(text.len()).map_err(|_| EncodeError::FieldTooLong {
        field: "user property",
        n_bytes: text.len(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_keep_their_order_and_may_repeat() {
        let mut properties = UserProperties::new();
        assert!(properties.is_empty());
        for (name, value) in [("a", "1"), ("", ""), ("a", "2")] {
            properties.push(name, value).expect("short");
        }
        assert_eq!(
            properties.iter().collect::<Vec<_>>(),
            [("a", "1"), ("", ""), ("a", "2")]
        );
        assert_eq!((properties.len(), properties.encoded_len()), (3, 19));
        assert_eq!(properties.as_ref().to_owned(), properties);
    }

    #[test]
    fn a_pair_that_cannot_be_written_is_refused_whole() {
        let mut properties = UserProperties::new();
        assert!(properties.push("a", &"b".repeat(65_536)).is_err());
        assert!(properties.push("a\0", "").is_err());
        assert!(properties.is_empty());
    }

    #[test]
    fn other_properties_in_between_are_skipped() {
        let raw = [
            &[0x01, 1][..],
            &[0x26, 0, 1, b'a', 0, 1, b'b'],
            &[0x0b, 0x80, 1],
            &[0x26, 0, 0, 0, 0],
            &[0x03, 0, 1, b'x'],
        ]
        .concat();
        let properties = UserPropertiesRef::from_checked(&raw, 12);
        assert_eq!(
            properties.iter().collect::<Vec<_>>(),
            [("a", "b"), ("", "")]
        );
        assert_eq!(properties.to_owned().as_ref(), properties);
        assert_eq!(properties.to_owned().encoded_len(), 12);
    }

    #[test]
    fn bytes_that_were_never_checked_end_the_walk() {
        for raw in [
            &[0x26][..],
            &[0x26, 0, 5, b'a'],
            &[0x26, 0, 0, 0],
            &[0xff],
            &[0x0b, 0x80],
            &[0x26, 0, 1, 0xff, 0, 0],
        ] {
            assert_eq!(
                UserPropertiesRef::from_checked(raw, 1).iter().count(),
                0,
                "{raw:x?}"
            );
        }
    }
}

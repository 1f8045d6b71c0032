//! The Variable Byte Integer: seven bits a byte, at most four bytes (section 1.5.5 of MQTT 5.0, 2.2.3 of 3.1.1).

/// The greatest value: 268 435 455.
pub const MAX: u32 = 268_435_455;

/// What the first bytes of a buffer say about a Variable Byte Integer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Varint {
    /// The value and how many bytes it took, 1 to 4.
    Value(u32, usize),
    /// More bytes are needed to know.
    Incomplete,
    /// The fourth byte says that a fifth follows, or more bytes were used than needed [MQTT-1.5.5-1].
    Malformed,
}

/// Reads the integer at the start of `bytes`.
#[inline]
#[must_use]
pub fn read(bytes: &[u8]) -> Varint {
    // Most packets and property sections are shorter than 128 bytes.
    match bytes {
        [] => Varint::Incomplete,
        [byte, ..] if *byte < 0x80 => Varint::Value(u32::from(*byte), 1),
        _ => read_long(bytes),
    }
}

fn read_long(bytes: &[u8]) -> Varint {
    let mut value = 0;
    for (index, byte) in bytes.iter().take(4).enumerate() {
        value |= u32::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            // A last byte of zero adds nothing, so fewer bytes would have done [MQTT-1.5.5-1].
            let minimal = index == 0 || *byte != 0;
            return if minimal {
                Varint::Value(value, index + 1)
            } else {
                Varint::Malformed
            };
        }
    }
    if bytes.len() < 4 {
        Varint::Incomplete
    } else {
        Varint::Malformed
    }
}

/// How many bytes `value` takes. Values greater than [`MAX`] do not fit; callers check first.
#[inline]
#[must_use]
pub const fn size(value: usize) -> usize {
    match value {
        0..=127 => 1,
        128..=16_383 => 2,
        16_384..=2_097_151 => 3,
        _ => 4,
    }
}

/// The bytes of `value` in a fixed array, and how many of them count. `None` if it is greater than [`MAX`].
#[inline]
#[must_use]
pub fn write(value: usize) -> Option<([u8; 4], usize)> {
    let value = u32::try_from(value).ok().filter(|value| *value <= MAX)?;
    let [a, b, c, d] = [
        value & 0x7f,
        (value >> 7) & 0x7f,
        (value >> 14) & 0x7f,
        value >> 21,
    ]
    .map(low_byte);
    Some(match value {
        0..=127 => ([a, 0, 0, 0], 1),
        128..=16_383 => ([a | 0x80, b, 0, 0], 2),
        16_384..=2_097_151 => ([a | 0x80, b | 0x80, c, 0], 3),
        _ => ([a | 0x80, b | 0x80, c | 0x80, d], 4),
    })
}

#[inline]
fn low_byte(value: u32) -> u8 {
    value.to_le_bytes()[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes_of(value: usize) -> Vec<u8> {
        let (bytes, n_bytes) = write(value).expect("the value fits");
        assert_eq!(n_bytes, size(value));
        bytes[..n_bytes].to_vec()
    }

    /// The borders of table 1-1 of MQTT 5.0.
    #[test]
    fn borders_take_the_bytes_that_the_standard_says() {
        for (value, bytes) in [
            (0, &[0x00][..]),
            (127, &[0x7f]),
            (128, &[0x80, 0x01]),
            (16_383, &[0xff, 0x7f]),
            (16_384, &[0x80, 0x80, 0x01]),
            (2_097_151, &[0xff, 0xff, 0x7f]),
            (2_097_152, &[0x80, 0x80, 0x80, 0x01]),
            (268_435_455, &[0xff, 0xff, 0xff, 0x7f]),
        ] {
            assert_eq!(bytes_of(value), bytes);
            assert_eq!(read(bytes), Varint::Value(value as u32, bytes.len()));
            for cut in 0..bytes.len() {
                assert_eq!(read(&bytes[..cut]), Varint::Incomplete);
            }
        }
        assert_eq!(write(268_435_456), None);
    }

    /// [MQTT-1.5.5-1]
    #[test]
    fn longer_forms_than_needed_are_malformed() {
        for bytes in [
            &[0x80, 0x00][..],
            &[0xff, 0x80, 0x00],
            &[0x80, 0x80, 0x80, 0x80],
            &[0xff; 5],
            &[0x80, 0x80, 0x80, 0x00],
        ] {
            assert_eq!(read(bytes), Varint::Malformed, "{bytes:x?}");
        }
    }
}

//! Takes fields from bytes that nobody vouches for.

use std::time::{Duration, SystemTime};

use super::Malformed;

/// The fields that were not taken yet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(rest: &'a [u8]) -> Self {
        Self { rest }
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Malformed> {
        Ok(u8::from_be_bytes(self.array()?))
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Malformed> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Malformed> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Malformed> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    /// A length or a count: seven bits a byte, the lowest first.
    pub(crate) fn len(&mut self) -> Result<usize, Malformed> {
        let mut value = 0_u64;
        for shift in (0..35).step_by(7) {
            let byte = self.u8()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return usize::try_from(value).map_err(|_| Malformed::Field("length"));
            }
        }
        Err(Malformed::Field("length"))
    }

    /// Bytes behind their length.
    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let len = self.len()?;
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(Malformed::Short)?;
        self.rest = rest;
        Ok(taken)
    }

    /// Text behind its length.
    pub(crate) fn text(&mut self) -> Result<&'a str, Malformed> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Malformed::Field("text"))
    }

    /// A time by the wall clock, to the microsecond.
    pub(crate) fn time(&mut self) -> Result<SystemTime, Malformed> {
        let micros = i64::from_be_bytes(self.array()?);
        let apart = Duration::from_micros(micros.unsigned_abs());
        let time = if micros < 0 {
            SystemTime::UNIX_EPOCH.checked_sub(apart)
        } else {
            SystemTime::UNIX_EPOCH.checked_add(apart)
        };
        time.ok_or(Malformed::Field("time"))
    }

    /// Everything that is left.
    pub(crate) const fn rest(self) -> &'a [u8] {
        self.rest
    }

    /// Nothing may be left.
    pub(crate) const fn end(self) -> Result<(), Malformed> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(Malformed::Long)
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(Malformed::Short)?;
        self.rest = rest;
        Ok(*taken)
    }
}

#[cfg(test)]
mod tests {
    use super::super::writer;
    use super::*;

    #[test]
    fn lengths_and_times_come_back() {
        for value in [0, 1, 127, 128, 300, 65_535, 1 << 28] {
            let mut bytes = Vec::new();
            writer::len(&mut bytes, value);
            assert_eq!(Reader::new(&bytes).len(), Ok(value));
        }
        for (seconds, is_before) in [(0, false), (1, true), (1_800_000_000, false)] {
            let apart = Duration::from_secs(seconds) + Duration::from_micros(7);
            let time = if is_before {
                SystemTime::UNIX_EPOCH - apart
            } else {
                SystemTime::UNIX_EPOCH + apart
            };
            let mut bytes = Vec::new();
            writer::time(&mut bytes, time);
            assert_eq!(Reader::new(&bytes).time(), Ok(time));
        }
    }

    #[test]
    fn a_length_beyond_the_bytes_is_an_error_and_no_allocation() {
        assert_eq!(
            Reader::new(&[0xff, 0xff, 0xff, 0x7f, 1]).bytes(),
            Err(Malformed::Short)
        );
        assert_eq!(
            Reader::new(&[0xff; 8]).bytes(),
            Err(Malformed::Field("length"))
        );
        assert_eq!(
            Reader::new(&[1, 0xff]).text(),
            Err(Malformed::Field("text"))
        );
    }
}

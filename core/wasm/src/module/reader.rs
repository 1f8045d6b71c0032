//! Reads what a guest hands over. Every address and length is the guest's word and is checked against its memory.

use std::borrow::Cow;

use hookmq_plugin_api::abi::tag;
use hookmq_plugin_api::field::FIELDS;
use hookmq_plugin_api::{Field, Owned, Record};

use super::layout::size;
use crate::error::Fault;

/// Items of one list. No packet of use has more pairs, and to copy them is time that no deadline cuts.
const MAX_PAIRS: u32 = 10_000;
/// The same of records: `load_retained` gives whole stores.
const MAX_RECORDS: u32 = 100_000;
/// The same of a record's parts: more than any record has fields.
const MAX_PARTS: u32 = 64;

/// The longest text that a packet can carry [MQTT-1.5.4].
const MAX_STRING: usize = 65_535;

/// A guest's memory for the length of one host call. What is copied out of it is counted: a thousand pairs may name one long text.
pub(super) struct Reader<'a> {
    memory: &'a [u8],
    left: usize,
    /// What is no UTF-8 is read with U+FFFD for it, and what does not fit is left out.
    is_lenient: bool,
    /// What was not as it should be, for a lenient reader: the first of it.
    unfit: Option<String>,
}

impl<'a> Reader<'a> {
    /// At most as many bytes as the memory has are copied out.
    pub(super) const fn new(memory: &'a [u8]) -> Self {
        Self {
            left: memory.len(),
            memory,
            is_lenient: false,
            unfit: None,
        }
    }

    /// For what a refusal comes with: it stands, whatever text that is.
    pub(super) fn lenient(memory: &'a [u8]) -> Self {
        Self {
            is_lenient: true,
            ..Self::new(memory)
        }
    }

    /// Why what was read is not all that the guest handed over, if so.
    pub(super) fn unfit(self) -> Option<String> {
        self.unfit
    }

    pub(super) fn slice(&self, what: &str, at: u32, len: u32) -> Result<&'a [u8], Fault> {
        let end = (at as usize).saturating_add(len as usize);
        if len == 0 {
            return Ok(&[]);
        }
        self.memory.get(at as usize..end).ok_or_else(|| {
            Fault::answer(format!(
                "{what}: {len} bytes at {at:#x} do not lie within its memory of {} bytes",
                self.memory.len()
            ))
        })
    }

    fn array<const N: usize>(&self, what: &str, at: u32) -> Result<[u8; N], Fault> {
        let len = u32::try_from(N).unwrap_or(u32::MAX);
        let bytes = self.slice(what, at, len)?;
        Ok(bytes.try_into().unwrap_or([0; N]))
    }

    pub(super) fn u32(&self, what: &str, at: u32) -> Result<u32, Fault> {
        Ok(u32::from_le_bytes(self.array(what, at)?))
    }

    fn i64(&self, what: &str, at: u32) -> Result<i64, Fault> {
        Ok(i64::from_le_bytes(self.array(what, at)?))
    }

    /// A struct that begins with its size: at least `least` bytes of it are there. What lies beyond is of a newer version.
    pub(super) fn sized(&self, what: &str, at: u32, least: u32) -> Result<(), Fault> {
        let size = self.u32(what, at)?;
        if size < least {
            return Err(Fault::answer(format!(
                "{what}: its size is {size}, and version 1 has {least} bytes"
            )));
        }
        self.slice(what, at, least)?;
        Ok(())
    }

    /// A `Bytes` struct: where its bytes lie.
    fn bytes_at(&self, what: &str, at: u32) -> Result<(u32, u32), Fault> {
        self.slice(what, at, size::BYTES)?;
        Ok((self.u32(what, at)?, self.u32(what, at.wrapping_add(4))?))
    }

    /// What a `Bytes` struct names.
    pub(super) fn bytes(&mut self, what: &str, at: u32) -> Result<&'a [u8], Fault> {
        let (data, len) = self.bytes_at(what, at)?;
        let bytes = self.slice(what, data, len)?;
        self.count(what, bytes.len())?;
        Ok(bytes)
    }

    /// The same, absent where its pointer is null.
    pub(super) fn maybe_bytes(&mut self, what: &str, at: u32) -> Result<Option<&'a [u8]>, Fault> {
        let (data, _) = self.bytes_at(what, at)?;
        if data == 0 {
            return Ok(None);
        }
        self.bytes(what, at).map(Some)
    }

    /// The same as text.
    pub(super) fn text(&mut self, what: &str, at: u32) -> Result<&'a str, Fault> {
        utf8(what, self.bytes(what, at)?).map_err(Fault::answer)
    }

    /// The same as words: of a lenient reader, no error if it is no UTF-8. Of what is too long for any packet there is one byte too
    /// much; the broker cuts it or leaves it out.
    pub(super) fn words(&mut self, what: &str, at: u32) -> Result<Cow<'a, str>, Fault> {
        if !self.is_lenient {
            return self.text(what, at).map(Cow::Borrowed);
        }
        let (data, len) = self.bytes_at(what, at)?;
        let bytes = self.slice(what, data, len)?;
        let bytes = bytes.get(..=MAX_STRING).unwrap_or(bytes);
        self.count(what, bytes.len())?;
        Ok(match utf8(what, bytes) {
            Ok(text) => Cow::Borrowed(text),
            Err(why) => {
                self.unfit.get_or_insert(why);
                String::from_utf8_lossy(bytes)
            }
        })
    }

    pub(super) fn maybe_text(&mut self, what: &str, at: u32) -> Result<Option<&'a str>, Fault> {
        self.maybe_bytes(what, at)?
            .map(|bytes| utf8(what, bytes).map_err(Fault::answer))
            .transpose()
    }

    /// A text by address and length.
    pub(super) fn str(&mut self, what: &str, at: u32, len: u32) -> Result<&'a str, Fault> {
        let bytes = self.slice(what, at, len)?;
        self.count(what, bytes.len())?;
        utf8(what, bytes).map_err(Fault::answer)
    }

    fn count(&mut self, what: &str, len: usize) -> Result<(), Fault> {
        self.left = self.left.checked_sub(len).ok_or_else(|| {
            Fault::answer(format!("{what}: it names more bytes than its memory has"))
        })?;
        Ok(())
    }

    fn items(
        &mut self,
        what: &str,
        at: u32,
        (count, most): (u32, u32),
        each: u32,
    ) -> Result<(), Fault> {
        if count > most {
            return Err(Fault::answer(too_many(what, count, most)));
        }
        let len = count.saturating_mul(each);
        self.slice(what, at, len)?;
        self.count(what, len as usize)
    }

    /// `count` pairs at `at`.
    pub(super) fn pairs(
        &mut self,
        what: &str,
        at: u32,
        count: u32,
    ) -> Result<Vec<(String, String)>, Fault> {
        let count = self.fitting(what, count);
        self.items(what, at, (count, MAX_PAIRS), size::PAIR)?;
        (0..count)
            .map(|index| {
                let at = at + index * size::PAIR;
                let name = self.words(what, at)?.into_owned();
                let value = self.words(what, at + size::BYTES)?.into_owned();
                Ok((name, value))
            })
            .collect()
    }

    /// `count` texts, each a `Bytes` struct.
    pub(super) fn texts(
        &mut self,
        what: &str,
        at: u32,
        count: u32,
    ) -> Result<Vec<Box<str>>, Fault> {
        let count = self.fitting(what, count);
        self.items(what, at, (count, MAX_PAIRS), size::BYTES)?;
        (0..count)
            .map(|index| Ok(self.words(what, at + index * size::BYTES)?.into()))
            .collect()
    }

    /// So many items of a list are read: of a lenient reader no more than are taken.
    fn fitting(&mut self, what: &str, count: u32) -> u32 {
        if count <= MAX_PAIRS || !self.is_lenient {
            return count;
        }
        self.unfit
            .get_or_insert_with(|| too_many(what, count, MAX_PAIRS));
        MAX_PAIRS
    }

    /// A `Value` struct.
    pub(super) fn value(&mut self, what: &str, at: u32) -> Result<Owned, Fault> {
        self.value_within(what, at, true)
    }

    /// Records hold no records, so this goes no deeper than two.
    fn value_within(&mut self, what: &str, at: u32, is_outer: bool) -> Result<Owned, Fault> {
        self.slice(what, at, size::VALUE)?;
        let body = at + 8;
        Ok(match self.u32(what, at)? {
            tag::NIL => Owned::Nil,
            tag::BOOL => Owned::Bool(self.i64(what, body)? != 0),
            tag::INTEGER => Owned::Integer(self.i64(what, body)?),
            tag::TEXT => Owned::Text(self.words(what, body)?.into()),
            tag::BYTES => Owned::Bytes(self.bytes(what, body)?.into()),
            tag::PAIRS => {
                let (items, count) = self.bytes_at(what, body)?;
                Owned::Pairs(self.pairs(what, items, count)?)
            }
            tag::RECORDS if is_outer => {
                let (items, count) = self.bytes_at(what, body)?;
                Owned::Records(self.records(what, items, count)?)
            }
            other => {
                return Err(Fault::answer(format!(
                    "{what}: {other} is no tag of a value here"
                )));
            }
        })
    }

    fn records(&mut self, what: &str, at: u32, count: u32) -> Result<Vec<Record>, Fault> {
        self.items(what, at, (count, MAX_RECORDS), size::RECORD)?;
        (0..count)
            .map(|index| {
                let (parts, n_parts) = self.bytes_at(what, at + index * size::RECORD)?;
                self.items(what, parts, (n_parts, MAX_PARTS), size::PART)?;
                (0..n_parts)
                    .map(|part| {
                        let at = parts + part * size::PART;
                        let field = field_of(what, self.u32(what, at)?)?;
                        let value = self.value_within(field.name(), at + 8, false)?;
                        Ok((field, value))
                    })
                    .collect()
            })
            .collect()
    }
}

fn utf8<'a>(what: &str, bytes: &'a [u8]) -> Result<&'a str, String> {
    std::str::from_utf8(bytes).map_err(|error| {
        format!(
            "{what}: the text is not UTF-8, from byte {} of {}",
            error.valid_up_to(),
            bytes.len()
        )
    })
}

fn too_many(what: &str, count: u32, most: u32) -> String {
    format!("{what}: {count} items, and at most {most} are taken")
}

/// The field of a number.
pub(super) fn field_of(what: &str, number: u32) -> Result<Field, Fault> {
    usize::try_from(number)
        .ok()
        .and_then(|number| FIELDS.get(number))
        .map(|spec| spec.field)
        .ok_or_else(|| Fault::answer(format!("{what}: there is no field {number}")))
}

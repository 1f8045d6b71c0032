//! Writes events, values and what a query found into a module's memory.
//!
//! One pass both measures and writes: what does not fit is counted and left out, so that the caller learns how much room all of it needs.

use hookmq_plugin_api::abi::tag;
use hookmq_plugin_api::{Event, Field, Pairs, Record, Value};

use super::layout::{aligned, size};

/// A window of a module's memory that begins at address `base`, aligned to 8.
pub(super) struct Writer<'a> {
    window: &'a mut [u8],
    base: u32,
    at: usize,
}

impl<'a> Writer<'a> {
    pub(super) const fn new(window: &'a mut [u8], base: u32) -> Self {
        Self {
            window,
            base,
            at: 0,
        }
    }

    /// How many bytes all that was written needs. More than the window has: then it is not all there.
    pub(super) const fn needed(&self) -> usize {
        self.at
    }

    /// Room for a struct or an array; returns its offset.
    pub(super) fn reserve(&mut self, len: usize, alignment: usize) -> usize {
        let at = aligned(self.at, alignment);
        self.at = at.saturating_add(len);
        at
    }

    /// The guest's address of an offset. Wraps only where the bytes do not fit and are not there.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "offsets within the window are addresses of a 32-bit memory"
    )]
    pub(super) const fn address(&self, at: usize) -> u32 {
        self.base.wrapping_add(at as u32)
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        if let Some(place) = self.window.get_mut(at..at.saturating_add(bytes.len())) {
            place.copy_from_slice(bytes);
        }
    }

    pub(super) fn put_u32(&mut self, at: usize, number: u32) {
        self.put(at, &number.to_le_bytes());
    }

    pub(super) fn put_u64(&mut self, at: usize, number: u64) {
        self.put(at, &number.to_le_bytes());
    }

    /// Copies the bytes behind all else, and a `Bytes` struct that names them to `at`.
    #[inline]
    pub(super) fn put_bytes(&mut self, at: usize, bytes: &[u8]) {
        let data = self.reserve(bytes.len(), 1);
        self.put(data, bytes);
        let named = u64::from(self.address(data)) | (bytes.len() as u64 & 0xFFFF_FFFF) << 32;
        self.put_u64(at, named);
    }

    /// An event and its declared fields, from the start of the window.
    #[inline]
    pub(super) fn event(&mut self, event: &dyn Event, fields: &[Field]) {
        let count = u32::try_from(fields.len()).unwrap_or(u32::MAX);
        let header = self.reserve(size::EVENT_PADDED as usize, 8);
        let values = self.reserve(fields.len().saturating_mul(size::VALUE as usize), 8);
        let mut bytes = [0; size::EVENT_PADDED as usize];
        let words = [
            size::EVENT,
            event.hook() as u32,
            event.depth().into(),
            count,
            self.address(values),
        ];
        for (place, word) in bytes.chunks_exact_mut(4).zip(words) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        self.put(header, &bytes);
        for (index, field) in fields.iter().enumerate() {
            self.value(values + index * size::VALUE as usize, event.get(*field));
        }
    }

    /// A `Value` struct at `at`, its data behind all else.
    #[inline]
    pub(super) fn value(&mut self, at: usize, value: Value<'_>) {
        let body = at.saturating_add(8);
        match value {
            Value::Nil => {
                self.tag(at, tag::NIL);
                self.put_u64(body, 0);
            }
            Value::Bool(truth) => {
                self.tag(at, tag::BOOL);
                self.put_u64(body, truth.into());
            }
            Value::Integer(number) => {
                self.tag(at, tag::INTEGER);
                self.put(body, &number.to_le_bytes());
            }
            Value::Text(text) => {
                self.tag(at, tag::TEXT);
                self.put_bytes(body, text.as_bytes());
            }
            Value::Bytes(bytes) => {
                self.tag(at, tag::BYTES);
                self.put_bytes(body, bytes);
            }
            Value::Pairs(pairs) => {
                self.tag(at, tag::PAIRS);
                self.pairs(body, pairs);
            }
            Value::Records(records) => {
                self.tag(at, tag::RECORDS);
                self.records(body, records);
            }
        }
    }

    /// Its number and the reserved word.
    #[inline]
    fn tag(&mut self, at: usize, tag: u32) {
        self.put_u64(at, tag.into());
    }

    fn list(&mut self, at: usize, items: usize, count: usize) {
        self.put_u32(at, self.address(items));
        self.put_u32(
            at.saturating_add(4),
            u32::try_from(count).unwrap_or(u32::MAX),
        );
    }

    fn pairs(&mut self, at: usize, pairs: &dyn Pairs) {
        let mut count = 0_usize;
        pairs.for_each(&mut |_, _| count += 1);
        let each = size::PAIR as usize;
        let items = self.reserve(count.saturating_mul(each), 4);
        self.list(at, items, count);
        let mut next = items;
        pairs.for_each(&mut |name, value| {
            self.put_bytes(next, name.as_bytes());
            self.put_bytes(next.saturating_add(8), value.as_bytes());
            next = next.saturating_add(each);
        });
    }

    fn records(&mut self, at: usize, records: &[Record]) {
        let each = size::RECORD as usize;
        let items = self.reserve(records.len().saturating_mul(each), 4);
        self.list(at, items, records.len());
        for (index, record) in records.iter().enumerate() {
            let part = size::PART as usize;
            let parts = self.reserve(record.len().saturating_mul(part), 8);
            self.list(items + index * each, parts, record.len());
            for (index, (field, value)) in record.iter().enumerate() {
                let at = parts + index * part;
                self.put_u64(at, *field as u64);
                self.value(at + 8, value.as_value());
            }
        }
    }
}

//! Writes events, values and what a query found into a module's memory.
//!
//! One pass both measures and writes: what does not fit is counted and left out, so that the caller learns how much room all of it needs.

use hookmq_plugin_api::abi::tag;
use hookmq_plugin_api::{Event, Field, Hook, Pairs, Record, Value};

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
    pub(super) fn put_bytes(&mut self, at: usize, bytes: &[u8]) {
        let named = self.data(bytes);
        self.put_u64(at, named);
    }

    /// Copies the bytes behind all else; the `Bytes` struct that names them.
    #[inline]
    fn data(&mut self, bytes: &[u8]) -> u64 {
        let data = self.reserve(bytes.len(), 1);
        self.put(data, bytes);
        u64::from(self.address(data)) | (bytes.len() as u64) << 32
    }

    /// A `Value` struct at `at`, its data behind all else.
    pub(super) fn value(&mut self, at: usize, value: Value<'_>) {
        let value = self.lent(value);
        self.put(at, &value);
    }

    /// A `Value` struct, its data written behind all else.
    #[inline]
    fn lent(&mut self, value: Value<'_>) -> [u8; size::VALUE as usize] {
        let (tag, body) = match value {
            Value::Nil => (tag::NIL, 0),
            Value::Bool(truth) => (tag::BOOL, truth.into()),
            Value::Integer(number) => (tag::INTEGER, number.cast_unsigned()),
            Value::Text(text) => (tag::TEXT, self.data(text.as_bytes())),
            Value::Bytes(bytes) => (tag::BYTES, self.data(bytes)),
            Value::Pairs(pairs) => (tag::PAIRS, self.pairs(pairs)),
            Value::Records(records) => (tag::RECORDS, self.records(records)),
        };
        words(tag.into(), body)
    }

    /// A `List` struct.
    fn list(&self, items: usize, count: usize) -> u64 {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        u64::from(self.address(items)) | u64::from(count) << 32
    }

    fn pairs(&mut self, pairs: &dyn Pairs) -> u64 {
        let mut count = 0_usize;
        pairs.for_each(&mut |_, _| count += 1);
        let each = size::PAIR as usize;
        let items = self.reserve(count.saturating_mul(each), 4);
        let mut next = items;
        pairs.for_each(&mut |name, value| {
            self.put_bytes(next, name.as_bytes());
            self.put_bytes(next.saturating_add(8), value.as_bytes());
            next = next.saturating_add(each);
        });
        self.list(items, count)
    }

    fn records(&mut self, records: &[Record]) -> u64 {
        let each = size::RECORD as usize;
        let items = self.reserve(records.len().saturating_mul(each), 4);
        for (index, record) in records.iter().enumerate() {
            let part = size::PART as usize;
            let parts = self.reserve(record.len().saturating_mul(part), 8);
            self.put_u64(items + index * each, self.list(parts, record.len()));
            for (index, (field, value)) in record.iter().enumerate() {
                let at = parts + index * part;
                self.put_u64(at, *field as u64);
                self.value(at + 8, value.as_value());
            }
        }
        self.list(items, records.len())
    }
}

/// Writes an event and its declared fields into a window of a module's memory that begins at address `base`, aligned to 8. Returns how
/// many bytes that needs; if the window has fewer, not all of it is there.
#[inline]
pub(super) fn write_event(
    window: &mut [u8],
    base: u32,
    (hook, depth): (Hook, u8),
    event: &dyn Event,
    fields: &[Field],
) -> usize {
    let structs = (size::EVENT_PADDED as usize)
        .saturating_add(fields.len().saturating_mul(size::VALUE as usize));
    let (structs_window, data) = window
        .split_at_mut_checked(structs)
        .unwrap_or((&mut [], &mut []));
    let mut data = Writer::new(data, Writer::new(&mut [], base).address(structs));
    // What the event struct and a value are made of.
    let (places, _) = structs_window.as_chunks_mut::<16>();
    let values = match places {
        [first, second, values @ ..] => {
            let count = u32::try_from(fields.len()).unwrap_or(u32::MAX);
            *first = words(
                u64::from(size::EVENT) | (hook as u64) << 32,
                u64::from(depth) | u64::from(count) << 32,
            );
            *second = words(base.wrapping_add(size::EVENT_PADDED).into(), 0);
            values
        }
        _ => &mut [],
    };
    let mut values = values.iter_mut();
    for field in fields {
        let value = data.lent(event.get(*field));
        if let Some(place) = values.next() {
            *place = value;
        }
    }
    structs.saturating_add(data.needed())
}

/// Two words of eight bytes, little endian.
#[inline]
fn words(first: u64, second: u64) -> [u8; 16] {
    (u128::from(first) | u128::from(second) << 64).to_le_bytes()
}

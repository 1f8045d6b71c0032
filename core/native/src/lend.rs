//! The broker's values as a library sees them: borrowed where they lie, for the length of one call.
//!
//! Numbers, truths, texts and bytes need nothing. Lists need arrays of pointers, which are kept in a [`Shelf`] until the call is over.

use std::ffi::c_void;
use std::mem::MaybeUninit;

use hookmq_plugin_api::abi::{self, Body, Bytes, List, Pair, Part};
use hookmq_plugin_api::{Owned, Pairs, Record, Value};

use crate::wire::{NIL, lent};

/// What had to be made for the current call; lies still until this is dropped. Most calls need nothing of it.
#[derive(Default)]
pub(crate) struct Shelf(Option<Box<Lists>>);

#[derive(Default)]
struct Lists {
    texts: Vec<Vec<u8>>,
    pairs: Vec<Vec<Pair>>,
    parts: Vec<Vec<Part>>,
    records: Vec<Vec<abi::Record>>,
}

const fn integer(tag: u32, integer: i64) -> abi::Value {
    abi::Value {
        tag,
        reserved: 0,
        body: Body { integer },
    }
}

const fn slice(tag: u32, bytes: Bytes) -> abi::Value {
    abi::Value {
        tag,
        reserved: 0,
        body: Body { bytes },
    }
}

fn list<T>(tag: u32, items: &[T]) -> abi::Value {
    abi::Value {
        tag,
        reserved: 0,
        body: Body {
            list: List {
                items: items.as_ptr().cast::<c_void>(),
                count: items.len(),
            },
        },
    }
}

/// Puts a value for a library in its place. What handlers read most is made there, as a value that is made elsewhere and moved costs
/// as much as the question for it.
#[inline]
pub(crate) fn put(place: &mut MaybeUninit<abi::Value>, given: Value<'_>, shelf: &mut Shelf) {
    match given {
        Value::Text(text) => place.write(slice(abi::tag::TEXT, lent(text.as_bytes()))),
        given => place.write(value(given, shelf)),
    };
}

/// A value for a library; points into `value` and into the shelf.
pub(crate) fn value(value: Value<'_>, shelf: &mut Shelf) -> abi::Value {
    match value {
        Value::Nil => NIL,
        Value::Bool(truth) => integer(abi::tag::BOOL, truth.into()),
        Value::Integer(number) => integer(abi::tag::INTEGER, number),
        Value::Text(text) => slice(abi::tag::TEXT, lent(text.as_bytes())),
        Value::Bytes(bytes) => slice(abi::tag::BYTES, lent(bytes)),
        Value::Pairs(pairs) => shelf.read_pairs(pairs),
        Value::Records(records) => shelf.records(records),
    }
}

impl Shelf {
    /// Whether it holds anything.
    pub(crate) const fn is_used(&self) -> bool {
        self.0.is_some()
    }

    fn lists(&mut self) -> &mut Lists {
        self.0.get_or_insert_default()
    }

    /// Pairs that are read one by one, so they are copied.
    #[cold]
    fn read_pairs(&mut self, pairs: &dyn Pairs) -> abi::Value {
        let mut text = Vec::new();
        let mut lengths = Vec::new();
        pairs.for_each(&mut |name, value| {
            text.extend_from_slice(name.as_bytes());
            text.extend_from_slice(value.as_bytes());
            lengths.push((name.len(), value.len()));
        });
        let mut rest = text.as_slice();
        let mut take = |len: usize| {
            let (taken, left) = rest.split_at_checked(len).unwrap_or((rest, &[]));
            rest = left;
            lent(taken)
        };
        let items: Vec<_> = lengths
            .into_iter()
            .map(|(name, value)| Pair {
                name: take(name),
                value: take(value),
            })
            .collect();
        // Moving a vector does not move what it holds.
        self.lists().texts.push(text);
        self.keep_pairs(items)
    }

    fn keep_pairs(&mut self, items: Vec<Pair>) -> abi::Value {
        let value = list(abi::tag::PAIRS, &items);
        self.lists().pairs.push(items);
        value
    }

    #[cold]
    fn records(&mut self, records: &[Record]) -> abi::Value {
        let items: Vec<_> = records
            .iter()
            .map(|record| {
                let parts: Vec<_> = record
                    .iter()
                    .map(|(field, part)| Part {
                        field: *field as u32,
                        reserved: 0,
                        value: self.part(part),
                    })
                    .collect();
                let record = abi::Record {
                    parts: parts.as_ptr(),
                    count: parts.len(),
                };
                self.lists().parts.push(parts);
                record
            })
            .collect();
        let value = list(abi::tag::RECORDS, &items);
        self.lists().records.push(items);
        value
    }

    fn part(&mut self, part: &Owned) -> abi::Value {
        let Owned::Pairs(pairs) = part else {
            return value(part.as_value(), self);
        };
        let items = pairs
            .iter()
            .map(|(name, value)| Pair {
                name: lent(name.as_bytes()),
                value: lent(value.as_bytes()),
            })
            .collect();
        self.keep_pairs(items)
    }
}

//! An event of the C ABI as the [`Event`] that the typed views read.
//!
//! Declared fields are read where they lie. Any other one is fetched when it is asked for, and what was fetched is held until the call
//! ends, since the handler may still look at it.

use std::cell::{OnceCell, RefCell};

use super::carrier;
use crate::abi::{self, tag};
use crate::catalogue::Hook;
use crate::event::Event;
use crate::field::{FIELDS, Field};
use crate::value::{Owned, Pairs, Record, Value};

/// The event of the current call.
pub(super) struct Lent<'a> {
    event: &'a abi::Event,
    declared: &'static [u32],
    hook: Hook,
    /// Most calls need none.
    held: OnceCell<Box<Held>>,
}

/// What was made during the call; boxed, so that it stays where it is while the lists grow.
#[derive(Default)]
struct Held {
    #[expect(
        clippy::vec_box,
        reason = "what lies in them is lent while the list grows"
    )]
    fetched: RefCell<Vec<Box<carrier::Fetched>>>,
    records: RefCell<Vec<Box<[Record]>>>,
}

impl<'a> Lent<'a> {
    /// # Safety
    /// The broker lends `event` for `'a`, and its values are those of `declared`, in that order.
    #[inline]
    pub(super) unsafe fn new(event: &'a abi::Event, declared: &'static [u32], hook: Hook) -> Self {
        Self {
            event,
            declared,
            hook,
            held: OnceCell::new(),
        }
    }

    /// Lets go of it. One that holds nothing has nothing to be looked through for.
    #[inline]
    pub(super) fn end(self) {
        if self.held.get().is_none() {
            std::mem::forget(self);
        }
    }

    #[inline]
    fn declared(&self, number: u32) -> Option<&'a abi::Value> {
        let at = self.declared.iter().position(|known| *known == number)?;
        // SAFETY: the event has `count` values, by the contract as many as were declared; see `new`.
        unsafe { slice(self.event.fields, self.event.count as usize) }.get(at)
    }

    fn held(&self) -> &Held {
        self.held.get_or_init(Box::default)
    }

    #[cold]
    fn fetched(&self, number: u32) -> Option<&abi::Value> {
        let fetched = Box::new(carrier::fetch(self.event, number)?);
        let value: *const abi::Value = fetched.value();
        self.held().fetched.borrow_mut().push(fetched);
        // SAFETY: it lies in, or with, a box that is kept until `self` goes, and that nobody changes.
        Some(unsafe { &*value })
    }

    #[inline]
    fn value<'s>(&'s self, value: &'s abi::Value) -> Value<'s> {
        // SAFETY: the tag says which variant the broker wrote, and all that it points to is lent as long as the value itself.
        unsafe {
            match value.tag {
                tag::BOOL => Value::Bool(value.body.integer != 0),
                tag::INTEGER => Value::Integer(value.body.integer),
                tag::TEXT => Value::Text(text(value.body.bytes.data, value.body.bytes.len)),
                tag::BYTES => Value::Bytes(slice(value.body.bytes.data, value.body.bytes.len)),
                tag::PAIRS => Value::Pairs(LentPairs::of(value)),
                tag::RECORDS => Value::Records(self.records(value)),
                _ => Value::Nil,
            }
        }
    }

    #[cold]
    fn records(&self, value: &abi::Value) -> &[Record] {
        let records: Box<[Record]> = entries(value).iter().map(record).collect();
        let place: *const [Record] = &raw const *records;
        self.held().records.borrow_mut().push(records);
        // SAFETY: as in `fetched`.
        unsafe { &*place }
    }
}

impl Event for Lent<'_> {
    fn hook(&self) -> Hook {
        self.hook
    }

    #[inline]
    fn get(&self, field: Field) -> Value<'_> {
        let number = field as u32;
        self.declared(number)
            .or_else(|| self.fetched(number))
            .map_or(Value::Nil, |value| self.value(value))
    }

    fn depth(&self) -> u8 {
        u8::try_from(self.event.depth).unwrap_or(u8::MAX)
    }
}

/// Pairs where the broker put them.
#[repr(transparent)]
struct LentPairs(abi::Value);

impl LentPairs {
    /// # Safety
    /// The value is a [`tag::PAIRS`].
    unsafe fn of(value: &abi::Value) -> &Self {
        // SAFETY: the same layout; and what it holds is known by the caller.
        unsafe { &*std::ptr::from_ref(value).cast() }
    }
}

impl Pairs for LentPairs {
    fn for_each(&self, each: &mut dyn FnMut(&str, &str)) {
        // SAFETY: made of a value that holds pairs, each of two texts, lent as long as the value.
        unsafe {
            let list = self.0.body.list;
            for pair in slice(list.items.cast::<abi::Pair>(), list.count) {
                each(
                    text(pair.name.data, pair.name.len),
                    text(pair.value.data, pair.value.len),
                );
            }
        }
    }
}

fn entries(value: &abi::Value) -> &[abi::Record] {
    // SAFETY: only asked for a [`tag::RECORDS`].
    unsafe {
        let list = value.body.list;
        slice(list.items.cast::<abi::Record>(), list.count)
    }
}

fn record(entry: &abi::Record) -> Record {
    // SAFETY: the parts are lent with the record.
    let parts = unsafe { slice(entry.parts, entry.count) };
    parts
        .iter()
        .filter_map(|part| {
            // A newer broker may have fields that this SDK does not know.
            let row = FIELDS.get(part.field as usize)?;
            Some((row.field, owned(&part.value)))
        })
        .collect()
}

/// A part of a record, copied. Records do not nest.
fn owned(value: &abi::Value) -> Owned {
    // SAFETY: as in `Lent::value`.
    unsafe {
        match value.tag {
            tag::BOOL => Owned::Bool(value.body.integer != 0),
            tag::INTEGER => Owned::Integer(value.body.integer),
            tag::TEXT => text(value.body.bytes.data, value.body.bytes.len).into(),
            tag::BYTES => slice(value.body.bytes.data, value.body.bytes.len).into(),
            tag::PAIRS => Value::Pairs(LentPairs::of(value)).to_owned(),
            _ => Owned::Nil,
        }
    }
}

/// What lies at a place that the broker lent.
///
/// # Safety
/// `data` and `len` are what the broker said, and it lends them for `'a`.
pub(super) unsafe fn slice<'a, T>(data: *const T, len: usize) -> &'a [T] {
    if len == 0 {
        return &[];
    }
    // SAFETY: as above; the contract lets the pointer be null only where there is nothing.
    unsafe { std::slice::from_raw_parts(data, len) }
}

/// A text that the broker lent. It is not checked again: the broker holds texts as Rust strings.
///
/// # Safety
/// As [`slice`], and the field is a text.
pub(super) unsafe fn text<'a>(data: *const u8, len: usize) -> &'a str {
    // SAFETY: texts of the contract are UTF-8.
    unsafe { std::str::from_utf8_unchecked(slice(data, len)) }
}

//! Types of the canonical ABI: the layouts of C, with a byte in front of what can be absent or can be one of several.

use std::mem::MaybeUninit;

use super::sections::width;
use crate::abi::{Bytes, List, Pair};
use crate::field::{Field, FieldSpec};
use crate::value::{Owned, Record, Type};

/// `option<T>`.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct Maybe<T: Copy> {
    is_some: u8,
    value: MaybeUninit<T>,
}

impl<T: Copy> Maybe<T> {
    pub(super) const NONE: Self = Self {
        is_some: 0,
        value: MaybeUninit::uninit(),
    };

    pub(super) fn of(value: Option<T>) -> Self {
        value.map_or(Self::NONE, |value| Self {
            is_some: 1,
            value: MaybeUninit::new(value),
        })
    }

    pub(super) fn get(self) -> Option<T> {
        // SAFETY: written where the byte says so, here and by the broker.
        (self.is_some != 0).then(|| unsafe { self.value.assume_init() })
    }
}

/// A list that this side lends.
pub(super) const fn list<T>(items: &[T]) -> List {
    List {
        items: items.as_ptr().cast(),
        count: items.len(),
    }
}

/// Pairs that this side lends.
pub(super) fn pairs(pairs: &[(String, String)]) -> Vec<Pair> {
    pairs
        .iter()
        .map(|(name, value)| Pair {
            name: crate::sdk::edge::bytes(name.as_bytes()),
            value: crate::sdk::edge::bytes(value.as_bytes()),
        })
        .collect()
}

/// A list that the broker handed over: it was made by `allocate`, so it can be freed as a `Vec`.
///
/// # Safety
/// The broker handed it over, as a `list<T>`, and nobody took it yet.
pub(super) unsafe fn vec<T>(data: *mut T, len: usize) -> Vec<T> {
    if len == 0 {
        return Vec::new();
    }
    // SAFETY: as above.
    unsafe { Vec::from_raw_parts(data, len, len) }
}

/// A string that the broker handed over; the canonical ABI sees to it that it is UTF-8.
///
/// # Safety
/// As [`vec`].
pub(super) unsafe fn string(data: *mut u8, len: usize) -> String {
    // SAFETY: as above.
    unsafe { String::from_utf8_unchecked(vec(data, len)) }
}

/// # Safety
/// As [`string`].
pub(super) unsafe fn taken_string(bytes: Bytes) -> String {
    // SAFETY: as above.
    unsafe { string(bytes.data.cast_mut(), bytes.len) }
}

/// # Safety
/// As [`vec`].
pub(super) unsafe fn taken_bytes(bytes: Bytes) -> Vec<u8> {
    // SAFETY: as above.
    unsafe { vec(bytes.data.cast_mut(), bytes.len) }
}

/// # Safety
/// As [`vec`].
pub(super) unsafe fn taken_list<T>(list: List) -> Vec<T> {
    // SAFETY: as above.
    unsafe { vec(list.items.cast::<T>().cast_mut(), list.count) }
}

/// # Safety
/// As [`vec`].
pub(super) unsafe fn taken_pairs(list: List) -> Vec<(String, String)> {
    // SAFETY: as above, and each string of it is handed over as well.
    unsafe {
        taken_list::<Pair>(list)
            .into_iter()
            .map(|pair| (taken_string(pair.name), taken_string(pair.value)))
            .collect()
    }
}

const fn aligned(offset: usize, align: usize) -> usize {
    offset.div_ceil(align) * align
}

/// Size and alignment of a field's plain type.
const fn plain(row: &FieldSpec) -> (usize, usize) {
    match row.kind {
        Type::Bool => (1, 1),
        Type::Integer => (width(row.field), width(row.field)),
        Type::Text | Type::Bytes | Type::Pairs | Type::Records => {
            (size_of::<Bytes>(), align_of::<Bytes>())
        }
    }
}

/// Where the parts of a record lie: for each its field, the offset of the byte that says whether it is there (only where it can be
/// absent), and its own offset.
struct Shape {
    parts: Vec<(&'static FieldSpec, Option<usize>, usize)>,
    size: usize,
}

impl Shape {
    fn of(fields: &'static [Field]) -> Self {
        let (mut at, mut widest, mut parts) = (0, 1, Vec::with_capacity(fields.len()));
        for row in fields.iter().map(|field| field.spec()) {
            let (size, align) = plain(row);
            widest = widest.max(align);
            at = aligned(at, align);
            let mark = row.optional.then_some(at);
            if row.optional {
                at += align;
            }
            parts.push((row, mark, at));
            at += size;
        }
        Self {
            parts,
            size: aligned(at, widest),
        }
    }
}

/// The records of a list that the broker handed over.
///
/// # Safety
/// As [`vec`]; it is the list of `row`.
pub(super) unsafe fn taken_records(given: List, row: &FieldSpec) -> Vec<Record> {
    let shape = Shape::of(row.record);
    let start = given.items.cast::<u8>().cast_mut();
    let records = (0..given.count)
        // SAFETY: so many records of this size lie there.
        .map(|at| unsafe { taken_record(start.add(at * shape.size), &shape) })
        .collect();
    if given.count > 0 {
        // SAFETY: made by `allocate` with this size; every record of this contract is aligned to 4.
        unsafe {
            let layout = std::alloc::Layout::from_size_align_unchecked(given.count * shape.size, 4);
            std::alloc::dealloc(start, layout);
        }
    }
    records
}

unsafe fn taken_record(start: *mut u8, shape: &Shape) -> Record {
    let mut record = Record::with_capacity(shape.parts.len());
    for (row, mark, offset) in &shape.parts {
        // SAFETY: the shape is that of the record; numbers are little-endian and at most as wide as they are read.
        unsafe {
            if mark.is_some_and(|mark| *start.add(mark) == 0) {
                continue;
            }
            let place = start.add(*offset);
            let value = match row.kind {
                Type::Bool => Owned::Bool(*place != 0),
                Type::Integer => Owned::Integer(match width(row.field) {
                    1 => (*place).into(),
                    2 => (*place.cast::<u16>()).into(),
                    4 => (*place.cast::<u32>()).into(),
                    _ => *place.cast::<i64>(),
                }),
                Type::Text => Owned::Text(taken_string(*place.cast()).into()),
                Type::Bytes => Owned::Bytes(taken_bytes(*place.cast()).into()),
                Type::Pairs => Owned::Pairs(taken_pairs(*place.cast())),
                Type::Records => Owned::Nil,
            };
            record.push((row.field, value));
        }
    }
    record
}

/// Records as a list that this side lends: the memory, and the lists of pairs that it points to.
pub(super) fn lent_records(records: &[Record], row: &FieldSpec) -> (Vec<u64>, Vec<Vec<Pair>>) {
    let shape = Shape::of(row.record);
    let mut memory = vec![0_u64; (records.len() * shape.size).div_ceil(size_of::<u64>())];
    let mut kept = Vec::new();
    let start = memory.as_mut_ptr().cast::<u8>();
    for (at, record) in records.iter().enumerate() {
        for (row, mark, offset) in &shape.parts {
            let Some((_, value)) = record.iter().find(|(field, _)| *field == row.field) else {
                continue;
            };
            // SAFETY: within the memory, by the shape; zeroed before, which is absent, empty, 0 or false.
            unsafe {
                let place = start.add(at * shape.size);
                if let Some(mark) = mark {
                    *place.add(*mark) = u8::from(*value != Owned::Nil);
                }
                let place = place.add(*offset);
                match value {
                    Owned::Bool(truth) => *place = (*truth).into(),
                    Owned::Integer(number) => {
                        let bytes = number.to_le_bytes();
                        place.copy_from_nonoverlapping(bytes.as_ptr(), width(row.field));
                    }
                    Owned::Text(text) => {
                        *place.cast() = crate::sdk::edge::bytes(text.as_bytes());
                    }
                    Owned::Bytes(bytes) => *place.cast() = crate::sdk::edge::bytes(bytes),
                    Owned::Pairs(list_of) => {
                        let lent = pairs(list_of);
                        *place.cast() = list(&lent);
                        kept.push(lent);
                    }
                    Owned::Nil | Owned::Records(_) => {}
                }
            }
        }
    }
    (memory, kept)
}

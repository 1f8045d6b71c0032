//! A library's values as the broker keeps them: copied, and judged like bytes from the network.
//!
//! Tags, types, pointers and UTF-8 are judged here. Ranges and lengths are judged where the answers of all runtimes meet, in the broker.

use hookmq_plugin_api::abi::{self, Pair, Part, tag};
use hookmq_plugin_api::{Field, Owned, Record, Type};

use crate::wire;

/// More pairs than any packet of use has.
pub(crate) const MAX_PAIRS: usize = 10_000;
/// More records than any session or store of retained messages of use has.
const MAX_RECORDS: usize = 1 << 20;

/// A value for a field, if it is one.
///
/// # Safety
/// What the value points to is there, as its tag and lengths say.
pub(crate) unsafe fn value(field: Field, value: &abi::Value) -> Result<Owned, String> {
    let spec = field.spec();
    let name = spec.name;
    let kind = match value.tag {
        tag::NIL => {
            return if spec.optional {
                Ok(Owned::Nil)
            } else {
                Err(wrong(field, "nothing"))
            };
        }
        tag::BOOL => Type::Bool,
        tag::INTEGER => Type::Integer,
        tag::TEXT => Type::Text,
        tag::BYTES => Type::Bytes,
        tag::PAIRS => Type::Pairs,
        tag::RECORDS => Type::Records,
        unknown => {
            return Err(format!(
                "{name} has the tag {unknown}, which is none: 0 to 6 are"
            ));
        }
    };
    let fits = spec.kind == kind || (spec.kind, kind) == (Type::Bytes, Type::Text);
    if !fits {
        return Err(wrong(field, kind.name()));
    }
    // SAFETY: the tag says which part of the union was written; what it points to is there, as the caller says.
    unsafe {
        Ok(match kind {
            Type::Bool => match value.body.integer {
                0 => Owned::Bool(false),
                1 => Owned::Bool(true),
                other => return Err(format!("{name} must be 0 or 1, got {other}")),
            },
            Type::Integer => Owned::Integer(value.body.integer),
            Type::Text => Owned::Text(wire::text(value.body.bytes, name)?.into()),
            Type::Bytes => Owned::Bytes(wire::bytes(value.body.bytes, name)?.into()),
            Type::Pairs => {
                let list = value.body.list;
                Owned::Pairs(pairs(list.items.cast(), list.count, name)?)
            }
            Type::Records => {
                let list = value.body.list;
                Owned::Records(records(field, list.items.cast(), list.count)?)
            }
        })
    }
}

fn wrong(field: Field, got: &str) -> String {
    let spec = field.spec();
    format!(
        "{} must be {}{}, got {got}",
        spec.name,
        spec.kind.name(),
        if spec.optional { " or nothing" } else { "" }
    )
}

/// User Properties.
///
/// # Safety
/// As [`value`].
pub(crate) unsafe fn pairs(
    at: *const Pair,
    count: usize,
    what: &str,
) -> Result<Vec<(String, String)>, String> {
    // SAFETY: as the caller says.
    unsafe { read_pairs(at, count, what, |text| Ok(wire::text(text, what)?.into())) }
}

/// User Properties of a refusal, which stands without what does not fit. So many that nobody meant it are none: they may not be there.
///
/// # Safety
/// As [`value`].
pub(crate) unsafe fn words(
    at: *const Pair,
    count: usize,
    what: &str,
) -> Result<Vec<(String, String)>, String> {
    if count > MAX_PAIRS {
        return Ok(Vec::new());
    }
    // SAFETY: as the caller says.
    unsafe {
        read_pairs(at, count, what, |text| {
            Ok(wire::words(text, what)?.into_owned())
        })
    }
}

/// # Safety
/// As [`value`].
unsafe fn read_pairs(
    at: *const Pair,
    count: usize,
    what: &str,
    read: impl Fn(abi::Bytes) -> Result<String, String>,
) -> Result<Vec<(String, String)>, String> {
    // SAFETY: as the caller says.
    let pairs = unsafe { wire::items(at, count, what, MAX_PAIRS) }?;
    pairs
        .iter()
        .map(|pair| Ok((read(pair.name)?, read(pair.value)?)))
        .collect()
}

/// # Safety
/// As [`value`].
unsafe fn records(
    field: Field,
    at: *const abi::Record,
    count: usize,
) -> Result<Vec<Record>, String> {
    let name = field.name();
    // SAFETY: as the caller says.
    let records = unsafe { wire::items(at, count, name, MAX_RECORDS) }?;
    records
        .iter()
        .enumerate()
        .map(|(at, record)| {
            // SAFETY: as the caller says.
            unsafe { parts(field, record) }
                .map_err(|why| format!("{name}, entry {}: {why}", at + 1))
        })
        .collect()
}

/// # Safety
/// As [`value`].
unsafe fn parts(field: Field, record: &abi::Record) -> Result<Record, String> {
    let known = field.spec().record;
    // SAFETY: as the caller says.
    let parts: &[Part] = unsafe { wire::items(record.parts, record.count, "its parts", 64) }?;
    let mut result = Record::with_capacity(parts.len());
    for part in parts {
        let field = known
            .iter()
            .copied()
            .find(|known| *known as u32 == part.field)
            .ok_or_else(|| format!("it has no field {}", field_in_words(part.field)))?;
        // SAFETY: as the caller says.
        let value = unsafe { value(field, &part.value) }?;
        if value != Owned::Nil {
            result.push((field, value));
        }
    }
    Ok(result)
}

/// The field of a number.
pub(crate) fn field(number: u32) -> Option<Field> {
    hookmq_plugin_api::field::FIELDS
        .get(number as usize)
        .map(|spec| spec.field)
}

/// A field's number for an error.
pub(crate) fn field_in_words(number: u32) -> String {
    match field(number) {
        Some(field) => field.name().to_owned(),
        None => format!("{number}, which this broker does not know"),
    }
}

//! Values across the border: the broker's fields become Lua values, a script's changes become owned values.
//!
//! Pairs (User Properties) become one table that reads both ways: `t[1]` is `{ name, value }` in order, and `t.name` is the first
//! value of that name. Records become lists of tables. Bytes become strings.

use std::collections::HashSet;

use hookmq_plugin_api::{Field, Owned, Pairs, Record, Type, Value as ApiValue};
use mlua::{Lua, Table, Value};

use crate::error::Fault;
use crate::range;
use crate::suggest::hint;

/// The Lua value of a field.
pub(crate) fn to_lua(lua: &Lua, value: ApiValue<'_>) -> mlua::Result<Value> {
    Ok(match value {
        ApiValue::Nil => Value::Nil,
        ApiValue::Bool(truth) => Value::Boolean(truth),
        ApiValue::Integer(number) => number_to_lua(number),
        ApiValue::Text(text) => Value::String(lua.create_string(text)?),
        ApiValue::Bytes(bytes) => Value::String(lua.create_string(bytes)?),
        ApiValue::Pairs(pairs) => Value::Table(pairs_to_lua(lua, pairs)?),
        ApiValue::Records(records) => Value::Table(records_to_lua(lua, records)?),
    })
}

/// Luau numbers are doubles; every MQTT number fits.
#[expect(
    clippy::cast_precision_loss,
    reason = "numbers of the catalogue are below 2^53"
)]
pub(crate) fn number_to_lua(number: i64) -> Value {
    Value::Number(number as f64)
}

pub(crate) fn pairs_to_lua(lua: &Lua, pairs: &dyn Pairs) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    let mut result = Ok(());
    pairs.for_each(&mut |name, value| {
        if result.is_ok() {
            result = add_pair(lua, &table, name, value);
        }
    });
    result.map(|()| table)
}

fn add_pair(lua: &Lua, table: &Table, name: &str, value: &str) -> mlua::Result<()> {
    let value = lua.create_string(value)?;
    let name = lua.create_string(name)?;
    let pair = lua.create_table_with_capacity(2, 0)?;
    pair.raw_push(&name)?;
    pair.raw_push(&value)?;
    table.raw_push(pair)?;
    if table.raw_get::<Value>(&name)?.is_nil() {
        table.raw_set(name, value)?;
    }
    Ok(())
}

fn records_to_lua(lua: &Lua, records: &[Record]) -> mlua::Result<Table> {
    let list = lua.create_table_with_capacity(records.len(), 0)?;
    for record in records {
        let entry = lua.create_table()?;
        for (field, value) in record {
            entry.raw_set(field.name(), to_lua(lua, value.as_value())?)?;
        }
        list.raw_push(entry)?;
    }
    Ok(list)
}

/// How texts and lists are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// What no packet can carry is an error.
    Exact,
    /// Words of a refusal, which stands whatever they are: U+FFFD for what is no UTF-8, and what does not fit is left out.
    Lenient,
}

/// A script's value for a field, checked against the field's type and range. `broker.none` stands for absent.
pub(crate) fn from_lua(field: Field, value: &Value) -> Result<Owned, Fault> {
    let owned = typed(field, value, Reading::Exact)?;
    range::check(field, &owned).map_err(|why| Fault::new(format!("{}: {why}", field.name())))?;
    Ok(owned)
}

/// The same, without a look at the range.
pub(crate) fn typed(field: Field, value: &Value, reading: Reading) -> Result<Owned, Fault> {
    let spec = field.spec();
    if is_none(value) {
        if spec.optional {
            return Ok(Owned::Nil);
        }
        return Err(wrong(field, value));
    }
    Ok(match (spec.kind, value) {
        (Type::Bool, Value::Boolean(truth)) => Owned::Bool(*truth),
        (Type::Integer, Value::Number(_) | Value::Integer(_)) => {
            Owned::Integer(whole_number(value).ok_or_else(|| wrong(field, value))?)
        }
        (Type::Integer, Value::String(name)) if field == Field::ReasonCode => {
            Owned::Integer(reason_code_by_name(&name.to_string_lossy())?.into())
        }
        (Type::Text, Value::String(text)) => Owned::Text(
            text_of(text, reading)
                .ok_or_else(|| Fault::new(format!("{}: the text is not UTF-8", field.name())))?
                .into(),
        ),
        (Type::Bytes, Value::String(bytes)) => Owned::Bytes(bytes.as_bytes().as_ref().into()),
        (Type::Bytes, Value::Buffer(buffer)) => Owned::Bytes(buffer.to_vec().into()),
        (Type::Pairs, Value::Table(table)) => {
            Owned::Pairs(pairs_from_lua(field.name(), table, reading)?)
        }
        (Type::Records, Value::Table(table)) => Owned::Records(records_from_lua(field, table)?),
        _ => return Err(wrong(field, value)),
    })
}

/// A Reason Code by number or by name.
pub(crate) fn reason_code(value: &Value) -> Result<u8, Fault> {
    match value {
        Value::Nil => Ok(0),
        Value::String(name) => reason_code_by_name(&name.to_string_lossy()),
        _ => whole_number(value)
            .and_then(|number| u8::try_from(number).ok())
            .ok_or_else(|| {
                Fault::new(format!(
                    "reason_code must be a number from 0 to 255 or a name such as \"not_authorized\", got {}",
                    show(value)
                ))
            }),
    }
}

fn reason_code_by_name(name: &str) -> Result<u8, Fault> {
    crate::reason::by_name(name).ok_or_else(|| {
        let names = crate::reason::REASON_CODES.iter().map(|(known, _)| *known);
        Fault::new(format!(
            "there is no Reason Code named \"{name}\"{}",
            hint(name, names)
        ))
    })
}

/// A number without a fraction.
pub(crate) fn whole_number(value: &Value) -> Option<i64> {
    match value {
        Value::Integer(number) => Some(*number),
        #[expect(
            clippy::cast_possible_truncation,
            reason = "checked to be a whole number below 2^53"
        )]
        Value::Number(number)
            if number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0 =>
        {
            Some(*number as i64)
        }
        _ => None,
    }
}

/// `broker.none`, which is also `broker.json.null`.
pub(crate) fn is_none(value: &Value) -> bool {
    matches!(value, Value::LightUserData(data) if data.0.is_null())
}

/// `{ {"name", "value"}, ... }`, `{ name = "value" }`, or a table as [`pairs_to_lua`] makes them: names that were set by key win.
pub(crate) fn pairs_from_lua(
    what: &str,
    table: &Table,
    reading: Reading,
) -> Result<Vec<(String, String)>, Fault> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    let bad = |value: &Value| {
        Fault::new(format!(
            "{what} must be {{ name = \"value\" }} or {{ {{ \"name\", \"value\" }}, ... }}, got {}",
            show(value)
        ))
    };
    for pair in table.sequence_values::<Value>() {
        match pair? {
            Value::Table(pair) => {
                if !has_room(what, pairs.len(), reading)? {
                    break;
                }
                let (name, value) = (pair.raw_get::<Value>(1)?, pair.raw_get::<Value>(2)?);
                if reading == Reading::Lenient && !(may_fit(&name) && may_fit(&value)) {
                    continue;
                }
                pairs.push((
                    plain_text(&name, reading).ok_or_else(|| bad(&name))?,
                    plain_text(&value, reading).ok_or_else(|| bad(&value))?,
                ));
            }
            other => return Err(bad(&other)),
        }
    }
    let mut named: Vec<(String, String)> = Vec::new();
    {
        let listed: HashSet<(&str, &str)> = pairs
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        for entry in table.pairs::<Value, Value>() {
            let (name, value) = entry?;
            let Value::String(name) = name else {
                continue;
            };
            if reading == Reading::Lenient
                && !(name.as_bytes().len() <= range::MAX_TEXT && may_fit(&value))
            {
                continue;
            }
            let name = name.to_string_lossy();
            let value = plain_text(&value, reading).ok_or_else(|| bad(&value))?;
            if !listed.contains(&(name.as_str(), value.as_str())) {
                if !has_room(what, named.len(), reading)? {
                    break;
                }
                named.push((name, value));
            }
        }
    }
    // A table has no order of its own; the result shall not depend on hashing.
    named.sort_unstable();
    let names: HashSet<&str> = named.iter().map(|(name, _)| name.as_str()).collect();
    pairs.retain(|(name, _)| !names.contains(name.as_str()));
    pairs.extend(named);
    Ok(pairs)
}

/// More pairs than any packet of use has; the same as in the other runtimes.
const MAX_PAIRS: usize = 10_000;

/// Whether so many pairs leave room for one more.
fn has_room(what: &str, number: usize, reading: Reading) -> Result<bool, Fault> {
    match reading {
        _ if number < MAX_PAIRS => Ok(true),
        Reading::Lenient => Ok(false),
        Reading::Exact => Err(Fault::new(format!("{what}: more than {MAX_PAIRS}"))),
    }
}

/// Whether this half of a pair is there and not too long. Of what is too long no copy is made: many can be one and the same text.
fn may_fit(value: &Value) -> bool {
    match value {
        Value::Nil => false,
        Value::String(text) => text.as_bytes().len() <= range::MAX_TEXT,
        _ => true,
    }
}

/// The text, if it is one.
fn text_of(text: &mlua::LuaString, reading: Reading) -> Option<String> {
    match reading {
        Reading::Exact => text.to_str().ok().map(|text| text.as_ref().to_owned()),
        Reading::Lenient => Some(text.to_string_lossy()),
    }
}

fn plain_text(value: &Value, reading: Reading) -> Option<String> {
    match value {
        Value::String(text) => text_of(text, reading),
        Value::Number(number) => Some(number.to_string()),
        Value::Integer(number) => Some(number.to_string()),
        _ => None,
    }
}

fn records_from_lua(field: Field, list: &Table) -> Result<Vec<Record>, Fault> {
    let known = field.spec().record;
    let mut records = Vec::new();
    for (at, entry) in list.sequence_values::<Value>().enumerate() {
        let at = at + 1;
        let Value::Table(entry) = entry? else {
            return Err(Fault::new(format!(
                "{}[{at}] must be a table",
                field.name()
            )));
        };
        let mut record = Record::new();
        for part in entry.pairs::<Value, Value>() {
            let (name, value) = part?;
            let name = match &name {
                Value::String(name) => name.to_string_lossy(),
                other => show(other),
            };
            let part = known
                .iter()
                .find(|part| part.name() == name)
                .ok_or_else(|| {
                    let names = known.iter().map(|part| part.name());
                    Fault::new(format!(
                        "{}[{at}] has no \"{name}\"{}",
                        field.name(),
                        hint(&name, names)
                    ))
                })?;
            let value = from_lua(*part, &value)
                .map_err(|fault| Fault::new(format!("{}[{at}].{}", field.name(), fault.message)))?;
            record.push((*part, value));
        }
        records.push(record);
    }
    Ok(records)
}

fn wrong(field: Field, value: &Value) -> Fault {
    let expected = match field.spec().kind {
        Type::Bool => "a boolean",
        Type::Integer => "a whole number",
        Type::Text => "a string",
        Type::Bytes => "a string or a buffer",
        Type::Pairs => "a table of names and values",
        Type::Records => "a list of tables",
    };
    let or_none = if field.spec().optional {
        " (or broker.none to remove it)"
    } else {
        ""
    };
    Fault::new(format!(
        "{} must be {expected}{or_none}, got {}",
        field.name(),
        show(value)
    ))
}

/// A value for an error message: its type, and itself where it is short.
pub(crate) fn show(value: &Value) -> String {
    const MOST: usize = 60;
    match value {
        Value::Nil => "nil".into(),
        Value::Boolean(truth) => format!("the boolean {truth}"),
        Value::Integer(number) => format!("the number {number}"),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) => {
            let text = text.to_string_lossy();
            if text.chars().count() > MOST {
                let start: String = text.chars().take(MOST).collect();
                format!("the string \"{start}...\" of {} bytes", text.len())
            } else {
                format!("the string \"{text}\"")
            }
        }
        other if is_none(other) => "broker.none".into(),
        other => format!("a {}", other.type_name()),
    }
}

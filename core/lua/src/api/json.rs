//! `broker.json`: straight between text and Lua values, so that the VM's memory limit counts what is made.

use std::fmt;

use mlua::{Lua, Table, Value};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{Args, Raw};
use crate::args::{Arg, string};
use crate::context::Context;
use crate::error::Fault;
use crate::guard::{Guard, OVER_BUDGET};
use crate::value::{is_none, number_to_lua, show};

/// Longest text that is decoded or made.
const MAX_TEXT: usize = 8 * 1024 * 1024;
/// Deepest nesting of a table that is encoded; decoding has serde_json's own limit of 128.
const MAX_DEPTH: usize = 64;
/// Registry name of the metatable that marks arrays.
const ARRAY: &str = "hookmq.json.array";

pub(super) fn find(name: &str) -> Option<Raw> {
    Some(match name {
        "json.encode" => encode,
        "json.decode" => decode,
        "json.valid" => valid,
        "json.array" => array,
        _ => return None,
    })
}

fn text<'a>(function: &'static str, value: &'a Value) -> Arg<'a> {
    Arg {
        function,
        name: "text",
        value,
    }
}

fn valid(_: &Lua, _: &Context, [value, size, ..]: &Args) -> Result<Value, Fault> {
    let arg = text("broker.json.valid", value);
    let size = match size {
        Value::Nil => usize::MAX,
        value => {
            let size = Arg {
                name: "size",
                value,
                ..arg
            };
            usize::try_from(size.whole_number()?).map_err(|_| size.fault("cannot be negative"))?
        }
    };
    let is_valid = arg.with_bytes(|bytes| {
        let bytes = bytes.get(..size.min(bytes.len())).unwrap_or(bytes);
        // JSON is UTF-8; what is skipped unread is not checked for it otherwise.
        bytes.len() <= MAX_TEXT
            && std::str::from_utf8(bytes)
                .is_ok_and(|text| serde_json::from_str::<IgnoredAny>(text).is_ok())
    })?;
    Ok(Value::Boolean(is_valid))
}

fn decode(lua: &Lua, context: &Context, [value, ..]: &Args) -> Result<Value, Fault> {
    let arg = text("broker.json.decode", value);
    let marks = array_metatable(lua)?;
    arg.with_bytes(|bytes| {
        if bytes.len() > MAX_TEXT {
            return Err(arg.fault(&format!("more than {MAX_TEXT} bytes")));
        }
        let mut reader = serde_json::Deserializer::from_slice(bytes);
        let seed = Decode {
            lua,
            marks: &marks,
            guard: &context.guard,
        };
        let value = seed
            .deserialize(&mut reader)
            .and_then(|value| reader.end().map(|()| value));
        value.map_err(|error| {
            if error.to_string().contains("not enough memory") {
                let message = "not enough memory".to_owned();
                return Fault::from(mlua::Error::MemoryError(message));
            }
            arg.fault(&format!("not JSON: {error}"))
        })
    })?
}

fn array(lua: &Lua, _: &Context, [value, ..]: &Args) -> Result<Value, Fault> {
    let list = match value {
        Value::Nil => lua.create_table()?,
        value => Arg {
            function: "broker.json.array",
            name: "list",
            value,
        }
        .table()?
        .clone(),
    };
    list.set_metatable(Some(array_metatable(lua)?))?;
    Ok(Value::Table(list))
}

/// One metatable per VM that marks tables as arrays.
fn array_metatable(lua: &Lua) -> mlua::Result<Table> {
    if let Ok(table) = lua.named_registry_value::<Table>(ARRAY) {
        return Ok(table);
    }
    let table = lua.create_table()?;
    table.raw_set("__metatable", "JSON array")?;
    table.set_readonly(true);
    lua.set_named_registry_value(ARRAY, &table)?;
    Ok(table)
}

#[derive(Clone, Copy)]
struct Decode<'a> {
    lua: &'a Lua,
    marks: &'a Table,
    guard: &'a Guard,
}

impl<'de> DeserializeSeed<'de> for Decode<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Decode<'_> {
    type Value = Value;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::NULL)
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Value, E> {
        Ok(Value::Boolean(truth))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(number_to_lua(number))
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "Luau numbers are doubles, as JSON's usually are"
    )]
    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Number(number as f64))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(Value::Number(number))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Value, E> {
        self.lua
            .create_string(text)
            .map(Value::String)
            .map_err(E::custom)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let custom = <A::Error as serde::de::Error>::custom;
        let list = self.lua.create_table().map_err(custom)?;
        while let Some(item) = items.next_element_seed(self)? {
            if self.guard.is_over() {
                return Err(custom(mlua::Error::runtime(OVER_BUDGET)));
            }
            list.raw_push(item).map_err(custom)?;
        }
        list.set_metatable(Some(self.marks.clone()))
            .map_err(custom)?;
        Ok(Value::Table(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let custom = <A::Error as serde::de::Error>::custom;
        let table = self.lua.create_table().map_err(custom)?;
        while let Some(key) = entries.next_key_seed(self)? {
            if self.guard.is_over() {
                return Err(custom(mlua::Error::runtime(OVER_BUDGET)));
            }
            let value = entries.next_value_seed(self)?;
            table.raw_set(key, value).map_err(custom)?;
        }
        Ok(Value::Table(table))
    }
}

fn encode(lua: &Lua, context: &Context, [value, ..]: &Args) -> Result<Value, Fault> {
    let mut out = Vec::new();
    let mut writer = Encode {
        out: &mut out,
        marks: array_metatable(lua)?,
        guard: &context.guard,
    };
    writer
        .value(value, 0)
        .map_err(|fault| Fault::new(format!("broker.json.encode: {}", fault.message)))?;
    string(lua, out)
}

struct Encode<'a> {
    out: &'a mut Vec<u8>,
    marks: Table,
    guard: &'a Guard,
}

impl Encode<'_> {
    fn value(&mut self, value: &Value, depth: usize) -> Result<(), Fault> {
        if self.guard.is_over() {
            return Err(Fault::new(OVER_BUDGET));
        }
        if self.out.len() > MAX_TEXT {
            return Err(Fault::new(format!("more than {MAX_TEXT} bytes")));
        }
        match value {
            Value::Nil => self.out.extend_from_slice(b"null"),
            value if is_none(value) => self.out.extend_from_slice(b"null"),
            Value::Boolean(true) => self.out.extend_from_slice(b"true"),
            Value::Boolean(false) => self.out.extend_from_slice(b"false"),
            Value::Integer(number) => self.out.extend_from_slice(number.to_string().as_bytes()),
            Value::Number(number) => self.number(*number)?,
            Value::String(text) => self.text(text)?,
            Value::Table(table) if depth < MAX_DEPTH => self.table(table, depth)?,
            Value::Table(_) => {
                return Err(Fault::new(format!(
                    "nested more than {MAX_DEPTH} deep, or a table contains itself"
                )));
            }
            other => {
                return Err(Fault::new(format!("JSON has no form for {}", show(other))));
            }
        }
        Ok(())
    }

    fn number(&mut self, number: f64) -> Result<(), Fault> {
        if !number.is_finite() {
            return Err(Fault::new(format!(
                "JSON has no form for the number {number}"
            )));
        }
        let is_whole = number.fract() == 0.0 && number.abs() < 9_007_199_254_740_992.0;
        let text = if is_whole {
            format!("{number:.0}")
        } else {
            number.to_string()
        };
        // -0.0 would read back as an integer otherwise; nobody means it.
        let text = if text == "-0" { "0" } else { &text };
        self.out.extend_from_slice(text.as_bytes());
        Ok(())
    }

    fn text(&mut self, text: &mlua::LuaString) -> Result<(), Fault> {
        let text = text
            .to_str()
            .map_err(|_| Fault::new("a string is not UTF-8; use broker.base64.encode for bytes"))?;
        serde_json::to_writer(&mut *self.out, text.as_ref())
            .map_err(|error| Fault::new(error.to_string()))
    }

    fn table(&mut self, table: &Table, depth: usize) -> Result<(), Fault> {
        let length = table.raw_len();
        let is_marked = table
            .metatable()
            .is_some_and(|metatable| metatable == self.marks);
        if length > 0 || is_marked {
            return self.list(table, length, depth);
        }
        self.out.push(b'{');
        let mut is_first = true;
        for entry in table.pairs::<Value, Value>() {
            let (key, value) = entry?;
            let Value::String(key) = key else {
                return Err(Fault::new(format!(
                    "an object's names are strings, got {}",
                    show(&key)
                )));
            };
            if !is_first {
                self.out.push(b',');
            }
            is_first = false;
            self.text(&key)?;
            self.out.push(b':');
            self.value(&value, depth + 1)?;
        }
        self.out.push(b'}');
        Ok(())
    }

    fn list(&mut self, table: &Table, length: usize, depth: usize) -> Result<(), Fault> {
        let mut entries = 0;
        for entry in table.pairs::<Value, Value>() {
            entry?;
            entries += 1;
            if self.guard.is_over() {
                return Err(Fault::new(OVER_BUDGET));
            }
        }
        if entries != length {
            return Err(Fault::new(
                "a table is a list (1, 2, 3, ...) or an object (names), not both",
            ));
        }
        self.out.push(b'[');
        for at in 1..=length {
            if at > 1 {
                self.out.push(b',');
            }
            self.value(&table.raw_get(at)?, depth + 1)?;
        }
        self.out.push(b']');
        Ok(())
    }
}

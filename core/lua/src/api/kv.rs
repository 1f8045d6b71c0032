//! `broker.kv`: the map that every VM of every plugin with the grant shares.

use std::time::Duration;

use hookmq_plugin_api::KvCondition;
use mlua::{Lua, Value};

use super::{Args, Raw};
use crate::args::{Arg, string};
use crate::context::Context;
use crate::error::Fault;
use crate::value::{number_to_lua, whole_number};

pub(super) fn find(name: &str) -> Option<Raw> {
    Some(match name {
        "kv.get" => get,
        "kv.set" => set,
        "kv.add" => add,
        "kv.delete" => delete,
        _ => return None,
    })
}

fn key(function: &'static str, value: &Value) -> Result<String, Fault> {
    Arg {
        function,
        name: "key",
        value,
    }
    .text()
}

fn get(lua: &Lua, context: &Context, [name, ..]: &Args) -> Result<Value, Fault> {
    match context.host.kv_get(&key("broker.kv.get", name)?)? {
        Some(value) => string(lua, value),
        None => Ok(Value::Nil),
    }
}

fn set(_: &Lua, context: &Context, [name, value, options, ..]: &Args) -> Result<Value, Fault> {
    let name = key("broker.kv.set", name)?;
    let value = stored("broker.kv.set", "value", value)?;
    let options = Arg {
        function: "broker.kv.set",
        name: "options",
        value: options,
    };
    let [expires_in, only_if_absent, only_if] =
        options.options(["expires_in", "only_if_absent", "only_if"])?;
    let only_if_absent = Arg {
        name: "only_if_absent",
        value: &only_if_absent,
        ..options
    };
    let condition = match (only_if_absent.flag()?, &only_if) {
        (false, Value::Nil) => KvCondition::Always,
        (true, Value::Nil) => KvCondition::Absent,
        (false, old) => KvCondition::Equals(stored("broker.kv.set", "only_if", old)?),
        (true, _) => return Err(options.fault("only_if_absent and only_if exclude each other")),
    };
    let written = context.host.kv_set(
        &name,
        &value,
        expiry("broker.kv.set", &expires_in)?,
        condition,
    )?;
    Ok(Value::Boolean(written))
}

fn add(_: &Lua, context: &Context, [name, amount, options, ..]: &Args) -> Result<Value, Fault> {
    let name = key("broker.kv.add", name)?;
    let amount = match amount {
        Value::Nil => 1,
        value => Arg {
            function: "broker.kv.add",
            name: "amount",
            value,
        }
        .whole_number()?,
    };
    let [expires_in] = Arg {
        function: "broker.kv.add",
        name: "options",
        value: options,
    }
    .options(["expires_in"])?;
    let sum = context
        .host
        .kv_add(&name, amount, expiry("broker.kv.add", &expires_in)?)?;
    Ok(number_to_lua(sum))
}

fn delete(_: &Lua, context: &Context, [name, ..]: &Args) -> Result<Value, Fault> {
    Ok(Value::Boolean(
        context.host.kv_delete(&key("broker.kv.delete", name)?)?,
    ))
}

/// Values are bytes; a whole number is stored as its digits, which is what `kv.add` counts with.
fn stored(function: &'static str, name: &'static str, value: &Value) -> Result<Vec<u8>, Fault> {
    if let Some(number) = whole_number(value) {
        return Ok(number.to_string().into_bytes());
    }
    Arg {
        function,
        name,
        value,
    }
    .bytes()
}

fn expiry(function: &'static str, value: &Value) -> Result<Option<Duration>, Fault> {
    if value.is_nil() {
        return Ok(None);
    }
    Arg {
        function,
        name: "expires_in",
        value,
    }
    .seconds()
    .map(Some)
}

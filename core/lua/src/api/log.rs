//! `broker.log` and `print`.

use hookmq_plugin_api::LogLevel;
use mlua::{Lua, Value};

use super::{Args, Raw};
use crate::args::Arg;
use crate::context::Context;
use crate::error::{Fault, shortened};
use crate::guard::place_above;

/// Frames between the host function and the script: the host function itself and its wrapper are passed over.
const CALLER: usize = 1;

/// Fields of one line.
const MAX_FIELDS: usize = 64;

pub(super) fn find(name: &str) -> Option<Raw> {
    Some(match name {
        "log.debug" => {
            |lua, context, args| write(lua, context, args, LogLevel::Debug, "broker.log.debug")
        }
        "log.info" => {
            |lua, context, args| write(lua, context, args, LogLevel::Info, "broker.log.info")
        }
        "log.warn" => {
            |lua, context, args| write(lua, context, args, LogLevel::Warn, "broker.log.warn")
        }
        "log.error" => {
            |lua, context, args| write(lua, context, args, LogLevel::Error, "broker.log.error")
        }
        _ => return None,
    })
}

pub(super) fn print(lua: &Lua, context: &Context, args: &Args) -> Result<Value, Fault> {
    write(lua, context, args, LogLevel::Info, "print")
}

fn write(
    lua: &Lua,
    context: &Context,
    [message, fields, ..]: &Args,
    level: LogLevel,
    function: &'static str,
) -> Result<Value, Fault> {
    let message = shortened(plain(lua, message)?);
    let fields = match fields {
        Value::Nil => Vec::new(),
        _ => {
            let table = Arg {
                function,
                name: "fields",
                value: fields,
            };
            let mut list = Vec::new();
            for entry in table.table()?.pairs::<Value, Value>() {
                let (name, value) = entry?;
                list.push((
                    shortened(plain(lua, &name)?),
                    shortened(plain(lua, &value)?),
                ));
                if list.len() > MAX_FIELDS {
                    return Err(table.fault(&format!("more than {MAX_FIELDS}")));
                }
            }
            list.sort_unstable();
            list
        }
    };
    let place = place_above(lua, CALLER).unwrap_or_default();
    context.host.log(level, &place, &message, &fields);
    Ok(Value::Nil)
}

/// Any value as text. Tables are shown by their type alone: what they hold has no end that a log line needs.
fn plain(lua: &Lua, value: &Value) -> Result<String, Fault> {
    match value {
        Value::Nil => Ok("nil".into()),
        Value::Boolean(truth) => Ok(truth.to_string()),
        Value::String(text) => Ok(text.to_string_lossy()),
        Value::Number(_) | Value::Integer(_) => Ok(lua
            .coerce_string(value.clone())?
            .map(|text| text.to_string_lossy())
            .unwrap_or_default()),
        other => Ok(other.type_name().into()),
    }
}

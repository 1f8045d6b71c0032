//! The `broker` table: the functions behind the names of [`hookmq_plugin_api::surface`].

mod cache;
mod calls;
mod crypt;
mod json;
mod kv;
mod log;
mod query;
mod verdicts;

use std::rc::Rc;

use hookmq_plugin_api::surface::FUNCTIONS;
use mlua::{Lua, Table, Value};

use crate::context::{Context, Mode};
use crate::error::Fault;

/// A function's arguments; none takes more than four.
pub(crate) type Args = [Value; 4];

/// How a function is implemented. A fault becomes a Lua error at the caller's line.
pub(crate) type Raw = fn(&Lua, &Context, &Args) -> Result<Value, Fault>;

fn implementation(name: &str) -> Option<Raw> {
    cache::find(name)
        .or_else(|| calls::find(name))
        .or_else(|| crypt::find(name))
        .or_else(|| json::find(name))
        .or_else(|| kv::find(name))
        .or_else(|| log::find(name))
        .or_else(|| query::find(name))
        .or_else(|| verdicts::find(name))
}

/// Makes the `broker` table, read-only all the way down, and gives the function that wraps host functions.
pub(crate) fn install(lua: &Lua, context: &Rc<Context>) -> mlua::Result<(Table, mlua::Function)> {
    let pass = lua.create_userdata(verdicts::PASS)?;
    let (wrap, wrap_pass): (mlua::Function, mlua::Function) = lua
        .load(include_str!("prelude.luau"))
        .set_name("=broker")
        .call(pass)?;
    let broker = lua.create_table()?;
    for function in FUNCTIONS {
        let raw = if function.awaits && context.mode == Mode::Lane {
            crypt::create_awaiting(lua, context, function.name)?
        } else if let Some(raw) = implementation(function.name) {
            create(lua, context, raw)?
        } else {
            continue;
        };
        let wrap = if function.name == "pass" {
            &wrap_pass
        } else {
            &wrap
        };
        put(
            lua,
            &broker,
            function.name,
            wrap.call::<mlua::Function>(raw)?,
        )?;
    }
    put(lua, &broker, "name", context.name.as_str())?;
    put(lua, &broker, "none", Value::NULL)?;
    put(lua, &broker, "json.null", Value::NULL)?;
    for part in broker.pairs::<Value, Value>() {
        if let (_, Value::Table(part)) = part? {
            part.set_readonly(true);
        }
    }
    broker.set_readonly(true);
    lua.globals().raw_set("broker", &broker)?;
    Ok((broker, wrap))
}

/// The function that `print` writes with.
pub(crate) fn printer(lua: &Lua, context: &Rc<Context>) -> mlua::Result<mlua::Function> {
    create(lua, context, log::print)
}

fn put(lua: &Lua, broker: &Table, name: &str, value: impl mlua::IntoLua) -> mlua::Result<()> {
    let Some((part, name)) = name.split_once('.') else {
        return broker.raw_set(name, value);
    };
    let table = match broker.raw_get(part)? {
        Value::Table(table) => table,
        _ => {
            let table = lua.create_table()?;
            broker.raw_set(part, &table)?;
            table
        }
    };
    table.raw_set(name, value)
}

fn create(lua: &Lua, context: &Rc<Context>, raw: Raw) -> mlua::Result<mlua::Function> {
    let context = Rc::clone(context);
    lua.create_function(move |lua, (a, b, c, d): (Value, Value, Value, Value)| {
        let result = raw(lua, &context, &[a, b, c, d]);
        settle(lua, &context, result)
    })
}

/// Success and result, or false and the message, for the prelude to raise.
pub(crate) fn settle(
    lua: &Lua,
    context: &Context,
    result: Result<Value, Fault>,
) -> mlua::Result<(bool, Value)> {
    match result {
        Ok(value) => Ok((true, value)),
        Err(Fault {
            raise: Some(error), ..
        }) => Err(error),
        Err(fault) => {
            let message = Value::String(lua.create_string(&fault.message)?);
            if fault.grant {
                *context.grant_refused.borrow_mut() = Some(fault.message);
            }
            Ok((false, message))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_of_the_surface_is_there() {
        for function in FUNCTIONS {
            assert!(implementation(function.name).is_some(), "{}", function.name);
            assert!(function.params.len() <= 4, "{}", function.name);
            assert!(!function.doc.is_empty(), "{}", function.name);
        }
    }
}

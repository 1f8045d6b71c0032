//! One handler: a function of the script, and what its parameters stand for.

use std::rc::Rc;

use hookmq_plugin_api::{Event, Field, FieldSet, Hook, Value as ApiValue};
use mlua::{Function, IntoLuaMulti, Lua, Value, Variadic};

use crate::buffer::Buffers;
use crate::memory::Memory;
use crate::message::{Message, Slot, visible};
use crate::outline::{FunctionOutline, Outline};
use crate::suggest::nearest;
use crate::texts::Texts;
use crate::value;

/// What one parameter stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Param {
    /// A field by its name.
    Field(Field),
    /// `payload_buffer`: the payload in a reused buffer.
    PayloadBuffer,
    /// `msg`.
    Msg,
    /// `client`.
    Client,
    /// `config`.
    Config,
}

/// One hook's handler in one VM.
#[derive(Debug)]
pub(crate) struct Handler {
    pub(crate) hook: Hook,
    pub(crate) function: Function,
    pub(crate) params: Vec<Param>,
    /// File and line of its definition.
    pub(crate) place: String,
    /// What `msg` and `client` may be asked for.
    pub(crate) shown: FieldSet,
}

/// What arguments are made from.
pub(crate) struct Call<'a> {
    pub(crate) lua: &'a Lua,
    pub(crate) event: &'a dyn Event,
    pub(crate) slot: Option<&'a Slot>,
    pub(crate) config: &'a Value,
    pub(crate) texts: &'a Texts,
    /// `None` where buffers cannot be reused, because calls overlap.
    pub(crate) buffers: Option<&'a Buffers>,
}

/// An argument.
enum Given {
    Own(Value),
    /// One of [`Texts`]; a reference, since another handle to the same string costs as much as a new string.
    Kept(Rc<Value>),
}

impl Given {
    fn value(&self) -> &Value {
        match self {
            Self::Own(value) => value,
            Self::Kept(value) => value,
        }
    }
}

impl Handler {
    /// Every field that the handler may read.
    pub(crate) fn fields(&self) -> FieldSet {
        self.params
            .iter()
            .fold(self.shown, |fields, param| match param {
                Param::Field(field) => fields.with(*field),
                Param::PayloadBuffer => fields.with(Field::Payload),
                Param::Msg | Param::Client | Param::Config => fields,
            })
    }

    pub(crate) fn needs_slot(&self) -> bool {
        self.params
            .iter()
            .any(|param| matches!(param, Param::Msg | Param::Client))
    }

    /// Makes its arguments and calls it, within the VM's memory limit.
    pub(crate) fn call(&self, call: &Call<'_>, memory: &Memory) -> mlua::Result<Value> {
        let arg = |param| self.arg(param, call);
        // Tuples need no list on the heap.
        match *self.params.as_slice() {
            [] => self.run(call, memory, ()),
            [a] => {
                let a = arg(a)?;
                self.run(call, memory, (a.value(),))
            }
            [a, b] => {
                let (a, b) = (arg(a)?, arg(b)?);
                self.run(call, memory, (a.value(), b.value()))
            }
            [a, b, c] => {
                let (a, b, c) = (arg(a)?, arg(b)?, arg(c)?);
                self.run(call, memory, (a.value(), b.value(), c.value()))
            }
            [a, b, c, d] => {
                let (a, b, c, d) = (arg(a)?, arg(b)?, arg(c)?, arg(d)?);
                self.run(call, memory, (a.value(), b.value(), c.value(), d.value()))
            }
            _ => self.run(call, memory, self.args(call)?),
        }
    }

    fn run(
        &self,
        call: &Call<'_>,
        memory: &Memory,
        args: impl IntoLuaMulti,
    ) -> mlua::Result<Value> {
        memory.within(call.lua, || self.function.call(args))
    }

    /// All arguments as a list.
    pub(crate) fn args(&self, call: &Call<'_>) -> mlua::Result<Variadic<Value>> {
        self.params
            .iter()
            .map(|param| Ok(self.arg(*param, call)?.value().clone()))
            .collect()
    }

    fn arg(&self, param: Param, call: &Call<'_>) -> mlua::Result<Given> {
        Ok(Given::Own(match param {
            Param::Field(field) => {
                let value = call.event.get(field);
                if let ApiValue::Text(text) = value
                    && let Some(kept) = call.texts.get(call.lua, text)?
                {
                    return Ok(Given::Kept(kept));
                }
                value::to_lua(call.lua, value)?
            }
            Param::PayloadBuffer => {
                let payload = call
                    .event
                    .get(Field::Payload)
                    .as_bytes()
                    .unwrap_or_default();
                Value::Buffer(match call.buffers {
                    Some(buffers) => buffers.with(call.lua, payload)?,
                    None => call.lua.create_buffer(payload)?,
                })
            }
            Param::Msg | Param::Client => match call.slot {
                Some(slot) => Value::UserData(call.lua.create_userdata(Message {
                    slot: Slot::clone(slot),
                    hook: self.hook,
                    is_client: param == Param::Client,
                })?),
                None => Value::Nil,
            },
            Param::Config => call.config.clone(),
        }))
    }
}

/// What each parameter of a handler stands for.
///
/// # Errors
/// The line that is wrong, and why.
pub(crate) fn params(
    hook: Hook,
    function: &FunctionOutline,
) -> Result<Vec<Param>, (usize, String)> {
    let name = hook.name();
    if function.is_method {
        return Err((
            function.line,
            format!("write function M.{name}(...) with a dot: a handler has no self"),
        ));
    }
    function
        .params
        .iter()
        .map(|(param, line)| param_named(hook, param).map_err(|why| (*line, why)))
        .collect()
}

fn param_named(hook: Hook, name: &str) -> Result<Param, String> {
    let spec = hook.spec();
    match name {
        "msg" => return Ok(Param::Msg),
        "config" => return Ok(Param::Config),
        "client" if !visible(hook, true).is_empty() => return Ok(Param::Client),
        "payload_buffer" if spec.fields.contains(&Field::Payload) => {
            return Ok(Param::PayloadBuffer);
        }
        "..." => {
            return Err(format!(
                "{} cannot take ...: its parameters' names say which fields it reads",
                spec.name
            ));
        }
        _ => {}
    }
    if let Some(field) = spec.fields.iter().find(|field| field.name() == name) {
        return Ok(Param::Field(*field));
    }
    let special: &[&str] = &["msg", "client", "config", "payload_buffer"];
    let known = spec.fields.iter().map(|field| field.name());
    let meant = nearest(name, known.chain(special.iter().copied()));
    let mut why = format!("{} has no field \"{name}\"", spec.name);
    match meant {
        Some(meant) => why.push_str(&format!("; did you mean \"{meant}\"?")),
        None => {
            let fields: Vec<_> = spec.fields.iter().map(|field| field.name()).collect();
            why.push_str(&format!(
                "; parameters are named after fields: {}, or msg, client, config",
                fields.join(", ")
            ));
        }
    }
    Err(why)
}

/// The fields that `msg` and `client` can be asked for, as far as the source shows.
pub(crate) fn shown(hook: Hook, params: &[Param], outline: &Outline) -> FieldSet {
    let mut shown = FieldSet::EMPTY;
    for (param, names) in [(Param::Msg, &outline.msg), (Param::Client, &outline.client)] {
        if !params.contains(&param) {
            continue;
        }
        let all = visible(hook, param == Param::Client);
        shown = shown.union(match names {
            Some(names) => all
                .iter()
                .filter(|field| names.iter().any(|name| name == field.name()))
                .collect(),
            None => all,
        });
    }
    shown
}

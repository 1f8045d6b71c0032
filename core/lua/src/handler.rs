//! One handler: a function of the script, and what its parameters stand for.

use std::rc::Rc;

use hookmq_plugin_api::{Event, Field, FieldSet, Hook, Value as ApiValue};
use mlua::{Either, Function, IntoLuaMulti, LuaString, Value, Variadic};

use crate::message::{Message, Slot, visible};
use crate::outline::{FunctionOutline, Outline};
use crate::suggest::nearest;
use crate::texts::Found;
use crate::value;
use crate::vm::Vm;

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
    /// Whether `msg` or `client` is among the parameters.
    pub(crate) needs_slot: bool,
}

/// What arguments are made from.
pub(crate) struct Call<'a> {
    pub(crate) vm: &'a Vm,
    pub(crate) event: &'a dyn Event,
    pub(crate) slot: Option<&'a Slot>,
    /// Whether buffers are reused; not where calls overlap.
    pub(crate) reuse: bool,
}

/// An argument.
enum Given {
    Own(Value),
    /// One that the VM keeps; a reference, since another handle to the same value costs as much as a new string.
    Kept(Rc<Value>),
    /// A text that the VM keeps.
    Text(Rc<LuaString>),
}

impl Given {
    /// What the engine takes; a text as such, since it is handed over sooner than a value of which the engine asks what it is.
    fn value(&self) -> Either<&LuaString, &Value> {
        match self {
            Self::Text(text) => Either::Left(text),
            Self::Own(value) => Either::Right(value),
            Self::Kept(value) => Either::Right(value),
        }
    }

    /// A handle of its own.
    fn into_value(self) -> Value {
        match self {
            Self::Own(value) => value,
            Self::Kept(value) => (*value).clone(),
            Self::Text(text) => Value::String((*text).clone()),
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

    /// Makes its arguments and calls it, within the VM's memory limit.
    pub(crate) fn call(&self, call: &Call<'_>) -> mlua::Result<Value> {
        let arg = |param| self.arg(param, call);
        // Tuples need no list on the heap, and one value alone needs no room made for it on the engine's stack.
        match *self.params.as_slice() {
            [] => self.run(call, ()),
            [a] => {
                let a = arg(a)?;
                self.run(call, a.value())
            }
            [a, b] => {
                let (a, b) = (arg(a)?, arg(b)?);
                self.run(call, (a.value(), b.value()))
            }
            [a, b, c] => {
                let (a, b, c) = (arg(a)?, arg(b)?, arg(c)?);
                self.run(call, (a.value(), b.value(), c.value()))
            }
            [a, b, c, d] => {
                let (a, b, c, d) = (arg(a)?, arg(b)?, arg(c)?, arg(d)?);
                self.run(call, (a.value(), b.value(), c.value(), d.value()))
            }
            _ => self.run(call, self.args(call)?),
        }
    }

    fn run(&self, call: &Call<'_>, args: impl IntoLuaMulti) -> mlua::Result<Value> {
        call.vm
            .context
            .memory
            .within(&call.vm.lua, || self.function.call(args))
    }

    /// All arguments as a list.
    pub(crate) fn args(&self, call: &Call<'_>) -> mlua::Result<Variadic<Value>> {
        // A handle more to a value is one value more to the engine.
        call.vm.lift();
        self.params
            .iter()
            .map(|param| Ok(self.arg(*param, call)?.into_value()))
            .collect()
    }

    fn arg(&self, param: Param, call: &Call<'_>) -> mlua::Result<Given> {
        match param {
            Param::Field(field) => match call.event.get(field) {
                ApiValue::Text(text) => text_arg(text, call),
                value => value_arg(value, call),
            },
            Param::PayloadBuffer => buffer_arg(call),
            Param::Msg => self.message_arg(false, call),
            Param::Client => self.message_arg(true, call),
            Param::Config => Ok(Given::Kept(Rc::clone(&call.vm.config))),
        }
    }

    #[inline(never)]
    fn message_arg(&self, is_client: bool, call: &Call<'_>) -> mlua::Result<Given> {
        let Some(slot) = call.slot else {
            return Ok(Given::Own(Value::Nil));
        };
        call.vm.lift();
        let message = call.vm.lua.create_userdata(Message {
            slot: Slot::clone(slot),
            hook: self.hook,
            is_client,
        })?;
        Ok(Given::Own(Value::UserData(message)))
    }
}

// Most arguments are texts, and most texts are kept: what makes a value is apart, so that nothing of it weighs on a call that makes none.

fn text_arg(text: &str, call: &Call<'_>) -> mlua::Result<Given> {
    match call.vm.texts.find(text) {
        Found::Kept(kept) => Ok(Given::Text(kept)),
        Found::Again(place) => {
            let made = Rc::new(new_text(text, call)?);
            call.vm.texts.keep(place, text, &made);
            Ok(Given::Text(made))
        }
        Found::New => Ok(Given::Own(Value::String(new_text(text, call)?))),
    }
}

#[inline(never)]
fn new_text(text: &str, call: &Call<'_>) -> mlua::Result<LuaString> {
    call.vm.lift();
    call.vm.lua.create_string(text)
}

#[inline(never)]
fn value_arg(value: ApiValue<'_>, call: &Call<'_>) -> mlua::Result<Given> {
    match value {
        // These need no memory.
        ApiValue::Nil | ApiValue::Bool(_) | ApiValue::Integer(_) => {}
        _ => call.vm.lift(),
    }
    value::to_lua(&call.vm.lua, value).map(Given::Own)
}

#[inline(never)]
fn buffer_arg(call: &Call<'_>) -> mlua::Result<Given> {
    let payload = call.event.get(Field::Payload);
    let payload = payload.as_bytes().unwrap_or_default();
    let vm = call.vm;
    if call.reuse
        && let Some(kept) = vm.buffers.with(&vm.lua, payload, || vm.lift())?
    {
        return Ok(Given::Kept(kept));
    }
    vm.lift();
    Ok(Given::Own(Value::Buffer(vm.lua.create_buffer(payload)?)))
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

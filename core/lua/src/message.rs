//! `msg` and `client`: the current event as one object, for handlers that do not want to list what they read.
//!
//! It holds a copy of what the script's source reads of it, made before the call and gone after it. Declared parameters are cheaper.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::{Arc, OnceLock};

use hookmq_plugin_api::surface::CLIENT_FIELDS;
use hookmq_plugin_api::{Event, EventRecord, Field, FieldSet, Hook, Value as ApiValue};
use mlua::{Lua, MetaMethod, UserData, UserDataMethods, Value};

use crate::suggest::hint;
use crate::value::to_lua;

/// An event that a handler may look at for the length of one call.
#[derive(Clone)]
pub(crate) enum Held {
    /// A copy, for calls that borrow their event.
    Copy(Rc<EventRecord>),
    /// The event itself, for calls that own it.
    Whole(Arc<dyn Event + Send + Sync>),
}

impl Held {
    fn get(&self, field: Field) -> ApiValue<'_> {
        match self {
            Self::Copy(record) => record.get(field),
            Self::Whole(event) => event.get(field),
        }
    }
}

/// The event of one call, shared by its `msg` and `client`; emptied when the call ends.
pub(crate) type Slot = Rc<RefCell<Option<Held>>>;

/// `msg` or `client`.
pub(crate) struct Message {
    pub(crate) slot: Slot,
    pub(crate) hook: Hook,
    pub(crate) is_client: bool,
}

impl Message {
    const fn word(&self) -> &'static str {
        if self.is_client { "client" } else { "msg" }
    }

    fn fields(&self) -> FieldSet {
        visible(self.hook, self.is_client)
    }

    fn read(&self, lua: &Lua, name: &str) -> mlua::Result<Value> {
        let word = self.word();
        let slot = self.slot.borrow();
        let Some(held) = slot.as_ref() else {
            return Err(mlua::Error::runtime(format!(
                "{word}.{name}: {word} is valid only during its call of {}; copy what you need into a local",
                self.hook.name()
            )));
        };
        match field_named(name).filter(|field| self.fields().has(*field)) {
            Some(field) => to_lua(lua, held.get(field)),
            None => Err(mlua::Error::runtime(format!(
                "{} has no {word}.{name}{}",
                self.hook.name(),
                hint(name, self.fields().iter().map(Field::name))
            ))),
        }
    }
}

/// The fields that `msg` or `client` shows in a hook.
pub(crate) fn visible(hook: Hook, is_client: bool) -> FieldSet {
    let all = hook.spec().field_set();
    if is_client {
        all.iter()
            .filter(|field| CLIENT_FIELDS.has(*field))
            .collect()
    } else {
        all
    }
}

impl UserData for Message {
    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        methods.add_meta_method(MetaMethod::Index, |lua, this, name: mlua::LuaString| {
            this.read(lua, &name.to_string_lossy())
        });
        methods.add_meta_method(
            MetaMethod::NewIndex,
            |_, this, (name, _): (mlua::LuaString, Value)| -> mlua::Result<()> {
                let name = name.to_string_lossy();
                let word = this.word();
                Err(mlua::Error::runtime(format!(
                    "{word}.{name} cannot be assigned; return broker.pass {{ {name} = ... }} to change it"
                )))
            },
        );
    }
}

/// [`Field::from_name`], by hash.
pub(crate) fn field_named(name: &str) -> Option<Field> {
    static NAMES: OnceLock<HashMap<&'static str, Field>> = OnceLock::new();
    NAMES
        .get_or_init(|| {
            hookmq_plugin_api::field::FIELDS
                .iter()
                .map(|spec| (spec.name, spec.field))
                .collect()
        })
        .get(name)
        .copied()
}

//! What a script finds around it: Luau's harmless globals, the `broker` table, and `require` for the files of its own folder.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use hookmq_plugin_api::Host;
use mlua::chunk::ChunkMode;
use mlua::{Lua, LuaOptions, StdLib, Table, Value};

use crate::api;
use crate::context::{Context, Mode};
use crate::error::Fault;
use crate::guard::Guard;
use crate::memory::Memory;
use crate::settings::LuaSettings;
use crate::sources::Sources;
use crate::value::show;

/// What every VM of a script is made from.
pub(crate) struct Blueprint {
    pub(crate) settings: LuaSettings,
    pub(crate) host: Arc<dyn Host>,
    pub(crate) sources: Sources,
}

/// Globals that scripts keep. What is not here is removed: files, processes, code from text, environments.
const GLOBALS: [&str; 33] = [
    "_G",
    "_VERSION",
    "assert",
    "bit32",
    "buffer",
    "collectgarbage",
    "coroutine",
    "debug",
    "error",
    "getmetatable",
    "ipairs",
    "math",
    "next",
    "os",
    "pairs",
    "pcall",
    "print",
    "rawequal",
    "rawget",
    "rawlen",
    "rawset",
    "select",
    "setmetatable",
    "string",
    "table",
    "tonumber",
    "tostring",
    "type",
    "typeof",
    "unpack",
    "utf8",
    "vector",
    "xpcall",
];
/// Of the libraries that touch the outside, the functions that do not.
const PARTS: [(&str, &[&str]); 2] = [
    ("os", &["clock", "date", "difftime", "time"]),
    ("debug", &["info", "traceback"]),
];

/// A closed VM with the host's functions in it.
pub(crate) fn sandbox(
    blueprint: &Arc<Blueprint>,
    mode: Mode,
) -> mlua::Result<(Lua, Rc<Context>, Rc<Guard>)> {
    let settings = &blueprint.settings;
    let lua = Lua::new_with(StdLib::ALL_SAFE, LuaOptions::default())?;
    let guard = Rc::new(Guard::new());
    let context = Rc::new(Context {
        name: settings.name.clone(),
        host: Arc::clone(&blueprint.host),
        clock: Arc::clone(&settings.clock),
        guard: Rc::clone(&guard),
        mode,
        calling: Cell::default(),
        main_thread: lua.current_thread().to_pointer().addr(),
        held: Rc::default(),
        memory: Memory::beyond(&lua, settings.memory_limit),
        grant_refused: RefCell::new(None),
    });
    restrict(&lua)?;
    let emit = api::printer(&lua, &context)?;
    lua.load(include_str!("builtins.luau"))
        .set_name("=builtins")
        .call::<()>(emit)?;
    let (broker, wrap) = api::install(&lua, &context)?;
    let require = create_require(&lua, blueprint, broker)?;
    let require: mlua::Function = wrap.call(require)?;
    lua.globals().raw_set("require", require)?;
    guard.attach(&lua);
    lua.sandbox(true)?;
    Ok((lua, context, guard))
}

fn restrict(lua: &Lua) -> mlua::Result<()> {
    let globals = lua.globals();
    let mut unwanted = Vec::new();
    for entry in globals.pairs::<Value, Value>() {
        let (name, _) = entry?;
        let is_kept = matches!(&name, Value::String(name)
            if GLOBALS.iter().any(|kept| *name == **kept));
        if !is_kept {
            unwanted.push(name);
        }
    }
    for name in unwanted {
        globals.raw_set(name, Value::Nil)?;
    }
    for (library, kept) in PARTS {
        let whole: Table = globals.raw_get(library)?;
        let part = lua.create_table()?;
        for name in kept {
            part.raw_set(*name, whole.raw_get::<Value>(*name)?)?;
        }
        globals.raw_set(library, part)?;
    }
    Ok(())
}

/// `require`: `broker`, or a file of the script's folder, run once per VM.
fn create_require(
    lua: &Lua,
    blueprint: &Arc<Blueprint>,
    broker: Table,
) -> mlua::Result<mlua::Function> {
    // `None` while a file's body runs.
    let loaded: RefCell<HashMap<String, Option<Value>>> = RefCell::new(HashMap::new());
    let blueprint = Arc::clone(blueprint);
    lua.create_function(move |lua, name: Value| {
        let result = require(lua, &blueprint, &broker, &loaded, &name);
        match result {
            Ok(value) => Ok((true, value)),
            Err(Fault {
                raise: Some(error), ..
            }) => Err(error),
            Err(fault) => Ok((false, Value::String(lua.create_string(fault.message)?))),
        }
    })
}

fn require(
    lua: &Lua,
    blueprint: &Blueprint,
    broker: &Table,
    loaded: &RefCell<HashMap<String, Option<Value>>>,
    wanted: &Value,
) -> Result<Value, Fault> {
    let Value::String(wanted) = wanted else {
        return Err(Fault::new(format!(
            "require takes a string, got {}",
            show(wanted)
        )));
    };
    let wanted = wanted.to_string_lossy();
    if wanted == "broker" {
        return Ok(Value::Table(broker.clone()));
    }
    let (name, source) = blueprint.sources.require(&wanted).map_err(Fault::new)?;
    match loaded.borrow().get(&name) {
        Some(Some(value)) => return Ok(value.clone()),
        Some(None) => {
            return Err(Fault::new(format!(
                "require(\"{wanted}\"): {name} requires itself, directly or by another file"
            )));
        }
        None => {}
    }
    loaded.borrow_mut().insert(name.clone(), None);
    let result = lua
        .load(source.text.as_str())
        .set_name(format!("@{name}"))
        .set_mode(ChunkMode::Text)
        .call::<Value>(());
    match result {
        Ok(value) => {
            if let Value::Table(table) = &value {
                table.set_readonly(true);
            }
            loaded.borrow_mut().insert(name, Some(value.clone()));
            Ok(value)
        }
        Err(error) => {
            loaded.borrow_mut().remove(&name);
            Err(error.into())
        }
    }
}

//! One virtual machine: a sandbox with the script's body run in it, and its handlers ready to be called.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use hookmq_plugin_api::{Answer, Cause, Event, EventRecord, Hook, Host, PluginError};
use mlua::chunk::ChunkMode;
use mlua::{Lua, LuaOptions, StdLib, Table, Value};

use crate::api;
use crate::buffer::Buffers;
use crate::config;
use crate::context::{Calling, Context, Mode};
use crate::error::{Fault, LoadError, first_lines, placed};
use crate::guard::{Armed, Guard};
use crate::handler::{self, Call, Handler};
use crate::message::{Held, Slot};
use crate::metadata::{self, Declared};
use crate::settings::LuaSettings;
use crate::sources::Sources;
use crate::value::show;
use crate::verdict;

/// Globals that scripts keep. What is not here is removed: files, processes, code from text, environments.
const GLOBALS: [&str; 30] = [
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
    "utf8",
];
const MORE_GLOBALS: [&str; 3] = ["unpack", "vector", "xpcall"];
/// Of the libraries that touch the outside, the functions that do not.
const PARTS: [(&str, &[&str]); 2] = [
    ("os", &["clock", "date", "difftime", "time"]),
    ("debug", &["info", "traceback"]),
];
/// Calls of one VM inside each other, which happens when a host function leads to another hook at once.
const MAX_NESTING: u8 = 8;

/// What every VM of a script is made from.
pub(crate) struct Blueprint {
    pub(crate) settings: LuaSettings,
    pub(crate) host: Arc<dyn Host>,
    pub(crate) sources: Sources,
}

/// A VM with its handlers.
pub(crate) struct Vm {
    // Handles into the VM go before the VM itself.
    handlers: Vec<Option<Rc<Handler>>>,
    config: Value,
    buffers: Buffers,
    pub(crate) context: Rc<Context>,
    pub(crate) guard: Rc<Guard>,
    nesting: Cell<u8>,
    memory_limit: usize,
    pub(crate) lua: Lua,
}

/// Why a call of a VM gave no answer, and whether the VM must go.
pub(crate) struct Failure {
    pub(crate) error: PluginError,
    pub(crate) is_broken: bool,
}

impl From<PluginError> for Failure {
    fn from(error: PluginError) -> Self {
        Self {
            error,
            is_broken: false,
        }
    }
}

impl Vm {
    /// Makes a VM and runs the body.
    pub(crate) fn new(
        blueprint: &Arc<Blueprint>,
        mode: Mode,
    ) -> Result<(Self, Declared), LoadError> {
        let main = blueprint.sources.main();
        let broken = |error: mlua::Error| LoadError::new(main, 0, first_lines(&error.to_string()));
        let (lua, context, guard) = sandbox(blueprint, mode).map_err(broken)?;
        let armed = guard.arm(blueprint.settings.body_budget);
        let table = run_body(&lua, blueprint, &guard, &armed)?;
        let built = read_table(&lua, blueprint, &table);
        guard.disarm(&armed);
        let (handlers, declared) = built?;
        let vm = Self {
            handlers,
            config: declared.config.clone().map_or(Value::Nil, Value::Table),
            buffers: Buffers::default(),
            context,
            guard,
            nesting: Cell::new(0),
            memory_limit: blueprint.settings.memory_limit,
            lua,
        };
        // What handlers share is in locals and in broker.kv; a stray global would be one VM's own.
        vm.lua.globals().set_readonly(true);
        Ok((vm, declared))
    }

    pub(crate) fn handlers(&self) -> impl Iterator<Item = &Handler> {
        self.handlers.iter().flatten().map(AsRef::as_ref)
    }

    pub(crate) fn handler(&self, hook: Hook) -> Option<&Rc<Handler>> {
        self.handlers.get(hook as usize)?.as_ref()
    }

    /// What handlers are called with.
    pub(crate) fn arguments<'a>(
        &'a self,
        event: &'a dyn Event,
        slot: Option<&'a Slot>,
        reuse: bool,
    ) -> Call<'a> {
        Call {
            lua: &self.lua,
            event,
            slot,
            config: &self.config,
            buffers: reuse.then_some(&self.buffers),
        }
    }

    /// Answers an event on this thread.
    pub(crate) fn call(&self, event: &dyn Event, budget: Duration) -> Result<Answer, Failure> {
        let Some(handler) = self.handler(event.hook()) else {
            return Ok(Answer::PASS);
        };
        let nesting = self.nesting.get();
        if nesting >= MAX_NESTING {
            let words = format!("{}: called inside itself too deep", handler.place);
            return Err(PluginError::new(Cause::Unavailable, words).into());
        }
        self.nesting.set(nesting + 1);
        let outer = self.context.calling.replace(Calling {
            hook: Some(handler.hook),
            depth: event.depth(),
        });
        let slot: Option<Slot> = handler.needs_slot().then(|| {
            let copy = EventRecord::copy_of(event, handler.shown);
            Rc::new(RefCell::new(Some(Held::Copy(Rc::new(copy)))))
        });
        let armed = self.guard.arm(budget);
        let result = handler.call(&self.arguments(event, slot.as_ref(), nesting == 0));
        let is_over = self.guard.disarm(&armed);
        if let Some(slot) = slot {
            slot.borrow_mut().take();
        }
        self.context.calling.set(outer);
        self.nesting.set(nesting);
        self.conclude(handler, result, is_over, budget)
    }

    /// What a handler's end means.
    pub(crate) fn conclude(
        &self,
        handler: &Handler,
        result: mlua::Result<Value>,
        is_over: bool,
        budget: Duration,
    ) -> Result<Answer, Failure> {
        if is_over {
            let place = self.guard.take_place();
            let place = place.as_deref().unwrap_or(&handler.place);
            let words = format!(
                "{place}: {} ran longer than its {budget:?} and was stopped",
                handler.hook.name()
            );
            return Err(Failure {
                error: PluginError::new(Cause::Timeout, words),
                is_broken: true,
            });
        }
        match result {
            Ok(Value::Nil) => Ok(Answer::PASS),
            Ok(returned) => Ok(verdict::answer(
                handler.hook.spec(),
                &returned,
                &handler.place,
            )?),
            Err(error) => Err(self.failure(handler, &error)),
        }
    }

    #[cold]
    fn failure(&self, handler: &Handler, error: &mlua::Error) -> Failure {
        let words = first_lines(&error.to_string());
        if is_out_of_memory(error) || self.lua.used_memory() > self.memory_limit {
            let words = format!(
                "{}: {} needed more than its {} bytes of memory",
                handler.place,
                handler.hook.name(),
                self.memory_limit
            );
            return Failure {
                error: PluginError::new(Cause::Memory, words),
                is_broken: true,
            };
        }
        let refused = self.context.grant_refused.borrow_mut().take();
        let cause = match refused {
            Some(refused) if words.contains(&refused) => Cause::Grant,
            _ => Cause::Raised,
        };
        let mut words = if placed(&words).is_some() {
            words
        } else {
            format!("{}: {words}", handler.place)
        };
        if words.contains("attempt to modify a readonly table") {
            words.push_str(
                " (globals and the config are read-only after load; keep state in a local above the functions, or in broker.kv)",
            );
        }
        PluginError::new(cause, words).into()
    }
}

fn is_out_of_memory(error: &mlua::Error) -> bool {
    match error {
        mlua::Error::MemoryError(_) => true,
        mlua::Error::CallbackError { cause, .. } => is_out_of_memory(cause),
        mlua::Error::RuntimeError(words) => words.contains("not enough memory"),
        _ => false,
    }
}

/// A closed VM with the host's functions in it.
pub(crate) fn sandbox(
    blueprint: &Arc<Blueprint>,
    mode: Mode,
) -> mlua::Result<(Lua, Rc<Context>, Rc<Guard>)> {
    let settings = &blueprint.settings;
    let lua = Lua::new_with(StdLib::ALL_SAFE, LuaOptions::default())?;
    lua.set_memory_limit(lua.used_memory() + settings.memory_limit)?;
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
        memory_limit: settings.memory_limit,
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
            if GLOBALS.iter().chain(&MORE_GLOBALS).any(|kept| *name == **kept));
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
    let wanted = wanted.to_string_lossy().to_string();
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

/// Runs the main file, which must return a table.
fn run_body(
    lua: &Lua,
    blueprint: &Blueprint,
    guard: &Guard,
    armed: &Armed,
) -> Result<Table, LoadError> {
    let main = blueprint.sources.main();
    let Some(source) = blueprint.sources.get(main) else {
        return Err(LoadError::new(main, 0, "the file is gone"));
    };
    let result = lua
        .load(source.text.as_str())
        .set_name(format!("@{main}"))
        .set_mode(ChunkMode::Text)
        .call::<Value>(());
    if guard.is_over() {
        guard.disarm(armed);
        let words = format!(
            "{}: the script's body ran longer than its {:?} and was stopped",
            guard.take_place().unwrap_or_else(|| main.to_owned()),
            blueprint.settings.body_budget
        );
        return Err(load_error(blueprint, &words));
    }
    match result {
        Ok(Value::Table(table)) => Ok(table),
        Ok(other) => {
            let last = source.text.trim_end().lines().count();
            let words = format!(
                "a script returns the table of its handlers, this one returned {}; end it with: return M",
                show(&other)
            );
            Err(LoadError::new(main, last, words).quoting(Some(&source.text)))
        }
        Err(error) => Err(load_error(blueprint, &first_lines(&error.to_string()))),
    }
}

/// A load error from `file:line: words`.
fn load_error(blueprint: &Blueprint, words: &str) -> LoadError {
    let main = blueprint.sources.main();
    match placed(words) {
        Some((file, line, words)) => {
            let source = blueprint.sources.get(file);
            LoadError::new(file, line, words).quoting(source.as_deref().map(|s| s.text.as_str()))
        }
        None => LoadError::new(main, 0, words),
    }
}

type Read = (Vec<Option<Rc<Handler>>>, Declared);

/// Takes the returned table apart: functions are handlers, the rest is metadata.
fn read_table(lua: &Lua, blueprint: &Blueprint, table: &Table) -> Result<Read, LoadError> {
    let sources = &blueprint.sources;
    let main = sources.main();
    let main_source = sources.get(main);
    let main_text = main_source.as_deref().map(|source| source.text.as_str());
    // The line of a key is found by its text, for people; no decision hangs on it.
    let at_key = |key: &str, words: String| {
        let line = main_text
            .and_then(|text| line_of_key(text, key))
            .unwrap_or(0);
        LoadError::new(main, line, words).quoting(main_text)
    };
    let mut handlers: Vec<Option<Rc<Handler>>> = Vec::new();
    handlers.resize_with(Hook::COUNT, || None);
    let mut declared = Declared::default();
    for entry in table.pairs::<Value, Value>() {
        let (key, value) = entry.map_err(|error| LoadError::new(main, 0, error.to_string()))?;
        let Value::String(key) = &key else {
            let words = format!(
                "a key of the returned table must be a name, got {}",
                show(&key)
            );
            return Err(LoadError::new(main, 0, words));
        };
        let key = key.to_string_lossy().to_string();
        let Value::Function(function) = value else {
            metadata::read(&mut declared, &key, &value).map_err(|why| at_key(&key, why))?;
            continue;
        };
        let hook =
            Hook::from_name(&key).ok_or_else(|| at_key(&key, metadata::unknown_hook(&key)))?;
        let handler = read_handler(sources, hook, function)?;
        if let Some(slot) = handlers.get_mut(hook as usize) {
            *slot = Some(Rc::new(handler));
        }
    }
    if handlers.iter().all(Option::is_none) {
        let words = "the returned table has no handlers; add one, as in: function M.intercept_publish(topic) end";
        return Err(LoadError::new(main, 0, words));
    }
    let given = &blueprint.settings.config;
    match &declared.config {
        Some(table) => config::apply(lua, table, given),
        None => config::apply(
            lua,
            &lua.create_table()
                .map_err(|error| LoadError::new(main, 0, error.to_string()))?,
            given,
        ),
    }
    .map_err(|why| at_key("config", why))?;
    Ok((handlers, declared))
}

fn line_of_key(text: &str, key: &str) -> Option<usize> {
    let at = |line: &str| {
        line.match_indices(key).any(|(at, _)| {
            let is_word =
                |next: Option<char>| next.is_some_and(|next| next.is_alphanumeric() || next == '_');
            !is_word(line.get(..at).and_then(|before| before.chars().next_back()))
                && !is_word(
                    line.get(at + key.len()..)
                        .and_then(|after| after.chars().next()),
                )
        })
    };
    let lines = || {
        text.lines()
            .enumerate()
            .filter(|(_, line)| !line.trim_start().starts_with("--"))
    };
    lines()
        .find(|(_, line)| at(line) && (line.contains('=') || line.contains("function")))
        .or_else(|| lines().find(|(_, line)| at(line)))
        .map(|(line, _)| line + 1)
}

fn read_handler(
    sources: &Sources,
    hook: Hook,
    function: mlua::Function,
) -> Result<Handler, LoadError> {
    let name = hook.name();
    let info = function.info();
    let file = info
        .source
        .as_deref()
        .and_then(|source| source.strip_prefix('@'));
    // A builtin has no line in the script.
    let line = file.and(info.line_defined).unwrap_or(0);
    let file = file.unwrap_or(sources.main()).to_owned();
    let source = sources.get(&file);
    let text = source.as_deref().map(|source| source.text.as_str());
    let found = source
        .as_deref()
        .and_then(|source| source.outline.find(line, name))
        .filter(|found| {
            found.is_method
                || found.params.len() == usize::from(info.num_params) + usize::from(info.is_vararg)
        });
    let Some(outline) = found else {
        let words = format!(
            "cannot read the parameter names of {name}; write it in the script, on a line of its own: function M.{name}(topic) ... end"
        );
        return Err(LoadError::new(file, line, words).quoting(text));
    };
    let params = handler::params(hook, outline)
        .map_err(|(line, why)| LoadError::new(file.clone(), line, why).quoting(text))?;
    let shown = source
        .as_deref()
        .map(|source| handler::shown(hook, &params, &source.outline))
        .unwrap_or_default();
    Ok(Handler {
        hook,
        function,
        params,
        place: format!("{file}:{line}"),
        shown,
    })
}

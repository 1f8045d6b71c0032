//! A script's body: run once per VM; the table that it returns is taken apart into handlers, metadata and config.

use std::rc::Rc;

use hookmq_plugin_api::Hook;
use mlua::chunk::ChunkMode;
use mlua::{Lua, Table, Value};

use crate::config;
use crate::error::{LoadError, first_lines, placed};
use crate::guard::{Armed, Guard};
use crate::handler::{self, Handler, Param};
use crate::metadata::{self, Declared};
use crate::sandbox::Blueprint;
use crate::sources::Sources;
use crate::value::show;

/// Runs the main file, which must return a table.
pub(crate) fn run_body(
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

pub(crate) type Read = (Vec<Option<Rc<Handler>>>, Declared);

/// Takes the returned table apart: functions are handlers, the rest is metadata.
pub(crate) fn read_table(
    lua: &Lua,
    blueprint: &Blueprint,
    table: &Table,
) -> Result<Read, LoadError> {
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
        let key = key.to_string_lossy();
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
        needs_slot: params
            .iter()
            .any(|param| matches!(param, Param::Msg | Param::Client)),
        params,
        place: format!("{file}:{line}"),
        shown,
    })
}

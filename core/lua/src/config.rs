//! A script's config: `M.config` declares keys, types and defaults; the operator's values are checked against it and put in place.
//!
//! A non-empty table is checked key by key, an empty one takes any table, a list takes values of its first entry's type, and
//! `broker.required("string")` has no default.

use mlua::{Lua, Table, UserData, Value};
use serde_json::Value as Json;

use crate::suggest::hint;

/// A key that the operator must set.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Required(&'static str);

impl UserData for Required {}

const KINDS: [&str; 4] = ["string", "number", "boolean", "table"];

impl Required {
    pub(crate) fn of(kind: &str) -> Result<Self, String> {
        KINDS
            .into_iter()
            .find(|known| *known == kind)
            .map(Self)
            .ok_or_else(|| {
                format!(
                    "must be one of {}, got \"{kind}\"{}",
                    KINDS.join(", "),
                    hint(kind, KINDS)
                )
            })
    }
}

/// Puts the operator's values into the declared table and makes it read-only.
///
/// # Errors
/// The path of the key that is unknown, of the wrong type, or missing.
pub(crate) fn apply(lua: &Lua, declared: &Table, given: &Json) -> Result<(), String> {
    match given {
        Json::Null => {}
        Json::Object(given) => merge(lua, declared, given, "config")?,
        other => return Err(format!("config must be a table, got {}", show(other))),
    }
    finish(declared, "config", 0)
}

/// Deepest nesting of a config.
const MAX_DEPTH: usize = 32;

fn merge(
    lua: &Lua,
    declared: &Table,
    given: &serde_json::Map<String, Json>,
    path: &str,
) -> Result<(), String> {
    for (key, value) in given {
        let path = format!("{path}.{key}");
        let default: Value = declared.raw_get(key.as_str()).map_err(text)?;
        let merged = match (&default, value) {
            (Value::Nil, _) => return Err(unknown(declared, &path, key)),
            (Value::Table(inner), Json::Object(value)) if is_record(inner) => {
                merge(lua, inner, value, &path)?;
                continue;
            }
            _ => {
                check(&default, value, &path)?;
                to_lua(lua, value).map_err(text)?
            }
        };
        declared.raw_set(key.as_str(), merged).map_err(text)?;
    }
    Ok(())
}

/// Whether a declared table names its keys.
fn is_record(table: &Table) -> bool {
    table.raw_len() == 0 && !is_empty(table)
}

fn is_empty(table: &Table) -> bool {
    table.pairs::<Value, Value>().next().is_none()
}

fn unknown(declared: &Table, path: &str, key: &str) -> String {
    let mut known: Vec<String> = declared
        .pairs::<String, Value>()
        .filter_map(|entry| Some(entry.ok()?.0))
        .collect();
    known.sort_unstable();
    let known_names = known.iter().map(String::as_str);
    let meant = hint(key, known_names);
    if known.is_empty() {
        return format!("{path}: the script has no such key; it takes no config");
    }
    format!(
        "{path}: the script has no such key{meant}; it has {}",
        known.join(", ")
    )
}

fn check(default: &Value, value: &Json, path: &str) -> Result<(), String> {
    let expected = match default {
        Value::String(_) => "string",
        Value::Number(_) | Value::Integer(_) => "number",
        Value::Boolean(_) => "boolean",
        Value::Table(_) => "table",
        Value::UserData(data) => match data.borrow::<Required>() {
            Ok(required) => required.0,
            Err(_) => return Err(bad_default(path)),
        },
        _ => return Err(bad_default(path)),
    };
    if expected != kind(value) {
        return Err(format!("{path} must be a {expected}, got {}", show(value)));
    }
    if let (Value::Table(list), Json::Array(items)) = (default, value)
        && let Ok(first) = list.raw_get::<Value>(1)
        && !first.is_nil()
    {
        for (at, item) in items.iter().enumerate() {
            check(&first, item, &format!("{path}[{}]", at + 1))?;
        }
    } else if let (Value::Table(list), Json::Object(_)) = (default, value)
        && list.raw_len() > 0
    {
        return Err(format!("{path} must be a list, got {}", show(value)));
    } else if let (Value::Table(table), Json::Array(_)) = (default, value)
        && is_record(table)
    {
        return Err(format!("{path} must be a table with names, got a list"));
    }
    Ok(())
}

fn bad_default(path: &str) -> String {
    format!(
        "{path}: a default is a string, number, boolean or table, or broker.required(\"string\") for a key without one"
    )
}

/// After the operator's values: nothing that is required may be missing, and nothing can be changed any more.
fn finish(table: &Table, path: &str, depth: usize) -> Result<(), String> {
    if depth > MAX_DEPTH {
        return Err(format!("config: nested more than {MAX_DEPTH} deep"));
    }
    // Marked first, so that a table that contains itself comes to an end.
    table.set_readonly(true);
    for entry in table.pairs::<Value, Value>() {
        let (key, value) = entry.map_err(text)?;
        let path = match &key {
            Value::String(key) => format!("{path}.{}", key.to_string_lossy()),
            other => format!("{path}[{}]", other.to_string().unwrap_or_default()),
        };
        match &value {
            Value::Table(inner) if !inner.is_readonly() => finish(inner, &path, depth + 1)?,
            Value::UserData(data) => {
                return Err(match data.borrow::<Required>() {
                    Ok(required) => format!("{path} is required: a {}", required.0),
                    Err(_) => bad_default(&path),
                });
            }
            Value::Function(_) | Value::Thread(_) | Value::Error(_) => {
                return Err(bad_default(&path));
            }
            _ => {}
        }
    }
    Ok(())
}

/// JSON as plain Lua values; the operator's TOML has no null.
pub(crate) fn to_lua(lua: &Lua, value: &Json) -> mlua::Result<Value> {
    Ok(match value {
        Json::Null => Value::Nil,
        Json::Bool(truth) => Value::Boolean(*truth),
        Json::Number(number) => Value::Number(number.as_f64().unwrap_or_default()),
        Json::String(text) => Value::String(lua.create_string(text)?),
        Json::Array(items) => {
            let list = lua.create_table_with_capacity(items.len(), 0)?;
            for item in items {
                list.raw_push(to_lua(lua, item)?)?;
            }
            Value::Table(list)
        }
        Json::Object(entries) => {
            let table = lua.create_table_with_capacity(0, entries.len())?;
            for (key, value) in entries {
                table.raw_set(key.as_str(), to_lua(lua, value)?)?;
            }
            Value::Table(table)
        }
    })
}

fn kind(value: &Json) -> &'static str {
    match value {
        Json::Null => "nil",
        Json::Bool(_) => "boolean",
        Json::Number(_) => "number",
        Json::String(_) => "string",
        Json::Array(_) | Json::Object(_) => "table",
    }
}

fn show(value: &Json) -> String {
    match value {
        Json::Array(_) => "a list".into(),
        Json::Object(_) => "a table".into(),
        // Strings are not shown: this may be a secret in the wrong place.
        Json::String(_) => "a string".into(),
        other => format!("the {} {other}", kind(other)),
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "used as a function of errors"
)]
fn text(error: mlua::Error) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check_config(declared: &str, given: &Json) -> Result<String, String> {
        let lua = Lua::new();
        let required = lua
            .create_function(|_, kind: String| Required::of(&kind).map_err(mlua::Error::runtime))
            .unwrap();
        lua.globals().set("required", required).unwrap();
        let declared: Table = lua.load(format!("return {declared}")).eval().unwrap();
        apply(&lua, &declared, given)?;
        assert!(declared.is_readonly());
        lua.globals().set("c", declared).unwrap();
        Ok(lua
            .load("return tostring(c.n) .. ' ' .. tostring(c.s) .. ' ' .. tostring(c.t and c.t.x)")
            .eval()
            .unwrap())
    }

    #[test]
    fn defaults_stand_until_the_operator_says_otherwise() {
        let declared = "{ n = 1, s = 'a', t = { x = true } }";
        assert_eq!(check_config(declared, &Json::Null).unwrap(), "1 a true");
        assert_eq!(
            check_config(declared, &json!({"n": 2, "t": {"x": false}})).unwrap(),
            "2 a false"
        );
    }

    #[test]
    fn wrong_keys_and_types_are_named_with_their_path() {
        for (declared, given, expected) in [
            (
                "{ max_bytes = 1 }",
                json!({"max_byte": 2}),
                "did you mean \"max_bytes\"",
            ),
            (
                "{ n = 1 }",
                json!({"n": "x"}),
                "config.n must be a number, got a string",
            ),
            (
                "{ t = { x = 1 } }",
                json!({"t": {"x": true}}),
                "config.t.x must be a number",
            ),
            (
                "{ t = { x = 1 } }",
                json!({"t": {"z": 1}}),
                "config.t.z: the script has no such key",
            ),
            (
                "{ l = { 'a' } }",
                json!({"l": ["b", 1]}),
                "config.l[2] must be a string",
            ),
            (
                "{ l = { 'a' } }",
                json!({"l": {"x": 1}}),
                "config.l must be a list",
            ),
            (
                "{ s = required('string') }",
                Json::Null,
                "config.s is required: a string",
            ),
            (
                "{ s = required('string') }",
                json!({"s": 1}),
                "config.s must be a string",
            ),
            ("{ f = print }", Json::Null, "a default is a string"),
        ] {
            let error = check_config(declared, &given).unwrap_err();
            assert!(error.contains(expected), "{declared}: {error}");
        }
    }

    #[test]
    fn circles_and_depths_come_to_an_end() {
        let circle = "(function() local t = { n = 1 } t.t = t return t end)()";
        assert_eq!(check_config(circle, &Json::Null).unwrap(), "1 nil nil");
        let deep =
            "(function() local t = {} for _ = 1, 100000 do t = { t = t } end return t end)()";
        assert!(
            check_config(deep, &Json::Null)
                .unwrap_err()
                .contains("deep")
        );
    }

    #[test]
    fn an_empty_table_takes_any_and_a_required_key_is_filled() {
        assert_eq!(
            check_config("{ t = {} }", &json!({"t": {"x": 5}})).unwrap(),
            "nil nil 5"
        );
        assert_eq!(
            check_config("{ s = required('string') }", &json!({"s": "here"})).unwrap(),
            "nil here nil"
        );
    }
}

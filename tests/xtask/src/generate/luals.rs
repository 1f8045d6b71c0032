//! `broker.meta.lua`: definitions for LuaLS, the Lua language server.

use hookmq_plugin_api::catalogue::HOOKS;
use hookmq_plugin_api::surface::{ALIASES, CLIENT_FIELDS, Function, METADATA, SHAPES};
use hookmq_plugin_api::{Field, FieldSpec, HookSpec, Kind};

use super::lua::{self, Entry, Member};
use super::page::Page;
use super::records;
use super::rust::{camel, rows};

/// The whole file.
pub(super) fn definitions() -> String {
    let mut page = Page::default();
    page.line(INTRODUCTION);
    page.gap();
    page.line("---Bytes that can change in place, as in Luau.\n---@class buffer");
    for (name, kind, doc) in ALIASES {
        page.gap();
        page.line(format!(
            "---{doc}\n---@alias broker.{name} {}",
            annotation(kind)
        ));
    }
    for shape in SHAPES {
        page.gap();
        class(
            &mut page,
            shape.name,
            shape.doc,
            shape
                .fields
                .iter()
                .map(|field| (field.name, field.optional, annotation(field.kind), "")),
        );
    }
    for field in records::all() {
        page.gap();
        let doc = format!("One entry of `{}`.", field.name);
        class(
            &mut page,
            &records::name(field),
            &doc,
            rows(field.record).enumerate().map(|(at, row)| {
                (
                    row.name,
                    at > 0,
                    annotation(&without_mark(lua::change_type(row))),
                    row.doc,
                )
            }),
        );
    }
    page.gap();
    let client = CLIENT_FIELDS.iter().map(Field::spec);
    class(
        &mut page,
        "Client",
        "The client that an event is about, as a handler's `client`; a hook shows those fields that it has.",
        client.map(|row| {
            (
                row.name,
                true,
                annotation(&without_mark(lua::read_type(row))),
                row.doc,
            )
        }),
    );
    page.gap();
    class(
        &mut page,
        "Changes",
        "Everything that some hook can change; what each can is told at its handler in `broker.Plugin`.",
        lua::changeable().map(change),
    );
    page.gap();
    page.line("---What broker.accept takes.");
    page.line("---@class broker.Acceptance: broker.Changes, broker.Keep");
    for spec in HOOKS {
        page.gap();
        hook(&mut page, spec);
    }
    page.gap();
    page.line("---What a script returns: a handler per hook, under the hook's name. Parameters are fields of the hook, in any order.");
    page.line("---@class broker.Plugin");
    for key in METADATA {
        let kind = annotation(key.kind);
        page.line(format!("---@field {}? {kind} {}", key.name, key.doc));
    }
    for spec in HOOKS {
        let result = match spec.kind {
            Kind::Notice => "",
            Kind::Gate | Kind::Filter | Kind::Supply => ": broker.Verdict?",
        };
        page.line(format!(
            "---@field {}? fun(...){result} {}",
            spec.name,
            lua::about(spec)
        ));
    }
    for (table, entries) in lua::tables() {
        page.gap();
        broker_table(&mut page, table, entries);
    }
    page.text()
}

fn change(row: &'static FieldSpec) -> (&'static str, bool, String, &'static str) {
    (
        row.name,
        true,
        annotation(&without_mark(lua::change_type(row))),
        row.doc,
    )
}

fn class(
    page: &mut Page,
    name: &str,
    doc: &str,
    fields: impl Iterator<Item = (&'static str, bool, String, &'static str)>,
) {
    page.line(format!("---{doc}\n---@class broker.{name}"));
    for (name, optional, kind, doc) in fields {
        let mark = if optional { "?" } else { "" };
        page.line(format!("---@field {name}{mark} {kind} {doc}").trim_end());
    }
}

fn hook(page: &mut Page, spec: &HookSpec) {
    let name = camel(spec.name);
    let doc = format!(
        "The event of `{}`, as a handler's `msg`. {}",
        spec.name, spec.when
    );
    class(
        page,
        &format!("{name}Event"),
        &doc,
        rows(spec.fields).map(|row| {
            (
                row.name,
                row.optional,
                annotation(&without_mark(lua::read_type(row))),
                row.doc,
            )
        }),
    );
}

fn broker_table(page: &mut Page, table: &str, entries: Vec<Entry>) {
    let place = if table.is_empty() {
        page.line("---What a script can do beside answering.\n---@class broker");
        "broker".to_owned()
    } else {
        page.line(format!("---@class broker.{table}"));
        format!("broker.{table}")
    };
    let mut functions = Vec::new();
    for Entry { name, member } in entries {
        match member {
            Member::Constant(kind, doc) => {
                page.line(format!("---@field {name} {} {doc}", annotation(kind)));
            }
            Member::Function(function) => functions.push((name, function)),
        }
    }
    page.line(format!("{place} = {{}}"));
    for (name, function) in functions {
        page.gap();
        broker_function(page, &format!("{place}.{name}"), function);
    }
}

fn broker_function(page: &mut Page, path: &str, function: &Function) {
    page.line(format!("---{}", lua::doc(function)));
    for param in function.params {
        let mark = if param.optional { "?" } else { "" };
        page.line(format!(
            "---@param {}{mark} {}",
            param.name,
            annotation(param.kind)
        ));
    }
    if !function.result.is_empty() {
        page.line(format!("---@return {}", annotation(function.result)));
    }
    let params: Vec<_> = function.params.iter().map(|param| param.name).collect();
    page.line(format!("function {path}({}) end", params.join(", ")));
}

/// A type without the question mark that says "or absent": LuaLS puts it at the name.
fn without_mark(kind: String) -> String {
    match kind.strip_suffix('?') {
        Some(plain) => plain
            .strip_prefix('(')
            .and_then(|inner| inner.strip_suffix(')'))
            .unwrap_or(plain)
            .to_owned(),
        None => kind,
    }
}

/// A Luau type as LuaLS writes it: `{ T }` is `T[]`, `{ [K]: V }` is `table<K, V>`, and the broker's own names get their prefix.
fn annotation(kind: &str) -> String {
    let kind = kind.trim();
    let choices = split(kind, '|');
    if choices.len() > 1 {
        let choices: Vec<_> = choices.into_iter().map(annotation).collect();
        return choices.join("|");
    }
    if let Some(plain) = kind.strip_suffix('?') {
        return format!("{}?", annotation(plain));
    }
    if let Some(inside) = inside(kind, '(', ')') {
        return format!("({})", annotation(inside));
    }
    let Some(inside) = inside(kind, '{', '}') else {
        return if kind.starts_with(char::is_uppercase) {
            format!("broker.{kind}")
        } else {
            kind.to_owned()
        };
    };
    let parts: Vec<_> = split(inside, ',')
        .into_iter()
        .map(|part| split(part, ':'))
        .collect();
    match parts.as_slice() {
        [pair] if pair.len() == 1 => format!("{}[]", annotation(pair[0])),
        [pair] if pair[0].trim().starts_with('[') => format!(
            "table<{}, {}>",
            annotation(pair[0].trim().trim_matches(['[', ']'])),
            annotation(pair[1])
        ),
        _ => {
            let fields: Vec<_> = parts
                .iter()
                .map(|pair| format!("{}: {}", pair[0].trim(), annotation(pair[1])))
                .collect();
            format!("{{ {} }}", fields.join(", "))
        }
    }
}

fn inside(kind: &str, open: char, close: char) -> Option<&str> {
    kind.strip_prefix(open)
        .and_then(|rest| rest.strip_suffix(close))
}

/// The parts between separators that stand outside all brackets.
fn split(text: &str, separator: char) -> Vec<&str> {
    let (mut depth, mut start, mut parts) = (0, 0, Vec::new());
    for (at, letter) in text.char_indices() {
        match letter {
            '{' | '(' | '[' => depth += 1,
            '}' | ')' | ']' => depth -= 1,
            _ if letter == separator && depth == 0 => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

const INTRODUCTION: &str = "\
---@meta broker
-- Types of HookMQ scripts, for LuaLS: add plugin-api/luau to workspace.library.
-- Generated from the hook catalogue by `cargo xtask generate`: change the catalogue instead.";

#[cfg(test)]
mod tests {
    use super::{annotation, definitions};

    #[test]
    fn every_type_is_defined() {
        let text = definitions();
        for place in text.split("broker.").skip(1) {
            let name: String = place
                .chars()
                .take_while(|letter| letter.is_alphanumeric())
                .collect();
            if name.starts_with(char::is_uppercase) {
                let defined = ["class", "alias"].iter().any(|word| {
                    ["\n", " ", ":"]
                        .iter()
                        .any(|end| text.contains(&format!("---@{word} broker.{name}{end}")))
                });
                assert!(defined, "{name} is not defined");
            }
        }
    }

    #[test]
    fn luau_types_become_annotations() {
        for (luau, luals) in [
            ("string", "string"),
            ("string?", "string?"),
            ("string | buffer", "string|buffer"),
            ("{ string }", "string[]"),
            ("{ RetainedView }", "broker.RetainedView[]"),
            ("{ [string]: any }", "table<string, any>"),
            ("{ [string | number]: any }", "table<string|number, any>"),
            (
                "{ { topic_filter: string, qos: number } }",
                "{ topic_filter: string, qos: number }[]",
            ),
            ("(string | None)?", "(string|broker.None)?"),
        ] {
            assert_eq!(annotation(luau), luals, "{luau}");
        }
    }
}

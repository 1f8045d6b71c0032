//! `broker.d.luau`: definitions for luau-lsp.

use hookmq_plugin_api::catalogue::HOOKS;
use hookmq_plugin_api::surface::{ALIASES, CLIENT_FIELDS, Function, METADATA, Param, SHAPES};
use hookmq_plugin_api::{Field, FieldSpec, HookSpec, Kind};

use super::lua::{self, Entry, Member};
use super::page::Page;
use super::records;
use super::rust::{camel, rows};

/// The whole file.
pub(super) fn definitions() -> String {
    let mut page = Page::default();
    page.line(INTRODUCTION);
    for (name, kind, doc) in ALIASES {
        page.gap();
        page.line(format!("--- {doc}"));
        page.line(format!("export type {name} = {kind}"));
    }
    for shape in SHAPES {
        page.gap();
        page.line(format!("--- {}", shape.doc));
        if shape.is_opaque {
            page.line(format!("declare extern type {} with", shape.name));
            for field in shape.fields {
                page.line(format!("\t{}: {}", field.name, param_type(field)));
            }
            page.line("end");
        } else {
            table(
                &mut page,
                shape.name,
                shape
                    .fields
                    .iter()
                    .map(|field| (field.name, param_type(field), None)),
            );
        }
    }
    for field in records::all() {
        page.gap();
        page.line(format!("--- One entry of `{}`.", field.name));
        // What a script leaves out is absent, so only the first part, which names the entry, must be there.
        table(
            &mut page,
            &records::name(field),
            rows(field.record).enumerate().map(|(at, row)| {
                let kind = lua::change_type(row);
                let kind = if at == 0 {
                    kind.trim_end_matches('?').to_owned()
                } else {
                    kind
                };
                (row.name, kind, Some(row.doc))
            }),
        );
    }
    page.gap();
    page.line("--- The client that an event is about, as a handler's `client`; a hook shows those fields that it has.");
    let client = CLIENT_FIELDS.iter().map(Field::spec);
    table(
        &mut page,
        "Client",
        client.map(|row| {
            let kind = lua::read_type(row);
            let kind = if row.optional {
                kind
            } else {
                format!("{kind}?")
            };
            (row.name, kind, Some(row.doc))
        }),
    );
    page.gap();
    page.line(
        "--- Everything that some hook can change; what each can is told at its handler in `Plugin`.",
    );
    table(&mut page, "Changes", lua::changeable().map(change));
    page.gap();
    page.line("--- What broker.accept takes.");
    page.line("export type Acceptance = Changes & Keep");
    for spec in HOOKS {
        page.gap();
        hook(&mut page, spec);
    }
    page.gap();
    page.line("--- What a script returns: a handler per hook, under the hook's name. Parameters are fields of the hook, in any order.");
    page.line("export type Plugin = {");
    for key in METADATA {
        let kind = optional(key.kind);
        page.line(format!("\t--- {}\n\t{}: {kind},", key.doc, key.name));
    }
    for spec in HOOKS {
        page.line(format!("\t--- {}", lua::about(spec)));
        page.line(format!("\t{}: {}?,", spec.name, handler(spec)));
    }
    page.line("}");
    page.gap();
    broker(&mut page);
    page.text()
}

fn change(row: &'static FieldSpec) -> (&'static str, String, Option<&'static str>) {
    (row.name, lua::change_type(row), Some(row.doc))
}

fn table(
    page: &mut Page,
    name: &str,
    fields: impl Iterator<Item = (&'static str, String, Option<&'static str>)>,
) {
    page.line(format!("export type {name} = {{"));
    for (name, kind, doc) in fields {
        if let Some(doc) = doc {
            page.line(format!("\t--- {doc}"));
        }
        page.line(format!("\t{name}: {kind},"));
    }
    page.line("}");
}

fn hook(page: &mut Page, spec: &HookSpec) {
    let name = camel(spec.name);
    page.line(format!(
        "--- The event of `{}`, as a handler's `msg`. {}",
        spec.name, spec.when
    ));
    table(
        page,
        &format!("{name}Event"),
        rows(spec.fields).map(|row| (row.name, lua::read_type(row), Some(row.doc))),
    );
}

fn handler(spec: &HookSpec) -> &'static str {
    match spec.kind {
        Kind::Notice => "((...any) -> ())",
        Kind::Gate | Kind::Filter | Kind::Supply => "((...any) -> ...Verdict?)",
    }
}

fn broker(page: &mut Page) {
    page.line("--- What a script can do beside answering.");
    page.line("declare broker: {");
    for (table, entries) in lua::tables() {
        let indent = if table.is_empty() { "\t" } else { "\t\t" };
        if !table.is_empty() {
            page.line(format!("\t{table}: {{"));
        }
        for Entry { name, member } in entries {
            let (kind, doc) = match member {
                Member::Constant(kind, doc) => (kind.to_owned(), doc.to_owned()),
                Member::Function(function) => (signature(function), lua::doc(function)),
            };
            page.line(format!("{indent}--- {doc}"));
            page.line(format!("{indent}{name}: {kind},"));
        }
        if !table.is_empty() {
            page.line("\t},");
        }
    }
    page.line("}");
}

fn signature(function: &Function) -> String {
    let params: Vec<_> = function
        .params
        .iter()
        .map(|param| format!("{}: {}", param.name, param_type(param)))
        .collect();
    let result = if function.result.is_empty() {
        "()"
    } else {
        function.result
    };
    format!("({}) -> {result}", params.join(", "))
}

fn param_type(param: &Param) -> String {
    if param.optional {
        optional(param.kind)
    } else {
        param.kind.to_owned()
    }
}

fn optional(kind: &str) -> String {
    if kind.contains(" | ") && !kind.starts_with('{') {
        format!("({kind})?")
    } else {
        format!("{kind}?")
    }
}

const INTRODUCTION: &str = "\
-- Types of HookMQ scripts, for luau-lsp: --definitions=@hookmq=plugin-api/luau/broker.d.luau
-- Generated from the hook catalogue by `cargo xtask generate`: change the catalogue instead.";

#[cfg(test)]
mod tests {
    use super::definitions;

    #[test]
    fn brackets_close_and_every_type_is_defined() {
        let text = definitions();
        let code: Vec<&str> = text
            .lines()
            .map(|line| line.split("--").next().unwrap_or(""))
            .collect();
        let mut open = Vec::new();
        for letter in code.iter().flat_map(|line| line.chars()) {
            match letter {
                '{' | '(' | '[' => open.push(letter),
                '}' => assert_eq!(open.pop(), Some('{')),
                ')' => assert_eq!(open.pop(), Some('(')),
                ']' => assert_eq!(open.pop(), Some('[')),
                _ => {}
            }
        }
        assert!(open.is_empty(), "{open:?}");
        let code = code.join("\n") + "\n";
        for word in code.split(|letter: char| !letter.is_alphanumeric()) {
            if word.starts_with(char::is_uppercase) {
                let defined = [" ", "\n"]
                    .iter()
                    .any(|end| code.contains(&format!("type {word}{end}")));
                assert!(defined, "{word} is not defined");
            }
        }
    }
}

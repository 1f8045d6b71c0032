//! What the type files of both language servers share: the Lua types of fields and changes, and the functions of the `broker` table.

use hookmq_plugin_api::catalogue::HOOKS;
use hookmq_plugin_api::field::FIELDS;
use hookmq_plugin_api::surface::{CONSTANTS, FUNCTIONS, Function};
use hookmq_plugin_api::{Field, FieldSpec, HookSpec, Type};

use super::records;

/// Whether the `broker` table has it.
#[cfg(test)]
pub(super) fn has(name: &str) -> bool {
    FUNCTIONS.iter().any(|function| function.name == name)
        || CONSTANTS.iter().any(|constant| constant.name == name)
}

/// The Luau type of a field as a handler gets it.
pub(super) fn read_type(row: &FieldSpec) -> String {
    let plain = match row.kind {
        Type::Records => format!("{{ {} }}", records::name(row)),
        kind => word(kind).to_owned(),
    };
    if row.optional {
        format!("{plain}?")
    } else {
        plain
    }
}

/// The Luau type of a field as a script gives it; absent where it does not change.
pub(super) fn change_type(row: &FieldSpec) -> String {
    let plain = match row.kind {
        _ if row.field == Field::ReasonCode => "ReasonCode".to_owned(),
        Type::Bytes => "string | buffer".to_owned(),
        Type::Pairs => "Pairs".to_owned(),
        Type::Records => format!("{{ {} }}", records::name(row)),
        kind => word(kind).to_owned(),
    };
    match (row.optional, row.kind) {
        (true, _) => format!("({plain} | None)?"),
        (false, Type::Bytes) => format!("({plain})?"),
        (false, _) => format!("{plain}?"),
    }
}

fn word(kind: Type) -> &'static str {
    match kind {
        Type::Bool => "boolean",
        Type::Integer => "number",
        Type::Text | Type::Bytes => "string",
        Type::Pairs => "UserProperties",
        Type::Records => "table",
    }
}

/// The fields that any hook may change, in the order of the catalogue.
pub(super) fn changeable() -> impl Iterator<Item = &'static FieldSpec> {
    FIELDS
        .iter()
        .filter(|row| HOOKS.iter().any(|hook| hook.may_change(row.field)))
}

/// What a function does, with what it needs.
pub(super) fn doc(function: &Function) -> String {
    let mut doc = function.doc.to_owned();
    if let Some(grant) = function.grant {
        doc.push_str(&format!(" Needs the grant \"{}\".", grant.name()));
    }
    if function.awaits {
        doc.push_str(" Waits, so only handlers of hooks that may await can call it.");
    }
    doc
}

/// The names that stand directly in the `broker` table and those of one table in it, in order: `("", ["pass", ..])`,
/// `("log", ["debug", ..])`.
pub(super) fn tables() -> Vec<(&'static str, Vec<Entry>)> {
    let mut tables: Vec<(&str, Vec<Entry>)> = vec![("", Vec::new())];
    let constants = CONSTANTS
        .iter()
        .map(|constant| (constant.name, Member::Constant(constant.kind, constant.doc)));
    let functions = FUNCTIONS
        .iter()
        .map(|function| (function.name, Member::Function(function)));
    for (path, member) in constants.chain(functions) {
        let (table, name) = path.split_once('.').unwrap_or(("", path));
        let at = tables
            .iter()
            .position(|(known, _)| *known == table)
            .unwrap_or_else(|| {
                tables.push((table, Vec::new()));
                tables.len() - 1
            });
        tables[at].1.push(Entry { name, member });
    }
    tables
}

/// One member of a table.
pub(super) struct Entry {
    /// Its name in its table.
    pub(super) name: &'static str,
    /// What it is.
    pub(super) member: Member,
}

/// What a table can have.
pub(super) enum Member {
    /// A value: its type and meaning.
    Constant(&'static str, &'static str),
    /// A function.
    Function(&'static Function),
}

/// What a hook is, in a line above its handler.
pub(super) fn about(spec: &HookSpec) -> String {
    let mut about = format!("{} A {}", spec.when, spec.kind.name());
    if !spec.verdicts.is_empty() {
        let verdicts: Vec<_> = spec.verdicts.iter().map(|verdict| verdict.name()).collect();
        about.push_str(&format!(
            ": it may answer {}",
            super::page::listed(&verdicts, "or")
        ));
    }
    about.push('.');
    if !spec.changes.is_empty() {
        let changes: Vec<_> = spec.changes.iter().map(|field| field.name()).collect();
        about.push_str(&format!(" It may change {}.", changes.join(", ")));
    }
    if spec.awaits {
        about.push_str(" It may await.");
    }
    if spec.keeps {
        about.push_str(" An accept or deny of it may be kept: ttl, tags.");
    }
    let fields: Vec<_> = spec.fields.iter().map(|field| field.name()).collect();
    about.push_str(&format!(" Parameters, by name: {}.", fields.join(", ")));
    about
}

//! The entries of record fields as plain Rust structs: one subscription, one message.

use hookmq_plugin_api::field::FIELDS;
use hookmq_plugin_api::{FieldSpec, Type};

use super::page::Page;
use super::rust::{CALL_WIDTH, camel, integer, path, rows};
use super::views;

/// The fields that hold records.
pub(super) fn all() -> impl Iterator<Item = &'static FieldSpec> {
    FIELDS.iter().filter(|field| field.kind == Type::Records)
}

/// `SubscriptionRecord` for `subscriptions`.
pub(super) fn name(field: &FieldSpec) -> String {
    format!("{}Record", camel(singular(field)))
}

/// `subscription` for `subscriptions`.
pub(super) fn singular(field: &FieldSpec) -> &'static str {
    field.name.strip_suffix('s').unwrap_or(field.name)
}

/// `typed/records.rs`.
pub(super) fn module() -> String {
    let mut page = Page::default();
    page.line("//! One entry of each field that holds records.");
    page.line("//!");
    page.line("//! Generated from the hook catalogue by `cargo xtask generate`: change the catalogue instead.");
    page.gap();
    page.line("use crate::field::Field;");
    page.line("use crate::value::{Owned, Record};");
    page.line("use crate::view::{self, part};");
    for field in all() {
        page.gap();
        entry(&mut page, field);
    }
    page.text()
}

fn entry(page: &mut Page, field: &FieldSpec) {
    let name = name(field);
    page.line(format!(
        "/// One entry of `{}`: {}",
        field.name,
        lower(field.doc)
    ));
    page.line("#[derive(Debug, Clone, PartialEq, Eq, Default)]");
    page.line(format!("pub struct {name} {{"));
    for row in rows(field.record) {
        page.at(1, format!("/// {}", row.doc));
        page.at(1, format!("pub {}: {},", row.name, held(row)));
    }
    page.line("}");
    page.gap();
    page.line(format!("impl From<&Record> for {name} {{"));
    page.at(1, "fn from(record: &Record) -> Self {");
    page.at(2, "let get = |field| part(record, field);");
    page.at(2, "Self {");
    for row in rows(field.record) {
        let value = views::read(row, &format!("get({})", path(row.field)));
        let owned = match (row.kind, row.optional) {
            (Type::Text, false) => format!("{value}.to_owned()"),
            (Type::Text, true) => format!("{value}.map(str::to_owned)"),
            (Type::Bytes | Type::Pairs, false) => format!("{value}.to_vec()"),
            (Type::Bytes, true) => format!("{value}.map(<[u8]>::to_vec)"),
            _ => value,
        };
        page.at(3, format!("{}: {owned},", row.name));
    }
    page.at(2, "}");
    page.at(1, "}");
    page.line("}");
    page.gap();
    page.line(format!("impl From<{name}> for Record {{"));
    page.at(1, format!("fn from(entry: {name}) -> Self {{"));
    page.at(2, "view::record([");
    for row in rows(field.record) {
        let pair = format!("{}, {}", path(row.field), owned(row));
        if pair.len() <= CALL_WIDTH {
            page.at(3, format!("({pair}),"));
        } else {
            page.at(3, "(");
            page.at(4, format!("{},\n{},", path(row.field), owned(row)));
            page.at(3, "),");
        }
    }
    page.at(2, "])");
    page.at(1, "}");
    page.line("}");
}

fn lower(text: &str) -> String {
    let (first, rest) = text.split_at(1);
    first.to_lowercase() + rest
}

/// The type of a struct's field.
fn held(row: &FieldSpec) -> String {
    let plain = match row.kind {
        Type::Bool => "bool",
        Type::Integer => integer(row.field),
        Type::Text => "String",
        Type::Bytes => "Vec<u8>",
        Type::Pairs => return "Vec<(String, String)>".to_owned(),
        Type::Records => panic!("{}: records in records", row.name),
    };
    if row.optional {
        format!("Option<{plain}>")
    } else {
        plain.to_owned()
    }
}

fn owned(row: &FieldSpec) -> String {
    let place = format!("entry.{}", row.name);
    match row.kind {
        Type::Integer if row.optional => format!("view::owned({place}.map(i64::from))"),
        Type::Bytes if row.optional => format!("view::owned({place}.as_deref())"),
        _ if row.optional => format!("view::owned({place})"),
        Type::Bool => format!("Owned::Bool({place})"),
        Type::Integer => format!("Owned::Integer({place}.into())"),
        Type::Text => format!("Owned::Text({place}.into())"),
        Type::Bytes => format!("Owned::Bytes({place}.into())"),
        Type::Pairs => format!("Owned::Pairs({place})"),
        Type::Records => panic!("{}: records in records", row.name),
    }
}

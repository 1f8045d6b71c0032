//! Tests of the typed views: one per hook, which reads every field, makes every change, and runs as a closure plugin.

use hookmq_plugin_api::catalogue::HOOKS;
use hookmq_plugin_api::{FieldSpec, HookSpec, Kind, Type};

use super::page::Page;
use super::rust::{CALL_WIDTH, answer_type, camel, path, rows, shared};

/// One module per kind of hook, by its name.
pub(super) fn modules() -> Vec<(&'static str, String)> {
    [Kind::Gate, Kind::Filter, Kind::Notice, Kind::Supply]
        .into_iter()
        .map(|kind| (kind.name(), module(kind)))
        .collect()
}

fn module(kind: Kind) -> String {
    let mut page = Page::default();
    page.line(format!(
        "//! The typed views of every {} hook.",
        kind.name()
    ));
    page.line("//!");
    page.line("//! Generated from the hook catalogue by `cargo xtask generate`: change the catalogue instead.");
    page.gap();
    page.line("use hookmq_plugin_api::typed::*;");
    if HOOKS.iter().any(|spec| spec.kind == kind && shared(spec)) {
        page.line("use hookmq_plugin_api::view::EventRef;");
    }
    page.line("use hookmq_plugin_api::{Closures, Field, Hook};");
    page.gap();
    page.line("use crate::sample::*;");
    for spec in HOOKS.iter().filter(|spec| spec.kind == kind) {
        page.gap();
        test(&mut page, spec);
    }
    page.text()
}

fn test(page: &mut Page, spec: &HookSpec) {
    let (name, view) = (spec.name, camel(spec.name));
    page.line("#[test]");
    page.line(format!("fn {name}() {{"));
    if spec.kind == Kind::Notice {
        page.at(
            1,
            format!("let plugin = Closures::new(\"test\").on_{name}(|view| {{"),
        );
        page.at(2, format!("sees_{name}(&view);\ntold()"));
        page.at(1, "});");
        page.at(1, format!("check_told(Hook::{view}, plugin);"));
    } else {
        page.at(
            1,
            format!("let plugin = Closures::new(\"test\").on_{name}(|view| {{"),
        );
        page.at(2, format!("sees_{name}(&view);\nanswers_{name}()"));
        page.at(1, "});");
        page.at(1, format!("check(Hook::{view}, plugin);"));
    }
    if shared(spec) {
        page.at(
            1,
            format!("let plugin = Closures::new(\"test\").on_async_{name}(|view| async move {{"),
        );
        page.at(2, format!("sees_{name}(&view);\nanswers_{name}()"));
        page.at(1, "});");
        page.at(1, format!("check(Hook::{view}, plugin);"));
    }
    page.line("}");
    page.gap();
    page.line(if shared(spec) {
        format!("fn sees_{name}<E: EventRef>(view: &{view}<'_, E>) {{")
    } else {
        format!("fn sees_{name}(view: &{view}<'_>) {{")
    });
    for field in rows(spec.fields) {
        let seen = match field.kind {
            Type::Pairs => format!("view.{}().to_vec()", field.name),
            _ => format!("view.{}()", field.name),
        };
        let expected = if field.optional {
            format!("Some({})", value(field))
        } else {
            value(field)
        };
        if expected == "true" {
            page.at(1, format!("assert!({seen});"));
        } else {
            assertion(page, &seen, &expected);
        }
    }
    page.line("}");
    if spec.kind == Kind::Notice {
        return;
    }
    page.gap();
    let answer = answer_type(spec);
    page.line(format!("fn answers_{name}() -> {answer} {{"));
    page.at(1, format!("let answer = {answer}::pass();"));
    for (at, field) in rows(spec.changes).enumerate() {
        let changed = format!("answer.{}({})", field.name, value(field));
        page.at(
            1,
            if at + 1 == spec.changes.len() {
                changed
            } else {
                format!("let answer = {changed};")
            },
        );
    }
    page.line("}");
}

/// `assert_eq!`, broken as rustfmt breaks it.
fn assertion(page: &mut Page, seen: &str, expected: &str) {
    let flat = format!("{seen}, {expected}");
    if flat.len() <= CALL_WIDTH {
        page.at(1, format!("assert_eq!({flat});"));
    } else {
        page.at(1, "assert_eq!(");
        page.at(2, format!("{seen},\n{expected}"));
        page.at(1, ");");
    }
}

/// The sample's value of a field, as the view shows it.
fn value(field: &FieldSpec) -> String {
    let function = match field.kind {
        Type::Bool => return "true".to_owned(),
        Type::Integer => "number",
        Type::Text => "text",
        Type::Bytes => "bytes",
        Type::Pairs => "pairs",
        Type::Records => "entries",
    };
    format!("{function}({})", path(field.field))
}

//! The hooks of the parity suite's policy: it reads every field through its accessor, and can give every verdict and make every
//! change that the catalogue allows, with the SDK's own types.

use hookmq_plugin_api::catalogue::HOOKS;
use hookmq_plugin_api::{FieldSpec, HookSpec, Kind, Type};

use super::answer::REFUSING;
use super::page::Page;
use super::rust::{CALL_WIDTH, answer_type, camel, head, rows};

/// Where they lie.
pub(super) const FOLDER: &str = "tests/guests/parity/hooks";

const ORIGIN: &str = "//! Generated from the hook catalogue by `cargo xtask generate`: change the catalogue instead.";

/// Of a decision's fields, one in so many is not declared: it has to be fetched.
const UNDECLARED: usize = 3;

/// `<hook>.rs`.
pub(super) fn hook_module(spec: &HookSpec) -> String {
    let (name, view, answer) = (spec.name, camel(spec.name), answer_type(spec));
    let tells = spec.kind == Kind::Notice;
    let mut page = Page::default();
    page.line(format!("//! `{name}` in the policy."));
    page.line("//!");
    page.line(ORIGIN);
    page.gap();
    page.line(if tells {
        format!("use hookmq_plugin_api::typed::{view};")
    } else {
        format!("use hookmq_plugin_api::typed::{{{view}, {answer}}};")
    });
    page.gap();
    page.line("use crate::policy::{Case, Edge, Raised, Sight};");
    page.gap();
    page.line("/// Writes down what it is shown, and answers as the case says.");
    let result = if tells { "()" } else { &answer };
    head(
        &mut page,
        0,
        "pub(crate) fn handle",
        &["edge: &impl Edge", &format!("event: &{view}<'_>")],
        &format!(" -> Result<{result}, Raised>"),
    );
    page.at(1, format!("let mut sight = Sight::new(\"{name}\");"));
    for row in rows(spec.fields) {
        let arguments = [format!("\"{}\"", row.name), format!("event.{}()", row.name)];
        let flat = arguments.join(", ");
        if flat.len() <= CALL_WIDTH {
            page.at(1, format!("sight.see({flat});"));
        } else {
            page.at(1, "sight.see(");
            page.at(2, format!("{},\n{},", arguments[0], arguments[1]));
            page.at(1, ");");
        }
    }
    page.at(1, "edge.write(sight.line());");
    page.at(1, "let case = Case::read(&edge.case());");
    if tells {
        page.at(1, "if case.is_about(&sight) && case.raises() {");
        page.at(2, "return Err(Raised);");
        page.at(1, "}");
        page.at(1, "Ok(())");
    } else {
        decide(&mut page, spec, &answer);
    }
    page.line("}");
    page.text()
}

fn decide(page: &mut Page, spec: &HookSpec, answer: &str) {
    page.at(1, "if !case.is_about(&sight) {");
    page.at(2, format!("return Ok({answer}::pass());"));
    page.at(1, "}");
    page.at(1, "if case.raises() {");
    page.at(2, "return Err(Raised);");
    page.at(1, "}");
    let keeps = spec.keeps || !spec.changes.is_empty();
    page.at(
        1,
        format!(
            "let {}answer = match &*case.verdict() {{",
            if keeps { "mut " } else { "" }
        ),
    );
    for verdict in spec.verdicts {
        let word = verdict.name();
        page.at(
            2,
            format!("\"{word}\" => {answer}::{word}(),")
                .replace("deny(),", "deny(0, \"\"),")
                .replace("disconnect(),", "disconnect(0, \"\"),"),
        );
        if REFUSING.contains(verdict) {
            page.at(
                2,
                format!("\"{word}_with\" => {answer}::{word}_with(case.why()),"),
            );
        }
    }
    page.at(2, "other => panic!(\"no verdict of this hook: {other}\"),");
    page.at(1, "};");
    if !spec.changes.is_empty() {
        page.at(1, "for change in case.changes() {");
        page.at(2, "answer = match change.field() {");
        for row in rows(spec.changes) {
            page.at(
                3,
                format!("\"{0}\" => answer.{0}(change.{1}),", row.name, given(row)),
            );
            if row.optional {
                page.at(3, format!("\"-{0}\" => answer.without_{0}(),", row.name));
            }
        }
        page.at(3, "other => panic!(\"no change of this hook: {other}\"),");
        page.at(2, "};");
        page.at(1, "}");
    }
    if spec.keeps {
        page.at(1, "if let Some(keep) = case.keep() {");
        page.at(2, "answer = answer.keep(keep);");
        page.at(1, "}");
    }
    page.at(1, "Ok(answer)");
}

/// How the case gives the value of this field.
fn given(row: &FieldSpec) -> String {
    match row.kind {
        Type::Bool => "truth()".to_owned(),
        Type::Integer => "number()".to_owned(),
        Type::Text => "text()".to_owned(),
        Type::Bytes => "bytes()".to_owned(),
        Type::Pairs => "pairs()".to_owned(),
        Type::Records => format!("{}()", row.name),
    }
}

/// `mod.rs`.
pub(super) fn index() -> String {
    let mut page = Page::default();
    page.line("//! The policy's handlers, one module per hook.\n//!");
    page.line(ORIGIN);
    page.gap();
    for spec in sorted() {
        page.line(format!("pub(crate) mod {};", spec.name));
    }
    page.text()
}

/// `closures.rs`.
pub(super) fn closures() -> String {
    let mut page = Page::default();
    page.line("//! The policy as closures.\n//!");
    page.line(ORIGIN);
    page.gap();
    page.line("use std::sync::Arc;");
    page.gap();
    page.line("use hookmq_plugin_api::Closures;");
    page.gap();
    page.line("use crate::policy::{Edge, hooks};");
    page.gap();
    page.line("macro_rules! answered {");
    page.at(1, "($edge:ident: $($hook:ident $on:ident)*) => {{");
    page.at(2, "let closures = Closures::new(\"policy\");\n$(");
    page.at(3, "let own = Arc::clone($edge);");
    page.at(
        3,
        "let closures = closures.$on(move |event| hooks::$hook::handle(&*own, &event));",
    );
    page.at(2, ")*\nclosures");
    page.at(1, "}};");
    page.line("}");
    page.gap();
    page.line("/// All hooks, answered over this edge.");
    page.line("pub(crate) fn closures<E>(edge: &Arc<E>) -> Closures");
    page.line("where");
    page.at(1, "E: Edge + Send + Sync + 'static,");
    page.line("{");
    page.at(1, "answered! { edge:");
    for spec in sorted() {
        page.at(2, format!("{0} on_{0}", spec.name));
    }
    page.at(1, "}");
    page.line("}");
    page.text()
}

/// `plugin.rs`.
pub(super) fn plugin() -> String {
    let mut page = Page::default();
    page.line("//! The policy as a plugin. One in three fields of a decision is not declared, so that it has to be fetched.\n//!");
    page.line(ORIGIN);
    page.gap();
    page.line("use hookmq_plugin_api::sdk::*;");
    page.gap();
    page.line("use crate::Parity;");
    page.line("use crate::policy::{Raised, hooks};");
    page.gap();
    page.line("macro_rules! answered {");
    page.at(
        1,
        "($($trait:ident $hook:ident $view:ident $answer:ty;)*) => {",
    );
    page.at(2, "$(impl $trait<Result<$answer, Raised>> for Parity {");
    page.at(
        3,
        "fn $hook(&self, event: $view<'_>) -> Result<$answer, Raised> {",
    );
    page.at(4, "hooks::$hook::handle(self, &event)");
    page.at(3, "}");
    page.at(2, "})*");
    page.at(1, "};");
    page.line("}");
    page.gap();
    page.line("answered! {");
    for spec in sorted() {
        let (name, view) = (spec.name, camel(spec.name));
        let answer = match spec.kind {
            Kind::Notice => "()".to_owned(),
            Kind::Gate | Kind::Filter | Kind::Supply => answer_type(spec),
        };
        page.at(1, format!("On{view} {name} {view} {answer};"));
    }
    page.line("}");
    page.gap();
    page.line("hookmq_plugin_api::export!(Parity:");
    for spec in sorted() {
        let declared: Vec<&str> = rows(spec.fields)
            .enumerate()
            .filter(|(at, _)| spec.kind == Kind::Notice || at % UNDECLARED != UNDECLARED - 1)
            .map(|(_, row)| row.name)
            .collect();
        page.at(1, format!("{}({}),", spec.name, declared.join(", ")));
    }
    page.line(");");
    page.text()
}

fn sorted() -> Vec<&'static HookSpec> {
    let mut hooks: Vec<&HookSpec> = HOOKS.iter().collect();
    hooks.sort_by_key(|spec| spec.name);
    hooks
}

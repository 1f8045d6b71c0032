//! Rust text: names and types of fields, the module of one hook, and the index of all.
//!
//! The text is written in the form that rustfmt leaves alone, so that neither generating nor checking needs rustfmt.

use hookmq_plugin_api::catalogue::HOOKS;
use hookmq_plugin_api::{Field, FieldSpec, HookSpec, Kind, Type};

use super::page::Page;
use super::{answer, records, views};

/// What generated Rust files say first.
const ORIGIN: &str = "//! Generated from the hook catalogue by `cargo xtask generate`: change the catalogue instead.";

/// Columns of a line.
pub(super) const WIDTH: usize = 100;

/// Columns of arguments, or of a tuple, that rustfmt leaves in one line.
pub(super) const CALL_WIDTH: usize = 60;

/// `intercept_publish` as `InterceptPublish`.
pub(super) fn camel(name: &str) -> String {
    name.split('_')
        .map(|word| {
            let (first, rest) = word.split_at(1);
            first.to_uppercase() + rest
        })
        .collect()
}

/// `Field::Topic`.
pub(super) fn path(field: Field) -> String {
    format!("Field::{}", camel(field.name()))
}

/// The Rust type of a whole number: the one that MQTT gives it, and 64 bits for what the broker counts.
pub(super) fn integer(field: Field) -> &'static str {
    match field {
        Field::ProtocolVersion
        | Field::MaximumQos
        | Field::WillQos
        | Field::Qos
        | Field::PayloadFormat
        | Field::RetainHandling
        | Field::ReasonCode => "u8",
        Field::KeepAlive
        | Field::ReceiveMaximum
        | Field::TopicAliasMaximum
        | Field::PacketIdentifier => "u16",
        Field::SessionExpiryInterval
        | Field::MaximumPacketSize
        | Field::WillDelayInterval
        | Field::MessageExpiryInterval
        | Field::SubscriptionIdentifier => "u32",
        _ => "u64",
    }
}

/// Whether the view of this hook can be held across an await.
pub(super) fn shared(spec: &HookSpec) -> bool {
    spec.awaits
}

/// The type that a handler of this hook answers with.
pub(super) fn answer_type(spec: &HookSpec) -> String {
    match spec.kind {
        Kind::Notice => "Told".to_owned(),
        Kind::Gate | Kind::Filter | Kind::Supply => format!("{}Answer", camel(spec.name)),
    }
}

/// A function's head up to its brace, broken as rustfmt breaks it.
pub(super) fn head(page: &mut Page, depth: usize, before: &str, arguments: &[&str], after: &str) {
    let flat = format!("{before}({}){after} {{", arguments.join(", "));
    if depth * 4 + flat.len() <= WIDTH {
        page.at(depth, flat);
        return;
    }
    page.at(depth, format!("{before}("));
    for argument in arguments {
        page.at(depth + 1, format!("{argument},"));
    }
    page.at(depth, format!("){after} {{"));
}

/// `typed/<hook>.rs`.
pub(super) fn hook_module(spec: &HookSpec) -> String {
    let mut page = Page::default();
    page.line(format!("//! `{}`, typed.", spec.name));
    page.line("//!");
    page.line(ORIGIN);
    page.gap();
    imports(&mut page, spec);
    page.gap();
    views::view(&mut page, spec);
    if spec.kind != Kind::Notice {
        page.gap();
        answer::answer(&mut page, spec);
    }
    page.gap();
    closures(&mut page, spec);
    page.text()
}

fn imports(page: &mut Page, spec: &HookSpec) {
    let answers = spec.kind != Kind::Notice;
    let has = |kind: Type| spec.fields.iter().any(|field| field.spec().kind == kind);
    page.line("use std::fmt;");
    if shared(spec) {
        page.line("use std::marker::PhantomData;");
    }
    page.gap();
    if answers {
        let refuses = answer::REFUSING.iter().any(|kind| spec.may_answer(*kind));
        let verdicts = spec.verdicts.len() > 1;
        page.line(match (refuses, verdicts) {
            (true, _) if spec.keeps => "use crate::answer::{Answer, Keep, Refusal, Verdict};",
            (true, _) => "use crate::answer::{Answer, Refusal, Verdict};",
            (false, true) => "use crate::answer::{Answer, Verdict};",
            (false, false) => "use crate::answer::Answer;",
        });
    }
    page.line("use crate::catalogue::Hook;");
    page.line(if answers {
        "use crate::closures::{Closures, Reply, TypedAnswer};"
    } else {
        "use crate::closures::{Closures, Reply, Told};"
    });
    page.line("use crate::event::Event;");
    page.line("use crate::field::Field;");
    let mut entries: Vec<String> = spec
        .fields
        .iter()
        .chain(spec.changes)
        .map(|field| field.spec())
        .filter(|field| field.kind == Type::Records)
        .map(records::name)
        .collect();
    entries.sort();
    entries.dedup();
    match entries.as_slice() {
        [] => {}
        [one] => page.line(format!("use crate::typed::records::{one};")),
        several => page.line(format!(
            "use crate::typed::records::{{{}}};",
            several.join(", ")
        )),
    }
    page.line(if answers {
        "use crate::value::{Owned, Value};"
    } else {
        "use crate::value::Value;"
    });
    let mut names = Vec::new();
    if shared(spec) {
        names.push("EventRef");
    }
    if has(Type::Pairs) {
        names.push("Properties");
    }
    if shared(spec) {
        names.push("SharedEvent");
    }
    page.line(if names.is_empty() {
        "use crate::view;".to_owned()
    } else {
        format!("use crate::view::{{self, {}}};", names.join(", "))
    });
}

fn closures(page: &mut Page, spec: &HookSpec) {
    let (name, view, answer) = (spec.name, camel(spec.name), answer_type(spec));
    page.line("impl Closures {");
    page.at(1, format!("/// Answers `{name}`. {}", spec.when));
    page.at(1, "#[must_use]");
    page.at(1, format!("pub fn on_{name}<R>("));
    page.at(2, "self,");
    page.at(
        2,
        format!("closure: impl Fn({view}<'_>) -> R + Send + Sync + 'static,"),
    );
    page.at(1, ") -> Self");
    page.at(1, "where");
    page.at(2, format!("R: Reply<{answer}>,"));
    page.at(1, "{");
    page.at(2, format!("self.on(Hook::{view}, move |event| {{"));
    page.at(3, format!("let event = {view}::new(event);"));
    page.at(3, "closure(event).reply()");
    page.at(2, "})");
    page.at(1, "}");
    if shared(spec) {
        page.gap();
        page.at(
            1,
            format!(
                "/// Answers `{name}` and may await meanwhile. {}",
                spec.when
            ),
        );
        page.at(1, "#[must_use]");
        page.at(1, format!("pub fn on_async_{name}<F>("));
        page.at(2, "self,");
        page.at(
            2,
            format!("closure: impl Fn(Shared{view}) -> F + Send + Sync + 'static,"),
        );
        page.at(1, ") -> Self");
        page.at(1, "where");
        page.at(
            2,
            format!("F: Future<Output: Reply<{answer}>> + Send + 'static,"),
        );
        page.at(1, "{");
        page.at(2, format!("let hook = Hook::{view};"));
        page.at(
            2,
            format!("self.on_async::<{answer}, _>(hook, move |event| {{"),
        );
        page.at(3, format!("let event = {view}::shared(event);"));
        page.at(3, "closure(event)");
        page.at(2, "})");
        page.at(1, "}");
    }
    page.line("}");
}

/// `typed/mod.rs`.
pub(super) fn index() -> String {
    let mut page = Page::default();
    page.line(INTRODUCTION);
    page.line("//!");
    page.line(ORIGIN);
    page.gap();
    let mut modules: Vec<(&str, Vec<String>)> =
        HOOKS.iter().map(|spec| (spec.name, names(spec))).collect();
    let entries = records::all().map(records::name).collect();
    modules.push(("records", entries));
    modules.sort();
    for (module, _) in &modules {
        page.line(format!("mod {module};"));
    }
    page.gap();
    for (module, mut names) in modules {
        names.sort();
        let names = names.join(", ");
        let flat = if names.contains(',') {
            format!("pub use {module}::{{{names}}};")
        } else {
            format!("pub use {module}::{names};")
        };
        if flat.len() <= WIDTH {
            page.line(flat);
        } else {
            page.line(format!("pub use {module}::{{\n    {names},\n}};"));
        }
    }
    page.text()
}

fn names(spec: &HookSpec) -> Vec<String> {
    let view = camel(spec.name);
    let mut names = vec![view.clone()];
    if spec.kind != Kind::Notice {
        names.push(answer_type(spec));
    }
    if shared(spec) {
        names.push(format!("Shared{view}"));
    }
    names
}

const INTRODUCTION: &str = "\
//! Every hook as Rust types: a view with an accessor per field of the hook, and an answer with just the verdicts and changes that
//! the hook allows. What the catalogue forbids does not compile:
//!
//! ```
//! use hookmq_plugin_api::typed::{AuthorizePublishAnswer, InterceptPublishAnswer};
//!
//! let _ = InterceptPublishAnswer::consume();
//! let _ = AuthorizePublishAnswer::accept().retain(false);
//! ```
//!
//! ```compile_fail
//! // A gate has no `consume`.
//! let _ = hookmq_plugin_api::typed::AuthorizePublishAnswer::consume();
//! ```
//!
//! ```compile_fail
//! // Rights are judged on the final topic, so it cannot change any more.
//! let _ = hookmq_plugin_api::typed::AuthorizePublishAnswer::accept().topic(\"elsewhere\");
//! ```
//!
//! The `on_<hook>` methods of [`Closures`](crate::Closures) stand in the modules of their hooks.";

/// A field's row, for iterating over a hook's fields.
pub(super) fn rows(fields: &'static [Field]) -> impl Iterator<Item = &'static FieldSpec> {
    fields.iter().map(|field| field.spec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hookmq_plugin_api::VerdictKind;
    use hookmq_plugin_api::field::FIELDS;

    #[test]
    fn an_answer_offers_what_the_catalogue_allows_and_nothing_else() {
        for spec in HOOKS {
            let text = hook_module(spec);
            for verdict in VerdictKind::ALL {
                let is_offered = text.contains(&format!(" fn {}(", verdict.name()));
                assert_eq!(
                    is_offered,
                    spec.may_answer(verdict),
                    "{}: {}",
                    spec.name,
                    verdict.name()
                );
            }
            for row in FIELDS {
                let reads = text.contains(&format!("pub fn {}(&self) -> ", row.name));
                assert_eq!(reads, spec.fields.contains(&row.field), "{}", row.name);
                let changes = text.contains(&format!("/// Changes `{}`.", row.name));
                assert_eq!(changes, spec.may_change(row.field), "{}", row.name);
            }
        }
    }

    #[test]
    fn a_hook_module_is_short_enough_to_read() {
        for spec in HOOKS {
            assert!(hook_module(spec).lines().count() < 400, "{}", spec.name);
        }
    }
}

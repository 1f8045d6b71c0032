//! The SDK's part of each hook: the trait that a plugin implements, and the names that `export!` knows.

use hookmq_plugin_api::catalogue::HOOKS;
use hookmq_plugin_api::{HookSpec, Kind};

use super::page::Page;
use super::rust::{answer_type, camel, path, rows};

/// What generated Rust files say first.
const ORIGIN: &str = "//! Generated from the hook catalogue by `cargo xtask generate`: change the catalogue instead.";

/// `sdk/hooks/<hook>.rs`.
pub(super) fn hook_module(spec: &HookSpec) -> String {
    let (name, view, answer) = (spec.name, camel(spec.name), answer_type(spec));
    let mut page = Page::default();
    page.line(format!("//! `{name}` in a plugin.\n//!\n{ORIGIN}"));
    page.gap();
    page.line("use crate::answer::Answer;\nuse crate::catalogue::Hook;");
    let replied = if spec.kind == Kind::Notice {
        page.line("use crate::closures::{Reply, Told as Answered};");
        "()"
    } else {
        page.line("use crate::closures::Reply;");
        "Answered"
    };
    page.line("use crate::error::PluginError;\nuse crate::event::Event;");
    page.line(if spec.kind == Kind::Notice {
        format!("use crate::typed::{view} as View;")
    } else {
        format!("use crate::typed::{{{view} as View, {answer} as Answered}};")
    });
    page.gap();
    page.line(format!("/// Answers `{name}`. {}", spec.when));
    page.line(format!(
        "pub trait On{view}<R: Reply<Answered> = {replied}> {{"
    ));
    page.at(1, format!("/// {}", spec.when));
    page.at(1, format!("fn {name}(&self, event: View<'_>) -> R;"));
    page.line("}");
    page.gap();
    page.line(format!(
        "/// The hook.\npub const HOOK: Hook = Hook::{view};"
    ));
    page.gap();
    page.line("/// Calls the handler.\n///\n/// # Errors\n/// Its own.");
    page.line("pub fn call<P, R>(plugin: &P, event: &dyn Event) -> Result<Answer, PluginError>");
    page.line(format!(
        "where\n    P: On{view}<R>,\n    R: Reply<Answered>,\n{{"
    ));
    page.at(1, format!("plugin.{name}(View::new(event)).reply()"));
    page.line("}");
    page.gap();
    page.line("/// The fields of the hook, as `export!` names them.");
    page.line(
        "#[expect(non_upper_case_globals, reason = \"they have the names of their fields\")]",
    );
    page.line("pub mod fields {");
    page.at(1, "use crate::field::Field;");
    for row in rows(spec.fields) {
        page.gap();
        page.at(1, format!("/// {}", row.doc));
        page.at(
            1,
            format!("pub const {}: Field = {};", row.name, path(row.field)),
        );
    }
    page.line("}");
    page.text()
}

/// `sdk/hooks/mod.rs`.
pub(super) fn index() -> String {
    let mut page = Page::default();
    page.line("//! A module per hook, with the trait of its handler and its fields.\n//!");
    page.line(ORIGIN);
    page.gap();
    let mut hooks: Vec<&HookSpec> = HOOKS.iter().collect();
    hooks.sort_by_key(|spec| spec.name);
    for spec in &hooks {
        page.line(format!("pub mod {};", spec.name));
    }
    page.gap();
    page.line("/// The traits of all hooks.\npub mod on {");
    for spec in hooks {
        page.at(
            1,
            format!("pub use super::{}::On{};", spec.name, camel(spec.name)),
        );
    }
    page.line("}");
    page.text()
}

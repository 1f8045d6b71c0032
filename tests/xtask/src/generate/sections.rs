//! What the SDK's component carrier needs of the catalogue: numbers of cases, widths of numbers, and the types of its hooks.
//!
//! A module becomes a component by its `component-type` sections, which whoever encodes it merges. So there is one section with every
//! import, and one per hook with nothing but its export; a plugin brings those of the hooks that it names.

use hookmq_plugin_api::catalogue::HOOKS;
use hookmq_plugin_api::field::FIELDS;
use hookmq_plugin_api::{HookSpec, Kind, Type};
use wit_component::StringEncoding;
use wit_parser::{PackageId, Resolve, SourceMap};

use super::page::Page;
use super::records;
use super::rust::{WIDTH, camel, integer, path};
use super::wit::{self, PACKAGE, kebab};

/// Where the sections lie.
pub(super) const FOLDER: &str = "plugin-api/src/sdk/edge/component/types";

/// What generated Rust files say first.
const ORIGIN: &str = "//! Generated from the hook catalogue by `cargo xtask generate`: change the catalogue instead.";

/// A section: its file, and what is in it.
pub(super) fn sections() -> Vec<(String, Vec<u8>)> {
    let (version, package) = (PACKAGE.split_once('@'), "hookmq:plugin");
    let version = version.map_or("", |(_, version)| version);
    let mut worlds = vec![(
        "imports".to_owned(),
        format!("include {package}/imports@{version};"),
    )];
    worlds.push((
        "setup".to_owned(),
        format!("export {package}/setup@{version};"),
    ));
    for spec in HOOKS {
        let name = kebab(spec.name);
        let export = format!("export {package}/{name}@{version};");
        worlds.push((name, export));
    }
    worlds
        .into_iter()
        .map(|(name, content)| {
            let section = section(&name, &content);
            (format!("{name}.bin"), section)
        })
        .collect()
}

/// The package as its files say it.
pub(super) fn package() -> (Resolve, PackageId) {
    let mut map = SourceMap::new();
    for (name, text) in wit::files() {
        map.push_str(name, text);
    }
    let group = map
        .parse()
        .unwrap_or_else(|(_, error)| panic!("the WIT package: {error}"));
    let mut resolve = Resolve::default();
    let package = resolve
        .push_group(group)
        .unwrap_or_else(|error| panic!("the WIT package: {error:#}"));
    (resolve, package)
}

fn section(name: &str, content: &str) -> Vec<u8> {
    let (mut resolve, _) = package();
    let text = format!("package hookmq:sdk-{name};\nworld {name} {{ {content} }}\n");
    let package = resolve
        .push_source(name, &text)
        .unwrap_or_else(|error| panic!("{text}: {error:#}"));
    let world = resolve
        .select_world(&[package], Some(name))
        .unwrap_or_else(|error| panic!("{name}: {error:#}"));
    wit_component::metadata::encode(&resolve, world, StringEncoding::UTF8, None)
        .unwrap_or_else(|error| panic!("{name}: {error:#}"))
}

/// `sections.rs`.
pub(super) fn module() -> String {
    let mut page = Page::default();
    page.line("//! Numbers and types of `wit/` for the component carrier.\n//!");
    page.line(ORIGIN);
    page.gap();
    page.line("use crate::field::Field;");
    page.gap();
    page.line("/// The case of `change` that takes a property away.");
    page.line(format!(
        "pub(super) const REMOVED: u8 = {};",
        wit::changeable().count()
    ));
    page.gap();
    page.line("/// The cases of `value` that hold records.");
    let cases: Vec<String> = records::all()
        .enumerate()
        .map(|(at, row)| format!("({}, {})", at + 6, path(row.field)))
        .collect();
    page.line(format!(
        "pub(super) const RECORDS: [(u8, Field); {}] = [{}];",
        cases.len(),
        cases.join(", ")
    ));
    page.gap();
    page.line("/// The case of `change` for a field.");
    page.line("pub(super) const fn change_case(field: Field) -> Option<u8> {");
    page.at(1, "Some(match field {");
    for (at, row) in wit::changeable().enumerate() {
        page.at(2, format!("{} => {at},", path(row.field)));
    }
    page.at(2, "_ => return None,");
    page.at(1, "})");
    page.line("}");
    page.gap();
    page.line("/// Bytes of a whole number.");
    page.line("pub(super) const fn width(field: Field) -> usize {");
    page.at(1, "match field {");
    for (word, bytes) in [("u8", 1), ("u16", 2), ("u32", 4)] {
        let fields: Vec<String> = FIELDS
            .iter()
            .filter(|row| row.kind == Type::Integer && integer(row.field) == word)
            .map(|row| path(row.field))
            .collect();
        for (at, field) in fields.iter().enumerate() {
            let bar = if at == 0 { "" } else { "| " };
            let arrow = if at + 1 == fields.len() {
                format!(" => {bytes},")
            } else {
                String::new()
            };
            page.at(2, format!("{bar}{field}{arrow}"));
        }
    }
    page.at(2, "_ => 8,");
    page.at(1, "}");
    page.line("}");
    for (file, bytes) in sections() {
        page.gap();
        let name = file.trim_end_matches(".bin");
        page.line(format!("/// Type section `{name}`."));
        let head = format!("pub const {}: &[u8; {}] =", shouted(name), bytes.len());
        let body = format!("include_bytes!(\"types/{file}\");");
        if head.len() + 1 + body.len() <= WIDTH {
            page.line(format!("{head} {body}"));
        } else {
            page.line(head);
            page.at(1, body);
        }
    }
    page.gap();
    page.line("#[doc(hidden)]\n#[macro_export]\nmacro_rules! __hookmq_component_hook {");
    for spec in HOOKS {
        arm(&mut page, spec);
    }
    page.line("}");
    page.text()
}

fn shouted(name: &str) -> String {
    name.replace('-', "_").to_uppercase()
}

fn arm(page: &mut Page, spec: &HookSpec) {
    let (name, interface) = (spec.name, kebab(spec.name));
    let shape = if spec.kind == Kind::Notice {
        "told"
    } else {
        "answered"
    };
    let parameter = wit::parameter(spec).map_or_else(String::new, |row| camel(row.name));
    let (package, version) = PACKAGE.split_once('@').unwrap_or((PACKAGE, ""));
    page.at(1, format!("({name} $plugin:ty) => {{"));
    page.at(2, "$crate::__hookmq_component_export! {");
    page.at(
        3,
        format!("$plugin, {name}, {}, {shape}({parameter}),", shouted(name)),
    );
    page.at(
        3,
        format!("\"{package}/{interface}@{version}#{interface}\","),
    );
    page.at(3, format!("\"component-type:hookmq-{interface}\""));
    page.at(2, "}");
    page.at(1, "};");
}

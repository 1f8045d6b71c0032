//! `wit/`: the contract as a WIT package, for components written in any language.
//!
//! One interface per hook, so that what a component exports is what it listens to. The event is an interface of plain functions
//! about the current call: a handle would have to be lowered and dropped with every call, and there is never more than one event.

use hookmq_plugin_api::catalogue::HOOKS;
use hookmq_plugin_api::field::FIELDS;
use hookmq_plugin_api::{Field, FieldSpec, HookSpec, Kind, OnError, Type};

use super::page::Page;
use super::records;
use super::rust::{integer, rows};
use super::wit_host;

/// Name and version of the package.
pub(super) const PACKAGE: &str = "hookmq:plugin@1.0.0";

/// What every file says last: in front it would count as documentation of the package.
const ORIGIN: &str =
    "// Generated from the hook catalogue by `cargo xtask generate`: change the catalogue instead.";

/// Columns of a line of documentation.
const WIDTH: usize = 118;

/// All files: name and text.
pub(super) fn files() -> [(&'static str, String); 5] {
    [
        ("types.wit", types()),
        ("event.wit", event()),
        ("hooks.wit", hooks()),
        ("host.wit", file(wit_host::TEXT)),
        ("worlds.wit", worlds()),
    ]
}

/// `intercept_publish` as `intercept-publish`.
pub(super) fn kebab(name: &str) -> String {
    name.replace('_', "-")
}

/// The one field that a hook's function is handed; the others are asked for.
pub(super) fn parameter(spec: &HookSpec) -> Option<&'static FieldSpec> {
    [Field::TopicFilter, Field::Topic]
        .into_iter()
        .find(|field| spec.fields.contains(field))
        .map(Field::spec)
}

/// The fields that some hook has.
pub(super) fn readable() -> impl Iterator<Item = &'static FieldSpec> {
    FIELDS
        .iter()
        .filter(|row| HOOKS.iter().any(|hook| hook.fields.contains(&row.field)))
}

/// The fields that some hook can change: the cases of `change`, in this order.
pub(super) fn changeable() -> impl Iterator<Item = &'static FieldSpec> {
    FIELDS
        .iter()
        .filter(|row| HOOKS.iter().any(|hook| hook.may_change(row.field)))
}

fn file(text: &str) -> String {
    format!("package {PACKAGE};\n\n{}\n\n{ORIGIN}\n", text.trim())
}

fn doc(page: &mut Page, depth: usize, text: &str) {
    let room = WIDTH - depth * 4;
    let mut line = String::from("///");
    for word in text.split(' ') {
        if line.len() + 1 + word.len() > room {
            page.at(depth, &line);
            line = String::from("///");
        }
        line.push(' ');
        line.push_str(word);
    }
    page.at(depth, line);
}

fn plain(row: &FieldSpec) -> String {
    match row.kind {
        Type::Bool => "bool".to_owned(),
        Type::Integer => integer(row.field).to_owned(),
        Type::Text => "string".to_owned(),
        Type::Bytes => "list<u8>".to_owned(),
        Type::Pairs => "list<pair>".to_owned(),
        Type::Records => format!("list<{}>", records::singular(row)),
    }
}

fn optional(row: &FieldSpec) -> String {
    if row.optional {
        format!("option<{}>", plain(row))
    } else {
        plain(row)
    }
}

fn types() -> String {
    let mut page = Page::default();
    page.line("/// What crosses between the broker and a plugin.");
    page.line("interface types {");
    page.at(
        1,
        "/// Name and value of one User Property.\ntype pair = tuple<string, string>;",
    );
    for field in records::all() {
        page.gap();
        doc(
            &mut page,
            1,
            &format!("One entry of `{}`.", kebab(field.name)),
        );
        page.at(1, format!("record {} {{", records::singular(field)));
        for row in rows(field.record) {
            doc(&mut page, 2, row.doc);
            page.at(2, format!("{}: {},", kebab(row.name), optional(row)));
        }
        page.at(1, "}");
    }
    page.gap();
    doc(
        &mut page,
        1,
        "A field by name, in the order of its number, which never changes.",
    );
    page.at(1, "enum field {");
    for row in FIELDS {
        doc(&mut page, 2, row.doc);
        page.at(2, format!("{},", kebab(row.name)));
    }
    page.at(1, "}");
    page.gap();
    doc(&mut page, 1, "A value of any field.");
    page.at(1, "variant value {");
    page.at(
        2,
        "/// Absent, or a field that the hook does not have.\nnil,",
    );
    page.at(
        2,
        "boolean(bool),\ninteger(s64),\ntext(string),\nbytes(list<u8>),\npairs(list<pair>),",
    );
    for field in records::all() {
        page.at(2, format!("{}({}),", kebab(field.name), plain(field)));
    }
    page.at(1, "}");
    page.gap();
    page.at(1, REFUSAL);
    page.gap();
    doc(
        &mut page,
        1,
        "A new value of a field. Which fields a hook may change is said at the hook; of two changes of one field the last counts.",
    );
    page.at(1, "variant change {");
    for row in changeable() {
        doc(&mut page, 2, row.doc);
        page.at(2, format!("{}({}),", kebab(row.name), plain(row)));
    }
    page.at(
        2,
        "/// Takes a property away, if it is one that can be absent.\nremoved(field),",
    );
    page.at(1, "}");
    page.gap();
    page.at(1, ANSWER);
    page.line("}");
    file(&page.text())
}

fn event() -> String {
    let mut page = Page::default();
    doc(
        &mut page,
        0,
        "The event of the current call. What is not asked for is not copied. A field that the hook does not have reads as one that is absent: `none`, or empty, 0, false where it cannot be absent.",
    );
    page.line("interface event {");
    let mut names = vec!["field".to_owned(), "pair".to_owned(), "value".to_owned()];
    names.extend(
        readable()
            .filter(|row| row.kind == Type::Records)
            .map(|row| records::singular(row).to_owned()),
    );
    names.sort();
    page.at(1, format!("use types.{{{}}};", names.join(", ")));
    page.gap();
    page.at(1, FUNCTIONS);
    for row in readable() {
        page.gap();
        doc(&mut page, 1, row.doc);
        page.at(
            1,
            format!("{}: func() -> {};", kebab(row.name), optional(row)),
        );
    }
    page.line("}");
    file(&page.text())
}

fn hooks() -> String {
    let mut page = Page::default();
    for (at, spec) in HOOKS.iter().enumerate() {
        if at > 0 {
            page.gap();
        }
        hook(&mut page, spec);
    }
    file(&page.text())
}

fn hook(page: &mut Page, spec: &HookSpec) {
    let name = kebab(spec.name);
    let answers = spec.kind != Kind::Notice;
    doc(
        page,
        0,
        &format!("{} ({}) {}", spec.when, spec.kind.name(), details(spec)),
    );
    page.line(format!("interface {name} {{"));
    if answers {
        page.at(1, "use types.{answer};");
        page.gap();
    }
    let parameters = parameter(spec).map_or_else(String::new, |row| {
        format!("{}: {}", kebab(row.name), optional(row))
    });
    let result = if answers { " -> answer" } else { "" };
    page.at(1, format!("{name}: func({parameters}){result};"));
    page.line("}");
}

fn details(spec: &HookSpec) -> String {
    let list = |fields: &[Field]| {
        let names: Vec<String> = fields.iter().map(|field| kebab(field.name())).collect();
        names.join(", ")
    };
    let mut text = format!("Fields: {}.", list(spec.fields));
    if spec.kind == Kind::Notice {
        return text;
    }
    let verdicts: Vec<&str> = spec.verdicts.iter().map(|verdict| verdict.name()).collect();
    text += &format!(" Verdicts: {}.", verdicts.join(", "));
    if !spec.changes.is_empty() {
        text += &format!(" Changes: {}.", list(spec.changes));
    }
    text + match spec.on_error {
        OnError::Deny => " A failure counts as deny.",
        OnError::Pass => " A failure counts as pass.",
    }
}

fn worlds() -> String {
    let mut page = Page::default();
    doc(
        &mut page,
        0,
        "What a plugin may import without a grant. A plugin's own world includes it, imports what it was granted and exports its hooks: `world my-filter { include hookmq:plugin/base@1.0.0; export hookmq:plugin/intercept-publish@1.0.0; }`.",
    );
    page.line("world base {");
    for name in wit_host::ALWAYS {
        page.at(1, format!("import {name};"));
    }
    page.line("}");
    page.gap();
    doc(&mut page, 0, "Every interface that a plugin can import.");
    page.line("world imports {");
    page.at(1, "include base;");
    for name in wit_host::GRANTED {
        page.at(1, format!("import {name};"));
    }
    page.line("}");
    page.gap();
    doc(
        &mut page,
        0,
        "Every interface that there is, for tools that need a world. No plugin has to answer all of this: what it exports is what it listens to.",
    );
    page.line("world everything {");
    page.at(1, "include imports;");
    page.at(1, "export setup;");
    for spec in HOOKS {
        page.at(1, format!("export {};", kebab(spec.name)));
    }
    page.line("}");
    file(&page.text())
}

const REFUSAL: &str = "\
/// Why a plugin refuses, and what the client may be told.
record refusal {
    /// MQTT 5 Reason Code; 0 lets the broker choose the hook's usual one.
    reason-code: u8,
    /// Why, in words. Always logged; sent to MQTT 5 clients only where the operator allows it.
    reason-string: option<string>,
    /// Another server for the client to use.
    server-reference: option<string>,
    /// User Properties of the answering packet.
    user-properties: list<pair>,
    /// Where in the plugin's source, as in `filter.js:12`.
    place: option<string>,
}

/// What shall happen.
variant verdict {
    /// No opinion, maybe with changes.
    pass,
    /// Allowed by this plugin; another plugin's deny still wins.
    accept,
    /// Refused.
    deny(refusal),
    /// Acknowledge and go no further; counted as dropped.
    drop(option<refusal>),
    /// Acknowledge and do not route; counted as consumed by the plugin.
    consume,
    /// Refused, and the Network Connection ends.
    disconnect(refusal),
}";

const ANSWER: &str = "\
/// How long the broker may keep an accept or a deny, and need not ask again.
record keep {
    /// Milliseconds.
    ttl-ms: u64,
    /// Names for invalidation, as in `user:alice`.
    tags: list<string>,
}

/// What a handler answers.
record answer {
    verdict: verdict,
    changes: list<change>,
    keep: option<keep>,
}

/// Why the broker refused a call of the plugin.
enum error-kind {
    /// The plugin's section does not grant it.
    not-granted,
    /// A limit was hit.
    limit,
    /// An argument is wrong.
    argument,
    /// The plugin publishes from what its own publish caused, too deep.
    depth,
    /// The broker is stopping.
    stopping,
}

/// A refused call of the plugin.
record host-error {
    kind: error-kind,
    /// What was wrong, with figures.
    message: string,
}";

const FUNCTIONS: &str = "\
/// Any field, by name.
get: func(field: field) -> value;

/// How many plugins' publishes led here: 0 for what came from outside.
depth: func() -> u8;

/// A part of the payload: what lies beyond its end is not there.
payload-slice: func(offset: u64, len: u64) -> list<u8>;

/// Whether the payload is JSON; the broker looks itself, and nothing is copied.
payload-json-valid: func() -> bool;

/// The first User Property of this name.
user-property: func(name: string) -> option<string>;

/// The handler fails: what it answers does not count, and this is why. To be called at most once, before it returns or traps.
fail: func(message: string);";

#[cfg(test)]
mod tests {
    use super::*;
    use wit_parser::WorldItem;

    use super::super::sections::package as resolved;

    #[test]
    fn the_package_is_valid_and_has_every_hook() {
        let (resolve, package) = resolved();
        let world = resolve
            .select_world(&[package], Some("everything"))
            .expect("the world is there");
        let world = &resolve.worlds[world];
        assert_eq!(world.exports.len(), HOOKS.len() + 1);
        for spec in HOOKS {
            let id = resolve.packages[package].interfaces[&kebab(spec.name)];
            let interface = &resolve.interfaces[id];
            let function = &interface.functions[&kebab(spec.name)];
            assert_eq!(
                function.params.len(),
                usize::from(parameter(spec).is_some())
            );
            assert_eq!(function.result.is_some(), spec.kind != Kind::Notice);
        }
        assert!(
            world
                .imports
                .values()
                .all(|item| matches!(item, WorldItem::Interface { .. }))
        );
    }

    #[test]
    fn every_field_can_be_read_and_changed_as_the_catalogue_says() {
        let (resolve, package) = resolved();
        let interface =
            |name: &str| &resolve.interfaces[resolve.packages[package].interfaces[name]];
        let event = interface("event");
        for row in FIELDS {
            let is_read = HOOKS.iter().any(|hook| hook.fields.contains(&row.field));
            assert_eq!(
                event.functions.contains_key(&kebab(row.name)),
                is_read,
                "{}",
                row.name
            );
        }
        let change = &resolve.types[interface("types").types["change"]];
        let wit_parser::TypeDefKind::Variant(change) = &change.kind else {
            panic!("change is a variant");
        };
        let mut cases: Vec<&str> = change.cases.iter().map(|case| case.name.as_str()).collect();
        assert_eq!(cases.pop(), Some("removed"));
        let expected: Vec<String> = changeable().map(|row| kebab(row.name)).collect();
        assert_eq!(cases, expected);
    }
}

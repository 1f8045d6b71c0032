//! The view of one hook: a struct with an accessor per field.

use hookmq_plugin_api::{FieldSpec, HookSpec, Type};

use super::page::Page;
use super::records;
use super::rust::{camel, integer, path, rows, shared};

/// The struct and all that it has.
pub(super) fn view(page: &mut Page, spec: &HookSpec) {
    let (name, view) = (spec.name, camel(spec.name));
    page.line(format!("/// {}", spec.when));
    page.line("///");
    page.line(format!("/// {} `{name}`{}.", kind(spec), notes(spec)));
    page.line("#[derive(Clone, Copy)]");
    if shared(spec) {
        page.line(format!("pub struct {view}<'a, E = &'a dyn Event> {{"));
        page.at(1, "event: E,\nlife: PhantomData<&'a ()>,");
        page.line("}");
        page.gap();
        page.line(format!(
            "/// [`{view}`] for a handler that awaits: it holds its event."
        ));
        page.line(format!(
            "pub type Shared{view} = {view}<'static, SharedEvent>;"
        ));
        page.gap();
        page.line(format!("impl<'a> {view}<'a> {{"));
        constructor(page, "new", "&'a dyn Event", true);
        page.line("}");
        page.gap();
        page.line(format!("impl Shared{view} {{"));
        constructor(page, "shared", "SharedEvent", true);
        page.line("}");
        page.gap();
        page.line(format!("impl<E: EventRef> {view}<'_, E> {{"));
    } else {
        page.line(format!("pub struct {view}<'a> {{"));
        page.at(1, "event: &'a dyn Event,");
        page.line("}");
        page.gap();
        page.line(format!("impl<'a> {view}<'a> {{"));
        constructor(page, "new", "&'a dyn Event", false);
        page.gap();
    }
    let event = if shared(spec) {
        "self.event.event()"
    } else {
        "self.event"
    };
    page.at(1, "/// The event as all runtimes see it.");
    page.at(1, "#[must_use]");
    page.at(1, "pub fn event(&self) -> &dyn Event {");
    page.at(2, event);
    page.at(1, "}");
    for field in rows(spec.fields) {
        page.gap();
        accessor(page, field);
    }
    page.gap();
    page.at(1, "fn get(&self, field: Field) -> Value<'_> {");
    page.at(2, format!("{event}.get(field)"));
    page.at(1, "}");
    page.line("}");
    page.gap();
    debug(page, spec);
}

fn kind(spec: &HookSpec) -> String {
    let word = spec.kind.name();
    let (first, rest) = word.split_at(1);
    first.to_uppercase() + rest
}

fn notes(spec: &HookSpec) -> String {
    let mut notes = Vec::new();
    if spec.awaits {
        notes.push("may await".to_owned());
    }
    if spec.hot {
        notes.push("on the hot path".to_owned());
    }
    if !spec.verdicts.is_empty() {
        notes.push(format!("a failure counts as {}", spec.on_error.name()));
    }
    notes.iter().map(|note| format!("; {note}")).collect()
}

fn constructor(page: &mut Page, name: &str, event: &str, marked: bool) {
    page.at(
        1,
        "/// The view of an event of this hook; of another hook's event it sees what the two share.",
    );
    page.at(1, "#[must_use]");
    page.at(1, format!("pub const fn {name}(event: {event}) -> Self {{"));
    if marked {
        page.at(2, "Self {");
        page.at(3, "event,\nlife: PhantomData,");
        page.at(2, "}");
    } else {
        page.at(2, "Self { event }");
    }
    page.at(1, "}");
}

fn accessor(page: &mut Page, field: &FieldSpec) {
    page.at(1, format!("/// {}", field.doc));
    page.at(1, "#[must_use]");
    page.at(
        1,
        format!("pub fn {}(&self) -> {} {{", field.name, borrowed(field)),
    );
    page.at(2, read(field, &format!("self.get({})", path(field.field))));
    page.at(1, "}");
}

/// The type that an accessor returns.
fn borrowed(field: &FieldSpec) -> String {
    let plain = match field.kind {
        Type::Bool => "bool".to_owned(),
        Type::Integer => integer(field.field).to_owned(),
        Type::Text => "&str".to_owned(),
        Type::Bytes => "&[u8]".to_owned(),
        Type::Pairs => return "Properties<'_>".to_owned(),
        Type::Records => return format!("Vec<{}>", records::name(field)),
    };
    if field.optional {
        format!("Option<{plain}>")
    } else {
        plain
    }
}

/// The expression that makes it of a value.
pub(super) fn read(field: &FieldSpec, value: &str) -> String {
    match (field.kind, field.optional) {
        (Type::Bool, false) => format!("view::truth({value})"),
        (Type::Bool, true) => format!("{value}.as_bool()"),
        (Type::Integer, false) => format!("view::number({value})"),
        (Type::Integer, true) => format!("view::maybe_number({value})"),
        (Type::Text, false) => format!("view::text({value})"),
        (Type::Text, true) => format!("{value}.as_text()"),
        (Type::Bytes, false) => format!("view::bytes({value})"),
        (Type::Bytes, true) => format!("{value}.as_bytes()"),
        (Type::Pairs, _) => format!("view::pairs({value})"),
        (Type::Records, _) => format!("view::records({value})"),
    }
}

fn debug(page: &mut Page, spec: &HookSpec) {
    let view = camel(spec.name);
    page.line(if shared(spec) {
        format!("impl<E: EventRef> fmt::Debug for {view}<'_, E> {{")
    } else {
        format!("impl fmt::Debug for {view}<'_> {{")
    });
    page.at(
        1,
        "fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {",
    );
    page.at(
        2,
        format!("let fields = Hook::{view}.spec().field_set();\nview::debug(\"{view}\", self.event(), fields, out)"),
    );
    page.at(1, "}");
    page.line("}");
}

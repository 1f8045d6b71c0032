//! The answer of one hook: a constructor per verdict and a method per change that the catalogue allows.

use hookmq_plugin_api::{FieldSpec, HookSpec, Type, VerdictKind};

use super::page::Page;
use super::records;
use super::rust::{camel, head, integer, path, rows};

/// Verdicts that can say why.
pub(super) const REFUSING: [VerdictKind; 3] = [
    VerdictKind::Deny,
    VerdictKind::Drop,
    VerdictKind::Disconnect,
];

/// The struct and all that it has.
pub(super) fn answer(page: &mut Page, spec: &HookSpec) {
    let name = format!("{}Answer", camel(spec.name));
    page.line(format!("/// What a handler of `{}` may answer.", spec.name));
    page.line("#[derive(Debug, Clone, PartialEq, Eq)]");
    page.line("#[must_use]");
    page.line(format!("pub struct {name}(Answer);"));
    page.gap();
    page.line(format!("impl {name} {{"));
    for kind in spec.verdicts {
        verdict(page, *kind);
    }
    for field in rows(spec.changes) {
        change(page, field);
    }
    if spec.keeps {
        page.at(1, "/// The broker may decide like events by this answer without calling; with accept and deny only.");
        page.at(1, "pub fn keep(self, keep: Keep) -> Self {");
        page.at(2, "Self(self.0.kept(keep))");
        page.at(1, "}");
        page.gap();
    }
    page.at(1, "fn with(self, field: Field, value: Owned) -> Self {");
    page.at(2, "Self(view::changed(self.0, field, value))");
    page.at(1, "}");
    page.line("}");
    page.gap();
    page.line(format!("impl From<{name}> for Answer {{"));
    page.at(1, format!("fn from(answer: {name}) -> Self {{"));
    page.at(2, "answer.0");
    page.at(1, "}");
    page.line("}");
    page.gap();
    page.line(format!("impl TypedAnswer for {name} {{}}"));
}

fn verdict(page: &mut Page, kind: VerdictKind) {
    let mut function = |doc: &str, before: &str, arguments: &[&str], body: &str| {
        page.at(1, format!("/// {doc}"));
        head(page, 1, before, arguments, " -> Self");
        page.at(2, body);
        page.at(1, "}");
        page.gap();
    };
    let why = ["reason_code: u8", "reason_string: &str"];
    match kind {
        VerdictKind::Pass => function(
            "No opinion, maybe with changes.",
            "pub const fn pass",
            &[],
            "Self(Answer::PASS)",
        ),
        VerdictKind::Accept => function(
            "Allowed by this plugin; another plugin's deny still wins.",
            "pub fn accept",
            &[],
            "Self(Verdict::Accept.into())",
        ),
        VerdictKind::Deny => {
            function(
                "Refused, with a Reason Code (0: the hook's usual one) and why.",
                "pub fn deny",
                &why,
                "Self::deny_with(Refusal::new(reason_code, reason_string))",
            );
            function(
                "Refused, with all that a refusal can say.",
                "pub fn deny_with",
                &["refusal: Refusal"],
                "Self(Verdict::Deny(Box::new(refusal)).into())",
            );
        }
        VerdictKind::Drop => {
            function(
                "Acknowledge and go no further; counted as dropped.",
                "pub fn drop",
                &[],
                "Self(Verdict::Drop(None).into())",
            );
            function(
                "As [`Self::drop`], and says why.",
                "pub fn drop_with",
                &["refusal: Refusal"],
                "Self(Verdict::Drop(Some(Box::new(refusal))).into())",
            );
        }
        VerdictKind::Consume => function(
            "Acknowledge and do not route; counted as consumed by the plugin.",
            "pub fn consume",
            &[],
            "Self(Verdict::Consume.into())",
        ),
        VerdictKind::Disconnect => {
            function(
                "Refused, and the Network Connection ends, with a Reason Code and why.",
                "pub fn disconnect",
                &why,
                "Self::disconnect_with(Refusal::new(reason_code, reason_string))",
            );
            function(
                "As [`Self::disconnect`], with all that a refusal can say.",
                "pub fn disconnect_with",
                &["refusal: Refusal"],
                "Self(Verdict::Disconnect(Box::new(refusal)).into())",
            );
        }
    }
}

fn change(page: &mut Page, field: &FieldSpec) {
    let value = format!("value: {}", given(field));
    page.at(1, format!("/// Changes `{}`. {}", field.name, field.doc));
    let before = format!("pub fn {}", field.name);
    head(page, 1, &before, &["self", &value], " -> Self");
    let owned = match field.kind {
        Type::Bool => "Owned::Bool(value)",
        Type::Integer => "Owned::Integer(value.into())",
        Type::Text => "Owned::Text(value.into())",
        Type::Bytes => "view::owned_bytes(value)",
        Type::Pairs => "view::owned_pairs(value)",
        Type::Records => "view::owned_records(value)",
    };
    page.at(2, format!("self.with({}, {owned})", path(field.field)));
    page.at(1, "}");
    page.gap();
    if field.optional {
        page.at(1, format!("/// Takes `{}` away.", field.name));
        page.at(1, format!("pub fn without_{}(self) -> Self {{", field.name));
        page.at(2, format!("self.with({}, Owned::Nil)", path(field.field)));
        page.at(1, "}");
        page.gap();
    }
}

/// The type that a change takes.
fn given(field: &FieldSpec) -> String {
    match field.kind {
        Type::Bool => "bool".to_owned(),
        Type::Integer => {
            let number = integer(field.field);
            assert_ne!(number, "u64", "{} is counted, not changed", field.name);
            number.to_owned()
        }
        Type::Text => "impl Into<Box<str>>".to_owned(),
        Type::Bytes => "impl AsRef<[u8]>".to_owned(),
        Type::Pairs => {
            "impl IntoIterator<Item = (impl Into<String>, impl Into<String>)>".to_owned()
        }
        Type::Records => format!("impl IntoIterator<Item = {}>", records::name(field)),
    }
}

//! Cases in WAT made whole: as core modules with the tables of a plugin, and as components with the contract's types.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use hookmq_plugin_api::abi::imports::{IMPORTS, Import, Number};
use hookmq_plugin_api::{Field, Hook};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use super::lab::sources;
use crate::process::root;
use crate::{Failure, Outcome};

/// What every component here imports: the interface, the function, its name in the cases, its type on the machine.
const OFFERS: [(&str, &str, &str, &str); 4] = [
    ("log", "info", "info", "(param i32 i32)"),
    ("event", "payload", "payload", "(param i32)"),
    ("event", "get", "get", "(param i32 i32)"),
    ("event", "payload-slice", "slice", "(param i64 i64 i32)"),
];
/// What a case's comment says of an interface that it imports beside the contract.
const WIT: &str = ";; wit: ";

/// The two forms of a WASM plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Module,
    Component,
}

impl Form {
    /// The word in the table.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Module => "module",
            Self::Component => "component",
        }
    }
}

/// A case as a file to be loaded. A core module imports all that there is, or just what is asked for.
///
/// # Errors
/// When the case is not well formed.
pub(super) fn whole(form: Form, case: &str) -> Outcome<Vec<u8>> {
    match form {
        Form::Module => {
            let imports: String = IMPORTS.iter().map(import).collect();
            module(&imports, case)
        }
        Form::Component => component(case),
    }
}

/// A core module with these imports.
///
/// # Errors
/// When it is not well formed.
pub(super) fn module(imports: &str, case: &str) -> Outcome<Vec<u8>> {
    let number = (Hook::InterceptPublish as u32).to_le_bytes();
    let hook = number.iter().fold(String::new(), |mut hook, byte| {
        // Writing to a string does not fail.
        let _ = write!(hook, "\\{byte:02x}");
        hook
    });
    let frame = fs::read_to_string(sources().join("wasm/module.wat"))?.replace("{{hook}}", &hook);
    core(&frame, imports, case)
}

/// One of the contract's functions as WAT.
pub(super) fn import(import: &Import) -> String {
    let mut text = format!(
        "(import \"{}\" \"{}\" (func ${}",
        import.module, import.name, import.name
    );
    let word = |number: &Number| match number {
        Number::I32 => "i32",
        Number::I64 => "i64",
    };
    for (_, number) in import.params {
        let _ = write!(text, " (param {})", word(number));
    }
    if let Some(number) = &import.result {
        let _ = write!(text, " (result {})", word(number));
    }
    text + "))\n"
}

fn core(frame: &str, imports: &str, case: &str) -> Outcome<Vec<u8>> {
    let (own, rest): (Vec<&str>, Vec<&str>) =
        case.lines().partition(|line| line.starts_with("(import "));
    let text = frame
        .replace("{{imports}}", &format!("{imports}{}", own.join("\n")))
        .replace("{{case}}", &rest.join("\n"))
        .replace(
            "{{user_properties}}",
            &(Field::UserProperties as u32).to_string(),
        )
        .replace("{{topic}}", &(Field::Topic as u32).to_string());
    wat::parse_str(&text).map_err(|error| format!("{error}").into())
}

fn component(case: &str) -> Outcome<Vec<u8>> {
    let told = |error: &dyn std::fmt::Display| -> Failure { format!("{error:#}").into() };
    let imports: String = OFFERS
        .iter()
        .map(|(interface, function, name, kind)| {
            format!("(import \"hookmq:plugin/{interface}@1.0.0\" \"{function}\" (func ${name} {kind}))\n")
        })
        .collect();
    let frame = fs::read_to_string(sources().join("wasm/component.wat"))?;
    let mut bytes = core(&frame, &imports, case)?;
    let mut resolve = Resolve::default();
    resolve
        .push_dir(root().join("plugin-api/wit"))
        .map_err(|error| told(&error))?;
    let mut more = String::new();
    // All interfaces of one package, which is pushed whole.
    let mut packages: BTreeMap<&str, String> = BTreeMap::new();
    for line in case.lines().filter_map(|line| line.strip_prefix(WIT)) {
        let mut words = line.splitn(3, ' ');
        let (Some(package), Some(interface), Some(items)) =
            (words.next(), words.next(), words.next())
        else {
            return Err(format!("{line}: a package, an interface and its items").into());
        };
        let text = packages.entry(package).or_default();
        let _ = writeln!(text, "interface {interface} {{ {items} }}");
        let (name, version) = package.split_once('@').unwrap_or((package, "0.2.0"));
        let _ = writeln!(more, "import {name}/{interface}@{version};");
    }
    for (package, text) in packages {
        resolve
            .push_str("more.wit", &format!("package {package};\n{text}"))
            .map_err(|error| told(&error))?;
    }
    let world = format!(
        "package hookmq:hostile;\nworld hostile {{ include hookmq:plugin/imports@1.0.0;\n{more}export hookmq:plugin/intercept-publish@1.0.0; }}\n"
    );
    let package = resolve
        .push_str("world.wit", &world)
        .map_err(|error| told(&error))?;
    let world = resolve
        .select_world(&[package], Some("hostile"))
        .map_err(|error| told(&error))?;
    embed_component_metadata(&mut bytes, &resolve, world, StringEncoding::UTF8)
        .map_err(|error| told(&error))?;
    ComponentEncoder::default()
        .validate(true)
        .module(&bytes)
        .and_then(|mut encoder| encoder.encode())
        .map_err(|error| told(&error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hostile::case::cases;

    #[test]
    fn every_case_is_well_formed() {
        for (file, forms) in [
            ("loops", &[Form::Module, Form::Component][..]),
            ("builtins", &[Form::Module, Form::Component]),
            ("memory", &[Form::Module, Form::Component]),
            ("traps", &[Form::Module, Form::Component]),
            ("module_answers", &[Form::Module]),
            ("module_pointers", &[Form::Module]),
            ("component_answers", &[Form::Component]),
            ("component_pointers", &[Form::Component]),
            ("wasi", &[Form::Component]),
        ] {
            for case in cases(&format!("wasm/{file}.wat")).expect("the file is there") {
                for form in forms {
                    if let Err(error) = whole(*form, &case.body) {
                        panic!("{file}, {}, as a {}: {error}", case.name, form.word());
                    }
                }
            }
        }
    }
}

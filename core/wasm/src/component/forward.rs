//! A component as the engine calls it fastest: a small module in front of the ones that export its functions hands those on.
//!
//! At each call, the engine (wasmtime 48) looks for the machine code of the core function behind a component's function, a fifth of
//! what the call costs. It need not if the instance that exports the function has imported it: then the way to it was found when the
//! instance was made. So the broker adds a module that imports what is called and exports it again, and nothing else in the component
//! changes. wasmtime 49 finds the way once by itself: with it, this file goes.

use std::collections::BTreeSet;

use wasm_encoder::reencode::{Reencode as _, ReencodeComponent as _, RoundtripReencoder};
use wasm_encoder::{
    ComponentAliasSection, ComponentSection as _, EntityType, ExportKind, ExportSection,
    ImportSection, InstanceSection, ModuleArg, ModuleSection, RawSection, TypeSection,
};
use wasmparser::types::Types;
use wasmparser::{
    BinaryReader, ComponentAlias, ComponentAliasSectionReader, ExternalKind, Validator,
};

/// Length of magic number and version.
const PREAMBLE: usize = 8;
const CORE_MODULE: u8 = 1;
const CORE_INSTANCE: u8 = 2;
const ALIAS: u8 = 6;

/// What the forwarding module calls the instance that it stands in front of.
const MODULE: &str = "";

/// A section of a component: its number, and what it has.
type Section<'a> = (u8, &'a [u8]);

/// The component with a forwarding module in it. `None` for one that is not valid, and for one whose functions are not exported in the
/// usual way: by one instance, and behind all of them, where no number of a module or an instance is used that a new one would change.
pub(crate) fn forwarded(component: &[u8]) -> Option<Vec<u8>> {
    let types = Validator::new().validate_all(component).ok()?;
    let sections = sections(component)?;
    let is_core = |(id, _): &Section<'_>| matches!(*id, CORE_MODULE | CORE_INSTANCE);
    let (core, behind) = sections.split_at_checked(sections.iter().rposition(is_core)? + 1)?;
    let (from, names) = taken(behind)?;
    let module = module(&types, from, &names)?;
    let (module_at, instance_at) = {
        let types = types.as_ref();
        (types.module_count(), types.core_instance_count())
    };

    let mut out = component.get(..PREAMBLE)?.to_vec();
    core.iter().for_each(|section| put(&mut out, *section));
    ModuleSection(&module).append_to_component(&mut out);
    InstanceSection::new()
        .instantiate(module_at, [(MODULE, ModuleArg::Instance(from))])
        .append_to_component(&mut out);
    for section in behind {
        match section {
            (ALIAS, body) => aliases(body, instance_at)?.append_to_component(&mut out),
            section => put(&mut out, *section),
        }
    }
    // The numbers hold where all is as it should be; where not, the component stays as it was.
    Validator::new().validate_all(&out).ok()?;
    Some(out)
}

/// The sections of the component itself; those of what it has inside stay closed.
fn sections(component: &[u8]) -> Option<Vec<Section<'_>>> {
    let mut sections = Vec::new();
    let mut reader = BinaryReader::new(component.get(PREAMBLE..)?, 0);
    while !reader.eof() {
        let id = reader.read_u8().ok()?;
        let len = reader.read_var_u32().ok()?;
        sections.push((id, reader.read_bytes(len as usize).ok()?));
    }
    Some(sections)
}

fn put(out: &mut Vec<u8>, (id, data): Section<'_>) {
    RawSection { id, data }.append_to_component(out);
}

fn read(section: &[u8]) -> Option<Vec<ComponentAlias<'_>>> {
    let reader = ComponentAliasSectionReader::new(BinaryReader::new(section, 0)).ok()?;
    reader.into_iter().collect::<Result<_, _>>().ok()
}

/// The functions that are taken from a core instance, if they are all of one.
fn taken<'a>(sections: &[Section<'a>]) -> Option<(u32, BTreeSet<&'a str>)> {
    let mut from = None;
    let mut names = BTreeSet::new();
    for (_, section) in sections.iter().filter(|(id, _)| *id == ALIAS) {
        for alias in read(section)? {
            if let ComponentAlias::CoreInstanceExport {
                kind: ExternalKind::Func,
                instance_index,
                name,
            } = alias
            {
                if *from.get_or_insert(instance_index) != instance_index {
                    return None;
                }
                names.insert(name);
            }
        }
    }
    Some((from?, names))
}

/// The module in front of an instance: imports functions of it and exports them again.
fn module(types: &Types, from: u32, names: &BTreeSet<&str>) -> Option<wasm_encoder::Module> {
    let types = types.as_ref();
    let found = types.get(types.core_instance_at(from))?.exports(types);
    let mut kinds = TypeSection::new();
    let mut imports = ImportSection::new();
    let mut exports = ExportSection::new();
    for (name, at) in names.iter().zip(0..) {
        let wasmparser::types::EntityType::Func(kind) = found.get(*name)? else {
            return None;
        };
        let kind = types.get(*kind)?.unwrap_func().clone();
        kinds
            .ty()
            .func_type(&RoundtripReencoder.func_type(kind).ok()?);
        imports.import(MODULE, name, EntityType::Function(at));
        exports.export(name, ExportKind::Func, at);
    }
    let mut module = wasm_encoder::Module::new();
    module.section(&kinds).section(&imports).section(&exports);
    Some(module)
}

/// The aliases of a section, with functions taken from another instance.
fn aliases(section: &[u8], instance: u32) -> Option<ComponentAliasSection> {
    let mut aliases = ComponentAliasSection::new();
    for mut alias in read(section)? {
        if let ComponentAlias::CoreInstanceExport {
            kind: ExternalKind::Func,
            instance_index,
            ..
        } = &mut alias
        {
            *instance_index = instance;
        }
        aliases.alias(RoundtripReencoder.component_alias(alias).ok()?);
    }
    Some(aliases)
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasmtime::component::{Component, Linker};
    use wasmtime::{Engine, Store};

    /// One core instance whose function is behind a component's, and maybe a second one.
    fn component(second: &str) -> Vec<u8> {
        let text = format!(
            r#"(component
                (core module $Main (func (export "seven") (param i32) (result i32) (i32.add (local.get 0) (i32.const 7))))
                (core instance $main (instantiate $Main))
                (core instance $other (instantiate $Main))
                (alias core export $main "seven" (core func $seven))
                (func $more (param "to" u32) (result u32) (canon lift (core func $seven)))
                (export "more" (func $more))
                {second})"#
        );
        wat::parse_str(text).unwrap()
    }

    fn answers(component: &[u8], function: &str) -> u32 {
        let engine = Engine::default();
        let component = Component::from_binary(&engine, component).unwrap();
        let mut store = Store::new(&engine, ());
        let instance = Linker::new(&engine)
            .instantiate(&mut store, &component)
            .unwrap();
        let function = instance
            .get_typed_func::<(u32,), (u32,)>(&mut store, function)
            .unwrap();
        function.call(&mut store, (5,)).unwrap().0
    }

    fn modules(component: &[u8]) -> usize {
        let sections = sections(component).unwrap();
        sections.iter().filter(|(id, _)| *id == CORE_MODULE).count()
    }

    #[test]
    fn a_function_is_handed_on_by_a_module_of_its_own() {
        let plain = component("");
        let forwarded = forwarded(&plain).unwrap();
        assert_eq!(modules(&plain), 1);
        assert_eq!(modules(&forwarded), 2);
        assert_eq!(answers(&plain, "more"), 12);
        assert_eq!(answers(&forwarded, "more"), 12);
    }

    #[test]
    fn functions_of_two_instances_stay_as_they_are() {
        let plain = component(
            r#"(alias core export $other "seven" (core func $again))
            (func $most (param "to" u32) (result u32) (canon lift (core func $again)))
            (export "most" (func $most))"#,
        );
        assert_eq!(answers(&plain, "most"), 12);
        assert_eq!(forwarded(&plain), None);
    }

    #[test]
    fn what_is_no_component_stays_as_it_is() {
        assert_eq!(forwarded(b""), None);
        assert_eq!(forwarded(b"\0asm\x0d\0\x01\0"), None);
        let whole = component("");
        for len in 0..whole.len() {
            let cut = whole.get(..len).unwrap();
            // Between two sections it is one still.
            if Validator::new().validate_all(cut).is_err() {
                assert_eq!(forwarded(cut), None, "{len} bytes");
            }
        }
    }
}

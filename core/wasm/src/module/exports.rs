//! Whether a module imports what it may, and exports what it must; said before anything of it runs.

use hookmq_plugin_api::Grants;
use hookmq_plugin_api::abi::imports::{IMPORTS, Number};
use hookmq_plugin_api::host::Grant;
use wasmtime::{ExternType, FuncType, Module, ValType};

/// Every import is one that the contract knows, is of its type, and is granted.
pub(super) fn check_imports(module: &Module, grants: Grants) -> Result<(), String> {
    for import in module.imports() {
        let (from, name) = (import.module(), import.name());
        let known = IMPORTS
            .iter()
            .find(|known| known.module == from && known.name == name)
            .ok_or_else(|| unknown(from, name))?;
        let ExternType::Func(found) = import.ty() else {
            return Err(format!("it imports {from}.{name}, which is a function"));
        };
        let params: Vec<_> = known.params.iter().map(|(_, number)| *number).collect();
        let result: Vec<_> = known.result.into_iter().collect();
        if !is(&found, &params, &result) {
            return Err(format!(
                "it imports {from}.{name} as {found}, and it is {}; build it with the header or SDK of this version",
                shown(&params, &result)
            ));
        }
        if let Some(grant) = known.grant
            && !Grant::from_name(grant).is_some_and(|grant| grants.has(grant))
        {
            return Err(format!(
                "it imports {name}: add grants = [\"{grant}\"] to the plugin's section"
            ));
        }
    }
    Ok(())
}

fn unknown(from: &str, name: &str) -> String {
    if from.starts_with("wasi") {
        return format!(
            "it imports {from}.{name}: a core module has no WASI; build it for wasm32-unknown-unknown, or as a component (wasm32-wasip2)"
        );
    }
    if from.contains('/') || from.starts_with("[export]") {
        return format!(
            "it imports {name} of {from}: this is the inside of a component; make it one with `wasm-tools component new`"
        );
    }
    if from == "env" {
        return format!(
            "it imports {name} of env: a function was declared and not linked; link it in, or leave it out"
        );
    }
    format!(
        "it imports {name} of {from}, which is not there; a plugin can import hookmq, and what is granted of {}",
        modules().join(", ")
    )
}

fn modules() -> Vec<&'static str> {
    let mut modules: Vec<_> = IMPORTS
        .iter()
        .filter(|import| import.grant.is_some())
        .map(|import| import.module)
        .collect();
    modules.dedup();
    modules
}

/// Name, parameters and results of the functions that a module exports; the flag tells those that it must.
const EXPORTS: [(&str, &[Number], &[Number], bool); 4] = {
    use Number::I32;
    [
        (hookmq_plugin_api::abi::ENTRY, &[], &[I32], true),
        ("hookmq_inbox", &[I32], &[I32], true),
        ("hookmq_call", &[I32, I32], &[I32], true),
        ("hookmq_create", &[I32, I32], &[I32], false),
    ]
};

/// Every export of the contract is there and of its type.
pub(super) fn check_exports(module: &Module) -> Result<(), String> {
    match module.get_export("memory") {
        Some(ExternType::Memory(memory)) if !memory.is_64() && !memory.is_shared() => {}
        Some(_) => return Err("its export memory is no 32-bit memory of its own".into()),
        None => {
            return Err(
                "it exports no memory; build it as a plugin, with the header or the SDK".into(),
            );
        }
    }
    for (name, params, results, is_needed) in EXPORTS {
        match module.get_export(name) {
            Some(ExternType::Func(found)) if is(&found, params, results) => {}
            Some(ExternType::Func(found)) => {
                return Err(format!(
                    "its export {name} is {found}, and must be {}",
                    shown(params, results)
                ));
            }
            Some(_) => return Err(format!("its export {name} is no function")),
            None if is_needed => {
                return Err(format!(
                    "it exports no function {name}, so it is no plugin; HOOKMQ_PLUGIN of the C header or export! of the Rust SDK make it"
                ));
            }
            None => {}
        }
    }
    Ok(())
}

fn is(found: &FuncType, params: &[Number], results: &[Number]) -> bool {
    let same = |found: ValType, number: &Number| {
        matches!(
            (found, number),
            (ValType::I32, Number::I32) | (ValType::I64, Number::I64)
        )
    };
    found.params().len() == params.len()
        && found.results().len() == results.len()
        && found.params().zip(params).all(|(a, b)| same(a, b))
        && found.results().zip(results).all(|(a, b)| same(a, b))
}

fn shown(params: &[Number], results: &[Number]) -> String {
    let words = |numbers: &[Number]| {
        let words: Vec<_> = numbers
            .iter()
            .map(|number| match number {
                Number::I32 => "i32",
                Number::I64 => "i64",
            })
            .collect();
        words.join(" ")
    };
    format!("({}) -> ({})", words(params), words(results))
}

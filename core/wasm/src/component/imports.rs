//! Links what a component imports, and refuses by name what the contract does not have or the operator did not grant.

use hookmq_plugin_api::{FieldSet, Grant, Grants};
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Linker, LinkerInstance};

use super::{event, host, interface_of, query, wasi};
use crate::state::State;

/// Links all imports; tells which fields of events the component can ask for.
pub(super) fn link(
    linker: &mut Linker<State>,
    component: &Component,
    grants: Grants,
) -> Result<FieldSet, String> {
    let kind = component.component_type();
    let engine = component.engine();
    let mut readable = FieldSet::EMPTY;
    for (name, import) in kind.imports(engine) {
        let ComponentItem::ComponentInstance(instance) = import.ty else {
            return Err(unknown(name));
        };
        let Some(interface) = interface_of(name) else {
            // What is of WASI can be linked; what of it is not there ends the call that uses it.
            let wasi = name.strip_prefix("wasi:").ok_or_else(|| unknown(name))?;
            let interface = wasi.split('@').next().unwrap_or(wasi);
            let wrong = |error| format!("{name}: {error:#}");
            let mut into = linker.instance(name).map_err(wrong)?;
            for (name, item) in instance.exports(engine) {
                if let ComponentItem::Resource(_) = item.ty {
                    wasi::link_resource(&mut into, name).map_err(wrong)?;
                }
            }
            wasi::link(&mut into, interface, grants).map_err(wrong)?;
            continue;
        };
        let interface = interface?;
        let mut into = linker
            .instance(name)
            .map_err(|error| format!("{name}: {error:#}"))?;
        if interface == "event" {
            for (name, item) in instance.exports(engine) {
                if let ComponentItem::ComponentFunc(function) = item.ty {
                    readable = readable.union(event::link(&mut into, name, &function)?);
                }
            }
        } else {
            link_interface(&mut into, interface, grants)?
                .map_err(|error| format!("{name}: {error:#}"))?;
        }
    }
    linker
        .define_unknown_imports_as_traps(component)
        .map_err(|error| format!("{error:#}"))?;
    Ok(readable)
}

fn link_interface(
    linker: &mut LinkerInstance<'_, State>,
    interface: &str,
    grants: Grants,
) -> Result<wasmtime::Result<()>, String> {
    if let Some(grant) = Grant::from_name(interface)
        && !grants.has(grant)
    {
        return Err(format!(
            "it imports {interface}: add grants = [\"{interface}\"] to the plugin's section"
        ));
    }
    Ok(match interface {
        "types" => Ok(()),
        "log" => host::log(linker),
        "publish" => host::publish(linker),
        "disconnect" => host::disconnect(linker),
        "query" => query::link(linker),
        "kv" => host::kv(linker),
        "cache" => host::cache(linker),
        "clock" => host::clock(linker),
        "random" => host::random(linker),
        other => {
            return Err(format!(
                "it imports {other} of hookmq:plugin, which this broker does not have; build it with the WIT of this version"
            ));
        }
    })
}

fn unknown(name: &str) -> String {
    let grants: Vec<_> = Grant::ALL.iter().map(|grant| grant.name()).collect();
    format!(
        "it imports {name}, which is not there; a plugin can import event, log and types of hookmq:plugin, and what is granted of {}",
        grants.join(", ")
    )
}

//! What a component exports: its hook interfaces are its subscription.

use hookmq_plugin_api::{Field, Hook};
use wasmtime::Engine;
use wasmtime::component::types::{ComponentInstance, ComponentItem};
use wasmtime::component::{Component, ComponentExportIndex};

use super::{hook_of, interface_of};

/// The functions of one component that the broker calls.
pub(super) struct Exports {
    pub(super) hooks: Vec<HookExport>,
    pub(super) create: Option<ComponentExportIndex>,
}

/// One hook that the component answers.
pub(super) struct HookExport {
    pub(super) hook: Hook,
    /// The field that its function is handed.
    pub(super) parameter: Option<Field>,
    pub(super) function: ComponentExportIndex,
}

/// Finds them.
pub(super) fn read(engine: &Engine, component: &Component) -> Result<Exports, String> {
    let mut exports = Exports {
        hooks: Vec::new(),
        create: None,
    };
    let kind = component.component_type();
    for (name, export) in kind.exports(engine) {
        let Some(interface) = interface_of(name) else {
            // Its own business: what else may use it.
            continue;
        };
        let interface = interface?;
        let ComponentItem::ComponentInstance(instance) = export.ty else {
            return Err(format!("its export {name} is no interface"));
        };
        let function = |function: &str| {
            find(engine, component, &instance, name, function)
                .ok_or_else(|| format!("its export {name} has no function {function}"))
        };
        if interface == "setup" {
            exports.create = Some(function("create")?);
            continue;
        }
        let hook = hook_of(interface).ok_or_else(|| {
            format!("it exports {interface} of hookmq:plugin, and there is no such hook")
        })?;
        exports.hooks.push(HookExport {
            hook,
            parameter: parameter(hook),
            function: function(interface)?,
        });
    }
    if exports.hooks.is_empty() {
        return Err(
            "it exports no hook; export one in its world, as in: export hookmq:plugin/intercept-publish@1.0.0;"
                .into(),
        );
    }
    Ok(exports)
}

fn find(
    engine: &Engine,
    component: &Component,
    instance: &ComponentInstance,
    interface: &str,
    function: &str,
) -> Option<ComponentExportIndex> {
    let export = instance.get_export(engine, function)?;
    matches!(export.ty, ComponentItem::ComponentFunc(_)).then_some(())?;
    let interface = component.get_export_index(None, interface)?;
    component.get_export_index(Some(&interface), function)
}

/// What a hook's function is handed, by the WIT: its topic filter or topic, where it has one.
pub(super) fn parameter(hook: Hook) -> Option<Field> {
    [Field::TopicFilter, Field::Topic]
        .into_iter()
        .find(|field| hook.spec().fields.contains(field))
}
